"""Files of a job folder, reached without leaving it, and copied so that no half of one has its name."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import shutil
import stat
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from cosmos_core.errors import HostError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import BufferedRandom
    from pathlib import Path

CHUNK = 1 << 20


def parts(name: str) -> tuple[str, ...]:
    """The parts of a relative path with ``/``, whatever characters they hold.

    Raises:
        InputError: when it is empty or absolute, or has a part that leads elsewhere.
    """
    found = tuple(name.removesuffix("/").split("/"))
    if any(part in {"", ".", ".."} or "\0" in part for part in found) or (
        sys.platform == "win32" and any(character in name for character in '\\:*?"<>|')
    ):
        raise InputError(
            f"{name!r} is not a path inside a job folder", hint="use a relative path with / and without .."
        )
    return found


@contextmanager
def refused(doing: str) -> Iterator[None]:
    """Turn what the system refuses us into an error with a sentence: *doing*, then the reason."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = f" ({error.filename})" if error.filename else ""
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise HostError(f"{doing}: {reason}{where}", hint="free some space" if full else "") from error


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
        path = folder.joinpath(*parts(name))
        if path.resolve() != folder.resolve().joinpath(*parts(name)):
            raise OSError(errno.ELOOP, "a link lies on the way", str(path))
        return os.open(path, os.O_RDONLY | os.O_BINARY)

else:

    def _open_at(folder: Path, name: str) -> int:
        # One step at a time, so that a job that swaps a folder for a link meanwhile gains nothing.
        *above, last = parts(name)
        fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            for part in above:
                deeper = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=fd)
                os.close(fd)
                fd = deeper
            return os.open(last, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=fd)
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
        yield name.removesuffix("/"), path.stat().st_size
    elif path.is_dir():
        yield from _below(path, name.removesuffix("/"))


def _below(folder: Path, name: str) -> Iterator[tuple[str, int]]:
    with os.scandir(folder) as entries:
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
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as out:  # noqa: PTH123
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


def clone(source: Path, target: Path) -> str:
    """Copy a file to a new one and give the SHA-256 of the copy.

    Blocks are shared where the file system can (btrfs, XFS); a hard link would let a job write to our file.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with source.open("rb") as inp, target.open("x+b") as out:
        if not _clone_range(inp, out):
            inp.seek(0)
            out.seek(0)
            shutil.copyfileobj(inp, out, CHUNK)
        out.flush()
        os.fsync(out.fileno())
        return digest(out)


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


def digest(file: BufferedRandom) -> str:
    """SHA-256 of an open file, from its first byte."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def bring(source: BinaryIO, target: Path, name: str) -> tuple[str, str]:
    """Copy an open file to *target*, which appears only when both sides agree; give the digests, theirs and ours.

    Raises:
        HostError: when the source changed meanwhile or the copy differs.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("x+b") as out:
            before = os.fstat(source.fileno())
            theirs = _pour(source, out, before.st_size)
            after = os.fstat(source.fileno())
            out.flush()
            os.fsync(out.fileno())
            ours = digest(out)
        if theirs != ours or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise HostError(f"{name!r} changed while it was fetched", hint="fetch it after the job has ended")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return theirs, ours


def _pour(source: BinaryIO, out: BinaryIO, size: int) -> str:
    # No further than the size it had: a file that grows faster than we read has no end.
    seen = hashlib.sha256()
    while size > 0 and (chunk := source.read(min(CHUNK, size))):
        seen.update(chunk)
        out.write(chunk)
        size -= len(chunk)
    return seen.hexdigest()


def discard(path: Path) -> None:
    """Remove a folder with all that is in it, whatever a job did to its modes; links are removed, not followed."""
    if path.is_symlink() or path.is_file():
        path.unlink()
        return
    try:
        shutil.rmtree(path)
    except PermissionError:
        for folder, _, _ in os.walk(path):
            os.chmod(folder, 0o700)  # noqa: PTH101
        shutil.rmtree(path)
    except FileNotFoundError:
        return
