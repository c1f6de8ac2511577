"""The options with which a run is asked for, shared by ``run`` and ``submit``, and the requests they make."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import complete, read, say
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.errors import Finding
    from cosmos_core.run import Run
    from cosmos_core.submission import Ask

_OPTIONS = (
    click.option(
        "--clip",
        default="",
        metavar="FOLDER",
        help="The clip: a folder, or the name or digest of one that is sealed.",
    ),
    click.option(
        "-w",
        "--weights",
        multiple=True,
        metavar="KIND=NUMBER",
        help="How strongly a control steers, 0 to 1; several, or joined by commas. Default: all in equal parts.",
    ),
    click.option("--negative", default="", metavar="TEXT", help="What the video should not show."),
    click.option("--seed", type=int, help="Default: one that follows from the request."),
    click.option("--seeds", default="", metavar="1..5", help="A run for each of several seeds."),
    click.option("--frames", type=int, help="How many; default: as many as the clip has."),
    click.option(
        "--backend", default="", shell_complete=complete.backends, help="Default: that of the settings."
    ),
    click.option(
        "-o",
        "--option",
        "option",
        multiple=True,
        metavar="NAME=VALUE",
        help="An option of the backend; see: cosmos plugins show BACKEND.",
    ),
    click.option("--name", default="", help="Default: words of the prompt."),
    click.option("--tag", multiple=True, help="Several may be given."),
    click.option("--priority", type=int, default=0, help="Higher goes first.  [default: 0]"),
    click.option("--campaign", default="", help="A name that runs are listed together by."),
    click.option(
        "--token", default="", help="The same token twice is the same request: nothing is queued twice."
    ),
)


def asking(function: Callable[..., None]) -> Callable[..., None]:
    """Give *function* every option of a request."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def asks(prompt: str, words: dict[str, Any], *, lists: Collection[str] = ()) -> list[Ask]:
    """The requests that a command line makes: one, or one for each seed. Options in *lists* hold several values.

    Raises:
        InputError: when a value is not understood.
    """
    from cosmos_core.submission import Ask

    refuse_a_path(prompt)
    backend = words["backend"]
    return [
        Ask(
            prompt=prompt,
            negative=words["negative"],
            clip=words["clip"],
            backend=backend,
            weights=read.weights(words["weights"]),
            seed=seed,
            frames=words["frames"],
            options=read.options(words["option"], of=backend, lists=lists),
            name=words["name"],
            tags=words["tag"],
            priority=words["priority"],
            campaign=words["campaign"],
        )
        for seed in _seeds(words["seed"], words["seeds"])
    ]


def queue(cosmos: Cosmos, asked: Asked, prompt: str, words: dict[str, Any]) -> tuple[Run, ...]:
    """Queue what a command line asks for; clip folders are relative to the current one. Warnings are shown.

    Raises:
        RefusedError: with every finding, when anything is wrong; nothing was queued.
    """
    from cosmos_core.extend import Backend
    from cosmos_core.options import lists

    offered = cosmos.plugins.offers(Backend).get(words["backend"] or cosmos.settings.backend)
    several = lists(offered.options if offered else None)
    return submit(cosmos, asked, asks(prompt, words, lists=several), base=Path.cwd(), token=words["token"])


def submit(cosmos: Cosmos, asked: Asked, wanted: Sequence[Ask], *, base: Path, token: str) -> tuple[Run, ...]:
    """Queue *wanted* and show what a person should look at, which stopped nothing.

    Raises:
        RefusedError: with every finding, when anything is wrong; nothing was queued.
    """
    warnings: list[Finding] = []
    runs = cosmos.submit_many(wanted, base=base, token=token, on_warning=warnings.append)
    if warnings:
        asked.note(say.findings(warnings, indent=""))
    return runs


def refuse_a_path(prompt: str) -> None:
    """A prompt that looks like a path is a folder mistyped, not a wish for a video of it.

    Raises:
        InputError: naming it.
    """
    if len(prompt.split()) == 1 and ("/" in prompt or "\\" in prompt) and not prompt.startswith("@"):
        raise InputError(
            f"{prompt!r} is neither a folder nor a prompt",
            hint="check the path; a prompt is a sentence, or @name for one of the library",
        )


def _seeds(one: int | None, several: str) -> Sequence[int | None]:
    if several and one is not None:
        raise InputError("both --seed and --seeds are given", hint="give one of them")
    return read.seeds(several) if several else (one,)
