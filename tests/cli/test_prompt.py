"""The library of prompts."""

from __future__ import annotations

import click
import pytest

from cosmos_core.cli.prompt import diff

TEXT = "A burning tram in the night"


@pytest.fixture
def tram(say, here):
    """The name of a saved prompt."""
    return say("prompt", "new", TEXT, "--negative", "people", "--json").facts["prompt"]["name"]


def test_a_prompt_gets_a_name_from_its_text(say, tram):
    """The next command is said with it."""
    assert "burning-tram-night" == tram
    said = say("prompt", "new", TEXT)
    assert "@burning-tram-night-2@1" in said.out
    assert "cosmos run @burning-tram-night-2" in said.err


def test_prompts_are_listed_found_and_shown(say, tram):
    """By words of the name or the text."""
    say("prompt", "new", "snow on the roofs", "--name", "snow")

    assert ["snow", tram] == [each["name"] for each in say("prompt", "list", "--json").facts["prompts"]]
    assert [tram] == [each["name"] for each in say("prompt", "search", "tram", "--json").facts["prompts"]]
    assert TEXT in say("prompt", "show", f"@{tram}").out


def test_an_edit_is_a_new_version_and_the_old_one_stays(say, tram):
    """Only what is given changes."""
    edited = say("prompt", "edit", tram, "--text", "A tram", "--json").facts["prompt"]

    assert ("A tram", "people", 2) == (
        edited["prompt"]["text"],
        edited["prompt"]["negative"],
        edited["version"],
    )
    assert TEXT in say("prompt", "show", f"{tram}@1").out
    assert "" == say("prompt", "edit", tram, "--negative", "", "--json").facts["prompt"]["prompt"]["negative"]
    assert 3 == len(say("prompt", "show", tram, "--json").facts["versions"])


def test_an_edit_that_changes_nothing_saves_nothing(say, tram):
    """Versions are for differences."""
    assert "unchanged" in say("prompt", "edit", tram, "--text", TEXT).out
    assert 1 == say("prompt", "show", tram, "--json").facts["prompt"]["version"]


def test_an_editor_opens_both_texts(say, tram, monkeypatch, tmp_path):
    """$EDITOR gets the text and, below a line, what the video should not show."""
    script = tmp_path / "editor.py"
    script.write_text(
        "import sys, pathlib\n"
        "path = pathlib.Path(sys.argv[1])\n"
        "path.write_text(path.read_text().replace('burning', 'silent').replace('people', 'smoke'))\n"
    )
    import sys

    monkeypatch.setenv("EDITOR", f"{sys.executable} {script}")
    edited = say("prompt", "edit", tram)

    assert 0 == edited.code
    saved = say("prompt", "show", tram, "--json").facts["prompt"]["prompt"]
    assert {"text": "A silent tram in the night", "negative": "smoke"} == saved


def test_enhancing_shows_the_change_and_saves_only_on_a_word(say, tram):
    """Without ``--yes`` and without a terminal nothing is saved, and what to type is said."""
    shown = say("prompt", "enhance", tram)
    assert 2 == shown.code
    assert "{+" in shown.out
    assert f"cosmos prompt enhance {tram} --with template --yes" in shown.err

    looked = say("prompt", "enhance", tram, "--json")
    assert (0, None) == (looked.code, looked.facts["saved"])
    saved = say("prompt", "enhance", tram, "--yes", "--json").facts["saved"]
    assert (2, "template") == (saved["version"], saved["made_by"])


def test_a_prompt_is_removed_on_a_word(say, tram):
    """Its runs keep their version, and the library no longer lists it."""
    assert 2 == say("prompt", "rm", tram).code
    assert [f"{tram}@1"] == say("prompt", "rm", tram, "--yes", "--json").facts["removed"]
    assert 3 == say("prompt", "show", tram).code


def test_a_prompt_remembers_its_clip(say, street, double):
    """``run @name`` needs no ``--clip`` then, and the run names the version it was asked with."""
    say("prompt", "new", TEXT, "--clip", "clips/street", "--name", "tram")
    (run,) = say("submit", "@tram", "--backend", "double", "--json").facts["runs"]

    assert (street.digest, "tram@1") == (run["spec"]["clip"], run["prompt_ref"])


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("a b c", "a b c", "a b c"),
        ("a b c", "a x c", "a [-b-] {+x+} c"),
        ("", "new words", "{+new words+}"),
        ("old", "", "[-old-]"),
    ],
)
def test_a_change_is_shown_word_by_word(before, after, shown):
    """What goes and what comes, also without colour."""
    assert shown == click.unstyle(diff(before, after))
