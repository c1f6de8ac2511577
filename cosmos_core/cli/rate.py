"""``cosmos rate``: how good a person finds a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cosmos_core.cli import complete, facts
from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked


@make(
    "rate",
    examples="""
        cosmos rate r4k2m9xq 5
        cosmos rate r4k2m9xq none       # take it back
    """,
)
@click.argument("run", shell_complete=complete.runs)
@click.argument("rating", type=click.Choice(["1", "2", "3", "4", "5", "none"]), metavar="RATING")
def command(asked: Asked, run: str, rating: str) -> None:
    """Rate a run, 1 to 5.

    RATING is 1 to 5, or none to take it back.
    """
    with asked.open() as cosmos:
        rated = cosmos.store.rate(run, None if rating == "none" else int(rating), who=cosmos.user)
    asked.answer({"run": facts.of_run(rated)})
    asked.tell(f"{rated.id} {rated.name}: {f'rated {rated.rating} of 5' if rated.rating else 'not rated'}")
