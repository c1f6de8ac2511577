"""Colours of a draft's segmentation back into numbers, and what is refused on the way."""

from __future__ import annotations

import cosmos_core_houdini
import cv2
import numpy as np
import pytest
from cosmos_core_houdini import draft
from cosmos_core_houdini.ends import Failed

from cosmos_core.clip import seal
from cosmos_core.extend import Level, silent
from cosmos_core.testing import media as make

NAMES = {number: f"/thing{number}" for number in (*range(1, 40), 700, 4095)}
SIZE = (64, 48)


def colour(number):
    """What the scene's VEX makes of a number, 0..1."""
    code = number * 1103 % 4096
    return np.array([code // 256, code // 16 % 16, code % 16]) / 15


def picture(numbers, bend=lambda value: value):
    """An 8-bit picture of numbers."""
    out = np.zeros((*numbers.shape, 3))
    for number in np.unique(numbers):
        out[numbers == number] = bend(colour(number)) if number else 0
    return np.rint(255 * out).astype(np.uint8)


def srgb(value):
    return np.where(value <= 0.0031308, 12.92 * value, 1.055 * np.maximum(value, 1e-9) ** (1 / 2.4) - 0.055)


@pytest.fixture
def numbers():
    return np.random.default_rng(1).choice([0, *NAMES], (48, 64))


@pytest.mark.parametrize("bend", [lambda value: value, srgb], ids=["as they are", "through sRGB"])
def test_every_number_comes_back(numbers, bend):
    """Also with two steps of noise on each channel."""
    drawn = picture(numbers, bend).astype(int) + np.random.default_rng(2).integers(-2, 3, (48, 64, 3))
    drawn = np.clip(drawn, 0, 255).astype(np.uint8)

    read, unknown = draft.read_numbers(drawn, NAMES, draft._curve(drawn, NAMES))

    assert not unknown.any()
    assert (numbers == read).all()


def test_what_is_transparent_is_background(numbers):
    """Whatever colour it has."""
    drawn = np.dstack([picture(numbers), np.full((48, 64), 255, np.uint8)])
    drawn[:10] = (77, 77, 77, 0)

    read, unknown = draft.read_numbers(drawn, NAMES, draft._curve(drawn, NAMES))

    assert not unknown.any()
    assert (0 == read[:10]).all()
    assert (numbers[10:] == read[10:]).all()


@pytest.mark.parametrize("light", [0.98, 0.8, 0.5])
def test_light_is_noticed(tmp_path, numbers, light):
    """Even a little of it: shaded colours are hardly ever those of another object."""
    drawn = np.rint(picture(numbers) * np.linspace(light, 1.0, 64)[None, :, None]).astype(np.uint8)
    paths = [tmp_path / "s.0001.png", tmp_path / "s.0002.png"]
    for path in paths:
        cv2.imwrite(str(path), drawn)

    with pytest.raises(Failed, match="colours of no object"):
        draft.encode_segmentation(paths, tmp_path, SIZE, 24, NAMES, 0, silent)


def test_a_few_strange_pixels_are_background(tmp_path):
    """A silhouette may be blended here and there; nobody segmented those pixels."""
    drawn = picture(np.full((48, 64), 7))
    drawn[0, 0] = (128, 77, 3)
    path = tmp_path / "s.0001.png"
    cv2.imwrite(str(path), drawn[:, :, ::-1])

    found = draft.encode_segmentation([path], tmp_path, SIZE, 24, NAMES, 0, silent)

    assert ["/thing7"] == list(found)


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        (np.zeros((48, 64), np.uint8), "no picture of 8-bit colours"),
        (np.zeros((48, 64, 3), np.uint16), "no picture of 8-bit colours"),
        (np.zeros((40, 64, 3), np.uint8), "is 64x40, not 64x48"),
        (np.zeros((48, 64, 3), np.uint8), "the segmentation pass is empty"),
        (None, "cannot be decoded"),
    ],
)
def test_pictures_that_cannot_be_numbers_are_refused(tmp_path, drawn, words):
    """Each with its own sentence."""
    path = tmp_path / "s.0001.png"
    if drawn is None:
        path.write_bytes(b"no picture")
    else:
        cv2.imwrite(str(path), drawn)

    with pytest.raises(Failed, match=words):
        draft.encode_segmentation([path], tmp_path, SIZE, 24, NAMES, 0, silent)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"generator": "houdini", "renderer": "opengl", "draft": True}, [Level.WARN]),
        ({"generator": "houdini", "renderer": "karma"}, []),
        ({"generator": "somebody", "draft": True}, []),
    ],
)
def test_whoever_asks_for_a_video_of_a_draft_is_told(tmp_path, source, said):
    """Every time, before a GPU is touched."""
    make.make_video(tmp_path / "color.mp4", frames=3)
    clip = seal(tmp_path, source=source)

    assert said == [finding.level for finding in cosmos_core_houdini.cosmos_review(None, clip)]
    assert [] == list(cosmos_core_houdini.cosmos_review(None, None))
