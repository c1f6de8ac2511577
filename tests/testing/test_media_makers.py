"""The makers of media that plugin authors use."""

from __future__ import annotations

import numpy as np
import pytest

from cosmos_core import media
from cosmos_core.clip import inspect
from cosmos_core.testing import media as make

MAKERS = [
    make.make_video,
    make.make_black,
    make.make_flat,
    make.make_frozen,
    make.make_flicker,
    make.make_cut,
    make.make_tail_cut,
    make.make_rotten,
    make.make_pointer,
    make.make_html,
    make.make_text,
    make.make_empty,
]


@pytest.mark.parametrize("maker", MAKERS)
def test_a_maker_gives_the_path_and_equal_bytes_each_time(tmp_path, maker):
    """
    Equal arguments make equal files, so that a test that fails fails again.
    """
    path = maker(tmp_path / "a.mp4")
    first = path.read_bytes()

    assert (tmp_path / "a.mp4", first) == (maker(path), path.read_bytes())
    assert [path] == list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", range(4))
def test_cut_and_rotten_are_broken_for_every_seed(tmp_path, seed):
    """
    The damage is there whatever the picture.
    """
    cut = media.survey(make.make_cut(tmp_path / "cut.mp4", seed=seed))
    rotten = media.survey(make.make_rotten(tmp_path / "rotten.mp4", seed=seed))

    assert 0 < cut.decoded < cut.facts.frames == 24
    assert (12, True) == (rotten.decoded, rotten.corrupt > 0)


def test_frozen_may_move_first(tmp_path):
    """
    A clip may stand still from a frame on, as real failures do.
    """
    small = media.survey(make.make_frozen(tmp_path / "a.mp4", frames=8, after=3)).small.astype(int)

    moves = np.abs(np.diff(small, axis=0)).max(axis=(1, 2)) > 0

    assert [True, True, True, False, False, False, False] == moves.tolist()


def test_the_scene_agrees_with_itself():
    """
    Sky is infinitely far and has id 0, the ground comes nearer towards the bottom, boxes stand before it.
    """
    for moment in make.scene(frames=3, width=160, height=120):
        assert np.array_equal(np.isinf(moment.z), moment.ids == make.SKY)
        assert moment.z[-1].max() < np.where(np.isinf(moment.z), 0, moment.z).max()
        assert {make.SKY, make.GROUND} < set(np.unique(moment.ids).tolist())
        assert ((120, 160, 3), np.uint8) == (moment.rgb.shape, moment.rgb.dtype)


def test_a_made_clip_is_ready_to_be_sealed(tmp_path):
    """
    It passes inspection without a word, at any size and rate.
    """
    folder = make.make_clip(tmp_path / "a", frames=5, width=80, height=64, fps=30, seed=2)

    draft, findings = inspect(folder)

    assert ((), 5, 30, (80, 64)) == (findings, draft.frames, draft.fps, (draft.width, draft.height))


def test_images_are_numbered_as_asked(tmp_path):
    """
    Names follow the pattern and the numbers.
    """
    paths = make.make_images(tmp_path / "rgb", "rgb_{:03}.png", frames=2, numbers=[7, 9])

    assert ["rgb_007.png", "rgb_009.png"] == [path.name for path in paths]
