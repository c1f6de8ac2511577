"""``cosmos cancel``: stop pursuing runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cosmos_core.cli import complete
from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Run


@make(
    "cancel",
    examples="""
        cosmos cancel r4k2m9xq
        cosmos cancel r4k2 r9s1 --json
    """,
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete.runs)
def command(asked: Asked, runs: tuple[str, ...]) -> None:
    """Cancel runs.

    A waiting run is cancelled at once. One that is worked on is cancelled by its worker, which also stops the job
    when nothing else is in it.
    """
    from cosmos_core.cli.several import each

    with asked.open() as cosmos:

        def change(ref: str) -> tuple[Run, str]:
            run, now = cosmos.cancel(ref)
            return run, "" if now else "its worker was asked to stop it"

        each(asked, runs, change)
