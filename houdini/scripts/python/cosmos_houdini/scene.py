"""The scene as far as a job needs to know it: :func:`gather` asks ``hou``, :func:`review` is pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import hou

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_houdini.job import Request

CITY_TYPE, SUBMIT_TYPE = "cosmos::city_destruction::1.0", "cosmos::submit::1.0"
SMALLEST_FREE = 2_000_000_000
"""Bytes that a job of two hundred frames of EXR easily fills."""


@dataclass(frozen=True)
class Finding:
    """What a person should know before the job starts. ``fix`` names what :func:`mend` can do about it."""

    level: str
    """``fail`` stops the job, ``warn`` does not."""
    message: str
    hint: str = ""
    fix: str = ""


NO_PROMPT = Finding("warn", "The prompt is empty", "say what the video shall look like, or press Passes Only")


@dataclass(frozen=True)
class Facts:
    """What the scene says of itself."""

    hip: str
    is_saved: bool
    licence: str
    version: str
    fps: float
    cameras: tuple[str, ...]
    start: int
    end: int
    step: float
    errors: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    simulated: bool = False
    free: int = 1 << 40


def gather() -> Facts:
    """Look at the open scene. On the main thread; reads parameters and cooks nothing."""
    first, last = hou.playbar.frameRange()
    hip = hou.hipFile.path()
    return Facts(
        hip=hip,
        is_saved=not hou.hipFile.isNewFile(),
        licence=hou.licenseCategory().name(),
        version=hou.applicationVersionString(),
        fps=hou.fps(),
        cameras=tuple(node.path() for node in _of_type("/obj", "Object", "cam")),
        start=int(first),
        end=int(last),
        step=1.0,
        errors=tuple(_errors()),
        missing=tuple(_missing(int(first), int(last))),
        free=_free(Path(hip).parent),
    )


def _of_type(parent: str, category: str, name: str) -> Iterator[hou.OpNode]:
    root = hou.node(parent)
    if root is None:
        return
    for node in root.allSubChildren():
        kind = node.type()
        if isinstance(node, hou.OpNode) and kind.category().name() == category and kind.name() == name:
            yield node


def find_type(name: str) -> list[hou.OpNode]:
    """Every node of our asset *name* in the scene."""
    places = {CITY_TYPE: ("/obj", "Sop"), SUBMIT_TYPE: ("/out", "Driver")}
    return list(_of_type(places[name][0], places[name][1], name))


def _errors() -> Iterator[str]:
    """Errors that already stand on nodes of the display chain."""
    root = hou.node("/obj")
    for node in root.allSubChildren() if root else ():
        for text in node.errors():
            yield f"{node.path()}: {text}"


def _missing(start: int, end: int) -> Iterator[str]:
    """Files that the scene names and that are not there; a sequence is looked at on its first and last frame."""
    for parm, path in hou.fileReferences():
        if not path or path.startswith(("op:", "opdef:", "http:", "https:", "temp:")):
            continue
        frames = (start, end) if re.search(r"\$F\d*|\$FF", path) else (start,)
        for frame in frames:
            try:
                real = hou.text.expandStringAtFrame(path, frame)
            except hou.Error:
                continue
            if not Path(real).exists():
                yield f"{parm.path()}: {real}"


def _free(folder: Path) -> int:
    import shutil

    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


APPRENTICE = ("Apprentice", "ApprenticeHD")


def review(facts: Facts, request: Request) -> list[Finding]:
    """Everything that stands against *request*, or that a person should look at. Pure."""
    return [*_about_scene(facts, request), *_about_clip(facts, request)]


def _about_scene(facts: Facts, request: Request) -> Iterator[Finding]:
    if facts.licence in APPRENTICE:
        yield Finding(
            "fail",
            f"This Houdini runs on a licence of the category {facts.licence}: it draws a watermark into every "
            "picture, which poisons depth and segmentation",
            "use a Commercial, Indie or Education licence, or send passes rendered elsewhere: Submit Rendered Clip",
        )
    if not facts.is_saved:
        yield Finding("fail", "The scene was never saved, so its job has no folder", "save it once")
    if not request.camera and not request.city:
        yield Finding("fail", "There is no camera", "make one in /obj", "camera" if facts.cameras else "")
    elif request.camera and request.camera not in facts.cameras:
        near = ", ".join(facts.cameras) or "none"
        yield Finding(
            "fail",
            f"There is no camera {request.camera}; there is {near}",
            "choose one of them",
            "camera" if facts.cameras else "",
        )
    for text in facts.errors:
        yield Finding("fail", f"A node has an error: {text}", "mend it before rendering")
    for text in facts.missing:
        yield Finding("warn", f"A file is not there: {text}", "it will be missing in the render too")
    if facts.free < SMALLEST_FREE:
        yield Finding("warn", f"Only {facts.free / 1e9:.1f} GB are free beside the scene", "make room")


def _about_clip(facts: Facts, request: Request) -> Iterator[Finding]:
    if request.frames < 2:
        yield Finding(
            "fail",
            f"Frames {request.start} to {request.end} are no clip",
            "give a first and a last frame",
            "frames",
        )
    elif request.frames != 93:
        yield Finding(
            "warn",
            f"The clip has {request.frames} frames; Transfer 2.5 works in pieces of 93",
            "93 frames cost least",
            "frames",
        )
    if request.width % 2 or request.height % 2:
        yield Finding("fail", f"{request.width} x {request.height}: both must be even", "1280 x 704", "size")
    elif (request.width, request.height) != (1280, 704):
        yield Finding(
            "warn",
            f"The size is {request.width} x {request.height}; Transfer 2.5 was trained on 1280 x 704",
            "render it so",
            "size",
        )
    if abs(facts.fps - request.fps) > 0.001:
        yield Finding(
            "warn",
            f"The scene runs at {facts.fps:g} frames a second, the clip at {request.fps}: it will move slower or faster",
            "set both equal",
            "fps",
        )
    if request.renderer == "opengl":
        yield Finding(
            "warn", "OpenGL is a draft: depth and segmentation may blend at edges", "use karma for training"
        )


def mend(facts: Facts, request: Request, fixes: set[str]) -> Request:
    """*request* with what the named fixes change; the scene stays as it is."""
    from dataclasses import replace

    if "camera" in fixes and facts.cameras:
        request = replace(request, camera=facts.cameras[0])
    if "frames" in fixes:
        request = replace(request, end=request.start + 92)
    if "size" in fixes:
        request = replace(request, width=1280, height=704)
    if "fps" in fixes:
        request = replace(request, fps=max(1, round(facts.fps)))
    return request
