"""The scene as far as a job needs to know it: :func:`gather` asks ``hou``, :func:`review` is pure."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hou

from cosmos_houdini import sequences

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_houdini.job import Request
    from cosmos_houdini.sequences import Missing

CITY_TYPE, SUBMIT_TYPE = "cosmos::city_destruction::1.0", "cosmos::submit::1.0"
SMALLEST_FREE = 2_000_000_000
"""Bytes that a job of two hundred frames of EXR easily fills."""
LONGEST, SMALLEST, LARGEST = 5000, 64, 4096
"""Frames of a clip, and pixels of its sides, as ``cosmos houdini run`` takes them."""


@dataclass(frozen=True)
class Fix:
    """The one thing that a finding's button does; :func:`cosmos_houdini.fixes.apply` does it."""

    label: str
    """What stands on the button."""
    sets: tuple[tuple[str, Any], ...] = ()
    """Fields of the request with their new values: nothing in the scene changes."""
    does: str = ""
    """What happens in the scene: a name in :data:`cosmos_houdini.fixes.IN_SCENE`."""
    on: str = ""
    """The node it happens to."""


@dataclass(frozen=True)
class Finding:
    """What a person should know before the job starts."""

    level: str
    """``fail`` stops the job, ``warn`` does not."""
    message: str
    hint: str = ""
    fix: Fix | None = None


NO_PROMPT = Finding("warn", "The prompt is empty", "say what the video shall look like, or press Passes Only")


@dataclass(frozen=True)
class Rop:
    """A render node that the job is about: Cosmos Submit, those wired into it, or those that are selected."""

    path: str
    bypassed: bool = False
    locked: bool = False
    step: float = 1.0
    """Frames from one to the next; 1 where the node names no range."""


@dataclass(frozen=True)
class Facts:
    """What the scene says of itself."""

    hip: str
    is_saved: bool
    licence: str
    version: str
    fps: float
    cameras: tuple[str, ...]
    errors: tuple[str, ...] = ()
    rops: tuple[Rop, ...] = ()
    missing: tuple[Missing, ...] = ()
    """Files that the scene reads and that are not there."""
    unwritten: tuple[Missing, ...] = ()
    """Files that a render node should have written, where some are there and some are not."""
    passes: tuple[tuple[str, tuple[int, ...]], ...] = ()
    """Of a folder of rendered passes: each sequence of images with its frame numbers."""
    free: int = 1 << 40


def gather(request: Request, rops: Sequence[hou.OpNode] = ()) -> Facts:
    """Look at the open scene as far as *request* needs it. On the main thread; reads parameters and cooks nothing."""
    hip = hou.hipFile.path()
    concerned = list(_upstream(rops))
    frames = range(request.start, min(request.end, request.start + LONGEST - 1) + 1)
    folders = sequences.Folders()
    return Facts(
        hip=hip,
        is_saved=not hou.hipFile.isNewFile(),
        licence=hou.licenseCategory().name(),
        version=hou.applicationVersionString(),
        fps=hou.fps(),
        cameras=cameras(),
        errors=tuple(_errors()),
        rops=tuple(map(_rop, concerned)),
        missing=tuple(_missing(frames, folders)),
        unwritten=tuple(_unwritten(concerned, frames, folders)),
        passes=tuple(sequences.passes(Path(request.clip))) if request.clip else (),
        free=_free(Path(hip).parent),
    )


def cameras() -> tuple[str, ...]:
    """Paths of the scene's cameras."""
    return tuple(node.path() for node in _of_type("/obj", "Object", "cam"))


def concerned() -> list[hou.OpNode]:
    """The render nodes that a job of this scene is about: Cosmos Submit, or else what is selected of them."""
    return find_type(SUBMIT_TYPE)[:1] or [
        node for node in hou.selectedNodes() if isinstance(node, hou.RopNode)
    ]


def _upstream(nodes: Sequence[hou.OpNode]) -> Iterator[hou.RopNode]:
    """*nodes* and every render node that is wired into them, each once."""
    seen: set[str] = set()
    waiting: list[Any] = list(nodes)
    while waiting:
        node = waiting.pop(0)
        if isinstance(node, hou.RopNode) and node.path() not in seen:
            seen.add(node.path())
            waiting += node.inputs()
            yield node


def _rop(node: hou.RopNode) -> Rop:
    frames, whether = node.parmTuple("f"), node.parm("trange")
    ranged = frames is not None and len(frames) == 3 and (whether is None or bool(whether.eval()))
    step: Any = frames[2].eval() if ranged and frames is not None else 1.0
    return Rop(node.path(), bypassed=node.isBypassed(), locked=node.isLocked(), step=float(step))


OUTPUTS = ("picture", "vm_picture", "sopoutput", "lopoutput", "copoutput", "outputimage")
"""What render nodes call the parameter with the file they write."""


def _unwritten(rops: Sequence[hou.RopNode], frames: range, folders: sequences.Folders) -> Iterator[Missing]:
    """Half-filled outputs. What was not begun is somebody's plan, and no finding."""
    for node in rops:
        for name in OUTPUTS:
            parm = node.parm(name)
            if parm is None:
                continue
            found = sequences.missing(node.path(), parm.unexpandedString(), frames, folders)
            if found and found.filled:
                yield found


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


def _missing(frames: range, folders: sequences.Folders) -> Iterator[Missing]:
    """Files that the scene names and that are not there, of a sequence on every frame."""
    for parm, path in hou.fileReferences():
        if path and not path.startswith(("op:", "opdef:", "http:", "https:", "temp:")):
            found = sequences.missing(parm.path(), path, frames, folders)
            if found:
                yield found


def _free(folder: Path) -> int:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return 0


APPRENTICE = ("Apprentice", "ApprenticeHD")


def review(facts: Facts, request: Request) -> list[Finding]:
    """Everything that stands against *request*, then what a person should look at. Pure."""
    if request.clip:
        return [*_about_file(facts), *_about_passes(facts)]
    found = (*_about_scene(facts, request), *_about_rops(facts, request), *_about_clip(facts, request))
    return sorted(found, key=lambda one: one.level != "fail")


def _about_file(facts: Facts) -> Iterator[Finding]:
    if not facts.is_saved:
        yield Finding(
            "fail",
            "The scene was never saved, so its job has no folder",
            "say where it shall lie",
            Fix("Save Scene", does="save"),
        )


def _about_scene(facts: Facts, request: Request) -> Iterator[Finding]:
    if facts.licence in APPRENTICE:
        yield Finding(
            "fail",
            f"This Houdini runs on a licence of the category {facts.licence}: it draws a watermark into every "
            "picture, which poisons depth and segmentation",
            "use a Commercial, Indie or Education licence, or send passes rendered elsewhere: Submit Rendered Clip",
        )
    yield from _about_file(facts)
    yield from _about_camera(facts, request)
    for text in facts.errors:
        yield Finding("fail", f"A node has an error: {text}", "mend it before rendering")
    for one in facts.missing:
        yield Finding(
            "warn", _said_missing(one), "it will be missing in the render too", _filled(one, request)
        )
    if facts.free < SMALLEST_FREE:
        yield Finding("warn", f"Only {facts.free / 1e9:.1f} GB are free beside the scene", "make room")


def _about_camera(facts: Facts, request: Request) -> Iterator[Finding]:
    if request.city or (request.camera and request.camera in facts.cameras):
        return
    near = ", ".join(facts.cameras) or "none"
    fix = (
        Fix(f"Use {facts.cameras[0]}", (("camera", facts.cameras[0]),))
        if facts.cameras
        else Fix("Make One from the View", does="camera")
    )
    said = f"There is no camera {request.camera}; there is {near}" if request.camera else "There is no camera"
    yield Finding("fail", said, "it shows what shall be filmed", fix)


def _said_missing(one: Missing) -> str:
    if not one.frames:
        return f"A file is not there: {one.where}: {one.first}"
    return f"{one.where}: {len(one.absent)} of {one.frames} frames are not there, the first is {one.first}"


def _filled(one: Missing, request: Request) -> Fix | None:
    """Take the longest part of the range that is there."""
    if one.filled is None or one.filled[1] - one.filled[0] < 1:
        return None
    return _use_frames(*one.filled) if one.filled != (request.start, request.end) else None


def _use_frames(start: int, end: int) -> Fix:
    return Fix(f"Use Frames {start} to {end}", (("start", start), ("end", end)))


def _about_rops(facts: Facts, request: Request) -> Iterator[Finding]:
    for rop in facts.rops:
        name = rop.path.rsplit("/", 1)[-1]
        if rop.bypassed:
            yield Finding(
                "warn",
                f"{rop.path} is bypassed: Houdini itself would not render it",
                "its settings are taken all the same",
                Fix(f"Switch {name} On", does="switch on", on=rop.path),
            )
        if rop.locked:
            yield Finding(
                "warn",
                f"{rop.path} is locked: it keeps what it rendered before",
                "what it would write now may be another thing",
                Fix(f"Unlock {name}", does="unlock", on=rop.path),
            )
        if rop.step != 1:
            yield Finding(
                "fail",
                f"{rop.path} goes in steps of {rop.step:g} frames, and a clip has every frame",
                "the model would see everything move at another speed",
                Fix(f"Every Frame in {name}", does="every frame", on=rop.path),
            )
    for one in facts.unwritten:
        yield Finding(
            "warn",
            f"Half-filled output: {_said_missing(one)}",
            "render it to its end first, or take the frames that are there",
            _filled(one, request),
        )


def _about_passes(facts: Facts) -> Iterator[Finding]:
    """Gaps, and passes that differ in length: what :mod:`cosmos_core` would refuse, said before a process starts."""
    wanted = next((numbers for name, numbers in facts.passes if name in sequences.COLOURS), ())
    for name, numbers in facts.passes:
        gaps = sorted(set(range(numbers[0], numbers[-1] + 1)) - set(numbers))
        if gaps:
            more = f" and {len(gaps) - 1} more" if gaps[1:] else ""
            yield Finding("fail", f"{name} lacks frame {gaps[0]}{more}", "render what is missing")
        elif wanted and numbers != wanted:
            yield Finding(
                "fail",
                f"{name} has frames {numbers[0]} to {numbers[-1]}, colour {wanted[0]} to {wanted[-1]}",
                "render what is missing, or take the pass out of the folder",
            )


def _about_clip(facts: Facts, request: Request) -> Iterator[Finding]:
    usual = _use_frames(request.start, request.start + 92)
    if request.frames < 2:
        yield Finding(
            "fail",
            f"Frames {request.start} to {request.end} are no clip",
            "give a first and a last frame",
            usual,
        )
    elif request.frames > LONGEST:
        yield Finding(
            "fail", f"{request.frames} frames are too many", f"{LONGEST} at most, 93 cost least", usual
        )
    elif request.frames != 93:
        yield Finding(
            "warn",
            f"The clip has {request.frames} frames; Transfer 2.5 works in pieces of 93",
            "93 frames cost least",
            usual,
        )
    trained = Fix("Use 1280 x 704", (("width", 1280), ("height", 704)))
    if any(side % 2 or not SMALLEST <= side <= LARGEST for side in (request.width, request.height)):
        yield Finding(
            "fail",
            f"{request.width} x {request.height}: both must be even, and from {SMALLEST} to {LARGEST}",
            "1280 x 704 is what Transfer 2.5 was trained on",
            trained,
        )
    elif (request.width, request.height) != (1280, 704):
        yield Finding(
            "warn",
            f"The size is {request.width} x {request.height}; Transfer 2.5 was trained on 1280 x 704",
            "render it so",
            trained,
        )
    yield from _about_rate(facts, request)
    if request.renderer == "opengl":
        yield Finding(
            "warn",
            "OpenGL is a draft: its passes are checked less, and the clip says so for ever",
            "use karma for training",
            Fix("Use Karma", (("renderer", "karma"),)),
        )


def _about_rate(facts: Facts, request: Request) -> Iterator[Finding]:
    if abs(facts.fps - request.fps) <= 0.001:
        return
    nearest = max(1, round(facts.fps))
    # A scene of 23.976 stays odd whatever the clip takes.
    fix = Fix(f"Use {nearest} Frames a Second", (("fps", nearest),)) if nearest != request.fps else None
    yield Finding(
        "warn",
        f"The scene runs at {facts.fps:g} frames a second, the clip at {request.fps}: it will move slower or faster",
        "set both equal",
        fix,
    )
