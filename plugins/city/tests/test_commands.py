from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version

import cv2
import pytest
from click.testing import CliRunner
from cosmos_core_city import kept
from cosmos_core_city.commands import city

from cosmos_core.errors import InputError


def test_warmup_says_where_the_kernels_are():
    """The command compiles the kernels and names their cache."""
    done = CliRunner().invoke(city, ["warmup", "--json"], catch_exceptions=False)

    assert {"seconds", "cache"} == set(json.loads(done.output))


def test_warmup_prepares_a_city(tmp_path, monkeypatch):
    """With parameters it keeps the street and the path, and the preview takes just these."""
    monkeypatch.setenv("COSMOS_CITY_KEPT", "8")
    monkeypatch.setattr(kept, "folder", lambda: tmp_path / "kept")
    words = ["--seed", "2", "--width", "320", "--height", "176", "--frames", "2", "--json"]
    told = json.loads(CliRunner().invoke(city, ["warmup", *words], catch_exceptions=False).output)
    files = {path: path.read_bytes() for path in (tmp_path / "kept").iterdir()}
    seen = CliRunner().invoke(
        city, ["preview", *words, "--out", str(tmp_path / "look")], catch_exceptions=False
    )

    assert {".npz", ".json"} == {path.suffix for path in files}
    assert told["attempt"] == json.loads(seen.output)["attempt"]
    assert files == {path: path.read_bytes() for path in (tmp_path / "kept").iterdir()}


KERNELS = """
from pathlib import Path
from sys import argv
from cosmos_core_city import fracture, raster, shade, structure
from cosmos_core_city.preview import compile_all, preview
from cosmos_core_city.spec import CitySpec

def kernels():
    found = [(name, item) for module in (fracture, raster, shade, structure) for name, item in vars(module).items()]
    return {(name, str(item.signatures)) for name, item in found if getattr(item, "signatures", ())}

compile_all()
warm = kernels()
for damage in (0.0, 0.5):
    preview(CitySpec(seed=2, width=320, height=176, frames=3, damage=damage, offset="before"), Path(argv[1]), 0.5)
assert len(warm) > 10 and warm == kernels(), kernels() - warm
"""


def test_a_warm_renderer_compiles_nothing(tmp_path):
    """What warming up loads is all that a picture needs, of a street at rest and of one where things fall."""
    subprocess.run([sys.executable, "-c", KERNELS, str(tmp_path)], check=True)


def test_preview_writes_a_picture_of_each_pass(tmp_path):
    """Five pictures of the size that was asked for."""
    done = CliRunner().invoke(
        city, ["preview", "--seed", "2", "--width", "320", "--height", "176", "--frames", "2", "--out", str(tmp_path), "--json"],
        catch_exceptions=False,
    )  # fmt: skip
    files = json.loads(done.output)["files"]

    assert ["color.png", "depth.png", "segmentation.png", "edge.png", "normal.png"] == [
        name.rsplit("/", 1)[-1] for name in files
    ]
    assert {(176, 320, 3)} == {cv2.imread(name).shape for name in files}
    assert 5 == len(list(tmp_path.iterdir()))


def test_preview_takes_the_parameters_of_a_clip(tmp_path):
    """Light, season, camera and flags of the spec reach the picture."""
    done = CliRunner().invoke(
        city, ["preview", "--light", "night", "--season", "winter", "--snow", "0.5", "--camera", "tripod", "--boxes",
               "--width", "320", "--height", "176", "--frames", "2", "--out", str(tmp_path), "--json"],
        catch_exceptions=False,
    )  # fmt: skip
    spec = json.loads(done.output)["spec"]

    assert ("night", "winter", 0.5, "tripod", True) == tuple(
        spec[name] for name in ("light", "season", "snow", "camera", "boxes")
    )
    assert cv2.imread(str(tmp_path / "color.png")).mean() < 120


def test_preview_refuses_what_the_city_cannot_be(tmp_path):
    """A value out of range is a sentence, and nothing is written."""
    with pytest.raises(InputError, match=r"haze is 7\.0; allowed is 0\.0 to 1\.0"):
        CliRunner().invoke(
            city, ["preview", "--haze", "7", "--out", str(tmp_path / "x")], catch_exceptions=False
        )

    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("words", [[], ["warmup"], ["preview"]])
def test_every_command_answers_help(words):
    """`--help` works everywhere and exits well."""
    done = CliRunner().invoke(city, [*words, "--help"])

    assert 0 == done.exit_code
    assert "Usage:" in done.output


def test_a_simulation_becomes_a_file_that_says_what_it_is(tmp_path):
    """The command writes it, says how to film it, and the other one says what is inside."""
    path = tmp_path / "street.poses"
    words = ["--seed", "4", "--damage", "0.9", "--frames", "9"]
    done = CliRunner().invoke(city, ["simulate", *words, "--out", str(path)], catch_exceptions=False)
    told = json.loads(CliRunner().invoke(city, ["poses", str(path), "--json"], catch_exceptions=False).output)
    seen = CliRunner().invoke(city, ["poses", str(path)], catch_exceptions=False).output

    assert (
        f"-p seed=4 -p damage=0.9 -p frames=9 -p poses={path} -p poses_sha256={told['sha256']}" in done.output
    )
    assert (9, 24.0, f"cosmos-core-city {version('cosmos-core-city')}") == (
        told["frames"],
        told["fps"],
        told["made_by"],
    )
    assert 0 < told["let_go"] < told["bodies"]
    assert told["sha256"] in seen


def test_what_is_no_file_of_poses_is_said(tmp_path):
    """With the finding as the message."""
    path = tmp_path / "street.poses"
    path.write_text("no")

    with pytest.raises(InputError, match=r"street\.poses is no pose file"):
        CliRunner().invoke(city, ["poses", str(path)], catch_exceptions=False)
