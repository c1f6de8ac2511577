"""The program behind a preview job, run as a process on real videos."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import av
import cv2
import numpy as np
import pytest

from cosmos_core.builtin.preview.run import load
from cosmos_core.controls import VideoWriter
from cosmos_core.errors import InputError
from cosmos_core.media import read_frames, survey

WIDTH, HEIGHT, FRAMES = 64, 48, 8
DIGEST = "ab" * 32


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder ``inputs`` with the five passes of a small clip of a moving block over a ground."""
    folder = tmp_path_factory.mktemp("clip") / "inputs"
    folder.mkdir()
    made = [_passes(index) for index in range(FRAMES)]
    for name in ("color", "depth", "seg", "edge", "vis"):
        style = "colour" if name in {"color", "vis"} else "exact"
        with VideoWriter(folder / f"{name}.mp4", WIDTH, HEIGHT, 24, style=style) as video:
            for passes in made:
                video.write(passes[name])
    return folder


def _passes(index):
    rows = np.arange(HEIGHT)[:, None] + np.zeros((1, WIDTH))
    depth = np.clip((rows - 20) * 8, 0, 255).astype(np.uint8)
    color = np.full((HEIGHT, WIDTH, 3), (120, 110, 100), np.uint8)
    color[:20] = (150, 180, 220)
    seg = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    seg[20:] = (200, 60, 90)
    block = (slice(8, 34), slice(20 + index, 40 + index))
    color[block], depth[block], seg[block] = (160, 80, 60), 120, (40, 220, 90)
    return {
        "color": color,
        "depth": depth,
        "seg": seg,
        "edge": cv2.Canny(color, 100, 200),
        "vis": cv2.blur(color, (5, 5)),
    }


@pytest.fixture
def request_file(clip, tmp_path):
    """Writes a request file for the clip, with what a test wants different, and gives its path."""
    (tmp_path / "requests").mkdir()

    def write(file="one", *, inputs=("color", "depth", "seg", "edge", "vis"), **changes):
        given = {
            "name": file,
            "prompt": "a street at night in the rain",
            "negative": "snow",
            "seed": 3,
            "weights": {"edge": 0.4, "depth": 0.2, "seg": 0.1, "vis": 0.3},
            "frames": FRAMES,
            "fps": "24",
            "width": WIDTH,
            "height": HEIGHT,
            "spec_digest": DIGEST,
            "inputs": inputs
            if isinstance(inputs, dict)
            else {each: str(clip / f"{each}.mp4") for each in inputs},
        }
        path = tmp_path / "requests" / f"{file}.json"
        path.write_text(json.dumps(given | changes), encoding="utf-8")
        return path

    return write


def run(*requests, out):
    return subprocess.run(
        [sys.executable, "-m", "cosmos_core.builtin.preview.run", *map(str, requests), "--out", str(out)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_two_requests_in_one_process_give_three_files_each(request_file, tmp_path):
    """
    The effective arguments, the video of the asked size and the prompt; the log tells of every step.
    """
    done = run(request_file("one"), request_file("two", prompt="snow"), out=tmp_path / "out")

    assert (0, "") == (done.returncode, done.stderr)
    assert ["one.json", "one.mp4", "one.txt", "two.json", "two.mp4", "two.txt"] == names(tmp_path / "out")
    seen = survey(tmp_path / "out" / "two.mp4")
    assert (FRAMES, WIDTH, HEIGHT, 24) == (seen.decoded, seen.facts.width, seen.facts.height, seen.facts.fps)
    assert "snow" == (tmp_path / "out" / "two.txt").read_text(encoding="utf-8")
    assert "[1/2] Processing sample one\n" in done.stdout
    assert f"two: frame {FRAMES}/{FRAMES}\n" in done.stdout
    assert "Saved video to two.mp4" in done.stdout


def test_the_effective_arguments_say_what_was_understood(request_file, tmp_path):
    """
    The words of the prompt are listed, those of the negative prompt are not.
    """
    run(request_file(), out=tmp_path / "out")
    effective = json.loads((tmp_path / "out" / "one.json").read_text(encoding="utf-8"))

    assert ["night", "rain"] == effective["look"]["words"]
    assert DIGEST == effective["spec_digest"]
    assert 3 == effective["seed"]


def test_the_video_says_what_it_is(request_file, tmp_path):
    """
    Container tags name the program, deny the model and carry the spec's digest.
    """
    run(request_file(), out=tmp_path / "out")
    with av.open(str(tmp_path / "out" / "one.mp4")) as container:
        tags, stream = dict(container.metadata), container.streams.video[0]

        assert ("h264", "yuv420p") == (stream.codec_context.name, stream.codec_context.pix_fmt)
    assert "not a Cosmos model" in tags["title"]
    assert "CPU augmentation" in tags["comment"]
    assert DIGEST in tags["comment"]


def test_equal_requests_give_equal_bytes(request_file, tmp_path):
    """
    Two processes on one request write the same file; another seed writes another.
    """
    request = request_file(prompt="a cyberpunk city at night in the rain and fog")
    for out in ("a", "b"):
        run(request, out=tmp_path / out)
    run(request_file(prompt="a cyberpunk city at night in the rain and fog", seed=4), out=tmp_path / "c")
    made = [(tmp_path / out / "one.mp4").read_bytes() for out in ("a", "b", "c")]

    assert made[0] == made[1]
    assert made[0] != made[2]


def test_colour_alone_and_another_size_are_enough(request_file, tmp_path):
    """
    A request without controls, of half the length and another size, is made as asked.
    """
    done = run(
        request_file(inputs=("color",), weights={}, frames=4, width=96, height=64, fps="30000/1001"),
        out=tmp_path / "out",
    )
    frames = list(read_frames(tmp_path / "out" / "one.mp4"))

    assert 0 == done.returncode
    assert [(64, 96, 3)] * 4 == [frame.shape for frame in frames]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"frames": FRAMES + 1}, f"color (color.mp4) has {FRAMES} frames and {FRAMES + 1} were asked for"),
        ({"weights": {"edge": 1.5}}, "has a weight of 1.5 for edge; weights go from 0 to 1"),
        ({"weights": {"lidar": 0.5}}, "knows no control 'lidar'; there are edge, depth, seg, vis"),
        ({"inputs": {}}, "names no colour video"),
        ({"width": 63}, "both must be even"),
        ({"frames": 0}, "both must be above 0"),
        ({"fps": "0"}, "both must be above 0"),
        ({"fps": "fast"}, "is not a request"),
        ({"name": "../up"}, "no plain file name"),
    ],
)
def test_a_bad_request_ends_with_one_sentence_and_keeps_what_was_done(request_file, tmp_path, changes, says):
    """
    Exit code 1, one line, the sample before it whole, none of the bad one's video.
    """
    done = run(request_file("good", frames=2), request_file("bad", **changes), out=tmp_path / "out")

    assert 1 == done.returncode
    assert says in done.stderr
    assert 1 == len(done.stderr.splitlines())
    assert ["good.json", "good.mp4", "good.txt"] == [
        name for name in names(tmp_path / "out") if name != "bad.json"
    ]


def test_a_missing_field_is_named(request_file, tmp_path):
    """
    The error names the file and the field.
    """
    path = request_file()
    given = json.loads(path.read_text(encoding="utf-8"))
    del given["seed"]
    path.write_text(json.dumps(given), encoding="utf-8")

    with pytest.raises(InputError, match=r"one\.json has no field 'seed'"):
        load(path)


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n", b"<html></html>"])
def test_an_unreadable_input_is_named(request_file, tmp_path, content):
    """
    A file that is no video ends the run with its name; nothing half-made stays.
    """
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(content)
    done = run(request_file(inputs={"color": str(broken)}), out=tmp_path / "out")

    assert 1 == done.returncode
    assert "broken.mp4" in done.stderr
    assert ["one.json"] == names(tmp_path / "out")


def test_inputs_are_relative_to_the_request(request_file, clip, tmp_path):
    """
    A job's request names its inputs from its own folder.
    """
    path = request_file(inputs={"color": "../inputs/color.mp4"})

    assert path.parent / "../inputs/color.mp4" == load(path).inputs["color"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process without a signal")
def test_sigterm_leaves_no_half_written_file(request_file, tmp_path):
    """
    A stopped process ends with 143 and leaves neither a video nor its parts.
    """
    request = request_file(width=1920, height=1080)
    out = tmp_path / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "cosmos_core.builtin.preview.run", str(request), "--out", str(out)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        for line in process.stdout:
            if "frame 1/" in line:
                break
        process.send_signal(signal.SIGTERM)
        process.stdout.read()
        code = process.wait(timeout=60)

    assert 143 == code
    assert ["one.json"] == names(out)


def test_progress_lines_are_few(request_file, tmp_path):
    """
    At most one line a second, beside the first and the last.
    """
    started = time.monotonic()
    done = run(request_file(), out=tmp_path / "out")
    lines = [line for line in done.stdout.splitlines() if ": frame " in line]

    assert 1 <= len(lines) <= 2 + (time.monotonic() - started)
    assert f"one: frame {FRAMES}/{FRAMES}" == lines[-1]
