"""A run and its life: states, the table of moves, batches, attempts, artifacts.

The life of a run, in order:

1. ``queued``: accepted, on disk, waiting for a slot.
2. ``placed``: a worker holds it in a batch, under a lease with a fence.
3. ``running``: the host has confirmed that the batch's job started.
4. ``returned``: its output is home. An output is a claim.
5. ``sealed``: every required check passed; the output is an artifact. Or ``rejected``: one did not.

``failed`` and ``blocked`` (a guardrail refused) are reached before an output is home; ``cancelled`` is the user's word.
"""

from __future__ import annotations

import re
import secrets
from datetime import datetime
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.clip import Clip
from cosmos_core.errors import CosmosError, Finding
from cosmos_core.hosts import words_of
from cosmos_core.spec import Spec, Variable

if TYPE_CHECKING:
    from collections.abc import Iterable


class State(StrEnum):
    """Where a run is in its life."""

    QUEUED = "queued"
    PLACED = "placed"
    RUNNING = "running"
    RETURNED = "returned"
    SEALED = "sealed"
    REJECTED = "rejected"
    FAILED = "failed"
    BLOCKED = "blocked"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        """Nothing happens to the run any more unless a person asks."""
        return self in FINAL

    @property
    def is_held(self) -> bool:
        """A worker holds the run under a lease."""
        return self in HELD


_BEFORE_RETURN = (State.FAILED, State.BLOCKED, State.CANCELLED)

# RUNNING never leads to SEALED: a zero exit code is a claim, not a video. A held run goes back to QUEUED when
# its job is lost; a finished one only when somebody, or a retry rule, asks for a new attempt.
MOVES: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.PLACED, *_BEFORE_RETURN}),
    State.PLACED: frozenset({State.RUNNING, State.QUEUED, *_BEFORE_RETURN}),
    State.RUNNING: frozenset({State.RETURNED, State.QUEUED, *_BEFORE_RETURN}),
    State.RETURNED: frozenset({State.SEALED, State.REJECTED, State.CANCELLED}),
    State.SEALED: frozenset(),
    State.REJECTED: frozenset({State.QUEUED}),
    State.FAILED: frozenset({State.QUEUED}),
    State.BLOCKED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
}


class Blame(StrEnum):
    """Whose it is that an attempt did not succeed."""

    RUN = "run"
    HOST = "host"
    """The machine's, its GPU's or its installation's: another slot may well succeed."""
    MEMORY = "memory"
    """The GPU's memory was too small for it: a kind of GPU with more may succeed."""
    BATCH = "batch"
    """It was never begun: another run of its batch ended the job."""
    DISK = "disk"
    """It was never begun: the disk of its host had no room for the job."""


FINAL = frozenset({State.SEALED, State.REJECTED, State.FAILED, State.BLOCKED, State.CANCELLED})
HELD = frozenset({State.PLACED, State.RUNNING, State.RETURNED})

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str) -> str:
    """A fresh id such as ``r4k2m9xq7d``: *prefix* and 45 random bits without look-alike letters."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(9))


def move(before: State, after: State) -> State:
    """*after*, if the table of moves leads there.

    Raises:
        CosmosError: when it does not, naming both states.
    """
    if after not in MOVES[before]:
        allowed = ", ".join(sorted(MOVES[before])) or "nowhere"
        raise CosmosError(f"a run cannot go from {before} to {after}; from {before} it goes to {allowed}")
    return after


@attrs.frozen(kw_only=True)
class Needs:
    """What a slot must have to run a spec."""

    gpus: int = 0
    vram_gb: float = 0.0
    unfit: tuple[tuple[str, str] | tuple[str, str, str], ...] = ()
    """Pairs of a kind of GPU that cannot run it and why, such as too little memory. A third word says in which
    environment it can all the same: that of a host whose ``build``, or image, has the word in its name. A kind that is
    not named is not judged."""

    def against(self, gpu: str, build: str = "") -> str:
        """Why that kind of GPU cannot run it in that environment; empty when nothing is known against it."""
        kind, said = plain_gpu(gpu), words_of(build)
        return next((why for name, why, *able in self.unfit if name == kind and not said & set(able)), "")

    def without(self, kinds: Iterable[str], why: str) -> Needs:
        """The same, with *why* against these kinds of GPU; what was known against one of them comes first."""
        return attrs.evolve(self, unfit=(*self.unfit, *((kind, why) for kind in kinds)))


def plain_gpu(kind: str) -> str:
    """A kind of GPU without what people write differently: ``NVIDIA H200-NVL`` is ``h200_nvl``."""
    return re.sub(r"[\s-]+", "_", kind.strip().lower()).removeprefix("nvidia_")


@attrs.frozen(kw_only=True)
class Artifact:
    """An output that passed every required check. It has a digest and never changes."""

    run: str
    attempt: int
    digest: str
    """SHA-256 of the file's bytes."""
    path: Path
    """Where the file is; beside it lie ``artifact.json``, its poster and what steps made."""
    bytes: int
    frames: int
    fps: Fraction
    width: int
    height: int
    sealed: datetime | None = None
    phashes: tuple[int, ...] = ()
    """Eight 64-bit perceptual hashes, evenly spaced, for finding near duplicates."""


@attrs.frozen(kw_only=True)
class Judgement:
    """What a step said about a run's artifact. It stands beside what the checks found, and moves nothing."""

    step: str
    digest: str
    """Of the artifact that was judged."""
    score: float | None = None
    """0 worst to 1 best; None where the step did not say."""
    findings: tuple[Finding, ...] = ()
    tags: tuple[str, ...] = ()
    """Those that the step gave the run."""
    at: datetime


class Approval(StrEnum):
    """What a person says about a video. It stands beside what the checks found, and moves no run."""

    APPROVED = "approved"
    REJECTED = "rejected"
    OPEN = "open"
    """Nobody has said anything, or it was taken back."""


@attrs.frozen(kw_only=True)
class Review:
    """What a person said about a run's video, once. Reviews are added and never changed; the last one holds."""

    who: str
    at: datetime
    attempt: int
    digest: str = ""
    """Of the artifact that was looked at; empty where there was none."""
    approval: Approval | None = None
    """None where this review says nothing about it."""
    rating: int | None = None
    """1 to 5, 0 for one that was taken back; None where this review says nothing about it."""
    note: str = ""


@attrs.frozen(kw_only=True)
class Attempt:
    """One try at a run: where it ran, how it ended, what the checks said."""

    number: int
    batch: str
    fence: int
    state: State
    reason: str = ""
    host: str = ""
    slot: int = 0
    started: datetime | None = None
    ended: datetime | None = None
    findings: tuple[Finding, ...] = ()
    seed: int | None = None
    """The seed it was made with; None where nobody noted it."""
    blame: Blame = Blame.RUN
    """Whose it is, where it did not succeed."""


@attrs.frozen(kw_only=True)
class Run:
    """One spec being pursued until sealed, rejected, failed or cancelled."""

    id: str
    seq: int
    """Order of acceptance."""
    name: str
    spec: Spec
    state: State
    attempt: int = 0
    reason: str = ""
    """Why it is where it is, in a sentence; empty when there is nothing to explain."""
    batch: str = ""
    campaign: str = ""
    parent: str = ""
    """Id of the run whose artifact led to this one."""
    prompt_ref: str = ""
    """``name@version`` in the prompt library."""
    tags: tuple[str, ...] = ()
    shows: tuple[Variable, ...] = ()
    """What its video should show, as whoever asked for it said."""
    rating: int | None = None
    approval: Approval = Approval.OPEN
    """What a person said last, beside what the checks found."""
    priority: int = 0
    created: datetime
    changed: datetime
    progress: float = 0.0
    """How far its job says it is, 0 to 1. A hint, never a verdict."""
    artifact: Artifact | None = None
    seed: int | None = None
    """The seed that is tried now in place of the one that was asked for; None for that one."""

    @property
    def tried(self) -> Spec:
        """What is made now: what was asked for, with the seed that is tried."""
        return self.spec if self.seed is None else attrs.evolve(self.spec, seed=self.seed)


@attrs.frozen(kw_only=True)
class Request:
    """A run as a backend sees it: its id, what is asked, and the sealed clip it starts from."""

    run: str
    spec: Spec
    clip: Clip | None = None


@attrs.frozen(kw_only=True)
class Batch:
    """Runs that share one model load on one slot."""

    id: str
    backend: str
    load_key: str
    host: str
    slot: int
    attempt: int
    fence: int
    """Grows each time a worker takes the batch; only the highest may publish."""
    requests: tuple[Request, ...] = ()
    job_key: str = ""
    """``batch/attempt/fence`` its job was started under; empty before it was."""
    handle: dict[str, Any] | None = None

    @property
    def key(self) -> str:
        """The key a job of this batch is started under by the present holder."""
        return f"{self.id}/{self.attempt}/{self.fence}"


@attrs.frozen(kw_only=True)
class Queued:
    """A waiting run as a planner sees it: all that decides where and when, without its spec."""

    id: str
    seq: int
    backend: str
    load_key: str
    needs: Needs
    seconds: float
    """Predicted time on a slot, without the model load."""
    priority: int = 0
    follows: bool = False
    """Whether it follows from another run's artifact, as an upscaling does."""
