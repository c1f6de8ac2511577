"""One frame of a preview: the clip's own passes under the look that the prompt asks for.

This is image processing, not a model. It invents no objects and no texture; it moves light, air, water and snow over
what the clip shows. Pure: equal arguments give equal bytes, whatever frame came before.

What the control weights do, each 0 to 1 and each of use alone:

``edge``
    Keeps the clip's detail along its edges: local contrast that weather took away there is put back.
``depth``
    How far the depth pass is believed, see :func:`~cosmos_core.builtin.preview.geometry.fidelity`. At 0, fog and
    occlusion use a bare ground and one distance for all that stands on it.
``seg``
    Gives every segment one tint, chosen by the seed: objects take on uniform colours.
``vis``
    Holds on to the clip's soft, low-frequency colours (its vis pass, or a blur of its colour) against the new light.

With all of them 0 the look still applies. A missing pass leaves its effect out or, for depth and edge, is guessed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import cv2
import numpy as np

from cosmos_core.builtin.preview import lamps, light, sky, weather
from cosmos_core.builtin.preview.geometry import (
    Floats,
    Plane,
    distance_table,
    fidelity,
    grow,
    segment_keys,
    shape_of,
    shrink,
)
from cosmos_core.builtin.preview.label import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cosmos_core.builtin.preview.geometry import Bytes, Passes, Shape
    from cosmos_core.builtin.preview.words import Look


@attrs.frozen(kw_only=True, eq=False)
class Scene:
    """What earlier frames tell about this one, so that nothing jumps; see :mod:`cosmos_core.builtin.preview.track`."""

    plane: Plane | None = None
    """The ground, smoothed over time."""
    pose: Floats | None = None
    """4×4: from the first frame's camera axes to this one's."""
    glow: Floats | None = None
    """Light of the windows, h×w×3 at half size."""


def augment(
    passes: Passes,
    weights: Mapping[str, float],
    look: Look,
    *,
    seed: int,
    index: int,
    fps: float,
    scene: Scene | None = None,
) -> Bytes:
    """The preview of one frame, uint8 H×W×3, with its label.

    Args:
        passes: the frame.
        weights: any of ``edge``, ``depth``, ``seg``, ``vis``; absent means 0.
        look: what the prompt asks for.
        seed: picks tints, lit windows, clouds and the places of drops.
        index: number of the frame, from 0; with *fps* it is the only clock.
        fps: frames a second.
        scene: what earlier frames tell; taken from this frame alone when None.
    """
    scene = scene or lone_scene(passes, look, seed)
    seconds = index / fps
    shape = shape_of(passes, trust=fidelity(weights.get("depth", 0.0)), plane=scene.plane, pose=scene.pose)
    plate = light.plate_of(passes.color)
    _tint(plate, passes, seed, weights.get("seg", 0.0))
    weather.season(plate, look)
    light.even_out(plate, shape, look.flatten)
    weather.snow_cover(plate, shape, look)
    weather.wet_down(plate, shape, look)
    light.relight(plate, shape, look, seed)
    sky.paint_sky(plate, shape, look, seed, seconds)
    shine = _add_lamps(plate, passes, shape, look, scene, seed)
    weather.reflect(plate, shape, look, seed, seconds)
    _add_air(plate, shape, look, seed, seconds, shine)
    _grade(plate, look, seed)
    frame = light.display(plate)
    frame = _keep(frame, passes, shape, look, weights)
    stamp(frame)
    return frame


def lone_scene(passes: Passes, look: Look, seed: int) -> Scene:
    """The scene of a frame that has no past: its windows are numbered as they are found."""
    if look.windows <= 0:
        return Scene()
    labels, boxes, _ = lamps.window_regions(passes, shape_of(passes, trust=1.0))
    colours = lamps.pane_colours(np.arange(1, len(boxes) + 1), look, seed)
    return Scene(glow=np.vstack([np.zeros((1, 3), np.float32), colours])[labels])


def _tint(plate: Floats, passes: Passes, seed: int, weight: float) -> None:
    """Move every segment towards one colour of its own, brightness kept, in place."""
    if passes.seg is None or weight <= 0:
        return
    key = segment_keys(passes.seg)
    table = light.scatter(np.arange(4096, dtype=np.uint64), seed + 77)
    hue = np.stack([np.cos(2 * np.pi * (table[:, 0] + turn / 3)) for turn in range(3)], axis=0)
    colour = 1.0 + (0.22 + 0.30 * table[:, 1]) * hue
    colour[:, 0] = 1.0
    bright = light.luminance(plate)
    share = np.where(key > 0, np.float32(0.75 * weight), np.float32(0.0))
    light.towards(plate, share, (bright * tint[key] for tint in colour.astype(np.float32)))


def _add_lamps(
    plate: Floats, passes: Passes, shape: Shape, look: Look, scene: Scene, seed: int
) -> Floats | None:
    """Light windows and signs, in place; returns what shines, h×w×3 at reduced size, or None by day."""
    dark = float(np.clip(1.25 - look.daylight * 2.2, 0.0, 1.0))
    if dark <= 0 or look.windows <= 0:
        return None
    shine = np.zeros_like(plate)
    if scene.glow is not None:
        own = light.luminance(light.plate_of(passes.color))
        texture = (0.62 + np.clip(own * 5.0, 0.0, 0.8)) * np.float32(dark)
        glow = cv2.blur(scene.glow, (3, 3))
        light.pour(shine, glow)
        shine *= texture
    if (signs := lamps.signs(passes, shape, look, seed)) is not None:
        shine += signs
    plate += shine
    return np.stack([shrink(plane, shape.small) for plane in shine], axis=2)


def _add_air(
    plate: Floats, shape: Shape, look: Look, seed: int, seconds: float, shine: Floats | None
) -> None:
    """Fog, the halo of lamps, then rain or snow in front of it all, in place."""
    through = weather.fog_share(shape, look, seed, seconds)
    if through is not None:
        weather.fill_air(plate, through, look)
    halo = None
    if shine is not None:
        source = shine if through is None else shine * shrink(through, shape.small)[..., None]
        halo = lamps.add_glow(plate, source, look)
    for cover, white in (
        (weather.rain(shape, look, seed, seconds), 0.30),
        (weather.snowfall(shape, look, seed, seconds), 0.92),
    ):
        if cover is not None:
            weather.fall(plate, cover, look, halo, white=white)


def _grade(plate: Floats, look: Look, seed: int) -> None:
    """Exposure, saturation and contrast in place; the seed moves warmth and exposure by a few percent."""
    warm, bright = (float(one) - 0.5 for one in light.scatter(np.array([3], np.uint64), seed)[0, :2])
    gain = 2.0 ** (look.exposure + 0.10 * bright)
    plate *= light.rgb((gain * (1 + 0.04 * warm), gain, gain * (1 - 0.04 * warm)))
    if look.saturation != 1.0:
        grey = light.luminance(plate)
        plate -= grey
        plate *= look.saturation
        plate += grey
    if look.contrast != 1.0:
        plate += (look.contrast - 1.0) * (plate - 0.18)
    np.maximum(plate, 0.0, out=plate)


def _keep(frame: Bytes, passes: Passes, shape: Shape, look: Look, weights: Mapping[str, float]) -> Bytes:
    """Bring soft colours (``vis``) and detail along edges (``edge``) of the clip back into the finished *frame*."""
    vis, edge = weights.get("vis", 0.0), weights.get("edge", 0.0)
    if vis <= 0 and edge <= 0:
        return frame
    change = np.zeros(frame.shape, np.float32)
    if vis > 0:
        change += _soft_colours(frame, passes, shape, look) * np.float32(0.6 * vis**2)
    if edge > 0:
        change += (_edge_detail(frame, passes, shape, look) * np.float32(0.8 * edge))[..., None]
    return np.clip(frame + change, 0, 255).astype(np.uint8)


def _soft_colours(frame: Bytes, passes: Passes, shape: Shape, look: Look) -> Floats:
    """How the clip's low-frequency colours differ from the frame's, in levels; a sky that was replaced stays out."""
    wanted = shrink(passes.vis if passes.vis is not None else passes.color, shape.small).astype(np.float32)
    counts = (1.0 - look.sky_share * shrink(shape.sky, shape.small))[..., None] + np.float32(1e-3)
    size = (max(3, wanted.shape[1] // 40) | 1,) * 2
    change = cv2.blur((wanted - shrink(frame, shape.small)) * counts, size)
    change /= cv2.blur(counts, size).reshape(counts.shape)
    return grow(change * counts, *frame.shape[:2])


def _edge_detail(frame: Bytes, passes: Passes, shape: Shape, look: Look) -> Floats:
    """The clip's local contrast along its edges, in levels, as far as the weather and the dark let it show."""
    lines = passes.edge if passes.edge is not None else cv2.Canny(passes.color, 100, 200)
    beside = cv2.blur(cv2.dilate(lines, np.ones((3, 3), np.uint8)), (3, 3)).astype(np.float32) / 255
    own = cv2.cvtColor(passes.color, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = (own - cv2.blur(own, (9, 9))) * beside
    level = cv2.blur(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY), (9, 9)).astype(np.float32)
    detail *= np.clip(level / 110.0, 0.12, 1.0)
    if look.fog > 0:
        detail *= cv2.LUT(shape.near, (0.15 + 0.85 * np.exp(-look.fog * distance_table())).astype(np.float32))
    return detail
