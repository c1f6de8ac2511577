"""``cosmos upscale`` with real processes: from a clip to a sealed child that knows where it came from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from fractions import Fraction

import attrs
import pytest
from cosmos_core_transfer.testing import install
from cosmos_core_upscale import commands, source

from cosmos_core import Cosmos, controls, media
from cosmos_core.audit import examine_folder
from cosmos_core.checks import cosmos_checks
from cosmos_core.cli import main
from cosmos_core.errors import RefusedError
from cosmos_core.record import read_record
from cosmos_core.run import State
from cosmos_core.testing import media as make


@pytest.fixture
def here(cosmos):
    """The test's workspace, which the current folder is; commands open a store of their own."""
    cosmos.close()
    return cosmos.workspace


@pytest.fixture
def ask(here, monkeypatch, capsys):
    """``ask("upscale", …)``: what the command answers as JSON, and its exit code."""

    def _ask(*words):
        monkeypatch.setattr(sys, "argv", ["cosmos", *words, "--json"])
        code = 0
        try:
            code = main() or 0
        except SystemExit as end:
            code = end.code or 0
        said = capsys.readouterr().out
        return json.loads(said), code

    return _ask


@pytest.fixture
def preview(here):
    """A sealed preview of a small clip."""
    make.make_clip(here.clips / "street", frames=8, width=640, height=352)
    with Cosmos(here.root) as cosmos:
        return cosmos.run("a street in fog", clip=str(here.clips / "street"), name="fog", campaign="streets")


@pytest.fixture
def video(tmp_path):
    """Somebody's video, which no run made."""
    return make.make_video(tmp_path / "holiday.mp4", frames=8, width=128, height=96)


def test_from_a_clip_to_a_sealed_enlargement_with_its_lineage(here, ask, preview):
    """
    A clip, its preview, both verified; its enlargement is a run of its own, sealed, verified again, and led back to.
    """
    answer, code = ask("upscale", preview.id, "--factor", "2", "--deliver", "pad", "--size", "1280x720")
    (run,) = answer["runs"]
    with Cosmos(here.root) as cosmos:
        child = cosmos.store.run(run["id"])
        others = [one.id for one in cosmos.each_run()]
    record = read_record(child.artifact.path.parent)
    clip = json.loads((here.clips / f"upscale-{preview.artifact.digest[:12]}" / "clip.json").read_text())
    checked = examine_folder(child.artifact.path.parent, tuple(cosmos_checks()))

    assert (0, State.SEALED) == (code, child.state)
    assert (preview.id, "streets", "resample") == (child.parent, child.campaign, child.spec.backend)
    assert preview.spec.prompt == child.spec.prompt
    assert (8, 1280, 704) == (child.artifact.frames, child.artifact.width, child.artifact.height)
    assert sorted([preview.id, child.id]) == sorted(others)
    assert (preview.id, "resample") == (record.parent, record.spec.backend)
    assert "Not made by a model" in record.metadata["description"]
    assert preview.artifact.digest == clip["files"][0]["sha256"] == clip["source"]["digest"]
    assert preview.id == clip["source"]["run"]
    assert ("verified", "") == (record.verdict.ruling, record.verdict.reason)
    assert [] == [one.verdict.reason for one in checked.outputs if one.verdict.ruling == "rejected"]
    (delivered,) = answer["delivered"]
    assert ("1280x720", "pad") == (delivered["size"], delivered["how"])
    assert 8 == media.survey(child.artifact.path.parent / delivered["file"]).decoded


def test_the_same_request_is_the_same_run(here, ask, preview):
    """
    It is neither made nor listed twice; another factor, or one that ended badly, is another run.
    """
    (first,) = ask("upscale", preview.id)[0]["runs"]
    (again,) = ask("upscale", preview.id)[0]["runs"]
    (other,) = ask("upscale", preview.id, "--factor", "2", "--queue")[0]["runs"]
    with Cosmos(here.root) as cosmos:
        cosmos.cancel(other["id"])
    (anew,) = ask("upscale", preview.id, "--factor", "2", "--queue")[0]["runs"]

    assert first["id"] == again["id"]
    assert 3 == len({first["id"], other["id"], anew["id"]})
    assert "queued" == anew["state"]


def test_any_video_can_be_enlarged(here, ask, video):
    """
    It becomes a clip by its digest, and its file stays where and as it is.
    """
    before = media.file_digest(video)
    answer, code = ask("upscale", str(video), "--factor", "1.5", "--sharpen", "0.5")
    (run,) = answer["runs"]

    assert (0, "holiday", "") == (code, run["name"], run["parent"])
    assert (192, 144) == (run["artifact"]["width"], run["artifact"]["height"])
    assert before == media.file_digest(video)


def test_a_runs_own_file_is_that_run(here, ask, preview, tmp_path):
    """
    A copy of the artifact under another name is told by its bytes.
    """
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(preview.artifact.path.read_bytes())
    answer, _ = ask("upscale", str(copy), "--queue")

    assert preview.id == answer["runs"][0]["parent"]


def test_an_enlargement_is_not_enlarged(here, ask, video, tmp_path):
    """
    By its run, and by the file alone, also where its run is unknown: the file says so itself.
    """
    answer, _ = ask("upscale", str(video))
    (run,) = answer["runs"]
    twice, code = ask("upscale", run["id"])
    elsewhere = tmp_path / "elsewhere.mp4"
    said = {"description": media.probe(run["artifact"]["path"]).metadata["description"]}
    controls.write_video(elsewhere, media.read_frames(video), 24, metadata=said)
    stranger, code_too = ask("upscale", str(elsewhere))

    assert (4, 4) == (code, code_too)
    for refused in (twice, stranger):
        (finding,) = refused["error"]["findings"]
        assert "enlarged already, by resample" in finding["message"]


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (["--factor", "1", "--sharpen", "9"], ["factor", "sharpen"]),
        (["--weight", "0.5"], ["weight"]),
        (["--deliver", "pad", "--size", "33x99"], ["deliver", "deliver"]),
        (["--deliver", "pad", "--queue"], ["deliver"]),
        (
            ["--backend", "transfer1-upscale", "--weight", "1.5", "--factor", "2", "--sharpen", "1"],
            ["weight", "factor", "sharpen", "prompt"],
        ),
    ],
)
def test_what_cannot_be_is_refused_at_once_and_nothing_is_queued(here, ask, video, words, where):
    """
    All of it together, each with a hint; no clip was made of the video.
    """
    answer, code = ask("upscale", str(video), *words)
    failed = [each for each in answer["error"]["findings"] if each["level"] == "fail"]
    with Cosmos(here.root) as cosmos:
        assert [] == list(cosmos.each_run())

    assert 4 == code
    assert where == [each["where"] for each in failed]
    assert all(each["hint"] for each in failed)
    assert [] == list(here.clips.iterdir())


@pytest.mark.parametrize(
    ("maker", "said"),
    [
        (make.make_pointer, "Git LFS pointer"),
        (make.make_html, "HTML page"),
        (make.make_empty, "empty file"),
        (lambda path: make.make_tail_cut(path, width=128, height=96), "cannot be opened"),
        (lambda path: make.make_video(path, width=32, height=32), "too small"),
        (
            lambda path: controls.write_video(path, [make.np.zeros((65, 97, 3), "uint8")] * 3, 24, "exact"),
            "even sizes",
        ),
    ],
    ids=["pointer", "page", "empty", "cut", "tiny", "odd"],
)
def test_what_is_no_video_to_enlarge_is_refused(here, ask, tmp_path, maker, said):
    """
    Each for its own reason.
    """
    answer, code = ask("upscale", str(maker(tmp_path / "in.mp4")))

    assert code
    assert said in json.dumps(answer)


def test_a_video_cut_in_half_is_refused_when_it_was_decoded(here, ask, tmp_path):
    """
    Its header promises every frame; nothing of it stays behind.
    """
    answer, code = ask("upscale", str(make.make_cut(tmp_path / "in.mp4", width=128, height=96)))

    assert code
    assert "frames that its header promises" in json.dumps(answer)
    assert [] == list(here.clips.iterdir())


@pytest.mark.parametrize(("ref", "said"), [("gone.mp4", "no file"), ("rzzzzzz", "no run")])
def test_what_is_not_there_is_unknown(here, ask, ref, said):
    """
    A name that looks like a file is one.
    """
    answer, code = ask("upscale", ref)

    assert 3 == code
    assert said in answer["error"]["message"]


def test_a_run_that_is_not_sealed_is_refused(here, ask, preview):
    """
    An output is a claim; only an artifact is enlarged.
    """
    with Cosmos(here.root) as cosmos:
        waiting = cosmos.submit("rain", clip=str(here.clips / "street"))
    answer, code = ask("upscale", waiting.id)

    assert 4 == code
    assert f"run {waiting.id} is queued" in answer["error"]["message"]


def test_sound_and_depth_that_are_lost_are_said(tmp_path, here):
    """
    A person hears of it before anything is made.
    """
    import av
    import numpy as np

    path = tmp_path / "loud.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=24)
        picture.width, picture.height, picture.pix_fmt = 128, 96, "yuv420p"
        sound = container.add_stream("aac", rate=48000)
        for _ in range(4):
            frame = av.VideoFrame.from_ndarray(np.zeros((96, 128, 3), np.uint8), format="rgb24")
            container.mux(picture.encode(frame))
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        tone.sample_rate = 48000
        container.mux(sound.encode(tone))
        for stream in (picture, sound):
            container.mux(stream.encode(None))
    with Cosmos(here.root) as cosmos:
        found = source.find(cosmos, str(path))
        deep = attrs.evolve(found, facts=attrs.evolve(found.facts, pix_fmt="yuv420p10le"))
        heard = commands.refuse(cosmos, deep, commands.Wanted(backend="resample"))

    assert {"sound", "colour"} == {finding.where for finding in heard}


@pytest.mark.parametrize(
    ("spans", "says"), [([40, 40, 40, 40], False), ([41, 42, 42, 41], False), ([17, 17, 83, 17], True)]
)
def test_a_rate_that_is_not_constant_is_said(tmp_path, here, spans, says):
    """
    In the enlargement all frames last equally long; how times are rounded in a file is no matter.
    """
    import av
    import numpy as np

    path = tmp_path / "phone.mkv"
    moments = [sum(spans[:index]) for index in range(len(spans) + 1)]
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=24)
        picture.width, picture.height, picture.pix_fmt = 128, 96, "yuv420p"
        picture.codec_context.time_base = Fraction(1, 1000)
        for moment in moments:
            frame = av.VideoFrame.from_ndarray(np.full((96, 128, 3), moment % 200, np.uint8), format="rgb24")
            frame.pts, frame.time_base = moment, Fraction(1, 1000)
            container.mux(picture.encode(frame))
        container.mux(picture.encode(None))
    with Cosmos(here.root) as cosmos:
        heard = commands.refuse(cosmos, source.find(cosmos, str(path)), commands.Wanted(backend="resample"))
    found = [finding for finding in heard if finding.where == "fps"]

    assert says == bool(found)
    assert not found or "its frames last 17 ms to 83 ms" in found[0].message


HOST = """
[hosts.gpu1]
transport = "local"
gpus = 1
gpu = "{gpu}"

[plugins.transfer1-upscale]
repo = "{repo}"
python = "{repo}/bin/python"
"""


@pytest.fixture
def fleet(here, tmp_path):
    """``fleet("h200")``: a host with a GPU of that kind, and NVIDIA's program's stand-in."""

    def _fleet(gpu):
        repo = install(tmp_path / "checkout")
        with here.settings.open("a", encoding="utf-8") as settings:
            settings.write(HOST.format(gpu=gpu, repo=repo.as_posix()))

    return _fleet


def test_where_there_is_a_gpu_for_it_the_model_is_asked(here, ask, preview, fleet):
    """
    Transfer 1's upscaler makes three times its bucket, with the weight that was asked for; the parent is recorded.
    """
    fleet("h200")
    answer, code = ask("upscale", preview.id, "--weight", "0.4", "--seed", "3")
    (run,) = answer["runs"]

    assert 0 == code, answer
    assert ("transfer1-upscale", preview.id) == (run["spec"]["backend"], run["parent"])
    assert (0.4, 3) == (run["spec"]["options"]["control_weight"], run["spec"]["seed"])
    assert (3840, 2112) == (run["artifact"]["width"], run["artifact"]["height"])


@pytest.mark.parametrize(("gpu", "by"), [("h200", "transfer1-upscale"), ("l40s", "resample")])
def test_a_gpu_that_is_too_small_is_none_for_it(here, ask, preview, fleet, gpu, by):
    """
    Then the filter does it, unless the model is named.
    """
    fleet(gpu)
    answer, _ = ask("upscale", preview.id, "--queue")

    assert by == answer["runs"][0]["spec"]["backend"]


def test_its_help_has_examples():
    """
    What is typed first stands there.
    """
    words = [sys.executable, "-m", "cosmos_core.cli", "upscale", "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)

    assert "cosmos upscale holiday.mp4 --factor 2" in done.stdout
    assert "--deliver" in done.stdout


def test_a_refusal_leaves_no_half_made_clip(here, tmp_path, monkeypatch):
    """
    A disk that fills up while a video is taken leaves nothing that looks like a clip.
    """
    video = make.make_video(tmp_path / "in.mp4", width=128, height=96)

    def full(*_):
        raise OSError(28, os.strerror(28))

    with Cosmos(here.root) as cosmos:
        found = source.find(cosmos, str(video))
        monkeypatch.setattr(media, "copy_checked", full)
        with pytest.raises(OSError, match="space"):
            source.take(cosmos, found)

    assert [] == list(here.clips.iterdir())


def test_everything_against_a_request_is_raised_together(here, tmp_path):
    """
    What the file, the words and the backend have against it.
    """
    tiny = make.make_video(tmp_path / "in.mp4", width=32, height=32)
    with Cosmos(here.root) as cosmos, pytest.raises(RefusedError) as caught:
        commands.refuse(
            cosmos, source.find(cosmos, str(tiny)), commands.Wanted(backend="resample", factor=99, weight=1)
        )

    assert ["weight", "factor", "size"] == [finding.where for finding in caught.value.findings]
