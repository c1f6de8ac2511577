"""``cosmos verify``: is it real? Any file or folder, without a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cosmos_core.cli import say
from cosmos_core.cli.asked import command as make
from cosmos_core.cli.asked import leave
from cosmos_core.errors import InputError, Level, VerifyError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cosmos_core.audit import Examined, FolderReport
    from cosmos_core.cli.asked import Asked
    from cosmos_core.extend import Check

GROUPS_SHOWN = 10


@make(
    "verify",
    examples="""
        cosmos verify outputs
        cosmos verify shot.mp4
        cosmos verify dataset --json > report.json
    """,
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--review-is-fine", is_flag=True, help="Do not count files that a person should look at as not verified."
)
@click.option("--all", "every", is_flag=True, help="List the good ones too.")
def command(asked: Asked, path: Path, review_is_fine: bool, every: bool) -> None:
    """Ask every check about a video or a folder of them.

    Every frame is decoded. What lies beside the videos (artifact.json, SHA256SUMS, metadata.jsonl) says what they
    should be; equal contents are found. No workspace is needed and nothing is changed. The exit code is 0 when
    everything is verified, 9 otherwise.
    """
    from cosmos_core.audit import examine_folder
    from cosmos_core.cli import failure
    from cosmos_core.cli.progress import progress

    checks = _checks(asked)
    with progress(asked) as bars:

        def report(done: int, total: int, _: str = "", /) -> None:
            bars.show("verify", f"verify {path.name}", done, total)

        found = examine_folder(path, checks, report)
    wrong = _why_not(found, review_is_fine=review_is_fine)
    asked.answer({"report": found} | ({"error": failure.facts(wrong)} if wrong else {}))
    asked.tell(
        say.paragraphs(
            _table(found, every=every), _duplicates(found), say.findings(found.notes), _counts(found)
        )
    )
    if wrong is not None:
        if not asked.json:
            failure.tell(asked, wrong)
        leave(wrong.exit_code)


def _checks(asked: Asked) -> Sequence[Check]:
    """Every check, with the thresholds of the workspace where there is one, else with the defaults."""
    from cosmos_core import settings, workspace
    from cosmos_core.examine import checks_of
    from cosmos_core.plugins import load

    try:
        here = workspace.at(asked.folder) if asked.folder else workspace.find()
    except InputError:
        if asked.folder:
            raise
        return checks_of(load(), settings.Settings())
    return checks_of(load(), settings.load(here))


def _why_not(found: FolderReport, *, review_is_fine: bool) -> VerifyError | None:
    good = found.verified + (found.needs_review if review_is_fine else 0)
    if found.files and found.files == good:
        return None
    if not found.files:
        return VerifyError(
            f"there is no video in {found.folder}", hint="give the folder that holds the videos"
        )
    hint = "what needs a person's look passes with --review-is-fine" if not found.rejected else ""
    return VerifyError(f"{found.files - good} of {say.many(found.files, 'file')} not verified", hint=hint)


def _table(found: FolderReport, *, every: bool) -> str:
    shown = [each for each in found.outputs if every or _is_bad(each) or len(found.outputs) <= GROUPS_SHOWN]
    return "\n".join(_file(each) for each in shown)


def _is_bad(each: Examined) -> bool:
    return each.verdict.level is not Level.OK or each.verdict.ruling.value != "verified"


def _file(each: Examined) -> str:
    kind = "" if each.kind == "video" else f"  {each.kind}"
    title = f"{say.word(each.verdict.ruling.value)}  {each.name}{kind}"
    told = [finding for finding in each.verdict.findings if finding.level is not Level.OK]
    return "\n".join(filter(None, [title, say.findings(told)]))


def _duplicates(found: FolderReport) -> str:
    if not found.duplicates:
        return ""
    rows = [
        (group.digest[:12], str(len(group.files)), say.one_line(say.words(group.files), 90))
        for group in found.duplicates[:GROUPS_SHOWN]
    ]
    left = len(found.duplicates) - len(rows)
    more = f"\n  … and {left} more" if left else ""
    return f"equal contents:\n{say.table(rows, right=(1,), indent='  ')}{more}"


def _counts(found: FolderReport) -> str:
    counts = [
        (found.verified, "verified"),
        (found.needs_review, "needs-review"),
        (found.rejected, "rejected"),
        (found.unverified, "unverified"),
    ]
    rulings = say.words(f"{count:,} {say.word(ruling)}" for count, ruling in counts if count)
    pointers = f", {say.many(found.pointers, 'pointer')}" if found.pointers else ""
    facts = f"{say.many(found.files, 'file')}, {say.many(found.videos, 'video')}{pointers}, {say.many(found.contents, 'different content')}"
    return f"{facts}: {rulings or 'nothing to verify'}  {say.faint(f'({say.duration(found.seconds)})')}"
