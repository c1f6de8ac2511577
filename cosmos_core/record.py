"""What is written beside a video and read again: the verdict, the record of where it came from, and other claims.

``artifact.json`` lies beside each sealed video and holds a :class:`Record`. A dataset's ``dataset.json`` holds one for
each of its videos. Other programs leave less: ``SHA256SUMS``, a ``metadata.jsonl``, or the arguments that a Cosmos
program echoes as ``<name>.json``. :func:`read_claims` reads them all, and believes none of them: a claim is what a file
should be, never proof of what it is.
"""

from __future__ import annotations

import json
from enum import StrEnum
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import canonical
from cosmos_core.errors import Finding, InputError, Level, warn, worst
from cosmos_core.extend import Expectation
from cosmos_core.spec import Spec, Variable

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator

ARTIFACT = "artifact.json"
REJECTION = "rejection.json"
DATASET = "dataset.json"
METADATA = "metadata.jsonl"
SUMS = "SHA256SUMS"
SCHEMA = 1

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm")
"""File names that promise a video."""

_LARGEST_ECHO = 1 << 20
_LONGEST_NAME = 255
"""Bytes, on every file system in use."""


class Ruling(StrEnum):
    """What all answers together say about an output."""

    VERIFIED = "verified"
    NEEDS_REVIEW = "needs-review"
    REJECTED = "rejected"
    UNVERIFIED = "unverified"


@attrs.frozen(kw_only=True)
class Verdict:
    """The ruling about one output, and everything it rests on."""

    ruling: Ruling
    findings: tuple[Finding, ...] = ()
    """In the order in which they were found; each names its check."""
    asked: dict[str, int] = attrs.field(factory=dict)
    """Version of each check that was asked, by id."""
    unanswered: tuple[str, ...] = ()
    """Checks that raised instead of answering."""
    seconds: float = 0.0

    @property
    def level(self) -> Level:
        """The worst finding's."""
        return worst(self.findings)

    @property
    def reason(self) -> str:
        """The first of the worst findings, in its own words; empty when there are only good ones."""
        bad = [finding for finding in self.findings if finding.level is self.level is not Level.OK]
        return bad[0].message if bad else ""


@attrs.frozen(kw_only=True)
class Record:
    """Where a video came from, what was asked, and what the checks said. Everything needed to trace it back."""

    schema: int = SCHEMA
    run: str
    name: str
    attempt: int
    file: str = ""
    """Its name, beside this record."""
    digest: str = ""
    """SHA-256 of its bytes."""
    bytes: int = 0
    frames: int = 0
    fps: Fraction = Fraction(0)
    width: int = 0
    height: int = 0
    recipe: str
    """Digest of the spec."""
    spec: Spec
    expected: Expectation | None = None
    verdict: Verdict
    guardrail: str = "none"
    remote_digest: str = ""
    clip: str = ""
    """Digest of the clip it was made from; its name and folder follow."""
    clip_name: str = ""
    clip_folder: str = ""
    prompt_ref: str = ""
    parent: str = ""
    campaign: str = ""
    tags: tuple[str, ...] = ()
    shows: tuple[Variable, ...] = ()
    """What it should show."""
    rating: int | None = None
    host: str = ""
    slot: int = 0
    job: str = ""
    """``batch/attempt/fence`` that its job was started under."""
    fence: int = 0
    """Of the worker that published it."""
    metadata: dict[str, str] = attrs.field(factory=dict)
    """Tags in the video's container, where models write their names."""
    versions: dict[str, str] = attrs.field(factory=dict)
    """Of the programs that had a part in it, by distribution."""


@attrs.frozen(kw_only=True)
class Passed:
    """A pass of an input clip, which a dataset may carry beside its videos."""

    digest: str
    """SHA-256 of its bytes, as the clip's manifest has it."""
    modality: str
    clip: str
    """Digest of the clip."""


@attrs.frozen(kw_only=True)
class Dataset:
    """What ``dataset.json`` holds."""

    schema: int = SCHEMA
    exporter: str
    cosmos_core: str
    """Version that wrote it."""
    records: tuple[Record, ...] = ()
    passes: tuple[Passed, ...] = ()
    """Inputs that may be among its files; they are known by their digests, and asked nothing about a request."""


@attrs.frozen(kw_only=True)
class Claim:
    """What a file should be, according to what lies beside it."""

    source: str = ""
    """Name of the file that says so; empty when nothing does."""
    name: str = ""
    """The file it speaks of, relative to the root; empty where only the digest is known."""
    digest: str = ""
    recipe: str = ""
    record: Record | None = None
    passed: Passed | None = None
    """It is an input and no result."""
    spec: Spec | None = None
    """What was asked, where that is known without a record."""
    expected: Expectation | None = None

    def joined(self, later: Claim | None) -> Claim:
        """Both claims as one. The later is heard where both speak, but about the digest, where the first is."""
        if later is None:
            return self
        return Claim(
            source=later.source,
            name=self.name or later.name,
            digest=self.digest or later.digest,
            recipe=later.recipe or self.recipe,
            record=later.record or self.record,
            passed=later.passed or self.passed,
            spec=later.spec or self.spec,
            expected=later.expected or self.expected,
        )


@attrs.frozen(kw_only=True)
class Claims:
    """Everything that is claimed about the files of a folder."""

    named: dict[str, Claim] = attrs.field(factory=dict)
    by_digest: dict[str, Claim] = attrs.field(factory=dict)
    notes: tuple[Finding, ...] = ()
    """A warning for each sidecar that is not understood."""

    def about(self, name: str, digest: str) -> Claim:
        """What is claimed about the file *name* that has *digest* now."""
        claim = self.named.get(name, Claim())
        return claim.joined(self.by_digest.get(claim.digest or digest))


def read_record(folder: Path) -> Record | None:
    """The record in ``artifact.json`` of *folder*; None when there is none.

    Raises:
        InputError: when it is not understood.
    """
    path = folder / ARTIFACT
    if not path.is_file():
        return None
    return canonical.parse(Record, _json(path, path.read_text("utf-8")), where=str(path))


def is_sidecar(name: str, stems: Container[str]) -> bool:
    """Whether the file *name* makes claims about others; *stems* are those of the videos in its folder."""
    return name in _READERS or (name.endswith(".json") and name.removesuffix(".json") in stems)


def read_claims(root: Path, sidecars: Iterable[str]) -> Claims:
    """What *sidecars*, named relative to *root* with ``/``, say about files. What is wrong with one stops no other.

    A sidecar is not heard about a file outside of its own folder.
    """
    named: dict[str, Claim] = {}
    by_digest: dict[str, Claim] = {}
    notes: list[Finding] = []
    for sidecar in sorted(sidecars, key=_weight):
        try:
            for claim in _read_sidecar(root / sidecar):
                if not claim.name:
                    by_digest[claim.digest] = claim
                elif name := _inside(sidecar, claim.name):
                    named[name] = named.get(name, Claim()).joined(attrs.evolve(claim, name=name))
        except (InputError, OSError, ValueError) as error:
            notes.append(
                warn(f"{sidecar} is not understood, so nothing of it was compared: {error}", where=sidecar)
            )
    return Claims(named=named, by_digest=by_digest, notes=tuple(notes))


def _weight(sidecar: str) -> tuple[int, str]:
    """Sort so that what says more comes later."""
    name = PurePosixPath(sidecar).name
    return ([*_READERS].index(name) + 1 if name in _READERS else 0, sidecar)


def _read_sidecar(path: Path) -> Iterator[Claim]:
    if path.is_symlink() or not path.is_file():
        raise InputError("it is not a regular file")
    reader = _READERS.get(path.name, _echo)
    if reader is not _echo or path.stat().st_size <= _LARGEST_ECHO:
        yield from reader(path, path.read_text("utf-8"))


def _sums(path: Path, text: str) -> Iterator[Claim]:
    for line in filter(str.strip, text.splitlines()):
        digest, _, name = line.partition(" ")
        yield Claim(source=path.name, name=name[1:], digest=digest.lower())


def _metadata(path: Path, text: str) -> Iterator[Claim]:
    for line in filter(str.strip, text.splitlines()):
        row = _json(path, line)
        if not isinstance(row, dict) or not isinstance(row.get("file_name"), str):
            raise InputError(f"a line of {path.name} has no file_name")
        digest, recipe = (str(row.get(key) or "") for key in ("sha256", "recipe"))
        yield Claim(source=path.name, name=row["file_name"], digest=digest, recipe=recipe)


def _dataset(path: Path, text: str) -> Iterator[Claim]:
    dataset = canonical.parse(Dataset, _json(path, text), where=path.name)
    for passed in dataset.passes:
        yield Claim(source=path.name, digest=passed.digest, passed=passed)
    for record in dataset.records:
        yield Claim(source=path.name, digest=record.digest, recipe=record.recipe, record=record)


def _artifact(path: Path, text: str) -> Iterator[Claim]:
    record = canonical.parse(Record, _json(path, text), where=path.name)
    yield Claim(source=path.name, name=record.file, digest=record.digest, recipe=record.recipe, record=record)


def _echo(path: Path, text: str) -> Iterator[Claim]:
    """Read the arguments that Transfer 2.5 and Predict 2.5 echo before they begin: a recipe, and no more than that."""
    try:
        arguments = json.loads(text)
    except (ValueError, RecursionError):
        return
    if isinstance(arguments, dict):
        arguments.pop("name", None)
        recipe = canonical.digest(arguments)
        for suffix in SUFFIXES:
            if path.with_suffix(suffix).is_file():
                yield Claim(source=path.name, name=path.with_suffix(suffix).name, recipe=recipe)


# In the order of how much they say; what says more is read later.
_READERS: dict[str, Callable[[Path, str], Iterator[Claim]]] = {
    SUMS: _sums,
    METADATA: _metadata,
    DATASET: _dataset,
    ARTIFACT: _artifact,
}


def _json(path: Path, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is not JSON: {error}") from error


def _may_be_called(path: PurePosixPath) -> bool:
    """Whether a file can have that name at all."""
    lengths = [len(part.encode("utf-8", "surrogateescape")) for part in path.parts]
    return "\0" not in str(path) and max(lengths, default=0) <= _LONGEST_NAME


def _inside(sidecar: str, name: str) -> str:
    """Give *name* relative to the root; empty when it leads out of the sidecar's folder."""
    folder = PurePosixPath(sidecar).parent
    parts = PurePosixPath(name.replace("\\", "/"))
    if parts.is_absolute() or ".." in parts.parts or not name or not _may_be_called(parts):
        return ""
    return (folder / parts).as_posix()
