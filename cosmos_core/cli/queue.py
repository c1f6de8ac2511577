"""``cosmos queue``: pause, resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cosmos_core.cli import say
from cosmos_core.cli.asked import group, show_help, subcommand

if TYPE_CHECKING:
    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked


@group(
    "queue",
    examples="""
        cosmos queue pause "the host is rebooted"
        cosmos queue resume
    """,
)
def command(asked: Asked) -> None:
    """Pause and resume the queue.

    While it is paused no worker takes new runs; what was begun goes on.
    """
    show_help(asked)


@subcommand(command, "pause", examples='cosmos queue pause "disk is nearly full"')
@click.argument("reason", nargs=-1)
def pause(asked: Asked, reason: tuple[str, ...]) -> None:
    """Let no worker take new runs; what was begun goes on."""
    with asked.open() as cosmos:
        cosmos.store.pause(" ".join(reason))
        _say(asked, cosmos)


@subcommand(command, "resume", examples="cosmos queue resume")
def resume(asked: Asked) -> None:
    """Let workers take runs again."""
    with asked.open() as cosmos:
        cosmos.store.resume()
        _say(asked, cosmos)


@subcommand(command, "status", examples="cosmos queue status --json")
def status(asked: Asked) -> None:
    """Say whether the queue is paused, why, and how much waits."""
    with asked.open() as cosmos:
        _say(asked, cosmos)


def _say(asked: Asked, cosmos: Cosmos) -> None:
    from cosmos_core.run import State

    reason = cosmos.store.paused()
    waiting = cosmos.store.counts()[State.QUEUED]
    asked.answer({"paused": reason is not None, "reason": reason or "", "queued": waiting})
    paused = f"paused: {reason}" if reason else "paused"
    asked.tell(f"the queue is {'open' if reason is None else paused}; {say.many(waiting, 'run')} waiting")
