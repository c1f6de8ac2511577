"""Folders of jobs under a root: placed whole, started once, read without leaving them, removed and nothing else.

    jobs/<key with - for />/    a job's folder, there only when whole
    tmp/                        folders on their way in or out

What a session does on the machine that the jobs run on, in one place: ``local`` calls it, and a transport that reaches
another machine sends it there as it stands. So it needs the standard library and :mod:`cosmos_core.launcher` only, and
any Python from 3.8 on; it takes and gives plain values, and says in two exceptions what went wrong.

A job may do what it likes in its folder, also while we look. Names are walked one step at a time and no link is ever
followed; inputs are copied, never hard-linked, since a job that owns a file can change it whatever its mode.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cosmos_core import launcher

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
    from io import BufferedRandom

CHUNK = 1 << 20
PATIENCE = 5.0
"""Seconds beyond the grace that a launcher has to end its job before it is killed itself."""
BIRTH = 10.0
"""Seconds that a launcher has between taking its lock and writing its name into it."""
STALE = 86400.0
"""Seconds after which a folder in ``tmp/`` belongs to nobody any more."""
SWEEP_GRACE = 5.0

_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*")


class WrongError(ValueError):
    """What was asked for cannot be: a key that is none, a name that leads outside."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class DeniedError(Exception):
    """The system refuses, or the job is not in a state for it. Its cause is the system's own error, if it has one."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Folders:
    """The job folders under one root. Holds nothing open: all it knows lies in them."""

    def __init__(self, root: Path, *, host: str, owner: str) -> None:
        self.root = root
        self.jobs = root / "jobs"
        self.tmp = root / "tmp"
        self._host = host
        """Its name, for sentences."""
        self._owner = owner
        """Whose jobs ours are, where several workspaces share a root."""

    def make(self) -> None:
        """Make the root and what lies in it.

        Raises:
            DeniedError: when it cannot be made.
        """
        with denied(f"cannot use {self.root} on {self._host}"):
            self.jobs.mkdir(parents=True, exist_ok=True)
            self.tmp.mkdir(parents=True, exist_ok=True)

    def folder(self, key: str) -> Path:
        """Where the job of that key lies, or would.

        Raises:
            WrongError: when it is no key.
        """
        if not _KEY.fullmatch(key):
            raise WrongError(f"{key!r} is not a job's key: batch/attempt/fence")
        return self.jobs / key.replace("/", "-")

    def find(self, key: str) -> bool:
        """Whether the job of that key is there, whoever put it.

        Raises:
            DeniedError: when its folder holds something else.
        """
        folder = self.folder(key)
        if not os.path.lexists(str(folder)):
            return False
        order = read_json(folder / launcher.JOB)
        if order is not None and order.get("key") == key:
            return True
        # Gone between the two looks is gone.
        if not os.path.lexists(str(folder)):
            return False
        raise DeniedError(f"{folder} is in the way of job {key}", "move it away")

    def place(self, key: str, order: Mapping[str, Any], program: bytes, fill: Callable[[Path], None]) -> None:
        """Place a job's folder, whole or not at all: *fill* puts files into it. One that is there is left as it is.

        Raises:
            DeniedError: when the system refuses, a full disk for instance.
        """
        folder = self.folder(key)
        if self.find(key):
            return
        part = self.tmp / secrets.token_hex(8)
        # ASCII, since a name on disk need not be valid Unicode.
        content = json.dumps(dict(order, key=key, owner=self._owner), indent=2).encode("ascii")
        try:
            with denied(f"cannot place job {key} on {self._host}"):
                part.mkdir()
                fill(part)
                write(part / launcher.PROGRAM, program)
                write(part / launcher.JOB, content, mode=0o600)
                self._appear(part, folder, key)
        finally:
            discard(part)

    def add(self, key: str, names: Sequence[str], fill: Callable[[Path], None]) -> None:
        """Give a job that was put further files, each whole and in the order of *names*; what is there is left as it is.

        *fill* puts them into an empty folder, from which they move.

        Raises:
            DeniedError: when there is no such job, a link lies on the way, or the system refuses.
        """
        if not self.find(key):
            raise DeniedError(f"there is no job {key} on {self._host} to add to")
        part = self.tmp / secrets.token_hex(8)
        try:
            with denied(f"cannot add to job {key} on {self._host}"):
                part.mkdir()
                fill(part)
                for name in names:
                    move_inside(part.joinpath(*parts(name)), self.folder(key), name)
        finally:
            discard(part)

    def start(self, key: str) -> None:
        """Start the launcher in a job's folder, detached from us. It starts the job once, whoever asks.

        Raises:
            DeniedError: when the job was never put, or with the launcher's words when it failed.
        """
        folder = self.folder(key)
        if not self.find(key):
            raise DeniedError(f"there is no job {key} on {self._host} to start")
        if (folder / launcher.STARTED).exists() or (folder / launcher.EXIT).exists():
            return
        with denied(f"cannot start job {key} on {self._host}"):
            done = subprocess.run(
                [sys.executable, "-I", "-S", str(folder / launcher.PROGRAM), "--detach", str(folder)],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                start_new_session=True,
                check=False,
            )
        if done.returncode:
            words = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
            raise DeniedError(f"job {key} did not start on {self._host}: {words}")

    def status(self, key: str) -> dict[str, Any]:
        """``{"state", "exit", "reason"}``, from the launcher's files first and from its process second."""
        return _status(self.folder(key))

    def left(self, key: str) -> dict[str, Any]:
        """The same by the launcher's files alone: ``active`` when it was started and left no exit."""
        return _left(self.folder(key))

    def read(self, key: str, name: str, cursor: int, limit: int) -> bytes:
        """Up to *limit* bytes of a file of a job from byte *cursor*. Missing file: empty."""
        with denied(f"cannot read {name!r} of job {key}"):
            file = open_inside(self.folder(key), name)
            if file is None:
                return b""
            with file:
                file.seek(cursor)
                return file.read(limit)

    def list(self, key: str, names: Iterable[str]) -> list[tuple[str, int]]:
        """Name and size of the regular files at or below *names*, once each, sorted within a name."""
        folder = self.folder(key)
        with denied(f"cannot list the files of job {key}"):
            return list(dict(pair for name in names for pair in regular_files(folder, name)).items())

    def open(self, key: str, name: str) -> BinaryIO:
        """A file of a job, to be fetched.

        Raises:
            DeniedError: when it is not there, or a link lies on the way.
        """
        with denied(f"cannot fetch {name!r} of job {key}"):
            file = open_inside(self.folder(key), name)
        if file is None:
            raise DeniedError(f"{name!r} of job {key} vanished while it was fetched")
        return file

    def stop(self, key: str, *, why: str, grace: float) -> None:
        """Ask a job to end, wait until it has, and kill it after *grace* seconds.

        A job that was put and not started will not run any more. Ending an ended one is no error.

        Raises:
            DeniedError: when it cannot be killed.
        """
        folder = self.folder(key)
        if _status(folder)["state"] not in {"put", "active"}:
            return
        try:
            self.ask_stop(key, why=why, grace=grace)
        except DeniedError:
            # The disk is full, perhaps of this very job: a signal asks for the same in fewer words.
            _signal_launcher(folder, signal.SIGTERM)
        if _ended(folder, within=grace + PATIENCE):
            return
        # Its guard ends the job's processes.
        _signal_launcher(folder, getattr(signal, "SIGKILL", signal.SIGTERM))
        if not _ended(folder, within=PATIENCE):
            raise DeniedError(f"job {key} on {self._host} cannot be killed")

    def ask_stop(self, key: str, *, why: str, grace: float) -> None:
        """Leave word for the launcher to end a job, and do not wait.

        Raises:
            DeniedError: when it cannot be written, on a full disk for instance.
        """
        with denied(f"cannot ask job {key} to stop"):
            replace(self.folder(key) / launcher.STOP, f"{why}\n{grace}\n".encode())

    def remove(self, key: str) -> None:
        """Remove a job's folder, ending the job first if it runs. Removing a removed one is no error."""
        folder = self.folder(key)
        if not self.find(key):
            return
        if _status(folder)["state"] == "active":
            self.stop(key, why="cancelled", grace=SWEEP_GRACE)
        away = self.tmp / secrets.token_hex(8)
        with denied(f"cannot remove job {key}"):
            try:
                folder.rename(away)
            except FileNotFoundError:
                return
            discard(away)

    def sweep(self, known: Collection[str], *, age: float = 600.0) -> tuple[str, ...]:
        """Stop and remove our owner's jobs that were put *age* seconds ago and are not *known*; give their keys."""
        before = time.time() - age
        gone = tuple(key for key, put in self.ours() if key not in known and put <= before)
        for key in gone:
            self.remove(key)
        with denied(f"cannot clean {self.tmp}"):
            for left in self.tmp.iterdir():
                with suppress(FileNotFoundError):
                    if time.time() - left.lstat().st_mtime > STALE:
                        discard(left)
        return gone

    def ours(self) -> Iterator[tuple[str, float]]:
        """Key of each job of our owner, and when it was put: ``job.json`` is the last that is written."""
        for key, order, put in self.orders():
            if order.get("owner") == self._owner:
                yield key, put

    def orders(self) -> Iterator[tuple[str, dict[str, Any], float]]:
        """Key, order and time of putting of every job under the root, whoever put it."""
        for folder in sorted(self.jobs.iterdir()):
            order = read_json(folder / launcher.JOB) or {}
            key = order.get("key")
            if isinstance(key, str) and _KEY.fullmatch(key) and self.folder(key) == folder:
                with suppress(FileNotFoundError):
                    yield key, order, (folder / launcher.JOB).stat().st_mtime

    def _appear(self, part: Path, folder: Path, key: str) -> None:
        try:
            part.rename(folder)
        except OSError:
            # Somebody else put the same job meanwhile, and theirs is as good.
            if not self.find(key):
                raise


def owner(state: Path) -> str:
    """Whose jobs ours are: a random word in a file in *state*, whose name says which folder it was drawn for.

    Random, since two machines may have workspaces of one path and share a host. For one folder, since a workspace may
    be copied: the copy is another folder, so it draws a word of its own, and neither ends what the other put. A
    workspace that is moved within its file system keeps its word. One that is moved elsewhere, or comes back from a
    backup, gets a new one: it still finds its jobs by their keys, and what it lost sight of before stays on the host.
    Only the image of a whole disk, used twice, goes unnoticed.
    """
    state.mkdir(parents=True, exist_ok=True)
    file = state / f"owner-{_identity(state)}"
    with suppress(FileNotFoundError):
        return file.read_text("ascii")
    part = state / f"{secrets.token_hex(8)}.part"
    write(part, secrets.token_hex(8).encode())
    try:
        os.link(str(part), str(file))
    except FileExistsError:
        # Another process of ours was quicker.
        return file.read_text("ascii")
    finally:
        part.unlink()
    for other in state.glob("owner*"):
        if other != file:
            other.unlink(missing_ok=True)
    return file.read_text("ascii")


def _identity(folder: Path) -> str:
    """What tells a folder from each copy of it: its number, and the file system's own, which outlives a new mount."""
    found = folder.stat()
    system = os.statvfs(str(folder)).f_fsid if hasattr(os, "statvfs") else found.st_dev
    return f"{system:x}-{found.st_ino:x}"


def order(job: Any) -> dict[str, Any]:
    """What ``job.json`` says of a :class:`cosmos_core.extend.Job`, but for its key and its owner."""
    # Keeps a native process on its slot's GPUs.
    gpus = {"CUDA_VISIBLE_DEVICES": ",".join(map(str, job.gpus))} if job.gpus else {}
    return {
        "argv": list(job.argv),
        "env": dict(gpus, **job.env),
        "timeout": job.timeout,
        "quiet": job.quiet,
        "log": job.log,
        "watch": list(job.outputs),
    }


def run(argv: Sequence[str], *, stdin: bytes, timeout: float, host: str) -> tuple[int, bytes, bytes]:
    """Run a short command without a shell; give its code, output and complaints.

    Raises:
        DeniedError: it takes longer than *timeout* seconds, or the system refuses. A program that is not there exits
            with 127, as in a shell.
    """
    try:
        done = subprocess.run(list(argv), input=stdin, capture_output=True, timeout=timeout, check=False)
    except FileNotFoundError as error:
        return 127, b"", f"{argv[0]}: {error.strerror}".encode("utf-8", "surrogateescape")
    except subprocess.TimeoutExpired as error:
        raise DeniedError(f"{argv[0]} did not end on {host} within {timeout:g} s") from error
    except (OSError, ValueError) as error:
        raise DeniedError(f"{argv[0]} cannot be run on {host}: {error}") from error
    return done.returncode, done.stdout, done.stderr


def check_names(job: Any) -> None:
    """Look at the names that a :class:`cosmos_core.extend.Job` speaks of: its files, inputs, outputs and log.

    Raises:
        WrongError: naming one that leads outside, is there twice or is the launcher's.
    """
    files = [each.name for each in (*job.files, *job.inputs)]
    for name in (*files, *job.outputs, job.log):
        parts(name)
    for name in files:
        if _without(name.split("/")[0], ".part") in launcher.OURS:
            raise WrongError(f"{name!r} is a name the launcher keeps for itself")
        if files.count(name) > 1:
            raise WrongError(f"the job has two files named {name!r}")


def parts(name: str) -> tuple[str, ...]:
    """The parts of a relative path with ``/``, whatever characters they hold.

    Raises:
        WrongError: when it is empty or absolute, or has a part that leads elsewhere.
    """
    found = tuple(_without(name, "/").split("/"))
    if any(part in {"", ".", ".."} or "\0" in part for part in found) or (
        sys.platform == "win32" and any(character in name for character in '\\:*?"<>|')
    ):
        raise WrongError(
            f"{name!r} is not a path inside a job folder", "use a relative path with / and without .."
        )
    return found


def _without(name: str, end: str) -> str:
    return name[: -len(end)] if name.endswith(end) else name  # noqa: FURB188  (3.8 has no removesuffix)


@contextmanager
def denied(doing: str) -> Iterator[None]:
    """Turn what the system refuses us into an error with a sentence: *doing*, then the reason."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise DeniedError(f"{doing}: {reason}{where}", "free some space" if full else "") from error


def open_inside(folder: Path, name: str) -> BinaryIO | None:
    """The regular file *name* below *folder*, open; None when there is none or a link lies on the way."""
    try:
        fd = _open_at(folder, name)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK, errno.ENXIO}:
            return None
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        return None
    return open(fd, "rb", buffering=0)  # noqa: PTH123


if sys.platform == "win32":

    def _open_at(folder: Path, name: str) -> int:
        return os.open(_without_links(folder, name), os.O_RDONLY | os.O_BINARY)

    def move_inside(source: Path, folder: Path, name: str) -> None:
        """Move a file to *name* below *folder*, through no link, unless something is there already."""
        path = _without_links(folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            source.rename(path)

    def _without_links(folder: Path, name: str) -> Path:
        path = folder.joinpath(*parts(name))
        if path.resolve() != folder.resolve().joinpath(*parts(name)):
            raise OSError(errno.ELOOP, "a link lies on the way", str(path))
        return path

else:

    def _open_at(folder: Path, name: str) -> int:
        with _parent(folder, name) as (fd, last):
            return os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd)

    def move_inside(source: Path, folder: Path, name: str) -> None:
        """Move a file to *name* below *folder*, through no link, unless something is there already."""
        with _parent(folder, name, make=True) as (fd, last):
            try:
                os.stat(last, dir_fd=fd, follow_symlinks=False)
            except FileNotFoundError:
                os.rename(str(source), last, dst_dir_fd=fd)
                os.fsync(fd)

    @contextmanager
    def _parent(folder: Path, name: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
        # One step at a time, so that a job that swaps a folder for a link meanwhile gains nothing.
        *above, last = parts(name)
        fd = os.open(str(folder), os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in above:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(part, dir_fd=fd)
                deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                os.close(fd)
                fd = deeper
            yield fd, last
        finally:
            os.close(fd)


def regular_files(folder: Path, name: str) -> Iterator[tuple[str, int]]:
    """Name, relative to *folder*, and size of each regular file at or below *name*; links are passed over."""
    path = folder
    for part in parts(name):
        path /= part
        if path.is_symlink():
            return
    if path.is_file():
        yield _without(name, "/"), path.stat().st_size
    elif path.is_dir():
        yield from _below(path, _without(name, "/"))


def _below(folder: Path, name: str) -> Iterator[tuple[str, int]]:
    with os.scandir(str(folder)) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        inner = f"{name}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            yield from _below(folder / entry.name, inner)
        elif entry.is_file(follow_symlinks=False):
            yield inner, entry.stat(follow_symlinks=False).st_size


def write(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Write a new file and see it reach the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(os.open(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:  # noqa: PTH123
        out.write(content)
        out.flush()
        os.fsync(out.fileno())


def replace(path: Path, content: bytes) -> None:
    """Write a file that has its name only when whole, in the place of an older one."""
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        write(part, content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def settle(part: Path, path: Path) -> None:
    """Give a whole file its name, once its bytes have reached the disk. :func:`sync_folder` does the same for the name."""
    with part.open("r+b") as file:
        os.fsync(file.fileno())
    part.replace(path)


def sync_folder(folder: Path) -> None:
    """See the names in a folder reach the disk, where a system lets us: Windows does so by itself."""
    if sys.platform != "win32":
        fd = os.open(str(folder), os.O_RDONLY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def clone(source: Path, target: Path) -> str:
    """Copy a file to a new one, see it reach the disk, and give the SHA-256 of the copy."""
    copy(source, target, sync=True)
    with target.open("rb") as file:
        return digest(file)


def copy(source: Path, target: Path, *, sync: bool) -> None:
    """Copy a file to a new one, which has reached the disk if *sync*.

    Blocks are shared where the file system can (btrfs, XFS); a hard link would let a job write to our file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as inp, target.open("xb") as out:
        if not _clone_range(inp, out):
            inp.seek(0)
            out.seek(0)
            shutil.copyfileobj(inp, out, CHUNK)
        out.flush()
        if sync:
            os.fsync(out.fileno())


def _clone_range(inp: BinaryIO, out: BinaryIO) -> bool:
    if not hasattr(os, "copy_file_range"):
        return False
    try:
        while os.copy_file_range(inp.fileno(), out.fileno(), 1 << 30):
            pass
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO}:
            raise
        return False
    # Some file systems answer 0 where they mean "not here".
    return os.fstat(out.fileno()).st_size == os.fstat(inp.fileno()).st_size


def digest(file: BinaryIO | BufferedRandom) -> str:
    """SHA-256 of an open file, from its first byte."""
    file.seek(0)
    seen = hashlib.sha256()
    block = memoryview(bytearray(1 << 18))
    while size := file.readinto(block):  # type: ignore[union-attr]
        seen.update(block[:size])
    return seen.hexdigest()


def discard(path: Path) -> None:
    """Remove a folder with all that is in it, whatever a job did to its modes; links are removed, not followed."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    try:
        shutil.rmtree(str(path))
    except PermissionError:
        for folder, _, _ in os.walk(str(path)):
            os.chmod(folder, 0o700)  # noqa: PTH101
        shutil.rmtree(str(path))
    except FileNotFoundError:
        return


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a small file; None when there is none."""
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def source() -> bytes:
    """This module as text, for a transport that sends it where jobs run."""
    return Path(__file__).read_bytes()


def _answer(state: str, *, ended: dict[str, Any] | None = None, reason: str = "") -> dict[str, Any]:
    return {"state": state, "exit": ended, "reason": reason}


def _left(folder: Path) -> dict[str, Any]:
    exited = _exited(folder)
    if exited is not None:
        return exited
    if not (folder / launcher.LOCK).exists():
        return _answer("put" if (folder / launcher.JOB).exists() else "absent")
    return _answer("active")


def _status(folder: Path) -> dict[str, Any]:
    status = _left(folder)
    if status["state"] != "active" or _carried(folder):
        return status
    # It may have ended between the two looks.
    return _exited(folder) or _answer("lost", reason="its launcher is gone and left no exit")


def _exited(folder: Path) -> dict[str, Any] | None:
    if not (folder / launcher.EXIT).exists():
        return None
    facts = read_json(folder / launcher.EXIT) or {}
    try:
        ended = {"code": int(facts["code"]), "stopped": str(facts["stopped"]), "oom": bool(facts["oom"])}
    except (KeyError, TypeError, ValueError):
        return _answer("lost", reason=f"its {launcher.EXIT} is not understood")
    return _answer("exited", ended=ended)


def _carried(folder: Path) -> bool:
    """Whether the launcher of a job lives."""
    who = read_json(folder / launcher.STARTED) or read_json(folder / launcher.LOCK)
    if who is not None:
        return launcher.carries(folder, who)
    try:
        return time.time() - (folder / launcher.LOCK).stat().st_mtime < BIRTH
    except FileNotFoundError:
        return False


def _ended(folder: Path, *, within: float) -> bool:
    end = time.monotonic() + within
    pause = 0.01
    while _status(folder)["state"] == "active":
        if time.monotonic() > end:
            return False
        time.sleep(pause)
        pause = min(pause * 1.5, 0.2)
    return True


def _signal_launcher(folder: Path, number: int) -> None:
    who = read_json(folder / launcher.STARTED)
    if who is not None and launcher.carries(folder, who):
        os.kill(int(who["pid"]), number)
