"""Jobs that no batch knows are ended, and no job that somebody may know."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import attrs
import pytest

from cosmos_core import launcher
from cosmos_core.builtin.local.session import LocalSession
from cosmos_core.dispatch import session_to
from cosmos_core.extend import Job, JobState, Transport
from cosmos_core.run import State
from cosmos_core.work import SPARED, Worker, sweep

SLEEPS = Job(argv=(sys.executable, "-c", "import time; time.sleep(60)"))


@pytest.fixture
def host(cosmos):
    """The only host of the test's workspace."""
    return cosmos.settings.each_host()[0]


@pytest.fixture
def stray(cosmos, host):
    """``stray("b1/1/1")``: a job runs under that key, and was put an hour ago."""
    session = session_to(cosmos.site, host)

    def begin(key, age=3600.0):
        handle = session.put(SLEEPS, key)
        session.start(handle, SLEEPS)
        put = time.time() - age
        os.utime(Path(handle.folder, launcher.JOB), (put, put))
        return lambda: session.poll([handle])[key].state

    yield begin
    session.sweep((), age=0.0)


def test_a_worker_ends_what_no_batch_has(cosmos, submit, stray, caplog):
    """
    A job of a batch that the store forgot is ended at the start of the next worker, which says so.
    """
    (run,) = submit("a street")
    Worker(cosmos.site).work(until_idle=True)
    state = stray("bforgotten/1/1")
    Worker(cosmos.site).work(until_idle=True)

    assert JobState.ABSENT == state()
    assert "bforgotten/1/1 belonged to no batch" in caplog.text
    assert State.SEALED == cosmos.store.run(run.id).state


def test_what_an_open_batch_has_goes_on(cosmos, submit, host, stray):
    """
    The job that a batch stored, and the one that it would put next, are known; so is what another host's name holds.
    """
    submit("a street", "a square")
    claim = {"owner": "w", "load_key": "double", "limit": 1}
    put = cosmos.store.claim(host="somewhere", slot=0, **claim)
    cosmos.store.launched(put, job_key=put.batch.key, handle={})
    cosmos.store.expire(["w"])
    later = cosmos.store.adopt(owner="w2", hosts=["somewhere"])
    fresh = cosmos.store.claim(host="local", slot=0, **claim)
    states = [stray(key) for key in (put.batch.key, fresh.batch.key)]
    sweep(cosmos.site, host)

    assert later.batch.job_key == put.batch.key
    assert [JobState.ACTIVE] * 2 == [state() for state in states]


def test_a_store_without_a_past_ends_nothing(cosmos, host, stray):
    """
    A new store in the place of a lost one cannot say what belongs to nobody.
    """
    state = stray("bforgotten/1/1")
    sweep(cosmos.site, host)

    assert JobState.ACTIVE == state()


def test_a_job_that_is_put_while_a_sweep_is_held_up_is_spared(cosmos, submit, host, stray, monkeypatch):
    """
    However long the line to the host takes after the keys were read: what was put since is younger than that.
    """
    (_, _) = submit("a street", "a square")
    cosmos.store.claim(owner="w", load_key="double", host="local", slot=0, limit=1)
    real, states = time.time, []
    transport = cosmos.plugins.find(Transport, host.transport)

    def connect(*where):
        # Two hours pass before the host answers, and ten minutes after the keys were read somebody puts a job.
        states.append(stray("bnew/1/1", age=-600.0))
        states.append(stray("bforgotten/1/1", age=SPARED + 60))
        monkeypatch.setattr(time, "time", lambda: real() + 7200.0)
        return transport.connect(*where)

    owned = attrs.evolve(
        cosmos.plugins._offers[Transport]["local"][0], offer=attrs.evolve(transport, connect=connect)
    )
    monkeypatch.setitem(cosmos.plugins._offers[Transport], "local", [owned])
    sweep(cosmos.site, host)
    monkeypatch.undo()

    assert [JobState.ACTIVE, JobState.ABSENT] == [state() for state in states]


def test_a_host_that_is_away_stops_no_worker(cosmos, submit, monkeypatch, caplog):
    """
    A sweep that fails is a line in the log; runs are worked.
    """
    from cosmos_core.errors import HostError

    def away(*_, **__):
        raise HostError("no route to host")

    monkeypatch.setattr(LocalSession, "sweep", away)
    (run,) = submit("a street")
    cosmos.store.claim(owner="w", load_key="other", host="x", slot=0, limit=1)
    Worker(cosmos.site).work(until_idle=True)
    (other,) = submit("a square")
    Worker(cosmos.site).work(until_idle=True)

    assert {State.SEALED} == {cosmos.store.run(each.id).state for each in (run, other)}
    assert "was not swept: no route to host" in caplog.text


def test_a_worker_sweeps_again_now_and_then(cosmos, submit, stray, monkeypatch):
    """
    What is lost while it works is found too.
    """
    monkeypatch.setattr("cosmos_core.work.SWEEP", 0.2)
    submit("a street")
    Worker(cosmos.site).work(until_idle=True)
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        time.sleep(0.5)
        state = stray("bforgotten/1/1")
        until = time.monotonic() + 60
        while state() is not JobState.ABSENT:
            assert time.monotonic() < until
            time.sleep(0.05)
    finally:
        worker.stop()
        thread.join(timeout=60)
