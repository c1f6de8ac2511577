"""A batch to a host and its outputs back; survives its own death.

:func:`carry` brings a held batch from wherever it is to its end. Every step first looks at what is already done, so the
first worker and one that adopts the batch after a crash walk the same path:

1. The job's key is stored, then its files are put, then it is started; each is idempotent under the key.
2. The job is followed: its log is copied byte for byte, progress is read from it, the host is polled. Losing the
   line is not failure.
3. Its outputs come home, digests taken on both sides.
4. Each run is judged: by the backend as far as its files tell, then by ``verify``.
5. Steps follow what was sealed. The job's folder is removed last.
"""

from __future__ import annotations

import errno
import logging
import shutil
import threading
import time
from contextlib import closing
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

import attrs

from cosmos_core import reach, retry, verify
from cosmos_core.accept import accept_child
from cosmos_core.checks.duplicates import nearest
from cosmos_core.clip import Clip
from cosmos_core.errors import CosmosError, HostError, InputError, Level, PluginError, StoreError, VerifyError
from cosmos_core.examine import checks_of, sizes_of
from cosmos_core.extend import (
    Backend,
    Exit,
    Followed,
    Handle,
    Job,
    JobState,
    Outcome,
    Output,
    Session,
    Spooling,
    Step,
)
from cosmos_core.feed import Feeder, stays
from cosmos_core.gpus import no_larger_than
from cosmos_core.plan import has
from cosmos_core.plugins import Plugins, options
from cosmos_core.run import Blame, Request, State
from cosmos_core.settings import Settings
from cosmos_core.store import LeaseLost, Store, StoreGone
from cosmos_core.traffic import Gauge
from cosmos_core.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cosmos_core.errors import Finding
    from cosmos_core.extend import Outcomes, Placed, Tick
    from cosmos_core.feed import Next
    from cosmos_core.hosts import Host, Slot
    from cosmos_core.run import Needs, Run
    from cosmos_core.store import Again, Lease

log = logging.getLogger(__name__)

NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
LONGEST_BACKOFF = 30.0
LONGEST_LINE = 1 << 16
FETCHES = 3
"""How often a file is fetched again that came home with another digest than it had on its host."""
HARVEST = 5.0
"""Seconds between looks for finished runs of a batch whose job goes on."""


class Interrupted(CosmosError):
    """The worker was asked to go. The job goes on without it."""


class JobLost(CosmosError):
    """The host has no living job of ours and no exit of one. *blame* is the host, or the runs where none was made."""

    def __init__(self, message: str, *, blame: Blame = Blame.HOST) -> None:
        super().__init__(message)
        self.blame = blame


class Unverified(VerifyError):
    """Outputs are home and could not be judged; their runs wait. ``reasons`` says why, by run id."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__(next(iter(reasons.values())))
        self.reasons = dict(reasons)


@attrs.frozen(kw_only=True)
class Site:
    """Where a worker works: an open workspace, and who it is."""

    workspace: Workspace
    settings: Settings
    plugins: Plugins
    store: Store
    owner: str


@attrs.frozen(kw_only=True)
class Launch:
    """A batch's job on its host."""

    session: Session
    backend: Backend
    job: Job
    handle: Handle
    requests: dict[str, Request]
    """Grows while runs join."""


class Heart:
    """Renews a lease from a thread of its own until left. Knows when the lease is lost."""

    def __init__(self, site: Site, lease: Lease) -> None:
        self._site = site
        self._lease = lease
        self._stop = threading.Event()
        self._lost = threading.Event()
        self._thread = threading.Thread(target=self._beat, name=f"heart-{lease.batch.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def check(self) -> None:
        """Raise ``LeaseLost`` once another worker has the batch."""
        if self._lost.is_set():
            raise LeaseLost(f"another worker took batch {self._lease.batch.id} over")

    def _beat(self) -> None:
        queue = self._site.settings.queue
        last = time.monotonic()
        while not self._stop.wait(queue.heartbeat):
            try:
                if not self._site.store.heartbeat(self._lease, seconds=queue.lease):
                    self._lost.set()
                    return
                last = time.monotonic()
            except StoreGone:
                # Whoever carries the batch hears the same, and says it.
                return
            except CosmosError as error:
                # A locked store is not a lost lease until the lease has run out.
                log.warning("no heartbeat for batch %s: %s", self._lease.batch.id, error)
                if time.monotonic() - last > queue.lease:
                    self._lost.set()
                    return


def carry(
    site: Site, lease: Lease, host: Host, slot: Slot, stop: threading.Event, following: Next | None = None
) -> None:
    """Bring the batch of *lease* to its end, from wherever it is. *following* says what may join it meanwhile.

    Raises:
        LeaseLost: another worker has it now; nothing of ours may be published any more.
        Interrupted: *stop* was set; the lease is given back and the job goes on.
        OSError, StoreError: the disk or the store here failed; the batch waits for its next holder.
    """
    with Heart(site, lease) as heart:
        session = session_to(site, host)
        try:
            _carry(site, lease, slot, session, heart, stop, following)
        except LeaseLost:
            if all(open_.batch != lease.batch.id for open_ in site.store.leases()):
                # The batch is finished without us: a job under our key is one that we began too late.
                clear(session, lease)
            raise
        finally:
            session.close()


def session_to(site: Site, host: Host) -> Session:
    """An open session to *host*; whoever asks closes it."""
    return reach.connect(site.plugins, host, site.workspace.host(host.name))


def _carry(
    site: Site,
    lease: Lease,
    slot: Slot,
    session: Session,
    heart: Heart,
    stop: threading.Event,
    following: Next | None,
) -> None:
    requests, unverified = _requests(site, lease, site.store.held(lease))
    if requests:
        try:
            launch = _launch(site, lease, slot, session, requests)
            ended = _follow(site, lease, slot, launch, heart, stop, following)
            unverified |= _bring_home(site, lease, slot, launch, ended, heart, stop)
        except JobLost as error:
            clear(session, lease)
            _reject_the_lost(site, lease, str(error))
            again_or_fail(site, lease, str(error), error.blame)
            unverified = {}
    if unverified:
        raise Unverified(unverified)
    clear(session, lease)
    for run in site.store.sealed_in(lease):
        follow_steps(site, run)
    site.store.finish(lease)


def clear(session: Session, lease: Lease) -> None:
    """Remove the batch's job from its host, ending it first if it runs, whoever started it."""
    handle = session.find(lease.batch.job_key or lease.batch.key)
    if handle is not None:
        session.remove(handle)


def abandon(site: Site, lease: Lease, host: Host, reason: str) -> None:
    """End the batch's job and queue its unfinished runs again, or fail them: a new attempt is not to meet the old one.

    The job is kept while an output of it is home and waits to be verified.

    Raises:
        LeaseLost: another worker has it now.
        HostError: the host cannot be asked; nothing was moved.
    """
    if all(run.state is not State.RETURNED for run in site.store.held(lease)):
        with closing(session_to(site, host)) as session:
            clear(session, lease)
    again_or_fail(site, lease, reason)


def leave_full(site: Site, lease: Lease, host: Host, reason: str) -> bool:
    """Queue the batch's runs again at no cost to them, since *host* has no room for their job; its slots rest now.

    False, and nothing is done, when their job was begun: it goes on there.

    Raises:
        LeaseLost: another worker has it now.
        HostError: the host cannot be asked; no run was moved.
    """
    held = site.store.held(lease)
    if any(run.state is not State.PLACED for run in held):
        return False
    site.store.note_full(lease.batch.host, reason)
    with closing(session_to(site, host)) as session:
        clear(session, lease)
    for run in held:
        _requeue(site, lease, run, reason, Blame.DISK)
    site.store.finish(lease)
    return True


def _requests(site: Site, lease: Lease, runs: Iterable[Run]) -> tuple[dict[str, Request], dict[str, str]]:
    """What *runs* of the batch ask, with their clips, and why some cannot be judged, by run id.

    A run whose clip is gone fails here, alone; when its output is home already, it waits for the clip.
    """
    requests = {}
    unverified = {}
    cancelled = set(site.store.cancel_asked(lease))
    for run in runs:
        if run.state is State.RETURNED and run.id in cancelled:
            _move(site, lease, run, State.CANCELLED, "cancelled before its output was verified")
            continue
        try:
            clip = load_clip(site.store, run.spec.clip)
        except CosmosError as error:
            if run.state is State.RETURNED:
                unverified[run.id] = f"it stays unverified: {error}"
                continue
            _move(site, lease, run, State.FAILED, str(error))
            continue
        requests[run.id] = Request(run=run.id, spec=run.tried, clip=clip)
    return requests, unverified


def clip_of(store: Store, run: Run) -> Clip | None:
    """The sealed clip of a run; None when it has none, or none any more: an artifact outlives its clip."""
    try:
        return load_clip(store, run.spec.clip)
    except CosmosError:
        return None


def load_clip(store: Store, digest: str) -> Clip | None:
    """The sealed clip of that digest, from where the store last saw it; None for an empty digest.

    Raises:
        CosmosError: when its folder is gone or holds another clip now.
    """
    if not digest:
        return None
    folder = store.clip_folder(digest)
    if folder is None or not folder.is_dir():
        raise CosmosError(
            f"the clip {digest[:12]} is not at {folder} any more", hint="put it back, then: cosmos retry"
        )
    clip = Clip.load(folder)
    if clip.digest != digest:
        raise CosmosError(f"the clip in {folder} has changed since the request was accepted")
    return clip


def _launch(site: Site, lease: Lease, slot: Slot, session: Session, requests: dict[str, Request]) -> Launch:
    """The batch's job, started by whoever got there first."""
    batch = attrs.evolve(lease.batch, requests=tuple(requests.values()))
    backend = site.plugins.find(Backend, batch.backend)
    try:
        job = attrs.evolve(
            backend.compile(batch, slot), gpus=slot.gpus, runs=tuple(each.run for each in batch.requests)
        )
    except CosmosError as error:
        raise JobLost(
            f"backend {backend.name} could not make a job of it: {error}", blame=Blame.RUN
        ) from error
    runs = site.store.held(lease)
    key = batch.job_key or batch.key
    handle = session.find(key) if batch.job_key else None
    state = session.poll([handle])[key].state if handle else JobState.ABSENT
    begun = any(run.state is not State.PLACED for run in runs)
    if state in {JobState.ABSENT, JobState.PUT} and not begun:
        # The key is stored before the host hears of it: whoever comes after us asks the host for this key.
        site.store.launched(lease, job_key=key, handle={"host": batch.host, "key": key})
        with Gauge(site.store, lease, "out") as gauge:
            handle = session.put(job, key, report=gauge)
        # Putting may take minutes. A GPU is not to be started for a batch that is another's by now.
        if not site.store.heartbeat(lease, seconds=site.settings.queue.lease):
            raise LeaseLost(f"another worker took batch {batch.id} over before its job was started")
        session.start(handle, job)
        site.store.note_room(batch.host)
    elif handle is None or state is JobState.PUT:
        raise JobLost(f"host {batch.host} has no trace of job {key}")
    if state is not JobState.ACTIVE or not stays(backend, lease, slot, requests):
        # Else the placed ones joined a job that goes on, and whoever let them did not live to send them.
        _all_run(site, lease, runs)
    return Launch(session=session, backend=backend, job=job, handle=handle, requests=requests)


def _all_run(site: Site, lease: Lease, runs: Iterable[Run]) -> None:
    for run in runs:
        if run.state is State.PLACED:
            _move(site, lease, run, State.RUNNING)


def _follow(
    site: Site,
    lease: Lease,
    slot: Slot,
    launch: Launch,
    heart: Heart,
    stop: threading.Event,
    following: Next | None,
) -> Exit:
    """Wait for the job's end, copying its log, passing its progress on, and judging what is whole already."""
    tail = _Tail(site, lease, launch)
    feeder = _feeder(site, lease, slot, launch, following)
    harvest = _Harvest(site, lease, launch, tail)
    backoff = site.settings.queue.poll
    key = launch.handle.key
    while True:
        heart.check()
        if stop.is_set():
            raise Interrupted(f"batch {lease.batch.id} goes on without us")
        try:
            tail.copy()
            status = launch.session.poll([launch.handle])[key]
            if status.state is JobState.ACTIVE:
                harvest.gather()
                if feeder is not None:
                    feeder.feed(
                        lambda runs: _requests(site, lease, runs)[0],
                        lambda run: _all_run(site, lease, [run]),
                    )
        except HostError as error:
            # Losing sight of a job is not its failure: no relaunch, no kill, only patience.
            log.warning("host %s: %s; asking again in %.0f s", lease.batch.host, error, backoff)
            stop.wait(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)
            continue
        backoff = site.settings.queue.poll
        if status.state is JobState.EXITED and status.exit is not None:
            tail.copy()
            return status.exit
        if status.state in {JobState.LOST, JobState.ABSENT, JobState.PUT}:
            raise JobLost(status.reason or f"job {key} is gone from host {lease.batch.host}")
        _heed_cancels(site, lease, launch)
        stop.wait(site.settings.queue.poll)


def _feeder(site: Site, lease: Lease, slot: Slot, launch: Launch, following: Next | None) -> Feeder | None:
    """What lets runs join the batch; None where its job, its host or whoever carries it knows of no such thing."""
    more = launch.backend.more
    if more is None or following is None or not isinstance(launch.session, Spooling):
        return None
    if not stays(launch.backend, lease, slot, launch.requests):
        return None
    return Feeder(
        store=site.store,
        lease=lease,
        slot=slot,
        more=more,
        session=launch.session,
        handle=launch.handle,
        requests=launch.requests,
        following=following,
    )


def _heed_cancels(site: Site, lease: Lease, launch: Launch) -> None:
    """Cancel runs as asked; when none of the batch is left, stop its job."""
    asked = set(site.store.cancel_asked(lease))
    if not asked:
        return
    held = site.store.held(lease)
    if {run.id for run in held} <= asked:
        launch.session.stop(launch.handle, why="cancelled")
    for run in held:
        if run.id in asked:
            _move(site, lease, run, State.CANCELLED, "cancelled while it was worked on")


class Shares:
    """How far each run of a job is, from the ticks of its log in their order."""

    def __init__(self, runs: Iterable[str]) -> None:
        self._named = tuple(runs)
        self._outer = (0, 1)

    def heed(self, tick: Tick) -> dict[str, float]:
        """What *tick* changes: the share that is done, 0 to 1, by run."""
        if tick.run and (tick.run,) != self._named:
            self._named, self._outer = (tick.run,), (0, 1)
        if tick.total <= 0:
            return {}
        if tick.inner:
            done, total = self._outer
            share = (done + min(1.0, tick.done / tick.total)) / total
        else:
            self._outer = (tick.done, tick.total)
            share = tick.done / tick.total
        return dict.fromkeys(self._named, min(1.0, share))


def copy_log(session: Session, handle: Handle, name: str, path: Path) -> Iterator[bytes]:
    """Bring home to *path*, which exists, what is new of a job's log, and give it.

    The local copy's length is the cursor, and bytes are written at their own offset: no line is lost or doubled, even
    if two workers should copy at once.

    Raises:
        HostError: the line is lost; what came is kept.
    """
    cursor = path.stat().st_size
    while True:
        found, after = session.read(handle, name, cursor)
        if not found:
            return
        with path.open("r+b") as local:
            local.seek(cursor)
            local.write(found)
        yield found
        cursor = after


class _Tail:
    """Copies a job's log home, and reads progress from it."""

    def __init__(self, site: Site, lease: Lease, launch: Launch) -> None:
        self._site = site
        self._lease = lease
        self._launch = launch
        self._path = site.workspace.log(lease.batch.id)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.touch()
        self._rest = b""
        self._told = 0.0
        self._misread = False
        self._shares = Shares(launch.requests)

    def copy(self) -> None:
        """Bring what is new."""
        launch = self._launch
        for found in copy_log(launch.session, launch.handle, launch.job.log, self._path):
            self._progress(found)

    def _progress(self, found: bytes) -> None:
        *lines, self._rest = (self._rest + found).replace(b"\r", b"\n").split(b"\n")
        # A job that never ends its line must not fill our memory.
        self._rest = self._rest[-LONGEST_LINE:]
        values = self._read(lines)
        done = any(value >= 1.0 for value in values.values())
        if values and (done or time.monotonic() - self._told > 1.0):
            self._told = time.monotonic()
            self._site.store.progress(self._lease, values)

    def _read(self, lines: Iterable[bytes]) -> dict[str, float]:
        """What the backend reads of *lines*, by run."""
        values: dict[str, float] = {}
        try:
            for line in lines:
                tick = self._launch.backend.progress(line.decode("utf-8", "replace"))
                if tick:
                    values |= self._shares.heed(tick)
        except (Exception, SystemExit):  # a plugin that misreads a line costs a bar, not the job
            if not self._misread:
                log.exception("backend %s cannot read its own log", self._launch.backend.name)
            self._misread = True
        return values


class _Harvest:
    """Brings home and judges what is whole of a batch while its job works on the rest."""

    def __init__(self, site: Site, lease: Lease, launch: Launch, tail: _Tail) -> None:
        self._site = site
        self._lease = lease
        self._launch = launch
        self._tail = tail
        self._looked = time.monotonic()
        self._tried: set[str] = set()
        """Runs that were fetched once: what could not be sealed then is judged when the job has ended."""

    def gather(self) -> None:
        """Look at most once in a while, since a look is a round trip.

        Raises:
            HostError: the line is lost; nothing is lost with it.
        """
        whole = self._launch.backend.whole
        alone = len(self._launch.requests) < 2 and self._launch.backend.more is None
        if whole is None or alone or time.monotonic() - self._looked < HARVEST:
            return
        launch = self._launch
        names = {file.name for file in launch.session.list(launch.handle, launch.job.outputs)}
        for run in self._site.store.held(self._lease):
            request = launch.requests.get(run.id)
            if request is None or run.state is not State.RUNNING or run.id in self._tried:
                continue
            if mine := tuple(whole(request, names)):
                self._reap(run, request, mine)
                self._tried.add(run.id)
        self._looked = time.monotonic()

    def _reap(self, run: Run, request: Request, names: Sequence[str]) -> None:
        launch = self._launch
        # What the job said before it finished the run, and after we last looked, proves what its guardrail did.
        self._tail.copy()
        folder = self._site.workspace.returned(launch.handle.key)
        folder.mkdir(parents=True, exist_ok=True)
        fetched = _bring(self._site, self._lease, launch, names, folder)
        placed = {each.path: each for each in fetched}
        if any(each.remote_digest not in {"", each.digest} for each in placed.values()):
            return
        self._show_log(folder / launch.job.log)
        found = launch.backend.outcome(folder, request, Exit(code=0))
        if found.outcome is Outcome.BLOCKED:
            # Of a job that stays, refused runs would keep others from being sent to it.
            why = found.reason or "the model's guardrail refused it"
            _move(self._site, self._lease, run, State.BLOCKED, why)
        if found.outcome is not Outcome.DONE or found.file is None:
            return
        try:
            _judge(self._site, self._lease, run, launch, request, found, placed, folder)
        except VerifyError as error:
            # It is tried once more when the job has ended.
            log.warning("run %s: %s", run.id, error)

    def _show_log(self, path: Path) -> None:
        """Lay the log, as far as it is home, where a backend looks for it; the job still writes its own."""
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self._site.workspace.log(self._lease.batch.id), path)


def _bring_home(
    site: Site, lease: Lease, slot: Slot, launch: Launch, ended: Exit, heart: Heart, stop: threading.Event
) -> dict[str, str]:
    """Fetch the outputs and settle every run that is still held; give why some could not be judged, by run id."""
    unverified = {}
    folder = site.workspace.returned(launch.handle.key)
    folder.mkdir(parents=True, exist_ok=True)
    placed = _fetch(site, lease, launch, folder, heart, stop)
    _all_run(site, lease, site.store.held(lease))
    without: list[tuple[Run, Outcomes]] = []
    for run in site.store.held(lease):
        heart.check()
        request = launch.requests.get(run.id)
        if request is None:
            continue
        found = launch.backend.outcome(folder, request, ended)
        if found.outcome is not Outcome.DONE or found.file is None:
            without.append((run, found))
            continue
        try:
            _judge(site, lease, run, launch, request, found, placed, folder)
        except VerifyError as error:
            unverified[run.id] = str(error)
    begun = (
        len(without) < len(launch.requests)
        or any(found.outcome is not Outcome.MISSING for _, found in without)
        or bool(site.store.sealed_in(lease))
    )
    stayed = stays(launch.backend, lease, slot, launch.requests)
    for run, found in without:
        heart.check()
        _settle_without_output(site, lease, slot, run, ended, found, begun=begun, stayed=stayed)
    shutil.rmtree(folder, ignore_errors=True)
    return unverified


def _fetch(
    site: Site, lease: Lease, launch: Launch, folder: Path, heart: Heart, stop: threading.Event
) -> dict[Path, Placed]:
    """Bring the outputs home; what changed on its way is fetched again, and then judged as it is."""
    placed: dict[Path, Placed] = {}
    names: Sequence[str] = launch.job.outputs
    for left in reversed(range(FETCHES + 1)):
        placed |= {each.path: each for each in _get(site, lease, launch, names, folder, heart, stop)}
        names = [each.name for each in placed.values() if each.remote_digest not in {"", each.digest}]
        if not names:
            break
        again = "fetching them again" if left else "they are judged as they are"
        log.warning("host %s: %s changed on the way; %s", lease.batch.host, ", ".join(names), again)
    return placed


def _get(
    site: Site,
    lease: Lease,
    launch: Launch,
    names: Sequence[str],
    folder: Path,
    heart: Heart,
    stop: threading.Event,
) -> Sequence[Placed]:
    """Fetch *names*, however long the host is away."""
    backoff = site.settings.queue.poll
    while True:
        heart.check()
        if stop.is_set():
            raise Interrupted(f"the outputs of batch {lease.batch.id} wait on their host")
        try:
            return _bring(site, lease, launch, names, folder)
        except HostError as error:
            log.warning("host %s: %s; fetching again in %.0f s", lease.batch.host, error, backoff)
            stop.wait(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)


def _bring(site: Site, lease: Lease, launch: Launch, names: Sequence[str], folder: Path) -> Sequence[Placed]:
    """Fetch *names* once.

    Raises:
        HostError: the line is lost, or the host refuses.
        OSError: the disk here is full.
    """
    try:
        with Gauge(site.store, lease, "home") as gauge:
            return launch.session.get(launch.handle, names, folder, report=gauge)
    except HostError as error:
        if is_full(error):
            raise OSError(errno.ENOSPC, str(error)) from error
        raise


def _judge(
    site: Site,
    lease: Lease,
    run: Run,
    launch: Launch,
    request: Request,
    found: Outcomes,
    placed: Mapping[Path, Placed],
    folder: Path,
) -> None:
    file = found.file
    if file is None:
        return
    if not file.resolve().is_relative_to(folder.resolve()):
        raise PluginError(f"backend {launch.backend.name} points at {file}, outside the job's folder")
    if run.state is not State.RETURNED:
        run = _move(site, lease, run, State.RETURNED)
    home = placed.get(file)
    output = Output(
        file,
        expected=launch.backend.expect(run.tried),
        remote_digest=home.remote_digest if home else "",
        clip=request.clip,
        recipe=run.tried.digest,
        others=site.store.artifacts(),
        guardrail=found.guardrail,
        sizes=sizes_of(checks_of(site.plugins, site.settings)),
        shows=run.shows,
    )
    _find_alike(site.store, output)
    before = run.state
    settled = _verify(site, lease, run, output)
    _drop_unpublished(settled, site.workspace.outputs / run.id, lease)
    _tell_settled(site, settled, before)
    if settled.artifact is not None:
        site.plugins.tell("cosmos_artifact_sealed", artifact=settled.artifact, run=settled)


def _find_alike(store: Store, output: Output) -> None:
    """Compare it with those that are most like it too, however long ago they were sealed."""
    if output.sniff.kind not in {"missing", "not_a_file"}:
        near = nearest(output, *store.phashes(besides=output.recipe))
        found = (*store.artifacts(digest=output.digest), *store.artifacts(runs=near))
        output.others = tuple({other.run: other for other in (*output.others, *found)}.values())
    output.recipes = dict(store.recipes([other.run for other in output.others]))


def _verify(site: Site, lease: Lease, run: Run, output: Output) -> Run:
    try:
        return verify.verify_returned(
            site.store,
            lease,
            run,
            output,
            plugins=site.plugins,
            settings=site.settings,
            outputs=site.workspace.outputs,
            next_try=lambda findings: _next_try(site, run, findings),
        )
    except LeaseLost:
        # Whoever has the batch now publishes under a fence of their own; what we copied belongs to nobody.
        folder = site.workspace.outputs / run.id
        shutil.rmtree(folder / f"a{run.attempt}-f{lease.batch.fence}", ignore_errors=True)
        raise


def _next_try(site: Site, run: Run, findings: Sequence[Finding]) -> Again | None:
    rules = site.settings.retry
    again = retry.next_try(run, findings, site.store.attempts(run.id), rules)
    if again is None or not run.campaign or not rules.gpu_minutes:
        return again
    if why := retry.over_budget(retry.spent(site.store.retried(run.campaign)), rules):
        log.warning("run %s of campaign %s is not tried again: %s", run.id, run.campaign, why)
        return None
    return again


def _tell_settled(site: Site, settled: Run, before: State) -> None:
    """Tell what became of an output, and pause its campaign when too many fail."""
    if settled.state in {State.SEALED, State.CANCELLED}:
        site.plugins.tell("cosmos_run_moved", run=settled, before=before, after=settled.state)
        return
    site.plugins.tell("cosmos_run_moved", run=settled, before=before, after=State.REJECTED)
    if settled.state is State.QUEUED:
        site.plugins.tell("cosmos_run_moved", run=settled, before=State.REJECTED, after=State.QUEUED)
    if settled.campaign:
        findings = site.store.attempts(settled.id)[-1].findings
        remedies = {each.remedy for each in findings if each.level is Level.FAIL}
        why = retry.breaker(site.store.ruled(settled.campaign), remedies, site.settings.retry)
        if why:
            log.warning("campaign %s is paused: %s", settled.campaign, why)
            site.store.pause(why, campaign=settled.campaign)


def _reject_the_lost(site: Site, lease: Lease, reason: str) -> None:
    """Reject runs whose output was home, but not verified, when their job and its files vanished from the host."""
    for run in site.store.held(lease):
        if run.state is not State.RETURNED:
            continue
        log.warning("run %s: %s", run.id, reason)
        name = site.plugins.find(Backend, run.spec.backend).expect(run.spec).name
        nowhere = site.workspace.returned(lease.batch.job_key or lease.batch.key) / run.id / name
        settled = _verify(site, lease, run, Output(nowhere, recipe=run.tried.digest))
        _tell_settled(site, settled, run.state)


def _drop_unpublished(run: Run, folder: Path, lease: Lease) -> None:
    """Remove what holders before us copied for this attempt and did not live to publish."""
    for fence in range(1, lease.batch.fence):
        shutil.rmtree(folder / f"a{run.attempt}-f{fence}", ignore_errors=True)


def _settle_without_output(
    site: Site, lease: Lease, slot: Slot, run: Run, ended: Exit, found: Outcomes, *, begun: bool, stayed: bool
) -> None:
    """Move a run that has no output.

    *begun* is whether the job began any of its runs, *stayed* whether it took what came while it ran.
    """
    why = _why(ended, found)
    if ended.stopped == "cancelled":
        _move(site, lease, run, State.CANCELLED, "cancelled while it was worked on")
    elif found.outcome is Outcome.BLOCKED:
        _move(site, lease, run, State.BLOCKED, found.reason or "the model's guardrail refused it")
    elif found.outcome is Outcome.MISSING and begun and (ended.code or stayed):
        _requeue(site, lease, run, f"its batch ended early: {why}", Blame.BATCH)
    else:
        _settle_failed(site, lease, slot, run, why, _whose(ended, found))


def _whose(ended: Exit, found: Outcomes) -> Blame:
    """Whose failure it is. A job that ended before it began any of its runs failed for its host, not for them."""
    said = retry.blame(found.reason) if found.blame is Blame.RUN else found.blame
    if ended.oom or said is Blame.MEMORY:
        return Blame.MEMORY
    if found.outcome is Outcome.MISSING and ended.code:
        return Blame.HOST
    return said


def _settle_failed(site: Site, lease: Lease, slot: Slot, run: Run, why: str, blame: Blame) -> None:
    """Fail a run, unless another slot may do better."""
    if blame is Blame.HOST:
        _again_or_fail(site, lease, run, why, blame)
    elif blame is Blame.MEMORY and slot.gpus:
        _seek_memory(site, lease, slot, run, why)
    else:
        _move(site, lease, run, State.FAILED, why, blame)


def _seek_memory(site: Site, lease: Lease, slot: Slot, run: Run, why: str) -> None:
    """Queue a run again for kinds of GPU with more memory than *slot*'s; fail it where no host has one."""
    if not slot.gpu:
        reason = f"{why}; nobody knows of a larger GPU, because cosmos.toml does not say which kind hosts.{slot.host} has"
        _move(site, lease, run, State.FAILED, reason, Blame.MEMORY)
        return
    without = site.store.needs(run.id).without(
        no_larger_than(slot.gpu), f"it ran out of memory on {slot.gpu}"
    )
    slots = [other for host in site.settings.each_host() for other in host.each_slot()]
    if larger := sorted({other.gpu for other in slots if has(other, without)}):
        reason = f"it ran out of memory on {slot.gpu} and goes to {' or '.join(larger)}: {why}"
        _requeue(site, lease, run, reason, Blame.MEMORY, without)
    else:
        reason = f"it ran out of memory on {slot.gpu}, and no slot here has a GPU with more: {why}"
        _move(site, lease, run, State.FAILED, reason, Blame.MEMORY)


def _why(ended: Exit, found: Outcomes) -> str:
    if ended.oom:
        return f"the job ran out of memory (exit code {ended.code})"
    if ended.stopped == "timeout":
        return "the job was stopped: it ran longer than it may"
    if ended.stopped == "quiet":
        return "the job was stopped: it gave no sign of progress"
    return found.reason or f"the job ended with exit code {ended.code} and without its video"


def again_or_fail(site: Site, lease: Lease, reason: str, blame: Blame = Blame.RUN) -> None:
    """Queue the batch's unfinished runs again, or fail those that had their attempts."""
    for run in site.store.held(lease):
        if run.state is not State.RETURNED:
            _again_or_fail(site, lease, run, reason, blame)


def _again_or_fail(site: Site, lease: Lease, run: Run, reason: str, blame: Blame) -> None:
    if retry.is_spent(site.store.attempts(run.id), blame, site.settings.queue.attempts):
        _move(site, lease, run, State.FAILED, f"{reason} (attempt {run.attempt})", blame)
    else:
        _requeue(site, lease, run, reason, blame)


def follow_steps(site: Site, run: Run) -> None:
    """Do the settings' steps for a sealed run. Doing them again changes nothing; one that fails unseals nothing."""
    if run.artifact is None:
        return
    for name in site.settings.steps:
        try:
            follow(site, run, name)
        except StoreError:
            raise
        except (Exception, SystemExit):  # a plugin's step must not cost a sealed artifact
            log.exception("step %s failed after run %s", name, run.id)


def follow(site: Site, run: Run, name: str, chosen: Mapping[str, Any] = NO_OPTIONS) -> Followed:
    """Do one step for a sealed run; what it judges is kept, and a spec that it gives back is queued.

    Raises:
        InputError: the run is not sealed, or an option is not understood.
        UnknownError: nobody offers the step.
    """
    if run.artifact is None:
        raise InputError(
            f"run {run.id} is {run.state}: only what is sealed has steps", hint=f"cosmos show {run.id}"
        )
    step = site.plugins.find(Step, name)
    read = options(step, site.settings.plugins.get(name, {}), chosen)
    followed = step.follow(run.artifact, run, run.artifact.path.parent, read)
    if followed.findings or followed.tags or followed.score is not None:
        site.store.judge(run.id, name, followed.findings, score=followed.score, tags=followed.tags)
    if followed.spec is not None:
        accept_child(site, run, followed.spec, token=f"{run.id}/{run.attempt}/{name}")
    return followed


def _move(
    site: Site, lease: Lease, run: Run, after: State, reason: str = "", blame: Blame = Blame.RUN
) -> Run:
    moved = site.store.move(lease, run.id, after, reason=reason, blame=blame)
    site.plugins.tell("cosmos_run_moved", run=moved, before=run.state, after=after)
    return moved


def _requeue(
    site: Site, lease: Lease, run: Run, reason: str, blame: Blame, needs: Needs | None = None
) -> None:
    site.store.requeue(lease, [run.id], reason=reason, blame=blame, needs=needs)
    site.plugins.tell("cosmos_run_moved", run=site.store.run(run.id), before=run.state, after=State.QUEUED)


def is_full(error: BaseException | None) -> bool:
    """Whether *error*, or what caused it, says that a disk, a quota or a file size limit is exhausted."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}:
            return True
        error = error.__cause__
    return False
