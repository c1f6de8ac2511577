"""Submission folders."""

from __future__ import annotations

import json

import pytest

from cosmos_core import submission
from cosmos_core.errors import InputError
from cosmos_core.submission import Ask


def test_what_is_written_is_read_back(tmp_path):
    """
    A submission survives its folder.
    """
    asks = (
        Ask(prompt="rain", clip="clips/a", weights={"edge": 0.4}, seed=3, tags=("x",)),
        Ask(prompt="@city@2"),
    )

    folder = submission.write(asks, into=tmp_path, origin="houdini 21.0")
    read = submission.read(folder)

    assert asks == read.asks
    assert "houdini 21.0" == read.origin


def test_a_folder_appears_whole_and_leaves_nothing_beside_it(tmp_path):
    """
    After writing there is one folder, under its final name.
    """
    folder = submission.write([Ask(prompt="rain")], into=tmp_path, name="shot-010")

    assert [folder] == list(tmp_path.iterdir())
    assert "shot-010" == folder.name


def test_a_taken_name_is_refused_and_the_first_stays(tmp_path):
    """
    A second submission of one name changes nothing.
    """
    first = submission.write([Ask(prompt="rain")], into=tmp_path, name="a")
    before = (first / submission.FILE).read_bytes()

    with pytest.raises(InputError, match="already a submission"):
        submission.write([Ask(prompt="snow")], into=tmp_path, name="a")

    assert before == (first / submission.FILE).read_bytes()
    assert [first] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not JSON"),
        ("[]", "schema"),
        ('{"schema": 2, "asks": []}', "schema 2"),
        ('{"schema": 1, "asks": [{"promt": "x"}]}', "promt"),
    ],
)
def test_a_file_that_is_not_understood_is_refused_with_the_reason(tmp_path, text, said):
    """
    Whatever is in the file, the answer is a sentence.
    """
    (tmp_path / submission.FILE).write_text(text)

    with pytest.raises(InputError, match=said):
        submission.read(tmp_path)


def test_a_folder_without_a_submission_says_so(tmp_path):
    """
    The hint says what else could be meant.
    """
    with pytest.raises(InputError, match=r"holds no submission\.json"):
        submission.read(tmp_path)


def test_the_token_is_drawn_once_and_kept(tmp_path):
    """
    Reading twice gives the same token, so that accepting twice queues once.
    """
    folder = submission.write([Ask(prompt="rain")], into=tmp_path)

    assert submission.read(folder).token == submission.read(folder).token
    assert submission.read(folder).token == json.loads((folder / submission.FILE).read_text())["token"]
