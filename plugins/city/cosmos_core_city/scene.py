"""A built city: triangles with material, label and instance, and tables that say what the numbers mean."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core_city.labels import Label
from cosmos_core_city.mesh import Part, placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from cosmos_core_city.mesh import Frame


@attrs.frozen(eq=False)
class Thing:
    """One object: what instances are made of. Things of one *group* share a colour in the segmentation control."""

    name: str
    group: str
    parts: tuple[Part, ...]
    solid: bool = True
    """Whether a camera keeps away from its box."""
    rubble: str = ""
    """The group of what comes off it; none for things that stay one thing, as vehicles do."""


@attrs.frozen
class Instance:
    """A thing of the city by number: its name, its group's number and its box, metres."""

    name: str
    group: int
    low: tuple[float, float, float]
    high: tuple[float, float, float]


@attrs.frozen(eq=False, kw_only=True)
class Scene:
    """All triangles of a city. V vertices, T triangles, M materials.

    Vertices are where things rest, world coordinates in metres, Z up.
    """

    vertices: NDArray[np.float32]
    triangles: NDArray[np.int32]
    normals: NDArray[np.float32]
    material: NDArray[np.int32]
    label: NDArray[np.uint8]
    instance: NDArray[np.int32]
    thin: NDArray[np.uint8]
    """1 where a triangle is seen from both sides, as leaves are."""
    materials: NDArray[np.float32]
    instances: tuple[Instance, ...]
    groups: tuple[str, ...]
    """Names of the groups; the first is the sky."""
    solids: NDArray[np.float64]
    """Boxes (N, 2, 3) that a camera keeps away from."""
    core: NDArray[np.float64]
    """The box (2, 3) in which shadows fall."""
    body: NDArray[np.int32]
    """The body that each vertex rides (V,), -1 for what never moves."""
    rubble: NDArray[np.int32]
    """For each group, the group of what has come off it; itself where that stays with it."""
    still: int
    """How many triangles never move; they come first."""

    @cached_property
    def group(self) -> NDArray[np.int32]:
        """The group of each triangle (T,)."""
        return np.array([item.group for item in self.instances], dtype=np.int32)[self.instance]

    @cached_property
    def ruined(self) -> NDArray[np.int32]:
        """The group of each triangle (T,) once it has come off."""
        return self.rubble[self.group]

    @cached_property
    def rides(self) -> NDArray[np.int32]:
        """The body of each triangle (T,), -1 for what never moves."""
        return self.body[self.triangles[:, 0]]

    def state(self, moved: NDArray[np.bool_] | None) -> NDArray[np.uint8]:
        """The damage state of each triangle (T,): 1 where it rides one of the bodies that have *moved* (B,), else 0."""
        state = np.zeros(len(self.triangles), dtype=np.uint8)
        if moved is not None and len(moved):
            state[self.still :] = moved[self.rides[self.still :]]
        return state

    def grouped(self, state: NDArray[np.uint8]) -> NDArray[np.int32]:
        """The group of each triangle (T,) in the segmentation control, when its damage state is *state* (T,).

        A piece is of its building until it has moved :data:`cosmos_core_city.poses.DETACHED`, and of that
        building's rubble from then on. So a colour never comes back, and what has not let go is never rubble.
        """
        return np.where(state == 1, self.ruined, self.group)

    def classes(self, state: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The label of each triangle (T,): its origin, or rubble where it has come off a building."""
        loose = (state == 1) & (self.ruined != self.group)
        return np.where(loose, np.uint8(Label.RUBBLE), self.label)


def thing(
    name: str, group: str, parts: Iterable[Part], frame: Frame | None = None, *, solid: bool = True
) -> Thing:
    """A thing of *parts*, which are in *frame* unless that is None."""
    return Thing(name, group, tuple(placed(parts, frame) if frame else parts), solid)


def assemble(
    things: Sequence[Thing],
    materials: NDArray[np.float32],
    thin_kinds: Iterable[int],
    core: NDArray[np.float64],
) -> Scene:
    """All *things* as one scene; degenerate triangles are left out."""
    rubble = [item.rubble for item in things if item.rubble]
    groups = ("sky", *dict.fromkeys([*(item.group for item in things), *rubble]))
    number = {name: index for index, name in enumerate(groups)}
    parts = [(index, part) for index, item in enumerate(things) for part in item.parts]
    offsets = np.cumsum([0, *(len(part.vertices) for _, part in parts)])
    counts = [len(part.triangles) for _, part in parts]
    body = np.concatenate([np.full(len(p.vertices), -1) if p.body is None else p.body for _, p in parts])
    into = np.arange(len(groups), dtype=np.int32)
    for item in things:
        into[number[item.group]] = number[item.rubble or item.group]
    boxes = [_box(item) for item in things]
    return composed(
        Surfaces(
            vertices=np.concatenate([part.vertices for _, part in parts]).astype(np.float32),
            triangles=np.concatenate(
                [p.triangles + o for (_, p), o in zip(parts, offsets[:-1], strict=True)]
            ),
            material=np.concatenate([part.material for _, part in parts]),
            label=np.repeat([int(part.label) for _, part in parts], counts),
            instance=np.repeat([index for index, _ in parts], counts),
            body=body,
        ),
        materials,
        thin_kinds,
        instances=tuple(
            Instance(item.name, number[item.group], tuple(low.tolist()), tuple(high.tolist()))
            for item, (low, high) in zip(things, boxes, strict=True)
        ),
        groups=groups,
        rubble=into,
        solids=np.array([box for item, box in zip(things, boxes, strict=True) if item.solid]).reshape(
            -1, 2, 3
        ),
        core=core,
    )


@attrs.frozen(eq=False, kw_only=True)
class Surfaces:
    """Triangles as they come: what :func:`composed` makes a scene of. V vertices, T triangles."""

    vertices: NDArray[np.float32]
    triangles: NDArray[np.integer[Any]]
    material: NDArray[np.integer[Any]]
    label: NDArray[np.integer[Any]]
    instance: NDArray[np.integer[Any]]
    body: NDArray[np.integer[Any]]
    """Of each vertex (V,); the corners of a triangle ride one body."""


def composed(
    told: Surfaces,
    materials: NDArray[np.float32],
    thin_kinds: Iterable[int],
    *,
    instances: tuple[Instance, ...],
    groups: tuple[str, ...],
    rubble: NDArray[np.int32],
    solids: NDArray[np.float64],
    core: NDArray[np.float64],
) -> Scene:
    """A scene of *told*: what never moves first, degenerate triangles left out, both in the order in which they came."""
    normals, area = _normals(told.vertices, told.triangles)
    moves = told.body[told.triangles[:, 0]] >= 0
    keep = np.concatenate([np.flatnonzero((area > 1e-10) & ~moves), np.flatnonzero((area > 1e-10) & moves)])
    material = np.ascontiguousarray(told.material[keep])
    return Scene(
        vertices=told.vertices,
        triangles=np.ascontiguousarray(told.triangles[keep].astype(np.int32)),
        normals=np.ascontiguousarray(normals[keep]),
        material=material,
        label=told.label.astype(np.uint8)[keep],
        instance=told.instance.astype(np.int32)[keep],
        thin=np.isin(materials[material, 0], list(thin_kinds)).astype(np.uint8),
        materials=materials,
        instances=instances,
        groups=groups,
        solids=solids,
        core=core,
        body=told.body.astype(np.int32),
        rubble=rubble,
        still=int(((area > 1e-10) & ~moves).sum()),
    )


def _normals(
    vertices: NDArray[np.float32], triangles: NDArray[np.integer[Any]]
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    a, b, c = (vertices[triangles[:, i]].astype(np.float64) for i in range(3))
    (ux, uy, uz), (vx, vy, vz) = (b - a).T, (c - a).T
    cross = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
    length = np.sqrt(cross[0] ** 2 + cross[1] ** 2 + cross[2] ** 2)
    least = np.maximum(length, 1e-20)
    normals = np.empty((len(length), 3), dtype=np.float32)
    for axis in range(3):
        normals[:, axis] = cross[axis] / least
    return normals, length / 2


def _box(item: Thing) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The corners of the box of *item*, as precise as the vertices of a scene are."""
    points = np.concatenate([part.vertices for part in item.parts]).astype(np.float32).astype(np.float64)
    return points.min(axis=0), points.max(axis=0)
