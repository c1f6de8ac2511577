"""More work for a job that keeps its model loaded: runs join its batch while it goes on.

A backend that can has ``more``; a session that can is a ``Spooling``. Which runs come next is the planner's to say, as
for a batch that begins. A run belongs to the batch before the host hears of it, and what is sent has names of its own:
a worker that dies between the two leaves placed runs, and whoever adopts the batch sends them again.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import CosmosError, HostError
from cosmos_core.extend import Job, JobFile
from cosmos_core.launcher import SPOOL_END
from cosmos_core.run import State
from cosmos_core.traffic import Gauge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping, Sequence

    from cosmos_core.extend import Backend, Batch, Handle, Spooling
    from cosmos_core.hosts import Slot
    from cosmos_core.run import Request, Run
    from cosmos_core.store import Lease, Store

    Next = Callable[[Lease], Sequence[str] | None]
    """What should join a batch: ids of runs; none for now; or None, when its slot is wanted for something else."""

log = logging.getLogger(__name__)

AHEAD = 2
"""Runs that a job has before it at any time: the one it works on, and the next, so that no GPU waits for a look."""
LOOK = 2.0
"""Seconds between two looks."""


def stays(backend: Backend, lease: Lease, slot: Slot, requests: Mapping[str, Request]) -> bool:
    """Whether the job of a batch keeps its model loaded and takes more, which runs of one load key have in common."""
    if backend.more is None or not requests:
        return False
    one = attrs.evolve(lease.batch, requests=(next(iter(requests.values())),))
    return backend.more(one, slot) is not None


class Feeder:
    """Keeps one running job in work."""

    def __init__(
        self,
        *,
        store: Store,
        lease: Lease,
        slot: Slot,
        more: Callable[[Batch, Slot], Job | None],
        session: Spooling,
        handle: Handle,
        requests: MutableMapping[str, Request],
        following: Next,
    ) -> None:
        self._store = store
        self._lease = lease
        self._slot = slot
        self._more = more
        self._session = session
        self._handle = handle
        self._requests = requests
        self._following = following
        self._looked = time.monotonic()
        self._over = False

    def feed(
        self, ask: Callable[[Sequence[Run]], Mapping[str, Request]], began: Callable[[Run], object]
    ) -> None:
        """Let runs join as long as there are any, else tell the job to end once something else wants its slot.

        *ask* makes what runs ask for, by their ids, of those that can be worked on; *began* is told of each that was sent.

        Raises:
            HostError: the line is lost. What was to be sent is sent the next time.
            LeaseLost: another worker has the batch now.
        """
        if self._over or time.monotonic() - self._looked < LOOK:
            return
        held = [run for run in self._store.held(self._lease) if run.state is not State.RETURNED]
        unsent = [run for run in held if run.state is State.PLACED]
        if not unsent and len(held) < AHEAD:
            wanted = self._following(self._lease)
            if wanted is None:
                self._send(Job(argv=(), files=(JobFile(name=SPOOL_END, content=b""),)))
                self._over = True
            elif wanted:
                unsent = [*self._store.join(self._lease, wanted[: AHEAD - len(held)])]
        if unsent:
            self._bring(unsent, ask(unsent), began)
        self._looked = time.monotonic()

    def _bring(
        self, runs: Sequence[Run], asked: Mapping[str, Request], began: Callable[[Run], object]
    ) -> None:
        if not asked:
            return
        try:
            job = self._more(attrs.evolve(self._lease.batch, requests=tuple(asked.values())), self._slot)
            if job is not None:
                self._send(job)
        except HostError:
            raise
        except CosmosError as error:
            log.warning("batch %s: no more runs can join it: %s", self._lease.batch.id, error)
            job = None
        if job is None:
            # They are given back when the job has ended, which does not know of them.
            self._over = True
            return
        self._requests.update(asked)
        for run in runs:
            if run.id in asked:
                began(run)

    def _send(self, job: Job) -> None:
        with Gauge(self._store, self._lease, "out") as gauge:
            self._session.spool(self._handle, job, report=gauge)
