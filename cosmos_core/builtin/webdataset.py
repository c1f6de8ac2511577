"""A dataset as WebDataset shards: tar files in which a sample is files of one basename.

``shard-000000.tar`` holds ``000000.mp4``, ``000000.json`` and, where wanted, ``000000.depth.mp4`` and others. Equal items
give equal shards: no times, no owners. ``metadata.jsonl`` says which video lies where. https://github.com/webdataset/webdataset
"""

from __future__ import annotations

import io
import json
import tarfile
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import hookimpl
from cosmos_core.builtin.folder_export import row, write_rows, write_sums
from cosmos_core.errors import VerifyError
from cosmos_core.extend import OUTPUT, Exporter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cosmos_core.extend import Camera, Exported, Report


def _positive(_: object, field: attrs.Attribute[float], value: float) -> None:
    if not value > 0:
        raise ValueError(f"{field.name} is {value}; it must be above 0")


METADATA = "metadata.jsonl"


@attrs.frozen(kw_only=True)
class WebDatasetOptions:
    """How samples are laid into shards."""

    cameras: tuple[str, ...] = attrs.field(
        default=(),
        metadata={"help": "passes of the clips to put beside the videos: color, depth, seg, edge, vis"},
    )
    shard_mb: float = attrs.field(
        default=1000.0, validator=_positive, metadata={"help": "megabytes after which a new shard is begun"}
    )


@hookimpl
def cosmos_exporters() -> Iterable[Exporter]:
    """Offer the shards."""
    yield Exporter(
        name="webdataset",
        summary="Tar shards of mp4 and json, for large-scale training.",
        options=WebDatasetOptions,
        export=export,
    )


def export(
    items: Iterator[Exported], folder: Path, options: WebDatasetOptions | None, _report: Report
) -> None:
    """Fill *folder* with shards.

    Raises:
        VerifyError: what was written is not what was sealed, or a clip has not the passes that are wanted.
    """
    chosen = options or WebDatasetOptions()
    groups = _groups(enumerate(items), chosen.cameras, chosen.shard_mb * 1e6)
    index: list[dict[str, Any]] = []
    for number, group in enumerate(groups):
        name = f"shard-{number:06}.tar"
        with tarfile.open(folder / name, "x", format=tarfile.USTAR_FORMAT) as shard:
            for place, item in group:
                index += (
                    {"file_name": f"{name}/{each}"} | about
                    for each, about in _add(shard, place, item, chosen.cameras)
                )
    write_rows(folder / METADATA, index)
    write_sums(folder)


def _groups(
    items: Iterable[tuple[int, Exported]], cameras: Sequence[str], limit: float
) -> Iterator[list[tuple[int, Exported]]]:
    """The items of each shard: the first that reaches *limit* bytes is its last."""
    group: list[tuple[int, Exported]] = []
    size = 0
    for index, item in items:
        group.append((index, item))
        size += sum(camera.path.stat().st_size for camera in item.cameras(cameras))
        if size >= limit:
            yield group
            group, size = [], 0
    if group:
        yield group


def _add(
    shard: tarfile.TarFile, place: int, item: Exported, cameras: Iterable[str]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Put a sample into its shard; give the name of each video in it and what is known of that one."""
    about = row(item)
    for camera in item.cameras(cameras):
        suffix = camera.path.suffix if camera.name == OUTPUT else f".{camera.name}{camera.path.suffix}"
        _put(shard, f"{place:06}{suffix}", _whole(camera))
        yield f"{place:06}{suffix}", about if camera.name == OUTPUT else {"sha256": camera.digest}
    _put(shard, f"{place:06}.json", json.dumps(about, ensure_ascii=False, sort_keys=True).encode())


def _whole(camera: Camera) -> bytes:
    """A video's bytes, read once, so that what is hashed is what is written. A clip has some ten megabytes."""
    import hashlib

    content = camera.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != camera.digest:
        raise VerifyError(f"{camera.path} changed while it was copied", hint="it is not what was sealed")
    return content


def _put(shard: tarfile.TarFile, name: str, content: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size = len(content)
    about.mode = 0o644
    shard.addfile(about, io.BytesIO(content))
