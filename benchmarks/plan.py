"""How near the planner comes to what no planner can beat: ``python benchmarks/plan.py [--seeds 20] [--others 5]``.

The planner's own code is driven through a simulated day, asked as a worker asks it: each time a slot is free, with the
runs that wait then, with what came home so far and what it measured, and for that slot's first batch. Results come
home while their batch goes on, as ``dispatch`` brings them. Runs take the published seconds (``cosmos-interfaces``:
Cosmos 3 Nano 214.28 s a pass on an H200) times a log-normal error that the planner does not know; a model loads in
240 s. A batch is one job and one load: nothing stays resident, and nobody has a history when the day begins. A figure
is that of the day's length against the lower bound of that day's true times, its median and its worst over the seeds.

The seeds are 0, 1, 2, ...; the planner's constants were tuned on 1000 to 1019 and on no others.

The lower bound is that of a linear program: runs may be cut to pieces and put on any GPU that holds them, and each GPU
loads once, though there may be four models; one run, or a run and what follows it, is not shorter than itself. Equal
GPUs: ``(sum + m load) / m``. No day reaches it: where nobody knows how fast a slot is, its first batch is half of what
it will do at the most, so it loads twice, and on eight B300 a load is 0.7 % of the day.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import math
import random
import statistics
import time
from collections import Counter, defaultdict, deque
from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Forecast
from cosmos_core.hosts import Host, Slot
from cosmos_core.plan import LOAD, Measured, arrange, fits, learn
from cosmos_core.run import Needs, Queued

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


DEFINITIONS = 167
PASSES = {5: 2, 10: 3, 30: 8}
"""Passes of 93 frames by requested seconds, at 24 frames a second: 120, 240 and 720 frames."""

# Seconds for one run of one pass, by model and kind of GPU, and where they come from.
SECONDS = {
    # NVIDIA/cosmos, inference_benchmarks.md: Cosmos 3 Nano, PyTorch. B300 is 0.9 x B200: the table's rows are empty.
    "generate": {"h100": 207.78, "h200": 214.28, "b300": 114.85 / 0.9},
    # cosmos-transfer2.5, docs/inference.md: edge, one GPU.
    "transfer": {"h100": 502.6, "h200": 374.4, "b300": 415.5},
    # Nobody states the upscaler's; two passes of the generator.
    "upscale": {"h100": 415.56, "h200": 428.56, "b300": 229.7 / 0.9},
    # NVIDIA/cosmos: the critic answers in under a second; reading and decoding the video comes on top.
    "reason": {"h100": 10.9, "h200": 10.7, "b300": 10.5},
}
TABLE = {("model", name, kind): each[kind] / each["h200"] for name, each in SECONDS.items() for kind in each}


@attrs.frozen(kw_only=True)
class Work:
    """One run, and what follows it."""

    run: Queued
    then: tuple[Work, ...] = ()

    def each(self) -> Iterable[Work]:
        yield self
        for one in self.then:
            yield from one.each()


def work(
    name: str,
    model: str,
    passes: int = 1,
    *,
    vram: float = 65,
    then: tuple[Work, ...] = (),
    follows: bool = False,
) -> Work:
    run = Queued(
        follows=follows,
        id=name,
        seq=0,
        backend="model",
        load_key=model,
        needs=Needs(gpus=1, vram_gb=vram),
        seconds=SECONDS[model]["h200"] * passes,
    )
    return Work(run=run, then=then)


def campaign() -> list[Work]:
    """167 definitions x 5, 10 and 30 s."""
    return [
        work(f"d{number:03}-{seconds}s", "generate", passes)
        for number in range(DEFINITIONS)
        for seconds, passes in PASSES.items()
    ]


def mixed() -> list[Work]:
    """The campaign, 271 transfers, Reason after each of them, and the upscaler after every fifth: 1,698 runs."""
    first = [
        *(
            (f"g{number}-{seconds}", "generate", passes)
            for number in range(167)
            for seconds, passes in PASSES.items()
        ),
        *((f"t{number}", "transfer", 1) for number in range(271)),
    ]
    made = []
    for index, (name, model, passes) in enumerate(first):
        then = [work(f"{name}-qa", "reason", vram=24, follows=True)]
        if index % 5 == 4:
            then.append(work(f"{name}-4k", "upscale", follows=True))
        # Clips of 30 s do not fit into 80 GB.
        made.append(work(name, model, passes, vram=100 if passes == PASSES[30] else 65, then=tuple(then)))
    return made


def fleet(**kinds: int) -> tuple[Slot, ...]:
    return tuple(
        slot
        for kind, count in kinds.items()
        for slot in Host(name=kind, slots=count, gpus=count, gpu=kind).each_slot()
    )


@attrs.define(kw_only=True)
class Day:
    """A fleet, what it has to do, and what goes wrong that nobody foresees."""

    title: str
    slots: tuple[Slot, ...]
    work: list[Work]
    sigma: float = 0.10
    slow: dict[str, float] = attrs.field(factory=dict)
    """How many times longer everything takes, by slot."""
    dies: dict[str, float] = attrs.field(factory=dict)
    """When a slot is gone for good: its finished runs come home, the one it was at starts again."""
    noise: dict[str, float] = attrs.field(factory=dict)

    def roll(self, seed: int) -> Day:
        rng = random.Random(seed)
        names = [one.run.id for each in self.work for one in each.each()]
        return attrs.evolve(self, noise={name: math.exp(rng.gauss(0, self.sigma)) for name in names})

    def seconds(self, run: Queued, slot: Slot) -> float:
        """How long it truly takes there."""
        published = run.seconds * TABLE[run.backend, run.load_key, slot.gpu]
        return published * self.noise[run.id] * self.slow.get(slot.name, 1.0)

    def load(self, slot: Slot) -> float:
        return LOAD * self.slow.get(slot.name, 1.0)


@attrs.define
class Told:
    """What came of a day."""

    end: float = 0.0
    loads: int = 0
    done: Counter[str] = attrs.field(factory=Counter)
    restarted: int = 0
    mean: float = 0.0


Take = tuple[list[Queued], bool]
"""What a slot does next, and whether its model must be loaded for it."""


class Policy:
    """Decides what a free slot does next."""

    name = ""

    def __init__(self, day: Day) -> None:
        self.day = day
        self.waiting: dict[str, Queued] = {}

    def add(self, run: Queued) -> None:
        self.waiting[run.id] = run

    def next(self, slot: Slot, busy: dict[str, float]) -> Take | None:
        raise NotImplementedError

    def predict(self, slot: Slot, runs: Sequence[Queued]) -> float:
        """Seconds that *runs* take there, without the load."""
        return sum(run.seconds * TABLE[run.backend, run.load_key, slot.gpu] for run in runs)

    def begun(self, slot: Slot, runs: Sequence[Queued], now: float) -> None:
        """Hear that a batch begins."""

    def returned(self, slot: Slot, run: Queued, now: float) -> None:
        """Hear that a run's result is home, as it is while its batch goes on."""

    def ended(self, slot: Slot) -> None:
        """Hear that a batch has ended."""


class Ours(Policy):
    """The planner, asked as a worker asks it."""

    name = "this planner"
    order = "long"

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        self.history: deque[Measured] = deque()
        self.fresh = {slot.name for slot in day.slots}
        self.since: dict[str, float] = {}
        self.here: dict[str, Measured] = {}
        self.known = Forecast()
        self.keys: set[tuple[str, str]] = set()

    def next(self, slot: Slot, busy: dict[str, float]) -> Take | None:
        keys = self.keys = self.keys | {(run.backend, run.load_key) for run in self.waiting.values()}
        order = self.order if slot.name in self.fresh else "long"
        history = [*self.here.values(), *self.history]
        self.known = learn(history, self.day.slots, keys, TABLE, {}, busy, order)
        forecast = self.forecast(self.known)
        plan = arrange(self.waiting.values(), self.day.slots, forecast)
        mine = next((batch for batch in plan.batches if batch.slot == slot), None)
        if mine is None:
            return None
        self.fresh.discard(slot.name)
        return [self.waiting.pop(name) for name in mine.runs], mine.load_seconds > 0

    def forecast(self, known: Forecast) -> Forecast:
        return known

    def predict(self, slot: Slot, runs: Sequence[Queued]) -> float:
        pace = self.known.pace
        return sum(run.seconds * pace[run.backend, run.load_key, slot.name] for run in runs)

    def begun(self, slot: Slot, runs: Sequence[Queued], now: float) -> None:
        del runs
        self.since[slot.name] = now

    def returned(self, slot: Slot, run: Queued, now: float) -> None:
        before = self.here.get(slot.name)
        self.here[slot.name] = Measured(
            backend=run.backend,
            load_key=run.load_key,
            slot=slot.name,
            gpu=slot.gpu,
            seconds=now - self.since[slot.name],
            predicted=run.seconds + (before.predicted if before else 0.0),
        )

    def ended(self, slot: Slot) -> None:
        if slot.name in self.here:
            self.history.appendleft(self.here.pop(slot.name))


class Short(Ours):
    """The planner for people who wait."""

    name = "this planner, --order short"
    order = "short"


class Resident(Ours):
    """The planner, if a launcher kept each slot's model loaded between two batches: what that would be worth."""

    name = "this planner, if models stayed loaded"

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        self.loaded: dict[str, tuple[str, str]] = {}

    def forecast(self, known: Forecast) -> Forecast:
        return attrs.evolve(known, load={(*key, slot): 0.0 for slot, key in self.loaded.items()})

    def begun(self, slot: Slot, runs: Sequence[Queued], now: float) -> None:
        key = (runs[0].backend, runs[0].load_key)
        # The history takes a load for granted: what was not loaded is counted as if it had been.
        super().begun(slot, runs, now - (LOAD if self.loaded.get(slot.name) == key else 0.0))
        self.loaded[slot.name] = key


class Fifo(Policy):
    """First come, first served, a load for each run."""

    name = "FIFO, a load for each run"
    size = 1

    def next(self, slot: Slot, busy: dict[str, float]) -> Take | None:
        del busy
        able = [run for run in self.waiting.values() if fits(run, slot)]
        alike = [run for run in able if run.load_key == able[0].load_key]
        taken = [self.waiting.pop(run.id) for run in alike[: self.size]]
        return (taken, True) if taken else None


class Fours(Fifo):
    """What the peer pipeline does: batches of four by control set, a load for each batch."""

    name = "batches of 4 by key, a load for each batch"
    size = 4


class Static(Policy):
    """Everybody is given a share up front, in the order of names, and loads once for each model."""

    name = "static split, round robin, one load a model"

    def __init__(self, day: Day) -> None:
        super().__init__(day)
        self.shares: defaultdict[str, deque[Queued]] = defaultdict(deque)
        self.loaded: dict[str, str] = {}
        self.turn: Counter[str] = Counter()

    def add(self, run: Queued) -> None:
        able = [slot for slot in self.day.slots if fits(run, slot)]
        self.shares[able[self.turn[run.load_key] % len(able)].name].append(run)
        self.turn[run.load_key] += 1

    def next(self, slot: Slot, busy: dict[str, float]) -> Take | None:
        del busy
        if not self.shares[slot.name]:
            return None
        run = self.shares[slot.name].popleft()
        loads = self.loaded.get(slot.name) != run.load_key
        self.loaded[slot.name] = run.load_key
        return [run], loads


def live(day: Day, policy: Policy) -> Told:
    """The day as *policy* makes it, event by event."""
    told = Told()
    follows = {one.run.id: one.then for each in day.work for one in each.each()}
    for each in day.work:
        policy.add(each.run)
    idle = {slot.name: slot for slot in day.slots}
    events: list[tuple[float, int, Slot, Queued | None, list[Queued]]] = []
    until: dict[str, float] = {}
    held: dict[str, list[Queued]] = {}
    count = itertools.count()
    now, finished = 0.0, 0.0
    while True:
        for slot in list(idle.values()):
            if day.dies.get(slot.name, math.inf) <= now:
                del idle[slot.name]
                continue
            busy = {name: max(0.0, when - now) for name, when in until.items()}
            if (taken := policy.next(slot, busy)) is None:
                continue
            runs, loads = taken
            told.loads += loads
            policy.begun(slot, runs, now)
            for at, run, lost in carry(day, slot, runs, now, loads=loads):
                heapq.heappush(events, (at, next(count), slot, run, lost))
            del idle[slot.name]
            held[slot.name] = runs
            # What a worker would predict: it does not know that day's errors.
            until[slot.name] = now + LOAD + policy.predict(slot, runs)
        if not events:
            break
        now, _, slot, run, lost = heapq.heappop(events)
        if run is not None:
            policy.returned(slot, run, now)
            held[slot.name] = [each for each in held[slot.name] if each is not run]
            until[slot.name] = now + policy.predict(slot, held[slot.name])
            told.done[run.id] += 1
            finished += now
            told.end = now
            for child in follows[run.id]:
                policy.add(child.run)
            continue
        until.pop(slot.name, None)
        idle[slot.name] = slot
        policy.ended(slot)
        for each in lost:
            policy.add(each)
        told.restarted += bool(lost)
    told.mean = finished / max(1, sum(told.done.values()))
    return told


def carry(
    day: Day, slot: Slot, runs: list[Queued], now: float, *, loads: bool
) -> Iterator[tuple[float, Queued | None, list[Queued]]]:
    """When each run of a batch is done, then when the batch ends, with the runs that were lost with their GPU."""
    gone = day.dies.get(slot.name, math.inf)
    at = now + (day.load(slot) if loads else 0.0)
    for index, run in enumerate(runs):
        after = at + day.seconds(run, slot)
        if after > gone:
            yield gone, None, runs[index:]
            return
        at = after
        yield at, run, []
    yield at, None, []


def bound(day: Day) -> float:
    """What no planner can beat with that day's true times."""
    runs = [one.run for each in day.work for one in each.each()]
    return max(_rate_bound(day, runs), _length_bound(day))


def _length_bound(day: Day) -> float:
    def least(one: Work) -> float:
        fastest = min(
            day.load(slot) + day.seconds(one.run, slot) for slot in day.slots if fits(one.run, slot)
        )
        return fastest + max((least(child) for child in one.then), default=0.0)

    return max(map(least, day.work))


def _rate_bound(day: Day, runs: Sequence[Queued]) -> float:
    """The linear program's value, by its dual: any prices of the GPUs' hours give a bound, the best ones the value."""
    groups = defaultdict(list)
    for slot in day.slots:
        groups[slot.gpu, day.slow.get(slot.name, 1.0), day.dies.get(slot.name, math.inf)].append(slot)
    kinds = list(groups)
    classes: dict[tuple[float, ...], float] = defaultdict(float)
    for run in runs:
        times = tuple(
            day.seconds(run, groups[kind][0]) / day.noise[run.id] if fits(run, groups[kind][0]) else math.inf
            for kind in kinds
        )
        classes[times] += day.noise[run.id]

    def value(prices: Sequence[float]) -> float:
        # A GPU that dies can work until then at most, so its hours are a constant and its price is free.
        hours = sum(
            len(groups[kind]) * price
            for kind, price in zip(kinds, prices, strict=True)
            if kind[2] == math.inf
        )
        cost = sum(
            weight
            * min(seconds * price for seconds, price in zip(times, prices, strict=True) if seconds < math.inf)
            for times, weight in classes.items()
        )
        for kind, price in zip(kinds, prices, strict=True):
            cost += len(groups[kind]) * price * day.load(groups[kind][0])
            if kind[2] < math.inf:
                cost -= len(groups[kind]) * price * kind[2]
        return cost / hours

    return _highest(value, len(kinds))


def _highest(value: Callable[[Sequence[float]], float], count: int) -> float:
    """The highest value over positive prices, the first of which is 1. It is concave: steps that halve find it."""
    prices, step = [1.0] * count, 0.5
    best = value(prices)
    while step > 1e-4:
        tries = []
        for index in range(1, count):
            for factor in (1 + step, 1 / (1 + step)):
                changed = [*prices]
                changed[index] *= factor
                tries.append((value(changed), changed))
        found = max(tries, default=(best, prices))
        if found[0] > best:
            best, prices = found
        else:
            step /= 2
    return best


OURS = (Ours, Short)
OTHERS = (Resident, Static, Fifo, Fours)


def days() -> list[Day]:
    return [
        Day(title="8 x H200", slots=fleet(h200=8), work=campaign()),
        Day(title="8 x B300", slots=fleet(b300=8), work=campaign()),
        Day(title="8 x H200, one at half speed", slots=fleet(h200=8), work=campaign(), slow={"h200/3": 2.0}),
        Day(
            title="8 x H200, one dies after 6 h",
            slots=fleet(h200=8),
            work=campaign(),
            dies={"h200/3": 6 * 3600.0},
        ),
        Day(
            title="8 H100 80 GB, 8 H200, 8 B300, four models",
            slots=fleet(h100=8, h200=8, b300=8),
            work=mixed(),
            sigma=0.15,
        ),
    ]


def show(day: Day, seeds: int, others: int) -> None:
    from rich.console import Console
    from rich.table import Table

    rolled = [day.roll(seed) for seed in range(max(seeds, others))]
    bounds = [bound(each) for each in rolled]
    runs = sum(1 for each in day.work for _ in each.each())
    table = Table(title=f"{day.title}: {runs:,} runs, lower bound {statistics.median(bounds) / 3600:.2f} h")
    for heading in (
        "",
        "seeds",
        "hours",
        "of the bound",
        "worst",
        "loads",
        "mean finish, h",
        "done",
        "twice",
    ):
        table.add_column(heading, justify="left" if not heading else "right")
    for policy, count in (*((each, seeds) for each in OURS), *((each, others) for each in OTHERS)):
        table.add_row(*row(policy, rolled[:count], bounds[:count], runs))
    Console(width=130).print(table)


def row(policy: type[Policy], rolled: Sequence[Day], bounds: Sequence[float], runs: int) -> Iterator[str]:
    """What *policy* makes of some days. A ratio is in brackets where runs were left undone."""
    told = [live(each, policy(each)) for each in rolled]
    ratios = [one.end / least for one, least in zip(told, bounds, strict=True)]
    done = min(len(one.done) for one in told)
    yield policy.name
    yield str(len(told))
    yield f"{statistics.median(one.end for one in told) / 3600:.2f}"
    for ratio in (statistics.median(ratios), max(ratios)):
        yield f"{ratio:.3f}" if done == runs else f"({ratio:.3f})"
    yield f"{statistics.median(one.loads for one in told):.0f}"
    yield f"{statistics.median(one.mean for one in told) / 3600:.1f}"
    yield f"{done:,}" if done == runs else f"[red]{done:,}[/red]"
    yield str(max(sum(count > 1 for count in one.done.values()) for one in told))


def scale(count: int = 100_000) -> None:
    """How long the planner thinks about a long queue."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{count:,} runs planned at once, 24 slots of three kinds")
    for heading in ("load keys", "batches", "seconds"):
        table.add_column(heading, justify="right")
    slots = fleet(h100=8, h200=8, b300=8)
    for keys in (1, 40, 4000):
        rng = random.Random(keys)
        runs = [
            Queued(
                id=f"r{index}",
                seq=index,
                backend="model",
                load_key=f"k{rng.randrange(keys)}",
                needs=Needs(gpus=1, vram_gb=rng.choice((40, 65, 100))),
                seconds=214.28 * rng.choice((2, 3, 8)),
            )
            for index in range(count)
        ]
        began = time.perf_counter()
        plan = arrange(runs, slots, Forecast())
        took = time.perf_counter() - began
        assert sum(len(batch.runs) for batch in plan.batches) == count
        table.add_row(f"{keys:,}", f"{len(plan.batches):,}", f"{took:.2f}")
    Console().print(table)


def main() -> None:
    """Simulate and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=20, help="days for the planner")
    parser.add_argument("--others", type=int, default=5, help="days for what it is compared with")
    asked = parser.parse_args()
    for day in days():
        show(day, asked.seeds, asked.others)
    scale()


if __name__ == "__main__":
    main()
