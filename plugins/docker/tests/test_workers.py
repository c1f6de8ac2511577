"""Workers that die and race while a real container works: it is adopted, never started twice."""

from __future__ import annotations

import re
import signal

import pytest

from cosmos_core.run import State
from cosmos_core.testing.fixtures import ended

STEPS = [
    "put:after",
    "docker-create:after",
    "docker-start:after",
    "read:after",
    "get:after",
    "docker-rm:after",
]


def lines_of(log, run):
    """The numbers of the lines that a run's sample printed."""
    return [int(number) for number in re.findall(rf"line {run.id} (\d+)", log)]


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_any_step_costs_nothing(cosmos, submit, worker, log_of, containers, step):
    """The next one adopts the container: one start, every line once, one artifact, and nothing left behind."""
    (run,) = submit("a slow street" if step == "read:after" else "a street")
    ended(worker(step), -signal.SIGKILL)
    ended(worker())
    after = cosmos.store.run(run.id)

    assert (State.SEALED, 1) == (after.state, after.attempt), after.reason
    assert list(range(35)) == lines_of(log_of(run), run)
    assert 1 == log_of(run).count("Processing sample")
    assert [] == containers()
    assert 1 == len(list(cosmos.workspace.outputs.rglob("*.mp4")))


@pytest.mark.parametrize("step", ["get:before", "get:after"])
def test_a_container_stays_until_its_outputs_are_home(cosmos, submit, worker, containers, step):
    """Whoever dies while they come home, before or after, finds the container still there; then it goes."""
    (run,) = submit("a street")
    ended(worker(step), -signal.SIGKILL)
    left = containers()
    ended(worker())

    assert 1 == len(left)
    assert [] == containers()
    assert State.SEALED == cosmos.store.run(run.id).state


def test_two_workers_race_for_one_host(cosmos, submit, worker, log_of, containers):
    """Four runs, one slot, two workers: each sealed once, in its first attempt."""
    runs = submit(*["a street"] * 4)
    for process in (worker(), worker()):
        ended(process)
    after = [cosmos.store.run(run.id) for run in runs]

    assert [(State.SEALED, 1)] * 4 == [(run.state, run.attempt) for run in after]
    assert [list(range(35))] * 4 == [lines_of(log_of(run), run) for run in runs]
    assert [] == containers()
