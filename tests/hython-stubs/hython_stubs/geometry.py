"""Geometry in bulk: points, polygons and attributes, refused where Houdini would refuse them."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hython_stubs.module import make

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hython_stubs.session import Session

_SCOPES = {"Point": "point", "Prim": "prim", "Global": "global"}


@dataclass
class Shape:
    """What a ``hou.Geometry`` holds. Lengths in Houdini's units, metres; Y up."""

    points: list[tuple[float, float, float]] = field(default_factory=list)
    polygons: list[tuple[int, ...]] = field(default_factory=list)
    attributes: dict[tuple[str, str], Any] = field(default_factory=dict)
    """``(scope, name)`` to the default."""
    values: dict[tuple[str, str], list[Any]] = field(default_factory=dict)
    groups: dict[str, list[int]] = field(default_factory=dict)
    """Names of groups of polygons to their numbers."""
    writable: bool = True


class Geometry:
    """Behaviours of ``hou.Geometry`` and what it gives."""

    def __init__(self, session: Session) -> None:
        """For the nodes of *session*."""
        self._session = session

    def behaviours(self) -> dict[str, Callable[..., Any]]:
        """By full name."""
        found: dict[str, Callable[..., Any]] = {
            "Geometry.__init__": lambda me, *_: setattr(me, "_fake", Shape()),
            "Geometry.clear": self.clear,
            "Geometry.createPoints": self.create_points,
            "Geometry.createPolygons": self.create_polygons,
            "Geometry.addAttrib": self.add_attrib,
            "Geometry.points": lambda me: tuple(
                make(self._session.hou.Point, (me._fake, row)) for row in range(len(me._fake.points))
            ),
            "Geometry.prims": lambda me: tuple(
                make(self._session.hou.Polygon, (me._fake, row)) for row in range(len(me._fake.polygons))
            ),
            "Geometry.intrinsicValue": self.intrinsic,
            "Geometry.setGlobalAttribValue": self.set_global,
            "Geometry.attribValue": lambda me, name: self._values(me, "global", name)[0],
            "Geometry.findPrimAttrib": lambda me, name, *_: self._attrib(me, "prim", name),
            "Geometry.findPointAttrib": lambda me, name, *_: self._attrib(me, "point", name),
            "Geometry.findGlobalAttrib": lambda me, name, *_: self._attrib(me, "global", name),
            "Geometry.saveToFile": self.save,
            "Geometry.findPrimGroup": lambda me, name, *_: (
                make(self._session.hou.PrimGroup, (me, name)) if name in me._fake.groups else None
            ),
            "PrimGroup.prims": lambda me: tuple(
                make(self._session.hou.Polygon, (me._fake[0]._fake, row))
                for row in me._fake[0]._fake.groups[me._fake[1]]
            ),
            "Prim.numVertices": lambda me: len(me._fake[0].polygons[me._fake[1]]),
            "Geometry.pointAttribs": lambda me: tuple(
                make(self._session.hou.Attrib, (me._fake, name))
                for scope, name in me._fake.attributes
                if scope == "point"
            ),
            "Prim.type": lambda _: self._session.hou.primType.Polygon,
            "Attrib.name": lambda me: me._fake[1],
            "Point.position": lambda me: self._session.hou.Vector3(me._fake[0].points[me._fake[1]]),
            "Point.number": lambda me: me._fake[1],
            "Prim.number": lambda me: me._fake[1],
            "Prim.vertices": lambda me: iter(
                [
                    make(self._session.hou.Vertex, (me._fake[0], one))
                    for one in me._fake[0].polygons[me._fake[1]]
                ]
            ),
            "Vertex.point": lambda me: make(self._session.hou.Point, me._fake),
            "Face.normal": self.normal,
            "Prim.attribValue": lambda me, name: me._fake[0].values["prim", name][me._fake[1]],
        }
        for scope, word in (("prim", "Prim"), ("point", "Point")):
            for kind, python in (("Int", int), ("Float", float), ("String", str)):
                found[f"Geometry.set{word}{kind}AttribValues"] = self._setter(scope, python)
                found[f"Geometry.{word.lower()}{kind}AttribValues"] = self._getter(scope)
        return found

    def _shape(self, me: Any) -> Shape:
        shape: Shape = me._fake
        if not shape.writable:
            raise self._session.hou.GeometryPermissionError(
                "geometry can be changed only while its node cooks"
            )
        return shape

    def clear(self, me: Any) -> None:
        """Empty it."""
        shape = self._shape(me)
        shape.points.clear()
        shape.polygons.clear()
        shape.attributes.clear()
        shape.values.clear()

    def create_points(self, me: Any, point_positions: Sequence[Sequence[float]]) -> tuple[Any, ...]:
        """Many points at once."""
        shape = self._shape(me)
        start = len(shape.points)
        for position in point_positions:
            if len(position) != 3:
                raise self._session.hou.InvalidSize(f"a position has 3 numbers, not {len(position)}")
            shape.points.append((float(position[0]), float(position[1]), float(position[2])))
        return tuple(make(self._session.hou.Point, (shape, row)) for row in range(start, len(shape.points)))

    def create_polygons(
        self, me: Any, point_positions: Sequence[Any], is_closed: bool = True
    ) -> tuple[Any, ...]:
        """Many polygons at once, of point numbers or points."""
        shape = self._shape(me)
        start = len(shape.polygons)
        for corners in point_positions:
            numbers = tuple(one if isinstance(one, int) else one._fake[1] for one in corners)
            if any(not 0 <= one < len(shape.points) for one in numbers):
                raise self._session.hou.OperationFailed(f"there is no point {max(numbers)}")
            shape.polygons.append(numbers)
        return tuple(
            make(self._session.hou.Polygon, (shape, row)) for row in range(start, len(shape.polygons))
        )

    def add_attrib(self, me: Any, type: Any, name: str, default_value: Any, *_: Any, **__: Any) -> Any:  # noqa: A002
        """Declare an attribute."""
        shape = self._shape(me)
        scope = _SCOPES[type._fake[1]]
        if (scope, name) in shape.attributes:
            raise self._session.hou.OperationFailed(f"there is an attribute {name!r} already")
        shape.attributes[scope, name] = default_value
        shape.values[scope, name] = [default_value] * {
            "point": len(shape.points),
            "prim": len(shape.polygons),
            "global": 1,
        }[scope]
        return make(self._session.hou.Attrib, (shape, name))

    def _attrib(self, me: Any, scope: str, name: str) -> Any:
        known = (scope, name) in me._fake.attributes
        return make(self._session.hou.Attrib, (me._fake, name)) if known else None

    def _values(self, me: Any, scope: str, name: str) -> list[Any]:
        try:
            return me._fake.values[scope, name]
        except KeyError:
            raise self._session.hou.OperationFailed(f"Invalid attribute name {name!r}") from None

    def _setter(self, scope: str, python: type) -> Callable[[Any, str, Sequence[Any]], None]:
        def setter(me: Any, name: str, values: Sequence[Any]) -> None:
            shape = self._shape(me)
            self._values(me, scope, name)
            default = shape.attributes[scope, name]
            size = len(default) if isinstance(default, tuple | list) else 1
            one = default[0] if size > 1 else default
            if not isinstance(one, python):
                raise self._session.hou.OperationFailed(
                    f"{name} holds {type(one).__name__}s, not {python.__name__}s"
                )
            count = len(shape.polygons if scope == "prim" else shape.points)
            if len(values) != count * size:
                raise self._session.hou.InvalidSize(f"{name} needs {count * size} values, not {len(values)}")
            flat = [python(value) for value in values]
            shape.values[scope, name] = (
                [tuple(flat[row * size : (row + 1) * size]) for row in range(count)] if size > 1 else flat
            )

        return setter

    def _getter(self, scope: str) -> Callable[[Any, str], tuple[Any, ...]]:
        def getter(me: Any, name: str) -> tuple[Any, ...]:
            if (scope, name) == ("point", "P"):
                return tuple(number for point in me._fake.points for number in point)
            values = self._values(me, scope, name)
            return tuple(x for one in values for x in (one if isinstance(one, tuple) else (one,)))

        return getter

    def set_global(self, me: Any, name: Any, value: Any) -> None:
        """Set an attribute of the whole."""
        text = name if isinstance(name, str) else name._fake[1]
        self._values(me, "global", text)
        self._shape(me).values["global", text] = [value]

    def intrinsic(self, me: Any, name: str) -> Any:
        """Counts and bounds."""
        shape: Shape = me._fake
        if name == "bounds":
            axes = list(zip(*shape.points, strict=True)) or [(0.0,)] * 3
            return tuple(value for axis in axes for value in (min(axis), max(axis)))
        return {"pointcount": len(shape.points), "primitivecount": len(shape.polygons)}[name]

    def normal(self, me: Any) -> Any:
        """Of a polygon, by its first three corners; clockwise is a front, as in Houdini."""
        shape, row = me._fake
        a, b, c = (shape.points[corner] for corner in shape.polygons[row][:3])
        u, v = ([q - p for p, q in zip(a, end, strict=True)] for end in (c, b))
        cross = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
        length = math.sqrt(sum(value * value for value in cross)) or 1.0
        return self._session.hou.Vector3([value / length for value in cross])

    def save(self, me: Any, file_name: str) -> None:
        """As text that a test can read back; Houdini would write its own format here."""
        shape: Shape = me._fake
        facts = {
            "points": shape.points,
            "polygons": shape.polygons,
            "attributes": {f"{scope}.{name}": values for (scope, name), values in shape.values.items()},
        }
        Path(file_name).write_text(json.dumps(facts), encoding="utf-8")
