"""What a camera must see before a clip is worth rendering.

The bounds separate paths that end up in a wall from good ones by a wide margin: a bad path shows one group and up
to three labels, a good one a dozen of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np
from numpy.typing import NDArray

from cosmos_core import controls
from cosmos_core_city.camera import CLEARANCE, clearance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.camera import Path
    from cosmos_core_city.render import Picture
    from cosmos_core_city.scene import Scene

LABELS = 6
NEAREST = 2.0
LARGEST = 0.6
LUMA = (60.0, 190.0)
EDGES = (0.03, 0.14)
EDGE_WIDTH = 960
"""Width from which edge density means what the bounds were measured at; small pictures are all edges."""


@attrs.frozen(eq=False)
class Seen:
    """What a whole path sees, from small pictures: the groups' largest shares of a frame, and the depth's range."""

    shares: NDArray[np.float64]
    """For each group, its largest share of any frame."""
    labels: tuple[int, ...]
    depth_range: tuple[float, float]
    refusals: tuple[str, ...]


def refuse_path(scene: Scene, path: Path) -> Iterator[str]:
    """Why *path* comes too close to something solid."""
    least = clearance(scene, path.poses[:, :3, 3])
    if least < CLEARANCE:
        yield f"the camera comes within {least:.2f} m of a solid thing; {CLEARANCE} m is the least"


def survey(scene: Scene, pictures: Sequence[Picture]) -> Seen:
    """What *pictures*, small ones of every moment, show."""
    shares = np.zeros(len(scene.groups))
    labels: set[int] = set()
    refusals: list[str] = []
    group = np.append(scene.group, 0)
    label = np.append(scene.label, 0)
    for number, picture in enumerate(pictures):
        share = np.bincount(group[picture.ids].ravel(), minlength=len(shares)) / picture.ids.size
        shares = np.maximum(shares, share)
        here = np.flatnonzero(np.bincount(label[picture.ids].ravel()))
        labels.update(here.tolist())
        refusals += refuse_picture(picture, share, len(here), number)
    span = controls.depth_range(picture.inverse for picture in pictures)
    return Seen(shares, tuple(sorted(labels)), span, tuple(dict.fromkeys(refusals)))


def refuse_picture(picture: Picture, share: NDArray[np.float64], labels: int, number: int) -> Iterator[str]:
    """Why one small picture is not worth a clip."""
    if labels < LABELS:
        yield f"frame {number} shows {labels} labels; {LABELS} is the least"
    near = float(np.percentile(picture.inverse, 99.0))
    if near > 1.0 / NEAREST:
        yield f"frame {number} is filled by what is {1.0 / near:.1f} m away; {NEAREST} m is the least"
    if share[1:].max() > LARGEST:
        yield f"one object fills {share[1:].max():.0%} of frame {number}; {LARGEST:.0%} is the most"


def refuse_shading(rgb: NDArray[np.uint8]) -> Iterator[str]:
    """Why a full-size frame (H, W, 3) is too dark, too bright, too plain or too busy."""
    luma = float((rgb @ np.array([0.299, 0.587, 0.114])).mean())
    if not LUMA[0] <= luma <= LUMA[1]:
        yield f"mean luma is {luma:.0f}; allowed is {LUMA[0]:.0f} to {LUMA[1]:.0f}"
    density = edge_density(rgb)
    if rgb.shape[1] >= EDGE_WIDTH and not EDGES[0] <= density <= EDGES[1]:
        yield f"{density:.1%} of the pixels are edges; allowed is {EDGES[0]:.0%} to {EDGES[1]:.0%}"


def edge_density(rgb: NDArray[np.uint8]) -> float:
    """The share of a frame's pixels that the edge control marks."""
    return float((controls.edge(rgb) > 0).mean())
