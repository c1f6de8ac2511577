"""Procedural textures: what a surface's numbers look like at a point of it, u to the right and z up, or x and y.

Detail fades out before it would be finer than a pixel: a pattern that aliases would fill the edge control with
noise. ``footprint`` is the size of a pixel on the surface in metres; ``table`` and ``m`` are the material table and
a row of it, see :mod:`cosmos_core_city.materials`; ``tile`` is its noise.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cosmos_core_city.kernels import f32, i32, inner, loose, u32

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Colour: TypeAlias = tuple[float, float, float]

_MASK = 0xFFFFFFFF


@inner
def chance(a: float, b: float, c: float) -> float:
    """A number in [0, 1) that depends on three integers and on nothing else."""
    h = (np.int64(a) * 374761393 + np.int64(b) * 668265263 + np.int64(c) * 2147483647) & _MASK
    h = ((h ^ (h >> 13)) * 1274126177) & _MASK
    h = ((h ^ (h >> 16)) * 1103515245) & _MASK
    return float(((h ^ (h >> 15)) & 0xFFFFFF) / 16777216.0)


@inner
def grain(tile: Array, x: float, y: float) -> float:
    """Noise at (x, y), where 1 is one repetition of *tile* (512, 512)."""
    fx, fy = f32(x) * f32(512.0), f32(y) * f32(512.0)
    lx, ly = np.floor(fx), np.floor(fy)
    tx, ty = fx - lx, fy - ly
    one, mask = i32(1), i32(511)
    ix, iy = i32(lx), i32(ly)
    x0, y0 = u32(ix & mask), u32(iy & mask)
    x1, y1 = u32((ix + one) & mask), u32((iy + one) & mask)
    low = tile[y0, x0] + (tile[y0, x1] - tile[y0, x0]) * tx
    high = tile[y1, x0] + (tile[y1, x1] - tile[y1, x0]) * tx
    found: float = low + (high - low) * ty
    return found


@inner
def fade(footprint: float, size: float) -> float:
    """1 where a detail of *size* covers pixels of *footprint* well, 0 where it would alias."""
    return min(1.0, max(0.0, 1.8 - 1.6 * footprint / size))


@inner
def pulse(x: float, period: float, gap: float, footprint: float) -> float:
    """How much of a pixel at *x* lies in the gaps of a repeating pattern: box-filtered, 0 to 1."""
    half = max(footprint, 1e-4) * 0.5
    a, b = (x - half) / period, (x + half) / period
    share = gap / period
    fa, fb = np.floor(a), np.floor(b)
    inside = (fb - fa) * share + min(b - fb, share) - min(a - fa, share)
    return float(inside / (b - a))


@loose
def room(table: Array, m: int, u: float, z: float, du: float, dn: float, dz: float) -> Colour:
    """The colour behind a window: a ray from (u, z) on the pane into a room that is not there as geometry."""
    width, height = table[m, 10], table[m, 11]
    deep = 3.2 if table[m, 15] < 0.5 else 6.0
    left, right = table[m, 8] - 0.7, table[m, 8] + width + 0.7
    floor, ceiling = table[m, 9] - 0.75, table[m, 9] + height + 0.45
    t = deep / max(dn, 1e-4)
    face = 0
    side = ((right if du > 0 else left) - u) / du if abs(du) > 1e-5 else 1e9
    level = ((ceiling if dz > 0 else floor) - z) / dz if abs(dz) > 1e-5 else 1e9
    if side < t:
        t, face = side, 1
    if level < t:
        t, face = level, 2 if dz > 0 else 3
    inside = t * dn
    shop = table[m, 15] > 0.5
    glow = (0.42 if shop else 0.20) * np.exp(-inside * (0.16 if shop else 0.42))
    if face == 2:
        if shop:
            lamp = pulse(u + du * t, 1.6, 0.35, 0.05) * pulse(inside, 1.4, 0.9, 0.05)
            glow = glow * 0.8 + 0.9 * lamp
        return glow * 0.9, glow * 0.88, glow * 0.82
    if face == 3:
        return glow * 0.45, glow * 0.34, glow * 0.24
    r, g, b = table[m, 1] * glow, table[m, 2] * glow, table[m, 3] * glow
    if shop and z + dz * t < table[m, 9] + 1.9:
        shelf = pulse(z + dz * t, 0.45, 0.06, 0.02)
        pick = chance(
            int(np.floor((u + du * t) / 0.35)), int(np.floor((z + dz * t) / 0.45)), int(table[m, 14] * 997)
        )
        tone = glow * (0.35 + 0.9 * pick) * (1.0 - 0.7 * shelf)
        return tone * (0.7 + 0.5 * pick), tone * 0.75, tone * (1.1 - 0.6 * pick)
    return r, g, b


@loose
def window(
    table: Array, m: int, u: float, z: float, du: float, dn: float, dz: float, footprint: float, lit: float
) -> Colour:
    """What one sees through a pane: blinds, curtains or the room. *lit* is the light that falls on the pane."""
    v = (z - table[m, 9]) / table[m, 11]
    s = (u - table[m, 8]) / table[m, 10]
    if v > 1.0 - table[m, 12]:
        slat = 1.0 - 0.25 * pulse(z, 0.05, 0.012, footprint)
        k = (0.10 + 0.55 * lit) * slat
        return table[m, 4] * k, table[m, 5] * k, table[m, 6] * k
    if s < table[m, 13] or s > 1.0 - table[m, 13]:
        fold = 0.75 + 0.25 * np.sin(u * 55.0) * fade(footprint, 0.05)
        k = (0.09 + 0.5 * lit) * fold
        return table[m, 4] * k, table[m, 5] * k, table[m, 6] * k
    return room(table, m, u, z, du, dn, dz)


@inner
def spread(a: int, b: int, c: int) -> float:
    """:func:`chance` of three int32, as a float32: arithmetic of 32 bits, which vectors have."""
    h = u32(u32(a) * u32(374761393)) + u32(u32(b) * u32(668265263))
    h = u32(h + u32(u32(c) * u32(2147483647)))
    h = u32(u32(h ^ (h >> u32(13))) * u32(1274126177))
    h = u32(u32(h ^ (h >> u32(16))) * u32(1103515245))
    found: float = f32(i32((h ^ (h >> u32(15))) & u32(0xFFFFFF))) * f32(1.0 / 16777216.0)
    return found


@inner
def clear(footprint: float, size: float) -> float:
    """:func:`fade` in float32."""
    return min(f32(1.0), max(f32(0.0), f32(1.8) - f32(1.6) * footprint / f32(size)))


@inner
def gaps(x: float, period: float, gap: float, footprint: float) -> float:
    """:func:`pulse` in float32."""
    wide = max(footprint, f32(1e-4)) / period
    share = f32(gap) / period
    a = x / period - f32(0.5) * wide
    b = a + wide
    fa, fb = np.floor(a), np.floor(b)
    inside: float = (fb - fa) * share + min(b - fb, share) - min(a - fa, share)
    return inside / wide


@inner
def paint(table: Array, m: int, tile: Array, u: float, v: float) -> Colour:
    """One colour, mottled by ``table[m, 8]``."""
    tone = f32(1.0) + table[m, 8] * grain(tile, u * f32(1.0 / 1.7), v * f32(1.0 / 1.7))
    return table[m, 1] * tone, table[m, 2] * tone, table[m, 3] * tone


@inner
def brick(table: Array, m: int, tile: Array, u: float, z: float, footprint: float) -> Colour:
    """Running bond with mortar: bricks differ, joints fade with distance."""
    one, half = f32(1.0), f32(0.5)
    length, course = table[m, 8], table[m, 9]
    layer = i32(np.floor(z / course))
    shifted = u + (half * length if layer & i32(1) else f32(0.0))
    # A lens is softer than a pixel: what is as thin as one has lost some of its contrast.
    soft = footprint * f32(1.5)
    joint = max(gaps(z, course, 0.012, soft), gaps(shifted, length, 0.012, soft))
    joint *= clear(footprint, 0.05)
    number = i32(np.floor(shifted / length))
    visible = clear(footprint, 0.16)
    each = (spread(number, layer, i32(table[m, 11])) - half) * table[m, 10] * visible
    tone = one + each
    tone += f32(0.16) * grain(tile, u * f32(1.0 / 7.0), z * f32(1.0 / 9.0) + table[m, 11])
    tone += f32(0.10) * grain(tile, u * f32(1.0 / 1.3), z * f32(1.0 / 14.0))
    hue = f32(0.05) * (spread(number, layer, i32(77)) - half) * visible
    rest, mortar = one - joint, (one + f32(0.1) * each) * joint
    return (
        table[m, 1] * (tone + hue) * rest + table[m, 4] * mortar,
        table[m, 2] * tone * rest + table[m, 5] * mortar,
        table[m, 3] * (tone - hue) * rest + table[m, 6] * mortar,
    )


@loose
def ground(kind: int, table: Array, m: int, tile: Array, x: float, y: float, footprint: float) -> Colour:
    """Asphalt (kind 4) or slabs of concrete (kind 3) with joints every ``table[m, 8]`` metres, 0 for none."""
    broad = grain(tile, x / 23.0, y / 17.0)
    fine = grain(tile, (x * 0.8 + y * 0.6) / 3.7, (y * 0.8 - x * 0.6) / 3.7)
    fine += 1.5 * (chance(int(np.floor(x * 40.0)), int(np.floor(y * 40.0)), 3) - 0.5) * fade(footprint, 0.03)
    if kind == 4:
        crack = abs(grain(tile, x / 31.0 + 0.37, y / 26.0)) / max(0.010, footprint * 0.05)
        dark = max(0.0, 1.0 - crack) * fade(footprint, 0.10) * 0.45
        lane = abs(abs(abs(y) - 1.75) - 0.8)
        track = 0.10 * max(0.0, 1.0 - lane / 0.55)
        tone = (1.0 - track + 0.22 * broad + 0.17 * fine) * (1.0 - dark)
        return table[m, 1] * tone, table[m, 2] * tone, table[m, 3] * tone
    tone = 1.0 + 0.14 * broad + 0.10 * fine
    if table[m, 8] > 0.0:
        joint = max(pulse(x, table[m, 8], 0.014, footprint), pulse(y, table[m, 8], 0.014, footprint))
        slab = chance(int(np.floor(x / table[m, 8])), int(np.floor(y / table[m, 8])), 9) - 0.5
        tone = (tone + 0.13 * slab * fade(footprint, 0.9)) * (1.0 - 0.55 * joint * fade(footprint, 0.16))
    return table[m, 1] * tone, table[m, 2] * tone, table[m, 3] * tone


@inner
def plaster(table: Array, m: int, tile: Array, u: float, z: float, footprint: float) -> Colour:
    """Stucco and stone: clouds, stains that run down, a little grain."""
    stain = grain(tile, u * f32(1.0 / 2.3), z * f32(1.0 / 26.0))
    stain += f32(0.25) * grain(tile, u * f32(1.0 / 0.7), z * f32(1.0 / 9.0))
    tone = f32(1.0) + f32(0.10) * grain(tile, u * f32(0.2), z * f32(0.2))
    tone += f32(0.08) * grain(tile, u * f32(1.0 / 0.9), z * f32(1.0 / 0.9)) * clear(footprint, 0.12)
    mix = min(f32(0.5), max(f32(0.0), stain) * f32(0.45))
    return (
        (table[m, 1] + (table[m, 4] - table[m, 1]) * mix) * tone,
        (table[m, 2] + (table[m, 5] - table[m, 2]) * mix) * tone,
        (table[m, 3] + (table[m, 6] - table[m, 3]) * mix) * tone,
    )


@inner
def stroke(letters: Array, number: int, s: float, t: float) -> float:
    """A bitmap of a name between its points, so that letters get round corners."""
    i, j = int(np.floor(s)), int(np.floor(t))
    a, b = s - i, t - j
    total = 0.0
    for dj in range(2):
        for di in range(2):
            if 0 <= i + di < letters.shape[2] and 0 <= j + dj < letters.shape[1]:
                total += letters[number, j + dj, i + di] * (a if di else 1.0 - a) * (b if dj else 1.0 - b)
    return total


@loose
def sign(table: Array, m: int, letters: Array, u: float, z: float, footprint: float) -> Colour:
    """Colour B's letters on colour A; ``table[m, 12]`` is the name, ``table[m, 13]`` its columns."""
    number, count = int(table[m, 12]), table[m, 13]
    size = min(table[m, 10] / (count + 1.0), table[m, 11] / 9.0)
    s = (u - table[m, 8] - table[m, 10] * 0.5) / size + count * 0.5
    t = (table[m, 9] + table[m, 11] * 0.5 - z) / size + 4.5
    cover = stroke(letters, number, s - 0.5, t - 0.5)
    sharp = 0.5 / max(0.3, footprint / size)
    cover = min(1.0, max(0.0, (cover - 0.42) * 2.2 * sharp + 0.42)) if 0.0 <= s < count else 0.0
    return (
        table[m, 1] + (table[m, 4] - table[m, 1]) * cover,
        table[m, 2] + (table[m, 5] - table[m, 2]) * cover,
        table[m, 3] + (table[m, 6] - table[m, 3]) * cover,
    )


@loose
def tower(
    table: Array, m: int, tile: Array, u: float, z: float, footprint: float
) -> tuple[float, float, float, float]:
    """The front of a far house: a grid of windows, 1 in the last value where a pane is."""
    du, dz = footprint / table[m, 8], footprint / table[m, 9]
    clear = min(1.0, max(0.0, 1.7 - 1.5 * max(du, dz) / 0.5))
    gap = (1.0 - pulse(u, table[m, 8], table[m, 8] * (1.0 - table[m, 10]), footprint)) * (
        1.0 - pulse(z, table[m, 9], table[m, 9] * (1.0 - table[m, 11]), footprint)
    )
    pane = gap * clear + table[m, 10] * table[m, 11] * (1.0 - clear)
    column, floor = int(np.floor(u / table[m, 8])), int(np.floor(z / table[m, 9]))
    pick = chance(column, floor, int(table[m, 12]))
    inside = u / table[m, 8] - column
    level = z / table[m, 9] - floor
    frame = (
        abs(level - 1.0 + table[m, 11] * 0.5) < 0.014
        or level > 0.965
        or abs(inside - 1.0 + table[m, 10] * 0.5) < 0.008
    )
    tone = 1.0 + 0.16 * grain(tile, u / 9.0, z / 14.0) + 0.10 * grain(tile, u / 1.7, z / 21.0)
    stone = (
        0.22 * clear
        if level < 1.0 - table[m, 11] and level > 0.93 - table[m, 11] and inside > 0.94 - table[m, 10]
        else 0.0
    )
    blind = 1.0 if level > 1.0 - table[m, 11] * pick * 0.8 and pick > 0.35 else 0.0
    glass = (0.6 + 0.8 * pick) * clear + (1.0 - clear)
    bright = clear * max(blind * 0.30, 0.5 if frame else 0.0)
    r = table[m, 1] * (tone + stone) * (1.0 - pane) + (table[m, 4] * glass + bright) * pane
    g = table[m, 2] * (tone + stone) * (1.0 - pane) + (table[m, 5] * glass + bright * 0.96) * pane
    b = table[m, 3] * (tone + stone) * (1.0 - pane) + (table[m, 6] * glass + bright * 0.88) * pane
    return r, g, b, pane * clear
