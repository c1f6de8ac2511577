"""A program of Houdini as a child: in a group of its own, watched, stopped when it must be, its words kept."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from cosmos_core_houdini.ends import Failed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

LOOK = 0.2
"""Seconds between two looks."""
GRACE = 10.0
"""Seconds a program gets to end by itself before it is killed."""


class Watched:
    """How a child is looked after. ``life`` is called at each look and gives a number that grows while it works."""

    def __init__(
        self,
        *,
        quiet: float,
        limit: float,
        cancel: Callable[[], bool],
        life: Callable[[], float],
        first: float = 0.0,
    ) -> None:
        """*first* seconds until the first sign of life, if that is to be sooner than *quiet*."""
        self.quiet, self.limit, self.cancel, self.life, self.first = quiet, limit, cancel, life, first


def run(
    argv: Sequence[str], *, log: Path, cwd: Path, env: Mapping[str, str], watched: Watched
) -> tuple[int, str]:
    """Run *argv* to its end; gives its exit code and what it said.

    Raises:
        Failed: it was cancelled, said nothing for too long, or took too long; it and its children are ended then.
    """
    start = log.stat().st_size if log.exists() else 0
    with log.open("ab") as out:
        try:
            child = subprocess.Popen(
                list(argv), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, cwd=cwd, env=env,
                **_apart(),
            )  # fmt: skip
        except OSError as error:
            raise Failed("crash", f"{argv[0]} cannot be started: {error.strerror}") from error
    try:
        _watch(child, watched, lambda: log.stat().st_size)
    except BaseException:
        end(child)
        raise
    return child.returncode, said(log, start)


def _apart() -> dict[str, Any]:
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP | subprocess.CREATE_NO_WINDOW}
    return {"start_new_session": True}


def _watch(child: subprocess.Popen[bytes], watched: Watched, written: Callable[[], int]) -> None:
    began = heard = time.monotonic()
    before = (watched.life(), written())
    alive = False
    while not _ended(child):
        now = time.monotonic()
        sign = (watched.life(), written())
        if sign[0] != before[0]:
            alive = True
        if sign != before:
            before, heard = sign, now
        if watched.cancel():
            raise Failed("cancelled", "somebody cancelled it")
        if watched.first and not alive and now - began > watched.first:
            raise Failed(
                "stalled", f"it said nothing for {watched.first:g} seconds: is it waiting for a licence?"
            )
        if now - heard > watched.quiet:
            raise Failed("stalled", f"it has given no sign of life for {watched.quiet:g} seconds")
        if watched.limit and now - began > watched.limit:
            raise Failed("stalled", f"it took longer than {watched.limit:g} seconds")
    # What it did since the last look is heard too.
    watched.life()


def _ended(child: subprocess.Popen[bytes]) -> bool:
    """Whether it ends within the time between two looks; if it does, that is noticed at once."""
    try:
        child.wait(LOOK)
    except subprocess.TimeoutExpired:
        return False
    return True


def end(child: subprocess.Popen[bytes]) -> None:
    """End a child and what it started: ask, wait, kill."""
    if child.poll() is None:
        _signal(child, signal.SIGTERM)
        try:
            child.wait(GRACE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if sys.platform != "win32":
        # Its group may hold children that outlived it.
        _signal(child, signal.SIGKILL)


def _signal(child: subprocess.Popen[bytes], number: int) -> None:
    try:
        if sys.platform == "win32":
            child.terminate()
        else:
            os.killpg(child.pid, number)
    except (ProcessLookupError, PermissionError):
        return


def said(log: Path, start: int) -> str:
    """What was written to *log* from byte *start* on, the last 64 kB of it."""
    with log.open("rb") as source:
        source.seek(max(start, log.stat().st_size - 65536))
        return source.read().decode("utf-8", "replace")
