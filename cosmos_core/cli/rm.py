"""``cosmos rm``: remove runs with their files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import complete, say
from cosmos_core.cli.asked import command as make
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Run


@make(
    "rm",
    examples="""
        cosmos rm r4k2m9xq               # shows what would go, and asks
        cosmos rm r4k2 r9s1 --yes
    """,
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete.runs)
@click.option("--yes", is_flag=True, help="Do not ask.")
def command(asked: Asked, runs: tuple[str, ...], yes: bool) -> None:
    """Remove runs with their files.

    Goes: the run in the store, its folder under outputs/, and the log of a batch that no other run was in. Stays: the
    clip, the prompt, a log that other runs share.
    Shows what would go first; a run that is worked on must be cancelled before.
    """
    with asked.open() as cosmos:
        found = [cosmos.store.run(ref) for ref in dict.fromkeys(runs)]
        _refuse_held(found)
        going = [(run, *_weight(cosmos.workspace.outputs / run.id)) for run in found]
        logs = [(log.stem, log.stat().st_size) for log in cosmos.logs_of_only(run.id for run in found)]
        asked.tell(_table(going, logs))
        total = _total(going, logs)
        asked.confirm(
            f"Remove {total}?", yes=yes, again=f"cosmos rm {' '.join(run.id for run in found)} --yes"
        )
        cosmos.remove(run.id for run in found)
    asked.answer(
        {
            "removed": [_facts(run, files, size) for run, files, size in going],
            "logs": [{"batch": batch, "bytes": size} for batch, size in logs],
        }
    )
    asked.note(f"removed {total}")


def _refuse_held(found: Sequence[Run]) -> None:
    if held := [run.id for run in found if run.state.is_held]:
        raise InputError(
            f"a worker holds {say.words(held)}; nothing was removed",
            hint=f"cancel first: cosmos cancel {' '.join(held)}",
        )


def _weight(folder: Path) -> tuple[int, int]:
    """How many files are in *folder*, and how many bytes they have."""
    sizes = [path.lstat().st_size for path in folder.rglob("*") if not path.is_dir()]
    return len(sizes), sum(sizes)


def _total(going: Sequence[tuple[Run, int, int]], logs: Sequence[tuple[str, int]]) -> str:
    bytes_ = sum(size for _, _, size in going) + sum(size for _, size in logs)
    also = f" and {say.many(len(logs), 'log')}" if logs else ""
    return f"{say.many(len(going), 'run')}{also}, {say.size(bytes_)}"


def _table(going: Sequence[tuple[Run, int, int]], logs: Sequence[tuple[str, int]]) -> str:
    rows = [
        (run.id, say.word(run.state), run.name, say.many(files, "file"), say.size(size))
        for run, files, size in going
    ]
    rows += [
        (batch, "", "log of a batch with no other run", "1 file", say.size(size)) for batch, size in logs
    ]
    return say.table(rows, ("run", "state", "name", "files", "size"), right=(4,))


def _facts(run: Run, files: int, size: int) -> dict[str, Any]:
    return {"id": run.id, "name": run.name, "state": run.state, "files": files, "bytes": size}
