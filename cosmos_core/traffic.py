"""Bytes of a batch on their way to its host or home, told to the store now and then while they move."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from cosmos_core.errors import CosmosError
from cosmos_core.store import Traffic

if TYPE_CHECKING:
    from cosmos_core.store import Lease, Store

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two words to the store; what is quicker is never told."""
WINDOW = 10.0
"""Seconds over which a rate is taken: long enough to be steady, short enough to notice a line that slows down."""


class Gauge:
    """A :class:`cosmos_core.extend.Report` of bytes. Used as a context, which forgets them at its end.

    The store is told from a thread of its own: a store that is busy must not hold up the bytes.
    """

    def __init__(self, store: Store, lease: Lease, way: str) -> None:
        self._store = store
        self._lease = lease
        self._way = way
        self._seen: deque[tuple[float, int]] = deque()
        self._now: tuple[int, int] | None = None
        self._told = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, name=f"traffic-{lease.batch.id}", daemon=True)

    def __call__(self, done: int, total: int, _: str = "", /) -> None:
        """Hear that *done* of *total* bytes are there."""
        self._now = done, total

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._told:
            self._say(None)

    def _tell(self) -> None:
        told = None
        while not self._stop.wait(EVERY):
            if (now := self._now) is None:
                continue
            traffic = self._look(time.monotonic(), *now)
            if traffic != told:
                self._told = True
                self._say(traffic)
                told = traffic

    def _look(self, at: float, done: int, total: int) -> Traffic:
        # A rate begins at the first look, not at the first byte: much may have been there already.
        self._seen.append((at, done))
        while at - self._seen[0][0] > WINDOW:
            self._seen.popleft()
        since, before = self._seen[0]
        rate = (done - before) / (at - since) if at > since else 0.0
        return Traffic(
            way=self._way,
            done=done,
            total=total,
            rate=rate,
            seconds_left=(total - done) / rate if rate > 0 else None,
        )

    def _say(self, traffic: Traffic | None) -> None:
        try:
            self._store.tell_traffic(self._lease, traffic)
        except CosmosError as error:
            # Whoever carries the batch hears it too, if it matters.
            log.debug("traffic of batch %s is not told: %s", self._lease.batch.id, error)
