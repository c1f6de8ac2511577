"""The Python interface: ``from cosmos_core import Cosmos``.

:class:`Cosmos` holds an open workspace. Its methods are the verbs; what they read and change is the store's.
"""

from __future__ import annotations

import contextlib
import platform
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import attrs

from cosmos_core import canonical
from cosmos_core import clip as clips
from cosmos_core import plugins as plugin_layer
from cosmos_core import settings as settings_file
from cosmos_core import workspace as folders
from cosmos_core.accept import accept
from cosmos_core.builtin.journal import Journal
from cosmos_core.dispatch import Site
from cosmos_core.errors import (
    Finding,
    HostError,
    InputError,
    Level,
    ModelError,
    RefusedError,
    UnknownError,
    VerifyError,
    worst,
)
from cosmos_core.extend import Backend, Enhancer, Exported, Exporter, Generator, Step, silent
from cosmos_core.run import Approval, Run, State
from cosmos_core.spec import SavedPrompt, suggest_name
from cosmos_core.submission import Ask

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from cosmos_core.campaign import Campaign
    from cosmos_core.clip import Clip
    from cosmos_core.extend import Followed, Forecast, Job, Needs, Plan, Queued, Report, Slot
    from cosmos_core.plugins import Plugins
    from cosmos_core.retry import Rest
    from cosmos_core.served import Served
    from cosmos_core.settings import Settings
    from cosmos_core.store import NewRun, Query, Store
    from cosmos_core.workspace import Workspace


BETWEEN = "~"
"""What stands between machine, process and token in the name of an unfinished clip: no colon, for Windows' sake."""
STALE = 86400.0
"""Seconds after which nobody works on an unfinished clip any more."""


class Cosmos:
    """An open workspace.

    Args:
        folder: The workspace; None for the one the current folder lies in.

    Raises:
        InputError: when there is no workspace.
        RefusedError: when its settings are wrong, with every finding.
    """

    def __init__(self, folder: str | Path | None = None) -> None:
        self.workspace: Workspace = folders.at(Path(folder)) if folder else folders.find()
        self.settings: Settings = settings_file.load(self.workspace)

    @classmethod
    def create(cls, folder: str | Path = ".") -> Self:
        """Make *folder* a workspace, unless it is one already, and open it."""
        made, _ = folders.create(Path(folder), settings_file.TEMPLATE)
        return cls(made.root)

    @cached_property
    def plugins(self) -> Plugins:
        """The plugins of this process, the workspace's journal among them."""
        loaded = plugin_layer.load()
        loaded.register("journal", Journal(self.workspace.state / "journal.jsonl"))
        return loaded

    @cached_property
    def store(self) -> Store:
        """Where prompts, clips and runs are kept; opened, and brought up to date, on first use."""
        from cosmos_core.store import Store

        return Store.open(self.settings.store.url or self.workspace.default_store, root=self.workspace.root)

    @cached_property
    def site(self) -> Site:
        """The workspace as a worker sees it."""
        from cosmos_core.work import owner

        return Site(
            workspace=self.workspace,
            settings=self.settings,
            plugins=self.plugins,
            store=self.store,
            owner=owner(),
        )

    def close(self) -> None:
        """Let go of the store."""
        if "store" in self.__dict__:
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create_prompt(
        self, text: str, clip: str | Path = "", *, negative: str = "", name: str = "", made_by: str = "user"
    ) -> SavedPrompt:
        """Save a prompt in the library, perhaps with the clip it is written for.

        The clip's folder is sealed. Without a *name* one is suggested from the text.
        """
        sealed = self.clip(clip) if clip else None
        return self.store.save_prompt(
            name=name or self._free_name(suggest_name(text)),
            text=text,
            negative=negative,
            clip=sealed.digest if sealed else "",
            made_by=made_by,
        )

    def edit_prompt(
        self, ref: str, *, text: str | None = None, negative: str | None = None, made_by: str = "user"
    ) -> SavedPrompt:
        """A new version of a prompt. Runs of the old version keep it."""
        old = self.store.prompt(ref)
        return self.store.save_prompt(
            name=old.name,
            text=old.prompt.text if text is None else text,
            negative=old.prompt.negative if negative is None else negative,
            clip=old.clip,
            parent=old.ref,
            made_by=made_by,
        )

    def enhance_prompt(
        self,
        ref: str,
        enhancer: str = "template",
        *,
        host: str = "",
        report: Report = silent,
        **options: Any,
    ) -> tuple[SavedPrompt, str, str]:
        """What an enhancer would make of a prompt: the prompt, and the new text and negative text. Saves nothing.

        One that works on a host takes the first able slot that is free, of *host* when it is named, and is waited for.

        Raises:
            UnknownError: nobody knows the prompt, the enhancer or the host.
            InputError: it cannot work with that prompt or those options; or *host* is named and it works on none.
            HostError: no slot has what it needs, or the host refuses.
            ModelError: no prompt came of it.
        """
        old = self.store.prompt(ref)
        chosen = self.plugins.find(Enhancer, enhancer)
        clip = self.clip(old.clip) if old.clip else None
        configured = plugin_layer.options(chosen, self.settings.plugins.get(enhancer, {}), options)
        if chosen.enhance is None:
            from cosmos_core.enhance import on_host

            better = on_host(self.site, chosen, old.prompt, clip, configured, host=host, report=report)
        elif host:
            raise InputError(f"{enhancer} works in this process, on no host", hint="leave the host out")
        else:
            better = chosen.enhance(old.prompt, clip, configured)
        return old, better.text, better.negative

    def clip(self, ref: str | Path) -> Clip:
        """A sealed clip: a folder, which is sealed if it is not yet, or a clip's name or digest.

        Raises:
            RefusedError: with every finding about the folder, when it cannot be sealed.
            InputError: when there is no such clip.
        """
        folder = Path(ref)
        if not folder.is_dir():
            known = self.store.clip_folder(str(ref))
            if known is None:
                raise InputError(f"there is no clip {str(ref)!r}", hint="see what there is: cosmos clip list")
            folder = known
        sealed = clips.seal(folder)
        self.store.remember_clip(sealed)
        return sealed

    def generate(
        self,
        generator: str,
        options: Mapping[str, Any] | None = None,
        *,
        name: str = "",
        report: Report = silent,
    ) -> Clip:
        """Make a clip in ``clips/<name>``. One that was made with the same options before is not made again."""
        maker = self.plugins.find(Generator, generator)
        chosen = plugin_layer.options(maker, self.settings.plugins.get(generator, {}), options or {})
        with self.plugins.blame(maker, "looking at its options"):
            findings = tuple(maker.review(chosen)) if maker.review else ()
        if worst(findings) is Level.FAIL:
            raise RefusedError(f"{generator} cannot make this", findings)
        wanted = canonical.plain(chosen) if chosen is not None else {}
        folder = self.workspace.clips / _plain(name or f"{generator}-{canonical.digest(wanted)[:8]}")
        if not folder.exists():
            self._generate(maker, chosen, wanted, folder, report)
        elif canonical.dumps(clips.Clip.load(folder).source.get("options")) != canonical.dumps(wanted):
            raise InputError(f"{folder} is another clip already", hint="choose another --name")
        return self.clip(folder)

    def _generate(self, maker: Generator, chosen: Any, wanted: Any, folder: Path, report: Report) -> None:
        from cosmos_core.work import owner

        _sweep(folder.parent)
        part = folder.with_name(f".{folder.name}.{owner().replace(':', BETWEEN)}.part")
        part.mkdir(parents=True)
        try:
            with self.plugins.blame(maker, "making a clip"):
                facts = dict(maker.generate(chosen, part, report))
            clips.seal(part, name=folder.name, source={"generator": maker.name, "options": wanted, **facts})
            # Somebody else may have made the same clip meanwhile, and theirs is as good.
            if not folder.exists():
                part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)

    def submit(self, prompt: str | SavedPrompt, *, token: str = "", **ask: Any) -> Run:
        """Queue one run. See :class:`cosmos_core.submission.Ask` for what can be asked.

        The same *token* again gives the run that it gave before.
        """
        return self.submit_many([_ask(prompt, ask)], token=token)[0]

    def submit_many(
        self,
        asks: Sequence[Ask],
        *,
        base: Path | None = None,
        token: str = "",
        on_warning: Callable[[Finding], None] | None = None,
    ) -> tuple[Run, ...]:
        """Queue a run for each ask, or none at all; all are on disk when this returns.

        *on_warning* hears each finding that a person should look at and that stopped nothing.
        """
        heard = on_warning or (lambda _: None)
        return accept(self, asks, base=base or Path(), token=token, on_warning=heard)

    def run(
        self, prompt: str | SavedPrompt, *, on_change: Callable[[Run], None] | None = None, **ask: Any
    ) -> Run:
        """Queue one run, work on it, and wait until it is sealed.

        Raises:
            VerifyError: its output was rejected.
            ModelError: it failed, was blocked or was cancelled.
            HostError: no slot of this workspace can run it.
        """
        run = self.submit(prompt, **ask)
        (finished,) = self.finish([run], on_change=on_change)
        return raise_unless_sealed(finished)

    def finish(
        self, runs: Sequence[Run], *, on_change: Callable[[Run], None] | None = None
    ) -> tuple[Run, ...]:
        """Work on *runs* in this process until each is final; other workers may take some of them.

        Raises:
            HostError: no slot of this workspace can run one of them.
            InputError: the queue is paused.
            VerifyError: nothing is left but outputs that could not be verified.
        """
        from cosmos_core.work import Worker

        ids = [run.id for run in runs]
        self._refuse_the_hopeless(ids)
        worker = Worker(self.site, only=ids)
        with ThreadPoolExecutor(1, thread_name_prefix="worker") as thread:
            working = thread.submit(worker.work)
            try:
                return self.wait(runs, on_change=on_change, while_working=working)
            finally:
                worker.stop()

    def wait(
        self,
        runs: Sequence[Run],
        *,
        on_change: Callable[[Run], None] | None = None,
        while_working: Future[None] | None = None,
    ) -> tuple[Run, ...]:
        """Watch *runs* until each is final, whoever works on them; no longer than *while_working* goes on."""
        seen = {run.id: run for run in runs}
        while True:
            for run_id, before in seen.items():
                if before.state.is_final:
                    continue
                seen[run_id] = now = self.store.run(run_id)
                if on_change is not None and now != before:
                    on_change(now)
            if all(run.state.is_final for run in seen.values()):
                return tuple(seen.values())
            if while_working is not None:
                _refuse_the_unverified(seen.values())
            if while_working is not None and while_working.done():
                while_working.result()
                raise InputError("the worker has stopped", hint="see why: cosmos status")
            if while_working is not None and (reason := self.store.paused()) is not None:
                raise InputError(f"the queue is paused: {reason or 'by hand'}", hint="cosmos queue resume")
            time.sleep(min(0.2, self.settings.queue.poll))

    def follow(self, ref: str, step: str, **options: Any) -> Followed:
        """Do one step for a sealed run, now and in this process; what it judges is kept beside the run.

        Raises:
            UnknownError: nobody knows the run, or offers the step.
            InputError: the run is not sealed, or an option is not understood.
        """
        from cosmos_core.dispatch import follow

        with self.plugins.blame(self.plugins.find(Step, step), "following a run"):
            return follow(self.site, self.store.run(ref), step, options)

    def review(
        self, ref: str, approval: Approval | str | None = None, *, rating: int | None = None, note: str = ""
    ) -> Run:
        """Say what you think of a run's video: ``approved``, ``rejected``, or ``open`` to take it back.

        It is kept under your name beside what the checks found, and moves nothing.

        Raises:
            UnknownError: nobody knows the run.
            InputError: it has no video, or nothing is said.
        """
        said = None if approval is None else Approval(approval)
        return self.store.review(ref, who=self.user, approval=said, rating=rating, note=note)

    @property
    def user(self) -> str:
        """Who reviews: the name in the settings, or that of the account."""
        import getpass

        try:
            return self.settings.user or getpass.getuser()
        except (OSError, KeyError):  # an account without a name, as in some containers
            return "unknown"

    def serve(self, host: str, job: Job, name: str) -> Served:
        """A server on a host of this workspace, as a context; *name* is what another process finds it by.

        Raises:
            UnknownError: the settings name no such host.
        """
        from cosmos_core.served import Served

        known = {each.name: each for each in self.settings.every_host()}
        if host not in known:
            raise UnknownError(f"there is no host {host!r}", hint=f"there is: {', '.join(known)}")
        return Served(self.site, known[host], job, name)

    def cancel(self, ref: str) -> tuple[Run, bool]:
        """Cancel a run: at once if it waits (True), through its worker if one holds it (False).

        Raises:
            UnknownError: nobody knows the run.
            InputError: it has ended already.
        """
        before = self.store.run(ref)
        run, at_once = self.store.cancel(before.id)
        if at_once:
            self.plugins.tell("cosmos_run_moved", run=run, before=before.state, after=run.state)
        return run, at_once

    def retry(self, ref: str) -> Run:
        """Queue an ended run for another attempt at the same spec, on any slot that its backend says it may run on.

        Raises:
            UnknownError: nobody knows the run.
            InputError: it is sealed, or has not ended.
        """
        before = self.store.run(ref)
        run = self.store.retry(before.id, needs=self._needs(before))
        self.plugins.tell("cosmos_run_moved", run=run, before=before.state, after=run.state)
        return run

    def _needs(self, run: Run) -> Needs | None:
        """What its backend says that it needs; None where no plugin offers the backend."""
        backend = self.plugins.offers(Backend).get(run.spec.backend)
        if backend is None:
            return None
        with self.plugins.blame(backend, "looking at a request"):
            return backend.needs(run.spec)

    def remove(self, refs: Iterable[str]) -> tuple[Run, ...]:
        """Forget runs, all or none, then delete what only they used; gives them as they were.

        That is what ``outputs`` holds of them, and the logs of :meth:`logs_of_only`.

        Raises:
            UnknownError: nobody knows one of them.
            InputError: a worker holds one of them.
        """
        runs = tuple(self.store.run(ref) for ref in dict.fromkeys(refs))
        logs = self.logs_of_only(run.id for run in runs)
        self.store.remove(run.id for run in runs)
        for run in runs:
            shutil.rmtree(self.workspace.outputs / run.id, ignore_errors=True)
        for log in logs:
            log.unlink(missing_ok=True)
        return runs

    def logs_of_only(self, run_ids: Iterable[str]) -> tuple[Path, ...]:
        """Logs of batches that worked on some of these runs and on no others."""
        logs = map(self.workspace.log, self.store.batches_of_only(run_ids))
        return tuple(log for log in logs if log.is_file())

    def resting(self) -> tuple[Rest, ...]:
        """Slots that workers leave alone for a while: batches failed there for a reason that is the host's, or it is full."""
        from cosmos_core.retry import rest_of, rest_of_full

        first, node = self.settings.queue.rest, platform.node()
        full = {each.host: each for each in self.store.full_hosts()}
        rests = [
            rest_of_full(full[place], slot, first, node=node)
            for place, slot in self._places()
            if place in full
        ]
        rests += [
            rest_of(trouble, first, node=node)
            for trouble in self.store.troubles()
            if trouble.host not in full
        ]
        return tuple(rest for rest in rests if rest.seconds)

    def wanted_models(self) -> frozenset[str]:
        """The names of what runs wait for or are worked with, and of what the settings name."""
        from cosmos_core.run import HELD, State

        open_ = self.store.backends(states=(State.QUEUED, *sorted(HELD)))
        return frozenset({*open_, self.settings.backend, *self.settings.plugins})

    def plan(self, *, order: str = "long") -> Plan:
        """How the waiting runs would be worked from now on, by all slots of this workspace as they become free."""
        return self.plugins.plan(*self._to_plan(order))

    def forecast(self, *, order: str = "long") -> Forecast:
        """What a planner is told: until when slots are busy, and how fast they are."""
        return self._to_plan(order)[2]

    def plan_one_by_one(self) -> Plan:
        """The same with a model load for each run, to compare."""
        from cosmos_core.plan import arrange

        return arrange(*self._to_plan("long"), largest=1)

    def able(self, needs: Needs) -> tuple[Slot, ...]:
        """The slots of this workspace that have what is needed, as far as is known."""
        from cosmos_core.plan import has

        slots = (slot for host in self.settings.each_host() for slot in host.each_slot())
        return tuple(slot for slot in slots if has(slot, needs))

    def plan_beside(
        self, new: Sequence[NewRun], *, order: str = "long"
    ) -> tuple[Sequence[Queued], Plan, Forecast]:
        """How the waiting runs would be worked if *new* ones were queued behind them.

        Gives all of them, the plan, and what is known, such as until when slots are busy.
        """
        waiting, slots, forecast = self._to_plan(order, new)
        return waiting, self.plugins.plan(waiting, slots, forecast), forecast

    def _to_plan(
        self, order: str, new: Sequence[NewRun] = ()
    ) -> tuple[Sequence[Queued], Sequence[Slot], Forecast]:
        from cosmos_core.foresee import Foresight

        slots = self._places()
        waiting = self.store.waiting(limit=100_000)
        last = max((run.seq for run in waiting), default=0)
        waiting = (*waiting, *(each.queued(last + place) for place, each in enumerate(new, 1)))
        known = [run for run in waiting if run.backend in self.plugins.offers(Backend)]
        foresight = Foresight(self.store, self.plugins)
        resting = {rest.slot: rest.seconds for rest in self.resting()}
        forecast = foresight.forecast(
            known,
            [*slots.values()],
            busy=resting,
            places=slots,
            order=order,
            specs={each.id: each.spec for each in new},
        )
        return waiting, [*slots.values()], forecast

    def _places(self) -> dict[tuple[str, int], Slot]:
        """The slots of this workspace, by their host's name in the store and their number."""
        from cosmos_core.work import places

        try:
            return {(place, slot.index): slot for place, _, slot in places(self.site)}
        except UnknownError:
            # A plan can be made where the plugin that reaches a host is not installed.
            hosts = self.settings.each_host()
            return {(host.name, slot.index): slot for host in hosts for slot in host.each_slot()}

    def campaign(self, path: str | Path) -> Campaign:
        """The campaign in the file at *path*: read, expanded and reviewed. Nothing is queued yet.

        Raises:
            InputError: there is no such file.
            RefusedError: with every finding, each with file and line.
        """
        from cosmos_core.campaign import open_campaign

        return open_campaign(self, Path(path))

    def export_campaign(
        self,
        campaign: Campaign,
        target: Path,
        *,
        partial: bool = False,
        exporter: str = "folder",
        report: Report = silent,
        **options: Any,
    ) -> Path:
        """Write the artifacts of a campaign as a dataset into *target*, in the order of its file.

        Raises:
            InputError: when some are not sealed, and not *partial*; or *target* exists.
        """
        from cosmos_core.campaign import to_export

        runs = to_export(campaign, partial=partial)
        return self.export(target, exporter=exporter, runs=runs, report=report, **options)

    def export(
        self,
        target: Path,
        *,
        exporter: str = "folder",
        query: Query | None = None,
        runs: Iterable[Run] | None = None,
        report: Report = silent,
        **options: Any,
    ) -> Path:
        """Write the sealed artifacts that match *query*, or those of *runs*, as a dataset into *target*.

        *target* must not exist. What a person rejected is left out, unless the query asks for what people said, or
        *runs* has it.
        """
        from cosmos_core import dataset

        chosen = self.plugins.find(Exporter, exporter)
        configured = plugin_layer.options(chosen, self.settings.plugins.get(exporter, {}), options)
        picked = self.each_run(_not_rejected(query)) if runs is None else runs
        items = [self._exported(run) for run in picked if run.artifact is not None]
        return dataset.export(items, chosen, target, configured, report)

    def each_run(self, query: Query | None = None) -> Iterator[Run]:
        """Every run that matches, newest first, a page at a time."""
        from cosmos_core.store import Query

        asked = query or Query()
        while True:
            page = self.store.page(asked)
            yield from page.runs
            if page.next is None:
                return
            asked = attrs.evolve(asked, before=page.next)

    def _exported(self, run: Run) -> Exported:
        from cosmos_core.dispatch import clip_of

        if run.artifact is None:
            raise InputError(f"run {run.id} is {run.state}, not sealed")
        last = self.store.attempts(run.id)[-1]
        return Exported(
            run=run,
            artifact=run.artifact,
            # Whoever wants the passes of a clip that is gone is told so.
            clip=clip_of(self.store, run),
            findings=last.findings,
            judgements=self.store.judgements(run.id),
            reviews=self.store.reviews(run.id),
        )

    def _refuse_the_hopeless(self, ids: Sequence[str]) -> None:
        if (reason := self.store.paused()) is not None:
            raise InputError(
                f"the queue is paused: {reason or 'by hand'}; the run is queued", hint="cosmos queue resume"
            )
        for run_id, why in self.plan().unplaced:
            if run_id in ids:
                raise HostError(
                    f"no slot can run {run_id}: {why}; it stays queued",
                    hint="add a host in cosmos.toml, or: cosmos cancel",
                )

    def _free_name(self, wanted: str) -> str:
        taken = {prompt.name for prompt in self.store.prompts(limit=100_000)}
        if wanted not in taken:
            return wanted
        return next(
            name for number in range(2, len(taken) + 3) if (name := f"{wanted}-{number}") not in taken
        )


def raise_unless_sealed(run: Run) -> Run:
    """*run*, if it is sealed.

    Raises:
        VerifyError: it was rejected.
        ModelError: it failed, was blocked or was cancelled.
    """
    match run.state:
        case State.SEALED:
            return run
        case State.REJECTED:
            raise VerifyError(f"run {run.id} was rejected: {run.reason}", hint=f"cosmos show {run.id}")
        case _:
            raise ModelError(f"run {run.id} is {run.state}: {run.reason}", hint=f"cosmos logs {run.id}")


def _not_rejected(query: Query | None) -> Query:
    from cosmos_core.store import Query

    asked = query or Query()
    return attrs.evolve(asked, not_approval=Approval.REJECTED) if asked.approval is None else asked


def _refuse_the_unverified(runs: Iterable[Run]) -> None:
    """Wait no longer when nothing is left but outputs that could not be verified.

    Raises:
        VerifyError: naming one, with its reason.
    """
    left = [run for run in runs if not run.state.is_final]
    if left and all(run.state is State.RETURNED and run.reason for run in left):
        raise VerifyError(
            f"run {left[0].id} waits to be verified: {left[0].reason}",
            hint="mend that, then: cosmos work; its output is kept",
        )


def _sweep(clips: Path) -> None:
    """Remove unfinished clips of processes that are no more; of other machines', those left a day ago or longer."""
    from cosmos_core.work import dead_owners

    makers = {part: part.name.removesuffix(".part").replace(BETWEEN, ":") for part in clips.glob(".*.part")}
    # The name of a clip comes before its maker's, which begins with the machine's.
    here = {part: name[name.rfind(f".{platform.node()}:") + 1 :] for part, name in makers.items()}
    dead = set(dead_owners(here.values()))
    for part, name in here.items():
        with contextlib.suppress(FileNotFoundError):
            if name in dead or time.time() - part.stat().st_mtime > STALE:
                shutil.rmtree(part, ignore_errors=True)


def _plain(name: str) -> str:
    if name.startswith(".") or set(name) & set("/\\:\0"):
        raise InputError(
            f"{name!r} cannot be the name of a clip", hint="a folder's name, not a path, not hidden"
        )
    return name


def _ask(prompt: str | SavedPrompt, ask: Mapping[str, Any]) -> Ask:
    known = {field.name for field in attrs.fields(Ask)}
    if unknown := sorted(set(ask) - known):
        raise InputError(
            f"nothing called {', '.join(unknown)} can be asked", hint=f"one of {', '.join(sorted(known))}"
        )
    text = f"@{prompt.ref}" if isinstance(prompt, SavedPrompt) else prompt
    return Ask(prompt=text, **{**ask, "clip": str(ask.get("clip", ""))})
