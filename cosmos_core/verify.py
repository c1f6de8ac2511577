"""Outputs and findings into artifacts or rejections.

An output is a claim, an artifact is a fact: only :func:`verify_returned` moves a run to ``sealed`` or ``rejected``, and
only for bytes that were decoded.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import TYPE_CHECKING, Any, Protocol

import attrs

from cosmos_core import canonical, jobs
from cosmos_core.errors import (
    Finding,
    VerifyError,
)
from cosmos_core.examine import checks_of, examine
from cosmos_core.extend import Artifact, Backend, Output
from cosmos_core.record import (
    ARTIFACT,
    REJECTION,
    Record,
    Ruling,
    Verdict,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from cosmos_core.plugins import Plugins
    from cosmos_core.run import Batch, Run
    from cosmos_core.settings import Settings
    from cosmos_core.store import Again


class Holding(Protocol):
    """A worker's lease, as far as it matters here."""

    @property
    def batch(self) -> Batch:
        """What is held, under which fence."""


class Publisher(Protocol):
    """What is needed of the store: who has the same bytes, and the two moves that nobody else may ask for."""

    def artifacts(self, *, digest: str) -> Sequence[Artifact]:
        """Artifacts with exactly these bytes."""

    def seal(self, lease: Any, run_id: str, made: Artifact, findings: Iterable[Finding], /) -> Run:
        """Publish the artifact: ``returned`` to ``sealed``."""

    def reject(
        self, lease: Any, run_id: str, findings: Iterable[Finding], /, *, reason: str, again: Again | None
    ) -> Run:
        """Refuse the output: ``returned`` to ``rejected``, and with *again* to ``queued``."""


def verify_returned(
    store: Publisher,
    lease: Holding,
    run: Run,
    output: Output,
    *,
    plugins: Plugins,
    settings: Settings,
    outputs: Path,
    next_try: Callable[[Sequence[Finding]], Again | None] = lambda _: None,
) -> Run:
    """Seal the output of a returned run as an artifact under *outputs*, or reject it; give the run as it is then.

    The video goes to ``<outputs>/<run>/a<attempt>-f<fence>/`` with ``artifact.json`` beside it, a rejected one into
    ``rejected/`` there, so that a person can look. The store hears of it last: what a worker leaves that dies before
    has a fence of its own in its path, and the next one verifies again.

    *next_try* says of the findings of a rejected output whether it is to be made again; then the run is ``queued``.

    Raises:
        VerifyError: when a required check did not answer, or the file changed while it was copied. The run stays
            ``returned``.
        LeaseLost: when another worker holds the batch by now; nothing was published.
        OSError: when the disk fails; no partial file has its final name.
    """
    _find_twins(output, store)
    verdict = examine(output, run.tried, checks_of(plugins, settings))
    if verdict.ruling is Ruling.UNVERIFIED:
        why = verdict.reason or "no check of its integrity is installed"
        raise VerifyError(f"run {run.id} stays unverified: {why}", hint="mend the plugin; the output is kept")
    folder = outputs / run.id / f"a{run.attempt}-f{lease.batch.fence}"
    record = _record(run, output, verdict, lease.batch, plugins)
    if verdict.ruling is Ruling.REJECTED:
        _keep(output, folder / "rejected", record)
        again = next_try(verdict.findings)
        return store.reject(lease, run.id, verdict.findings, reason=verdict.reason, again=again)
    return store.seal(lease, run.id, _publish(output, folder, record), verdict.findings)


def _find_twins(output: Output, store: Publisher) -> None:
    """Add every artifact with the same bytes, however long ago it was sealed, to those it is compared with."""
    if output.sniff.kind not in {"missing", "not_a_file"}:
        known = {other.run for other in output.others}
        twins = (other for other in store.artifacts(digest=output.digest) if other.run not in known)
        output.others = (*output.others, *twins)


def _publish(output: Output, folder: Path, record: Record) -> Artifact:
    folder.mkdir(parents=True, exist_ok=True)
    if (copied := _copy(output.path, folder / record.file)) != output.digest:
        (folder / record.file).unlink()
        raise VerifyError(
            f"{output.name} changed while it was verified: {output.digest[:12]}…, then {copied[:12]}…"
        )
    canonical.write_file(folder / ARTIFACT, record)
    return Artifact(
        run=record.run,
        attempt=record.attempt,
        digest=record.digest,
        path=folder / record.file,
        bytes=record.bytes,
        frames=record.frames,
        fps=record.fps,
        width=record.width,
        height=record.height,
        phashes=tuple(int(each) for each in output.survey.phashes),
    )


def _keep(output: Output, folder: Path, record: Record) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if output.path.is_file() and not output.path.is_symlink():
        _copy(output.path, folder / record.file)
    canonical.write_file(folder / REJECTION, record)


def _copy(source: Path, target: Path) -> str:
    """Copy so that *target* is whole or absent, and give the SHA-256 of what was written."""
    digest = hashlib.sha256()
    part = target.with_name(f".{target.name}.part-{secrets.token_hex(4)}")
    try:
        with source.open("rb") as read, part.open("wb") as out:
            while block := read.read(1 << 20):
                digest.update(block)
                out.write(block)
        jobs.settle(part, target)
        jobs.sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest()


def _record(run: Run, output: Output, verdict: Verdict, batch: Batch, plugins: Plugins) -> Record:
    record = Record(
        run=run.id,
        name=run.name,
        attempt=run.attempt,
        file=_file_name(run, output),
        recipe=run.tried.digest,
        spec=run.tried,
        expected=output.expected,
        verdict=verdict,
        guardrail=output.guardrail,
        remote_digest=output.remote_digest,
        clip=run.spec.clip,
        clip_name=output.clip.name if output.clip else "",
        clip_folder=output.clip.folder.as_posix() if output.clip else "",
        prompt_ref=run.prompt_ref,
        parent=run.parent,
        campaign=run.campaign,
        tags=run.tags,
        shows=run.shows,
        host=batch.host,
        slot=batch.slot,
        job=batch.job_key or batch.key,
        fence=batch.fence,
        versions=_versions(run.spec.backend, plugins),
    )
    return record if verdict.ruling is Ruling.REJECTED else _with_facts(record, output)


def _with_facts(record: Record, output: Output) -> Record:
    facts = output.survey.facts
    if facts is None:
        raise VerifyError(f"{output.name} passed every check and cannot be opened: {output.survey.error}")
    return attrs.evolve(
        record,
        digest=output.digest,
        bytes=facts.bytes,
        frames=output.survey.decoded,
        fps=facts.fps,
        width=facts.width,
        height=facts.height,
        metadata=facts.metadata,
    )


def _file_name(run: Run, output: Output) -> str:
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", run.name)[:80].strip("-.") or run.id
    return stem + (output.path.suffix.lower() or ".mp4")


def _versions(backend: str, plugins: Plugins) -> dict[str, str]:
    import platform

    import av

    from cosmos_core import __version__

    theirs = {
        one.plugin.distribution: one.plugin.version
        for one in plugins.owned(Backend)
        if one.offer.name == backend
    }
    return {"av": av.__version__, "cosmos-core": __version__, "python": platform.python_version()} | theirs
