"""Clips, passes, buckets and sizes: the golden numbers."""

from __future__ import annotations

from fractions import Fraction

import attrs
import pytest
from cosmos_core_transfer.transfer25 import expect, sizes

GOLDEN = {24: 1, 93: 1, 120: 2, 121: 2, 144: 2, 221: 3, 240: 3, 480: 6, 720: 8}


@pytest.mark.parametrize(("frames", "passes"), GOLDEN.items())
def test_passes_of_transfer25(frames, passes):
    """
    ``1 + ceil((N - 93) / 92)`` above 93 frames.
    """
    assert passes == sizes.chunks(frames)


@pytest.mark.parametrize(("overlap", "passes"), [(0, 2), (1, 3), (2, 3)])
def test_the_overlap_counts(overlap, passes):
    """
    186 frames are two passes without overlap, and three with it.
    """
    assert passes == sizes.chunks(186, overlap=overlap)


def test_seams_stand_where_a_pass_begins():
    """
    With 93 frames and one shared, later passes bring new frames from 93, 185 and 277 on.
    """
    assert (93, 185, 277) == sizes.borders(300)
    assert () == sizes.borders(93)


@pytest.mark.parametrize(
    ("size", "tier", "bucket"),
    [
        ((1920, 1080), "720", (1280, 704)),
        ((1280, 720), "720", (1280, 704)),
        ((1440, 1080), "720", (960, 704)),
        ((1000, 1000), "720", (960, 960)),
        ((720, 1280), "720", (704, 1280)),
        ((768, 1024), "480", (480, 640)),
        ((1920, 1080), "720p", (1280, 720)),
        ((1920, 1080), "1080", (1920, 1056)),
        ((1920, 1080), "256", (320, 192)),
    ],
)
def test_the_nearest_bucket_is_taken(size, tier, bucket):
    """
    The model works in the size of the nearest aspect ratio of its tier.
    """
    assert bucket == sizes.bucket(*size, tier)


@pytest.mark.parametrize(
    ("fields", "options", "frames", "fps", "size", "suffix"),
    [
        ({}, {}, 8, 24, (64, 48), "mp4"),
        ({"frames": 5}, {}, 5, 24, (64, 48), "mp4"),
        ({"frames": 6000}, {}, 5000, 24, (64, 48), "mp4"),
        ({"frames": 1}, {}, 1, 24, (64, 48), "jpg"),
        ({"fps": Fraction(30000, 1001)}, {}, 8, 29, (64, 48), "mp4"),
        ({"fps": Fraction(24000, 1001)}, {}, 8, 23, (64, 48), "mp4"),
        ({"width": 1920, "height": 1080}, {"keep_input_resolution": False}, 8, 24, (1280, 704), "mp4"),
        ({}, {"show_input": True}, 8, 24, (128, 48), "mp4"),
        ({}, {"show_input": True, "show_control_condition": True}, 8, 24, (256, 48), "mp4"),
    ],
)
def test_what_is_expected_is_known_before_launch(ask, fields, options, frames, fps, size, suffix):
    """
    Frames, the whole rate, the size with its panels, and whether it is a picture.
    """
    found = expect(ask("transfer2.5", edge=1, vis=0.5, **fields, **options))

    assert (frames, fps, *size) == (found.frames, found.fps, found.width, found.height)
    assert found.name.endswith(suffix)


def test_the_expectation_follows_from_the_spec_alone(ask):
    """
    Another prompt or seed changes nothing of it.
    """
    spec = ask("transfer2.5", edge=1)

    assert expect(spec) == expect(attrs.evolve(spec, seed=9))
