"""Nodes of the destruction chain that do something: boxes are cut, pieces are thrown, fall, turn and lie.

No simulation by anybody's measure; but names, places, orientations and cut faces come as the solver's points and the
fracture's polygons would bring them, and ``xformpieces`` moves by a way of its own, matrices, what poses must move alike.
The standard library alone, as it also runs in Pythons that have nothing else.
``DOUBLE_RBD`` makes it misbehave: ``nameless`` points, ``lost`` pieces, ``still`` has nothing fall, ``mirrored`` turns
pieces the other way than their points say.
"""

from __future__ import annotations

import math
import os
import re

from hython_stubs.geometry import Shape

GRAVITY = 9.81


def prepare(session):
    """Give the chain's types their cooks."""
    Chain(session).install()


class Chain:
    def __init__(self, session):
        self.session = session
        self.kept = {}
        """What does not change with the frame, by node."""

    def install(self):
        cooks = self.session.cooks
        cooks["Sop/attribwrangle"] = self.wrangle
        cooks["Sop/rbdbulletsolver"] = self.solver
        cooks["Sop/timeshift"] = self.timeshift
        cooks["Sop/xformpieces"] = self.xformpieces
        for version in ("2.0", "3.0", "4.0"):
            cooks[f"Sop/rbdmaterialfracture::{version}"] = self.fracture

    def wrangle(self, node, output):
        """The two that keep some of the polygons."""
        came = _input(node, 0)
        code = node.parm("snippet").eval()
        unwanted = re.fullmatch(r"if \(i@active == (\d)\) removeprim\(0, @primnum, 1\);", code)
        if not unwanted:
            return came
        active = came.values["prim", "active"]
        return _kept(came, [row for row, on in enumerate(active) if on != int(unwanted[1])])

    def fracture(self, node, output):
        """Each solid cut into eight along its middle; faces that the cut makes belong to nothing."""
        if node._fake not in self.kept:
            came = _input(node, 0)
            made = Shape()
            for key, default in came.attributes.items():
                made.attributes[key], made.values[key] = default, []
            made.groups["inside"] = []
            solids = {}
            for row, name in enumerate(came.values["prim", "name"]):
                solids.setdefault(name, []).append(row)
            for name, rows in solids.items():
                _cut(came, rows, name, made)
            self.kept[node._fake] = made
        return _copy(self.kept[node._fake])

    def solver(self, node, output):
        """A point for each piece: where it was thrown to, and how it has turned."""
        assert 3 == output
        if node._fake not in self.kept:
            self.kept[node._fake] = _pieces(_input(node, 0))
        rest, start = self.kept[node._fake], int(node.parm("startframe").eval())
        seconds = max(0.0, self.session.frame - start) / self.session.fps
        launch = node.inputs()[0].parm("snippet").eval()
        center = [float(each) for each in re.search(r"set\(([^)]*)\)", launch)[1].split(",")]
        mood = os.environ.get("DOUBLE_RBD", "")
        made = Shape()
        made.attributes = {
            ("point", "name"): "",
            ("point", "orient"): (0.0, 0.0, 0.0, 1.0),
            ("point", "pivot"): (0.0,) * 3,
        }
        made.values = {key: [] for key in made.attributes}
        for at, (name, (middle, foot)) in enumerate(rest.items()):
            if mood == "lost" and at == 3 and seconds > 0:
                continue
            place, turn = _thrown(middle, foot, center, 0.0 if mood == "still" else seconds, at)
            made.points.append(tuple(place))
            made.values["point", "name"].append(name)
            made.values["point", "orient"].append(turn)
            made.values["point", "pivot"].append((0.0, 0.0, 0.0))
        if mood == "nameless":
            del made.attributes["point", "name"]
        return made

    def timeshift(self, node, output):
        """What comes in, as it is on the frame that the node names."""
        before, self.session.frame = self.session.frame, node.parm("frame").eval()
        try:
            return _input(node, 0)
        finally:
            self.session.frame = before

    def xformpieces(self, node, output):
        """Rest polygons by live points over frozen ones, as rotation matrices."""
        shape, live, frozen = (_input(node, at) for at in range(3))
        then = _by_name(frozen)
        carriers = {}
        for name, polygon in zip(shape.values["prim", "name"], shape.polygons, strict=True):
            carriers.setdefault(name, set()).update(polygon)
        for name, (place, turn) in _by_name(live).items():
            pivot, before = then[name]
            matrix = _times(_matrix(turn), _turned(_matrix(before)))
            if os.environ.get("DOUBLE_RBD") == "mirrored":
                matrix = _turned(matrix)
            for row in carriers[name]:
                arm = [p - q for p, q in zip(shape.points[row], pivot, strict=True)]
                shape.points[row] = tuple(
                    start + sum(m * a for m, a in zip(line, arm, strict=True))
                    for start, line in zip(place, matrix, strict=True)
                )
        return shape


def _input(node, at):
    """A copy of what comes in; the solver's points are those of its fourth output."""
    source, output = node._fake.inputs[at]
    return _copy(source.object.geometry(output)._fake)


def _copy(came):
    made = Shape(list(came.points), list(came.polygons), dict(came.attributes))
    made.values = {key: list(column) for key, column in came.values.items()}
    made.groups = {key: list(rows) for key, rows in came.groups.items()}
    return made


def _kept(came, rows):
    used = sorted({corner for row in rows for corner in came.polygons[row]})
    number = {corner: at for at, corner in enumerate(used)}
    made = Shape([came.points[corner] for corner in used], [], dict(came.attributes))
    made.polygons = [tuple(number[corner] for corner in came.polygons[row]) for row in rows]
    made.values = {
        key: [column[row] for row in rows] if key[0] == "prim" else list(column)
        for key, column in came.values.items()
    }
    return made


# Corner k of a box has x from bit 0, y from bit 1, z from bit 2; sides are clockwise seen from outside.
_SIDES = {
    (0, 0): (0, 2, 6, 4), (0, 1): (1, 5, 7, 3), (1, 0): (0, 4, 5, 1),
    (1, 1): (2, 3, 7, 6), (2, 0): (0, 1, 3, 2), (2, 1): (4, 6, 7, 5),
}  # fmt: skip


def _cut(came, rows, name, made):
    """Eight boxes of one; a side that lay outside keeps what it was, all others are new."""
    axes = list(zip(*(came.points[corner] for row in rows for corner in came.polygons[row]), strict=True))
    low, high = [min(axis) for axis in axes], [max(axis) for axis in axes]
    middle = [(a + b) / 2 for a, b in zip(low, high, strict=True)]
    for part in range(8):
        bits = [part >> axis & 1 for axis in range(3)]
        ends = [(middle[axis], high[axis]) if bits[axis] else (low[axis], middle[axis]) for axis in range(3)]
        start = len(made.points)
        made.points += [tuple(ends[axis][k >> axis & 1] for axis in range(3)) for k in range(8)]
        for (axis, side), corners in _SIDES.items():
            made.polygons.append(tuple(start + corner for corner in corners))
            new = bits[axis] != side
            for key, column in made.values.items():
                if key[0] == "prim":
                    column.append(came.attributes[key] if new else came.values[key][rows[0]])
            made.values["prim", "name"][-1] = f"{name}-{part}"
            if new:
                made.groups["inside"].append(len(made.polygons) - 1)


def _pieces(shape):
    """The middle and the height of the foot of each piece, by name."""
    found = {}
    for name, polygon in zip(shape.values["prim", "name"], shape.polygons, strict=True):
        found.setdefault(name, set()).update(polygon)
    made = {}
    for name, rows in found.items():
        axes = list(zip(*(shape.points[row] for row in rows), strict=True))
        made[name] = [(min(axis) + max(axis)) / 2 for axis in axes], min(axes[1])
    return made


def _thrown(middle, foot, center, seconds, at):
    """Where a piece is: away from the blast and down, until what was its foot is near the ground."""
    away = [p - q for p, q in zip(middle, center, strict=True)]
    far = math.hypot(*away)
    near = max(0.0, 1.0 - far / 9.0)
    if not near or not seconds:
        return middle, _turn((0.3, 1.0, 0.2), 0.05 * (at % 7))
    velocity = [value / max(far, 1e-6) * 7.0 * near for value in away]
    velocity[2] -= math.copysign(5.0 * near, middle[2])
    drop = max(0.0, foot - 0.2 - 0.1 * (at % 5))
    rise = max(velocity[1], 0.0)
    flight = min(seconds, (rise + math.sqrt(rise * rise + 2 * GRAVITY * drop)) / GRAVITY)
    height = max(middle[1] - drop, middle[1] + rise * flight - GRAVITY * flight * flight / 2)
    place = [middle[0] + velocity[0] * flight, height, middle[2] + velocity[2] * flight]
    return place, _turn((at % 3 - 1, 0.4, at % 2 - 0.5), 0.05 * (at % 7) + 2.5 * near * flight)


def _turn(axis, angle):
    """A quaternion x y z w."""
    size = math.hypot(*axis)
    return (*(value / size * math.sin(angle / 2) for value in axis), math.cos(angle / 2))


def _by_name(shape):
    columns = shape.values["point", "name"], shape.points, shape.values["point", "orient"]
    return {name: (place, turn) for name, place, turn in zip(*columns, strict=True)}


def _matrix(turn):
    x, y, z, w = turn
    return [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]


def _turned(matrix):
    return [list(line) for line in zip(*matrix, strict=True)]


def _times(a, b):
    return [[sum(p * q for p, q in zip(line, column, strict=True)) for column in _turned(b)] for line in a]
