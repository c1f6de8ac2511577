"""Light: from display values to light and back, relighting, and the light in the air.

A *plate* is a float32 array 3×H×W of linear RGB in which 1 is white. Planes lie apart because most work multiplies a
plane by a map.
"""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from cosmos_core.builtin.preview.geometry import grow, shrink

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cosmos_core.builtin.preview.geometry import Bytes, Floats, Shape
    from cosmos_core.builtin.preview.words import Look, Rgb

_STEPS = 4096
_BRIGHTEST = 8.0
_SHOULDER = 0.72
"""Display value up to which light is shown as it is; brighter light is rolled off towards white."""


@functools.cache
def _to_light() -> Floats:
    level = np.arange(256, dtype=np.float64) / 255
    return np.where(level <= 0.04045, level / 12.92, ((level + 0.055) / 1.055) ** 2.4).astype(np.float32)


@functools.cache
def _to_display() -> Bytes:
    """Display levels by the square root of light, 0 to the square root of 8."""
    light = (np.arange(_STEPS) * math.sqrt(_BRIGHTEST) / (_STEPS - 1)) ** 2
    level = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    over = np.maximum(level - _SHOULDER, 0) / (1 - _SHOULDER)
    level = np.where(
        level > _SHOULDER, _SHOULDER + (1 - _SHOULDER) * np.tanh(over * 0.92) / math.tanh(1.35), level
    )
    return np.clip(level * 255 + 0.5, 0, 255).astype(np.uint8)


def plate_of(image: Bytes) -> Floats:
    """The linear plate of an 8-bit sRGB frame."""
    return np.stack([cv2.LUT(plane, _to_light()) for plane in cv2.split(image)])


def display(plate: Floats) -> Bytes:
    """A plate as an 8-bit sRGB frame, highlights rolled off."""
    index = np.clip(plate, 0.0, _BRIGHTEST)
    cv2.sqrt(index, index)
    index *= (_STEPS - 1) / math.sqrt(_BRIGHTEST)
    table = _to_display()
    return cv2.merge([table[plane] for plane in index.astype(np.uint16)])


def rgb(colour: Rgb | tuple[float, ...]) -> Floats:
    """A colour in the shape that multiplies a plate."""
    return np.array(colour, np.float32).reshape(3, 1, 1)


def luminance(plate: Floats) -> Floats:
    """Relative luminance of a plate, H×W."""
    return plate[0] * np.float32(0.2126) + plate[1] * np.float32(0.7152) + plate[2] * np.float32(0.0722)


def pour(plate: Floats, image: Floats) -> None:
    """Add an image h×w×3 of any size to *plate*, in place."""
    for channel in range(3):
        plate[channel] += grow(np.ascontiguousarray(image[..., channel]), *plate.shape[1:])


def towards(plate: Floats, share: Floats, wanted: Iterable[Any]) -> None:
    """Move *plate* by *share* towards the *wanted* planes, in place."""
    for channel, plane in enumerate(wanted):
        plate[channel] += share * (plane - plate[channel])


@functools.lru_cache(maxsize=8)
def noise(seed: int, size: int = 512, slope: float = 1.6) -> Floats:
    """Cloud noise size×size in 0 to 1 that tiles; *slope* says how fast fine detail fades."""
    spectrum = np.fft.rfft2(np.random.default_rng(seed).standard_normal((size, size)))
    rate = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    rate[0, 0] = 1.0
    field = np.fft.irfft2(spectrum * rate**-slope, s=(size, size))
    low, high = np.percentile(field, (1, 99))
    return np.clip((field - low) / (high - low), 0.0, 1.0).astype(np.float32)


def smooth(low: float, high: float, value: Any) -> Any:
    """0 below *low*, 1 above *high*, a soft S between."""
    share = np.clip((value - low) / (high - low), 0.0, 1.0)
    return share * share * (3.0 - 2.0 * share)


def even_out(plate: Floats, shape: Shape, share: float) -> None:
    """Take the clip's own light and shade out of *plate*, in place, by *share*.

    Each place is divided by a power of the brightness around it, so that sunny walls and shadows come closer.
    """
    if share <= 0:
        return
    height, width = plate.shape[1:]
    bright = shrink(luminance(plate), shape.small)
    solid = 1.0 - shrink(shape.sky, shape.small) + 1e-3
    size = max(3, bright.shape[1] // 26) | 1
    around = cv2.blur(bright * solid, (size, size)) / cv2.blur(solid, (size, size))
    gain = np.clip((0.18 / np.maximum(around, 0.01)) ** (0.5 * share), 0.45, 2.2)
    plate *= grow(gain, height, width)


def sun_direction(look: Look, seed: int) -> Floats:
    """Where the added sun stands, in camera axes (x right, y down, z ahead); the seed picks left or right."""
    side = 1.0 if seed % 2 else -1.0
    flat = math.sqrt(1.0 - look.sun_height**2)
    turn = math.radians(52 + seed % 17)
    return np.array(
        [side * flat * math.sin(turn), -look.sun_height, flat * math.cos(turn) * 0.55], np.float32
    )


def relight(plate: Floats, shape: Shape, look: Look, seed: int) -> None:
    """Light *plate* anew, in place: by the sky, by an added sun where surfaces face it, by street lamps after dark."""
    facing = np.maximum(shape.normal @ sun_direction(look, seed), 0.0)
    open_sky = 1.0 if look.daylight > 0.9 else 0.80
    ambient = look.daylight * (open_sky + (1.0 - open_sky) * 2.0 * shape.up)
    street = lamp_share(look) * (0.09 * np.exp(-shape.height / 5.0) + 1.5 * _street_lamps(shape, seed))
    for channel, (sky, sun, lamp) in enumerate(zip(look.ambient, look.sun, _lamp(look), strict=True)):
        lit = (sky * ambient + sun * facing + lamp * street).astype(np.float32)
        plate[channel] *= grow(lit, *plate.shape[1:])


_LAMP_HEIGHT, _LAMP_STEP, _LAMP_SIDE = 6.0, 15.0, 4.6
"""Metres: how high street lamps hang, how far apart along the street, how far to either side of its middle."""


def _street_lamps(shape: Shape, seed: int) -> Floats:
    """Light of two rows of street lamps, h×w, 0 to about 1: pools that stay in their places in the world."""
    across, along = shape.place[..., 0], shape.place[..., 1]
    drop = np.maximum(_LAMP_HEIGHT - shape.height, 0.0)
    total = np.zeros(across.shape, np.float32)
    for side in (-1.0, 1.0):
        offset = (seed % 7) + (0.5 * _LAMP_STEP if side > 0 else 0.0)
        away = np.mod(along + offset, _LAMP_STEP) - _LAMP_STEP / 2
        square = (across - side * _LAMP_SIDE) ** 2 + away**2 + np.maximum(drop, 0.5) ** 2
        slant = drop / np.sqrt(square)
        total += (_LAMP_HEIGHT**2 / square) * slant**3 * (0.35 + 0.65 * shape.up)
    # A depth pass has whole levels: far away, places jump by metres, so pools run into one another there.
    clear = np.exp(-shape.metres / 45.0)
    return (clear * total + (1.0 - clear) * 0.12).astype(np.float32)


def lamp_share(look: Look) -> float:
    """How far street lamps count: 0 by day, the share of lit windows at night."""
    return max(0.0, 1.0 - look.daylight / 0.35) * look.windows


def _lamp(look: Look) -> Rgb:
    return (0.62, 0.42, 1.0) if look.neon else (1.0, 0.66, 0.34)


def air_light(look: Look) -> Floats:
    """Colour of the light that fog scatters towards the camera."""
    sky = 0.65 * np.array(look.sky_low) + 0.35 * np.array(look.sky_top)
    grey = sky @ np.array([0.2126, 0.7152, 0.0722])
    closed = min(1.0, look.fog / 0.03)
    mixed = grey + (sky - grey) * (1.0 - 0.55 * closed)
    lit = mixed * (1.0 if look.sky_share > 0.5 else look.daylight)
    lit = lit + lamp_share(look) * (0.05 + 0.05 * closed) * np.array(_lamp(look))
    return rgb(tuple(lit * np.array(look.fog_tint)))


def scatter(idents: Any, seed: int, draws: int = 4) -> Floats:
    """Numbers in 0 to 1 that look random, n×draws, from integers alone (splitmix64)."""
    lane = np.arange(1, draws + 1, dtype=np.uint64)[None, :] * np.uint64(0x9E3779B97F4A7C15)
    value = idents[:, None] * np.uint64(0xBF58476D1CE4E5B9) + lane + np.uint64(seed % (1 << 63))
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = (value ^ (value >> np.uint64(shift))) * np.uint64(factor)
    value ^= value >> np.uint64(31)
    return ((value >> np.uint64(40)).astype(np.float64) / float(1 << 24)).astype(np.float32)
