"""What this process holds of the queue, looked at once a second, and a bar for its bytes on their way."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from cosmos_core.cli import say
from cosmos_core.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.progress import Progress
    from cosmos_core.store import Holding

EVERY = 1.0
"""Seconds between two looks."""


@contextmanager
def looking(cosmos: Cosmos, bars: Progress, see: Callable[[Sequence[Holding]], None]) -> Iterator[None]:
    """Let *see* look at this process' batches while the body works, and draw what of them is on its way."""
    stop = threading.Event()
    drawn: set[str] = set()

    def look() -> None:
        while not stop.wait(EVERY):
            # The store may be busy for a moment; the bars can wait.
            with suppress(StoreError):
                ours = [lease for lease in cosmos.store.leases() if lease.owner.startswith(cosmos.site.owner)]
                _draw(bars, ours, drawn)
                see(ours)

    thread = threading.Thread(target=look, name="bars", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _draw(bars: Progress, leases: Sequence[Holding], drawn: set[str]) -> None:
    """A bar for each batch whose bytes move; *drawn* are those there are."""
    moving = {lease.batch: (lease, lease.traffic) for lease in leases if lease.traffic is not None}
    for batch in drawn - moving.keys():
        bars.drop(batch)
    drawn.clear()
    drawn |= moving.keys()
    for batch, (lease, traffic) in moving.items():
        label = f"{batch} {lease.host.partition('@')[0]}"
        bars.show(batch, label, traffic.done, traffic.total, say.WAYS[traffic.way], unit=say.BYTES)
