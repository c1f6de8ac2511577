"""What every part of the store stands on: an open database and the folder that paths are relative to."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from cosmos_core.store.engine import Database


class Opened:
    """An open database, and the folder that stored paths are relative to."""

    def __init__(self, database: Database, *, root: Path) -> None:
        self._db = database
        self._root = root
