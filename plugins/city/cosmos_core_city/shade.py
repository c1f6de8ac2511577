"""From visibility to colour: materials, sun and sky, shadows, occlusion, haze and the tone curve.

Every kernel works on a range of rows and writes only those, so that any number of threads gives the same picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from cosmos_core_city.kernels import inner, loose
from cosmos_core_city.textures import brick, chance, fade, grain, ground, plaster, pulse, sign, tower, window

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Colour: TypeAlias = tuple[float, float, float]
    Lens: TypeAlias = tuple[float, float, float, float]
    Rest: TypeAlias = tuple[float, float, float, float, float, float, float, float, float]

CURVE = 4096
"""Steps of the tone curve."""
FAINT = 90.0
"""Distance in metres from which haze hides the occlusion of corners."""


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
    day: float
    """How bright the world is that windows reflect, clouds scatter and rooms borrow from; 1 at noon."""
    homes: float
    """Share of the windows behind which a lamp burns."""
    electric: float
    """Strength of the light in rooms, signs and lanterns; 0 is off."""
    snow: float
    """How much of what faces the sky is white, 0 to 1."""
    posts: NDArray[np.float64]
    """(N, 8), lamps and shop fronts that light what is around them: place, colour, reach in metres, 1 if it shines down."""


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
    rest: NDArray[np.float32]
    """(T, 3), the normals before anything moved: textures stick to what flies."""
    rides: NDArray[np.int32]
    """(T,), the body of each triangle, -1 for what never moves."""
    back: NDArray[np.float64]
    """(B, 3, 4): points of a body's triangles to where they rested."""


def curve(exposure: float) -> NDArray[np.uint8]:
    """Square root of light over 4, in :data:`CURVE` steps, to screen values: a filmic curve, then sRGB."""
    light = np.linspace(0.0, 1.0, CURVE) ** 2 * 4.0 * exposure
    filmic = np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0.0, 1.0)
    screen = np.where(filmic <= 0.0031308, filmic * 12.92, 1.055 * filmic ** (1 / 2.4) - 0.055)
    return np.floor(screen * 255 + 0.5).astype(np.uint8)


@loose
def sky(light: Light, tile: Array, dx: float, dy: float, dz: float) -> Colour:
    """The colour of the sky in a direction."""
    up = max(dz, 0.0)
    t = 1.0 - np.exp(-4.6 * up)
    r = light.horizon[0] + (light.zenith[0] - light.horizon[0]) * t
    g = light.horizon[1] + (light.zenith[1] - light.horizon[1]) * t
    b = light.horizon[2] + (light.zenith[2] - light.horizon[2]) * t
    if light.clouds > 0.0 and up > 0.0:
        reach = 0.06 / (up + 0.10)
        cover = grain(tile, dx * reach + 0.3, dy * reach + 0.7) * 0.9 + light.clouds - 0.45
        mix = min(1.0, max(0.0, cover * 2.4)) * min(1.0, up * 5.0)
        mix = mix * mix * (3.0 - 2.0 * mix) * 0.85
        white = 0.86 * (light.horizon[0] + light.horizon[1] + light.horizon[2]) / 3.0 + 0.35 * light.day
        r, g, b = r + (white - r) * mix, g + (white - g) * mix, b + (white * 1.02 - b) * mix
    towards = max(0.0, dx * light.sun[0] + dy * light.sun[1] + dz * light.sun[2])
    glow = 0.25 * towards**8 + 1.2 * towards**96
    return (
        r + glow * light.sun_color[0] * 0.3,
        g + glow * light.sun_color[1] * 0.3,
        b + glow * light.sun_color[2] * 0.3,
    )


@loose
def mirrored(
    light: Light, tile: Array, px: float, py: float, pz: float, dx: float, dy: float, dz: float
) -> Colour:
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
            tone = (0.75 + 0.35 * chance(int(np.floor(along / 9.0)), 5, 2)) * floor * 0.34 * light.day
            r, g, b = r + (tone - r) * solid, g + (tone * 0.84 - g) * solid, b + (tone * 0.72 - b) * solid
    return r, g, b


@inner
def lit(shadows: Array, sun: Array, x: float, y: float, z: float) -> float:
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
def occlusion(
    first: int,
    last: int,
    ids: Array,
    inverse: Array,
    normals: Array,
    camera: Array,
    lens: Lens,
    taps: Array,
    radius: float,
    open_sky: Array,
) -> None:
    """Rows *first* to *last* of half-size ambient occlusion, 1 where nothing is near.

    *normals* are the world's, *camera* (3, 4) is camera to world, *taps* (16, n, 2) are rotations of one spiral.
    """
    width = open_sky.shape[1]
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
def calm(first: int, last: int, inverse: Array, rough: Array, smooth: Array) -> None:
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
def albedo(
    kind: int, table: Array, m: int, tile: Array, letters: Array, u: float, v: float, footprint: float, t: int
) -> Colour:
    """The colour of a surface that is neither pane nor far front, at (u, v) on it."""
    if kind == 1:
        return brick(table, m, tile, u, v, footprint)
    if kind == 2:
        return plaster(table, m, tile, u, v, footprint)
    if kind in (3, 4):
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
    return (
        (r + (table[m, 4] - r) * mix) * tone,
        (g + (table[m, 5] - g) * mix) * tone,
        (b + (table[m, 6] - b) * mix) * tone,
    )


@inner
def around(open_sky: Array, inverse: Array, x: float, y: float, z: float) -> float:
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


@inner
def axes(
    px: float, py: float, pz: float, dx: float, dy: float, nx: float, ny: float, nz: float
) -> tuple[float, float, float, float, bool]:
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


@inner
def at_rest(
    b: int,
    back: Array,
    normal: Array,
    px: float,
    py: float,
    pz: float,
    dx: float,
    dy: float,
    dz: float,
    nx: float,
    ny: float,
    nz: float,
) -> Rest:
    """A point, the view and the normal that faces it, as they would be had body *b* not moved; *normal* was there."""
    if b < 0:
        return px, py, pz, dx, dy, dz, nx, ny, nz
    x = back[b, 0, 0] * px + back[b, 0, 1] * py + back[b, 0, 2] * pz + back[b, 0, 3]
    y = back[b, 1, 0] * px + back[b, 1, 1] * py + back[b, 1, 2] * pz + back[b, 1, 3]
    z = back[b, 2, 0] * px + back[b, 2, 1] * py + back[b, 2, 2] * pz + back[b, 2, 3]
    ex = back[b, 0, 0] * dx + back[b, 0, 1] * dy + back[b, 0, 2] * dz
    ey = back[b, 1, 0] * dx + back[b, 1, 1] * dy + back[b, 1, 2] * dz
    ez = back[b, 2, 0] * dx + back[b, 2, 1] * dy + back[b, 2, 2] * dz
    ox, oy, oz = float(normal[0]), float(normal[1]), float(normal[2])
    if ex * ox + ey * oy + ez * oz > 0.0:
        ox, oy, oz = -ox, -oy, -oz
    return x, y, z, ex, ey, ez, ox, oy, oz


@inner
def lamplight(
    posts: Array, px: float, py: float, pz: float, nx: float, ny: float, nz: float
) -> tuple[float, float, float]:
    """What a surface at a point gets from the lamps and shop fronts near it; they cast no shadows."""
    r = g = b = 0.0
    for i in range(posts.shape[0]):
        reach = posts[i, 6]
        x, y = posts[i, 0] - px, posts[i, 1] - py
        if abs(x) > reach or abs(y) > reach:
            continue
        z = posts[i, 2] - pz
        square = x * x + y * y + z * z + 0.25
        edge = 1.0 - square / (reach * reach)
        if edge <= 0.0:
            continue
        far = np.sqrt(square)
        k = max(0.0, 0.2 + 0.8 * (x * nx + y * ny + z * nz) / far) * edge * edge / square
        if posts[i, 7] > 0.5:
            k *= min(1.0, max(0.0, z / far * 1.8 - 0.35))
        r += posts[i, 3] * k
        g += posts[i, 4] * k
        b += posts[i, 5] * k
    return r, g, b


@inner
def burns(light: Light, variant: float) -> float:
    """How strongly the lamp burns behind the window with this number in [0, 1): 0 where nobody is in."""
    number = int(variant * 1000.0 + 0.5)
    if chance(number, 17, 3) >= light.homes:
        return 0.0
    return light.electric * (0.55 + 0.9 * chance(number, 5, 23))


@inner
def snowed(light: Light, tile: Array, kind: int, px: float, py: float, nz: float, near: float) -> float:
    """How white the snow makes a point: upward faces under open sky; wheels keep their tracks clear."""
    flat = min(1.0, max(0.0, (nz - 0.4) * 3.0)) * min(1.0, max(0.0, near * 2.0 - 0.5))
    drift = light.snow * 1.7 - 0.35 + 0.5 * grain(tile, px / 9.0, py / 9.0)
    cover = flat * min(1.0, max(0.0, drift * 2.2))
    if kind == 4:
        track = abs(abs(abs(py) - 1.75) - 0.8)
        cover *= 0.2 + 0.8 * min(1.0, max(0.0, track * 2.6 - 0.55 + 0.5 * grain(tile, px / 17.0, py / 3.0)))
    return cover


@inner
def surface(
    table: Array,
    material: Array,
    tile: Array,
    letters: Array,
    shadows: Array,
    sun: Array,
    texel: float,
    light: Light,
    t: int,
    px: float,
    py: float,
    pz: float,
    dx: float,
    dy: float,
    dz: float,
    nx: float,
    ny: float,
    nz: float,
    cosine: float,
    footprint: float,
    near: float,
    rest: Rest,
) -> Colour:
    """The light that leaves a point of triangle *t* towards the eye, *near* being its share of open sky.

    Light is reckoned where the point is, its texture where it was at *rest*.
    """
    m = material[t]
    kind = int(table[m, 0])
    towards = nx * light.sun[0] + ny * light.sun[1] + nz * light.sun[2]
    shadow = 0.0
    if light.sun_color[0] > 0.0 and (towards > 0.0 or kind == 7):
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
    u, v, du, dn, upright = axes(rest[0], rest[1], rest[2], rest[3], rest[4], rest[6], rest[7], rest[8])
    shine, seen = table[m, 7], 0.0
    sr = sg = sb = 0.0
    if kind == 5:
        sr, sg, sb = window(table, m, u, v, du, dn, rest[5], footprint, (direct * 0.8 + 0.25) * light.day)
        lamp = burns(light, table[m, 14]) if table[m, 15] < 0.5 else 0.8 * light.electric
        shut = min(1.0, light.day * 1.5)
        sr, sg, sb = sr * (shut + lamp), sg * (shut + 0.78 * lamp), sb * (shut + 0.50 * lamp)
        r = g = b = 0.0
        seen = 1.0
    elif kind == 10 and upright:
        r, g, b, pane = tower(table, m, tile, u, v, footprint)
        shine = 0.35 * pane
        if light.electric > 0.0:
            column, floor = np.floor(u / table[m, 8]), np.floor(v / table[m, 9])
            lamp = burns(light, chance(int(column), int(floor), int(table[m, 12]) + 31)) * 0.11 * pane
            sr, sg, sb = lamp, 0.74 * lamp, 0.44 * lamp
    elif kind == 1 and not upright:
        r, g, b = float(table[m, 1]), float(table[m, 2]), float(table[m, 3])
    else:
        r, g, b = albedo(kind, table, m, tile, letters, u, v, footprint, t)
    if kind == 9:
        sr, sg, sb = r * light.electric * 0.25, g * light.electric * 0.25, b * light.electric * 0.25
    elif kind == 0 and table[m, 9] > 0.0:
        sr, sg, sb = (
            r * table[m, 9] * light.electric,
            g * table[m, 9] * light.electric,
            b * table[m, 9] * light.electric,
        )
    if light.snow > 0.0 and kind not in (5, 7, 9):
        white = snowed(light, tile, kind, px, py, nz, near)
        r, g, b = r + (0.70 - r) * white, g + (0.73 - g) * white, b + (0.79 - b) * white
    deep = 0.62 + 0.38 * min(1.0, max(0.0, pz / light.roofs))
    above = (0.5 + 0.5 * nz) * deep * near + 0.06 * near
    below = ((0.5 - 0.5 * nz) * 0.9 + 0.25) * near
    k = direct * (0.65 + 0.35 * near)
    lr = lg = lb = 0.0
    if light.electric > 0.0:
        lr, lg, lb = lamplight(light.posts, px, py, pz, nx, ny, nz)
    r = r * (light.sun_color[0] * k + light.ambient[0] * above + light.bounce[0] * below + lr * near)
    g = g * (light.sun_color[1] * k + light.ambient[1] * above + light.bounce[1] * below + lg * near)
    b = b * (light.sun_color[2] * k + light.ambient[2] * above + light.bounce[2] * below + lb * near)
    r, g, b = r * (1.0 - seen) + sr, g * (1.0 - seen) + sg, b * (1.0 - seen) + sb
    if shine > 0.0:
        mx, my, mz = dx + 2.0 * cosine * nx, dy + 2.0 * cosine * ny, dz + 2.0 * cosine * nz
        mr, mg, mb = mirrored(light, tile, px, py, pz, mx, my, mz)
        back = 1.0 - cosine
        share = shine * (0.16 + 0.84 * back * back * back * back * back)
        glint = max(0.0, mx * light.sun[0] + my * light.sun[1] + mz * light.sun[2])
        glint = shadow * 2.5 * glint**120 * shine
        r += (mr - r) * share + glint * light.sun_color[0]
        g += (mg - g) * share + glint * light.sun_color[1]
        b += (mb - b) * share + glint * light.sun_color[2]
    return r, g, b


@inner
def tone(tones: Array, light: float) -> int:
    """The screen value of an amount of light."""
    return int(tones[int(min(np.sqrt(max(light, 0.0) * 0.25), 1.0) * (CURVE - 1))])


@loose
def shade(
    first: int,
    last: int,
    ids: Array,
    inverse: Array,
    open_sky: Array,
    camera: Array,
    lens: Lens,
    light: Light,
    looks: Looks,
    shaded: Array,
) -> None:
    """Rows *first* to *last* of the picture *shaded* (H, W, 3) uint8, one sample a pixel.

    *camera* (3, 4) turns camera coordinates into the world's.
    """
    width = ids.shape[1]
    normals, material, table, tile, letters, tones, shadows, sun, texel, rest, rides, back = looks
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
                stuck = at_rest(rides[t], back, rest[t], px, py, pz, dx, dy, dz, nx, ny, nz)
                footprint = z / lens[0] / np.sqrt(max(cosine, 0.02))
                near = around(open_sky, inverse, x, y, z)
                r, g, b = surface(
                    table,
                    material,
                    tile,
                    letters,
                    shadows,
                    sun,
                    texel,
                    light,
                    t,
                    px,
                    py,
                    pz,
                    dx,
                    dy,
                    dz,
                    nx,
                    ny,
                    nz,
                    cosine,
                    footprint,
                    near,
                    stuck,
                )
                veil = 1.0 - np.exp(-light.haze * z * length)
                r += (light.horizon[0] - r) * veil
                g += (light.horizon[1] - g) * veil
                b += (light.horizon[2] - b) * veil
            # Paint of cars and signs looks like plastic without it: film mixes its layers.
            grey = 0.13 * (0.25 * r + 0.65 * g + 0.10 * b)
            r, g, b = 0.87 * r + grey, 0.87 * g + grey, 0.87 * b + grey
            shaded[y, x, 0] = tone(tones, r)
            shaded[y, x, 1] = tone(tones, g)
            shaded[y, x, 2] = tone(tones, b)
