"""What the assets' buttons and events call. Their ``PythonModule`` imports these names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import hou

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["on_created", "open_queue", "render_only", "submit"]


def on_created(kwargs: Mapping[str, Any]) -> None:
    """A new node of ours says what it needs. Runs in hython too, so it opens no window."""
    from cosmos_houdini import command

    node = kwargs["node"]
    try:
        command.find()
    except command.NotFound as error:
        node.setComment(str(error))
        if hou.isUIAvailable():
            hou.ui.setStatusMessage(str(error), hou.severityType.Warning)


def submit(kwargs: Mapping[str, Any]) -> None:
    """Button Render and Submit of either asset."""
    from cosmos_houdini import scene, shelf

    node = kwargs["node"]
    if node.type().name() == scene.SUBMIT_TYPE:
        shelf.submit(shelf.request_of_node(node, shelf.request_of_scene()), [node])
    else:
        shelf.submit(shelf.request_of_scene())


def render_only(kwargs: Mapping[str, Any]) -> None:
    """Button Render Passes Only."""
    from dataclasses import replace

    from cosmos_houdini import shelf

    node = kwargs["node"]
    request = shelf.request_of_node(node, shelf.request_of_scene())
    shelf.submit(replace(request, ask=None), [node])


def open_queue(kwargs: Mapping[str, Any]) -> None:
    """Button Open Queue."""
    from cosmos_houdini import shelf

    shelf.open_queue(kwargs)
