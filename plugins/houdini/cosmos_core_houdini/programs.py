"""Houdini's programs on this machine: where they are, and in which environment they run."""

from __future__ import annotations

import os
import re
import shutil
import sys
import sysconfig
from pathlib import Path
from typing import TYPE_CHECKING

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

NAMED = ("COSMOS_HYTHON", "HYTHON_EXECUTABLE")
_EXE = ".exe" if sys.platform == "win32" else ""
_ROOTS = (
    "/opt/hfs*",
    "/Applications/Houdini/Houdini*/Frameworks/Houdini.framework/Versions/Current/Resources",
    "C:/Program Files/Side Effects Software/Houdini *",
)
_DROPPED = ("PYTHONPATH", "PYTHONHOME", "PYTHONSTARTUP", "VIRTUAL_ENV", "OFX_PLUGIN_PATH")


def hython(named: str = "", environ: Mapping[str, str] | None = None) -> str:
    """The program: as named, by the environment, in ``$HFS/bin``, on PATH, or the newest that is installed.

    Raises:
        InputError: there is none.
    """
    known = os.environ if environ is None else environ
    for source, path in [("the setting hython", named), *((name, known.get(name, "")) for name in NAMED)]:
        if path:
            if not Path(path).is_file():
                raise InputError(
                    f"{source} names {path}, which is not there", hint="name the program hython itself"
                )
            return path
    found = [Path(known["HFS"]) / "bin" / f"hython{_EXE}"] if known.get("HFS") else []
    on_path = shutil.which("hython", path=known.get("PATH"))
    found += [Path(on_path)] if on_path else []
    found += [root / "bin" / f"hython{_EXE}" for root in installed()]
    for candidate in found:
        if candidate.is_file():
            return str(candidate)
    raise InputError(
        "Houdini was not found on this machine",
        hint='put hython = "/path/to/hython" under [plugins.houdini] in cosmos.toml, or set COSMOS_HYTHON',
    )


def installed(patterns: Iterable[str] = _ROOTS) -> list[Path]:
    """Where Houdini usually is, the newest version first."""
    found = [path for pattern in patterns for path in _glob(pattern)]
    return sorted(found, key=_version, reverse=True)


def _glob(pattern: str) -> list[Path]:
    anchor = Path(pattern).anchor
    return list(Path(anchor).glob(pattern.removeprefix(anchor))) if anchor and Path(anchor).is_dir() else []


def _version(path: Path) -> tuple[int, ...]:
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", str(path))
    return tuple(int(part or 0) for part in match.groups()) if match else ()


def husk(hython_path: str, named: str = "") -> str:
    """The renderer: as named, or the one beside hython.

    Raises:
        InputError: there is none.
    """
    if named and not Path(named).is_file():
        raise InputError(
            f"the setting husk names {named}, which is not there", hint="name the program husk itself"
        )
    beside = Path(hython_path).with_name(f"husk{_EXE}")
    if named or beside.is_file():
        return named or str(beside)
    raise InputError(
        f"there is no husk beside {hython_path}",
        hint='put husk = "/path/to/husk" under [plugins.houdini] in cosmos.toml',
    )


def environment(
    package: Path, prefs: Path | None = None, environ: Mapping[str, str] | None = None
) -> dict[str, str]:
    """What hython and husk get: our package on ``HOUDINI_PATH``, no Python of ours, and with *prefs* no plug-ins.

    A job of the artist's own scene runs with their preferences, since it may need their assets; one that builds the
    city runs with an empty folder of its own, so that nobody's plug-in can crash it.
    """
    known = dict(os.environ if environ is None else environ)
    kept = {name: value for name, value in known.items() if name not in _DROPPED}
    before = kept.get("HOUDINI_PATH", "")
    kept["HOUDINI_PATH"] = os.pathsep.join(filter(None, [str(package), before or "&"]))
    kept["HOUDINI_DISABLE_OPENFX_DEFAULT_PATH"] = "1"
    kept["HOUDINI_DISABLE_CONSOLE"] = "1"
    kept["COSMOS_CLI"] = own_command()
    if prefs is not None:
        prefs.mkdir(parents=True, exist_ok=True)
        kept["HOUDINI_USER_PREF_DIR"] = str(prefs)
    return kept


def own_command() -> str:
    """The ``cosmos`` command of this very installation."""
    beside = shutil.which("cosmos", path=sysconfig.get_path("scripts"))
    return beside or shutil.which("cosmos") or "cosmos"
