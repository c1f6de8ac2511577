"""What a worker foresees: from the tables first, then from what its own runs took, and from what is under way."""

from __future__ import annotations

import platform

import attrs
import pytest

from cosmos_core.extend import Backend
from cosmos_core.foresee import Foresight
from cosmos_core.hosts import Host
from cosmos_core.plugins import Plugins
from cosmos_core.run import State
from cosmos_core.store import NewRun

SLOTS = Host(name="gpu1", slots=2, gpus=2, gpu="h200").each_slot()
PLACES = {("gpu1", slot.index): slot for slot in SLOTS}
KEY = ("double", "double")


@pytest.fixture
def tables(cosmos, monkeypatch):
    """The double, with a table: three times as slow on an H200 as anywhere, and a minute to load there."""
    real = cosmos.plugins.find(Backend, "double")
    timed = attrs.evolve(
        real,
        seconds=lambda spec, gpu: 300.0 if gpu == "h200" else 100.0,
        load_seconds=lambda spec, gpu: 60.0 if gpu == "h200" else 240.0,
    )
    found = Plugins.find
    monkeypatch.setattr(
        Plugins, "find", lambda self, kind, name: timed if kind is Backend else found(self, kind, name)
    )


@pytest.fixture
def runs(cosmos, submit):
    """Six runs that were predicted to take 100 s each."""
    specs = [run.spec for run in submit(*(f"a street {number}" for number in range(6)))]
    for run in cosmos.store.waiting():
        cosmos.store.cancel(run.id)
    return cosmos.store.accept(
        [
            NewRun(id=f"r{index}", name="test", spec=spec, load_key="double", seconds=100.0)
            for index, spec in enumerate(specs)
        ]
    )


def foresee(cosmos):
    return Foresight(cosmos.store, cosmos.plugins).forecast(cosmos.store.waiting(), SLOTS, places=PLACES)


def began(cosmos, *, ago, slot=0, limit=2, home=(), host="gpu1"):
    """A batch on a slot whose job began *ago* seconds, and whose runs came home so many seconds after that."""
    store = cosmos.store
    lease = store.claim(owner="w", load_key="double", host=host, slot=slot, limit=limit, gpu="h200")
    for run in store.held(lease):
        store.move(lease, run.id, State.RUNNING)
    with store._db.write() as connection:
        where = f"batch = '{lease.batch.id}'"
        connection.exec_driver_sql(f"UPDATE attempt SET running = running - {ago} WHERE {where}")
        for run, seconds in zip(store.held(lease), home, strict=False):
            store_time = f"running + {seconds}"
            connection.exec_driver_sql(
                f"UPDATE attempt SET returned = {store_time} WHERE {where} AND run = '{run.id}'"
            )
            connection.exec_driver_sql(f"UPDATE run SET state = 'returned' WHERE id = '{run.id}'")
    return lease


def test_the_backends_tables_count_until_something_is_measured(cosmos, tables, runs):
    """
    Against what it takes anywhere, by kind of GPU; and the load is the table's.
    """
    known = foresee(cosmos)

    assert {3.0} == {known.pace[*KEY, slot.name] for slot in SLOTS}
    assert {60.0} == {known.load[*KEY, slot.name] for slot in SLOTS}
    assert frozenset() == known.measured
    assert {} == known.busy


def test_seconds_of_finished_runs_replace_the_table(cosmos, tables, runs):
    """
    Two runs that were home 360 s after their job began took 150 s each, the load taken off: there and on its like.
    """
    began(cosmos, ago=1000, home=(210, 360))
    known = foresee(cosmos)

    assert {1.5} == {round(known.pace[*KEY, slot.name], 3) for slot in SLOTS}
    assert {(*KEY, "gpu1/0")} == known.measured
    assert 60.0 == known.load[*KEY, "gpu1/1"]


def test_a_busy_slot_is_free_when_what_it_still_holds_is_done(cosmos, tables, runs):
    """
    What came home is not counted again: two of four are home, at 150 s each, the last of them 100 s ago.
    """
    began(cosmos, ago=460, limit=4, home=(210, 360))

    assert 200 == pytest.approx(foresee(cosmos).busy["gpu1/0"], abs=15)


def test_a_batch_that_has_brought_nothing_yet_still_loads(cosmos, tables, runs):
    """
    A minute for the model and two runs of 300 s, 20 s of which are over; late batches are expected at any moment.
    """
    began(cosmos, ago=20)
    began(cosmos, ago=5000, slot=1)
    busy = foresee(cosmos).busy

    assert 640 == pytest.approx(busy["gpu1/0"], abs=15)
    assert 1.0 == busy["gpu1/1"]


def test_the_plan_waits_for_slots_that_are_busy(cosmos, tables, runs, monkeypatch):
    """
    `cosmos plan` begins a batch on a slot when what it does now is done.
    """
    gpu1 = Host(name="gpu1", slots=2, gpus=2, gpu="h200")
    monkeypatch.setattr(type(cosmos.settings), "each_host", lambda _: (gpu1,))
    began(cosmos, ago=460, limit=4, home=(210, 360), host=f"gpu1@{platform.node()}")

    assert 200 == pytest.approx(cosmos.forecast().busy["gpu1/0"], abs=15)
    assert {"gpu1/1"} == {batch.slot.name for batch in cosmos.plan().batches[:1]}
