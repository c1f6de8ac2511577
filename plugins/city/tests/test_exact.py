"""What was rendered is what other programs read, bit by bit, however it was made."""

from __future__ import annotations

import subprocess
import sys

import cv2
import numpy as np
import pytest
from cosmos_core_city.generate import choose, generate, output, palette, passes
from cosmos_core_city.light import EXPOSURE, daylight
from cosmos_core_city.render import Renderer
from cosmos_core_city.spec import CitySpec, resolve
from cosmos_core_city.wreck import wreck

from cosmos_core import controls
from cosmos_core.extend import silent

SPEC = CitySpec(
    seed=4, camera="tripod", width=320, height=176, frames=2, truth=("all",), boxes=True, profile="cosmos3"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A clip with everything there is, and the frames and colours that went into its encoders."""
    folder = tmp_path_factory.mktemp("exact")
    facts = generate(SPEC, folder, silent)
    out, city = output(SPEC), resolve(SPEC)
    built = wreck(city, out.frames, float(out.fps))
    moved = built.motion.moved() if built.motion else [None] * out.frames
    drawn = []
    with Renderer(built.scene, daylight(SPEC, city), EXPOSURE, motion=built.motion) as renderer:
        shot = choose(SPEC, city, built, renderer, out)
        for frame in range(out.frames):
            seen, rgb = renderer.draw(shot.path.view(frame, out.width, out.height), frame)
            groups = np.append(built.scene.grouped(built.scene.state(moved[frame])), 0)
            drawn.append((seen, rgb, groups[seen.ids]))
    return folder, facts, drawn, palette(shot.seen, SPEC.seed)


@pytest.fixture(scope="module")
def reader():
    """The reader that the models use: ``imageio.v3`` with the plugin pyav."""
    return pytest.importorskip(
        "imageio.v3", reason="reading as the models do needs the package imageio: pip install imageio"
    )


def read(reader, path):
    return reader.imread(path, plugin="pyav")


def test_segmentation_reads_exactly(made, reader):
    """Every pixel comes back in the colour of its group."""
    folder, _, drawn, colours = made

    assert (
        read(reader, folder / "segmentation.mp4") == [controls.segmentation(g, colours) for _, _, g in drawn]
    ).all()


def test_depth_reads_exactly(made, reader):
    """Every pixel comes back with its inverse depth in 255 steps of the clip's range, in all three channels."""
    folder, facts, drawn, _ = made
    wanted = np.stack([controls.depth(seen.inverse, *facts["depth_range"]) for seen, _, _ in drawn])

    assert (read(reader, folder / "depth.mp4") == wanted[..., None]).all()


def test_edges_are_opencv_s_of_the_colour_before_it_was_encoded(made, reader):
    """The file holds what cv2.Canny finds at 100 and 200 in the rendered frame."""
    folder, _, drawn, _ = made
    wanted = np.stack([cv2.Canny(rgb, 100, 200) for _, rgb, _ in drawn])

    assert wanted.any()
    assert (read(reader, folder / "edge.mp4") == wanted[..., None]).all()


@pytest.mark.parametrize(
    ("preset", "lower", "upper"),
    [
        ("very_low", 20, 50),
        ("low", 50, 100),
        ("medium", 100, 200),
        ("high", 200, 300),
        ("very_high", 300, 400),
    ],
)
def test_every_preset_is_opencv_s_canny(made, tmp_path, reader, preset, lower, upper):
    """Written and read again, the edges of a rendered frame are OpenCV's at the preset's thresholds."""
    rgb = made[2][0][1]
    controls.write_video(tmp_path / "edge.mp4", [controls.edge(rgb, preset)] * 2, 24, "exact")

    assert (read(reader, tmp_path / "edge.mp4") == cv2.Canny(rgb, lower, upper)[..., None]).all()


def test_cosmos_3_gets_its_blur_and_transfer_leaves_it_to_sealing(made, reader):
    """vis.mp4 is the Gaussian of the rendered frame, to what H.264 loses."""
    folder, _, drawn, _ = made
    blurred = read(reader, folder / "vis.mp4").astype(int)

    assert np.abs(blurred - [controls.vis_gaussian(rgb) for _, rgb, _ in drawn]).mean() < 4
    assert "vis" in passes("cosmos3")
    assert "vis" not in passes("transfer2.5")


def test_a_clip_with_everything_lists_what_it_holds(made):
    """Every sidecar is a file with the digest that the facts say."""
    folder, facts, _, _ = made

    assert {path.name for path in folder.iterdir()} >= {
        "boxes.json",
        "normal.mp4",
        "proxy.mp4",
        "truth",
        "vis.mp4",
    }
    assert 8 == len(facts["sidecars"])
    assert all((folder / each["file"]).is_file() for each in facts["sidecars"].values())
    assert "4/camera tripod" in facts["seeds"]["camera"]
    assert {"av", "numba", "opencv-python-headless"} <= set(facts["versions"])


def test_two_runs_and_one_thread_write_the_same_files(made, tmp_path, monkeypatch):
    """Passes, ground truth, boxes and camera: the same bytes again, with one thread and with two."""
    wanted = contents(made[0])
    for threads in ("1", "2"):
        monkeypatch.setenv("COSMOS_CITY_THREADS", threads)
        (tmp_path / threads).mkdir()
        generate(SPEC, tmp_path / threads, silent)

        assert wanted == contents(tmp_path / threads)


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


@pytest.mark.slow
def test_clips_side_by_side_are_those_made_one_by_one(tmp_path):
    """The command writes the same files of destroyed streets with -j 1 and with -j 2."""
    words = "generate city -p seed=1,2 -p width=320 -p height=176 -p frames=2 -p camera=tripod -p truth=depth -p damage=0.8 --name c".split()
    for jobs in ("1", "2"):
        for more in (["init", jobs], ["-C", jobs, *words, "-j", jobs]):
            subprocess.run(
                [sys.executable, "-m", "cosmos_core.cli", *more],
                cwd=tmp_path,
                check=True,
                capture_output=True,
            )
    one, two = (contents(tmp_path / jobs / "clips") for jobs in ("1", "2"))

    assert one == two
    assert {"c-seed1/truth/depth.npz", "c-seed2/color.mp4"} <= set(one)
