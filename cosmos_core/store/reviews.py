"""What people say about videos: rows that are added and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core.errors import InputError
from cosmos_core.run import Approval, Review, Run, State
from cosmos_core.store import rows
from cosmos_core.store.opened import Opened
from cosmos_core.store.schema import artifact, judgement, now, review, run

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST_NOTE = 10_000
TAKEN_BACK = 0
"""The rating of a review that takes one back."""


class Reviews(Opened):
    """Keeping what people say."""

    def rate(self, run_id: str, rating: int | None, *, who: str = "") -> Run:
        """Note how good a person finds the run, 1 to 5; None takes it back.

        Raises:
            UnknownError: when there is no such run.
            InputError: when *rating* is something else.
        """
        if rating == TAKEN_BACK:
            raise _no_rating(rating)
        return self._say(run_id, who=who, rating=TAKEN_BACK if rating is None else rating)

    def review(
        self,
        run_id: str,
        *,
        who: str,
        approval: Approval | None = None,
        rating: int | None = None,
        note: str = "",
    ) -> Run:
        """Note what a person says about a run's video; what is not said stays as it was said before.

        Neither the run's state nor what the checks found changes: approving what they rejected seals nothing.

        Raises:
            UnknownError: when there is no such run.
            InputError: when there is no video to look at, nothing is said, or *rating* is not 1 to 5.
        """
        if approval is None and rating is None and not note:
            raise InputError("nothing was said about the run", hint="--approve, --reject, --rating or --note")
        if rating == TAKEN_BACK:
            raise _no_rating(rating)
        return self._say(run_id, who=who, approval=approval, rating=rating, note=note, video=True)

    def reviews(self, run_id: str) -> tuple[Review, ...]:
        """What people said about a run, the first one first.

        Raises:
            UnknownError: when there is no such run.
        """
        with self._db.read() as connection:
            name = rows.find(connection, run_id).id
            asked = sa.select(review).where(review.c.run == name).order_by(review.c.seq)
            return tuple(_review(row) for row in connection.execute(asked))

    def unreviewed(self, *, limit: int = 50) -> tuple[Run, ...]:
        """Sealed runs about which nobody has said anything, the worst first by what steps say of them, then the oldest.

        Those of which no step gave a score come last.
        """
        score = sa.func.min(judgement.c.score)
        asked = (
            sa.select(run.c.seq)
            .join_from(run, judgement, judgement.c.run == run.c.id, isouter=True)
            .where(run.c.state == str(State.SEALED), run.c.approval == str(Approval.OPEN))
            .group_by(run.c.seq)
            .order_by(score.is_(None), score, run.c.seq)
            .limit(limit)
        )
        with self._db.read() as connection:
            seqs: Sequence[int] = connection.execute(asked).scalars().all()
            return rows.load_all(connection, seqs, self._root)

    def _say(
        self,
        run_id: str,
        *,
        who: str,
        approval: Approval | None = None,
        rating: int | None = None,
        note: str = "",
        video: bool = False,
    ) -> Run:
        if rating is not None and rating not in range(6):
            raise _no_rating(rating)
        if len(note) > LONGEST_NOTE:
            raise InputError(
                f"a note of {len(note):,} characters is too long", hint=f"at most {LONGEST_NOTE:,}"
            )
        with self._db.write() as connection:
            row = rows.find(connection, run_id, lock=True)
            if video and row.state not in {State.SEALED, State.REJECTED}:
                raise InputError(
                    f"run {row.id} is {row.state}: there is no video to look at", hint=f"cosmos show {row.id}"
                )
            made = sa.select(artifact.c.digest).where(artifact.c.run == row.id)
            said = {
                "run": row.id,
                "at": now(),
                "who": rows.storable(who),
                "attempt": row.attempt,
                "digest": connection.execute(made).scalar() or "",
                "approval": None if approval is None else str(approval),
                "rating": rating,
                "note": rows.storable(note),
            }
            connection.execute(sa.insert(review).values(**said))
            last: dict[str, Any] = {} if approval is None else {"approval": str(approval)}
            last |= {} if rating is None else {"rating": rating or None}
            if last:
                connection.execute(sa.update(run).where(run.c.seq == row.seq).values(**last))
            return rows.load_one(connection, row.seq, self._root)


def _no_rating(rating: object) -> InputError:
    return InputError(f"{rating!r} is not a rating", hint="1 to 5")


def _review(row: Any) -> Review:
    return Review(
        who=row.who,
        at=rows.moment(row.at),
        attempt=row.attempt,
        digest=row.digest,
        approval=None if row.approval is None else Approval(row.approval),
        rating=row.rating,
        note=row.note,
    )
