"""Files that a request names beside its clip: a mask, a style image. Named by path, and pinned by what is in them."""

from __future__ import annotations

import re
from fractions import Fraction
from functools import lru_cache
from pathlib import Path, PurePosixPath

import attrs

from cosmos_core.errors import InputError
from cosmos_core.extend import Input
from cosmos_core.media import file_digest, probe, sniff

_PINNED = re.compile(
    r"(?P<path>.+)#sha256=(?P<digest>[0-9a-f]{64})&bytes=(?P<bytes>\d+)(?:&frames=(?P<frames>\d+))?"
)


@attrs.frozen(kw_only=True)
class Pinned:
    """A file as a request keeps it: where it lay, and what was in it."""

    path: Path
    digest: str
    bytes: int
    frames: int = 0
    """As its header says; 0 where it has none."""

    def __str__(self) -> str:
        frames = f"&frames={self.frames}" if self.frames else ""
        return f"{self.path.as_posix()}#sha256={self.digest}&bytes={self.bytes}{frames}"

    @property
    def input(self) -> Input:
        """The file as a job's input, named by its digest and its suffix in small letters."""
        suffix = PurePosixPath(self.path.name).suffix.lower()
        return Input(
            name=f"inputs/{self.digest}{suffix}", digest=self.digest, path=self.path, bytes=self.bytes
        )


def pin(value: str) -> str:
    """A path as a pinned file; what is pinned already stays as it is, and nothing stays nothing.

    Raises:
        InputError: when there is no such file, or it is a Git LFS pointer, an error page or empty. NVIDIA's programs
            take all of these and fail after the model was loaded.
    """
    if not value or _PINNED.fullmatch(value):
        return value
    path = Path(value).expanduser().absolute()
    found = sniff(path)
    if found.kind in {"missing", "not_a_file", "empty", "pointer", "html"}:
        raise InputError(
            f"{path.name} {found.sentence}; the model's program would take it and fail after the model was loaded"
        )
    return str(_pin(path, path.stat().st_mtime_ns))


def unpin(value: str) -> Pinned | None:
    """What :func:`pin` made; None of nothing."""
    match = _PINNED.fullmatch(value)
    if match is None:
        return None
    return Pinned(
        path=Path(match["path"]),
        digest=match["digest"],
        bytes=int(match["bytes"]),
        frames=int(match["frames"] or 0),
    )


@lru_cache(maxsize=64)
def _pin(path: Path, _mtime: int) -> Pinned:
    return Pinned(path=path, digest=file_digest(path), bytes=path.stat().st_size, frames=_frames(path))


def _frames(path: Path) -> int:
    """Frames of a video or of an ``arr_0`` of shape (T, H, W) in an .npz; 0 for everything else."""
    if path.suffix.lower() == ".npz":
        return _labels(path)
    if sniff(path).kind != "video":
        return 0
    facts = probe(path)
    return facts.frames or round(Fraction(facts.seconds).limit_denominator(1000) * facts.fps)


def _labels(path: Path) -> int:
    import zipfile

    import numpy as np

    try:
        with zipfile.ZipFile(path) as archive, archive.open("arr_0.npy") as member:
            version = np.lib.format.read_magic(member)
            read = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape = read(member)[0]
    except (KeyError, ValueError, zipfile.BadZipFile, OSError) as error:
        raise InputError(
            f"{path.name} holds no array arr_0: {error}; the model's program would die of it after the model was loaded",
            hint="write it with np.savez(path, labels), labels of shape (T, H, W)",
        ) from error
    if len(shape) != 3:
        raise InputError(f"arr_0 of {path.name} has shape {shape}, and must be (T, H, W)")
    return int(shape[0])
