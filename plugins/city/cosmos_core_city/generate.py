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
import cv2
import numpy as np
from numpy.typing import NDArray

from cosmos_core import controls, media
from cosmos_core.errors import InputError
from cosmos_core_city import aim, camera, gates, truth
from cosmos_core_city.adopt import adopted, opened
from cosmos_core_city.camera import Path as CameraPath
from cosmos_core_city.gates import Seen
from cosmos_core_city.kept import kept, recall, remember
from cosmos_core_city.labels import Label, table
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.prompt import suggest
from cosmos_core_city.render import Renderer
from cosmos_core_city.schema import digest
from cosmos_core_city.sidecars import Sidecars
from cosmos_core_city.spec import CityOptions, resolve

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cosmos_core.extend import Report
    from cosmos_core_city.render import Picture
    from cosmos_core_city.scene import Scene
    from cosmos_core_city.spec import City, CitySpec
    from cosmos_core_city.wreck import Wreck

SMALL = 320
"""Width of the pictures that the gates look at."""
LEAST_SHARE = 0.0005
"""Share of some frame that a group must fill to be a segment; smaller ones stay black, as nobody would segment them."""
PROXY = 320
"""Width of one pass in the proxy."""
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


def passes(profile: str) -> dict[str, str]:
    """The passes of a clip and how each is encoded.

    Cosmos 3 wants its blur made beforehand; Transfer 2.5 blurs by itself, and sealing derives what it would see.
    """
    return PASSES | ({"vis": "colour"} if profile == "cosmos3" else {})


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
    """Make the clip of *spec* in *folder*: its passes, a proxy for browsers, ``camera.json`` and what it asks for beside.

    With :class:`CityOptions` that name a file of poses, what falls is what the file says. Gives the facts that made it.

    Raises:
        InputError: when no path passes the gates, or the poses are refused; nothing is written then.
    """
    asked = spec if isinstance(spec, CityOptions) and spec.poses else None
    spec = spec.spec if isinstance(spec, CityOptions) else spec
    out = output(spec)
    report(0, out.frames, "building the street")
    city = resolve(spec)
    if asked:
        made = adopted(opened(asked), city, out.frames, float(out.fps))
    else:
        if city.blast:
            report(0, out.frames, "letting things fall")
        made = kept(city, out.frames, float(out.fps))
    scene = made.scene
    with Renderer(scene, daylight(spec, city), EXPOSURE, motion=made.motion) as renderer:
        report(0, out.frames, "choosing a camera path")
        shot = chosen(spec, city, made, renderer, out)
        colours = palette(shot.seen, spec.seed)
        with Sidecars(spec, scene, folder, (out.frames, out.height, out.width), out.fps) as beside:
            film(folder, made, renderer, shot, out, colours, passes(spec.profile), beside, report)
    write_camera(folder / "camera.json", shot.path, out)
    return facts(spec, city, made, shot, out, colours) | {"sidecars": beside.facts()}


def chosen(spec: CitySpec, city: City, made: Wreck, renderer: Renderer, out: Output) -> Shot:
    """What :func:`choose` gives, kept: a clip takes the path that its preview showed, without looking for it again.

    Raises:
        InputError: as there.
    """
    told = {"spec": attrs.asdict(spec), "frames": out.frames, "fps": str(out.fps)}
    if "file_sha256" in made.facts:
        told["poses"] = made.facts["file_sha256"]
    if found := recall(told):
        path = camera.path(spec, city, out.frames, float(out.fps), found["attempt"])
        seen = Seen(
            np.array(found["shares"]), tuple(found["labels"]), (found["range"][0], found["range"][1]), ()
        )
        return Shot(path=path, seen=seen, refused=tuple(tuple(reasons) for reasons in found["refused"]))
    shot = choose(spec, city, made, renderer, out)
    remember(
        told,
        {
            "attempt": shot.path.attempt,
            "refused": shot.refused,
            "shares": shot.seen.shares.tolist(),
            "labels": shot.seen.labels,
            "range": shot.seen.depth_range,
        },
    )
    return shot


def choose(spec: CitySpec, city: City, made: Wreck, renderer: Renderer, out: Output) -> Shot:
    """The first path that passes every gate.

    Raises:
        InputError: when none of the attempts does, with the reasons of the last.
    """
    refused: list[tuple[str, ...]] = []
    for attempt in range(camera.ATTEMPTS):
        path = camera.path(spec, city, out.frames, float(out.fps), attempt)
        reasons = (*gates.refuse_path(made.scene, path), *aim.refuse_aim(city, path))
        if not reasons:
            pictures = list(small_pictures(renderer, path, out))
            seen = with_rubble(gates.survey(made.scene, pictures), made, pictures)
            reasons = (
                seen.refusals
                or tuple(aim.refuse_rubble(spec, made, pictures))
                or tuple(_motion(path, pictures, out))
                or tuple(_shading(renderer, path, out, spec.light))
            )
            if not reasons:
                return Shot(path=path, seen=seen, refused=tuple(refused))
        refused.append(reasons)
    raise InputError(
        f"no {spec.camera} path of seed {spec.seed} passes the gates after {camera.ATTEMPTS} attempts: {refused[-1][0]}",
        hint="try another seed, another camera, other light or a shorter clip",
    )


def small_pictures(renderer: Renderer, path: CameraPath, out: Output) -> Iterator[Picture]:
    """What the camera sees at the moments that the gates look at, small."""
    height = max(2, round(out.height * SMALL / out.width))
    for frame in gates.moments(out.frames):
        yield renderer.look(path.view(frame, out.width, out.height).scaled(SMALL, height), frame)


def with_rubble(seen: Seen, made: Wreck, pictures: Sequence[Picture]) -> Seen:
    """*seen* with the shares and the label of what has come off the houses in each of *pictures*."""
    if made.motion is None:
        return seen
    scene, moved = made.scene, made.motion.moved()
    shares, labels = seen.shares.copy(), set(seen.labels)
    for picture, frame in zip(pictures, gates.moments(len(moved)), strict=True):
        state = scene.state(moved[frame])
        group, label = np.append(scene.grouped(state), 0), np.append(scene.classes(state), np.uint8(0))
        here = np.bincount(group[picture.ids].ravel(), minlength=len(shares)) / picture.ids.size
        shares = np.maximum(shares, here)
        labels.update(np.unique(label[picture.ids]).tolist())
    return attrs.evolve(seen, shares=shares, labels=tuple(sorted(labels)))


def _motion(path: CameraPath, pictures: Sequence[Picture], out: Output) -> Iterator[str]:
    for picture, frame in zip(pictures, gates.moments(out.frames), strict=True):
        if frame + 1 < out.frames:
            views = path.view(frame, out.width, out.height), path.view(frame + 1, out.width, out.height)
            yield from gates.refuse_motion(picture, views, float(out.fps))


def _shading(renderer: Renderer, path: CameraPath, out: Output, light: str) -> Iterator[str]:
    width = min(out.width, gates.EDGE_FULL)
    height = max(2, round(out.height * width / out.width))
    for frame in sorted({0, out.frames // 2, out.frames - 1}):
        _, rgb = renderer.draw(path.view(frame, out.width, out.height).scaled(width, height), frame)
        yield from gates.refuse_shading(rgb, light)


def palette(seen: Seen, seed: int) -> dict[int, tuple[int, int, int]]:
    """Colours of the groups that are large enough somewhere in the clip; 0, the sky, is black."""
    return controls.palette(np.flatnonzero(seen.shares >= LEAST_SHARE).tolist(), seed)


def film(
    folder: Path,
    made: Wreck,
    renderer: Renderer,
    shot: Shot,
    out: Output,
    colours: Mapping[int, tuple[int, int, int]],
    styles: Mapping[str, str],
    beside: Sidecars,
    report: Report,
) -> None:
    """Draw and encode every frame; the encoders work on one frame while the next is drawn."""
    moved = made.motion.moved() if made.motion else None
    group = np.append(made.scene.group, 0).astype(np.uint16)
    with ExitStack() as stack:
        videos = {
            name: stack.enter_context(
                controls.VideoWriter(folder / f"{name}.mp4", out.width, out.height, out.fps, style)
            )
            for name, style in styles.items()
        }
        proxy = stack.enter_context(proxy_writer(folder / "proxy.mp4", out))
        pool = stack.enter_context(ThreadPoolExecutor(2, thread_name_prefix="encode"))
        before: list[Future[NDArray[np.uint8]]] = []
        beside_before: Future[None] | None = None
        for frame in range(out.frames):
            seen, rgb = renderer.draw(shot.path.view(frame, out.width, out.height), frame)
            _finish(before, proxy)
            if beside_before:
                beside_before.result()
            if moved is not None:
                group = np.append(made.scene.grouped(made.scene.state(moved[frame])), 0).astype(np.uint16)
            moment = Moment(rgb, seen.inverse, np.take(group, seen.ids, mode="wrap"))
            before = [
                pool.submit(_encode, videos[name], name, moment, shot.seen.depth_range, colours)
                for name in styles
            ]
            if beside:
                beside_before = pool.submit(beside.write, frame, sight(shot, made, seen, frame, out))
            report(frame + 1, out.frames, "rendering")
        _finish(before, proxy)
        if beside_before:
            beside_before.result()


def proxy_writer(path: Path, out: Output) -> controls.VideoWriter:
    """A small video that every browser plays: colour and depth above segmentation and edges."""
    width, height = (2 * side for side in _small(out.width, out.height))
    note = {"comment": "color, depth; segmentation, edge"}
    return controls.VideoWriter(path, width, height, out.fps, "proxy", metadata=note)


def _small(width: int, height: int) -> tuple[int, int]:
    """The size of one pass in the proxy."""
    wide = min(PROXY, width)
    return wide, max(1, round(height * wide / width))


def _finish(passes: Sequence[Future[NDArray[np.uint8]]], proxy: controls.VideoWriter) -> None:
    """Wait for the *passes* of a frame, then show the first four together."""
    small = [done.result() for done in passes]
    if small:
        color, depth, segmentation, edge = small[:4]
        proxy.write(np.vstack([np.hstack([color, depth]), np.hstack([segmentation, edge])]))


def sight(shot: Shot, made: Wreck, seen: Picture, frame: int, out: Output) -> truth.Sight:
    """What ground truth is taken from: what *frame* shows, from where, and where camera and bodies were before."""
    view, before = (shot.path.view(at, out.width, out.height) for at in (frame, max(frame - 1, 0)))
    return truth.Sight(picture=seen, view=view, before=before, bodies=made.bodies(frame))


def _encode(
    video: controls.VideoWriter,
    name: str,
    made: Moment,
    depth_range: tuple[float, float],
    colours: Mapping[int, tuple[int, int, int]],
) -> NDArray[np.uint8]:
    """Write one frame of a pass; it small, in colour."""
    picture = control(name, made, depth_range, colours)
    video.write(picture)
    small = cv2.resize(picture, _small(video.width, video.height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_GRAY2RGB) if small.ndim == 2 else small)


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
    if name == "vis":
        return controls.vis_gaussian(made.color)
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
    made: Wreck,
    shot: Shot,
    out: Output,
    colours: Mapping[int, tuple[int, int, int]],
) -> dict[str, object]:
    """What made the clip, as JSON: enough to make it again and to read its passes."""
    scene = made.scene
    names = {Label(number).name.lower() for number in shot.seen.labels}
    return {
        "scene": "city",
        "seed": spec.seed,
        "spec": attrs.asdict(spec),
        "seeds": {
            "city": spec.seed,
            "segmentation": spec.seed,
            "camera": f"{spec.seed}/camera {spec.camera} {shot.path.attempt}",
        },
        "city_sha256": digest(city),
        "versions": versions(scene, borrowed="made_by" in made.facts),
        "prompt": suggest(spec, city, names),
        "depth_range": list(shot.seen.depth_range),
        "depth_unit": "1/m",
        "palette": {scene.groups[number]: list(color) for number, color in colours.items()},
        "labels": table(),
        "labels_seen": sorted(names),
        "destruction": made.facts,
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


def versions(scene: Scene, *, borrowed: bool = False) -> dict[str, str]:
    """The packages that made the pixels; the physics engine only where something can move, and not by *borrowed* poses."""
    names = ["cosmos-core-city", "cosmos-core", "numba", "numpy", "opencv-python-headless", "av"]
    simulated = (scene.body >= 0).any() and not borrowed
    return {name: version(name) for name in [*names, *(["rapier3d"] if simulated else [])]}
