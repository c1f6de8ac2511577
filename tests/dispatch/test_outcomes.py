"""How runs end: each misbehaviour of a model by its own name, and nothing false is ever sealed."""

from __future__ import annotations

import errno
import os
import threading
import time
from itertools import pairwise

import attrs
import pytest

from cosmos_core.dispatch import carry
from cosmos_core.errors import HostError
from cosmos_core.extend import Transport
from cosmos_core.hosts import Host
from cosmos_core.run import State
from cosmos_core.store import LeaseLost
from cosmos_core.work import Worker


def work(cosmos):
    Worker(cosmos.site).work(until_idle=True)


@pytest.mark.parametrize(
    ("prompt", "state", "said"),
    [
        ("a street", State.SEALED, ""),
        ("block-prompt", State.BLOCKED, "guardrail"),
        ("block-video", State.BLOCKED, "guardrail"),
        ("crash", State.FAILED, "exit code 1"),
        ("oom", State.FAILED, "137"),
        ("cut", State.REJECTED, ""),
        ("pointer", State.REJECTED, "pointer"),
        ("html", State.REJECTED, ""),
        ("empty", State.REJECTED, ""),
        ("black", State.REJECTED, "black"),
        ("frozen", State.REJECTED, ""),
        ("short", State.REJECTED, "frames"),
    ],
)
def test_each_misbehaviour_has_its_own_ending(cosmos, submit, prompt, state, said):
    """
    The run ends in the state that tells what happened, with a reason a person can act on.
    """
    (run,) = submit(prompt, frames=12)
    work(cosmos)
    run = cosmos.store.run(run.id)

    assert state == run.state, run.reason
    assert said in run.reason
    assert (run.artifact is not None) == (state is State.SEALED)


def test_a_sealed_artifact_is_what_was_asked_and_is_announced(cosmos, submit, recorder):
    """
    Frames, rate and size are those of the request; moves and the seal are told in order.
    """
    (run,) = submit("a street", frames=9)
    work(cosmos)
    made = cosmos.store.run(run.id).artifact

    assert (9, 24, 64, 48) == (made.frames, made.fps, made.width, made.height)
    assert ["placed", "running", "returned", "sealed"] == [after for _, _, after in recorder.moves]
    assert [run.id] == recorder.sealed


def test_one_bad_sample_costs_the_batch_nothing_but_itself(cosmos, submit):
    """
    A crash in the middle of a batch fails one run; those behind it are queued again and sealed.
    """
    runs = submit("a street", "a square", "crash", "a bridge", "a tunnel", "a dock", "a lane", "a mall")
    work(cosmos)
    after = {run.spec.prompt.text: cosmos.store.run(run.id) for run in runs}

    assert State.FAILED == after.pop("crash").state
    assert {State.SEALED} == {run.state for run in after.values()}


def test_a_finished_run_is_sealed_while_its_batch_goes_on(cosmos, submit, monkeypatch, wait_for):
    """
    Nobody waits for the last of a batch to see the first; a result that is home is not judged twice.
    """
    monkeypatch.setattr("cosmos_core.dispatch.HARVEST", 0.1)
    quick, slow, *_ = submit("a street", "a slow square", "a lane", "a dock", frames=5)
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work, kwargs={"until_idle": True})
    thread.start()
    wait_for(lambda: cosmos.store.run(quick.id).state is State.SEALED)

    assert State.RUNNING == cosmos.store.run(slow.id).state
    thread.join(timeout=60)
    after = cosmos.store.run(quick.id), cosmos.store.run(slow.id)
    assert [(State.SEALED, 1), (State.SEALED, 1)] == [(run.state, run.attempt) for run in after]
    assert after[0].batch == after[1].batch
    assert 1 == len(list((cosmos.workspace.outputs / quick.id).iterdir()))


def test_a_broken_result_is_rejected_while_its_batch_goes_on(cosmos, submit, monkeypatch, wait_for):
    """
    What is judged early is judged as strictly.
    """
    monkeypatch.setattr("cosmos_core.dispatch.HARVEST", 0.1)
    broken, slow, *_ = submit("a cut street", "a slow square", "a lane", "a dock", frames=5)
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work, kwargs={"until_idle": True})
    thread.start()
    wait_for(lambda: cosmos.store.run(broken.id).state is State.REJECTED)

    assert State.RUNNING == cosmos.store.run(slow.id).state
    thread.join(timeout=60)
    assert State.SEALED == cosmos.store.run(slow.id).state


def test_loads_on_one_host_are_staggered(cosmos, submit, monkeypatch):
    """
    Where there are GPUs, the second slot of a host begins no sooner than its stagger after the first.
    """
    gpus = Host(name="local", slots=3, gpus=3, gpu="h100", stagger=1.5)
    monkeypatch.setattr(type(cosmos.settings), "each_host", lambda _: (gpus,))
    # Slow, so that each is still there when the next may begin.
    submit(*(f"a slow street {number}" for number in range(3)), frames=4)
    opened = []
    claim = cosmos.store.claim

    def noted(**facts):
        if lease := claim(**facts):
            opened.append((time.monotonic(), facts["slot"]))
        return lease

    monkeypatch.setattr(cosmos.store, "claim", noted)
    work(cosmos)
    apart = [after - before for (before, _), (after, _) in pairwise(opened)]

    assert 3 == len(opened)
    assert all(gap > 1.3 for gap in apart), apart


def test_equal_bytes_under_two_recipes_are_not_sealed_twice(cosmos, submit, monkeypatch):
    """
    Two requests that differ may not end in one file: the second is rejected as a duplicate of the first.
    """
    from cosmos_core.testing import double

    monkeypatch.setattr(
        double, "_arguments", lambda request, real=double._arguments: {**real(request), "digest": "0" * 64}
    )
    runs = submit("a street", "another street")
    work(cosmos)
    states = sorted(cosmos.store.run(run.id).state for run in runs)
    rejected = next(
        each for each in (cosmos.store.run(run.id) for run in runs) if each.state is State.REJECTED
    )

    assert [State.REJECTED, State.SEALED] == states
    assert "same" in rejected.reason or "equal" in rejected.reason or "identical" in rejected.reason


@pytest.mark.parametrize("prompt", ["hang", "stubborn"])
def test_cancelling_stops_the_job_and_says_so(cosmos, submit, prompt, wait_for):
    """
    A cancelled run is cancelled, not failed, even if its process had to be killed.
    """
    (run,) = submit(prompt)
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work, kwargs={"until_idle": True})
    thread.start()
    wait_for(lambda: cosmos.store.run(run.id).state is State.RUNNING)
    cosmos.store.cancel(run.id)
    thread.join(timeout=60)

    assert not thread.is_alive()
    assert State.CANCELLED == cosmos.store.run(run.id).state
    assert () == cosmos.store.leases()


def test_a_worker_that_is_asked_to_go_leaves_the_job_running(cosmos, submit, wait_for):
    """
    Ctrl-C ends the worker, not the job; the next worker follows it to its end at once.
    """
    (run,) = submit("slow", frames=3)
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work)
    thread.start()
    wait_for(lambda: cosmos.store.run(run.id).state is State.RUNNING)
    worker.stop()
    thread.join(timeout=60)
    assert State.RUNNING == cosmos.store.run(run.id).state

    work(cosmos)

    after = cosmos.store.run(run.id)
    assert (State.SEALED, 1) == (after.state, after.attempt)


def test_a_paused_queue_starts_nothing_and_goes_on_when_resumed(cosmos, submit):
    """
    Pausing keeps runs where they are.
    """
    (run,) = submit("a street")
    cosmos.store.pause("lunch")
    work(cosmos)
    assert State.QUEUED == cosmos.store.run(run.id).state

    cosmos.store.resume()
    work(cosmos)
    assert State.SEALED == cosmos.store.run(run.id).state


def test_losing_the_line_is_not_failure(cosmos, submit, monkeypatch):
    """
    Twenty-five failed polls cause no relaunch and no kill.
    """
    failures = iter(range(25))
    real = cosmos.plugins.find(Transport, "local")

    def connect(host, state):
        session = real.connect(host, state)
        poll = session.poll

        def flaky(handles):
            if next(failures, None) is not None and handles:
                raise HostError("no route to host")
            return poll(handles)

        monkeypatch.setattr(session, "poll", flaky, raising=False)
        return session

    monkeypatch.setattr("cosmos_core.dispatch.LONGEST_BACKOFF", 0.05)
    monkeypatch.setitem(
        cosmos.plugins._offers[Transport],
        "local",
        [
            attrs.evolve(
                cosmos.plugins._offers[Transport]["local"][0], offer=attrs.evolve(real, connect=connect)
            )
        ],
    )
    (run,) = submit("a street")
    work(cosmos)
    after = cosmos.store.run(run.id)

    assert (State.SEALED, 1) == (after.state, after.attempt)
    assert None is next(failures, None)


def test_a_full_disk_pauses_the_queue_and_costs_no_run(cosmos, submit, monkeypatch):
    """
    The run waits with the reason in sight; after resuming it is sealed.
    """
    full = iter([True])

    def get(self, *args, real=None, **kwargs):
        if next(full, False):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return original(self, *args, **kwargs)

    from cosmos_core.builtin.local.session import LocalSession

    original = LocalSession.get
    monkeypatch.setattr(LocalSession, "get", get)
    (run,) = submit("a street")
    work(cosmos)

    assert "No space left" in cosmos.store.paused()
    assert not cosmos.store.run(run.id).state.is_final

    cosmos.store.resume()
    work(cosmos)
    assert State.SEALED == cosmos.store.run(run.id).state


def test_a_worker_that_lost_its_lease_publishes_nothing(cosmos, submit):
    """
    The fence stops a worker that slept through its lease, at its next word to the store.
    """
    (run,) = submit("a street")
    host = cosmos.settings.each_host()[0]
    (seat,) = Worker(cosmos.site)._seats
    lease = cosmos.store.claim(
        owner="sleeper", load_key="double", host=seat.place, slot=0, limit=1, lease=0.01
    )
    time.sleep(0.05)
    taken = cosmos.store.adopt(owner="taker", hosts=[seat.place])

    with pytest.raises(LeaseLost):
        carry(cosmos.site, lease, host, seat.slot, threading.Event())

    assert taken.batch.fence == lease.batch.fence + 1
    assert cosmos.store.run(run.id).artifact is None


def test_an_error_nobody_foresaw_costs_attempts_and_not_the_worker(cosmos, submit, monkeypatch):
    """
    A backend whose compile raises fails its own runs, with the reason, and the next run is worked.
    """
    from cosmos_core.testing import double

    real = double._compile

    def compile_badly(batch, slot):
        if any("boom" in request.spec.prompt.text for request in batch.requests):
            raise ZeroDivisionError("in somebody's plugin")
        return real(batch, slot)

    monkeypatch.setattr(double, "_compile", compile_badly)
    cosmos.settings  # noqa: B018 (opened before the plugin is asked)
    bad, good = submit("boom", "a street")
    object.__setattr__(
        cosmos, "settings", attrs.evolve(cosmos.settings, queue=attrs.evolve(cosmos.settings.queue, batch=1))
    )
    work(cosmos)

    assert (State.FAILED, State.SEALED) == (cosmos.store.run(bad.id).state, cosmos.store.run(good.id).state)
    assert "in somebody's plugin" in cosmos.store.run(bad.id).reason


def test_a_duplicate_of_long_ago_is_seen(cosmos, submit, monkeypatch):
    """
    A video that starts like one behind a thousand newer ones is looked at, and so is an exact copy of it.
    """
    from cosmos_core.testing import double

    monkeypatch.setattr(
        double, "_arguments", lambda request, real=double._arguments: {**real(request), "digest": "0" * 64}
    )
    (old,) = submit("a street", frames=12)
    work(cosmos)
    _bury_under(cosmos, submit(*["a square"] * 1000))
    (starts_alike,) = submit("another street", frames=8)
    (equal,) = submit("a third street", frames=12)
    work(cosmos)
    said = {
        run.id: {finding.check: finding.message for finding in cosmos.store.attempts(run.id)[-1].findings}
        for run in (starts_alike, equal)
    }

    assert old.id not in {made.run for made in cosmos.store.artifacts()}
    assert f"({old.id}) starts with" in said[starts_alike.id]["dup.prefix"]
    assert f"({old.id}), asked for differently" in said[equal.id]["dup.exact"]
    assert State.REJECTED is cosmos.store.run(equal.id).state


def _bury_under(cosmos, runs):
    """Seal *runs* by a statement, with hashes that nothing has."""
    with cosmos.store._db.write() as connection:
        connection.exec_driver_sql(
            "INSERT INTO artifact SELECT id, 1, id, id || '.mp4', 1, 93, '24', 64, 48, created, randomblob(64)"
            f" FROM run WHERE seq >= {runs[0].seq}"
        )
        connection.exec_driver_sql(f"UPDATE run SET state = 'sealed' WHERE seq >= {runs[0].seq}")
