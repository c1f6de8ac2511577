"""Builds every node we use in a scratch scene of this very Houdini, and prints what is there and what is not, as JSON.

``hython doctor.py``: run by ``cosmos houdini doctor``; the one thing that the first person with a licence does.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "doctor.poses"
"""What was simulated, in the folder in which this runs; whoever started it looks at the file."""
MARK = "cosmos-doctor: "
"""Begins the line with the answer: Houdini and plug-ins print what they like beside it."""


def examine() -> list[dict[str, Any]]:
    """Every question with its answer: ``ok``, ``fail`` or ``warn``, and a sentence."""
    import hou

    from cosmos_houdini import build_scene, command

    answers: list[dict[str, Any]] = []

    def ask(question: str, look: Callable[[], Any]) -> Any:
        try:
            said = look()
        except Exception as error:  # noqa: BLE001 - every question is asked, whatever the one before it did
            answers.append(
                {"question": question, "level": "fail", "message": f"{type(error).__name__}: {error}"}
            )
            return None
        answers.append({"question": question, "level": "ok", "message": str(said)})
        return said

    ask("houdini", lambda: f"{hou.applicationVersionString()}, Python {sys.version.split()[0]}")
    ask("licence", lambda: _licence(hou))
    ask("command", command.find)
    ask("asset", lambda: _asset(hou))
    ask("city", lambda: _counts(hou, {"seed": 1}))
    ask("winding", lambda: _winding(hou))
    ask("rbd types", lambda: _versions(hou))
    built: list[Any] = []
    ask("destruction", lambda: _destruction(build_scene, built))
    if built:
        ask("pieces", lambda: _pieces(built[0].chain))
        ask("simulation", lambda: _simulation(built[0].chain))
        ask("poses", lambda: _poses(built[0]))
    ask("export types", lambda: _types(hou))
    ask("draft", _draft)
    ask("file node", _file_node)
    return answers


LOOKED = 12
"""Frames after the blast that are simulated."""
ASTRAY = 1e-3
"""Metres from where Houdini has a corner at which poses are wrong."""
PIECES = ("rbdmaterialfracture", "rbdconfigure", "rbdbulletsolver", "xformpieces", "timeshift", "scatter")


def _versions(hou: Any) -> str:
    """Which versions of the chain's types this Houdini has; nothing was published for 20.5."""
    there = hou.sopNodeTypeCategory().nodeTypes()
    found = {stem: sorted(name for name in there if name.split("::")[0] == stem) for stem in PIECES}
    return "; ".join(f"{stem}: {', '.join(names) or 'none'}" for stem, names in found.items())


def _destruction(build_scene: Any, built: list[Any]) -> str:
    parms = {"seed": 1, "damage": 0.8, "frames": 24, "fps": 24}
    built.append(build_scene.city(parms, width=1280, height=704, frames=24, fps=24.0))
    return "; ".join([built[0].camera, *built[0].warnings])


def _pieces(chain: Any) -> str:
    """What fracture gives: names, the group of its own faces, and whether those kept their attributes."""
    from cosmos_houdini.poses import INSIDE

    geometry = chain.fracture.geometry(0)
    names, kinds = geometry.primStringAttribValues("name"), geometry.primIntAttribValues("class_id")
    inside = geometry.findPrimGroup(INSIDE)
    cut = [prim.number() for prim in inside.prims()] if inside else []
    largest = max(prim.numVertices() for prim in geometry.prims())
    said = f"{len(set(names))} pieces such as {names[0]}, {len(names)} polygons of at most {largest} corners"
    classes = ", ".join(map(str, sorted({kinds[row] for row in cut})))
    return f"{said}; " + (
        f"{len(cut)} faces in the group {INSIDE}, of the classes {classes}"
        if inside
        else f"no group {INSIDE}; classes are {', '.join(map(str, sorted(set(kinds))))}"
    )


def _simulation(chain: Any) -> str:
    """What the solver's fourth output is, on the frame on which it starts."""
    import hou

    hou.setFrame(chain.start)
    geometry = chain.solver.geometry(3)
    names = ", ".join(sorted(attrib.name() for attrib in geometry.pointAttribs()))
    return f"{geometry.intrinsicValue('pointcount')} points on frame {chain.start} with {names}"


def _poses(built: Any) -> str:
    """The decisive one: poses as we read them put every corner where Houdini's own xformpieces has it."""
    from cosmos_houdini import poses

    last = built.chain.start + LOOKED
    frames = range(1, last + 1)
    motion = poses.follow(built.chain, frames, 24.0)
    far = poses.astray(built.chain, motion, last)
    if far > ASTRAY:
        raise ValueError(f"poses put a corner {far * 1000:.1f} mm from where xformpieces has it")
    counts = poses.write(Path(FILE), built.chain, built.resolved, frames=frames, fps=24.0, told={})
    return f"{counts['moved']} of {counts['bodies']} pieces moved, no corner astray by more than {far * 1000:.3f} mm"


def _licence(hou: Any) -> str:
    category = str(hou.licenseCategory().name())
    if category in ("Apprentice", "ApprenticeHD"):
        raise ValueError(f"{category} draws a watermark into pictures; control passes are refused")
    return category


def _asset(hou: Any) -> str:
    from cosmos_houdini.scene import CITY_TYPE, SUBMIT_TYPE

    for category, name in ((hou.sopNodeTypeCategory(), CITY_TYPE), (hou.ropNodeTypeCategory(), SUBMIT_TYPE)):
        if hou.nodeType(category, name) is None:
            raise LookupError(f"{name} is not installed: its folder was not read from otls")
    return f"{CITY_TYPE} and {SUBMIT_TYPE} are installed"


def _city(hou: Any, parms: dict[str, Any]) -> Any:
    from cosmos_houdini.build_scene import set_city
    from cosmos_houdini.nodes import make, op
    from cosmos_houdini.scene import CITY_TYPE

    street = make(op("/obj"), "geo", "doctor_city")
    node = make(street, CITY_TYPE, "city")
    set_city(node, parms)
    node.cook(force=True)
    del hou
    return node.geometry()  # type: ignore[attr-defined]


def _counts(hou: Any, parms: dict[str, Any]) -> str:
    geometry = _city(hou, parms)
    return f"{geometry.intrinsicValue('pointcount')} points, {geometry.intrinsicValue('primitivecount')} polygons"


def _winding(hou: Any) -> str:
    """The road's upper face must look up: whether fronts are clockwise here is not written down anywhere."""
    geometry = _city(hou, {"seed": 1})
    best = max(
        (prim for prim in geometry.prims() if prim.attribValue("name") == "road"),
        key=lambda prim: sum(vertex.point().position()[1] for vertex in prim.vertices()),
    )
    if best.normal()[1] <= 0:
        raise ValueError("the road's upper face looks down: polygons are wound the wrong way")
    return "fronts look outwards"


def _types(hou: Any) -> str:
    lop, driver = hou.lopNodeTypeCategory(), hou.ropNodeTypeCategory()
    for category, name in ((lop, "sceneimport::2.0"), (lop, "usd_rop"), (driver, "opengl")):
        if hou.nodeType(category, name) is None:
            raise LookupError(f"there is no {category.name()}/{name}")
    return "sceneimport::2.0, usd_rop and opengl are there"


def _draft() -> str:
    """Everything of a draft but the drawing, which only a job does: twice in one process it would crash."""
    from cosmos_houdini import draft

    for part in draft.PARTS:
        draft.build(part, Path("doctor"), camera="/obj/cosmos_camera", start=1, end=2, size=(64, 64))
    return f"{len(draft.number_objects())} objects can be numbered, and colour, depth and numbers drawn"


def _file_node() -> str:
    from cosmos_houdini import results

    return results.as_cop("doctor", "frame.$F4.jpg").type().nameWithCategory()


if __name__ == "__main__":
    print(MARK + json.dumps(examine()), flush=True)
