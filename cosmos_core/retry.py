"""Whether and when something is tried again. Pure: no I/O, no clock, no randomness.

- An attempt that ended badly is somebody's: the run's own, the host's, the GPU's memory's, or that of another run of
  its batch (:class:`cosmos_core.run.Blame`). A run has so many attempts of its own, and as many that are hosts'; what
  was never begun counts for nothing.
- What a check rejected is tried again as its finding says could help: the same recipe once, or two other seeds. All
  attempts are kept; the first that passes is published.
- A campaign whose outputs keep failing one check is paused, and a person looks.
- A slot whose batches fail one after the other rests, longer and longer, and then is tried with a single run.
- A host whose disk has no room for a job rests with all its slots, and then is tried with a single run. That costs the
  job's runs nothing.
"""

from __future__ import annotations

import itertools
import math
import random
import re
from collections import defaultdict
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import Level, Remedy
from cosmos_core.run import Blame, State
from cosmos_core.store.records import Again

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cosmos_core.errors import Finding
    from cosmos_core.run import Attempt, Run
    from cosmos_core.settings import RetrySettings
    from cosmos_core.store import Full, Ruled, Trouble, Worked

LONGEST_REST = 3600.0
LONGEST_WAIT = 600.0
"""Seconds: how long a host rests at most that only waits for room on its disk."""
_LARGEST_SEED = 2**31 - 1000
"""A little below the largest, since models count on from it for each pass."""

_MEMORY = re.compile(r"CUDA out of memory|\bOutOfMemoryError\b|CUBLAS_STATUS_ALLOC_FAILED")
# What CUDA calls these errors (cudaGetErrorString), and the driver: none is of the program's making.
_HOST = re.compile(
    r"no CUDA-capable device is detected"
    r"|CUDA-capable device\(s\) is/are busy or unavailable"
    r"|uncorrectable (ECC|NVLink) error"
    r"|CUDA driver version is insufficient"
    r"|Driver/library version mismatch"
    r"|GPU is lost|fallen off the bus"
    r"|Unable to determine the device handle for GPU"
    r"|[Nn]o space left on device"
)


def blame(said: str) -> Blame:
    """Whose the end of a program is that *said* this as it died."""
    if _MEMORY.search(said):
        return Blame.MEMORY
    return Blame.HOST if _HOST.search(said) else Blame.RUN


def is_spent(tries: Iterable[Attempt], now: Blame, limit: int) -> bool:
    """Whether a run had its *limit* of attempts that ended as the last of *tries* does, which is *now* to blame for.

    Attempts after which a check or a person spoke are not counted.
    """
    *before, _ = tries
    return 1 + sum(each.blame is now and each.state is State.QUEUED for each in before) >= limit


def rest(troubles: int, first: float) -> float:
    """Seconds that a slot rests after so many batches in a row that failed there: none after one, then *first*, doubling."""
    return 0.0 if troubles < 2 else min(first * 2.0 ** (troubles - 2), LONGEST_REST)


@attrs.frozen(kw_only=True)
class Rest:
    """A slot that is left alone for a while, because its batches failed for a reason that is its host's."""

    slot: str
    """Its name, with the machine's where that is another one."""
    is_full: bool = False
    """All slots of its host rest, because the host's disk had no room for a job."""
    seconds: float
    """From now on; 0 when it may be tried."""
    failed: int
    """How many batches failed there in a row; on any slot of its host, when that is full."""
    reason: str
    """Of the last one."""

    def __str__(self) -> str:
        short = self.seconds < 120
        span = f"{math.ceil(self.seconds)} s" if short else f"{math.ceil(self.seconds / 60)} min"
        if self.is_full:
            host = self.slot.rpartition("/")[0]
            return f"host {host} rests for {span} and is tried again then, because its disk is full: {self.reason}"
        return f"slot {self.slot} rests for {span}, because {self.failed} batches in a row failed there: {self.reason}"


def rest_of(trouble: Trouble, first: float, *, node: str = "") -> Rest:
    """How long the slot in *trouble* rests; *node* is this machine's name, which is not said."""
    return Rest(
        slot=f"{trouble.host.removesuffix(f'@{node}')}/{trouble.slot}",
        seconds=max(0.0, rest(trouble.count, first) - trouble.ago),
        failed=trouble.count,
        reason=trouble.reason,
    )


def rest_of_full(full: Full, slot: int, first: float, *, node: str = "") -> Rest:
    """How long a slot of a *full* host rests: *first*, then as long as the host is known to be full, so twice each time.

    It does not matter how many of its slots find that out at once. *node* is as in :func:`rest_of`.
    """
    whole = min(max(first, full.span), LONGEST_WAIT)
    return Rest(
        slot=f"{full.host.removesuffix(f'@{node}')}/{slot}",
        is_full=True,
        seconds=max(0.0, whole - full.ago),
        failed=full.count,
        reason=full.reason,
    )


def next_try(
    run: Run,
    findings: Iterable[Finding],
    tries: Iterable[Attempt],
    rules: RetrySettings,
) -> Again | None:
    """Another attempt at *run*, whose output was rejected for *findings*; None where none could help, or enough were made.

    Args:
        run: as it was when its output was home.
        findings: what the checks said of it.
        tries: every attempt so far, the last one of which is this.
        rules: how many there may be.
    """
    failed = [each for each in findings if each.level is Level.FAIL]
    if not failed or (not run.campaign and not rules.always):
        return None
    remedies = {each.remedy for each in failed}
    seeds = [each.seed for each in tries if each.state in {State.REJECTED, State.RETURNED}]
    why = f"{failed[0].check or 'a check'} rejected attempt {run.attempt}"
    if remedies == {Remedy.SAME} and seeds.count(seeds[-1]) <= rules.same:
        return Again(seed=run.seed, reason=f"tried again with the same seed: {why}")
    others = len(set(seeds)) - 1
    if remedies <= {Remedy.SAME, Remedy.SEED} and Remedy.SEED in remedies and others < rules.seeds:
        seed = other_seed(run.spec.seed, others + 1)
        return Again(seed=seed, reason=f"tried again with seed {seed}: {why}")
    return None


@attrs.frozen(kw_only=True)
class Spent:
    """What further attempts at a campaign's rejected runs cost, in GPU-seconds. A slot without a GPU counts as one."""

    attempts: int = 0
    """Those that wait to be made among them."""
    measured: float = 0.0
    """From the start of their jobs until their outputs were home. Of a job with several runs, each has a part."""
    predicted: float = 0.0
    """Of those of which nothing is measured: they wait, they run, or their host was lost."""

    @property
    def total(self) -> float:
        """All of it."""
        return self.measured + self.predicted

    def __str__(self) -> str:
        whole = (
            f"{self.total / 60:.1f} GPU-minutes"
            if self.total >= 3 or not self.total
            else "under 0.1 GPU-minutes"
        )
        if not self.predicted:
            return f"{whole}, measured"
        if not self.measured:
            return f"{whole}, predicted"
        return f"{whole}, {self.measured / 60:.1f} measured and {self.predicted / 60:.1f} predicted"


def spent(worked: Iterable[Worked]) -> Spent:
    """What the further attempts among *worked* cost; the others are those that shared a job with one."""
    batches: defaultdict[str, list[Worked]] = defaultdict(list)
    for each in worked:
        batches[each.batch].append(each)
    measured = predicted = 0.0
    attempts = 0
    for group in batches.values():
        timed = [each for each in group if _is_measured(each)]
        busy = _covered((each.begun or 0.0, each.over or 0.0) for each in timed)
        whole = sum(each.predicted for each in timed)
        for each in (each for each in group if each.is_further):
            attempts += 1
            if _is_measured(each):
                part = each.predicted / whole if whole else 1 / len(timed)
                measured += busy * part * max(1, each.gpus)
            elif each.blame not in {Blame.BATCH, Blame.DISK}:
                predicted += each.predicted * max(1, each.gpus)
    return Spent(attempts=attempts, measured=measured, predicted=predicted)


def _is_measured(each: Worked) -> bool:
    """Whether its times say how long it worked: when a host is found to be lost says nothing about that."""
    return each.begun is not None and each.over is not None and each.blame in {Blame.RUN, Blame.MEMORY}


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds that at least one of *spans* covers: a model that waits, loaded, between two runs costs neither of them."""
    covered, last = 0.0, -math.inf
    for begun, over in sorted(spans):
        covered += max(0.0, over - max(begun, last))
        last = max(last, over)
    return covered


def over_budget(cost: Spent, rules: RetrySettings) -> str:
    """Why nothing of a campaign is tried again by itself any more; empty while it may be."""
    if not 0 < rules.gpu_minutes * 60 <= cost.total:
        return ""
    return f"further attempts took {cost}, and retry.gpu_minutes allows {rules.gpu_minutes:g}"


def other_seed(asked: int, number: int) -> int:
    """The seed of the *number*-th attempt with another one: always the same, and hardly ever that of another run."""
    return random.Random(f"{asked}/{number}").randint(0, _LARGEST_SEED)  # noqa: S311 (not a secret)


def breaker(ruled: Sequence[Ruled], remedies: Iterable[Remedy], rules: RetrySettings) -> str:
    """Why a campaign is to be paused; empty when it may go on. A run that fails with several seeds counts once.

    Args:
        ruled: what was ruled of its outputs, the last of which just was.
        remedies: of the failures of that one.
        rules: how many failures are too many.
    """
    if not ruled or not (last := ruled[-1]).check:
        return ""
    if Remedy.HOLD in set(remedies):
        return last.message
    latest = itertools.takewhile(lambda each: each.check == last.check, reversed(ruled))
    in_a_row = len({each.run for each in latest})
    if in_a_row >= rules.streak > 0:
        return f"outputs of {in_a_row} runs in a row failed {last.check}, the last one: {last.message}"
    first = ruled[: rules.first]
    failed = len({each.run for each in first if each.check == last.check})
    if len(ruled) == rules.first and failed >= rules.share * rules.first > 0:
        return (
            f"{failed} of the first {rules.first} outputs failed {last.check}, the last one: {last.message}"
        )
    return ""
