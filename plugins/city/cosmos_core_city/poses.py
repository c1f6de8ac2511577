"""Where every moving body is in every frame: the cache that pictures, boxes and other programs read.

A cache is the identity of a clip: physics is bit-equal between runs and thread counts of one machine, but not
promised to be so between machines.

For Houdini (Y up, quaternions x y z w): a point (x, y, z) becomes (x, z, -y), a quaternion (w, i, j, k) becomes
``orient`` (i, k, -j, w), and a body's pivot is the packed primitive's ``pivot``. :meth:`PoseCache.houdini` does it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import zipfile
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    Floats: TypeAlias = NDArray[np.float32]
    Mask: TypeAlias = NDArray[np.bool_]

DETACHED = 0.25
"""Metres after which a body counts as detached: rubble, where it was part of a building."""
_FIELDS = ("poses", "pivots", "bodies", "starts", "fps")


@attrs.frozen(eq=False, kw_only=True)
class PoseCache:
    """Poses of B bodies in F frames. P pieces of a structure and N props are carried by them."""

    poses: Floats
    """(F, B, 7): x, y, z in metres, then the unit quaternion w, i, j, k."""
    pivots: Floats
    """(B, 3), where the origin of each body rests. A point p of a body at rest is at x + R(p - pivot)."""
    bodies: NDArray[np.int32]
    """(P + N,), the body that carries each piece, then each prop; -1 for what never moves."""
    starts: Floats
    """(B,), seconds after the first frame at which each body lets go; negative before it, 0 for props."""
    fps: float

    @property
    def frames(self) -> int:
        """How many frames there are."""
        return len(self.poses)

    @property
    def digest(self) -> str:
        """SHA-256 over all of it, as 64 hexadecimal digits."""
        total = hashlib.sha256()
        for name, array in _arrays(self).items():
            total.update(f"{name}{array.dtype.str}{array.shape}".encode())
            total.update(np.ascontiguousarray(array).tobytes())
        return total.hexdigest()

    def matrices(self, frame: int) -> Floats:
        """What takes points at rest to where they are in *frame*: (B, 3, 4), rotation and translation."""
        turn = rotations(self.poses[frame, :, 3:].astype(np.float64))
        shift = self.poses[frame, :, :3] - np.einsum("bij,bj->bi", turn, self.pivots.astype(np.float64))
        return np.concatenate([turn, shift[:, :, None]], axis=2).astype(np.float32)

    def moved(self, distance: float = DETACHED) -> Mask:
        """Which bodies have been more than *distance* metres from rest by each frame, (F, B); once is for good."""
        away = np.linalg.norm(self.poses[:, :, :3] - self.pivots, axis=2) > distance
        return np.logical_or.accumulate(away, axis=0)

    def velocities(self, frame: int) -> Floats:
        """Metres and radians a second from the frame before to *frame*, (B, 6); zero in the first."""
        if frame == 0:
            return np.zeros((self.poses.shape[1], 6), dtype=np.float32)
        before, now = self.poses[frame - 1].astype(np.float64), self.poses[frame].astype(np.float64)
        turn = _product(now[:, 3:], before[:, 3:] * [1, -1, -1, -1])
        turn *= np.where(turn[:, :1] < 0, -1, 1)
        size = np.linalg.norm(turn[:, 1:], axis=1)
        angle = 2 * np.arctan2(size, turn[:, 0])
        spin = turn[:, 1:] * (angle / np.maximum(size, 1e-12))[:, None]
        return (np.concatenate([now[:, :3] - before[:, :3], spin], axis=1) * self.fps).astype(np.float32)

    def houdini(self) -> tuple[Floats, Floats, Floats]:
        """``P`` (F, B, 3), ``orient`` (F, B, 4) and ``pivot`` (B, 3) as Houdini means them: Y up, x y z w."""
        x, y, z, w, i, j, k = np.moveaxis(self.poses, 2, 0)
        px, py, pz = self.pivots.T
        return np.stack([x, z, -y], axis=2), np.stack([i, k, -j, w], axis=2), np.stack([px, pz, -py], axis=1)


def rotations(quaternions: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rotation matrices (B, 3, 3) of quaternions w, i, j, k (B, 4)."""
    w, i, j, k = (quaternions / np.linalg.norm(quaternions, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (j * j + k * k), 2 * (i * j - k * w), 2 * (i * k + j * w)],
        [2 * (i * j + k * w), 1 - 2 * (i * i + k * k), 2 * (j * k - i * w)],
        [2 * (i * k - j * w), 2 * (j * k + i * w), 1 - 2 * (i * i + j * j)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def save(cache: PoseCache, path: Path) -> None:
    """Write *cache* so that *path* holds all of it or is as it was. Equal caches give equal files."""
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    try:
        with part.open("wb") as out:
            np.savez(out, allow_pickle=False, **_arrays(cache))
            out.flush()
            os.fsync(out.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load(path: Path) -> PoseCache:
    """The cache that :func:`save` wrote.

    Raises:
        InputError: when the file is missing, damaged or of another kind.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            arrays = {name: held[name] for name in _FIELDS}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a pose cache: {error}") from error
    return PoseCache(**{**arrays, "fps": float(arrays["fps"])})


def _arrays(cache: PoseCache) -> dict[str, Any]:
    return {name: np.asarray(getattr(cache, name)) for name in _FIELDS}


def _product(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Hamilton products of quaternions w, i, j, k, (B, 4)."""
    aw, ax, ay, az = a.T
    bw, bx, by, bz = b.T
    return np.stack(
        [
            aw * bw - ax * bx - ay * by - az * bz,
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
        ],
        axis=1,
    )
