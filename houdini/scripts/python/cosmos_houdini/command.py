"""The ``cosmos`` command seen from Houdini: where it is, with which environment, asked or started."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OURS = "COSMOS_CLI"
"""Set by our package file: the program's path."""
_DROPPED = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "OFX_PLUGIN_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
)
_DROPPED_STARTS = ("DYLD_", "QT_")


class NotFound(Exception):
    """There is no ``cosmos`` command. The message says what to do."""


class Refused(Exception):
    """The command answered with an error. The message is its own sentence."""


def find(environ: Mapping[str, str] | None = None) -> str:
    """The program.

    Raises:
        NotFound: neither the package file nor PATH leads to it.
    """
    known = os.environ if environ is None else environ
    named = known.get(OURS, "")
    if named and Path(named).is_file():
        return named
    found = shutil.which("cosmos", path=known.get("PATH"))
    if found:
        return found
    said = f"{OURS} names {named}, which is not there" if named else f"{OURS} is not set and PATH has none"
    raise NotFound(f"The cosmos command was not found: {said}. In a terminal: cosmos houdini install")


def environment(environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What a child gets: ours without what Houdini put there for itself, which breaks other Pythons."""
    known = dict(os.environ if environ is None else environ)
    kept = {
        name: value
        for name, value in known.items()
        if name not in _DROPPED and not name.startswith(_DROPPED_STARTS)
    }
    own = known.get("HFS", "")
    if own:
        folders = [one for one in kept.get("PATH", "").split(os.pathsep) if not one.startswith(own)]
        kept["PATH"] = os.pathsep.join([*folders, str(Path(own) / "bin")])
    return kept


def ask(*words: str, timeout: float = 60.0) -> Any:
    """What the command says as JSON. Waits, so never from a shelf tool; a cook and the worker may.

    Raises:
        NotFound: there is no such command.
        Refused: it ended with an error.
    """
    done = subprocess.run(
        [find(), *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        stdin=subprocess.DEVNULL,
        env=environment(),
        timeout=timeout,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Refused(
            said[0].removeprefix("error: ") if said else f"cosmos {words[0]} ended with {done.returncode}"
        )
    return json.loads(done.stdout)


def start(words: Sequence[str], *, log: Path, folder: Path) -> int:
    """Start the command so that it outlives Houdini, its words into *log*; gives its process id at once."""
    flags: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        flags = {"creationflags": subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP}
    with log.open("ab") as out:
        child = subprocess.Popen(
            [find(), *words],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env=environment(),
            **flags,
        )
    # Nobody waits for it: it belongs to the job folder from now on, not to this Houdini.
    child.returncode = 0
    return child.pid
