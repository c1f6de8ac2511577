"""``cosmos review``: what people say about videos, beside what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from cosmos_core.cli import complete, facts, say
from cosmos_core.cli.asked import SpokenGroup, group, show_help, subcommand
from cosmos_core.cli.list import filters, query
from cosmos_core.errors import InputError, Level
from cosmos_core.run import Approval

if TYPE_CHECKING:
    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.cli.review_page import Entry, Word
    from cosmos_core.run import Artifact, Run

GIVE = "give"


class Reviewing(SpokenGroup):
    """A group in which a run may stand where a subcommand would: ``cosmos review r4k2m9xq --approve``."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Take the first word for a run where it is no subcommand."""
        return super().resolve_command(ctx, args if args[0] in self.commands else [GIVE, *args])


@group(
    "review",
    cls=Reviewing,
    examples="""
        cosmos review list
        cosmos review r4k2m9xq --approve --rating 5
        cosmos review r4k2m9xq r9x1c2v3 --reject --note "the tram has two roofs"
        cosmos review page night.html --campaign night           # look at many, in a browser
        cosmos review apply ~/Downloads/review.json              # what was said there
        cosmos export dataset --approved
    """,
)
def command(asked: Asked) -> None:
    """Say what you think of videos: approve, reject, rate, note.

    Each word is kept with your name and the time, beside what the checks found and steps said; it changes neither, and
    moves no run. `cosmos export` leaves out what a person rejected.
    """
    show_help(asked)


@subcommand(
    command,
    GIVE,
    examples="""
        cosmos review give r4k2m9xq --approve
        cosmos review r4k2m9xq --reject --note "melting cars"    # the same, shorter
        cosmos review r4k2m9xq --withdraw                        # take it back
    """,
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete.runs)
@click.option("--approve", "word", flag_value=Approval.APPROVED.value, help="It may go into datasets.")
@click.option("--reject", "word", flag_value=Approval.REJECTED.value, help="It may not.")
@click.option("--withdraw", "word", flag_value=Approval.OPEN.value, help="Take back what was said.")
@click.option("--rating", type=click.IntRange(1, 5), help="How good it is, 1 to 5.")
@click.option("--note", default="", metavar="TEXT", help="Why.")
def give(asked: Asked, runs: tuple[str, ...], word: str | None, rating: int | None, note: str) -> None:
    """Approve, reject, rate or note runs.

    Only runs that have a video are reviewed: sealed ones, and those whose output was rejected.
    """
    if word is None and rating is None and not note.strip():
        raise InputError("nothing was said", hint="--approve, --reject, --withdraw, --rating or --note")
    from cosmos_core.cli.several import each

    with asked.open() as cosmos:

        def change(ref: str) -> tuple[Run, str]:
            run = cosmos.review(ref, word, rating=rating, note=note.strip())
            return run, _said(run)

        each(asked, runs, change)


@subcommand(
    command,
    "list",
    examples="""
        cosmos review list
        cosmos review list --limit 200 --json
    """,
)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, help="How many at most.  [default: 50]")
def waiting(asked: Asked, limit: int) -> None:
    """List sealed runs that nobody has reviewed, the worst first.

    The worst by the scores of steps such as a judge; those without a score come last.
    """
    with asked.open() as cosmos:
        found = cosmos.store.unreviewed(limit=limit)
        told = [_waiting(cosmos, run) for run in found]
    asked.answer({"runs": told})
    rows = [
        (
            "" if each["score"] is None else f"{each['score']:.2f}",
            run.id,
            say.one_line(run.name, 28),
            say.short(run.artifact.path) if run.artifact else "",
            say.faint(say.one_line("; ".join(each["doubts"]), 60)),
        )
        for run, each in zip(found, told, strict=True)
    ]
    asked.tell(say.table(rows, ("score", "run", "name", "video", "")) or "nothing waits for a review")
    if found:
        asked.note(say.steps(f"cosmos review {found[0].id} --approve", f"cosmos show {found[0].id}"))


@subcommand(
    command,
    "page",
    examples="""
        cosmos review page night.html --campaign night
        cosmos review page doubtful.html --tag reason:doubtful
        cosmos review page everything.html --all
    """,
)
@click.argument("page", metavar="PAGE.html", type=click.Path(path_type=Path, dir_okay=False))
@filters
@click.option("--all", "every", is_flag=True, help="Those that were reviewed, too.")
@click.option(
    "--limit", type=click.IntRange(1, 5000), default=1000, help="How many at most.  [default: 1000]"
)
def page(asked: Asked, page: Path, every: bool, limit: int, **words: Any) -> None:
    """Write a page on which many videos are looked at and reviewed, in any browser, without a server.

    The worst come first: each with its moments over those of its input, what checks and judges found and what people
    said. A picture plays its video beside its input, from where they lie. What is said on the page is kept by the
    browser; its button saves review.json for `cosmos review apply`.
    """
    from cosmos_core.cli import review_page
    from cosmos_core.cli.progress import progress

    wanted = query(words)
    if wanted.approval is None and not every:
        wanted = attrs.evolve(wanted, approval=Approval.OPEN)
    with asked.open() as cosmos, progress(asked) as bars:

        def report(done: int, total: int, _: str = "", /) -> None:
            bars.show("page", f"page {page.name}", done, total)

        found = review_page.ordered(
            _entry(cosmos, run, run.artifact) for run in cosmos.each_run(wanted) if run.artifact is not None
        )
        if not found:
            raise InputError("no sealed run waits for a review", hint="those that were reviewed, too: --all")
        title = f"{words['campaign'] or cosmos.workspace.root.name}: {say.many(len(found), 'video')}"
        shown = found[:limit]
        size = review_page.write(page, shown, title, left=len(found) - len(shown), report=report)
    asked.answer({"page": page, "videos": len(shown), "left": len(found) - len(shown), "bytes": size})
    left = f", {len(found) - len(shown):,} are left out: --limit" if len(found) > len(shown) else ""
    asked.tell(
        f"wrote {say.strong(say.short(page))}: {say.many(len(shown), 'video')}, {say.size(size)}{left}"
    )
    asked.note("open it in a browser; then:\n  cosmos review apply review.json")


@subcommand(
    command,
    "apply",
    examples="""
        cosmos review apply review.json
    """,
)
@click.argument("file", metavar="REVIEW.json", type=click.Path(path_type=Path, dir_okay=False))
def apply(asked: Asked, file: Path) -> None:
    """Keep what was said on a page of `cosmos review page`, in your name.

    What was made anew since the page was written is refused: other bytes were looked at. The same file a second time
    adds nothing.
    """
    from cosmos_core.cli import review_page
    from cosmos_core.cli.several import each

    said = {word.run: word for word in review_page.read(file)}
    if not said:
        raise InputError(f"nothing was said in {file}")
    with asked.open() as cosmos:
        each(asked, [*said], lambda ref: _kept(cosmos, said[ref]))


def _kept(cosmos: Cosmos, word: Word) -> tuple[Run, str]:
    run = cosmos.store.run(word.run)
    if run.artifact is None or run.artifact.digest != word.digest:
        raise InputError("another video was looked at: it was made anew since", hint="cosmos review page")
    latest = cosmos.store.reviews(run.id)[-1:]
    if [(each.who, each.digest, each.approval, each.rating, each.note) for each in latest] == [
        (cosmos.user, word.digest, word.approval, word.rating, word.note)
    ]:
        return run, f"{_said(run)} (it was said already)"
    return (after := cosmos.review(run.id, word.approval, rating=word.rating, note=word.note)), _said(after)


def _entry(cosmos: Cosmos, run: Run, made: Artifact) -> Entry:
    from cosmos_core.cli.review_page import Entry
    from cosmos_core.dispatch import clip_of

    return Entry(
        run=run,
        made=made,
        clip=clip_of(cosmos.store, run),
        findings=facts.judged(cosmos, run),
        judgements=cosmos.store.judgements(run.id),
        reviews=cosmos.store.reviews(run.id),
    )


def _waiting(cosmos: Cosmos, run: Run) -> dict[str, Any]:
    judged = cosmos.store.judgements(run.id)
    scores = [each.score for each in judged if each.score is not None]
    findings = [*facts.judged(cosmos, run), *(finding for each in judged for finding in each.findings)]
    return facts.of_run(run) | {
        "score": min(scores, default=None),
        "doubts": [finding.message for finding in findings if finding.level is not Level.OK],
    }


def _said(run: Run) -> str:
    rated = f"rated {run.rating} of 5" if run.rating else ""
    return say.words(filter(None, [say.word(run.approval), rated]))
