"""Which files of a sequence are there. A folder is listed once, however many frames are asked for."""

from __future__ import annotations

import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import hou

if TYPE_CHECKING:
    from collections.abc import Iterator

_FRAME = re.compile(r"\$\{F(\d?)\}|\$F(?!F)(\d?)")
_MARK = re.compile(r"COSMOS_FRAME_(\d?)_")
COLOURS = ("color", "colour", "rgb")
_PASSES = frozenset((*COLOURS, "depth", "seg", "segmentation", "edge", "edges", "vis", "normal", "normals"))
_IMAGE = re.compile(r"(?P<stem>.*?)[._\- ]?(?P<number>\d+)\.(?:png|jpe?g|exr)", re.IGNORECASE)


@dataclass(frozen=True)
class Missing:
    """A file, or frames of a sequence, that are not there."""

    where: str
    """The parameter or node that names it."""
    first: str
    """The first file that is not there."""
    absent: tuple[int, ...] = ()
    frames: int = 0
    """How many the sequence should have; 0 for a single file."""
    filled: tuple[int, int] | None = None
    """First and last frame of the longest part that is there."""


class Folders:
    """What folders hold, each looked into once."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._known: dict[str, frozenset[str]] = {}

    def has(self, path: str) -> bool:
        """Whether there is such a file or folder."""
        folder, slash, name = path.rstrip("/").rpartition("/")
        there = self._known.get(folder + slash)
        if there is None:
            try:
                there = frozenset(_alike(one.name) for one in Path(folder + slash).iterdir())
            except OSError:
                there = frozenset()
            self._known[folder + slash] = there
        # A folder that may not be listed may still give its files.
        return _alike(name) in there or (not there and Path(path).exists())


def _alike(name: str) -> str:
    """*name* as this system's folders tell names apart."""
    return name.casefold() if sys.platform in ("win32", "darwin") else name


def missing(where: str, path: str, frames: range, folders: Folders) -> Missing | None:
    """What *path*, as it stands in a parameter, lacks over *frames*; None when all is there."""
    try:
        named = _named(path, frames)
    except hou.Error:
        return None
    absent = tuple(frame for frame, real in named.items() if not folders.has(real))
    if not absent:
        return None
    if len(named) == 1:
        return Missing(where, named[absent[0]])
    return Missing(where, named[absent[0]], absent, len(named), _longest(sorted(set(named) - set(absent))))


def _named(path: str, frames: range) -> dict[int, str]:
    """The real file of each frame; of a path without a frame, of the first alone."""
    if "`" in path or "$FF" in path:
        ends = [frames[0], frames[-1]] if len(frames) > 1 else [*frames]
        found = {frame: hou.text.expandStringAtFrame(path, frame) for frame in ends}
        return found if len(set(found.values())) > 1 else dict([*found.items()][:1])
    if not _FRAME.search(path):
        return {frame: hou.text.expandStringAtFrame(path, frame) for frame in frames[:1]}
    marked = hou.text.expandString(
        _FRAME.sub(lambda match: f"COSMOS_FRAME_{match[1] or match[2] or ''}_", path)
    )
    pattern, places = _MARK.subn(lambda match: f"%0{match[1] or 1}d", marked.replace("%", "%%"))
    return {frame: pattern % ((frame,) * places) for frame in frames}


def _longest(numbers: list[int]) -> tuple[int, int] | None:
    """First and last of the longest run of consecutive numbers."""
    best: tuple[int, int] | None = None
    begun = 0
    for at, number in enumerate(numbers):
        if at and number != numbers[at - 1] + 1:
            begun = at
        if best is None or number - numbers[begun] > best[1] - best[0]:
            best = (numbers[begun], number)
    return best


def passes(folder: Path) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The passes in *folder* that are sequences of images, by the name before the number, and their frames in order."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        match = _IMAGE.fullmatch(path.name)
        if match and match["stem"].lower() in _PASSES:
            found[match["stem"].lower()].append(int(match["number"]))
    for stem, numbers in found.items():
        yield stem, tuple(sorted(set(numbers)))
