"""The statements by which workers take work. Pure: they are built here and tested for what they compile to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core.store.schema import batch, is_queued, now, queue_order, run, setting

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy.sql.dml import ReturningUpdate

PAUSED = "paused"


def claim(batch_id: str, *, load_key: str, limit: int, only: Sequence[str] | None) -> ReturningUpdate[int]:
    """Move up to *limit* queued runs of one load key and one backend to ``placed``, in one statement.

    The choice is a CTE and not a subquery of ``IN``: PostgreSQL may run a subquery again for every row, and then
    lock and take more than *limit*.
    """
    other = run.alias("other")
    first = (
        sa.select(other.c.backend).where(_waits(other, load_key, only)).order_by(*queue_order(other)).limit(1)
    )
    paused = sa.exists().where(setting.c.name == PAUSED)
    chosen = (
        sa.select(run.c.seq)
        .where(_waits(run, load_key, only), run.c.backend == first.scalar_subquery(), ~paused)
        .order_by(*queue_order())
        .limit(limit)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    return (
        sa.update(run)
        .where(run.c.seq.in_(sa.select(chosen.c.seq)))
        .values(
            state="placed",
            batch=batch_id,
            attempt=run.c.attempt + 1,
            reason="",
            progress=0.0,
            cancel=False,
            changed=now(),
        )
        .returning(run.c.seq)
    )


def _waits(runs: sa.FromClause, load_key: str, only: Sequence[str] | None) -> sa.ColumnElement[bool]:
    waits = sa.and_(is_queued(runs), runs.c.load_key == load_key)
    return waits if only is None else sa.and_(waits, runs.c.id.in_(only))


def is_lost(hosts: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether a batch on one of *hosts* is open and its lease ran out."""
    return sa.and_(batch.c.closed.is_(None), batch.c.lease_until < now(), batch.c.host.in_(hosts))


def adopt(owner: str, *, hosts: Sequence[str], lease: float) -> ReturningUpdate[Any]:
    """Take over the open batch whose lease ran out first, and raise its fence, in one statement."""
    lost = (
        sa.select(batch.c.id)
        .where(is_lost(hosts))
        .order_by(batch.c.lease_until)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("lost")
    )
    return (
        sa.update(batch)
        .where(batch.c.id.in_(sa.select(lost.c.id)))
        .values(owner=owner, fence=batch.c.fence + 1, lease_until=now() + lease)
        .returning(*batch.c)
    )
