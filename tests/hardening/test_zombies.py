"""A worker that sleeps through its lease and wakes: the run is the other one's by then, and stays as it ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from cosmos_core.run import State

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a process cannot be stopped there")

WORKER = Path(__file__).with_name("worker.py")
SHORT = "[queue]\nlease = 1.2\nheartbeat = 0.3\npoll = 0.05\n"


@pytest.fixture
def cosmos(cosmos):
    """The workspace, with leases of a second."""
    cosmos.workspace.settings.write_text(SHORT)
    from cosmos_core import settings

    object.__setattr__(cosmos, "settings", settings.load(cosmos.workspace))
    return cosmos


def is_stopped(process):
    return Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="a stopped process is seen in /proc")
@pytest.mark.parametrize("verb", ["put", "start", "get", "artifacts", "seal", "finish"])
def test_a_zombie_publishes_nothing_and_leaves_nothing(cosmos, submit, work, wait_for, published, verb):
    """
    Stopped before any of its words, it hears that another worker has the batch; one artifact, one seal, no leftovers.
    """
    (run,) = submit("a street")
    zombie = subprocess.Popen(
        [sys.executable, str(WORKER), str(cosmos.workspace.root), verb],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(lambda: is_stopped(zombie))
        work()
        sealed = cosmos.store.run(run.id)
        assert State.SEALED == sealed.state
        zombie.send_signal(signal.SIGCONT)
        said, _ = zombie.communicate(timeout=60)
    finally:
        zombie.kill()
        zombie.communicate()
    after = cosmos.store.run(run.id)

    assert 0 == zombie.returncode, said
    assert sealed == after
    assert (1, [after.artifact.path]) == (after.attempt, published())
    assert [after.artifact.path.parent] == list((cosmos.workspace.outputs / run.id).iterdir())
    journal = map(json.loads, (cosmos.workspace.state / "journal.jsonl").read_text().splitlines())
    assert [run.id] == [line["sealed"] for line in journal if "sealed" in line]
    assert [] == list(cosmos.workspace.host("local").glob("jobs/*"))
    assert "Traceback" not in said


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("verb", ["work", "run"])
def test_signals_at_any_time_cost_nothing(cosmos, street, submit, work, begin, published, verb, stop):
    """
    Workers ended at odd moments, by fixed seeds; the next one finishes everything, once.
    """
    import random
    import time

    moments = random.Random(f"{verb} {stop}")
    runs = submit(*["a street"] * 3)
    for number in range(2):
        words = ["work"] if verb == "work" else ["run", "a street", "--backend", "double", "--clip", "street"]
        process = begin(*words, *(["--seed", str(number)] if verb == "run" else []))
        time.sleep(moments.uniform(0.3, 2.5))
        process.send_signal(stop)
        _, err = process.communicate(timeout=60)
        assert "bug in cosmos" not in err
    work()
    counts = cosmos.store.counts()

    assert {State.SEALED: sum(counts.values())} == {state: count for state, count in counts.items() if count}
    assert len(runs) <= counts[State.SEALED] == len(published())
    assert {1} == {cosmos.store.run(run.id).attempt for run in runs}
    assert () == cosmos.store.leases()
