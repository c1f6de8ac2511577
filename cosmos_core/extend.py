"""What plugin authors import: registration objects and the contracts behind them.

A plugin yields registration objects from hooks (:mod:`cosmos_core.hookspecs`). Each is frozen and keyword-only,
with a ``name`` (a slug), a ``summary`` (one sentence) and ``options`` (an attrs class, or None) that validates
``[plugins.<name>]`` in ``cosmos.toml``, becomes ``-o <field>=value`` (``-p`` for a generator) on the command line and
prints itself in ``cosmos plugins show <plugin>``. Objects grow by optional fields, so a plugin keeps working.

Importing this module costs nothing heavy; keep it so in your plugin's top module too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from enum import StrEnum
from fractions import Fraction
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NoReturn, Protocol, runtime_checkable

import attrs

from cosmos_core.clip import Clip
from cosmos_core.errors import (
    CosmosError,
    Finding,
    HostError,
    InputError,
    Level,
    PluginError,
    Remedy,
    VerifyError,
    fail,
    ok,
    warn,
)
from cosmos_core.hosts import Host, Slot
from cosmos_core.run import Artifact, Batch, Blame, Judgement, Needs, Queued, Request, Review, Run
from cosmos_core.spec import Control, Prompt, Spec, Variable
from cosmos_core.submission import Ask

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from cosmos_core import Cosmos
    from cosmos_core.media import Pixels, Size, Sniff, Survey

__all__ = [
    "OUTPUT",
    "Artifact",
    "Ask",
    "Asked",
    "Backend",
    "Batch",
    "Blame",
    "Camera",
    "Check",
    "Clip",
    "Command",
    "Control",
    "Enhancer",
    "EnhancerJob",
    "Exit",
    "Expectation",
    "Exported",
    "Exporter",
    "Finding",
    "Followed",
    "Forecast",
    "Freed",
    "Generator",
    "Handle",
    "Host",
    "Input",
    "Job",
    "JobFile",
    "JobState",
    "JobStatus",
    "Judgement",
    "Keeper",
    "Level",
    "Needs",
    "Outcome",
    "Outcomes",
    "Output",
    "Placed",
    "Plan",
    "PlannedBatch",
    "Prompt",
    "Queued",
    "Ran",
    "Remedy",
    "RemoteFile",
    "Report",
    "Request",
    "Review",
    "Run",
    "Session",
    "Shell",
    "Slot",
    "Spec",
    "Spooling",
    "Step",
    "Tick",
    "Transport",
    "Tunnel",
    "Variable",
    "fail",
    "ok",
    "spoken",
    "warn",
]

_SLUG = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*")


class Report(Protocol):
    """How long work says where it is: ``report(done, total, note)``. Cheap to call often."""

    def __call__(self, done: int, total: int, note: str = "", /) -> None:
        """Say that *done* of *total* are done."""


def silent(done: int, total: int, note: str = "", /) -> None:
    """The report nobody listens to."""


def _check_slug(_: object, __: object, value: str) -> None:
    if not _SLUG.fullmatch(value):
        raise PluginError(f"{value!r} is not a name: small letters and digits, joined by - or .")


@attrs.frozen(kw_only=True)
class Named:
    """What every registration object has: a slug and a sentence."""

    name: str = attrs.field(validator=_check_slug)
    summary: str


@attrs.frozen(kw_only=True)
class Offer(Named):
    """A registration object that can be configured."""

    options: type | None = None
    """An attrs class whose fields have types, defaults, validators and ``metadata={"help": …}``."""


@attrs.frozen(kw_only=True)
class Generator(Offer):
    """Makes clips from a scene.

    ``generate(options, folder, report)`` gets an instance of ``options``, an empty folder to fill with
    ``color.mp4`` and controls, and a :class:`Report`. It gives facts about what made the clip (scene, seed,
    versions, a suggested ``prompt``), which go into the clip's manifest as JSON.
    """

    generate: Callable[[Any, Path, Report], Mapping[str, object]]
    review: Callable[[Any], Iterable[Finding]] | None = None
    """Findings about an instance of ``options``, before any work."""


@attrs.frozen(kw_only=True)
class Expectation:
    """What one spec's video must be, computed before launch from the spec alone."""

    name: str
    """File name of the video in the job's output folder."""
    frames: int
    fps: Fraction
    width: int
    height: int
    keeps_input: bool = False
    """It shows what its clip shows, as an enlargement does. Then that is no fault, and neither is it to look like the
    video it was made of."""


@attrs.frozen(kw_only=True)
class JobFile:
    """A small file that a backend wrote for its program, such as a spec in JSON."""

    name: str
    """Relative path inside the job folder, with ``/``."""
    content: bytes


@attrs.frozen(kw_only=True)
class Input:
    """A large file that the job reads, named by digest so that a host may already have it."""

    name: str
    """Relative path inside the job folder, with ``/``."""
    digest: str
    """SHA-256, 64 hexadecimal digits."""
    path: Path
    """Where it lies on this machine."""
    bytes: int

    @classmethod
    def of(cls, clip: Clip, modality: str, *, name: str = "") -> Input:
        """A clip's video as an input; without a *name* its digest and its suffix in small letters, in ``inputs/``.

        Programs look at the suffix: NVIDIA's load no ``.MP4``.

        Raises:
            UnknownError: the clip has no such video.
        """
        file = clip.file(modality)
        return cls(
            name=name or f"inputs/{file.sha256}{PurePosixPath(file.name).suffix.lower()}",
            digest=file.sha256,
            path=clip.path(modality),
            bytes=file.bytes,
        )


@attrs.frozen(kw_only=True)
class Job:
    """A batch made concrete: files, argv, environment, and what to expect."""

    argv: tuple[str, ...]
    files: tuple[JobFile, ...] = ()
    inputs: tuple[Input, ...] = ()
    env: Mapping[str, str] = attrs.field(factory=dict)
    outputs: tuple[str, ...] = ()
    """Folders or files, relative to the job folder, that come home; each run's video lies under one of them."""
    image: str = ""
    """Container image; empty for a native process."""
    timeout: float = 0.0
    """Seconds after which the job is stopped; 0 for never."""
    quiet: float = 0.0
    """Seconds without a new line or output after which it counts as hung; 0 for never."""
    log: str = "log.txt"
    """The file that :attr:`Backend.progress` reads lines of."""
    gpus: tuple[int, ...] = ()
    """Indexes of the GPUs it may use, the slot's own; a backend leaves this empty, the core fills it in."""
    runs: tuple[str, ...] = ()
    """Ids of the runs it works on, for labels; filled in by the core."""
    serves: bool = False
    """It listens on the host's loopback, to be reached through a :class:`Tunnel`; its program must listen nowhere else."""


@attrs.frozen(kw_only=True)
class Tick:
    """What one log line says about progress."""

    run: str = ""
    """Id of the run it speaks of; empty for the one named last, and for the whole batch before any was named."""
    done: int = 0
    total: int = 0
    note: str = ""
    inner: bool = False
    """It counts parts of the one step that comes after those the last tick called done."""


class Outcome(StrEnum):
    """How one run of a job ended, as far as the model's own files and log tell. Never proof of a video."""

    DONE = "done"
    BLOCKED = "blocked"
    FAILED = "failed"
    MISSING = "missing"


@attrs.frozen(kw_only=True)
class Outcomes:
    """The outcome of one run, with the reason in a sentence and the output's file."""

    outcome: Outcome
    reason: str = ""
    file: Path | None = None
    guardrail: str = "none"
    """``on``, ``off`` or ``none``: whether a safety model is proved to have run, not whether one was asked for."""
    blame: Blame = Blame.RUN
    """Whose it is that it failed: ``Blame.MEMORY`` sends it to a kind of GPU with more, ``Blame.HOST`` to another try.
    What CUDA's own words in ``reason`` say is understood without it."""


@attrs.frozen(kw_only=True)
class Exit:
    """How a job's process ended."""

    code: int
    stopped: str = ""
    """``""``, or why we ended it: ``cancelled``, ``timeout``, ``quiet``."""
    oom: bool = False


@attrs.frozen(kw_only=True)
class Backend(Offer):
    """A model, or what stands in for one: makes jobs of batches and reads what they left.

    All callables are pure but ``outcome``, which reads the job's files.
    """

    controls: frozenset[str] = frozenset()
    """Modalities it takes."""
    needs_clip: bool = True
    load_key: Callable[[Spec], str]
    """What must be loaded for a spec. Runs with equal keys may share a job."""
    needs: Callable[[Spec], Needs]
    seconds: Callable[[Spec, str], float]
    """``seconds(spec, gpu)``: predicted time on one slot of that kind of GPU."""
    expect: Callable[[Spec], Expectation]
    compile: Callable[[Batch, Slot], Job]
    progress: Callable[[str], Tick | None]
    outcome: Callable[[Path, Request, Exit], Outcomes]
    """``outcome(job folder, request, exit)``, once the outputs are home."""
    review: Callable[[Spec, Clip | None], Iterable[Finding]] | None = None
    """What this model refuses or silently gets wrong, before any GPU is touched."""
    batch_limit: int = 0
    """The most runs in one job; 0 for any number."""
    whole: Callable[[Request, Collection[str]], Iterable[str]] | None = None
    """``whole(request, names)``: which of the files *names*, outputs of a job that still runs, are the finished result
    of one run; none as long as it is not finished. Without it results come home when the job has ended."""
    check: Callable[[Shell, Host, Any], Iterable[Finding]] | None = None
    """``check(shell, host, options)``: whether a host has what this model needs, such as its image and checkpoints,
    with the settings' options of this backend; asked by ``cosmos hosts check``."""
    load_seconds: Callable[[Spec, str], float] | None = None
    """``load_seconds(spec, gpu)``: from a job's start until its model is loaded; without it four minutes on a GPU."""
    passes: Callable[[Spec], int] | None = None
    """How often the model runs for one video; without it once."""
    more: Callable[[Batch, Slot], Job | None] | None = None
    """``more(batch, slot)``: the inputs and files by which the job of this batch, which keeps its model loaded, takes
    the batch's requests too; their names are new, and one below ``spool/`` comes last
    (:func:`cosmos_core.launcher.spooled`). None for a batch whose job does not stay. Such a backend has :attr:`whole`."""
    lasting: Callable[[Spec, float], Spec] | None = None
    """``lasting(spec, seconds)``: the same request for a video of that length, which :attr:`review` looks at as at any
    other. Without it ``frames`` are as many as last so long at the rate of the request."""


class JobState(StrEnum):
    """What a host knows of a job."""

    ABSENT = "absent"
    """No such job, and no trace of one."""
    PUT = "put"
    """Its files are there; it was never started."""
    ACTIVE = "active"
    EXITED = "exited"
    LOST = "lost"
    """It was started, is not alive, and left no exit: the machine went down or something killed it."""


@attrs.frozen(kw_only=True)
class Handle:
    """How to find a job again from another process. Plain data, stored before the job starts."""

    host: str
    key: str
    """``batch/attempt/fence``."""
    folder: str
    """The job folder on the host."""


@attrs.frozen(kw_only=True)
class JobStatus:
    """One answer to a poll."""

    state: JobState
    exit: Exit | None = None
    reason: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> JobStatus:
        """The answer in the plain words of :mod:`cosmos_core.jobs`: ``{"state", "exit", "reason"}``."""
        ended = facts["exit"]
        return cls(
            state=JobState(facts["state"]), exit=Exit(**ended) if ended else None, reason=facts["reason"]
        )


@attrs.frozen(kw_only=True)
class RemoteFile:
    """A file in a job folder. ``digest`` is taken on the host's side, empty when not asked for."""

    name: str
    bytes: int
    digest: str = ""


@attrs.frozen(kw_only=True)
class Placed:
    """A file that came home: where it lies, and its digest on both sides."""

    path: Path
    name: str
    digest: str
    remote_digest: str


@contextmanager
def spoken(doing: str = "") -> Iterator[None]:
    """Say in the core's own errors what :mod:`cosmos_core.jobs` finds wrong, and with *doing* what the system refuses.

    Raises:
        InputError: what was asked for cannot be.
        HostError: the system refuses; its own error is the cause.
    """
    from cosmos_core import jobs

    try:
        with jobs.denied(doing) if doing else nullcontext():
            yield
    except jobs.WrongError as error:
        raise InputError(str(error), hint=error.hint) from error
    except jobs.DeniedError as error:
        raise HostError(str(error), hint=error.hint) from error


@runtime_checkable
class Session(Protocol):
    """An open transport to one host. Every verb is idempotent under a job's key.

    A failing remote command is an answer; only a lost line raises ``HostError``. A session works under the host's
    own root and never outside of it.
    """

    def put(self, job: Job, key: str, report: Report = silent) -> Handle:
        """Place the job's files and inputs in its folder, each under its final name only when whole."""

    def start(self, handle: Handle, job: Job) -> None:
        """Start the job detached from us, once: a second call for the same key starts nothing."""

    def find(self, key: str) -> Handle | None:
        """The job of that key, whoever put it there; None when the host has no trace of it."""

    def poll(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each, by key, in one round trip."""

    def read(self, handle: Handle, name: str, cursor: int, limit: int = 1 << 20) -> tuple[bytes, int]:
        """Up to *limit* bytes of a file of the job from byte *cursor*, and the next cursor. Missing file: empty."""

    def list(self, handle: Handle, names: Iterable[str]) -> tuple[RemoteFile, ...]:
        """The regular files under *names* in the job folder, without digests. Links are not followed."""

    def get(
        self, handle: Handle, names: Iterable[str], into: Path, report: Report = silent
    ) -> tuple[Placed, ...]:
        """Bring files home under *into*, digests taken on both sides; a partial file never has its final name."""

    def stop(self, handle: Handle, *, why: str = "cancelled", grace: float = 10.0) -> None:
        """End the job: ask, wait *grace* seconds, then kill. Ending an ended job is no error."""

    def remove(self, handle: Handle) -> None:
        """Remove the job's folder, never anything else. Removing a removed one is no error."""

    def sweep(self, known: Collection[str], *, age: float = 600.0) -> tuple[str, ...]:
        """Stop and remove jobs of ours whose key is not in *known*; give their keys.

        *known* was read a while ago. A job whose folder appeared less than *age* seconds ago, by the host's own clock,
        may have been put since, and is spared.
        """

    def close(self) -> None:
        """Let go of the line. Jobs go on."""


@attrs.frozen(kw_only=True)
class Ran:
    """How a short command on a host ended."""

    code: int
    out: bytes = b""
    err: bytes = b""


@runtime_checkable
class Shell(Session, Protocol):
    """A session that another transport, such as one of containers, can be laid over.

    The one above puts, reads, fetches and removes through this session, and carries the job by other means: it runs
    the launcher that :meth:`Session.put` placed in the job folder (:mod:`cosmos_core.launcher`).
    """

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Ran:
        """Run a short command on the host, without a shell, and wait for its end.

        Raises:
            HostError: the line is lost, or it takes longer than *timeout* seconds; it is killed then.
        """

    def left(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each by its launcher's files alone: ``ACTIVE`` when it was started and left no exit."""

    def ask_stop(self, handle: Handle, *, why: str, grace: float) -> None:
        """Leave word for the launcher to end the job, and do not wait."""


@runtime_checkable
class Tunnel(Session, Protocol):
    """A session that leads from this machine's loopback to its host's, for jobs that are servers."""

    def tunnel(self, port: int, *, at: int = 0) -> AbstractContextManager[int]:
        """As long as the context is open, give a port of 127.0.0.1 here whose connections end at *port* of 127.0.0.1 there.

        It is *at*, or any for 0; on the host itself it is *port*. Nobody else's network is listened on, on either side.
        A connection that nobody takes there is closed here.

        Raises:
            InputError: *at* is in use here.
        """


@attrs.frozen(kw_only=True)
class Freed:
    """What was, or would be, removed from a host's store of files."""

    files: int
    bytes: int


@runtime_checkable
class Spooling(Session, Protocol):
    """A session that can give a running job more to do."""

    def spool(self, handle: Handle, job: Job, report: Report = silent) -> None:
        """Add the inputs and then the files of *job* to the folder of the one in *handle*, in their order.

        Each appears only when whole; what is there already stays as it is, so doing it again changes nothing.

        Raises:
            InputError: naming the file or input whose name or content is wrong.
            HostError: the job is gone, the host refuses or the line is lost.
        """


@runtime_checkable
class Keeper(Session, Protocol):
    """A session that keeps inputs on its host, so that they travel once."""

    def free(self, *, dry: bool = False) -> Freed:
        """Remove the kept files that no job there needs; with *dry* only say what would go."""


@attrs.frozen(kw_only=True)
class Transport(Offer):
    """A way of reaching a host. ``options`` validates ``[hosts.<name>.options]``.

    Either ``connect`` or both of ``over`` and ``lay`` are given. Options of a transport and of the one below it stand
    in one table; each gets its own, and what neither knows is refused.
    """

    here: bool = False
    """The host is the very machine the worker runs on, so another machine's worker must not adopt its jobs."""
    schemes: tuple[str, ...] = ()
    """Of the URLs that ``cosmos hosts add`` takes for a host of this kind, such as ``ssh``."""
    connect: Callable[[Host, Path], Session] | None = None
    """``connect(host, state)``: *state* is a folder of ours on this machine for what the transport must remember.
    ``host.options`` is an instance of :attr:`options`."""
    over: Callable[[Host], str] | None = None
    """The name of the transport that this one is laid over for a host."""
    lay: Callable[[Shell, Host, Path], Session] | None = None
    """``lay(below, host, state)``: a session that uses the open one below, and closes it when it is closed."""
    check: Callable[[Session, Host], Iterable[Finding]] | None = None
    """What this transport finds of a host that was reached, for ``cosmos hosts check``."""
    trust: Callable[[Host, Path, str], Iterable[Finding]] | None = None
    """``trust(host, state, fingerprint)``: accept the host's key if it has that fingerprint. With an empty one
    nothing is accepted, and the findings show the fingerprint to compare. For ``cosmos hosts trust``."""

    def __attrs_post_init__(self) -> None:
        if (self.connect is None) == (self.over is None or self.lay is None):
            raise PluginError(f"transport {self.name} must have either connect, or over and lay")


class Output:
    """A file that claims to be a run's result, with facts about it that are computed once and shared by all checks.

    Lazy: a check that looks only at the first bytes decodes nothing.
    """

    def __init__(
        self,
        path: Path,
        *,
        expected: Expectation | None = None,
        remote_digest: str = "",
        clip: Clip | None = None,
        recipe: str = "",
        others: Iterable[Artifact] = (),
        recipes: Mapping[str, str] | None = None,
        guardrail: str = "none",
        sizes: Iterable[Size] = (),
        shows: Iterable[Variable] = (),
    ) -> None:
        self.path = path
        self.expected = expected
        self.remote_digest = remote_digest
        """SHA-256 taken where the file was made; empty when unknown."""
        self.clip = clip
        self.recipe = recipe
        """The spec's digest; empty when unknown. Equal recipes may give equal bytes."""
        self.others = tuple(others)
        """Sealed artifacts, or files of the same folder, that this one must not duplicate."""
        self.recipes = dict(recipes or {})
        """Spec digest by run id, for :attr:`others`."""
        self.guardrail = guardrail
        self.sizes = frozenset(sizes)
        """Those of larger pictures that come out of the one decode, for checks that look at them."""
        self.shows = tuple(shows)
        """What the video should show, as whoever asked for it said."""

    @property
    def name(self) -> str:
        """The file's name, for sentences."""
        return self.path.name

    @cached_property
    def sniff(self) -> Sniff:
        """Kind and size from the first bytes."""
        from cosmos_core.media import sniff

        return sniff(self.path)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file; the digest an LFS pointer names, if it is one."""
        from cosmos_core.media import file_digest

        return self.sniff.oid or file_digest(self.path)

    @cached_property
    def survey(self) -> Survey:
        """One full decode: counts, luma statistics, a small grey stack, perceptual hashes."""
        from cosmos_core.media import survey

        return survey(self.path, self.sizes if self._has_input else ())

    @property
    def _has_input(self) -> bool:
        return self.clip is not None and "color" in self.clip.modalities

    @cached_property
    def input_survey(self) -> Survey | None:
        """The same of the colour video it was made from, decoded once for all runs that share it; None without one."""
        if self.clip is None or not self._has_input:
            return None
        from cosmos_core.media import survey_kept

        path = self.clip.path("color")
        return survey_kept(path, path.stat().st_mtime_ns, self.sizes)

    def pictures(self, size: Size) -> tuple[Pixels, Pixels] | None:
        """Grey pictures of the output and of its input, (N, H, W) each, at *size*; None when it has no colour input.

        Of the first :data:`cosmos_core.media.PICTURES` frames at most. A check says its size in
        :attr:`Check.pictures`; for any other, both videos are decoded again.
        """
        if size not in self.sizes:
            self.sizes |= {size}
            for decoded in ("survey", "input_survey"):
                vars(self).pop(decoded, None)
        source = self.input_survey
        return None if source is None else (self.survey.pictures[size], source.pictures[size])


@attrs.frozen(kw_only=True)
class Check(Offer):
    """One question about an output.

    ``look(output, spec)`` yields findings; none means ok. *spec* is None when a bare file is verified. A required
    check that yields ``fail`` rejects the output; one that raises leaves it unverified.
    """

    look: Callable[[Output, Spec | None], Iterable[Finding]]
    level: str = "content"
    """``integrity``, ``request``, ``campaign``, ``content``, ``control`` or ``policy``."""
    required: bool = True
    version: int = 1
    pictures: tuple[int, int] | None = None
    """Width and height of the grey pictures it looks at through :meth:`Output.pictures`: said here, they come out of
    the decode that all checks share."""
    order: int = 50
    """Lower asks earlier. When an integrity check fails, the later levels are not asked."""
    remedy: Remedy | None = None
    """What kind of new attempt could mend its failure. None: what its level says, which is ``Remedy.SAME`` for
    ``integrity``, ``Remedy.SEED`` for ``content`` and ``control``, ``Remedy.HOLD`` for ``campaign``, else none."""


@attrs.frozen(kw_only=True)
class Followed:
    """What a step makes of an artifact: perhaps a spec that joins the queue, perhaps a judgement.

    The core keeps the judgement beside the run, one a step, and shows it; what the checks found stays as it is, and no
    judgement moves a run.
    """

    spec: Spec | None = None
    findings: tuple[Finding, ...] = ()
    score: float | None = None
    """How good the artifact is, 0 worst to 1 best, to rank by; None where the step does not say."""
    tags: tuple[str, ...] = ()
    """Tags for the run. Those that an earlier judgement of this step gave and this one does not are taken off."""


@attrs.frozen(kw_only=True)
class Step(Offer):
    """Something that follows a sealed artifact. ``follow(artifact, run, folder, options)``.

    *folder* is the artifact's own; a step may add files beside the artifact, never change it, and never runs a GPU:
    it gives back a spec, which joins the queue like any other.
    """

    follow: Callable[[Artifact, Run, Path, Any], Followed]


@attrs.frozen(kw_only=True)
class EnhancerJob:
    """How an enhancer works on a host: as a job on one of its slots, whose files say the better prompt.

    All callables are pure but ``outcome``, which reads the job's files.
    """

    needs: Callable[[Any], Needs]
    """``needs(options)``: what the slot must have."""
    compile: Callable[[Prompt, Clip | None, Any, Slot], Job]
    """``compile(prompt, clip, options, slot)``."""
    outcome: Callable[[Path, Prompt, Exit], Prompt]
    """``outcome(job folder, prompt, exit)``, once the outputs are home; raises ``ModelError`` where there is none."""
    check: Callable[[Shell, Host, Any], Iterable[Finding]] | None = None
    """As :attr:`Backend.check`."""


@attrs.frozen(kw_only=True)
class Enhancer(Offer):
    """Makes a better prompt of a prompt: in this process by ``enhance``, or on a host by ``job``; one of them is given."""

    enhance: Callable[[Prompt, Clip | None, Any], Prompt] | None = None
    """``enhance(prompt, clip, options)``."""
    job: EnhancerJob | None = None

    def __attrs_post_init__(self) -> None:
        if (self.enhance is None) == (self.job is None):
            raise PluginError(f"enhancer {self.name} must have either enhance, or job")


OUTPUT = "output"
"""The camera of a dataset that is the artifact itself; the others are passes of its clip, by modality."""


@attrs.frozen(kw_only=True)
class Camera:
    """One video of an exported item."""

    name: str
    """``output``, ``color``, ``depth``, …"""
    path: Path
    digest: str
    """SHA-256 that its bytes must have."""


@attrs.frozen(kw_only=True)
class Exported:
    """One artifact on its way into a dataset."""

    run: Run
    artifact: Artifact
    clip: Clip | None = None
    findings: tuple[Finding, ...] = ()
    judgements: tuple[Judgement, ...] = ()
    """What steps said about it, by the step's name."""
    reviews: tuple[Review, ...] = ()
    """What people said about it, the first one first."""

    def cameras(self, modalities: Iterable[str] = ()) -> Iterator[Camera]:
        """Its own video, then those passes of its clip that are wanted, in that order.

        Raises:
            VerifyError: its clip is not at hand, or has no such pass.
        """
        yield Camera(name=OUTPUT, path=self.artifact.path, digest=self.artifact.digest)
        for modality in modalities:
            if self.clip is None or modality not in self.clip.modalities:
                had = (
                    "its clip is not where it was"
                    if self.clip is None
                    else f"its clip has {', '.join(self.clip.modalities)}"
                )
                raise VerifyError(
                    f"run {self.run.id} ({self.run.name}) has no {modality} to export: {had}",
                    hint="leave that camera out, or the run",
                )
            yield Camera(name=modality, path=self.clip.path(modality), digest=self.clip.file(modality).sha256)


@attrs.frozen(kw_only=True)
class Exporter(Offer):
    """A dataset format. ``export(items, folder, options, report)`` fills an empty folder.

    The folder gets its final name only after the exporter returns.
    """

    export: Callable[[Iterator[Exported], Path, Any, Report], None]


@attrs.frozen(kw_only=True)
class Command(Named):
    """A command under ``cosmos``. ``load`` is ``"pkg.mod:attr"``, a click command imported only when called.

    It understands ``-C``, ``--json`` and ``-v`` as every command does, unless it has an option of that name itself, and
    gets an :class:`Asked` through ``click.pass_obj``.
    """

    load: str


class Asked(Protocol):
    """One invocation of a command, through which it answers: people and programs hear the same facts."""

    json: bool
    """Whether a program listens."""

    def open(self) -> Cosmos:
        """The workspace that was named, or the one around the current folder.

        Raises:
            InputError: when there is none.
        """

    def tell(self, text: str) -> None:
        """Say *text* to a person, unless a program listens."""

    def table(self, rows: Iterable[Sequence[str]], head: Sequence[str] = ()) -> None:
        """Say rows as aligned columns; levels and states among the words have their colours."""

    def note(self, text: str) -> None:
        """Say *text* beside the answer, on stderr, unless a program listens."""

    def answer(self, facts: object) -> None:
        """Give *facts*, what JSON knows or attrs objects of it, to the program that listens, if one does."""

    def line(self, facts: object) -> None:
        """As :meth:`answer`, for commands that go on: one JSON object a line, at once."""

    def fail(self, facts: Mapping[str, object], error: CosmosError) -> NoReturn:
        """Answer with *facts* and the error in one object, or say the error to a person; leave with its exit code."""

    def confirm(self, question: str, *, yes: bool, again: str) -> None:
        """Go on only with the person's word: *yes*, or an answer at a terminal.

        Raises:
            InputError: when neither is there; *again* is what to type.
        """

    def progress(self, label: str) -> AbstractContextManager[Report]:
        """As long as the context is open, show how far a thing is and the time that is left."""

    def finish(self, cosmos: Cosmos, runs: Sequence[Run]) -> tuple[Run, ...]:
        """Work on *runs* until each is final, with bars and the time that is left. Ctrl-C stops the waiting, not the work.

        Raises:
            HostError: no slot of this workspace can run one of them.
            InputError: the queue is paused.
        """

    def conclude(self, cosmos: Cosmos, runs: Sequence[Run], **more: object) -> None:
        """Say how each run ended, and leave with an error's exit code where one is not sealed.

        A program gets ``runs`` as from ``cosmos run``, and *more* beside them.
        """


@attrs.frozen(kw_only=True)
class Forecast:
    """What a planner may know beside the runs and the slots. Empty: nothing is known, and every slot is free.

    A key of :attr:`pace` and :attr:`load` is ``(backend, load key, slot's name)``.
    """

    busy: Mapping[str, float] = attrs.field(factory=dict)
    """Seconds until a slot is free, by its name; a slot that is not named is free now."""
    pace: Mapping[tuple[str, str, str], float] = attrs.field(factory=dict)
    """How long a run takes there against :attr:`Queued.seconds`: 2 for twice as long."""
    load: Mapping[tuple[str, str, str], float] = attrs.field(factory=dict)
    """Seconds from a job's start until its model is loaded."""
    measured: Collection[tuple[str, str, str]] = frozenset()
    """Whose pace was measured on that very slot, not taken from others of its kind or from a table."""
    order: str = "long"
    """``long``: the longest run first, so that all end soonest. ``short``: a short one on each slot before that."""


@attrs.frozen(kw_only=True)
class PlannedBatch:
    """Runs that one slot should take together, and why."""

    slot: Slot
    backend: str
    load_key: str
    runs: tuple[str, ...]
    seconds: float
    """Predicted, the model's load included."""
    reason: str = ""
    load_seconds: float = 0.0
    """How much of :attr:`seconds` is the load."""


@attrs.frozen(kw_only=True)
class Plan:
    """Batches in the order they should start, and the runs that fit no slot, with the reason."""

    batches: tuple[PlannedBatch, ...] = ()
    unplaced: tuple[tuple[str, str], ...] = ()
    """Pairs of run id and reason."""
