"""husk: opens the stage, reads camera, product and variables out of it, and draws it with a small z-buffer.

What it writes is real OpenEXR with the channels that the stage asks for, so a stage that asks wrongly gives wrong files.
``DOUBLE_HUSK`` makes it misbehave: ``licence``, ``fail``, ``crash``, ``short`` stops after half the frames and ends well,
``black``, ``flat`` has one depth, ``cut`` leaves a damaged last frame, ``beauty`` writes colour alone, ``slow``.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--renderer", required=True)
    parser.add_argument("--res", nargs=2, type=int, required=True)
    parser.add_argument("--frame", type=int, required=True)
    parser.add_argument("--frame-count", type=int, required=True)
    parser.add_argument("--frame-inc", type=int, default=1)
    parser.add_argument("--output", required=True)
    parser.add_argument("stage")
    asked = parser.parse_args()
    mood = os.environ.get("DOUBLE_HUSK", "")
    if mood == "licence":
        print("Failed to acquire license for Karma", file=sys.stderr)
        return 1
    if mood == "fail":
        print("[ERROR] Unable to load render plugin", file=sys.stderr)
        return 1
    if mood == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    assert "BRAY_HdKarma" == asked.renderer
    render(asked, mood)
    return 0


def render(asked, mood):
    from pxr import Usd, UsdRender

    stage = Usd.Stage.Open(asked.stage)
    settings = UsdRender.Settings(stage.GetPrimAtPath(stage.GetMetadata("renderSettingsPrimPath")))
    product = UsdRender.Product(stage.GetPrimAtPath(settings.GetProductsRel().GetTargets()[0]))
    camera = stage.GetPrimAtPath(settings.GetCameraRel().GetTargets()[0])
    variables = [
        UsdRender.Var(stage.GetPrimAtPath(path)) for path in product.GetOrderedVarsRel().GetTargets()
    ]
    assert "OpenEXR" == product.GetPrim().GetAttribute("driver:parameters:husk:image_format").Get()
    if mood == "beauty":
        variables = variables[:1]
    count = asked.frame_count // 2 if mood == "short" else asked.frame_count
    meshes = _meshes(
        stage, [v.GetSourceNameAttr().Get() for v in variables if v.GetSourceTypeAttr().Get() == "primvar"]
    )
    for frame in range(asked.frame, asked.frame + count, asked.frame_inc):
        if mood == "slow":
            time.sleep(3)
        drawn = draw(camera, meshes, frame, *asked.res)
        if mood == "black":
            drawn["color"][:] = 0
        if mood == "flat":
            drawn["depth"][:] = 4.0
        path = Path(asked.output.replace("$F4", f"{frame:04}"))
        _write(path, variables, drawn)
        if mood == "cut" and frame == asked.frame + count - 1:
            path.write_bytes(path.read_bytes()[:3000])
        print(f"ALF_PROGRESS {100 * (frame - asked.frame + 1) // count}%", flush=True)


def _meshes(stage, primvars):
    from pxr import UsdGeom

    return [_mesh(prim, primvars) for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)]


def _mesh(prim, primvars):
    """Points in the world, faces, the value of the first of *primvars*, and the mesh's own colour."""
    from pxr import Usd, UsdGeom

    mesh = UsdGeom.Mesh(prim)
    world = UsdGeom.XformCache(Usd.TimeCode.Default()).GetLocalToWorldTransform(prim)
    points = np.array([world.Transform(p) for p in mesh.GetPointsAttr().Get()], float)
    number = UsdGeom.PrimvarsAPI(prim).GetPrimvar(primvars[0]).Get() if primvars else 0.0
    color = np.array(mesh.GetDisplayColorAttr().Get()[0], float)
    counts, corners = mesh.GetFaceVertexCountsAttr().Get(), mesh.GetFaceVertexIndicesAttr().Get()
    faces, at = [], 0
    for count in counts:
        faces.append(list(corners[at : at + count]))
        at += count
    return points, faces, float(number), color


def draw(prim, meshes, frame, width, height, *, lit=True):
    """Colour, planar depth and numbers by a z-buffer of convex faces; sky is infinitely far and number 0."""
    from pxr import Usd, UsdGeom

    camera = UsdGeom.Camera(prim)
    to_eye = np.array(
        UsdGeom.XformCache(Usd.TimeCode(frame)).GetLocalToWorldTransform(prim).GetInverse(), float
    )
    across = camera.GetHorizontalApertureAttr().Get(frame)
    up = camera.GetVerticalApertureAttr().Get(frame)
    assert abs(across / up - width / height) < 1e-3, "the film back does not have the picture's shape"
    fx = camera.GetFocalLengthAttr().Get(frame) / across * width
    depth = np.full((height, width), np.inf, np.float32)
    number = np.zeros((height, width), np.float32)
    color = np.empty((height, width, 3), np.float32)
    color[:] = (0.3, 0.45, 0.8)
    for points, faces, segment, tint in meshes:
        eye = np.c_[points, np.ones(len(points))] @ to_eye
        for face in faces:
            corners = _before(eye[face, :3])
            if len(corners) < 3:
                continue
            z = -corners[:, 2]
            x, y = corners[:, 0] / z * fx + width / 2, height / 2 - corners[:, 1] / z * fx
            light = 0.4 + 0.6 * abs(_normal(corners)[1]) if lit else 1.0
            _fill(x, y, z, depth, number, color, segment, tint * light)
    return {
        "color": color,
        "depth": depth,
        "segment": number,
        "normal": np.zeros((height, width, 3), np.float32),
    }


def _before(corners, near=0.1):
    """The part of a convex face that lies before the camera."""
    kept = []
    for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if -a[2] >= near:
            kept.append(a)
        if (-a[2] >= near) != (-b[2] >= near):
            kept.append(a + (b - a) * (-near - a[2]) / (b[2] - a[2]))
    return np.array(kept).reshape(-1, 3)


def _normal(corners):
    n = np.cross(corners[1] - corners[0], corners[2] - corners[0])
    return n / max(np.linalg.norm(n), 1e-9)


def _fill(x, y, z, depth, number, color, segment, tint):
    height, width = depth.shape
    left, right = max(0, int(x.min())), min(width, int(x.max()) + 2)
    top, bottom = max(0, int(y.min())), min(height, int(y.max()) + 2)
    if left >= right or top >= bottom:
        return
    px, py = np.meshgrid(np.arange(left, right) + 0.5, np.arange(top, bottom) + 0.5)
    sides = [
        (x[b] - x[a]) * (py - y[a]) - (y[b] - y[a]) * (px - x[a])
        for a, b in zip(range(len(x)), [*range(1, len(x)), 0], strict=True)
    ]
    inside = np.all([s >= 0 for s in sides], axis=0) | np.all([s <= 0 for s in sides], axis=0)
    plane = np.c_[x, y, np.ones(len(x))]
    inverse = np.linalg.lstsq(plane, 1 / z, rcond=None)[0]
    far = 1 / np.maximum(inverse[0] * px + inverse[1] * py + inverse[2], 1e-6)
    here = inside & (far < depth[top:bottom, left:right])
    depth[top:bottom, left:right][here] = far[here]
    number[top:bottom, left:right][here] = segment
    color[top:bottom, left:right][here] = tint


def _write(path, variables, drawn):
    import OpenEXR

    channels = {}
    for variable in variables:
        name = variable.GetPrim().GetAttribute("driver:parameters:aov:name").Get()
        source, kind = variable.GetSourceNameAttr().Get(), variable.GetDataTypeAttr().Get()
        if kind == "color4f":
            alpha = np.isfinite(drawn["depth"]).astype(np.float16)
            rgb = drawn["color"].astype(np.float16)
            channels |= {"R": rgb[..., 0], "G": rgb[..., 1], "B": rgb[..., 2], "A": alpha}
        elif source == "ray:hitPz":
            assert (
                '["minmax",{"mode":"zmin"}]'
                == variable.GetPrim().GetAttribute("driver:parameters:aov:karma:filter").Get()
            )
            channels[name] = np.where(np.isfinite(drawn["depth"]), drawn["depth"], 0).astype(np.float32)
        elif variable.GetSourceTypeAttr().Get() == "primvar":
            channels[name] = drawn["segment"]
        else:
            channels |= {f"{name}.{letter}": drawn["normal"][..., at] for at, letter in enumerate("xyz")}
    channels = {name: np.ascontiguousarray(pixels) for name, pixels in channels.items()}
    OpenEXR.File({"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}, channels).write(
        str(path)
    )
