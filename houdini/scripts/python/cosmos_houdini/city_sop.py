"""The cook of ``cosmos::city_destruction``: parameters to a resolved city to geometry with attributes.

The resolved city comes from ``cosmos city resolve``, the same code that every other builder asks, so one set of
parameters means one street everywhere. It is asked once for each set and kept for the session.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini import command
from cosmos_houdini.city_mesh import Mesh, build
from cosmos_houdini.city_parms import PARMS

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEPT: dict[str, dict[str, Any]] = {}


def parameters(node: hou.OpNode, frame: float | None = None) -> dict[str, Any]:
    """The node's parameters as the city's own: those that are switched off are left out.

    Raises:
        KeyError: the asset and the table do not belong together.
    """
    found: dict[str, Any] = {}
    for name, kind, optional in PARMS:
        if optional and not _value(node, f"use_{name}", frame):
            continue
        value = _text(node, name) if kind in ("menu", "words") else _value(node, name, frame)
        if kind == "flag":
            found[name] = bool(value)
        elif kind == "words":
            found[name] = value.replace(" ", ",") if isinstance(value, str) else value
        else:
            found[name] = (
                _short(float(value)) if kind == "float" else int(value) if kind == "int" else str(value)
            )
    return found


def _short(value: float) -> float:
    """Without the noise of Houdini's single precision, so that equal settings have equal words."""
    return float(f"{value:.6g}")


def _parm(node: hou.OpNode, name: str) -> hou.Parm:
    found = node.parm(name)
    if found is None:
        raise KeyError(f"{node.path()} has no parameter {name}: its asset is of another version")
    return found


def _value(node: hou.OpNode, name: str, frame: float | None) -> Any:
    parm = _parm(node, name)
    return parm.eval() if frame is None else parm.evalAtFrame(frame)


def _text(node: hou.OpNode, name: str) -> str:
    return _parm(node, name).evalAsString()


def words(parms: Mapping[str, Any]) -> list[str]:
    """The same as options of ``cosmos city resolve``."""
    said: list[str] = []
    for name, value in parms.items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            said.append(option)
        elif value is not False and value != "":
            said += [option, str(value)]
    return said


def resolve(parms: Mapping[str, Any]) -> dict[str, Any]:
    """The city that *parms* mean.

    Raises:
        command.NotFound: there is no ``cosmos`` command.
        command.Refused: the city cannot be made so, in its own words.
    """
    key = json.dumps(parms, sort_keys=True)
    if key not in _KEPT:
        _KEPT[key] = dict(command.ask("city", "resolve", *words(parms)))
    return _KEPT[key]


def cook(node: hou.OpNode) -> None:
    """Fill the node's geometry. What cannot be made is an error on the node, in a sentence."""
    try:
        city = resolve(parameters(node))
    except (command.NotFound, command.Refused) as error:
        raise hou.NodeError(str(error)) from None
    assert isinstance(node, hou.SopNode)
    geometry = node.geometry()
    assert geometry is not None
    geometry.clear()
    fill(geometry, build(city))
    tell(geometry, city)


def fill(geometry: hou.Geometry, mesh: Mesh) -> None:
    """Points, polygons and their attributes, each in one call."""
    geometry.createPoints(mesh.points)
    geometry.createPolygons(mesh.polygons)
    prim = hou.attribType.Prim
    for name, default in (("name", ""), ("segid", 0), ("bldg_id", -1), ("class_id", 0), ("active", 0)):
        geometry.addAttrib(prim, name, default)
    geometry.addAttrib(prim, "Cd", (1.0, 1.0, 1.0))
    geometry.setPrimStringAttribValues("name", mesh.name)
    geometry.setPrimIntAttribValues("segid", mesh.thing)
    geometry.setPrimIntAttribValues("bldg_id", mesh.building)
    geometry.setPrimIntAttribValues("class_id", mesh.kind)
    geometry.setPrimIntAttribValues("active", mesh.active)
    geometry.setPrimFloatAttribValues("Cd", [value for color in mesh.color for value in color])


def tell(geometry: hou.Geometry, city: Mapping[str, Any]) -> None:
    """What holds for the whole street: its seed, its length, and the blast, Y up, in metres and seconds."""
    whole = hou.attribType.Global
    blast = city.get("blast")
    x, y, z = blast["center"] if blast else (0.0, 0.0, 0.0)
    facts: dict[str, Any] = {
        "city_seed": int(city["seed"]),
        "city_length": float(city["length"]),
        "blast_on": int(blast is not None),
        "blast_center": (float(x), float(z), float(-y)),
        "blast_radius": float(blast["radius"]) if blast else 0.0,
        "blast_power": float(blast["power"]) if blast else 0.0,
        "blast_delay": float(blast["delay"]) if blast else 0.0,
    }
    for name, value in facts.items():
        geometry.addAttrib(whole, name, value)
        geometry.setGlobalAttribValue(name, value)
