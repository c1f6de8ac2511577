"""A campaign in an open workspace: what it wants, submitted all or none, followed by its artifacts, verified by their bytes."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import attrs

from cosmos_core import canonical, retry
from cosmos_core.accept import Open
from cosmos_core.campaign import outlook
from cosmos_core.campaign.expand import Expansion, expand
from cosmos_core.campaign.folder import read
from cosmos_core.campaign.review import Wanted, review
from cosmos_core.campaign.standing import SAME_BYTES, Standing, Status, stand
from cosmos_core.clip import Clip
from cosmos_core.errors import Finding, InputError, Level, RefusedError, fail, worst
from cosmos_core.extend import silent
from cosmos_core.run import Run, State
from cosmos_core.store.records import Query

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from cosmos_core.audit import FolderReport
    from cosmos_core.extend import Forecast, Plan, Queued, Report
    from cosmos_core.store.records import NewRun

_PAGE = 1000
AGAIN = (State.REJECTED, State.FAILED, State.CANCELLED)
"""What ``redo`` puts back into the queue. A guardrail's refusal is never tried again by itself."""


class Site(Open, Protocol):
    """An open workspace that can plan, as :class:`cosmos_core.api.Cosmos` does."""

    def plan_beside(
        self, new: Sequence[NewRun], *, order: str = "long"
    ) -> tuple[Sequence[Queued], Plan, Forecast]:
        """How the waiting runs would be worked if *new* ones were queued behind them."""


@attrs.frozen(kw_only=True)
class Submitted:
    """What a submission of a campaign changed. Everything else was there, and stays as it is."""

    new: tuple[Run, ...] = ()
    redone: tuple[Run, ...] = ()
    """Runs that ended badly and have a new attempt."""
    cancelled: tuple[Run, ...] = ()
    """Runs that waited and that the file does not ask for any more."""
    before: Status
    """How the campaign stood before."""


@attrs.frozen(kw_only=True)
class Proof:
    """What :meth:`Campaign.verify` found."""

    status: Status
    intact: int
    """Artifacts whose bytes are those that were sealed."""
    bytes: int
    findings: tuple[Finding, ...]
    """One for each video that is missing, was changed, or has the bytes of another one."""

    @property
    def is_whole(self) -> bool:
        """Whether every expected artifact is sealed, there, unchanged and unlike all others."""
        return self.status.is_complete and self.intact == self.status.total and not self.findings


@attrs.frozen(kw_only=True)
class Campaign:
    """A campaign file that was read, expanded and reviewed in a workspace. Nothing about it is wrong."""

    site: Site = attrs.field(repr=False)
    path: Path
    expansion: Expansion = attrs.field(repr=False)
    wanted: tuple[Wanted, ...] = attrs.field(repr=False)
    warnings: tuple[Finding, ...]
    clips: tuple[Clip, ...] = attrs.field(repr=False)

    @property
    def name(self) -> str:
        """The campaign's name, which its runs carry."""
        return self.expansion.name

    def runs(self) -> tuple[Run, ...]:
        """Every run of the campaign's name, the newest first."""
        found: list[Run] = []
        asked = Query(campaign=self.name, limit=_PAGE)
        while True:
            page = self.site.store.page(asked)
            found += page.runs
            if page.next is None:
                return tuple(found)
            asked = attrs.evolve(asked, before=page.next)

    def status(self) -> Status:
        """How far it is, counted from sealed artifacts."""
        runs = self.runs()
        rejected = (run for run in runs if run.state is State.REJECTED)
        status = stand(self.wanted, runs, [run.id for run in rejected if self._has_twins(run)])
        retried = retry.spent(self.site.store.retried(self.name))
        return attrs.evolve(
            status,
            retried=retried,
            over_budget=retry.over_budget(retried, self.site.settings.retry),
            campaign=self.name,
            seconds_left=self._seconds_left(status),
            paused=self.site.store.paused_campaigns().get(self.name),
        )

    def outlook(self, *, order: str = "long") -> outlook.Outlook:
        """What is left, and what it costs on the slots of this workspace."""
        status = stand(self.wanted, self.runs())
        left = [each.wanted for each in status.standings if each.run is None]
        open_ = [each for each in status.standings if each.run is not None and not each.run.state.is_final]
        runs, planned, forecast = self.site.plan_beside([each.new for each in left], order=order)
        seconds = {run.id: run.seconds for run in runs}
        names = {each.new.id: each.item.name for each in left}
        names |= {each.run.id: each.wanted.item.name for each in open_ if each.run is not None}
        hosts = outlook.shares(planned.batches, names.keys(), seconds, forecast.busy)
        to_come = [*left, *(each.wanted for each in open_)]
        size, is_measured = outlook.room(self.site, to_come)
        return outlook.Outlook(
            definitions=self.expansion.definitions,
            durations=self.expansion.durations,
            runs=len(self.wanted),
            sealed=status.sealed,
            submitted=len(open_),
            left=len(left),
            passes=sum(each.passes for each in to_come),
            hosts=hosts,
            seconds=max((host.done for host in hosts), default=0.0),
            bytes=size,
            is_measured=is_measured,
            unplaced=tuple((names[run], why) for run, why in planned.unplaced if run in names),
        )

    def submit(self, *, redo: bool = False, drop: bool = False) -> Submitted:
        """Queue what is not there yet, all or none; a second time nothing.

        Args:
            redo: give what was rejected, failed or cancelled another attempt. What a guardrail blocked, and what has
                another video's bytes, waits for a person's word about that one run.
            drop: cancel runs that wait and that the file does not ask for any more.
        """
        for clip in self.clips:
            self.site.store.remember_clip(clip)
        before = self.status()
        missing = [each.wanted for each in before.standings if each.run is None]
        new = self._accept(missing, before)
        self._say_shown(before)
        again = [
            each.run for each in before.bad() if each.run and each.run.state in AGAIN and not each.is_held
        ]
        waiting = [run for run in before.dropped if run.state is State.QUEUED]
        return Submitted(
            new=new,
            redone=tuple(_each(self._retry, again)) if redo else (),
            cancelled=tuple(_each(self._cancel, waiting)) if drop else (),
            before=before,
        )

    def verify(self, report: Report = silent) -> Proof:
        """Hash every sealed artifact again, and name what is missing, changed, or has the bytes of another recipe."""
        from cosmos_core.media import file_digest

        status = self.status()
        sealed = [each for each in status.standings if each.is_sealed]
        findings = [_missing(each) for each in status.standings if not each.is_sealed]
        intact = size = 0
        for done, each in enumerate(sealed, 1):
            wrong = _changed(each, file_digest)
            findings += wrong
            intact += not wrong
            size += _artifact_bytes(each)
            report(done, len(sealed), each.wanted.item.name)
        findings += _duplicates(sealed)
        return Proof(status=status, intact=intact, bytes=size, findings=tuple(findings))

    def examine(self, folder: Path, report: Report = silent) -> tuple[FolderReport, tuple[Finding, ...]]:
        """Ask every check about the videos of any *folder*, each compared with what the campaign asks under its name.

        Gives what was found, and a finding for each video of the campaign that is not there or not verified, and for
        each that is there and that nobody asked for.
        """
        from cosmos_core.audit import examine_folder
        from cosmos_core.examine import checks_of
        from cosmos_core.record import Claim

        asked = {
            each.item.name: Claim(
                source=self.path.name, recipe=each.recipe, spec=each.new.spec, expected=each.expected
            )
            for each in self.wanted
        }
        found = examine_folder(folder, checks_of(self.site.plugins, self.site.settings), report, asked=asked)
        return found, tuple(_coverage(found, list(asked)))

    def _accept(self, missing: Sequence[Wanted], before: Status) -> tuple[Run, ...]:
        """Queue *missing* under a token of their own, so that two who submit at once queue them once."""
        if not missing:
            return ()
        there = sorted(each.run.id for each in before.standings if each.run is not None)
        asked = sorted((each.item.name, each.recipe) for each in missing)
        for again in count():
            token = f"campaign-{canonical.digest([self.name, asked, there, again])[:40]}"
            # Runs that a token brought and that were removed since may be asked for again.
            if known := self.site.store.submitted(token):
                return known
            if known is None:
                return self.site.store.accept([each.new for each in missing], token=token)
        raise AssertionError

    def _say_shown(self, before: Status) -> None:
        """What the file says now of what its videos show counts for those that are there, too."""
        changed = {
            each.run.id: each.wanted.new.shows
            for each in before.standings
            if each.run is not None and each.run.shows != each.wanted.new.shows
        }
        if changed:
            self.site.store.say_shown(changed)

    def _retry(self, run: Run) -> Run:
        after = self.site.store.retry(run.id)
        self.site.plugins.tell("cosmos_run_moved", run=after, before=run.state, after=after.state)
        return after

    def _cancel(self, run: Run) -> Run:
        after, at_once = self.site.store.cancel(run.id)
        if at_once:
            self.site.plugins.tell("cosmos_run_moved", run=after, before=run.state, after=after.state)
        return after

    def _has_twins(self, run: Run) -> bool:
        tries = self.site.store.attempts(run.id)
        findings = tries[-1].findings if tries else ()
        return any(each.check == SAME_BYTES and each.level is Level.FAIL for each in findings)

    def _seconds_left(self, status: Status) -> float | None:
        """Until the last run of the campaign is done that waits or is worked on; None when nothing is."""
        runs = [each.run for each in status.standings if each.run is not None and not each.run.state.is_final]
        if not runs:
            return None
        waiting, planned, forecast = self.site.plan_beside(())
        seconds = {run.id: run.seconds for run in waiting}
        hosts = outlook.shares(planned.batches, {run.id for run in runs}, seconds, forecast.busy)
        held = {run.id for run in runs if run.state.is_held}
        places = {
            f"{each.host.partition('@')[0]}/{each.slot}"
            for each in self.site.store.leases()
            if held & {*each.runs}
        }
        working = [until for slot, until in forecast.busy.items() if slot in places]
        return max((*working, *(host.done for host in hosts)), default=None)


def open_campaign(site: Site, path: Path) -> Campaign:
    """Read, expand and review the campaign file at *path*. Nothing is queued.

    Raises:
        InputError: there is no such file.
        RefusedError: with every finding, each with file and line, when any is ``fail``.
    """
    expansion = expand(read(path))
    reviewed = review(site, expansion, path.parent.resolve())
    if worst(reviewed.findings) is Level.FAIL:
        failed = sum(each.level is Level.FAIL for each in reviewed.findings)
        many = "1 finding" if failed == 1 else f"{failed} findings"
        raise RefusedError(f"{many} in {path.name}; nothing was queued", reviewed.findings)
    return Campaign(
        site=site,
        path=path,
        expansion=expansion,
        wanted=reviewed.wanted,
        warnings=tuple(each for each in reviewed.findings if each.level is Level.WARN),
        clips=reviewed.clips,
    )


def to_export(campaign: Campaign, *, partial: bool = False) -> Iterator[Run]:
    """The sealed runs of *campaign* that no person rejected, in the order of its file.

    Raises:
        InputError: when some are missing, and not *partial*.
    """
    status = campaign.status()
    if (not status.is_complete or status.refused) and not partial:
        refused = f", {status.refused:,} were rejected by a person" if status.refused else ""
        raise InputError(
            f"{status.total - status.sealed:,} of {status.total:,} videos are not sealed{refused}",
            hint=f"see which: cosmos campaign status {campaign.path}; or export the others: --partial",
        )
    return (
        each.run
        for each in status.standings
        if each.run is not None and each.is_sealed and not each.is_refused
    )


def _each(change: Callable[[Run], Run], runs: Iterable[Run]) -> Iterator[Run]:
    """Change each run that can still be changed: a worker or a person may have been quicker."""
    for run in runs:
        with suppress(InputError):
            yield change(run)


def _missing(each: Standing) -> Finding:
    why = f": {each.reason}" if each.reason else ""
    hint = {"held": f"look at both; then: cosmos retry {each.run.id if each.run else ''}"}.get(each.word, "")
    return fail(f"no artifact: {each.word}{why}", hint=hint, where=each.wanted.item.name)


def _changed(each: Standing, digest: Callable[[Path], str]) -> list[Finding]:
    made = each.run.artifact if each.run is not None else None
    if made is None:
        return []
    name = each.wanted.item.name
    if made.path.is_symlink() or not made.path.is_file():
        return [
            fail(f"its artifact is not at {made.path} any more", where=name, hint="put it back from a copy")
        ]
    if made.path.stat().st_size != made.bytes or digest(made.path) != made.digest:
        return [
            fail(
                f"{made.path} is not what was sealed",
                where=name,
                hint="put it back from a copy, or make it again",
            )
        ]
    return []


def _artifact_bytes(each: Standing) -> int:
    return each.run.artifact.bytes if each.run is not None and each.run.artifact is not None else 0


def _duplicates(sealed: Iterable[Standing]) -> Iterator[Finding]:
    """Equal bytes under different recipes. The checks refuse them, so they are looked for once more."""
    first: dict[str, Standing] = {}
    for each in sealed:
        if each.run is None or each.run.artifact is None:
            continue
        other = first.setdefault(each.run.artifact.digest, each)
        if other is not each and other.wanted.recipe != each.wanted.recipe:
            yield fail(
                f"it has the very bytes of {other.wanted.item.name}",
                hint="the model ignored what differs between the requests, or one file was saved twice",
                where=each.wanted.item.name,
            )


def _coverage(found: FolderReport, names: Sequence[str]) -> Iterator[Finding]:
    """What the campaign asks for and the folder has not, or not verified; and what it has beside."""
    by_name: dict[str, list[str]] = {}
    for output in found.outputs:
        by_name.setdefault(Path(output.name).stem, []).append(output.name)
    for name in names:
        if name not in by_name:
            yield fail("there is no such file", where=name)
        elif len(by_name[name]) > 1:
            yield fail(f"it is there {len(by_name[name])} times: {', '.join(by_name[name])}", where=name)
    known = set(names)
    for stem, files in by_name.items():
        if stem not in known:
            yield fail("the campaign asks for no video of that name", where=files[0])
