"""The built-in planner."""

from __future__ import annotations

import itertools
import time

import attrs
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosmos_core.extend import Forecast
from cosmos_core.hosts import Host, Slot
from cosmos_core.plan import LOAD, Measured, arrange, learn
from cosmos_core.run import Needs, Queued

CPU = Slot(host="local", index=0)
GPUS = Host(name="gpu1", slots=8, gpus=8, gpu="h200").each_slot()


def waiting(count, *, key="a", gpus=0, seconds=10.0, priority=0, first=0):
    return [
        Queued(
            id=f"{key}{index}",
            seq=first + index,
            backend="preview",
            load_key=key,
            needs=Needs(gpus=gpus),
            seconds=seconds,
            priority=priority,
        )
        for index in range(count)
    ]


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Neighbours on the machine are no fault of the planner's."""

runs_of_any_kind = st.lists(
    st.builds(
        Queued,
        id=st.uuids().map(str),
        seq=st.integers(0, 10**6),
        backend=st.sampled_from(["a", "b"]),
        load_key=st.sampled_from(["x", "y", "z"]),
        needs=st.builds(Needs, gpus=st.integers(0, 3)),
        seconds=st.floats(0.1, 1000),
        priority=st.integers(-1, 1),
    ),
    max_size=60,
    unique_by=lambda run: run.id,
)


@patient
@given(runs_of_any_kind, st.integers(1, 6), st.integers(0, 2))
def test_every_run_is_planned_once_or_named_with_the_reason(runs, slots, gpus_each):
    """
    Nothing is lost and nothing planned twice, whatever is asked.
    """
    places = Host(name="h", slots=slots, gpus=slots * gpus_each).each_slot()
    plan = arrange(runs, places)
    planned = [run for batch in plan.batches for run in batch.runs]

    assert sorted(run.id for run in runs) == sorted([*planned, *(run for run, _ in plan.unplaced)])


@patient
@given(runs_of_any_kind, st.integers(1, 6))
def test_a_batch_holds_one_load_key_and_fits_its_slot(runs, slots):
    """
    Runs that need another model, or more GPUs than the slot has, are never put together.
    """
    by_id = {run.id: run for run in runs}
    places = Host(name="h", slots=slots, gpus=slots * 2).each_slot()

    for batch in arrange(runs, places).batches:
        members = [by_id[run] for run in batch.runs]
        assert {(batch.backend, batch.load_key)} == {(run.backend, run.load_key) for run in members}
        assert all(run.needs.gpus <= len(batch.slot.gpus) for run in members)


@patient
@given(runs_of_any_kind)
def test_the_same_queue_gives_the_same_plan_in_any_order(runs):
    """
    Two workers that see one queue plan alike.
    """
    assert arrange(runs, [CPU]) == arrange(list(reversed(runs)), [CPU])


def test_the_urgent_goes_first():
    """
    Priority comes before everything else.
    """
    runs = waiting(3, key="long", seconds=900) + waiting(1, key="urgent", priority=5, first=10)

    assert "urgent" == arrange(runs, [CPU]).batches[0].load_key


def test_a_slot_stays_on_what_it_has_loaded():
    """
    Two keys on one slot cost two loads, not one for each batch.
    """
    keys = [batch.load_key for batch in arrange(waiting(40, key="a") + waiting(40, key="b"), [CPU]).batches]

    assert 1 == sum(one != other for one, other in itertools.pairwise(keys))


def test_long_runs_go_before_short_ones():
    """
    The longest are begun first, so that none is left for the end.
    """
    long = Queued(id="long", seq=9, backend="preview", load_key="k", needs=Needs(), seconds=100)
    runs = [*waiting(1, key="k", seconds=1), long]

    assert "long" == arrange(runs, [CPU]).batches[0].runs[0]


def test_what_needs_many_gpus_is_not_starved_by_what_needs_few():
    """
    A slot with two GPUs takes the run that needs two before those that need one.
    """
    slots = Host(name="h", slots=1, gpus=2).each_slot()

    assert (
        "big"
        == arrange(waiting(5, key="small", gpus=1) + waiting(1, key="big", gpus=2), slots).batches[0].load_key
    )


def test_batches_shrink_towards_the_end():
    """
    The last batches are single runs, so that slots finish together.
    """
    known = Forecast(measured={("preview", "a", slot.name) for slot in GPUS})
    sizes = [len(batch.runs) for batch in arrange(waiting(200, seconds=1000.0), GPUS, known).batches]

    assert sizes == sorted(sizes, reverse=True)
    assert (24, 1) == (sizes[0], sizes[-1])


def test_a_run_that_fits_nowhere_is_told_why():
    """
    It needs more GPUs than any slot has.
    """
    plan = arrange(waiting(1, gpus=16), GPUS)

    assert ("a0", "it needs 16 GPU(s) and the largest slot has 1") == plan.unplaced[0]
    assert () == plan.batches


def test_without_slots_nothing_is_planned():
    """
    A workspace without hosts says so for each run.
    """
    assert (("a0", "there is no slot"),) == arrange(waiting(1), []).unplaced


@pytest.mark.parametrize("count", [1, 2, 7, 100])
def test_work_is_spread_over_all_slots(count):
    """
    As many slots work as there are runs, up to all of them.
    """
    used = {batch.slot.index for batch in arrange(waiting(count), GPUS).batches}

    assert min(count, 8) == len(used)


def test_a_run_is_never_placed_on_a_gpu_that_its_backend_refuses():
    """
    The kind counts, however it is written; where no other GPU is, the backend's own reason is told.
    """
    why = "b300 is sm_103 and the image has no kernels for it"
    (run,) = waiting(1, gpus=1)
    run = attrs.evolve(run, needs=Needs(gpus=1, unfit=(("b300", why),)))
    new = Host(name="new", slots=1, gpus=1, gpu="NVIDIA B300").each_slot()

    assert (("a0", why),) == arrange([run], new).unplaced
    assert ["gpu1"] == [batch.slot.host for batch in arrange([run], (*new, *GPUS)).batches]


@pytest.mark.parametrize(
    ("said", "is_able"),
    [
        ({}, False),
        ({"build": "nightly"}, True),
        ({"options": {"image": "here/cosmos-nightly:1"}}, True),
        ({"options": {"image": "here/cosmos:cu128"}}, False),
        ({"build": "cu128", "options": {"image": "here/cosmos-nightly:1"}}, False),
        ({"options": {"image": "here/fortnightly:1"}}, False),
    ],
)
def test_a_gpu_that_needs_another_environment_is_used_where_its_host_has_it(said, is_able):
    """
    The host says so, or the name of its image does; what the host says counts.
    """
    why = "b300 has kernels in the image nightly only"
    (run,) = waiting(1, gpus=1)
    run = attrs.evolve(run, needs=Needs(gpus=1, unfit=(("b300", why, "nightly"),)))
    new = Host(name="new", slots=1, gpus=1, gpu="b300", **said).each_slot()
    plan = arrange([run], new)

    assert is_able == bool(plan.batches)
    assert (() if is_able else (("a0", why),)) == plan.unplaced


def test_a_slot_begins_small_while_nobody_knows_how_fast_it_is():
    """
    It could be at half speed and still be done when the others are; half a run may stand out.
    """
    first = arrange(waiting(200, seconds=1000.0), GPUS).batches[0]

    assert first.seconds - LOAD <= (200 * 1000.0 / 8 + LOAD) / 2 + 500


def test_a_batch_that_would_leave_less_than_its_load_is_worth_takes_all():
    """
    Where loading costs more than the runs, each slot loads once.
    """
    assert 8 == len(arrange(waiting(200, seconds=1.0), GPUS).batches)


def test_memory_is_judged_where_the_kind_of_gpu_is_known():
    """
    What needs 100 GB goes to an H200, never to an H100; alone with an H100 it is told why.
    """
    (run,) = waiting(1, gpus=1)
    run = attrs.evolve(run, needs=Needs(gpus=1, vram_gb=100))
    small = Host(name="small", slots=1, gpus=1, gpu="h100").each_slot()

    assert ["gpu1"] == [batch.slot.host for batch in arrange([run], (*small, *GPUS)).batches]
    assert (("a0", "it needs 100 GB of GPU memory and h100 has 80"),) == arrange([run], small).unplaced


def test_what_few_slots_can_run_goes_first_there_once_time_is_short():
    """
    The one slot with enough memory leaves what the others can do to them.
    """
    fleet = (*GPUS, *Host(name="big", slots=1, gpus=1, gpu="b300").each_slot())
    large = [attrs.evolve(run, needs=Needs(gpus=1, vram_gb=200)) for run in waiting(5, key="large", gpus=1)]
    batches = arrange([*waiting(20, key="small", gpus=1), *large], fleet).batches
    (first, *_) = [batch for batch in batches if batch.slot.host == "big"]

    assert "large" == first.load_key
    assert "fits only 1 of 9 slots" in first.reason


def test_a_slot_does_what_it_is_good_at():
    """
    Of two models, a kind of GPU takes the one that it is less slow at than the others are.
    """
    fleet = (
        *Host(name="h", slots=1, gpus=1, gpu="h200").each_slot(),
        *Host(name="b", slots=1, gpus=1, gpu="b300").each_slot(),
    )
    pace = {("preview", "a", "b/0"): 0.5, ("preview", "b", "b/0"): 1.5}
    runs = waiting(10, key="a", gpus=1) + waiting(10, key="b", gpus=1, first=10)
    first = {
        batch.slot.host: batch.load_key for batch in arrange(runs, fleet, Forecast(pace=pace)).batches[:2]
    }

    assert {"h": "b", "b": "a"} == first


def test_what_follows_from_other_runs_waits_for_them():
    """
    Upscaling and questions gather while there are videos to make, so that their models are loaded seldom.
    """
    after = [attrs.evolve(run, follows=True) for run in waiting(50, key="after", seconds=1000)]

    assert "first" == arrange([*after, *waiting(1, key="first", first=90)], [CPU]).batches[0].load_key


def test_people_who_wait_get_one_short_run_from_each_slot_first():
    """
    ``--order short``: a slot that has done nothing yet begins with a single short run.
    """
    runs = waiting(40, seconds=1000) + waiting(8, key="a", seconds=10, first=100)
    runs = [attrs.evolve(run, id=f"{run.id}-{run.seconds:g}") for run in runs]
    batches = arrange(runs, GPUS, Forecast(order="short")).batches[:8]

    assert [1] * 8 == [len(batch.runs) for batch in batches]
    assert all(batch.runs[0].endswith("-10") for batch in batches)


def test_a_slot_that_is_busy_is_planned_for_when_it_is_free():
    """
    A worker asks for the slot that is free; the others get what is left for them.
    """
    plan = arrange(waiting(1, seconds=1000.0), GPUS, Forecast(busy={slot.name: 50.0 for slot in GPUS[:7]}))

    assert [7] == [batch.slot.index for batch in plan.batches]


def measured(slot, seconds, *, gpu="h200", predicted=100.0):
    return Measured(backend="preview", load_key="a", slot=slot, gpu=gpu, seconds=seconds, predicted=predicted)


def test_measured_seconds_replace_the_tables():
    """
    Where nothing was measured the backend's table counts, then what others of the kind took, then what this slot took.
    """
    table = {("preview", "a", "h200"): 3.0}
    load = {("preview", "a", "h200"): 60.0}
    keys = [("preview", "a")]

    def pace(*history):
        return learn(history, GPUS, keys, table, load, {}).pace["preview", "a", "gpu1/3"]

    assert 3.0 == pace()
    assert 2.0 == pytest.approx(pace(measured("gpu1/0", 260.0)))
    assert 4.0 == pytest.approx(pace(measured("gpu1/3", 460.0), *[measured("gpu1/0", 260.0)] * 3))


def test_the_scatter_of_runs_is_not_taken_for_a_slots_own_pace():
    """
    A slot that took a tenth longer than its kind is as fast as its kind.
    """
    history = [measured("gpu1/3", LOAD + 110.0), *[measured("gpu1/0", LOAD + 100.0)] * 3]

    assert 1.0 == pytest.approx(
        learn(history, GPUS, [("preview", "a")], {}, {}, {}).pace["preview", "a", "gpu1/3"]
    )


def test_a_slot_that_is_slow_at_one_thing_is_expected_to_be_slow_at_another():
    """
    What it never did before is predicted from its kind's pace and from how much slower it was of late.
    """
    history = [measured("gpu1/3", LOAD + 200.0), *[measured("gpu1/0", LOAD + 100.0)] * 3]
    known = learn(
        history, GPUS, [("preview", "a"), ("preview", "b")], {("preview", "b", "h200"): 3.0}, {}, {}
    )

    assert 6.0 == pytest.approx(known.pace["preview", "b", "gpu1/3"])
    assert 3.0 == pytest.approx(known.pace["preview", "b", "gpu1/0"])
    assert ("preview", "b", "gpu1/3") in known.measured
    assert ("preview", "b", "gpu1/4") not in known.measured


def test_the_end_is_foreseen_as_if_each_kind_did_what_it_is_good_at():
    """
    Two kinds, two models, each twice as fast at one of them: a batch is sized for the day that this makes.
    """
    fleet = (
        *Host(name="h", slots=1, gpus=1, gpu="h200").each_slot(),
        *Host(name="b", slots=1, gpus=1, gpu="b300").each_slot(),
    )
    pace = {("preview", "a", "b/0"): 2.0, ("preview", "b", "h/0"): 2.0}
    known = {("preview", key, slot.name) for key in "ab" for slot in fleet}
    runs = waiting(50, key="a", gpus=1, seconds=500) + waiting(50, key="b", gpus=1, seconds=500, first=50)
    first = arrange(runs, fleet, Forecast(pace=pace, measured=known)).batches[:2]

    assert {"h": "a", "b": "b"} == {batch.slot.host: batch.load_key for batch in first}
    assert all(47 <= len(batch.runs) < 50 for batch in first)


@pytest.mark.parametrize("keys", [1, 40, 4000])
def test_a_hundred_thousand_runs_are_planned_in_seconds(keys):
    """
    However many load keys there are; this machine's own time is counted, not its neighbours'.
    """
    runs = [
        run for key in range(keys) for run in waiting(100_000 // keys, key=f"k{key}-", gpus=1, seconds=600.0)
    ]
    began = time.process_time()
    plan = arrange(runs, GPUS)

    assert 100_000 == sum(len(batch.runs) for batch in plan.batches)
    assert time.process_time() - began < 5.0
