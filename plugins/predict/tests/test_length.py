"""Seconds into frames into passes, by the numbers of NVIDIA's code."""

from __future__ import annotations

import pytest
from cosmos_core_predict import backend, length


@pytest.mark.parametrize(
    ("frames", "best", "default", "overlap5"),
    [
        (24, 1, 1, 1),
        (93, 1, 2, 1),
        (120, 2, 2, 2),
        (121, 2, 2, 2),
        (144, 2, 2, 2),
        (221, 3, 3, 3),
        (240, 3, 4, 3),
        (480, 6, 7, 6),
        (720, 8, 10, 9),
    ],
)
def test_passes_are_those_of_the_golden_table(frames, best, default, overlap5):
    """
    Chunks of 93, of NVIDIA's default 77, and of 93 with an overlap of 5 cost what the program's loop makes of them.
    """
    assert best == length.passes(frames)
    assert default == length.passes(frames, chunk=77)
    assert overlap5 == length.passes(frames, overlap=5)


@pytest.mark.parametrize(
    ("seconds", "frames"), [(5, 80), (5.8125, 93), (10, 160), (15, 240), (30, 480), (45, 720)]
)
def test_seconds_are_sixteen_frames_each(seconds, frames):
    """
    The model saves at 16 a second, whatever rate the video is delivered at.
    """
    assert frames == length.frames_for(seconds)


def test_five_seconds_are_a_native_pass_and_a_trim():
    """
    The model makes 93 frames; the last 13 are not part of five seconds.
    """
    planned = length.plan(seconds=5, delivery_fps=24)

    assert (5, 93, 16, 24) == (
        planned.seconds,
        planned.model_frames,
        planned.model_fps,
        planned.delivery_fps,
    )
    assert (80, 13, 0, 1) == (planned.wanted, planned.trimmed, planned.short, planned.passes)


def test_ten_seconds_without_autoregression_are_short():
    """
    The plan knows how many frames the model would silently leave out.
    """
    assert 67 == length.plan(seconds=10).short


def test_thirty_seconds_are_six_passes_with_their_seams():
    """
    Autoregression makes exactly the frames that were asked for, and each later chunk begins where the last one ended.
    """
    planned = length.plan(seconds=30, autoregressive=True)

    assert (480, 6, 0) == (planned.model_frames, planned.passes, planned.trimmed)
    assert (93, 185, 277, 369, 461) == planned.seams


def test_a_campaign_of_three_lengths_could_save_a_third_of_its_passes():
    """
    167 prompts of 5, 10 and 30 s are 1503 passes, and 1002 when the shorter are cut from the longest.
    """
    lengths = [length.plan(seconds=each, autoregressive=each > 5.8) for each in (5, 10, 30)]
    requests = [
        (f"p{prompt}-{index}", prompt, each) for prompt in range(167) for index, each in enumerate(lengths)
    ]
    shared = length.shared_prefixes(requests)

    assert 1503 == sum(each.passes for _, _, each in requests)
    assert 1002 == 1503 - sum(each.saved_passes for each in shared)
    assert ("p0-2", ("p0-1", "p0-0")) == (shared[0].longest, shared[0].shorter)


def test_one_request_shares_nothing():
    """
    Without a second length there is no offer.
    """
    assert () == length.shared_prefixes([("a", "recipe", length.plan(seconds=5))])


def test_a_length_in_seconds_is_the_models_own_whatever_the_clip(cosmos, make_clip):
    """
    Ten seconds are 160 frames in two passes, of a text and of a clip at 24 frames a second alike.
    """
    clip = make_clip("street", frames=8, width=1280, height=704)
    asked = {"backend": "predict2.5", "seconds": 10, "options": {"enable_autoregressive": True}}
    of_clip = {
        **asked,
        "options": {**asked["options"], "inference_type": "video2world"},
        "clip": str(clip.folder),
    }
    runs = [cosmos.submit("a street", **asked), cosmos.submit("a street", **of_clip)]

    assert [(160, 2)] * 2 == [(backend.expect(run.spec).frames, backend.passes(run.spec)) for run in runs]
