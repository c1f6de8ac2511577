"""A street that somebody else wrecked: a pose file as the scene and the poses that our renderer draws, and back again.

What a file's polygons say (label, material, instance, body) becomes what :mod:`cosmos_core_city.wreck` would have made,
so cameras, passes, ground truth and checks are the same for both. :func:`lend` writes a wreck of our own as such a file.
"""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cosmos_core import media
from cosmos_core.errors import RefusedError, fail
from cosmos_core_city import posefile, walls
from cosmos_core_city.build import THIN, core
from cosmos_core_city.labels import Label
from cosmos_core_city.materials import WIDTH, Kind, Materials, linear
from cosmos_core_city.polygons import fanned
from cosmos_core_city.poses import PoseCache
from cosmos_core_city.scene import Instance, Surfaces, composed
from cosmos_core_city.schema import digest
from cosmos_core_city.wreck import Wreck

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from cosmos_core.errors import Finding
    from cosmos_core_city.posefile import Header, PoseFile
    from cosmos_core_city.scene import Scene
    from cosmos_core_city.spec import City, CityOptions

LOOKS: dict[Label, tuple[Kind, float, tuple[float, ...]]] = {
    Label.ROAD: (Kind.ASPHALT, 0.0, ()),
    Label.SIDEWALK: (Kind.CONCRETE, 0.0, (1.52,)),
    Label.LANE_MARKING: (Kind.ASPHALT, 0.0, ()),
    Label.BUILDING: (Kind.PLASTER, 0.0, ()),
    Label.WINDOW: (Kind.METAL, 0.7, (0.0,)),
    Label.CORNICE_ROOF: (Kind.PLASTER, 0.0, ()),
    Label.FIRE_ESCAPE: (Kind.METAL, 0.12, (0.05,)),
    Label.EXPOSED_FLOOR: (Kind.CONCRETE, 0.0, (0.0,)),
    Label.INTERIOR: (Kind.PLASTER, 0.0, ()),
    Label.REBAR: (Kind.METAL, 0.05, (0.3,)),
    Label.VEHICLE: (Kind.METAL, 0.45, (0.03,)),
    Label.POLE: (Kind.METAL, 0.15, (0.05,)),
    Label.TRAFFIC_LIGHT: (Kind.METAL, 0.15, (0.05,)),
    Label.WATER_TOWER: (Kind.WOOD, 0.0, ()),
    Label.VEGETATION: (Kind.LEAF, 0.0, ()),
    Label.BACKGROUND_BUILDING: (Kind.PLASTER, 0.0, ()),
}
"""How a plain material looks on what is labelled so: formula, shine, parameters. All else is painted."""
SECOND = 0.55
"""Share of a plain material's colour that its second one has: joints, veins, the other side of leaves."""
CORE = ("#8b5f4e", "#96715f", 0.23, 0.078, 0.30, 0.0)
"""Brick within the walls of a building, where fracture opens them."""


def about(file: PoseFile, city: City, frames: int, fps: float) -> Iterator[Finding]:
    """Why *file* is not of *city*, or not for a clip of *frames* at *fps*."""
    header = file.header
    if header.city_sha256 != digest(city):
        yield fail(
            f"the poses are of the city {header.city_sha256[:12]}, and these parameters mean {digest(city)[:12]}",
            hint="give the parameters with which it was simulated: seed, damage, offset, frames and the like",
            where="poses",
        )
    if header.frames != frames or header.fps != fps:
        yield fail(
            f"the poses are {header.frames} frames at {header.fps:g} a second, and the clip is {frames} at {fps:g}",
            hint=f"-p frames={header.frames} -p fps={header.fps:g}",
            where="poses",
        )
    for each in header.instances:
        if each.building is not None and each.building >= len(city.buildings):
            yield fail(f"the city has no building {each.building}, that of {each.name!r}", where="poses")
            return


def review(options: CityOptions) -> Iterator[Finding]:
    """What is wrong with the poses that *options* name, before any work; the file itself is read when the clip is made."""
    if not options.poses:
        yield fail("there is a digest of poses and no file", hint="-p poses=FILE", where="poses")
        return
    try:
        found = media.file_digest(options.poses)
    except OSError as error:
        yield fail(f"the poses {options.poses} cannot be read: {error.strerror}", where="poses")
        return
    if not options.poses_sha256:
        yield fail(
            "the poses are not named by digest, so a clip of others could be taken for this one",
            hint=f"-p poses_sha256={found}",
            where="poses_sha256",
        )
    elif options.poses_sha256 != found:
        yield fail(
            f"{options.poses} has the digest {found}, not {options.poses_sha256}",
            hint="it is another file than was meant",
            where="poses_sha256",
        )
    if not options.damage:
        yield fail(
            "without damage nothing falls, so there can be no poses", hint="-p damage=0.8", where="damage"
        )


def opened(options: CityOptions) -> PoseFile:
    """The file of poses that *options* name.

    Raises:
        InputError: it cannot be read.
        RefusedError: it is malformed, or another than the digest says.
    """
    file = posefile.read(Path(options.poses))
    if file.sha256 != options.poses_sha256:
        finding = fail(
            f"{options.poses} has the digest {file.sha256}, not {options.poses_sha256 or 'any that was said'}"
        )
        raise RefusedError(finding.message, [finding], hint=f"-p poses_sha256={file.sha256}")
    return file


def adopted(file: PoseFile, city: City, frames: int, fps: float) -> Wreck:
    """The wreck that *file* holds.

    Raises:
        RefusedError: it is of another city, or of another length or rate.
    """
    if findings := list(about(file, city, frames, fps)):
        raise RefusedError(
            f"these poses cannot be filmed so: {findings[0].message}", findings, hint=findings[0].hint
        )
    scene, motion = _scene(file, city), _motion(file)
    moved = motion.moved()[-1]
    return Wreck(
        scene=scene,
        motion=motion,
        facts={
            "blast": attrs.asdict(city.blast) if city.blast else None,
            "bodies": len(moved),
            "moved": int(moved.sum()),
            "poses": motion.digest,
            "file_sha256": file.sha256,
            "made_by": attrs.asdict(file.header.made_by),
        },
    )


def _motion(file: PoseFile) -> PoseCache:
    poses, header = file.arrays["poses"], file.header
    turn = poses[..., 3:] if header.quaternion == "wxyz" else poses[..., [6, 3, 4, 5]]
    if header.up == "y":
        turn = _upright(turn, first=1)
    return PoseCache(
        poses=np.concatenate([_placed(header, poses[..., :3]), turn], axis=2),
        pivots=_placed(header, file.arrays["pivots"]),
        bodies=np.arange(len(header.bodies), dtype=np.int32),
        starts=file.arrays["starts"].copy(),
        fps=header.fps,
    )


def _placed(header: Header, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """*points* (..., 3) of a file with our Z up."""
    return points.copy() if header.up == "z" else _upright(points)


def _upright(values: NDArray[np.float32], first: int = 0) -> NDArray[np.float32]:
    """Vectors, the three numbers from *first* on, from Y up to Z up: (x, y, z) becomes (x, -z, y)."""
    turned = values.copy()
    turned[..., first + 1], turned[..., first + 2] = -values[..., first + 2], values[..., first + 1]
    return turned


def _scene(file: PoseFile, city: City) -> Scene:
    header, arrays = file.header, file.arrays
    vertices = np.ascontiguousarray(_placed(header, arrays["points"]))
    triangles, of = fanned(vertices, arrays["sizes"], arrays["corners"])
    if header.winding == "clockwise":
        triangles = triangles[:, ::-1]
    names = [Label[name.upper()] for name in header.labels]
    label = np.array(names, dtype=np.int32)[arrays["labels"]]
    materials = Materials()
    row = _rows(header, arrays["materials"], label, arrays["instances"], city, materials)
    groups = ("sky", *(group.name for group in header.groups if group.name != "sky"))
    number = {name: at for at, name in enumerate(groups)}
    rubble = np.arange(len(groups), dtype=np.int32)
    for group in header.groups:
        rubble[number[group.name]] = number[group.rubble or group.name]
    instance = arrays["instances"][of]
    boxes = _boxes(vertices, triangles, instance, len(header.instances))
    return composed(
        Surfaces(
            vertices=vertices,
            triangles=triangles,
            material=row[of],
            label=label[of],
            instance=instance,
            body=arrays["rides"],
        ),
        materials.table(),
        THIN,
        instances=tuple(
            Instance(each.name, number[each.group], tuple(low.tolist()), tuple(high.tolist()))
            for each, (low, high) in zip(header.instances, boxes, strict=True)
        ),
        groups=groups,
        rubble=rubble,
        solids=boxes[[each.solid for each in header.instances]].reshape(-1, 2, 3),
        core=core(city),
    )


def _boxes(
    vertices: NDArray[np.float32], triangles: NDArray[Any], instance: NDArray[Any], count: int
) -> NDArray[np.float64]:
    """The box of each instance at rest, (N, 2, 3)."""
    boxes = np.zeros((count, 2, 3))
    boxes[:, 0], boxes[:, 1] = np.inf, -np.inf
    corners = vertices[triangles].astype(np.float64)
    np.minimum.at(boxes[:, 0], instance, corners.min(axis=1))
    np.maximum.at(boxes[:, 1], instance, corners.max(axis=1))
    return boxes


def _rows(
    header: Header,
    material: NDArray[np.int32],
    label: NDArray[np.int32],
    instance: NDArray[np.int32],
    city: City,
    materials: Materials,
) -> NDArray[np.int32]:
    """The row of *materials* of each polygon."""
    told = [_told(each, materials) if each.kind else -1 for each in header.materials]
    row = np.array(told, dtype=np.int32)[material]
    plain = np.flatnonzero(row < 0)
    wears = np.array([-1 if each.building is None else each.building for each in header.instances])
    asked = np.stack([material[plain], label[plain], wears[instance[plain]]], axis=1)
    kinds, where = np.unique(asked, axis=0, return_inverse=True)
    looks = [
        _look(header.materials[m], Label(number), house, city, materials)
        for m, number, house in kinds.tolist()
    ]
    row[plain] = np.array(looks, dtype=np.int32)[where.reshape(-1)] if looks else 0
    return row


def _told(material: posefile.Material, materials: Materials) -> int:
    kind = float(Kind[material.kind.upper()])
    values = (kind, *material.color, *material.other, material.shine, *material.parameters)
    return materials.number((*values, *(0.0,) * (WIDTH - len(values))))


def _look(material: posefile.Material, label: Label, house: int, city: City, materials: Materials) -> int:
    """The row of a material without a kind, on what is labelled *label*, of the building *house* or of none."""
    if house >= 0 and label == Label.BUILDING:
        if material.cut:
            return materials.row(Kind.BRICK, *CORE, float(city.buildings[house].seed % 1009))
        return walls.masonry(city.buildings[house], materials)
    kind, shine, parameters = LOOKS.get(label, (Kind.PAINT, 0.0, (0.06,)))
    other = tuple(value * SECOND for value in material.color)
    if kind is Kind.ASPHALT:
        other = linear("#2b2b2d")
    values = (float(kind), *material.color, *other, shine, *parameters)
    return materials.number((*values, *(0.0,) * (WIDTH - len(values))))


def facts(path: Path) -> dict[str, Any]:
    """What the file of poses at *path* holds, as JSON.

    Raises:
        InputError: it cannot be read.
        RefusedError: it is malformed.
    """
    file = posefile.read(path)
    header, motion = file.header, _motion(file)
    by = header.made_by
    return {
        "file": path.as_posix(),
        "sha256": file.sha256,
        "made_by": " ".join(filter(None, (by.program, by.build, by.licence))),
        "simulation": by.simulation,
        "scene": by.scene,
        "city_sha256": header.city_sha256,
        "frames": header.frames,
        "fps": header.fps,
        "bodies": len(header.bodies),
        "let_go": int((motion.starts < header.frames / header.fps).sum()),
        "moved": int(motion.moved()[-1].sum()),
        "polygons": header.polygons,
        "instances": len(header.instances),
    }


def lend(made: Wreck, city: City, path: Path) -> str:
    """Write *made*, a wreck of *city* of our own, as a pose file; gives its SHA-256.

    Raises:
        RefusedError: nothing of it moves.
    """
    scene, motion = made.scene, made.motion
    if motion is None or not motion.poses.shape[1]:
        finding = fail(
            "nothing of this city moves, so there are no poses", hint="give damage, such as --damage 0.8"
        )
        raise RefusedError(finding.message, [finding], hint=finding.hint)
    count = len(scene.triangles)
    solid = {tuple(box.ravel().tolist()) for box in scene.solids}
    header = {
        "format": posefile.FORMAT,
        "version": posefile.VERSION,
        "made_by": {
            "program": "cosmos-core-city",
            "build": version("cosmos-core-city"),
            "simulation": f"rapier3d {version('rapier3d')}",
        },
        "city_sha256": digest(city),
        "units": "metres",
        "handedness": "right",
        "up": "z",
        "quaternion": "wxyz",
        "winding": "counter-clockwise",
        "fps": motion.fps,
        "frames": motion.frames,
        "points": len(scene.vertices),
        "polygons": count,
        "corners": 3 * count,
        "bodies": [f"body_{number:05}" for number in range(motion.poses.shape[1])],
        "groups": [
            {"name": name, "rubble": "" if into == at else scene.groups[into]}
            for at, (name, into) in enumerate(zip(scene.groups, scene.rubble.tolist(), strict=True))
        ],
        "instances": [
            {"name": each.name, "group": scene.groups[each.group], "solid": (*each.low, *each.high) in solid}
            for each in scene.instances
        ],
        "materials": [_as_told(row) for row in scene.materials.tolist()],
        "labels": [label.name.lower() for label in Label],
    }
    arrays = {
        "points": scene.vertices,
        "rides": scene.body,
        "sizes": np.full(count, 3),
        "corners": scene.triangles.reshape(-1),
        "labels": scene.label,
        "materials": scene.material,
        "instances": scene.instance,
        "pivots": motion.pivots,
        "starts": motion.starts,
        "poses": motion.poses,
    }
    return posefile.write(path, header, arrays)


def _as_told(row: list[float]) -> dict[str, Any]:
    return {
        "kind": Kind(round(row[0])).name.lower(),
        "color": row[1:4],
        "other": row[4:7],
        "shine": row[7],
        "parameters": row[8:],
    }
