"""Reading what NVIDIA's programs say: their prefix, a sample's part of the log, the error that ended it.

Lines look like ``[11-25 10:21:47|INFO|cosmos_transfer2/inference.py:150:generate] text``: no year, no zone. Progress
bars overwrite themselves with a carriage return, on standard error.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosmos_core.extend import Blame

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST = 64 << 20
"""Bytes of a log that are read, from its end: the verdict stands there."""

PREFIX = re.compile(r"^\[\d\d-\d\d \d\d:\d\d:\d\d\|(?P<level>[A-Z]+)\|[^\]]*\] (?P<text>.*)")

# Exactly as torch words it; the class was torch.cuda.OutOfMemoryError before 2.5.
_OOM = re.compile(r"OutOfMemoryError|CUDA out of memory|CUBLAS_STATUS_ALLOC_FAILED")

UNLOADED = "No safety models found, returning safe"


def lines(path: Path) -> list[str]:
    """The lines of a log, bars apart; none when there is no log."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            file.seek(max(0, size - MOST))
            content = file.read()
    except OSError:
        return []
    return content.decode("utf-8", "replace").replace("\r", "\n").split("\n")


def said(line: str) -> str:
    """What a line says, without its prefix; the line itself when it has none."""
    match = PREFIX.match(line)
    return match["text"] if match else line


def is_critical(line: str) -> bool:
    """Whether a line is of level CRITICAL."""
    match = PREFIX.match(line)
    return match is not None and match["level"] == "CRITICAL"


def error_in(log: list[str]) -> str:
    """The last line of the last traceback: what the program died of; empty when there is none."""
    found = ""
    inside = False
    for line in log:
        if line.startswith("Traceback (most recent call last):"):
            inside = True
        elif inside and line and not line[0].isspace():
            inside = False
            found = line.strip()
    return found


def is_oom(text: str) -> bool:
    """Whether an error is that of a GPU whose memory is full."""
    return _OOM.search(text) is not None


def blame(log: list[str]) -> Blame:
    """Whose it is that the program died: its GPU's memory's, or the run's as far as this knows."""
    return Blame.MEMORY if is_oom(error_in(log)) else Blame.RUN


def sections(log: list[str], start: re.Pattern[str]) -> dict[str, list[str]]:
    """The lines from each sample's first one to the next sample's, by the name that *start* finds in it."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in log:
        match = start.match(said(line)) if PREFIX.match(line) else None
        if match:
            current = found.setdefault(match["name"], [])
        if current is not None:
            current.append(line)
    return found


def texts(log: list[str]) -> Iterator[str]:
    """What each line says."""
    return (said(line) for line in log)
