"""``cosmos list``: runs, newest first."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import complete, facts, say
from cosmos_core.cli.asked import command as make
from cosmos_core.errors import InputError
from cosmos_core.run import Approval, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_core.cli.asked import Asked
    from cosmos_core.store import Query

APPROVALS = click.Choice([str(approval) for approval in Approval])
STATES = click.Choice([str(state) for state in State])

_FILTERS = (
    click.option(
        "--state", multiple=True, type=STATES, metavar="STATE", help="Any of these; several may be given."
    ),
    click.option(
        "--text", default="", help="Words that begin words of the name, id, prompt, tags or campaign."
    ),
    click.option("--tag", multiple=True, help="Each of these."),
    click.option("--campaign", default="", help="Of this campaign."),
    click.option(
        "--prompt", default="", shell_complete=complete.prompts, help="Of this prompt, NAME or NAME@VERSION."
    ),
    click.option("--rated", type=click.IntRange(1, 5), help="Rated this or better."),
    click.option(
        "--review", type=APPROVALS, metavar="APPROVAL", help="What a person said: approved, rejected or open."
    ),
    click.option("--approved", is_flag=True, help="The same as --review approved."),
)


def filters(function: Callable[..., None]) -> Callable[..., None]:
    """Give *function* every option that picks runs."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function


def query(words: dict[str, Any], *, limit: int = 50, before: int | None = None) -> Query:
    """What the options pick."""
    from cosmos_core.store import Query

    return Query(
        states=tuple(State(state) for state in words["state"]),
        text=words["text"],
        tags=words["tag"],
        campaign=words["campaign"],
        prompt=words["prompt"].removeprefix("@"),
        rating_at_least=words["rated"],
        approval=_approval(words),
        limit=limit,
        before=before,
    )


def _approval(words: dict[str, Any]) -> Approval | None:
    if words["approved"] and words["review"] not in {None, Approval.APPROVED}:
        raise InputError(f"--approved and --review {words['review']} cannot both hold", hint="leave one out")
    return Approval.APPROVED if words["approved"] else words["review"] and Approval(words["review"])


@make(
    "list",
    examples="""
        cosmos list
        cosmos list --state rejected --state failed
        cosmos list --text fog --tag night --rated 4
        cosmos list --all --json
    """,
)
@filters
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many at most.  [default: 50]")
@click.option("--all", "every", is_flag=True, help="All of them.")
@click.option("--before", type=int, metavar="N", help="Go on where the page before ended.")
def command(asked: Asked, limit: int, every: bool, before: int | None, **words: Any) -> None:
    """List runs, newest first.

    Everything that is asked for must hold; of several states, any.
    """
    show(asked, query(words, limit=limit, before=before), every=every)


def show(asked: Asked, wanted: Query, *, every: bool = False) -> None:
    """Print the runs that match, a page of them or all."""
    with asked.open() as cosmos:
        page = cosmos.store.page(wanted)
        runs = list(cosmos.each_run(wanted)) if every and page.next is not None else list(page.runs)
    following = None if every else page.next
    total = len(runs) if every else page.total
    asked.answer({"runs": [facts.of_run(run) for run in runs], "total": total, "next": following})
    if not runs:
        asked.tell(
            "no runs match" if wanted.states or wanted.text or wanted.tags else "there are no runs yet"
        )
        return
    asked.tell(facts.listing(runs, columns=shutil.get_terminal_size().columns))
    if following is not None:
        of = f"of {total:,}" if total is not None else "of many"
        asked.note(f"\n{len(runs)} {of}; go on: cosmos list --before {following}")
    else:
        asked.note(f"\n{say.many(len(runs), 'run')}")
