"""Writing a LeRobot dataset: videos copied, tables by pyarrow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from cosmos_core import media
from cosmos_core.errors import RefusedError, fail
from cosmos_core_lerobot import layout, stats

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cosmos_core.errors import Finding
    from cosmos_core.extend import Exported, Report
    from cosmos_core_lerobot import LeRobotOptions
    from cosmos_core_lerobot.layout import Episode
    from cosmos_core_lerobot.stats import Seen, Stats

PASSES = ("color", "depth", "seg", "edge")


def export(items: Iterator[Exported], folder: Path, options: LeRobotOptions, report: Report) -> None:
    """Fill *folder*.

    Raises:
        RefusedError: the items differ in size, rate or length of a pass; nothing was written.
        VerifyError: what was copied is not what was sealed.
    """
    chosen = list(items)
    passes = () if options.only_output else common_passes(chosen)
    if findings := list(review(chosen, passes)):
        raise RefusedError(
            f"{len(findings)} of {len(chosen)} runs do not fit into one LeRobot dataset", findings
        )
    shape = _shape(chosen[0])
    episodes = list(_episodes(chosen))
    for item, episode in zip(chosen, episodes, strict=True):
        _copy(item, episode, passes, folder)
    streams = [_stream(camera.name, camera.path) for camera in chosen[0].cameras(passes)]
    _write_data(folder, episodes, shape)
    measured = _stats(chosen, episodes, passes, folder, report) if options.stats else [{} for _ in episodes]
    _write_episodes(folder, episodes, shape, [stream.key for stream in streams], measured)
    _write_tasks(folder / layout.TASKS, layout.tasks(episodes))
    about = layout.info(shape, streams, episodes, options.robot_type)
    (folder / layout.INFO).write_text(json.dumps(about, indent=4) + "\n", "utf-8", newline="\n")


def common_passes(items: Sequence[Exported]) -> tuple[str, ...]:
    """The passes that every item's clip has: a dataset has the same cameras throughout."""
    return tuple(
        each
        for each in PASSES
        if all(item.clip is not None and each in item.clip.modalities for item in items)
    )


def review(items: Sequence[Exported], passes: Iterable[str]) -> Iterator[Finding]:
    """Why items do not fit into one dataset, a finding each."""
    wanted = _shape(items[0]) if items and items[0].artifact.fps.denominator == 1 else None
    for item in items:
        made, where = item.artifact, item.run.id
        if made.fps.denominator != 1:
            yield fail(
                f"run {where} ({item.run.name}) has {float(made.fps):g} frames a second; LeRobot knows whole rates only",
                where=where,
            )
        elif wanted is not None and _shape(item) != wanted:
            yield fail(
                f"run {where} ({item.run.name}) is {_shape(item)}, the first one {wanted}",
                hint="export them as datasets of their own: --tag, --campaign",
                where=where,
            )
        elif (
            passes and item.clip is not None and (item.clip.frames, item.clip.fps) != (made.frames, made.fps)
        ):
            yield fail(
                f"run {where} ({item.run.name}) has {made.frames} frames and its clip {item.clip.frames}, "
                "so its passes do not show what it shows",
                hint="-o only_output=true leaves the passes out",
                where=where,
            )


def _shape(item: Exported) -> layout.Shape:
    made = item.artifact
    return layout.Shape(width=made.width, height=made.height, fps=int(made.fps))


def _key(camera: str) -> str:
    return f"observation.images.{camera}"


def _stream(camera: str, path: Path) -> layout.Stream:
    facts = media.probe(path)
    return layout.Stream(key=_key(camera), codec=facts.codec, pix_fmt=facts.pix_fmt)


def _episodes(items: Iterable[Exported]) -> Iterator[Episode]:
    first = 0
    for index, item in enumerate(items):
        spec = item.run.spec
        yield layout.Episode(
            index=index,
            frames=item.artifact.frames,
            first=first,
            task=spec.prompt.text,
            run=item.run.id,
            recipe=spec.digest,
            seed=spec.seed,
            sha256=item.artifact.digest,
        )
        first += item.artifact.frames


def _copy(item: Exported, episode: Episode, passes: Iterable[str], folder: Path) -> None:
    for camera in item.cameras(passes):
        target = folder / layout.VIDEO.format(video_key=_key(camera.name), **layout.place(episode.index))
        target.parent.mkdir(parents=True, exist_ok=True)
        media.copy_checked(camera.path, target, camera.digest)


def _stats(
    items: Sequence[Exported],
    episodes: Sequence[Episode],
    passes: Sequence[str],
    folder: Path,
    report: Report,
) -> list[dict[str, Stats]]:
    """Statistics of each episode, by feature, and those of them all in a file. A pass that episodes share is decoded once."""
    known: dict[str, Seen] = {}
    seen: dict[str, list[Seen]] = {}
    found: list[dict[str, Stats]] = []
    shape, numbers = _shape(items[0]), layout.tasks(episodes)
    for item, episode in zip(items, episodes, strict=True):
        made = {
            name: stats.of_numbers(each) for name, each in layout.columns(episode, numbers, shape.fps).items()
        }
        for camera in item.cameras(passes):
            if camera.digest not in known:
                known[camera.digest] = stats.look(camera.path, episode.frames)
            seen.setdefault(_key(camera.name), []).append(known[camera.digest])
            made[_key(camera.name)] = stats.of_pictures(known[camera.digest])
        found.append(made)
        report(episode.index + 1, len(episodes), f"statistics of {item.run.name}")
    whole = {key: stats.of_pictures(stats.together(each)) for key, each in seen.items()}
    columns = [layout.columns(each, numbers, shape.fps) for each in episodes]
    whole |= {
        name: stats.of_numbers(number for each in columns for number in each[name]) for name in columns[0]
    }
    (folder / layout.STATS).parent.mkdir(parents=True, exist_ok=True)
    (folder / layout.STATS).write_text(json.dumps(whole, indent=4) + "\n", "utf-8", newline="\n")
    return found


def _chunks(episodes: Sequence[Episode]) -> Iterator[tuple[int, Sequence[Episode]]]:
    for start in range(0, len(episodes), layout.CHUNK):
        yield start // layout.CHUNK, episodes[start : start + layout.CHUNK]


def _write_data(folder: Path, episodes: Sequence[Episode], shape: layout.Shape) -> None:
    """A row a frame."""
    numbers = layout.tasks(episodes)
    for chunk, some in _chunks(episodes):
        columns = [layout.columns(each, numbers, shape.fps) for each in some]
        table = {
            name: pa.array([each for column in columns for each in column[name]], kind)
            for name, kind in layout.DEFAULTS.items()
        }
        _write(folder / layout.DATA.format(chunk_index=chunk, file_index=0), pa.table(table))


def _write_episodes(
    folder: Path,
    episodes: Sequence[Episode],
    shape: layout.Shape,
    keys: Iterable[str],
    measured: Sequence[Mapping[str, Stats]],
) -> None:
    """A row an episode: where its frames and its videos are, and what made it."""
    cameras = list(keys)
    for chunk, some in _chunks(episodes):
        rows = [_episode(each, chunk, shape, cameras) | _flat(measured[each.index]) for each in some]
        table = pa.Table.from_pylist(rows)
        _write(folder / layout.EPISODES.format(chunk_index=chunk, file_index=0), table)


def _episode(episode: Episode, chunk: int, shape: layout.Shape, cameras: Iterable[str]) -> dict[str, Any]:
    row: dict[str, Any] = {
        "episode_index": episode.index,
        "tasks": [episode.task],
        "length": episode.frames,
        "dataset_from_index": episode.first,
        "dataset_to_index": episode.first + episode.frames,
        "data/chunk_index": chunk,
        "data/file_index": 0,
        "meta/episodes/chunk_index": chunk,
        "meta/episodes/file_index": 0,
        "run": episode.run,
        "recipe": episode.recipe,
        "seed": episode.seed,
        "sha256": episode.sha256,
    }
    for key in cameras:
        row |= {f"videos/{key}/{name}": number for name, number in layout.place(episode.index).items()}
        row[f"videos/{key}/from_timestamp"] = 0.0
        row[f"videos/{key}/to_timestamp"] = episode.frames / shape.fps
    return row


def _flat(measured: Mapping[str, Stats]) -> dict[str, Any]:
    """An episode's statistics as LeRobot's columns ``stats/<feature>/<statistic>``."""
    return {
        f"stats/{key}/{name}": value for key, stats_ in measured.items() for name, value in stats_.items()
    }


def _write_tasks(path: Path, numbers: dict[str, int]) -> None:
    """The table of tasks, which LeRobot reads as a pandas frame whose index is the task's words."""
    index = "__index_level_0__"
    table = pa.table(
        {"task_index": pa.array(numbers.values(), pa.int64()), index: pa.array(numbers, pa.string())}
    )
    kept = {
        "index_columns": [index],
        "column_indexes": [],
        "columns": [
            {
                "name": "task_index",
                "field_name": "task_index",
                "pandas_type": "int64",
                "numpy_type": "int64",
                "metadata": None,
            },
            {
                "name": None,
                "field_name": index,
                "pandas_type": "unicode",
                "numpy_type": "object",
                "metadata": None,
            },
        ],
        "pandas_version": "2.2.0",
    }
    _write(path, table.replace_schema_metadata({"pandas": json.dumps(kept)}))


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path)
