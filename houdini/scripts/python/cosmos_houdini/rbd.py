"""Destruction by rigid bodies, built by code out of native nodes with named versions.

The chain was published as cooked live on Houdini 22.0; its facts stand in ``nodes.toml`` of hython-stubs. What falls are
the pieces with ``active`` 1, from the same resolved description as everything else; the blast gives each its first speed.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING

import hou

from cosmos_houdini.nodes import make, wire

if TYPE_CHECKING:
    from collections.abc import Iterable

FRACTURE = ("rbdmaterialfracture::4.0", "rbdmaterialfracture::3.0")
NEAREST_SPEED = 9.0
"""Metres a second at the middle of a blast of power 1; the city's own figure."""


@dataclass(frozen=True)
class Blast:
    """What happens. Metres, seconds, Y up."""

    center: tuple[float, float, float]
    radius: float
    power: float
    delay: float
    """From the first frame to the blast; negative where the clip begins after it."""
    seed: int


@dataclass(frozen=True)
class Chain:
    """The nodes others need to know, and the frame on which the simulation starts."""

    rest: hou.OpNode
    """What stands: polygons, never moved."""
    fracture: hou.OpNode
    """The pieces where they rest."""
    solver: hou.OpNode
    """Its fourth output is a point for each piece."""
    moved: hou.OpNode
    """The pieces where Houdini itself puts them."""
    start: int
    out: hou.OpNode
    nodes: tuple[hou.OpNode, ...]


def build(
    parent: hou.OpNode, source: hou.OpNode, blast: Blast, *, fps: float, first: int = 1, points: int = 60
) -> Chain:
    """The chain behind *source* in *parent*, for a clip whose *first* frame has this number.

    Raises:
        CatalogError: this Houdini lacks a type or a parameter of it.
    """
    start = first + round(blast.delay * fps)
    victims = wire(_keep(parent, "victims", "i@active == 0"), source)
    rest = wire(_keep(parent, "rest", "i@active == 1"), source)
    impact = _impact(parent, blast, points)
    fracture = wire(
        make(
            parent,
            FRACTURE,
            "fracture",
            {
                "materialtype": "concrete",
                "randomseed": float(blast.seed % 100_000),
                "concrete_fracturelevel": 1,
                "concrete_fractureseed1": float(blast.seed % 100_000),
                "concrete_scatterpts1": 5,
                "constraintsenable": 1,
            },
            optional={"concrete_enablechipping": 0, "concrete_edgedetail": 0, "concrete_interiordetail": 0},
        ),
        victims,
        None,
        None,
        impact,
    )
    configure = wire(
        make(
            parent, "rbdconfigure", "configure", {"createpackedfragments": 1, "addactive1": 1, "active1": 1}
        ),
        (fracture, 0),
        (fracture, 1),
        (fracture, 2),
    )
    launch = wire(
        make(parent, "attribwrangle", "launch", {"class": "point", "snippet": launch_code(blast)}), configure
    )
    solver = wire(
        make(
            parent,
            "rbdbulletsolver",
            "solver",
            {
                "startframe": start,
                "substeps": 5,
                "numiteration": 10,
                "useground": 1,
                "ground_pos": (0.0, 0.0, 0.0),
                "enable_constraintbreaks": 1,
                "constraint_keepbroken": 0,
                "cacheenabled": 1,
                "cachemaxsize": 8000,
            },
        ),
        launch,
        (configure, 1),
        (configure, 2),
        rest,
    )
    frozen = wire(make(parent, "timeshift", "frozen", {"frame": float(start)}), (solver, 3))
    moved = wire(
        make(parent, "xformpieces", "moved", {"attribstotransform": "*"}),
        (fracture, 0),
        (solver, 3),
        frozen,
    )
    merged = wire(make(parent, "merge", "street"), rest, moved)
    smooth = wire(make(parent, "normal", "normals"), merged)
    out = wire(make(parent, "null", "OUT_RENDER"), smooth)
    assert isinstance(out, hou.SopNode)
    out.setDisplayFlag(True)
    out.setRenderFlag(True)
    nodes = (victims, rest, impact, fracture, configure, launch, solver, frozen, moved, merged, smooth, out)
    return Chain(rest=rest, fracture=fracture, solver=solver, moved=moved, start=start, out=out, nodes=nodes)


def _keep(parent: hou.OpNode, name: str, unwanted: str) -> hou.OpNode:
    code = f"if ({unwanted}) removeprim(0, @primnum, 1);"
    return make(parent, "attribwrangle", name, {"class": "primitive", "snippet": code})


def _impact(parent: hou.OpNode, blast: Blast, points: int) -> hou.OpNode:
    """Points in the blast, where the fracture is finest."""
    ball = make(
        parent, "sphere", "blast", {"type": "poly", "rad": (blast.radius / 2,) * 3, "t": blast.center}
    )
    return wire(
        make(
            parent,
            ("scatter::2.0",),
            "impact",
            {"forcetotal": 1, "npts": points, "seed": float(blast.seed % 100_000)},
        ),
        ball,
    )


def launch_code(blast: Blast) -> str:
    """VEX that gives each piece its first speed: away from the blast, less with distance, nothing beyond the radius."""
    x, y, z = blast.center
    return (
        f"vector away = @P - set({x:.4f}, {y:.4f}, {z:.4f});\n"
        f"float near = max(0.0, 1.0 - length(away) / {blast.radius:.4f});\n"
        f"v@v = normalize(away) * {NEAREST_SPEED * blast.power:.4f} * near;\n"
        "v@w = set(v@v.z, 0, -v@v.x) * 0.3;"
    )


def digest(solver: hou.OpNode, frames: Iterable[int]) -> str:
    """SHA-256 over the simulated points of every frame, in order: equal for equal runs.

    Cooks forward, which a simulation needs anyway.
    """
    assert isinstance(solver, hou.SopNode)
    found = hashlib.sha256()
    for frame in frames:
        hou.setFrame(frame)
        geometry = solver.geometry(3)
        if geometry is None:
            raise hou.OperationFailed(f"{solver.path()} gave nothing on frame {frame}")
        positions = geometry.pointFloatAttribValues("P")
        found.update(struct.pack(f"<{len(positions)}f", *positions))
    return found.hexdigest()
