"""From visibility to colour: materials, sun and sky, shadows, occlusion, haze and the tone curve.

Every kernel works on a range of rows and writes only those, so that any number of threads gives the same picture.
Texture comes from where a point rests, so it sticks to what moves. Detail fades out before it would be finer than
a pixel: a pattern that aliases would fill the edge control with noise.
"""

from __future__ import annotations

from typing import NamedTuple, TYPE_CHECKING

import numpy as np

from cosmos_core_city.kernels import loose

if TYPE_CHECKING:
    from numpy.typing import NDArray

CURVE = 4096
"""Steps of the tone curve."""
FAINT = 90.0
"""Distance in metres from which haze hides the occlusion of corners."""
_MASK = 0xFFFFFFFF


class Light(NamedTuple):
    """Sun, sky and air. Colours are linear; directions are of unit length."""

    sun: tuple[float, float, float]
    sun_color: tuple[float, float, float]
    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    ambient: tuple[float, float, float]
    """What an upward surface gets from the whole sky."""
    bounce: tuple[float, float, float]
    """What a downward surface gets from the ground."""
    haze: float
    clouds: float
    facade: float
    """Distance of the house fronts from the middle of the street, metres."""
    roofs: float
    """Typical height of the roofs, metres."""


class Looks(NamedTuple):
    """What a scene looks like, as arrays. T triangles, M materials."""

    normals: NDArray[np.float32]
    """(T, 3), in the world."""
    material: NDArray[np.int32]
    """(T,), rows of the table."""
    table: NDArray[np.float32]
    """(M, 16), see :mod:`cosmos_core_city.materials`."""
    tile: NDArray[np.float32]
    """(512, 512) of noise."""
    letters: NDArray[np.uint8]
    """(names, 9, 60) bitmaps of shop names."""
    tones: NDArray[np.uint8]
    """(4096,), see :func:`curve`."""
    shadows: NDArray[np.float32]
    """The sun's map: how near to the sun each texel's surface is."""
    sun: NDArray[np.float64]
    """(3, 4): world points to the map's columns, rows and depth."""
    texel: float
    """Size of a texel, metres."""


def curve(exposure: float) -> NDArray[np.uint8]:
    """Square root of light over 4, in :data:`CURVE` steps, to screen values: a filmic curve, then sRGB."""
    light = np.linspace(0.0, 1.0, CURVE) ** 2 * 4.0 * exposure
    filmic = np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0.0, 1.0)
    screen = np.where(filmic <= 0.0031308, filmic * 12.92, 1.055 * filmic ** (1 / 2.4) - 0.055)
    return np.floor(screen * 255 + 0.5).astype(np.uint8)


@loose
def chance(a, b, c):
    """A number in [0, 1) that depends on three integers and on nothing else."""
    h = (np.int64(a) * 374761393 + np.int64(b) * 668265263 + np.int64(c) * 2147483647) & _MASK
    h = ((h ^ (h >> 13)) * 1274126177) & _MASK
    h = ((h ^ (h >> 16)) * 1103515245) & _MASK
    return ((h ^ (h >> 15)) & 0xFFFFFF) / 16777216.0


@loose
def grain(tile, x, y):
    """Noise at (x, y), where 1 is one repetition of *tile* (512, 512)."""
    fx, fy = x * 512.0, y * 512.0
    ix, iy = int(np.floor(fx)), int(np.floor(fy))
    tx, ty = fx - ix, fy - iy
    x0, y0 = ix & 511, iy & 511
    x1, y1 = (ix + 1) & 511, (iy + 1) & 511
    low = tile[y0, x0] * (1.0 - tx) + tile[y0, x1] * tx
    high = tile[y1, x0] * (1.0 - tx) + tile[y1, x1] * tx
    return low * (1.0 - ty) + high * ty


@loose
def fade(footprint, size):
    """1 where a detail of *size* covers pixels of *footprint* well, 0 where it would alias."""
    return min(1.0, max(0.0, 1.8 - 1.6 * footprint / size))


@loose
def pulse(x, period, gap, footprint):
    """How much of a pixel at *x* lies in the gaps of a repeating pattern: box-filtered, 0 to 1."""
    half = max(footprint, 1e-4) * 0.5
    a, b = (x - half) / period, (x + half) / period
    share = gap / period
    fa, fb = np.floor(a), np.floor(b)
    inside = (fb - fa) * share + min(b - fb, share) - min(a - fa, share)
    return inside / (b - a)


@loose
def sky(light, tile, dx, dy, dz):
    """The colour of the sky in a direction."""
    up = max(dz, 0.0)
    t = 1.0 - np.exp(-3.6 * up)
    r = light.horizon[0] + (light.zenith[0] - light.horizon[0]) * t
    g = light.horizon[1] + (light.zenith[1] - light.horizon[1]) * t
    b = light.horizon[2] + (light.zenith[2] - light.horizon[2]) * t
    if light.clouds > 0.0 and up > 0.0:
        reach = 0.06 / (up + 0.10)
        cover = grain(tile, dx * reach + 0.3, dy * reach + 0.7) * 0.9 + light.clouds - 0.45
        mix = min(1.0, max(0.0, cover * 2.4)) * min(1.0, up * 5.0)
        mix = mix * mix * (3.0 - 2.0 * mix) * 0.85
        white = 0.86 * (light.horizon[0] + light.horizon[1] + light.horizon[2]) / 3.0 + 0.35
        r, g, b = r + (white - r) * mix, g + (white - g) * mix, b + (white * 1.02 - b) * mix
    towards = max(0.0, dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2])
    glow = 0.25 * towards**8 + 1.2 * towards**96
    return r + glow * light.sun_color[0] * 0.3, g + glow * light.sun_color[1] * 0.3, b + glow * light.sun_color[2] * 0.3


@loose
def mirrored(light, tile, px, py, pz, dx, dy, dz):
    """What a smooth surface at a point reflects: the fronts across the street up to their roofs, then sky."""
    r, g, b = sky(light, tile, dx, dy, abs(dz))
    if abs(dy) > 1e-3:
        wall = light.facade if dy > 0.0 else -light.facade
        t = (wall - py) / dy
        if t > 0.5:
            height = pz + dz * t
            along = px + dx * t
            top = light.roofs * (0.85 + 0.3 * chance(int(np.floor(along / 9.0)), 3 if dy > 0.0 else 4, 1))
            solid = min(1.0, max(0.0, (top - height) * 0.8 + 0.5))
            floor = 0.7 + 0.3 * min(1.0, max(0.0, height / 4.0))
            tone = (0.75 + 0.35 * chance(int(np.floor(along / 9.0)), 5, 2)) * floor * 0.34
            r, g, b = r + (tone - r) * solid, g + (tone * 0.84 - g) * solid, b + (tone * 0.72 - b) * solid
    return r, g, b


@loose
def room(table, m, u, z, du, dn, dz):
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
        pick = chance(int(np.floor((u + du * t) / 0.35)), int(np.floor((z + dz * t) / 0.45)), int(table[m, 14] * 997))
        tone = glow * (0.35 + 0.9 * pick) * (1.0 - 0.7 * shelf)
        return tone * (0.7 + 0.5 * pick), tone * 0.75, tone * (1.1 - 0.6 * pick)
    return r, g, b


@loose
def window(table, m, u, z, du, dn, dz, footprint, lit):
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


@loose
def brick(table, m, tile, u, z, footprint):
    """Running bond with mortar: bricks differ, joints fade with distance."""
    length, course = table[m, 8], table[m, 9]
    layer = int(np.floor(z / course))
    shifted = u + (0.5 * length if layer & 1 else 0.0)
    joint = max(pulse(z, course, 0.012, footprint), pulse(shifted, length, 0.012, footprint))
    joint *= fade(footprint, 0.10)
    number = int(np.floor(shifted / length))
    each = (chance(number, layer, int(table[m, 11])) - 0.5) * table[m, 10] * fade(footprint, 0.16)
    tone = 1.0 + each + 0.16 * grain(tile, u / 7.0, z / 9.0 + table[m, 11]) + 0.10 * grain(tile, u / 1.3, z / 14.0)
    hue = 0.05 * (chance(number, layer, 77) - 0.5) * fade(footprint, 0.16)
    mortar = 1.0 + 0.1 * each
    r = table[m, 1] * (tone + hue) * (1.0 - joint) + table[m, 4] * mortar * joint
    g = table[m, 2] * tone * (1.0 - joint) + table[m, 5] * mortar * joint
    b = table[m, 3] * (tone - hue) * (1.0 - joint) + table[m, 6] * mortar * joint
    return r, g, b


@loose
def ground(kind, table, m, tile, x, y, footprint):
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


@loose
def plaster(table, m, tile, u, z, footprint):
    """Stucco and stone: clouds, stains that run down, a little grain."""
    stain = max(0.0, grain(tile, u / 2.3, z / 26.0) + 0.25 * grain(tile, u / 0.7, z / 9.0))
    tone = 1.0 + 0.10 * grain(tile, u / 5.0, z / 5.0) + 0.08 * grain(tile, u / 0.9, z / 0.9) * fade(footprint, 0.12)
    mix = min(0.5, stain * 0.45)
    r, g, b = table[m, 1] + (table[m, 4] - table[m, 1]) * mix, table[m, 2] + (table[m, 5] - table[m, 2]) * mix, table[m, 3] + (table[m, 6] - table[m, 3]) * mix
    return r * tone, g * tone, b * tone


@loose
def stroke(letters, number, s, t):
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
def sign(table, m, letters, u, z, footprint):
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
def tower(table, m, tile, u, z, footprint):
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
    frame = abs(level - 1.0 + table[m, 11] * 0.5) < 0.014 or level > 0.965 or abs(inside - 1.0 + table[m, 10] * 0.5) < 0.008
    tone = 1.0 + 0.16 * grain(tile, u / 9.0, z / 14.0) + 0.10 * grain(tile, u / 1.7, z / 21.0)
    stone = 0.22 * clear if level < 1.0 - table[m, 11] and level > 0.93 - table[m, 11] and inside > 0.94 - table[m, 10] else 0.0
    blind = 1.0 if level > 1.0 - table[m, 11] * pick * 0.8 and pick > 0.35 else 0.0
    glass = (0.6 + 0.8 * pick) * clear + (1.0 - clear)
    bright = clear * max(blind * 0.30, 0.5 if frame else 0.0)
    r = table[m, 1] * (tone + stone) * (1.0 - pane) + (table[m, 4] * glass + bright) * pane
    g = table[m, 2] * (tone + stone) * (1.0 - pane) + (table[m, 5] * glass + bright * 0.96) * pane
    b = table[m, 3] * (tone + stone) * (1.0 - pane) + (table[m, 6] * glass + bright * 0.88) * pane
    return r, g, b, pane * clear


@loose
def lit(shadows, sun, x, y, z):
    """The share of the sun that reaches a point: bilinear 3 x 3 comparison in the shadow map."""
    u = sun[0, 0] * x + sun[0, 1] * y + sun[0, 2] * z + sun[0, 3]
    v = sun[1, 0] * x + sun[1, 1] * y + sun[1, 2] * z + sun[1, 3]
    w = -(sun[2, 0] * x + sun[2, 1] * y + sun[2, 2] * z + sun[2, 3])
    size = shadows.shape[0]
    fu, fv = u - 0.5, v - 0.5
    iu, iv = int(np.floor(fu)), int(np.floor(fv))
    if iu < 2 or iv < 2 or iu >= size - 3 or iv >= size - 3:
        return 1.0
    tu, tv = fu - iu, fv - iv
    total = 0.0
    for j in range(4):
        wv = 1.0 - tv if j == 0 else (tv if j == 3 else 1.0)
        for i in range(4):
            wu = 1.0 - tu if i == 0 else (tu if i == 3 else 1.0)
            if shadows[iv - 1 + j, iu - 1 + i] <= w:
                total += wu * wv
    return total / 9.0


@loose
def occlusion(first, last, ids, inverse, normals, camera, lens, taps, radius, open_sky):
    """Rows *first* to *last* of half-size ambient occlusion, 1 where nothing is near.

    *normals* are the world's, *camera* (3, 4) is camera to world, *taps* (16, n, 2) are rotations of one spiral.
    """
    height, width = open_sky.shape
    for row in range(first, last):
        y = min(2 * row, ids.shape[0] - 1)
        for column in range(width):
            x = min(2 * column, ids.shape[1] - 1)
            t = ids[y, x]
            open_sky[row, column] = 1.0
            if t < 0:
                continue
            z = 1.0 / inverse[y, x]
            if z > FAINT:
                continue
            px, py = (x + 0.5 - lens[2]) / lens[0] * z, (y + 0.5 - lens[3]) / lens[1] * z
            gx, gy, gz = normals[t, 0], normals[t, 1], normals[t, 2]
            nx = gx * camera[0, 0] + gy * camera[1, 0] + gz * camera[2, 0]
            ny = gx * camera[0, 1] + gy * camera[1, 1] + gz * camera[2, 1]
            nz = gx * camera[0, 2] + gy * camera[1, 2] + gz * camera[2, 2]
            if nx * px + ny * py + nz * z > 0.0:
                nx, ny, nz = -nx, -ny, -nz
            spread = min(max(radius * lens[0] / z, 4.0), 90.0)
            turn = (row & 3) * 4 + (column & 3)
            shut = 0.0
            for tap in range(taps.shape[1]):
                sx = int(x + taps[turn, tap, 0] * spread)
                sy = int(y + taps[turn, tap, 1] * spread)
                if sx < 0 or sy < 0 or sx >= ids.shape[1] or sy >= ids.shape[0] or ids[sy, sx] < 0:
                    continue
                q = 1.0 / inverse[sy, sx]
                vx = (sx + 0.5 - lens[2]) / lens[0] * q - px
                vy = (sy + 0.5 - lens[3]) / lens[1] * q - py
                vz = q - z
                square = vx * vx + vy * vy + vz * vz + 1e-6
                near = max(0.0, 1.0 - square / (radius * radius * 2.0))
                shut += near * max(0.0, (nx * vx + ny * vy + nz * vz) / np.sqrt(square) - 0.08)
            open_sky[row, column] = max(0.0, 1.0 - 2.1 * shut / taps.shape[1])


@loose
def calm(first, last, inverse, rough, smooth):
    """Rows *first* to *last* of *rough* averaged over the 4 x 4 pattern of its rotations, within one depth."""
    height, width = rough.shape
    for row in range(first, last):
        for column in range(width):
            here = inverse[min(2 * row, inverse.shape[0] - 1), min(2 * column, inverse.shape[1] - 1)]
            total, weight = rough[row, column] * 1e-3, 1e-3
            for j in range(max(0, row - 2), min(height, row + 2)):
                for i in range(max(0, column - 2), min(width, column + 2)):
                    there = inverse[min(2 * j, inverse.shape[0] - 1), min(2 * i, inverse.shape[1] - 1)]
                    if abs(there - here) < 0.04 * here:
                        total += rough[j, i]
                        weight += 1.0
            smooth[row, column] = total / weight


@loose
def albedo(kind, table, m, tile, letters, u, v, footprint, t):
    """The colour of a surface that is neither pane nor far front, at (u, v) on it."""
    if kind == 1:
        return brick(table, m, tile, u, v, footprint)
    if kind == 2:
        return plaster(table, m, tile, u, v, footprint)
    if kind == 3 or kind == 4:
        return ground(kind, table, m, tile, u, v, footprint)
    if kind == 9:
        return sign(table, m, letters, u, v, footprint)
    r, g, b = float(table[m, 1]), float(table[m, 2]), float(table[m, 3])
    mix = 0.0
    tone = 1.0
    if kind == 7:
        mix = chance(t >> 1, 3, 1)
    elif kind == 8:
        mix = pulse(u, table[m, 8] * 2.0, table[m, 8], footprint)
    elif kind == 11:
        plank = chance(int(np.floor(u / 0.14)), 1, 5) - 0.5
        tone = 1.0 + 0.35 * plank * fade(footprint, 0.14) + 0.15 * grain(tile, u / 0.4, v / 6.0)
    elif table[m, 8] > 0.0:
        tone = 1.0 + table[m, 8] * grain(tile, u / 1.7, v / 1.7)
    return (r + (table[m, 4] - r) * mix) * tone, (g + (table[m, 5] - g) * mix) * tone, (b + (table[m, 6] - b) * mix) * tone


@loose
def around(open_sky, inverse, x, y, z):
    """Half-size occlusion at a pixel: bilinear among neighbours at about the same distance *z*."""
    height, width = inverse.shape
    hx, hy = (x - 0.5) * 0.5, (y - 0.5) * 0.5
    ix, iy = int(np.floor(hx)), int(np.floor(hy))
    total, weight = 0.0, 1e-6
    for j in range(2):
        qy = min(max(iy + j, 0), open_sky.shape[0] - 1)
        wy = 1.0 - abs(hy - iy - j)
        for i in range(2):
            qx = min(max(ix + i, 0), open_sky.shape[1] - 1)
            there = inverse[min(2 * qy, height - 1), min(2 * qx, width - 1)]
            w = (1.0 - abs(hx - ix - i)) * wy * (1.0 if abs(there * z - 1.0) < 0.05 else 0.001)
            total += w * open_sky[qy, qx]
            weight += w
    return total / weight


@loose
def axes(px, py, pz, dx, dy, nx, ny, nz):
    """Texture coordinates of a point, and the view's parts along the first of them and into the surface.

    On walls: to the right as seen from outside, and up. On floors: x and y.
    """
    if abs(nz) >= 0.8:
        return px, py, dx, abs(dy), False
    if abs(nx) > abs(ny):
        if nx > 0.0:
            return py, pz, dy, -dx, True
        return -py, pz, -dy, dx, True
    if ny > 0.0:
        return -px, pz, -dx, -dy, True
    return px, pz, dx, dy, True


@loose
def surface(table, material, tile, letters, shadows, sun, texel, light, t, px, py, pz, dx, dy, dz, nx, ny, nz, cosine, footprint, near):
    """The light that leaves a point of triangle *t* towards the eye, *near* being its share of open sky."""
    m = material[t]
    kind = int(table[m, 0])
    towards = nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2]
    shadow = 0.0
    if towards > 0.0 or kind == 7:
        lift = texel * (0.6 + 1.6 * (1.0 - max(towards, 0.0)))
        off = texel
        shadow = lit(
            shadows,
            sun,
            px + nx * lift + light.sun[0] * off,
            py + ny * lift + light.sun[1] * off,
            pz + nz * lift + light.sun[2] * off,
        )
    direct = max(towards, 0.0) * shadow
    if kind == 7:
        direct = 0.55 * direct + 0.30 * shadow
    u, v, du, dn, upright = axes(px, py, pz, dx, dy, nx, ny, nz)
    shine, seen = table[m, 7], 0.0
    sr = sg = sb = 0.0
    if kind == 5:
        sr, sg, sb = window(table, m, u, v, du, dn, dz, footprint, direct * 0.8 + 0.25)
        r = g = b = 0.0
        seen = 1.0
    elif kind == 10 and upright:
        r, g, b, pane = tower(table, m, tile, u, v, footprint)
        shine = 0.35 * pane
    elif kind == 1 and not upright:
        r, g, b = float(table[m, 1]), float(table[m, 2]), float(table[m, 3])
    else:
        r, g, b = albedo(kind, table, m, tile, letters, u, v, footprint, t)
    deep = 0.62 + 0.38 * min(1.0, max(0.0, pz / light.roofs))
    above = (0.5 + 0.5 * nz) * deep * near + 0.06 * near
    below = ((0.5 - 0.5 * nz) * 0.9 + 0.25) * near
    k = direct * (0.65 + 0.35 * near)
    r = r * (light.sun_color[0] * k + light.ambient[0] * above + light.bounce[0] * below)
    g = g * (light.sun_color[1] * k + light.ambient[1] * above + light.bounce[1] * below)
    b = b * (light.sun_color[2] * k + light.ambient[2] * above + light.bounce[2] * below)
    r, g, b = r + (sr - r) * seen, g + (sg - g) * seen, b + (sb - b) * seen
    if shine > 0.0:
        mx, my, mz = dx + 2.0 * cosine * nx, dy + 2.0 * cosine * ny, dz + 2.0 * cosine * nz
        mr, mg, mb = mirrored(light, tile, px, py, pz, mx, my, mz)
        back = 1.0 - cosine
        share = shine * (0.12 + 0.88 * back * back * back * back * back)
        glint = max(0.0, mx * light.sun[0] + my * light.sun[1] + mz * light.sun[2])
        glint = shadow * 2.5 * glint**120 * shine
        r += (mr - r) * share + glint * light.sun_color[0]
        g += (mg - g) * share + glint * light.sun_color[1]
        b += (mb - b) * share + glint * light.sun_color[2]
    return r, g, b


@loose
def tone(tones, light):
    """The screen value of an amount of light."""
    return tones[int(min(np.sqrt(max(light, 0.0) * 0.25), 1.0) * (CURVE - 1))]


@loose
def shade(first, last, ids, inverse, open_sky, camera, lens, light, looks, shaded):
    """Rows *first* to *last* of the picture *shaded* (H, W, 3) uint8, one sample a pixel.

    *camera* (3, 4) turns camera coordinates into the world's.
    """
    width = ids.shape[1]
    normals, material, table, tile, letters, tones, shadows, sun, texel = looks
    for y in range(first, last):
        for x in range(width):
            cx, cy = (x + 0.5 - lens[2]) / lens[0], (y + 0.5 - lens[3]) / lens[1]
            dx = camera[0, 0] * cx + camera[0, 1] * cy + camera[0, 2]
            dy = camera[1, 0] * cx + camera[1, 1] * cy + camera[1, 2]
            dz = camera[2, 0] * cx + camera[2, 1] * cy + camera[2, 2]
            length = np.sqrt(cx * cx + cy * cy + 1.0)
            t = ids[y, x]
            if t < 0:
                r, g, b = sky(light, tile, dx / length, dy / length, dz / length)
            else:
                z = 1.0 / inverse[y, x]
                px, py, pz = camera[0, 3] + dx * z, camera[1, 3] + dy * z, camera[2, 3] + dz * z
                dx, dy, dz = dx / length, dy / length, dz / length
                nx, ny, nz = normals[t, 0], normals[t, 1], normals[t, 2]
                cosine = -(dx * nx + dy * ny + dz * nz)
                if cosine < 0.0:
                    nx, ny, nz, cosine = -nx, -ny, -nz, -cosine
                footprint = z / lens[0] / np.sqrt(max(cosine, 0.02))
                near = around(open_sky, inverse, x, y, z)
                r, g, b = surface(
                    table, material, tile, letters, shadows, sun, texel, light, t, px, py, pz, dx, dy, dz, nx, ny, nz, cosine, footprint, near
                )
                veil = 1.0 - np.exp(-light.haze * z * length)
                r += (light.horizon[0] - r) * veil
                g += (light.horizon[1] - g) * veil
                b += (light.horizon[2] - b) * veil
            shaded[y, x, 0] = tone(tones, r)
            shaded[y, x, 1] = tone(tones, g)
            shaded[y, x, 2] = tone(tones, b)
