"""``cosmos logs``: what a run's job says."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from cosmos_core.cli import complete, failure, say
from cosmos_core.cli.asked import command as make
from cosmos_core.errors import UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Run

POLL = 0.3


@make(
    "logs",
    examples="""
        cosmos logs r4k2m9xq
        cosmos logs r4k2m9xq -f              # follow it until the run has ended
        cosmos logs r4k2m9xq --attempt 1
    """,
)
@click.argument("run", shell_complete=complete.runs)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--attempt", type=click.IntRange(1), help="Of an earlier attempt; default: the last.")
def command(asked: Asked, run: str, follow: bool, attempt: int | None) -> None:
    """Show the log of a run's job.

    It is kept here byte for byte, also when the job failed; a terminal gets it without colours and control characters.
    Runs of one batch share a log.
    """
    with asked.open() as cosmos:
        found = cosmos.store.run(run)
        if follow and attempt is None:
            _follow(cosmos, asked, found)
            return
        batch = _batch(cosmos, found, attempt)
        text = _read(cosmos, batch)
    asked.answer({"run": found.id, "state": found.state, "batch": batch, "reason": found.reason, "log": text})
    if text:
        _tell(asked, text.removesuffix("\n"))
    else:
        asked.note(_nothing(found))


def _tell(asked: Asked, text: str) -> None:
    """Say a piece of a log: to a file or a pipe as it is, to a terminal without what would steer it."""
    if asked.json:
        return
    if sys.stdout.isatty():
        asked.tell("\n".join(say.log_lines(text)))
    else:
        click.echo(text, color=True)


def _batch(cosmos: Cosmos, run: Run, attempt: int | None) -> str:
    if attempt is None:
        return run.batch or _last_batch(cosmos, run)
    for each in cosmos.store.attempts(run.id):
        if each.number == attempt:
            return each.batch
    raise UnknownError(
        f"run {run.id} has no attempt {attempt}", hint=f"see its attempts: cosmos show {run.id}"
    )


def _last_batch(cosmos: Cosmos, run: Run) -> str:
    tries = cosmos.store.attempts(run.id)
    return tries[-1].batch if tries else ""


def _read(cosmos: Cosmos, batch: str) -> str:
    path = cosmos.workspace.log(batch)
    return path.read_bytes().decode("utf-8", "replace") if batch and path.is_file() else ""


def _nothing(run: Run) -> str:
    if run.reason:
        return f"run {run.id} is {run.state}: {run.reason} (its job left no log)"
    return f"run {run.id} is {run.state}; there is no log yet"


def _follow(cosmos: Cosmos, asked: Asked, run: Run) -> None:
    if not run.batch:
        asked.note(_nothing(run))
    try:
        for line in _lines(cosmos, run):
            asked.line({"run": run.id, "line": line})
            _tell(asked, line)
    except KeyboardInterrupt:
        raise failure.Stopped(f"stopped following; run {run.id} goes on") from None
    ended = cosmos.store.run(run.id)
    asked.line({"run": ended.id, "state": ended.state, "reason": ended.reason})
    asked.note(f"{say.word(ended.state)}  {ended.id}" + (f": {ended.reason}" if ended.reason else ""))


def _lines(cosmos: Cosmos, run: Run) -> Iterator[str]:
    """Lines as they come, until the run is final and its log is read to the end."""
    batch, cursor, rest = "", 0, b""
    while True:
        now = cosmos.store.run(run.id)
        if now.batch and now.batch != batch:
            batch, cursor, rest = now.batch, 0, b""
        found = _bytes(cosmos.workspace.log(batch), cursor) if batch else b""
        cursor += len(found)
        *whole, rest = (rest + found).replace(b"\r\n", b"\n").split(b"\n")
        yield from (line.decode("utf-8", "replace") for line in whole)
        if now.state.is_final and not found:
            if rest:
                yield rest.decode("utf-8", "replace")
            return
        if not found:
            time.sleep(POLL)


def _bytes(path: Path, cursor: int) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(cursor)
            return file.read(1 << 20)
    except FileNotFoundError:
        return b""
