"""A scene of the city: the asset, what breaks, and a camera, in an empty Houdini."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini import city_sop, rbd
from cosmos_houdini.city_parms import PARMS
from cosmos_houdini.nodes import complaints, make, op, put
from cosmos_houdini.scene import CITY_TYPE

if TYPE_CHECKING:
    from collections.abc import Mapping

CAMERA = "cosmos_camera"
APERTURE = 41.4214
"""Houdini's own, millimetres."""


@dataclass(frozen=True)
class Built:
    """What was built, and what complained."""

    camera: str
    solver: hou.OpNode | None
    warnings: tuple[str, ...]


def set_city(node: hou.OpNode, parms: Mapping[str, Any]) -> None:
    """Put the city's parameters on its asset; what is not named goes back to what the seed says.

    Raises:
        CatalogError: the asset is of another version.
    """
    for name, kind, optional in PARMS:
        if optional:
            put(node, f"use_{name}", int(parms.get(name) is not None))
        if parms.get(name) is not None:
            value = parms[name]
            put(
                node,
                name,
                " ".join(value)
                if isinstance(value, (list, tuple))
                else int(value)
                if kind == "flag"
                else value,
            )


def city(parms: Mapping[str, Any], *, width: int, height: int, frames: int, fps: float) -> Built:
    """The whole scene.

    Raises:
        CatalogError: this Houdini lacks something it is made of.
        hou.OperationFailed: the asset did not cook.
    """
    street = make(op("/obj"), "geo", "city")
    source = make(street, CITY_TYPE, "city")
    set_city(source, parms)
    source.cook()
    resolved = city_sop.resolve(city_sop.parameters(source))
    nodes, solver = [source], None
    blast = resolved.get("blast")
    if blast:
        x, y, z = blast["center"]
        chain = rbd.build(
            street,
            source,
            rbd.Blast((x, z, -y), blast["radius"], blast["power"], blast["delay"], resolved["seed"]),
            fps=fps,
        )
        nodes += chain.nodes
        solver = chain.solver
    camera = dolly(resolved, width=width, height=height, frames=frames)
    return Built(camera.path(), solver, tuple(complaints(nodes)))


def dolly(resolved: Mapping[str, Any], *, width: int, height: int, frames: int) -> hou.OpNode:
    """A camera that walks along the street's middle, at a person's height, looking ahead and a little up."""
    camera = make(
        op("/obj"),
        "cam",
        CAMERA,
        {"res": (width, height), "focal": focal(62.0), "aperture": APERTURE, "near": 0.1, "far": 500.0},
    )
    length = float(resolved["length"])
    first, last = length * 0.12, length * 0.3
    put(camera, "t", (first, 1.75, 0.0))
    put(camera, "r", (4.0, -90.0, 0.0))
    walk = camera.parm("tx")
    assert walk is not None
    walk.setExpression(
        f"{first:.4f} + ($FF - 1) * {(last - first) / max(1, frames - 1):.6f}", hou.exprLanguage.Hscript
    )
    return camera


def focal(degrees: float) -> float:
    """Millimetres of a lens that sees *degrees* across, at Houdini's own aperture."""
    return round(APERTURE / 2 / math.tan(math.radians(degrees) / 2), 4)
