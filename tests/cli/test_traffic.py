"""A long way to a host and home, as people and programs see it."""

from __future__ import annotations

import json

import pytest

from cosmos_core.run import State
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


@pytest.fixture
def held(say, double, here):
    """A run that is held, the open workspace and the lease."""
    from cosmos_core.api import Cosmos

    (run,) = say("submit", "a street", "--backend", "double", "--json").facts["runs"]
    with Cosmos(here.root) as cosmos:
        (waiting,) = cosmos.store.waiting(limit=1)
        lease = cosmos.store.claim(owner="w", load_key=waiting.load_key, host="far", slot=0, limit=1)
        yield run["id"], cosmos, lease


OUT = Traffic(way="out", done=12_000_000, total=200_000_000)
HOME = Traffic(way="home", done=3_000_000, total=6_000_000)


def _end(cosmos, lease, run):
    cosmos.workspace.log(lease.batch.id).parent.mkdir(parents=True, exist_ok=True)
    cosmos.workspace.log(lease.batch.id).write_text("Processing sample\n")
    cosmos.store.tell_traffic(lease, None)
    cosmos.store.move(lease, run, State.FAILED, reason="over")


def test_whoever_follows_a_log_hears_of_bytes_on_their_way(begin, held):
    """Beside the log, which alone is what a pipe gets, and only while they move."""
    run, cosmos, lease = held
    cosmos.store.tell_traffic(lease, OUT)
    follower = begin("logs", run, "-f")
    out = next(line for line in follower.stderr if "sending" in line)
    cosmos.store.tell_traffic(lease, HOME)
    home = next(line for line in follower.stderr if "fetching" in line)
    _end(cosmos, lease, run)
    said, err = follower.communicate(timeout=60)

    assert f"{lease.batch.id} far: sending, 12.0 MB of 200.0 MB" in out
    assert f"{lease.batch.id} far: fetching, 3.0 MB of 6.0 MB" in home
    assert "Processing sample\n" == said
    assert f"failed  {run}: over" in err


def test_a_program_that_follows_a_log_gets_bytes_as_events(begin, held):
    """One line of JSON now and then, between those of the log."""
    run, cosmos, lease = held
    cosmos.store.tell_traffic(lease, OUT)
    follower = begin("logs", run, "-f", "--json")
    lines = map(json.loads, follower.stdout)
    out = next(line["traffic"] for line in lines if line["traffic"]["way"] == "out")
    cosmos.store.tell_traffic(lease, HOME)
    home = next(line["traffic"] for line in lines if line["traffic"]["way"] == "home")
    _end(cosmos, lease, run)
    *_, log, last = lines

    assert (12_000_000, 200_000_000) == (out["done"], out["total"])
    assert (3_000_000, 6_000_000) == (home["done"], home["total"])
    assert {"run": run, "line": "Processing sample"} == log
    assert ("failed", "over") == (last["state"], last["reason"])


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
