"""kill -9 of a worker at every step: the next worker finishes the work, loses nothing and publishes nothing twice."""

from __future__ import annotations

import json
import signal
import time

import pytest

from cosmos_core.run import MOVES, State

LONGEST_RECOVERY = 60.0

STEPS = [
    "claim:after",
    "launched:before",
    "launched:after",
    "put:before",
    "put:after",
    "start:before",
    "start:after",
    "read:after",
    "poll:after",
    "get:before",
    "get:after",
    "seal:before",
    "seal:after",
    "remove:before",
    "remove:after",
    "finish:before",
    "finish:after",
]


def recover(cosmos, worker, runs):
    """Start a fresh worker and give the runs once it is done, with the seconds it took."""
    began = time.monotonic()
    process = worker()
    said, _ = process.communicate(timeout=LONGEST_RECOVERY)
    assert 0 == process.returncode, said
    return [cosmos.store.run(run.id) for run in runs], time.monotonic() - began


def killed(process):
    said, _ = process.communicate(timeout=LONGEST_RECOVERY)
    assert -signal.SIGKILL == process.returncode, said


def published(cosmos):
    return sorted(path for path in cosmos.workspace.outputs.rglob("*.mp4"))


@pytest.mark.parametrize("step", STEPS)
def test_a_worker_killed_at_any_step_costs_nothing(cosmos, submit, worker, step):
    """
    The run is sealed by the next worker within a minute, once, and its job ran once.
    """
    runs = submit("a street")
    killed(worker(step))

    (run,), seconds = recover(cosmos, worker, runs)

    assert State.SEALED == run.state, run.reason
    assert seconds < LONGEST_RECOVERY
    assert [run.artifact.path] == published(cosmos)
    assert () == cosmos.store.leases()
    log = cosmos.workspace.log(run.batch).read_text()
    assert 1 == log.count(f"Processing sample {run.id}")


@pytest.mark.parametrize(
    ("prompt", "state"),
    [
        ("a street", State.PLACED),
        ("a street", State.RUNNING),
        ("a street", State.RETURNED),
        ("a street", State.SEALED),
        ("black", State.REJECTED),
        ("crash", State.FAILED),
        ("block-prompt", State.BLOCKED),
    ],
)
def test_a_worker_killed_right_after_any_move_costs_nothing(cosmos, submit, worker, prompt, state):
    """
    Whatever the move was, the run ends where it would have ended, and every move is one of the table.
    """
    runs = submit(prompt)
    killed(worker(f"moved:{state}"))

    (run,), seconds = recover(cosmos, worker, runs)

    expected = {
        "a street": State.SEALED,
        "black": State.REJECTED,
        "crash": State.FAILED,
        "block-prompt": State.BLOCKED,
    }
    assert expected[prompt] == run.state, run.reason
    assert seconds < LONGEST_RECOVERY
    moves = [(event.before, event.after) for event in cosmos.store.events(run.id) if event.before]
    assert [] == [(before, after) for before, after in moves if after not in MOVES[before]]
    assert 1 == sum(after is expected[prompt] for _, after in moves)


def test_the_table_of_moves_is_walked_by_these_tests():
    """
    Every state that a worker moves a run to is one that a worker is killed after.
    """
    tested = {
        State.PLACED,
        State.RUNNING,
        State.RETURNED,
        State.SEALED,
        State.REJECTED,
        State.FAILED,
        State.BLOCKED,
    }

    assert set(State) - tested == {State.QUEUED, State.CANCELLED}


def test_a_run_cancelled_while_its_worker_is_dead_is_cancelled_by_the_next(cosmos, submit, worker):
    """
    The wish outlives the worker that should have heard it; the job is stopped, not forgotten.
    """
    (run,) = submit("hang")
    killed(worker("moved:running"))
    cosmos.store.cancel(run.id)

    (run,), _ = recover(cosmos, worker, [run])

    assert State.CANCELLED == run.state


def test_a_job_that_vanished_is_queued_again_and_then_fails_with_the_reason(cosmos, submit, worker):
    """
    When the host has forgotten a started job, the run gets its attempts, not an eternal wait.
    """
    import shutil

    (run,) = submit("hang")
    for _ in range(3):
        killed(worker("moved:running"))
        jobs = next(cosmos.workspace.host("local").rglob("jobs"))
        for folder in jobs.iterdir():
            (folder / "stop").write_text("cancelled")
            deadline = time.monotonic() + 60
            while not (folder / "exit.json").exists() and time.monotonic() < deadline:
                time.sleep(0.05)
            shutil.rmtree(folder)
        process = worker("moved:queued")
        process.communicate(timeout=LONGEST_RECOVERY)
        run = cosmos.store.run(run.id)
        if run.state.is_final:
            break

    assert State.FAILED == run.state
    assert 3 == run.attempt
    assert "trace" in run.reason or "gone" in run.reason


def test_what_was_sealed_is_followed_by_its_steps_after_a_crash(cosmos, submit, worker):
    """
    A worker that dies between the seal and the steps leaves them to the next one.
    """
    runs = submit("a street")
    killed(worker("seal:after"))
    (run,), _ = recover(cosmos, worker, runs)

    beside = {path.name for path in run.artifact.path.parent.iterdir()}

    assert {"artifact.json", "contact.jpg", "poster.jpg"} <= beside


def test_two_workers_share_a_queue_and_no_run(cosmos, submit, worker):
    """
    Twelve runs, two workers, each run sealed once; each event of a run is written by one worker at a time.
    """
    runs = submit(*["a street"] * 12)
    one, other = worker(), worker()
    for process in (one, other):
        said, _ = process.communicate(timeout=120)
        assert 0 == process.returncode, said

    after = [cosmos.store.run(run.id) for run in runs]

    assert {State.SEALED} == {run.state for run in after}
    assert {1} == {run.attempt for run in after}
    journal = (cosmos.workspace.state / "journal.jsonl").read_text().splitlines()
    sealed = [line["sealed"] for line in map(json.loads, journal) if "sealed" in line]
    assert sorted(run.id for run in runs) == sorted(sealed)
