"""What the checks measure, and the limits of the table."""

from __future__ import annotations

import av
import numpy as np
import pytest

from cosmos_core import media
from cosmos_core.checks import black, file, flat, flicker, frozen, video
from cosmos_core.checks.equals_input import likeness
from cosmos_core.checks.frozen import longest_hold
from cosmos_core.testing import media as makers
from cosmos_core.testing.checks import make_spec


def _encoded(path, frames, **options):
    """Encode as models do: H.264 with loss."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=24, options=options)
        stream.height, stream.width, _ = frames[0].shape
        stream.pix_fmt = "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        out.mux(stream.encode(None))
    return media.survey(path)


@pytest.fixture(scope="module")
def street():
    return [moment.rgb for moment in makers.scene(frames=60, width=320, height=176)]


@pytest.mark.parametrize("crf", ["14", "23", "30"])
@pytest.mark.parametrize("gop", ["250", "12"])
def test_a_still_picture_is_one_hold_however_it_was_encoded(tmp_path, street, crf, gop):
    """Key frames redraw a still picture, which is no movement."""
    grain = np.random.default_rng(0).normal(0, 6, street[0].shape)
    still = np.clip(street[0] + grain, 0, 255).astype(np.uint8)
    survey = _encoded(tmp_path / "still.mp4", [still] * 60, crf=crf, g=gop)

    assert longest_hold(survey.small, difference=0.05, jump=1.0) > 0.5


def test_a_moving_picture_holds_nothing(tmp_path, street):
    """A slow pan through a real encoder is not taken for a still picture."""
    survey = _encoded(tmp_path / "moving.mp4", street, crf="30", g="12")

    assert longest_hold(survey.small, difference=0.05, jump=1.0) < 0.05


def test_every_second_frame_repeated_is_no_long_hold():
    """Half the rate is not standing still: no run is longer than one step."""
    levels = np.repeat(np.arange(20, dtype=np.uint8), 2)
    small = np.broadcast_to(levels[:, None, None], (40, 90, 160))

    assert 1 / 39 == longest_hold(np.ascontiguousarray(small), difference=0.05, jump=1.5)


@pytest.mark.parametrize(("steps", "held"), [([0, 9, 0, 0, 9], 2 / 5), ([9, 9], 0), ([], 0)])
def test_the_longest_run_counts(steps, held):
    """The share is that of the longest run of repeats, not of all of them."""
    levels = np.cumsum([0, *steps]).astype(np.uint8)
    small = np.ascontiguousarray(np.broadcast_to(levels[:, None, None], (len(levels), 90, 160)))

    assert held == longest_hold(small, difference=0.05, jump=1.0)


def test_a_re_encode_is_its_input_and_another_light_is_not(tmp_path, street):
    """The two limits separate the input again from a change of light."""
    source = _encoded(tmp_path / "source.mp4", street, crf="16").small
    again = likeness(_encoded(tmp_path / "again.mp4", street, crf="20").small, source)
    hazy = [(frame * 0.6 + 80).astype(np.uint8) for frame in street]
    changed = likeness(_encoded(tmp_path / "hazy.mp4", hazy, crf="16").small, source)

    assert again[0] > 0.99
    assert again[1] > 0.98
    assert changed[0] < 0.99


@pytest.mark.parametrize(
    ("means", "stds", "dark", "without"),
    [
        ([15.9, 16.0], [3.9, 3.9], 0.5, 0.5),
        ([10.0, 10.0], [4.0, 3.9], 1.0, 0.5),
        ([100.0, 200.0], [0.0, 0.0], 0.0, 0.0),
    ],
)
def test_black_is_dark_and_without_structure(means, stds, dark, without):
    """Both limits are exclusive."""
    assert (dark, without) == black.shares(np.array(means), np.array(stds), luma=16, std=4)


@pytest.mark.parametrize(
    ("text", "night"),
    [
        ("A street at night", True),
        ("Moonlit ruins", True),
        ("A KNIGHT in the fortnight", False),
        ("darkness falls", True),
        ("a darkroom", False),
        ("noon", False),
    ],
)
def test_night_is_a_word(text, night):
    """Only whole words speak of night."""
    from cosmos_core.extend import Prompt

    assert night is black.says_night(make_spec(prompt=Prompt(text)))


def test_flat_counts_frames():
    """The share of frames whose spread exceeds the limit."""
    assert 0.5 == flat.structured_share(np.array([5.0, 5.1]), std=5)


@pytest.mark.parametrize(
    ("means", "jump"), [([0, 100, 0, 100], 200.0), ([0, 10, 20, 30], 0.0), ([1, 2], 0.0)]
)
def test_flicker_is_change_of_change(means, jump):
    """A steady fade is no flicker; a jump to and fro is."""
    assert jump == flicker.restlessness(np.array(means))


def test_a_rate_may_differ_by_a_hundredth(tmp_path):
    """24000/1001 is not 24, and 24 is 24."""
    from fractions import Fraction

    facts = media.probe(makers.make_video(tmp_path / "out.mp4", fps=Fraction(24000, 1001)))

    assert [] == list(video.differences(facts, 12, make_spec(fps=Fraction(2398, 100)), fps=0.01))
    assert ["23.976 frames a second, not 24"] == list(video.differences(facts, 12, make_spec(), fps=0.01))
    assert [] == list(video.differences(facts, 1, make_spec(frames=1), fps=0.01))  # a picture has no rate


def test_every_difference_is_named(tmp_path):
    """Length, size and rate are told together, each with what was planned."""
    facts = media.probe(makers.make_video(tmp_path / "out.mp4"))
    wanted = make_spec(frames=93, width=1280, height=704, fps=30)

    assert [
        "12 frames, not the 93 that were planned",
        "64x48 pixels, not 1280x704",
        "24 frames a second, not 30",
    ] == list(video.differences(facts, 12, wanted, fps=0.01))


@pytest.mark.parametrize("style", ["colour", "proxy"])
def test_the_index_is_found_wherever_it_lies(tmp_path, style):
    """Before the pictures or behind them."""
    assert file.has_index(makers.make_video(tmp_path / "out.mp4", style=style))


def test_a_matroska_needs_no_moov(tmp_path, street):
    """Other containers keep their index elsewhere."""
    _encoded(tmp_path / "out.mkv", street[:2])

    assert file.has_index(tmp_path / "out.mkv")


def test_a_box_of_impossible_size_ends_the_search(tmp_path):
    """Garbage behind a right beginning is no index, and no endless loop."""
    (tmp_path / "out.mp4").write_bytes(b"\0\0\0\x08ftyp" + b"\0\0\0\x02junk" * 4)

    assert not file.has_index(tmp_path / "out.mp4")


def test_frozen_and_its_options_agree():
    """The defaults are those of the table."""
    assert (0.05, 0.1) == (frozen.DEFAULTS.difference, frozen.DEFAULTS.share)
    assert (16, 4, 0.02) == (black.DEFAULTS.luma, black.DEFAULTS.std, black.DEFAULTS.share)
    assert (5, 0.9) == (flat.DEFAULTS.std, flat.DEFAULTS.share)
    assert 8 == flicker.DEFAULTS.jump
    assert 0.01 == video.DEFAULTS.fps
