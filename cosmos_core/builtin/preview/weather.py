"""What lies on the scene and what falls through it: fog, rain, wet ground, snow, seasons.

Particles are layers of prepared textures at set distances. A layer shows only where the scene is farther away than the
layer, moves at the speed its distance asks for, and is a function of time alone, so any frame can be made by itself.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cosmos_core.builtin.preview.geometry import FOCAL, NEAREST, distance_table, grow, shrink
from cosmos_core.builtin.preview.light import air_light, luminance, noise, pour, rgb, smooth, towards

if TYPE_CHECKING:
    from cosmos_core.builtin.preview.geometry import Bytes, Floats, Shape
    from cosmos_core.builtin.preview.words import Look


def season(plate: Floats, look: Look) -> None:
    """Turn the green of vegetation towards autumn, winter or summer, in place."""
    if not (look.autumn or look.bare or look.lush):
        return
    red, green, blue = plate
    leaf = leaves(plate)
    if look.autumn:
        turn = cv2.blur(green, (31, 31))
        ripe = smooth(0.02, 0.14, turn)
        towards(plate, leaf * look.autumn, (green * 2.3, green * (0.55 + 0.5 * ripe), green * 0.12))
    if look.bare:
        towards(plate, leaf * look.bare * 0.85, (green * 0.85, green * 0.72, green * 0.60))
    if look.lush:
        towards(plate, leaf * look.lush * 0.6, (red * 0.85, green * 1.18, blue * 0.7))


def leaves(plate: Floats) -> Floats:
    """How much a pixel looks like vegetation, 0 to 1: green that outweighs red and blue."""
    red, green, blue = plate
    return smooth(0.04, 0.30, (green - np.maximum(red, blue)) / np.maximum(green, 0.004))


def snow_cover(plate: Floats, shape: Shape, look: Look) -> None:
    """Lay snow, in place: on the ground, on what faces up, and as caps on upper borders."""
    if look.snow_cover <= 0:
        return
    height, width = plate.shape[1:]
    # Normals of leaves and wires are noise; the median keeps what lies flat over some area.
    flat = cv2.medianBlur((smooth(0.62, 0.88, shape.up) * 255).astype(np.uint8), 5).astype(np.float32) / 255
    lying = np.maximum(shape.ground, grow(flat, height, width) * _own(shape.near, shape.small))
    lying = np.maximum(lying, _caps(shape.near))
    bright = luminance(plate)
    lying = np.maximum(lying, 0.55 * leaves(plate) * smooth(0.02, 0.20, bright))
    around = grow(cv2.blur(shrink(bright, shape.small), (9, 9)), height, width)
    detail = np.clip(bright / np.maximum(around, 0.01), 0.7, 1.25)
    share = lying * min(1.0, 1.12 * look.snow_cover)
    lit = np.clip(0.55 + 0.9 * np.sqrt(np.maximum(around, 0.0)), 0.5, 1.0) * (0.80 + 0.20 * detail)
    towards(plate, share, (lit * 0.74, lit * 0.79, lit * 0.86))


def _own(near: Bytes, small: int) -> Floats:
    """0 where a soft map spills from something nearer over what lies behind it, 1 elsewhere; 0 in the sky."""
    around = grow(cv2.blur(shrink(near, small).astype(np.float32), (9, 9)), *near.shape)
    level = near.astype(np.float32)
    return np.clip((level - around) / (1.0 + 0.03 * around) + 2.0, 0.0, 1.0) * (near > 0)


def _caps(near: Bytes) -> Floats:
    """1 on a thin strip under every border where something near has something far above it."""
    height = near.shape[0]
    caps = np.zeros(near.shape, np.uint8)
    for rise in {max(1, height // 350), max(1, height // 180)}:
        step = np.zeros_like(near)
        step[rise:] = cv2.subtract(near[rise:], near[:-rise])
        # The ground itself brightens by about a level a row; only a jump is a border.
        limit = cv2.addWeighted(near, 0.10, near, 0.0, 3.0 + rise)
        caps |= cv2.compare(step, limit, cv2.CMP_GT)
    return cv2.blur(caps, (3, 3)).astype(np.float32) / 255.0


def wet_down(plate: Floats, shape: Shape, look: Look) -> None:
    """Darken the ground as water does, in place."""
    if look.wetness > 0:
        plate *= 1.0 - (0.52 * look.wetness) * shape.ground


def reflect(plate: Floats, shape: Shape, look: Look, seed: int, seconds: float) -> None:
    """Mirror the scene in the wet ground, in place.

    What stands on the ground is mirrored at the row where it meets the ground, which is exact for upright things; the
    mirror image is smeared downwards by the roughness of the asphalt and fades towards the viewer's feet (Fresnel).
    """
    if look.wetness <= 0 or not shape.ground.any():
        return
    factor = 2 if shape.small > 1 else 1
    scene = np.stack([shrink(plane, factor) for plane in plate], axis=2)
    ground = shrink(shape.ground, factor)
    horizon = shape.horizon / factor
    rows = np.arange(ground.shape[0], dtype=np.float32)[:, None]
    foot = np.maximum(_feet(ground), horizon)
    ripple = _ripple(ground.shape, look, seconds)
    source_y = np.maximum(2.0 * foot - rows + ripple * (1.0 + 0.02 * (rows - foot)), 0.0).astype(np.float32)
    source_x = (np.arange(ground.shape[1], dtype=np.float32)[None, :] + ripple * 0.35).astype(np.float32)
    smear = max(3, ground.shape[0] // 26) | 1
    rough = cv2.blur(scene, (3, smear))
    mirror = cv2.remap(rough, source_x, source_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    mirror = cv2.blur(mirror, (3, (smear // 2) | 1))
    deep = np.clip((rows - horizon) / max(1.0, ground.shape[0] - horizon), 0.0, 1.0)
    fresnel = (0.16 + 0.62 * (1.0 - deep) ** 1.7) * look.wetness
    share = ground * fresnel * grow(_puddles(shape, seed), *ground.shape)
    pour(plate, share[..., None].astype(np.float32) * (mirror - 0.35 * scene))
    np.maximum(plate, 0.0, out=plate)


def _feet(ground: Floats) -> Floats:
    """For every pixel, the row above it where the ground ends and something stands."""
    rows = np.arange(ground.shape[0], dtype=np.float32)[:, None]
    solid = cv2.medianBlur((ground > 0.5).astype(np.uint8), 5) == 0
    return cv2.blur(np.maximum.accumulate(np.where(solid, rows, np.float32(0)), axis=0), (5, 1))


def _puddles(shape: Shape, seed: int) -> Floats:
    """How well the ground mirrors, h×w, 0.5 to 1.15: pools of water that stay in their places in the world."""
    x, y = (np.ascontiguousarray(shape.place[..., axis]) * np.float32(22.0) for axis in (0, 1))
    field = cv2.remap(noise(seed * 3 + 2, 512, 1.5), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    clear = np.exp(-shape.metres / 30.0)
    return (0.82 + clear * (0.62 * smooth(0.35, 0.65, field) - 0.32)).astype(np.float32)


def _ripple(size: tuple[int, int], look: Look, seconds: float) -> Floats:
    """Small displacement of the mirror image in pixels, moving only where drops fall."""
    field = noise(5, 256, 0.9)
    shift = int(seconds * 90) if look.rain else 0
    rolled = np.roll(field, (shift, shift // 3), axis=(0, 1))
    tiled = np.tile(rolled, (size[0] // 256 + 1, size[1] // 256 + 1))[: size[0], : size[1]]
    return (tiled - 0.5) * (size[0] / 110.0)


def fog_share(shape: Shape, look: Look, seed: int, seconds: float) -> Floats | None:
    """Share of a surface's own light that reaches the camera, exp(-density · distance); None in clear air."""
    if look.fog <= 0:
        return None
    table = np.exp(-look.fog * distance_table()).astype(np.float32)
    through = cv2.GaussianBlur(cv2.LUT(shape.near, table), (3, 3), 0)
    if look.drift:
        height, width = through.shape
        banks = grow(_banks(seed, height // shape.small, width // shape.small, seconds), height, width)
        through -= (1.4 * look.drift) * (banks - 0.45) * through * (1.0 - through)
        np.clip(through, 0.0, 1.0, out=through)
    return through


def _banks(seed: int, height: int, width: int, seconds: float) -> Floats:
    """Slow banks of denser air, 0 to 1, as two layers of noise drifting past each other."""
    rows = np.arange(height, dtype=np.float32)[:, None] + np.zeros((1, width), np.float32)
    columns = np.arange(width, dtype=np.float32)[None, :] + np.zeros((height, 1), np.float32)
    scale = 320.0 / max(width, 1)
    field = noise(seed * 13 + 3, 512, 1.75)
    first = cv2.remap(
        field,
        columns * scale + seconds * 14,
        rows * scale * 1.8 + seconds * 1.5,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    second = cv2.remap(
        field,
        columns * scale * 0.6 + seconds * 23 + 200,
        rows * scale + 90,
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_WRAP,
    )
    return 0.5 * (first + second)


def fill_air(plate: Floats, through: Floats, look: Look) -> None:
    """Put fog between camera and scene, in place."""
    light = air_light(look)
    plate *= through
    plate += light * (1.0 - through)


RAIN_LAYERS = ((3.2, 0.34), (6.0, 0.30), (11.0, 0.26), (20.0, 0.22))
"""Distance in metres, beyond what white in the depth pass means, and opacity of each layer of drops."""
SNOW_LAYERS = ((3.1, 0.55), (4.8, 0.80), (8.0, 0.85), (14.0, 0.80), (25.0, 0.70))


def rain(shape: Shape, look: Look, seed: int, seconds: float) -> Floats | None:
    """Opacity of falling drops, H×W; None when it is dry."""
    if look.rain <= 0:
        return None
    height, width = shape.near.shape
    wind = 0.10 + 0.08 * look.rain
    cover = np.zeros((height, width), np.uint8)
    for layer, (away, opacity) in enumerate(RAIN_LAYERS):
        speed = 8.5 * FOCAL * width / away
        streaks = _streaks(seed + layer, height, width, speed / 48.0, wind, 5.0 * away * look.rain, away)
        moved = np.roll(streaks, (int(seconds * speed), -int(seconds * speed * wind)), axis=(0, 1))[
            :height, :width
        ]
        cv2.max(cover, _behind(moved, shape.near, away, opacity), cover)
    return cover.astype(np.float32) / 255.0


def snowfall(shape: Shape, look: Look, seed: int, seconds: float) -> Floats | None:
    """Opacity of falling flakes, H×W; None when none fall."""
    if look.snowfall <= 0:
        return None
    height, width = shape.near.shape
    gale = max(0.0, look.snowfall - 0.9) * 6.0
    cover = np.zeros((height, width), np.uint8)
    for layer, (away, opacity) in enumerate(SNOW_LAYERS):
        pixels = FOCAL * width / away
        flakes = _flakes(seed + layer, height, width, away, (0.35 + gale) * pixels / 48.0, look.snowfall)
        sway = 0.10 * math.sin(seconds * 1.7 + layer * 2.1)
        x = (seconds * (0.35 + gale) + sway) * pixels
        moved = np.roll(flakes, (int(seconds * (1.1 + 0.3 * gale) * pixels), int(x)), axis=(0, 1))[
            :height, :width
        ]
        cv2.max(cover, _behind(moved, shape.near, away, opacity), cover)
    return cover.astype(np.float32) / 255.0


def _behind(layer: Bytes, near: Bytes, away: float, opacity: float) -> Bytes:
    """*layer* where the scene lies behind it, at *opacity*."""
    limit = min(255.0, 255.0 * NEAREST / away)
    layer = cv2.convertScaleAbs(layer, alpha=opacity)
    return cv2.bitwise_and(layer, (near <= limit).astype(np.uint8) * 255)


@functools.lru_cache(maxsize=16)
def _streaks(
    seed: int, height: int, width: int, length: float, wind: float, count: float, away: float
) -> Bytes:
    """A tile of motion-blurred drops, taller than the frame so that it does not repeat at once."""
    tall, wide = int(height * 1.7), int(width * 1.3)
    tile = np.zeros((tall, wide), np.uint8)
    draw = np.random.default_rng(seed * 101 + 7)
    fine = max(1, round(width * 4.0 / (1280 * away)))
    length = min(length, height / 5)
    for _ in range(int(count * 16)):
        x, y = draw.uniform(0, wide), draw.uniform(0, tall)
        run = length * draw.uniform(0.7, 1.25)
        value = int(draw.uniform(90, 255))
        for wrap in (0, -tall):
            start = (round(x * 16), round((y + wrap) * 16))
            end = (round((x - run * wind) * 16), round((y + wrap + run) * 16))
            cv2.line(tile, start, end, value, fine, cv2.LINE_AA, 4)
    return cv2.GaussianBlur(tile, (3, 5), 0.7)


@functools.lru_cache(maxsize=16)
def _flakes(seed: int, height: int, width: int, away: float, smear: float, amount: float) -> Bytes:
    """A tile of snow flakes, near ones large and out of focus."""
    tall, wide = int(height * 1.4), int(width * 1.3)
    tile = np.zeros((tall, wide), np.uint8)
    draw = np.random.default_rng(seed * 211 + 5)
    radius = max(0.55, width * 0.010 / away)
    for _ in range(int(amount * 60 * away**0.95)):
        x, y, size = draw.uniform(0, wide), draw.uniform(0, tall), radius * draw.uniform(0.6, 1.3)
        value = int(draw.uniform(120, 255))
        tip = (round((x - min(smear, 40)) * 16), round((y - min(smear, 40) * 0.4) * 16))
        if smear > size * 2:
            cv2.line(tile, (round(x * 16), round(y * 16)), tip, value, max(1, round(size)), cv2.LINE_AA, 4)
        else:
            cv2.circle(
                tile, (round(x * 16), round(y * 16)), max(8, round(size * 16)), value, -1, cv2.LINE_AA, 4
            )
    soft = max(0.5, radius * 0.45)
    return cv2.GaussianBlur(tile, (0, 0), soft)


def fall(plate: Floats, cover: Floats, look: Look, halo: Floats | None, *, white: float) -> None:
    """Show particles in place: lit by the sky and by the halo of the lamps. *white* is their own brightness."""
    height, width = plate.shape[1:]
    light = air_light(look)
    day = rgb(look.ambient) * (look.daylight * white)
    wanted = [np.float32(0.55 * light[channel, 0, 0] + day[channel, 0, 0] + 0.012) for channel in range(3)]
    if halo is not None:
        lamps = (grow(np.ascontiguousarray(one), height, width) for one in cv2.split(halo))
        wanted = [one + np.float32(0.9) * lamp for one, lamp in zip(wanted, lamps, strict=True)]
    towards(plate, cover, wanted)
