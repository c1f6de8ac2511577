"""What the buttons beside findings do: exactly one thing each, and in the scene as one step of Houdini's Undo."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import hou

from cosmos_houdini.nodes import make, op

if TYPE_CHECKING:
    from collections.abc import Callable

    from cosmos_houdini.job import Request
    from cosmos_houdini.scene import Fix


def apply(fix: Fix, request: Request) -> Request:
    """Do *fix*; gives the request as it is then.

    Raises:
        hou.Error: Houdini refused it.
        LookupError: the node is gone.
        CatalogError: this Houdini lacks what it needs.
    """
    if fix.does:
        with hou.undos.group(f"Cosmos: {fix.label}"):
            request = IN_SCENE[fix.does](fix.on, request)
    return replace(request, **dict(fix.sets))


def _rop(path: str) -> hou.RopNode:
    node = op(path)
    if not isinstance(node, hou.RopNode):
        raise LookupError(f"{path} is no render node any more")  # noqa: TRY004 - it was one
    return node


def _switch_on(path: str, request: Request) -> Request:
    _rop(path).bypass(False)
    return request


def _unlock(path: str, request: Request) -> Request:
    _rop(path).setLocked(False)
    return request


def _every_frame(path: str, request: Request) -> Request:
    frames = op(path).parmTuple("f")
    if frames is None:
        raise LookupError(f"{path} has no frame range any more")
    step = frames[2]
    step.deleteAllKeyframes()
    step.set(1)
    return request


def _camera(_: str, request: Request) -> Request:
    """A camera where the view is; without a viewport where Houdini puts new ones."""
    camera = make(op("/obj"), "cam", "cam1")
    viewer = hou.ui.paneTabOfType(hou.paneTabType.SceneViewer)
    if isinstance(viewer, hou.SceneViewer) and isinstance(camera, hou.ObjNode):
        viewer.curViewport().saveViewToCamera(camera)
    return replace(request, camera=camera.path())


def _save(_: str, request: Request) -> Request:
    """Ask where, and save there; nothing when nobody says."""
    chosen = hou.ui.selectFile(
        title="Save the scene", file_type=hou.fileType.Hip, chooser_mode=hou.fileChooserMode.Write
    )
    if chosen:
        hou.hipFile.save(hou.text.expandString(chosen))
    return request


IN_SCENE: dict[str, Callable[[str, Request], Request]] = {
    "switch on": _switch_on,
    "unlock": _unlock,
    "every frame": _every_frame,
    "camera": _camera,
    "save": _save,
}
"""By the names that :class:`cosmos_houdini.scene.Fix` uses; each takes the node's path and the request."""
