"""What happened, what waits and who holds it: on SQLite by default, on PostgreSQL by a URL.

This package is the only one that imports SQLAlchemy, and it does so when :class:`Store` is first asked for. The
records that go in and come out (:mod:`cosmos_core.store.records`) cost nothing to import.

The queue's rules, each kept by one statement or one transaction:

1. ``accept`` writes all runs of a submission or none; what it returns is on disk.
2. ``claim`` tests and sets in one statement, so two workers never hold one run.
3. A claimed batch is held under a lease by the database's clock. A lease that ran out is taken over by ``adopt``,
   which raises the fence; the job goes on, whoever started it.
4. Every move checks the table of moves and the fence in the transaction that moves, and writes its event there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.store.records import (
    PARKED,
    Again,
    Event,
    Full,
    Holding,
    KnownClip,
    Lease,
    LeaseLost,
    NewRun,
    Page,
    Parted,
    Query,
    Ruled,
    Server,
    StoreGone,
    Timed,
    Traffic,
    Trouble,
    Underway,
    Worked,
)

if TYPE_CHECKING:
    from cosmos_core.store.store import Store

__all__ = [
    "PARKED",
    "Again",
    "Event",
    "Full",
    "Holding",
    "KnownClip",
    "Lease",
    "LeaseLost",
    "NewRun",
    "Page",
    "Parted",
    "Query",
    "Ruled",
    "Server",
    "Store",
    "StoreGone",
    "Timed",
    "Traffic",
    "Trouble",
    "Underway",
    "Worked",
]


def __getattr__(name: str) -> object:
    if name == "Store":
        from cosmos_core.store.store import Store

        return Store
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
