"""Workers: they pull batches onto free slots until told to stop.

A worker is a process with a thread a slot. It trusts only the store: what another worker holds it leaves alone until
that one's lease runs out, and then it adopts the batch where it is.
"""

from __future__ import annotations

import errno
import logging
import os
import platform
import secrets
import threading
import time
from collections import Counter
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from cosmos_core import reach, retry, served, submission
from cosmos_core.accept import accept
from cosmos_core.canonical import write_file
from cosmos_core.dispatch import (
    LONGEST_BACKOFF,
    Interrupted,
    Site,
    Unverified,
    abandon,
    carry,
    is_full,
    leave_full,
    session_to,
)
from cosmos_core.errors import (
    CosmosError,
    HostError,
    InputError,
    PluginError,
    RefusedError,
    StoreError,
    VerifyError,
)
from cosmos_core.extend import Backend, Plan, PlannedBatch
from cosmos_core.foresee import SOON, Foresight
from cosmos_core.plan import arrange, has
from cosmos_core.run import State
from cosmos_core.store import PARKED, LeaseLost, StoreGone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future

    from cosmos_core.errors import Finding
    from cosmos_core.feed import Next
    from cosmos_core.hosts import Host, Slot
    from cosmos_core.retry import Rest
    from cosmos_core.store import Holding, Lease, Parted

log = logging.getLogger(__name__)

ACCEPTED = "accepted.json"
REFUSED = "refused.json"

WINDOW = 2000
"""How many waiting runs a planner sees at a time, the most urgent first."""
_MACHINE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM}

SWEEP = 600.0
"""Seconds between two looks for jobs that nobody knows."""
SPARED = 600.0
"""Seconds that such a job is left alone."""
SWEEPING = 30.0
"""Seconds that a worker which ends waits for a sweep under way."""
TRIES = 3
"""How often outputs that cannot be verified are tried before ``until_idle`` gives them up."""

EVERYTHING = 1_000_000
"""As many, for a worker of a few runs that may stand anywhere in the queue."""


def owner() -> str:
    """A worker's name: machine, process, and a random part that no other worker will ever have."""
    return f"{platform.node()}:{os.getpid()}:{secrets.token_hex(4)}"


def dead_owners(owners: Iterable[str]) -> list[str]:
    """Those of *owners* that were processes of this machine and are no more."""
    here = platform.node()
    dead = []
    for name in owners:
        node, pid, _ = (*name.rsplit(":", 2), "", "")[:3]
        if node == here and pid.isdigit() and not _is_alive(int(pid)):
            dead.append(name)
    return dead


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        # os.kill would end the process there; its lease will run out.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class Worker:
    """Serves slots of an open workspace from this process, a thread each."""

    def __init__(
        self,
        site: Site,
        *,
        only: Sequence[str] | None = None,
        stop: threading.Event | None = None,
        order: str = "long",
    ) -> None:
        self._site = site
        self._order = order
        self._foresight = Foresight(site.store, site.plugins)
        self._only = only
        self._stop = stop or threading.Event()
        self._lock = threading.Lock()
        self._said: set[str] = set()
        self._told: set[tuple[str, int]] = set()
        self._tries: Counter[str] = Counter()
        self._unparked = False
        seats = list(places(site))
        self._hosts = {place: host for place, host, _ in seats}
        self._seats = [
            Seat(
                attrs.evolve(site, owner=f"{site.owner}.{index}"),
                place,
                host,
                slot,
                besides=[other.index for at, _, other in seats if at == place and other != slot],
                tries=self._tries,
            )
            for index, (place, host, slot) in enumerate(seats)
        ]

    def work(self, *, until_idle: bool = False, watch_inbox: bool = False) -> None:
        """Serve until stopped or, with *until_idle*, until nothing is left that this worker could do.

        Raises:
            InputError: the settings leave this worker no slot.
            VerifyError: with *until_idle*, when outputs are home that could not be verified.
            StoreGone: the store's file was deleted or replaced.
            Exception: what a slot raised that nobody foresaw; the others have let go by then.
        """
        if not self._seats:
            raise InputError("there is no slot to serve", hint="see [hosts] in cosmos.toml")
        self._part_from_original()
        if watch_inbox and until_idle:
            # Sealing clips takes time; slots that start beside it would find nothing, and end.
            accept_inbox(self._site)
        sweeper = threading.Thread(target=self._sweep, name="sweep", daemon=True)
        if self._only is None:
            sweeper.start()
        with ThreadPoolExecutor(len(self._seats), thread_name_prefix="slot") as slots:
            served = [slots.submit(self._serve, seat, until_idle) for seat in self._seats]
            try:
                while not _is_over(served):
                    if watch_inbox:
                        accept_inbox(self._site)
                    wait(served, timeout=1.0, return_when=FIRST_EXCEPTION)
            finally:
                # Reached by Ctrl-C too: slots give their batches back, jobs go on.
                self._stop.set()
        if sweeper.ident:
            sweeper.join(SWEEPING)
        for each in served:
            each.result()
        if until_idle:
            self._own_up()

    def _part_from_original(self) -> None:
        """See to it, before anything of ours is looked for on a host, that no job there is another store's."""
        while not self._stop.is_set():
            try:
                if (parted := self._site.store.part_from_original()) is not None:
                    log.warning("%s", _of_a_copy(parted))
            except StoreGone:
                raise
            except StoreError as error:
                log.warning("%s", error)
                self._stop.wait(self._site.settings.queue.poll)
            else:
                return

    def _own_up(self) -> None:
        """Say which runs were given up.

        Raises:
            VerifyError: naming one of them, with its reason.
        """
        runs = [run for lease in self._site.store.leases() if self._is_given_up(lease) for run in lease.runs]
        if runs:
            first = self._site.store.run(runs[0])
            waits = "1 run waits" if len(runs) == 1 else f"{len(runs)} runs wait"
            raise VerifyError(
                f"{waits} to be verified: {first.id}: {first.reason}",
                hint=f"mend that, then: cosmos work; or give it up: cosmos cancel {first.id}",
            )

    def stop(self) -> None:
        """Ask all slots to let go. Jobs go on; the next worker follows them."""
        self._stop.set()

    def _sweep(self) -> None:
        """End jobs that nobody knows, at once and then rarely, until the worker stops."""
        while not self._stop.is_set():
            for host in self._hosts.values():
                sweep(self._site, host)
            self._stop.wait(SWEEP)

    def _serve(self, seat: Seat, until_idle: bool) -> None:
        while not self._stop.is_set():
            lease = self._next(seat)
            if lease is not None:
                seat.carry(lease, self._stop, partial(self._following, seat, until_idle))
            elif until_idle and self._is_idle():
                return
            else:
                self._stop.wait(seat.site.settings.queue.poll)

    def _next(self, seat: Seat) -> Lease | None:
        """A batch for the seat: an orphaned one first, else the next of the plan."""
        with self._lock:
            seat.free = True
            try:
                if not self._unparked:
                    # What the last worker gave up is tried again by this one.
                    seat.site.store.expire([PARKED])
                    self._unparked = True
                if seat.site.store.paused() is not None:
                    return None
                lease = seat.adopt() or (None if seat.taken or seat.waits else self._claim(seat))
            except StoreGone:
                raise
            except StoreError as error:
                log.warning("%s", error)
                return None
            seat.free = lease is None
            return lease

    def _claim(self, seat: Seat) -> Lease | None:
        site = seat.site
        self._look_for_trouble()
        if seat.rest is not None and seat.rest.seconds:
            return None
        # Nobody counts on a slot in trouble but the slot itself.
        counted = [each for each in self._seats if each.rest is None or each is seat]
        mine = [batch for batch in self._plan(counted).batches if batch.slot == seat.slot]
        for batch in mine:
            runs = self._to_try(seat, batch, mine)
            if runs:
                backend = site.plugins.find(Backend, batch.backend)
                lease = site.store.claim(
                    owner=site.owner,
                    load_key=batch.load_key,
                    host=seat.place,
                    slot=seat.slot.index,
                    gpu=seat.slot.gpu,
                    limit=min(len(runs), site.settings.queue.batch, backend.batch_limit or WINDOW),
                    only=runs,
                    lease=site.settings.queue.lease,
                )
                for run in site.store.held(lease) if lease else ():
                    site.plugins.tell("cosmos_run_moved", run=run, before=State.QUEUED, after=run.state)
                seat.is_fresh = seat.is_fresh and lease is None
                return lease
        seat.is_fresh = True
        return None

    def _look_for_trouble(self) -> None:
        """Let seats rest whose last batches failed for a reason that is their host's, or whose host is full.

        The first is said here, the other was when it was found.
        """
        found = {(trouble.host, trouble.slot): trouble for trouble in self._site.store.troubles()}
        full = {each.host: each for each in self._site.store.full_hosts()}
        first = self._site.settings.queue.rest
        for seat in self._seats:
            if seat.place in full:
                seat.rest = retry.rest_of_full(full[seat.place], seat.slot.index, first, node=platform.node())
                continue
            trouble = found.get((seat.place, seat.slot.index))
            seat.rest = retry.rest_of(trouble, first, node=platform.node()) if trouble else None
            if trouble is None:
                self._told = {told for told in self._told if told[0] != seat.slot.name}
            if seat.rest and seat.rest.seconds and (seat.slot.name, seat.rest.failed) not in self._told:
                self._told.add((seat.slot.name, seat.rest.failed))
                log.warning("%s", seat.rest)

    def _to_try(self, seat: Seat, batch: PlannedBatch, planned: Sequence[PlannedBatch]) -> Sequence[str]:
        """What the seat takes: all of *batch*; in trouble one run with its load key, of all that are *planned* there.

        None that failed there and may go elsewhere, and the one that failed least.
        """
        if seat.rest is None:
            return batch.runs
        key = (batch.backend, batch.load_key)
        runs = [run for each in planned if (each.backend, each.load_key) == key for run in each.runs]
        tries = self._site.store.tries_in_trouble(runs)
        here = (seat.place, seat.slot.index)
        able = [run for run in runs if here not in tries.get(run, ()) or not self._has_better(run)]
        return sorted(able, key=lambda run: len(tries.get(run, ())))[:1]

    def _has_better(self, run: str) -> bool:
        """Whether a slot that is not in trouble could take *run*."""
        needs = self._site.store.needs(run)
        return any(other.rest is None and has(other.slot, needs) for other in self._seats)

    def _following(self, seat: Seat, until_idle: bool, lease: Lease) -> Sequence[str] | None:
        """The runs that the plan would give the seat next if it were free, with the model of *lease* loaded.

        None when the slot is wanted for another model or, with *until_idle*, for nothing more.
        """
        with self._lock:
            try:
                if self._site.store.paused() is not None:
                    return ()
                batches = self._plan(self._seats, loaded=(seat.slot, lease)).batches
            except StoreError as error:
                log.warning("%s", error)
                return ()
        batch = next((batch for batch in batches if batch.slot == seat.slot), None)
        if batch is None:
            return None if until_idle else ()
        is_same = (batch.backend, batch.load_key) == (lease.batch.backend, lease.batch.load_key)
        return batch.runs if is_same else None

    def _plan(self, seats: Sequence[Seat], *, loaded: tuple[Slot, Lease] | None = None) -> Plan:
        """How the waiting runs would be worked on *seats*, by the core's own rules where a plugin's planner fails.

        With *loaded*, as if that slot were free and had the model of that lease loaded.
        """
        waiting = self._site.store.waiting(limit=WINDOW if self._only is None else EVERYTHING)
        wanted = [run for run in waiting if self._only is None or run.id in self._only]
        able = [run for run in wanted if run.backend in self._site.plugins.offers(Backend)]
        if missing := {run.backend for run in wanted} - {run.backend for run in able}:
            self._warn(f"runs wait for {', '.join(sorted(missing))}: no plugin here offers such a backend")
        if not able:
            return Plan()
        slots = [seat.slot for seat in seats]
        busy = {seat.slot.name: seat.busy for seat in seats if seat.busy or not seat.is_fresh}
        if loaded is not None:
            busy.pop(loaded[0].name, None)
        forecast = self._foresight.forecast(
            able,
            slots,
            busy=busy,
            places={(seat.place, seat.slot.index): seat.slot for seat in seats},
            order=self._order,
        )
        if loaded is not None:
            key = (loaded[1].batch.backend, loaded[1].batch.load_key, loaded[0].name)
            forecast = attrs.evolve(forecast, load={**forecast.load, key: 0.0})
        try:
            return self._site.plugins.plan(able, slots, forecast)
        except PluginError as error:
            self._warn(f"{error}; the built-in planner stands in")
            return arrange(able, slots, forecast)

    def _warn(self, sentence: str) -> None:
        """Say it once: the queue is looked at many times a minute."""
        if sentence not in self._said:
            self._said.add(sentence)
            log.warning("%s", sentence)

    def _is_idle(self) -> bool:
        """Nothing waits that our slots could take, and no batch on our hosts is open but those we gave up.

        Nobody knows when there will be room on a host that is full.
        """
        places = {seat.place for seat in self._seats}
        with self._lock:
            try:
                if self._site.store.paused() is not None:
                    return True
                held = [lease for lease in self._site.store.leases() if lease.host in places]
                able = [seat for seat in self._seats if seat.rest is None or not seat.rest.is_full]
                return all(map(self._is_given_up, held)) and not self._plan(able).batches
            except StoreGone:
                raise
            except StoreError as error:
                log.warning("%s", error)
                return False

    def _is_given_up(self, lease: Holding) -> bool:
        return lease.parked and self._tries[lease.batch] >= TRIES


class Seat:
    """One slot as a worker serves it. Its owner's name is its own, so that it can let go of its lease alone."""

    def __init__(
        self,
        site: Site,
        place: str,
        host: Host,
        slot: Slot,
        *,
        besides: Sequence[int] = (),
        tries: Counter[str] | None = None,
    ) -> None:
        self.site = site
        self.place = place
        self.slot = slot
        self.free = True
        self.taken = False
        """Another worker's batch is open on the slot: the store would refuse a second."""
        self.is_fresh = True
        """It has done nothing since it last found nothing to do: people may wait for a first result."""
        self.waits = False
        """A batch was opened on the host a moment ago: two models that load at once are slow, or too much for it."""
        self.rest: Rest | None = None
        """Its last batches failed for a reason that is the host's: it is left alone for a while, then tried with care."""
        self._host = host
        self._besides = besides
        """Other slots of the host that this worker serves: what is left there is for their seats."""
        self._tries = Counter() if tries is None else tries
        self._patience = site.settings.queue.poll

    @property
    def busy(self) -> float:
        """Seconds until it is free, for all that it knows itself; 0 when it is. The store knows what its batch has left."""
        if self.free and not self.taken:
            return self.rest.seconds if self.rest else 0.0
        return SOON

    def adopt(self) -> Lease | None:
        """A batch that its worker left: one whose lease ran out, or whose process on this machine is no more."""
        store = self.site.store
        held = [lease for lease in store.leases() if lease.host == self.place]
        self.taken = any(lease.slot == self.slot.index and not lease.parked for lease in held)
        self.waits = bool(self.slot.gpus) and any(lease.age < self._host.stagger for lease in held)
        if not held:
            return None
        if dead := dead_owners({lease.owner for lease in held}):
            store.expire(dead)
        return store.adopt(
            owner=self.site.owner,
            hosts=[self.place],
            besides=self._besides,
            lease=self.site.settings.queue.lease,
        )

    def carry(self, lease: Lease, stop: threading.Event, following: Next | None = None) -> None:
        """Bring a batch to its end. The one broad except of a worker: what nobody foresaw costs one batch an attempt."""
        try:
            carry(self.site, lease, self._host, self.slot, stop, following)
        except LeaseLost as error:
            log.warning("%s", error)
        except Interrupted:
            self._let_go(lease)
        except StoreGone:
            raise
        except Unverified as error:
            log.warning("batch %s waits: %s", lease.batch.id, error)
            self._park(lease, error.reasons)
        except (Exception, SystemExit) as error:  # noqa: BLE001 (a worker outlives what one batch raises)
            # What comes back to us comes back at once; without a pause we would do nothing else.
            stop.wait(self._patience)
            self._patience = min(self._patience * 2, LONGEST_BACKOFF)
            self._hold_back(lease, error)
        else:
            self._patience = self.site.settings.queue.poll

    def _hold_back(self, lease: Lease, error: BaseException) -> None:
        """Leave the batch as *error* demands: with the queue paused, for another try, or without its runs."""
        if is_full(error) and (isinstance(error, OSError) or self._shares_our_disk()):
            log.warning("batch %s waits: %s", lease.batch.id, error)
            self._let_go(lease, pause=f"a disk is full: {error}")
        elif is_full(error) and isinstance(error, HostError):
            log.warning("host %s is full, its slots rest: %s", self._host.name, error)
            self._let_go(lease, full=str(error))
        elif isinstance(error, HostError | StoreError | VerifyError) or _is_of_the_machine(error):
            log.warning("batch %s waits: %s", lease.batch.id, error)
            self._let_go(lease)
        elif isinstance(error, CosmosError):
            log.warning("batch %s cannot be worked: %s", lease.batch.id, error)
            self._let_go(lease, blame=str(error))
        else:
            log.error("batch %s failed in a way nobody foresaw", lease.batch.id, exc_info=error)
            self._let_go(lease, blame=_sentence(error))

    def _shares_our_disk(self) -> bool:
        """Whether what is full on the host is full here too."""
        if not reach.is_here(self.site.plugins, self._host):
            return False
        ours = self.site.workspace.root
        theirs = Path(self._host.root).expanduser() if self._host.root else ours
        try:
            return theirs.stat().st_dev == ours.stat().st_dev
        except OSError:
            return True

    def _park(self, lease: Lease, reasons: Mapping[str, str]) -> None:
        """Leave outputs that cannot be verified to be tried again, longer and longer after each try."""
        wait = max(0.5, self.site.settings.queue.poll) * 2 ** self._tries[lease.batch.id]
        self._tries[lease.batch.id] += 1
        try:
            self.site.store.park(lease, reasons, seconds=min(wait, LONGEST_BACKOFF))
        except StoreError as error:
            log.warning("batch %s is left until its lease runs out: %s", lease.batch.id, error)

    def _let_go(self, lease: Lease, *, pause: str = "", full: str = "", blame: str = "") -> None:
        """Leave the batch to whoever comes next: with its runs, or without them when they, or a full host, are to blame."""
        store = self.site.store
        try:
            if pause:
                store.pause(pause)
            if blame:
                abandon(self.site, lease, self._host, blame)
            if full and leave_full(self.site, lease, self._host, full):
                return
            store.expire([self.site.owner])
        except StoreGone:
            raise
        except CosmosError as error:
            log.warning("batch %s is left until its lease runs out: %s", lease.batch.id, error)


def _of_a_copy(parted: Parted) -> str:
    twice = f"; {parted.waiting} runs wait in both, so cancel them in one" if parted.waiting else ""
    return (
        f"this store is a copy of {parted.original}: {parted.left} runs whose jobs stay with that one are queued "
        f"here again{twice}"
    )


def _sentence(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _is_of_the_machine(error: BaseException) -> bool:
    """Whether a person must mend the machine before anything can go on, so that no run is to blame."""
    return isinstance(error, OSError) and error.errno in _MACHINE


def _is_over(served: Sequence[Future[None]]) -> bool:
    """Whether every slot has ended, or one of them in a way nobody foresaw."""
    ended = [each for each in served if each.done()]
    return len(ended) == len(served) or any(each.exception() is not None for each in ended)


def places(site: Site) -> Iterator[tuple[str, Host, Slot]]:
    """Each slot with its host, and the host's name in the store.

    A host that is the worker's own machine has the machine's name in it: another machine's worker cannot serve it.
    """
    for host in site.settings.each_host():
        place = f"{host.name}@{platform.node()}" if reach.is_here(site.plugins, host) else host.name
        for slot in host.each_slot():
            yield place, host, slot


def sweep(site: Site, host: Host) -> None:
    """End the jobs on *host* that no open batch has: those of a store from a backup, or of a worker that came too late.

    Nothing is ended while there is doubt. The keys are read first, and a job that was put since is spared: it is
    younger than the time that has passed, whatever held us up meanwhile.
    """
    asked = time.time()
    try:
        known = site.store.job_keys()
        if known is None:
            return
        with closing(session_to(site, host)) as session:
            ended = session.sweep(
                {*known, *served.keys(site.workspace)}, age=SPARED + max(0.0, time.time() - asked)
            )
    except StoreGone:
        return
    except (CosmosError, OSError) as error:
        log.warning("host %s was not swept: %s", host.name, error)
        return
    for key in ended:
        log.warning("host %s: job %s belonged to no batch any more and was ended", host.name, key)


def accept_inbox(site: Site) -> None:
    """Accept the submissions in the inbox. The answer lies beside each: ``accepted.json`` or ``refused.json``.

    Other programs write there, so whatever is wrong with one folder stops none of the others.
    """
    inbox = site.workspace.inbox
    for folder in sorted(inbox.iterdir()) if inbox.is_dir() else ():
        try:
            if _is_unanswered(folder):
                name, answer = _answer(site, folder)
                write_file(folder / name, answer)
        except StoreGone:
            raise
        except (StoreError, OSError) as error:
            log.warning("submission %s waits: %s", folder.name, error)


def _is_unanswered(folder: Path) -> bool:
    if folder.name.startswith(".") or not (folder / submission.FILE).is_file():
        return False
    return not any((folder / answer).exists() for answer in (ACCEPTED, REFUSED))


def _answer(site: Site, folder: Path) -> tuple[str, dict[str, object]]:
    """Accept one submission; give the answer's name and content."""
    warnings: list[Finding] = []
    try:
        read = submission.read(folder)
        runs = accept(site, read.asks, base=folder, token=read.token, on_warning=warnings.append)
    except StoreError:
        raise
    except CosmosError as error:
        findings = error.findings if isinstance(error, RefusedError) else ()
        return REFUSED, {"error": str(error), "hint": error.hint, "findings": findings}
    except OSError as error:
        if is_full(error):
            raise
        return REFUSED, {"error": f"it cannot be read: {error}", "hint": "", "findings": ()}
    except (Exception, SystemExit) as error:
        log.exception("submission %s failed in a way nobody foresaw", folder.name)
        hint = "the worker's log says where; write it anew when that is mended"
        return REFUSED, {"error": f"this is a bug: {_sentence(error)}", "hint": hint, "findings": ()}
    return ACCEPTED, {"runs": [run.id for run in runs], "findings": warnings}
