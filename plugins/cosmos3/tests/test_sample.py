"""Transfer specs: NVIDIA's own are read without loss, and what its framework gets wrong is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cosmos_core_cosmos3 import framework, sample, sizes

from cosmos_core.errors import InputError, Level, RefusedError

CONFORMANCE = sorted(Path(__file__).with_name("conformance").glob("*.json"))


@pytest.mark.parametrize("path", CONFORMANCE, ids=lambda path: path.stem)
def test_a_published_spec_is_read_and_written_as_it_is(path):
    """
    Every field that NVIDIA's file says comes back, and no field that it does not say.
    """
    (found,) = sample.read(path)

    assert json.loads(path.read_text()) == sample.to_json(found)
    assert [] == [one for one in sample.review(found) if one.level is Level.FAIL]


@pytest.mark.parametrize("path", CONFORMANCE, ids=lambda path: path.stem)
def test_a_published_spec_becomes_a_request_and_an_equivalent_spec(path):
    """
    All that decides the pixels is the same; prompts are written out, and files have names of ours.
    """
    (found,) = sample.read(path)
    spec = framework.spec_of(found, prompt="a caption", negative="ugly", clip="c" * 64, frames=121)
    made = sample.to_json(framework.sample_of(spec, name=found.name))
    theirs = sample.to_json(found)
    renamed = {"prompt_path", "negative_prompt_file", *sample.HINTS}

    assert {key: value for key, value in theirs.items() if key not in renamed}.items() <= made.items()
    assert list(found.hints) == [key for key in sample.HINTS if key in made]
    assert ("a caption", "ugly") == (made["prompt"], made["negative_prompt"])
    (hint,) = found.hints
    assert 1.0 == made[hint]["weight"]
    assert theirs[hint].get("preset_edge_threshold") == made[hint].get("preset_edge_threshold")


HINT = {"control_path": "a.mp4"}
GOOD = {"name": "a", "prompt": "a street", "fps": 24, "num_video_frames_per_chunk": 121, "edge": HINT}


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({**GOOD, "vis": HINT}, "no field 'vis'"),
        ({**GOOD, "edge": {**HINT, "control_weight": 1}}, "no field 'edge.control_weight'"),
        ({**GOOD, "depth": {**HINT, "preset_edge_threshold": "low"}}, "depth.preset_edge_threshold"),
        ({**GOOD, "edge": {**HINT, "preset_edge_threshold": "Low"}}, "no preset_edge_threshold 'Low'"),
        ({"prompt": "x", "name": "a"}, "at least one hint"),
        ({**GOOD, "edge": {**HINT, "weight": 0}}, "stop after the model was loaded"),
        ({**GOOD, "edge": {**HINT, "weight": -1}}, "0 or more"),
        ({**GOOD, "edge": {}}, "needs a control_path"),
        ({**GOOD, "depth": {}, "vision_path": "a.mp4"}, "cannot be derived"),
        ({**GOOD, "num_video_frames_per_chunk": 120}, "become 121 without a word"),
        ({**GOOD, "num_conditional_frames": 121}, "not less than a chunk"),
        ({**GOOD, "num_conditional_frames": 3}, "four frames are one"),
        ({**GOOD, "num_first_chunk_conditional_frames": 1}, "needs a vision_path"),
        ({**GOOD, "resolution": "768"}, "never trained"),
        ({**GOOD, "resolution": "1080"}, "no resolution"),
        ({**GOOD, "aspect_ratio": "16:9"}, "no aspect_ratio"),
        ({**GOOD, "guidance": 8}, "outside 0 to 7"),
        ({**GOOD, "control_guidance": 11}, "outside 0 to 10"),
        ({**GOOD, "fps": 23.976}, "not a int"),
        ({**GOOD, "prompt_path": "a.json"}, "never open the file"),
        ({**GOOD, "prompt": '{"video": {"fps": 30}}'}, "would be told both"),
        ({**GOOD, "show_input": True}, "into the delivered video"),
        ({**GOOD, "model_mode": "text2video"}, "is video2video"),
        ({**GOOD, "prompt": None}, "an empty one"),
    ],
)
def test_what_the_framework_refuses_or_gets_wrong_is_refused_with_what_would_have_happened(found, said):
    """
    Typos inside a hint, rounding in silence, tiers that were never trained, stops after a load of minutes.
    """
    sentences = [f"{one.message} {one.hint}" for one in _failures(found)]

    assert any(said in sentence for sentence in sentences), sentences


def _failures(found):
    try:
        read = sample.from_json(found)
    except RefusedError as error:
        return error.findings
    return [one for one in sample.review(read) if one.level is Level.FAIL]


def test_several_hints_with_any_weights_are_taken():
    """
    Weights are divided by their sum, so 3 and 1 are as good as 0.75 and 0.25.
    """
    found = {**GOOD, "edge": {**HINT, "weight": 3}, "depth": {**HINT, "weight": 1}, "blur": HINT}

    assert [] == list(_failures(found))
    assert ["edge", "blur", "depth"] == list(sample.from_json(found).hints)


def test_a_rate_outside_the_training_is_a_warning():
    """
    The framework says the same, and goes on.
    """
    (found,) = sample.review(sample.from_json({**GOOD, "fps": 60}))

    assert Level.WARN == found.level


@pytest.mark.parametrize(
    ("name", "content", "error", "said"),
    [
        (
            "a.json",
            "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
            InputError,
            "pointer",
        ),
        ("a.yaml", "name: a\n", InputError, "neither"),
        ("a.json", "[]", RefusedError, "1 problem"),
        ("a.jsonl", json.dumps(GOOD) + "\n" + json.dumps(GOOD), RefusedError, "1 problem"),
    ],
)
def test_a_file_that_is_no_spec_is_named(tmp_path, name, content, error, said):
    """
    A pointer, a list, two samples of one name.
    """
    (tmp_path / name).write_text(content)

    with pytest.raises(error, match=said):
        sample.read(tmp_path / name)


def test_a_spec_without_a_name_has_that_of_its_file(tmp_path):
    """
    As the framework names it.
    """
    nameless = {key: value for key, value in GOOD.items() if key != "name"}
    (tmp_path / "street.jsonl").write_text(json.dumps(nameless) + "\n" + json.dumps(nameless))

    assert ["street_0", "street_1"] == [each.name for each in sample.read(tmp_path / "street.jsonl")]


@pytest.mark.parametrize(("frames", "up"), [(1, 1), (24, 25), (93, 93), (120, 121), (121, 121), (189, 189)])
def test_frames_are_rounded_up_to_four_k_and_one(frames, up):
    """
    Four frames are one to the model, and the first stands alone.
    """
    assert up == sizes.rounded(frames)


@pytest.mark.parametrize(("frames", "count"), [(24, 1), (121, 1), (122, 2), (241, 2), (242, 3)])
def test_chunks_are_those_of_the_frameworks_loop(frames, count):
    """
    The first makes 121 frames, each later one 120 more.
    """
    assert count == sizes.chunks(frames, chunk=121, conditional=1)


def test_the_nearest_ratio_is_the_frameworks():
    """
    1280x704 is nearest to 16:9, and 1280x720 is what comes of it at 720.
    """
    assert "16,9" == sizes.nearest_ratio(1280, 704)
    assert (1280, 720) == sizes.SIZES["720"]["16,9"]
