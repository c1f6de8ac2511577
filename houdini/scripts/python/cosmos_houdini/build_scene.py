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
    chain: rbd.Chain | None
    resolved: Mapping[str, Any]
    """The city, as everybody knows it."""
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


def city(
    parms: Mapping[str, Any], *, width: int, height: int, frames: int, fps: float, first: int = 1
) -> Built:
    """The whole scene, for a clip of *frames* frames from the *first* on.

    Raises:
        CatalogError: this Houdini lacks something it is made of.
        hou.OperationFailed: the asset did not cook.
    """
    street = make(op("/obj"), "geo", "city")
    source = make(street, CITY_TYPE, "city")
    set_city(source, parms)
    source.cook()
    resolved = city_sop.resolve(city_sop.parameters(source))
    nodes, chain = [source], None
    blast = resolved.get("blast")
    if blast:
        x, y, z = blast["center"]
        chain = rbd.build(
            street,
            source,
            rbd.Blast(
                (x, z, -y),
                blast["radius"],
                blast["power"],
                blast["delay"] - blast["preroll"],
                resolved["seed"],
            ),
            fps=fps,
            first=first,
        )
        nodes += chain.nodes
    camera = dolly(resolved, width=width, height=height, frames=frames, first=first)
    return Built(camera.path(), chain, resolved, tuple(complaints(nodes)))


def dolly(resolved: Mapping[str, Any], *, width: int, height: int, frames: int, first: int = 1) -> hou.OpNode:
    """A camera that walks along the street's middle, at a person's height, looking ahead and a little up."""
    camera = make(
        op("/obj"),
        "cam",
        CAMERA,
        {"res": (width, height), "focal": focal(62.0), "aperture": APERTURE, "near": 0.1, "far": 500.0},
    )
    length = float(resolved["length"])
    near, far = length * 0.12, length * 0.3
    put(camera, "t", (near, 1.75, 0.0))
    put(camera, "r", (4.0, -90.0, 0.0))
    walk = camera.parm("tx")
    assert walk is not None
    walk.setExpression(
        f"{near:.4f} + ($FF - {first}) * {(far - near) / max(1, frames - 1):.6f}", hou.exprLanguage.Hscript
    )
    return camera


def focal(degrees: float) -> float:
    """Millimetres of a lens that sees *degrees* across, at Houdini's own aperture."""
    return round(APERTURE / 2 / math.tan(math.radians(degrees) / 2), 4)
