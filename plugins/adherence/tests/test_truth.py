"""Depth and regions, with models that see exactly, wrongly, or not at all."""

from __future__ import annotations

import sys
from types import ModuleType

import attrs
import cosmos_core_adherence
import cv2
import numpy as np
import pytest
from cosmos_core_adherence import models, truth

from cosmos_core import media
from cosmos_core.examine import examine
from cosmos_core.extend import Level

CHECKS = {check.name: check for check in cosmos_core_adherence.cosmos_checks()}
DEPTH, REGIONS = CHECKS["control.depth-sirmse"], CHECKS["control.seg-miou"]


@pytest.fixture
def install(monkeypatch):
    """``install(see)``: a function that can be named as a model."""

    def _install(see):
        module = ModuleType("my_models")
        module.see = see
        monkeypatch.setitem(sys.modules, "my_models", module)
        models.load.cache_clear()
        return "my_models:see"

    yield _install
    models.load.cache_clear()


class Recall:
    """A model that knows a clip by heart: for a frame of its colour it gives the same moment of a pass."""

    def __init__(self, clip, kind, *, late=0):
        self._moments = [frame.mean() for frame in media.read_frames(clip.path("color"))]
        self._answers = list(media.read_frames(clip.path(kind)))
        self._late = late

    def __call__(self, frame):
        moment = int(np.argmin(np.abs(np.array(self._moments) - frame.mean())))
        answer = self._answers[(moment + self._late) % len(self._answers)].astype(np.int64)
        return answer[..., 0] * 65536 + answer[..., 1] * 256 + answer[..., 2]


@pytest.mark.parametrize(
    ("check", "options", "kind"), [(DEPTH, truth.DEPTH, "depth"), (REGIONS, truth.REGIONS, "seg")]
)
def test_a_model_that_sees_the_truth_finds_it(install, made, frames, spec, clip, check, options, kind):
    """
    Smaller or larger answers are brought to the size of the rendered pass.
    """
    recall = Recall(clip, kind)
    name = install(lambda frame: recall(frame)[::2, ::2].astype(np.float32 if kind == "depth" else np.int64))
    (finding,) = check.look(made(frames), spec, options=attrs.evolve(options, model=name))

    assert Level.OK is finding.level, finding.message
    assert "is close)" in finding.message


@pytest.mark.parametrize(
    ("check", "options"), [(DEPTH, truth.DEPTH), (REGIONS, truth.REGIONS)], ids=["depth", "regions"]
)
def test_what_is_not_the_truth_is_pointed_at(install, made, frames, spec, check, options):
    """
    Depth that rises to the sky, and one region for everything, are for a person to look at.
    """
    rising = np.linspace(255, 0, 352)[:, None].repeat(640, 1).astype(np.float32)
    name = install(lambda _: rising if check is DEPTH else np.zeros((352, 640), np.int64))
    (finding,) = check.look(made(frames), spec, options=attrs.evolve(options, model=name))

    assert Level.WARN is finding.level, finding.message
    assert finding.hint


@pytest.mark.parametrize("check", [DEPTH, REGIONS], ids=["depth", "regions"])
def test_without_a_model_it_says_that_it_did_not_compare(made, frames, spec, check):
    """
    That is no doubt about the video, and no praise either.
    """
    (finding,) = check.look(made(frames), spec)

    assert Level.OK is finding.level
    assert "no model is set" in finding.message


@pytest.mark.parametrize("check", [DEPTH, REGIONS], ids=["depth", "regions"])
def test_what_steers_weakly_is_not_asked(made, frames, spec, check):
    """
    Neither is what the clip has no pass of.
    """
    assert [] == list(check.look(made(frames), attrs.evolve(spec, controls=())))
    assert [] == list(check.look(made(frames, clip=None), spec))


@pytest.mark.parametrize("model", ["no.such:model", "json:nothing", "json", "gone.onnx", "sys:path"])
def test_a_model_that_is_not_there_leaves_the_question_unanswered(made, frames, spec, model):
    """
    The verdict says which check did not answer and why; nothing counts as compared.
    """
    asked = attrs.evolve(
        DEPTH,
        look=lambda output, spec: DEPTH.look(output, spec, options=attrs.evolve(truth.DEPTH, model=model)),
    )
    verdict = examine(made(frames), spec, [asked])

    assert ("control.depth-sirmse",) == verdict.unanswered
    assert "InputError" in verdict.findings[0].message


def test_a_model_that_gives_nonsense_leaves_it_unanswered(install, made, frames, spec):
    """
    A list of four boxes is no picture.
    """
    options = attrs.evolve(truth.DEPTH, model=install(lambda _: np.zeros(4)))
    with pytest.raises(ValueError, match=r"shape \(4,\), not"):
        list(DEPTH.look(made(frames), spec, options=options))


def test_scores_are_decided_for_the_highest(install, made, frames, spec, clip):
    """
    A model for regions may give a score for each class instead of labels.
    """
    recall = Recall(clip, "seg")

    def scores(frame):
        _, labels = np.unique(recall(frame), return_inverse=True)
        return np.eye(labels.max() + 1, dtype=np.float32)[labels.reshape(352, 640)].transpose(2, 0, 1)

    options = attrs.evolve(truth.REGIONS, model=install(scores))
    (finding,) = REGIONS.look(made(frames), spec, options=options)

    assert Level.OK is finding.level


def test_an_onnx_file_sees(tmp_path, made, frames, spec):
    """
    A tiny network whose answer is the frame's red channel runs, and is brought to the size of the pass.
    """
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    path = tmp_path / "red.onnx"
    kinds = onnx.TensorProto
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("ReduceMax", ["pixels"], ["depth"], axes=[1], keepdims=1)],
        "red",
        [onnx.helper.make_tensor_value_info("pixels", kinds.FLOAT, [1, 3, 70, 98])],
        [onnx.helper.make_tensor_value_info("depth", kinds.FLOAT, [1, 1, 70, 98])],
    )
    onnx.save(
        onnx.helper.make_model(graph, ir_version=8, opset_imports=[onnx.helper.make_opsetid("", 13)]), path
    )
    frame = cv2.resize(frames[0], (98, 70), interpolation=cv2.INTER_AREA)
    expected = ((frame / 255 - models.MEAN) / models.SPREAD).max(axis=2)

    assert models.load(str(path))(frames[0]) == pytest.approx(expected, abs=1e-4)
    assert 1 == len(list(DEPTH.look(made(frames), spec, options=attrs.evolve(truth.DEPTH, model=str(path)))))
