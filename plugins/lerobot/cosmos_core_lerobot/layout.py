"""What a LeRobot dataset of version 3 says about itself: names of files, columns, features. Pure.

Read in huggingface/lerobot: src/lerobot/datasets/utils.py and lerobot_dataset.py (``CODEBASE_VERSION = "v3.0"``), and
proved by loading a sample with lerobot 0.4.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

VERSION = "v3.0"
CHUNK = 1000
"""Episodes whose files share a folder."""
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
TASKS = "meta/tasks.parquet"
INFO = "meta/info.json"
STATS = "meta/stats.json"

DEFAULTS = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}


@attrs.frozen(kw_only=True)
class Stream:
    """One camera of every episode."""

    key: str
    """``observation.images.<camera>``."""
    codec: str
    pix_fmt: str


@attrs.frozen(kw_only=True)
class Shape:
    """What all videos of a dataset share."""

    width: int
    height: int
    fps: int

    def __str__(self) -> str:
        return f"{self.width}x{self.height} at {self.fps} fps"


@attrs.frozen(kw_only=True)
class Episode:
    """One video."""

    index: int
    frames: int
    first: int
    """Number of its first frame in the whole dataset."""
    task: str
    run: str
    recipe: str
    seed: int
    sha256: str


def place(index: int) -> dict[str, int]:
    """Chunk and number of the file of an episode's video; each has a file of its own."""
    return {"chunk_index": index // CHUNK, "file_index": index % CHUNK}


def info(shape: Shape, streams: Iterable[Stream], episodes: list[Episode], robot_type: str) -> dict[str, Any]:
    """The content of ``meta/info.json``."""
    return {
        "codebase_version": VERSION,
        "robot_type": robot_type or None,
        "total_episodes": len(episodes),
        "total_frames": sum(episode.frames for episode in episodes),
        "total_tasks": len(tasks(episodes)),
        "chunks_size": CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": shape.fps,
        "splits": {"train": f"0:{len(episodes)}"},
        "data_path": DATA,
        "video_path": VIDEO,
        "features": {stream.key: _video(shape, stream) for stream in streams}
        | {name: {"dtype": kind, "shape": [1], "names": None} for name, kind in DEFAULTS.items()},
    }


def _video(shape: Shape, stream: Stream) -> dict[str, Any]:
    return {
        "dtype": "video",
        "shape": [shape.height, shape.width, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": shape.height,
            "video.width": shape.width,
            "video.codec": stream.codec,
            "video.pix_fmt": stream.pix_fmt,
            # Three equal channels of 8 bits, as Cosmos takes depth; LeRobot's depth maps have one of 16.
            "video.is_depth_map": False,
            "video.fps": shape.fps,
            "video.channels": 3,
            "has_audio": False,
        },
    }


def tasks(episodes: Iterable[Episode]) -> dict[str, int]:
    """Number by task, in order of appearance."""
    return {task: number for number, task in enumerate(dict.fromkeys(each.task for each in episodes))}


def columns(episode: Episode, numbers: Mapping[str, int], fps: int) -> dict[str, Sequence[float]]:
    """The features that every frame has, by name, for all frames of an episode; *numbers* are those of the tasks."""
    frames = range(episode.frames)
    return {
        "timestamp": [frame / fps for frame in frames],
        "frame_index": frames,
        "episode_index": [episode.index] * episode.frames,
        "index": range(episode.first, episode.first + episode.frames),
        "task_index": [numbers[episode.task]] * episode.frames,
    }
