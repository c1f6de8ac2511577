"""Exact visibility: which triangle each pixel centre sees, and how far away it is.

The order of triangles and of threads cannot change a result. Every pixel keeps the maximum of one integer, the bits
of 1/z above the number of the triangle; shared edges are evaluated from the same end on both sides, so that meshes
have neither cracks nor double cover; depth comes from the triangle's plane, never from interpolated corners.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from cosmos_core_city.kernels import bits, exact, f32, few, inner, lean, loose

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array: TypeAlias = NDArray[Any]
    Lens: TypeAlias = tuple[float, float, float, float]

BAND = 16
"""Rows of pixels that one task fills, small enough for its keys to stay in the cache."""
SNAP = 256.0
"""Corners lie on a grid of this many steps a pixel: differences of corners are then exact in float64."""


@lean
def project(
    first: int,
    last: int,
    vertices: Array,
    owner: Array,
    hidden: Array,
    camera: Array,
    lens: Lens,
    perspective: bool,
    seen: Array,
    screen: Array,
) -> None:
    """World *vertices* (V, 3) to *seen* (V, 3), x right, y down, z forward, and to snapped pixels *screen* (V, 2).

    Rows *first* to *last*, but those of a *hidden* *owner*.
    """
    for v in range(first, last):
        if hidden[owner[v]]:
            continue
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        for axis in range(3):
            seen[v, axis] = camera[axis, 0] * x + camera[axis, 1] * y + camera[axis, 2] * z + camera[axis, 3]
        depth = seen[v, 2] if perspective else 1.0
        if depth > 0.0:
            screen[v, 0] = np.floor((lens[0] * seen[v, 0] / depth + lens[2]) * SNAP + 0.5) / SNAP
            screen[v, 1] = np.floor((lens[1] * seen[v, 1] / depth + lens[3]) * SNAP + 0.5) / SNAP


@lean
def pose(first: int, last: int, riding: Array, rest: Array, body: Array, poses: Array, moved: Array) -> None:
    """The points in rows *first* to *last* of *riding*, at *rest* (V, 3), each where its *body* takes it by *poses* (B, 3, 4)."""
    for k in range(first, last):
        v = riding[k]
        b = body[v]
        x, y, z = rest[v, 0], rest[v, 1], rest[v, 2]
        for axis in range(3):
            moved[v, axis] = (
                poses[b, axis, 0] * x + poses[b, axis, 1] * y + poses[b, axis, 2] * z + poses[b, axis, 3]
            )


@lean
def turn(first: int, last: int, rest: Array, body: Array, poses: Array, turned: Array) -> None:
    """Rows *first* to *last* of directions at *rest* (T, 3), each turned as its *body* is."""
    for t in range(first, last):
        b = body[t]
        x, y, z = rest[t, 0], rest[t, 1], rest[t, 2]
        for axis in range(3):
            turned[t, axis] = poses[b, axis, 0] * x + poses[b, axis, 1] * y + poses[b, axis, 2] * z


@lean
def before(a: Array, b: Array) -> bool:
    """Whether point *a* comes before *b* in an order that does not depend on who asks."""
    for axis in range(3):
        if a[axis] != b[axis]:
            return bool(a[axis] < b[axis])
    return False


@lean
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


@lean
def setup(
    first: int,
    last: int,
    triangles: Array,
    thin: Array,
    owner: Array,
    hidden: Array,
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

    *thin* triangles are seen from both sides; those of a *hidden* *owner* are not looked at. ``plane[t]`` holds (A, B, C, least, most): the value at a pixel
    centre (x, y) is A x + B y + C, namely 1/z, or far - z without perspective. ``rows[t]`` holds the first band
    and the one after the last; equal where nothing can be seen.
    """
    corners = few()[:9].reshape(3, 3)
    for t in range(first, last):
        rows[t, 0] = rows[t, 1] = 0
        counts[t] = 0
        if hidden[owner[t]]:
            continue
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        za, zb, zc = seen[a, 2], seen[b, 2], seen[c, 2]
        nearest, farthest = min(za, zb, zc), max(za, zb, zc)
        if perspective and farthest < near:
            continue
        cut = perspective and nearest < near
        left = right = top = bottom = 0.0
        if not cut:
            left, right = (
                min(screen[a, 0], screen[b, 0], screen[c, 0]),
                max(screen[a, 0], screen[b, 0], screen[c, 0]),
            )
            top, bottom = (
                min(screen[a, 1], screen[b, 1], screen[c, 1]),
                max(screen[a, 1], screen[b, 1], screen[c, 1]),
            )
            if missed(left, right, top, bottom, size):
                continue
        ux, uy, uz = seen[b, 0] - seen[a, 0], seen[b, 1] - seen[a, 1], zb - za
        vx, vy, vz = seen[c, 0] - seen[a, 0], seen[c, 1] - seen[a, 1], zc - za
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        d = nx * seen[a, 0] + ny * seen[a, 1] + nz * za
        facing = d if perspective else nz
        if facing == 0.0 or (facing > 0.0 and not thin[t]):
            continue
        count = 3
        if cut:
            for axis in range(3):
                corners[0, axis], corners[1, axis], corners[2, axis] = (
                    seen[a, axis],
                    seen[b, axis],
                    seen[c, axis],
                )
            count = clip(corners, near, lens, poly[t])
            nearest = near
            left = right = poly[t, 0, 0]
            top = bottom = poly[t, 0, 1]
            for i in range(1, count):
                left, right = min(left, poly[t, i, 0]), max(right, poly[t, i, 0])
                top, bottom = min(top, poly[t, i, 1]), max(bottom, poly[t, i, 1])
            if missed(left, right, top, bottom, size):
                continue
        else:
            poly[t, 0, 0], poly[t, 0, 1] = screen[a, 0], screen[a, 1]
            poly[t, 1, 0], poly[t, 1, 1] = screen[b, 0], screen[b, 1]
            poly[t, 2, 0], poly[t, 2, 1] = screen[c, 0], screen[c, 1]
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
        rows[t, 1] = min((size[1] + BAND - 1) // BAND, int(np.floor(bottom / BAND)) + 1)


@lean
def missed(left: float, right: float, top: float, bottom: float, size: tuple[int, int]) -> bool:
    """Whether what lies between these columns and rows is seen by no pixel: outside, or without a pixel centre."""
    if right <= 0.0 or left >= size[0] or bottom <= 0.0 or top >= size[1]:
        return True
    return bool(np.ceil(left - 0.5) == np.ceil(right - 0.5) or np.ceil(top - 0.5) == np.ceil(bottom - 0.5))


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


@lean
def fill(order: Array, poly: Array, counts: Array, plane: Array, top: int, keys: Array) -> None:
    """Draw the triangles of *order* into *keys*, rows from *top*.

    Where a triangle begins and ends is reckoned for all rows of a band at once, in vectors.
    """
    height, width = keys.shape
    left, right, value = few(), few(), few()
    for i in range(order.shape[0]):
        t = order[i]
        for row in range(BAND):
            left[row], right[row] = np.inf, -np.inf
        for e in range(counts[t]):
            f = e + 1 if e + 1 < counts[t] else 0
            x0, y0, x1, y1 = poly[t, e, 0], poly[t, e, 1], poly[t, f, 0], poly[t, f, 1]
            if y0 > y1:
                x0, y0, x1, y1 = x1, y1, x0, y0
            slope = (x1 - x0) / (y1 - y0) if y1 > y0 else 0.0
            for row in range(BAND):
                y = float(top + row) + 0.5
                x = x0 + (y - y0) * slope
                met = (y0 <= y) & (y < y1)
                low, high = x if met else np.inf, x if met else -np.inf
                left[row] = min(left[row], low)
                right[row] = max(right[row], high)
        across, down, level = plane[t, 0], plane[t, 1], plane[t, 2]
        step, least, most = f32(across), f32(plane[t, 3]), f32(plane[t, 4])
        for row in range(BAND):
            begin = np.ceil(left[row] - 0.5)
            begin = max(0.0, begin)
            end = np.ceil((min(1000000.0, right[row])) - 0.5)
            left[row], right[row] = begin, min(end, float(width))
            value[row] = across * (begin + 0.5) + down * (float(top + row) + 0.5) + level
        for row in range(height):
            if left[row] < right[row]:
                start, count = int(left[row]), int(right[row] - left[row])
                line, first = keys[row, start : start + count], f32(value[row])
                for x in range(count):
                    v = min(max(first + step * f32(x), least), most)
                    line[x] = max(line[x], (np.int64(bits(v)) << 32) | np.int64(t))


@lean
def visibility(
    first: int,
    last: int,
    order: Array,
    starts: Array,
    poly: Array,
    counts: Array,
    plane: Array,
    keys: Array,
    ids: Array,
    inverse: Array,
) -> None:
    """Bands *first* to *last* of the triangle (-1: none) and the 1/z (0: none) at each pixel centre."""
    height, width = ids.shape
    for band in range(first, last):
        top = band * BAND
        count = min(BAND, height - top)
        keys[:] = -1
        fill(order[starts[band] : starts[band + 1]], poly, counts, plane, top, keys[:count])
        for row in range(count):
            for x in range(width):
                t = np.int32(keys[row, x])
                ids[top + row, x] = t
                inverse[top + row, x] = 0.0
                if t >= 0:
                    value = plane[t, 0] * (x + 0.5) + plane[t, 1] * (top + row + 0.5) + plane[t, 2]
                    inverse[top + row, x] = min(max(value, plane[t, 3]), plane[t, 4])


@inner
def extent(poly: Array, counts: Array, t: int, axis: int, at: float) -> tuple[float, float]:
    """Where triangle *t* begins and ends along *axis* (0 x, 1 y), on the line at *at* of the other axis."""
    low, high = np.inf, -np.inf
    count = counts[t]
    for e in range(count):
        f = e + 1 if e + 1 < count else 0
        p, q = poly[t, e, 1 - axis], poly[t, f, 1 - axis]
        if (p <= at) != (q <= at):
            here = poly[t, e, axis] + (at - p) * (poly[t, f, axis] - poly[t, e, axis]) / (q - p)
            low, high = min(low, here), max(high, here)
    return low, high


@inner
def reach(
    poly: Array, counts: Array, faces: Array, t: int, axis: int, at: float, here: float, ends: bool
) -> float:
    """Where the flat surface of triangle *t* ends, or begins, along *axis*, on the line at *at* of the other axis.

    A quadrangle is two triangles, one after the other: where one gives way to the other nothing ends. Only what is
    within a pixel of *here* matters.
    """
    low, high = extent(poly, counts, t, axis, at)
    if not here < (high if ends else low) < here + 1.0:
        return high if ends else low
    for other in (t - 1, t + 1):
        if 0 <= other < len(faces) and counts[other] and faces[other] == faces[t]:
            first, last = extent(poly, counts, other, axis, at)
            if first <= high + 0.01 and last >= low - 0.01:
                low, high = min(low, first), max(high, last)
    return high if ends else low


@inner
def ahead(plane: Array, a: int, b: int, axis: int, at: float, here: float) -> float:
    """By how much 1/z triangle *a* is before *b* at a point on a line."""
    slope = (plane[a, axis] - plane[b, axis]) * here + (plane[a, 1 - axis] - plane[b, 1 - axis]) * at
    return float(slope + plane[a, 2] - plane[b, 2])


@loose
def border(
    poly: Array, counts: Array, plane: Array, faces: Array, a: int, b: int, axis: int, at: float, start: float
) -> float:
    """Where on the way from a pixel centre to the next, 0 to 1, triangle *a* gives way to *b*; -1 is sky.

    Where *b* begins before *a*, where *a* ends before *b*, or where one comes through the other.
    """
    end = min(1.0, reach(poly, counts, faces, a, axis, at, start, True) - start) if a >= 0 else 1.0
    begin = max(0.0, reach(poly, counts, faces, b, axis, at, start, False) - start) if b >= 0 else 0.0
    if a < 0:
        return begin
    if b < 0:
        return end
    if end <= begin:
        return 0.5 * (begin + end)
    first, last = (
        ahead(plane, a, b, axis, at, start + begin),
        ahead(plane, a, b, axis, at, start + end),
    )
    if first <= 0.0:
        return begin
    return end if last >= 0.0 else begin + (end - begin) * first / (first - last)


@loose
def soften(
    first: int,
    last: int,
    ids: Array,
    poly: Array,
    counts: Array,
    plane: Array,
    faces: Array,
    edges: Array,
    shaded: Array,
    smooth: Array,
) -> None:
    """Rows *first* to *last* of an anti-aliased picture, without shading or sampling anything twice.

    Between two pixel centres that see different surfaces, the border is known exactly; the pixel
    on whose half it lies takes that much of its neighbour's colour. *faces* says which triangles are parts of one flat
    surface; *edges* (5, W) is room to work in; *shaded* and *smooth* are (H, W, 3) uint8 and equal at first.
    """
    height, width = ids.shape
    left, right, above, below, later = edges[0], edges[1], edges[2], edges[3], edges[4]
    later[:] = 0.0
    for y in range(max(first - 1, 0), last):
        above, later = later, above
        left[:], right[:], below[:], later[:] = 0.0, 0.0, 0.0, 0.0
        for x in range(width - 1 if y >= first else 0):
            a, b = ids[y, x], ids[y, x + 1]
            if a != b and (a < 0 or b < 0 or faces[a] != faces[b]):
                at = border(poly, counts, plane, faces, a, b, 0, y + 0.5, x + 0.5)
                right[x], left[x + 1] = max(0.5 - at, 0.0), max(at - 0.5, 0.0)
        for x in range(width if y + 1 < height else 0):
            a, b = ids[y, x], ids[y + 1, x]
            if a != b and (a < 0 or b < 0 or faces[a] != faces[b]):
                at = border(poly, counts, plane, faces, a, b, 1, x + 0.5, y + 0.5)
                below[x], later[x] = max(0.5 - at, 0.0), max(at - 0.5, 0.0)
        if y >= first:
            for x in range(width):
                across, along = left[x] + right[x], above[x] + below[x]
                if across >= along > 0.0 or across > 0.0 == along:
                    mix(shaded, smooth, y, x, 0, 1, left[x], right[x])
                elif along > 0.0:
                    mix(shaded, smooth, y, x, 1, 0, above[x], below[x])


@inner
def mix(
    shaded: Array, smooth: Array, y: int, x: int, down: int, across: int, before: float, after: float
) -> None:
    """Pixel (*y*, *x*) of *smooth*, with shares of the one *before* and the one *after* it on one axis."""
    previous, following = int(before * 256.0 + 0.5), int(after * 256.0 + 0.5)
    for channel in range(3):
        total = np.int64(shaded[y, x, channel]) * (256 - previous - following) + 128
        if previous:
            total += np.int64(shaded[y - down, x - across, channel]) * previous
        if following:
            total += np.int64(shaded[y + down, x + across, channel]) * following
        smooth[y, x, channel] = total >> 8


@lean
def values(
    first: int,
    last: int,
    order: Array,
    starts: Array,
    poly: Array,
    counts: Array,
    plane: Array,
    keys: Array,
    nearest: Array,
) -> None:
    """Raise bands *first* to *last* of *nearest* to the greatest value a ray meets: a shadow map, from zeros."""
    height, width = nearest.shape
    for band in range(first, last):
        if starts[band] == starts[band + 1]:
            continue
        top = band * BAND
        count = min(BAND, height - top)
        keys[:] = -1
        fill(order[starts[band] : starts[band + 1]], poly, counts, plane, top, keys[:count])
        for row in range(count):
            for x in range(width):
                if keys[row, x] >= 0:
                    t = keys[row, x] & 0xFFFFFFFF
                    value = plane[t, 0] * (x + 0.5) + plane[t, 1] * (top + row + 0.5) + plane[t, 2]
                    value = min(max(value, plane[t, 3]), plane[t, 4])
                    nearest[top + row, x] = max(nearest[top + row, x], f32(value))
