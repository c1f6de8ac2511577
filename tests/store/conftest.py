"""Makers of what the store's tests put in."""

from __future__ import annotations

import itertools
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

from cosmos_core.run import Artifact, Needs, State
from cosmos_core.spec import Prompt, Spec
from cosmos_core.store import NewRun

WORKER = Path(__file__).parent / "worker.py"


def _new_run(number, *, text="A rainy street", backend="preview", **given):
    spec = Spec(
        backend=backend,
        prompt=Prompt(text),
        frames=12,
        fps=24,
        width=64,
        height=48,
        seed=number,
        options={"strength": 0.5, "words": ["é", "日本"]},
    )
    values = {"id": f"r{number:07d}", "name": f"run-{number}", "load_key": "model-a", "seconds": 60.0}
    return NewRun(**(values | {"spec": spec, "needs": Needs(gpus=1, vram_gb=40.5)} | given))


@pytest.fixture
def new_run():
    """Make a run to accept; each call another one, unless it is given an id."""
    numbers = itertools.count(1)
    return lambda **given: _new_run(next(numbers), **given)


@pytest.fixture
def accept(store, new_run):
    """Accept so many like runs."""
    return lambda count=1, **given: store.accept([new_run(**given) for _ in range(count)])


@pytest.fixture
def take(store):
    """Claim as a worker would, each time for another slot unless one is given."""
    slots = itertools.count()

    def claim(**given):
        values = {"owner": "worker-1", "load_key": "model-a", "host": "local", "limit": 8}
        values["slot"] = next(slots)
        return store.claim(**(values | given))

    return claim


@pytest.fixture
def artifact(tmp_path):
    """Make an artifact for a run."""

    def make(run_id, **given):
        values = {
            "attempt": 1,
            "digest": "d" * 64,
            "path": tmp_path / "outputs" / run_id / "video.mp4",
            "bytes": 5_000_000_000,
            "frames": 12,
            "fps": Fraction(30000, 1001),
            "width": 64,
            "height": 48,
            "phashes": (0, 1, 2, 3, 4, 5, 6, 2**64 - 1),
        }
        return Artifact(run=run_id, **(values | given))

    return make


@pytest.fixture
def bring_home(store):
    """Move held runs on to returned."""

    def move(lease, *run_ids):
        for run_id in run_ids:
            store.move(lease, run_id, State.RUNNING)
            store.move(lease, run_id, State.RETURNED)

    return move


@pytest.fixture
def start_worker(store_url, tmp_path):
    """Start a process of its own that opens the store: ``worker.py`` with these words."""
    started = []

    def start(*words, url=store_url):
        argv = [sys.executable, str(WORKER), url, str(tmp_path), *map(str, words)]
        started.append(subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()
