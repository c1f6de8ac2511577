"""The statements by which workers take work. They are built once: building takes longer than a claim on SQLite."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core.store.schema import attempt, batch, event, is_queued, now, queue_order, run, setting

if TYPE_CHECKING:
    from sqlalchemy.sql.dml import ReturningUpdate

PAUSED = "paused"
PAUSED_CAMPAIGN = "paused campaign: "
"""And the campaign's name."""

OCCUPIES = sa.and_(batch.c.closed.is_(None), sa.not_(batch.c.parked))
"""Whether a batch has its slot to itself. The index ``batch_one_a_slot`` says the same, so that no race breaks it."""


_PLACED = {
    "state": "placed",
    "batch": sa.bindparam("batch_id"),
    "attempt": run.c.attempt + 1,
    "reason": "",
    "progress": 0.0,
    "cancel": False,
    "changed": now(),
}


def _claim(*conditions: Any) -> ReturningUpdate[int]:
    """Move up to ``limit`` queued runs of the load key ``loaded`` and one backend to ``placed``, in one statement.

    The choice is a CTE and not a subquery of ``IN``: PostgreSQL may run a subquery again for every row, and then
    lock and take more than ``limit``.
    """
    other = run.alias("other")
    first = (
        sa.select(other.c.backend).where(_waits(other, *conditions)).order_by(*queue_order(other)).limit(1)
    )
    paused = sa.exists().where(setting.c.name == PAUSED)
    taken = sa.exists().where(
        OCCUPIES, batch.c.host == sa.bindparam("host"), batch.c.slot == sa.bindparam("slot")
    )
    chosen = (
        sa.select(run.c.seq)
        .where(_waits(run, *conditions), run.c.backend == first.scalar_subquery(), ~paused, ~taken)
        .order_by(*queue_order())
        .limit(sa.bindparam("limit", type_=sa.Integer))
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    return sa.update(run).where(run.c.seq.in_(sa.select(chosen.c.seq))).values(_PLACED).returning(run.c.seq)


def _join() -> ReturningUpdate[int]:
    """Move those of ``only`` that wait and are of the backend ``made_by`` and the load key ``loaded`` to an open batch."""
    paused = sa.exists().where(setting.c.name == PAUSED)
    chosen = (
        sa.select(run.c.seq)
        .where(_waits(run, _is_one_of), run.c.backend == sa.bindparam("made_by"), ~paused)
        .with_for_update(skip_locked=True)
        .cte("chosen")
    )
    return sa.update(run).where(run.c.seq.in_(sa.select(chosen.c.seq))).values(_PLACED).returning(run.c.seq)


def _waits(runs: sa.FromClause, *conditions: Any) -> sa.ColumnElement[bool]:
    which = [condition(runs) for condition in conditions]
    return sa.and_(is_queued(runs), runs.c.load_key == sa.bindparam("loaded"), *which)


def _is_one_of(runs: sa.FromClause) -> sa.ColumnElement[bool]:
    return runs.c.id.in_(sa.bindparam("only", expanding=True))


def _adopt() -> ReturningUpdate[Any]:
    """Take over the open batch whose lease ran out first, and raise its fence, in one statement."""
    lost = (
        sa.select(batch.c.id)
        .where(IS_LOST)
        .order_by(batch.c.lease_until)
        .limit(1)
        .with_for_update(skip_locked=True)
        .cte("lost")
    )
    lease = now() + sa.bindparam("seconds", type_=sa.Double)
    return (
        sa.update(batch)
        .where(batch.c.id.in_(sa.select(lost.c.id)))
        .values(owner=sa.bindparam("taker"), fence=batch.c.fence + 1, lease_until=lease, traffic=None)
        .returning(*batch.c)
    )


IS_LOST = sa.and_(
    batch.c.closed.is_(None),
    batch.c.lease_until < now(),
    batch.c.host.in_(sa.bindparam("hosts", expanding=True)),
    batch.c.slot.not_in(sa.bindparam("besides", expanding=True)),
)
"""Whether a batch on one of ``hosts``, but not on a slot of ``besides``, is open and its lease ran out."""

ANY_LOST = sa.select(sa.exists().where(IS_LOST))
ADOPT = _adopt()
"""Takes ``taker``, ``hosts``, ``besides`` and ``seconds``; gives the batch's row, or none."""

CLAIM = _claim()
"""Takes ``batch_id``, ``loaded``, ``limit``, ``host`` and ``slot``; gives the ``seq`` of each run taken."""
CLAIM_SOME = _claim(_is_one_of)
"""As :data:`CLAIM`, of no runs but ``only``."""

JOIN = _join()
"""Takes ``batch_id``, ``loaded``, ``made_by`` and ``only``; gives the ``seq`` of each run taken."""

OPEN_BATCH = (
    sa.insert(batch)
    .values(opened=now(), lease_until=now() + sa.bindparam("seconds", type_=sa.Double))
    .returning(*batch.c)
)
OPEN_ATTEMPT = sa.insert(attempt).values(started=now(), state="placed", reason="", findings="[]")
NOTE_PLACED = sa.insert(event).values(at=now(), before="queued", after="placed", reason="")
