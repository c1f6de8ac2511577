"""Several processes at one store, and processes that die."""

from __future__ import annotations

import os
import random
import time
from collections import Counter

import pytest

from cosmos_core.run import State

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="these tests end processes with kill -9")

WORKERS = 4


def _go(workers):
    for worker in workers:
        assert "ready\n" == worker.stdout.readline()
    for worker in workers:
        worker.stdin.write("go\n")
        worker.stdin.flush()


def test_no_run_is_claimed_twice(store, accept, start_worker):
    """
    Four processes that claim as fast as they can get every run between them, and none of them twice.
    """
    runs = accept(300)
    workers = [start_worker("claims", f"worker-{number}") for number in range(WORKERS)]
    _go(workers)

    claimed = [line.split()[1] for worker in workers for line in worker.communicate(timeout=60)[0].splitlines()]

    assert {run.id: 1 for run in runs} == dict(Counter(claimed))
    assert {1} == {store.run(run.id).attempt for run in runs[::25]}
    assert 300 == len([event for event in store.events() if event.after is State.PLACED])


def test_a_token_counts_once_from_several_processes(store, start_worker):
    """
    Four processes hand in the same submission at once: one is accepted, and all are told its runs.
    """
    workers = [start_worker("submits", "token-1", f"r{number}") for number in range(WORKERS)]
    _go(workers)

    answers = {worker.communicate(timeout=60)[0] for worker in workers}

    assert 1 == len(answers)
    assert 3 == sum(store.counts().values())
    assert set(answers.pop().split()[1:]) == {each.id for each in store.waiting()}


def test_what_was_accepted_survives_kill_9(store, start_worker):
    """
    Each of 50 processes kills itself the moment its submission is accepted, and every run is there.
    """
    worker = start_worker("accepts", "rkill", 50)
    said = worker.communicate(timeout=120)[0].splitlines()

    assert 50 == len(said)
    assert {line.split()[1] for line in said} == {each.id for each in store.waiting()}


@pytest.mark.parametrize("seed", [1])
def test_workers_that_die_and_stall_lose_nothing_and_publish_nothing_twice(store, accept, start_worker, seed):
    """
    Workers are killed at random moments and stall past their leases; every run is sealed exactly once all the same,
    and workers that came back too late were refused.
    """
    runs = accept(120)
    chance = random.Random(seed)
    workers = [start_worker("works", f"worker-{number}", seed) for number in range(WORKERS)]
    said, kills, deadline = [], 0, time.monotonic() + 60
    while store.counts()[State.SEALED] < len(runs):
        assert time.monotonic() < deadline, store.counts()
        time.sleep(chance.uniform(0.1, 0.4))
        if kills < 10:
            victim = chance.randrange(WORKERS)
            said.append(_kill(workers[victim]))
            kills += 1
            workers[victim] = start_worker("works", f"worker-{WORKERS + kills}", seed)
    said += [_kill(worker) for worker in workers]

    assert 10 == kills
    assert {run.id: 1 for run in runs} == dict(Counter(made.run for made in store.artifacts()))
    sealed = Counter(event.run for event in store.events(limit=10_000) if event.after is State.SEALED)
    assert {run.id: 1 for run in runs} == dict(sealed)
    for run in runs[::10]:
        events = store.events(run.id)
        assert [None, *(event.after for event in events[:-1])] == [event.before for event in events]
    assert sum(text.count("refused") for text in said) >= 1


def _kill(worker):
    worker.kill()
    return worker.communicate(timeout=10)[0]
