"""Rows into domain objects and back."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from cosmos_core import canonical
from cosmos_core.errors import Finding, InputError, UnknownError
from cosmos_core.run import Approval, Artifact, Needs, Run, State
from cosmos_core.spec import Spec, Variable
from cosmos_core.store.schema import artifact, run, run_shows, run_tag, spec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

SHORTEST_PREFIX = 3
_CHUNK = 5000
_CANDIDATES = 6

_MADE = sa.select(
    *(column for column in run.c if column.name != "spec"),
    spec.c.body,
    *(column.label(f"artifact_{column.name}") for column in artifact.c if column.name != "run"),
    run_shows.c.variables,
).select_from(
    run.join(spec, run.c.spec == spec.c.digest)
    .outerjoin(artifact, artifact.c.run == run.c.id)
    .outerjoin(run_shows, run_shows.c.seq == run.c.seq)
)


def moment(seconds: float) -> datetime:
    """The database's seconds since 1970 as a date and time, in UTC."""
    return datetime.fromtimestamp(seconds, tz=UTC)


def maybe_moment(seconds: float | None) -> datetime | None:
    """As :func:`moment`, where there may be none."""
    return None if seconds is None else moment(seconds)


def storable(text: str) -> str:
    """*text*, which may come from a log, without what no database takes: NUL and halves of surrogate pairs."""
    return text.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()


def findings_text(findings: Iterable[Finding]) -> str:
    """Findings as one JSON text."""
    return storable(canonical.dumps(tuple(findings)))


def findings(text: str) -> tuple[Finding, ...]:
    """The findings that :func:`findings_text` wrote."""
    return canonical.restore(tuple[Finding, ...], json.loads(text))


def stored_path(path: Path, root: Path) -> str:
    """*path* relative to *root* when it lies inside, so that a workspace can move; absolute when it does not."""
    full = path if path.is_absolute() else root / path
    for base, inner in ((root, full), (root.resolve(), full.resolve())):
        if inner.is_relative_to(base):
            return inner.relative_to(base).as_posix()
    return full.as_posix()


def hashes_bytes(hashes: Sequence[int]) -> bytes:
    """64-bit hashes as bytes, little-endian."""
    return struct.pack(f"<{len(hashes)}Q", *hashes)


def hashes(packed: bytes) -> tuple[int, ...]:
    """The hashes that :func:`hashes_bytes` packed."""
    return struct.unpack(f"<{len(packed) // 8}Q", packed)


def artifact_of(row: Any, root: Path, *, prefix: str = "") -> Artifact:
    """The artifact in *row*, whose columns may carry a *prefix*."""

    def at(name: str) -> Any:
        return getattr(row, prefix + name)

    return Artifact(
        run=row.id if prefix else row.run,
        attempt=at("attempt"),
        digest=at("digest"),
        path=root / at("path"),
        bytes=at("bytes"),
        frames=at("frames"),
        fps=Fraction(at("fps")),
        width=at("width"),
        height=at("height"),
        sealed=moment(at("sealed")),
        phashes=hashes(at("phashes")),
    )


def needs_values(needs: Needs) -> dict[str, Any]:
    """What a run needs, as its columns."""
    unfit = json.dumps(needs.unfit) if needs.unfit else ""
    return {"gpus": needs.gpus, "vram_gb": needs.vram_gb, "unfit": storable(unfit)}


def needs_of(row: Any) -> Needs:
    """What a run needs, of its columns in *row*."""
    return Needs(gpus=row.gpus, vram_gb=row.vram_gb, unfit=_unfit(row.unfit))


@cache
def _unfit(text: str) -> tuple[tuple[str, str] | tuple[str, str, str], ...]:
    """What stands in their column. The runs of a backend share a few texts, so each is read once."""
    return tuple(tuple(each) for each in json.loads(text)) if text else ()


def variables_text(shows: Iterable[Variable]) -> str:
    """What a video should show, as one JSON text."""
    return canonical.dumps(tuple(shows))


@lru_cache(maxsize=1024)
def variables(text: str | None) -> tuple[Variable, ...]:
    """What :func:`variables_text` wrote; nothing where nobody said it. The runs of a campaign share some."""
    return canonical.restore(tuple[Variable, ...], json.loads(text)) if text else ()


def spec_of(body: str) -> Spec:
    """The spec in a canonical JSON text."""
    return canonical.restore(Spec, json.loads(body))


def load(connection: sa.Connection, which: sa.ColumnElement[bool], root: Path) -> dict[int, Run]:
    """Every run that *which* picks, by ``seq``."""
    rows = connection.execute(_MADE.where(which)).all()
    tags = _tags(connection, [row.seq for row in rows])
    return {row.seq: _run_of(row, tags.get(row.seq, ()), root) for row in rows}


def load_all(connection: sa.Connection, seqs: Sequence[int], root: Path) -> tuple[Run, ...]:
    """The runs of *seqs*, in that order; those that are gone are left out."""
    found: dict[int, Run] = {}
    for some in _chunks(seqs):
        found |= load(connection, run.c.seq.in_(some), root)
    return tuple(found[seq] for seq in seqs if seq in found)


def load_one(connection: sa.Connection, seq: int, root: Path) -> Run:
    """The run that *seq* is."""
    return load(connection, run.c.seq == seq, root)[seq]


def _run_of(row: Any, tags: tuple[str, ...], root: Path) -> Run:
    return Run(
        id=row.id,
        seq=row.seq,
        name=row.name,
        spec=spec_of(row.body),
        state=State(row.state),
        attempt=row.attempt,
        reason=row.reason,
        batch=row.batch,
        campaign=row.campaign,
        parent=row.parent,
        prompt_ref=row.prompt_ref,
        tags=tags,
        shows=variables(row.variables),
        rating=row.rating,
        approval=Approval(row.approval),
        priority=row.priority,
        created=moment(row.created),
        changed=moment(row.changed),
        progress=row.progress,
        seed=row.seed,
        artifact=artifact_of(row, root, prefix="artifact_") if row.artifact_digest is not None else None,
    )


def _tags(connection: sa.Connection, seqs: Sequence[int]) -> dict[int, tuple[str, ...]]:
    found: dict[int, tuple[str, ...]] = {}
    for some in _chunks(seqs):
        pairs = sa.select(run_tag.c.seq, run_tag.c.tag).where(run_tag.c.seq.in_(some))
        for seq, tag in connection.execute(pairs):
            found[seq] = (*found.get(seq, ()), tag)
    return {seq: tuple(sorted(tags)) for seq, tags in found.items()}


def _chunks(seqs: Sequence[int]) -> Iterator[Sequence[int]]:
    return (seqs[start : start + _CHUNK] for start in range(0, len(seqs), _CHUNK))


def starts_with(column: sa.ColumnElement[str], prefix: str) -> sa.ColumnElement[bool]:
    """Whether *column* begins with *prefix*, as a range that an index answers. *prefix* is ASCII."""
    return sa.and_(column >= prefix, column < prefix + "\x7f")


def find(connection: sa.Connection, ref: str, *, lock: bool = False) -> Any:
    """The row of the run that *ref* means: its id, or at least three characters that only its id begins with.

    With *lock* nobody else changes the run until the transaction ends.

    Raises:
        UnknownError: when no run is called that.
        InputError: when several are, naming them.
    """
    wanted = ref.strip().lower()
    asked = sa.select(run)
    if lock:
        asked = asked.with_for_update()
    if row := connection.execute(asked.where(run.c.id == wanted)).one_or_none():
        return row
    rows: Sequence[Any] = []
    if len(wanted) >= SHORTEST_PREFIX and wanted.isascii() and wanted.isalnum():
        rows = connection.execute(asked.where(starts_with(run.c.id, wanted)).limit(_CANDIDATES)).all()
    if not rows:
        raise UnknownError(f"there is no run {ref!r}", hint="list them: cosmos list")
    if len(rows) > 1:
        names = sorted(row.id for row in rows)
        shown = ", ".join(names[: _CANDIDATES - 1]) + (", …" if len(names) == _CANDIDATES else "")
        raise InputError(f"{ref!r} may be any of the runs {shown}", hint="write more of the id")
    return rows[0]


def insert_new(connection: sa.Connection, table: sa.Table) -> sa.Insert:
    """An insert that leaves alone what is there under the same key."""
    # Importing PostgreSQL's dialect takes longer than opening a store on SQLite.
    if connection.dialect.name == "sqlite":
        from sqlalchemy.dialects import sqlite

        return sqlite.insert(table).on_conflict_do_nothing()
    from sqlalchemy.dialects import postgresql

    return postgresql.insert(table).on_conflict_do_nothing()
