"""Jobs on this machine: a folder each, and a launcher in it that needs none of us.

Layout under the host's root::

    jobs/<key with - for />/    a job's folder, there only when whole
    tmp/                        folders on their way in or out
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cosmos_core import launcher
from cosmos_core.builtin.local import files
from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Exit, Handle, JobState, JobStatus, Placed, Ran, RemoteFile, silent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from cosmos_core.extend import Host, Input, Job, Report

PATIENCE = 5.0
"""Seconds beyond the grace that a launcher has to end its job before it is killed itself."""
BIRTH = 10.0
"""Seconds that a launcher has between taking its lock and writing its name into it."""
STALE = 86400.0
"""Seconds after which a folder in ``tmp/`` belongs to nobody any more."""
SWEEP_GRACE = 5.0

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


class LocalSession:
    """A session on this machine. Holds nothing open: all it knows lies in the job folders."""

    def __init__(self, *, host: str, root: Path, owner: str) -> None:
        self._host = host
        self._jobs = root / "jobs"
        self._tmp = root / "tmp"
        self._owner = owner
        """Whose jobs ours are, where several workspaces share a root."""

    @classmethod
    def open(cls, host: Host, state: Path) -> LocalSession:
        """The session for *host*, under its root or else ``state/local``.

        Raises:
            HostError: when the root cannot be made.
        """
        root = Path(host.root).expanduser() if host.root else state
        owner = hashlib.sha256(str(state.resolve()).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        made = cls(host=host.name, root=root.resolve(), owner=owner)
        with files.refused(f"cannot use {root} on {host.name}"):
            made._jobs.mkdir(parents=True, exist_ok=True)
            made._tmp.mkdir(parents=True, exist_ok=True)
        return made

    def put(self, job: Job, key: str, report: Report = silent) -> Handle:
        """Place the job's folder, whole or not at all. A job that is there already is left as it is.

        Raises:
            InputError: naming the file or input whose name or content is wrong.
            HostError: when the system refuses, a full disk for instance.
        """
        folder = self._folder(key)
        _check_names(job)
        if found := self.find(key):
            return found
        part = self._tmp / secrets.token_hex(8)
        try:
            with files.refused(f"cannot place job {key} on {self._host}"):
                _fill(part, job, report)
                files.write(part / launcher.PROGRAM, launcher.source())
                files.write(part / launcher.JOB, self._order(job, key), mode=0o600)
                self._appear(part, folder, key)
        finally:
            files.discard(part)
        return self._handle(key)

    def start(self, handle: Handle, job: Job) -> None:  # noqa: ARG002  (the launcher reads job.json)
        """Start the launcher in the job's folder, detached from us. It starts the job once, whoever asks.

        Raises:
            HostError: when the job was never put, or with the launcher's words when it failed.
        """
        folder = self._folder(handle.key)
        if self.find(handle.key) is None:
            raise HostError(f"there is no job {handle.key} on {self._host} to start")
        if (folder / launcher.STARTED).exists() or (folder / launcher.EXIT).exists():
            return
        with files.refused(f"cannot start job {handle.key} on {self._host}"):
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(folder / launcher.PROGRAM), "--detach", str(folder)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                start_new_session=True,
                check=False,
            )
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
            raise HostError(f"job {handle.key} did not start on {self._host}: {words}")

    def find(self, key: str) -> Handle | None:
        """The job of that key, whoever put it there; None when there is no trace of it.

        Raises:
            HostError: when its folder holds something else.
        """
        folder = self._folder(key)
        if not os.path.lexists(folder):
            return None
        if (order := _read_json(folder / launcher.JOB)) is None or order.get("key") != key:
            # Gone between the two looks is gone.
            if not os.path.lexists(folder):
                return None
            raise HostError(f"{folder} is in the way of job {key}", hint="move it away")
        return self._handle(key)

    def poll(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each, by key, from the launcher's files first and from its process second."""
        return {handle.key: _status(self._folder(handle.key)) for handle in handles}

    def read(self, handle: Handle, name: str, cursor: int, limit: int = 1 << 20) -> tuple[bytes, int]:
        """Up to *limit* bytes of a file of the job from byte *cursor*, and the next cursor. Missing file: empty."""
        with files.refused(f"cannot read {name!r} of job {handle.key}"):
            file = files.open_inside(self._folder(handle.key), name)
            if file is None:
                return b"", cursor
            with file:
                file.seek(cursor)
                found = file.read(limit)
        return found, cursor + len(found)

    def list(self, handle: Handle, names: Iterable[str]) -> tuple[RemoteFile, ...]:
        """The regular files at or below *names*, once each, sorted within a name. Links are not followed."""
        folder = self._folder(handle.key)
        with files.refused(f"cannot list the files of job {handle.key}"):
            found = dict(pair for name in names for pair in files.regular_files(folder, name))
        return tuple(RemoteFile(name=name, bytes=size) for name, size in found.items())

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
        try:
            done = subprocess.run(list(argv), input=stdin, capture_output=True, timeout=timeout, check=False)
        except FileNotFoundError as error:
            return Ran(code=127, err=f"{argv[0]}: {error.strerror}".encode())
        except subprocess.TimeoutExpired as error:
            raise HostError(f"{argv[0]} did not end on {self._host} within {timeout:g} s") from error
        except (OSError, ValueError) as error:
            raise HostError(f"{argv[0]} cannot be run on {self._host}: {error}") from error
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)

    def left(self, handles: Sequence[Handle]) -> Mapping[str, JobStatus]:
        """The state of each by its launcher's files alone: ``ACTIVE`` when it was started and left no exit."""
        return {handle.key: _left(self._folder(handle.key)) for handle in handles}

    def stop(self, handle: Handle, *, why: str = "cancelled", grace: float = 10.0) -> None:
        """Ask the job to end, wait until it has, and kill it after *grace* seconds.

        A job that was put and not started will not run any more. Ending an ended one is no error.

        Raises:
            HostError: when it cannot be killed.
        """
        folder = self._folder(handle.key)
        if _status(folder).state not in {JobState.PUT, JobState.ACTIVE}:
            return
        try:
            self.ask_stop(handle, why=why, grace=grace)
        except HostError:
            # The disk is full, perhaps of this very job: a signal asks for the same in fewer words.
            _signal_launcher(folder, signal.SIGTERM)
        if _ended(folder, within=grace + PATIENCE):
            return
        # Its guard ends the job's processes.
        _signal_launcher(folder, getattr(signal, "SIGKILL", signal.SIGTERM))
        if not _ended(folder, within=PATIENCE):
            raise HostError(f"job {handle.key} on {self._host} cannot be killed")

    def ask_stop(self, handle: Handle, *, why: str, grace: float) -> None:
        """Leave word for the launcher to end the job, and do not wait.

        Raises:
            HostError: when it cannot be written, on a full disk for instance.
        """
        with files.refused(f"cannot ask job {handle.key} to stop"):
            files.replace(self._folder(handle.key) / launcher.STOP, f"{why}\n{grace}\n".encode())

    def remove(self, handle: Handle) -> None:
        """Remove the job's folder, ending the job first if it runs. Removing a removed one is no error."""
        folder = self._folder(handle.key)
        if self.find(handle.key) is None:
            return
        if _status(folder).state is JobState.ACTIVE:
            self.stop(handle, grace=SWEEP_GRACE)
        away = self._tmp / secrets.token_hex(8)
        with files.refused(f"cannot remove job {handle.key}"):
            try:
                folder.rename(away)
            except FileNotFoundError:
                return
            files.discard(away)

    def sweep(self, known: Collection[str]) -> tuple[str, ...]:
        """Stop and remove jobs that this workspace put and whose key is not in *known*; give their keys."""
        gone = tuple(key for key in self._ours() if key not in known)
        for key in gone:
            self.remove(self._handle(key))
        with files.refused(f"cannot clean {self._tmp}"):
            for left in self._tmp.iterdir():
                if time.time() - left.lstat().st_mtime > STALE:
                    files.discard(left)
        return gone

    def close(self) -> None:
        """Let go of nothing: jobs go on."""

    def _folder(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise InputError(f"{key!r} is not a job's key: batch/attempt/fence")
        return self._jobs / key.replace("/", "-")

    def _handle(self, key: str) -> Handle:
        return Handle(host=self._host, key=key, folder=str(self._folder(key)))

    def _order(self, job: Job, key: str) -> bytes:
        order = {
            "key": key,
            "owner": self._owner,
            "argv": job.argv,
            "env": _gpus(job) | dict(job.env),
            "timeout": job.timeout,
            "quiet": job.quiet,
            "log": job.log,
            "watch": job.outputs,
        }
        # ASCII, since a name on disk need not be valid Unicode.
        return json.dumps(order, indent=2).encode("ascii")

    def _appear(self, part: Path, folder: Path, key: str) -> None:
        try:
            part.rename(folder)
        except OSError:
            # Somebody else put the same job meanwhile, and theirs is as good.
            if self.find(key) is None:
                raise

    def _bring(self, handle: Handle, name: str, into: Path) -> Placed:
        with files.refused(f"cannot fetch {name!r} of job {handle.key}"):
            source = files.open_inside(self._folder(handle.key), name)
            if source is None:
                raise HostError(f"{name!r} of job {handle.key} vanished while it was fetched")
            target = into.joinpath(*files.parts(name))
            with source:
                theirs, ours = files.bring(source, target, name)
        return Placed(path=target, name=name, digest=ours, remote_digest=theirs)

    def _ours(self) -> Iterator[str]:
        for folder in sorted(self._jobs.iterdir()):
            order = _read_json(folder / launcher.JOB) or {}
            key = order.get("key")
            if order.get("owner") == self._owner and isinstance(key, str) and self._folder(key) == folder:
                yield key


def _gpus(job: Job) -> dict[str, str]:
    """What keeps a native process on its slot's GPUs."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(map(str, job.gpus))} if job.gpus else {}


def _check_names(job: Job) -> None:
    names = [file.name for file in job.files] + [item.name for item in job.inputs]
    for name in (*names, *job.outputs, job.log):
        files.parts(name)
    for name in names:
        if name.split("/")[0].removesuffix(".part") in launcher.OURS:
            raise InputError(f"{name!r} is a name the launcher keeps for itself")
        if names.count(name) > 1:
            raise InputError(f"the job has two files named {name!r}")


def _fill(part: Path, job: Job, report: Report) -> None:
    total = sum(len(file.content) for file in job.files) + sum(item.bytes for item in job.inputs)
    done = 0
    part.mkdir()
    for file in job.files:
        files.write(part.joinpath(*files.parts(file.name)), file.content)
        done += len(file.content)
        report(done, total, file.name)
    for item in job.inputs:
        _place_input(part, item)
        done += item.bytes
        report(done, total, item.name)


def _place_input(part: Path, item: Input) -> None:
    if not item.path.is_file():
        raise InputError(f"input {item.name!r}: there is no file {item.path}")
    found = files.clone(item.path, part.joinpath(*files.parts(item.name)))
    if found != item.digest:
        raise InputError(
            f"input {item.name!r}: {item.path} has SHA-256 {found}, not {item.digest}",
            hint="the file changed after it was sealed; seal the clip again",
        )


def _left(folder: Path) -> JobStatus:
    if (status := _exited(folder)) is not None:
        return status
    if not (folder / launcher.LOCK).exists():
        return JobStatus(state=JobState.PUT if (folder / launcher.JOB).exists() else JobState.ABSENT)
    return JobStatus(state=JobState.ACTIVE)


def _status(folder: Path) -> JobStatus:
    status = _left(folder)
    if status.state is not JobState.ACTIVE or _carried(folder):
        return status
    # It may have ended between the two looks.
    return _exited(folder) or JobStatus(state=JobState.LOST, reason="its launcher is gone and left no exit")


def _exited(folder: Path) -> JobStatus | None:
    if not (folder / launcher.EXIT).exists():
        return None
    facts = _read_json(folder / launcher.EXIT) or {}
    try:
        ended = Exit(code=int(facts["code"]), stopped=str(facts["stopped"]), oom=bool(facts["oom"]))
    except (KeyError, TypeError, ValueError):
        return JobStatus(state=JobState.LOST, reason=f"its {launcher.EXIT} is not understood")
    return JobStatus(state=JobState.EXITED, exit=ended)


def _carried(folder: Path) -> bool:
    """Whether the launcher of a job lives."""
    who = _read_json(folder / launcher.STARTED) or _read_json(folder / launcher.LOCK)
    if who is not None:
        return {"pid", "birth", "boot"} <= who.keys() and launcher.alive(who)
    try:
        return time.time() - (folder / launcher.LOCK).stat().st_mtime < BIRTH
    except FileNotFoundError:
        return False


def _ended(folder: Path, *, within: float) -> bool:
    end = time.monotonic() + within
    pause = 0.01
    while _status(folder).state is JobState.ACTIVE:
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return True


def _signal_launcher(folder: Path, number: int) -> None:
    who = _read_json(folder / launcher.STARTED)
    if who is not None and launcher.alive(who):
        os.kill(int(who["pid"]), number)


def _read_json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None
