"""A job folder as Houdini, or anybody, wrote it: read, and judged before any work."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import media
from cosmos_core.errors import Finding, InputError, Level, RefusedError, fail, warn, worst
from cosmos_core_houdini import programs
from cosmos_core_houdini.options import RENDERERS, HoudiniOptions, city_parameters

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SCHEMA = 1
FILE, SCENE, CANCEL, EVENTS, RESULT, LOG = (
    "job.json",
    "scene.hip",
    "cancel",
    "events.ndjson",
    "result.json",
    "log.txt",
)
"""The files of a job folder; ``cosmos_houdini.job`` in Houdini names the same."""
FOLLOW = ("wait", "work", "leave")
APPRENTICE = ("Apprentice", "ApprenticeHD")
"""Licences that draw a watermark into every picture."""


@attrs.frozen(kw_only=True)
class Ask:
    """What the video shall be."""

    prompt: str
    negative: str = ""
    backend: str = ""
    seed: int | None = None
    tags: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Job:
    """What is wanted of Houdini, and of the queue afterwards."""

    id: str
    scene: str = ""
    """The copy of the scene, a file name in the folder; empty for the city or a rendered clip."""
    scene_sha256: str = ""
    source: str = ""
    """Where the artist's own file lies."""
    camera: str = ""
    start: int = 1
    end: int = 93
    fps: int = 24
    width: int = 1280
    height: int = 704
    renderer: str = "karma"
    city: Mapping[str, Any] = attrs.field(factory=dict)
    clip: str = ""
    workspace: str = ""
    ask: Ask | None = None
    follow: str = "wait"
    houdini: Mapping[str, str] = attrs.field(factory=dict)

    @property
    def frames(self) -> int:
        """How many."""
        return self.end - self.start + 1

    @property
    def seed(self) -> int:
        """Of the segmentation's colours."""
        return int(self.city.get("seed", 0)) if self.city else 0


_KINDS: dict[str, tuple[type, ...]] = {
    "id": (str,), "camera": (str,), "start": (int,), "end": (int,), "fps": (int,), "width": (int,),
    "height": (int,), "renderer": (str,), "city": (dict,), "clip": (str,), "workspace": (str,), "follow": (str,),
    "houdini": (dict,),
}  # fmt: skip
_KNOWN = {*_KINDS, "schema", "created", "user", "host", "scene", "ask"}


def load(folder: Path) -> Job:
    """The job in *folder*.

    Raises:
        InputError: there is none.
        RefusedError: with everything that is wrong with it.
    """
    path = folder / FILE
    try:
        raw = json.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise InputError(
            f"{folder} holds no {FILE}", hint="give the folder of a job, as the shelf makes it"
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(raw, dict) or raw.get("schema") != SCHEMA:
        found = raw.get("schema") if isinstance(raw, dict) else type(raw).__name__
        raise InputError(f"{path} has schema {found!r}; this version reads {SCHEMA}")
    findings = list(_about_form(raw))
    if findings:
        raise RefusedError(f"{path} cannot be understood", findings)
    job = _job(raw)
    findings = list(review(job, folder))
    if worst(findings) is Level.FAIL:
        first = next(one for one in findings if one.level is Level.FAIL)
        raise RefusedError(f"{folder.name} cannot be rendered: {first.message}", findings, hint=first.hint)
    return job


def _about_form(raw: Mapping[str, Any]) -> Iterator[Finding]:
    for key in sorted(raw.keys() - _KNOWN):
        yield fail(f"nothing called {key!r} is known", hint=f"one of {', '.join(sorted(_KNOWN))}", where=key)
    for key, kinds in _KINDS.items():
        if key in raw and (not isinstance(raw[key], kinds) or isinstance(raw[key], bool)):
            yield fail(f"{key} is {raw[key]!r}, not a {kinds[0].__name__}", where=key)
    if not raw.get("id"):
        yield fail("the job has no id", where="id")
    scene, ask = raw.get("scene"), raw.get("ask")
    if scene is not None and not (isinstance(scene, dict) and isinstance(scene.get("file"), str)):
        yield fail(f"scene is {scene!r}, not an object with a file", where="scene")
    if ask is not None and not (isinstance(ask, dict) and isinstance(ask.get("prompt"), str)):
        yield fail(f"ask is {ask!r}, not an object with a prompt", where="ask")


def _job(raw: Mapping[str, Any]) -> Job:
    scene, ask = raw.get("scene") or {}, raw.get("ask")
    return Job(
        **{key: raw[key] for key in _KINDS if key in raw},
        scene=scene.get("file", ""),
        scene_sha256=scene.get("sha256", ""),
        source=scene.get("source", ""),
        ask=ask
        and Ask(
            prompt=ask["prompt"],
            negative=ask.get("negative") or "",
            backend=ask.get("backend") or "",
            seed=ask.get("seed"),
            tags=tuple(ask.get("tags") or ()),
        ),
    )


def review(job: Job, folder: Path) -> Iterator[Finding]:
    """Everything that stands against *job*, before a program is started."""
    yield from _about_source(job, folder)
    if not job.clip:
        yield from about_frames(job.start, job.end, job.width, job.height, job.fps, job.renderer)
        if job.houdini.get("licence") in APPRENTICE:
            yield fail(
                f"the scene comes from a Houdini with a licence of the category {job.houdini['licence']}: "
                "it draws a watermark into control passes",
                hint="render with a Commercial, Indie or Education licence, or submit passes rendered elsewhere",
            )
        yield from about_city_renderer(job.renderer, job.city)
    if job.follow not in FOLLOW:
        yield fail(f"follow is {job.follow!r}", hint=f"one of {', '.join(FOLLOW)}", where="follow")
    if job.ask is not None and not job.ask.prompt.strip():
        yield fail(
            "the prompt is empty", hint="say what the video shall look like, or leave ask out", where="ask"
        )


def _about_source(job: Job, folder: Path) -> Iterator[Finding]:
    if [bool(job.scene), bool(job.city), bool(job.clip)].count(True) != 1:
        yield fail("a job is of a scene, of a city, or of a clip", hint="give one of scene, city and clip")
    if job.scene:
        path = folder / job.scene
        if path.parent != folder or not path.is_file():
            yield fail(f"the scene {job.scene} is not in the folder", where="scene")
        elif media.file_digest(path) != job.scene_sha256:
            yield fail(f"{job.scene} is not the file that the job was written for", where="scene")
        if not job.camera:
            yield fail("there is no camera", hint="name its path, such as /obj/cam1", where="camera")
    if job.clip and not Path(job.clip).is_dir():
        yield fail(f"there is no folder {job.clip}", where="clip")


def about_frames(start: int, end: int, width: int, height: int, fps: int, renderer: str) -> Iterator[Finding]:
    """What is wrong with the clip that is asked for."""
    if end - start + 1 < 2:
        yield fail(
            f"frames {start} to {end} are no clip", hint="give a first and a later last frame", where="end"
        )
    if end - start + 1 > 5000:
        yield fail(f"{end - start + 1} frames are too many", hint="5000 at most", where="end")
    for name, value in (("width", width), ("height", height)):
        if value % 2 or not 64 <= value <= 4096:
            yield fail(f"{name} is {value}; allowed are even numbers from 64 to 4096", where=name)
    if not 1 <= fps <= 120:
        yield fail(f"fps is {fps}; allowed is 1 to 120", where="fps")
    if renderer not in RENDERERS:
        yield fail(f"renderer is {renderer!r}", hint=f"one of {', '.join(RENDERERS)}", where="renderer")
    if renderer == "opengl":
        yield warn(
            "opengl draws a draft: depth and segmentation only as far as they stand up to a look, and the clip says so",
            hint="karma for training",
            where="renderer",
        )


def about_city_renderer(renderer: str, city: Mapping[str, Any]) -> Iterator[Finding]:
    """The city's renderer films what falls in the city: it takes no other scene, and no street that stands."""
    if renderer == "city" and not city.get("damage"):
        yield fail(
            "the renderer city films a city that Houdini wrecks, and there is none with damage",
            hint="give the city and its damage, such as city='seed=3 damage=0.8', or choose another renderer",
            where="renderer",
        )


def review_options(options: HoudiniOptions) -> Iterable[Finding]:
    """The same for the generator's options, and whether the programs are there."""
    yield from about_frames(
        options.start, options.end, options.width, options.height, options.fps, options.renderer
    )
    if bool(options.hip) == bool(options.city):
        yield fail(
            "say either hip or city",
            hint="-p hip=shot7.hip -p camera=/obj/cam1, or -p city='seed=3 damage=0.8'",
        )
    if options.hip and not Path(options.hip).is_file():
        yield fail(f"there is no scene {options.hip}", where="hip")
    if options.hip and not re.fullmatch(r"(/\w+)+", options.camera):
        yield fail(f"camera is {options.camera!r}", hint="a path such as /obj/cam1", where="camera")
    if options.renderer == "city" and not options.city:
        yield from about_city_renderer(options.renderer, {})
    if options.city:
        try:
            yield from about_city_renderer(options.renderer, city_parameters(options.city))
        except ValueError as error:
            yield fail(f"city is {options.city!r}: {error}", hint="-p city='seed=3 damage=0.8'", where="city")
    try:
        programs.hython(options.hython)
    except InputError as error:
        yield fail(str(error), hint=error.hint, where="hython")
