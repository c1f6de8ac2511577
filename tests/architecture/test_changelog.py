"""Changelog fragments are found wrong before a release, not at it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def fragments():
    spec = importlib.util.spec_from_file_location("fragments", ROOT / "changelog.d" / "fragments.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_our_fragments_are_in_order(fragments):
    """Every fragment that waits for the next release can go into it."""
    assert [] == list(fragments.problems())


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("notes.md", "A sentence.", "is not named"),
        ("Upper.added.md", "A sentence.", "is not named"),
        ("thing.feature.md", "A sentence.", "is not named"),
        ("thing.added.md", " \n", "is empty"),
        ("thing.added.md", "no end", "does not end"),
        ("thing.added.md", "- A sentence.", "starts with '-'"),
    ],
)
def test_a_wrong_fragment_is_named_with_what_is_wrong(fragments, tmp_path, name, text, problem):
    """One sentence says which file and why."""
    (tmp_path / name).write_text(text)

    (found,) = fragments.problems(tmp_path)

    assert found.startswith(name)
    assert problem in found


def test_a_release_moves_the_fragments_above_the_older_ones(fragments, tmp_path):
    """The new section stands first, sorted by kind, and the fragments are gone."""
    folder = tmp_path / "changelog.d"
    folder.mkdir()
    (folder / "b.fixed.md").write_text("Mended.\n")
    (folder / "a.added.md").write_text("New,\nin two lines.\n")
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text("# Changelog\n\nIntro.\n\n## 0.1.0 (2026-01-01)\n\nOld.\n")

    fragments.release("0.2.0", changelog, folder)

    text = changelog.read_text()
    order = [
        text.index(part)
        for part in ("Intro.", "## 0.2.0", "### Added", "- New,\n  in two", "### Fixed", "## 0.1.0")
    ]
    assert sorted(order) == order
    assert [] == list(folder.iterdir())
