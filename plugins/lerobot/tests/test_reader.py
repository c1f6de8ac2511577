"""A dataset of ours in LeRobot's own hands, wherever LeRobot is installed: it needs 8 GB, so not everywhere.

``pip install lerobot`` into any environment with this plugin, and run this file.
"""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from cosmos_core_lerobot import LeRobotOptions, cosmos_exporters

from cosmos_core import clip as clips
from cosmos_core import dataset, media
from cosmos_core.spec import Prompt
from cosmos_core.testing.checks import make_sealed
from cosmos_core.testing.media import make_clip

pytest.importorskip("lerobot", reason="LeRobot itself is not installed: pip install lerobot")
pytestmark = pytest.mark.filterwarnings("ignore")

(LEROBOT,) = cosmos_exporters()
PROMPTS = ("a street", "a street in rain", "a street")
CAMERAS = [f"observation.images.{name}" for name in ("output", "color", "depth", "seg", "edge")]
FRAMES = 12


@pytest.fixture
def items(tmp_path):
    clip = clips.seal(make_clip(tmp_path / "clip", frames=FRAMES))
    return [
        attrs.evolve(
            make_sealed(
                tmp_path / "outputs" / str(seed),
                seed=seed,
                frames=FRAMES,
                clip=clip.digest,
                prompt=Prompt(text),
            ),
            clip=clip,
        )
        for seed, text in enumerate(PROMPTS, start=1)
    ]


@pytest.fixture
def opened(items, tmp_path):
    """``opened("pyav")``: the three videos as LeRobot opens them."""
    folder = dataset.export(items, LEROBOT, tmp_path / "streets", LeRobotOptions())

    def open_(decoder, **more):
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        return LeRobotDataset("cosmos/streets", root=folder, video_backend=decoder, **more)

    return open_


@pytest.mark.parametrize("decoder", ["pyav", "torchcodec"])
def test_lerobot_reads_every_frame_with_its_task(opened, items, decoder):
    """
    Each number gives the frame, the episode and the words that are its own, from every camera.
    """
    read = opened(decoder)
    videos = [list(media.read_frames(item.artifact.path)) for item in items]

    assert (3 * FRAMES, 3, 24) == (len(read), read.num_episodes, read.fps)
    assert CAMERAS == list(read.meta.camera_keys)
    for index in (0, FRAMES - 1, FRAMES, 2 * FRAMES - 1, 2 * FRAMES, 3 * FRAMES - 1):
        row = read[index]
        episode, frame = divmod(index, FRAMES)
        assert (episode, frame, PROMPTS[episode]) == (
            int(row["episode_index"]),
            int(row["frame_index"]),
            row["task"],
        )
        assert {(3, 48, 64)} == {tuple(row[camera].shape) for camera in CAMERAS}
        shown = row[CAMERAS[0]].numpy().transpose(1, 2, 0) * 255
        # Two builds of FFmpeg may round a colour differently.
        assert np.abs(shown - videos[episode][frame]).max() <= 3


def test_lerobot_reads_one_episode_and_its_neighbours_in_time(opened):
    """
    A model that looks back gets the frame before, and is told where there is none.
    """
    read = opened("pyav", episodes=[1], delta_timestamps={CAMERAS[0]: [-1 / 24, 0.0]})

    assert (FRAMES, PROMPTS[1]) == (len(read), read[0]["task"])
    assert (2, 3, 48, 64) == tuple(read[0][CAMERAS[0]].shape)
    assert [True, False] == read[0][f"{CAMERAS[0]}_is_pad"].tolist()
    assert [False, False] == read[1][f"{CAMERAS[0]}_is_pad"].tolist()


def test_lerobot_measures_what_our_statistics_say(opened, items):
    """
    Its own function, on the very frames, for the pooled video and for the numbers.
    """
    from lerobot.datasets.compute_stats import aggregate_stats, get_feature_stats

    read = opened("pyav")
    each = []
    for item in items:
        frames = np.stack(list(media.read_frames(item.artifact.path))).astype(float).transpose(0, 3, 1, 2)
        found = get_feature_stats(frames, axis=(0, 2, 3), keepdims=True)
        each.append(
            {CAMERAS[0]: {k: v if k == "count" else np.squeeze(v / 255, axis=0) for k, v in found.items()}}
        )
    wanted, ours = aggregate_stats(each)[CAMERAS[0]], read.meta.stats[CAMERAS[0]]

    for name in ("min", "max", "mean", "std"):
        np.testing.assert_allclose(ours[name], wanted[name], atol=1 / 255)
    assert 3 * FRAMES == int(ours["count"][0]) == int(wanted["count"][0])
    assert wanted.keys() == ours.keys()
    # It checks names and shapes as it joins datasets.
    assert CAMERAS[0] in aggregate_stats([read.meta.stats, read.meta.stats])
