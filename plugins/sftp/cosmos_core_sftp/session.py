"""A session with a host behind an SSH server: what ``local`` does here, done there."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cosmos_core import jobs
from cosmos_core.errors import HostError
from cosmos_core.extend import Freed, Handle, JobStatus, Ran, RemoteFile, silent, spoken
from cosmos_core_sftp import known, reach, where
from cosmos_core_sftp.line import Line
from cosmos_core_sftp.options import SftpOptions
from cosmos_core_sftp.transfer import Download, Upload

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from cosmos_core.extend import Host, Job, Placed, Report

LONG = 0.010
"""Seconds there and back from which a line is long: then a second connection doubles what is on its way."""
PINGS = 4
"""How often a line is asked at most, until an answer says that it is short."""
ATTEMPTS = 3
"""How often an input that vanished from the host is sent again."""


class SftpSession:
    """A session with one host. A lost line is an error once; the next verb connects again."""

    def __init__(self, host: Host, state: Path, options: SftpOptions) -> None:
        self._host = host
        self._options = options
        self._own_keys = state / known.FILE
        with spoken(f"cannot use {state}"):
            self._owner = jobs.owner(state)
        self._lines: list[Line] = []
        """The first asks and transfers; the others only transfer."""
        self._lock = threading.RLock()
        self._round_trip: float | None = None
        self.root = ""
        """The root on the host, absolute."""
        self.place = ""
        """Where it was reached: ``user@host:port``."""
        self.sent = 0
        self.received = 0
        """Bytes of inputs and outputs that went over the line."""

    @classmethod
    def open(cls, host: Host, state: Path) -> SftpSession:
        """Connect to *host*; *state* is where its key may be kept.

        Raises:
            HostError: it cannot be reached, its key is not known, it does not let us in or has no Python.
            InputError: its address is none.
        """
        options = host.options if isinstance(host.options, SftpOptions) else SftpOptions()
        made = cls(host, state, options)
        with made.lines(1):
            return made

    def put(self, job: Job, key: str, report: Report = silent) -> Handle:
        """Place the job's folder there, whole or not at all. Inputs that the host has do not travel.

        The report counts the bytes of files and inputs, also of those that were there.

        Raises:
            InputError: naming the file or input whose name or content is wrong.
            HostError: the host refuses, a full disk for instance, or the line is lost; what was sent is kept.
        """
        upload = self._upload(job, report)
        for _ in range(ATTEMPTS):
            plan = self.ask("plan", key=key, blobs=upload.blobs)
            if plan["folder"]:
                return Handle(host=self._host.name, key=key, folder=plan["folder"])
            upload.send(plan["missing"])
            placed = self._hand_over("place", job, key=key, order=jobs.order(job))
            if not placed["missing"]:
                upload.done()
                return Handle(host=self._host.name, key=key, folder=placed["folder"])
        raise self._vanishing(key)

    def spool(self, handle: Handle, job: Job, report: Report = silent) -> None:
        """Add the inputs and then the files of *job* to the folder of one that was put; what is there stays.

        Raises:
            InputError: naming the file or input whose name or content is wrong.
            HostError: there is no such job, the host refuses, or the line is lost; what was sent is kept.
        """
        upload = self._upload(job, report)
        for _ in range(ATTEMPTS):
            upload.send(self.ask("plan", key=handle.key, blobs=upload.blobs)["missing"])
            if not self._hand_over("spool", job, key=handle.key)["missing"]:
                upload.done()
                return
        raise self._vanishing(handle.key)

    def _upload(self, job: Job, report: Report) -> Upload:
        with spoken():
            jobs.check_names(job)
        return Upload(self, self._host.name, job, report)

    def _hand_over(self, verb: str, job: Job, **words: Any) -> Any:
        """Send a job's files, with the names that its inputs, which are there, are to have."""
        content = b"".join(file.content for file in job.files)
        files = [[file.name, len(file.content)] for file in job.files]
        inputs = [[item.name, item.digest] for item in job.inputs]
        return self.ask(verb, [content], size=len(content), files=files, inputs=inputs, **words)

    def _vanishing(self, key: str) -> HostError:
        return HostError(f"inputs of job {key} vanish from {self._host.name} as soon as they are there")

    def start(self, handle: Handle, job: Job) -> None:  # noqa: ARG002  (the launcher reads job.json)
        """Start the launcher in the job's folder, detached from us. It starts the job once, whoever asks.

        Raises:
            HostError: when the job was never put, or with the launcher's words when it failed.
        """
        self.ask("start", key=handle.key)

    def find(self, key: str) -> Handle | None:
        """The job of that key, whoever put it there; None when there is no trace of it.

        Raises:
            HostError: when its folder holds something else.
        """
        folder = self.ask("find", key=key)
        return Handle(host=self._host.name, key=key, folder=folder) if folder else None

    def poll(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each, by key, in one round trip."""
        found = self.ask("poll", keys=[handle.key for handle in handles])
        return {key: JobStatus.of(facts) for key, facts in found.items()}

    def left(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each by its launcher's files alone: ``ACTIVE`` when it was started and left no exit."""
        found = self.ask("left", keys=[handle.key for handle in handles])
        return {key: JobStatus.of(facts) for key, facts in found.items()}

    def read(self, handle: Handle, name: str, cursor: int, limit: int = 1 << 20) -> tuple[bytes, int]:
        """Up to *limit* bytes of a file of the job from byte *cursor*, and the next cursor. Missing file: empty."""
        with self.lines(1) as (line,):
            found = line.ask("read", key=handle.key, name=name, cursor=cursor, limit=limit).payload
        return found, cursor + len(found)

    def list(self, handle: Handle, names: Iterable[str]) -> tuple[RemoteFile, ...]:
        """The regular files at or below *names*, once each, sorted within a name. Links are not followed."""
        found = self.ask("list", key=handle.key, names=[*names])
        return tuple(RemoteFile(name=name, bytes=size) for name, size in found)

    def get(
        self, handle: Handle, names: Iterable[str], into: Path, report: Report = silent
    ) -> tuple[Placed, ...]:
        """Bring the regular files at or below *names* to *into*; the report counts bytes.

        Raises:
            HostError: a file changed while it was fetched, the system refuses or the line is lost. Whole files stay,
                and a large one goes on where it was the next time.
        """
        return Download(self, handle, into, report).fetch(self.list(handle, names))

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Ran:
        """Run a short command there, without a shell.

        Raises:
            HostError: it takes longer than *timeout* seconds, the system refuses or the line is lost. A program that
                is not there exits with 127, as in a shell.
        """
        with self.lines(1) as (line,):
            answer = line.ask(
                "run", [stdin], size=len(stdin), argv=[*argv], timeout=timeout, host=self._host.name
            )
        code, out, _ = answer.ok
        return Ran(
            code=int(answer.payload[:code]),
            out=answer.payload[code : code + out],
            err=answer.payload[code + out :],
        )

    def stop(self, handle: Handle, *, why: str = "cancelled", grace: float = 10.0) -> None:
        """Ask the job to end, wait until it has, and kill it after *grace* seconds.

        A job that was put and not started will not run any more. Ending an ended one is no error.

        Raises:
            HostError: when it cannot be killed.
        """
        self.ask("stop", key=handle.key, why=why, grace=grace)

    def ask_stop(self, handle: Handle, *, why: str, grace: float) -> None:
        """Leave word for the launcher to end the job, and do not wait.

        Raises:
            HostError: when it cannot be written, on a full disk for instance.
        """
        self.ask("ask_stop", key=handle.key, why=why, grace=grace)

    def remove(self, handle: Handle) -> None:
        """Remove the job's folder, ending the job first if it runs. Removing a removed one is no error."""
        self.ask("remove", key=handle.key)

    def sweep(self, known: Collection[str], *, age: float = 600.0) -> tuple[str, ...]:
        """Stop and remove jobs that this workspace put here, *age* seconds ago, and whose key is not *known*."""
        return tuple(self.ask("sweep", known=[*known], age=age))

    def free(self, *, dry: bool = False) -> Freed:
        """Remove the inputs that no job there needs; with *dry* only say what would go.

        Raises:
            HostError: the root does not bear our mark.
        """
        files, size = self.ask("free", dry=dry)
        return Freed(files=files, bytes=size)

    def tunnel(self, port: int, *, at: int = 0) -> AbstractContextManager[int]:
        """Lead from a port of this machine's loopback to *port* of the host's, over a connection of its own.

        Raises:
            HostError: the host cannot be reached.
            InputError: *at* is in use here.
        """
        from cosmos_core_sftp.tunnel import tunnel

        def connect() -> reach.Connection:
            place = where.find(self._host, self._options)
            return reach.connect(self._host.name, place, self._options, self._own_keys)

        return tunnel(connect, port, at)

    def close(self) -> None:
        """Let go of the lines. Jobs go on."""
        with self._lock:
            while self._lines:
                self._lines.pop().close()

    def ask(self, do: str, payload: Iterable[Any] = (), *, size: int = 0, **words: Any) -> Any:
        """One request over the first line."""
        with self.lines(1) as (line,):
            return line.ask(do, payload, size=size, **words).ok

    @contextmanager
    def lines(self, count: int) -> Iterator[Sequence[Line]]:
        """*count* open lines for the time of the body; those that it loses are closed.

        Raises:
            HostError: the host cannot be reached.
        """
        with self._lock:
            try:
                self._drop_lost()
                while len(self._lines) < count:
                    self._lines.append(self._connect())
                yield self._lines[:count]
            finally:
                self._drop_lost()

    def connections(self) -> int:
        """How many lines a large transfer should use."""
        return self._options.connections or (2 if self.round_trip() > LONG else 1)

    def round_trip(self) -> float:
        """Seconds from a word to its answer, the best of a few: a busy machine may be slow to answer, and is not far away."""
        if self._round_trip is None:
            found = [self._ping()]
            while found[-1] > LONG and len(found) < PINGS:
                found.append(self._ping())
            self._round_trip = min(found)
        return self._round_trip

    def _ping(self) -> float:
        began = time.monotonic()
        self.ask("ping")
        return time.monotonic() - began

    def _connect(self) -> Line:
        place = where.find(self._host, self._options)
        self.place = str(place)
        line = Line.open(self._host.name, place, self._options, self._own_keys)
        try:
            self.root = line.ask("open", root=self._host.root, host=self._host.name, owner=self._owner).ok
        except BaseException:
            line.close()
            raise
        return line

    def _drop_lost(self) -> None:
        for line in [line for line in self._lines if not line.is_open]:
            self._lines.remove(line)
            line.close()
