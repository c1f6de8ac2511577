"""Boxes of every instance in every frame, as JSON in the manner of COCO.

``images``, ``annotations`` and ``categories`` are COCO's own, so its tools load the file. Beyond them, ``camera`` has
the intrinsics, each image its pose, and ``instances`` the 3D box of each thing at rest; an annotation has a box of its
own only where bodies have moved it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from cosmos_core_city.labels import Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from cosmos_core_city.render import View
    from cosmos_core_city.scene import Scene
    from cosmos_core_city.truth import Bodies

FILE = "boxes.json"


@attrs.frozen
class Box:
    """What one frame shows of one instance: its smallest box in pixels and how many pixels it covers."""

    instance: int
    left: int
    top: int
    right: int
    """One more than the last column."""
    bottom: int
    """One more than the last row."""
    area: int


def boxes(numbers: NDArray[np.integer[Any]], count: int) -> list[Box]:
    """The boxes of instances 0 to *count* in a frame of their *numbers* (H, W), -1 for none, in order of number."""
    height, width = numbers.shape
    starts = np.ones((height, width), dtype=bool)
    starts[:, 1:] = numbers[:, 1:] != numbers[:, :-1]
    first = np.flatnonzero(starts)
    length = np.diff(np.append(first, numbers.size))
    owner = numbers.ravel()[first]
    seen = owner >= 0
    owner, length, rows, columns = owner[seen], length[seen], first[seen] // width, first[seen] % width
    area = np.bincount(owner, weights=length, minlength=count).astype(np.int64)
    low, high = np.full((2, count), max(height, width)), np.zeros((2, count), dtype=np.int64)
    for axis, (start, end) in enumerate(((columns, columns + length), (rows, rows + 1))):
        np.minimum.at(low[axis], owner, start)
        np.maximum.at(high[axis], owner, end)
    return [
        Box(i, int(low[0, i]), int(low[1, i]), int(high[0, i]), int(high[1, i]), int(area[i]))
        for i in np.flatnonzero(area).tolist()
    ]


def categories() -> list[dict[str, object]]:
    """The label table as COCO's categories; sky is none."""
    return [
        {"id": int(label), "name": label.name.lower(), "supercategory": "city"}
        for label in Label
        if label is not Label.SKY
    ]


def category(scene: Scene) -> list[int]:
    """For each instance the label of most of its surface."""
    a, b, c = (scene.vertices[scene.triangles[:, i]].astype(np.float64) for i in range(3))
    surface = np.linalg.norm(np.cross(b - a, c - a), axis=1)
    labels = len(Label)
    place = scene.instance.astype(np.int64) * labels + scene.label
    sums = np.bincount(place, weights=surface, minlength=len(scene.instances) * labels)
    return [int(best) for best in sums.reshape(-1, labels).argmax(axis=1)]


def table(scene: Scene) -> list[dict[str, object]]:
    """Each instance with its name, group, category and world box at rest, metres."""
    return [
        {
            "id": number + 1,
            "name": item.name,
            "group": scene.groups[item.group],
            "category_id": label,
            "box3d": _box3d(item.low, item.high),
        }
        for number, (item, label) in enumerate(zip(scene.instances, category(scene), strict=True))
    ]


def _box3d(low: Sequence[float], high: Sequence[float]) -> dict[str, object]:
    return {"low": [round(float(v), 4) for v in low], "high": [round(float(v), 4) for v in high]}


class Boxes:
    """Gathers the boxes of a clip, frame by frame."""

    def __init__(self, scene: Scene) -> None:
        """Prepare for *scene*."""
        self._scene = scene
        self._categories = category(scene)
        self._images: list[dict[str, object]] = []
        self._annotations: list[dict[str, object]] = []

    def see(self, frame: int, ids: NDArray[np.int32], view: View, bodies: Bodies | None = None) -> None:
        """Add what *ids* (H, W), the triangle at each pixel or -1, show at *frame*."""
        width, height = view.size
        pose = [[round(value, 9) for value in row] for row in view.pose.tolist()]
        self._images.append(
            {"id": frame, "file_name": "color.mp4", "frame": frame, "width": width, "height": height, "pose": pose}
        )  # fmt: skip
        numbers = np.append(self._scene.instance, -1)[ids]
        found = boxes(numbers, len(self._scene.instances))
        moved = dict(_moved(self._scene, bodies, {box.instance for box in found})) if bodies else {}
        for box in found:
            self._annotations.append(self._annotation(frame, box) | moved.get(box.instance, {}))

    def _annotation(self, frame: int, box: Box) -> dict[str, object]:
        return {
            "id": len(self._annotations) + 1,
            "image_id": frame,
            "instance_id": box.instance + 1,
            "category_id": self._categories[box.instance],
            "bbox": [box.left, box.top, box.right - box.left, box.bottom - box.top],
            "area": box.area,
            "iscrowd": 0,
        }

    def facts(self, view: View) -> dict[str, object]:
        """All of it as JSON; *view* is any of the clip's."""
        fx, fy, cx, cy = view.lens
        return {
            "info": {
                "description": "exact boxes of a synthetic clip",
                "bbox": "left, top, width, height in pixels, of what is visible",
                "box3d": "world axes, metres, Z up; of the instance at rest, or of where its bodies are",
                "pose": "of an image: camera to world, x right, y down, z forward; of an annotation: rest to world",
            },
            "camera": {"fx": fx, "fy": fy, "cx": cx, "cy": cy},
            "categories": categories(),
            "instances": table(self._scene),
            "images": self._images,
            "annotations": self._annotations,
        }


def _moved(scene: Scene, bodies: Bodies, seen: set[int]) -> Iterator[tuple[int, dict[str, object]]]:
    """For each seen instance that bodies carry: its box where they are, and its pose where one body carries all of it."""
    moving = np.unique(scene.instance[bodies.of >= 0])
    for number in (each for each in moving.tolist() if each in seen):
        mine = np.flatnonzero(scene.instance == number)
        owners = bodies.of[mine]
        corners = scene.vertices[scene.triangles[mine]].astype(np.float64)
        carried = owners >= 0
        matrix = bodies.now[owners[carried]].astype(np.float64)
        corners[carried] = (matrix[:, None, :, :3] * corners[carried][:, :, None, :]).sum(axis=3) + matrix[
            :, None, :, 3
        ]
        facts: dict[str, object] = {"box3d": _box3d(corners.min(axis=(0, 1)), corners.max(axis=(0, 1)))}
        if carried.all() and len(set(owners.tolist())) == 1:
            facts["pose"] = [[round(float(v), 6) for v in row] for row in bodies.now[owners[0]]]
        yield number, facts
