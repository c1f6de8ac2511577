"""Tables, findings, sizes and times."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime, timedelta

import click
import pytest

from cosmos_core.cli import say
from cosmos_core.errors import fail, ok, warn

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_columns_are_aligned_whatever_is_in_them():
    """Colour takes no width, letters of Asia take two columns, and an empty column is left out."""
    rows = [("a", "", click.style("red", fg="red")), ("東京", "", "x")]

    assert ["a     red", "東京  x"] == click.unstyle(say.table(rows)).splitlines()


def test_a_column_can_be_aligned_to_the_right_and_have_a_title():
    """Numbers stand under each other."""
    shown = click.unstyle(say.table([("a", "5"), ("b", "100")], ("name", "runs"), right=(1,)))

    assert ["name  runs", "a        5", "b      100"] == shown.splitlines()


def test_an_empty_table_is_no_text():
    """Titles without rows say nothing."""
    assert not say.table([], ("name",))


def test_findings_come_worst_first_with_their_way_out_below():
    """Level, place, sentence; the hint stands under the sentence it belongs to."""
    found = [ok("fine", where="a"), warn("hm", where="bb"), fail("bad", where="c", hint="mend it")]

    assert [
        "fail  c   bad",
        "          hint: mend it",
        "warn  bb  hm",
        "ok    a   fine",
    ] == click.unstyle(say.findings(found, indent="")).splitlines()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0 s"),
        (3.21, "3.2 s"),
        (42.4, "42 s"),
        (250, "4 min 10 s"),
        (3900, "1 h 05 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations_have_at_most_two_units(seconds, text):
    """Short for short times, and never a number nobody can picture."""
    assert text == say.duration(seconds)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.2, "now"), (5.9, "5 s ago"), (150, "2 min ago"), (90_000, "1 d ago")]
)
def test_ages_have_one_unit(seconds, text):
    """How long ago, roughly."""
    assert text == say.ago(NOW - timedelta(seconds=seconds), now=NOW)


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (999, "999 B"), (12_400_000, "12.4 MB"), (3e12, "3.0 TB")]
)
def test_sizes_are_decimal(count, text):
    """As disks are sold."""
    assert text == say.size(count)


def test_a_long_text_is_cut_to_one_line():
    """Line breaks go, and the end is marked."""
    assert "a b" == say.one_line("a\n  b", 10)
    assert "abc…" == say.one_line("abcdef", 4)
    assert say.width(say.one_line("東京東京東京", 7)) <= 7


def test_a_path_inside_the_current_folder_is_relative(tmp_path, monkeypatch):
    """What can be clicked or typed again is short; what lies elsewhere is whole."""
    monkeypatch.chdir(tmp_path)

    assert "outputs" == say.short(tmp_path / "outputs")
    assert str(tmp_path.parent) == say.short(tmp_path.parent)


@pytest.mark.parametrize(("count", "text"), [(1, "1 run"), (0, "0 runs"), (2000, "2,000 runs")])
def test_nouns_follow_their_number(count, text):
    """One run, several runs."""
    assert text == say.many(count, "run")


HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31mred\rgreen\u202egnp.exe\u2066\x9b1m\x00\ud800 e\u0301 👩‍🚀 日本\ttab"
)


def test_what_could_steer_a_terminal_is_written_out():
    """Escapes, carriage returns, C1 controls and bidi marks become letters; every language stays as it is."""
    said = say.shown(HOSTILE)

    assert not [letter for letter in said if unicodedata.category(letter) in {"Cc", "Cs"} and letter != "\t"]
    assert not set(said) & set("\u202e\u2066")
    assert "\\x1b]0;owned\\x07\\x1b[2J\\x1b[31mred\\rgreen\\u202egnp.exe\\u2066\\x9b1m\\x00\\ud800" in said
    assert said.endswith(" e\u0301 👩‍🚀 日本\ttab")


def test_our_own_colours_are_let_through_and_no_others():
    """A name that looks like a colour of ours is none, not even inside of one."""
    said = say.shown(f"{say.word('sealed')} {say.faint(HOSTILE)} \x1b[32msealed\x1b[0m")

    assert ["\x1b[32m", "\x1b[0m", "\x1b[2m", "\x1b[0m"] == re.findall(r"\x1b\[[\d;]*m", said)
    assert 4 == said.count("\x1b")


def test_a_name_with_escapes_is_as_wide_as_it_is_shown():
    """Columns stay under each other."""
    first, second = say.shown(say.table([("a\x1b[31m", "x"), ("b", "y")])).splitlines()

    assert first.rindex("x") == second.index("y")


def test_a_log_at_a_terminal_has_a_line_for_each_carriage_return_and_no_colours():
    """What a progress bar wrote over itself is read from top to bottom."""
    assert ["10%", "20%", "done", "\x1b[2Jend", ""] == list(
        say.log_lines("\x1b[32m10%\x1b[0m\r20%\r\ndone\n\x1b[2Jend\n")
    )
