"""Whether and when something is tried again. Pure: no I/O, no clock, no randomness.

- An attempt that ended badly is somebody's: the run's own, the host's, the GPU's memory's, or that of another run of
  its batch (:class:`cosmos_core.run.Blame`). A run has so many attempts of its own, and as many that are hosts'; what
  was never begun counts for nothing.
- A slot whose batches fail one after the other rests, longer and longer, and then is tried with a single run.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import attrs

from cosmos_core.run import Blame, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmos_core.run import Attempt
    from cosmos_core.store import Trouble

LONGEST_REST = 3600.0

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
    r"|No space left on device"
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
    seconds: float
    """From now on; 0 when it may be tried."""
    failed: int
    """How many batches failed there in a row."""
    reason: str
    """Of the last one."""

    def __str__(self) -> str:
        return (
            f"slot {self.slot} rests for {math.ceil(self.seconds)} s, because {self.failed} batches in a row failed "
            f"there: {self.reason}"
        )


def rest_of(trouble: Trouble, first: float, *, node: str = "") -> Rest:
    """How long the slot in *trouble* rests; *node* is this machine's name, which is not said."""
    return Rest(
        slot=f"{trouble.host.removesuffix(f'@{node}')}/{trouble.slot}",
        seconds=max(0.0, rest(trouble.count, first) - trouble.ago),
        failed=trouble.count,
        reason=trouble.reason,
    )
