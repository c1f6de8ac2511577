"""``cosmos houdini``: install into Houdini, run a job, look after both."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from cosmos_core.errors import Finding, InputError, Level, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PREFS = click.option(
    "--prefs",
    type=click.Path(path_type=Path),
    multiple=True,
    help="A preferences folder of Houdini, such as ~/houdini21.0; by default every one there is.",
)


def _answer(facts: Any, text: str) -> None:
    """To a program as JSON, to a person as words. The root command keeps both apart."""
    asked = click.get_current_context().find_root().obj
    asked.answer(facts)
    asked.tell(text)


@click.group()
def houdini() -> None:
    """Install into Houdini, run its jobs, look after both.

    Two commands are enough: cosmos houdini install, and cosmos houdini doctor when something is wrong.
    """


@houdini.command()
@_PREFS
def install(*, prefs: tuple[Path, ...]) -> None:
    """Put shelf, menus, panel and assets into Houdini.

    Writes one small file into the preferences of each Houdini; nothing is copied into Houdini itself. Start Houdini
    anew afterwards. The same again changes nothing.

    Example: cosmos houdini install
    """
    from cosmos_core_houdini import package

    places = _places(prefs)
    usable = [place for place in places if not place.version or package.fits(place.version)]
    if not usable:
        raise InputError(
            "no Houdini from 20.5 to 22 has left a preferences folder here",
            hint="start Houdini once and close it, or name the folder: --prefs ~/houdini21.0",
        )
    written = package.install(usable)
    notes = [f"{path} sets the same" for place in usable for path in package.duplicates(place)]
    lines = [f"installed: {path}" for path in written] + notes
    _answer({"files": [str(path) for path in written], "package": str(package.folder()), "notes": notes},
            "\n".join([*lines, "Start Houdini anew; the shelf is called Cosmos."]))  # fmt: skip


@houdini.command()
@_PREFS
def uninstall(*, prefs: tuple[Path, ...]) -> None:
    """Take it out of Houdini again. Jobs, clips and videos stay.

    Example: cosmos houdini uninstall
    """
    from cosmos_core_houdini import package

    removed = package.uninstall(_places(prefs))
    _answer({"files": [str(path) for path in removed]},
            "\n".join(f"removed: {path}" for path in removed) or "It was not installed.")  # fmt: skip


def _places(prefs: tuple[Path, ...]) -> list[Any]:
    from cosmos_core_houdini import package

    if not prefs:
        return package.preferences()
    for path in prefs:
        if not path.is_dir():
            raise InputError(f"there is no folder {path}", hint="start this Houdini once; it makes it")
    return [package.Preferences(path.expanduser().absolute(), "") for path in prefs]


@houdini.command()
@click.option(
    "--hython", default="", help="The program hython; by default looked for where Houdini usually is."
)
@click.option("--inside/--no-inside", default=True, help="Also ask hython itself.  [default: inside]")
@click.option(
    "--exr",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Only say what this frame of husk holds, such as render.0001.exr, and which channel is taken for what.",
)
def doctor(*, hython: str, inside: bool, exr: Path | None) -> None:
    """Say what stands between this machine and a first job.

    With a Houdini and a licence it builds everything we build in an empty scene and says what this version has and
    what it lacks; send that with a report.

    Example: cosmos houdini doctor
    """
    from cosmos_core_houdini.doctor import examine, frame

    findings = []
    for finding in frame(exr) if exr else examine(hython=hython, inside=inside):
        findings.append(finding)
        click.get_current_context().find_root().obj.tell(_line(finding))
    click.get_current_context().find_root().obj.answer({"findings": [attrs.asdict(one) for one in findings]})
    if worst(findings) is Level.FAIL:
        raise SystemExit(1)


def _line(finding: Finding) -> str:
    hint = f"\n      {finding.hint}" if finding.hint else ""
    return f"{finding.level:4}  {finding.where}: {finding.message}{hint}"


@houdini.command()
@click.argument("folder", type=click.Path(path_type=Path))
def run(*, folder: Path) -> None:
    """Carry a job of Houdini: render its scene, verify and seal the passes, submit, bring the video home.

    FOLDER holds job.json, or is that file. The shelf starts this; typed again it goes on where it stopped. Ctrl-C stops
    it and every program that it started. Exit codes: 10 no licence, 11 the scene does not load, 12 this Houdini lacks
    something, 13 refused before work, 14 cooking, 15 rendering, 16 what came out is no clip, 17 cancelled, 18 stalled,
    19 crashed.

    Example: cosmos houdini run cosmos/shot7-001
    """
    from cosmos_core_houdini.carry import carry

    place = folder.parent if folder.name == "job.json" else folder
    asked = click.get_current_context().find_root().obj
    with _stoppable() as stop:
        result = carry(place, heard=_Told(asked.note), cancel=stop.is_set)
    _answer(result, result["message"])


class _Told:
    """Says on stderr where a job is: each step at once, progress with the time that is left every few seconds."""

    def __init__(self, note: Callable[[str], None], every: float = 5.0) -> None:
        """*note* shows a line to a person, and none to a program."""
        self._note, self._every, self._said = note, every, 0.0

    def __call__(self, kind: str, facts: dict[str, Any]) -> None:
        """One event."""
        if kind in ("step", "warn"):
            self._note(facts.get("name") or f"warning: {facts['message']}")
        elif kind == "run":
            self._note(f"{facts['run']} is {facts['state']}")
        elif kind == "progress" and time.monotonic() - self._said > self._every:
            self._said = time.monotonic()
            left = f", {spoken(facts['left'])} left" if "left" in facts else ""
            self._note(f"  {facts['note']}: {facts['done']} of {facts['total']}{left}")


def spoken(seconds: float) -> str:
    """A time in the largest unit that says enough."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextmanager
def _stoppable() -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM let the job end its programs before it ends itself."""
    stop = threading.Event()
    before = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, lambda *_: stop.set())
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@houdini.command()
@click.argument("folder", type=click.Path(path_type=Path))
def build(*, folder: Path) -> None:
    """Put the whole Houdini package into FOLDER, for a studio's own shared place.

    Point HOUDINI_PATH or a package file of your own at it. FOLDER must not exist.

    Example: cosmos houdini build /studio/houdini/cosmos-0.1.0
    """
    from cosmos_core_houdini import package

    made = package.build(folder.absolute())
    count = sum(1 for path in made.rglob("*") if path.is_file())
    _answer({"folder": str(made), "files": count}, f"{made}: {count} files")
