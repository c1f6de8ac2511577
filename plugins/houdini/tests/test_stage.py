"""The stage that Karma renders, opened and its products read back."""

from __future__ import annotations

import pytest
from cosmos_core_houdini import ends, stage
from pxr import Sdf, Usd, UsdGeom, UsdLux, UsdRender

SHOT = stage.Shot(camera="/obj/cam1", start=1, end=4, fps=24, width=1280, height=704)


@pytest.fixture
def scene(tmp_path):
    """An exported scene: two meshes, one numbered by Houdini, and a moving camera."""
    path = tmp_path / "scene.usd"
    made = Usd.Stage.CreateNew(str(path))
    camera = UsdGeom.Camera.Define(made, "/cameras/cam1")
    camera.CreateHorizontalApertureAttr(41.4214)
    camera.CreateVerticalApertureAttr(41.4214)
    move = camera.AddTranslateOp()
    for frame in range(1, 5):
        move.Set((frame, 2, 10), frame)
    for name, number in (("house", 7), ("crate", None)):
        mesh = UsdGeom.Mesh.Define(made, f"/city/{name}")
        mesh.CreatePointsAttr([(0, 0, 0), (1, 0, 0), (0, 1, 0)])
        mesh.CreateFaceVertexCountsAttr([3, 3])
        mesh.CreateFaceVertexIndicesAttr([0, 1, 2, 2, 1, 0])
        if number is not None:
            primvar = UsdGeom.PrimvarsAPI(mesh).CreatePrimvar("segid", Sdf.ValueTypeNames.IntArray)
            primvar.SetInterpolation(UsdGeom.Tokens.uniform)
            primvar.Set([number, number])
    made.GetRootLayer().Save()
    return path


@pytest.fixture
def authored(scene):
    return stage.author(scene, SHOT)


@pytest.fixture
def opened(authored):
    return Usd.Stage.Open(str(authored.path))


def test_the_product_is_read_back(opened):
    """One product, our size and camera, everything that blends switched off, OpenEXR said aloud."""
    settings = UsdRender.Settings.GetStageRenderSettings(opened)
    (path,) = settings.GetProductsRel().GetTargets()
    product = UsdRender.Product(opened.GetPrimAtPath(path))

    assert (1280, 704) == tuple(product.GetResolutionAttr().Get())
    assert ["/cameras/cam1"] == [str(target) for target in product.GetCameraRel().GetTargets()]
    assert (True, True) == (
        product.GetDisableMotionBlurAttr().Get(),
        product.GetDisableDepthOfFieldAttr().Get(),
    )
    assert "render.$F4.exr" == product.GetProductNameAttr().Get()
    assert "OpenEXR" == product.GetPrim().GetAttribute("driver:parameters:husk:image_format").Get()


def test_each_pass_is_read_back(opened):
    """Colour, depth, segmentation and normals, with filters that do not blend what must not be blended."""
    product = UsdRender.Product(opened.GetPrimAtPath(stage.PRODUCT))
    found = {}
    for path in product.GetOrderedVarsRel().GetTargets():
        variable = UsdRender.Var(opened.GetPrimAtPath(path))
        said = variable.GetPrim().GetAttribute
        found[said("driver:parameters:aov:name").Get()] = (
            variable.GetSourceNameAttr().Get(),
            variable.GetSourceTypeAttr().Get(),
            variable.GetDataTypeAttr().Get(),
            said("driver:parameters:aov:karma:filter").Get(),
            said("driver:parameters:aov:multiSampled").Get(),
        )

    assert {
        "C": ("C.*[LO]", "lpe", "color4f", '["ubox",{}]', True),
        "depth": ("ray:hitPz", "raw", "float", '["minmax",{"mode":"zmin"}]', False),
        "segment": ("cosmos_segment", "primvar", "float", '["minmax",{"mode":"idcover"}]', False),
        "normal": ("ray:hitN", "raw", "vector3f", '["ubox",{}]', False),
    } == found


def test_the_film_back_has_the_shape_of_the_picture(opened):
    """Otherwise the renderer would stretch or crop; the camera's own motion stays."""
    camera = UsdGeom.Camera(opened.GetPrimAtPath("/cameras/cam1"))

    across, up = camera.GetHorizontalApertureAttr().Get(), camera.GetVerticalApertureAttr().Get()
    assert pytest.approx(1280 / 704, rel=1e-5) == across / up
    assert [1.0, 2.0, 3.0, 4.0] == UsdGeom.Xformable(camera).GetOrderedXformOps()[0].GetTimeSamples()
    assert (1.0, 4.0, 24.0) == (
        opened.GetStartTimeCode(), opened.GetEndTimeCode(), opened.GetTimeCodesPerSecond()
    )  # fmt: skip


def test_objects_keep_their_number_and_others_get_the_next(opened, authored):
    """Houdini's own number where a whole prim has one; it is constant, and a float, which is what husk takes."""
    values = {}
    for name in ("house", "crate"):
        primvar = UsdGeom.PrimvarsAPI(opened.GetPrimAtPath(f"/city/{name}")).GetPrimvar(stage.SEGMENT)
        values[name] = (primvar.Get(), primvar.GetInterpolation(), str(primvar.GetTypeName()))

    assert {"house": (7.0, "constant", "float"), "crate": (8.0, "constant", "float")} == values
    assert {7: "/city/house", 8: "/city/crate"} == authored.segments


def test_a_scene_without_light_gets_some(opened, authored):
    """A black picture is nobody's wish; a scene with its own light keeps it."""
    lights = [prim for prim in opened.Traverse() if prim.HasAPI(UsdLux.LightAPI)]

    assert authored.lit is False
    assert {"/lights/cosmos_sun", "/lights/cosmos_sky"} == {str(prim.GetPath()) for prim in lights}


def test_light_of_its_own_is_enough(scene):
    """Nothing is added to it."""
    made = Usd.Stage.Open(str(scene))
    UsdLux.DomeLight.Define(made, "/sky")
    made.GetRootLayer().Save()

    assert stage.author(scene, SHOT).lit is True


def test_the_exported_file_is_not_touched(scene):
    """Our opinions lie in a layer of their own; what Houdini wrote can be looked at as it was."""
    before = scene.read_bytes()
    stage.author(scene, SHOT)

    assert before == scene.read_bytes()


def test_a_camera_that_is_not_there_is_named(scene):
    """With those that are."""
    made = Usd.Stage.Open(str(scene))
    UsdGeom.Camera.Define(made, "/cameras/cam2")
    made.GetRootLayer().Save()

    with pytest.raises(ends.Failed, match=r"no one camera called cam9; it has /cameras/cam1, /cameras/cam2"):
        stage.author(scene, stage.Shot(camera="/obj/cam9", start=1, end=2, fps=24, width=64, height=64))


def test_instances_are_opened_so_that_they_can_be_numbered(scene):
    """A number cannot be written into what several places share."""
    made = Usd.Stage.Open(str(scene))
    for at in (1, 2):
        prim = made.DefinePrim(f"/copies/c{at}")
        prim.GetReferences().AddInternalReference("/city")
        prim.SetInstanceable(True)
    made.GetRootLayer().Save()

    authored = stage.author(scene, SHOT)

    assert {"/copies/c1/crate", "/copies/c2/crate"} <= set(authored.segments.values())
