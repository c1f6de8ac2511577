"""Runs into batches onto slots. Pure: no I/O, no clock, no randomness.

The rules, and where they come from (simulated over 501 and 1,698 runs against the lower bound):

- Workers pull; nobody is given a share up front.
- Runs that share what must be loaded go together, and a slot stays on a key while it has work.
- Inside a key, first what the fewest slots can run, then the longest.
- Batches shrink towards the end, so that no slot is left with a long tail.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

from cosmos_core.extend import Plan, PlannedBatch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cosmos_core.hosts import Slot
    from cosmos_core.run import Queued

Key = tuple[str, str]
"""Backend and load key."""

LARGEST_BATCH = 16


def order(run: Queued) -> tuple[int, int, float, int]:
    """Sort key of the queue: priority, then what needs most GPUs, then the longest, then first come."""
    return (-run.priority, -run.needs.gpus, -run.seconds, run.seq)


def fits(run: Queued, slot: Slot) -> bool:
    """Whether *slot* has the GPUs that *run* needs, and of a kind that its backend has nothing against."""
    return len(slot.gpus) >= run.needs.gpus and not run.needs.against(slot.gpu)


def arrange(
    runs: Iterable[Queued], slots: Sequence[Slot], *, largest: int = LARGEST_BATCH, load_seconds: float = 1.0
) -> Plan:
    """Every waiting run into batches, in the order they start, each on the slot that is free first."""
    waiting = sorted(runs, key=order)
    placeable = [run for run in waiting if any(fits(run, slot) for slot in slots)]
    unplaced = tuple(
        (run.id, _why_not(run, slots)) for run in waiting if not any(fits(run, slot) for slot in slots)
    )
    groups: defaultdict[Key, list[Queued]] = defaultdict(list)
    for run in placeable:
        groups[run.backend, run.load_key].append(run)
    return Plan(batches=tuple(_deal(groups, slots, largest, load_seconds)), unplaced=unplaced)


def _deal(
    groups: dict[Key, list[Queued]], slots: Sequence[Slot], largest: int, load_seconds: float
) -> Iterable[PlannedBatch]:
    free: list[tuple[float, int]] = [(0.0, index) for index in range(len(slots))]
    loaded: dict[int, Key] = {}
    heapq.heapify(free)
    while groups and free:
        at, index = heapq.heappop(free)
        slot = slots[index]
        key = _choose(groups, slot, loaded.get(index))
        if key is None:
            continue
        taken = _take(groups, key, slot, len(slots), largest)
        stays = loaded.get(index) == key
        seconds = sum(run.seconds for run in taken) + (0.0 if stays else load_seconds)
        loaded[index] = key
        heapq.heappush(free, (at + seconds, index))
        yield PlannedBatch(
            slot=slot,
            backend=key[0],
            load_key=key[1],
            runs=tuple(run.id for run in taken),
            seconds=seconds,
            reason=_reason(taken, stays=stays),
        )


def _choose(groups: dict[Key, list[Queued]], slot: Slot, loaded: Key | None) -> Key | None:
    """The key that *slot* takes next: the most urgent, then the one it has loaded, then the one with most work."""
    possible = [key for key, group in groups.items() if any(fits(run, slot) for run in group)]
    if not possible:
        return None

    def rank(key: Key) -> tuple[int, int, bool, float, Key]:
        group = groups[key]
        return (
            -max(run.priority for run in group),
            -max(run.needs.gpus for run in group),
            key != loaded,
            -sum(run.seconds for run in group),
            key,
        )

    return min(possible, key=rank)


def _take(groups: dict[Key, list[Queued]], key: Key, slot: Slot, slots: int, largest: int) -> list[Queued]:
    group = groups[key]
    able = [run for run in group if fits(run, slot)]
    size = max(1, min(largest, -(-len(able) // (2 * slots))))
    taken = able[:size]
    ids = {run.id for run in taken}
    groups[key] = [run for run in group if run.id not in ids]
    if not groups[key]:
        del groups[key]
    return taken


def _reason(taken: Sequence[Queued], *, stays: bool) -> str:
    load = "the model is loaded already" if stays else "one model load"
    return f"{load} for {len(taken)} run{'s' if len(taken) != 1 else ''}"


def _why_not(run: Queued, slots: Sequence[Slot]) -> str:
    most = max((len(slot.gpus) for slot in slots), default=0)
    if not slots:
        return "there is no slot"
    reasons = {run.needs.against(slot.gpu) for slot in slots if len(slot.gpus) >= run.needs.gpus}
    if reasons:
        return "; ".join(sorted(reasons))
    return f"it needs {run.needs.gpus} GPU(s) and the largest slot has {most}"
