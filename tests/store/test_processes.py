"""Several processes at one store, and processes that die."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from cosmos_core.run import State

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="these tests end processes with kill -9")


def _facts(worker):
    """What a worker said, as lists of words, once it has ended well."""
    said, _ = worker.communicate(timeout=100)
    assert 0 == worker.returncode, said
    return [line.split() for line in said.splitlines()]


def test_eight_processes_may_open_a_new_store_at_once(bare_url, start_worker):
    """
    One of them makes the tables, and the others wait for it.
    """
    assert [["runs", "0"]] * 8 == _facts(start_worker("crowd", 8, "opens", url=bare_url))


def test_no_run_is_claimed_twice(store, accept, start_worker):
    """
    Four processes that claim as fast as they can get every run between them, and none of them twice.
    """
    runs = accept(400)

    claimed = _facts(start_worker("crowd", 4, "claims"))

    assert {run.id: 1 for run in runs} == dict(Counter(name for _, name, _ in claimed))
    assert 1 < len({process for *_, process in claimed})
    assert {1} == {store.run(run.id).attempt for run in runs[::25]}
    assert 400 == len([event for event in store.events() if event.after is State.PLACED])


def test_one_slot_never_has_two_open_batches(store, accept, start_worker):
    """
    Six processes race for one slot, thirty times over: whoever gets it is alone there, and every run is worked once.
    """
    runs = accept(30)

    said = _facts(start_worker("crowd", 6, "serves"))

    assert [["open", "1"]] * 30 == [[word, count] for word, _, count in said]
    assert 1 < len({event.owner for event in store.events() if event.after is State.PLACED})
    assert {(State.FAILED, 1)} == {(store.run(run.id).state, store.run(run.id).attempt) for run in runs}


def test_a_token_counts_once_from_several_processes(store, start_worker):
    """
    Four processes hand in the same submission at once: one is accepted, and all are told its runs.
    """
    answers = _facts(start_worker("crowd", 4, "submits", "token-1"))

    assert [answers[0]] * 4 == answers
    assert {each.id for each in store.waiting()} == set(answers[0][1:])
    assert 3 == sum(store.counts().values())


def test_what_was_accepted_survives_kill_9(store, start_worker):
    """
    Each of 60 processes kills itself the moment its submission is accepted, and every run is there.
    """
    said = _facts(start_worker("accepts", "rkill", 60))

    assert 61 == len(said)
    assert {name for _, name in said} == {each.id for each in store.waiting()}


@pytest.mark.parametrize("seed", [1])
def test_workers_that_die_and_stall_lose_nothing_and_publish_nothing_twice(store, accept, start_worker, seed):
    """
    Workers are killed at random moments and stall past their leases; every run is sealed exactly once all the same,
    and workers that came back too late were refused.
    """
    runs = accept(80)

    said = _facts(start_worker("mayhem", 4, 10, seed))

    assert ["killed", "10"] == said[-1]
    assert {run.id: 1 for run in runs} == dict(Counter(made.run for made in store.artifacts()))
    events = store.events(limit=10_000)
    assert {run.id: 1 for run in runs} == dict(
        Counter(each.run for each in events if each.after is State.SEALED)
    )
    for run in runs:
        life = [each for each in events if each.run == run.id]
        assert [None, *(each.after for each in life[:-1])] == [each.before for each in life]
    assert [line for line in said if line[0] == "refused:" and "took" in line]
