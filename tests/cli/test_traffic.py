"""A long way to a host and home, as people and programs see it."""

from __future__ import annotations

import json

import pytest

from cosmos_core.store import Traffic

SLOW = """
import time
from cosmos_core import hookimpl
from cosmos_core.extend import Transport, silent

class Slow:
    def __init__(self, below): self.below = below
    def __getattr__(self, name): return getattr(self.below, name)
    def put(self, job, key, report=silent):
        move(report)
        return self.below.put(job, key)
    def get(self, handle, names, into, report=silent):
        move(report)
        return self.below.get(handle, names, into)

def move(report):
    for done in range(0, 90):
        report(done * 1_000_000, 200_000_000, "color.mp4")
        time.sleep(0.05)

@hookimpl
def cosmos_transports():
    yield Transport(name="slow", summary="A long line.", over=lambda host: "local", lay=lambda below, host, state: Slow(below))
"""


@pytest.fixture
def slow(plugin, double, here):
    """A workspace whose one host is far away."""
    plugin("cosmos-core-slow", {"slow": "slow_of_test"}, {"slow_of_test.py": SLOW})
    with here.settings.open("a") as file:
        file.write('\n[hosts.local]\nslots = 0\n\n[hosts.far]\ntransport = "slow"\n')
    return here


def test_a_long_way_is_seen_by_everybody(say, slow, begin, wait_for):
    """Bytes, rate and time left: in status, in show, and in the lines of a worker that a program reads."""
    (run,) = say("submit", "a street", "--backend", "double", "--json").facts["runs"]
    process = begin("work", "--until-idle", "--json")

    def moving():
        found = [each["traffic"] for each in say("status", "--json").facts["leases"] if each["traffic"]]
        return found[0] if found and found[0]["rate"] else None

    out = wait_for(moving)
    shown = say("status").out
    one = say("show", run["id"]).out
    facts = say("show", run["id"], "--json").facts["traffic"]
    home = wait_for(lambda: (found := moving()) and found["way"] == "home" and found)
    said, _ = process.communicate(timeout=60)
    lines = [json.loads(line) for line in said.splitlines()]

    assert ("out", 200_000_000) == (out["way"], out["total"])
    assert 0 < out["done"] < 90_000_000
    assert 2_000_000 < out["rate"] < 30_000_000
    assert out["seconds_left"] > 1
    for text in (shown, one):
        assert "sending" in text
        assert "of 200.0 MB" in text
        assert "MB/s" in text
        assert " left" in text
    assert ("out", 200_000_000) == (facts["way"], facts["total"])
    assert 200_000_000 == home["total"]
    assert {"out", "home"} == {line["traffic"]["way"] for line in lines if "traffic" in line}
    assert "sealed" == [line["to"] for line in lines if "to" in line][-1]
    assert [] == say("status", "--json").facts["leases"]


def test_whoever_waits_for_a_run_sees_it_too(program, slow):
    """Without a terminal a line when it begins, with the size of the whole."""
    said = program("run", "a street", "--backend", "double")

    assert 0 == said.code, said.err
    assert "far: sending, " in said.err
    assert "far: fetching, " in said.err
    assert "of 200.0 MB" in said.err


@pytest.mark.parametrize(
    ("moving", "expected"),
    [
        (None, ""),
        (Traffic(way="out", done=0, total=0), "sending 0 B of 0 B"),
        (Traffic(way="out", done=0, total=2_000_000), "sending 0 B of 2.0 MB (0%)"),
        (
            Traffic(way="home", done=12_000_000, total=210_000_000, rate=3_100_000.0, seconds_left=63.9),
            "fetching 12.0 MB of 210.0 MB (6%), 3.1 MB/s, 1 min 04 s left",
        ),
    ],
)
def test_bytes_are_said_in_a_sentence(moving, expected):
    """What nobody can say is left out."""
    from cosmos_core.cli import say

    assert expected == say.traffic(moving)
