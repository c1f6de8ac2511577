"""``cosmos search``: runs by words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked


@make(
    "search",
    examples="""
        cosmos search fog dusk
        cosmos search "burning tram" --limit 5 --json
    """,
)
@click.argument("text", nargs=-1, required=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many at most.  [default: 50]")
def command(asked: Asked, text: tuple[str, ...], limit: int) -> None:
    """Find runs by words of their name, prompt or tags.

    Each word must begin one of theirs; upper and lower case are the same.
    """
    from cosmos_core.cli.list import show
    from cosmos_core.store import Query

    show(asked, Query(text=" ".join(text), limit=limit))
