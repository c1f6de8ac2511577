"""A worker here, containers there, and a line between them that is cut: nobody starts anything twice."""

from __future__ import annotations

import re
import signal

import pytest

from cosmos_core.run import State


@pytest.fixture
def host_table(sshd, tmp_path):
    """A host with an address: the same transport, laid over SSH."""
    made = sshd.host()
    return {"transport": "docker", "address": made.address, "root": str(tmp_path / "far")}


@pytest.fixture
def host_options(host_options, sshd):
    return host_options | {"config": str(sshd.config)}


def test_a_run_survives_its_worker_and_its_line(cosmos, submit, worker, log_of, sshd, wait_for, containers):
    """The worker is killed while it reads, the next one's connections are cut: one start, every line once, one artifact."""
    (run,) = submit("a slow street")
    first = worker("read:after")
    first.communicate(timeout=120)
    second = worker()
    wait_for(lambda: f"line {run.id} 5" in log_of(run))
    cut = sshd.cut()
    said, _ = second.communicate(timeout=120)
    after = cosmos.store.run(run.id)

    assert (-signal.SIGKILL, 0) == (first.returncode, second.returncode), said
    assert cut
    assert (State.SEALED, 1) == (after.state, after.attempt), after.reason
    assert list(range(35)) == [int(number) for number in re.findall(rf"line {run.id} (\d+)", log_of(run))]
    assert [] == containers()


def test_a_run_is_cancelled_over_a_line(cosmos, submit, worker, log_of, wait_for, containers):
    """The word that ends the launcher goes the same way as everything else."""
    (run,) = submit("hang")
    process = worker()
    wait_for(lambda: "Processing sample" in log_of(run))
    cosmos.cancel(run.id)
    process.communicate(timeout=120)

    assert State.CANCELLED == cosmos.store.run(run.id).state
    assert [] == containers()
