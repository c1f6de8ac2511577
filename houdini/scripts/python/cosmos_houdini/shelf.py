"""The shelf's buttons. Each looks, asks once, writes files and starts a process; none of them waits."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini import command, job, queue, results, scene
from cosmos_houdini.nodes import make, op
from cosmos_houdini.talk import GO, LEAVE, Talk, ask, tell
from cosmos_houdini.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

PANEL = "cosmos_queue"


def build_city(kwargs: Mapping[str, Any]) -> None:
    """Button Build City: the asset in a geometry object of its own, ready to be turned."""
    del kwargs
    street = make(op("/obj"), "geo", "city")
    node = make(street, scene.CITY_TYPE, "city_destruction")
    if isinstance(node, hou.SopNode):
        node.setDisplayFlag(True)
        node.setRenderFlag(True)
    street.moveToGoodPosition()
    node.setCurrent(True, clear_all_selected=True)


def render_and_submit(kwargs: Mapping[str, Any]) -> Watch | None:
    """Button Render and Submit: one dialog, a copy of the scene, a process. Houdini stays free."""
    del kwargs
    return submit(request_of_scene(), scene.concerned())


def submit_clip(kwargs: Mapping[str, Any]) -> Watch | None:
    """Button Submit Rendered Clip: a folder of passes that are there already."""
    del kwargs
    chosen = hou.ui.selectFile(
        title="Folder with color, depth and segmentation", file_type=hou.fileType.Directory
    )
    folder = hou.text.expandString(chosen).rstrip("/") if chosen else ""
    if not folder:
        return None
    if not any(path.name.lower().startswith("color") for path in _listed(Path(folder))):
        tell(f"{folder} has no colour video or images", error=True)
        return None
    return submit(replace(request_of_scene(), clip=folder))


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def request_of_scene() -> job.Request:
    """What the scene suggests: its camera, its frames, the asset Cosmos Submit where there is one, the last job."""
    first, last = hou.playbar.frameRange()
    cameras = scene.cameras()
    request = job.Request(
        camera=cameras[0] if cameras else "",
        start=int(first),
        end=min(int(last), int(first) + 92),
        fps=max(1, round(hou.fps())),
        ask=job.Ask(prompt=""),
    )
    nodes = scene.find_type(scene.SUBMIT_TYPE)
    return request_of_node(nodes[0], request) if nodes else _as_before(request)


def request_of_node(node: hou.OpNode, request: job.Request) -> job.Request:
    """*request* with what a node of the asset Cosmos Submit says."""

    def text(name: str) -> str:
        return str(node.evalParm(name))

    width, height = (int(value) for value in _tuple(node, "resolution"))
    start, end = request.start, request.end
    if node.evalParm("trange"):
        start, end = (int(value) for value in _tuple(node, "f")[:2])
    renderer = node.parm("renderer")
    return replace(
        request,
        camera=text("camera"),
        start=start,
        end=end,
        width=width,
        height=height,
        renderer=renderer.evalAsString() if renderer else "karma",
        workspace=text("workspace"),
        ask=job.Ask(
            prompt=text("prompt"),
            negative=text("negative"),
            backend=text("backend"),
            seed=int(str(node.evalParm("modelseed"))),
        ),
    )


def _tuple(node: hou.OpNode, name: str) -> Sequence[Any]:
    found = node.parmTuple(name)
    if found is None:
        raise LookupError(f"{node.path()} has no parameter {name}: its asset is of another version")
    values: Any = found.eval()
    return list(values)


def _as_before(request: job.Request) -> job.Request:
    """The words of the scene's last job, so that nobody types them twice."""
    home = Path(hou.hipFile.path()).parent / job.FOLDER
    for path in sorted(home.glob(f"*/{job.FILE}"), key=lambda one: one.stat().st_mtime, reverse=True)[:1]:
        try:
            said = json.loads(path.read_text("utf-8"))
            ask = said.get("ask") or {}
            return replace(
                request,
                workspace=str(said.get("workspace", "")),
                ask=job.Ask(
                    prompt=str(ask.get("prompt", "")),
                    negative=str(ask.get("negative", "")),
                    backend=str(ask.get("backend", "")),
                ),
            )
        except (OSError, ValueError):
            continue
    return request


def submit(request: job.Request, rops: Sequence[hou.OpNode] = ()) -> Watch | None:
    """Ask once, then hand over. None when the person changed their mind or something stands against it.

    *rops* are the render nodes that the request is about.
    """
    try:
        command.find()
    except command.NotFound as error:
        tell(str(error), error=True)
        return None
    talk = Talk(request, rops)
    wish = ask(talk)
    if wish == LEAVE:
        return None
    return hand_over(talk.request if wish == GO else replace(talk.request, ask=None))


def hand_over(request: job.Request) -> Watch:
    """A job folder with a copy of the scene, and a process that carries it."""
    hip = Path(hou.hipFile.path())
    folder = job.folder_for(hip)
    folder.mkdir(parents=True)
    if not request.clip:
        snapshot(folder / job.SCENE)
    houdini = {"version": hou.applicationVersionString(), "licence": hou.licenseCategory().name()}
    job.write(folder, request, houdini=houdini, source=hip.as_posix())
    pid = command.start(["houdini", "run", str(folder)], log=folder / job.LOG, folder=folder)
    watch = Watch(folder, pid)
    watch.begin()
    return watch


def snapshot(into: Path) -> None:
    """A copy of the scene as it is now. The artist's file keeps its name, its content and its unsaved changes."""
    shutil.move(hou.hipFile.saveAsBackup(), into)


def open_queue(kwargs: Mapping[str, Any]) -> None:
    """Button Open Queue: the web page in Houdini's own browser when it runs, the panel otherwise."""
    del kwargs
    address = queue.page(os.environ)
    if address:
        pane = hou.ui.paneTabOfType(hou.paneTabType.HelpBrowser)
        if pane is None:
            pane = hou.ui.curDesktop().createFloatingPaneTab(hou.paneTabType.HelpBrowser)
        assert isinstance(pane, hou.HelpBrowser)
        pane.setUrl(address)
        return
    panel = hou.pypanel.interfaceByName(PANEL)
    if panel is None:
        tell(f"The panel {PANEL} is not installed; in a terminal: cosmos houdini doctor", error=True)
        return
    hou.ui.curDesktop().createFloatingPaneTab(hou.paneTabType.PythonPanel, python_panel_interface=panel)


def load_result(kwargs: Mapping[str, Any]) -> None:
    """Button Load Result: the newest finished video of this scene, where the person wants it."""
    del kwargs
    folder = results.newest()
    if folder is None:
        tell(f"No job of this scene has a finished video yet ({results.home()})", error=True)
        return
    chosen = hou.ui.displayMessage(
        f"{folder.name} is the newest finished video of this scene. Where do you want it?",
        buttons=(*results.CHOICES, LEAVE),
        default_choice=0,
        close_choice=len(results.CHOICES),
        title="Cosmos",
    )
    if chosen < len(results.CHOICES):
        results.show(folder, results.CHOICES[chosen])
