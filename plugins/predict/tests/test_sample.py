"""Parameter files: NVIDIA's own are read without loss, and what its program gets wrong is refused."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from cosmos_core_predict import backend, sample

from cosmos_core.errors import InputError, Level, RefusedError

CONFORMANCE = sorted(Path(__file__).with_name("conformance").glob("*.json"))


@pytest.mark.parametrize("path", CONFORMANCE, ids=lambda path: path.stem)
def test_a_published_file_is_read_and_written_as_it_is(path):
    """
    Every field that NVIDIA's file says comes back, and no field that it does not say.
    """
    (found,) = sample.read(path)

    assert json.loads(path.read_text()) == sample.to_json(found)
    assert [] == [finding for finding in sample.review(found) if finding.level is Level.FAIL]


@pytest.mark.parametrize("path", CONFORMANCE, ids=lambda path: path.stem)
def test_a_published_file_becomes_a_request_and_an_equivalent_file(path):
    """
    As a request of ours it asks for the same: prompt and input are the same ones under names of ours, and every
    default is said.
    """
    (found,) = sample.read(path)
    spec = backend.spec_of(found, prompt="the prompt of the file", clip="c" * 64 if found.input_path else "")
    made = backend.sample_of(spec, name=found.name)

    assert found.inference_type == made.inference_type
    assert (found.input_path is None) == (made.input_path is None)
    assert "the prompt of the file" == made.prompt
    assert ("none", 35, False, 77, 1, 0, 7) == (
        made.resolution,
        made.num_steps,
        made.enable_autoregressive,
        made.chunk_size,
        made.chunk_overlap,
        made.seed,
        made.guidance,
    )
    assert found.length.model_frames == made.length.model_frames == 93


def test_the_long_published_shape_keeps_its_chunks():
    """
    200 frames in chunks of 77 stay 200 frames in chunks of 77, three passes.
    """
    found = sample.from_json(
        {
            "inference_type": "image2world",
            "name": "bus_terminal_long",
            "input_path": "bus_terminal.jpg",
            "prompt_path": "bus_terminal.txt",
            "enable_autoregressive": True,
            "num_output_frames": 200,
            "chunk_size": 77,
            "chunk_overlap": 1,
        }
    )
    spec = backend.spec_of(found, prompt="a bus", clip="c" * 64)
    made = backend.sample_of(spec)

    assert (True, 200, 77, 1) == (
        made.enable_autoregressive,
        made.num_output_frames,
        made.chunk_size,
        made.chunk_overlap,
    )
    assert (200, 3) == (backend.expect(spec).frames, made.length.passes)


GOOD = {"name": "a", "inference_type": "text2world", "prompt": "a street"}
IMAGE = {**GOOD, "inference_type": "image2world"}
LONG = {**GOOD, "enable_autoregressive": True, "num_output_frames": 480, "chunk_size": 93}


@pytest.mark.parametrize(
    ("row", "found", "said"),
    [
        ("1", {**GOOD, "fps": 24}, "no field 'fps'"),
        ("3", {"inference_type": "text2world", "prompt": "x"}, "name is required"),
        ("3", {"name": "a", "inference_type": "text2world"}, "prompt_path"),
        ("6", {**GOOD, "guidance": 3.5}, "whole number"),
        ("6", {**GOOD, "guidance": 8}, "outside 0 to 7"),
        ("9b", {**GOOD, "prompt_path": "b.txt"}, "never open the file"),
        ("17", {**GOOD, "resolution": "720"}, "stop the program after the model was loaded"),
        ("17", {**GOOD, "resolution": "700,1280"}, "multiples of 16"),
        ("18", {**LONG, "chunk_size": 500}, "sees 93 frames a pass"),
        ("18", {**LONG, "chunk_overlap": 600}, "never get on"),
        ("18", {**LONG, "chunk_overlap": 93}, "never get on"),
        ("18", {**LONG, "chunk_overlap": 0}, "never get on"),
        ("18", {**LONG, "chunk_overlap": 3}, "drop the rest"),
        ("19", {**GOOD, "num_output_frames": 480}, "make 93 frames at 16 a second, 5.81 s"),
        ("20", IMAGE, "needs an input_path"),
        ("20", {**IMAGE, "input_path": "a.PNG"}, "in small letters"),
        ("20", {**IMAGE, "input_path": "a.gif"}, "does not end in"),
        ("", {**GOOD, "input_path": "a.png"}, "ignores input_path"),
        ("", {**GOOD, "inference_type": "video2world", "input_path": "a.png"}, "four black frames"),
        ("", {**GOOD, "inference_type": "text2video"}, "no inference_type"),
        ("", {**LONG, "num_output_frames": 1}, ".jpg"),
        ("", {**GOOD, "num_steps": 0}, "not a positive number"),
        ("", {**GOOD, "seed": True}, "not a int"),
        ("", {**GOOD, "name": "a/b"}, "cannot name"),
    ],
)
def test_what_the_program_refuses_or_gets_wrong_is_refused_with_what_would_have_happened(row, found, said):
    """
    The rows of the verdict table, and what reading the code adds to it.
    """
    sentences = [f"{one.message} {one.hint}" for one in _failures(found)]

    assert any(said in sentence for sentence in sentences), (row, sentences)


def _failures(found):
    try:
        read = sample.from_json(found)
    except RefusedError as error:
        return error.findings
    return [one for one in sample.review(read) if one.level is Level.FAIL]


@pytest.mark.parametrize(
    "found",
    [
        GOOD,
        LONG,
        {**LONG, "chunk_overlap": 5},
        {**GOOD, "guidance": 3.0},
        {**GOOD, "resolution": "704,1280"},
        {**IMAGE, "input_path": "a.webp"},
    ],
)
def test_what_the_program_takes_and_does_right_is_taken(found):
    """
    The rules refuse no more than they must.
    """
    assert [] == list(_failures(found))


def test_a_short_length_without_autoregression_is_a_warning_that_names_the_trim():
    """
    80 frames are had by cutting 93, which is said.
    """
    (found,) = sample.review(sample.from_json({**GOOD, "num_output_frames": 80}))

    assert Level.WARN == found.level
    assert "trim cuts a copy to 80" in found.message


@pytest.mark.parametrize(
    ("inference_type", "autoregressive", "said"),
    [("image2world", False, "makes text2world only"), ("text2world", True, "cannot go on from frames")],
)
def test_the_distilled_model_is_held_to_what_it_can(inference_type, autoregressive, said):
    """
    2B/distilled makes one pass from a text, and nothing else.
    """
    asked = sample.Sample(
        name="a",
        inference_type=inference_type,
        prompt="x",
        input_path="a.png" if inference_type != "text2world" else None,
        enable_autoregressive=autoregressive,
        num_output_frames=480 if autoregressive else None,
    )
    assert any(said in one.message for one in sample.review(asked, "2B/distilled"))


def test_a_bare_14b_is_no_model():
    """
    The program ends with exit code 2 on it.
    """
    (found,) = sample.review(sample.from_json(GOOD), "14B")

    assert "no model '14B'" in found.message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "Git LFS pointer"),
        ("a.json", b"", "empty"),
        ("a.yaml", b"name: a\n", "neither .json nor .jsonl"),
    ],
)
def test_a_file_that_is_no_parameter_file_is_named(tmp_path, name, content, said):
    """
    NVIDIA's examples are pointers in a plain clone; that is said, and not that JSON is wrong.
    """
    (tmp_path / name).write_bytes(content)

    with pytest.raises(InputError, match=said):
        sample.read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", "[1]", "a list"),
        ("a.json", "{", "not JSON"),
        ("a.jsonl", json.dumps(GOOD) + "\n" + json.dumps(GOOD), "2 samples are named 'a'"),
        ("a.jsonl", json.dumps(GOOD) + "\n" + json.dumps({**GOOD, "nmae": 1}), "no field 'nmae'"),
    ],
)
def test_every_problem_of_a_file_is_a_finding(tmp_path, name, content, said):
    """
    A wrong line is named, and the others are read all the same.
    """
    (tmp_path / name).write_text(content)

    with pytest.raises(RefusedError) as caught:
        sample.read(tmp_path / name)

    assert any(said in one.message for one in caught.value.findings)


def test_lines_survive_every_character_that_ends_a_line_somewhere(tmp_path):
    """
    The program splits a .jsonl with str.splitlines, which knows more ends of lines than JSON does.
    """
    prompt = "one\u2028two\x0bthree\x85four \U0001f3d9"
    asked = sample.Sample(name="a", inference_type="text2world", prompt=prompt)
    path = tmp_path / "batch.jsonl"
    path.write_bytes(sample.to_lines([asked, attrs.evolve(asked, name="b")]))

    assert [prompt, prompt] == [each.prompt for each in sample.read(path)]
    assert 2 == len(path.read_text().splitlines())
