"""How far a campaign is: what it wants against the runs that the store has. Pure.

A video counts when an artifact of its very recipe is sealed. What a state, a job or a folder says does not count.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from cosmos_core.campaign.review import Wanted
from cosmos_core.retry import Spent
from cosmos_core.run import Approval, Run, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

NOT_SUBMITTED = "not submitted"
HELD = "held"
"""Refused because its bytes are those of a video that was asked for differently: a person looks at both."""

SAME_BYTES = "dup.exact"
"""The check that refuses them."""


@attrs.frozen(kw_only=True)
class Standing:
    """One video of a campaign and the run that stands for it."""

    wanted: Wanted
    run: Run | None = None
    is_held: bool = False
    """Its output was refused for having another video's bytes."""

    @property
    def is_sealed(self) -> bool:
        """Whether there is an artifact."""
        return self.run is not None and self.run.artifact is not None

    @property
    def is_refused(self) -> bool:
        """Whether it is sealed, and a person does not want it."""
        return self.run is not None and self.is_sealed and self.run.approval is Approval.REJECTED

    @property
    def word(self) -> str:
        """How it stands, in a word."""
        if self.run is None:
            return NOT_SUBMITTED
        if self.is_sealed:
            return str(State.SEALED)
        return HELD if self.is_held else str(self.run.state)

    @property
    def reason(self) -> str:
        """Why it is not sealed, in a sentence; empty when it is, or when nothing is wrong."""
        return self.run.reason if self.run is not None and not self.is_sealed else ""


@attrs.frozen(kw_only=True)
class Row:
    """How many of what belongs together are sealed."""

    name: str
    sealed: int
    total: int

    @property
    def is_whole(self) -> bool:
        """Whether all are."""
        return self.sealed == self.total


@attrs.frozen(kw_only=True)
class Status:
    """How far a campaign is."""

    campaign: str
    standings: tuple[Standing, ...]
    dropped: tuple[Run, ...] = ()
    """Runs of the campaign's name that its file does not ask for any more."""
    seconds_left: float | None = None
    """Until the last of those that wait or are worked on is done; None when nothing is."""
    paused: str | None = None
    """Why the campaign is paused, perhaps an empty text; None when it is not."""
    retried: Spent = attrs.field(factory=Spent)
    """What further attempts at what was rejected cost."""
    over_budget: str = ""
    """Why nothing is tried again by itself any more; empty while it may be."""

    @property
    def total(self) -> int:
        """How many videos the file asks for."""
        return len(self.standings)

    @property
    def sealed(self) -> int:
        """How many there are artifacts of."""
        return sum(each.is_sealed for each in self.standings)

    @property
    def refused(self) -> int:
        """How many of the sealed a person does not want. Another seed or prompt in the file asks for others."""
        return sum(each.is_refused for each in self.standings)

    @property
    def is_complete(self) -> bool:
        """Whether every expected artifact is sealed."""
        return 0 < self.total == self.sealed

    @property
    def counts(self) -> Mapping[str, int]:
        """How many stand how, by word."""
        return Counter(each.word for each in self.standings)

    def bad(self) -> tuple[Standing, ...]:
        """Those that ended without an artifact and wait for somebody's word."""
        return tuple(each for each in self.standings if _ended_badly(each))

    def by_entry(self) -> tuple[Row, ...]:
        """Rows by the id of the definition, in the order of the file."""
        return _rows((each.wanted.item.id, each) for each in self.standings)

    def by_duration(self) -> tuple[Row, ...]:
        """Rows by the length that was asked for, the shortest first; what has none comes last."""
        rows = _rows((_length(each), each) for each in sorted(self.standings, key=_seconds))
        return () if len(rows) == 1 and rows[0].name == _NO_LENGTH else rows


_NO_LENGTH = "no length"


def stand(wanted: Sequence[Wanted], runs: Iterable[Run], held: Iterable[str] = ()) -> Status:
    """Pair what is *wanted* with the best of the *runs* of its recipe.

    Args:
        wanted: the campaign's videos, of one campaign.
        runs: every run of the campaign's name. What follows from another run's artifact is no part of the campaign.
        held: ids of runs that were refused for their bytes.
    """
    own = [run for run in runs if not run.parent]
    best: dict[str, Run] = {}
    for run in sorted(own, key=_worth):
        best[run.spec.digest] = run
    refused = set(held)
    standings = tuple(
        Standing(wanted=each, run=run, is_held=run is not None and run.id in refused)
        for each in wanted
        for run in [best.get(each.recipe)]
    )
    recipes = {each.recipe for each in wanted}
    return Status(
        campaign=wanted[0].item.ask.campaign if wanted else "",
        standings=standings,
        dropped=tuple(run for run in own if run.spec.digest not in recipes),
    )


def _worth(run: Run) -> tuple[bool, bool, bool, int]:
    """The more, the better it stands for its recipe."""
    return run.artifact is not None, run.state.is_held, not run.state.is_final, run.seq


def _ended_badly(each: Standing) -> bool:
    return each.run is not None and each.run.state.is_final and not each.is_sealed


def _rows(pairs: Iterable[tuple[str, Standing]]) -> tuple[Row, ...]:
    groups: dict[str, list[Standing]] = {}
    for name, each in pairs:
        groups.setdefault(name, []).append(each)
    return tuple(
        Row(name=name, sealed=sum(each.is_sealed for each in group), total=len(group))
        for name, group in groups.items()
    )


def _seconds(each: Standing) -> float:
    seconds = each.wanted.item.seconds
    return float("inf") if seconds is None else seconds


def _length(each: Standing) -> str:
    seconds = each.wanted.item.seconds
    return _NO_LENGTH if seconds is None else f"{seconds:g} s"
