"""What a planner may know, gathered: measured batches from the store, the rest from the backends' tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core.extend import Backend
from cosmos_core.plan import LOAD, LOAD_ON_CPU, Measured, learn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cosmos_core.extend import Forecast
    from cosmos_core.hosts import Slot
    from cosmos_core.plugins import Plugins
    from cosmos_core.run import Queued
    from cosmos_core.spec import Spec
    from cosmos_core.store import Store, Underway

SOON = 1.0
"""Seconds until a slot is free whose batch should have ended by now."""

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
        places: Mapping[tuple[str, int], Slot] | None = None,
        order: str = "long",
        specs: Mapping[str, Spec] | None = None,
    ) -> Forecast:
        """What is known of *slots* for the runs that wait, and who goes first.

        Args:
            waiting: the runs.
            slots: where they may be worked.
            busy: seconds until a slot is free, by its name.
            places: slots by their host's name in the store and their number: those with an open batch are busy until
                it is done, as far as what came home of it tells.
            order: as of :class:`~cosmos_core.extend.Forecast`.
            specs: of runs that are not in the store yet, by id.
        """
        examples = {(run.backend, run.load_key): run.id for run in waiting}
        for key, run in examples.items():
            for gpu in {slot.gpu for slot in slots}:
                if (*key, gpu) not in self._seen:
                    spec = (specs or {}).get(run) or self._store.run(run).spec
                    self._look_up(key, spec, gpu)
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
        found = [each for each in self._store.underway() if (each.host, each.slot) in (places or {})]
        keys = {*examples, *((each.backend, each.load_key) for each in found)}
        known = learn(history, slots, keys, self._pace, self._load, busy or {}, order)
        until = {
            (slot := (places or {})[each.host, each.slot]).name: _until(each, slot, known) for each in found
        }
        return attrs.evolve(known, busy={**known.busy, **until})

    def _look_up(self, key: tuple[str, str], spec: Spec, gpu: str) -> None:
        self._seen.add((*key, gpu))
        backend = self._plugins.find(Backend, key[0])
        with self._plugins.blame(backend, "predicting seconds"):
            usual = backend.seconds(spec, "")
            if usual > 0:
                self._pace[*key, gpu] = backend.seconds(spec, gpu) / usual
            if backend.load_seconds is not None:
                self._load[*key, gpu] = backend.load_seconds(spec, gpu)


def _until(each: Underway, slot: Slot, known: Forecast) -> float:
    """Seconds until that batch is done."""
    there = (each.backend, each.load_key, slot.name)
    usual = LOAD if slot.gpus else LOAD_ON_CPU
    load = 0.0 if each.is_loaded else known.load.get(there, usual)
    return max(SOON, load + known.pace.get(there, 1.0) * each.left - each.ago)
