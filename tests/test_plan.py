"""The built-in planner."""

from __future__ import annotations

import itertools

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosmos_core.hosts import Host, Slot
from cosmos_core.plan import arrange
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


@given(runs_of_any_kind, st.integers(1, 6), st.integers(0, 2))
def test_every_run_is_planned_once_or_named_with_the_reason(runs, slots, gpus_each):
    """
    Nothing is lost and nothing planned twice, whatever is asked.
    """
    places = Host(name="h", slots=slots, gpus=slots * gpus_each).each_slot()
    plan = arrange(runs, places)
    planned = [run for batch in plan.batches for run in batch.runs]

    assert sorted(run.id for run in runs) == sorted([*planned, *(run for run, _ in plan.unplaced)])


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
    sizes = [len(batch.runs) for batch in arrange(waiting(200), GPUS).batches]

    assert sizes == sorted(sizes, reverse=True)
    assert (13, 1) == (sizes[0], sizes[-1])


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
