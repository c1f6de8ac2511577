"""``cosmos campaign``: many videos from one file."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from cosmos_core.cli import complete, failure, read, say
from cosmos_core.cli.asked import group, leave, show_help, subcommand
from cosmos_core.cli.plan import ordering
from cosmos_core.errors import InputError, VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from cosmos_core.api import Cosmos
    from cosmos_core.audit import FolderReport
    from cosmos_core.campaign import Campaign, Outlook, Proof, Standing, Status, Submitted
    from cosmos_core.campaign.standing import Row
    from cosmos_core.cli.asked import Asked
    from cosmos_core.errors import Finding
    from cosmos_core.run import Run

SHOWN = 20
"""Rows of a kind that people see; ``--all`` and ``--json`` have the rest."""
EVERY = 2.0
BAR = 30

FILE = click.argument("file", metavar="FILE.yaml", type=click.Path(path_type=Path))


@group(
    "campaign",
    examples="""
        cosmos campaign new night-watch                  # a first one, to be changed
        cosmos campaign plan night-watch/night-watch.yaml
        cosmos campaign submit night-watch/night-watch.yaml
        cosmos campaign status night-watch/night-watch.yaml --watch
    """,
)
def command(asked: Asked) -> None:
    """Make many videos from one file: plan, submit, follow, verify, export.

    A campaign is complete when an artifact of every video that its file asks for is sealed. Files and states do not
    count.
    """
    show_help(asked)


@subcommand(
    command,
    "new",
    examples="""
        cosmos campaign new night-watch
        cosmos campaign new streets --clip clips/street
    """,
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--clip", default="", metavar="FOLDER", help="The clip that every video starts from.")
def new(asked: Asked, folder: Path, clip: str) -> None:
    """Write the files of a first campaign into FOLDER.

    It has a campaign file, parts, a template and the schema by which editors complete keys. Nothing is overwritten.
    """
    from cosmos_core.campaign import starter

    if clip and Path(clip).is_dir():
        clip = Path(os.path.relpath(Path(clip).resolve(), folder.resolve())).as_posix()
    made = starter.write(folder, clip=clip)
    asked.answer({"campaign": made, "files": sorted(path for path in folder.rglob("*") if path.is_file())})
    asked.tell(f"wrote {say.strong(say.short(made))} and what it uses")
    asked.note(say.steps(f"cosmos campaign plan {_word(made)}"))


@subcommand(command, "schema", examples="cosmos campaign schema > campaign.schema.json")
def schema(_: Asked) -> None:
    """Print the JSON schema of a campaign file, for editors.

    With "# yaml-language-server: $schema=campaign.schema.json" as its first line, many editors complete its keys.
    """
    from cosmos_core import canonical
    from cosmos_core.campaign.schema import schema as made

    click.echo(canonical.pretty(made()), nl=False)


@subcommand(
    command,
    "plan",
    examples="""
        cosmos campaign plan night.yaml
        cosmos campaign plan night.yaml --list           # each video with its prompt
        cosmos campaign plan night.yaml --json
    """,
)
@FILE
@ordering
@click.option("--list", "every", is_flag=True, help="List each video with its seed and prompt.")
def plan(asked: Asked, file: Path, order: str, every: bool) -> None:
    """Show what a campaign asks for and what it will cost. Nothing is queued.

    Everything that is wrong is shown at once, each with file and line. Hours and the finish are what `cosmos plan`
    would say of all that is left.
    """
    with asked.open() as cosmos:
        campaign = cosmos.campaign(file)
        found = campaign.outlook(order=order)
        free = shutil.disk_usage(cosmos.workspace.root).free
    videos = [_video(each.item.name, each) for each in campaign.wanted]
    asked.answer(
        {
            "campaign": campaign.name,
            "outlook": attrs.asdict(found),
            "free": free,
            "findings": list(campaign.warnings),
            "videos": videos,
        }
    )
    asked.tell(
        say.paragraphs(
            _asks(campaign, found),
            _costs(found),
            _room(found, free),
            _shows(campaign),
            _prompts(campaign) if every else "",
            say.findings(campaign.warnings, indent=""),
        )
    )
    if found.left:
        asked.note(say.steps(f"cosmos campaign submit {_word(file)}"))


@subcommand(
    command,
    "submit",
    examples="""
        cosmos campaign submit night.yaml
        cosmos campaign submit night.yaml --redo         # another attempt at what was rejected
        cosmos campaign submit night.yaml --drop         # cancel what the file asks for no more
    """,
)
@FILE
@click.option("--redo", is_flag=True, help="Give what was rejected, failed or cancelled another attempt.")
@click.option("--drop", is_flag=True, help="Cancel what waits and is not asked for any more.")
def submit(asked: Asked, file: Path, redo: bool, drop: bool) -> None:
    """Queue what a campaign asks for and is not there: all of it or nothing.

    The same file a second time adds nothing. Of a changed file, what changed is queued; what did not is kept. What a
    guardrail blocked, and what has the bytes of another video, waits for your word: `cosmos retry RUN`.
    """
    with asked.open() as cosmos:
        campaign = cosmos.campaign(file)
        made = campaign.submit(redo=redo, drop=drop)
    asked.answer(
        {
            "campaign": campaign.name,
            "new": [_named(run) for run in made.new],
            "redone": [_named(run) for run in made.redone],
            "cancelled": [_named(run) for run in made.cancelled],
            "kept": made.before.total - len(made.new),
            "sealed": made.before.sealed,
            "ended": [_standing(each) for each in made.before.bad()],
            "dropped": [_named(run) for run in made.before.dropped],
            "findings": list(campaign.warnings),
        }
    )
    asked.note(say.findings(campaign.warnings, indent=""))
    asked.tell("\n".join(_changes(campaign, made, redo=redo, drop=drop)))
    status = f"cosmos campaign status {_word(file)} --watch"
    asked.note(say.steps(*(["cosmos work --until-idle"] if made.new or made.redone else []), status))


@subcommand(
    command,
    "status",
    examples="""
        cosmos campaign status night.yaml
        cosmos campaign status night.yaml --watch
        cosmos campaign status night.yaml --json
    """,
)
@FILE
@click.option("--watch", is_flag=True, help="Show it again whenever it changes, until it is complete.")
@click.option("--all", "every", is_flag=True, help="Every entry, and everything that ended badly.")
def status(asked: Asked, file: Path, watch: bool, every: bool) -> None:
    """Show how far a campaign is, counted from sealed artifacts.

    A video counts when an artifact of exactly what the file asks for is sealed. "held" are outputs with the bytes of
    a video that was asked for differently: look at both.
    """
    with asked.open() as cosmos:
        campaign = cosmos.campaign(file)
        if watch:
            try:
                _watch(cosmos, asked, campaign, every=every)
            except KeyboardInterrupt:
                raise failure.Stopped("stopped watching; runs go on") from None
            return
        found = campaign.status()
        asked.answer(_facts(found))
        asked.tell(_shown(found, file, every=every, is_served=_is_served(cosmos)))


@subcommand(
    command,
    "verify",
    examples="""
        cosmos campaign verify night.yaml
        cosmos campaign verify night.yaml --folder received      # videos that came from elsewhere
    """,
)
@FILE
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    help="Look at the videos of this folder instead, each by the name that the campaign gives it.",
)
@click.option("--all", "every", is_flag=True, help="Everything that is wrong, however much.")
def verify(asked: Asked, file: Path, folder: Path | None, every: bool) -> None:
    """Hash every artifact of a campaign again, and name what is missing, changed or there twice.

    The exit code is 0 when every video that the file asks for is sealed, there, unchanged and unlike all others, 9
    otherwise. With --folder every frame of the videos in it is decoded, and each is compared with what was asked
    under its name; nothing is sealed by that.
    """
    from cosmos_core.cli.progress import progress

    with asked.open() as cosmos, progress(asked) as bars:

        def report(done: int, total: int, _: str = "", /) -> None:
            bars.show("verify", f"verify {file.stem}", done, total)

        campaign = cosmos.campaign(file)
        answer = _examine(campaign, folder, report, every) if folder else _prove(campaign, report, every)
    facts, text, wrong = answer
    asked.answer(facts | ({"error": failure.facts(wrong)} if wrong else {}))
    asked.tell(text)
    if wrong is not None:
        if not asked.json:
            failure.tell(asked, wrong)
        leave(wrong.exit_code)


@subcommand(
    command,
    "export",
    examples="""
        cosmos campaign export night.yaml dataset
        cosmos campaign export night.yaml shards --format webdataset
        cosmos campaign export night.yaml so-far --partial
    """,
)
@FILE
@click.argument("target", type=click.Path(path_type=Path))
@click.option("--partial", is_flag=True, help="Export what is sealed, though the campaign is not complete.")
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
def export(
    asked: Asked, file: Path, target: Path, partial: bool, exporter: str, option: tuple[str, ...]
) -> None:
    """Write a campaign's artifacts as a dataset, in the order of its file.

    Only when all are sealed, unless you say --partial. Each file's bytes are hashed again, and a TARGET that exists is
    never changed.
    """
    from cosmos_core.cli.progress import progress
    from cosmos_core.extend import Exporter
    from cosmos_core.options import lists

    with asked.open() as cosmos, progress(asked) as bars:

        def report(done: int, total: int, _: str = "", /) -> None:
            bars.show("export", f"export {target.name}", done, total)

        campaign = cosmos.campaign(file)
        several = lists(cosmos.plugins.find(Exporter, exporter).options)
        chosen: dict[str, Any] = dict(read.options(option, of=exporter, lists=several))
        made = cosmos.export_campaign(
            campaign, target, partial=partial, exporter=exporter, report=report, **chosen
        )
    files = [path for path in made.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    asked.answer({"dataset": made, "format": exporter, "files": len(files), "bytes": size})
    asked.tell(f"wrote {say.strong(say.short(made))}: {say.many(len(files), 'file')}, {say.size(size)}")
    asked.note(say.steps(f"cosmos verify {_word(made)}"))


@subcommand(
    command,
    "sheet",
    examples="""
        cosmos campaign sheet night.yaml
        cosmos campaign sheet night.yaml night.jpg
    """,
)
@FILE
@click.argument("picture", type=click.Path(path_type=Path), required=False)
def sheet(asked: Asked, file: Path, picture: Path | None) -> None:
    """Draw a contact sheet of what is sealed: first, middle and last frame of each video.

    Without PICTURE it is written beside the campaign's file, as NAME.jpg. Of more than 200 videos, 200 are drawn.
    """
    from cosmos_core.cli import sheet as drawing

    with asked.open() as cosmos:
        campaign = cosmos.campaign(file)
        standings = [each for each in campaign.status().standings if each.is_sealed]
        made = [
            (each.wanted.item.name, each.run.artifact.path, each.run.artifact.frames)
            for each in standings
            if each.run is not None and each.run.artifact is not None
        ]
    if not made:
        raise InputError(
            "nothing of the campaign is sealed yet", hint=f"cosmos campaign status {_word(file)}"
        )
    target = picture or file.with_suffix(".jpg")
    drawn = drawing.write(target, made)
    asked.answer({"sheet": target, "drawn": drawn, "sealed": len(made)})
    asked.tell(f"drew {drawn:,} of {say.many(len(made), 'video')}: {say.strong(say.short(target))}")


def _word(path: Path) -> str:
    return say.quoted(say.short(path))


def _asks(campaign: Campaign, found: Outlook) -> str:
    lengths = f"{say.words(f'{each:g}' for each in found.durations)} s"
    many = say.many(found.definitions, "definition")
    if len(found.durations) * found.definitions == found.runs:
        product = f"{many} × {say.many(len(found.durations), 'duration')} ({lengths})"
    else:
        product = f"{many}, {lengths}" if found.durations else many
    title = f"{say.strong(campaign.name)}: {product} = {say.many(found.runs, 'video')}"
    rows = [
        f"{found.sealed:,} {say.word('sealed')}",
        f"{found.submitted:,} in the queue",
        f"{found.left:,} to submit",
    ]
    return f"{title}\n{say.words(rows)}"


def _costs(found: Outlook) -> str:
    to_come = found.submitted + found.left
    if not to_come:
        return ""
    has_gpus = any(host.gpu_hours for host in found.hosts)
    rows = [
        (
            host.host,
            f"{host.runs:,}",
            f"{host.loads:.3g}",
            f"{host.gpu_hours if has_gpus else host.slot_hours:,.2f}",
            f"in {say.duration(host.done)}",
        )
        for host in found.hosts
    ]
    hours = "GPU-hours" if has_gpus else "slot-hours"
    table = say.table(rows, ("host", "videos", "loads", hours, "done"), right=(1, 2, 3))
    total = sum(host.gpu_hours if has_gpus else host.slot_hours for host in found.hosts)
    at = say.clock(datetime.now(UTC) + timedelta(seconds=found.seconds))
    passes = say.many(found.passes, "pass").replace("passs", "passes")
    end = f"{passes} of the model, {total:,.1f} {hours}; finished in about {say.duration(found.seconds)}, at {at}"
    return say.paragraphs(_unplaced(found), f"{table}\n{end}" if rows else "")


def _unplaced(found: Outlook) -> str:
    reasons: dict[str, list[str]] = {}
    for name, why in found.unplaced:
        reasons.setdefault(why, []).append(name)
    lines = [
        f"{say.word('warn')}  {say.many(len(names), 'video')} fit no slot of this workspace: {why}\n"
        f"      {say.faint(say.one_line(say.words(names), 90))}"
        for why, names in reasons.items()
    ]
    return "\n".join([*lines, say.faint("      hint: add a host: cosmos hosts add")]) if lines else ""


def _room(found: Outlook, free: int) -> str:
    if not found.bytes:
        return ""
    short = found.bytes > free
    mark = f"{say.word('warn')}  " if short else ""
    guess = "" if found.is_measured else " (a guess, until some of them are sealed)"
    return f"{mark}disk: about {say.size(found.bytes)} of video{guess}, {say.size(free)} are free"


def _shows(campaign: Campaign) -> str:
    """What a judge will ask about, each variable with what it is and in how many videos."""
    values: dict[str, Counter[str]] = {}
    for each in campaign.wanted:
        for variable in each.new.shows:
            values.setdefault(variable.name, Counter())[variable.value] += 1
    columns = max(40, shutil.get_terminal_size().columns - 24)
    rows = [
        (name, say.one_line(say.words(f"{value} ({many:,})" for value, many in counts.items()), columns))
        for name, counts in values.items()
    ]
    title = "a judge can ask what each video shows (cosmos reason):"
    return f"{title}\n{say.table(rows, indent='  ')}" if rows else ""


def _prompts(campaign: Campaign) -> str:
    columns = max(30, shutil.get_terminal_size().columns - 40)
    rows = [
        (
            each.item.name,
            str(each.new.spec.seed),
            str(each.passes),
            say.one_line(each.new.spec.prompt.text, columns),
        )
        for each in campaign.wanted
    ]
    return say.table(rows, ("video", "seed", "passes", "prompt"), right=(1, 2))


def _video(name: str, wanted: Any) -> dict[str, Any]:
    return {
        "name": name,
        "id": wanted.item.id,
        "seconds": wanted.item.seconds,
        "entry": wanted.item.entry,
        "recipe": wanted.recipe,
        "passes": wanted.passes,
        "shows": wanted.new.shows,
        "spec": wanted.new.spec,
        "expected": wanted.expected,
    }


def _named(run: Run) -> dict[str, str]:
    return {"id": run.id, "name": run.name, "state": run.state}


def _changes(campaign: Campaign, made: Submitted, *, redo: bool, drop: bool) -> Iterable[str]:
    before = made.before
    kept = before.total - len(made.new)
    yield f"{say.strong(campaign.name)}: {say.many(before.total, 'video')} asked for"
    yield f"  {len(made.new):,} queued now" if made.new else "  nothing to add"
    if kept:
        yield f"  {kept:,} were there, {before.sealed:,} of them {say.word('sealed')}"
    if made.redone:
        yield f"  {len(made.redone):,} get another attempt"
    yield from _left_alone(before, redo=redo)
    waiting = [run for run in before.dropped if not run.state.is_final]
    if made.cancelled:
        yield f"  {len(made.cancelled):,} that the file does not ask for any more were cancelled"
    elif waiting and not drop:
        yield f"  {say.many(len(waiting), 'run')} in the queue that the file does not ask for any more; cancel them: --drop"


def _left_alone(before: Status, *, redo: bool) -> Iterable[str]:
    again = [each for each in before.bad() if each.word in {"rejected", "failed", "cancelled"}]
    if again and not redo:
        yield f"  {_counted(again)}, and wait for your word; another attempt: --redo"
    for word, said in (("held", "look at both: "), ("blocked", "change the prompt, or: ")):
        those = [each for each in before.bad() if each.word == word]
        if those:
            runs = " ".join(each.run.id for each in those[:3] if each.run) + (" …" if len(those) > 3 else "")
            yield f"  {_counted(those)}; {said}cosmos retry {runs}"


def _counted(those: Sequence[Standing]) -> str:
    words = [each.word for each in those]
    return say.words(f"{words.count(word):,} {say.word(word)}" for word in dict.fromkeys(words))


def _standing(each: Standing) -> dict[str, Any]:
    run = each.run
    made = run.artifact if run is not None else None
    return {
        "name": each.wanted.item.name,
        "id": each.wanted.item.id,
        "seconds": each.wanted.item.seconds,
        "entry": each.wanted.item.entry,
        "recipe": each.wanted.recipe,
        "standing": each.word,
        "refused": each.is_refused,
        "reason": each.reason,
        "run": run.id if run is not None else None,
        "progress": run.progress if run is not None else 0.0,
        "artifact": {"digest": made.digest, "path": made.path, "bytes": made.bytes} if made else None,
    }


def _facts(found: Status) -> dict[str, Any]:
    return {
        "campaign": found.campaign,
        "total": found.total,
        "sealed": found.sealed,
        "refused": found.refused,
        "paused": found.paused,
        "retried": found.retried,
        "over_budget": found.over_budget,
        "complete": found.is_complete,
        "counts": dict(found.counts),
        "seconds_left": found.seconds_left,
        "durations": list(found.by_duration()),
        "entries": list(found.by_entry()),
        "videos": [_standing(each) for each in found.standings],
        "dropped": [_named(run) for run in found.dropped],
    }


def _shown(found: Status, file: Path, *, every: bool, is_served: bool) -> str:
    most = found.total if every else SHOWN
    return say.paragraphs(
        _title(found, is_served=is_served),
        _paused(found),
        _bars(found.by_duration()),
        _retried(found),
        _entries(found, every=every),
        _bad(found, most),
        _refused(found),
        _beside(found),
        _next(found, file),
    )


def _title(found: Status, *, is_served: bool) -> str:
    share = found.sealed / found.total
    percent = f"{int(share * 100)}%"
    title = f"{say.strong(found.campaign)}  {_bar(share)} {percent}  {found.sealed:,} of {found.total:,} {say.word('sealed')}"
    if found.is_complete:
        return f"{title}; complete"
    if found.seconds_left is not None:
        title += f", about {say.duration(found.seconds_left)} left"
        title += "" if is_served else "; nobody works on it: cosmos work"
    words = say.words(f"{count:,} {say.word(word)}" for word, count in sorted(found.counts.items()))
    return f"{title}\n{words}"


def _paused(found: Status) -> str:
    if found.paused is None or found.is_complete:
        return ""
    again = f"cosmos queue resume --campaign {say.quoted(found.campaign)}"
    return f"{say.word('warn')}  it is paused: {found.paused or 'by hand'}; resume it: {again}"


def _retried(found: Status) -> str:
    """What trying again cost, and that it is over where it is."""
    if not found.retried.attempts:
        return ""
    many = say.many(found.retried.attempts, "further attempt")
    line = f"{many} at what was rejected: {found.retried}"
    if found.over_budget and not found.is_complete:
        more = "what is rejected now waits for your word: cosmos campaign submit --redo"
        return f"{line}\n{say.word('warn')}  {found.over_budget}; {more}"
    return line


def _bar(share: float) -> str:
    full = int(share * BAR)
    return say.paint("━" * full, fg="green") + say.faint("─" * (BAR - full))


def _bars(rows: Sequence[Row]) -> str:
    shown = [(row.name, _bar(row.sealed / row.total), f"{row.sealed:,} of {row.total:,}") for row in rows]
    return say.table(shown, right=(0, 2), indent="  ")


def _entries(found: Status, *, every: bool) -> str:
    rows = found.by_entry()
    whole = sum(row.is_whole for row in rows)
    begun = [row for row in rows if every or 0 < row.sealed < row.total]
    listed = say.words(f"{row.name} {row.sealed}/{row.total}" for row in (begun if every else begun[:SHOWN]))
    more = "" if every or len(begun) <= SHOWN else f" and {len(begun) - SHOWN:,} more"
    title = f"{whole:,} of {say.many(len(rows), 'entry').replace('entrys', 'entries')} whole"
    return f"{title}{'; begun: ' if listed and not every else ': ' if listed else ''}{listed}{more}"


def _bad(found: Status, most: int) -> str:
    bad = found.bad()
    rows = [
        (
            say.word(each.word),
            each.wanted.item.name,
            each.run.id if each.run else "",
            say.faint(say.one_line(each.reason, max(30, shutil.get_terminal_size().columns - 50))),
        )
        for each in bad[:most]
    ]
    more = f"\n… and {len(bad) - most:,} more: --all" if len(bad) > most else ""
    return say.table(rows) + more


def _refused(found: Status) -> str:
    if not found.refused:
        return ""
    names = say.words(each.wanted.item.name for each in found.standings if each.is_refused)
    return (
        f"{say.word('warn')}  {found.refused:,} of the sealed were rejected by a person; another seed or prompt in the "
        f"file asks for others: {say.one_line(names, 90)}"
    )


def _beside(found: Status) -> str:
    if not found.dropped:
        return ""
    waiting = sum(not run.state.is_final for run in found.dropped)
    return (
        f"{say.many(len(found.dropped), 'run')} of this campaign's name {'is' if len(found.dropped) == 1 else 'are'} "
        f"not asked for by the file any more, {waiting:,} of them in the queue"
    )


def _next(found: Status, file: Path) -> str:
    if found.is_complete:
        return say.steps(f"cosmos campaign verify {_word(file)}").strip()
    counts = found.counts
    if any(counts.get(word) for word in ("rejected", "failed", "cancelled")):
        return say.steps(f"cosmos campaign submit {_word(file)} --redo").strip()
    return say.steps(f"cosmos campaign submit {_word(file)}").strip() if counts.get("not submitted") else ""


def _is_served(cosmos: Cosmos) -> bool:
    """Whether somebody works: a lease is held, and was not left behind."""
    return any(lease.seconds_left > 0 for lease in cosmos.store.leases())


def _watch(cosmos: Cosmos, asked: Asked, campaign: Campaign, *, every: bool) -> None:
    """Draw in place at a terminal; elsewhere say what changed, when it changed."""
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb" and not asked.json:
        return _draw(cosmos, campaign, every=every)
    before = None
    while True:
        found = campaign.status()
        if (now := (found.sealed, found.counts)) != before:
            before = now
            asked.line(_facts(found))
            asked.tell(f"{_shown(found, campaign.path, every=every, is_served=_is_served(cosmos))}\n")
            sys.stdout.flush()
        if found.is_complete:
            return None
        time.sleep(EVERY)


def _draw(cosmos: Cosmos, campaign: Campaign, *, every: bool) -> None:
    from rich.live import Live
    from rich.text import Text

    with Live(auto_refresh=False) as live:
        while True:
            found = campaign.status()
            text = _shown(found, campaign.path, every=every, is_served=_is_served(cosmos))
            end = "" if found.is_complete else f"\n\n{say.faint('Ctrl-C stops watching')}"
            live.update(Text.from_ansi(say.shown(text + end)), refresh=True)
            if found.is_complete:
                return
            time.sleep(EVERY)


Answer = tuple[dict[str, Any], str, VerifyError | None]


def _prove(campaign: Campaign, report: Callable[..., None], every: bool) -> Answer:
    proof = campaign.verify(report)
    facts = {
        "campaign": campaign.name,
        "total": proof.status.total,
        "sealed": proof.status.sealed,
        "intact": proof.intact,
        "bytes": proof.bytes,
        "findings": list(proof.findings),
        "verified": proof.is_whole,
    }
    return facts, say.paragraphs(_some(proof.findings, every), _proved(campaign, proof)), _why_not(proof)


def _proved(campaign: Campaign, proof: Proof) -> str:
    total = proof.status.total
    return (
        f"{say.strong(campaign.name)}: {total:,} asked for, {proof.status.sealed:,} {say.word('sealed')}, "
        f"{proof.intact:,} with the bytes that were sealed, {say.size(proof.bytes)}"
    )


def _why_not(proof: Proof) -> VerifyError | None:
    if proof.is_whole:
        return None
    total = proof.status.total
    return VerifyError(f"{total - proof.intact:,} of {total:,} videos are not there as they were sealed")


def _examine(campaign: Campaign, folder: Path, report: Callable[..., None], every: bool) -> Answer:
    found, findings = campaign.examine(folder, report)
    facts = {"campaign": campaign.name, "report": found, "findings": list(findings), "sealed": 0}
    good = not findings and found.is_verified
    total = len(campaign.wanted)
    wrong = VerifyError(f"{found.verified:,} of {total:,} videos are verified; nothing is sealed")
    return facts, _folder(campaign, found, findings, every), None if good else wrong


def _folder(campaign: Campaign, found: FolderReport, findings: Sequence[Finding], every: bool) -> str:
    absent = sum(each.message == "there is no such file" for each in findings)
    counts = [
        (found.verified, "verified"),
        (found.needs_review, "needs-review"),
        (found.rejected, "rejected"),
        (found.unverified, "unverified"),
    ]
    rulings = (
        say.words(f"{count:,} {say.word(word)}" for count, word in counts if count) or "nothing to verify"
    )
    shared = sum(len(each.files) for each in found.duplicates)
    rows = [
        f"{say.many(found.files, 'file')} for {say.many(len(campaign.wanted), 'video')}: {rulings}",
        f"{found.pointers:,} are Git LFS pointers, not videos" if found.pointers else "",
        f"{found.contents:,} different contents: {shared:,} files share {len(found.duplicates):,} of them"
        if shared
        else "",
        f"{absent:,} are not there" if absent else "",
        f"{len(findings) - absent:,} are there and not asked for, or twice" if len(findings) > absent else "",
    ]
    return say.paragraphs(_some(_said(found), every), _some(findings, every), "\n".join(filter(None, rows)))


def _said(found: FolderReport) -> list[Finding]:
    """The worst that was said about each file that is not verified."""
    return [
        max(each.verdict.findings, key=lambda finding: finding.level.rank)
        for each in found.outputs
        if each.verdict.findings and each.verdict.ruling.value != "verified"
    ]


def _some(findings: Sequence[Finding], every: bool) -> str:
    shown = findings if every else findings[:SHOWN]
    more = f"\n  … and {len(findings) - len(shown):,} more: --all" if len(shown) < len(findings) else ""
    return say.findings(shown) + more
