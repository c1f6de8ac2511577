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

    While it is paused no worker takes new runs; what was begun goes on. A campaign is paused alone, by hand or because
    its outputs keep failing one check.
    """
    show_help(asked)


campaign_option = click.option(
    "--campaign", default="", metavar="NAME", help="Only the runs of this campaign."
)


@subcommand(command, "pause", examples='cosmos queue pause "disk is nearly full"')
@click.argument("reason", nargs=-1)
@campaign_option
def pause(asked: Asked, reason: tuple[str, ...], campaign: str) -> None:
    """Let no worker take new runs; what was begun goes on."""
    with asked.open() as cosmos:
        cosmos.store.pause(" ".join(reason), campaign=campaign)
        _say(asked, cosmos)


@subcommand(command, "resume", examples="cosmos queue resume\ncosmos queue resume --campaign streets")
@campaign_option
def resume(asked: Asked, campaign: str) -> None:
    """Let workers take runs again."""
    with asked.open() as cosmos:
        cosmos.store.resume(campaign=campaign)
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
    campaigns = cosmos.store.paused_campaigns()
    asked.answer(
        {
            "paused": reason is not None,
            "reason": reason or "",
            "queued": waiting,
            "paused_campaigns": campaigns,
        }
    )
    paused = f"paused: {reason}" if reason else "paused"
    asked.tell(f"the queue is {'open' if reason is None else paused}; {say.many(waiting, 'run')} waiting")
    for name, why in campaigns.items():
        asked.tell(f"campaign {name} is paused: {why or 'by hand'}")
