"""``cosmos generate``: clips from a scene, one or many, side by side."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs
import click

from cosmos_core import canonical
from cosmos_core.cli import complete, failure, read, say
from cosmos_core.cli.asked import command as make
from cosmos_core.cli.asked import leave
from cosmos_core.cli.progress import progress
from cosmos_core.errors import CosmosError, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import SpawnProcess

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.cli.progress import Progress
    from cosmos_core.clip import Clip


@attrs.frozen(kw_only=True)
class Task:
    """One clip to make."""

    generator: str
    options: dict[str, str]
    name: str
    label: str


@attrs.frozen(kw_only=True)
class Made:
    """One clip as it was made, or why it was not. Plain values, so that another process can send it."""

    label: str
    folder: str = ""
    facts: dict[str, Any] = attrs.field(factory=dict)
    is_new: bool = True
    error: dict[str, Any] | None = None


@make(
    "generate",
    examples="""
        cosmos generate city
        cosmos generate city -p seed=7 -p frames=49 --name harlem
        cosmos generate city -p seed=1..5 -p damage=0.3,0.6 -j 2     # ten clips, two at a time
        cosmos plugins show city                                     # its options
    """,
)
@click.argument("generator", shell_complete=complete.generators)
@click.option(
    "-p",
    "--param",
    "params",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the generator. 1..5 and 0.3,0.6 stand for several values: every combination becomes a clip. "
    "For an option that is a list itself, a,b is one list, and giving it again adds to it.",
)
@click.option(
    "--profile", default="", metavar="NAME", help="The same as -p profile=NAME, for generators that know it."
)
@click.option(
    "--name", default="", help="Folder under clips/; default: the generator's name and its options' digest."
)
@click.option(
    "-j", "jobs", type=click.IntRange(1, 64), default=1, help="How many clips at a time.  [default: 1]"
)
def command(
    asked: Asked, generator: str, params: tuple[str, ...], profile: str, name: str, jobs: int
) -> None:
    """Make clips with a generator.

    Clips that were made before with the same options are not made again, so after Ctrl-C type the same once more.
    Several clips get a contact sheet: one row a clip, with its first, middle and last frame.
    """
    began = time.monotonic()
    with asked.open() as cosmos:
        told = (*params, *([f"profile={profile}"] if profile else []))
        tasks = _tasks(cosmos, generator, told, name)
        made = list(_make(cosmos, asked, tasks, min(jobs, len(tasks))))
        sheet = _sheet(cosmos.workspace.clips, tasks, made, name or generator) if len(tasks) > 1 else None
    _conclude(asked, made, sheet, time.monotonic() - began)


def _tasks(cosmos: Cosmos, generator: str, params: Sequence[str], name: str) -> list[Task]:
    from cosmos_core.extend import Generator
    from cosmos_core.options import lists

    offered = cosmos.plugins.find(Generator, generator)
    several = lists(offered.options)
    chosen = read.options(params, of=generator, lists=several)
    combinations = list(read.product(chosen, whole=several))
    varying = read.varied(combinations)
    return [_task(generator, each, name, varying) for each in combinations]


def _task(generator: str, options: dict[str, str], name: str, varying: Sequence[str]) -> Task:
    suffix = "".join(f"-{key}{options[key]}" for key in varying)
    shown = " ".join(f"{key}={options[key]}" for key in varying)
    return Task(
        generator=generator,
        options=options,
        name=f"{name}{suffix}" if name else "",
        label=f"{name or generator} {shown}".strip(),
    )


def _make(cosmos: Cosmos, asked: Asked, tasks: Sequence[Task], jobs: int) -> Iterator[Made]:
    with progress(asked, unit="frames") as shown:
        bars: Progress = Sweep(shown, len(tasks)) if len(tasks) > 1 else shown
        try:
            if jobs == 1:
                yield from (_here(cosmos, task, bars) for task in tasks)
            else:
                yield from _side_by_side(cosmos.workspace.root, tasks, jobs, bars)
        except KeyboardInterrupt:
            raise failure.Stopped(
                "stopped; whole clips are kept, the unfinished ones are not",
                hint="go on: type the same again",
            ) from None


class Sweep:
    """Progress of several clips: each as it is shown anyway, and all of them together."""

    def __init__(self, shown: Progress, clips: int) -> None:
        """Show *clips* clips with *shown*."""
        self._shown = shown
        self._clips = clips
        self._ended = 0
        self._under_way: dict[str, tuple[float, float]] = {}
        self._done = 0.0
        self._whole: list[float] = []

    def show(
        self, key: str, label: str, done: float, total: float, note: str = "", *, unit: str = ""
    ) -> None:
        """Say how far one clip is, and the sweep with it."""
        self._shown.show(key, label, done, total, note, unit=unit)
        self._under_way[key] = (done, total)
        self._together()

    def drop(self, key: str) -> None:
        """One clip has ended; one that was made before never began."""
        self._shown.drop(key)
        self._ended += 1
        if key in self._under_way:
            done, total = self._under_way.pop(key)
            self._done += done
            self._whole.append(total)
        self._together()

    def _together(self) -> None:
        known = [*self._whole, *(total for _, total in self._under_way.values())]
        waiting = self._clips - self._ended - len(self._under_way)
        # Clips that have not begun count as long as those that have.
        total = sum(known) + waiting * (sum(known) / len(known) if known else 0)
        done = self._done + sum(done for done, _ in self._under_way.values())
        note = f"{self._ended} of {say.many(self._clips, 'clip')}"
        self._shown.show("", "all", done, round(total), note)

    def say(self, text: str) -> None:
        """Say a line that stays."""
        self._shown.say(text)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._shown.drop("")


def _here(cosmos: Cosmos, task: Task, bars: Progress) -> Made:
    def report(done: int, total: int, note: str = "", /) -> None:
        bars.show(task.label, task.label, done, total, note)

    made = work(cosmos, task, report)
    bars.drop(task.label)
    return made


def work(cosmos: Cosmos, task: Task, report: Any) -> Made:
    """Make one clip in this process; what was foreseen to go wrong is in the answer."""
    before = {path.name for path in cosmos.workspace.clips.glob("*")}
    try:
        clip = cosmos.generate(task.generator, task.options, name=task.name, report=report)
    except CosmosError as error:
        return Made(label=task.label, error=canonical.plain(failure.facts(error)))
    return Made(
        label=task.label,
        folder=str(clip.folder),
        facts=of_clip(clip),
        is_new=clip.folder.name not in before,
    )


def of_clip(clip: Clip) -> dict[str, Any]:
    """A clip as ``--json`` gives it."""
    plain: dict[str, Any] = canonical.plain(clip)
    return plain | {"digest": clip.digest, "prompt": str(clip.source.get("prompt") or "")}


def _side_by_side(root: Path, tasks: Sequence[Task], jobs: int, bars: Progress) -> Iterator[Made]:
    """A process a clip, *jobs* at a time; answers in the order in which they come."""
    from multiprocessing.connection import wait

    waiting = list(tasks)
    alive: dict[Any, tuple[Task, SpawnProcess]] = {}
    try:
        while waiting or alive:
            while waiting and len(alive) < jobs:
                line, process = _begin(root, waiting[0])
                alive[line] = (waiting.pop(0), process)
            ready: list[Any] = list(wait(list(alive)))
            for line in ready:
                if (made := _hear(line, *alive[line], bars)) is not None:
                    alive.pop(line)
                    yield made
    finally:
        for _, process in alive.values():
            process.terminate()
            process.join()


def _begin(root: Path, task: Task) -> tuple[Connection, SpawnProcess]:
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_elsewhere, args=(root, task, theirs), name=task.label)
    process.start()
    # With our copy closed, its death is the end of the line.
    theirs.close()
    return ours, process


def _hear(line: Any, task: Task, process: SpawnProcess, bars: Progress) -> Made | None:
    """One word of a process: its answer, or None for progress. One that died without an answer has one too."""
    try:
        word = line.recv()
    except EOFError:
        process.join()
        message = f"its process ended with exit code {process.exitcode} and without a clip"
        word = Made(label=task.label, error=failure.facts(CosmosError(message, hint="try it alone: -j 1 -v")))
    if not isinstance(word, Made):
        bars.show(task.label, task.label, *word)
        return None
    process.join()
    line.close()
    bars.drop(task.label)
    return word


def _elsewhere(root: Path, task: Task, line: Connection) -> None:
    """Make one clip in a process of its own. Ctrl-C is the parent's to hear, which ends this one."""
    import signal
    import sys

    from cosmos_core.api import Cosmos

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _end_with_parent()
    # Stdout is the parent's, for its answer.
    sys.stdout = sys.stderr
    last = [0.0]

    def report(done: int, total: int, note: str = "", /) -> None:
        if done == total or time.monotonic() - last[0] > 0.2:
            last[0] = time.monotonic()
            line.send((done, total, note))

    with Cosmos(root) as cosmos:
        line.send(work(cosmos, task, report))


def _end_with_parent() -> None:
    """End this process when the one that began it is gone, however: it would spoil the same clip made again."""
    import multiprocessing
    import os
    import threading

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def _sheet(clips: Path, tasks: Sequence[Task], made: Sequence[Made], name: str) -> Path | None:
    """A contact sheet of what was made, in the order of *tasks*; None when less than two clips are whole."""
    places = {task.label: place for place, task in enumerate(tasks)}
    whole = sorted((each for each in made if each.error is None), key=lambda each: places[each.label])
    if len(whole) < 2:
        return None
    from cosmos_core.cli import sheet

    path = clips / f"{name}-{canonical.digest([task.label for task in tasks])[:8]}.jpg"
    sheet.write(path, [(each.label, _colour(each), each.facts["frames"]) for each in whole])
    return path


def _colour(each: Made) -> Path:
    files: dict[str, str] = {file["modality"]: file["name"] for file in each.facts["files"]}
    return Path(each.folder) / files["color"]


def _conclude(asked: Asked, made: Sequence[Made], sheet: Path | None, seconds: float) -> None:
    wrong = [each.error for each in made if each.error is not None]
    worst = max(wrong, key=lambda error: int(error["exit_code"]), default=None)
    clips = [each.facts | {"is_new": each.is_new} for each in made if each.error is None]
    facts = {"clips": clips} | ({"sheet": str(sheet)} if sheet else {})
    asked.answer(facts | ({"error": worst} if worst else {}))
    for each in made:
        if each.error is None:
            asked.tell(_sentence(each))
    if sheet is not None:
        asked.tell(_summary(made, sheet, seconds))
    for each in made:
        if each.error is not None and not asked.json:
            _complain(each.label if len(made) > 1 else "", each.error)
    if clips and not worst:
        folder = say.short(made[0].folder)
        asked.note(say.steps(f'cosmos run "this street in heavy fog at dusk" --clip {say.quoted(folder)}'))
    if worst is not None:
        leave(int(worst["exit_code"]))


def _sentence(each: Made) -> str:
    clip = each.facts
    seconds = clip["frames"] / _rate(clip["fps"])
    rows = [
        ("", f"{say.many(clip['frames'], 'frame')}, {clip['width']}x{clip['height']}, {seconds:.1f} s"),
        ("passes", say.words(file["modality"] for file in clip["files"])),
        ("prompt", clip["prompt"]),
    ]
    title = f"{say.word('ok')}  {say.strong(say.short(each.folder))}" + (
        "" if each.is_new else "  made before"
    )
    return f"{title}\n{say.pairs(rows, indent='  ')}"


def _summary(made: Sequence[Made], sheet: Path, seconds: float) -> str:
    new = [each for each in made if each.error is None and each.is_new]
    frames = sum(each.facts["frames"] for each in new)
    words = f"{say.many(len(new), 'clip')} made in {say.duration(seconds)}"
    if frames:
        words += f": {say.many(frames, 'frame')}, {frames / seconds:.1f} frames/s"
    return say.pairs([("all", words), ("sheet", say.short(sheet))])


def _rate(text: str) -> float:
    from fractions import Fraction

    return float(Fraction(text))


def _complain(label: str, error: dict[str, Any]) -> None:
    found = canonical.restore(list[Finding], canonical.plain(error.get("findings", [])))
    failure.lines(
        f"{label}: {error['message']}" if label else error["message"], error["hint"], say.findings(found)
    )
