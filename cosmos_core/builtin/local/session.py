"""Jobs on this machine: a folder each, and a launcher in it that needs none of us.

What happens in the folders is :mod:`cosmos_core.jobs`; the root is the host's own or else in the workspace's state.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cosmos_core import jobs, launcher
from cosmos_core.builtin.local import files
from cosmos_core.errors import InputError
from cosmos_core.extend import Handle, JobStatus, Placed, Ran, RemoteFile, silent, spoken

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from cosmos_core.extend import Host, Input, Job, Report


class LocalSession:
    """A session on this machine. Holds nothing open."""

    def __init__(self, *, host: str, folders: jobs.Folders) -> None:
        self._host = host
        self._folders = folders

    @classmethod
    def open(cls, host: Host, state: Path) -> LocalSession:
        """The session for *host*, under its root or else ``state/local``.

        Raises:
            HostError: when the root cannot be made.
        """
        root = Path(host.root).expanduser() if host.root else state
        with spoken(f"cannot use {state}"):
            folders = jobs.Folders(root.resolve(), host=host.name, owner=jobs.owner(state))
            folders.make()
        return cls(host=host.name, folders=folders)

    def put(self, job: Job, key: str, report: Report = silent) -> Handle:
        """Place the job's folder, whole or not at all. A job that is there already is left as it is.

        Raises:
            InputError: naming the file or input whose name or content is wrong.
            HostError: when the system refuses, a full disk for instance.
        """
        with spoken():
            jobs.check_names(job)
            self._folders.place(
                key, jobs.order(job), launcher.source(), lambda part: _fill(part, job, report)
            )
        return self._handle(key)

    def spool(self, handle: Handle, job: Job, report: Report = silent) -> None:
        """Add the inputs and then the files of *job* to the folder of one that was put; what is there stays.

        Raises:
            InputError: naming the file or input whose name or content is wrong.
            HostError: there is no such job, or the system refuses.
        """
        names = [item.name for item in job.inputs] + [file.name for file in job.files]
        with spoken():
            jobs.check_names(job)
            self._folders.add(handle.key, names, lambda part: _fill(part, job, report))

    def start(self, handle: Handle, job: Job) -> None:  # noqa: ARG002  (the launcher reads job.json)
        """Start the launcher in the job's folder, detached from us. It starts the job once, whoever asks.

        Raises:
            HostError: when the job was never put, or with the launcher's words when it failed.
        """
        with spoken():
            self._folders.start(handle.key)

    def find(self, key: str) -> Handle | None:
        """The job of that key, whoever put it there; None when there is no trace of it.

        Raises:
            HostError: when its folder holds something else.
        """
        with spoken():
            return self._handle(key) if self._folders.find(key) else None

    def poll(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each, by key, from the launcher's files first and from its process second."""
        with spoken():
            return {handle.key: JobStatus.of(self._folders.status(handle.key)) for handle in handles}

    def read(self, handle: Handle, name: str, cursor: int, limit: int = 1 << 20) -> tuple[bytes, int]:
        """Up to *limit* bytes of a file of the job from byte *cursor*, and the next cursor. Missing file: empty."""
        with spoken():
            found = self._folders.read(handle.key, name, cursor, limit)
        return found, cursor + len(found)

    def list(self, handle: Handle, names: Iterable[str]) -> tuple[RemoteFile, ...]:
        """The regular files at or below *names*, once each, sorted within a name. Links are not followed."""
        with spoken():
            found = self._folders.list(handle.key, names)
        return tuple(RemoteFile(name=name, bytes=size) for name, size in found)

    def get(
        self, handle: Handle, names: Iterable[str], into: Path, report: Report = silent
    ) -> tuple[Placed, ...]:
        """Copy the regular files at or below *names* to *into*; the report counts bytes.

        Raises:
            HostError: when a file changed while it was copied, or the system refuses. What came before stays.
        """
        found = self.list(handle, names)
        total, done = sum(file.bytes for file in found), 0
        placed = []
        for file in found:
            placed.append(self._bring(handle, file.name, into))
            done += file.bytes
            report(done, total, file.name)
        return tuple(placed)

    def run(self, argv: Sequence[str], *, stdin: bytes = b"", timeout: float = 60.0) -> Ran:
        """Run a short command here, without a shell.

        Raises:
            HostError: it takes longer than *timeout* seconds, or the system refuses. A program that is not there
                exits with 127, as in a shell.
        """
        with spoken():
            code, out, err = jobs.run(argv, stdin=stdin, timeout=timeout, host=self._host)
        return Ran(code=code, out=out, err=err)

    def left(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each by its launcher's files alone: ``ACTIVE`` when it was started and left no exit."""
        with spoken():
            return {handle.key: JobStatus.of(self._folders.left(handle.key)) for handle in handles}

    def stop(self, handle: Handle, *, why: str = "cancelled", grace: float = 10.0) -> None:
        """Ask the job to end, wait until it has, and kill it after *grace* seconds.

        A job that was put and not started will not run any more. Ending an ended one is no error.

        Raises:
            HostError: when it cannot be killed.
        """
        with spoken():
            self._folders.stop(handle.key, why=why, grace=grace)

    def ask_stop(self, handle: Handle, *, why: str, grace: float) -> None:
        """Leave word for the launcher to end the job, and do not wait.

        Raises:
            HostError: when it cannot be written, on a full disk for instance.
        """
        with spoken():
            self._folders.ask_stop(handle.key, why=why, grace=grace)

    def remove(self, handle: Handle) -> None:
        """Remove the job's folder, ending the job first if it runs. Removing a removed one is no error."""
        with spoken():
            self._folders.remove(handle.key)

    def sweep(self, known: Collection[str], *, age: float = 600.0) -> tuple[str, ...]:
        """Stop and remove jobs that this workspace put, *age* seconds ago or longer, and whose key is not in *known*."""
        with spoken():
            return self._folders.sweep(known, age=age)

    @contextmanager
    def tunnel(self, port: int, *, at: int = 0) -> Iterator[int]:  # noqa: ARG002  (there is no other end)
        """The port itself: this machine's loopback is the host's."""
        yield port

    def close(self) -> None:
        """Let go of nothing: jobs go on."""

    def _handle(self, key: str) -> Handle:
        return Handle(host=self._host, key=key, folder=str(self._folders.folder(key)))

    def _bring(self, handle: Handle, name: str, into: Path) -> Placed:
        target = into.joinpath(*jobs.parts(name))
        doing = f"cannot fetch {name!r} of job {handle.key}"
        with spoken(doing), self._folders.open(handle.key, name) as source:
            theirs, ours = files.bring(source, target, name)
        return Placed(path=target, name=name, digest=ours, remote_digest=theirs)


def _fill(part: Path, job: Job, report: Report) -> None:
    total = sum(len(file.content) for file in job.files) + sum(item.bytes for item in job.inputs)
    done = 0
    for file in job.files:
        jobs.write(part.joinpath(*jobs.parts(file.name)), file.content)
        done += len(file.content)
        report(done, total, file.name)
    for item in job.inputs:
        _place_input(part, item)
        done += item.bytes
        report(done, total, item.name)


def _place_input(part: Path, item: Input) -> None:
    if not item.path.is_file():
        raise InputError(f"input {item.name!r}: there is no file {item.path}")
    found = jobs.clone(item.path, part.joinpath(*jobs.parts(item.name)))
    if found != item.digest:
        raise InputError(
            f"input {item.name!r}: {item.path} has SHA-256 {found}, not {item.digest}",
            hint="the file changed after it was sealed; seal the clip again",
        )
