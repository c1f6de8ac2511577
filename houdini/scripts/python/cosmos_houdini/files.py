"""Files that are whole or not there, and lines that another process reads while we write."""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write_json(path: Path, facts: Any) -> None:
    """Write *facts* under the final name only when they are on disk."""
    part = path.with_name(f".{path.name}.part")
    with part.open("w", encoding="utf-8", newline="\n") as out:
        json.dump(facts, out, indent=2, ensure_ascii=False)
        out.write("\n")
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def digest(path: Path) -> str:
    """SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()


class Events:
    """Writes numbered events, one JSON object a line, each on disk before the call returns."""

    def __init__(self, path: Path) -> None:
        """Go on after what *path* holds."""
        self._seq = sum(1 for _ in path.open("rb")) if path.exists() else 0
        self._out = path.open("a", encoding="utf-8", newline="\n")

    def say(self, kind: str, **facts: Any) -> None:
        """Write one."""
        self._seq += 1
        line = {"t": round(time.time(), 3), "seq": self._seq, "type": kind, **facts}
        self._out.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._out.flush()

    def close(self) -> None:
        """Let go of the file."""
        self._out.close()


class Follower:
    """Reads the events that another process writes: each whole line once, never waiting."""

    def __init__(self, path: Path) -> None:
        """Begin with the first line."""
        self._path = path
        self._at = 0

    def read(self) -> Iterator[dict[str, Any]]:
        """The events since the last call. A line that is not finished yet comes next time."""
        try:
            with self._path.open("rb") as source:
                source.seek(self._at)
                content = source.read()
        except FileNotFoundError:
            return
        whole, end, _ = content.rpartition(b"\n")
        self._at += len(whole) + len(end)
        for line in whole.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue
            if isinstance(event, dict):
                yield event
