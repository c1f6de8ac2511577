"""A prompt made better on a host: a job that no run stands behind, on a slot as any other.

The slot is held by a batch without runs. So no worker gives it away meanwhile, and whoever finds the batch after a
crash ends the job and frees the slot. Whoever asked waits for the text; when they go, the job ends.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar

import attrs

from cosmos_core.dispatch import (
    FETCHES,
    LONGEST_BACKOFF,
    Heart,
    Site,
    carry,
    clear,
    copy_log,
    is_full,
    session_to,
)
from cosmos_core.errors import CosmosError, HostError, InputError, ModelError, UnknownError
from cosmos_core.extend import Job, JobState, silent
from cosmos_core.hosts import Host, Slot
from cosmos_core.plan import has, why_not
from cosmos_core.store import LeaseLost
from cosmos_core.work import dead_owners, owner, places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path
    from typing import Any

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Enhancer, EnhancerJob, Exit, Handle, Report, Session
    from cosmos_core.spec import Prompt
    from cosmos_core.store import Lease

log = logging.getLogger(__name__)

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Seat:
    """A slot that can do it, with the job as it would be there."""

    place: str
    """The host's name in the store."""
    host: Host
    slot: Slot
    job: Job


def on_host(
    site: Site,
    enhancer: Enhancer,
    prompt: Prompt,
    clip: Clip | None,
    options: Any,
    *,
    host: str = "",
    report: Report = silent,
) -> Prompt:
    """What *enhancer* makes of *prompt* on the first able slot that is free, of *host* alone when it is named.

    Raises:
        UnknownError: the settings name no such host.
        InputError: the queue is paused, or the enhancer cannot work with that prompt, clip or options.
        HostError: no slot has what it needs, or the host refuses.
        ModelError: the job left no prompt.
        LeaseLost: a worker took the slot over, because this process was silent for too long.
    """
    if enhancer.job is None:
        raise InputError(f"enhancer {enhancer.name} works on no host")
    mine = attrs.evolve(site, owner=owner())
    seats = _seats(mine, enhancer, enhancer.job, prompt, clip, options, host)
    with _held(mine, enhancer.name, seats, report) as (seat, lease):
        folder, ended = _bring(mine, lease, seat, report)
        try:
            with site.plugins.blame(enhancer, "reading what its job left"):
                return enhancer.job.outcome(folder, prompt, ended)
        except ModelError as error:
            hint = error.hint or f"its log: {site.workspace.log(lease.batch.id)}"
            raise ModelError(str(error), hint=hint) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _seats(
    site: Site,
    enhancer: Enhancer,
    asked: EnhancerJob,
    prompt: Prompt,
    clip: Clip | None,
    options: Any,
    host: str,
) -> list[Seat]:
    """The slots that can do it."""
    found = [each for each in places(site) if host in {"", each[1].name}]
    if not found:
        known = ", ".join(each.name for each in site.settings.each_host()) or "none"
        raise UnknownError(f"there is no host {host!r} with a slot", hint=f"there is: {known}")
    with site.plugins.blame(enhancer, "making a job of a prompt"):
        needs = asked.needs(options)
        seats = [
            Seat(
                place=place,
                host=each,
                slot=slot,
                job=attrs.evolve(asked.compile(prompt, clip, options, slot), gpus=slot.gpus),
            )
            for place, each, slot in found
            if has(slot, needs)
        ]
    if not seats:
        raise HostError(
            f"no slot can do it: {why_not(needs, [slot for _, _, slot in found])}",
            hint="add a host in cosmos.toml, or take another enhancer: --with template",
        )
    return seats


@contextmanager
def _held(site: Site, name: str, seats: Sequence[Seat], report: Report) -> Iterator[tuple[Seat, Lease]]:
    """The first of *seats* that is free, for as long as the context is open."""
    seat, lease = _take(site, name, seats, report)
    try:
        yield seat, lease
    finally:
        # What Ctrl-C, or a lost line, keeps us from clearing is cleared by whoever adopts the batch.
        site.store.expire([site.owner])


def _take(site: Site, name: str, seats: Sequence[Seat], report: Report) -> tuple[Seat, Lease]:
    while True:
        if (reason := site.store.paused()) is not None:
            raise InputError(f"the queue is paused: {reason or 'by hand'}", hint="cosmos queue resume")
        for seat in seats:
            _free_the_left(site, seat)
            lease = site.store.take_slot(
                owner=site.owner,
                backend=name,
                host=seat.place,
                slot=seat.slot.index,
                gpu=seat.slot.gpu,
                lease=site.settings.queue.lease,
            )
            if lease is not None:
                return seat, lease
        report(0, 0, f"waits for {' or '.join(seat.slot.name for seat in seats)}")
        time.sleep(site.settings.queue.poll)


def _free_the_left(site: Site, seat: Seat) -> None:
    """End a job like ours that its process left on the slot."""
    held = [
        each
        for each in site.store.leases()
        if (each.host, each.slot, each.runs) == (seat.place, seat.slot.index, ()) and not each.parked
    ]
    if dead := dead_owners(each.owner for each in held):
        site.store.expire(dead)
    if not any(each.owner in dead or each.seconds_left < 0 for each in held):
        return
    besides = [slot.index for slot in seat.host.each_slot() if slot != seat.slot]
    lease = site.store.adopt(
        owner=site.owner, hosts=[seat.place], besides=besides, lease=site.settings.queue.lease
    )
    if lease is None:
        return
    if lease.batch.requests:
        # Outputs that wait to be verified are a worker's.
        site.store.expire([site.owner])
    else:
        carry(site, lease, seat.host, seat.slot, threading.Event())


def _bring(site: Site, lease: Lease, seat: Seat, report: Report) -> tuple[Path, Exit]:
    """The folder with what the job left, and how it ended; nothing of it is on the host any more."""
    with Heart(site, lease) as heart, _session(site, lease, seat) as session:
        handle = _start(site, lease, seat, session, report)
        report(0, 0, f"works on {seat.slot.name}")
        ended = _follow(site, lease, seat, session, handle, heart)
        report(0, 0, "comes home")
        return _fetch(site, seat, session, handle, heart), ended


@contextmanager
def _session(site: Site, lease: Lease, seat: Seat) -> Iterator[Session]:
    """A session to the slot's host; when it is left, the job is removed there and the slot given back."""
    try:
        session = session_to(site, seat.host)
    except CosmosError:
        site.store.finish(lease)
        raise
    try:
        yield session
    finally:
        _clear(site, lease, seat, session)
        session.close()


def _start(site: Site, lease: Lease, seat: Seat, session: Session, report: Report) -> Handle:
    key = lease.batch.key
    # The key is stored before the host hears of it: whoever comes after us asks the host for this key.
    site.store.launched(lease, job_key=key, handle={"host": seat.place, "key": key})
    handle = session.put(seat.job, key, report)
    if not site.store.heartbeat(lease, seconds=site.settings.queue.lease):
        raise LeaseLost(f"a worker took slot {seat.slot.name} over before the job was started")
    session.start(handle, seat.job)
    return handle


def _clear(site: Site, lease: Lease, seat: Seat, session: Session) -> None:
    try:
        clear(session, lease)
        site.store.finish(lease)
    except LeaseLost:
        pass  # whoever has the slot has cleared it
    except CosmosError as error:
        log.warning("slot %s is freed by whoever asks for it next: %s", seat.slot.name, error)


def _follow(site: Site, lease: Lease, seat: Seat, session: Session, handle: Handle, heart: Heart) -> Exit:
    """Wait for the job's end, and keep its log."""
    path = site.workspace.log(lease.batch.id)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()

    def look() -> Exit | None:
        for _ in copy_log(session, handle, seat.job.log, path):
            pass
        status = session.poll([handle])[handle.key]
        if status.state is JobState.EXITED:
            return status.exit
        if status.state is not JobState.ACTIVE:
            raise ModelError(status.reason or f"the job is gone from host {seat.host.name}")
        return None

    while (ended := _patiently(site, seat, heart, look)) is None:
        time.sleep(site.settings.queue.poll)
    _patiently(site, seat, heart, look)
    return ended


def _fetch(site: Site, seat: Seat, session: Session, handle: Handle, heart: Heart) -> Path:
    """The job's outputs, whole.

    Raises:
        HostError: a file came home with another digest than it has there, each time.
    """
    folder = site.workspace.returned(handle.key)
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(FETCHES):
        placed = _patiently(site, seat, heart, lambda: session.get(handle, seat.job.outputs, folder))
        if all(each.remote_digest in {"", each.digest} for each in placed):
            return folder
    raise HostError(f"what came from {seat.host.name} is not what lies there: the line garbles it")


def _patiently(site: Site, seat: Seat, heart: Heart, ask: Callable[[], T]) -> T:
    """What *ask* gives, however long the host is away: losing sight of a job is not its failure."""
    backoff = site.settings.queue.poll
    while True:
        heart.check()
        try:
            return ask()
        except HostError as error:
            if is_full(error):
                raise
            log.warning("host %s: %s; asking again in %.0f s", seat.host.name, error, backoff)
            time.sleep(backoff)
            backoff = min(backoff * 2, LONGEST_BACKOFF)
