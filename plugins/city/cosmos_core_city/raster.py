"""Exact visibility: which triangle each pixel centre sees, and how far away it is.

The order of triangles and of threads cannot change a result. Every pixel keeps the maximum of one integer, the bits
of 1/z above the number of the triangle; shared edges are evaluated from the same end on both sides, so that meshes
have neither cracks nor double cover; depth comes from the triangle's plane, never from interpolated corners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cosmos_core_city.kernels import bits, exact

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Lens: TypeAlias = tuple[float, float, float, float]

BAND = 16
"""Rows of pixels that one task fills, small enough for its keys to stay in the cache."""
SNAP = 256.0
"""Corners lie on a grid of this many steps a pixel: differences of corners are then exact in float64."""


@exact
def project(
    vertices: Array, camera: Array, lens: Lens, perspective: bool, seen: Array, screen: Array
) -> None:
    """World *vertices* (V, 3) to *seen* (V, 3), x right, y down, z forward, and to snapped pixels *screen* (V, 2)."""
    for v in range(vertices.shape[0]):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        for axis in range(3):
            seen[v, axis] = camera[axis, 0] * x + camera[axis, 1] * y + camera[axis, 2] * z + camera[axis, 3]
        depth = seen[v, 2] if perspective else 1.0
        if depth > 0.0:
            screen[v, 0] = np.floor((lens[0] * seen[v, 0] / depth + lens[2]) * SNAP + 0.5) / SNAP
            screen[v, 1] = np.floor((lens[1] * seen[v, 1] / depth + lens[3]) * SNAP + 0.5) / SNAP


@exact
def pose(first: int, last: int, rest: Array, body: Array, poses: Array, moved: Array) -> None:
    """Rows *first* to *last* of points at *rest* (V, 3), each where its *body* takes it by *poses* (B, 3, 4)."""
    for v in range(first, last):
        b = body[v]
        x, y, z = rest[v, 0], rest[v, 1], rest[v, 2]
        if b < 0:
            moved[v, 0], moved[v, 1], moved[v, 2] = x, y, z
            continue
        for axis in range(3):
            moved[v, axis] = (
                poses[b, axis, 0] * x + poses[b, axis, 1] * y + poses[b, axis, 2] * z + poses[b, axis, 3]
            )


@exact
def turn(first: int, last: int, rest: Array, body: Array, poses: Array, turned: Array) -> None:
    """Rows *first* to *last* of directions at *rest* (T, 3), each turned as its *body* is."""
    for t in range(first, last):
        b = body[t]
        x, y, z = rest[t, 0], rest[t, 1], rest[t, 2]
        if b < 0:
            turned[t, 0], turned[t, 1], turned[t, 2] = x, y, z
            continue
        for axis in range(3):
            turned[t, axis] = poses[b, axis, 0] * x + poses[b, axis, 1] * y + poses[b, axis, 2] * z


@exact
def before(a: Array, b: Array) -> bool:
    """Whether point *a* comes before *b* in an order that does not depend on who asks."""
    for axis in range(3):
        if a[axis] != b[axis]:
            return bool(a[axis] < b[axis])
    return False


@exact
def clip(corners: Array, near: float, lens: Lens, poly: Array) -> int:
    """Cut a triangle (3, 3) at z = *near* into *poly* (4, 2) in snapped pixels; its number of corners.

    A cut edge is always walked from the same end, so that both triangles on it get the same new corner.
    """
    count = 0
    for i in range(3):
        a, b = corners[i], corners[(i + 1) % 3]
        if a[2] >= near:
            poly[count, 0] = np.floor((lens[0] * a[0] / a[2] + lens[2]) * SNAP + 0.5) / SNAP
            poly[count, 1] = np.floor((lens[1] * a[1] / a[2] + lens[3]) * SNAP + 0.5) / SNAP
            count += 1
        if (a[2] >= near) != (b[2] >= near):
            if before(b, a):
                a, b = b, a
            t = (near - a[2]) / (b[2] - a[2])
            x, y = a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])
            poly[count, 0] = np.floor((lens[0] * x / near + lens[2]) * SNAP + 0.5) / SNAP
            poly[count, 1] = np.floor((lens[1] * y / near + lens[3]) * SNAP + 0.5) / SNAP
            count += 1
    return count


@exact
def setup(
    first: int,
    last: int,
    triangles: Array,
    thin: Array,
    seen: Array,
    screen: Array,
    lens: Lens,
    perspective: bool,
    near: float,
    far: float,
    size: tuple[int, int],
    poly: Array,
    counts: Array,
    plane: Array,
    rows: Array,
) -> None:
    """Prepare triangles *first* to *last*: cull, clip, and write polygon, depth plane and rows of bands.

    *thin* triangles are seen from both sides. ``plane[t]`` holds (A, B, C, least, most): the value at a pixel
    centre (x, y) is A x + B y + C, namely 1/z, or far - z without perspective. ``rows[t]`` holds the first band
    and the one after the last; equal where nothing can be seen.
    """
    width, height = size
    corners = np.empty((3, 3))
    for t in range(first, last):
        rows[t, 0] = rows[t, 1] = 0
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        za, zb, zc = seen[a, 2], seen[b, 2], seen[c, 2]
        nearest, farthest = min(za, zb, zc), max(za, zb, zc)
        if perspective and farthest < near:
            continue
        ux, uy, uz = seen[b, 0] - seen[a, 0], seen[b, 1] - seen[a, 1], zb - za
        vx, vy, vz = seen[c, 0] - seen[a, 0], seen[c, 1] - seen[a, 1], zc - za
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        d = nx * seen[a, 0] + ny * seen[a, 1] + nz * za
        facing = d if perspective else nz
        if facing == 0.0 or (facing > 0.0 and not thin[t]):
            continue
        count = 3
        if perspective and nearest < near:
            for axis in range(3):
                corners[0, axis], corners[1, axis], corners[2, axis] = (
                    seen[a, axis],
                    seen[b, axis],
                    seen[c, axis],
                )
            count = clip(corners, near, lens, poly[t])
            nearest = near
        else:
            poly[t, 0, 0], poly[t, 0, 1] = screen[a, 0], screen[a, 1]
            poly[t, 1, 0], poly[t, 1, 1] = screen[b, 0], screen[b, 1]
            poly[t, 2, 0], poly[t, 2, 1] = screen[c, 0], screen[c, 1]
        left = right = poly[t, 0, 0]
        top = bottom = poly[t, 0, 1]
        for i in range(1, count):
            left, right = min(left, poly[t, i, 0]), max(right, poly[t, i, 0])
            top, bottom = min(top, poly[t, i, 1]), max(bottom, poly[t, i, 1])
        if right <= 0.0 or left >= width or bottom <= 0.0 or top >= height:
            continue
        # Quarter steps hold the centres of pixels and of the 2 x 2 samples: what meets none of them is seen by none.
        if np.ceil(4.0 * left) == np.ceil(4.0 * right) or np.ceil(4.0 * top) == np.ceil(4.0 * bottom):
            continue
        counts[t] = count
        if perspective:
            plane[t, 0], plane[t, 1] = nx / (lens[0] * d), ny / (lens[1] * d)
            plane[t, 2] = (nz - nx * lens[2] / lens[0] - ny * lens[3] / lens[1]) / d
            plane[t, 3], plane[t, 4] = 1.0 / farthest, 1.0 / nearest
        else:
            plane[t, 0], plane[t, 1] = nx / (nz * lens[0]), ny / (nz * lens[1])
            plane[t, 2] = far - d / nz - plane[t, 0] * lens[2] - plane[t, 1] * lens[3]
            plane[t, 3], plane[t, 4] = far - farthest, far - nearest
        rows[t, 0] = max(0, int(np.floor(top / BAND)))
        rows[t, 1] = min((height + BAND - 1) // BAND, int(np.floor(bottom / BAND)) + 1)


@exact
def sort(rows: Array, starts: Array) -> Array:
    """Triangles by band: fills *starts* (bands + 1) and returns the triangles' numbers, band after band."""
    starts[:] = 0
    for t in range(rows.shape[0]):
        for band in range(rows[t, 0], rows[t, 1]):
            starts[band + 1] += 1
    for band in range(starts.shape[0] - 1):
        starts[band + 1] += starts[band]
    order = np.empty(starts[-1], dtype=np.int32)
    fill = starts.copy()
    for t in range(rows.shape[0]):
        for band in range(rows[t, 0], rows[t, 1]):
            order[fill[band]] = t
            fill[band] += 1
    return order


@exact
def fill(order: Array, poly: Array, counts: Array, plane: Array, scale: float, top: int, keys: Array) -> None:
    """Draw the triangles of *order* into *keys*, rows from *top*, at *scale* samples a pixel and axis."""
    height, width = keys.shape
    ax, ay, slope, end = np.empty(4), np.empty(4), np.empty(4), np.empty(4)
    for i in range(order.shape[0]):
        t = order[i]
        count = counts[t]
        lowest, highest = np.inf, -np.inf
        for e in range(count):
            f = e + 1 if e + 1 < count else 0
            x0, y0, x1, y1 = (
                poly[t, e, 0] * scale,
                poly[t, e, 1] * scale,
                poly[t, f, 0] * scale,
                poly[t, f, 1] * scale,
            )
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            ax[e], ay[e], end[e] = x0, y0, y1
            slope[e] = (x1 - x0) / (y1 - y0) if y1 > y0 else 0.0
            lowest, highest = min(lowest, y0), max(highest, y1)
        first = max(top, int(np.ceil(max(lowest, -1.0) - 0.5)))
        last = min(top + height, int(np.ceil(min(highest, 1e6) - 0.5)))
        across, down, level = plane[t, 0] / scale, plane[t, 1] / scale, plane[t, 2]
        step, least, most = np.float32(across), np.float32(plane[t, 3]), np.float32(plane[t, 4])
        for row in range(first, last):
            y = row + 0.5
            left, right = np.inf, -np.inf
            for e in range(count):
                if ay[e] <= y < end[e]:
                    x = ax[e] + (y - ay[e]) * slope[e]
                    left, right = min(left, x), max(right, x)
            if left >= width or right <= 0.0 or left > right:
                continue
            start = max(0, int(np.ceil(left - 0.5)))
            stop = min(width, int(np.ceil(min(right, 1e6) - 0.5)))
            value = np.float32(across * (start + 0.5) + down * y + level)
            line = keys[row - top]
            for x in range(start, stop):
                v = min(max(value + step * np.float32(x - start), least), most)
                line[x] = max(line[x], (np.int64(bits(v)) << 32) | np.int64(t))


@exact
def visibility(
    first: int,
    last: int,
    order: Array,
    starts: Array,
    poly: Array,
    counts: Array,
    plane: Array,
    ids: Array,
    inverse: Array,
) -> None:
    """Bands *first* to *last* of the triangle (-1: none) and the 1/z (0: none) at each pixel centre."""
    height, width = ids.shape
    keys = np.empty((BAND, width), dtype=np.int64)
    for band in range(first, last):
        top = band * BAND
        count = min(BAND, height - top)
        keys[:] = -1
        fill(order[starts[band] : starts[band + 1]], poly, counts, plane, 1.0, top, keys[:count])
        for row in range(count):
            for x in range(width):
                t = np.int32(keys[row, x])
                ids[top + row, x] = t
                inverse[top + row, x] = 0.0
                if t >= 0:
                    value = plane[t, 0] * (x + 0.5) + plane[t, 1] * (top + row + 0.5) + plane[t, 2]
                    inverse[top + row, x] = min(max(value, plane[t, 3]), plane[t, 4])


@exact
def soften(
    first: int,
    last: int,
    order: Array,
    starts: Array,
    poly: Array,
    counts: Array,
    plane: Array,
    ids: Array,
    shaded: Array,
    smooth: Array,
) -> None:
    """Bands *first* to *last* of an anti-aliased picture, without shading anything twice.

    Four samples a pixel are resolved to triangles; each takes the colour of a neighbour whose centre sees the same
    triangle, or the pixel's own. *shaded* and *smooth* are (H, W, 3) uint8.
    """
    height, width = ids.shape
    keys = np.empty((2 * BAND, 2 * width), dtype=np.int64)
    for band in range(first, last):
        top = band * BAND
        count = min(BAND, height - top)
        keys[:] = -1
        fill(order[starts[band] : starts[band + 1]], poly, counts, plane, 2.0, 2 * top, keys[: 2 * count])
        for row in range(count):
            y = top + row
            for x in range(width):
                own = ids[y, x]
                a, b = keys[2 * row, 2 * x], keys[2 * row, 2 * x + 1]
                c, d = keys[2 * row + 1, 2 * x], keys[2 * row + 1, 2 * x + 1]
                if np.int32(a) == own and np.int32(b) == own and np.int32(c) == own and np.int32(d) == own:
                    smooth[y, x, 0], smooth[y, x, 1], smooth[y, x, 2] = (
                        shaded[y, x, 0],
                        shaded[y, x, 1],
                        shaded[y, x, 2],
                    )
                    continue
                red = green = blue = np.int64(2)
                for sample in range(4):
                    dx, dy = sample & 1, sample >> 1
                    t = np.int32(keys[2 * row + dy, 2 * x + dx])
                    qx, qy = x, y
                    if t != own:
                        sx = min(max(x + 2 * dx - 1, 0), width - 1)
                        sy = min(max(y + 2 * dy - 1, 0), height - 1)
                        if ids[y, sx] == t:
                            qx = sx
                        elif ids[sy, x] == t:
                            qy = sy
                        elif ids[sy, sx] == t:
                            qx, qy = sx, sy
                    red += np.int64(shaded[qy, qx, 0])
                    green += np.int64(shaded[qy, qx, 1])
                    blue += np.int64(shaded[qy, qx, 2])
                smooth[y, x, 0], smooth[y, x, 1], smooth[y, x, 2] = red >> 2, green >> 2, blue >> 2


@exact
def values(
    first: int,
    last: int,
    order: Array,
    starts: Array,
    poly: Array,
    counts: Array,
    plane: Array,
    nearest: Array,
) -> None:
    """Raise bands *first* to *last* of *nearest* to the greatest value a ray meets: a shadow map, from zeros."""
    height, width = nearest.shape
    keys = np.empty((BAND, width), dtype=np.int64)
    for band in range(first, last):
        if starts[band] == starts[band + 1]:
            continue
        top = band * BAND
        count = min(BAND, height - top)
        keys[:] = -1
        fill(order[starts[band] : starts[band + 1]], poly, counts, plane, 1.0, top, keys[:count])
        for row in range(count):
            for x in range(width):
                if keys[row, x] >= 0:
                    t = keys[row, x] & 0xFFFFFFFF
                    value = plane[t, 0] * (x + 0.5) + plane[t, 1] * (top + row + 0.5) + plane[t, 2]
                    value = min(max(value, plane[t, 3]), plane[t, 4])
                    nearest[top + row, x] = max(nearest[top + row, x], np.float32(value))
