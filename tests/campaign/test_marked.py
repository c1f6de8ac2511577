"""YAML as a campaign reads it."""

from __future__ import annotations

import pytest

from cosmos_core.campaign.form import Report
from cosmos_core.campaign.marked import load


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("~", None),
        ("5", 5),
        ("-5", -5),
        ("5.0", 5.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("0x1f", 31),
        ("0o17", 15),
        ("007", "007"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("2026-11-25", "2026-11-25"),
        ("'5'", "5"),
        ('"a\\tb"', "a\tb"),
        ("1e999", "1e999"),
        ("9" * 41, "9" * 41),
    ],
)
def test_a_word_is_what_it_looks_like(written, read):
    """
    Norway is no falsehood, a time is no number, and 007 keeps its zeros.
    """
    report = Report()
    node = load(f"a: {written}", "x.yaml", report)

    assert [] == report.findings
    assert (read, type(read)) == (node.value["a"].value, type(node.value["a"].value))


def test_every_value_knows_its_line():
    """
    A mapping begins where its key stands, so that an editor opens the line that names it.
    """
    node = load("a: 1\nb:\n  - c\n  - d: 2\n", "x.yaml", Report())

    assert "x.yaml:1" == node.value["a"].where
    assert "x.yaml:2" == node.value["b"].where
    assert ["x.yaml:3", "x.yaml:4"] == [each.where for each in node.value["b"].value]
    assert {"a": 1, "b": ["c", {"d": 2}]} == node.plain


def test_a_thousand_million_values_are_refused_before_they_are_made():
    """
    Nesting and counting end early, so that no file of a few lines eats the machine.
    """
    report = Report()

    assert load("[" * 100 + "]" * 100, "x.yaml", report) is None
    assert "nested deeper" in report.findings[0].message
