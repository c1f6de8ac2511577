from __future__ import annotations

import json
import subprocess
import sys

import av
import numpy as np
import pytest
from cosmos_core_city import cosmos_generators
from cosmos_core_city.generate import generate
from cosmos_core_city.spec import CitySpec

from cosmos_core import controls
from cosmos_core.extend import silent
from cosmos_core.testing.generator import GeneratorContract

SMALL = CitySpec(seed=4, width=320, height=176, frames=3)


class TestCity(GeneratorContract):
    @pytest.fixture
    def generator(self):
        return next(iter(cosmos_generators()))

    @pytest.fixture
    def options(self):
        return SMALL


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    return folder, generate(SMALL, folder, silent)


def frames(path):
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_a_clip_has_its_four_passes_and_its_camera(made):
    """The folder holds exactly the passes and the camera, and nothing half-written."""
    folder, _ = made

    assert ["camera.json", "color.mp4", "depth.mp4", "edge.mp4", "proxy.mp4", "segmentation.mp4"] == sorted(
        path.name for path in folder.iterdir()
    )


@pytest.mark.parametrize("name", ["color", "depth", "segmentation", "edge"])
def test_passes_agree_in_length_and_size(made, name):
    """Each pass has the frames and the size that were asked for."""
    decoded = frames(made[0] / f"{name}.mp4")

    assert [(176, 320, 3)] * 3 == [frame.shape for frame in decoded]


def test_segmentation_decodes_to_the_palette_exactly(made):
    """Every pixel of the decoded video has one of the colours in the facts, and several of them occur."""
    folder, facts = made
    allowed = {tuple(color) for color in facts["palette"].values()}
    found = {
        tuple(color)
        for frame in frames(folder / "segmentation.mp4")
        for color in np.unique(frame.reshape(-1, 3), axis=0).tolist()
    }

    assert set() == found - allowed
    assert len(found) >= 8
    assert [0, 0, 0] == facts["palette"]["sky"]


def test_depth_uses_its_range_and_leaves_the_sky_black(made):
    """Near is bright, sky is 0, and the three channels are equal."""
    folder, facts = made
    whole = frames(folder / "depth.mp4")
    depth, seg = whole[0], frames(folder / "segmentation.mp4")[0]

    assert max(frame.max() for frame in whole) > 230
    assert (depth[..., 0] == depth[..., 1]).all()
    assert (depth[..., 0] == depth[..., 2]).all()
    assert (seg[depth[..., 0] == 0] == 0).all()
    assert 0.0 == facts["depth_range"][0] < facts["depth_range"][1] < 0.5


def test_edges_are_those_of_the_model(made):
    """The edge pass is binary, and Canny of the decoded colour gives nearly the same."""
    folder, _ = made
    edge, color = frames(folder / "edge.mp4")[0], frames(folder / "color.mp4")[0]

    assert {0, 255} == set(np.unique(edge).tolist())
    assert ((controls.edge(color) > 0) == (edge[..., 0] > 0)).mean() > 0.85


def test_the_camera_file_has_a_pose_for_every_frame(made):
    """Intrinsics in pixels and one rigid 4x4 a frame."""
    camera = json.loads((made[0] / "camera.json").read_text(encoding="utf-8"))

    assert (3, 4, 4) == np.array(camera["poses"]).shape
    assert (320, 176, 160.0, 88.0) == (camera["width"], camera["height"], camera["cx"], camera["cy"])


def test_the_facts_say_what_made_the_clip(made):
    """Spec, seed, versions, range, labels and a prompt that a model takes."""
    _, facts = made

    assert 4 == facts["seed"] == facts["spec"]["seed"]
    assert 21 == len(facts["labels"])
    assert len(facts["labels_seen"]) >= 10
    assert {"cosmos-core-city", "numba", "numpy"} <= set(facts["versions"])
    assert 40 < len(facts["prompt"].split()) < 300


def test_threads_do_not_change_the_files(made, tmp_path, monkeypatch):
    """One thread writes the very bytes that the default number of threads wrote."""
    monkeypatch.setenv("COSMOS_CITY_THREADS", "1")

    generate(SMALL, tmp_path, silent)

    assert {p.name: p.read_bytes() for p in made[0].iterdir()} == {
        p.name: p.read_bytes() for p in tmp_path.iterdir()
    }


def test_listing_the_plugin_imports_nothing_heavy():
    """What `cosmos --help` imports costs no numba, numpy, OpenCV or PyAV."""
    heavy = "{'numba', 'numpy', 'cv2', 'av', 'platformdirs'} & set(sys.modules)"
    code = f"import sys, cosmos_core_city as c; list(c.cosmos_generators()); list(c.cosmos_commands()); print({heavy} or '')"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "" == done.stdout.strip()
