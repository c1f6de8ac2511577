"""What happened: events, attempts, artifacts, measured times; and whether the queue is paused."""

from __future__ import annotations

import itertools
import json
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core import canonical
from cosmos_core.errors import Level
from cosmos_core.run import Artifact, Attempt, Blame, State
from cosmos_core.store import rows
from cosmos_core.store.claims import OCCUPIES, PAUSED, PAUSED_CAMPAIGN
from cosmos_core.store.hashes import Hashes
from cosmos_core.store.opened import Opened
from cosmos_core.store.records import Event, Full, Ruled, Server, Timed, Trouble, Underway, Worked
from cosmos_core.store.schema import artifact, attempt, batch, event, is_queued, now, run, setting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

_REMEMBERED_TROUBLES = 12
_AT_ONCE = 1.0
"""Seconds within which the runs that a batch began with were all placed, in one transaction."""
_DAY = 86400.0
_RESUMED = "resumed campaign: "
_FULL = "full host: "


class Journal(Opened):
    """Events, attempts, artifacts and what they measure."""

    def events(self, run_id: str | None = None, *, after: int = 0, limit: int = 1000) -> tuple[Event, ...]:
        """Moves in the order they happened, of one run or of all, after the event with ``seq`` *after*.

        Read on from the last ``seq`` and no event is missed, whoever writes at the same time.

        Raises:
            UnknownError: when there is no such run.
        """
        asked = sa.select(event).where(event.c.seq > after).order_by(event.c.seq).limit(limit)
        with self._db.read() as connection:
            if run_id is not None:
                asked = asked.where(event.c.run == rows.find(connection, run_id).id)
            elif not self._db.is_sqlite:
                # Sequence numbers are drawn before commit. What a transaction still open may precede has to wait.
                asked = asked.where(
                    event.c.tx < sa.text("pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
                )
            found = connection.execute(asked).all()
        return tuple(
            Event(
                seq=row.seq,
                run=row.run,
                at=rows.moment(row.at),
                before=State(row.before) if row.before is not None else None,
                after=State(row.after),
                reason=row.reason,
                owner=row.owner,
            )
            for row in found
        )

    def attempts(self, run_id: str) -> tuple[Attempt, ...]:
        """Every try at a run, the first one first.

        Raises:
            UnknownError: when there is no such run.
        """
        asked = sa.select(attempt, batch.c.host, batch.c.slot).join_from(attempt, batch)
        with self._db.read() as connection:
            name = rows.find(connection, run_id).id
            found = connection.execute(asked.where(attempt.c.run == name).order_by(attempt.c.number)).all()
        return tuple(
            Attempt(
                number=row.number,
                batch=row.batch,
                fence=row.fence,
                state=State(row.state),
                reason=row.reason,
                host=row.host,
                slot=row.slot,
                started=rows.moment(row.started),
                ended=rows.maybe_moment(row.ended),
                findings=rows.findings(row.findings),
                seed=row.seed,
                blame=Blame(row.blame),
            )
            for row in found
        )

    def artifacts(
        self, *, digest: str = "", runs: Sequence[str] | None = None, limit: int = 1000
    ) -> tuple[Artifact, ...]:
        """Artifacts, the newest first; only those with these bytes, or of these runs, when they are given."""
        asked = sa.select(artifact).order_by(artifact.c.sealed.desc(), artifact.c.run).limit(limit)
        if digest:
            asked = asked.where(artifact.c.digest == digest)
        if runs is not None:
            asked = asked.where(artifact.c.run.in_(runs))
        with self._db.read() as connection:
            found = connection.execute(asked).all()
        return tuple(rows.artifact_of(row, self._root) for row in found)

    def recipes(self, runs: Sequence[str] | None = None) -> Mapping[str, str]:
        """The digest of the spec that each sealed run was made from, by run id; of no others than *runs* when given."""
        asked = sa.select(run.c.id, run.c.spec).join_from(run, artifact, artifact.c.run == run.c.id)
        if runs is not None:
            asked = asked.where(run.c.id.in_(runs))
        with self._db.read() as connection:
            return {row.id: row.spec for row in connection.execute(asked)}

    def phashes(self, *, besides: str = "") -> tuple[list[str], NDArray[np.int64], NDArray[np.uint64]]:
        """Every artifact's run id, number of frames and perceptual hashes: shape (runs, 8), 64 bits each.

        Those that were made from the spec with the digest *besides* are left out. What was read before is remembered.
        """
        alike = sa.select(run.c.id).where(run.c.spec == besides)
        with self._db.read() as connection:
            return self._hashes.all(connection, set(connection.execute(alike).scalars()))

    @cached_property
    def _hashes(self) -> Hashes:
        return Hashes()

    def server(self) -> Server | None:
        """What server the store lies on, how quick it is and what its clock says; None for a file."""
        if self._db.is_sqlite:
            return None
        answers: list[tuple[float, float]] = []
        with self._db.read() as connection:
            version = str(connection.exec_driver_sql("SHOW server_version").scalar())
            for _ in range(5):
                began = time.time()
                clock = connection.execute(sa.select(now())).scalar_one()
                took = time.time() - began
                answers.append((took, clock - began - took / 2))
        round_trip, ahead = min(answers)
        return Server(version=version.split(maxsplit=1)[0], round_trip=round_trip, ahead=ahead)

    def measured(self, *, limit: int = 300) -> tuple[Timed, ...]:
        """How long the latest batches took for those of their runs that returned, the newest first.

        A batch that runs joined later is left out: between them its loaded model may have waited for somebody to ask.
        """
        asked = (
            sa.select(
                *(batch.c.backend, batch.c.load_key, batch.c.host, batch.c.slot, batch.c.gpu),
                (sa.func.max(attempt.c.returned) - sa.func.min(attempt.c.running)).label("seconds"),
                sa.func.sum(run.c.seconds).label("predicted"),
            )
            .select_from(attempt.join(batch).join(run, run.c.id == attempt.c.run))
            .where(attempt.c.returned.is_not(None), attempt.c.running.is_not(None))
            .group_by(batch.c.id)
            .having(sa.func.max(attempt.c.started) - batch.c.opened < _AT_ONCE)
            .order_by(batch.c.opened.desc())
            .limit(limit)
        )
        with self._db.read() as connection:
            return tuple(Timed(**row._asdict()) for row in connection.execute(asked))

    def underway(self) -> tuple[Underway, ...]:
        """How much is left of each open batch that has its slot to itself."""
        is_left = sa.and_(run.c.batch == batch.c.id, run.c.state.in_([State.PLACED, State.RUNNING]))
        asked = (
            sa.select(
                *(batch.c.backend, batch.c.load_key, batch.c.host, batch.c.slot),
                sa.func.sum(sa.case((is_left, run.c.seconds), else_=0.0)).label("left"),
                sa.func.count(attempt.c.returned).label("returned"),
                (now() - sa.func.max(sa.func.coalesce(attempt.c.returned, attempt.c.running))).label("ago"),
            )
            .select_from(attempt.join(batch).join(run, run.c.id == attempt.c.run))
            .where(OCCUPIES)
            .group_by(batch.c.id)
        )
        with self._db.read() as connection:
            found = connection.execute(asked).all()
        return tuple(
            Underway(
                backend=row.backend,
                load_key=row.load_key,
                host=row.host,
                slot=row.slot,
                left=row.left,
                is_loaded=row.returned > 0,
                ago=max(0.0, row.ago or 0.0),
            )
            for row in found
        )

    def troubles(self) -> tuple[Trouble, ...]:
        """Slots whose latest batches failed for a reason that is the host's, with how many did so in a row.

        One that brought anything home, or failed for a reason of its runs, ends the row. Yesterday's are forgotten.
        """
        # Written into the statement, not bound: only so is the index of these attempts used. There are few, or none.
        theirs = attempt.c.blame == sa.literal(str(Blame.HOST), literal_execute=True)
        lately = batch.c.closed > now() - _DAY
        places = (
            sa.select(batch.c.host, batch.c.slot).join_from(attempt, batch).where(theirs, lately).distinct()
        )
        with self._db.read() as connection:
            troubled = connection.execute(places).all()
        if not troubled:
            return ()
        turn = sa.func.row_number().over(
            partition_by=(batch.c.host, batch.c.slot), order_by=(batch.c.closed.desc(), batch.c.id)
        )
        here = sa.or_(*(sa.and_(batch.c.host == each.host, batch.c.slot == each.slot) for each in troubled))
        closed = sa.select(*batch.c, turn.label("turn")).where(lately, here).subquery()
        is_host = attempt.c.blame == Blame.HOST
        asked = (
            sa.select(
                *(closed.c.host, closed.c.slot, closed.c.turn, (now() - closed.c.closed).label("ago")),
                sa.func.min(sa.case((is_host, 1), else_=0)).label("failed"),
                sa.func.max(sa.case((is_host, attempt.c.reason), else_="")).label("reason"),
            )
            .join_from(closed, attempt, attempt.c.batch == closed.c.id)
            .where(closed.c.turn <= _REMEMBERED_TROUBLES)
            .group_by(closed.c.id, closed.c.host, closed.c.slot, closed.c.turn, closed.c.closed)
            .order_by(closed.c.host, closed.c.slot, closed.c.turn)
        )
        with self._db.read() as connection:
            found = connection.execute(asked).all()
        slots: dict[tuple[str, int], list[Any]] = {}
        for row in found:
            slots.setdefault((row.host, row.slot), []).append(row)
        return tuple(_trouble(latest) for latest in slots.values() if latest[0].failed)

    def tries_in_trouble(self, run_ids: Sequence[str]) -> Mapping[str, tuple[tuple[str, int], ...]]:
        """Host and slot of each attempt at these runs that failed for a reason that was the host's, or its disk's."""
        asked = (
            sa.select(attempt.c.run, batch.c.host, batch.c.slot)
            .join_from(attempt, batch)
            .where(attempt.c.run.in_(run_ids), attempt.c.blame.in_([Blame.HOST, Blame.DISK]))
            .order_by(attempt.c.number)
        )
        tries: dict[str, tuple[tuple[str, int], ...]] = {}
        with self._db.read() as connection:
            for name, host, slot in connection.execute(asked):
                tries[name] = (*tries.get(name, ()), (host, slot))
        return tries

    def note_full(self, host: str, reason: str) -> None:
        """Note that the disk of *host* had no room for a job just now, for *reason*."""
        name = _FULL + host
        with self._db.write() as connection:
            clock = float(connection.execute(sa.select(now())).scalar_one())
            known = connection.execute(sa.select(setting.c.value).where(setting.c.name == name)).scalar()
            before = json.loads(known) if known else {}
            if clock - before.get("last", 0.0) > _DAY:
                before = {}
            told = {
                "count": before.get("count", 0) + 1,
                "first": before.get("first", clock),
                "last": clock,
                "reason": reason,
            }
            value = rows.storable(canonical.dumps(told))
            # Slots of one host find it full at the same moment.
            connection.execute(rows.insert_new(connection, setting).values(name=name, value=value))
            connection.execute(sa.update(setting).where(setting.c.name == name).values(value=value))

    def note_room(self, host: str) -> None:
        """Note that the disk of *host* had room for a job."""
        if any(full.host == host for full in self.full_hosts()):
            with self._db.write() as connection:
                connection.execute(sa.delete(setting).where(setting.c.name == _FULL + host))

    def full_hosts(self) -> tuple[Full, ...]:
        """Hosts whose disk had no room for the last job that was to be put there."""
        asked = sa.select(setting.c.name, setting.c.value, now().label("now"))
        with self._db.read() as connection:
            found = connection.execute(
                asked.where(setting.c.name.startswith(_FULL, autoescape=True)).order_by(setting.c.name)
            ).all()
        return tuple(_full(row.name.removeprefix(_FULL), json.loads(row.value), row.now) for row in found)

    def ruled(self, campaign: str) -> tuple[Ruled, ...]:
        """What was ruled of the outputs of a campaign's runs since it was last resumed, in that order."""
        asked = (
            sa.select(attempt.c.run, attempt.c.state, attempt.c.findings)
            .join_from(attempt, run, run.c.id == attempt.c.run)
            .where(run.c.campaign == campaign, attempt.c.state.in_([State.SEALED, State.REJECTED]))
            .order_by(attempt.c.ended, attempt.c.run)
        )
        since = sa.select(setting.c.value).where(setting.c.name == _RESUMED + campaign)
        with self._db.read() as connection:
            resumed = connection.execute(since).scalar()
            if resumed is not None:
                asked = asked.where(attempt.c.ended > float(resumed))
            found = connection.execute(asked).all()
        return tuple(_ruled(row.run, State(row.state), row.findings) for row in found)

    def retried(self, campaign: str) -> tuple[Worked, ...]:
        """Attempts at runs of a campaign of which an output had been rejected before, and all that shared a job with one.

        Those that are queued to be made are among them.
        """
        earlier = attempt.alias()
        rejected = sa.and_(earlier.c.run == run.c.id, earlier.c.state == State.REJECTED)
        is_further = sa.and_(
            run.c.campaign == campaign, sa.exists().where(rejected, earlier.c.number < attempt.c.number)
        )
        joined = attempt.join(run, run.c.id == attempt.c.run)
        columns = (run.c.id.label("run"), run.c.gpus, run.c.seconds.label("predicted"))
        theirs = sa.select(attempt.c.batch).select_from(joined).where(is_further)
        made = sa.select(
            *columns,
            *(attempt.c.batch, attempt.c.blame, attempt.c.running.label("begun")),
            sa.func.coalesce(attempt.c.returned, attempt.c.ended).label("over"),
            sa.case((is_further, 1), else_=0).label("is_further"),
        ).select_from(joined)
        waits = sa.select(*columns).where(
            run.c.campaign == campaign, is_queued(), sa.exists().where(rejected)
        )
        with self._db.read() as connection:
            done = connection.execute(made.where(attempt.c.batch.in_(theirs))).all()
            queued = connection.execute(waits).all()
        return (
            *(
                Worked(**row._asdict() | {"blame": Blame(row.blame), "is_further": bool(row.is_further)})
                for row in done
            ),
            *(Worked(batch="", **row._asdict()) for row in queued),
        )

    def pause(self, reason: str = "", *, campaign: str = "") -> None:
        """Let no worker take new runs, or none of *campaign*. What is held goes on."""
        name = PAUSED_CAMPAIGN + campaign if campaign else PAUSED
        with self._db.write() as connection:
            connection.execute(sa.delete(setting).where(setting.c.name == name))
            connection.execute(sa.insert(setting).values(name=name, value=rows.storable(reason)))

    def resume(self, *, campaign: str = "") -> None:
        """Let workers take runs again, or those of *campaign*."""
        name = PAUSED_CAMPAIGN + campaign if campaign else PAUSED
        with self._db.write() as connection:
            connection.execute(sa.delete(setting).where(setting.c.name == name))
            if campaign:
                resumed = _RESUMED + campaign
                clock = connection.execute(sa.select(now())).scalar_one()
                connection.execute(sa.delete(setting).where(setting.c.name == resumed))
                connection.execute(sa.insert(setting).values(name=resumed, value=repr(float(clock))))

    def paused_campaigns(self) -> Mapping[str, str]:
        """Why campaigns are paused, by name."""
        asked = sa.select(setting).where(setting.c.name.startswith(PAUSED_CAMPAIGN, autoescape=True))
        with self._db.read() as connection:
            found = connection.execute(asked.order_by(setting.c.name)).all()
        return {row.name.removeprefix(PAUSED_CAMPAIGN): row.value for row in found}

    def paused(self) -> str | None:
        """Why the queue is paused, perhaps an empty text; None when it is not."""
        with self._db.read() as connection:
            return connection.execute(sa.select(setting.c.value).where(setting.c.name == PAUSED)).scalar()


def _full(host: str, told: Mapping[str, Any], clock: float) -> Full:
    return Full(
        host=host,
        count=told["count"],
        span=told["last"] - told["first"],
        ago=clock - told["last"],
        reason=told["reason"],
    )


def _trouble(latest: Sequence[Any]) -> Trouble:
    """What the latest batches of a slot come to, the last one first."""
    in_a_row = list(itertools.takewhile(lambda row: row.failed, latest))
    last = in_a_row[0]
    return Trouble(host=last.host, slot=last.slot, count=len(in_a_row), ago=last.ago, reason=last.reason)


def _ruled(run_id: str, state: State, findings: str) -> Ruled:
    failed = [each for each in rows.findings(findings) if each.level is Level.FAIL]
    if state is State.SEALED or not failed:
        return Ruled(run=run_id, check="")
    return Ruled(run=run_id, check=failed[0].check, message=failed[0].message)
