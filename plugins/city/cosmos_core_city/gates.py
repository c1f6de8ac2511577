"""What a camera must see before a clip is worth rendering.

The bounds separate paths that end up in a wall from good ones by a wide margin: a bad path shows one group and up
to three labels, a good one a dozen of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import cv2
import numpy as np
from numpy.typing import NDArray

from cosmos_core import controls
from cosmos_core_city.camera import CLEARANCE, clearance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cosmos_core_city.camera import Path
    from cosmos_core_city.render import Picture, View
    from cosmos_core_city.scene import Scene

LABELS = 6
NEAREST = 2.0
LARGEST = 0.6
LUMA = {"day": (60.0, 190.0), "overcast": (60.0, 190.0), "dusk": (42.0, 170.0), "night": (24.0, 120.0)}
"""Mean luma by light: what is measured at noon says nothing about the dark."""
EDGES = (0.03, 0.14)
EDGE_WIDTH = 960
"""Width below which edge density is not asked about: small pictures are all edges."""
EDGE_FULL = 1280
"""Width up to which it is measured in the picture as it will be, as the edge control is made of that. The bounds are of
1280x704, where good paths have 8 to 14 %; the same pictures made 960 wide would read up to 1.5 points more."""
FLOW = 0.06
"""Share of the picture's width that 95 % of it may move in a 24th of a second."""
STRIDE = 3
"""The gates look at every third frame: nothing that fills a picture comes and goes between two of them."""


def moments(frames: int) -> list[int]:
    """The frames of a clip that the gates look at: every third, and the last."""
    return sorted({*range(0, frames, STRIDE), frames - 1})


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


def refuse_motion(picture: Picture, views: tuple[View, View], rate: float) -> Iterator[str]:
    """Why the picture of the first of two *views*, one after the other at *rate* frames a second, moves too fast."""
    view, following = views
    # A 24th of a second on the way between them: flow over more is no multiple of that over less.
    pose = view.pose + (following.pose - view.pose) * (rate / 24.0)
    moved = flow(picture, view, attrs.evolve(following, pose=pose))
    if moved > FLOW:
        yield f"the picture moves by {moved:.1%} of its width in 1/24 s; {FLOW:.0%} is the most"


def flow(picture: Picture, view: View, following: View) -> float:
    """How far what *picture* sees moves until the *following* view, as a share of its width: the 95th percentile.

    Things that move by themselves are taken to stand still.
    """
    y, x = np.nonzero(picture.inverse[::4, ::4] > 0)
    if not len(x):
        return 0.0
    (height, width), (fx, fy, cx, cy) = picture.ids.shape, view.scaled(*picture.ids.shape[::-1]).lens
    z = 1.0 / picture.inverse[::4, ::4][y, x].astype(np.float64)
    rays = np.stack([(4 * x + 0.5 - cx) / fx, (4 * y + 0.5 - cy) / fy, np.ones(len(x))], 1)
    points = (rays * z[:, None]) @ view.pose[:3, :3].T + view.pose[:3, 3] - following.pose[:3, 3]
    there = points @ following.pose[:3, :3]
    ahead = np.maximum(there[:, 2], 0.1)
    across = there[:, 0] / ahead * fx + cx - (4 * x + 0.5)
    down = there[:, 1] / ahead * fy + cy - (4 * y + 0.5)
    return float(np.percentile(np.minimum(np.hypot(across, down), width + height), 95.0) / width)


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


def refuse_shading(rgb: NDArray[np.uint8], light: str = "day") -> Iterator[str]:
    """Why a frame (H, W, 3) in this *light* is too dark, too bright, too plain or too busy."""
    luma = float(np.dot(cv2.mean(rgb)[:3], (0.299, 0.587, 0.114)))
    low, high = LUMA[light]
    if not low <= luma <= high:
        yield f"mean luma is {luma:.0f}; allowed is {low:.0f} to {high:.0f}"
    density = edge_density(rgb)
    if rgb.shape[1] >= EDGE_WIDTH and not EDGES[0] <= density <= EDGES[1]:
        yield f"{density:.1%} of the pixels are edges; allowed is {EDGES[0]:.0%} to {EDGES[1]:.0%}"


def edge_density(rgb: NDArray[np.uint8]) -> float:
    """The share of a frame's pixels that the edge control marks."""
    return float((controls.edge(rgb) > 0).mean())
