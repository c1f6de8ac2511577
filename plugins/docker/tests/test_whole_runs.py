"""Runs from the asking to the end, in real containers: sealed, refused, failed, silent, flooding, cancelled."""

from __future__ import annotations

import json
import re
import subprocess
import sys

from cosmos_core.run import State
from cosmos_core.testing.fixtures import ended


def test_each_end_of_a_model_is_called_what_it_is(cosmos, submit, worker):
    """Blocked, failed and silent runs are told apart, each by the model's own files and not by exit codes."""
    expected = {
        "block-prompt": State.BLOCKED,
        "block-video": State.BLOCKED,
        "crash": State.FAILED,
        "hang and be quiet": State.FAILED,
    }
    runs = {text: submit(text)[0] for text in expected}
    settings = cosmos.workspace.root / "cosmos.toml"
    settings.write_text(settings.read_text().replace("[queue]", "[queue]\nbatch = 1"))
    ended(worker())
    after = {text: cosmos.store.run(run.id) for text, run in runs.items()}

    assert expected == {text: run.state for text, run in after.items()}
    assert "no sign of progress" in after["hang and be quiet"].reason


def test_a_gigabyte_of_words_leaves_a_worker_small(cosmos, submit, worker, log_of):
    """The log comes home whole, and the worker's memory does not grow with it."""
    (quiet,) = submit("a street")
    before = int(re.search(r"peak kB (\d+)", ended(worker()))[1])
    (run,) = submit("a flood")
    peak = int(re.search(r"peak kB (\d+)", ended(worker()))[1])
    log = cosmos.workspace.log(cosmos.store.run(run.id).batch)

    assert State.SEALED == cosmos.store.run(quiet.id).state == cosmos.store.run(run.id).state
    assert 1_000_000_000 <= log.stat().st_size
    with log.open("rb") as lines:
        numbers = [int(line[:8]) for line in lines if line[:8].isdigit()]
    assert list(range(10_000)) == numbers
    assert peak - before < 50_000


def test_cancelling_a_stubborn_run_from_the_command_line(
    cosmos, submit, worker, containers, wait_for, log_of
):
    """A container that ignores TERM is killed, which is what was asked for: the run is cancelled, not failed."""
    (run,) = submit("a stubborn street")
    process = worker()
    wait_for(lambda: "Processing sample" in log_of(run))
    words = [sys.executable, "-m", "cosmos_core.cli", "cancel", run.id]
    assert 0 == subprocess.run(words, capture_output=True, check=False).returncode
    ended(process)
    after = cosmos.store.run(run.id)

    assert State.CANCELLED == after.state, after.reason
    assert [] == containers()


def test_a_run_goes_the_public_way_from_words_to_a_sealed_artifact(cosmos, containers):
    """``cosmos run`` with a container host in cosmos.toml, and an artifact whose bytes were verified."""
    asked = ["run", "a street", "--backend", "boxed", "--frames", "6", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "cosmos_core.cli", *asked], capture_output=True, text=True, check=False
    )
    assert 0 == done.returncode, done.stderr
    (listed,) = json.loads(done.stdout)["runs"]
    run = cosmos.store.run(listed["id"])

    assert State.SEALED == run.state
    assert run.artifact.path.is_file()
    assert [] == containers()
