"""The judge where the core asks for it: after a video is sealed, and, if it is told to reject, before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.clip import Clip
from cosmos_core.errors import CosmosError, HostError, fail, ok, warn
from cosmos_core.extend import Followed
from cosmos_core_reason.judge import Judge, questions_of
from cosmos_core_reason.options import ReasonOptions
from cosmos_core_reason.questions import beside, variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cosmos_core.extend import Artifact, Finding, Output, Run


def follow(
    artifact: Artifact,
    run: Run,
    folder: Path,
    options: ReasonOptions | None,
) -> Followed:
    """Judge a sealed video. The replies are kept in ``reason.json`` beside it; what is there is not asked again.

    Args:
        artifact: what is judged.
        run: its variables, and its tags of the form ``name=value``, say what the video should show.
        folder: the artifact's own.
        options: the endpoint, and what is asked.

    Raises:
        InputError: a file of questions is not understood, or the key would travel in the clear.
    """
    chosen = options or ReasonOptions()
    expected = variables(run, chosen.expect, _source(folder))
    asked = questions_of(chosen, expected, beside(run, chosen.others))
    with Judge(chosen) as judge:
        found = judge.judge(artifact.path, artifact.digest, asked, keep=folder)
    findings = tuple(attrs.evolve(each, where=run.id) for each in found.findings)
    return Followed(findings=findings, score=found.score, tags=found.tags)


def look(output: Output, options: ReasonOptions) -> Iterator[Finding]:
    """Reject an output whose plausibility is below the limit; stay silent about one that is not.

    Raises:
        HostError: the judge did not answer, so that the output stays unverified.
    """
    only = attrs.evolve(
        options,
        questions=tuple(each for each in options.questions if each.startswith("plausibility"))
        or ("plausibility",),
    )
    with Judge(only) as judge:
        found = judge.judge(output.path, output.digest, questions_of(only, {}, {}))
    score = found.scores.get("plausibility")
    if score is None:
        raise HostError("; ".join(each.message for each in found.findings) or "the judge said nothing")
    mean = 1 + 4 * score
    if mean < options.reject_below:
        yield fail(
            f"the judge finds {mean:.2f} of 5 plausible, below reject_below = {options.reject_below:g}",
            hint="judges agree with people in four of ten cases: look at it before you make it again",
        )
    elif any(each.level.rank for each in found.findings):
        yield from (warn(each.message, hint=each.hint) for each in found.findings if each.level.rank)
    else:
        yield ok(f"the judge finds {mean:.2f} of 5 plausible")


def _source(folder: Path) -> Mapping[str, Any]:
    """What the clip's generator said, where the clip still lies where ``artifact.json`` says."""
    try:
        record = json.loads((folder / "artifact.json").read_text("utf-8"))
        clip = Clip.load(Path(record["clip_folder"]))
    except (OSError, ValueError, KeyError, TypeError, CosmosError):
        return {}
    return clip.source if clip.digest == record.get("clip") else {}
