"""From a spec to a clip folder: choose a path that passes the gates, draw it, encode every pass."""

from __future__ import annotations

import json
import math
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from fractions import Fraction
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core import controls, media
from cosmos_core.errors import InputError
from cosmos_core_city import camera, gates
from cosmos_core_city.build import build
from cosmos_core_city.camera import Path as CameraPath
from cosmos_core_city.gates import Seen
from cosmos_core_city.labels import Label, table
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.prompt import suggest
from cosmos_core_city.render import Renderer
from cosmos_core_city.spec import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cosmos_core.extend import Report
    from cosmos_core_city.render import Picture
    from cosmos_core_city.scene import Scene
    from cosmos_core_city.spec import City, CitySpec

SMALL = 320
"""Width of the pictures that the gates look at."""
LEAST_SHARE = 0.0005
"""Share of some frame that a group must fill to be a segment; smaller ones stay black, as nobody would segment them."""
PASSES = {"color": "colour", "depth": "exact", "segmentation": "exact", "edge": "exact"}


@attrs.frozen(kw_only=True)
class Output:
    """Size, length and rate of a clip."""

    width: int
    height: int
    frames: int
    fps: Fraction


@attrs.frozen(eq=False, kw_only=True)
class Shot:
    """A path that passed the gates, what it sees, and why those before it did not."""

    path: CameraPath
    seen: Seen
    refused: tuple[tuple[str, ...], ...]


@attrs.frozen(eq=False)
class Moment:
    """One frame as arrays: colour (H, W, 3), 1/z and groups (H, W)."""

    color: NDArray[np.uint8]
    inverse: NDArray[np.float32]
    groups: NDArray[np.integer[Any]]


def output(spec: CitySpec) -> Output:
    """The profile's numbers, unless the spec has its own."""
    profile = controls.PROFILES[spec.profile]
    return Output(
        width=spec.width or profile.width,
        height=spec.height or profile.height,
        frames=spec.frames or profile.frames,
        fps=Fraction(spec.fps or profile.fps),
    )


def generate(spec: CitySpec, folder: Path, report: Report) -> Mapping[str, object]:
    """Make the clip of *spec* in *folder*: four videos and ``camera.json``. Gives the facts that made it.

    Raises:
        InputError: when no path passes the gates; nothing is written then.
    """
    out = output(spec)
    report(0, out.frames, "building the street")
    city = resolve(spec)
    scene = build(city)
    with Renderer(scene, daylight(spec, city), EXPOSURE) as renderer:
        report(0, out.frames, "choosing a camera path")
        shot = choose(spec, city, scene, renderer, out)
        colours = palette(shot.seen, spec.seed)
        film(folder, scene, renderer, shot, out, colours, report)
    write_camera(folder / "camera.json", shot.path, out)
    return facts(spec, city, scene, shot, out, colours)


def choose(spec: CitySpec, city: City, scene: Scene, renderer: Renderer, out: Output) -> Shot:
    """The first path that passes every gate.

    Raises:
        InputError: when none of the attempts does, with the reasons of the last.
    """
    refused: list[tuple[str, ...]] = []
    for attempt in range(camera.ATTEMPTS):
        path = camera.path(spec, city, out.frames, float(out.fps), attempt)
        reasons = tuple(gates.refuse_path(scene, path))
        if not reasons:
            seen = gates.survey(scene, list(small_pictures(renderer, path, out)))
            reasons = seen.refusals or tuple(_shading(renderer, path, out))
            if not reasons:
                return Shot(path=path, seen=seen, refused=tuple(refused))
        refused.append(reasons)
    raise InputError(
        f"no {spec.camera} path of seed {spec.seed} passes the gates after {camera.ATTEMPTS} attempts: {refused[-1][0]}",
        hint="another seed, another camera, or a shorter clip",
    )


def small_pictures(renderer: Renderer, path: CameraPath, out: Output) -> Iterator[Picture]:
    """What the camera sees at every frame, small."""
    height = max(2, round(out.height * SMALL / out.width))
    for frame in range(out.frames):
        yield renderer.look(path.view(frame, out.width, out.height).scaled(SMALL, height))


def _shading(renderer: Renderer, path: CameraPath, out: Output) -> Iterator[str]:
    for frame in sorted({0, out.frames // 2, out.frames - 1}):
        _, rgb = renderer.draw(path.view(frame, out.width, out.height))
        yield from gates.refuse_shading(rgb)


def palette(seen: Seen, seed: int) -> dict[int, tuple[int, int, int]]:
    """Colours of the groups that are large enough somewhere in the clip; 0, the sky, is black."""
    return controls.palette(np.flatnonzero(seen.shares >= LEAST_SHARE).tolist(), seed)


def film(
    folder: Path,
    scene: Scene,
    renderer: Renderer,
    shot: Shot,
    out: Output,
    colours: Mapping[int, tuple[int, int, int]],
    report: Report,
) -> None:
    """Draw and encode every frame; the encoders work on one frame while the next is drawn."""
    group = np.append(scene.group, 0).astype(np.uint16)
    with ExitStack() as stack:
        videos = {
            name: stack.enter_context(
                controls.VideoWriter(folder / f"{name}.mp4", out.width, out.height, out.fps, style)
            )
            for name, style in PASSES.items()
        }
        pool = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="encode"))
        before: list[Future[None]] = []
        for frame in range(out.frames):
            seen, rgb = renderer.draw(shot.path.view(frame, out.width, out.height))
            for done in before:
                done.result()
            made = Moment(rgb, seen.inverse, group[seen.ids])
            before = [
                pool.submit(_encode, videos[name], name, made, shot.seen.depth_range, colours)
                for name in PASSES
            ]
            report(frame + 1, out.frames, "rendering")
        for done in before:
            done.result()


def _encode(
    video: controls.VideoWriter,
    name: str,
    made: Moment,
    depth_range: tuple[float, float],
    colours: Mapping[int, tuple[int, int, int]],
) -> None:
    video.write(control(name, made, depth_range, colours))


def control(
    name: str,
    made: Moment,
    depth_range: tuple[float, float],
    colours: Mapping[int, tuple[int, int, int]],
) -> NDArray[np.uint8]:
    """One frame of the pass *name*."""
    if name == "depth":
        return controls.depth(made.inverse, *depth_range)
    if name == "segmentation":
        return controls.segmentation(made.groups, colours)
    return controls.edge(made.color) if name == "edge" else made.color


def write_camera(path: Path, taken: CameraPath, out: Output) -> None:
    """Intrinsics and one pose a frame as JSON."""
    view = taken.view(0, out.width, out.height)
    text = json.dumps(
        {
            "convention": "camera to world, row-major 4x4; camera x right, y down, z forward; world Z up; metres",
            "width": out.width,
            "height": out.height,
            "fps": str(out.fps),
            "fx": view.lens[0],
            "fy": view.lens[1],
            "cx": view.lens[2],
            "cy": view.lens[3],
            "poses": [[[round(v, 9) for v in row] for row in pose] for pose in taken.poses.tolist()],
        }
    )
    part = path.with_name(path.name + ".part")
    part.write_text(text + "\n", encoding="utf-8")
    media.publish([(part, path)])


def facts(
    spec: CitySpec,
    city: City,
    scene: Scene,
    shot: Shot,
    out: Output,
    colours: Mapping[int, tuple[int, int, int]],
) -> dict[str, object]:
    """What made the clip, as JSON: enough to make it again and to read its passes."""
    names = {Label(number).name.lower() for number in shot.seen.labels}
    return {
        "scene": "city",
        "seed": spec.seed,
        "spec": attrs.asdict(spec),
        "versions": {name: version(name) for name in ("cosmos-core-city", "cosmos-core", "numba", "numpy")},
        "prompt": suggest(spec, city, names),
        "depth_range": list(shot.seen.depth_range),
        "depth_unit": "1/m",
        "palette": {scene.groups[number]: list(color) for number, color in colours.items()},
        "labels": table(),
        "labels_seen": sorted(names),
        "triangles": len(scene.triangles),
        "instances": len(scene.instances),
        "camera": {
            "family": spec.camera,
            "file": "camera.json",
            "attempt": shot.path.attempt,
            "refused": [list(reasons) for reasons in shot.refused],
            "fov": round(shot.path.fov, 6),
            "focal": round(out.width / 2 / math.tan(math.radians(shot.path.fov) / 2), 6),
        },
    }
