"""What a campaign will cost: passes, GPU-hours by host, when it is done, room on the disk. Pure but for the planner's own."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING

import attrs

from cosmos_core.run import State
from cosmos_core.store.records import Query

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from cosmos_core.accept import Open
    from cosmos_core.campaign.review import Wanted
    from cosmos_core.extend import PlannedBatch

BYTES_A_PIXEL = 598_000 / (93 * 1280 * 704)
"""What an operator measured of Predict 2.5: 598 kB for 93 frames of 1280x704. Used where nothing is sealed yet."""
_LOOKED_AT = 300


@attrs.frozen(kw_only=True)
class Share:
    """What one host would do for the campaign."""

    host: str
    runs: int
    loads: float
    """Model loads; a batch that other runs share counts in part."""
    slot_hours: float
    gpu_hours: float
    """0 for a host without GPUs."""
    done: float
    """Seconds from now until it has done the last of them."""


@attrs.frozen(kw_only=True)
class Outlook:
    """What is left of a campaign, and what it will cost."""

    definitions: int
    durations: tuple[float, ...]
    runs: int
    """How many videos the file asks for."""
    sealed: int
    submitted: int
    """How many wait or are worked on."""
    left: int
    """How many are neither sealed nor submitted."""
    passes: int
    """How often the model runs for all that are not sealed."""
    hosts: tuple[Share, ...]
    seconds: float
    """From now until the last of them is done."""
    bytes: float
    """About as much room as the videos that are not sealed will take."""
    is_measured: bool
    """Whether that follows from videos of the same backends that were sealed here; else it is a guess."""
    unplaced: tuple[tuple[str, str], ...] = ()
    """Names of videos that fit no slot, and why."""


def shares(
    batches: Iterable[PlannedBatch],
    mine: Collection[str],
    seconds: Mapping[str, float],
    starts: Mapping[str, float] | None = None,
) -> tuple[Share, ...]:
    """What each host would do for the runs that are *mine*; of batches that hold others too, a part."""
    found: defaultdict[str, list[tuple[float, float, float, float, int]]] = defaultdict(list)
    free: defaultdict[str, float] = defaultdict(float)
    free.update(starts or {})
    for batch in batches:
        free[batch.slot.name] += batch.seconds
        own = [run for run in batch.runs if run in mine]
        if not own:
            continue
        whole = sum(seconds[run] for run in batch.runs)
        part = sum(seconds[run] for run in own) / whole if whole else len(own) / len(batch.runs)
        hours = batch.seconds * part / 3600
        found[batch.slot.host].append(
            (part, hours, hours * len(batch.slot.gpus), free[batch.slot.name], len(own))
        )
    return tuple(
        Share(
            host=host,
            runs=sum(each[4] for each in rows),
            loads=sum(each[0] for each in rows),
            slot_hours=sum(each[1] for each in rows),
            gpu_hours=sum(each[2] for each in rows),
            done=max(each[3] for each in rows),
        )
        for host, rows in sorted(found.items())
    )


def room(site: Open, wanted: Sequence[Wanted]) -> tuple[float, bool]:
    """About how many bytes the videos will have, and whether videos of their backends that were sealed here say so."""
    measured: defaultdict[str, list[float]] = defaultdict(list)
    for run in site.store.page(Query(states=(State.SEALED,), limit=_LOOKED_AT)).runs:
        if (made := run.artifact) is not None:
            measured[run.spec.backend].append(made.bytes / (made.frames * made.width * made.height))
    rates = {backend: median(rates) for backend, rates in measured.items()}
    size = sum(
        each.expected.frames
        * each.expected.width
        * each.expected.height
        * rates.get(each.new.spec.backend, BYTES_A_PIXEL)
        for each in wanted
    )
    return size, all(each.new.spec.backend in rates for each in wanted)
