"""What steps say about artifacts: one judgement a step, beside what the checks found."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core.errors import InputError
from cosmos_core.run import Judgement, Run
from cosmos_core.store import rows
from cosmos_core.store.opened import Opened
from cosmos_core.store.runs import change_tags
from cosmos_core.store.schema import judgement, now

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cosmos_core.errors import Finding


class Judgements(Opened):
    """Keeping what steps say."""

    def judge(
        self,
        run_id: str,
        step: str,
        findings: Iterable[Finding],
        *,
        score: float | None = None,
        tags: Iterable[str] = (),
    ) -> Run:
        """Keep what *step* says about a run's artifact in the place of what it said before, and give the run.

        Tags that it gave before and does not give now are taken off; those of people stay.

        Raises:
            UnknownError: when there is no such run.
            InputError: when it has no artifact, *score* is outside 0 to 1, or a tag cannot be one.
        """
        if score is not None and not 0 <= score <= 1:
            raise InputError(f"{score!r} is no score", hint="0 worst to 1 best")
        given = set(tags)
        with self._db.write() as connection:
            row = rows.find(connection, run_id, lock=True)
            run = rows.load_one(connection, row.seq, self._root)
            if run.artifact is None:
                raise InputError(f"run {run.id} has no artifact to judge", hint="only sealed runs have one")
            mine = sa.and_(judgement.c.run == run.id, judgement.c.step == step)
            before = connection.execute(sa.select(judgement.c.tags).where(mine)).scalar()
            owned = set(json.loads(before or "[]"))
            after = change_tags(connection, run.id, add=given, drop=owned - given, root=self._root)
            # A tag that a person gave before the step did is not the step's to take off later.
            kept = given - (set(run.tags) - owned)
            connection.execute(sa.delete(judgement).where(mine))
            connection.execute(
                sa.insert(judgement).values(
                    run=run.id,
                    step=step,
                    digest=run.artifact.digest,
                    score=score,
                    findings=rows.findings_text(findings),
                    tags=json.dumps(sorted(kept)),
                    at=now(),
                )
            )
            return after

    def judgements(self, run_id: str) -> tuple[Judgement, ...]:
        """What each step said last about a run, by the step's name.

        Raises:
            UnknownError: when there is no such run.
        """
        with self._db.read() as connection:
            name = rows.find(connection, run_id).id
            return judgements_of(connection, [name]).get(name, ())


def judgements_of(connection: sa.Connection, run_ids: Sequence[str]) -> dict[str, tuple[Judgement, ...]]:
    """What steps said about these runs, by id; those about which nothing was said are left out."""
    asked = sa.select(judgement).where(judgement.c.run.in_(run_ids)).order_by(judgement.c.step)
    found: dict[str, tuple[Judgement, ...]] = {}
    for row in connection.execute(asked):
        found[row.run] = (*found.get(row.run, ()), _judgement(row))
    return found


def _judgement(row: Any) -> Judgement:
    return Judgement(
        step=row.step,
        digest=row.digest,
        score=row.score,
        findings=rows.findings(row.findings),
        tags=tuple(json.loads(row.tags)),
        at=rows.moment(row.at),
    )
