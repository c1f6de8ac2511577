"""The shelf's buttons. Each looks, asks once, writes files and starts a process; none of them waits."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini import command, job, queue, scene
from cosmos_houdini.nodes import make, op
from cosmos_houdini.watch import Watch

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TITLE = "Cosmos"
PANEL = "cosmos_queue"
FIELDS = ("Prompt", "Negative prompt", "Model", "Workspace", "First frame", "Last frame", "Width", "Height")
GO, PASSES, FIX, LEAVE = "Render and Submit", "Passes Only", "Fix and Look Again", "Cancel"


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
    return submit(request_of_scene())


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
        say(f"{folder} has no colour video or images", error=True)
        return None
    return submit(replace(request_of_scene(), clip=folder))


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def request_of_scene() -> job.Request:
    """What the scene suggests: its camera, its frames, the asset Cosmos Submit where there is one, the last job."""
    first, last = hou.playbar.frameRange()
    cameras = scene.gather().cameras
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


def submit(request: job.Request) -> Watch | None:
    """Ask once, then hand over. None when the person changed their mind or something stands against it."""
    try:
        command.find()
    except command.NotFound as error:
        say(str(error), error=True)
        return None
    facts = scene.gather()
    more: list[scene.Finding] = []
    while True:
        findings = [*more, *_findings(facts, request)]
        chosen, request = _asked(findings, request)
        if chosen == LEAVE:
            return None
        if chosen == FIX:
            request = scene.mend(facts, request, _fixes(findings))
            continue
        more = [scene.NO_PROMPT] if chosen == GO and not (request.ask and request.ask.prompt) else []
        if not more and not any(finding.level == "fail" for finding in _findings(facts, request)):
            return hand_over(request if chosen == GO else replace(request, ask=None))


def _fixes(findings: Sequence[scene.Finding]) -> set[str]:
    """What Fix does: what stops the job; only when nothing does, also what is merely odd."""
    failed = {one.fix for one in findings if one.fix and one.level == "fail"}
    return failed or {one.fix for one in findings if one.fix}


def _findings(facts: scene.Facts, request: job.Request) -> list[scene.Finding]:
    if request.clip:
        return (
            []
            if facts.is_saved
            else [one for one in scene.review(facts, request) if "never saved" in one.message]
        )
    return scene.review(facts, request)


def _asked(findings: Sequence[scene.Finding], request: job.Request) -> tuple[str, job.Request]:
    """The one dialog: every finding with its way out, and the words of the video."""
    failed = any(finding.level == "fail" for finding in findings)
    buttons = [] if failed else [GO, PASSES]
    if any(finding.fix for finding in findings):
        buttons.append(FIX)
    buttons.append(LEAVE)
    ask = request.ask or job.Ask(prompt="")
    chosen, values = hou.ui.readMultiInput(
        _said(findings),
        FIELDS,
        buttons=tuple(buttons),
        severity_type=hou.severityType.Error if failed else hou.severityType.Message,
        default_choice=0,
        close_choice=len(buttons) - 1,
        title=TITLE,
        initial_contents=(
            ask.prompt,
            ask.negative,
            ask.backend,
            request.workspace,
            str(request.start),
            str(request.end),
            str(request.width),
            str(request.height),
        ),
    )
    return buttons[chosen], _typed(request, ask, values)


def _typed(request: job.Request, ask: job.Ask, values: Sequence[str]) -> job.Request:
    prompt, negative, backend, workspace, *numbers = values
    before = (request.start, request.end, request.width, request.height)
    start, end, width, height = (
        int(text) if text.strip().isdigit() else old for text, old in zip(numbers, before, strict=True)
    )
    return replace(
        request,
        start=start,
        end=end,
        width=width,
        height=height,
        workspace=workspace.strip(),
        ask=replace(ask, prompt=prompt.strip(), negative=negative.strip(), backend=backend.strip()),
    )


def _said(findings: Sequence[scene.Finding]) -> str:
    if not findings:
        return "Nothing stands against it. The scene is copied; your file is neither saved nor changed."
    marks = {"fail": "✗", "warn": "!"}
    return "\n".join(
        f"{marks[one.level]} {one.message}." + (f"\n    → {one.hint}" if one.hint else "") for one in findings
    )


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
        say(f"The panel {PANEL} is not installed; in a terminal: cosmos houdini doctor", error=True)
        return
    hou.ui.curDesktop().createFloatingPaneTab(hou.paneTabType.PythonPanel, python_panel_interface=panel)


def load_result(kwargs: Mapping[str, Any]) -> None:
    """Button Load Result: the newest finished video of this scene as a plate behind the camera."""
    del kwargs
    home = Path(hou.hipFile.path()).parent / job.FOLDER
    done = [path.parent for path in home.glob(f"*/{job.RESULT}") if _video(path.parent)]
    if not done:
        say(f"No job of this scene has a finished video yet ({home})", error=True)
        return
    show_result(max(done, key=lambda folder: (folder / job.RESULT).stat().st_mtime))


def _video(folder: Path) -> str:
    try:
        facts = json.loads((folder / job.RESULT).read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(facts.get("plate", "")) if facts.get("verified") else ""


def show_result(folder: Path) -> None:
    """Put the frames of a job's video behind the camera of the viewport."""
    plate = _video(folder)
    if not plate:
        say(f"{folder.name} has no finished video", error=True)
        return
    viewer = hou.ui.paneTabOfType(hou.paneTabType.SceneViewer)
    if not isinstance(viewer, hou.SceneViewer):
        hou.ui.showInFileBrowser(folder.as_posix())
        return
    settings = viewer.curViewport().settings()
    settings.backgroundImage(hou.viewportBGImageView.Perspective).setImageFile((folder / plate).as_posix())
    settings.setDisplayBackgroundImage(True)
    hou.ui.setStatusMessage(f"{TITLE}: {folder.name} is behind the camera")


def say(text: str, *, error: bool = False) -> None:
    """One message."""
    level = hou.severityType.Error if error else hou.severityType.Message
    hou.ui.displayMessage(text, severity=level, title=TITLE)
