"""``cosmos plan``: what a worker would do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import attrs

from cosmos_core.cli import say
from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmos_core.cli.asked import Asked
    from cosmos_core.extend import PlannedBatch

SHOWN = 40
"""Batches that people see; ``--json`` has all."""


@make(
    "plan",
    examples="""
        cosmos plan
        cosmos plan --json
    """,
)
def command(asked: Asked) -> None:
    """Show how the waiting runs would be worked.

    Batches in the order in which they would start, on which slot, why, and when all would be finished if every slot
    of this workspace were free now. Nothing is started.
    """
    with asked.open() as cosmos:
        plan = cosmos.plan()
        paused = cosmos.store.paused()
    timed = times(plan.batches)
    finish = max((end for _, end in timed), default=0.0)
    batches = [
        attrs.asdict(batch) | {"start": start, "end": end}
        for batch, (start, end) in zip(plan.batches, timed, strict=True)
    ]
    asked.answer({"batches": batches, "unplaced": dict(plan.unplaced), "seconds": finish, "paused": paused})
    if not plan.batches and not plan.unplaced:
        asked.tell("nothing waits")
        return
    asked.tell(
        say.paragraphs(_batches(plan.batches, timed), _unplaced(plan.unplaced), _finish(plan.batches, finish))
    )
    if paused is not None:
        asked.note(f"the queue is paused: {paused or 'by hand'}; resume it: cosmos queue resume")


def times(batches: Sequence[PlannedBatch]) -> list[tuple[float, float]]:
    """Start and end of each batch in seconds from now, if each slot works its batches one after the other."""
    free: dict[str, float] = {}
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


def _finish(batches: Sequence[PlannedBatch], seconds: float) -> str:
    runs = sum(len(batch.runs) for batch in batches)
    at = say.clock(datetime.now(UTC) + timedelta(seconds=seconds))
    what = f"{say.many(runs, 'run')} in {say.many(len(batches), 'batch').replace('batchs', 'batches')}"
    return f"{what}, finished in about {say.duration(seconds)}, at {at}" if batches else ""
