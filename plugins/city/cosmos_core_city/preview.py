"""One frame of every pass as PNG files: a look at a spec before a clip of it is made."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cosmos_core import controls, media
from cosmos_core_city import camera, truth
from cosmos_core_city.build import build
from cosmos_core_city.generate import LEAST_SHARE, Moment, choose, control, output, passes, sight
from cosmos_core_city.kept import kept
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
from cosmos_core_city.spec import CitySpec, resolve

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def preview(spec: CitySpec, folder: Path, moment: float) -> list[Path]:
    """Write ``color.png``, its controls and ``normal.png`` for the frame at *moment*, 0 to 1 of the clip, into *folder*.

    Depth takes its range from this frame alone, so it is brighter or darker than the same frame of a clip.

    Raises:
        InputError: when no camera path passes the gates.
    """
    out = output(spec)
    city = resolve(spec)
    whole = kept(city, out.frames, float(out.fps))
    scene = whole.scene
    with Renderer(scene, daylight(spec, city), EXPOSURE, motion=whole.motion) as renderer:
        shot = choose(spec, city, whole, renderer, out)
        frame = min(out.frames - 1, int(moment * out.frames))
        seen, rgb = renderer.draw(shot.path.view(frame, out.width, out.height), frame)
    moved = whole.motion.moved()[frame] if whole.motion else None
    groups = np.append(scene.grouped(scene.state(moved)), 0)[seen.ids]
    shares = np.bincount(groups.ravel()) / groups.size
    colours = controls.palette(np.flatnonzero(shares >= LEAST_SHARE).tolist(), spec.seed)
    made = Moment(rgb, seen.inverse, groups)
    span = controls.depth_range([seen.inverse])
    folder.mkdir(parents=True, exist_ok=True)
    pictures = {name: control(name, made, span, colours) for name in passes(spec.profile)}
    pictures["normal"] = truth.normals(scene, sight(shot, whole, seen, frame, out))
    with ThreadPoolExecutor(2, thread_name_prefix="png") as pool:
        return list(pool.map(_save, [folder / f"{name}.png" for name in pictures], pictures.values()))


def _save(path: Path, picture: NDArray[np.uint8]) -> Path:
    """A PNG of an RGB (H, W, 3) or grey (H, W) picture, whole or not at all."""
    part = path.with_name(path.name + ".part")
    pixels = picture[..., ::-1] if picture.ndim == 3 else picture
    part.write_bytes(cv2.imencode(".png", pixels, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1].tobytes())
    media.publish([(part, path)])
    return path


def warm_up() -> None:
    """Compile every kernel and keep it on disk."""
    spec = CitySpec(width=64, height=64, frames=2)
    city = resolve(spec)
    scene = build(city)
    with Renderer(scene, daylight(spec, city), EXPOSURE) as renderer:
        path = camera.path(spec, city, 2, 24.0, 0)
        renderer.look(path.view(0, 64, 64))
        renderer.draw(path.view(0, 64, 64))
