"""One frame of every pass as PNG files: a look at a spec before a clip of it is made."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

import attrs
import cv2
import numpy as np

from cosmos_core import controls, media
from cosmos_core_city import camera, truth
from cosmos_core_city.generate import LEAST_SHARE, Moment, chosen, control, output, passes, sight
from cosmos_core_city.kept import kept
from cosmos_core_city.labels import Label
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.materials import Kind, Materials
from cosmos_core_city.mesh import boxes, part
from cosmos_core_city.poses import PoseCache
from cosmos_core_city.render import Renderer, View
from cosmos_core_city.scene import Thing, assemble
from cosmos_core_city.spec import CitySpec, resolve
from cosmos_core_city.structure import Block, pieces_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from cosmos_core_city.generate import Output, Shot
    from cosmos_core_city.render import Picture
    from cosmos_core_city.scene import Scene
    from cosmos_core_city.shade import Light
    from cosmos_core_city.spec import City
    from cosmos_core_city.wreck import Wreck


def preview(spec: CitySpec, folder: Path, moment: float) -> tuple[list[Path], Shot]:
    """Write ``color.png``, its controls and ``normal.png`` for the frame at *moment*, 0 to 1 of the clip, into *folder*.

    The path is the one that the clip takes. Depth takes its range from this frame alone, so it is brighter or darker
    than the same frame of a clip. Gives the files, and the path with those refused before it.

    Raises:
        InputError: when no camera path passes the gates.
    """
    out = output(spec)
    frame = min(out.frames - 1, int(moment * out.frames))
    with _ready(spec, out) as (city, whole, renderer):
        shot = chosen(spec, city, whole, renderer, out)
        seen, rgb = renderer.draw(shot.path.view(frame, out.width, out.height), frame)
    scene = whole.scene
    moved = whole.motion.moved()[frame] if whole.motion else None
    groups = np.append(scene.grouped(scene.state(moved)), 0)[seen.ids]
    shares = np.bincount(groups.ravel()) / groups.size
    colours = controls.palette(np.flatnonzero(shares >= LEAST_SHARE).tolist(), spec.seed)
    made = Moment(rgb, seen.inverse, groups)
    span = controls.depth_range([seen.inverse])
    folder.mkdir(parents=True, exist_ok=True)
    makers: dict[str, Callable[[], NDArray[np.uint8]]] = {
        name: functools.partial(control, name, made, span, colours) for name in passes(spec.profile)
    }
    makers["normal"] = lambda: truth.normals(scene, sight(shot, whole, seen, frame, out))
    with ThreadPoolExecutor(2, thread_name_prefix="png") as pool:
        return list(pool.map(_save, [folder / f"{name}.png" for name in makers], makers.values())), shot


class _Sketchbook(Renderer):
    """A renderer that keeps what it has drawn: the picture asked for is often one that the gates have looked at."""

    def __init__(self, scene: Scene, light: Light, exposure: float, *, motion: PoseCache | None) -> None:
        super().__init__(scene, light, exposure, motion=motion)
        self._drawn: dict[tuple[object, ...], tuple[Picture, NDArray[np.uint8]]] = {}

    def draw(self, view: View, frame: int = 0) -> tuple[Picture, NDArray[np.uint8]]:
        key = (view.pose.tobytes(), view.lens, view.size, frame)
        if key not in self._drawn:
            self._drawn[key] = super().draw(view, frame)
        return self._drawn[key]


def _save(path: Path, make: Callable[[], NDArray[np.uint8]]) -> Path:
    """A PNG of the RGB (H, W, 3) or grey (H, W) picture that *make* makes, whole or not at all."""
    part = path.with_name(path.name + ".part")
    picture = make()
    pixels = picture[..., ::-1] if picture.ndim == 3 else picture
    quickly = [cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    part.write_bytes(cv2.imencode(".png", pixels, quickly)[1].tobytes())
    media.publish([(part, path)])
    return path


def prepare(spec: CitySpec) -> Shot:
    """Keep what the clip of *spec* needs before its first picture: the street, what falls, and the camera's path.

    Raises:
        InputError: when no camera path passes the gates.
    """
    out = output(spec)
    with _ready(spec, out) as (city, whole, renderer):
        return chosen(spec, city, whole, renderer, out)


@contextmanager
def _ready(spec: CitySpec, out: Output) -> Iterator[tuple[City, Wreck, Renderer]]:
    """The city of *spec*, what becomes of it, and what draws it; kernels are loaded while the street is built."""
    city = resolve(spec)
    with ThreadPoolExecutor(1, thread_name_prefix="kernels") as pool:
        loading = pool.submit(warm_up)
        whole = kept(city, out.frames, float(out.fps))
        loading.result()
    with _Sketchbook(whole.scene, daylight(spec, city), EXPOSURE, motion=whole.motion) as renderer:
        yield city, whole, renderer


def compile_all() -> None:
    """Compile and keep every kernel that is not kept yet: those that draw, and those that break a house."""
    warm_up()
    wall = Block(low=(0.0, 0.0, 0.0), high=(2.0, 0.3, 2.0), panel="wall", label=int(Label.BUILDING))
    blocks = (wall, attrs.evolve(wall, low=(0.0, 0.0, 2.0), high=(2.0, 0.3, 4.0), panel="upper wall"))
    pieces_of(blocks, seed=1, ground=0.0, blast=((1.0, 0.0, 1.0), 4.0))


def warm_up() -> None:
    """Load every kernel that draws; compile and keep those that are not kept yet. One box that moves needs them all."""
    spec = CitySpec()
    city = resolve(spec)
    materials = Materials()
    box = part(boxes((-1.0, -1.0, 0.0), (1.0, 1.0, 2.0)), materials.row(Kind.PAINT, "#808080"), Label.VEHICLE)
    item = Thing("box", "box", (attrs.evolve(box, body=np.zeros(8, dtype=np.int32)),))
    scene = assemble([item], materials.table(), [Kind.LEAF], np.array([[-9.0, -9.0, 0.0], [9.0, 9.0, 9.0]]))
    motion = PoseCache(
        poses=np.array([[[0.0, 0.0, 0.5, 1.0, 0.0, 0.0, 0.0]]], dtype=np.float32),
        pivots=np.zeros((1, 3), dtype=np.float32),
        bodies=np.zeros(1, dtype=np.int32),
        starts=np.zeros(1, dtype=np.float32),
        fps=24.0,
    )
    pose = camera.look(np.array([6.0, 5.0, 3.0]), np.zeros(3))
    with Renderer(scene, daylight(spec, city), EXPOSURE, motion=motion, workers=1) as renderer:
        renderer.draw(View(pose, (64.0, 64.0, 32.0, 32.0), (64, 64)), 0)
