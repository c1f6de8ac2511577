"""What a planner may know, gathered: measured batches from the store, the rest from the backends' tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.extend import Backend
from cosmos_core.plan import Measured, learn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cosmos_core.extend import Forecast
    from cosmos_core.hosts import Slot
    from cosmos_core.plugins import Plugins
    from cosmos_core.run import Queued
    from cosmos_core.store import Store

ByKind = dict[tuple[str, str, str], float]
"""By backend, load key and kind of GPU."""


class Foresight:
    """Remembers the backends' tables of each load key, so that one spec of it is read and no more."""

    def __init__(self, store: Store, plugins: Plugins) -> None:
        self._store = store
        self._plugins = plugins
        self._pace: ByKind = {}
        self._load: ByKind = {}
        self._seen: set[tuple[str, str, str]] = set()

    def forecast(
        self,
        waiting: Sequence[Queued],
        slots: Sequence[Slot],
        *,
        busy: Mapping[str, float] | None = None,
        order: str = "long",
    ) -> Forecast:
        """What is known of *slots* for the runs that wait, until when they are *busy*, and who goes first."""
        examples = {(run.backend, run.load_key): run.id for run in waiting}
        for key, run in examples.items():
            for gpu in {slot.gpu for slot in slots}:
                if (*key, gpu) not in self._seen:
                    self._look_up(key, run, gpu)
        history = (
            Measured(
                backend=each.backend,
                load_key=each.load_key,
                slot=f"{each.host.partition('@')[0]}/{each.slot}",
                gpu=each.gpu,
                seconds=each.seconds,
                predicted=each.predicted,
            )
            for each in self._store.measured()
        )
        return learn(history, slots, examples, self._pace, self._load, busy or {}, order)

    def _look_up(self, key: tuple[str, str], run: str, gpu: str) -> None:
        self._seen.add((*key, gpu))
        backend = self._plugins.find(Backend, key[0])
        spec = self._store.run(run).spec
        with self._plugins.blame(backend, "predicting seconds"):
            usual = backend.seconds(spec, "")
            if usual > 0:
                self._pace[*key, gpu] = backend.seconds(spec, gpu) / usual
            if backend.load_seconds is not None:
                self._load[*key, gpu] = backend.load_seconds(spec, gpu)
