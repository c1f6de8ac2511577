"""What a job says while it goes on and how it ended: ``events.ndjson`` and ``result.json``."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any

from cosmos_core import media

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Events:
    """Numbered events, one JSON object a line; written by one process, read by any."""

    def __init__(self, path: Path, heard: Callable[[str, dict[str, Any]], None] | None = None) -> None:
        """Begin anew: a job that is run again tells its own story. *heard* is told each one too."""
        self.path = path
        self._heard = heard
        self._seq = 0
        self._out = path.open("w", encoding="utf-8", newline="\n")

    def say(self, kind: str, **facts: Any) -> None:
        """Write one, and let it reach the disk before anything else happens."""
        self._seq += 1
        line = {"t": round(time.time(), 3), "seq": self._seq, "type": kind, **facts}
        self._out.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._out.flush()
        if self._heard is not None:
            self._heard(kind, facts)

    def close(self) -> None:
        """Make it last."""
        os.fsync(self._out.fileno())
        self._out.close()


class Heard:
    """The events of the worker inside hython, read as they come."""

    def __init__(self, path: Path) -> None:
        """Of the file *path*, which may not be there yet."""
        self._path = path
        self._at = 0
        self.count = 0
        self.hello: dict[str, Any] = {}
        self.error: dict[str, Any] = {}
        self.artifacts: list[dict[str, Any]] = []
        self.is_done = False

    def read(self) -> list[dict[str, Any]]:
        """Take in what is new, and give it."""
        new = list(self._lines())
        for event in new:
            self.count += 1
            kind = event.get("type")
            if kind == "hello":
                self.hello = event
            elif kind == "error":
                self.error = event
            elif kind == "artifact":
                self.artifacts.append(event)
            elif kind == "done":
                self.is_done = True
        return new

    def _lines(self) -> Iterator[dict[str, Any]]:
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


def write_result(path: Path, facts: dict[str, Any]) -> None:
    """Write the result, whole or not at all."""
    media.write_bytes(path, (json.dumps(facts, indent=2, ensure_ascii=False) + "\n").encode("utf-8"))
