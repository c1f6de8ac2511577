"""The stage that Karma renders: written by us with ``usd-core``, around the geometry that Houdini exported.

So no parameter of a Houdini node stands between what we want and what husk reads, and the whole can be opened and
looked at without Houdini. One product with all passes, so that they are of the same rays.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import InputError
from cosmos_core_houdini.ends import Failed

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = "render.usda"
SETTINGS, PRODUCT = "/Render/cosmos", "/Render/Products/cosmos"
VARS = "/Render/Products/Vars"
SEGMENT = "cosmos_segment"
"""The primvar that segmentation is taken from: a number for each object, constant on each prim."""


@attrs.frozen(kw_only=True)
class Pass:
    """One picture inside the EXR. ``source`` and ``kind`` are what Karma calls it."""

    name: str
    """Of the channels in the file."""
    source: str
    kind: str
    """``lpe``, ``raw`` or ``primvar``."""
    type: str
    filter: tuple[Any, ...]
    format: str = "float"


PASSES = (
    Pass(name="C", source="C.*[LO]", kind="lpe", type="color4f", filter=("ubox", {}), format="half"),
    Pass(name="depth", source="ray:hitPz", kind="raw", type="float", filter=("minmax", {"mode": "zmin"})),
    Pass(
        name="segment", source=SEGMENT, kind="primvar", type="float", filter=("minmax", {"mode": "idcover"})
    ),
    Pass(name="normal", source="ray:hitN", kind="raw", type="vector3f", filter=("ubox", {})),
)
"""Filters that do not blend: the nearest depth, and the number that covers most of a pixel."""


@attrs.frozen(kw_only=True)
class Shot:
    """What is rendered of the scene."""

    camera: str
    """Path of Houdini's camera node; the prim is found by its name."""
    start: int
    end: int
    fps: int
    width: int
    height: int


@attrs.frozen(kw_only=True)
class Authored:
    """The stage, and what its segmentation's numbers mean."""

    path: Path
    camera: str
    segments: dict[int, str]
    lit: bool
    """Whether the scene had light of its own."""


def author(scene: Path, shot: Shot, product: str = "render.$F4.exr") -> Authored:
    """Write :data:`FILE` beside *scene*, an exported USD file.

    Raises:
        InputError: ``usd-core`` is not installed.
        Failed: the scene has no such camera, or nothing to render.
    """
    try:
        from pxr import Sdf, Usd, UsdGeom
    except ImportError:
        raise InputError(
            "rendering with Karma needs the package usd-core", hint="pip install 'cosmos-core-houdini[usd]'"
        ) from None
    path = scene.with_name(FILE)
    path.unlink(missing_ok=True)
    stage = Usd.Stage.CreateNew(str(path))
    stage.GetRootLayer().subLayerPaths.append(f"./{scene.name}")
    stage.SetStartTimeCode(shot.start)
    stage.SetEndTimeCode(shot.end)
    stage.SetTimeCodesPerSecond(shot.fps)
    stage.SetFramesPerSecond(shot.fps)
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.y)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    camera = _camera(stage, shot)
    segments = dict(_segments(stage))
    if not segments:
        raise Failed("output", f"{scene.name} holds no geometry: nothing to render")
    lit = _is_lit(stage)
    if not lit:
        _light(stage)
    _render(stage, Sdf.Path(camera), shot, product)
    stage.GetRootLayer().Save()
    return Authored(path=path, camera=camera, segments=segments, lit=lit)


def _camera(stage: Any, shot: Shot) -> str:
    """The camera's prim, its film back cut to the clip's shape."""
    from pxr import UsdGeom

    cameras = [prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Camera)]
    wanted = shot.camera.rsplit("/", 1)[-1]
    named = [prim for prim in cameras if prim.GetName() == wanted]
    chosen = named or (cameras if len(cameras) == 1 else [])
    if len(chosen) != 1:
        there = ", ".join(str(prim.GetPath()) for prim in cameras) or "none"
        raise Failed("preflight", f"the exported scene has no one camera called {wanted}; it has {there}")
    camera = UsdGeom.Camera(chosen[0])
    across = camera.GetHorizontalApertureAttr().Get(shot.start)
    camera.CreateVerticalApertureAttr().Set(across * shot.height / shot.width)
    camera.CreateHorizontalApertureOffsetAttr().Set(0.0)
    camera.CreateVerticalApertureOffsetAttr().Set(0.0)
    return str(chosen[0].GetPath())


def _segments(stage: Any) -> Iterator[tuple[int, str]]:
    """Give each prim with a surface the number of its object: the one that Houdini gave it, or the next free one."""
    from pxr import Sdf, UsdGeom

    for prim in stage.Traverse():
        if prim.IsInstance():
            prim.SetInstanceable(False)
    things = [UsdGeom.Gprim(prim) for prim in stage.Traverse() if prim.IsA(UsdGeom.Gprim)]
    given = {str(thing.GetPath()): number for thing in things if (number := _given(thing)) is not None}
    following = max(given.values(), default=0)
    for thing in things:
        path = str(thing.GetPath())
        number = given.get(path)
        if number is None:
            number = following = following + 1
        primvar = UsdGeom.PrimvarsAPI(thing).CreatePrimvar(SEGMENT, Sdf.ValueTypeNames.Float)
        primvar.SetInterpolation(UsdGeom.Tokens.constant)
        primvar.Set(float(number))
        yield number, path


def _given(thing: Any) -> int | None:
    """The primvar ``segid`` of a prim, when the whole prim has one; 0 is what nobody segmented."""
    from pxr import UsdGeom

    primvar = UsdGeom.PrimvarsAPI(thing).GetPrimvar("segid")
    value = primvar.Get() if primvar else None
    if value is None:
        return None
    numbers = {int(one) for one in value} if hasattr(value, "__iter__") else {int(value)}
    return numbers.pop() if len(numbers) == 1 and min(numbers) > 0 else None


def _is_lit(stage: Any) -> bool:
    from pxr import UsdLux

    return any(prim.HasAPI(UsdLux.LightAPI) for prim in stage.Traverse())


def _light(stage: Any) -> None:
    """A sun and a sky for a scene that has no light: otherwise every picture is black."""
    from pxr import Gf, UsdGeom, UsdLux

    sun = UsdLux.DistantLight.Define(stage, "/lights/cosmos_sun")
    sun.CreateIntensityAttr(2.5)
    sun.CreateAngleAttr(0.53)
    sun.CreateColorAttr(Gf.Vec3f(1.0, 0.96, 0.9))
    UsdGeom.XformCommonAPI(sun).SetRotate(Gf.Vec3f(-47.0, -38.0, 0.0))
    sky = UsdLux.DomeLight.Define(stage, "/lights/cosmos_sky")
    sky.CreateIntensityAttr(0.6)
    sky.CreateColorAttr(Gf.Vec3f(0.62, 0.75, 1.0))


def _render(stage: Any, camera: Any, shot: Shot, product_name: str) -> None:
    from pxr import Gf, Sdf, UsdRender

    settings = UsdRender.Settings.Define(stage, SETTINGS)
    settings.CreateResolutionAttr(Gf.Vec2i(shot.width, shot.height))
    settings.CreateCameraRel().SetTargets([camera])
    settings.CreateProductsRel().SetTargets([PRODUCT])
    settings.CreateDisableMotionBlurAttr(True)
    settings.CreateDisableDepthOfFieldAttr(True)
    settings.CreatePixelAspectRatioAttr(1.0)
    stage.SetMetadata("renderSettingsPrimPath", SETTINGS)
    product = UsdRender.Product.Define(stage, PRODUCT)
    product.CreateProductTypeAttr("raster")
    product.CreateProductNameAttr(product_name)
    product.CreateResolutionAttr(Gf.Vec2i(shot.width, shot.height))
    product.CreateCameraRel().SetTargets([camera])
    product.CreateDisableMotionBlurAttr(True)
    product.CreateDisableDepthOfFieldAttr(True)
    # Without it husk may write the beauty alone.
    _say(product.GetPrim(), "driver:parameters:husk:image_format", Sdf.ValueTypeNames.String, "OpenEXR")
    paths = [_variable(stage, one) for one in PASSES]
    product.CreateOrderedVarsRel().SetTargets(paths)


def _variable(stage: Any, one: Pass) -> str:
    from pxr import Sdf, UsdRender

    path = f"{VARS}/{one.name}"
    variable = UsdRender.Var.Define(stage, path)
    variable.CreateSourceNameAttr(one.source)
    variable.CreateSourceTypeAttr(one.kind)
    variable.CreateDataTypeAttr(one.type)
    names = Sdf.ValueTypeNames
    for key, kind, value in (
        ("name", names.String, one.name),
        ("format", names.Token, one.type if one.format == "float" else "color4h"),
        ("multiSampled", names.Bool, one.name == "C"),
        ("clearValue", names.Float, 0.0),
        ("karma:filter", names.String, json.dumps(list(one.filter), separators=(",", ":"))),
    ):
        _say(variable.GetPrim(), f"driver:parameters:aov:{key}", kind, value)
    return path


def _say(prim: Any, name: str, kind: Any, value: Any) -> None:
    prim.CreateAttribute(name, kind, custom=False).Set(value)
