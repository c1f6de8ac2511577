"""A dataset as a folder: the videos, ``metadata.jsonl`` and ``SHA256SUMS``.

Reads as a Hugging Face *VideoFolder* as it is (``load_dataset("videofolder", data_dir=…)``), and
``sha256sum -c SHA256SUMS`` proves that it is whole.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import hookimpl
from cosmos_core.errors import Level, VerifyError, worst
from cosmos_core.extend import Exporter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from cosmos_core.extend import Exported, Report

VIDEOS = "videos"


@attrs.frozen(kw_only=True)
class FolderOptions:
    """What else goes into the folder."""

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
        VerifyError: when what was copied is not what was sealed.
    """
    (folder / VIDEOS).mkdir()
    rows: list[dict[str, Any]] = []
    for item in items:
        name = f"{VIDEOS}/{_file_name(item)}"
        if _copy(item.artifact.path, folder / name) != item.artifact.digest:
            raise VerifyError(f"{item.artifact.path} changed while it was copied")
        rows.append(_row(item, name))
        if options and options.posters:
            _copy_pictures(item, folder)
    lines = "".join(json.dumps(row, ensure_ascii=False, sort_keys=True) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines, "utf-8", newline="\n")
    _write_sums(folder)


def _file_name(item: Exported) -> str:
    path = item.artifact.path
    return f"{path.stem}-{item.run.id}{path.suffix}"


def _row(item: Exported, name: str) -> dict[str, Any]:
    run, artifact, spec = item.run, item.artifact, item.run.spec
    return {
        "file_name": name,
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
    }


def _copy(source: Path, target: Path) -> str:
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as out:
        while block := read.read(1 << 20):
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def _copy_pictures(item: Exported, folder: Path) -> None:
    stem = _file_name(item).rpartition(".")[0]
    for picture in ("poster.jpg", "contact.jpg"):
        source = item.artifact.path.with_name(picture)
        if source.is_file():
            (folder / "pictures").mkdir(exist_ok=True)
            _copy(source, folder / "pictures" / f"{stem}.{picture}")


def _write_sums(folder: Path) -> None:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = [f"{_digest(path)}  {path.relative_to(folder).as_posix()}\n" for path in files]
    (folder / "SHA256SUMS").write_text("".join(lines), "utf-8", newline="\n")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
