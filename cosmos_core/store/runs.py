"""Runs: accepting them, finding them, and what people note on them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from cosmos_core import canonical
from cosmos_core.errors import InputError
from cosmos_core.run import Queued, Run, State
from cosmos_core.store import rows, search
from cosmos_core.store.claims import PAUSED_CAMPAIGN
from cosmos_core.store.opened import Opened
from cosmos_core.store.records import Page
from cosmos_core.store.schema import (
    attempt,
    batch,
    event,
    is_queued,
    now,
    queue_order,
    run,
    run_shows,
    run_tag,
    run_words,
    setting,
    spec,
    submission,
)
from cosmos_core.store.words import document

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cosmos_core.run import Needs
    from cosmos_core.spec import Spec, Variable
    from cosmos_core.store.records import NewRun, Query

T = TypeVar("T")

COUNTED = 1000
LONGEST_TAG = 100
_CHUNK = 500


class Runs(Opened):
    """Accepting, finding, listing and noting runs."""

    def accept(self, runs: Sequence[NewRun], *, token: str = "") -> tuple[Run, ...]:
        """Put *runs* into the queue, all or none. What is returned is on disk.

        The same *token* again gives the runs of its first call, and writes nothing.

        Raises:
            InputError: when a run's id is taken, or a tag cannot be one.
        """
        for each in runs:
            _check_text(each)
            _check_tags(each.tags)
        with self._db.write() as connection:
            if token and (known := _known(connection, token, [each.id for each in runs])) is not None:
                return self._named(connection, known)
            _refuse_taken(connection, [each.id for each in runs])
            _insert(connection, runs)
            return self._named(connection, [each.id for each in runs])

    def submitted(self, token: str) -> tuple[Run, ...] | None:
        """The runs that *token* brought, as far as they were not removed; None when nobody used it yet."""
        with self._db.read() as connection:
            asked = sa.select(submission.c.runs).where(submission.c.token == token)
            known = connection.execute(asked).scalar()
            return None if known is None else self._named(connection, json.loads(known))

    def run(self, ref: str) -> Run:
        """The run with the id *ref*, or whose id alone begins with these three or more characters.

        Raises:
            UnknownError: when there is none.
            InputError: when there are several, naming them.
        """
        with self._db.read() as connection:
            return rows.load_one(connection, rows.find(connection, ref).seq, self._root)

    def page(self, query: Query) -> Page:
        """The runs that match *query*, newest first."""
        size = max(1, query.limit)
        # Picking a thousand numbers costs little more than picking fifty, and less than counting by a second query.
        most = max(size, COUNTED) + 1
        with self._db.read() as connection:
            near = search.newest(query, limit=most, is_sqlite=self._db.is_sqlite)
            seqs = connection.execute(near).scalars().all() if near is not None else []
            if len(seqs) < most:
                picked = search.matching(query, limit=most, is_sqlite=self._db.is_sqlite)
                seqs = connection.execute(picked).scalars().all()
            shown = rows.load_all(connection, seqs[:size], self._root)
        return Page(
            runs=shown,
            next=seqs[size - 1] if len(seqs) > size else None,
            total=len(seqs) if len(seqs) < most else None,
        )

    def counts(self) -> dict[State, int]:
        """How many runs are in each state; every state is there."""
        with self._db.read() as connection:
            found = connection.execute(sa.select(run.c.state, sa.func.count()).group_by(run.c.state)).all()
        return dict.fromkeys(State, 0) | {State(state): count for state, count in found}

    def backends(self, *, states: Sequence[State]) -> tuple[str, ...]:
        """What runs in one of *states* are to be made with, by name."""
        asked = sa.select(run.c.backend).where(run.c.state.in_(states)).distinct()
        with self._db.read() as connection:
            return tuple(sorted(connection.execute(asked).scalars()))

    def waiting(self, *, limit: int = 5000) -> tuple[Queued, ...]:
        """The first *limit* queued runs, in the order of the queue; none of a campaign that is paused."""
        asked = sa.select(
            *(run.c.id, run.c.seq, run.c.backend, run.c.load_key),
            *(run.c.gpus, run.c.vram_gb, run.c.unfit, run.c.seconds, run.c.priority, run.c.parent),
        )
        with self._db.read() as connection:
            waits = asked.where(is_queued(), ~_is_paused())
            found = connection.execute(waits.order_by(*queue_order()).limit(limit)).all()
        return tuple(
            Queued(
                id=row.id,
                seq=row.seq,
                backend=row.backend,
                load_key=row.load_key,
                needs=rows.needs_of(row),
                seconds=row.seconds,
                priority=row.priority,
                follows=bool(row.parent),
            )
            for row in found
        )

    def needs(self, run_id: str) -> Needs:
        """What a slot must have to run it, as far as is known by now.

        Raises:
            UnknownError: when there is no such run.
        """
        with self._db.read() as connection:
            return rows.needs_of(rows.find(connection, run_id))

    def tag(self, run_id: str, *, add: Iterable[str] = (), drop: Iterable[str] = ()) -> Run:
        """Add tags to a run and drop others; dropping one it does not have does nothing.

        Raises:
            UnknownError: when there is no such run.
            InputError: when a tag is empty, has spaces around it or is very long.
        """
        added, dropped = set(add), set(drop)
        with self._db.write() as connection:
            return change_tags(connection, run_id, add=added, drop=dropped, root=self._root)

    def say_shown(self, shows: Mapping[str, tuple[Variable, ...]]) -> None:
        """Replace what the videos of these runs should show, by run id, for all of them or none.

        Raises:
            UnknownError: when there is no such run.
        """
        with self._db.write() as connection:
            by_seq = {rows.find(connection, ref).seq: each for ref, each in shows.items()}
            for some in _chunked(sorted(by_seq)):
                connection.execute(sa.delete(run_shows).where(run_shows.c.seq.in_(some)))
            _insert_shows(connection, by_seq.items())

    def batches_of_only(self, run_ids: Iterable[str]) -> tuple[str, ...]:
        """Finished batches that worked on some of these runs and on no others, as far as the others are still known."""
        ids = set(run_ids)
        tried: dict[str, set[str]] = {}
        with self._db.read() as connection:
            for some in _chunked(sorted(ids)):
                mine = sa.select(attempt.c.batch).where(attempt.c.run.in_(some))
                both = sa.select(attempt.c.batch, attempt.c.run).join_from(attempt, batch)
                for name, worked in connection.execute(
                    both.where(attempt.c.batch.in_(mine), batch.c.closed.is_not(None))
                ):
                    tried.setdefault(name, set()).add(worked)
        return tuple(sorted(name for name, worked in tried.items() if worked <= ids))

    def remove(self, run_ids: Iterable[str]) -> None:
        """Forget runs with their attempts, events and artifact's row, all or none. Files are not touched.

        Raises:
            UnknownError: when one of them does not exist.
            InputError: when a worker holds one of them.
        """
        with self._db.write() as connection:
            found = {row.seq: row for row in (rows.find(connection, ref, lock=True) for ref in run_ids)}
            if held := sorted(row.id for row in found.values() if State(row.state).is_held):
                raise InputError(
                    f"a worker holds {', '.join(held)}", hint=f"cancel first: cosmos cancel {' '.join(held)}"
                )
            for seq, row in sorted(found.items()):
                connection.execute(sa.delete(run).where(run.c.seq == seq))
                used = sa.exists().where(run.c.spec == row.spec)
                connection.execute(sa.delete(spec).where(spec.c.digest == row.spec, ~used))

    def _named(self, connection: sa.Connection, ids: Sequence[str]) -> tuple[Run, ...]:
        found: dict[str, Run] = {}
        for some in _chunked(ids):
            loaded = rows.load(connection, run.c.id.in_(some), self._root)
            found |= {each.id: each for each in loaded.values()}
        return tuple(found[name] for name in ids if name in found)


def change_tags(connection: sa.Connection, run_id: str, *, add: set[str], drop: set[str], root: Path) -> Run:
    """Add tags to a run and drop others, within a transaction; a tag in both is dropped.

    Raises:
        UnknownError: when there is no such run.
        InputError: when a tag cannot be one.
    """
    _check_tags(add)
    row = rows.find(connection, run_id, lock=True)
    before = rows.load_one(connection, row.seq, root)
    connection.execute(sa.delete(run_tag).where(run_tag.c.seq == row.seq, run_tag.c.tag.in_(drop)))
    if new := sorted(add - drop - set(before.tags)):
        connection.execute(sa.insert(run_tag), [{"seq": row.seq, "tag": tag} for tag in new])
    after = rows.load_one(connection, row.seq, root)
    words = _document(after, after.spec)
    connection.execute(sa.update(run_words).where(run_words.c.seq == row.seq).values(words=words))
    return after


def _is_paused() -> sa.ColumnElement[bool]:
    return sa.exists().where(setting.c.name == sa.literal(PAUSED_CAMPAIGN) + run.c.campaign)


def _chunked(ids: Sequence[T]) -> Iterator[Sequence[T]]:
    return (ids[start : start + _CHUNK] for start in range(0, len(ids), _CHUNK))


def _check_text(new: NewRun) -> None:
    # SQLite would take a NUL and PostgreSQL would not; a spec is JSON, where it is escaped.
    for text in (new.id, new.name, new.load_key, new.prompt_ref, new.parent, new.campaign):
        if "\x00" in text:
            raise InputError(f"{text!r} cannot be stored: it holds a NUL character")


def _check_tags(tags: Iterable[str]) -> None:
    for tag in tags:
        if not tag or tag != tag.strip() or len(tag) > LONGEST_TAG or "\x00" in tag:
            raise InputError(f"{tag[:LONGEST_TAG]!r} cannot be a tag", hint=f"1 to {LONGEST_TAG} characters")


def _known(connection: sa.Connection, token: str, ids: list[str]) -> list[str] | None:
    """The runs that *token* brought first; None when this is the first time, which is noted at once."""
    # Inserting first lets a second caller with the token wait for the first one to commit.
    noted = rows.insert_new(connection, submission).values(token=token, runs=json.dumps(ids), at=now())
    if connection.execute(noted.returning(submission.c.token)).one_or_none() is not None:
        return None
    known = connection.execute(sa.select(submission.c.runs).where(submission.c.token == token)).scalar_one()
    return list(json.loads(known))


def _refuse_taken(connection: sa.Connection, ids: list[str]) -> None:
    twice = {name for name in ids if ids.count(name) > 1} if len(set(ids)) < len(ids) else set()
    taken: set[str] = set(twice)
    for some in _chunked(ids):
        taken |= set(connection.execute(sa.select(run.c.id).where(run.c.id.in_(some))).scalars())
    if taken:
        raise InputError(f"there is already a run {', '.join(sorted(taken))}; nothing was accepted")


def _insert(connection: sa.Connection, runs: Sequence[NewRun]) -> None:
    if not runs:
        return
    specs = [{"digest": each.spec.digest, "body": canonical.dumps(each.spec)} for each in runs]
    connection.execute(rows.insert_new(connection, spec), specs)
    clock = connection.execute(sa.select(now())).scalar_one()
    connection.execute(sa.insert(run), [_run_values(each, clock) for each in runs])
    seqs = _seqs(connection, [each.id for each in runs])
    words = [{"seq": seqs[each.id], "words": _document(each, each.spec)} for each in runs]
    connection.execute(sa.insert(run_words), words)
    tags = [{"seq": seqs[each.id], "tag": tag} for each in runs for tag in each.tags]
    if tags:
        connection.execute(sa.insert(run_tag), tags)
    _insert_shows(connection, [(seqs[each.id], each.shows) for each in runs])
    accepted = {"at": clock, "before": None, "after": State.QUEUED, "reason": "", "owner": ""}
    connection.execute(sa.insert(event), [{"run": each.id, **accepted} for each in runs])


def _insert_shows(connection: sa.Connection, shows: Iterable[tuple[int, tuple[Variable, ...]]]) -> None:
    found = [{"seq": seq, "variables": rows.variables_text(each)} for seq, each in shows if each]
    if found:
        connection.execute(sa.insert(run_shows), found)


def _seqs(connection: sa.Connection, ids: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for some in _chunked(ids):
        asked = sa.select(run.c.id, run.c.seq).where(run.c.id.in_(some))
        found |= {row.id: row.seq for row in connection.execute(asked)}
    return found


def _run_values(new: NewRun, clock: float) -> dict[str, Any]:
    return {
        "id": new.id,
        "name": new.name,
        "spec": new.spec.digest,
        "backend": new.spec.backend,
        "load_key": new.load_key,
        **rows.needs_values(new.needs),
        "seconds": new.seconds,
        "priority": new.priority,
        "state": State.QUEUED,
        "campaign": new.campaign,
        "parent": new.parent,
        "prompt_name": new.prompt_ref.partition("@")[0],
        "prompt_ref": new.prompt_ref,
        "created": clock,
        "changed": clock,
    }


def _document(named: NewRun | Run, asked: Spec) -> str:
    return document(named.name, named.id, named.campaign, *named.tags, asked.prompt.text)
