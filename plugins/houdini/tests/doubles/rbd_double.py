"""Nodes of the destruction chain that do something: boxes are cut, pieces are thrown, fall, turn and lie.

No simulation by anybody's measure; but names, places, orientations and cut faces come as the solver's points and the
fracture's polygons would bring them, and ``xformpieces`` moves by a way of its own, matrices, what poses must move alike.
``DOUBLE_RBD`` makes it misbehave: ``nameless`` points, ``lost`` pieces, ``still`` has nothing fall.
"""

from __future__ import annotations

import os
import re

import numpy as np
from hython_stubs.geometry import Shape

GRAVITY = 9.81


def install(session):
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
        unwanted = re.fullmatch(r"if \(i@active == (\d)\) removeprim\(0, @primnum, 1\);", node.parm("snippet").eval())
        if not unwanted:
            return came
        return _kept(came, [row for row, on in enumerate(came.values["prim", "active"]) if on != int(unwanted[1])])

    def fracture(self, node, output):
        """Each solid cut into eight along its middle; faces that the cut makes belong to nothing."""
        if node._fake in self.kept:
            return _copy(self.kept[node._fake])
        came = _input(node, 0)
        made = Shape()
        for key, default in came.attributes.items():
            made.attributes[key], made.values[key] = default, []
        made.groups["inside"] = []
        names = came.values["prim", "name"]
        for name in dict.fromkeys(names):
            rows = [row for row, each in enumerate(names) if each == name]
            _cut(came, rows, name, made)
        self.kept[node._fake] = made
        return _copy(made)

    def solver(self, node, output):
        """A point for each piece: where it was thrown to, and how it has turned."""
        assert 3 == output
        if node._fake not in self.kept:
            self.kept[node._fake] = _pieces(_input(node, 0))
        rest, start = self.kept[node._fake], int(node.parm("startframe").eval())
        seconds = max(0.0, self.session.frame - start) / self.session.fps
        launch = node.inputs()[0].parm("snippet").eval()
        center = np.array([float(each) for each in re.search(r"set\(([^)]*)\)", launch)[1].split(",")])
        mood = os.environ.get("DOUBLE_RBD", "")
        made = Shape()
        made.attributes = {("point", "name"): "", ("point", "orient"): (0.0, 0.0, 0.0, 1.0), ("point", "pivot"): (0.0,) * 3}
        made.values = {key: [] for key in made.attributes}
        for at, (name, points) in enumerate(rest.items()):
            if mood == "lost" and at == 3 and seconds > 0:
                continue
            middle = points.mean(axis=0)
            place, turn = _thrown(middle, points[:, 1].min(), center, 0.0 if mood == "still" else seconds, at)
            made.points.append(tuple(place.tolist()))
            made.values["point", "name"].append(name)
            made.values["point", "orient"].append(turn)
            made.values["point", "pivot"].append((0.0, 0.0, 0.0))
        if mood == "nameless":
            del made.attributes["point", "name"]
        return made

    def timeshift(self, node, output):
        before, self.session.frame = self.session.frame, node.parm("frame").eval()
        try:
            return _input(node, 0)
        finally:
            self.session.frame = before

    def xformpieces(self, node, output):
        """Rest polygons by live points over frozen ones, as rotation matrices."""
        shape, live, frozen = (_input(node, at) for at in range(3))
        then = _by_name(frozen)
        points = np.array(shape.points)
        carriers = {}
        for name, polygon in zip(shape.values["prim", "name"], shape.polygons, strict=True):
            carriers.setdefault(name, set()).update(polygon)
        for name, (place, turn) in _by_name(live).items():
            rows = sorted(carriers[name])
            pivot, before = then[name]
            matrix = _matrix(turn) @ _matrix(before).T
            points[rows] = (points[rows] - pivot) @ matrix.T + place
        shape.points = [tuple(point) for point in points.tolist()]
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
        key: [column[row] for row in rows] if key[0] == "prim" else list(column) for key, column in came.values.items()
    }
    return made


def _cut(came, rows, name, made):
    """Eight boxes of one; a side that lay outside keeps what it was, all others are new."""
    points = np.array([came.points[corner] for row in rows for corner in came.polygons[row]])
    low, high = points.min(axis=0), points.max(axis=0)
    middle = (low + high) / 2
    for part in range(8):
        bits = np.array([part & 1, part >> 1 & 1, part >> 2 & 1])
        a, b = np.where(bits, middle, low), np.where(bits, high, middle)
        start = len(made.points)
        made.points += [
            tuple(np.where([k & 1, k >> 1 & 1, k >> 2 & 1], b, a).tolist()) for k in range(8)
        ]
        for axis in range(3):
            for side in (0, 1):
                made.polygons.append(tuple(start + corner for corner in _SIDES[axis, side]))
                new = bits[axis] != side
                for key, column in made.values.items():
                    if key[0] == "prim":
                        column.append(came.attributes[key] if new else came.values[key][rows[0]])
                made.values["prim", "name"][-1] = f"{name}-{part}"
                if new:
                    made.groups["inside"].append(len(made.polygons) - 1)


# Corner k of a box has x from bit 0, y from bit 1, z from bit 2; sides are clockwise seen from outside.
_SIDES = {
    (0, 0): (0, 2, 6, 4), (0, 1): (1, 5, 7, 3), (1, 0): (0, 4, 5, 1),
    (1, 1): (2, 3, 7, 6), (2, 0): (0, 1, 3, 2), (2, 1): (4, 6, 7, 5),
}  # fmt: skip


def _pieces(shape):
    found = {}
    for name, polygon in zip(shape.values["prim", "name"], shape.polygons, strict=True):
        found.setdefault(name, []).extend(polygon)
    return {name: np.array([shape.points[corner] for corner in sorted(set(rows))]) for name, rows in found.items()}


def _thrown(middle, foot, center, seconds, at):
    """Where a piece is: away from the blast and down, until what was its foot is near the ground."""
    away = middle - center
    near = max(0.0, 1.0 - np.linalg.norm(away) / 9.0)
    if not near or not seconds:
        return middle, _turn((0.3, 1.0, 0.2), 0.05 * (at % 7))
    velocity = away / max(np.linalg.norm(away), 1e-6) * 7.0 * near
    velocity[2] += np.sign(-middle[2]) * 5.0 * near
    drop = max(0.0, foot - 0.2 - 0.1 * (at % 5))
    rise = max(velocity[1], 0.0)
    landing = (rise + np.sqrt(rise * rise + 2 * GRAVITY * drop)) / GRAVITY
    flight = min(seconds, landing)
    place = middle + velocity * [flight, 0, flight]
    place[1] = max(middle[1] - drop, middle[1] + rise * flight - GRAVITY * flight * flight / 2)
    return place, _turn((at % 3 - 1, 0.4, at % 2 - 0.5), 0.05 * (at % 7) + 2.5 * near * flight)


def _turn(axis, angle):
    axis = np.array(axis, float) / np.linalg.norm(axis)
    return (*(axis * np.sin(angle / 2)).tolist(), float(np.cos(angle / 2)))


def _by_name(shape):
    return {
        name: (np.array(place), turn)
        for name, place, turn in zip(
            shape.values["point", "name"], shape.points, shape.values["point", "orient"], strict=True
        )
    }


def _matrix(turn):
    x, y, z, w = turn
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
