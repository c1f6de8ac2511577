"""Whether a camera shows what a clip is about: its blast, and what comes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from cosmos_core_city import gates
from cosmos_core_city.labels import Label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import ArrayLike, NDArray

    from cosmos_core_city.camera import Path
    from cosmos_core_city.render import Picture
    from cosmos_core_city.spec import City, CitySpec
    from cosmos_core_city.wreck import Wreck

LEAST = 0.3
"""Share of a path's attention that its blast must have."""
RUBBLE = (0.03, 0.50)
"""Share of a frame in the last third of a clip that rubble fills."""
MUCH = 0.5
"""The damage from which the least share of rubble holds; below it, less by the cube, as what a blast breaks does."""


def refuse_aim(city: City, path: Path) -> Iterator[str]:
    """Why *path* shows too little of the place of the blast."""
    if city.blast is None:
        return
    x, y, z = city.blast.center
    share = float(attention(path, [(x, np.sign(y) * city.facade, z)])[0])
    if share < LEAST:
        yield f"the path gives the blast {share:.0%} of its attention; {LEAST:.0%} is the least"


def attention(path: Path, points: ArrayLike) -> NDArray[np.float64]:
    """How much *path* shows each of *points* (N, 3), 0 to 1: the share of its frames that have the point well in view,
    the later ones counting more, as that is when most of it shows.

    Well in view is in the middle of the picture, 8 to 75 m away, best at 13 to 40 m.
    """
    turn, eye = path.poses[:, :3, :3], path.poses[:, :3, 3]
    arm = np.asarray(points, dtype=np.float64)[None] - eye[:, None]
    x, y, z = np.moveaxis(np.einsum("fnk,fka->fna", arm, turn), 2, 0)
    reach = np.tan(np.radians(path.fov) / 2)
    off = np.abs(x) / np.maximum(z, 1e-6) / reach
    tall = np.abs(y) / np.maximum(z, 1e-6) / reach
    near = np.clip((z - 8.0) / 5.0, 0.0, 1.0) * np.clip((75.0 - z) / 35.0, 0.0, 1.0)
    late = np.linspace(0.2, 1.8, len(eye))[:, None]
    return np.asarray((late * near * ((off < 0.85) & (tall < 0.7))).mean(axis=0))


def refuse_rubble(spec: CitySpec, made: Wreck, pictures: Sequence[Picture]) -> Iterator[str]:
    """Why *pictures*, one of each moment of the gates, show too little or too much of what came off a house.

    Before the blast there is nothing to show, so nothing is refused.
    """
    if not spec.damage or spec.offset == "before" or made.motion is None:
        return
    least, most = RUBBLE[0] * min(1.0, spec.damage / MUCH) ** 3, RUBBLE[1]
    for picture, frame in zip(pictures, gates.moments(made.motion.frames), strict=True):
        if frame >= made.motion.frames * 2 / 3:
            share = rubble(made, picture, frame)
            if not least <= share <= most:
                yield f"rubble fills {share:.1%} of frame {frame}; allowed is {least:.2%} to {most:.0%}"
                return


def rubble(made: Wreck, picture: Picture, frame: int) -> float:
    """The share of *picture*, of *frame*, that shows rubble."""
    labels = np.append(made.scene.classes(made.state(frame)), np.uint8(Label.SKY))
    return float((labels[picture.ids] == Label.RUBBLE).mean())
