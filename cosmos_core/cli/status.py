"""``cosmos status``: what waits, what runs, what was sealed last."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any, NoReturn

import click

from cosmos_core.cli import facts, failure, say
from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Artifact, Run
    from cosmos_core.store import Holding, Traffic

EVERY = 1.0
HELD_SHOWN = 50
LITTLE_ROOM = 100_000_000
"""Bytes on the disk under which the next video may not fit."""


@make(
    "status",
    examples="""
        cosmos status
        cosmos status --watch
        cosmos status --json
    """,
)
@click.option("--watch", is_flag=True, help="Show it again whenever it changes, until Ctrl-C.")
def command(asked: Asked, watch: bool) -> None:
    """Show what waits, what runs and what was sealed last."""
    with asked.open() as cosmos:
        if not watch:
            found = look(cosmos)
            asked.answer(_plain(found))
            asked.tell(render(found))
            return
        try:
            _watch(cosmos, asked)
        except KeyboardInterrupt:
            raise failure.Stopped("stopped watching; runs go on") from None


def look(cosmos: Cosmos) -> dict[str, Any]:
    """What there is to see now."""
    from cosmos_core.run import HELD
    from cosmos_core.store import Query

    store = cosmos.store
    latest = store.artifacts(limit=1)
    return {
        "workspace": cosmos.workspace.root,
        "counts": store.counts(),
        "paused": store.paused(),
        "paused_campaigns": store.paused_campaigns(),
        "resting": cosmos.resting(),
        "free": shutil.disk_usage(cosmos.workspace.root).free,
        "slots": sum(host.slots for host in cosmos.settings.each_host()),
        "leases": store.leases(),
        "runs": store.page(Query(states=tuple(sorted(HELD)), limit=HELD_SHOWN)).runs,
        "sealed": latest[0] if latest else None,
    }


def render(found: dict[str, Any]) -> str:
    """The same for people."""
    return say.paragraphs(
        _counts(found),
        _paused(found["paused"]),
        paused_campaigns(found["paused_campaigns"]),
        say.resting(found["resting"]),
        _room(found["free"]),
        _working(found["leases"], found["runs"]),
        _latest(found["sealed"]),
    )


def _plain(found: dict[str, Any]) -> dict[str, Any]:
    runs = [facts.of_run(run) for run in found["runs"]]
    counts = {state.value: count for state, count in found["counts"].items()}
    return found | {"runs": runs, "counts": counts, "is_paused": found["paused"] is not None}


def _counts(found: dict[str, Any]) -> str:
    counts = {state.value: count for state, count in found["counts"].items() if count}
    title = say.words(f"{count:,} {say.word(state)}" for state, count in counts.items())
    used = sum(not lease.parked for lease in found["leases"])
    return f"{title or 'no runs yet'}\n{used} of {say.many(found['slots'], 'slot')} in use"


def _paused(reason: str | None) -> str:
    if reason is None:
        return ""
    return f"{say.word('warn')}  the queue is paused: {reason or 'by hand'}; resume it: cosmos queue resume"


def paused_campaigns(campaigns: Mapping[str, str]) -> str:
    """Which campaigns are paused and why."""
    return "\n".join(
        f"{say.word('warn')}  campaign {name} is paused: {why or 'by hand'}; "
        f"resume it: cosmos queue resume --campaign {shlex.quote(name)}"
        for name, why in campaigns.items()
    )


def _room(free: int) -> str:
    # A full disk that holds the store too leaves nowhere to write why the queue stands still.
    if free >= LITTLE_ROOM:
        return ""
    return f"{say.word('warn')}  only {say.size(free)} are left on the disk of this workspace; work waits for room"


def _working(leases: Sequence[Holding], runs: Sequence[Run]) -> str:
    places = {run: lease for lease in leases for run in lease.runs}
    rows = [_run_row(run, places.get(run.id)) for run in reversed(runs)]
    return say.table(rows, ("run", "state", "", "name", "slot", ""))


def _run_row(run: Run, lease: Holding | None) -> tuple[str, ...]:
    return (
        run.id,
        say.word(run.state),
        say.percent(run),
        say.one_line(run.name, 30),
        f"{lease.host.removesuffix(f'@{platform.node()}')}/{lease.slot}" if lease else "",
        _silence(lease) or say.traffic(lease.traffic if lease else None) or say.one_line(run.reason, 80),
    )


def _silence(lease: Holding | None) -> str:
    """What to say about a worker that gives no sign of life."""
    if lease is None or lease.parked or lease.seconds_left >= 0:
        return ""
    return f"its worker is silent for {say.duration(-lease.seconds_left)}; the next one takes it over"


def _latest(made: Artifact | None) -> str:
    if made is None:
        return ""
    when = f" {say.ago(made.sealed)}" if made.sealed else ""
    return f"last {say.word('sealed')}{when}: {made.run}  {say.short(made.path)}"


def _watch(cosmos: Cosmos, asked: Asked) -> None:
    """Draw in place at a terminal; elsewhere say what changed, when it changed."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not asked.json:
        _draw(cosmos)
    before = ""
    while True:
        found = look(cosmos)
        if (now := _without_ages(found)) != before:
            before = now
            asked.line(_plain(found))
            asked.tell(f"{render(found)}\n")
            sys.stdout.flush()
        time.sleep(EVERY)


def _draw(cosmos: Cosmos) -> NoReturn:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        while True:
            text = f"{render(look(cosmos))}\n\n{say.faint('Ctrl-C stops watching')}"
            live.update(Text.from_ansi(say.shown(text)), refresh=True)
            time.sleep(EVERY)


def _without_ages(found: dict[str, Any]) -> str:
    """What must change for another block to be worth reading: ages and leases always do."""
    leases = [(lease.batch, _tenths(lease.traffic)) for lease in found["leases"]]
    runs = [(run.id, run.state, round(run.progress, 1)) for run in found["runs"]]
    made = found["sealed"]
    rests = [(rest.slot, rest.failed) for rest in found["resting"]]
    paused = found["paused"], found["paused_campaigns"]
    return repr((found["counts"], paused, rests, leases, runs, made and made.digest))


def _tenths(moving: Traffic | None) -> tuple[str, float] | None:
    if moving is None:
        return None
    return moving.way, round(moving.done / moving.total, 1) if moving.total else 0.0
