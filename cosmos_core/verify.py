"""Outputs and findings into artifacts or rejections; and the same questions for any folder.

An output is a claim, an artifact is a fact: only :func:`verify_returned` moves a run to ``sealed`` or ``rejected``, and
only for bytes that were decoded. :func:`examine` asks the questions, :func:`rule` draws the conclusion,
:func:`examine_folder` needs no store and no run.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import secrets
import time
from collections import Counter
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

import attrs

from cosmos_core import canonical
from cosmos_core.clip import MANIFEST
from cosmos_core.errors import (
    CosmosError,
    Finding,
    InputError,
    Level,
    PluginError,
    VerifyError,
    fail,
    warn,
    worst,
)
from cosmos_core.extend import Artifact, Backend, Check, Clip, Output, Report, silent
from cosmos_core.record import (
    ARTIFACT,
    REJECTION,
    SUFFIXES,
    Claim,
    Record,
    Ruling,
    Verdict,
    is_sidecar,
    read_claims,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cosmos_core.plugins import Plugins
    from cosmos_core.run import Batch, Run
    from cosmos_core.settings import Settings
    from cosmos_core.spec import Spec

__all__ = [
    "Duplicate",
    "Examined",
    "FolderReport",
    "Ruling",
    "Verdict",
    "checks_of",
    "examine",
    "examine_folder",
    "rule",
    "verify_returned",
]

log = logging.getLogger(__name__)

LEVELS = ("integrity", "request", "campaign", "content", "control", "policy")
"""In the order in which they are asked."""

# What these say depends on the input, so it cannot be asked again where the input is not at hand.
_COMPARES_WITH_INPUT = frozenset({"content.frozen", "content.equals-input"})


@attrs.frozen(kw_only=True)
class Answer:
    """What one check said about one output."""

    check: Check
    findings: tuple[Finding, ...] = ()
    raised: bool = False
    """It did not answer. The one finding says what happened."""

    @property
    def level(self) -> Level:
        """The worst finding's."""
        return worst(self.findings)


def checks_of(plugins: Plugins, settings: Settings) -> tuple[Check, ...]:
    """Every check on offer, with its thresholds as ``[plugins."<check>"]`` sets them.

    Raises:
        PluginError: when two plugins claim one name: neither may be left out in silence.
        InputError: when a threshold is not understood.
    """
    names = [owned.offer.name for owned in plugins.owned(Check)]
    found = [plugins.find(Check, name) for name in dict.fromkeys(names)]
    return configured(found, settings.plugins)


def configured(checks: Iterable[Check], tables: Mapping[str, Mapping[str, object]]) -> tuple[Check, ...]:
    """The same checks, with the thresholds that *tables* hold by a check's name bound to their ``look``.

    Raises:
        InputError: naming every threshold that is unknown or not understood.
    """
    from cosmos_core.plugins import options

    bound = []
    for check in checks:
        table = tables.get(check.name, {})
        chosen = options(check, table)
        look = cast("Callable[..., Iterable[Finding]]", check.look)
        bound.append(attrs.evolve(check, look=partial(look, options=chosen)) if table else check)
    return tuple(bound)


def examine(output: Output, spec: Spec | None, checks: Iterable[Check]) -> Verdict:
    """Ask every check about *output*, level by level, and rule. Never raises for what it finds.

    The first failing answer of level integrity ends it: what is not the video needs no more questions. A check that
    raises is recorded as unanswered, with the package it came from.
    """
    started = time.perf_counter()
    answers: list[Answer] = []
    for check in sorted(checks, key=_turn):
        answers.append(_ask(check, output, spec))
        if check.level == "integrity" and answers[-1].level is Level.FAIL:
            break
    return Verdict(
        ruling=rule(answers),
        findings=tuple(finding for answer in answers for finding in answer.findings),
        asked={answer.check.name: answer.check.version for answer in answers},
        unanswered=tuple(answer.check.name for answer in answers if answer.raised),
        seconds=time.perf_counter() - started,
    )


def rule(answers: Sequence[Answer]) -> Ruling:
    """What *answers* say together. An output that nobody asked about its integrity stays unverified."""
    required = [answer for answer in answers if answer.check.required]
    if not any(answer.check.level == "integrity" for answer in required):
        return Ruling.UNVERIFIED
    if any(answer.raised for answer in required):
        return Ruling.UNVERIFIED
    if any(answer.level is Level.FAIL for answer in required):
        return Ruling.REJECTED
    if any(answer.level is not Level.OK for answer in answers):
        return Ruling.NEEDS_REVIEW
    return Ruling.VERIFIED


def _turn(check: Check) -> tuple[int, int, str]:
    level = LEVELS.index(check.level) if check.level in LEVELS else len(LEVELS)
    return (level, check.order, check.name)


def _ask(check: Check, output: Output, spec: Spec | None) -> Answer:
    try:
        said = list(check.look(output, spec))
        findings = tuple(_signed(finding, check, output) for finding in said)
    except (
        Exception
    ) as error:  # a check is a plugin: what it raises leaves one question unanswered, and no more
        log.debug("check %s raised", check.name, exc_info=True)
        return Answer(check=check, findings=(_unanswered(check, output, error),), raised=True)
    return Answer(check=check, findings=findings)


def _signed(finding: Finding, check: Check, output: Output) -> Finding:
    if not isinstance(finding, Finding):
        raise PluginError(f"it gave a {type(finding).__name__}, not a Finding")
    return attrs.evolve(finding, check=check.name, where=finding.where or output.name)


def _unanswered(check: Check, output: Output, error: Exception) -> Finding:
    say = fail if check.required else warn
    package = _package(check)
    return say(
        f"check {check.name} of {package} did not answer: {type(error).__name__}: {error}",
        hint=f"report it to the authors of {package}, or leave it out with COSMOS_BLOCK_PLUGINS (see: cosmos plugins)",
        check=check.name,
        where=output.name,
    )


def _package(check: Check) -> str:
    look = getattr(check.look, "func", check.look)
    return str(getattr(look, "__module__", None) or "an unknown package").partition(".")[0]


class Holding(Protocol):
    """A worker's lease, as far as it matters here."""

    @property
    def batch(self) -> Batch:
        """What is held, under which fence."""


class Publisher(Protocol):
    """What is needed of the store: who has the same bytes, and the two moves that nobody else may ask for."""

    def artifacts(self, *, digest: str) -> Sequence[Artifact]:
        """Artifacts with exactly these bytes."""

    def seal(self, lease: Any, run_id: str, made: Artifact, findings: Iterable[Finding], /) -> Run:
        """Publish the artifact: ``returned`` to ``sealed``."""

    def reject(self, lease: Any, run_id: str, findings: Iterable[Finding], /, *, reason: str) -> Run:
        """Refuse the output: ``returned`` to ``rejected``."""


def verify_returned(
    store: Publisher,
    lease: Holding,
    run: Run,
    output: Output,
    *,
    plugins: Plugins,
    settings: Settings,
    outputs: Path,
) -> Run:
    """Seal the output of a returned run as an artifact under *outputs*, or reject it; give the run as it is then.

    The video goes to ``<outputs>/<run>/a<attempt>-f<fence>/`` with ``artifact.json`` beside it, a rejected one into
    ``rejected/`` there, so that a person can look. The store hears of it last: what a worker leaves that dies before
    has a fence of its own in its path, and the next one verifies again.

    Raises:
        VerifyError: when a required check did not answer, or the file changed while it was copied. The run stays
            ``returned``.
        LeaseLost: when another worker holds the batch by now; nothing was published.
        OSError: when the disk fails; no partial file has its final name.
    """
    _find_twins(output, store)
    verdict = examine(output, run.spec, checks_of(plugins, settings))
    if verdict.ruling is Ruling.UNVERIFIED:
        why = verdict.reason or "no check of its integrity is installed"
        raise VerifyError(f"run {run.id} stays unverified: {why}", hint="mend the plugin; the output is kept")
    folder = outputs / run.id / f"a{run.attempt}-f{lease.batch.fence}"
    record = _record(run, output, verdict, lease.batch, plugins)
    if verdict.ruling is Ruling.REJECTED:
        _keep(output, folder / "rejected", record)
        return store.reject(lease, run.id, verdict.findings, reason=verdict.reason)
    return store.seal(lease, run.id, _publish(output, folder, record), verdict.findings)


def _find_twins(output: Output, store: Publisher) -> None:
    """Add every artifact with the same bytes, however long ago it was sealed, to those it is compared with."""
    if output.sniff.kind not in {"missing", "not_a_file"}:
        known = {other.run for other in output.others}
        twins = (other for other in store.artifacts(digest=output.digest) if other.run not in known)
        output.others = (*output.others, *twins)


def _publish(output: Output, folder: Path, record: Record) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    if (copied := _copy(output.path, folder / record.file)) != output.digest:
        (folder / record.file).unlink()
        raise VerifyError(
            f"{output.name} changed while it was verified: {output.digest[:12]}…, then {copied[:12]}…"
        )
    canonical.write_file(folder / ARTIFACT, record)
    return Artifact(
        run=record.run,
        attempt=record.attempt,
        digest=record.digest,
        path=folder / record.file,
        bytes=record.bytes,
        frames=record.frames,
        fps=record.fps,
        width=record.width,
        height=record.height,
        phashes=tuple(int(each) for each in output.survey.phashes),
    )


def _keep(output: Output, folder: Path, record: Record) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if output.path.is_file() and not output.path.is_symlink():
        _copy(output.path, folder / record.file)
    canonical.write_file(folder / REJECTION, record)


def _copy(source: Path, target: Path) -> str:
    """Copy so that *target* is whole or absent, and give the SHA-256 of what was written."""
    digest = hashlib.sha256()
    part = target.with_name(f".{target.name}.part-{secrets.token_hex(4)}")
    try:
        with source.open("rb") as read, part.open("wb") as out:
            while block := read.read(1 << 20):
                digest.update(block)
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest()


def _record(run: Run, output: Output, verdict: Verdict, batch: Batch, plugins: Plugins) -> Record:
    record = Record(
        run=run.id,
        name=run.name,
        attempt=run.attempt,
        file=_file_name(run, output),
        recipe=run.spec.digest,
        spec=run.spec,
        expected=output.expected,
        verdict=verdict,
        guardrail=output.guardrail,
        remote_digest=output.remote_digest,
        clip=run.spec.clip,
        clip_name=output.clip.name if output.clip else "",
        clip_folder=output.clip.folder.as_posix() if output.clip else "",
        prompt_ref=run.prompt_ref,
        parent=run.parent,
        campaign=run.campaign,
        tags=run.tags,
        host=batch.host,
        slot=batch.slot,
        job=batch.job_key or batch.key,
        fence=batch.fence,
        versions=_versions(run.spec.backend, plugins),
    )
    return record if verdict.ruling is Ruling.REJECTED else _with_facts(record, output)


def _with_facts(record: Record, output: Output) -> Record:
    facts = output.survey.facts
    if facts is None:
        raise VerifyError(f"{output.name} passed every check and cannot be opened: {output.survey.error}")
    return attrs.evolve(
        record,
        digest=output.digest,
        bytes=facts.bytes,
        frames=output.survey.decoded,
        fps=facts.fps,
        width=facts.width,
        height=facts.height,
        metadata=facts.metadata,
    )


def _file_name(run: Run, output: Output) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", run.name)[:80].strip("-.") or run.id
    return stem + (output.path.suffix.lower() or ".mp4")


def _versions(backend: str, plugins: Plugins) -> dict[str, str]:
    import platform

    import av

    from cosmos_core import __version__

    theirs = {
        one.plugin.distribution: one.plugin.version
        for one in plugins.owned(Backend)
        if one.offer.name == backend
    }
    return {"av": av.__version__, "cosmos-core": __version__, "python": platform.python_version()} | theirs


@attrs.frozen(kw_only=True)
class Examined:
    """One file of a folder, and what was found."""

    name: str
    """Relative to the folder, with ``/``."""
    kind: str
    """What its first bytes are: ``video``, ``pointer``, ``html``, …, ``link``."""
    digest: str
    """SHA-256 of its bytes, or the one a pointer names; empty when there is neither."""
    claimed_by: str = ""
    """The sidecar that says what it should be; empty when none does, and then nothing was asked about a request."""
    recorded: tuple[str, ...] = ()
    """Checks whose findings are those of the day it was sealed, because its input is not here."""
    verdict: Verdict


@attrs.frozen(kw_only=True)
class Duplicate:
    """Files with the same bytes, or pointers to the same."""

    digest: str
    files: tuple[str, ...]


@attrs.frozen(kw_only=True)
class FolderReport:
    """What :func:`examine_folder` found."""

    folder: str
    files: int = 0
    """Files whose name promises a video, the missing ones that a sidecar names among them."""
    videos: int = 0
    """Those among them that are videos by their first bytes."""
    pointers: int = 0
    contents: int = 0
    """How many different contents the files have, pointers by what they point to."""
    verified: int = 0
    needs_review: int = 0
    rejected: int = 0
    unverified: int = 0
    seconds: float = 0.0
    duplicates: tuple[Duplicate, ...] = ()
    outputs: tuple[Examined, ...] = ()
    notes: tuple[Finding, ...] = ()
    """About the folder itself, such as sidecars that are not understood."""

    @property
    def is_verified(self) -> bool:
        """Whether there is something, and all of it is verified."""
        return 0 < self.files == self.verified


def examine_folder(path: Path, checks: Iterable[Check], on_progress: Report = silent) -> FolderReport:
    """Ask *checks* about every file in *path* whose name promises a video. Needs no store, changes nothing.

    Links are reported and not followed; hidden folders are left out, and sealed clips, which are inputs. What lies
    beside the videos (``artifact.json``, ``dataset.json``, ``metadata.jsonl``, ``SHA256SUMS``, the echo of a Cosmos
    program) says what they should be. A video that a sidecar names and that is not there counts as rejected.

    Args:
        path: a folder, or one file.
        checks: the questions.
        on_progress: told after each file.

    Raises:
        InputError: when there is nothing at *path*.
    """
    started = time.perf_counter()
    root, names, sidecars = _listed(path)
    claims = read_claims(root, sidecars)
    if path.is_dir():
        names |= {name for name in claims.named if Path(name).suffix.lower() in SUFFIXES}
    files = {name: _digest(root / name) for name in sorted(names)}
    believed = {name: claims.about(name, digest) for name, digest in files.items()}
    recipes = {name: claim.recipe for name, claim in believed.items()}
    equal = _grouped(files)
    asked = tuple(checks)
    seen: list[Artifact] = []
    examined = []
    for done, (name, digest) in enumerate(files.items(), start=1):
        twins = [_stub(root, twin, digest) for twin in equal.get(digest, ()) if twin != name]
        output = _output(root, name, digest, believed[name], twins + seen)
        output.recipes = recipes
        examined.append(_examined(name, output, believed[name], asked))
        seen += _remembered(root, name, output)
        on_progress(done, len(files), name)
    return _report(path, examined, claims.notes, time.perf_counter() - started)


def _listed(path: Path) -> tuple[Path, set[str], list[str]]:
    """Give the folder, the files in it that should be videos, and its sidecars; names are relative."""
    if path.is_file() or path.is_symlink():
        beside = [file.name for file in path.parent.iterdir() if is_sidecar(file.name, {path.stem})]
        return path.parent, {path.name}, beside
    if not path.is_dir():
        raise InputError(f"there is nothing at {path}", hint="give a folder, or a video")
    names: set[str] = set()
    sidecars: list[str] = []
    for folder, below, files in os.walk(path):
        below[:] = [name for name in below if not _is_left_out(Path(folder, name))]
        here = Path(folder).relative_to(path)
        videos = [
            name for name in files if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
        stems = {Path(name).stem for name in videos}
        names |= {(here / name).as_posix() for name in videos}
        sidecars += [(here / name).as_posix() for name in files if is_sidecar(name, stems)]
    return path, names, sidecars


def _is_left_out(folder: Path) -> bool:
    return folder.name.startswith(".") or (folder / MANIFEST).is_file()


def _digest(path: Path) -> str:
    from cosmos_core.media import file_digest, sniff

    found = sniff(path)
    if path.is_symlink() or found.kind in {"missing", "not_a_file"}:
        return ""
    return found.oid or file_digest(path)


def _grouped(files: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Give names by digest, those without one left out."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, digest in files.items():
        if digest:
            groups[digest] = (*groups.get(digest, ()), name)
    return groups


def _output(root: Path, name: str, digest: str, claim: Claim, others: Iterable[Artifact]) -> Output:
    record = claim.record
    output = Output(
        root / name,
        expected=record.expected if record else None,
        remote_digest=claim.digest,
        clip=_clip(record) if record else None,
        recipe=claim.recipe,
        others=others,
        guardrail=record.guardrail if record else "none",
    )
    if digest:
        output.digest = digest
    return output


def _clip(record: Record) -> Clip | None:
    """Give the clip a record names, if it still lies where it was."""
    if not record.clip_folder:
        return None
    try:
        clip = Clip.load(Path(record.clip_folder))
    except (CosmosError, OSError):
        return None
    return clip if clip.digest == record.clip else None


def _stub(root: Path, name: str, digest: str, output: Output | None = None) -> Artifact:
    """Give a file of the folder as the checks for duplicates know others: by name instead of by run."""
    survey = output.survey if output else None
    return Artifact(
        run=name,
        attempt=0,
        digest=digest,
        path=root / name,
        bytes=0,
        frames=survey.decoded if survey else 0,
        fps=Fraction(0),
        width=0,
        height=0,
        phashes=tuple(int(each) for each in survey.phashes) if survey else (),
    )


def _remembered(root: Path, name: str, output: Output) -> list[Artifact]:
    """Give what later files are compared with: nothing of a file that nobody needed to decode."""
    return [_stub(root, name, output.digest, output)] if "survey" in vars(output) else []


def _examined(name: str, output: Output, claim: Claim, checks: tuple[Check, ...]) -> Examined:
    record = claim.record
    lasting = _lasting(record, output, checks) if record else ()
    verdict = examine(
        output, record.spec if record else None, (each for each in checks if each.name not in lasting)
    )
    if record and lasting and verdict.ruling is not Ruling.REJECTED:
        verdict = _with_recorded(verdict, record.verdict, lasting)
    return Examined(
        name=name,
        kind="link" if output.path.is_symlink() else output.sniff.kind,
        digest=vars(output).get("digest", ""),
        claimed_by=claim.source,
        recorded=lasting if record else (),
        verdict=verdict,
    )


def _lasting(record: Record, output: Output, checks: Iterable[Check]) -> tuple[str, ...]:
    """Checks that compare with an input which is not here, and were asked about these very bytes when it was."""
    if not record.clip or output.clip is not None or record.digest != vars(output).get("digest"):
        return ()
    return tuple(
        check.name
        for check in checks
        if (check.level == "control" or check.name in _COMPARES_WITH_INPUT)
        and record.verdict.asked.get(check.name) == check.version
    )


def _with_recorded(verdict: Verdict, recorded: Verdict, lasting: tuple[str, ...]) -> Verdict:
    findings = tuple(finding for finding in recorded.findings if finding.check in lasting)
    doubtful = verdict.ruling is Ruling.VERIFIED and worst(findings) is not Level.OK
    return attrs.evolve(
        verdict,
        ruling=Ruling.NEEDS_REVIEW if doubtful else verdict.ruling,
        findings=verdict.findings + findings,
    )


def _report(
    path: Path, examined: Sequence[Examined], notes: tuple[Finding, ...], seconds: float
) -> FolderReport:
    rulings = Counter(each.verdict.ruling for each in examined)
    kinds = Counter(each.kind for each in examined)
    equal = _grouped({each.name: each.digest for each in examined})
    return FolderReport(
        folder=path.as_posix(),
        files=len(examined),
        videos=kinds["video"],
        pointers=kinds["pointer"],
        contents=len(equal),
        verified=rulings[Ruling.VERIFIED],
        needs_review=rulings[Ruling.NEEDS_REVIEW],
        rejected=rulings[Ruling.REJECTED],
        unverified=rulings[Ruling.UNVERIFIED],
        seconds=seconds,
        duplicates=tuple(
            Duplicate(digest=digest, files=files) for digest, files in equal.items() if len(files) > 1
        ),
        outputs=tuple(examined),
        notes=notes,
    )
