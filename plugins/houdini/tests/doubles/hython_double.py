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
    """What the buttons and renders of this Houdini do."""
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
    import cv2
    import numpy as np

    width, height = node.parmTuple("res").eval()
    rng = np.random.default_rng(0)
    for frame in range(int(frame_range[0]), int(frame_range[1]) + 1):
        picture = np.full((height, width, 3), 90, np.uint8)
        if os.environ.get("DOUBLE_OPENGL") != "background":
            picture[height // 3 : height // 2, 10 + frame : 60 + frame] = rng.integers(100, 255, 3)
        session.frame = float(frame)
        cv2.imwrite(node.parm("picture").evalAtFrame(float(frame)), picture)
