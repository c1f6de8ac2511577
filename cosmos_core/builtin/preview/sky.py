"""The sky behind the scene: a gradient, clouds that drift, the glow of a low sun, stars."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import cv2
import numpy as np

from cosmos_core.builtin.preview.geometry import grow
from cosmos_core.builtin.preview.light import noise, smooth, sun_direction, towards

if TYPE_CHECKING:
    from cosmos_core.builtin.preview.geometry import Floats, Shape
    from cosmos_core.builtin.preview.words import Look


def paint_sky(plate: Floats, shape: Shape, look: Look, seed: int, seconds: float) -> None:
    """Replace the sky in place by a gradient with clouds, sun glow and stars, as far as the look says."""
    if look.sky_share <= 0 or not shape.sky.any():
        return
    height, width = plate.shape[1:]
    small_h, small_w = max(1, height // shape.small), max(1, width // shape.small)
    sky = _gradient(look, seed, shape.horizon / height, small_h, small_w)
    if look.clouds:
        cover = _clouds(seed, shape.horizon / shape.small, small_h, small_w, seconds, look.clouds)
        lit = 0.55 * np.array(look.sky_low, np.float32) + 0.45 * np.array(look.sky_top, np.float32)
        body = lit * (1.45 if look.hour in {"as shot", "day"} and look.clouds < 0.6 else 0.92)
        sky += cover[..., None] * (body - sky) * (0.85 if look.clouds < 0.9 else 0.7)
    share = look.sky_share * shape.sky
    towards(plate, share, (grow(np.ascontiguousarray(plane), height, width) for plane in cv2.split(sky)))
    if look.stars:
        plate += look.stars * (_stars(seed, height, width) * shape.sky)


def _gradient(look: Look, seed: int, horizon: float, height: int, width: int) -> Floats:
    rows = np.arange(height, dtype=np.float32)[:, None] / height
    climb = np.clip((horizon - rows) / max(0.35, horizon), 0.0, 1.0) ** 0.62
    low, top = np.array(look.sky_low, np.float32), np.array(look.sky_top, np.float32)
    sky = low + climb[..., None] * (top - low) + np.zeros((height, width, 1), np.float32)
    strength = max(look.sun) if look.sun_height < 0.3 else 0.0
    if strength:
        direction = sun_direction(look, seed)
        columns = np.arange(width, dtype=np.float32)[None, :] / width - 0.5 - 0.30 * np.sign(direction[0])
        away = columns**2 * 2.2 + (rows - horizon + look.sun_height * 0.6) ** 2 * 3.0
        glow = np.exp(-away * 9.0) * 0.55 + np.exp(-away * 90.0) * 0.5
        sky += glow[..., None] * np.array(look.sun, np.float32)
    return sky


def _clouds(seed: int, horizon: float, height: int, width: int, seconds: float, cover: float) -> Floats:
    """Cloud cover 0 to 1 on a flat layer overhead, drifting slowly."""
    rows = np.arange(height, dtype=np.float32)[:, None]
    columns = np.arange(width, dtype=np.float32)[None, :] - width / 2
    away = 1.0 / (np.maximum(horizon - rows, 0.0) / height + 0.16)
    x = (columns / width * 2.4 * away * 110 + seconds * 3.0).astype(np.float32)
    y = (away * 95 + seconds * 1.2 + np.zeros_like(columns)).astype(np.float32)
    field = cv2.remap(noise(seed * 7 + 1, 512, 1.45), x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    return smooth(0.95 - 0.75 * cover, 1.30 - 0.75 * cover, field + 0.12)


@functools.lru_cache(maxsize=4)
def _stars(seed: int, height: int, width: int) -> Floats:
    field = np.zeros((height, width), np.float32)
    draw = np.random.default_rng(seed + 11)
    for _ in range(height * width // 3500):
        x, y, bright = draw.integers(width), draw.integers(height), draw.random() ** 4
        field[y, x] = 0.05 + 0.9 * bright
    return cv2.GaussianBlur(field, (3, 3), 0.6)
