"""What stands between this machine and a first job: the command, the package, the programs, this very Houdini."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_core.errors import CosmosError, Finding, InputError, Level, fail, ok, warn
from cosmos_core_houdini import package, programs
from cosmos_core_houdini.ends import licence_line

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK, POSES = "cosmos-doctor: ", "doctor.poses"
PATIENCE = 300.0


def examine(*, hython: str = "", inside: bool = True) -> Iterator[Finding]:
    """Every question with its answer; with *inside* also those that only a hython can answer."""
    yield from _package()
    yield from _packages()
    if importlib.util.find_spec("pxr") is None:
        yield fail("the package usd-core is not installed: nothing can be rendered with Karma",
                   hint="pip install 'cosmos-core-houdini[usd]'", where="usd")  # fmt: skip
    else:
        yield ok("usd-core is installed", where="usd")
    try:
        found = programs.hython(hython)
    except InputError as error:
        yield fail(str(error), hint=error.hint, where="hython")
        return
    yield ok(f"hython is {found}", where="hython")
    try:
        yield ok(f"husk is {programs.husk(found)}", where="husk")
    except InputError as error:
        yield fail(str(error), hint=error.hint, where="husk")
    if inside:
        yield from _inside(found)


def frame(path: Path) -> Iterator[Finding]:
    """What a frame that husk rendered holds, and what we take of it."""
    from cosmos_core_houdini import frames

    try:
        channels = frames.channels_of(path)
    except CosmosError as error:
        yield fail(str(error), where="exr")
        return
    yield ok(f"{path.name} holds {', '.join(sorted(channels))}", where="exr")
    chosen = frames.taken(channels)
    for name in frames.WANTED:
        if name not in chosen:
            yield fail(
                f"nothing in it is taken for {name}", hint="send this answer with a report", where="exr"
            )
            continue
        pixels = channels[chosen[name]]
        height, width = pixels.shape
        span = f"{float(pixels.min()):g} to {float(pixels.max()):g}"
        yield ok(f"{name} is {chosen[name]}: {width}x{height}, {pixels.dtype}, {span}", where="exr")


def _package() -> Iterator[Finding]:
    try:
        yield ok(f"the Houdini package is {package.folder()}", where="package")
    except CosmosError as error:
        yield fail(str(error), hint=error.hint, where="package")


def _packages() -> Iterator[Finding]:
    places = package.preferences()
    if not places:
        yield warn(
            "no Houdini has left a preferences folder here",
            hint="start Houdini once, or: cosmos houdini install --prefs DIR",
            where="install",
        )
    for place in places:
        if not package.fits(place.version):
            yield warn(f"{place.path} is of a Houdini that this package is not for", where="install")
            continue
        yield from _installed(place)


def _installed(place: package.Preferences) -> Iterator[Finding]:
    if not place.file.is_file():
        yield warn(f"it is not installed in {place.path}", hint="cosmos houdini install", where="install")
        return
    raw = place.file.read_bytes()
    if raw.startswith(b"\xef\xbb\xbf"):
        yield fail(f"{place.file} begins with a byte order mark, so Houdini skips it",
                   hint="cosmos houdini install", where="install")  # fmt: skip
        return
    wanted = package.content(package.folder(), programs.own_command()).encode()
    if raw != wanted:
        yield warn(f"{place.file} is of another installation", hint="cosmos houdini install", where="install")
    else:
        yield ok(f"it is installed in {place.path}", where="install")
    for other in package.duplicates(place):
        yield warn(
            f"{other} sets the same; the last one read wins", hint="remove one of them", where="install"
        )


def _inside(hython: str) -> Iterator[Finding]:
    """Ask this Houdini to build everything we build, in an empty scene."""
    root = package.folder()
    script = root / "scripts" / "python" / "cosmos_houdini" / "doctor.py"
    with tempfile.TemporaryDirectory(prefix="cosmos-doctor-") as empty:
        env = programs.environment(root, Path(empty) / "prefs")
        try:
            done = subprocess.run(
                [hython, str(script)], capture_output=True, stdin=subprocess.DEVNULL, check=False, env=env,
                cwd=empty, timeout=PATIENCE,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            yield fail(
                f"hython said nothing for {PATIENCE:g} s", hint="is it waiting for a licence?", where="inside"
            )
            return
        except OSError as error:
            yield fail(f"hython cannot be started: {error.strerror}", where="inside")
            return
        read = list(_read(Path(empty) / POSES))
    text = (done.stdout + b"\n" + done.stderr).decode("utf-8", "replace")
    answers = [line.removeprefix(MARK) for line in text.splitlines() if line.startswith(MARK)]
    if not answers:
        line = licence_line(text, guess=True)
        yield fail(
            f"hython found no licence: {line}"
            if line
            else f"hython ended with {done.returncode} and gave no answer",
            hint="" if line else "\n".join(text.strip().splitlines()[-5:]),
            where="inside",
        )
        return
    for answer in json.loads(answers[-1]):
        yield _finding(answer)
    yield from read


def _read(path: Path) -> Iterator[Finding]:
    """Whether the city's own reader takes the poses that hython wrote."""
    if not path.is_file():
        return
    done = subprocess.run(
        [programs.own_command(), "city", "poses", str(path), "--json"],
        capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    if done.returncode:
        yield fail(f"the city does not read the poses: {done.stderr.strip()[-500:]}", where="poses")
        return
    facts = json.loads(done.stdout)
    yield ok(
        f"the city reads the poses: {facts['bodies']} bodies, {facts['polygons']} polygons", where="poses"
    )


def _finding(answer: dict[str, Any]) -> Finding:
    return Finding(Level(answer["level"]), str(answer["message"]), where=f"inside: {answer['question']}")
