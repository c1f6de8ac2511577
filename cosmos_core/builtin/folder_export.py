"""A dataset as a folder: the videos, ``metadata.jsonl`` and ``SHA256SUMS``.

Reads as a Hugging Face *VideoFolder* as it is (``load_dataset("videofolder", data_dir=…)``), and
``sha256sum -c SHA256SUMS`` proves that it is whole. Passes of the clips lie beside the videos, once for all runs that
share a clip; columns ``<pass>_file_name`` lead to them.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import hookimpl
from cosmos_core.errors import Level, worst
from cosmos_core.extend import OUTPUT, Exporter
from cosmos_core.media import copy_checked, file_digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cosmos_core.extend import Exported, Report

VIDEOS = "videos"
PASSES = "passes"


@attrs.frozen(kw_only=True)
class FolderOptions:
    """What else goes into the folder."""

    cameras: tuple[str, ...] = attrs.field(
        default=(),
        metadata={"help": "passes of the clips to put beside the videos: color, depth, seg, edge, vis"},
    )
    posters: bool = attrs.field(
        default=False,
        metadata={"help": "copy poster.jpg and contact.jpg of each video, where they were made"},
    )


@hookimpl
def cosmos_exporters() -> Iterable[Exporter]:
    """Offer the plain folder."""
    yield Exporter(
        name="folder",
        summary="Videos, metadata.jsonl and SHA256SUMS; a Hugging Face VideoFolder as it is.",
        options=FolderOptions,
        export=export,
    )


def export(items: Iterator[Exported], folder: Path, options: FolderOptions | None, _report: Report) -> None:
    """Fill *folder*, hashing each video while it is copied.

    Raises:
        VerifyError: what was copied is not what was sealed, or a clip has not the passes that are wanted.
    """
    chosen = options or FolderOptions()
    (folder / VIDEOS).mkdir()
    rows: list[dict[str, Any]] = []
    for item in items:
        rows.append(row(item) | _copied(item, folder, chosen.cameras))
        if chosen.posters:
            _copy_pictures(item, folder)
    write_rows(folder / "metadata.jsonl", rows)
    write_sums(folder)


def _copied(item: Exported, folder: Path, cameras: Iterable[str]) -> dict[str, str]:
    """Copy an item's videos; give the columns that lead to them."""
    columns = {}
    for camera in item.cameras(cameras):
        if camera.name == OUTPUT:
            column, name = "file_name", f"{VIDEOS}/{_file_name(item)}"
        else:
            column, name = (
                f"{camera.name}_file_name",
                f"{PASSES}/{item.run.spec.clip[:12]}/{camera.path.name}",
            )
        columns[column] = name
        if not (folder / name).exists():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            copy_checked(camera.path, folder / name, camera.digest)
    return columns


def _file_name(item: Exported) -> str:
    path = item.artifact.path
    return f"{path.stem}-{item.run.id}{path.suffix}"


def row(item: Exported) -> dict[str, Any]:
    """What is known of an item, flat, for formats that keep a line of columns a video."""
    run, artifact, spec = item.run, item.artifact, item.run.spec
    return {
        "prompt": spec.prompt.text,
        "negative_prompt": spec.prompt.negative,
        "seed": spec.seed,
        "recipe": spec.digest,
        "sha256": artifact.digest,
        "verdict": "verified" if worst(item.findings) is Level.OK else "needs-review",
        "run": run.id,
        "name": run.name,
        "backend": spec.backend,
        "weights": json.dumps(spec.weights, sort_keys=True),
        "clip": spec.clip,
        "frames": artifact.frames,
        "fps": float(artifact.fps),
        "width": artifact.width,
        "height": artifact.height,
        "rating": run.rating,
        "tags": list(run.tags),
        "shows": [f"{each.name}={each.value}" for each in run.shows],
        "review": str(run.approval),
        **_last_review(item),
        "score": min((each.score for each in item.judgements if each.score is not None), default=None),
    }


def _last_review(item: Exported) -> dict[str, Any]:
    """Who said last what they think of it, when and why; flat, for readers that take a column for a kind of value."""
    said = [each for each in item.reviews if each.approval is not None]
    last = said[-1] if said and said[-1].approval is item.run.approval else None
    return {
        "reviewer": last.who if last else "",
        "reviewed": last.at.isoformat(timespec="seconds") if last else "",
        "review_note": last.note if last else "",
    }


def _copy_pictures(item: Exported, folder: Path) -> None:
    stem = _file_name(item).rpartition(".")[0]
    for picture in ("poster.jpg", "contact.jpg"):
        source = item.artifact.path.with_name(picture)
        if source.is_file():
            (folder / "pictures").mkdir(exist_ok=True)
            shutil.copyfile(source, folder / "pictures" / f"{stem}.{picture}")


def write_rows(path: Path, rows: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line."""
    lines = "".join(json.dumps(each, ensure_ascii=False, sort_keys=True) + "\n" for each in rows)
    path.write_text(lines, "utf-8", newline="\n")


def write_sums(folder: Path) -> None:
    """Write ``SHA256SUMS`` of all that is in *folder*, for ``sha256sum -c``."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{file_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), "utf-8", newline="\n")
