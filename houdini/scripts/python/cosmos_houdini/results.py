"""A finished video in the scene that it came from: behind the camera, or as a file node for compositing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import hou

from cosmos_houdini import job, talk
from cosmos_houdini.nodes import CatalogError, make, op, put

PLATE, COP = "Behind the Camera", "COP File Node"
CHOICES = (PLATE, COP)
NETWORK = "cosmos_results"
_FILES: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("copnet", "Cop", {"source": "file", "filename": "{}"}, {"aovs": 1, "aov1": "C"}),
    ("img", "Cop2", {"filename": ("{}", "")}, {}),
)
"""Kind of network in /img, category in it, parameters of its node ``file``: Copernicus first, and what 20.5 had before it."""


def newest() -> Path | None:
    """The folder of the job of this scene that has the newest finished video."""
    done = [path.parent for path in home().glob(f"*/{job.RESULT}") if plate_of(path.parent)]
    return max(done, key=lambda folder: (folder / job.RESULT).stat().st_mtime, default=None)


def home() -> Path:
    """Where the jobs of this scene are."""
    return Path(hou.hipFile.path()).parent / job.FOLDER


def plate_of(folder: Path) -> str:
    """The frames of a verified job's video, relative to its folder; empty when there are none."""
    try:
        facts = json.loads((folder / job.RESULT).read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(facts.get("plate", "")) if facts.get("verified") else ""


def show(folder: Path, where: str) -> None:
    """Put the video of the job in *folder* there: one of :data:`CHOICES`."""
    plate = plate_of(folder)
    if not plate:
        talk.tell(f"{folder.name} has no finished video", error=True)
        return
    path = (folder / plate).as_posix()
    if where == PLATE:
        behind_camera(folder, path)
        return
    try:
        node = as_cop(folder.name, path)
    except CatalogError as error:
        talk.tell(f"{error}. {PLATE} works in every Houdini", error=True)
        return
    node.setCurrent(True, clear_all_selected=True)
    hou.ui.setStatusMessage(f"{talk.TITLE}: {folder.name} is {node.path()}")


def behind_camera(folder: Path, path: str) -> None:
    """As the background of the viewport; without one the folder is shown."""
    viewer = hou.ui.paneTabOfType(hou.paneTabType.SceneViewer)
    if not isinstance(viewer, hou.SceneViewer):
        hou.ui.showInFileBrowser(folder.as_posix())
        return
    settings = viewer.curViewport().settings()
    settings.backgroundImage(hou.viewportBGImageView.Perspective).setImageFile(path)
    settings.setDisplayBackgroundImage(True)
    hou.ui.setStatusMessage(f"{talk.TITLE}: {folder.name} is behind the camera")


def as_cop(name: str, path: str) -> hou.OpNode:
    """A file node in ``/img``, one a job: what is there already is shown *path* again.

    Raises:
        CatalogError: this Houdini has neither kind of network with a file node, or it lacks a parameter.
    """
    images = op("/img")
    kind, category, parms, optional = _of_this_houdini()
    parms = {
        key: tuple(one.format(path) for one in value) if isinstance(value, tuple) else value.format(path)
        for key, value in parms.items()
    }
    called = re.sub(r"\W", "_", name)
    with hou.undos.group(f"{talk.TITLE}: {name} as {category}"):
        network = hou.node(f"{images.path()}/{NETWORK}")
        if not isinstance(network, hou.OpNode) or network.type().name() != kind:
            network = make(images, kind, NETWORK)
        there = network.node(called)
        if not isinstance(there, hou.OpNode):
            return make(network, "file", called, parms, optional=optional)
        for each, value in parms.items():
            put(there, each, value)
    return there


def _of_this_houdini() -> tuple[str, str, dict[str, Any], dict[str, Any]]:
    known = hou.nodeTypeCategories()
    for kind, category, parms, optional in _FILES:
        places = (("CopNet", kind), (category, "file"))
        if all(one in known and hou.nodeType(known[one], name) is not None for one, name in places):
            return kind, category, dict(parms), dict(optional)
    tried = " nor ".join(f"{category}/file" for _, category, *_ in _FILES)
    raise CatalogError(f"Houdini {hou.applicationVersionString()} has no file node: neither {tried}")
