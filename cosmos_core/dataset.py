"""Artifacts into a dataset folder, and nothing unsealed.

The exporter decides the format. The core sees to the rest, whatever the format: each artifact's bytes are hashed again
before the exporter gets it, ``dataset.json`` names every run with its spec, verdict and versions, and the folder
appears under its name only when all of it is on the disk.
"""

from __future__ import annotations

import os
import secrets
import shutil
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import __version__, canonical
from cosmos_core.errors import Finding, InputError, Level, PluginError, RefusedError, VerifyError, fail, worst
from cosmos_core.extend import Report, silent
from cosmos_core.lineage import CRATE, crate
from cosmos_core.record import DATASET, Dataset, Passed, Record, Ruling, Verdict, read_record
from cosmos_core.run import State

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cosmos_core.extend import Exported, Exporter


def export(
    items: Iterable[Exported], exporter: Exporter, target: Path, options: Any = None, report: Report = silent
) -> Path:
    """Write a dataset of sealed artifacts into *target*, which must not exist, and give its path.

    Args:
        items: what goes in, in this order.
        exporter: the format.
        target: folder of the dataset; its parents are made.
        options: an instance of the exporter's options class.
        report: told after each artifact.

    Raises:
        InputError: when *target* exists, or there is nothing to export.
        RefusedError: with a finding for every item that is not sealed or not there any more.
        VerifyError: when an artifact's bytes are not those that were sealed. Nothing is left behind.
        PluginError: when the exporter wrote nothing.
    """
    chosen = tuple(items)
    _refuse(chosen, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part-{secrets.token_hex(4)}")
    part.mkdir()
    try:
        exporter.export(_checked(chosen, report), part, options, report)
        if not any(part.iterdir()):
            raise PluginError(f"exporter {exporter.name} wrote nothing")
        records = tuple(_record(item) for item in chosen)
        made = Dataset(
            exporter=exporter.name, cosmos_core=__version__, records=records, passes=_passes(chosen)
        )
        canonical.write_file(part / DATASET, made)
        canonical.write_file(part / CRATE, crate(made))
        _settle(part)
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _refuse(items: Sequence[Exported], target: Path) -> None:
    if target.exists() or target.is_symlink():
        raise InputError(f"{target} is there already", hint="choose a new folder; a dataset is never changed")
    if not items:
        raise InputError(
            "there is nothing to export", hint="only sealed runs are exported: cosmos list --state sealed"
        )
    if findings := [finding for item in items for finding in _review(item)]:
        raise RefusedError(f"{len(findings)} of {len(items)} runs cannot be exported", findings)


def _review(item: Exported) -> Iterator[Finding]:
    run, artifact = item.run, item.artifact
    if run.state is not State.SEALED:
        yield fail(f"run {run.id} ({run.name}) is {run.state}, not sealed", where=run.id)
    elif artifact.run != run.id:
        yield fail(
            f"artifact {artifact.path.name} belongs to run {artifact.run}, not to {run.id}", where=run.id
        )
    elif artifact.path.is_symlink() or not artifact.path.is_file():
        yield fail(
            f"the artifact of run {run.id} ({run.name}) is not at {artifact.path} any more",
            hint="put it back, or leave the run out",
            where=run.id,
        )


def _checked(items: Sequence[Exported], report: Report) -> Iterator[Exported]:
    """Hand over each artifact after its bytes were hashed again."""
    from cosmos_core.media import file_digest

    for index, item in enumerate(items, start=1):
        if (found := file_digest(item.artifact.path)) != item.artifact.digest:
            raise VerifyError(
                f"{item.artifact.path} is not what was sealed: SHA-256 {found[:12]}…, not {item.artifact.digest[:12]}…",
                hint="it was changed or damaged on this disk; make the run again, or leave it out",
            )
        yield item
        report(index, len(items), item.run.name)


def _record(item: Exported) -> Record:
    """The record beside the artifact, with what a person said since, and without paths of this machine."""
    run, artifact = item.run, item.artifact
    record = read_record(artifact.path.parent) or _made_up(item)
    if record.digest != artifact.digest:
        record = _made_up(item)
    return attrs.evolve(record, tags=run.tags, shows=run.shows, rating=run.rating, clip_folder="")


def _made_up(item: Exported) -> Record:
    """What the store knows, where no record lies beside the artifact."""
    run, artifact = item.run, item.artifact
    ruling = Ruling.VERIFIED if worst(item.findings) is Level.OK else Ruling.NEEDS_REVIEW
    return Record(
        run=run.id,
        name=run.name,
        attempt=artifact.attempt,
        file=artifact.path.name,
        digest=artifact.digest,
        bytes=artifact.bytes,
        frames=artifact.frames,
        fps=artifact.fps,
        width=artifact.width,
        height=artifact.height,
        recipe=run.spec.digest,
        spec=run.spec,
        verdict=Verdict(ruling=ruling, findings=item.findings),
        clip=run.spec.clip,
        prompt_ref=run.prompt_ref,
        parent=run.parent,
        campaign=run.campaign,
    )


def _passes(items: Iterable[Exported]) -> tuple[Passed, ...]:
    """What the clips of *items* hold, each content once: whatever of it the exporter took along is an input."""
    known = {
        file.sha256: Passed(digest=file.sha256, modality=file.modality, clip=item.clip.digest)
        for item in items
        if item.clip is not None
        for file in item.clip.files
    }
    return tuple(known[digest] for digest in sorted(known))


def _settle(folder: Path) -> None:
    """Bring every file to the disk before the folder gets its name."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("r+b") as file:
                os.fsync(file.fileno())
