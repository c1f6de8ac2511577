"""The scene as USD, for a renderer in another process."""

from __future__ import annotations

from typing import TYPE_CHECKING

import hou

from cosmos_houdini.nodes import make, op, put, wire

if TYPE_CHECKING:
    from pathlib import Path

USD = "scene.usd"
SEGMENT_ATTRIBUTES = "segid class_id"
"""Primitive attributes that the stage makes a colour of; constant on each piece."""


class NothingWritten(Exception):
    """A node said it was done, and its file is not there or empty."""


def usd(folder: Path, *, start: int, end: int) -> Path:
    """Export every object with its animation from *start* to *end* as one flat USD file.

    Raises:
        CatalogError: this Houdini lacks a node type or a parameter.
        NothingWritten: the file is not there afterwards.
        hou.OperationFailed: the export has errors.
    """
    path = folder / USD
    stage = op("/stage")
    scene = make(
        stage,
        ("sceneimport::2.0",),
        "cosmos_scene",
        {"rootobject": "/obj", "enable_pathattr": 1, "pathattr": "name", "authortimesamples": "auto"},
        optional={"enable_constantattribs": 1, "constantattribs": SEGMENT_ATTRIBUTES},
    )
    rop = make(
        stage,
        "usd_rop",
        "cosmos_export",
        {
            "trange": "normal",
            "f": (float(start), float(end), 1.0),
            "lopoutput": path.as_posix(),
            "savestyle": "flattenstage",
        },
        optional={"alfprogress": 1},
    )
    wire(rop, scene)
    button = rop.parm("execute")
    assert button is not None
    button.pressButton()
    if rop.errors():
        raise hou.OperationFailed("; ".join(rop.errors()))
    if not path.is_file() or not path.stat().st_size:
        raise NothingWritten(f"{rop.path()} wrote no {path.name}")
    return path


def camera_of(path: str, *, width: int, height: int) -> None:
    """Give the camera the clip's size, so that its film back fits.

    Raises:
        LookupError: there is no such camera.
        CatalogError: it is none.
    """
    put(op(path), "res", (width, height))
