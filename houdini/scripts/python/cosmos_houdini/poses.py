"""Houdini's simulation as a pose file, which the city's own renderer films: ``docs/reference/poses.md`` is the format.

Pieces come from the fracture's first output, where they rest; poses from the solver's fourth, a point for each piece. A
pose is how far a point has gone from where it was on the solver's start frame, which is what ``xformpieces`` does with
the two, so it does not matter what a Houdini puts into ``pivot``. Axes, quaternions and windings are Houdini's own, and
the file says so.
"""

from __future__ import annotations

import array
import hashlib
import json
import sys
import zipfile
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini.city_mesh import CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cosmos_houdini.rbd import Chain

FILE = "street.poses"
FORMAT, VERSION = "cosmos-poses", 1
TYPES = {
    "points": "f", "rides": "i", "sizes": "H", "corners": "i", "labels": "B", "materials": "i", "instances": "i",
    "pivots": "f", "starts": "f", "poses": "f",
}  # fmt: skip
"""Arrays of the format, with their letters in :mod:`array`."""
STILL = 1e-4
"""Metres within which, and length of a quaternion's difference up to which, a piece counts as not having moved."""
FLAT = {"road", "sidewalk_north", "sidewalk_south"}
"""Things that a camera may be near."""
INSIDE = "inside"
"""The group into which fracture puts the faces that it makes."""
CUT = (0.42, 0.36, 0.32)
"""What is seen of a wall where it breaks, linear RGB."""

Vector = tuple[float, ...]


class Unfit(Exception):
    """The simulation is not as a pose file needs it; the message says in what."""


@dataclass
class Motion:
    """What the solver's points said. Y up, metres, quaternions x y z w."""

    names: list[str]
    pivots: list[Vector]
    poses: list[list[Vector]]
    """For each frame, for each body: x, y, z and the quaternion."""
    starts: list[float]
    """Seconds after the first frame."""


@dataclass
class Pieces:
    """Polygons of the whole street, as the format's arrays."""

    points: list[float] = field(default_factory=list)
    rides: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    corners: list[int] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    materials: list[int] = field(default_factory=list)
    instances: list[int] = field(default_factory=list)
    things: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    """Instances by name: the number of each, and the row of the building that it is."""
    colors: dict[tuple[Vector, bool], int] = field(default_factory=dict)
    """Materials: colour and whether it is of a cut, with the number of each."""

    def add(
        self, polygon: Sequence[int], look: tuple[str, Vector], thing: str, building: int | None, *, cut: bool
    ) -> None:
        """A polygon over points that were added already: its class and colour, and whose it is."""
        kind, color = look
        self.sizes.append(len(polygon))
        self.corners.extend(polygon)
        self.labels.append(LABELS.index(kind))
        tint = tuple(round(min(1.0, max(0.0, value)), 4) for value in color)
        self.materials.append(self.colors.setdefault((tint, cut), len(self.colors)))
        row, _ = self.things.setdefault(thing, (len(self.things), building))
        self.instances.append(row)


LABELS = sorted(CLASSES, key=CLASSES.__getitem__)
_NAMES = {number: name for name, number in CLASSES.items()}


def write(
    path: Path,
    chain: Chain,
    resolved: Mapping[str, Any],
    *,
    frames: range,
    fps: float,
    told: Mapping[str, str],
) -> dict[str, int]:
    """Simulate *frames* and write pieces and poses to *path*, whole or not at all; gives counts.

    *told* are more facts about who simulated.

    Raises:
        Unfit: the simulation lacks something, such as the names of its points.
        hou.OperationFailed: a node does not cook.
    """
    motion = follow(chain, frames, fps)
    pieces = gather(chain, motion, resolved)
    header = _header(motion, pieces, resolved, frames, fps) | {
        "made_by": {
            "program": "Houdini",
            "build": hou.applicationVersionString(),
            "licence": hou.licenseCategory().name(),
            "simulation": ", ".join(sorted({node.type().name() for node in (chain.fracture, chain.solver)})),
            **told,
        }
    }
    values: dict[str, Iterable[float]] = {
        **{
            name: getattr(pieces, name)
            for name in ("points", "rides", "sizes", "corners", "labels", "materials", "instances")
        },
        "pivots": (value for pivot in motion.pivots for value in pivot),
        "starts": motion.starts,
        "poses": (value for frame in motion.poses for pose in frame for value in pose),
    }
    pack(path, header, values)
    return {"bodies": len(motion.names), "polygons": len(pieces.sizes), "moved": len(_moved(motion))}


def _moved(motion: Motion) -> set[str]:
    return {
        name
        for name, pivot, pose in zip(motion.names, motion.pivots, motion.poses[-1], strict=True)
        if _distance(pivot, pose[:3]) > STILL
    }


def follow(chain: Chain, frames: range, fps: float) -> Motion:
    """Cook the solver forward and read where its points are.

    Raises:
        Unfit: points without names, without orientations, or other ones on some frame.
    """
    hou.setFrame(chain.start)
    names, rest, turned, _ = _points(chain.solver, chain.start)
    if len(set(names)) < len(names):
        raise Unfit(f"{chain.solver.path()}: two simulated pieces have one name, such as {_twice(names)}")
    back = [(-x, -y, -z, w) for x, y, z, w in turned]
    resting = [(*place, 0.0, 0.0, 0.0, 1.0) for place in rest]
    poses, active = [], []
    for frame in frames:
        if frame <= chain.start:
            poses.append(resting)
            active.append([False] * len(names))
            continue
        hou.setFrame(frame)
        found, places, turns, on = _points(chain.solver, frame)
        if found != names:
            raise Unfit(_others(chain.solver.path(), frame, names, found))
        now = [
            (*place, *_unit(product(turn, undo)))
            for place, turn, undo in zip(places, turns, back, strict=True)
        ]
        poses.append(now)
        active.append(on or [_differs(a, b) for a, b in zip(resting, now, strict=True)])
    starts = [
        next((row / fps for row, frame in enumerate(active) if frame[body]), float("inf"))
        for body in range(len(names))
    ]
    return Motion(names=names, pivots=rest, poses=poses, starts=starts)


def _points(solver: hou.OpNode, frame: int) -> tuple[list[str], list[Vector], list[Vector], list[bool]]:
    """Names, places, orientations and, where the solver says so, which are active; in the order of names."""
    assert isinstance(solver, hou.SopNode)
    geometry = solver.geometry(3)
    if geometry is None:
        raise Unfit(f"{solver.path()} gave no points on frame {frame}")
    for name in ("name", "orient"):
        if geometry.findPointAttrib(name) is None:
            raise Unfit(f"the points of {solver.path()} have no attribute {name} on frame {frame}")
    names = geometry.pointStringAttribValues("name")
    if not names:
        raise Unfit(f"{solver.path()} gave no points on frame {frame}")
    places = list(_rows(geometry.pointFloatAttribValues("P"), 3))
    turns = list(_rows(geometry.pointFloatAttribValues("orient"), 4))
    on = geometry.pointIntAttribValues("active") if geometry.findPointAttrib("active") else ()
    order = sorted(range(len(names)), key=names.__getitem__)
    return (
        [names[row] for row in order],
        [places[row] for row in order],
        [turns[row] for row in order],
        [bool(on[row]) for row in order] if on else [],
    )


def _rows(values: Sequence[float], size: int) -> Iterator[Vector]:
    return (tuple(values[at : at + size]) for at in range(0, len(values), size))


def _twice(names: Sequence[str]) -> str:
    return next(a for a, b in pairwise(names) if a == b)


def _others(path: str, frame: int, before: Sequence[str], now: Sequence[str]) -> str:
    lost, new = sorted(set(before) - set(now)), sorted(set(now) - set(before))
    said = [f"{len(lost)} are gone, such as {lost[0]}"] if lost else []
    said += [f"{len(new)} are new, such as {new[0]}"] if new else []
    return f"{path} has other pieces on frame {frame} than at its start: {'; '.join(said)}"


def product(a: Vector, b: Vector) -> Vector:
    """Hamilton's product of two quaternions x y z w."""
    ax, ay, az, aw = a
    bx, by, bz, bw = b
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def _unit(turn: Vector) -> Vector:
    size = sum(value * value for value in turn) ** 0.5
    if not size > 0.5:
        raise Unfit(f"an orientation is {turn}, which is no rotation")
    return tuple(value / size for value in turn)


def _distance(a: Sequence[float], b: Sequence[float]) -> float:
    return float(sum((q - p) ** 2 for p, q in zip(a, b, strict=True)) ** 0.5)


def _differs(rest: Vector, pose: Vector) -> bool:
    return _distance(rest[:3], pose[:3]) > STILL or abs(pose[6]) < 1.0 - STILL


def moved(point: Vector, pivot: Vector, pose: Vector) -> Vector:
    """Where a *point* of a piece at rest is, in a frame in which the piece has *pose*."""
    arm = tuple(p - q for p, q in zip(point, pivot, strict=True))
    turn = pose[3:]
    x, y, z, _ = product(product(turn, (*arm, 0.0)), (-turn[0], -turn[1], -turn[2], turn[3]))
    return (pose[0] + x, pose[1] + y, pose[2] + z)


def astray(chain: Chain, motion: Motion, frame: int) -> float:
    """How far poses put a corner of a piece from where Houdini itself has it on the last *frame* of *motion*, metres.

    Raises:
        Unfit: Houdini's own pieces are other ones, or nothing has moved.
    """
    if not _moved(motion):
        raise Unfit(f"nothing has moved by frame {frame}: the solver does not run")
    hou.setFrame(frame)
    assert isinstance(chain.fracture, hou.SopNode)
    assert isinstance(chain.moved, hou.SopNode)
    rest, live = chain.fracture.geometry(0), chain.moved.geometry(0)
    if rest is None or live is None:
        raise Unfit(f"{chain.moved.path()} gave no geometry")
    at, there = (list(_rows(one.pointFloatAttribValues("P"), 3)) for one in (rest, live))
    if len(at) != len(there):
        raise Unfit(
            f"{chain.moved.path()} has {len(there)} points, and {chain.fracture.path()} has {len(at)}"
        )
    body = {name: row for row, name in enumerate(motion.names)}
    farthest = 0.0
    for name, prim in zip(rest.primStringAttribValues("name"), rest.prims(), strict=True):
        if name not in body:
            raise Unfit(f"nobody simulated the piece {name!r} of {chain.fracture.path()}")
        row = body[name]
        for vertex in prim.vertices():
            corner = vertex.point().number()
            ours = moved(at[corner], motion.pivots[row], motion.poses[-1][row])
            farthest = max(farthest, _distance(ours, there[corner]))
    return farthest


def gather(chain: Chain, motion: Motion, resolved: Mapping[str, Any]) -> Pieces:
    """The polygons of what stands, and of the pieces where they rest.

    Raises:
        Unfit: what is no polygon, a piece without a name, or one that nobody simulated.
    """
    pieces = Pieces()
    body = {name: row for row, name in enumerate(motion.names)}
    for node in (chain.rest, chain.fracture):
        assert isinstance(node, hou.SopNode)
        geometry = node.geometry(0)
        if geometry is None:
            raise Unfit(f"{node.path()} gave no geometry")
        _take(pieces, geometry, node.path(), body if node is chain.fracture else None, motion, resolved)
    return pieces


def _take(
    pieces: Pieces,
    geometry: hou.Geometry,
    path: str,
    body: Mapping[str, int] | None,
    motion: Motion,
    resolved: Mapping[str, Any],
) -> None:
    """Add all polygons of one node; *body* are the rows of bodies by the name of a piece, None where nothing moves."""
    for name in ("name", "class_id", "bldg_id", "Cd"):
        if geometry.findPrimAttrib(name) is None:
            raise Unfit(f"the polygons of {path} have no attribute {name}")
    names, kinds = geometry.primStringAttribValues("name"), geometry.primIntAttribValues("class_id")
    houses = geometry.primIntAttribValues("bldg_id")
    colors = list(_rows(geometry.primFloatAttribValues("Cd"), 3))
    inside = geometry.findPrimGroup(INSIDE)
    cut = {prim.number() for prim in inside.prims()} if inside else set()
    owners = _owners(names, houses, motion, resolved, cut) if body is not None else {}
    offset = len(pieces.rides)
    points = geometry.pointFloatAttribValues("P")
    pieces.points.extend(points)
    rides = [-1] * (len(points) // 3)
    for row, prim in enumerate(geometry.prims()):
        if prim.type() != hou.primType.Polygon:
            raise Unfit(f"{path} holds what is no polygon: {prim.type().name()}")
        corners = [vertex.point().number() for vertex in prim.vertices()]
        name, house = names[row], owners.get(names[row], houses[row])
        if body is not None:
            if name not in body:
                raise Unfit(f"nobody simulated the piece {name!r} of {path}")
            for corner in corners:
                rides[corner] = body[name]
        made = row in cut or kinds[row] not in _NAMES
        pieces.add(
            [offset + corner for corner in corners],
            ("building", CUT) if made else (_NAMES[kinds[row]], colors[row]),
            f"building_{house:02}" if house >= 0 else name.split("/")[0],
            house if house >= 0 else None,
            cut=made,
        )
    pieces.rides.extend(rides)


def _owners(
    names: Sequence[str], houses: Sequence[int], motion: Motion, resolved: Mapping[str, Any], cut: set[int]
) -> dict[str, int]:
    """The building of each piece: that of most of its own faces, else the one in whose front it stands.

    The faces that fracture makes may have lost what their piece was of.
    """
    votes: dict[str, dict[int, int]] = {name: {} for name in names}
    for row, (name, house) in enumerate(zip(names, houses, strict=True)):
        if house >= 0 and row not in cut:
            votes[name][house] = votes[name].get(house, 0) + 1
    places = dict(zip(motion.names, motion.pivots, strict=True))
    return {
        name: max(found, key=lambda one: (found[one], -one))
        if found
        else _front(places.get(name, (0.0,)), resolved)
        for name, found in votes.items()
    }


def _front(place: Vector, resolved: Mapping[str, Any]) -> int:
    """The house that may break and is nearest along the street."""
    victims = resolved["blast"]["victims"]

    def away(row: int) -> float:
        house = resolved["buildings"][row]
        return float(max(house["x"] - place[0], place[0] - house["x"] - house["width"], 0.0))

    return int(min(victims, key=away))


def _header(
    motion: Motion, pieces: Pieces, resolved: Mapping[str, Any], frames: range, fps: float
) -> dict[str, Any]:
    victims = {f"building_{row:02}" for row in resolved["blast"]["victims"]}
    rubble = {name: f"rubble of {name}" for name in pieces.things if name in victims}
    return {
        "format": FORMAT,
        "version": VERSION,
        "city_sha256": city_digest(resolved),
        "units": "metres",
        "handedness": "right",
        "up": "y",
        "quaternion": "xyzw",
        "winding": "clockwise",
        "fps": float(fps),
        "frames": len(frames),
        "first": frames.start,
        "points": len(pieces.points) // 3,
        "polygons": len(pieces.sizes),
        "corners": len(pieces.corners),
        "bodies": motion.names,
        "groups": [
            *({"name": name, "rubble": rubble.get(name, "")} for name in pieces.things),
            *({"name": name} for name in rubble.values()),
        ],
        "instances": [
            {"name": name, "group": name, "solid": name not in FLAT, "building": building}
            for name, (_, building) in pieces.things.items()
        ],
        "materials": [{"color": list(color), "cut": cut} for color, cut in pieces.colors],
        "labels": LABELS,
    }


def city_digest(resolved: Mapping[str, Any]) -> str:
    """SHA-256 over a resolved city, as the city plugin has it: JSON with sorted keys and no spaces."""
    return hashlib.sha256(json.dumps(resolved, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def pack(path: Path, header: Mapping[str, Any], values: Mapping[str, Iterable[float]]) -> None:
    """Write the archive under its final name only when it is whole. Equal arguments give equal bytes."""
    blobs = {name: _bytes(letter, values[name]) for name, letter in TYPES.items()}
    digests = {name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()}
    text = json.dumps({**header, "arrays": digests}, ensure_ascii=False, allow_nan=False).encode()
    part = path.with_name(f".{path.name}.part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name, blob in (("poses.json", text), *((f"{name}.bin", blob) for name, blob in blobs.items())):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), blob)
    part.replace(path)


def _bytes(letter: str, values: Iterable[float]) -> bytes:
    made = array.array(letter, values)
    if sys.byteorder == "big":
        made.byteswap()
    return made.tobytes()
