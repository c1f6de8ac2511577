"""The job folder: what Houdini hands to ``cosmos houdini run``. Plain files, so that anybody can write one.

::

    <folder>/job.json       what is wanted; written last, under its final name only when whole
    <folder>/scene.hip      a copy of the scene, if a scene is rendered
    <folder>/cancel         appears when somebody wants it to stop
    <folder>/log.txt        what the command and its children said
    <folder>/events.ndjson  where it is, a JSON object a line
    <folder>/result.json    how it ended; only ``"verified": true`` is a clip
"""

from __future__ import annotations

import getpass
import platform
import re
import time
import uuid
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cosmos_houdini.files import digest, write_json

if TYPE_CHECKING:
    from pathlib import Path

SCHEMA = 1
FILE, SCENE, CANCEL, EVENTS, RESULT, LOG = (
    "job.json",
    "scene.hip",
    "cancel",
    "events.ndjson",
    "result.json",
    "log.txt",
)
FOLDER = "cosmos"
"""Beside the scene: all its jobs."""


@dataclass(frozen=True)
class Ask:
    """What the video shall be. Without one only the passes are rendered."""

    prompt: str
    negative: str = ""
    backend: str = ""
    """Empty for the workspace's own."""
    seed: int | None = None
    tags: tuple[str, ...] = ("houdini",)


@dataclass(frozen=True)
class Request:
    """A job before it has a folder. Lengths in frames and pixels."""

    camera: str = ""
    """Path of the camera; empty for a scene that the worker builds, which has its own."""
    start: int = 1
    end: int = 93
    fps: int = 24
    width: int = 1280
    height: int = 704
    renderer: str = "karma"
    """``karma`` for exact passes, ``opengl`` for a draft."""
    city: dict[str, Any] = field(default_factory=dict)
    """Parameters of the city to build; empty for a scene that is there."""
    clip: str = ""
    """A folder of passes that are rendered already; then nothing is rendered."""
    workspace: str = ""
    """The folder with ``cosmos.toml``; empty to look upwards from the job."""
    ask: Ask | None = None
    follow: str = "work"
    """After submitting: ``work`` on the run until its video is there, unless another worker takes it; ``wait`` for one
    that does; or ``leave`` it in the queue."""

    @property
    def frames(self) -> int:
        """How many."""
        return self.end - self.start + 1


def folder_for(hip: Path, taken: Any = None) -> Path:
    """A free folder beside the scene, such as ``cosmos/shot7-003``."""
    home = hip.parent / FOLDER
    stem = re.sub(r"[^A-Za-z0-9_-]+", "-", hip.stem).strip("-") or "scene"
    known = [path.name for path in home.glob(f"{stem}-*")] if taken is None else list(taken)
    numbers = [int(match[1]) for name in known if (match := re.fullmatch(re.escape(stem) + r"-(\d+)", name))]
    return home / f"{stem}-{max(numbers, default=0) + 1:03}"


def write(folder: Path, request: Request, *, houdini: dict[str, str], source: str) -> str:
    """Put ``job.json`` into *folder*, in which the scene already lies, and give the job's id."""
    scene = folder / SCENE
    job_id = uuid.uuid4().hex
    write_json(
        folder / FILE,
        {
            "schema": SCHEMA,
            "id": job_id,
            "created": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "user": _user(),
            "host": platform.node(),
            "houdini": houdini,
            "scene": {"file": SCENE, "sha256": digest(scene), "source": source} if scene.is_file() else None,
            **_plain(request),
        },
    )
    return job_id


def _plain(request: Request) -> dict[str, Any]:
    facts = asdict(request)
    if request.ask:
        facts["ask"]["tags"] = list(request.ask.tags)
    return facts


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return ""
