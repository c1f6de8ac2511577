"""``cosmos plan``: what a worker would do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs
import click

from cosmos_core.cli import say
from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from cosmos_core.cli.asked import Asked
    from cosmos_core.extend import PlannedBatch

SHOWN = 40
"""Batches that people see; ``--json`` has all."""


def ordering(function: Callable[..., None]) -> Callable[..., None]:
    """Give *function* the option that says who goes first."""
    return click.option(
        "--order",
        type=click.Choice(["long", "short"]),
        default="long",
        help="long: all is done soonest. short: each slot begins with one short run, for people who wait.  [default: long]",
    )(function)


@make(
    "plan",
    examples="""
        cosmos plan
        cosmos plan --order short
        cosmos plan --json
    """,
)
@ordering
def command(asked: Asked, order: str) -> None:
    """Show how the waiting runs would be worked.

    Batches in the order in which they would start, on which slot, why, and when all would be finished by the slots of
    this workspace, each from when what it does now is done, and what that saves against a model load for each run.
    Seconds are those that finished runs took, or the backend's own table where none has finished. Nothing is started.
    """
    with asked.open() as cosmos:
        plan = cosmos.plan(order=order)
        alone = cosmos.plan_one_by_one()
        paused = cosmos.store.paused()
        resting = cosmos.resting()
        busy = cosmos.forecast().busy
        campaigns = cosmos.store.paused_campaigns()
    timed = times(plan.batches, busy)
    finish, last = end(plan.batches, busy), end(alone.batches, busy)
    batches = [
        attrs.asdict(batch) | {"start": start, "end": end}
        for batch, (start, end) in zip(plan.batches, timed, strict=True)
    ]
    asked.answer(
        {
            "batches": batches,
            "unplaced": dict(plan.unplaced),
            "seconds": finish,
            "seconds_one_by_one": last,
            "loads": len(plan.batches),
            "paused": paused,
            "paused_campaigns": campaigns,
            "resting": resting,
        }
    )
    if not plan.batches and not plan.unplaced:
        asked.tell("nothing waits")
        return
    asked.tell(
        say.paragraphs(
            _batches(plan.batches, timed), _unplaced(plan.unplaced), _finish(plan.batches, finish, last)
        )
    )
    for name, why in campaigns.items():
        asked.note(f"campaign {name} is paused: {why or 'by hand'}; its runs are not planned")
    for told in dict.fromkeys(map(str, resting)):
        asked.note(told)
    if paused is not None:
        asked.note(f"the queue is paused: {paused or 'by hand'}; resume it: cosmos queue resume")


def end(batches: Sequence[PlannedBatch], busy: Mapping[str, float] | None = None) -> float:
    """Seconds from now until the last batch is done."""
    return max((after for _, after in times(batches, busy)), default=0.0)


def times(
    batches: Sequence[PlannedBatch], busy: Mapping[str, float] | None = None
) -> list[tuple[float, float]]:
    """Start and end of each batch in seconds from now, if each slot works its batches one after the other.

    *busy* is when slots are free to begin, by name; now, where nothing is said.
    """
    free = dict(busy or {})
    found = []
    for batch in batches:
        start = free.get(batch.slot.name, 0.0)
        free[batch.slot.name] = end = start + batch.seconds
        found.append((start, end))
    return found


def _batches(batches: Sequence[PlannedBatch], timed: Sequence[tuple[float, float]]) -> str:
    rows = [
        (
            batch.slot.name,
            batch.backend,
            str(len(batch.runs)),
            f"in {say.duration(start)}" if start else "now",
            say.duration(end - start),
            batch.reason,
            say.faint(say.one_line(" ".join(batch.runs), 40)),
        )
        for batch, (start, end) in list(zip(batches, timed, strict=True))[:SHOWN]
    ]
    left = f"\n… and {len(batches) - SHOWN} more batches" if len(batches) > SHOWN else ""
    return say.table(rows, ("slot", "backend", "runs", "starts", "takes", "why", ""), right=(2,)) + left


def _unplaced(unplaced: Sequence[tuple[str, str]]) -> str:
    rows = [(say.word("warn"), run, why) for run, why in unplaced[:SHOWN]]
    return f"these fit no slot:\n{say.table(rows, indent='  ')}" if rows else ""


def _finish(batches: Sequence[PlannedBatch], seconds: float, alone: float) -> str:
    runs = sum(len(batch.runs) for batch in batches)
    at = say.clock(datetime.now(UTC) + timedelta(seconds=seconds))
    what = f"{say.many(runs, 'run')} in {say.many(len(batches), 'batch').replace('batchs', 'batches')}"
    if not batches:
        return ""
    saved = f"; a model load for each run would take {say.duration(alone)}" if alone > seconds else ""
    return f"{what}, finished in about {say.duration(seconds)}, at {at}{saved}"
