"""``cosmos submit``: queue runs without working on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import complete, facts, say
from cosmos_core.cli.ask import asking, queue, submit
from cosmos_core.cli.asked import command as make
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Run


@make(
    "submit",
    examples="""
        cosmos submit @street-fog --seeds 1..20
        cosmos submit "a street in snow" --clip clips/street --token order-17
        cosmos submit inbox/shot-042            # a submission folder, as Houdini writes it
        cosmos submit inbox/shot-042 --json
    """,
)
@click.argument("prompt", metavar="PROMPT|@NAME|FOLDER", shell_complete=complete.prompt_or_text)
@asking
def command(asked: Asked, prompt: str, **words: Any) -> None:
    """Queue runs without working on them.

    Takes what `cosmos run` takes, or a submission folder. Everything is accepted or nothing is; what is accepted is
    on disk when this ends. A worker does the rest: `cosmos work`.
    """
    with asked.open() as cosmos:
        folder = Path(prompt).is_dir()
        runs = (_folder if folder else queue)(cosmos, asked, prompt, words)
        asked.answer({"runs": [facts.of_run(run) for run in runs]})
        asked.tell(facts.listing(runs))
    asked.note(say.steps("cosmos work --until-idle", "cosmos status --watch"))


def _folder(cosmos: Cosmos, asked: Asked, name: str, words: dict[str, Any]) -> tuple[Run, ...]:
    """Queue a submission folder, which says everything itself.

    Raises:
        InputError: when an option tries to say something else.
    """
    from cosmos_core import submission

    given = sorted(f"--{key}" for key, value in words.items() if value and key != "token")
    if given:
        raise InputError(
            f"{name} is a submission folder and says everything itself; {say.words(given)} cannot be added",
            hint=f"cosmos submit {say.quoted(name)}",
        )
    read = submission.read(Path(name))
    return submit(cosmos, asked, read.asks, base=Path(name), token=words["token"] or read.token)
