"""What checks see of an output and its input: one decode of each, whatever is asked."""

from __future__ import annotations

import pytest

from cosmos_core import media
from cosmos_core.examine import sizes_of
from cosmos_core.extend import Check, Output
from cosmos_core.testing import media as make

SIZE = (48, 32)


@pytest.fixture
def decoded(monkeypatch):
    """The names of the files that are decoded, in order."""
    names = []
    measure = media._measure
    monkeypatch.setattr(
        media, "_measure", lambda path, larger: names.append(path.name) or measure(path, larger)
    )
    media.survey_kept.cache_clear()
    return names


def test_pictures_come_out_of_the_decode_that_was_announced(tmp_path, make_clip, decoded):
    """
    A second output of the same clip decodes itself alone.
    """
    clip = make_clip()
    path = make.make_video(tmp_path / "out.mp4")
    sizes = sizes_of([Check(name="large", summary="?", look=lambda *_: (), pictures=SIZE)])
    decoded.clear()
    for _ in range(2):
        output = Output(path, clip=clip, sizes=sizes)
        mine, theirs = output.pictures(SIZE)
        assert 12 == output.survey.decoded == output.input_survey.decoded

    assert ((12, 32, 48), (12, 32, 48)) == (mine.shape, theirs.shape)
    assert ["color.mp4", "out.mp4", "out.mp4"] == decoded


def test_pictures_of_another_size_are_there_too(tmp_path, make_clip, decoded):
    """
    Nobody announced them, so both are decoded again; what was known is known again.
    """
    output = Output(make.make_video(tmp_path / "out.mp4"), clip=make_clip())
    before = output.survey.phashes.tolist()
    decoded.clear()

    assert (12, 32, 48) == output.pictures(SIZE)[0].shape
    assert before == output.survey.phashes.tolist()
    assert ["color.mp4", "out.mp4"] == decoded


def test_without_an_input_there_is_nothing_to_compare(tmp_path, decoded):
    """
    Then nothing larger is kept either.
    """
    output = Output(make.make_video(tmp_path / "out.mp4"), sizes=[SIZE])

    assert None is output.pictures(SIZE)
    assert None is output.input_survey
    assert {} == output.survey.pictures
    assert ["out.mp4"] == decoded
