"""Any folder of videos, asked file by file: no store, no run and no workspace is needed.

What lies beside the files (``dataset.json``, ``metadata.jsonl``, ``SHA256SUMS``, ``artifact.json``) says what they should
be; the files say what they are.
"""

from __future__ import annotations

import os
import shutil
import tarfile
import tempfile
import time
from collections import Counter
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from cosmos_core.clip import MANIFEST
from cosmos_core.errors import (
    CosmosError,
    Finding,
    InputError,
    Level,
    worst,
)
from cosmos_core.examine import examine, sizes_of
from cosmos_core.extend import Artifact, Check, Clip, Output, Report, silent
from cosmos_core.record import (
    SUFFIXES,
    Claim,
    Record,
    Ruling,
    Verdict,
    is_sidecar,
    read_claims,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


# What these say depends on the input, so it cannot be asked again where the input is not at hand.
_COMPARES_WITH_INPUT = frozenset({"content.frozen", "content.equals-input"})


@attrs.frozen(kw_only=True)
class Examined:
    """One file of a folder, and what was found."""

    name: str
    """Relative to the folder, with ``/``."""
    kind: str
    """What its first bytes are: ``video``, ``pointer``, ``html``, …, ``link``."""
    digest: str
    """SHA-256 of its bytes, or the one a pointer names; empty when there is neither."""
    claimed_by: str = ""
    """The sidecar that says what it should be; empty when none does, and then nothing was asked about a request."""
    recorded: tuple[str, ...] = ()
    """Checks whose findings are those of the day it was sealed, because its input is not here."""
    verdict: Verdict


@attrs.frozen(kw_only=True)
class Duplicate:
    """Files with the same bytes, or pointers to the same."""

    digest: str
    files: tuple[str, ...]


@attrs.frozen(kw_only=True)
class FolderReport:
    """What :func:`examine_folder` found."""

    folder: str
    files: int = 0
    """Files whose name promises a video, the missing ones that a sidecar names among them."""
    videos: int = 0
    """Those among them that are videos by their first bytes."""
    pointers: int = 0
    contents: int = 0
    """How many different contents the files have, pointers by what they point to."""
    verified: int = 0
    needs_review: int = 0
    rejected: int = 0
    unverified: int = 0
    seconds: float = 0.0
    duplicates: tuple[Duplicate, ...] = ()
    outputs: tuple[Examined, ...] = ()
    notes: tuple[Finding, ...] = ()
    """About the folder itself, such as sidecars that are not understood."""

    @property
    def is_verified(self) -> bool:
        """Whether there is something, and all of it is verified."""
        return 0 < self.files == self.verified


def examine_folder(
    path: Path,
    checks: Iterable[Check],
    on_progress: Report = silent,
    *,
    asked: Mapping[str, Claim] | None = None,
) -> FolderReport:
    """Ask *checks* about every file in *path* whose name promises a video. Needs no store, changes nothing.

    Links are reported and not followed; hidden folders are left out, and sealed clips, which are inputs. What lies
    beside the videos (``artifact.json``, ``dataset.json``, ``metadata.jsonl``, ``SHA256SUMS``, the echo of a Cosmos
    program) says what they should be. A video that a sidecar names and that is not there counts as rejected.

    A folder of tar shards is looked at through a temporary copy, each shard as a folder.

    Args:
        path: a folder, or one file.
        checks: the questions.
        on_progress: told after each file.
        asked: what each video should be whose name without suffix is a key, whatever lies beside it.

    Raises:
        InputError: when there is nothing at *path*, or a shard is broken.
    """
    shards = sorted(file for file in path.glob("*.tar") if file.is_file())
    if shards:
        with tempfile.TemporaryDirectory(prefix="cosmos-shards-") as inside:
            _unpack(path, shards, Path(inside))
            found = examine_folder(Path(inside), checks, on_progress, asked=asked)
            return attrs.evolve(found, folder=path.as_posix())
    started = time.perf_counter()
    root, names, sidecars = _listed(path)
    claims = read_claims(root, sidecars)
    if path.is_dir():
        names |= {name for name in claims.named if Path(name).suffix.lower() in SUFFIXES}
    files = {name: _digest(root / name) for name in sorted(names)}
    wanted = asked or {}
    believed = {
        name: claims.about(name, digest).joined(wanted.get(Path(name).stem)) for name, digest in files.items()
    }
    recipes = {name: claim.recipe for name, claim in believed.items()}
    equal = _grouped(files)
    questions = tuple(checks)
    seen: list[Artifact] = []
    examined = []
    for done, (name, digest) in enumerate(files.items(), start=1):
        twins = [_stub(root, twin, digest) for twin in equal.get(digest, ()) if twin != name]
        output = _output(root, name, digest, believed[name], twins + seen, questions)
        output.recipes = recipes
        examined.append(_examined(name, output, believed[name], questions))
        seen += _remembered(root, name, output)
        on_progress(done, len(files), name)
    return _report(path, examined, claims.notes, time.perf_counter() - started)


def _unpack(folder: Path, shards: Iterable[Path], inside: Path) -> None:
    """Copy *folder* to *inside* with each shard as a folder of what it holds; nothing of a shard lands elsewhere."""
    for path in folder.iterdir():
        if path.is_file() and path.suffix != ".tar":
            shutil.copyfile(path, inside / path.name)
    for shard in shards:
        (inside / shard.name).mkdir()
        try:
            with tarfile.open(shard) as opened:
                for member in opened:
                    # A sample's name is flat; whatever else a shard holds is no part of it.
                    if member.isreg() and "/" not in member.name and (source := opened.extractfile(member)):
                        with (inside / shard.name / member.name).open("wb") as out:
                            shutil.copyfileobj(source, out)
        except (tarfile.TarError, EOFError) as error:
            raise InputError(f"{shard.name} is not a whole tar file: {error}") from error


def _listed(path: Path) -> tuple[Path, set[str], list[str]]:
    """Give the folder, the files in it that should be videos, and its sidecars; names are relative."""
    if path.is_file() or path.is_symlink():
        beside = [file.name for file in path.parent.iterdir() if is_sidecar(file.name, {path.stem})]
        return path.parent, {path.name}, beside
    if not path.is_dir():
        raise InputError(f"there is nothing at {path}", hint="give a folder, or a video")
    names: set[str] = set()
    sidecars: list[str] = []
    for folder, below, files in os.walk(path):
        below[:] = [name for name in below if not _is_left_out(Path(folder, name))]
        here = Path(folder).relative_to(path)
        videos = [
            name for name in files if not name.startswith(".") and Path(name).suffix.lower() in SUFFIXES
        ]
        stems = {Path(name).stem for name in videos}
        names |= {(here / name).as_posix() for name in videos}
        sidecars += [(here / name).as_posix() for name in files if is_sidecar(name, stems)]
    return path, names, sidecars


def _is_left_out(folder: Path) -> bool:
    return folder.name.startswith(".") or (folder / MANIFEST).is_file()


def _digest(path: Path) -> str:
    from cosmos_core.media import file_digest, sniff

    found = sniff(path)
    if path.is_symlink() or found.kind in {"missing", "not_a_file"}:
        return ""
    return found.oid or file_digest(path)


def _grouped(files: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Give names by digest, those without one left out."""
    groups: dict[str, tuple[str, ...]] = {}
    for name, digest in files.items():
        if digest:
            groups[digest] = (*groups.get(digest, ()), name)
    return groups


def _output(
    root: Path,
    name: str,
    digest: str,
    claim: Claim,
    others: Iterable[Artifact],
    checks: Iterable[Check],
) -> Output:
    record = claim.record
    output = Output(
        root / name,
        expected=claim.expected or (record.expected if record else None),
        remote_digest=claim.digest,
        clip=_clip(record) if record else None,
        recipe=claim.recipe,
        others=others,
        guardrail=record.guardrail if record else "none",
        sizes=sizes_of(checks),
        shows=record.shows if record else (),
    )
    if digest:
        output.digest = digest
    return output


def _clip(record: Record) -> Clip | None:
    """Give the clip a record names, if it still lies where it was."""
    if not record.clip_folder:
        return None
    try:
        clip = Clip.load(Path(record.clip_folder))
    except (CosmosError, OSError):
        return None
    return clip if clip.digest == record.clip else None


def _stub(root: Path, name: str, digest: str, output: Output | None = None) -> Artifact:
    """Give a file of the folder as the checks for duplicates know others: by name instead of by run."""
    survey = output.survey if output else None
    facts = survey.facts if survey else None
    return Artifact(
        run=name,
        attempt=0,
        digest=digest,
        path=root / name,
        bytes=0,
        frames=survey.decoded if survey else 0,
        fps=Fraction(0),
        width=facts.width if facts else 0,
        height=facts.height if facts else 0,
        phashes=tuple(int(each) for each in survey.phashes) if survey else (),
    )


def _remembered(root: Path, name: str, output: Output) -> list[Artifact]:
    """Give what later files are compared with: nothing of a file that nobody needed to decode."""
    return [_stub(root, name, output.digest, output)] if "survey" in vars(output) else []


def _examined(name: str, output: Output, claim: Claim, checks: tuple[Check, ...]) -> Examined:
    record = claim.record
    if claim.passed is not None and record is None:
        # An input was measured when its clip was sealed. Depth is often flat, and edges are mostly black.
        checks = tuple(each for each in checks if each.level == "integrity")
    lasting = _lasting(record, output, checks) if record else ()
    verdict = examine(
        output,
        claim.spec or (record.spec if record else None),
        (each for each in checks if each.name not in lasting),
    )
    if record and lasting and verdict.ruling is not Ruling.REJECTED:
        verdict = _with_recorded(verdict, record.verdict, lasting)
    return Examined(
        name=name,
        kind="link" if output.path.is_symlink() else output.sniff.kind,
        digest=vars(output).get("digest", ""),
        claimed_by=claim.source,
        recorded=lasting if record else (),
        verdict=verdict,
    )


def _lasting(record: Record, output: Output, checks: Iterable[Check]) -> tuple[str, ...]:
    """Checks that compare with an input which is not here, and were asked about these very bytes when it was."""
    if not record.clip or output.clip is not None or record.digest != vars(output).get("digest"):
        return ()
    return tuple(
        check.name
        for check in checks
        if (check.level == "control" or check.name in _COMPARES_WITH_INPUT)
        and record.verdict.asked.get(check.name) == check.version
    )


def _with_recorded(verdict: Verdict, recorded: Verdict, lasting: tuple[str, ...]) -> Verdict:
    findings = tuple(finding for finding in recorded.findings if finding.check in lasting)
    doubtful = verdict.ruling is Ruling.VERIFIED and worst(findings) is not Level.OK
    return attrs.evolve(
        verdict,
        ruling=Ruling.NEEDS_REVIEW if doubtful else verdict.ruling,
        findings=verdict.findings + findings,
    )


def _report(
    path: Path, examined: Sequence[Examined], notes: tuple[Finding, ...], seconds: float
) -> FolderReport:
    rulings = Counter(each.verdict.ruling for each in examined)
    kinds = Counter(each.kind for each in examined)
    equal = _grouped({each.name: each.digest for each in examined})
    return FolderReport(
        folder=path.as_posix(),
        files=len(examined),
        videos=kinds["video"],
        pointers=kinds["pointer"],
        contents=len(equal),
        verified=rulings[Ruling.VERIFIED],
        needs_review=rulings[Ruling.NEEDS_REVIEW],
        rejected=rulings[Ruling.REJECTED],
        unverified=rulings[Ruling.UNVERIFIED],
        seconds=seconds,
        duplicates=tuple(
            Duplicate(digest=digest, files=files) for digest, files in equal.items() if len(files) > 1
        ),
        outputs=tuple(examined),
        notes=notes,
    )
