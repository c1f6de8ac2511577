"""Colour, depth and segmentation by the OpenGL ROP: fast, without husk, and never more than a draft.

What a Houdini draws is not known here: its depth may be in other units, its lights may shade the flat colours of the
segmentation. So nothing is promised; whoever started the worker looks at the pictures and leaves out what is not what
it should be.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini.export import NothingWritten
from cosmos_houdini.nodes import make, op, wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

COLOR, DEPTH, SEGMENTATION = PARTS = ("draft", "draft-depth", "draft-segmentation")
"""One hython each: a second OpenGL render in the same one crashes it."""
_FILES = {COLOR: "color.$F4.png", DEPTH: "depth.$F4.exr", SEGMENTATION: "segmentation.$F4.png"}
_LOOKS: dict[str, dict[str, Any]] = {
    COLOR: {"imagetype": "image2d"},
    DEPTH: {"imagetype": "zdepth", "aamode": "none"},
    SEGMENTATION: {
        "imagetype": "image2d",
        "aamode": "none",
        "shadingmode": "flat",
        "colorcorrect": "none",
        "gamma": 1.0,
        "hqlighting": 0,
        "shadows": 0,
        "ambocclusion": 0,
        "usetextures": 0,
        "transparency": 0,
    },
}
"""What keeps values apart: no blending of neighbours, no light, no curve."""
MOST = 4095
"""Numbers that 4 bits a channel can tell apart."""


def render(
    part: str, folder: Path, *, camera: str, start: int, end: int, size: tuple[int, int]
) -> list[Path]:
    """Draw one part of all frames. Once a process.

    Raises:
        CatalogError: this Houdini lacks a node type or a parameter.
        NothingWritten: a frame is not there afterwards.
        hou.OperationFailed: the render has errors.
    """
    rop = build(part, folder, camera=camera, start=start, end=end, size=size)
    rop.render(frame_range=(start, end, 1), verbose=True, output_progress=True)
    if rop.errors():
        raise hou.OperationFailed("; ".join(rop.errors()))
    paths = [folder / _FILES[part].replace("$F4", f"{frame:04}") for frame in range(start, end + 1)]
    for path in paths:
        if not path.is_file() or not path.stat().st_size:
            raise NothingWritten(f"{rop.path()} wrote no {path.name}")
    return paths


def build(
    part: str, folder: Path, *, camera: str, start: int, end: int, size: tuple[int, int]
) -> hou.RopNode:
    """The OpenGL ROP of one part.

    Raises:
        CatalogError: this Houdini lacks a node type or a parameter.
    """
    rop = make(
        op("/out"),
        "opengl",
        part.replace("-", "_"),
        {
            "trange": "normal",
            "f": (float(start), float(end), 1.0),
            "camera": camera,
            "tres": 1,
            "res": size,
            "picture": (folder / _FILES[part]).as_posix(),
            **_LOOKS[part],
        },
        optional={"motionblur": 0, "dof": 0},
    )
    assert isinstance(rop, hou.RopNode)
    return rop


def number_objects() -> dict[int, str]:
    """Give every object that is shown one flat colour that says its number; gives the numbers' names.

    Pieces that carry a number, the primitive attribute ``segid``, keep it; every other object gets the next free one.

    Raises:
        CatalogError: this Houdini lacks what it needs.
        hou.OperationFailed: an object is locked, or there are more than :data:`MOST`.
    """
    shown = [(node, last) for node in _objects() if isinstance(last := node.displayNode(), hou.SopNode)]
    names: dict[int, str] = {}
    for node, last in shown:
        names |= _own(node, last)
    following = max(names, default=0)
    for node, last in shown:
        following += 1
        names[following] = node.path().removeprefix("/obj")
        wrangle = make(
            node, "attribwrangle", "cosmos_number", {"class": "vertex", "snippet": colour_code(following)}
        )
        wire(wrangle, last)
        assert isinstance(wrangle, hou.SopNode)
        wrangle.setDisplayFlag(True)
        wrangle.setRenderFlag(True)
    if max(names, default=0) > MOST:
        raise hou.OperationFailed(f"{max(names)} objects are too many for a draft: {MOST} at most")
    return names


def _objects() -> Iterator[hou.ObjNode]:
    for node in op("/obj").children():
        if isinstance(node, hou.ObjNode) and node.type().name() == "geo" and node.isDisplayFlagSet():
            yield node


def _own(node: hou.ObjNode, last: hou.SopNode) -> dict[int, str]:
    """The numbers that pieces of an object carry already, with their names."""
    geometry = last.geometry()
    if geometry is None or geometry.findPrimAttrib("segid") is None:
        return {}
    numbers = geometry.primIntAttribValues("segid")
    named = geometry.findPrimAttrib("name") is not None
    words: Iterable[str] = geometry.primStringAttribValues("name") if named else map(str, numbers)
    place = node.path().removeprefix("/obj")
    return {
        number: f"{place}/{word.split('/')[0]}"
        for number, word in zip(numbers, words, strict=True)
        if number > 0
    }


def colour_code(number: int) -> str:
    """VEX that gives each vertex the colour of its primitive's number, or of *number* where it has none.

    Neighbouring numbers are far apart in colour; a colour between two of them is hardly ever a third one's. On vertices,
    since colours there go before those of points and primitives.
    """
    return (
        f"int own = prim(0, 'segid', @primnum);\n"
        f"int number = own > 0 ? own : {number};\n"
        "int code = (number * 1103) % 4096;\n"
        "v@Cd = set(float(code / 256), float((code / 16) % 16), float(code % 16)) / 15.0;"
    )
