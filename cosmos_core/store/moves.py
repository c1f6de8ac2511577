"""Moving runs: the table of moves and the fence, checked in the transaction that moves, and the event beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core.errors import CosmosError, InputError
from cosmos_core.run import HELD, MOVES, Approval, Artifact, Blame, Run, State, move
from cosmos_core.store import rows
from cosmos_core.store.opened import Opened
from cosmos_core.store.records import Lease, LeaseLost
from cosmos_core.store.schema import artifact, attempt, batch, event, now, run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cosmos_core.errors import Finding
    from cosmos_core.run import Needs
    from cosmos_core.store.records import Again

HOLDS = run.c.state.in_([str(state) for state in sorted(HELD)])
_VERIFIED = frozenset({State.SEALED, State.REJECTED})
_TIMES = {State.RUNNING: attempt.c.running, State.RETURNED: attempt.c.returned}


def hold(connection: sa.Connection, lease: Lease) -> Any:
    """The row of the lease's batch, locked until the transaction ends.

    Raises:
        LeaseLost: when the batch is finished, or another worker took it over.
    """
    ours = lease.batch
    row = connection.execute(sa.select(batch).where(batch.c.id == ours.id).with_for_update()).one_or_none()
    if row is None:
        raise LeaseLost(f"there is no batch {ours.id!r}")
    if (row.fence, row.owner) != (ours.fence, lease.owner):
        raise LeaseLost(
            f"{lease.owner} no longer holds batch {ours.id}: {row.owner} took it over "
            f"(fence {row.fence}, ours was {ours.fence})"
        )
    if row.closed is not None:
        raise LeaseLost(f"batch {ours.id} is finished; {lease.owner} no longer holds it")
    return row


def held_row(connection: sa.Connection, lease: Lease, run_id: str) -> Any:
    """The row of a run that *lease* holds, locked until the transaction ends.

    Raises:
        LeaseLost: when the lease is lost.
        CosmosError: when the run is not one of its batch, or no longer.
    """
    hold(connection, lease)
    which = sa.and_(run.c.id == run_id, run.c.batch == lease.batch.id)
    row = connection.execute(sa.select(run).where(which).with_for_update()).one_or_none()
    if row is None:
        raise CosmosError(f"batch {lease.batch.id} does not hold a run {run_id!r}")
    if not State(row.state).is_held:
        raise CosmosError(f"run {row.id} has ended in this batch: it is {row.state}")
    return row


def advance(
    connection: sa.Connection,
    row: Any,
    after: State,
    *,
    reason: str = "",
    lease: Lease | None = None,
    blame: Blame = Blame.RUN,
) -> State:
    """Move the locked run in *row* to *after*, and write its event and its attempt. Gives where it went.

    A run that a person asked to cancel while it was held does not go back to the queue: it is cancelled.

    Raises:
        CosmosError: when the table of moves does not lead there.
    """
    before = State(row.state)
    if after is State.QUEUED and before.is_held and row.cancel:
        after, reason = State.CANCELLED, "cancelled"
    move(before, after)
    reason = rows.storable(reason)
    connection.execute(sa.update(run).where(run.c.seq == row.seq).values(_changes(after, reason)))
    if before.is_held:
        _write_attempt(connection, row, after, reason, lease, blame)
    owner = lease.owner if lease else ""
    said = {"run": row.id, "before": before, "after": after, "reason": reason, "owner": owner}
    connection.execute(sa.insert(event).values(at=now(), **said))
    return after


def _changes(after: State, reason: str) -> dict[str, Any]:
    changes: dict[str, Any] = {"state": after, "reason": reason, "changed": now()}
    if after is State.QUEUED:
        changes |= {"batch": "", "progress": 0.0}
    if after is State.RETURNED:
        changes["progress"] = 1.0
    if not after.is_held:
        changes["cancel"] = False
    return changes


def _write_attempt(
    connection: sa.Connection, row: Any, after: State, reason: str, lease: Lease | None, blame: Blame
) -> None:
    changes: dict[str, Any] = {"state": after, "reason": reason, "blame": blame}
    if after in _TIMES:
        changes[_TIMES[after].name] = now()
    if not after.is_held:
        changes["ended"] = now()
    if lease:
        changes["fence"] = lease.batch.fence
    which = sa.and_(attempt.c.run == row.id, attempt.c.number == row.attempt)
    connection.execute(sa.update(attempt).where(which).values(changes))


class Moves(Opened):
    """Moves of single runs, by the worker that holds them or by a person."""

    def move(
        self, lease: Lease, run_id: str, after: State, *, reason: str = "", blame: Blame = Blame.RUN
    ) -> Run:
        """Move a run that *lease* holds to *after*; *blame* is noted at its attempt.

        Raises:
            LeaseLost: when another worker holds the batch by now; nothing was written.
            CosmosError: when the table of moves does not lead there, or only ``verify`` may go there.
        """
        if after in _VERIFIED:
            raise CosmosError(f"only verify moves a run to {after}: with seal and reject")
        with self._db.write(lasting=False) as connection:
            row = held_row(connection, lease, run_id)
            advance(connection, row, after, reason=reason, lease=lease, blame=blame)
            return rows.load_one(connection, row.seq, self._root)

    def seal(self, lease: Lease, run_id: str, made: Artifact, findings: Iterable[Finding]) -> Run:
        """Publish *made* as the run's artifact: ``returned`` to ``sealed``, in one transaction.

        Raises:
            LeaseLost: when another worker holds the batch by now; nothing was published.
            CosmosError: when the run is not ``returned``, or *made* is of another run or attempt.
        """
        with self._db.write() as connection:
            row = held_row(connection, lease, run_id)
            if (made.run, made.attempt) != (row.id, row.attempt):
                raise CosmosError(
                    f"the artifact is of run {made.run}, attempt {made.attempt}, not of {row.id}, {row.attempt}"
                )
            advance(connection, row, State.SEALED, lease=lease)
            connection.execute(sa.insert(artifact).values(self._artifact_values(made)))
            _write_findings(connection, row, findings)
            return rows.load_one(connection, row.seq, self._root)

    def reject(
        self,
        lease: Lease,
        run_id: str,
        findings: Iterable[Finding],
        *,
        reason: str,
        again: Again | None = None,
    ) -> Run:
        """Refuse the run's output: ``returned`` to ``rejected``, with what the checks found.

        With *again* the run goes on to ``queued`` in the same transaction, for another attempt, unless a person asked
        to cancel it.

        Raises:
            LeaseLost: when another worker holds the batch by now.
            CosmosError: when the run is not ``returned``.
        """
        with self._db.write() as connection:
            row = held_row(connection, lease, run_id)
            advance(connection, row, State.REJECTED, reason=reason, lease=lease)
            _write_findings(connection, row, findings)
            if again is not None and not row.cancel:
                rejected = rows.find(connection, run_id)
                advance(connection, rejected, State.QUEUED, reason=again.reason, lease=lease)
                fresh = {"approval": str(Approval.OPEN), "seed": again.seed}
                connection.execute(sa.update(run).where(run.c.seq == row.seq).values(fresh))
            return rows.load_one(connection, row.seq, self._root)

    def requeue(
        self,
        lease: Lease,
        run_ids: Sequence[str],
        *,
        reason: str,
        blame: Blame = Blame.RUN,
        needs: Needs | None = None,
    ) -> None:
        """Give placed or running runs back to the queue; one that was to be cancelled is cancelled instead.

        *blame* is noted at their attempts. From now on they need *needs*, when it is given.

        Raises:
            LeaseLost: when another worker holds the batch by now.
            CosmosError: when one of the runs is not placed or running; none is moved then.
        """
        with self._db.write() as connection:
            for run_id in run_ids:
                row = held_row(connection, lease, run_id)
                advance(connection, row, State.QUEUED, reason=reason, lease=lease, blame=blame)
                if needs is not None:
                    _need(connection, row, needs)

    def cancel(self, run_id: str) -> tuple[Run, bool]:
        """Cancel a waiting run at once, or ask the worker that holds it to. True when it is cancelled now.

        Raises:
            UnknownError: when there is no such run.
            InputError: when it has already ended.
        """
        with self._db.write() as connection:
            row = rows.find(connection, run_id, lock=True)
            state = State(row.state)
            if state.is_final:
                raise InputError(f"run {row.id} is already {state}")
            if state.is_held:
                connection.execute(sa.update(run).where(run.c.seq == row.seq).values(cancel=True))
            else:
                advance(connection, row, State.CANCELLED, reason="cancelled")
            return rows.load_one(connection, row.seq, self._root), not state.is_held

    def retry(self, run_id: str, *, needs: Needs | None = None) -> Run:
        """Put a run that was rejected, failed, blocked or cancelled back into the queue, for a new attempt.

        It is made as it was asked for, with its own seed, and needs *needs* then, when that is given.

        Raises:
            UnknownError: when there is no such run.
            InputError: when it is sealed, or still on its way.
        """
        with self._db.write() as connection:
            row = rows.find(connection, run_id, lock=True)
            state = State(row.state)
            if not state.is_final or State.QUEUED not in MOVES[state]:
                allowed = ", ".join(sorted(s for s in MOVES if s.is_final and State.QUEUED in MOVES[s]))
                raise InputError(f"run {row.id} is {state}; only a run that is {allowed} is tried again")
            advance(connection, row, State.QUEUED)
            # What a person said was about the video of the attempt before.
            connection.execute(
                sa.update(run).where(run.c.seq == row.seq).values(approval=str(Approval.OPEN), seed=None)
            )
            if needs is not None:
                _need(connection, row, needs)
            return rows.load_one(connection, row.seq, self._root)

    def _artifact_values(self, made: Artifact) -> dict[str, Any]:
        return {
            "run": made.run,
            "attempt": made.attempt,
            "digest": made.digest,
            "path": rows.stored_path(made.path, self._root),
            "bytes": made.bytes,
            "frames": made.frames,
            "fps": str(made.fps),
            "width": made.width,
            "height": made.height,
            "sealed": made.sealed.timestamp() if made.sealed else now(),
            "phashes": rows.hashes_bytes(made.phashes),
        }


def _need(connection: sa.Connection, row: Any, needs: Needs) -> None:
    connection.execute(sa.update(run).where(run.c.seq == row.seq).values(rows.needs_values(needs)))


def _write_findings(connection: sa.Connection, row: Any, findings: Iterable[Finding]) -> None:
    which = sa.and_(attempt.c.run == row.id, attempt.c.number == row.attempt)
    connection.execute(sa.update(attempt).where(which).values(findings=rows.findings_text(findings)))
