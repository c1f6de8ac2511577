"""Runs as ``--json`` gives them and as people read them, with what lies beside their artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core import canonical
from cosmos_core.cli import say
from cosmos_core.run import Approval

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from cosmos_core.api import Cosmos
    from cosmos_core.errors import Finding
    from cosmos_core.run import Artifact, Run

PICTURES = (".jpg", ".jpeg", ".png")


def of_run(run: Run) -> dict[str, Any]:
    """Everything about a run, its spec's digest and the pictures beside its artifact among it."""
    plain: dict[str, Any] = canonical.plain(run)
    found = {name: path.as_posix() for name, path in beside(run.artifact).items()}
    return plain | {"spec_digest": run.spec.digest, "is_final": run.state.is_final, "beside": found}


def beside(made: Artifact | None) -> dict[str, Path]:
    """The pictures beside an artifact, by name: ``contact``, ``poster``."""
    if made is None or not made.path.parent.is_dir():
        return {}
    files = sorted(made.path.parent.iterdir())
    return {path.stem: path for path in files if path.suffix.lower() in PICTURES}


def judged(cosmos: Cosmos, run: Run) -> tuple[Finding, ...]:
    """What the checks said about the run's last attempt."""
    tries = cosmos.store.attempts(run.id)
    return tries[-1].findings if tries else ()


def verdict(run: Run, findings: Sequence[Finding] = ()) -> str:
    """How a run stands: its state, its artifact and what lies beside it, or why there is none."""
    title = f"{say.word(run.state)}  {say.strong(run.id)}  {run.name}"
    pieces = [title]
    if run.artifact is not None:
        made = run.artifact
        rows = [("artifact", say.short(made.path)), ("", say.faint(say.video(made)))]
        rows += [(name, say.short(path)) for name, path in beside(made).items()]
        pieces.append(say.pairs(rows, indent="  "))
    elif run.reason:
        pieces.append(f"  {run.reason}")
    if findings:
        pieces.append(say.findings(findings))
    return "\n".join(pieces)


def listing(runs: Iterable[Run], *, columns: int = 100) -> str:
    """Runs as a table: id, state, name, what was asked, rating, tags, age."""
    rows = [
        (
            run.id,
            say.word(run.state),
            say.percent(run),
            say.one_line(run.name, 28),
            run.spec.backend,
            f"{run.spec.frames}",
            f"{run.spec.seed}",
            "*" * run.rating if run.rating else "",
            say.word(run.approval) if run.approval is not Approval.OPEN else "",
            say.words(run.tags),
            say.ago(run.created),
            say.faint(say.one_line(run.reason, max(20, columns - 90))),
        )
        for run in runs
    ]
    head = ("id", "state", "", "name", "backend", "frames", "seed", "rated", "review", "tags", "asked", "")
    return say.table(rows, head, right=(5, 6, 10))
