"""``cosmos work``: serve this machine's slots."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from cosmos_core import hookimpl
from cosmos_core.cli import failure, say
from cosmos_core.cli.asked import command as make
from cosmos_core.cli.plan import ordering
from cosmos_core.errors import StoreError, VerifyError
from cosmos_core.run import State

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.cli.progress import Progress
    from cosmos_core.run import Run

LOOK = 1.0
"""Seconds between two looks at the store for the bars."""


@make(
    "work",
    examples="""
        cosmos work                       # until Ctrl-C
        cosmos work --until-idle          # until nothing is left to do
        cosmos work --until-idle --json   # one line of JSON a move
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
        with _polite(), _drawn(cosmos, bars):
            try:
                worker.work(until_idle=until_idle, watch_inbox=inbox)
            except KeyboardInterrupt:
                raise _stopped(cosmos) from None
            except VerifyError as error:
                unverified = error
        paused = cosmos.store.paused()
    asked.line({"ended": moves.ended, "paused": paused})
    asked.tell(_summary(moves.ended, paused))
    if unverified is not None:
        raise unverified


class Moves:
    """Hears every move of this process and says it: a line of JSON, or one for people."""

    def __init__(self, asked: Asked, bars: Progress) -> None:
        self._asked = asked
        self._bars = bars
        self._lock = threading.Lock()
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
    time = say.faint(datetime.now(UTC).astimezone().strftime("%H:%M:%S"))
    what = say.short(run.artifact.path) if run.artifact else run.reason
    state = say.word(after.value) + " " * (9 - len(after.value))
    return f"{time}  {state}  {run.id}  {run.name}  {what}".rstrip()


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


@contextmanager
def _drawn(cosmos: Cosmos, bars: Progress) -> Iterator[None]:
    """Keep a bar for each run that this worker holds."""
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(LOOK):
            # The store may be busy for a moment; the bars can wait.
            with suppress(StoreError):
                for lease in cosmos.store.leases():
                    if lease.owner.startswith(cosmos.site.owner):
                        _bars_of(cosmos, bars, lease.runs)

    thread = threading.Thread(target=look, name="bars", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _bars_of(cosmos: Cosmos, bars: Progress, ids: tuple[str, ...]) -> None:
    for run_id in ids:
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
