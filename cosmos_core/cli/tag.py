"""``cosmos tag``: tags on and off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cosmos_core.cli import complete, facts, say
from cosmos_core.cli.asked import Spoken
from cosmos_core.cli.asked import command as make
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked

_OURS = {"-C", "-h", "-v", "-vv"}


class Signed(Spoken):
    """A command whose words may begin with a minus without being options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put a mark before words such as ``-bad``, which click would take for options."""
        marked = [f"\x00{word}" if _is_minus(word) else word for word in args]
        return super().parse_args(ctx, marked)


def _is_minus(word: str) -> bool:
    return word.startswith("-") and not word.startswith("--") and len(word) > 1 and word not in _OURS


@make(
    "tag",
    cls=Signed,
    examples="""
        cosmos tag r4k2m9xq +good -review
        cosmos tag r4k2m9xq +night --json
    """,
)
@click.argument("run", shell_complete=complete.runs)
@click.argument("changes", nargs=-1, required=True, metavar="+TAG|-TAG...")
def command(asked: Asked, run: str, changes: tuple[str, ...]) -> None:
    """Add tags to a run and take tags off."""
    words = [word.lstrip("\x00") for word in changes]
    if unsigned := [word for word in words if word[:1] not in {"+", "-"} or not word[1:]]:
        raise InputError(
            f"{say.words(map(repr, unsigned))}: to be added or taken off?",
            hint=f"write +{unsigned[0].strip('+-') or 'tag'} or -{unsigned[0].strip('+-') or 'tag'}",
        )
    with asked.open() as cosmos:
        tagged = cosmos.store.tag(
            run,
            add=[word[1:] for word in words if word.startswith("+")],
            drop=[word[1:] for word in words if word.startswith("-")],
        )
    asked.answer({"run": facts.of_run(tagged)})
    asked.tell(f"{tagged.id} {tagged.name}: {say.words(tagged.tags) or 'no tags'}")
