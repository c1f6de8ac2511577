"""Streets that were made before, and paths that were chosen: reckoned once, then read.

A street and what its blast does depend on the resolved city, on the length and rate of the clip, on this plugin's code
and on the packages that reckon; all of them are in a file's name. Cameras, light and passes are not, so clips and
previews that differ only in those share one file. A chosen path depends on all parameters, and has a small file of its
own. The last few used are kept, in the user's cache folder; COSMOS_CITY_KEPT says how many, 0 for none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
import platformdirs

from cosmos_core_city.poses import PoseCache
from cosmos_core_city.scene import Instance, Scene
from cosmos_core_city.schema import digest
from cosmos_core_city.wreck import Wreck, wreck

if TYPE_CHECKING:
    from cosmos_core_city.spec import City

KEPT = 8
"""Streets that are kept; one of 300,000 triangles has 25 MB."""
PATHS = 32
"""Chosen paths that are kept for each street; one has a few kB."""


def kept(city: City, frames: int, fps: float) -> Wreck:
    """The wreck of *city*, as :func:`cosmos_core_city.wreck.wreck` makes it; made only if none is kept."""
    most = allowed()
    if not most:
        return wreck(city, frames, fps)
    told = f"{digest(city)} {frames} {fps}" if city.blast else digest(city)
    path = folder() / f"{_name(told)}.npz"
    with contextlib.suppress(OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        made = load(path)
        os.utime(path)
        return made
    made = wreck(city, frames, fps)
    # A cache that cannot be written is no reason to fail.
    with contextlib.suppress(OSError):
        save(made, path)
        _forget(path.parent, "*.npz", most)
    return made


def recall(told: object) -> Any:
    """What :func:`remember` was told of *told*, which is JSON as it is; None where nothing is kept."""
    if not allowed():
        return None
    path = folder() / f"{_name(json.dumps(told, sort_keys=True))}.json"
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(path.read_text(encoding="utf-8"))
        os.utime(path)
        return found
    return None


def remember(told: object, found: object) -> None:
    """Keep *found*, JSON, under *told*."""
    if not (most := allowed()):
        return
    path = folder() / f"{_name(json.dumps(told, sort_keys=True))}.json"
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_text(json.dumps(found), encoding="utf-8")
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _forget(path.parent, "*.json", most * PATHS)


def allowed() -> int:
    """How many streets may be kept."""
    told = os.environ.get("COSMOS_CITY_KEPT", "")
    return int(told) if told.isdigit() else KEPT


def folder() -> Path:
    """Where wrecks are kept."""
    return platformdirs.user_cache_path("cosmos-core", appauthor=False) / "city-wrecks"


def _name(told: str) -> str:
    total = hashlib.sha256(told.encode())
    for package in ("numpy", "numba", "rapier3d"):
        # Without rapier3d nothing falls, and whoever needs it says so.
        with contextlib.suppress(PackageNotFoundError):
            total.update(f"{package} {version(package)}".encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        total.update(source.read_bytes())
    return total.hexdigest()[:32]


def save(made: Wreck, path: Path) -> None:
    """Write *made* so that *path* holds all of it or is as it was."""
    arrays, told = _split(made)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    try:
        with part.open("wb") as out:
            np.savez(out, allow_pickle=False, told=np.array(json.dumps(told)), **arrays)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load(path: Path) -> Wreck:
    """The wreck that :func:`save` wrote.

    Raises:
        OSError: when there is none.
        ValueError: when it is damaged; also KeyError, EOFError and BadZipFile.
    """
    with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
        told = json.loads(str(held["told"]))
        arrays = {name: held[name] for name in held.files if name != "told"}
    scene: dict[str, Any] = told["scene"]
    scene["instances"] = tuple(
        Instance(name, group, tuple(low), tuple(high)) for name, group, low, high in scene["instances"]
    )
    scene["groups"] = tuple(scene["groups"])
    return Wreck(
        scene=Scene(**scene, **_part(arrays, "scene.")),
        motion=PoseCache(**told["motion"], **_part(arrays, "motion.")) if told["motion"] else None,
        facts=told["facts"],
    )


def _split(made: Wreck) -> tuple[dict[str, Any], dict[str, Any]]:
    """The arrays of a wreck by name, and all else as JSON."""
    arrays: dict[str, Any] = {}
    told: dict[str, Any] = {"scene": {}, "motion": {}, "facts": made.facts}
    for part, thing in (("scene", made.scene), ("motion", made.motion)):
        for field in attrs.fields(type(thing)) if thing is not None else ():
            value = getattr(thing, field.name)
            if isinstance(value, np.ndarray):
                arrays[f"{part}.{field.name}"] = value
            else:
                told[part][field.name] = value
    told["scene"]["instances"] = [attrs.astuple(item) for item in made.scene.instances]
    return arrays, told


def _part(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _forget(where: Path, pattern: str, most: int) -> None:
    """Remove all but the last *most* used of the files of *pattern*."""
    files = sorted(where.glob(pattern), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[most:]:
        path.unlink(missing_ok=True)
