"""The Houdini package on this disk: put together, installed into Houdini's preferences, found again, taken out."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import platformdirs

from cosmos_core import __version__, media
from cosmos_core.errors import InputError
from cosmos_core_houdini import programs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

NAME = "cosmos.json"
"""Our file in a ``packages`` folder."""
PARTS = ("toolbar", "python_panels", "scripts", "MainMenuCommon.xml", "OPmenu.xml")
"""What of ``houdini/`` is the package; the rest is for developers."""
OLDEST, TOO_NEW = "20.5", "23.0"
_HERE = Path(__file__).parent


def source() -> tuple[Path, Path | None]:
    """The package's parts and, in a checkout, the folder of its assets.

    Raises:
        InputError: this installation has lost them.
    """
    shipped = _HERE / "package"
    if shipped.is_dir():
        return shipped, None
    root = _HERE.parents[2]
    if (root / "houdini" / "toolbar").is_dir() and (root / "hda").is_dir():
        return root / "houdini", root / "hda"
    raise InputError(
        "the Houdini package is missing from this installation",
        hint="pip install --force-reinstall cosmos-core-houdini",
    )


def build(into: Path) -> Path:
    """Put the whole package into *into*, which must not exist, and give it.

    Raises:
        InputError: there is something of that name.
    """
    if into.exists():
        raise InputError(f"there is {into} already", hint="name a folder that does not exist yet")
    parts, assets = source()
    into.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f".{into.name}.", dir=into.parent))
    try:
        for path, text in _files(parts, assets):
            target = work / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(text)
        work.chmod(0o755)
        work.rename(into)
    except OSError:
        if not into.is_dir():
            raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return into


def _files(parts: Path, assets: Path | None) -> Iterator[tuple[Path, bytes]]:
    """Every file of the package by its path, in order."""
    wanted = (*PARTS, "otls") if assets is None else PARTS
    for part in wanted:
        for path in _below(parts / part):
            yield path.relative_to(parts), path.read_bytes()
    for library in sorted(assets.glob("*.hda")) if assets else ():
        for path in _below(library):
            yield Path("otls") / path.relative_to(library.parent), path.read_bytes()


def _below(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(
        each
        for each in path.rglob("*")
        if each.is_file() and "__pycache__" not in each.parts and each.name not in {"py.typed", ".DS_Store"}
    )


def folder() -> Path:
    """The built package of this installation, made now if it is not there yet."""
    shipped = _HERE / "package"
    if shipped.is_dir():
        return shipped
    found = hashlib.sha256()
    for path, content in _files(*source()):
        found.update(f"{path.as_posix()}\0{len(content)}\0".encode() + content)
    home = Path(platformdirs.user_data_dir("cosmos-core", appauthor=False)) / "houdini"
    place = home / f"{__version__}-{found.hexdigest()[:12]}"
    return place if place.is_dir() else build(place)


@attrs.frozen
class Preferences:
    """A preferences folder of Houdini, such as ``~/houdini21.0``."""

    path: Path
    version: str

    @property
    def file(self) -> Path:
        """Our package file in it."""
        return self.path / "packages" / NAME


def preferences(environ: Mapping[str, str] | None = None, home: Path | None = None) -> list[Preferences]:
    """Every preferences folder on this machine of a Houdini that we know, newest first."""
    known = os.environ if environ is None else environ
    if named := known.get("HOUDINI_USER_PREF_DIR", ""):
        return [_preferences(Path(named))]
    places = _places(home or Path.home(), known)
    found = [
        _preferences(path) for place in places for path in sorted(place.glob("houdini*")) if path.is_dir()
    ]
    usable = [one for one in found if re.fullmatch(r"\d+\.\d+", one.version)]
    return sorted(usable, key=lambda one: _numbers(one.version), reverse=True)


def _places(home: Path, environ: Mapping[str, str]) -> list[Path]:
    """Where the folders lie: on Windows the documents may have been moved to OneDrive."""
    if sys.platform == "win32":
        drives = [Path(environ[name]) for name in ("OneDrive", "OneDriveCommercial") if environ.get(name)]
        return [path / "Documents" for path in (home, *drives)]
    if sys.platform == "darwin":
        return [home / "Library" / "Preferences" / "houdini", home]
    return [home]


def _preferences(path: Path) -> Preferences:
    match = re.search(r"(\d+\.\d+)$", path.name)
    return Preferences(path, match[1] if match else "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split("."))) if version else ()


def fits(version: str) -> bool:
    """Whether this package is for that Houdini."""
    return bool(version) and _numbers(OLDEST) <= _numbers(version) < _numbers(TOO_NEW)


def content(hpath: Path, cli: str) -> str:
    """The package file. Slashes lean forward on every system, and no byte order mark: Houdini skips a file with one."""
    facts = {
        "enable": f"(houdini_version >= '{OLDEST}') and (houdini_version < '{TOO_NEW}')",
        "load_package_once": True,
        "version": __version__,
        "env": [{"COSMOS_HOUDINI": hpath.as_posix()}, {"COSMOS_CLI": Path(cli).as_posix()}],
        "hpath": "$COSMOS_HOUDINI",
    }
    return json.dumps(facts, indent=2, ensure_ascii=False) + "\n"


def install(places: Iterable[Preferences]) -> list[Path]:
    """Write our file into each; the same again changes nothing."""
    text = content(folder(), programs.own_command()).encode("utf-8")
    written = []
    for place in places:
        place.file.parent.mkdir(parents=True, exist_ok=True)
        if not place.file.is_file() or place.file.read_bytes() != text:
            media.write_bytes(place.file, text)
        written.append(place.file)
    return written


def uninstall(places: Iterable[Preferences]) -> list[Path]:
    """Take our file out of each; gives those that were there."""
    there = [place.file for place in places if place.file.is_file()]
    for path in there:
        path.unlink()
    return there


def duplicates(place: Preferences) -> list[Path]:
    """Other package files there that set what ours sets; the last one read would win without a word."""
    return [
        path
        for path in sorted(place.file.parent.glob("*.json"))
        if path.name != NAME and "COSMOS_HOUDINI" in path.read_bytes().decode("utf-8", "replace")
    ]
