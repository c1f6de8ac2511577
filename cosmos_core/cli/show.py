"""``cosmos show``: all there is to know about a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import complete, facts, say
from cosmos_core.cli.asked import command as make
from cosmos_core.errors import CosmosError, Level, worst
from cosmos_core.run import Approval, Blame, State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.cli.asked import Asked
    from cosmos_core.run import Attempt, Judgement, Review, Run
    from cosmos_core.store import Event, Traffic


@make(
    "show",
    examples="""
        cosmos show r4k2m9xq
        cosmos show r4k                 # the beginning of an id is enough
        cosmos show r4k2m9xq --json
    """,
)
@click.argument("run", shell_complete=complete.runs)
def command(asked: Asked, run: str) -> None:
    """Show all there is to know about a run.

    What was asked, each attempt with what the checks said, the artifact, and where it all came from.
    """
    with asked.open() as cosmos:
        found = cosmos.store.run(run)
        tries = cosmos.store.attempts(found.id)
        judged = cosmos.store.judgements(found.id)
        reviews = cosmos.store.reviews(found.id)
        again = [event for event in cosmos.store.events(found.id) if _is_another_try(event)]
        clip = _clip(cosmos, found.spec.clip)
        moving = _traffic(cosmos, found)
    asked.answer(
        {
            "run": facts.of_run(found),
            "attempts": tries,
            "judgements": judged,
            "reviews": reviews,
            "clip": clip or None,
            "traffic": moving,
        }
    )
    asked.tell(
        say.paragraphs(
            facts.verdict(found),
            say.pairs(_request(found)),
            say.pairs([*_lineage(found, clip), ("on its way", say.traffic(moving))]),
            _attempts(found, tries),
            "\n".join(f"then {event.reason}" for event in again),
            _judgements(judged),
            _reviews(reviews),
        )
    )


def _traffic(cosmos: Cosmos, run: Run) -> Traffic | None:
    """The bytes of the run's batch that are on their way."""
    held = cosmos.store.leases() if run.state.is_held else ()
    return next((lease.traffic for lease in held if lease.batch == run.batch), None)


def _is_another_try(event: Event) -> bool:
    return event.before is State.REJECTED and event.after is State.QUEUED and bool(event.reason)


def _clip(cosmos: Cosmos, digest: str) -> dict[str, Any]:
    """Where the clip lies and what it is called, as far as it is known here."""
    if not digest:
        return {}
    folder = cosmos.store.clip_folder(digest)
    name = ""
    if folder is not None:
        from cosmos_core.clip import Clip

        try:
            name = Clip.load(folder).name
        except CosmosError:
            name = "gone or changed"
    return {"digest": digest, "name": name, "folder": folder}


def _request(run: Run) -> list[tuple[str, str]]:
    spec = run.spec
    steered = say.words(f"{kind} {weight:g}" for kind, weight in spec.weights.items() if weight)
    return [
        ("prompt", spec.prompt.text),
        ("negative", spec.prompt.negative),
        ("backend", spec.backend),
        ("weights", steered),
        ("video", f"{say.many(spec.frames, 'frame')}, {spec.width}x{spec.height}, {float(spec.fps):g} fps"),
        ("seed", str(spec.seed)),
        ("options", say.words(f"{name}={value}" for name, value in spec.options.items())),
        ("shows", "; ".join(f"{each.name}: {each.value}" for each in run.shows)),
    ]


def _lineage(run: Run, clip: dict[str, Any]) -> list[tuple[str, str]]:
    where = f"  {say.short(clip['folder'])}" if clip.get("folder") else "  not known on this machine"
    return [
        ("clip", f"{clip['name']} {clip['digest'][:12]}{where}".strip() if clip else ""),
        ("prompt from", f"@{run.prompt_ref}" if run.prompt_ref else ""),
        ("parent", run.parent),
        ("campaign", run.campaign),
        ("spec", run.spec.digest[:12]),
        ("artifact", run.artifact.digest[:12] if run.artifact else ""),
        ("tags", say.words(run.tags)),
        ("rating", f"{run.rating} of 5" if run.rating else ""),
        ("review", say.word(run.approval) if run.approval is not Approval.OPEN else ""),
        ("asked", f"{say.clock(run.created)} ({say.ago(run.created)})"),
        ("progress", say.percent(run)),
    ]


_UNCOUNTED = {
    Blame.HOST: " (the host's failure)",
    Blame.MEMORY: " (not counted)",
    Blame.BATCH: " (not counted)",
    Blame.DISK: " (not counted)",
}


def _attempts(run: Run, tries: Sequence[Attempt]) -> str:
    return "\n".join(_attempt(run, each) for each in tries)


def _judgements(judged: Sequence[Judgement]) -> str:
    """What steps said that weigh something; that a picture was made does not."""
    told = [each for each in judged if each.score is not None or worst(each.findings) is not Level.OK]
    return "\n".join(_judgement(each) for each in told)


def _reviews(reviews: Sequence[Review]) -> str:
    """What people said, the first one first."""
    rows = [
        (
            say.clock(each.at),
            each.who,
            say.word(each.approval) if each.approval else "",
            ""
            if each.rating is None
            else f"rated {each.rating} of 5"
            if each.rating
            else "rating taken back",
            each.note,
        )
        for each in reviews
    ]
    return f"reviews\n{say.table(rows, indent='  ')}" if rows else ""


def _judgement(each: Judgement) -> str:
    score = "" if each.score is None else f", score {each.score:.2f}"
    return "\n".join(filter(None, [f"step {each.step}{score}", say.findings(each.findings)]))


def _attempt(run: Run, each: Attempt) -> str:
    took = (
        f", {say.duration((each.ended - each.started).total_seconds())}"
        if each.ended and each.started
        else ""
    )
    where = f" on {each.host}/{each.slot}" if each.host else ""
    reason = f": {each.reason}" if each.reason else ""
    seed = f", seed {each.seed}" if each.seed not in {None, run.spec.seed} else ""
    blame = _UNCOUNTED.get(each.blame, "")
    title = (
        f"attempt {each.number}  {say.word(each.state)}{where}{took}{seed}, batch {each.batch}{reason}{blame}"
    )
    return "\n".join(filter(None, [title, say.findings(each.findings)]))
