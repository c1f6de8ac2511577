"""The resampling program, as a process and by its functions."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import av
import numpy as np
import pytest
from cosmos_core_upscale import program

from cosmos_core import controls, media
from cosmos_core.testing import media as make


@pytest.fixture
def request_file(tmp_path):
    """``request_file(source, …)``: a request for twice the size, beside its input."""

    def _write(source, /, **changes):
        folder = tmp_path / "requests"
        folder.mkdir(exist_ok=True)
        facts = media.probe(source)
        content = {
            "name": "r1",
            "source": os.path.relpath(source, folder),
            "frames": facts.frames,
            "fps": str(facts.fps),
            "width": facts.width * 2,
            "height": facts.height * 2,
            "sharpen": 0.0,
            "spec_digest": "0" * 64,
        }
        path = folder / f"{changes.get('name', 'r1')}.json"
        path.write_text(json.dumps(content | changes))
        return path

    return _write


def run(*words):
    return subprocess.run(
        [sys.executable, "-m", "cosmos_core_upscale.program", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def test_it_enlarges_and_says_what_it_is(tmp_path, request_file):
    """
    Every frame, twice the size, at the same rate; the file says that no model made it, and which request did.
    """
    source = make.make_video(tmp_path / "in.mp4", frames=12, width=128, height=96, fps=25)
    done = run(request_file(source), "--out", tmp_path / "out")
    found = media.survey(tmp_path / "out" / "r1.mp4")
    effective = json.loads((tmp_path / "out" / "r1.json").read_text())

    assert (0, "") == (done.returncode, done.stderr)
    assert "r1: frame 12/12" in done.stdout
    assert (12, 256, 192, 25) == (found.decoded, found.facts.width, found.facts.height, found.facts.fps)
    assert "Not made by a model" in found.facts.metadata["description"]
    assert "0" * 64 in found.facts.metadata["comment"]
    assert ("lanczos", "128x96", "256x192") == (
        effective["filter"],
        effective["source_size"],
        effective["size"],
    )


def test_the_picture_stays_where_and_what_it_is(tmp_path, request_file):
    """
    Brought back to the input's size, each frame is the input's to within what the encoder loses.
    """
    source = make.make_video(tmp_path / "in.mp4", frames=4, width=128, height=96)
    assert 0 == run(request_file(source), "--out", tmp_path / "out").returncode
    back = media.read_frames(tmp_path / "out" / "r1.mp4", width=128, height=96)
    for mine, theirs in zip(back, media.read_frames(source), strict=True):
        assert np.abs(mine.astype(int) - theirs).mean() < 4


@pytest.mark.parametrize("matrix", ["bt709", "smpte170m"])
def test_colours_of_other_peoples_videos_stay(tmp_path, request_file, matrix):
    """
    A camera's video is coded by BT.709, ours by BT.601; red stays the red it was.
    """
    path = tmp_path / "camera.mp4"
    spaces = {
        "bt709": av.video.reformatter.Colorspace.ITU709,
        "smpte170m": av.video.reformatter.Colorspace.SMPTE170M,
    }
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.colorspace = spaces[matrix]
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), (200, 40, 30), np.uint8), format="rgb24")
            frame = frame.reformat(format="yuv420p", dst_colorspace=spaces[matrix])
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert 0 == run(request_file(path), "--out", tmp_path / "out").returncode
    frame = next(media.read_frames(tmp_path / "out" / "r1.mp4"))

    assert np.abs(frame.reshape(-1, 3).mean(axis=0) - (200, 40, 30)).max() < 4


def test_sharpening_is_seen_at_edges_alone(tmp_path):
    """
    An edge gets steeper, a wall stays as it is.
    """
    frame = np.full((32, 32, 3), 60, np.uint8)
    frame[:, 16:] = 180
    soft, sharp = (program.resampled(frame, 96, 96, amount).astype(int) for amount in (0.0, 1.0))

    assert np.abs(np.diff(sharp[48, :, 0])).max() > np.abs(np.diff(soft[48, :, 0])).max()
    assert (soft[48, 5] == sharp[48, 5]).all()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"frames": 99}, "has 12 frames, not the 99 asked for"),
        ({"name": "../r1"}, "no plain file name"),
        ({"fps": "0/0"}, "is not a request"),
        ({"width": "wide"}, "is not a request"),
        ({"source": "gone.mp4"}, "gone.mp4"),
        ({"width": 255}, "needs even sizes"),
    ],
)
def test_a_bad_request_is_one_sentence(tmp_path, request_file, changes, said):
    """
    Exit code 1, the sentence also in error.txt, and no video under its final name.
    """
    source = make.make_video(tmp_path / "in.mp4", frames=12, width=128, height=96)
    path = request_file(source, **{key: value for key, value in changes.items() if key != "name"})
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    done = run(path, "--out", tmp_path / "out")

    assert 1 == done.returncode
    assert said in done.stderr
    assert said in (tmp_path / "out" / "error.txt").read_text()
    assert [] == list((tmp_path / "out").glob("*.mp4*"))


def test_what_was_done_before_a_bad_one_stays(tmp_path, request_file):
    """
    The second request names a page of HTML.
    """
    source = make.make_video(tmp_path / "in.mp4", width=128, height=96)
    good = request_file(source)
    bad = request_file(source, name="r2", source=str(make.make_html(tmp_path / "page.mp4")))
    done = run(good, bad, "--out", tmp_path / "out")

    assert 1 == done.returncode
    assert "HTML page" in done.stderr
    assert 12 == media.survey(tmp_path / "out" / "r1.mp4").decoded


def test_it_stops_when_told_and_leaves_nothing_half_done(tmp_path, request_file):
    """
    SIGTERM ends it with 143 while it encodes.
    """
    source = make.make_video(tmp_path / "in.mp4", frames=200, width=640, height=480, style="proxy")
    words = [sys.executable, "-m", "cosmos_core_upscale.program", str(request_file(source))]
    with subprocess.Popen(
        [*words, "--out", str(tmp_path / "out")], stdout=subprocess.PIPE, text=True
    ) as process:
        while not process.stdout.readline().startswith("r1: frame"):
            assert None is process.poll()
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)

    assert 143 == code
    assert ["r1.json"] == [path.name for path in (tmp_path / "out").iterdir()]


def test_memory_does_not_grow_with_length(tmp_path, request_file):
    """
    Four times the frames need no more memory than a few frames of the larger size beyond.
    """
    peaks = []
    for frames in (30, 120):
        source = make.make_video(tmp_path / f"in{frames}.mp4", frames=frames, width=320, height=192)
        path = request_file(source, name=f"r{frames}")
        code = (
            "import resource, sys; from cosmos_core_upscale import program; "
            f"code = program.main([{str(path)!r}, '--out', {str(tmp_path / 'out')!r}]); "
            "sys.stderr.write(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)); sys.exit(code)"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        peaks.append(int(done.stderr))

    assert peaks[1] - peaks[0] < 15_000, "kilobytes"


def test_it_tells_how_far_it_is(tmp_path, request_file, monkeypatch, capsys):
    """
    A line now and then, and always the last.
    """
    source = make.make_video(tmp_path / "in.mp4", frames=6, width=128, height=96)
    moments = iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: next(moments))
    (tmp_path / "out").mkdir()
    program.run([request_file(source)], tmp_path / "out")
    lines = capsys.readouterr().out.splitlines()

    assert [f"r1: frame {index}/6" for index in range(1, 7)] == lines[1:-1]
    assert "Saved video to r1.mp4" in lines[-1]
    assert controls.STYLES["colour"].codec == media.probe(tmp_path / "out" / "r1.mp4").codec.replace(
        "h264", "libx264"
    )
