"""Ground truth beside a clip: normals, motion, metric depth, instances, classes and damage, pixel by pixel.

Each is a pure function of what the renderer saw. Nothing here is smoothed: a pixel says what its centre sees, so
borders are hard and all passes agree. Sizes and CPU of a 1280x704 frame decided the files: half-precision depth takes
14 ms and 0.5 MB deflated, 20 ms and 0.16 MB as 16-bit FFV1. Arrays are deflated NumPy files, because they are faster
and NumPy alone reads them: ``numpy.load("truth/depth.npz")["arr_0"]`` has the shape (frames, height, width).
"""

from __future__ import annotations

import zipfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core import controls, media
from cosmos_core.errors import InputError
from cosmos_core_city.labels import table
from cosmos_core_city.render import Picture, View
from cosmos_core_city.spec import ALL, TRUTH

if TYPE_CHECKING:
    from collections.abc import Iterable
    from fractions import Fraction
    from pathlib import Path
    from types import TracebackType

    from cosmos_core_city.scene import Scene

    Floats: TypeAlias = NDArray[np.floating[Any]]
    Pixels: TypeAlias = NDArray[np.uint8]

FOLDER = "truth"
DAMAGE = {"intact": 0, "detached": 1}
"""Damage states by name: what still is where it was built, and what has let go of it."""


@attrs.frozen(eq=False, kw_only=True)
class Bodies:
    """What moves, in one frame. T triangles, B bodies."""

    of: NDArray[np.int32]
    """The body of each triangle (T,), -1 for what never moves."""
    now: Floats
    """(B, 3, 4), rotation and translation from rest to where they are."""
    before: Floats
    """The same of the frame before."""
    state: Pixels
    """The damage state of each body (B,)."""


@attrs.frozen(eq=False, kw_only=True)
class Sight:
    """One frame as the renderer saw it, from where, and from where the frame before was seen."""

    picture: Picture
    view: View
    before: View
    """The view of the previous frame; of the first frame, its own."""
    bodies: Bodies | None = None


@attrs.frozen(kw_only=True)
class Kind:
    """One kind of ground truth: where it lies and what its numbers mean."""

    file: str
    dtype: str
    channels: int
    unit: str
    meaning: str


KINDS: dict[str, Kind] = {
    "normal": Kind(
        file="normal.mp4",
        dtype="uint8",
        channels=3,
        unit="round((n + 1) * 127.5)",
        meaning="unit normal in world axes, Z up, towards the camera; 0 0 0 where nothing is",
    ),
    "normal_camera": Kind(
        file=f"{FOLDER}/normal_camera.mp4",
        dtype="uint8",
        channels=3,
        unit="round((n + 1) * 127.5)",
        meaning="unit normal, x right, y up, z towards the viewer; 0 0 0 where nothing is",
    ),
    "motion": Kind(
        file=f"{FOLDER}/motion.npz",
        dtype="float16",
        channels=2,
        unit="pixels",
        meaning="x and y from this pixel to where the same point of the surface was in the frame before, seen or "
        "hidden; 0 in the first frame; NaN where it was behind the camera; the sky is infinitely far",
    ),
    "depth": Kind(
        file=f"{FOLDER}/depth.npz",
        dtype="float16",
        channels=1,
        unit="metres",
        meaning="planar distance along the camera's axis; infinite for sky",
    ),
    "instance": Kind(
        file=f"{FOLDER}/instance.npz",
        dtype="uint16",
        channels=1,
        unit="number",
        meaning="0 for sky, else one more than the place in the table of names",
    ),
    "semantic": Kind(
        file=f"{FOLDER}/semantic.npz",
        dtype="uint8",
        channels=1,
        unit="label",
        meaning="what the surface was built as, also when it has fallen since",
    ),
    "damage": Kind(
        file=f"{FOLDER}/damage.npz",
        dtype="uint8",
        channels=1,
        unit="state",
        meaning="what became of the surface",
    ),
}


def wanted(names: Iterable[str]) -> tuple[str, ...]:
    """The kinds that *names* ask for, in their own order; ``all`` is every one."""
    asked = set(names)
    return tuple(name for name in TRUTH if name in asked or ALL in asked)


def normals(scene: Scene, sight: Sight, *, camera: bool = False) -> Pixels:
    """Normals of the surfaces, (H, W, 3), as ``round((n + 1) * 127.5)``; (0, 0, 0), which no normal is, for sky.

    In world axes, or for *camera* with x right, y up and z towards the viewer. What is seen from both sides, such as
    leaves, turns its normal to the camera.
    """
    turned, points = _placed(scene, sight.bodies)
    eye = sight.view.pose[:3, 3]
    away = ((points - eye) * turned).sum(axis=1) > 0
    turned = np.where((away & (scene.thin > 0))[:, None], -turned, turned)
    if camera:
        axes = sight.view.pose[:3, :3] * [1.0, -1.0, -1.0]
        turned = np.stack([(turned * axes[:, i]).sum(axis=1) for i in range(3)], axis=1)
    colours = np.zeros((len(turned) + 1, 3), dtype=np.uint8)
    colours[:-1] = np.rint((np.clip(turned, -1, 1) + 1) * 127.5)
    return np.asarray(colours[sight.picture.ids])


def _placed(scene: Scene, bodies: Bodies | None) -> tuple[Floats, Floats]:
    """Where the bodies have carried the normal and the first corner of each triangle, (T, 3) each."""
    turned = scene.normals.astype(np.float64)
    points = scene.vertices[scene.triangles[:, 0]].astype(np.float64)
    if bodies is not None:
        moving = np.flatnonzero(bodies.of >= 0)
        matrix = bodies.now[bodies.of[moving]].astype(np.float64)
        turned[moving] = (matrix[:, :, :3] * turned[moving][:, None, :]).sum(axis=2)
        points[moving] = (matrix[:, :, :3] * points[moving][:, None, :]).sum(axis=2) + matrix[:, :, 3]
    return turned, points


def motion(sight: Sight) -> NDArray[np.float16]:
    """From each pixel to where its surface point was in the frame before: (H, W, 2), x and y in pixels.

    Depends on the motion of the camera and of the body that carries the point. Half precision keeps 1/64 pixel up to
    a motion of 16 pixels.
    """
    ids, inverse = sight.picture.ids, sight.picture.inverse.astype(np.float64)
    fx, fy, cx, cy = sight.view.lens
    height, width = ids.shape
    x, y = np.arange(width) + 0.5, np.arange(height) + 0.5
    rays = np.stack(np.broadcast_arrays(((x - cx) / fx)[None], ((y - cy) / fy)[:, None], 1.0), axis=2)
    back = _inverse(sight.before.pose)
    there = _carried(_product(back, sight.view.pose), rays, inverse)
    if sight.bodies is not None:
        owner = np.append(sight.bodies.of, -1)[ids]
        moving = owner >= 0
        paths = _paths(sight.bodies, back, sight.view.pose)
        there[moving] = _carried(paths[owner[moving]], rays[moving], inverse[moving])
    fx, fy, cx, cy = sight.before.lens
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        depth = np.where(there[..., 2] > 0, there[..., 2], np.nan)
        found = np.stack(
            [there[..., 0] / depth * fx + cx - x, there[..., 1] / depth * fy + cy - y[:, None]], axis=2
        )
        return found.astype(np.float16)


def _carried(matrix: Floats, rays: Floats, inverse: Floats) -> Floats:
    """Homogeneous points (..., 3): rays turned by *matrix*, one or one a ray, and moved by 1/z of its translation.

    At 1/z = 0 only the turn is left, so that sky is no exception.
    """
    # Sums by hand: a product through BLAS may differ with the number of threads.
    turned = [
        rays[..., 0] * matrix[..., i, 0] + rays[..., 1] * matrix[..., i, 1] + rays[..., 2] * matrix[..., i, 2]
        + inverse * matrix[..., i, 3]
        for i in range(3)
    ]  # fmt: skip
    return np.stack(turned, axis=-1)


def _paths(bodies: Bodies, back: Floats, pose: Floats) -> Floats:
    """For each body, from this camera to its rest, to where it was, to the camera before: (B, 4, 4)."""
    rest = _product(_inverse(bodies.now), pose)
    return _product(back, _product(_square(bodies.before), rest))


def _square(matrix: Floats) -> Floats:
    """(..., 4, 4) of (..., 3, 4)."""
    full = np.zeros((*matrix.shape[:-2], 4, 4))
    full[..., :3, :] = matrix[..., :3, :]
    full[..., 3, 3] = 1.0
    return full


def _inverse(matrix: Floats) -> Floats:
    """The inverses (..., 4, 4) of rotations with a translation, (..., 3, 4) or (..., 4, 4)."""
    full = _square(matrix)
    turn = np.swapaxes(full[..., :3, :3], -1, -2).copy()
    full[..., :3, 3] = -np.einsum("...ij,...j->...i", turn, full[..., :3, 3])
    full[..., :3, :3] = turn
    return full


def _product(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.einsum("...ij,...jk->...ik", a, b))


def depth(picture: Picture) -> NDArray[np.float16]:
    """Planar distance in metres, (H, W), infinite for sky. Half precision: 1 cm at 16 m, 3 cm at 64 m."""
    with np.errstate(divide="ignore"):
        return (1.0 / picture.inverse).astype(np.float16)


def instances(scene: Scene, picture: Picture) -> NDArray[np.uint16]:
    """One more than the number of the instance, (H, W); 0 for sky."""
    return np.asarray(np.append(scene.instance + 1, 0).astype(np.uint16)[picture.ids])


def semantic(scene: Scene, picture: Picture) -> Pixels:
    """The label that the surface was built with, (H, W); see :mod:`cosmos_core_city.labels`."""
    return np.asarray(np.append(scene.label, 0).astype(np.uint8)[picture.ids])


def damage(picture: Picture, bodies: Bodies | None) -> Pixels:
    """The damage state of the body that each pixel sees, (H, W); see :data:`DAMAGE`."""
    if bodies is None:
        return np.zeros(picture.ids.shape, dtype=np.uint8)
    owner = np.append(bodies.of, -1)[picture.ids]
    return np.asarray(np.append(bodies.state, 0).astype(np.uint8)[owner])


def frame(name: str, scene: Scene, sight: Sight) -> NDArray[Any]:
    """One frame of the kind *name*, of the type that :data:`KINDS` says."""
    if name in {"normal", "normal_camera"}:
        return normals(scene, sight, camera=name == "normal_camera")
    if name == "motion":
        return motion(sight)
    if name == "depth":
        return depth(sight.picture)
    if name == "damage":
        return damage(sight.picture, sight.bodies)
    return (instances if name == "instance" else semantic)(scene, sight.picture)


class ArrayWriter:
    """Streams an array, frame by frame, into a deflated NumPy file that appears only when it is whole.

    A context manager. Its one array is called ``arr_0``. Equal frames give equal bytes.
    """

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: str) -> None:
        """Prepare to write an array of *shape*, whose first number is that of the frames."""
        self.path = path
        self.shape = shape
        self.dtype = np.dtype(dtype)
        self.frames = 0
        self._part = path.with_name(path.name + ".part")
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            archive = stack.enter_context(
                zipfile.ZipFile(self._part, "w", zipfile.ZIP_DEFLATED, compresslevel=1)
            )
            # Without a date of its own an entry has the current one, and equal arrays would differ.
            entry = zipfile.ZipInfo("arr_0.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry._compresslevel = 1  # type: ignore[attr-defined]  # noqa: SLF001 (public only from 3.13)
            self._out = stack.enter_context(archive.open(entry, "w", force_zip64=True))
            descr = np.lib.format.dtype_to_descr(self.dtype)
            header = {"descr": descr, "fortran_order": False, "shape": self.shape}
            np.lib.format.write_array_header_1_0(self._out, header)
            self._stack = stack.pop_all()
        return self

    def write(self, values: NDArray[Any]) -> None:
        """Append a frame.

        Raises:
            InputError: when its shape or type is not the array's.
        """
        if values.shape != self.shape[1:] or values.dtype != self.dtype:
            raise InputError(
                f"{self.path.name}: frame {self.frames} is {values.dtype} {values.shape}, "
                f"not {self.dtype} {self.shape[1:]}"
            )
        self._out.write(np.ascontiguousarray(values).data)
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._stack.close()
            if kind is None:
                self._finish()
        finally:
            self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if self.frames != self.shape[0]:
            raise InputError(f"{self.path.name}: {self.frames} of {self.shape[0]} frames were written")
        media.publish([(self._part, self.path)])


def writer(
    name: str, folder: Path, size: tuple[int, int, int], fps: Fraction
) -> controls.VideoWriter | ArrayWriter:
    """What writes the kind *name* into the clip *folder*; *size* is frames, height, width."""
    kind = KINDS[name]
    path = folder / kind.file
    path.parent.mkdir(exist_ok=True)
    if path.suffix == ".mp4":
        return controls.VideoWriter(path, size[2], size[1], fps, "exact")
    return ArrayWriter(path, size if kind.channels == 1 else (*size, kind.channels), kind.dtype)


def describe(name: str, folder: Path, size: tuple[int, int, int], scene: Scene) -> dict[str, object]:
    """What the written kind *name* in *folder* is, as JSON: file, digest, type, shape, unit, source and names."""
    kind = KINDS[name]
    facts: dict[str, object] = {
        "file": kind.file,
        "sha256": media.file_digest(folder / kind.file),
        "dtype": kind.dtype,
        "shape": [*size, *([kind.channels] if kind.channels > 1 else [])],
        "unit": kind.unit,
        "meaning": kind.meaning,
        "source": "the renderer's visibility at pixel centres, without anti-aliasing",
    }
    if kind.file.endswith(".npz"):
        facts["key"] = "arr_0"
    return facts | _names(name, scene)


def _names(name: str, scene: Scene) -> dict[str, object]:
    if name == "instance":
        return {"names": [item.name for item in scene.instances]}
    if name == "semantic":
        return {"names": table()}
    return {"names": DAMAGE} if name == "damage" else {}
