"""A store in a file is copied with its workspace, and then knows of jobs that are the original's."""

from __future__ import annotations

import json
import platform
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from cosmos_core import canonical
from cosmos_core.run import Blame, State
from cosmos_core.store import rows
from cosmos_core.store.moves import HOLDS, advance
from cosmos_core.store.opened import Opened
from cosmos_core.store.records import Parted
from cosmos_core.store.schema import batch, is_queued, now, run, setting

_PLACE = "place of the store"


class Copies(Opened):
    """Telling a copy from an original, by where the store's file lay when somebody last began to work."""

    def part_from_original(self) -> Parted | None:
        """Leave open batches to the store that this one is a copy of, and remember where this one lies from now on.

        Their runs are queued again at no cost to them, so their next jobs have other keys: both stores may work, and
        neither meets the other's jobs. None where this is no copy: a file that was moved, that came back from a backup
        into its place, or whose original is gone is the same store as before, and takes up its jobs. Nobody can see an
        original on another machine. A server's store has no copies.
        """
        if not self._db.is_sqlite:
            return None
        file = Path(self._db.name)
        asked = sa.select(setting.c.value).where(setting.c.name == _PLACE)
        here = canonical.dumps({"node": platform.node(), "path": str(file), "inode": file.stat().st_ino})
        with self._db.read() as connection:
            if connection.execute(asked).scalar() == here:
                return None
        with self._db.write() as connection:
            told = connection.execute(asked).scalar()
            known = json.loads(told) if told else None
            connection.execute(sa.delete(setting).where(setting.c.name == _PLACE))
            connection.execute(sa.insert(setting).values(name=_PLACE, value=here))
            if known is None or not _is_there(known, file):
                return None
            waiting = connection.execute(sa.select(sa.func.count()).select_from(run).where(is_queued()))
            return Parted(
                original=Path(known["path"]),
                waiting=waiting.scalar_one(),
                left=_leave_open(connection, known["path"]),
            )


def _is_there(known: dict[str, Any], ours: Path) -> bool:
    """Whether the file that the store was then still lies there, beside *ours*."""
    path = Path(known["path"])
    try:
        is_same_file = known["inode"] == path.stat().st_ino
    except OSError:
        return False
    return known["node"] == platform.node() and is_same_file and not path.samefile(ours)


def _leave_open(connection: sa.Connection, original: str) -> int:
    """Close every open batch, with its runs in the queue again; how many runs."""
    reason = f"this store is a copy, and the job stays with {original}"
    held = connection.execute(sa.select(run).where(HOLDS).order_by(run.c.seq).with_for_update()).all()
    for row in held:
        if row.state != State.RETURNED:
            advance(connection, row, State.QUEUED, reason=reason, blame=Blame.BATCH)
        elif row.cancel:
            advance(connection, row, State.CANCELLED, reason=reason)
        else:
            advance(connection, row, State.REJECTED, reason=reason, blame=Blame.BATCH)
            advance(connection, rows.find(connection, row.id), State.QUEUED, reason=reason)
    connection.execute(sa.update(batch).where(batch.c.closed.is_(None)).values(closed=now()))
    return len(held)
