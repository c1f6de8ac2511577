"""What runs at the far end of a line: answers requests about jobs and files, one after another.

It is sent over the line itself, with :mod:`cosmos_core.jobs` and :mod:`cosmos_core.launcher`, and leaves nothing on the
host but what jobs need. So it uses the standard library only and any Python from 3.8 on.

A frame is a length of four bytes, that many bytes of JSON, and as many bytes more as its ``bytes`` says. Each request
is one frame with a verb in ``do``. Its answer is ``{"ok": …}``, ``{"wrong": …}`` when the caller is to blame or
``{"denied": …}`` when the system is; while it takes its time, a ``{"beat": 1}`` comes every few seconds, so that
silence means a lost line. Beside the job folders of :mod:`cosmos_core.jobs`, the root holds::

    cosmos.root                       says that the folder is ours; without it nothing is removed
    cas/sha256/<2>/<digest>           inputs, once each, read-only, whole or not there
    tmp/<digest>.part                 an input on its way in
    tmp/<digest>.<pid>.part           the same of a small one, which is not resumed and is nobody else's business
    tmp/<digest>.<pid>.link           a small one that came in, until the folder of its job is made

Whoever sends a large input writes the same bytes to the same places, so several may send one at once without a lock, and
one that comes back goes on where it was, once digests have told it what is there. A job gets a copy of an input, made
here, whose digest is taken each time: an input that was damaged meanwhile is dropped and sent anew. So the job for which
a small input came may have the very file that is kept, instead of a copy that nobody else would need: what it does to
that file is found out when the next job asks for it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import select
import shutil
import struct
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from cosmos_core import jobs, launcher

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

HELLO = b"cosmos-core-sftp 1\n"
MARKER = "cosmos.root"
HOME = "~/cosmos-core"
"""The root where a host names none."""
BEAT = 3.0
IDLE_BEAT = 60.0
"""Seconds between beats when nothing is asked; they let the host's sshd notice that nobody is there any more."""
PATIENCE = 30.0
"""Seconds that bytes which were promised may take to come before we leave."""
BLOCK = 1 << 18
COPIES = 4
"""Inputs copied at a time."""
LARGE = 1 << 23
"""Bytes from which an input is resumed, and may be divided between lines."""
LONGEST = 1 << 26
"""Bytes of JSON in a frame, at most."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_LENGTH = struct.Struct(">I")


class Raw:
    """An answer that is bytes, in one or several pieces."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = pieces


class GoneError(Exception):
    """The other end is not there any more."""


class MissingError(Exception):
    """Inputs that a job needs are not here."""

    def __init__(self, digests: list[str]) -> None:
        super().__init__(", ".join(digests))
        self.digests = digests


def frame(header: Mapping[str, Any]) -> bytes:
    """The bytes of a frame's header."""
    # ASCII with escapes: a file's name need not be valid Unicode.
    text = json.dumps(header).encode("ascii")
    return _LENGTH.pack(len(text)) + text


def length(head: bytes) -> int:
    """How many bytes of JSON follow the first four.

    Raises:
        ValueError: when no frame begins like that.
    """
    (found,) = _LENGTH.unpack(head)
    if found > LONGEST:
        raise ValueError(f"a frame of {found} bytes")
    return int(found)


HEAD = _LENGTH.size


class Pipe:
    """The line as it looks from here: requests come in, answers and beats go out."""

    def __init__(self, read: int, write: int) -> None:
        self._read = read
        self._write = write
        self._lock = threading.Lock()
        self.busy = threading.Event()
        threading.Thread(target=self._beat, daemon=True).start()

    def request(self) -> dict[str, Any]:
        """The next request's header."""
        head = self._exactly(HEAD, wait=None)
        self.busy.set()
        found: dict[str, Any] = json.loads(self._exactly(length(head)))
        return found

    def payload(self, size: int) -> bytes:
        """All that follows a header."""
        return self._exactly(size)

    def chunks(self, size: int) -> Iterator[memoryview]:
        """The same piece by piece; each is valid until the next is asked for."""
        block = memoryview(bytearray(BLOCK))
        while size:
            self._await(PATIENCE)
            got = os.readv(self._read, [block[: min(BLOCK, size)]])
            if not got:
                raise GoneError
            size -= got
            yield block[:got]

    def answer(self, header: Mapping[str, Any], *payload: bytes) -> None:
        """Send one frame."""
        with self._lock:
            self._send(frame(dict(header, bytes=sum(map(len, payload)))), *payload)

    def stream(self, size: int, chunks: Iterator[memoryview]) -> None:
        """Send a frame of *size* bytes that are read while they are sent."""
        with self._lock:
            self._send(frame({"bytes": size}))
            for chunk in chunks:
                self._send(chunk)

    def _exactly(self, size: int, wait: float | None = PATIENCE) -> bytes:
        found = bytearray()
        while len(found) < size:
            self._await(wait)
            more = os.read(self._read, size - len(found))
            if not more:
                raise GoneError
            found += more
        return bytes(found)

    def _await(self, seconds: float | None) -> None:
        if not select.select([self._read], [], [], seconds)[0]:
            raise GoneError

    def _send(self, *pieces: bytes | memoryview) -> None:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                try:
                    rest = rest[os.write(self._write, rest) :]
                except BrokenPipeError:
                    raise GoneError from None

    def _beat(self) -> None:
        try:
            while True:
                if not self.busy.wait(IDLE_BEAT) or self._is_still_busy():
                    with self._lock:
                        self._send(frame({"beat": 1, "bytes": 0}))
        except (GoneError, OSError):
            # Nobody would hear the answer.
            os._exit(0)

    def _is_still_busy(self) -> bool:
        time.sleep(BEAT)
        return self.busy.is_set()


class Blobs:
    """Inputs by digest."""

    def __init__(self, root: Path) -> None:
        self._cas = root / "cas" / "sha256"
        self._tmp = root / "tmp"
        self._sync = not launcher.boot()
        """Whether copies wait for the disk. It takes longer than all else, so not where :meth:`Far._fresh` helps."""
        self._vouched: dict[str, tuple[int, int, int]] = {}
        """Inputs whose digest was taken on this line's own time, and how they looked then."""
        self._fresh: dict[str, Path] = {}
        """Small inputs that came in over this line, by a second name, for the job that they came for."""

    def path(self, digest: str) -> Path:
        """Where the input of that digest lies, or would."""
        return self._cas / _digest(digest)[:2] / digest

    def part(self, digest: str) -> Path:
        """Where it lies while it comes in."""
        return self._tmp / f"{_digest(digest)}.part"

    def missing(self, blobs: Sequence[Sequence[Any]]) -> list[list[Any]]:
        """Of pairs of digest and size, those that are not here, each with how much there is of it."""
        return [
            [digest, _size(self.part(digest))] for digest, size in blobs if _size(self.path(digest)) != size
        ]

    def receive(self, pieces: Sequence[Sequence[Any]], pipe: Pipe, *, fresh: bool) -> list[str]:
        """Take ``[digest, whole, offset, size]`` each from the line; give the digests that were not what they said.

        A piece that is the whole of an input makes it appear. With *fresh* a small one is kept at hand, for a job that
        is placed over this very line.
        """
        wrong = []
        for digest, whole, offset, size in pieces:
            if size != whole:
                self._take(pipe, self.part(digest), offset, size)
            elif not self._receive_whole(digest, whole, pipe, fresh=fresh and whole < LARGE):
                wrong.append(digest)
        return wrong

    def _receive_whole(self, digest: str, size: int, pipe: Pipe, *, fresh: bool) -> bool:
        part = self.part(digest)
        if not fresh:
            return self._appear(part, digest, size, self._take(pipe, part, 0, size))
        part = self._tmp / f"{digest}.{os.getpid()}.part"
        # A process of that number may have died amid one.
        part.unlink(missing_ok=True)
        try:
            found = self._take(pipe, part, 0, size)
            if found == digest and not self._sync:
                # Where a file can have no second name the job gets a copy.
                with contextlib.suppress(OSError):
                    os.link(str(part), str(part.with_suffix(".link")))
                    self._fresh[digest] = part.with_suffix(".link")
            return self._appear(part, digest, size, found)
        finally:
            part.unlink(missing_ok=True)

    def _take(self, pipe: Pipe, path: Path, offset: int, size: int) -> str:
        """Write the next *size* bytes of the line to a file, whose other bytes stay; the digest of these."""
        seen = hashlib.sha256()
        # Without a link on the way. What is there stays: others may be writing the same bytes.
        flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        with open(os.open(str(path), flags, 0o644), "wb", buffering=0) as out:  # noqa: PTH123
            out.seek(offset)
            for chunk in pipe.chunks(size):
                seen.update(chunk)
                rest = chunk
                while rest:
                    rest = rest[out.write(rest) :]
        return seen.hexdigest()

    def finish(self, digest: str, whole: int) -> bool:
        """Make an input appear that came in pieces; whether it is what it says."""
        try:
            with self.part(digest).open("rb") as part:
                return self._appear(self.part(digest), digest, whole, jobs.digest(part))
        except FileNotFoundError:
            return _size(self.path(digest)) == whole

    def copy(self, digest: str, target: Path) -> bool:
        """Copy an input into a job's folder; False, and it is dropped, when it is not here or not what it says."""
        source = self.path(digest)
        if (made := self._fresh.pop(digest, None)) is not None:
            # Its digest was taken as it came. From now on a job may do to it what it likes, its times included.
            self._vouched.pop(digest, None)
            made.replace(target)
            return True
        try:
            jobs.copy(source, target, sync=self._sync)
            # As what came for a job is: one that writes to its inputs fails the first time, not the second.
            target.chmod(0o444)
            if self._vouched.get(digest) == _stamp(source):
                return True
        except FileNotFoundError:
            return False
        except PermissionError:
            if os.access(str(source), os.R_OK):
                raise
            # A job that had this very file took it from us.
            source.unlink()
            return False
        with target.open("rb") as file:
            if jobs.digest(file) == digest:
                return True
        source.unlink()
        return False

    def drop_fresh(self) -> None:
        """Forget what no job took."""
        while self._fresh:
            _, made = self._fresh.popitem()
            with contextlib.suppress(OSError):
                made.unlink()

    def free(self, needed: set[str], *, dry: bool) -> tuple[int, int]:
        """Remove the inputs that are not *needed*; how many files and bytes that is."""
        files = size = 0
        for path in sorted(self._cas.glob("[0-9a-f][0-9a-f]/*")):
            is_ours = _DIGEST.fullmatch(path.name) and not path.is_symlink() and not path.parent.is_symlink()
            if is_ours and path.name not in needed:
                with contextlib.suppress(FileNotFoundError):
                    size += path.stat().st_size
                    files += 1
                    if not dry:
                        path.unlink()
        return files, size

    def _appear(self, part: Path, digest: str, whole: int, found: str) -> bool:
        path = self.path(digest)
        if found != digest or _size(part) != whole:
            if _size(path) == whole:
                return True
            part.unlink(missing_ok=True)
            return False
        try:
            part.chmod(0o444)
            try:
                part.replace(path)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                part.replace(path)
            self._vouched[digest] = _stamp(path)
        except FileNotFoundError:
            return _size(path) == whole
        return True


class Far:
    """Answers requests. Each verb is a method; it gets the request and gives the answer's content."""

    def __init__(self, pipe: Pipe, program: bytes) -> None:
        self._pipe = pipe
        self._program = program
        self._folders = jobs.Folders(Path(), host="", owner="")
        self._blobs = Blobs(Path())
        self._verbs: dict[str, Callable[[dict[str, Any]], Any]] = {
            "open": self._open,
            "facts": self._facts,
            "find": self._find,
            "plan": self._plan,
            "receive": self._receive,
            "finish": self._finish,
            "chunks": self._chunks,
            "place": self._place,
            "spool": self._spool,
            "start": lambda asked: self._folders.start(asked["key"]),
            "poll": lambda asked: {key: self._folders.status(key) for key in asked["keys"]},
            "left": lambda asked: {key: self._folders.left(key) for key in asked["keys"]},
            "read": self._read,
            "list": lambda asked: self._folders.list(asked["key"], asked["names"]),
            "send": self._send,
            "digest": self._digest,
            "run": self._run,
            "stop": lambda asked: self._folders.stop(asked["key"], why=asked["why"], grace=asked["grace"]),
            "ask_stop": lambda asked: self._folders.ask_stop(
                asked["key"], why=asked["why"], grace=asked["grace"]
            ),
            "remove": lambda asked: self._folders.remove(asked["key"]),
            "sweep": lambda asked: self._folders.sweep(asked["known"], age=asked["age"]),
            "free": self._free,
            "ping": lambda _: None,
        }

    def serve(self) -> None:
        """Answer until the other end is gone."""
        while True:
            asked = self._pipe.request()
            try:
                found = self._verbs[asked["do"]](asked)
            except jobs.WrongError as error:
                self._pipe.answer({"wrong": str(error), "hint": error.hint})
            except jobs.DeniedError as error:
                self._pipe.answer(_refusal(error, error.hint, error.__cause__))
            except OSError as error:
                self._pipe.answer(_refusal(error, "", error))
            else:
                if isinstance(found, Raw):
                    self._pipe.answer({"ok": [len(piece) for piece in found.pieces]}, *found.pieces)
                else:
                    self._pipe.answer({"ok": found})
            self._pipe.busy.clear()

    def leave(self) -> None:
        """Leave nothing behind that nobody needs."""
        self._blobs.drop_fresh()

    def _open(self, asked: dict[str, Any]) -> str:
        root = Path(asked["root"] or HOME).expanduser()
        with jobs.denied(f"cannot use {root} on {asked['host']}"):
            root.mkdir(parents=True, exist_ok=True)
            root = root.resolve()
            claim(root, asked["host"])
        self._folders = jobs.Folders(root, host=asked["host"], owner=asked["owner"])
        self._folders.make()
        self._blobs = Blobs(root)
        return str(root)

    def _facts(self, _: dict[str, Any]) -> dict[str, Any]:
        root = self._folders.root
        probe = root / "tmp" / f"{os.getpid()}.probe"
        try:
            jobs.write(probe, b"x")
            writable = ""
        except OSError as error:
            writable = error.strerror or str(error)
        finally:
            probe.unlink(missing_ok=True)
        return {
            "root": str(root),
            "python": ".".join(map(str, sys.version_info[:3])),
            "time": time.time(),
            "free": shutil.disk_usage(str(root)).free,
            "denied": writable,
            "system": sys.platform,
        }

    def _find(self, asked: dict[str, Any]) -> str | None:
        key = asked["key"]
        return str(self._folders.folder(key)) if self._folders.find(key) else None

    def _plan(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._fresh(asked["key"])
        self._blobs.drop_fresh()
        return {"folder": self._find(asked), "missing": self._blobs.missing(asked["blobs"])}

    def _fresh(self, key: str) -> None:
        """Remove a job that was put before the machine went down and never started: its inputs may not be whole."""
        if self._folders.find(key) and self._folders.status(key)["state"] == "put":
            order = jobs.read_json(self._folders.folder(key) / launcher.JOB) or {}
            if order.get("boot") != launcher.boot():
                self._folders.remove(key)

    def _receive(self, asked: dict[str, Any]) -> list[str]:
        try:
            with jobs.denied("cannot store inputs on {}".format(asked["host"])):
                return self._blobs.receive(asked["pieces"], self._pipe, fresh=asked["fresh"])
        except jobs.DeniedError as error:
            # The rest of the bytes is on its way and nobody wants it: say why, and hang up.
            self._pipe.answer(_refusal(error, error.hint, error.__cause__))
            raise GoneError from error

    def _finish(self, asked: dict[str, Any]) -> bool:
        with jobs.denied("cannot store inputs on {}".format(asked["host"])):
            return self._blobs.finish(asked["digest"], asked["whole"])

    def _chunks(self, asked: dict[str, Any]) -> list[str]:
        """Digests of the bytes *until* there, *chunk* by *chunk*, of what came in of an input or of a job's file."""
        try:
            with self._source(asked) as file:
                return list(chunk_digests(file, asked["until"], asked["chunk"]))
        except FileNotFoundError:
            return []

    def _source(self, asked: dict[str, Any]) -> BinaryIO:
        if "blob" in asked:
            return self._blobs.part(asked["blob"]).open("rb")
        return self._folders.open(asked["key"], asked["name"])

    def _place(self, asked: dict[str, Any]) -> dict[str, Any]:
        files, inputs = self._parcel(asked)
        digests = sorted({digest for _, digest in inputs})
        order = dict(asked["order"], inputs=digests, boot=launcher.boot())
        try:
            self._folders.place(
                asked["key"], order, self._program, lambda folder: self._fill(folder, files, inputs)
            )
        except MissingError as error:
            return {"missing": error.digests}
        return {"missing": [], "folder": str(self._folders.folder(asked["key"]))}

    def _spool(self, asked: dict[str, Any]) -> dict[str, Any]:
        files, inputs = self._parcel(asked)
        names = [name for name, _ in (*asked["inputs"], *asked["files"])]
        try:
            self._folders.add(asked["key"], names, lambda folder: self._fill(folder, files, inputs))
        except MissingError as error:
            return {"missing": error.digests}
        return {"missing": []}

    def _parcel(self, asked: dict[str, Any]) -> tuple[list[Any], list[Any]]:
        """The files that came with a request, with their contents, and the inputs it names, with their digests."""
        content = memoryview(self._pipe.payload(asked["bytes"]))
        files, at = [], 0
        for name, size in asked["files"]:
            files.append((jobs.parts(name), content[at : at + size]))
            at += size
        return files, [(jobs.parts(name), _digest(digest)) for name, digest in asked["inputs"]]

    def _fill(self, folder: Path, files: Any, inputs: Any) -> None:
        # Here, and not above: most lines never place a job, and each is waited for from its first import.
        from concurrent.futures import ThreadPoolExecutor

        for name, content in files:
            jobs.write(folder.joinpath(*name), bytes(content))
        for parent in sorted({folder.joinpath(*name).parent for name, _ in inputs}):
            parent.mkdir(parents=True, exist_ok=True)

        def copy(item: Any) -> bool:
            name, digest = item
            return self._blobs.copy(digest, folder.joinpath(*name))

        with ThreadPoolExecutor(COPIES) as pool:
            copied = list(pool.map(copy, inputs))
        if not all(copied):
            raise MissingError(sorted({digest for (_, digest), ok in zip(inputs, copied) if not ok}))  # noqa: B905

    def _read(self, asked: dict[str, Any]) -> Raw:
        return Raw(self._folders.read(asked["key"], asked["name"], asked["cursor"], asked["limit"]))

    def _send(self, asked: dict[str, Any]) -> None:
        """Stream pieces ``[name, offset, size]``, and after each its digest and whether the file changed meanwhile."""
        for name, offset, size in asked["pieces"]:
            with self._folders.open(asked["key"], name) as file:
                before = os.fstat(file.fileno())
                file.seek(offset)
                seen = hashlib.sha256()
                short = [0]
                self._pipe.stream(size, _padded(file, size, seen, short))
                after = os.fstat(file.fileno())
            same = (before.st_size, before.st_mtime_ns) == (after.st_size, after.st_mtime_ns)
            self._pipe.answer({"digest": seen.hexdigest(), "changed": bool(short[0]) or not same})

    def _digest(self, asked: dict[str, Any]) -> str:
        with self._folders.open(asked["key"], asked["name"]) as file:
            return jobs.digest(file)

    def _run(self, asked: dict[str, Any]) -> Raw:
        stdin = self._pipe.payload(asked["bytes"])
        code, out, err = jobs.run(asked["argv"], stdin=stdin, timeout=asked["timeout"], host=asked["host"])
        return Raw(str(code).encode(), out, err)

    def _free(self, asked: dict[str, Any]) -> list[int]:
        root = self._folders.root
        if not (root / MARKER).is_file():
            raise jobs.DeniedError(f"{root} has no {MARKER}, so nothing in it is removed")
        with jobs.denied(f"cannot free {root}"), _locked(root / "tmp" / "free.lock"):
            needed = {digest for _, order, _ in self._folders.orders() for digest in order.get("inputs", ())}
            return list(self._blobs.free(needed, dry=asked["dry"]))


def claim(root: Path, host: str) -> None:
    """Mark a folder as ours, unless it holds what could be somebody else's.

    Raises:
        DeniedError: it has folders named like ours and no mark.
    """
    marker = root / MARKER
    taken = [name for name in ("jobs", "tmp", "cas") if (root / name).exists()]
    # Looked at after the folders: whoever makes them has made the mark first.
    if taken and not marker.is_file():
        raise jobs.DeniedError(
            f"{root} on {host} holds {', '.join(taken)} and is not a folder of cosmos-core",
            f"name another root, or make an empty file {marker} if it is ours",
        )
    if not marker.is_file():
        with contextlib.suppress(FileExistsError):
            jobs.write(marker, b"This folder belongs to cosmos-core. What lies in it may be removed by it.\n")


def chunk_digests(file: BinaryIO, size: int, chunk: int) -> Iterator[str]:
    """SHA-256 of each *chunk* bytes in the first *size* of an open file, the last one perhaps shorter."""
    file.seek(0)
    while size > 0:
        found = file.read(min(chunk, size))
        if not found:
            return
        size -= len(found)
        yield hashlib.sha256(found).hexdigest()


def _padded(file: BinaryIO, size: int, seen: Any, short: list[int]) -> Iterator[memoryview]:
    """*size* bytes of a file, hashed on their way; zeros for what is not there any more, which *short* counts."""
    block = memoryview(bytearray(BLOCK))
    while size > 0:
        got = 0
        with contextlib.suppress(OSError):
            got = file.readinto(block[: min(BLOCK, size)])  # type: ignore[attr-defined]
        if not got:
            short[0] = size
            yield memoryview(bytes(min(BLOCK, size)))
            size -= min(BLOCK, size)
            continue
        seen.update(block[:got])
        size -= got
        yield block[:got]


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _digest(digest: str) -> str:
    if not _DIGEST.fullmatch(digest):
        raise jobs.WrongError(f"{digest!r} is not a SHA-256 in small hexadecimal digits")
    return digest


def _stamp(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return -1


def _refusal(error: Exception, hint: str, cause: BaseException | None) -> dict[str, Any]:
    # By name: the numbers differ between systems.
    name = errno.errorcode.get(cause.errno or 0, "") if isinstance(cause, OSError) else ""
    return {"denied": str(error), "hint": hint, "errno": name}


def serve(program: bytes) -> None:
    """Be the far end of the line on standard input and output; *program* is the launcher."""
    # What a login shell's start-up files print comes before this.
    os.write(1, HELLO)
    far = Far(Pipe(0, 1), program)
    with contextlib.suppress(GoneError):
        far.serve()
    far.leave()
