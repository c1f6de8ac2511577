"""A program that behaves as ``hython SCRIPT ARGUMENTS`` does, in a process of its own.

``python -m hython_stubs.hython script.py …`` installs the fake and runs the script. From the environment:

``HYTHON_STUBS_PROFILE``   20.5, 21.0 or 22.0
``HYTHON_STUBS_LICENCE``   Commercial, Indie, Education, ApprenticeHD, Apprentice; ``none`` fails as Houdini does
``HYTHON_STUBS_WITH``      modules, joined by commas, whose ``prepare(session)`` adds what renders and buttons do
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
from pathlib import Path

NO_LICENCE = """No licenses could be found to run this application.
Please check for a valid license server host
Traceback (most recent call last):
RuntimeError: Error encountered when initializing Houdini"""
"""What hython writes then, and it leaves with 3."""


def main() -> int:
    """Run the script named on the command line."""
    licence = os.environ.get("HYTHON_STUBS_LICENCE", "Commercial")
    if licence == "none":
        print(NO_LICENCE, file=sys.stderr)
        return 3
    from hython_stubs.session import install

    session = install(os.environ.get("HYTHON_STUBS_PROFILE", "21.0"), licence=licence)
    for path in os.environ.get("HOUDINI_PATH", "").split(os.pathsep):
        _package(session, Path(path))
    for name in filter(None, os.environ.get("HYTHON_STUBS_WITH", "").split(",")):
        importlib.import_module(name).prepare(session)
    sys.argv = sys.argv[1:]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")
    return 0


def _package(session: object, folder: Path) -> None:
    """What Houdini does with an entry of HOUDINI_PATH: its modules can be imported, its assets are installed."""
    if not folder.is_dir():
        return
    sys.path.append(str(folder / "scripts" / "python"))
    for library in sorted((folder / "otls").glob("*.hda")):
        session.install_asset(library)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
