"""``cosmos init``: make a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosmos_core.cli import say
from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked


@make(
    "init",
    examples="""
        cosmos init
        cosmos init street-shots
    """,
)
@click.argument("folder", required=False, type=click.Path(path_type=Path, file_okay=False))
def command(asked: Asked, folder: Path | None) -> None:
    """Make a workspace.

    A workspace is a folder with a cosmos.toml. FOLDER is the current one by default, and one that is a workspace
    already is left as it is.
    """
    from cosmos_core import settings, workspace

    made, is_new = workspace.create(folder or asked.folder or Path(), settings.TEMPLATE)
    asked.answer({"workspace": made.root, "made": is_new})
    if not is_new:
        asked.tell(f"{say.short(made.root)} is a workspace already; nothing was changed")
        return
    asked.tell(f"made the workspace {say.strong(str(made.root))}")
    asked.tell(
        say.pairs(
            [
                ("cosmos.toml", "settings; every key has a default"),
                ("clips/", "sealed clips"),
                ("inbox/", "submissions, from Houdini or a script"),
                ("outputs/", "sealed videos"),
                (".cosmos/", "the store, logs and what is on its way"),
            ],
            indent="  ",
        )
    )
    inside = "" if made.root == Path.cwd() else f"cd {say.quoted(say.short(made.root))}"
    lines = [
        inside,
        "cosmos doctor",
        "cosmos generate city --name street",
        'cosmos run "a street in fog" --clip street',
    ]
    asked.tell(say.steps(*filter(None, lines)))
