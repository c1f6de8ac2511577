"""The scene of the fake as a real USD file: boxes and the city as meshes, the camera with a sample a frame."""

from __future__ import annotations

import math
from pathlib import Path

from pxr import Gf, Usd, UsdGeom, Vt


def write(session, path: Path, start: int, end: int) -> None:
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    stage.SetStartTimeCode(start)
    stage.SetEndTimeCode(end)
    for node in session.hou.node("/obj").children():
        kind = node.type().name()
        if kind == "cam":
            _camera(session, stage, node, start, end)
        elif kind == "geo":
            _geometry(stage, node)
    stage.GetRootLayer().Save()


def _camera(session, stage, node, start, end):
    camera = UsdGeom.Camera.Define(stage, f"/{node.name()}")
    camera.CreateFocalLengthAttr(float(node.parm("focal").eval()) or 50.0)
    camera.CreateHorizontalApertureAttr(float(node.parm("aperture").eval()) or 41.4214)
    camera.CreateVerticalApertureAttr(23.3)
    move = camera.AddTransformOp()
    for frame in range(start, end + 1):
        session.frame = float(frame)
        t, r = node.parmTuple("t").eval(), node.parmTuple("r").eval()
        matrix = Gf.Matrix4d(1.0)
        for axis, angle in zip(((1, 0, 0), (0, 1, 0), (0, 0, 1)), r, strict=True):
            matrix *= Gf.Matrix4d().SetRotate(Gf.Rotation(Gf.Vec3d(*axis), angle))
        move.Set(matrix.SetTranslateOnly(Gf.Vec3d(*t)), frame)


def _geometry(stage, node):
    cities = [child for child in node.children() if child.type().name().startswith("cosmos::")]
    if cities:
        _city(stage, node.name(), cities[0].geometry()._fake)
        return
    for child in node.children():
        if child.type().name() == "box":
            size, centre = child.parmTuple("size").eval(), child.parmTuple("t").eval()
            _box(stage, f"/{node.name()}/{child.name()}", size, centre)


def _box(stage, path, size, centre):
    corners = [
        tuple(c + s * side / 2 for c, s, side in zip(centre, size, sides, strict=True))
        for sides in (
            (-1, -1, -1),
            (1, -1, -1),
            (1, -1, 1),
            (-1, -1, 1),
            (-1, 1, -1),
            (1, 1, -1),
            (1, 1, 1),
            (-1, 1, 1),
        )
    ]
    faces = [(0, 1, 2, 3), (4, 7, 6, 5), (0, 4, 5, 1), (1, 5, 6, 2), (2, 6, 7, 3), (3, 7, 4, 0)]
    _mesh(stage, path, corners, faces, None, 0.5 + 0.4 * math.sin(len(path)))


def _city(stage, name, shape):
    """A mesh a thing: the pieces of one segid together, as ``path by name`` would give them."""
    rows = {}
    for row, segid in enumerate(shape.values["prim", "segid"]):
        rows.setdefault(segid, []).append(row)
    for segid, mine in rows.items():
        used = sorted({corner for row in mine for corner in shape.polygons[row]})
        number = {corner: at for at, corner in enumerate(used)}
        faces = [tuple(number[corner] for corner in shape.polygons[row]) for row in mine]
        piece = shape.values["prim", "name"][mine[0]].split("/")[0]
        grey = sum(shape.values["prim", "Cd"][mine[0]]) / 3
        _mesh(stage, f"/{name}/{piece}", [shape.points[c] for c in used], faces, segid, grey)


def _mesh(stage, path, points, faces, segid, grey):
    mesh = UsdGeom.Mesh.Define(stage, path)
    mesh.CreatePointsAttr(Vt.Vec3fArray([Gf.Vec3f(*point) for point in points]))
    mesh.CreateFaceVertexCountsAttr([len(face) for face in faces])
    mesh.CreateFaceVertexIndicesAttr([corner for face in faces for corner in face])
    mesh.CreateOrientationAttr(UsdGeom.Tokens.leftHanded)
    mesh.CreateDisplayColorAttr([Gf.Vec3f(grey, grey * 0.9, grey * 0.8)])
    if segid is not None:
        from pxr import Sdf

        primvar = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("segid", Sdf.ValueTypeNames.IntArray)
        primvar.SetInterpolation(UsdGeom.Tokens.uniform)
        primvar.Set([int(segid)] * len(faces))
