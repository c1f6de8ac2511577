"""hython: the fake ``hou`` of hython-stubs, whose USD ROP writes a real USD file of the scene that is open.

``DOUBLE_HYTHON`` makes it misbehave: ``licence`` always, ``licence-once`` the first time, ``crash`` the first time,
``crash-always``, ``silent`` says nothing, ``empty`` ends well and leaves nothing, ``hang`` goes silent after hello,
``late`` crashes after all is done.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path


def main():
    mood = os.environ.get("DOUBLE_HYTHON", "")
    first = _first_time()
    _leave_note()
    if mood == "licence" or (mood == "licence-once" and first):
        os.environ["HYTHON_STUBS_LICENCE"] = "none"
    if mood == "crash-always" or (mood == "crash" and first):
        os.kill(os.getpid(), signal.SIGSEGV)
    if mood == "silent":
        time.sleep(600)
    if mood == "empty":
        return 0
    os.environ["HYTHON_STUBS_WITH"] = "hython_double"
    from hython_stubs import hython

    return hython.main()


def _first_time():
    """Whether this is the first start in this folder; a file remembers."""
    mark = Path("double-started")
    try:
        mark.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def _leave_note():
    """What a test wants to know: the environment, and a child that must not outlive us."""
    Path("double-environment").write_text("\n".join(f"{key}={value}" for key, value in os.environ.items()))


def prepare(session):
    """What the buttons, renders and simulations of this Houdini do."""
    import rbd_double

    rbd_double.prepare(session)
    session.buttons["Lop/usd_rop.execute"] = lambda node: _export(session, node)
    session.renderers["Driver/opengl"] = lambda node, frame_range, **_: _draw(session, node, frame_range)


def _export(session, node):
    if os.environ.get("DOUBLE_HYTHON") == "hang":
        import subprocess

        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        Path("double-child").write_text(str(child.pid))
        time.sleep(600)
    if os.environ.get("DOUBLE_HYTHON") == "no-file":
        return
    import usd_double

    start, end, _ = (int(value) for value in node.parmTuple("f").eval())
    usd_double.write(session, Path(node.parm("lopoutput").eval()), start, end)
    if os.environ.get("DOUBLE_HYTHON") == "late":
        os._exit = lambda code: os.kill(os.getpid(), signal.SIGSEGV)


def _draw(session, node, frame_range):
    """What OpenGL would draw of the scene, by the same z-buffer as husk's double.

    ``DOUBLE_OPENGL`` makes it misbehave: ``background`` draws nothing, ``shaded`` lights the flat colours, ``curve`` bends
    them as sRGB does, ``buffer`` gives depth between 0 and 1, ``no-depth`` an empty one, ``no-planes`` an EXR of colours,
    ``no-file`` no depth at all.
    """
    import husk_double
    import numpy as np
    import usd_double
    from pxr import Usd, UsdGeom

    mood = os.environ.get("DOUBLE_OPENGL", "")
    width, height = node.parmTuple("res").eval()
    start, end = int(frame_range[0]), int(frame_range[1])
    usd = Path("double-opengl.usd")
    usd_double.write(session, usd, start, end)
    stage = Usd.Stage.Open(str(usd))
    camera = stage.GetPrimAtPath("/" + node.parm("camera").eval().rsplit("/", 1)[-1])
    UsdGeom.Camera(camera).CreateVerticalApertureAttr().Set(
        UsdGeom.Camera(camera).GetHorizontalApertureAttr().Get() * height / width
    )
    kind = node.parm("imagetype").evalAsString()
    tinted = _numbered(session, stage)
    for frame in range(start, end + 1):
        path = Path(node.parm("picture").evalAtFrame(float(frame)))
        meshes = [] if mood == "background" else tinted or husk_double._meshes(stage, [])
        lit = mood == "shaded" or not tinted or node.parm("shadingmode").evalAsString() != "flat"
        drawn = husk_double.draw(camera, meshes, frame, width, height, lit=lit)
        seen = np.isfinite(drawn["depth"])
        if kind == "zdepth":
            if mood != "no-file":
                far = session.hou.node(node.parm("camera").eval()).evalParm("far")
                _exr(path, np.where(seen, drawn["depth"], far).astype(np.float32), mood)
        else:
            drawn["color"][~seen] = 0
            _png(path, drawn["color"], mood)


def _numbered(session, stage):
    """The meshes in the colours that the wrangles say; none when nobody numbered them."""
    import re

    import husk_double
    import numpy as np
    from pxr import UsdGeom

    numbers = {}
    for node in session.hou.node("/obj").children():
        for child in node.children():
            if child.type().name() == "attribwrangle" and child.name() == "cosmos_number":
                assert "vertex" == child.parm("class").evalAsString()
                numbers[node.name()] = int(
                    re.search(r"own > 0 \? own : (\d+)", child.parm("snippet").eval())[1]
                )
    found = []
    for prim in stage.Traverse():
        if numbers and prim.IsA(UsdGeom.Mesh):
            own = UsdGeom.PrimvarsAPI(prim).GetPrimvar("segid")
            number = int(own.Get()[0]) if own else numbers[_root(prim)]
            code = number * 1103 % 4096
            tint = np.array([code >> 8, code >> 4 & 15, code & 15]) / 15
            one = husk_double._mesh(prim, [])
            found.append((*one[:3], tint))
    return found


def _root(prim):
    return str(prim.GetPath()).split("/")[1]


def _exr(path, depth, mood):
    import numpy as np
    import OpenEXR

    if mood == "buffer":
        depth = (depth / depth.max()).astype(np.float32)
    if mood == "no-depth":
        depth = np.zeros_like(depth)
    channels = {"G": depth, "B": depth} if mood == "no-planes" else {"Z": depth}
    OpenEXR.File({"type": OpenEXR.scanlineimage}, channels).write(str(path))


def _png(path, color, mood):
    import cv2
    import numpy as np

    if mood == "curve":
        color = np.where(
            color <= 0.0031308, 12.92 * color, 1.055 * np.maximum(color, 1e-9) ** (1 / 2.4) - 0.055
        )
    cv2.imwrite(str(path), np.rint(255 * np.clip(color, 0, 1)).astype(np.uint8)[:, :, ::-1])
