"""Inputs there and outputs home: in pieces over several lines, resumed by digest, and whole before they have a name.

A large file is a list of pieces ``[offset, size]``. What of it is on the other side already is not taken on trust:
both sides take digests chunk by chunk, and the pieces are what differs or is missing. So it does not matter who left
it there, in which order it came, or where it was cut.

What comes home has reached the disk before it has its name, in threads that wait for the disk while the next file
comes. What goes out waits for no disk: what a power cut there spoils is a copy in a job that never started
(:meth:`cosmos_core_sftp.far.Far._fresh`) or an input whose digest is taken whenever a job gets a copy.
"""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, zip_longest
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import attrs

from cosmos_core import jobs
from cosmos_core.errors import HostError, InputError
from cosmos_core.extend import Placed, spoken
from cosmos_core_sftp import far

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from cosmos_core.extend import Handle, Input, Job, RemoteFile, Report
    from cosmos_core_sftp.line import Line
    from cosmos_core_sftp.session import SftpSession

LARGE = far.LARGE
"""Bytes from which a file is resumed, and may be divided between lines."""
CHUNK = 1 << 20
"""Bytes of which one digest is taken to see what is there."""
WORTH = 1 << 22
"""Bytes from which a second line is worth opening."""
_T = TypeVar("_T")
STEP = 1 << 20
"""Bytes between two reports."""
FLUSH = 1 << 24
"""Bytes of a large file after which what has come is sent to the disk, so that little is left to wait for at its end."""
SYNCS = 128
"""Files that wait for the disk at a time: one flush of its journal serves them all, so many are quicker than few."""


@attrs.frozen
class Piece:
    """Some bytes of a file."""

    file: int
    """Its index in the list that is transferred."""
    offset: int
    size: int


class Tally:
    """Counts bytes from several threads for one report."""

    def __init__(self, report: Report, total: int) -> None:
        self._report = report
        self._total = total
        self._done = self._told = 0
        self._lock = threading.Lock()

    def add(self, size: int, note: str, *, whole: bool = False) -> None:
        """*size* more bytes are there; said now and then, and at the end of each file."""
        with self._lock:
            self._done += size
            if whole or self._done - self._told >= STEP:
                self._told = self._done
                self._report(min(self._done, self._total), self._total, note)


class Upload:
    """The inputs of a job on their way to a host."""

    def __init__(self, session: SftpSession, host: str, job: Job, report: Report) -> None:
        self._session = session
        self._host = host
        self._job = job
        self._items: dict[str, Input] = {item.digest: item for item in reversed(job.inputs)}
        self.blobs = [[digest, item.bytes] for digest, item in self._items.items()]
        self._files = sum(len(file.content) for file in job.files)
        self._total = self._files + sum(item.bytes for item in job.inputs)
        self._report = report
        self._tally = Tally(report, self._total)
        for item in self._items.values():
            _check_input(item)

    def send(self, missing: Sequence[tuple[str, int]]) -> None:
        """Send what the host lacks: pairs of digest, and how much of it is there from an earlier time.

        Raises:
            InputError: an input is not what it says.
            HostError: the host refuses or the line is lost.
        """
        items = [self._items[digest] for digest, _ in missing]
        lacking = {item.digest for item in items}
        self._tally = Tally(self._report, self._total)
        self._tally.add(sum(item.bytes for item in self._job.inputs if item.digest not in lacking), "")
        pieces = [
            piece
            for index, (item, (_, there)) in enumerate(zip(items, missing, strict=True))
            for piece in self._pieces(index, item, there)
        ]
        deals = deal(pieces, self._lines_for(pieces))
        with self._session.lines(len(deals)) as lines:
            parts = zip(lines, deals, strict=True)
            # The job is placed over the first line: what the far end of another has at hand is of no use.
            wrong = together(self._stream, [(line, items, part, line is lines[0]) for line, part in parts])
        self._settle(items, deals, {digest for each in wrong for digest in each})

    def done(self) -> None:
        """Say that all is there."""
        self._report(self._total, self._total, "")

    def _lines_for(self, pieces: Sequence[Piece]) -> int:
        return self._session.connections() if sum(piece.size for piece in pieces) > WORTH else 1

    def _pieces(self, index: int, item: Input, there: int) -> Iterator[Piece]:
        if there <= 0 or item.bytes < LARGE:
            yield Piece(index, 0, item.bytes)
            return
        theirs = self._session.ask("chunks", blob=item.digest, until=item.bytes, chunk=CHUNK)
        with item.path.open("rb") as file:
            ours = list(far.chunk_digests(file, min(item.bytes, CHUNK * len(theirs)), CHUNK))
        pieces = differing(ours, theirs, item.bytes)
        self._tally.add(item.bytes - sum(size for _, size in pieces), item.name)
        # With nothing to send the host must still look at it.
        for offset, size in pieces or [(item.bytes, 0)]:
            yield Piece(index, offset, size)

    def _stream(self, line: Line, items: Sequence[Input], pieces: Sequence[Piece], fresh: bool) -> list[str]:
        size = sum(piece.size for piece in pieces)
        asked = [
            [items[piece.file].digest, items[piece.file].bytes, piece.offset, piece.size] for piece in pieces
        ]
        try:
            words = {"pieces": asked, "host": self._host, "fresh": fresh}
            answer = line.ask("receive", self._bytes(items, pieces), size=size, **words)
        except BaseException:
            # Whatever is half said cannot be unsaid.
            line.close()
            raise
        found: list[str] = answer.ok
        return found

    def _bytes(self, items: Sequence[Input], pieces: Sequence[Piece]) -> Iterator[memoryview]:
        block = memoryview(bytearray(far.BLOCK))
        for piece in pieces:
            item = items[piece.file]
            with _opened(item) as file:
                file.seek(piece.offset)
                rest = piece.size
                while rest:
                    got = file.readinto(block[: min(far.BLOCK, rest)])  # type: ignore[attr-defined]
                    if not got:
                        raise InputError(
                            f"input {item.name!r}: {item.path} is shorter than {item.bytes} bytes"
                        )
                    yield block[:got]
                    self._session.sent += got
                    rest -= got
                    self._tally.add(got, item.name, whole=not rest)

    def _settle(self, items: Sequence[Input], deals: Sequence[Sequence[Piece]], wrong: set[str]) -> None:
        """Let inputs appear that went in pieces, and say who is to blame for those that are not what they say."""
        sent = [piece for part in deals for piece in part]
        divided = {items[piece.file].digest for piece in sent if piece.size != items[piece.file].bytes}
        for digest in sorted(divided):
            if not self._session.ask(
                "finish", digest=digest, whole=self._items[digest].bytes, host=self._host
            ):
                wrong.add(digest)
        for digest in sorted(wrong):
            self._blame(self._items[digest])

    def _blame(self, item: Input) -> None:
        with _opened(item) as file:
            found = jobs.digest(file)
        if found != item.digest:
            raise InputError(
                f"input {item.name!r}: {item.path} has SHA-256 {found}, not {item.digest}",
                hint="the file changed after it was sealed; seal the clip again",
            )
        raise HostError(f"input {item.name!r} did not arrive on {self._host} as it was sent")


class Download:
    """Files of a job on their way home."""

    def __init__(self, session: SftpSession, handle: Handle, into: Path, report: Report) -> None:
        self._session = session
        self._handle = handle
        self._into = into
        self._report = report

    def fetch(self, files: Sequence[RemoteFile]) -> tuple[Placed, ...]:
        """Bring *files* home, each under its name only when both sides agree on its digest.

        Raises:
            HostError: one changed meanwhile, the system refuses or the line is lost. What came before stays.
        """
        self._tally = Tally(self._report, sum(file.bytes for file in files))
        for file in files:
            _check_listed(file)
        self._files = files
        self._placed: dict[int, Placed] = {}
        with ThreadPoolExecutor(SYNCS) as self._settling:
            self._settled: dict[int, Future[None]] = {}
            self._flushed: dict[int, list[Future[None]]] = {}
            self._transfer(files)
            for each in self._settled.values():
                each.result()
        with spoken(f"cannot keep what came of job {self._handle.key}"):
            for folder in {above for each in self._placed.values() for above in self._above(each.path)}:
                jobs.sync_folder(folder)
        return tuple(self._placed[index] for index in range(len(files)))

    def _transfer(self, files: Sequence[RemoteFile]) -> None:
        pieces = [piece for index, file in enumerate(files) for piece in self._pieces(index, file)]
        count = self._session.connections() if sum(piece.size for piece in pieces) > WORTH else 1
        deals = deal(pieces, count)
        with self._session.lines(len(deals)) as lines:
            together(self._receive, list(zip(lines, deals, strict=True)))
        for index, file in enumerate(files):
            if index not in self._settled:
                self._finish(index, file)

    def _pieces(self, index: int, file: RemoteFile) -> Iterator[Piece]:
        part = self._part(file)
        if file.bytes < LARGE or not part.is_file():
            yield Piece(index, 0, file.bytes)
            return
        with part.open("rb") as held:
            ours = list(far.chunk_digests(held, file.bytes, CHUNK))
        theirs = self._session.ask(
            "chunks",
            key=self._handle.key,
            name=file.name,
            until=min(file.bytes, CHUNK * len(ours)),
            chunk=CHUNK,
        )
        pieces = differing(theirs, ours, file.bytes)
        self._tally.add(file.bytes - sum(size for _, size in pieces), file.name)
        for offset, size in pieces:
            yield Piece(index, offset, size)

    def _receive(self, line: Line, pieces: Sequence[Piece]) -> None:
        if not pieces:
            return
        try:
            asked = [[self._files[piece.file].name, piece.offset, piece.size] for piece in pieces]
            line.tell("send", key=self._handle.key, pieces=asked)
            for piece in pieces:
                self._take(line, piece, self._files[piece.file])
            line.answer()
        except BaseException:
            # What is on its way cannot be called back.
            line.close()
            raise

    def _take(self, line: Line, piece: Piece, file: RemoteFile) -> None:
        part = self._part(file)
        whole = piece.size == file.bytes
        try:
            with spoken(f"cannot fetch {file.name!r} of job {self._handle.key}"):
                digest = self._write(line, piece, file, part)
                if whole:
                    self._appear(piece.file, file, digest)
        except BaseException as error:
            # What a lost line leaves of a large file is worth keeping; what the disk had no room for is in the way.
            if file.bytes < LARGE or isinstance(error.__cause__, jobs.DeniedError):
                part.unlink(missing_ok=True)
            raise

    def _write(self, line: Line, piece: Piece, file: RemoteFile, part: Path) -> str:
        """Write a piece where it belongs, and give its digest."""
        part.parent.mkdir(parents=True, exist_ok=True)
        header = line.header()
        seen = hashlib.sha256()
        with open(os.open(part, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as out:  # noqa: PTH123
            out.seek(piece.offset)
            due = FLUSH
            for chunk in line.stream(header["bytes"]):
                seen.update(chunk)
                out.write(chunk)
                due -= len(chunk)
                if due <= 0:
                    due = FLUSH
                    flushed = self._settling.submit(_flush, os.dup(out.fileno()))
                    self._flushed.setdefault(piece.file, []).append(flushed)
                self._session.received += len(chunk)
                self._tally.add(len(chunk), file.name)
            if piece.size == file.bytes:
                out.truncate(file.bytes)
        told = line.header()
        if told["digest"] != seen.hexdigest() or told["changed"]:
            self._changed(file)
        return seen.hexdigest()

    def _finish(self, index: int, file: RemoteFile) -> None:
        """Let a file appear that came in pieces."""
        theirs = self._session.ask("digest", key=self._handle.key, name=file.name)
        part = self._part(file)
        with spoken(f"cannot fetch {file.name!r} of job {self._handle.key}"):
            os.truncate(part, file.bytes)
            with part.open("rb") as held:
                ours = jobs.digest(held)
            if ours != theirs:
                self._changed(file)
            self._appear(index, file, theirs)

    def _changed(self, file: RemoteFile) -> None:
        self._part(file).unlink(missing_ok=True)
        raise HostError(
            f"{file.name!r} changed while it was fetched", hint="fetch it after the job has ended"
        )

    def _appear(self, index: int, file: RemoteFile, digest: str) -> None:
        """Let a whole file have its name as soon as it has reached the disk; nobody waits for that here."""
        self._settled[index] = self._settling.submit(self._settle, index, file, digest)

    def _settle(self, index: int, file: RemoteFile, digest: str) -> None:
        target = self._into.joinpath(*jobs.parts(file.name))
        try:
            with spoken(f"cannot fetch {file.name!r} of job {self._handle.key}"):
                # The system tells of a disk that failed once.
                for each in self._flushed.get(index, ()):
                    each.result()
                jobs.settle(self._part(file), target)
        except HostError:
            self._part(file).unlink(missing_ok=True)
            raise
        self._tally.add(0, file.name, whole=True)
        self._placed[index] = Placed(path=target, name=file.name, digest=digest, remote_digest=digest)

    def _above(self, path: Path) -> Iterator[Path]:
        """The folders from a file's own up to the one that all are fetched into."""
        for folder in path.parents:
            yield folder
            if folder == self._into:
                return

    def _part(self, file: RemoteFile) -> Path:
        """Where a file lies until it is whole: under the same name each time, so that a large one is resumed."""
        target = self._into.joinpath(*jobs.parts(file.name))
        name = hashlib.sha256(f"{file.name}\0{file.bytes}".encode("utf-8", "surrogateescape")).hexdigest()
        return target.with_name(f".{name[:16]}.part")


def _flush(file: int) -> None:
    """Send a file's bytes to the disk, and close it."""
    try:
        os.fsync(file)
    finally:
        os.close(file)


def differing(source: Sequence[str], copy: Sequence[str], size: int) -> list[tuple[int, int]]:
    """The pieces ``(offset, size)`` of a file of *size* bytes that a copy lacks, from both sides' digests by chunk."""
    count = -(-size // CHUNK)
    same = [
        ours is not None and ours == theirs
        for ours, theirs, _ in zip_longest(source[:count], copy[:count], range(count))
    ]
    pieces = []
    for good, group in groupby(range(count), key=lambda number: same[number]):
        numbers = list(group)
        begin, end = numbers[0] * CHUNK, min(size, (numbers[-1] + 1) * CHUNK)
        if not good:
            pieces.append((begin, end - begin))
    return pieces


def deal(pieces: Sequence[Piece], count: int) -> list[list[Piece]]:
    """Pieces for at most *count* lines, in order and of about equal bytes; a large one is cut where a share ends."""
    share = max(1, -(-sum(piece.size for piece in pieces) // count))
    shares: list[list[Piece]] = [[] for _ in range(count)]
    dealt = 0
    for piece in pieces:
        rest = piece
        while rest.size or rest is piece:
            index = min(dealt // share, count - 1)
            room = share * (index + 1) - dealt
            size = min(rest.size, room) if piece.size >= LARGE and index < count - 1 else rest.size
            shares[index].append(attrs.evolve(rest, size=size))
            dealt += size
            rest = attrs.evolve(rest, offset=rest.offset + size, size=rest.size - size)
    return [share for share in shares if share]


def together(call: Callable[..., _T], each: Sequence[tuple[Any, ...]]) -> list[_T]:
    """Make one call for *each*, in threads if they are several; the first error is raised when all have ended."""
    if len(each) <= 1:
        return [call(*words) for words in each]
    with ThreadPoolExecutor(len(each)) as pool:
        return [made.result() for made in [pool.submit(call, *words) for words in each]]


def _check_input(item: Input) -> None:
    if not item.path.is_file():
        raise InputError(f"input {item.name!r}: there is no file {item.path}")


def _check_listed(file: RemoteFile) -> None:
    try:
        jobs.parts(file.name)
    except jobs.WrongError as error:
        raise HostError(
            f"the host lists a file {file.name!r}, which would lie outside of its folder"
        ) from error


def _opened(item: Input) -> BinaryIO:
    try:
        return item.path.open("rb", buffering=0)
    except OSError as error:
        raise InputError(f"input {item.name!r}: {item.path} cannot be read: {error.strerror}") from error
