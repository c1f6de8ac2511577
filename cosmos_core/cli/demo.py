"""``cosmos demo``: the whole way once, from a scene to a verified video."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import facts, failure, say
from cosmos_core.cli.asked import command as make
from cosmos_core.cli.asked import leave, listen
from cosmos_core.errors import UnknownError, VerifyError

if TYPE_CHECKING:
    from cosmos_core.api import Cosmos
    from cosmos_core.audit import FolderReport
    from cosmos_core.cli.asked import Asked
    from cosmos_core.clip import Clip
    from cosmos_core.run import Run
    from cosmos_core.spec import SavedPrompt

PROMPT = "A New York street at night in heavy rain, neon reflections on wet asphalt"
PROMPT_NAME = "neon-rain"
CLIP_NAME = "demo-street"
CITY = {"width": 832, "height": 480, "frames": 49}
WEIGHTS = {"vis": 0.3, "edge": 0.4, "depth": 0.2, "seg": 0.1}


@make(
    "demo",
    examples="""
        cosmos demo
        cosmos demo ~/cosmos-demo
    """,
)
@click.argument("folder", default="demo", type=click.Path(path_type=Path, file_okay=False))
def command(asked: Asked, folder: Path) -> None:
    """Walk the whole way once: from a scene to a verified video.

    Makes a workspace in FOLDER (default: demo), a short clip of a street, asks the preview backend for a rainy night,
    verifies what comes back, and says where it lies. The preview is a CPU look-alike, not a Cosmos model. Typed again
    it goes on where it was.
    """
    from cosmos_core.api import Cosmos

    listen(asked.verbose)
    started = time.monotonic()
    with Cosmos.create(folder) as cosmos:
        asked.note(f"{_step(1)} workspace  {say.short(cosmos.workspace.root)}")
        clip = _clip(cosmos, asked)
        prompt = _prompt(cosmos, clip)
        asked.note(f"{_step(3)} prompt     @{prompt.ref}: {prompt.prompt.text}")
        run = _run(cosmos, asked, prompt, clip)
        asked.note(f"{_step(5)} verify     outputs/{run.id}")
        report = _verify(cosmos, run)
        _conclude(cosmos, asked, run, clip, report, time.monotonic() - started)


def _step(number: int) -> str:
    return say.faint(f"{number}/5")


def _clip(cosmos: Cosmos, asked: Asked) -> Clip:
    """The street of the city plugin, or moving boxes where that is not installed."""
    from cosmos_core.cli.progress import progress
    from cosmos_core.extend import Generator

    try:
        cosmos.plugins.find(Generator, "city")
    except UnknownError:
        asked.note(
            f"{_step(2)} clip       moving boxes, because the city plugin (cosmos-core-city) is not installed"
        )
        return _boxes(cosmos)
    asked.note(f"{_step(2)} clip       clips/{CLIP_NAME}, a street of the city plugin")
    with progress(asked, unit="frames") as bars:

        def report(done: int, total: int, note: str = "", /) -> None:
            bars.show("clip", "street", done, total, note)

        return cosmos.generate("city", CITY, name=CLIP_NAME, report=report)


def _boxes(cosmos: Cosmos) -> Clip:
    import shutil

    from cosmos_core.testing.media import make_clip

    folder = cosmos.workspace.clips / f"{CLIP_NAME}-boxes"
    if not folder.is_dir():
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        # Flat boxes have few edges of their own, and rain at night has many: a picture this small is not compared.
        make_clip(part, frames=25, width=320, height=176)
        part.rename(folder)
    return cosmos.clip(folder)


def _prompt(cosmos: Cosmos, clip: Clip) -> SavedPrompt:
    try:
        return cosmos.store.prompt(PROMPT_NAME)
    except UnknownError:
        return cosmos.create_prompt(PROMPT, clip.folder, name=PROMPT_NAME)


def _run(cosmos: Cosmos, asked: Asked, prompt: SavedPrompt, clip: Clip) -> Run:
    """The demo's run, wherever it was left: one for each clip and version of the prompt."""
    from cosmos_core.cli.finish import finish
    from cosmos_core.run import State
    from cosmos_core.submission import Ask

    weights = {kind: weight for kind, weight in WEIGHTS.items() if kind in clip.modalities}
    ask = Ask(
        prompt=f"@{prompt.ref}",
        clip=str(clip.folder),
        backend="preview",
        weights=weights,
        name=PROMPT_NAME,
        tags=("demo",),
    )
    (run,) = cosmos.submit_many([ask], token=f"demo {prompt.ref} {clip.digest}")
    asked.note(f"{_step(4)} run        {run.id} on the preview backend (CPU; not a Cosmos model)")
    if run.state.is_final and run.state is not State.SEALED:
        run = cosmos.retry(run.id)
    (finished,) = finish(cosmos, asked, [run])
    return finished


def _verify(cosmos: Cosmos, run: Run) -> FolderReport | None:
    """Ask the finished file again, as anybody who gets it can."""
    from cosmos_core.audit import examine_folder
    from cosmos_core.examine import checks_of

    if run.artifact is None:
        return None
    return examine_folder(run.artifact.path, checks_of(cosmos.plugins, cosmos.settings))


def _conclude(
    cosmos: Cosmos, asked: Asked, run: Run, clip: Clip, report: FolderReport | None, seconds: float
) -> None:
    from cosmos_core.cli.finish import not_sealed

    verdict = report.outputs[0].verdict if report is not None and report.outputs else None
    wrong = not_sealed(run)
    if verdict is not None and verdict.ruling.value == "rejected":
        wrong = VerifyError(f"the sealed file did not pass again: {verdict.reason}", hint="cosmos doctor")
    answer: dict[str, Any] = {
        "run": facts.of_run(run),
        "clip": clip.folder,
        "verdict": verdict,
        "seconds": seconds,
    }
    asked.answer(answer | ({"error": failure.facts(wrong)} if wrong else {}))
    asked.tell(f"\n{facts.verdict(run, facts.judged(cosmos, run))}")
    if verdict is not None:
        count = say.many(len(verdict.asked), "check")
        asked.tell(f"  {say.word(verdict.ruling.value)}: {count} asked, {say.duration(seconds)} in all")
    if wrong is not None:
        if not asked.json:
            failure.tell(asked, wrong)
        leave(wrong.exit_code)
    asked.note(
        say.steps(
            f"cd {say.quoted(say.short(cosmos.workspace.root))}",
            f"cosmos show {run.id}",
            f'cosmos run "the same street in snow at night" --clip {clip.name}',
            "cosmos generate city -p seed=1..3 -j 2",
            "cosmos --help",
        )
    )
