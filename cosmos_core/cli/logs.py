"""``cosmos logs``: what a run's job says."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Self

import click

from cosmos_core.cli import complete, failure, say
from cosmos_core.cli.asked import command as make
from cosmos_core.cli.progress import Bars, Lines, progress
from cosmos_core.errors import UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.cli.progress import Progress
    from cosmos_core.run import Run
    from cosmos_core.store import Holding, Traffic

POLL = 0.3
LOOK = 1.0
"""Seconds between two looks for bytes on their way: nobody tells of them more often."""
MOVING = 5.0
"""Seconds between two lines of JSON about them."""


@make(
    "logs",
    examples="""
        cosmos logs r4k2m9xq
        cosmos logs r4k2m9xq -f              # follow it until the run has ended
        cosmos logs r4k2m9xq -f --json       # one line of JSON a line, and now and then about bytes on their way
        cosmos logs r4k2m9xq --attempt 1
    """,
)
@click.argument("run", shell_complete=complete.runs)
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--attempt", type=click.IntRange(1), help="Of an earlier attempt; default: the last.")
def command(asked: Asked, run: str, follow: bool, attempt: int | None) -> None:
    """Show the log of a run's job.

    It is kept here byte for byte, also when the job failed; a terminal gets it without colours and control characters.
    Runs of one batch share a log. With -f it is also told, beside the log, how far inputs are on their way to the host
    and outputs on their way home.
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
        with _Way(cosmos, asked, run) as way:
            for line in _lines(cosmos, run, way):
                asked.line({"run": run.id, "line": line})
                way.say(line)
    except KeyboardInterrupt:
        raise failure.Stopped(f"stopped following; run {run.id} goes on") from None
    ended = cosmos.store.run(run.id)
    asked.line({"run": ended.id, "state": ended.state, "reason": ended.reason})
    asked.note(f"{say.word(ended.state)}  {ended.id}" + (f": {ended.reason}" if ended.reason else ""))


class _Way:
    """Says how far the bytes of a run's batch are, while its log is followed: a bar that is there only while they move."""

    def __init__(self, cosmos: Cosmos, asked: Asked, run: Run) -> None:
        self._cosmos = cosmos
        self._asked = asked
        self._run = run.id
        self._bars: Progress | None = None
        self._looked = self._told = -MOVING

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clear()

    def say(self, line: str) -> None:
        """Say a line of the log, above the bar if there is one."""
        if isinstance(self._bars, Bars):
            self._bars.say("\n".join(say.log_lines(line)))
        else:
            _tell(self._asked, line)

    def look(self) -> None:
        """Look now and then, and say what moves."""
        now = time.monotonic()
        if now - self._looked < LOOK:
            return
        self._looked = now
        held = next((lease for lease in self._cosmos.store.leases() if self._run in lease.runs), None)
        if held is None or held.traffic is None:
            self._clear()
            return
        if now - self._told >= MOVING:
            self._told = now
            self._asked.line({"run": self._run, "traffic": held.traffic})
        self._draw(held, held.traffic)

    def _draw(self, held: Holding, moving: Traffic) -> None:
        if self._bars is None:
            # A bar takes standard output too: what a pipe gets must stay the log.
            drawn = self._asked.json or sys.stdout.isatty()
            self._bars = progress(self._asked) if drawn else Lines("")
            self._bars.__enter__()
        label = f"{held.batch} {held.host.partition('@')[0]}"
        self._bars.show(held.batch, label, moving.done, moving.total, say.WAYS[moving.way], unit=say.BYTES)

    def _clear(self) -> None:
        if self._bars is not None:
            self._bars.__exit__(None, None, None)
            self._bars = None
            self._told = -MOVING


def _lines(cosmos: Cosmos, run: Run, way: _Way) -> Iterator[str]:
    """Lines as they come, until the run is final and its log is read to the end."""
    batch, cursor, rest = "", 0, b""
    while True:
        now = cosmos.store.run(run.id)
        way.look()
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
