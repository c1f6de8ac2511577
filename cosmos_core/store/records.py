"""What goes into the store and comes out of it, beside the domain's own objects. Imports nothing heavy."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import StoreError
from cosmos_core.run import Approval, Batch, Blame, Needs, Queued, Run, State
from cosmos_core.spec import Spec, Variable

if TYPE_CHECKING:
    from collections.abc import Iterable


PARKED = ""
"""The owner of a batch that was parked."""


class LeaseLost(StoreError):
    """The worker no longer holds its batch: another one took it over, or it is finished. Nothing was written."""


class StoreGone(StoreError):
    """The store's file was deleted, or another one lies in its place, while this process had it open."""


def _sorted_set(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(words)))


@attrs.frozen(kw_only=True)
class NewRun:
    """A run that asks to be accepted."""

    id: str
    name: str
    spec: Spec
    load_key: str
    needs: Needs = attrs.field(factory=Needs)
    seconds: float
    """Predicted time on a slot, without the model load."""
    prompt_ref: str = ""
    tags: tuple[str, ...] = attrs.field(default=(), converter=_sorted_set)
    shows: tuple[Variable, ...] = ()
    priority: int = 0
    parent: str = ""
    campaign: str = ""

    def queued(self, seq: int) -> Queued:
        """What a planner would see of it, were it accepted under that number."""
        return Queued(
            id=self.id,
            seq=seq,
            backend=self.spec.backend,
            load_key=self.load_key,
            needs=self.needs,
            seconds=self.seconds,
            priority=self.priority,
            follows=bool(self.parent),
        )


@attrs.frozen(kw_only=True)
class Lease:
    """What a worker holds: a batch, under the fence in ``batch.fence``, in its own name."""

    batch: Batch
    owner: str


@attrs.frozen(kw_only=True)
class Traffic:
    """How far the bytes of a batch are on their way."""

    way: str
    """``out`` to its host, or ``home``."""
    done: int
    total: int
    rate: float = 0.0
    """Bytes a second of late; 0 when nothing moves, or nobody can say yet."""
    seconds_left: float | None = None
    """At that rate; None when nobody can say."""


@attrs.frozen(kw_only=True)
class Holding:
    """An open lease as ``status`` shows it."""

    batch: str
    owner: str
    host: str
    slot: int
    runs: tuple[str, ...]
    """Ids of the runs it still holds, in order of acceptance."""
    age: float
    """Seconds since it was opened."""
    seconds_left: float
    """Negative when the lease ran out and nobody took it over yet."""
    parked: bool = False
    """Its job is over and outputs wait to be verified; its slot is free."""
    traffic: Traffic | None = None
    """Its bytes on their way; None while none move, or when they took less than a second."""


@attrs.frozen(kw_only=True)
class Server:
    """The server that a store lies on, as it answered just now."""

    version: str
    round_trip: float
    """Seconds from a question to its answer, the quickest of a few."""
    ahead: float
    """Seconds that its clock is before this machine's; negative when it is behind."""


@attrs.frozen(kw_only=True)
class Query:
    """Which runs to list, newest first. Everything that is set must hold."""

    states: tuple[State, ...] = ()
    """Any of these; all states when empty."""
    text: str = ""
    """Words that must all begin a word of the run's name, id, prompt, tags or campaign; case does not matter."""
    tags: tuple[str, ...] = ()
    """Each of these."""
    campaign: str = ""
    prompt: str = ""
    """``name`` for every version of a prompt in the library, ``name@2`` for one."""
    rating_at_least: int | None = None
    approval: Approval | None = None
    """What a person said last."""
    not_approval: Approval | None = None
    """What a person did not say last."""
    limit: int = 50
    before: int | None = None
    """Only runs accepted before this ``seq``: :attr:`Page.next` of the page before."""


@attrs.frozen(kw_only=True)
class Page:
    """One page of a listing."""

    runs: tuple[Run, ...]
    next: int | None
    """What :attr:`Query.before` takes for the next page; None when this is the last."""
    total: int | None
    """How many runs of this page and after match; None when they are more than a thousand."""


@attrs.frozen(kw_only=True)
class Timed:
    """How long a batch took, from its job's start to its last output, model load included."""

    backend: str
    load_key: str
    host: str
    slot: int
    gpu: str
    seconds: float
    predicted: float
    """What was predicted for those of its runs that returned, without the load."""


@attrs.frozen(kw_only=True)
class Again:
    """Another attempt at a run whose output was rejected."""

    seed: int | None
    """What it is made with; None for the seed that was asked for."""
    reason: str


@attrs.frozen(kw_only=True)
class Worked:
    """An attempt at a run, and when its job worked, in seconds since 1970 by the database's clock."""

    run: str
    batch: str
    """Empty for an attempt that waits to be made."""
    gpus: int
    predicted: float
    """Seconds on a slot, without the model load."""
    begun: float | None = None
    """When its job started."""
    over: float | None = None
    """When its output was home or, without one, when it had ended."""
    blame: Blame = Blame.RUN
    is_further: bool = True
    """An output of the run had been rejected before."""


@attrs.frozen(kw_only=True)
class Ruled:
    """What was ruled of an output."""

    run: str
    check: str
    """The check that rejected it; empty when it was sealed."""
    message: str = ""


@attrs.frozen(kw_only=True)
class Underway:
    """What an open batch still has to do."""

    backend: str
    load_key: str
    host: str
    slot: int
    left: float
    """Predicted seconds of its runs whose output is not home, without the load."""
    is_loaded: bool
    """An output of it came home, so its model is loaded."""
    ago: float
    """Seconds since its last output came home, or since its job began; 0 before that."""


@attrs.frozen(kw_only=True)
class Trouble:
    """A slot whose latest batches failed for a reason that is the host's."""

    host: str
    slot: int
    count: int
    """How many failed in a row, up to twelve."""
    ago: float
    """Seconds since the last one ended."""
    reason: str


@attrs.frozen(kw_only=True)
class Parted:
    """A store that was found to be a copy."""

    original: Path
    """The file of the store that it is a copy of."""
    waiting: int
    """Runs that wait in both."""
    left: int
    """Runs whose jobs were left to the original; they wait too now."""


@attrs.frozen(kw_only=True)
class Full:
    """A host whose disk had no room for a job, and for none since."""

    host: str
    count: int
    """How often in a row."""
    span: float
    """Seconds from the first time to the last."""
    ago: float
    """Seconds since the last time."""
    reason: str


@attrs.frozen(kw_only=True)
class Event:
    """One move of one run, written in the transaction that moved it."""

    seq: int
    run: str
    at: datetime
    before: State | None
    """None when the run was accepted."""
    after: State
    reason: str = ""
    owner: str = ""
    """The worker that moved it; empty for a person's word."""


@attrs.frozen(kw_only=True)
class KnownClip:
    """A sealed clip and where it lies on this machine."""

    digest: str
    name: str
    folder: Path
    seen: datetime
    """When it was last remembered."""
