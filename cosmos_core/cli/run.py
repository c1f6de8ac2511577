"""``cosmos run``: ask for a video, work on it, wait for the verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import complete, say
from cosmos_core.cli.ask import asking, queue
from cosmos_core.cli.asked import command as make

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked


@make(
    "run",
    examples="""
        cosmos run "a street in heavy fog at dusk" --clip clips/street
        cosmos run @street-fog -w vis=0.3,edge=0.4,depth=0.2,seg=0.1
        cosmos run @street-fog --seeds 1..5 --tag night
        cosmos run "snow" --clip street --backend preview -o NAME=VALUE --json
    """,
)
@click.argument("prompt", metavar="PROMPT|@NAME", shell_complete=complete.prompt_or_text)
@asking
def command(asked: Asked, prompt: str, **words: Any) -> None:
    """Make one video, or several, and wait until they are sealed.

    PROMPT is the text itself, or @NAME (or @NAME@VERSION) for one of the library.

    Ctrl-C stops the waiting, not the work: a job that was begun goes on, and `cosmos work --until-idle` brings it
    home. The exit code is 0 when everything is sealed, 9 when an output was rejected, 8 when a model failed.
    """
    from cosmos_core.cli.finish import conclude, finish

    with asked.open() as cosmos:
        runs = queue(cosmos, asked, prompt, words)
        asked.note(f"queued {say.words(run.id for run in runs)}")
        conclude(cosmos, asked, finish(cosmos, asked, runs))
