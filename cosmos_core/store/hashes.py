"""The perceptual hashes of every artifact, kept in memory and brought up to date: an artifact never changes."""

from __future__ import annotations

import threading
from array import array
from typing import TYPE_CHECKING

import sqlalchemy as sa

from cosmos_core.store.schema import artifact

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HASHES = 8
SLACK = 300.0
"""Seconds: an artifact that was sealed earlier may have been committed that much later."""


class Hashes:
    """What was read so far. A run that was removed since is still in it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._names: list[str] = []
        self._known: set[str] = set()
        self._frames = array("q")
        self._packed = bytearray()
        self._latest = 0.0

    def all(
        self, connection: sa.Connection, besides: set[str]
    ) -> tuple[list[str], NDArray[np.int64], NDArray[np.uint64]]:
        """Run ids but those in *besides*, frames, and hashes of shape (runs, 8); reads what is new."""
        import numpy as np

        with self._lock:
            self._read(connection)
            names = list(self._names)
            frames = np.array(self._frames, np.int64)
            table = np.frombuffer(self._packed, "<u8").astype(np.uint64).reshape(-1, HASHES)
        if not besides & self._known:
            return names, frames, table
        kept = [row for row, name in enumerate(names) if name not in besides]
        return [names[row] for row in kept], frames[kept], table[kept]

    def _read(self, connection: sa.Connection) -> None:
        asked = sa.select(artifact.c.run, artifact.c.frames, artifact.c.phashes, artifact.c.sealed)
        for name, frames, packed, sealed in connection.execute(
            asked.where(artifact.c.sealed >= self._latest - SLACK)
        ):
            self._latest = max(self._latest, sealed)
            if len(packed) == 8 * HASHES and name not in self._known:
                self._known.add(name)
                self._names.append(name)
                self._frames.append(frames)
                self._packed += packed
