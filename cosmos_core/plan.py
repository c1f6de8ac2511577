"""Runs into batches onto slots. Pure: no I/O, no clock, no randomness.

The rules, measured by ``benchmarks/plan.py`` against the lower bound:

- Workers pull; nobody is given a share up front. A worker asks each time a slot is free and takes that slot's first batch.
- A batch is one job and costs one model load, so runs that need the same one go together. A slot stays on a load key
  while it has work; then it takes the one with the most work left, and last those whose work is worth no load.
- First what the fewest slots can run, then the longest.
- A batch is a large part of what is left for the slot, and a small one while nobody knows how fast the slot is. So they
  shrink towards the end, and few loads and few stragglers remain.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections import Counter, defaultdict
from operator import attrgetter
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import attrs

from cosmos_core.extend import Forecast, Plan, PlannedBatch
from cosmos_core.gpus import known
from cosmos_core.run import Queued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from cosmos_core.hosts import Slot
    from cosmos_core.run import Needs

Key = tuple[str, str]
"""Backend and load key."""
Shape = tuple[int, str, str]
"""How many GPUs a slot has, of which kind, and in which environment: slots of one shape can run the same."""

_seconds = attrgetter("seconds")

LARGEST_BATCH = 100

LOAD = 240.0
"""Seconds to load a model on a GPU where nobody says otherwise: what an operator measured for Predict 2.5 14B."""
LOAD_ON_CPU = 1.0

# Tuned with benchmarks/plan.py on the seeds 1000 to 1019, which it does not report. A larger part means fewer loads, and more to wait for when a slot is slower than it was.
PART = 0.94
PART_UNMEASURED = 0.5
WORTH = 2.0
"""What a slot would leave is taken too when it is worth fewer loads than this: one more batch would cost one."""

ENOUGH = 150.0
"""A batch is worth no more loads than this: it would save less than a hundredth, and outputs come home when it ends."""

PRESSING = 0.9
"""What only some slots can take goes first there once it would keep them busy for this part of the time that is left."""

NOTHING_KNOWN = Forecast()


def fits(run: Queued, slot: Slot) -> bool:
    """Whether *slot* has the GPUs that *run* needs, of a kind that can run it and with the memory, where that is known."""
    return has(slot, run.needs)


def has(slot: Slot, needs: Needs) -> bool:
    """Whether *slot* has what is needed, as far as is known."""
    return _has(needs, _shape(slot))


def arrange(
    runs: Iterable[Queued],
    slots: Sequence[Slot],
    forecast: Forecast = NOTHING_KNOWN,
    *,
    largest: int = LARGEST_BATCH,
) -> Plan:
    """Every waiting run into batches, in the order they start, each on the slot that is free first."""
    fleet = Counter(map(_shape, slots))
    able: dict[Needs, frozenset[Shape]] = {}
    waiting = sorted(runs, key=lambda run: (run.seconds, -run.seq))
    for needs in {run.needs for run in waiting}:
        able[needs] = frozenset(shape for shape in fleet if _has(needs, shape))
    paces = _Paces(slots, forecast)
    pool = _Pool(slots, paces)
    pool.fill((run, able[run.needs]) for run in waiting if able[run.needs])
    unplaced = tuple((run.id, _why_not(run.needs, fleet)) for run in waiting if not able[run.needs])
    return Plan(batches=tuple(_deal(pool, paces, slots, forecast, largest)), unplaced=unplaced)


def why_not(needs: Needs, slots: Iterable[Slot]) -> str:
    """Why none of *slots* has what is needed."""
    return _why_not(needs, Counter(map(_shape, slots)))


def _shape(slot: Slot) -> Shape:
    return len(slot.gpus), slot.gpu, slot.build


def _has(needs: Needs, shape: Shape) -> bool:
    count, kind, build = shape
    return count >= needs.gpus and not _against(needs, kind, build)


def _against(needs: Needs, kind: str, build: str) -> str:
    """Why GPUs of that kind cannot run it there; empty when nothing is known against them."""
    if why := needs.against(kind, build):
        return why
    gpu = known(kind)
    if gpu is None or gpu.vram_gb >= needs.vram_gb:
        return ""
    return f"it needs {needs.vram_gb:g} GB of GPU memory and {kind} has {gpu.vram_gb:g}"


def _why_not(needs: Needs, fleet: Mapping[Shape, int]) -> str:
    if not fleet:
        return "there is no slot"
    if reasons := {_against(needs, kind, build) for count, kind, build in fleet if count >= needs.gpus}:
        return "; ".join(sorted(reasons))
    return f"it needs {needs.gpus} GPU(s) and the largest slot has {max(count for count, *_ in fleet)}"


class _Paces:
    """How long things take on which slot."""

    def __init__(self, slots: Sequence[Slot], forecast: Forecast) -> None:
        self._slots = slots
        self._forecast = forecast
        self._everywhere = frozenset(map(_shape, slots))
        self._mean: dict[tuple[Key, frozenset[Shape]], float] = {}

    def pace(self, key: Key, slot: Slot) -> float:
        return self._forecast.pace.get((*key, slot.name), 1.0)

    def load(self, key: Key, slot: Slot) -> float:
        return self._forecast.load.get((*key, slot.name), LOAD if slot.gpus else LOAD_ON_CPU)

    def is_measured(self, key: Key, slot: Slot) -> bool:
        return (*key, slot.name) in self._forecast.measured

    def mean(self, key: Key, able: frozenset[Shape]) -> float:
        """The pace of all slots that can take it, as if they were one."""
        if (key, able) not in self._mean:
            speeds = [1 / self.pace(key, slot) for slot in self._slots if _shape(slot) in able]
            self._mean[key, able] = len(speeds) / sum(speeds)
        return self._mean[key, able]

    def slowness(self, key: Key, shape: Shape) -> int:
        """How much slower a kind of slot is at it than all slots are, in steps of a tenth: what it should leave to them."""
        here = self.mean(key, frozenset({shape}))
        return round(10 * math.log(here / self.mean(key, self._everywhere)))


class _Place(NamedTuple):
    """Which runs of a load key are alike to the planner but for their length."""

    priority: int
    follows: bool
    able: frozenset[Shape]
    gpus: int


@attrs.define
class _Group:
    """The runs of one load key that are left, in queues of those that are alike, the longest last."""

    queues: dict[_Place, list[Queued]] = attrs.field(factory=dict)
    work: float = 0.0
    version: int = 0


class _Rank(NamedTuple):
    """How soon a key's turn comes on slots of one shape; the least first."""

    urgency: int
    follows: bool
    able: int
    gpus: int
    is_little: bool
    slowness: int
    work: float
    key: Key

    def matters_as(self, other: _Rank) -> bool:
        return self[:4] == other[:4]


class _Pool:
    """What is left to deal out. Choosing costs little, however many runs and load keys there are."""

    def __init__(self, slots: Sequence[Slot], paces: _Paces) -> None:
        self.work: defaultdict[frozenset[Shape], float] = defaultdict(float)
        """Seconds of work left, by the shapes of slots that can take it."""
        self._fleet = Counter(map(_shape, slots))
        self._everywhere = frozenset(self._fleet)
        self._paces = paces
        self._groups: defaultdict[Key, _Group] = defaultdict(_Group)
        self._ranked: dict[Shape, list[tuple[_Rank, int]]] = {}
        self._pressing: frozenset[frozenset[Shape]] = frozenset()
        self._thrift = 1.0
        """How much less of the slots' time the work takes if each kind of slot does what it is good at."""

    def fill(self, runs: Iterable[tuple[Queued, frozenset[Shape]]]) -> None:
        """Put in *runs*, the shortest first, each with the shapes of slots that can take it."""
        for run, able in runs:
            place = _Place(run.priority, run.follows, able, run.needs.gpus)
            self._groups[run.backend, run.load_key].queues.setdefault(place, []).append(run)
        for key, group in self._groups.items():
            for place, queue in group.queues.items():
                self._count(key, place, sum(run.seconds for run in queue))
        if len(self._fleet) > 1 and (usual := sum(self.work.values())):
            self._thrift = self._best() / usual
            for shapes in self.work:
                self.work[shapes] *= self._thrift

    def _best(self) -> float:
        """Seconds of slots that all work takes at the least, if each kind of slot does what it is good at.

        The value of a linear program by its dual: the highest over prices of the kinds' time.
        """
        kinds = sorted(self._fleet)
        work: defaultdict[tuple[float, ...], float] = defaultdict(float)
        for key, group in self._groups.items():
            for place, queue in group.queues.items():
                paces = (
                    self._paces.mean(key, frozenset({kind})) if kind in place.able else math.inf
                    for kind in kinds
                )
                work[tuple(paces)] += sum(run.seconds for run in queue)

        def value(prices: Sequence[float]) -> float:
            cheapest = (
                seconds * min(pace * price for pace, price in zip(paces, prices, strict=True))
                for paces, seconds in work.items()
            )
            time = sum(self._fleet[kind] * price for kind, price in zip(kinds, prices, strict=True))
            return sum(cheapest) * self._fleet.total() / time

        return _highest(value, len(kinds))

    @property
    def has_several(self) -> bool:
        """Whether there is work of more than one load key."""
        return len(self._groups) > 1

    def press(self, pressing: frozenset[frozenset[Shape]]) -> None:
        """Put work first that only these shapes can take."""
        if pressing != self._pressing:
            self._pressing = pressing
            self._ranked.clear()

    def choose(self, slot: Slot, last: Key | None) -> Key | None:
        """The key that *slot* takes next: the urgent, the scarce, the one it had, the one it is good at."""
        shape = _shape(slot)
        if shape not in self._ranked:
            ranks = [(self.rank(key, shape), group.version) for key, group in self._groups.items()]
            self._ranked[shape] = [(rank, version) for rank, version in ranks if rank is not None]
            heapq.heapify(self._ranked[shape])
        ranked = self._ranked[shape]
        while ranked and not self._is_current(*ranked[0]):
            heapq.heappop(ranked)
        if not ranked:
            return None
        best = ranked[0][0]
        had = self.rank(last, shape) if last is not None and last in self._groups else None
        return had.key if had is not None and had.matters_as(best) else best.key

    def take(self, key: Key, slot: Slot, seconds: float, most: int, *, shortest: bool) -> list[Queued]:
        """Runs of *key* worth *seconds* on *slot*, at least one, and all as urgent as the first."""
        group, pace = self._groups[key], self._paces.pace(key, slot)
        places = sorted((at for at in group.queues if _shape(slot) in at.able), key=self._turn)
        taken: list[Queued] = []
        room = seconds
        for at in (place for place in places if place.priority == places[0].priority):
            queue = group.queues[at]
            before = room
            while queue and len(taken) < most:
                # The longest that fits; half of a run may stand out, so that as much is left out as taken too much.
                fitting = bisect_right(queue, 2 * room / pace, key=_seconds) if taken else len(queue)
                if not fitting:
                    break
                taken.append(queue.pop(0 if shortest else fitting - 1))
                room -= pace * taken[-1].seconds
            self._count(key, at, (room - before) / pace)
            if not queue:
                del group.queues[at]
        self._settle(key, group)
        return taken

    def rank(self, key: Key, shape: Shape) -> _Rank | None:
        """When *key*'s turn is on slots of *shape*; None when it has nothing for them."""
        group = self._groups[key]
        turns = [self._turn(at) for at in group.queues if shape in at.able]
        if not turns:
            return None
        urgency, follows, able, gpus = min(turns)
        return _Rank(
            urgency=urgency,
            follows=follows,
            able=able,
            gpus=gpus,
            is_little=group.work < LOAD and shape[0] > 0,
            slowness=self._paces.slowness(key, shape),
            work=-group.work,
            key=key,
        )

    def _turn(self, at: _Place) -> tuple[int, bool, int, int]:
        """The urgent first; what follows from others last; what is scarce and pressing; what needs many GPUs."""
        shapes = at.able if at.able in self._pressing else self._everywhere
        return -at.priority, at.follows, sum(self._fleet[shape] for shape in shapes), -at.gpus

    def _count(self, key: Key, at: _Place, seconds: float) -> None:
        self._groups[key].work += seconds
        self.work[at.able] += seconds * self._paces.mean(key, at.able) * self._thrift

    def _is_current(self, rank: _Rank, version: int) -> bool:
        return rank.key in self._groups and self._groups[rank.key].version == version

    def _settle(self, key: Key, group: _Group) -> None:
        group.version += 1
        if not group.queues:
            del self._groups[key]
            return
        for shape, ranked in self._ranked.items():
            if (rank := self.rank(key, shape)) is not None:
                heapq.heappush(ranked, (rank, group.version))


def _highest(value: Callable[[Sequence[float]], float], count: int) -> float:
    """About the highest value over positive prices, the first of which is 1: steps that halve find it."""
    prices, step = [1.0] * count, 0.5
    best = value(prices)
    while step > 0.02:
        tries = [
            [*prices[:index], prices[index] * factor, *prices[index + 1 :]]
            for index in range(1, count)
            for factor in (1 + step, 1 / (1 + step))
        ]
        found = max(((value(each), each) for each in tries), default=(best, prices))
        if found[0] > best:
            best, prices = found
        else:
            step /= 2
    return best


def _deal(
    pool: _Pool, paces: _Paces, slots: Sequence[Slot], forecast: Forecast, largest: int
) -> Iterator[PlannedBatch]:
    free = [(forecast.busy.get(slot.name, 0.0), index) for index, slot in enumerate(slots)]
    heapq.heapify(free)
    last: dict[int, Key] = {}
    while free:
        at, index = free[0]
        slot = slots[index]
        ends = _ends(pool, slots, free)
        pool.press(_pressing(ends, at))
        key = pool.choose(slot, last.get(index))
        if key is None:
            heapq.heappop(free)
            continue
        is_first = index not in last
        load = paces.load(key, slot)
        share = max(end for shapes, end in ends.items() if _shape(slot) in shapes) - at
        room = _room(
            share,
            load,
            is_measured=not is_first or paces.is_measured(key, slot),
            # While there is something else to do, a load is not spent on less work than it costs.
            least=load if pool.has_several else 0.0,
        )
        alone = forecast.order == "short" and is_first and slot.name not in forecast.busy
        rank = pool.rank(key, _shape(slot))
        taken = pool.take(key, slot, room, 1 if alone else largest, shortest=alone)
        seconds = load + paces.pace(key, slot) * sum(run.seconds for run in taken)
        reason = _reason(taken, rank, slots, load, stays=last.get(index) == key)
        last[index] = key
        heapq.heapreplace(free, (at + seconds, index))
        yield PlannedBatch(
            slot=slot,
            backend=key[0],
            load_key=key[1],
            runs=tuple(run.id for run in taken),
            seconds=seconds,
            reason=reason,
            load_seconds=load,
        )


def _ends(
    pool: _Pool, slots: Sequence[Slot], free: Sequence[tuple[float, int]]
) -> dict[frozenset[Shape], float]:
    """When all is done that only these shapes can take, if each of their slots helps, to the last second."""
    times: defaultdict[Shape, list[float]] = defaultdict(list)
    for at, index in free:
        times[_shape(slots[index])].append(at)
    ends = {}
    for able in {*pool.work, frozenset(times)}:
        work = sum(left for shapes, left in pool.work.items() if shapes <= able)
        if when := [at for shape in able for at in times.get(shape, ())]:
            ends[able] = _end(work, when)
    return ends


def _pressing(ends: Mapping[frozenset[Shape], float], at: float) -> frozenset[frozenset[Shape]]:
    """Work that would end last, were it not put first: the few slots that can take it have little time to spare."""
    latest = max(ends.values(), default=at) - at
    return frozenset(shapes for shapes, end in ends.items() if end - at > PRESSING * latest)


def _end(work: float, free: Sequence[float]) -> float:
    """When *work* is done by slots that are free at these times."""
    left = sorted(free)
    while len(left) > 1 and work + sum(left) < left[-1] * len(left):
        left.pop()
    return (max(0.0, work) + sum(left)) / len(left)


def _room(share: float, load: float, *, is_measured: bool, least: float) -> float:
    """Seconds of work that a slot takes of its *share* of what is left."""
    part = share * (PART if is_measured else PART_UNMEASURED)
    return min(max(least, share if share - part < WORTH * load else part), ENOUGH * load)


def _reason(
    taken: Sequence[Queued], rank: _Rank | None, slots: Sequence[Slot], load: float, *, stays: bool
) -> str:
    many = "1 run" if len(taken) == 1 else f"{len(taken)} runs"
    if taken[0].priority > 0:
        why = "urgent"
    elif rank is not None and rank.able < len(slots):
        against = next(
            (said for slot in slots if (said := _against(taken[0].needs, slot.gpu, slot.build))), ""
        )
        why = f"fits only {rank.able} of {len(slots)} slots{f' ({against})' if against else ''}"
    else:
        why = "stays with its model" if stays else "the most work left"
    return f"{'one load' if load else 'no load'} for {many}; {why}"


@attrs.frozen(kw_only=True)
class Measured:
    """How long the runs of one finished batch took."""

    backend: str
    load_key: str
    slot: str
    gpu: str
    seconds: float
    """From the start of its job to its last output."""
    predicted: float
    """The sum of :attr:`Queued.seconds` of the runs that returned."""


REMEMBERED = 3
"""Batches whose median is a slot's pace: few, so that a slot that has become slow is soon known to be."""

ODD = 0.2
"""A slot's own pace counts when it differs this much from its kind's; less is the runs' own scatter, not the slot's."""


def learn(
    history: Iterable[Measured],
    slots: Sequence[Slot],
    keys: Iterable[Key],
    table: Mapping[tuple[str, str, str], float],
    load: Mapping[tuple[str, str, str], float],
    busy: Mapping[str, float],
    order: str = "long",
) -> Forecast:
    """What is known of each of *slots*: measured there, else on others of its kind, else from a backend's *table*.

    *history* has the newest batch first; *table* and *load* are by backend, load key and kind of GPU.
    """
    own: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    kind: defaultdict[tuple[str, str, str], list[float]] = defaultdict(list)
    latest: defaultdict[str, list[tuple[tuple[str, str, str], float]]] = defaultdict(list)
    for each in history:
        loads = load.get((each.backend, each.load_key, each.gpu), LOAD if each.gpu else LOAD_ON_CPU)
        # A load that took longer than the table says must not make the runs free.
        measured = max(each.seconds - loads, each.seconds / 10) / max(each.predicted, 1e-9)
        own[each.backend, each.load_key, each.slot].append(measured)
        kind[each.backend, each.load_key, each.gpu].append(measured)
        latest[each.slot].append(((each.backend, each.load_key, each.gpu), measured))
    usual = {alike: median(found) for alike, found in kind.items()}
    # How much slower than its kind a slot was of late, whatever it did: what is new to it will be as slow.
    odd = {
        slot: median(measured / usual[alike] for alike, measured in found[:REMEMBERED])
        for slot, found in latest.items()
    }
    pace: dict[tuple[str, str, str], float] = {}
    loading: dict[tuple[str, str, str], float] = {}
    for key in set(keys):
        for slot in slots:
            there, alike = (*key, slot.name), (*key, slot.gpu)
            expected = usual.get(alike, table.get(alike, 1.0))
            here = median(own[there][:REMEMBERED]) / expected if there in own else odd.get(slot.name, 1.0)
            pace[there] = expected * (here if abs(here - 1) > ODD else 1.0)
            if alike in load:
                loading[there] = load[alike]
    known = frozenset((*key, slot.name) for key in set(keys) for slot in slots if slot.name in latest)
    return Forecast(busy=busy, pace=pace, load=loading, measured=known, order=order)
