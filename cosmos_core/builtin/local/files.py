"""A file of a job brought home, so that no half of one has its name."""

from __future__ import annotations

import hashlib
import os
import secrets
from typing import TYPE_CHECKING, BinaryIO

from cosmos_core import jobs

if TYPE_CHECKING:
    from pathlib import Path


def bring(source: BinaryIO, target: Path, name: str) -> tuple[str, str]:
    """Copy an open file to *target*, which appears only when both sides agree; give the digests, theirs and ours.

    Raises:
        DeniedError: when the source changed meanwhile or the copy differs.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("x+b") as out:
            before = os.fstat(source.fileno())
            theirs = _pour(source, out, before.st_size)
            after = os.fstat(source.fileno())
            out.flush()
            ours = jobs.digest(out)
        if theirs != ours or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
            raise jobs.DeniedError(
                f"{name!r} changed while it was fetched", "fetch it after the job has ended"
            )
        jobs.settle(part, target)
        jobs.sync_folder(target.parent)
    finally:
        part.unlink(missing_ok=True)
    return theirs, ours


def _pour(source: BinaryIO, out: BinaryIO, size: int) -> str:
    # No further than the size it had: a file that grows faster than we read has no end.
    seen = hashlib.sha256()
    while size > 0 and (chunk := source.read(min(jobs.CHUNK, size))):
        seen.update(chunk)
        out.write(chunk)
        size -= len(chunk)
    return seen.hexdigest()
