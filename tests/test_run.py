"""The table of moves."""

from __future__ import annotations

import itertools

import pytest

from cosmos_core.errors import CosmosError
from cosmos_core.run import FINAL, HELD, MOVES, Needs, State, move, new_id


def test_no_road_leads_from_running_to_sealed():
    """
    Sealed is reached from returned, and from nowhere else.
    """
    assert [State.RETURNED] == [before for before in State if State.SEALED in MOVES[before]]


def test_what_is_sealed_stays_sealed():
    """
    Nothing leads out of sealed.
    """
    assert frozenset() == MOVES[State.SEALED]


def test_every_state_is_waiting_held_or_final():
    """
    The three kinds of states do not overlap and leave none out.
    """
    assert set(State) == {State.QUEUED} | HELD | FINAL
    assert not HELD & FINAL


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_a_move_is_allowed_exactly_where_the_table_says(before, after):
    """
    A move outside the table is refused with both states named.
    """
    if after in MOVES[before]:
        assert after == move(before, after)
        return
    with pytest.raises(CosmosError, match=f"from {before} to {after}"):
        move(before, after)


def test_every_state_can_be_reached_from_queued():
    """
    There is no state that no run ever gets to.
    """
    reached, edge = set(), {State.QUEUED}
    while edge:
        reached |= edge
        edge = {after for before in edge for after in MOVES[before]} - reached

    assert set(State) == reached


def test_ids_are_short_and_do_not_repeat():
    """
    Ten thousand ids are distinct and start with their prefix.
    """
    ids = {new_id("r") for _ in range(10_000)}

    assert 10_000 == len(ids)
    assert all(len(each) == 10 and each.startswith("r") for each in ids)


def test_memory_that_was_too_small_counts_in_every_environment():
    """
    What an environment lifts is still heard of where the host has another; what was learned since is not lifted.
    """
    needs = Needs(unfit=(("b300", "no kernels", "nightly"),)).without(["b300", "h200"], "too small")

    assert ("no kernels", "too small", "too small", "") == (
        needs.against("b300"),
        needs.against("NVIDIA B300", "cosmos-nightly"),
        needs.against("h200"),
        needs.against("h100"),
    )
