"""From visibility to colour: materials, sun and sky, shadows, occlusion, haze and the tone curve.

Every kernel works on a range of rows and writes only those, so that any number of threads gives the same picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from cosmos_core_city.kernels import LANES, bits, f32, i32, inner, lane, loose, numbers, u32
from cosmos_core_city.textures import (
    brick,
    chance,
    fade,
    grain,
    ground,
    paint,
    plaster,
    pulse,
    sign,
    spread,
    tower,
    window,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Colour: TypeAlias = tuple[float, float, float]
    Lens: TypeAlias = tuple[float, float, float, float]
    Rest: TypeAlias = tuple[float, float, float, float, float, float, float, float, float]

DARKEST, OCTAVES = -14, 16
"""The tone curve holds the light from 2 ** DARKEST on, in this many doublings."""
FINE = 15
"""Bits of a float32 below those that number the steps of the tone curve: 256 steps a doubling."""
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


def narrow(light: Light) -> Light:
    """*light* in float32, as kernels want it."""
    single: dict[str, Any] = {}
    for name, value in light._asdict().items():
        if isinstance(value, tuple):
            single[name] = tuple(np.float32(each) for each in value)
        else:
            single[name] = value if isinstance(value, np.ndarray) else np.float32(value)
    return Light(**single)


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
    tones: NDArray[np.int32]
    """See :func:`curve`."""
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
    back: NDArray[np.float32]
    """(B, 3, 4): points of a body's triangles to where they rested."""
    faces: NDArray[np.int32]
    """(T,), which flat surface each triangle is a part of."""


def curve(exposure: float) -> NDArray[np.int32]:
    """Light to screen values, in 256 steps a doubling: a filmic curve, then sRGB."""
    first = (127 + DARKEST) << 23
    middle = first + ((np.arange(OCTAVES << 23 - FINE) << FINE) + (1 << FINE - 1))
    light = middle.astype(np.int32).view(np.float32).astype(np.float64) * exposure
    filmic = np.clip(light * (2.51 * light + 0.03) / (light * (2.43 * light + 0.59) + 0.14), 0.0, 1.0)
    screen = np.where(filmic <= 0.0031308, filmic * 12.92, 1.055 * filmic ** (1 / 2.4) - 0.055)
    return np.floor(screen * 255 + 0.5).astype(np.int32)


@inner
def decay(x: float) -> float:
    """About exp(-x) for x from 0 to 20, without a call."""
    y = x * f32(0.0625)
    e = f32(1.0) + y * (f32(1.0) + y * (f32(0.5) + y * (f32(1.0 / 6.0) + y * f32(1.0 / 24.0))))
    e = f32(1.0) / (e * e)
    e *= e
    e *= e
    return e * e


@inner
def sky(light: Light, tile: Array, dx: float, dy: float, dz: float) -> Colour:
    """The colour of the sky in a direction."""
    up = max(f32(dz), f32(0.0))
    t = f32(1.0) - decay(f32(4.6) * up)
    r = light.horizon[0] + (light.zenith[0] - light.horizon[0]) * t
    g = light.horizon[1] + (light.zenith[1] - light.horizon[1]) * t
    b = light.horizon[2] + (light.zenith[2] - light.horizon[2]) * t
    reach = f32(0.06) / (up + f32(0.10))
    cover = grain(tile, f32(dx) * reach + f32(0.3), f32(dy) * reach + f32(0.7))
    mix = (cover * f32(0.9) + light.clouds - f32(0.45)) * f32(2.4)
    mix = min(f32(1.0), max(f32(0.0), mix)) * min(f32(1.0), up * f32(5.0))
    mix *= mix * (f32(3.0) - f32(2.0) * mix) * (f32(0.85) if light.clouds > f32(0.0) else f32(0.0))
    white = f32(0.86 / 3.0) * (light.horizon[0] + light.horizon[1] + light.horizon[2]) + f32(0.35) * light.day
    r, g, b = r + (white - r) * mix, g + (white - g) * mix, b + (white * f32(1.02) - b) * mix
    sun2 = max(f32(0.0), f32(dx) * light.sun[0] + f32(dy) * light.sun[1] + f32(dz) * light.sun[2])
    sun2 *= sun2
    sun8 = sun2 * sun2 * sun2 * sun2
    sun32 = sun8 * sun8 * sun8 * sun8
    glow = f32(0.075) * sun8 + f32(0.36) * sun32 * sun32 * sun32
    return r + glow * light.sun_color[0], g + glow * light.sun_color[1], b + glow * light.sun_color[2]


@inner
def mirrored(
    light: Light, tile: Array, px: float, py: float, pz: float, dx: float, dy: float, dz: float
) -> Colour:
    """What a smooth surface at a point reflects: the fronts across the street up to their roofs, then sky."""
    one, zero = f32(1.0), f32(0.0)
    r, g, b = sky(light, tile, dx, dy, abs(dz))
    right = dy > zero
    steep = abs(dy) > f32(1e-3)
    t = ((light.facade if right else -light.facade) - py) / (dy if steep else one)
    height, along = pz + dz * t, px + dx * t
    house = i32(np.floor(min(max(along * f32(1.0 / 9.0), f32(-1e6)), f32(1e6))))
    top = light.roofs * (f32(0.85) + f32(0.3) * spread(house, i32(3) if right else i32(4), i32(1)))
    solid = min(one, max(zero, (top - height) * f32(0.8) + f32(0.5)))
    solid = solid if steep & (t > f32(0.5)) else zero
    floor = f32(0.7) + f32(0.3) * min(one, max(zero, height * f32(0.25)))
    tone = (f32(0.75) + f32(0.35) * spread(house, i32(5), i32(2))) * floor * f32(0.34) * light.day
    r, g, b = (
        r + (tone - r) * solid,
        g + (tone * f32(0.84) - g) * solid,
        b + (tone * f32(0.72) - b) * solid,
    )
    return r, g, b


@inner
def lit(shadows: Array, sun: Array, x: float, y: float, z: float) -> float:
    """The share of the sun that reaches a point: bilinear 3 x 3 comparison in the shadow map, all of it outside."""
    u = sun[0, 0] * x + sun[0, 1] * y + sun[0, 2] * z + sun[0, 3] - f32(0.5)
    v = sun[1, 0] * x + sun[1, 1] * y + sun[1, 2] * z + sun[1, 3] - f32(0.5)
    w = -(sun[2, 0] * x + sun[2, 1] * y + sun[2, 2] * z + sun[2, 3])
    last = f32(shadows.shape[0] - 4)
    iu, iv = min(max(np.floor(u), f32(1.0)), last), min(max(np.floor(v), f32(1.0)), last)
    tu, tv = u - iu, v - iv
    left, top = u32(i32(iu) - i32(1)), u32(i32(iv) - i32(1))
    total = f32(0.0)
    for j in range(4):
        along = f32(0.0)
        for i in range(4):
            wu = f32(1.0) - tu if i == 0 else (tu if i == 3 else f32(1.0))
            along += wu if shadows[top + u32(j), left + u32(i)] <= w else f32(0.0)
        total += along * (f32(1.0) - tv if j == 0 else (tv if j == 3 else f32(1.0)))
    inside = (tu >= f32(0.0)) & (tu < f32(1.0)) & (tv >= f32(0.0)) & (tv < f32(1.0))
    return total * f32(1.0 / 9.0) if inside else f32(1.0)


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
    half: Array,
    open_sky: Array,
) -> None:
    """Rows *first* to *last* of half-size ambient occlusion, 1 where nothing is near, and of half-size 1/z.

    *normals* are the world's, *camera* (3, 4) is camera to world, *taps* (4, n, 2, LANES) are rotations of one
    spiral for every fourth row and all columns.
    """
    z, px, py, nx, ny, nz, spread, shut = (lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane())
    height, width = ids.shape
    fx, fy, cx, cy = f32(lens[0]), f32(lens[1]), f32(lens[2] - 0.5), f32(lens[3] - 0.5)
    right, bottom = i32(width - 1), i32(height - 1)
    inward = f32(0.5 / (radius * radius))
    for row in range(first, last):
        y = min(2 * row, height - 1)
        seen, line = ids[y], inverse[y]
        for start in range(0, open_sky.shape[1], LANES):
            count = min(LANES, open_sky.shape[1] - start)
            begin = i32(2 * start)
            for i in range(count):
                x = min(begin + i32(2) * i32(i), right)
                t = u32(max(seen[u32(x)], i32(0)))
                depth = f32(1.0) / max(line[u32(x)], f32(1e-6))
                qx, qy = (f32(x) - cx) / fx * depth, (f32(y) - cy) / fy * depth
                gx, gy, gz = normals[t, 0], normals[t, 1], normals[t, 2]
                vx = gx * f32(camera[0, 0]) + gy * f32(camera[1, 0]) + gz * f32(camera[2, 0])
                vy = gx * f32(camera[0, 1]) + gy * f32(camera[1, 1]) + gz * f32(camera[2, 1])
                vz = gx * f32(camera[0, 2]) + gy * f32(camera[1, 2]) + gz * f32(camera[2, 2])
                side = f32(-1.0) if vx * qx + vy * qy + vz * depth > f32(0.0) else f32(1.0)
                nx[i], ny[i], nz[i] = vx * side, vy * side, vz * side
                z[i], px[i], py[i] = depth, qx, qy
                spread[i] = min(max(f32(radius) * fx / depth, f32(4.0)), f32(90.0))
                shut[i] = f32(0.0)
            for tap in range(taps.shape[1]):
                across, down = taps[row & 3, tap, 0], taps[row & 3, tap, 1]
                for i in range(count):
                    x = min(begin + i32(2) * i32(i), right)
                    sx, sy = i32(f32(x) + across[i] * spread[i]), i32(f32(y) + down[i] * spread[i])
                    column, level = min(max(sx, i32(0)), right), min(max(sy, i32(0)), bottom)
                    q = f32(1.0) / max(inverse[u32(level), u32(column)], f32(1e-6))
                    vx = (f32(column) - cx) / fx * q - px[i]
                    vy = (f32(level) - cy) / fy * q - py[i]
                    vz = q - z[i]
                    square = vx * vx + vy * vy + vz * vz + f32(1e-6)
                    near = max(f32(0.0), f32(1.0) - square * inward)
                    near *= f32(1.0) if (sx == column) & (sy == level) else f32(0.0)
                    rises = (nx[i] * vx + ny[i] * vy + nz[i] * vz) / np.sqrt(square)
                    shut[i] += near * max(f32(0.0), rises - f32(0.08))
            found, depths = open_sky[row, start : start + count], half[row, start : start + count]
            for i in range(count):
                share = max(f32(0.0), f32(1.0) - f32(2.1) * shut[i] / f32(taps.shape[1]))
                found[i] = share if z[i] <= f32(FAINT) else f32(1.0)
            for i in range(count):
                depths[i] = line[min(2 * (start + i), width - 1)]


@loose
def calm(first: int, last: int, half: Array, rough: Array, smooth: Array) -> None:
    """Rows *first* to *last* of *rough* averaged over the 4 x 4 pattern of its rotations, within one depth."""
    total, weight = lane(), lane()
    height, width = rough.shape
    for row in range(first, last):
        for start in range(0, width, LANES):
            count = min(LANES, width - start)
            own = rough[row, start : start + count]
            for i in range(count):
                total[i], weight[i] = own[i] * 1e-3, 1e-3
            for j in range(max(0, row - 2), min(height, row + 2)):
                for shift in range(-2, 2):
                    low, high = max(0, -start - shift), min(count, width - start - shift)
                    here = half[row, start + low : start + high]
                    there = half[j, start + low + shift : start + high + shift]
                    taken = rough[j, start + low + shift : start + high + shift]
                    sums, weights = total[low:high], weight[low:high]
                    for i in range(high - low):
                        same = abs(there[i] - here[i]) < f32(0.04) * here[i]
                        sums[i] += taken[i] if same else f32(0.0)
                        weights[i] += f32(1.0) if same else f32(0.0)
            found = smooth[row, start : start + count]
            for i in range(count):
                found[i] = total[i] / weight[i]


@loose
def albedo(
    kind: int, table: Array, m: int, tile: Array, letters: Array, u: float, v: float, footprint: float, t: int
) -> Colour:
    """The colour of a surface that is neither pane nor far front, and not common, at (u, v) on it."""
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
    return (
        (r + (table[m, 4] - r) * mix) * tone,
        (g + (table[m, 5] - g) * mix) * tone,
        (b + (table[m, 6] - b) * mix) * tone,
    )


class Lanes(NamedTuple):
    """What the kernel knows of the pixels it works on: lanes of numbers."""

    px: Array
    """Place in the world, metres."""
    py: Array
    pz: Array
    dx: Array
    """Direction of the view, of unit length."""
    dy: Array
    dz: Array
    nx: Array
    """Normal, towards the eye."""
    ny: Array
    nz: Array
    cosine: Array
    """Of the angle between normal and view."""
    far: Array
    """Distance from the eye, metres."""
    size: Array
    """Of a pixel on the surface, metres."""
    near: Array
    """Share of the sky that nothing near hides."""
    shadow: Array
    """Share of the sun that reaches the point."""
    direct: Array
    """Share of the sun's light that the surface takes."""
    lr: Array
    """Light of lamps."""
    lg: Array
    lb: Array
    r: Array
    """Colour of the surface, then light, then screen value."""
    g: Array
    b: Array
    sr: Array
    """Light that comes out of the surface."""
    sg: Array
    sb: Array
    shine: Array
    """How much the surface mirrors."""
    u: Array
    """Where on its texture the point is."""
    v: Array


class Groups(NamedTuple):
    """Pixels by what they show, as places in :class:`Lanes`, and room to work in."""

    m: Array
    """The material of each pixel."""
    plain: Array
    plaster: Array
    brick: Array
    other: Array
    shiny: Array
    r: Array
    """Colours of one group, one after the other."""
    g: Array
    b: Array


@inner
def around(upper: Array, lower: Array, above: Array, below: Array, x: int, down: float, z: float) -> float:
    """Half-size occlusion at column *x*: bilinear among neighbours at about the same distance *z*.

    *upper* and *lower* are the rows of occlusion around it, *above* and *below* the same rows of 1/z, *down* the
    weight of the lower.
    """
    one, last = i32(1), i32(len(upper) - 1)
    left = u32(min(max((x - one) >> one, i32(0)), last))
    right = u32(min((x + one) >> one, last))
    across = f32(0.75) if x & one == i32(0) else f32(0.25)
    near, little = f32(0.05), f32(0.001)
    a = (
        (f32(1.0) - across)
        * (f32(1.0) - down)
        * (f32(1.0) if abs(above[left] * z - f32(1.0)) < near else little)
    )
    b = across * (f32(1.0) - down) * (f32(1.0) if abs(above[right] * z - f32(1.0)) < near else little)
    c = (f32(1.0) - across) * down * (f32(1.0) if abs(below[left] * z - f32(1.0)) < near else little)
    d = across * down * (f32(1.0) if abs(below[right] * z - f32(1.0)) < near else little)
    total: float = a * upper[left] + b * upper[right] + c * lower[left] + d * lower[right]
    return total / (a + b + c + d)


@inner
def enclose(open_sky: Array, half: Array, inverse: Array, x: int, y: int, to: Lanes, count: int) -> None:
    """How much of the sky is open to each of *count* pixels from (*x*, *y*) on."""
    top, bottom = max((y - 1) >> 1, 0), min((y + 1) >> 1, len(half) - 1)
    upper, lower, above, below = open_sky[top], open_sky[bottom], half[top], half[bottom]
    down = f32(0.25) if y & 1 else f32(0.75)
    for i in range(count):
        z = f32(1.0) / max(inverse[i], f32(1e-6))
        to.near[i] = around(upper, lower, above, below, i32(x) + i32(i), down, z)


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
def at_rest(b: int, back: Array, normal: Array, to: Lanes, i: int) -> Rest:
    """Point *i*, the view and the normal that faces it, as they would be had body *b* not moved; *normal* was there."""
    px, py, pz = float(to.px[i]), float(to.py[i]), float(to.pz[i])
    dx, dy, dz = float(to.dx[i]), float(to.dy[i]), float(to.dz[i])
    if b < 0:
        return px, py, pz, dx, dy, dz, float(to.nx[i]), float(to.ny[i]), float(to.nz[i])
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
def aim(
    ids: Array,
    inverse: Array,
    x: int,
    y: int,
    camera: Array,
    lens: Lens,
    normals: Array,
    to: Lanes,
    count: int,
) -> None:
    """What *count* pixels from (*x*, *y*) on see: place, view, normal towards it, distance and size on the surface."""
    rise, begin = (f32(y) + f32(0.5) - lens[3]) / lens[1], i32(x)
    for i in range(count):
        across = (f32(begin + i32(i)) + f32(0.5) - lens[2]) / lens[0]
        dx = camera[0, 0] * across + camera[0, 1] * rise + camera[0, 2]
        dy = camera[1, 0] * across + camera[1, 1] * rise + camera[1, 2]
        dz = camera[2, 0] * across + camera[2, 1] * rise + camera[2, 2]
        length = np.sqrt(across * across + rise * rise + f32(1.0))
        z = f32(1.0) / max(inverse[i], f32(1e-6))
        t = u32(max(ids[i], i32(0)))
        to.px[i], to.py[i], to.pz[i] = camera[0, 3] + dx * z, camera[1, 3] + dy * z, camera[2, 3] + dz * z
        dx, dy, dz = dx / length, dy / length, dz / length
        to.dx[i], to.dy[i], to.dz[i] = dx, dy, dz
        nx, ny, nz = normals[t, 0], normals[t, 1], normals[t, 2]
        cosine = -(dx * nx + dy * ny + dz * nz)
        side = f32(-1.0) if cosine < f32(0.0) else f32(1.0)
        to.nx[i], to.ny[i], to.nz[i] = nx * side, ny * side, nz * side
        cosine = abs(cosine)
        to.cosine[i], to.far[i] = cosine, z * length
        to.size[i] = z / lens[0] / np.sqrt(max(cosine, f32(0.02)))


@inner
def sunlit(light: Light, shadows: Array, sun: Array, texel: float, to: Lanes, count: int) -> None:
    """How much of the sun reaches each point, and how much of that its surface takes."""
    for i in range(count):
        towards = to.nx[i] * light.sun[0] + to.ny[i] * light.sun[1] + to.nz[i] * light.sun[2]
        lift = texel * (f32(2.2) - f32(1.6) * max(towards, f32(0.0)))
        share = lit(
            shadows,
            sun,
            to.px[i] + to.nx[i] * lift + light.sun[0] * texel,
            to.py[i] + to.ny[i] * lift + light.sun[1] * texel,
            to.pz[i] + to.nz[i] * lift + light.sun[2] * texel,
        )
        to.shadow[i] = share
        to.direct[i] = max(towards, f32(0.0)) * share


@inner
def surface(light: Light, looks: Looks, t: int, i: int, to: Lanes) -> None:
    """The colour of what pixel *i* sees of triangle *t*, what light it has of its own, and how it shines.

    Light is reckoned where the point is, its texture where it was at rest.
    """
    table, tile = looks.table, looks.tile
    m = looks.material[t]
    kind = int(table[m, 0])
    rest = at_rest(looks.rides[t], looks.back, looks.rest[t], to, i)
    u, v, du, dn, upright = axes(rest[0], rest[1], rest[2], rest[3], rest[4], rest[6], rest[7], rest[8])
    footprint = float(to.size[i])
    shine = float(table[m, 7])
    sr = sg = sb = 0.0
    if kind == 5:
        bright = (to.direct[i] * 0.8 + 0.25) * light.day
        sr, sg, sb = window(table, m, u, v, du, dn, rest[5], footprint, bright)
        lamp = burns(light, table[m, 14]) if table[m, 15] < 0.5 else 0.8 * light.electric
        # A window that comes off its wall leaves the lamp behind.
        x, y, z = rest[0] - float(to.px[i]), rest[1] - float(to.py[i]), rest[2] - float(to.pz[i])
        lamp *= max(0.0, 1.0 - 8.0 * (x * x + y * y + z * z))
        shut = min(1.0, light.day * 1.5)
        sr, sg, sb = sr * (shut + lamp), sg * (shut + 0.78 * lamp), sb * (shut + 0.50 * lamp)
        r = g = b = 0.0
    elif kind == 10 and upright:
        r, g, b, pane = tower(table, m, tile, u, v, footprint)
        shine = 0.35 * pane
        if light.electric > 0.0:
            column, floor = np.floor(u / table[m, 8]), np.floor(v / table[m, 9])
            lamp = burns(light, chance(int(column), int(floor), int(table[m, 12]) + 31)) * 0.11 * pane
            sr, sg, sb = lamp, 0.74 * lamp, 0.44 * lamp
    else:
        r, g, b = albedo(kind, table, m, tile, looks.letters, u, v, footprint, t)
    if kind == 7:
        to.direct[i] = 0.55 * to.direct[i] + 0.30 * to.shadow[i]
    elif kind == 9:
        sr, sg, sb = r * light.electric * 0.25, g * light.electric * 0.25, b * light.electric * 0.25
    to.r[i], to.g[i], to.b[i] = r, g, b
    to.sr[i], to.sg[i], to.sb[i] = sr, sg, sb
    to.shine[i] = shine


@inner
def settle(ids: Array, looks: Looks, to: Lanes, by: Groups, count: int) -> None:
    """The material of each of *count* pixels, and where on its texture each is, as all was before anything moved."""
    back, rest = looks.back, looks.rest
    for i in range(count):
        t = u32(max(ids[i], i32(0)))
        by.m[i] = looks.material[t]
        moves = looks.rides[t] >= i32(0)
        k = u32(max(looks.rides[t], i32(0)))
        px, py, pz = to.px[i], to.py[i], to.pz[i]
        x = back[k, 0, 0] * px + back[k, 0, 1] * py + back[k, 0, 2] * pz + back[k, 0, 3]
        y = back[k, 1, 0] * px + back[k, 1, 1] * py + back[k, 1, 2] * pz + back[k, 1, 3]
        z = back[k, 2, 0] * px + back[k, 2, 1] * py + back[k, 2, 2] * pz + back[k, 2, 3]
        x, y, z = x if moves else px, y if moves else py, z if moves else pz
        dx, dy, dz = to.dx[i], to.dy[i], to.dz[i]
        ex = back[k, 0, 0] * dx + back[k, 0, 1] * dy + back[k, 0, 2] * dz
        ey = back[k, 1, 0] * dx + back[k, 1, 1] * dy + back[k, 1, 2] * dz
        ez = back[k, 2, 0] * dx + back[k, 2, 1] * dy + back[k, 2, 2] * dz
        ex, ey, ez = ex if moves else dx, ey if moves else dy, ez if moves else dz
        nx, ny, nz = rest[t, 0], rest[t, 1], rest[t, 2]
        side = f32(-1.0) if ex * nx + ey * ny + ez * nz > f32(0.0) else f32(1.0)
        flat, along = abs(nz) >= f32(0.8), abs(nx) > abs(ny)
        across = (y if nx * side > f32(0.0) else -y) if along else (-x if ny * side > f32(0.0) else x)
        to.u[i], to.v[i] = x if flat else across, y if flat else z


@inner
def spilt(at: Array, number: int, by: Groups, to: Lanes) -> None:
    """The colours of a group to the places of its pixels."""
    for k in range(number):
        i = u32(at[k])
        to.r[i], to.g[i], to.b[i] = by.r[k], by.g[k], by.b[k]


@inner
def common(ids: Array, looks: Looks, light: Light, to: Lanes, by: Groups, count: int) -> int:
    """The colours of paint, metal, plaster and brick, many pixels at once; how many pixels show something else.

    What is the same for all pixels of a kind is no branch, so that it becomes vector instructions.
    """
    table, tile = looks.table, looks.tile
    plain, plastered, bricks, others = i32(0), i32(0), i32(0), i32(0)
    for i in range(count):
        to.sr[i] = to.sg[i] = to.sb[i] = f32(0.0)
        to.shine[i] = f32(0.0)
        if ids[i] < 0:
            continue
        kind = i32(table[u32(by.m[i]), 0])
        if kind == 2:
            by.plaster[u32(plastered)] = i
            plastered += i32(1)
        elif kind == 1 and abs(looks.rest[u32(ids[i]), 2]) < f32(0.8):
            by.brick[u32(bricks)] = i
            bricks += i32(1)
        elif kind in (0, 1, 6):
            by.plain[u32(plain)] = i
            plain += i32(1)
        else:
            by.other[u32(others)] = i
            others += i32(1)
            continue
        to.shine[i] = table[u32(by.m[i]), 7]
    for k in range(plain):
        i = u32(by.plain[k])
        m = u32(by.m[i])
        by.r[k], by.g[k], by.b[k] = paint(table, m, tile, to.u[i], to.v[i])
    spilt(by.plain, plain, by, to)
    for k in range(plastered):
        i = u32(by.plaster[k])
        by.r[k], by.g[k], by.b[k] = plaster(table, u32(by.m[i]), tile, to.u[i], to.v[i], to.size[i])
    spilt(by.plaster, plastered, by, to)
    for k in range(bricks):
        i = u32(by.brick[k])
        by.r[k], by.g[k], by.b[k] = brick(table, u32(by.m[i]), tile, to.u[i], to.v[i], to.size[i])
    spilt(by.brick, bricks, by, to)
    if light.electric > f32(0.0):
        for k in range(plain):
            i, m = u32(by.plain[k]), u32(by.m[u32(by.plain[k])])
            if table[m, 0] == f32(0.0) and table[m, 9] > f32(0.0):
                glow = table[m, 9] * light.electric
                to.sr[i], to.sg[i], to.sb[i] = to.r[i] * glow, to.g[i] * glow, to.b[i] * glow
    return others


@inner
def whiten(ids: Array, looks: Looks, light: Light, to: Lanes, by: Groups, count: int) -> None:
    """Snow on all that is no pane, leaf or sign."""
    for i in range(count):
        kind = int(looks.table[u32(by.m[i]), 0])
        if ids[i] >= 0 and kind not in (5, 7, 9):
            white = snowed(light, looks.tile, kind, to.px[i], to.py[i], to.nz[i], to.near[i])
            to.r[i] += (0.70 - to.r[i]) * white
            to.g[i] += (0.73 - to.g[i]) * white
            to.b[i] += (0.79 - to.b[i]) * white


@inner
def illuminate(light: Light, to: Lanes, count: int) -> None:
    """Colours under sun, sky and what the ground throws back, with the light of their own."""
    one, half = f32(1.0), f32(0.5)
    for i in range(count):
        near, up = to.near[i], half * to.nz[i]
        deep = f32(0.62) + f32(0.38) * min(one, max(f32(0.0), to.pz[i] / light.roofs))
        above = ((half + up) * deep + f32(0.06)) * near
        below = ((half - up) * f32(0.9) + f32(0.25)) * near
        k = to.direct[i] * (f32(0.65) + f32(0.35) * near)
        r = light.sun_color[0] * k + light.ambient[0] * above + light.bounce[0] * below + to.lr[i]
        g = light.sun_color[1] * k + light.ambient[1] * above + light.bounce[1] * below + to.lg[i]
        b = light.sun_color[2] * k + light.ambient[2] * above + light.bounce[2] * below + to.lb[i]
        to.r[i] = to.r[i] * r + to.sr[i]
        to.g[i] = to.g[i] * g + to.sg[i]
        to.b[i] = to.b[i] * b + to.sb[i]


@inner
def reflect(light: Light, tile: Array, ids: Array, to: Lanes, by: Groups, count: int) -> None:
    """Add what shining surfaces mirror: sky, the fronts across the street, and the sun."""
    shining = i32(0)
    for i in range(count):
        if to.shine[i] > f32(0.0) and ids[i] >= 0:
            by.shiny[u32(shining)] = i
            shining += i32(1)
    for k in range(shining):
        i = u32(by.shiny[k])
        cosine, shine = to.cosine[i], to.shine[i]
        twice = f32(2.0) * cosine
        mx = to.dx[i] + twice * to.nx[i]
        my = to.dy[i] + twice * to.ny[i]
        mz = to.dz[i] + twice * to.nz[i]
        mr, mg, mb = mirrored(light, tile, to.px[i], to.py[i], to.pz[i], mx, my, mz)
        back = f32(1.0) - cosine
        square = back * back
        share = shine * (f32(0.16) + f32(0.84) * square * square * back)
        glint = max(f32(0.0), mx * light.sun[0] + my * light.sun[1] + mz * light.sun[2])
        # To the 120th: 8 * (1 + 2 + 4 + 8).
        glint *= glint
        glint *= glint
        glint *= glint
        second = glint * glint
        fourth = second * second
        glint *= second * fourth * (fourth * fourth)
        glint *= to.shadow[i] * f32(2.5) * shine
        by.r[k] = to.r[i] + (mr - to.r[i]) * share + glint * light.sun_color[0]
        by.g[k] = to.g[i] + (mg - to.g[i]) * share + glint * light.sun_color[1]
        by.b[k] = to.b[i] + (mb - to.b[i]) * share + glint * light.sun_color[2]
    spilt(by.shiny, shining, by, to)


@inner
def heaven(light: Light, tile: Array, ids: Array, to: Lanes, count: int) -> None:
    """The sky where nothing else is."""
    for i in range(count):
        r, g, b = sky(light, tile, to.dx[i], to.dy[i], to.dz[i])
        none = ids[i] < i32(0)
        to.r[i], to.g[i], to.b[i] = r if none else to.r[i], g if none else to.g[i], b if none else to.b[i]
        to.far[i] = f32(0.0) if none else to.far[i]


@inner
def step(light: float) -> int:
    """The number of the step of the tone curve for an amount of light."""
    held = min(max(light, f32(2.0**DARKEST)), f32(2.0 ** (DARKEST + OCTAVES) * 0.9999))
    return u32((bits(held) >> i32(FINE)) - i32(127 + DARKEST << 23 - FINE))


@inner
def expose(light: Light, tones: Array, to: Lanes, count: int) -> None:
    """Through haze onto the screen: lanes *r*, *g*, *b* become screen values."""
    for i in range(count):
        veil = f32(1.0) - decay(min(light.haze * to.far[i], f32(20.0)))
        r = to.r[i] + (light.horizon[0] - to.r[i]) * veil
        g = to.g[i] + (light.horizon[1] - to.g[i]) * veil
        b = to.b[i] + (light.horizon[2] - to.b[i]) * veil
        # Paint of cars and signs looks like plastic without it: film mixes its layers.
        grey = f32(0.13 * 0.25) * r + f32(0.13 * 0.65) * g + f32(0.13 * 0.10) * b
        to.r[i] = tones[step(f32(0.87) * r + grey)]
        to.g[i] = tones[step(f32(0.87) * g + grey)]
        to.b[i] = tones[step(f32(0.87) * b + grey)]


@loose
def shade(
    first: int,
    last: int,
    ids: Array,
    inverse: Array,
    half: Array,
    open_sky: Array,
    camera: Array,
    lens: Lens,
    light: Light,
    looks: Looks,
    shaded: Array,
) -> None:
    """Rows *first* to *last* of the picture *shaded* (H, W, 3) uint8, one sample a pixel.

    *camera* (3, 4) turns camera coordinates into the world's. What is the same for all materials is done for many
    pixels at once.
    """
    to = Lanes(
        lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(),
        lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(), lane(),
        lane(), lane(),
    )  # fmt: skip
    by = Groups(numbers(), numbers(), numbers(), numbers(), numbers(), numbers(), lane(), lane(), lane())
    width = ids.shape[1]
    for y in range(first, last):
        for x in range(0, width, LANES):
            count = min(LANES, width - x)
            sky_only, no_sky = True, True
            seen, depths = ids[y, x : x + count], inverse[y, x : x + count]
            for i in range(count):
                none = seen[i] < 0
                sky_only &= none
                no_sky &= not none
            aim(seen, depths, x, y, camera, lens, looks.normals, to, count)
            if not sky_only:
                enclose(open_sky, half, depths, x, y, to, count)
                if light.sun_color[0] > 0.0:
                    sunlit(light, looks.shadows, looks.sun, looks.texel, to, count)
                else:
                    for i in range(count):
                        to.shadow[i] = to.direct[i] = 0.0
                for i in range(count):
                    to.lr[i] = to.lg[i] = to.lb[i] = 0.0
                settle(seen, looks, to, by, count)
                others = common(seen, looks, light, to, by, count)
                for k in range(others):
                    i = u32(by.other[k])
                    surface(light, looks, seen[i], i, to)
                if light.snow > 0.0:
                    whiten(seen, looks, light, to, by, count)
                if light.electric > 0.0:
                    for i in range(count):
                        if seen[i] >= 0:
                            lr, lg, lb = lamplight(
                                light.posts, to.px[i], to.py[i], to.pz[i], to.nx[i], to.ny[i], to.nz[i]
                            )
                            to.lr[i], to.lg[i], to.lb[i] = lr * to.near[i], lg * to.near[i], lb * to.near[i]
                illuminate(light, to, count)
                reflect(light, looks.tile, seen, to, by, count)
            if not no_sky:
                heaven(light, looks.tile, seen, to, count)
            expose(light, looks.tones, to, count)
            drawn = shaded[y, x : x + count]
            for i in range(count):
                drawn[i, 0] = np.uint8(to.r[i])
                drawn[i, 1] = np.uint8(to.g[i])
                drawn[i, 2] = np.uint8(to.b[i])
