"""The numbers themselves, on pictures whose answer is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from cosmos_core_adherence.measures import blur_likeness, depth_error, edge_f1, motion, region_iou


def squares(*corners, size=40, light=200, dark=20):
    """Frames (N, 180, 320) with one square each, whose upper left corner is given."""
    stack = np.full((len(corners), 180, 320), dark, np.uint8)
    for frame, (x, y) in zip(stack, corners, strict=True):
        frame[y : y + size, x : x + size] = light
    return stack


STILL = squares(*[(60, 60)] * 4)


@pytest.mark.parametrize(("moved", "expected"), [(0, 1.0), (2, 1.0), (6, 0.5)])
def test_edges_are_met_within_two_pixels(moved, expected):
    """
    Two pixels aside counts as met; six pixels aside leave only what lies along the direction it moved in.
    """
    aside = squares(*[(60 + moved, 60)] * 4)

    assert edge_f1(aside, STILL) == pytest.approx(expected, abs=0.1)


def test_faint_edges_count_as_much():
    """
    A square in fog has the same outline.
    """
    assert 1.0 == edge_f1(squares(*[(60, 60)] * 4, light=60, dark=40), STILL)


def test_noise_is_no_edge():
    """
    Where the source has edges and the output none, its grain is not taken for any.
    """
    grain = np.random.default_rng(0).normal(90, 2, STILL.shape).astype(np.uint8)

    assert edge_f1(grain, STILL) < 0.05


def test_nothing_against_nothing_agrees():
    """
    Two grey walls have the same edges: none. A wall against a square has not.
    """
    wall = np.full_like(STILL, 90)

    assert 1.0 == edge_f1(wall, wall)
    assert 0.0 == edge_f1(wall, STILL)


def test_structure_does_not_care_for_light_and_ssim_does():
    """
    Half the light leaves the structure nearly alone.
    """
    found = blur_likeness((STILL * 0.5).astype(np.uint8), STILL)

    assert found.structure > 0.95
    assert found.ssim < 0.8
    assert blur_likeness(STILL, STILL).ssim == pytest.approx(1.0, abs=1e-3)


def test_the_negative_has_the_opposite_structure():
    """
    Light where it was dark is below 0, a square elsewhere about 0; large empty walls are no agreement.
    """
    elsewhere = squares(*[(220, 120)] * 4)

    assert blur_likeness(255 - STILL, STILL).structure < -0.9
    assert abs(blur_likeness(elsewhere, STILL).structure) < 0.1
    assert blur_likeness(elsewhere, STILL).ssim > 0.6


def test_where_the_source_has_no_structure_none_is_asked_for():
    """
    Nothing can be lighter or darker than a grey wall.
    """
    assert 1.0 == blur_likeness(STILL, np.full_like(STILL, 90)).structure


def test_motion_near_the_inputs_is_its_own():
    """
    A square that walks where the input's does scores 1; one that walks elsewhere scores 0, and less than chance.
    """
    walk = squares(*[(40 + 6 * step, 60) for step in range(6)])
    elsewhere = squares(*[(200 + 6 * step, 120) for step in range(6)])

    assert (1.0, 1.0) == (motion(walk, walk).score, motion(walk, walk).beyond_chance)
    assert 0.0 == motion(elsewhere, walk).score
    assert motion(elsewhere, walk).beyond_chance < 0


def test_standing_still_is_counted_where_the_input_moves():
    """
    It would score 1. Where the input stands still too, nothing is held.
    """
    walk = squares(*[(40 + 6 * step, 60) for step in range(4)])

    assert (1.0, 1.0) == (motion(STILL, walk).score, motion(STILL, walk).held)
    assert 0.0 == motion(STILL, STILL).held


def test_where_everything_moves_chance_is_taken_off():
    """
    Grain all over lies near any motion: a high score by chance, and nothing beyond it.
    """
    rng = np.random.default_rng(0)
    stripes = (np.arange(320) // 8 % 2 * 200).astype(np.uint8)
    pan = np.stack([np.tile(np.roll(stripes, 3 * step), (180, 1)) for step in range(4)])
    pan[:, 90:] = 50
    noise = rng.integers(0, 255, (4, 180, 320)).astype(np.float32)
    grain = np.stack([cv2.GaussianBlur(frame, (0, 0), 3) for frame in noise])
    loud = np.clip((grain - 127) * 12 + 127, 0, 255).astype(np.uint8)
    found = motion(loud, pan)

    assert found.score > 0.4
    assert abs(found.beyond_chance) < 0.15


def test_depth_is_compared_without_scale_and_shift():
    """
    A model's depth is some multiple of the truth and some more; noise is about 1.4 away.
    """
    rng = np.random.default_rng(0)
    true = rng.uniform(1, 255, (60, 80)).astype(np.float32)
    true[:10] = 0
    unrelated = rng.uniform(1, 255, (60, 80)).astype(np.float32)

    assert depth_error(3 * true + 7, true) == pytest.approx(0.0, abs=1e-6)
    assert 1.3 < depth_error(unrelated, true) < 2.0


def test_regions_are_compared_whatever_they_are_called():
    """
    Other numbers for the same regions agree; halves of a region overlap it by half; specks do not count.
    """
    true = np.zeros((100, 100), np.int64)
    true[:, 50:] = 7
    true[0, 0] = 9
    halves = true.copy()
    halves[:50, :50] = 3

    assert region_iou(true * 10 + 1, true) == pytest.approx(1.0, abs=0.001)
    assert region_iou(halves, true) == pytest.approx(0.75, abs=0.01)
    assert region_iou(np.zeros_like(true), true) == pytest.approx(0.5, abs=0.01)
