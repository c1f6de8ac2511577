"""The store: one object a process, cheap to open, safe in threads and after a fork."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from cosmos_core.store.clips import Clips
from cosmos_core.store.copies import Copies
from cosmos_core.store.engine import database
from cosmos_core.store.journal import Journal
from cosmos_core.store.judgements import Judgements
from cosmos_core.store.leases import Leases
from cosmos_core.store.moves import Moves
from cosmos_core.store.prompts import Prompts
from cosmos_core.store.reviews import Reviews
from cosmos_core.store.runs import Runs
from cosmos_core.store.upgrade import upgrade

if TYPE_CHECKING:
    from pathlib import Path

PATIENCE = 30.0
"""Seconds to wait for a lock that another process holds."""


class Store(Runs, Leases, Moves, Journal, Judgements, Reviews, Prompts, Clips, Copies):
    """Runs, batches, prompts and clips, in a database. Each method is one transaction.

    Every method raises :class:`~cosmos_core.errors.StoreError` when the store is locked, full or unreachable; it
    has changed nothing then.
    """

    @classmethod
    def open(cls, url: str, *, root: Path, patience: float = PATIENCE) -> Self:
        """Open the store at *url* and bring it to this version's tables.

        *url* is ``sqlite:///store.sqlite`` (relative to *root*; four slashes for an absolute path) or
        ``postgresql://user@host/database``. Paths of artifacts and clips inside *root* are kept relative to it.

        Raises:
            InputError: when the URL is of no kind we know.
            StoreError: when it cannot be reached, is locked, damaged, or made by a newer version.
        """
        base = root.absolute()
        opened = cls(database(url, root=base, patience=patience), root=base)
        try:
            upgrade(opened._db)
        except BaseException:
            opened.close()
            raise
        return opened

    @property
    def name(self) -> str:
        """The store as people may see it: a path, or a URL without its password."""
        return self._db.name

    def close(self) -> None:
        """Close every connection of this process."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
