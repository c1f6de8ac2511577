"""The engine goes away under running jobs: losing sight of them is not their failure, and what is said later is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from cosmos_core.errors import HostError
from cosmos_core.extend import Exit, JobState
from cosmos_core.run import State

LAST = """
import os, time
print("on", flush=True)
while not os.path.exists("go"): time.sleep(0.05)
raise SystemExit(4)
"""
WAIT = "import time; print('on', flush=True); time.sleep(600)"


@pytest.fixture(autouse=True)
def engine_is_back(dockerd):
    """Whatever a test did to the engine, the next one finds it up."""
    yield
    if not dockerd.runs:
        dockerd.start()


def test_a_job_that_ends_while_its_engine_is_away_has_its_exit(dockerd, session, begin, says, end_of):
    """The launcher's file tells it, and nobody needs the engine for that."""
    handle = begin(LAST)
    says(session, handle, b"on")
    dockerd.kill()
    with pytest.raises(HostError, match="no Docker engine answers"):
        session.poll([handle])
    Path(handle.folder, "go").touch()
    while session.below.left([handle])[handle.key].state is JobState.ACTIVE:
        pass

    assert Exit(code=4) == session.poll([handle])[handle.key].exit
    dockerd.start()
    assert Exit(code=4) == end_of(session, handle).exit


@pytest.mark.parametrize("end", ["kill", "stop"])
def test_a_job_that_its_engine_ended_is_lost(dockerd, session, begin, says, end_of, end):
    """Without live-restore an engine ends its containers, as it goes or as it comes back: neither failed nor cancelled."""
    handle = begin(WAIT)
    says(session, handle, b"on")
    getattr(dockerd, end)()
    dockerd.start()
    status = end_of(session, handle)

    assert JobState.LOST == status.state
    assert "from outside" in status.reason


def test_a_run_survives_an_engine_that_crashed_and_comes_back(
    dockerd, cosmos, submit, worker, log_of, wait_for, containers
):
    """The worker waits, the work of the container is not begun anew, and it is cleared away once the engine is back."""
    (run,) = submit("a slow street")
    process = worker()
    wait_for(lambda: f"line {run.id} 3" in log_of(run))
    dockerd.kill()
    wait_for(lambda: f"line {run.id} 34" in log_of(run))
    dockerd.start()
    said, _ = process.communicate(timeout=120)
    after = cosmos.store.run(run.id)

    assert 0 == process.returncode, said
    assert "no Docker engine answers" in said
    assert (State.SEALED, 1) == (after.state, after.attempt), after.reason
    assert [] == containers()


def test_a_run_whose_container_the_engine_ended_gets_another_attempt(
    dockerd, cosmos, submit, worker, log_of, wait_for, containers
):
    """It is not called failed for what happened to its engine."""
    (run,) = submit("a slow street")
    process = worker()
    wait_for(lambda: f"line {run.id} 1" in log_of(run))
    dockerd.stop()
    dockerd.start()
    said, _ = process.communicate(timeout=120)
    after = cosmos.store.run(run.id)

    assert 0 == process.returncode, said
    assert (State.SEALED, 2) == (after.state, after.attempt), after.reason
    assert [] == containers()
