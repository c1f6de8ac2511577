"""``cosmos work``: serve this machine's slots."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cosmos_core import hookimpl
from cosmos_core.cli import failure, say
from cosmos_core.cli.asked import command as make
from cosmos_core.cli.look import looking
from cosmos_core.cli.plan import ordering
from cosmos_core.errors import VerifyError
from cosmos_core.run import State

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.cli.progress import Progress
    from cosmos_core.run import Run
    from cosmos_core.store import Holding

MOVING = 5.0
"""Seconds between two lines of JSON about one batch's bytes on their way."""


@make(
    "work",
    examples="""
        cosmos work                       # until Ctrl-C
        cosmos work --until-idle          # until nothing is left to do
        cosmos work --until-idle --json   # one line of JSON a move, and now and then about bytes on their way
    """,
)
@click.option("--until-idle", is_flag=True, help="End when nothing is left that this machine could do.")
@click.option(
    "--inbox/--no-inbox", default=True, help="Accept submission folders from inbox/.  [default: inbox]"
)
@ordering
def command(asked: Asked, until_idle: bool, inbox: bool, order: str) -> None:
    """Serve this machine's slots: take runs from the queue until told to stop.

    Several workers share one store without sharing a run. Ctrl-C (or SIGTERM) lets go: jobs that were begun go on,
    and the next worker follows them, as it does when this one is killed. With --until-idle it exits with 9 when
    outputs are home that could not be verified; cosmos show says why.
    """
    from cosmos_core.cli.progress import progress
    from cosmos_core.work import Worker

    with asked.open() as cosmos, progress(asked) as bars:
        moves = Moves(asked, bars)
        cosmos.plugins.register("command-line", moves)
        _greet(cosmos, bars, until_idle=until_idle)
        worker = Worker(cosmos.site, order=order)
        unverified = None
        with _polite(), looking(cosmos, bars, lambda held: _see(cosmos, bars, moves, held)):
            try:
                worker.work(until_idle=until_idle, watch_inbox=inbox)
            except KeyboardInterrupt:
                raise _stopped(cosmos) from None
            except VerifyError as error:
                unverified = error
        paused = cosmos.store.paused()
        resting = cosmos.resting()
    asked.line({"ended": moves.ended, "paused": paused, "resting": resting})
    asked.tell(_summary(moves.ended, paused))
    asked.tell(say.resting(resting))
    if unverified is not None:
        raise unverified


class Moves:
    """Hears every move of this process and says it: a line of JSON, or one for people."""

    def __init__(self, asked: Asked, bars: Progress) -> None:
        self._asked = asked
        self._bars = bars
        self._lock = threading.Lock()
        self._told: dict[str, float] = {}
        self.ended: dict[str, int] = {}

    @hookimpl
    def cosmos_run_moved(self, run: Run, before: State, after: State) -> None:
        """Say it."""
        with self._lock:
            if after.is_final:
                self.ended[after.value] = self.ended.get(after.value, 0) + 1
                self._bars.drop(run.id)
            self._asked.line(_move(run, before, after))
            if not self._asked.json:
                self._bars.say(_sentence(run, after))

    def say_traffic(self, lease: Holding) -> None:
        """Tell programs how far the bytes of a batch are, every few seconds; people see a bar."""
        now = time.monotonic()
        if lease.traffic is None or now - self._told.get(lease.batch, -MOVING) < MOVING:
            return
        self._told[lease.batch] = now
        with self._lock:
            self._asked.line(
                {"batch": lease.batch, "host": lease.host, "runs": lease.runs, "traffic": lease.traffic}
            )


def _move(run: Run, before: State, after: State) -> dict[str, Any]:
    made = run.artifact.path if run.artifact else None
    return {
        "run": run.id,
        "name": run.name,
        "from": before,
        "to": after,
        "reason": run.reason,
        "at": run.changed,
        "artifact": made,
    }


def _sentence(run: Run, after: State) -> str:
    clock = say.faint(datetime.now(UTC).astimezone().strftime("%H:%M:%S"))
    what = say.short(run.artifact.path) if run.artifact else run.reason
    state = say.word(after.value) + " " * (9 - len(after.value))
    return f"{clock}  {state}  {run.id}  {run.name}  {what}".rstrip()


def _greet(cosmos: Cosmos, bars: Progress, *, until_idle: bool) -> None:
    slots = [slot.name for host in cosmos.settings.each_host() for slot in host.each_slot()]
    end = "until nothing is left to do" if until_idle else "until Ctrl-C"
    bars.say(
        f"serving {say.many(len(slots), 'slot')} ({say.words(slots[:6])}{', …' if len(slots) > 6 else ''}) {end}"
    )
    if (reason := cosmos.store.paused()) is not None:
        bars.say(f"the queue is paused: {reason or 'by hand'}; resume it: cosmos queue resume")


@contextmanager
def _polite() -> Iterator[None]:
    """Treat SIGTERM, as service managers send it, as Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _see(cosmos: Cosmos, bars: Progress, moves: Moves, held: Sequence[Holding]) -> None:
    """Keep a bar for each run that is worked on, and tell programs of bytes on their way."""
    for lease in held:
        moves.say_traffic(lease)
        for run_id in lease.runs:
            run = cosmos.store.run(run_id)
            if run.state is State.RUNNING and run.progress:
                bars.show(run.id, f"{run.id} {say.one_line(run.name, 24)}", run.progress, 1.0, str(run.state))


def _stopped(cosmos: Cosmos) -> failure.Stopped:
    counts = cosmos.store.counts()
    waiting = counts_of(counts, "queued")
    open_ = counts_of(counts, "placed", "running", "returned")
    return failure.Stopped(
        f"let go; {say.many(open_, 'run')} on the way, {waiting} waiting",
        hint="go on any time: cosmos work",
    )


def counts_of(counts: dict[State, int], *states: str) -> int:
    """How many runs are in any of *states*."""
    return sum(count for state, count in counts.items() if state.value in states)


def _summary(ended: dict[str, int], paused: str | None) -> str:
    if paused is not None:
        return f"the queue is paused: {paused or 'by hand'}"
    done = say.words(f"{count} {say.word(state)}" for state, count in sorted(ended.items()))
    return f"nothing is left to do here{f'; {done}' if done else ''}"
