"""A LeRobot dataset, read back as LeRobot reads it: by the names, templates and columns it says itself."""

from __future__ import annotations

import json

import attrs
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from cosmos_core_lerobot import LeRobotOptions, cosmos_exporters

from cosmos_core import clip as clips
from cosmos_core import dataset, media
from cosmos_core.audit import examine_folder
from cosmos_core.checks import cosmos_checks
from cosmos_core.errors import RefusedError
from cosmos_core.spec import Prompt
from cosmos_core.testing.checks import ExporterContract, make_sealed
from cosmos_core.testing.media import make_clip

(LEROBOT,) = cosmos_exporters()
DEFAULTS = {"timestamp", "frame_index", "episode_index", "index", "task_index"}


class TestExporter(ExporterContract):
    @pytest.fixture
    def exporter(self):
        return LEROBOT


@pytest.fixture
def clip(tmp_path):
    return clips.seal(make_clip(tmp_path / "clip"))


@pytest.fixture
def items(tmp_path, clip):
    """Three videos of one clip, the first and the last with the same prompt."""
    prompts = "a street", "a street in rain", "a street"
    return tuple(
        attrs.evolve(
            make_sealed(tmp_path / "outputs" / str(seed), seed=seed, clip=clip.digest, prompt=Prompt(text)),
            clip=clip,
        )
        for seed, text in enumerate(prompts, start=1)
    )


@pytest.fixture
def folder(items, tmp_path):
    return dataset.export(items, LEROBOT, tmp_path / "streets", LeRobotOptions())


@pytest.fixture
def info(folder):
    return json.loads((folder / "meta/info.json").read_text("utf-8"))


def test_info_says_what_is_there(info):
    """Version, totals, templates and features, as LeRobot 0.4.4 checks them when it opens a dataset."""
    cameras = {f"observation.images.{name}" for name in ("output", "color", "depth", "seg", "edge")}

    assert ("v3.0", 3, 36, 2, 24) == tuple(
        info[key] for key in ("codebase_version", "total_episodes", "total_frames", "total_tasks", "fps")
    )
    assert {"train": "0:3"} == info["splits"]
    assert DEFAULTS | cameras == info["features"].keys()
    assert [48, 64, 3] == info["features"]["observation.images.depth"]["shape"]
    assert "h264" == info["features"]["observation.images.output"]["info"]["video.codec"]


def test_every_frame_has_its_row_and_its_picture(folder, info, items):
    """From a frame's number to its episode, file, moment and pixels, on the way that LeRobot goes."""
    frames = pq.read_table(folder / info["data_path"].format(chunk_index=0, file_index=0)).to_pylist()
    episodes = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    key = "observation.images.output"

    assert list(range(36)) == [row["index"] for row in frames]
    for index in (0, 11, 12, 23, 24, 35):
        row = frames[index]
        episode = episodes[row["episode_index"]]
        assert episode["dataset_from_index"] <= index < episode["dataset_to_index"]
        place = {name: episode[f"videos/{key}/{name}"] for name in ("chunk_index", "file_index")}
        path = folder / info["video_path"].format(video_key=key, **place)
        wanted = round((episode[f"videos/{key}/from_timestamp"] + row["timestamp"]) * info["fps"])
        ours, theirs = (list(media.read_frames(each)) for each in (path, items[index // 12].artifact.path))
        assert np.array_equal(ours[wanted], theirs[index % 12])


def test_tasks_are_a_frame_indexed_by_their_words(folder, items):
    """Equal prompts are one task, and pandas reads the table as LeRobot expects it."""
    table = pd.read_parquet(folder / "meta/tasks.parquet")
    episodes = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    frames = pq.read_table(folder / "data/chunk-000/file-000.parquet").to_pylist()

    assert {"a street": 0, "a street in rain": 1} == table["task_index"].to_dict()
    assert [["a street"], ["a street in rain"], ["a street"]] == [row["tasks"] for row in episodes]
    assert [0, 1, 0] == [frames[row["dataset_from_index"]]["task_index"] for row in episodes]
    assert [item.run.id for item in items] == [row["run"] for row in episodes]


def pixels(path):
    return np.stack(list(media.read_frames(path))) / 255


def test_statistics_are_those_of_the_pixels(folder, items):
    """Of each episode in its row, and of all of them in a file; three channels of 0 to 1 in LeRobot's shape."""
    whole = json.loads((folder / "meta/stats.json").read_text("utf-8"))
    episodes = pq.read_table(folder / "meta/episodes/chunk-000/file-000.parquet").to_pylist()
    key = "observation.images.output"
    each = [pixels(item.artifact.path) for item in items]

    for found, frames in (
        (whole[key], np.concatenate(each)),
        ({name: episodes[1][f"stats/{key}/{name}"] for name in whole[key]}, each[1]),
    ):
        channels = frames.reshape(-1, 3)
        assert [len(frames)] == found["count"]
        for name, wanted in (
            ("min", channels.min(axis=0)),
            ("max", channels.max(axis=0)),
            ("mean", channels.mean(axis=0)),
            ("std", channels.std(axis=0)),
            ("q50", np.quantile(channels, 0.5, axis=0)),
            ("q99", np.quantile(channels, 0.99, axis=0)),
        ):
            assert (3, 1, 1) == np.shape(found[name])
            np.testing.assert_allclose(np.ravel(found[name]), wanted, atol=1 / 255)
    assert (12, 0.0, 23.0) == (
        whole["index"]["count"][0] / 3,
        whole["index"]["min"][0],
        episodes[1]["stats/index/max"][0],
    )
    assert {"observation.images.depth", *DEFAULTS} <= whole.keys()


def test_statistics_can_be_left_out(items, tmp_path):
    """Then no video is decoded for them."""
    folder = dataset.export(items, LEROBOT, tmp_path / "streets", LeRobotOptions(stats=False))
    columns = pq.read_schema(folder / "meta/episodes/chunk-000/file-000.parquet").names

    assert not (folder / "meta/stats.json").exists()
    assert [] == [name for name in columns if name.startswith("stats/")]


def test_no_byte_of_a_video_changes(folder, items, clip):
    """What is in the dataset has the digests under which it was sealed."""
    outputs = sorted((folder / "videos/observation.images.output").rglob("*.mp4"))
    depths = (folder / "videos/observation.images.depth").rglob("*.mp4")

    assert [item.artifact.digest for item in items] == [media.file_digest(path) for path in outputs]
    assert {clip.file("depth").sha256} == {media.file_digest(path) for path in depths}


def test_it_verifies_as_it_was_sealed(folder):
    """Three results with their verdicts, and twelve passes by their digests."""
    report = examine_folder(folder, tuple(cosmos_checks()))

    assert (15, 15) == (report.files, report.verified), [each.verdict.reason for each in report.outputs]


def test_passes_can_be_left_out(items, tmp_path):
    """Then only the results are copied."""
    folder = dataset.export(items, LEROBOT, tmp_path / "streets", LeRobotOptions(only_output=True))

    assert ["observation.images.output"] == [path.name for path in (folder / "videos").iterdir()]


def test_mixed_sizes_and_rates_are_refused_each_by_name(items, tmp_path):
    """A LeRobot dataset has one shape; nothing is written before that is known."""
    wide = make_sealed(tmp_path / "outputs/wide", seed=7, width=80)
    slow = make_sealed(tmp_path / "outputs/slow", seed=8, fps=12)
    broken = make_sealed(tmp_path / "outputs/broken", seed=9, fps="30000/1001")
    with pytest.raises(RefusedError) as caught:
        dataset.export([*items, wide, slow, broken], LEROBOT, tmp_path / "streets", LeRobotOptions())
    said = " ".join(finding.message for finding in caught.value.findings)

    assert [wide.run.id, slow.run.id, broken.run.id] == [each.where for each in caught.value.findings]
    assert "80x48 at 24 fps, the first one 64x48 at 24 fps" in said
    assert "29.97 frames a second; LeRobot knows whole rates only" in said
    assert not (tmp_path / "streets").exists()


def test_passes_of_another_length_are_refused(tmp_path, clip):
    """A model may make more frames than its clip has; then the clip's depth is not the result's."""
    longer = attrs.evolve(
        make_sealed(tmp_path / "outputs/long", seed=5, frames=20, clip=clip.digest), clip=clip
    )
    with pytest.raises(RefusedError) as caught:
        dataset.export([longer], LEROBOT, tmp_path / "streets", LeRobotOptions())

    assert "has 20 frames and its clip 12" in caught.value.findings[0].message
    assert "only_output=true" in caught.value.findings[0].hint
