"""Makers of whole and broken media: real files, small, equal for equal arguments.

For tests of checks, backends and transports. Every maker writes *path* and gives it back. Sizes default to 64x48 and
12 frames, which encode in milliseconds; ask for 1280x704x93 when size matters. Imports NumPy.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core import controls, media

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from fractions import Fraction

    Pixels = NDArray[np.uint8]

SKY, GROUND, FIRST_BOX = 0, 1, 2
"""Object ids of :func:`scene`: the boxes count up from the third."""


@attrs.frozen(kw_only=True, eq=False)
class Moment:
    """One moment of :func:`scene`."""

    rgb: NDArray[Any]
    """(H, W, 3) uint8."""
    z: NDArray[Any]
    """(H, W) float32, planar metres, infinite in the sky."""
    ids: NDArray[Any]
    """(H, W) int32, 0 in the sky."""


def scene(
    *, frames: int = 12, width: int = 64, height: int = 48, seed: int = 0, boxes: int = 4
) -> Iterator[Moment]:
    """Pan over a small street of boxes under a sky: colour, metric depth and object ids that agree.

    No two frames are equal, near is at the bottom, and equal arguments give equal pixels.
    """
    rng = np.random.default_rng(seed)
    texture = rng.integers(60, 190, (8, 16, 3), dtype=np.uint8)
    bodies = [_Box(rng, number, boxes) for number in range(boxes)]
    for index in range(frames):
        yield _moment(texture, bodies, index / 24, width, height)


class _Box:
    """A box that stands on the ground and slides sideways."""

    def __init__(self, rng: np.random.Generator, number: int, of: int) -> None:
        self.id = FIRST_BOX + number
        self.z = 24.0 * (of - number) / of + 3
        self.x, self.speed = rng.uniform(0, 1), rng.uniform(0.2, 0.6) * rng.choice([-1, 1])
        self.size = rng.uniform(0.15, 0.3), rng.uniform(0.3, 0.6)
        self.colour = rng.integers(30, 226, 3)


def _moment(texture: Pixels, bodies: list[_Box], seconds: float, width: int, height: int) -> Moment:
    down, across = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    rows, columns = (down * 8).astype(int), ((across + seconds * 0.7) * 16).astype(int) % 16
    ground = down > 0.4
    rgb = texture[rows][:, columns]
    rgb[~ground] = (np.array([150, 180, 215]) - 60 * down[~ground, None]).astype(np.uint8)[:, None]
    far = np.where(ground, 1.5 / np.maximum(down - 0.38, 0.02), np.inf).astype(np.float32)
    z = np.repeat(far[:, None], width, axis=1)
    ids = np.repeat(np.where(ground, GROUND, SKY).astype(np.int32)[:, None], width, axis=1)
    for body in bodies:
        left = (body.x + body.speed * seconds) % 1.2 - 0.2
        foot = 0.38 + 1.5 / body.z
        x = slice(*np.searchsorted(across, (left, left + body.size[0])))
        y = slice(*np.searchsorted(down, (foot - body.size[1], foot)))
        stripes = 0.75 + 0.25 * ((across[x] - left) * 24 % 2 > 1)
        rgb[y, x] = (body.colour * stripes[:, None]).astype(np.uint8)
        z[y, x], ids[y, x] = body.z, body.id
    return Moment(rgb=rgb, z=z, ids=ids)


def make_video(
    path: Path | str,
    *,
    frames: int = 12,
    width: int = 64,
    height: int = 48,
    fps: Fraction | float = 24,
    seed: int = 0,
    style: str = "colour",
) -> Path:
    """Make a whole video of a moving scene: the one that every check should like."""
    moments = scene(frames=frames, width=width, height=height, seed=seed)
    return controls.write_video(path, (moment.rgb for moment in moments), fps, style)


def make_black(
    path: Path | str, *, frames: int = 12, width: int = 64, height: int = 48, fps: Fraction | float = 24
) -> Path:
    """Make a video that is black from end to end."""
    return _still(path, np.zeros((height, width, 3), np.uint8), frames, fps)


def make_flat(
    path: Path | str,
    *,
    frames: int = 12,
    width: int = 64,
    height: int = 48,
    fps: Fraction | float = 24,
    level: int = 128,
) -> Path:
    """Make a video of one grey, without any structure."""
    return _still(path, np.full((height, width, 3), level, np.uint8), frames, fps)


def make_frozen(
    path: Path | str,
    *,
    frames: int = 12,
    width: int = 64,
    height: int = 48,
    fps: Fraction | float = 24,
    seed: int = 0,
    after: int = 0,
) -> Path:
    """Make a video that stands still from frame *after* on."""
    moving = [moment.rgb for moment in scene(frames=after + 1, width=width, height=height, seed=seed)]
    still = [moving[-1]] * (frames - len(moving))
    # Exact: an encoder with loss goes on polishing a frame that does not change, so that it does.
    return controls.write_video(path, moving + still, fps, "exact")


def make_flicker(
    path: Path | str,
    *,
    frames: int = 12,
    width: int = 64,
    height: int = 48,
    fps: Fraction | float = 24,
    seed: int = 0,
    swing: int = 60,
) -> Path:
    """Make a video whose brightness jumps by *swing* grey levels with every frame."""
    moments = scene(frames=frames, width=width, height=height, seed=seed)
    lit = (
        np.clip(moment.rgb.astype(int) + (swing // 2) * (-1) ** index, 0, 255).astype(np.uint8)
        for index, moment in enumerate(moments)
    )
    return controls.write_video(path, lit, fps)


def _still(path: Path | str, frame: Pixels, frames: int, fps: Fraction | float) -> Path:
    return controls.write_video(path, [frame] * frames, fps)


def make_cut(path: Path | str, *, frames: int = 24, width: int = 64, height: int = 48, seed: int = 0) -> Path:
    """Make a video cut in half behind its index: it opens, promises all frames, gives fewer and no error.

    This is what an interrupted copy of a web-ready file (``moov`` before ``mdat``) looks like.
    """
    whole = make_video(path, frames=frames, width=width, height=height, seed=seed, style="proxy").read_bytes()
    start = whole.index(b"mdat") + 4
    return media.write_bytes(path, whole[: start + (len(whole) - start) // 2])


def make_tail_cut(
    path: Path | str, *, frames: int = 12, width: int = 64, height: int = 48, seed: int = 0
) -> Path:
    """Make a video whose index was at its end and is cut off (``moov`` after ``mdat``): it does not open."""
    whole = make_video(path, frames=frames, width=width, height=height, seed=seed).read_bytes()
    return media.write_bytes(path, whole[: whole.index(b"moov") - 16])


def make_rotten(
    path: Path | str, *, frames: int = 12, width: int = 64, height: int = 48, seed: int = 0, rot: int = 64
) -> Path:
    """Make a video with *rot* wrong bytes in its middle: every frame comes out, one or more of them damaged.

    Some random bytes are a legal picture that no decoder can tell from the right one, so places are tried in a
    fixed order until the decoder marks a frame.
    """
    path = make_video(path, frames=frames, width=width, height=height, seed=seed)
    whole = path.read_bytes()
    start, end = whole.index(b"mdat") + 4, whole.index(b"moov") - 4
    rng = np.random.default_rng(seed)
    for _ in range(200):
        at = int(rng.integers(start + (end - start) // 3, end - rot))
        media.write_bytes(path, whole[:at] + rng.bytes(rot) + whole[at + rot :])
        survey = media.survey(path)
        if survey.corrupt and survey.decoded == frames:
            return path
    raise ValueError(f"{rot} wrong bytes do no visible damage to {frames} frames of {width}x{height}")


def make_pointer(path: Path | str, *, oid: str = "", size: int = 3_141_592) -> Path:
    """Make the Git LFS pointer of a file that is elsewhere; *oid* is the SHA-256 it names."""
    oid = oid or hashlib.sha256(Path(path).name.encode()).hexdigest()
    text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n"
    return media.write_bytes(path, text.encode())


def make_html(path: Path | str) -> Path:
    """Make the error page that a download saved under the name of a video."""
    page = "<!DOCTYPE html>\n<html><head><title>403</title></head><body><h1>Forbidden</h1></body></html>\n"
    return media.write_bytes(path, page.encode())


def make_text(path: Path | str) -> Path:
    """Make a log that was saved under the name of a video."""
    return media.write_bytes(path, b"torch.cuda.OutOfMemoryError: CUDA out of memory.\n")


def make_empty(path: Path | str) -> Path:
    """Make a file of zero bytes."""
    return media.write_bytes(path, b"")


def make_images(
    folder: Path | str,
    pattern: str = "color.{:04}.png",
    *,
    frames: int = 12,
    width: int = 64,
    height: int = 48,
    seed: int = 0,
    what: str = "color",
    numbers: Iterable[int] | None = None,
) -> list[Path]:
    """Make numbered images of one pass of :func:`scene`.

    Args:
        folder: is made when it is missing.
        pattern: file name with a place for the number; the suffix says the format.
        frames: how many.
        width: in pixels.
        height: same.
        seed: of the scene.
        what: ``color``, ``depth`` or ``seg``.
        numbers: of the frames; from 1 on by default.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    numbers = range(1, frames + 1) if numbers is None else numbers
    moments = list(scene(frames=frames, width=width, height=height, seed=seed))
    pictures = _pictures(moments, what, seed)
    return [
        media.write_image(folder / pattern.format(number), picture)
        for number, picture in zip(numbers, pictures, strict=True)
    ]


def _pictures(moments: list[Moment], what: str, seed: int) -> list[Pixels]:
    if what == "depth":
        inverse = [controls.inverse_depth(moment.z) for moment in moments]
        lo, hi = controls.depth_range(inverse)
        return [controls.depth(frame, lo, hi) for frame in inverse]
    if what == "seg":
        colours = controls.palette({int(i) for moment in moments for i in np.unique(moment.ids)}, seed)
        return [controls.segmentation(moment.ids, colours) for moment in moments]
    return [moment.rgb for moment in moments]


def make_clip(
    folder: Path | str,
    *,
    frames: int = 12,
    width: int = 64,
    height: int = 48,
    fps: Fraction | float = 24,
    seed: int = 0,
    depth: bool = True,
    seg: bool = True,
) -> Path:
    """Make a folder with ``color.mp4``, ``depth.mp4`` and ``segmentation.mp4`` of a moving scene, ready to be sealed.

    *folder* is made when it is missing.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    colours = controls.palette(range(FIRST_BOX + 4), seed)
    with controls.ClipWriter(folder, width, height, fps=fps, colours=colours) as clip:
        for moment in scene(frames=frames, width=width, height=height, seed=seed):
            clip.write(moment.rgb, depth=moment.z if depth else None, labels=moment.ids if seg else None)
    return folder
