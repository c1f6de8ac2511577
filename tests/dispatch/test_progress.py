"""What the lines of a log make of a run's bar."""

from __future__ import annotations

from cosmos_core.dispatch import Shares
from cosmos_core.extend import Tick


def _follow(*ticks, runs=("r1", "r2")):
    shares = Shares(runs)
    return [shares.heed(tick) for tick in ticks]


def test_a_line_without_a_run_speaks_of_the_one_named_last():
    """
    Models name a sample once and then count its chunks; before any was named, the line speaks of the batch.
    """
    assert [{"r1": 0.25, "r2": 0.25}, {}, {"r2": 0.5}] == _follow(
        Tick(done=1, total=4), Tick(run="r2", note="started"), Tick(done=1, total=2)
    )


def test_an_inner_line_refines_the_step_under_way():
    """
    Step 5 of 10 in the second of two chunks is three quarters of the run; the next run starts from nothing.
    """
    assert [{"r1": 0.5}, {"r1": 0.75}, {"r2": 0.5}] == _follow(
        Tick(run="r1", done=1, total=2),
        Tick(done=5, total=10, inner=True),
        Tick(run="r2", done=5, total=10, inner=True),
    )


def test_no_line_makes_more_than_all():
    """
    A model that counts past its end is at its end.
    """
    assert [{"r1": 1.0}, {"r1": 1.0}] == _follow(
        Tick(run="r1", done=9, total=4), Tick(done=12, total=10, inner=True)
    )
