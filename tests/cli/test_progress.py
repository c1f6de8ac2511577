"""Progress where there is no terminal."""

from __future__ import annotations

import pytest

from cosmos_core.cli.asked import Asked
from cosmos_core.cli.progress import EVERY, Lines, Silence, progress


class Clock:
    """A clock that goes when told."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def _said(capsys):
    return capsys.readouterr().err.splitlines()


def test_a_line_comes_with_every_new_note(clock, capsys):
    """A run's states are notes: each is told once."""
    lines = Lines("", clock)
    for note in ("queued", "queued", "running", "running", "sealed"):
        lines.show("r1", "r1 fog", 0, 1, note)

    assert ["r1 fog: queued", "r1 fog: running", "r1 fog: sealed"] == _said(capsys)


def test_a_long_way_is_told_every_ten_seconds_with_what_is_left(clock, capsys):
    """Rate and time left follow from what was done since the first look."""
    lines = Lines("frames", clock)
    lines.show("c", "street", 0, 100, "rendering")
    clock.now += EVERY / 2
    lines.show("c", "street", 20, 100, "rendering")
    clock.now += EVERY / 2
    lines.show("c", "street", 40, 100, "rendering")

    assert [
        "street: rendering, 0 of 100 frames",
        "street: rendering, 40 of 100 frames, 4.0 frames/s, 15 s left",
    ] == _said(capsys)


def test_what_is_quick_and_has_no_note_is_not_told(clock, capsys):
    """A copy that takes a second is no news."""
    lines = Lines("", clock)
    for done in range(4):
        lines.show("e", "export", done, 3)

    assert [] == _said(capsys)


def test_without_a_total_there_is_no_share(clock, capsys):
    """Nothing is divided by nothing."""
    Lines("frames", clock).show("c", "street", 0, 0, "building")

    assert ["street: building"] == _said(capsys)


def test_programs_hear_nothing_unless_they_ask(monkeypatch):
    """``--json`` keeps stderr quiet too, but ``-v`` gives the lines."""
    assert isinstance(progress(Asked(json=True)), Silence)
    assert isinstance(progress(Asked(json=True, verbose=1)), Lines)


def test_the_pace_is_counted_from_the_first_move(clock, capsys):
    """A minute of preparation before the first frames does not make them look slow, and is no estimate either."""
    lines = Lines("frames", clock)
    lines.show("c", "street", 0, 10, "building")
    clock.now += 60
    lines.show("c", "street", 2, 10, "rendering")
    clock.now += 1
    lines.show("c", "street", 4, 10, "writing")

    assert [
        "street: building, 0 of 10 frames",
        "street: rendering, 2 of 10 frames",
        "street: writing, 4 of 10 frames, 2.0 frames/s, 3.0 s left",
    ] == _said(capsys)


def test_what_starts_again_has_a_new_pace(clock, capsys):
    """After a step back, what was done before says nothing."""
    lines = Lines("frames", clock)
    for done, seconds in ((0, 0), (8, 1), (9, 1), (1, 50), (2, 1), (4, 1)):
        clock.now += seconds
        lines.show("c", "street", done, 10, f"at {done}")

    assert "street: at 4, 4 of 10 frames, 2.0 frames/s, 3.0 s left" == _said(capsys)[-1]
