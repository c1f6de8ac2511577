"""``cosmos export``: sealed artifacts as a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from cosmos_core.cli import complete, read, say
from cosmos_core.cli.asked import command as make
from cosmos_core.cli.list import filters, query
from cosmos_core.run import Approval, State

if TYPE_CHECKING:
    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.store import Query


@make(
    "export",
    examples="""
        cosmos export dataset
        cosmos export night-shots --tag night --rated 4
        cosmos export dataset --format folder -o NAME=VALUE
    """,
)
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "exporter",
    default="folder",
    shell_complete=complete.exporters,
    help="Which dataset format.  [default: folder]",
)
@click.option(
    "-o", "--option", "option", multiple=True, metavar="NAME=VALUE", help="An option of the format."
)
@filters
def command(asked: Asked, target: Path, exporter: str, option: tuple[str, ...], **words: Any) -> None:
    """Write sealed artifacts as a dataset.

    Only what was sealed is written, each file's bytes are hashed again, and TARGET appears when all of it is there.
    A TARGET that exists is never changed.
    """
    from cosmos_core.cli.progress import progress
    from cosmos_core.extend import Exporter
    from cosmos_core.options import lists

    with asked.open() as cosmos, progress(asked) as bars:

        def report(done: int, total: int, _: str = "", /) -> None:
            bars.show("export", f"export {target.name}", done, total)

        several = lists(cosmos.plugins.find(Exporter, exporter).options)
        chosen: dict[str, Any] = dict(read.options(option, of=exporter, lists=several))
        asked_for = query(words)
        made = cosmos.export(target, exporter=exporter, query=asked_for, report=report, **chosen)
        left = _left_out(cosmos, asked_for)
    files = [path for path in made.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    asked.answer({"dataset": made, "format": exporter, "files": len(files), "bytes": size, "left_out": left})
    asked.tell(f"wrote {say.strong(say.short(made))}: {say.many(len(files), 'file')}, {say.size(size)}")
    if left:
        asked.note(f"{say.many(left, 'run')} left out: a person rejected them")
    asked.note(say.steps(f"cosmos verify {say.quoted(say.short(made))}"))


def _left_out(cosmos: Cosmos, asked_for: Query) -> int:
    """How many sealed runs match but for a person's word against them."""
    if asked_for.approval is not None or (asked_for.states and State.SEALED not in asked_for.states):
        return 0
    rejected = attrs.evolve(asked_for, approval=Approval.REJECTED, states=(State.SEALED,))
    return sum(1 for _ in cosmos.each_run(rejected))
