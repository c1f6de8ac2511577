"""Leases: taking a batch, keeping it, taking over one whose worker is gone, giving it back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from cosmos_core import canonical
from cosmos_core.errors import CosmosError
from cosmos_core.run import Batch, Request, State, new_id
from cosmos_core.store import claims, rows
from cosmos_core.store.moves import HOLDS, advance, hold
from cosmos_core.store.opened import Opened
from cosmos_core.store.records import PARKED, Holding, Lease, Traffic
from cosmos_core.store.schema import batch, now, queue_order, run, spec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cosmos_core.run import Run
    from cosmos_core.spec import Spec


class _SlotTaken(Exception):
    """Another batch got the slot first."""


LEASE = 45.0
"""Seconds a lease lasts unless it is renewed; renew it every third of that."""


class Leases(Opened):
    """Batches under a lease by the database's clock."""

    def claim(
        self,
        *,
        owner: str,
        load_key: str,
        host: str,
        slot: int,
        limit: int,
        only: Sequence[str] | None = None,
        gpu: str = "",
        lease: float = LEASE,
    ) -> Lease | None:
        """Take up to *limit* queued runs of one load key as a new batch for *owner*, in the order of the queue.

        With *only*, none but these. *gpu* is the kind of GPU of the slot; :meth:`measured` tells it. None when
        nothing waits, the queue is paused, or the slot is taken: it holds one open batch, whoever opened it. Two
        callers never get one run.
        """
        if only is not None and not only:
            return None
        made = new_id("b")
        asked: dict[str, Any] = {
            "batch_id": made,
            "loaded": load_key,
            "limit": limit,
            "host": host,
            "slot": slot,
        }
        statement = claims.CLAIM
        if only is not None:
            statement, asked["only"] = claims.CLAIM_SOME, list(only)
        where = {"host": host, "slot": slot, "gpu": gpu, "load_key": load_key}
        try:
            with self._db.write(lasting=False) as connection:
                seqs = connection.execute(statement, asked).scalars().all()
                if not seqs:
                    return None
                taken = connection.execute(_TAKEN, {"seqs": seqs}).all()
                opened = {"id": made, "attempt": 1, "fence": 1, "owner": owner, "backend": taken[0].backend}
                row = _open(connection, opened | where | {"seconds": lease})
                _open_attempts(connection, row, taken)
                return Lease(batch=_batch(row, taken), owner=owner)
        except _SlotTaken:
            return None

    def take_slot(
        self, *, owner: str, backend: str, host: str, slot: int, gpu: str = "", lease: float = LEASE
    ) -> Lease | None:
        """A batch without runs, for a job that none stands behind; None when the slot is taken.

        *backend* is whoever makes the job. Whoever adopts the batch ends the job.
        """
        where = {"host": host, "slot": slot, "gpu": gpu, "load_key": ""}
        opened = {"id": new_id("b"), "attempt": 1, "fence": 1, "owner": owner, "backend": backend}
        try:
            with self._db.write() as connection:
                row = _open(connection, opened | where | {"seconds": lease})
                return Lease(batch=_batch(row, ()), owner=owner)
        except _SlotTaken:
            return None

    def join(self, lease: Lease, only: Sequence[str]) -> tuple[Run, ...]:
        """Take those of *only* that wait, and could have been claimed with it, into the open batch of *lease*.

        Raises:
            LeaseLost: when another worker holds the batch by now.
        """
        held = lease.batch
        asked = {"batch_id": held.id, "loaded": held.load_key, "made_by": held.backend, "only": [*only]}
        with self._db.write(lasting=False) as connection:
            row = hold(connection, lease)
            seqs = connection.execute(claims.JOIN, asked).scalars().all()
            if not seqs:
                return ()
            _open_attempts(connection, row, connection.execute(_TAKEN, {"seqs": seqs}).all())
            found = rows.load(connection, run.c.seq.in_(seqs), self._root)
        return tuple(found[seq] for seq in sorted(found))

    def adopt(
        self, *, owner: str, hosts: Sequence[str], besides: Sequence[int] = (), lease: float = LEASE
    ) -> Lease | None:
        """Take over one open batch on *hosts* whose lease ran out, with a higher fence; None when there is none.

        Batches on slots in *besides* are left to whoever serves those. The job may well be running: ``job_key`` and
        ``handle`` are what the last holder stored. The batch's requests are those of the runs that are still held.
        """
        which = {"hosts": list(hosts), "besides": list(besides)}
        if not self._any_lost(which):
            return None
        with self._db.write(lasting=False) as connection:
            asked = which | {"taker": owner, "seconds": lease}
            row = connection.execute(claims.ADOPT, asked).one_or_none()
            if row is None:
                return None
            taken = connection.execute(_HELD, {"batch_id": row.id}).all()
            return Lease(batch=_batch(row, taken), owner=owner)

    def heartbeat(self, lease: Lease, *, seconds: float = LEASE) -> bool:
        """Keep the batch for *seconds* more. False when it is lost: stop at once, and publish nothing."""
        with self._db.write(lasting=False) as connection:
            kept = sa.update(batch).where(_is_ours(lease)).values(lease_until=now() + seconds)
            return connection.execute(kept).rowcount == 1

    def launched(self, lease: Lease, *, job_key: str, handle: Mapping[str, Any]) -> None:
        """Store how the batch's job is found again. Call it before the job starts.

        Raises:
            LeaseLost: when another worker holds the batch by now.
        """
        with self._db.write() as connection:
            hold(connection, lease)
            stored = {"job_key": job_key, "handle": rows.storable(canonical.dumps(dict(handle)))}
            connection.execute(sa.update(batch).where(batch.c.id == lease.batch.id).values(stored))

    def held(self, lease: Lease) -> tuple[Run, ...]:
        """The runs of the batch that are placed, running or returned now, in order of acceptance."""
        with self._db.read() as connection:
            found = rows.load(connection, sa.and_(run.c.batch == lease.batch.id, HOLDS), self._root)
        return tuple(found[seq] for seq in sorted(found))

    def cancel_asked(self, lease: Lease) -> tuple[str, ...]:
        """Ids of held runs of the batch that a person asked to cancel."""
        which = sa.and_(run.c.batch == lease.batch.id, HOLDS, run.c.cancel)
        with self._db.read() as connection:
            return tuple(connection.execute(sa.select(run.c.id).where(which).order_by(run.c.seq)).scalars())

    def progress(self, lease: Lease, values: Mapping[str, float]) -> None:
        """Note how far runs of the batch are, 0 to 1. A hint: without effect when the lease is lost."""
        which = sa.and_(run.c.batch == lease.batch.id, HOLDS)
        with self._db.write(lasting=False) as connection:
            ours = sa.select(batch.c.id).where(_is_ours(lease)).with_for_update()
            if connection.execute(ours).one_or_none() is None:
                return
            for name, value in values.items():
                noted = sa.update(run).where(run.c.id == name, which)
                connection.execute(noted.values(progress=min(1.0, max(0.0, value))))

    def tell_traffic(self, lease: Lease, traffic: Traffic | None) -> None:
        """Note how far the batch's bytes are; None when none move. A hint: without effect when the lease is lost."""
        told = None if traffic is None else canonical.dumps(attrs.asdict(traffic))
        with self._db.write(lasting=False) as connection:
            connection.execute(sa.update(batch).where(_is_ours(lease)).values(traffic=told))

    def finish(self, lease: Lease) -> None:
        """Close the batch. Runs that never returned go back to the queue.

        Raises:
            LeaseLost: when another worker holds the batch by now.
            CosmosError: when outputs are home and not verified yet; the batch stays open then.
        """
        with self._db.write() as connection:
            hold(connection, lease)
            which = sa.and_(run.c.batch == lease.batch.id, HOLDS)
            left = connection.execute(sa.select(run).where(which).order_by(run.c.seq).with_for_update()).all()
            if home := [row.id for row in left if row.state == State.RETURNED]:
                raise CosmosError(
                    f"batch {lease.batch.id} is not finished: {', '.join(home)} wait to be verified"
                )
            for row in left:
                reason = f"its batch {lease.batch.id} ended without it"
                advance(connection, row, State.QUEUED, reason=reason, lease=lease)
            connection.execute(sa.update(batch).where(batch.c.id == lease.batch.id).values(closed=now()))

    def job_keys(self) -> frozenset[str] | None:
        """The keys of all jobs that open batches have or may yet put; None while no batch was ever opened.

        A store that gave out no work yet may stand in the place of one that did, and cannot say what belongs to nobody.
        """
        asked = sa.select(batch.c.id, batch.c.attempt, batch.c.fence, batch.c.job_key)
        with self._db.read() as connection:
            if connection.execute(sa.select(batch.c.id).limit(1)).one_or_none() is None:
                return None
            found = connection.execute(asked.where(batch.c.closed.is_(None))).all()
        return frozenset(row.job_key or f"{row.id}/{row.attempt}/{row.fence}" for row in found)

    def sealed_in(self, lease: Lease) -> tuple[Run, ...]:
        """The runs of the batch that are sealed, in order of acceptance: what steps follow."""
        which = sa.and_(run.c.batch == lease.batch.id, run.c.state == State.SEALED)
        with self._db.read() as connection:
            found = rows.load(connection, which, self._root)
        return tuple(found[seq] for seq in sorted(found))

    def park(self, lease: Lease, reasons: Mapping[str, str], *, seconds: float) -> None:
        """Leave a batch whose job is over and whose outputs could not be verified, with the reason by run id.

        Its slot is free for another batch. After *seconds*, or when somebody expires the owner ``PARKED``, the next
        worker takes it over and tries again.

        Raises:
            LeaseLost: when another worker holds the batch by now.
        """
        with self._db.write() as connection:
            hold(connection, lease)
            for name, reason in reasons.items():
                waits = sa.update(run).where(run.c.id == name, run.c.batch == lease.batch.id, HOLDS)
                connection.execute(waits.values(reason=rows.storable(reason)))
            left = {"parked": True, "owner": PARKED, "lease_until": now() + seconds}
            connection.execute(sa.update(batch).where(batch.c.id == lease.batch.id).values(left))

    def expire(self, owners: Sequence[str]) -> None:
        """End the leases of *owners* now: of a worker that lets go, or of one that is known to be dead."""
        which = sa.and_(batch.c.owner.in_(list(owners)), batch.c.closed.is_(None))
        with self._db.write(lasting=False) as connection:
            connection.execute(sa.update(batch).where(which).values(lease_until=now() - 1))

    def leases(self) -> tuple[Holding, ...]:
        """Every open batch: who holds it, where, and for how much longer."""
        times = (batch.c.lease_until - now()).label("left"), (now() - batch.c.opened).label("age")
        asked = sa.select(batch, *times).where(batch.c.closed.is_(None))
        inside = sa.select(run.c.batch, run.c.id).where(HOLDS).order_by(run.c.seq)
        with self._db.read() as connection:
            found = connection.execute(asked.order_by(batch.c.opened, batch.c.id)).all()
            runs = connection.execute(inside).all() if found else []
        return tuple(
            Holding(
                batch=row.id,
                owner=row.owner,
                host=row.host,
                slot=row.slot,
                runs=tuple(name for within, name in runs if within == row.id),
                age=row.age,
                seconds_left=row.left,
                parked=row.parked,
                traffic=Traffic(**json.loads(row.traffic)) if row.traffic else None,
            )
            for row in found
        )

    def _any_lost(self, which: Mapping[str, Any]) -> bool:
        # Workers ask every few seconds, and nearly always there is nothing: that must not take the write lock.
        with self._db.read() as connection:
            return bool(connection.execute(claims.ANY_LOST, which).scalar())


_REQUESTS = (
    sa.select(run.c.id, run.c.attempt, run.c.backend, run.c.seed, spec.c.body)
    .join_from(run, spec)
    .order_by(*queue_order())
)
_TAKEN = _REQUESTS.where(run.c.seq.in_(sa.bindparam("seqs", expanding=True)))
_HELD = _REQUESTS.where(run.c.batch == sa.bindparam("batch_id"), HOLDS)


def _is_ours(lease: Lease) -> sa.ColumnElement[bool]:
    return sa.and_(
        batch.c.id == lease.batch.id,
        batch.c.fence == lease.batch.fence,
        batch.c.owner == lease.owner,
        batch.c.closed.is_(None),
    )


def _open(connection: sa.Connection, values: dict[str, Any]) -> Any:
    """The row of a new batch.

    Raises:
        _SlotTaken: when its slot has an open batch by now; on PostgreSQL, once that one is committed.
    """
    try:
        return connection.execute(claims.OPEN_BATCH, values).one()
    except IntegrityError as error:
        raise _SlotTaken from error


def _open_attempts(connection: sa.Connection, row: Any, taken: Sequence[Any]) -> None:
    ours = {"batch": row.id, "fence": row.fence}
    tries = [{"run": each.id, "number": each.attempt, "seed": _seed(each), **ours} for each in taken]
    connection.execute(claims.OPEN_ATTEMPT, tries)
    connection.execute(claims.NOTE_PLACED, [{"run": each.id, "owner": row.owner} for each in taken])


def _batch(row: Any, taken: Sequence[Any]) -> Batch:
    return Batch(
        id=row.id,
        backend=row.backend,
        load_key=row.load_key,
        host=row.host,
        slot=row.slot,
        attempt=row.attempt,
        fence=row.fence,
        requests=tuple(Request(run=each.id, spec=_recipe(each)) for each in taken),
        job_key=row.job_key,
        handle=json.loads(row.handle) if row.handle is not None else None,
    )


def _recipe(row: Any) -> Spec:
    asked = rows.spec_of(row.body)
    return asked if row.seed is None else attrs.evolve(asked, seed=row.seed)


def _seed(row: Any) -> int:
    """What it is tried with, without reading all of what was asked."""
    return int(json.loads(row.body)["seed"] if row.seed is None else row.seed)
