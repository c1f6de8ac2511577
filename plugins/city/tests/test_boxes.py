from __future__ import annotations

import json

import numpy as np
import pytest
from cosmos_core_city import camera
from cosmos_core_city.boxes import Box, Boxes, boxes, categories
from cosmos_core_city.labels import Label
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
from cosmos_core_city.truth import Bodies


@pytest.fixture(scope="module")
def seen(spec, city, scene):
    view = camera.path(spec, city, 4, 24.0, 0).view(2, 320, 176)
    with Renderer(scene, daylight(spec, city), EXPOSURE, workers=1) as renderer:
        return view, renderer.look(view).ids


def test_boxes_of_a_small_picture():
    """Smallest boxes and pixel counts, also of what is seen in two places; sky has none."""
    numbers = np.array([[-1, 2, 2, -1], [0, 0, -1, -1], [-1, -1, -1, 2]])

    assert [Box(0, 0, 1, 2, 2, 2), Box(2, 1, 0, 4, 3, 3)] == boxes(numbers, 3)


def test_boxes_are_those_of_a_plain_count(scene, seen):
    """For every instance of a frame, the slow way gives the same."""
    numbers = np.append(scene.instance, -1)[seen[1]]
    for box in boxes(numbers, len(scene.instances)):
        rows, columns = np.nonzero(numbers == box.instance)

        assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1, len(rows)) == (
            box.left,
            box.top,
            box.right,
            box.bottom,
            box.area,
        )


def test_the_file_is_as_coco_wants_it(scene, seen):
    """Unique ids, references that lead somewhere, boxes within the picture, and categories of the label table."""
    view, ids = seen
    gathered = Boxes(scene)
    for frame in range(2):
        gathered.see(frame, ids, view)
    facts = json.loads(json.dumps(gathered.facts(view)))
    labels = {item["id"] for item in facts["categories"]}

    assert len(Label) - 1 == len(categories()) == len(labels)
    assert [0, 1] == [image["id"] for image in facts["images"]]
    assert (4, 4) == np.array(facts["images"][0]["pose"]).shape
    assert len(facts["annotations"]) == len({each["id"] for each in facts["annotations"]}) > 20
    for each in facts["annotations"]:
        left, top, width, height = each["bbox"]
        assert 0 < each["area"] <= width * height
        assert left + width <= 320
        assert top + height <= 176
        assert each["category_id"] in labels
        assert facts["instances"][each["instance_id"] - 1]["id"] == each["instance_id"]


def test_things_have_the_category_of_most_of_their_surface(scene, seen):
    """Cars are vehicles though they have windows, and houses are buildings."""
    instances = Boxes(scene).facts(seen[0])["instances"]
    cars = {each["category_id"] for each in instances if each["group"].startswith("vehicle")}

    assert {int(Label.VEHICLE)} == cars or not cars
    assert int(Label.BUILDING) in {each["category_id"] for each in instances}


def test_a_thing_that_one_body_carries_has_its_pose_and_its_box(scene, seen):
    """Two metres up, the box is two metres higher and the pose says so."""
    view, ids = seen
    number = int(scene.instance[ids[ids >= 0]][-1])
    up = np.array([[[1.0, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2]]])
    bodies = Bodies(
        of=np.where(scene.instance == number, 0, -1).astype(np.int32),
        now=up,
        before=up,
        state=np.zeros(1, np.uint8),
    )
    gathered = Boxes(scene)
    gathered.see(0, ids, view, bodies)
    (mine,) = [each for each in gathered.facts(view)["annotations"] if each["instance_id"] == number + 1]
    used = scene.vertices[scene.triangles[scene.instance == number]].reshape(-1, 3)

    assert up[0].tolist() == mine["pose"]
    np.testing.assert_allclose(mine["box3d"]["low"], used.min(axis=0) + up[0, :, 3], atol=1e-3)
    np.testing.assert_allclose(mine["box3d"]["high"], used.max(axis=0) + up[0, :, 3], atol=1e-3)
