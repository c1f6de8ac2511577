"""Many small runs through one worker: its memory stays where it is, and a new run is placed at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cosmos_core.run import State

SOAK = Path(__file__).with_name("soak.py")
RUNS = 200
GROWTH = 20_000_000


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_two_hundred_runs_cost_no_memory_and_no_time(cosmos, submit, published):
    """
    Two slots, 200 runs of one frame: all sealed once, and over the last half memory grows by less than 20 MB.
    """
    cosmos.workspace.settings.write_text("steps = []\n[queue]\npoll = 0.05\n[hosts.local]\nslots = 2\n")
    submit(*[f"a street {number}" for number in range(RUNS)], frames=1)
    said = subprocess.run(
        [sys.executable, str(SOAK), str(cosmos.workspace.root), "10"],
        capture_output=True,
        text=True,
        check=True,
        timeout=250,
    )
    *sealed, last = map(json.loads, said.stdout.splitlines())
    resident = [line["resident"] for line in sealed]
    grown = max(resident[RUNS // 2 :]) - resident[RUNS // 2]
    print(
        f"memory {resident[-1] / 1e6:.0f} MB, grown by {grown / 1e6:.1f} MB; p95 to be placed {last['p95']:.2f} s"
    )

    assert RUNS == len(sealed) == len(published()) == cosmos.store.counts()[State.SEALED]
    assert grown < GROWTH
    assert last["p95"] < 1.0
    assert () == cosmos.store.leases()
    assert [] == list(cosmos.workspace.host("local").glob("jobs/*"))
