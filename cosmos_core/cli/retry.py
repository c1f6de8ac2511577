"""``cosmos retry``: a new attempt."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cosmos_core.cli import complete
from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Run


@make(
    "retry",
    examples="""
        cosmos retry r4k2m9xq
        cosmos retry r4k2 r9s1 && cosmos work --until-idle
    """,
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete.runs)
def command(asked: Asked, runs: tuple[str, ...]) -> None:
    """Put runs that ended badly back into the queue.

    Runs that were rejected, failed, blocked or cancelled get a new attempt; earlier ones stay on record.
    """
    from cosmos_core.cli.several import each

    with asked.open() as cosmos:

        def change(ref: str) -> tuple[Run, str]:
            return cosmos.retry(ref), "waits for a worker: cosmos work"

        each(asked, runs, change)
