"""Every spec that NVIDIA publishes is read without loss and written back to an equivalent one."""

from __future__ import annotations

import json
from pathlib import Path

import attrs
import pytest
from cosmos_core_transfer.transfer25.schema import NEGATIVE, Sample, as_mapping
from cosmos_core_transfer.transfer25.spec_files import groups, read_file, read_files, write_json, write_jsonl

DATA = Path(__file__).parent / "data" / "transfer25"
FILES = sorted(path for path in DATA.rglob("*") if path.suffix in {".json", ".jsonl"})

# What NVIDIA's models fill in, written down by hand from cosmos_transfer2/config.py at 2ff49d0.
TOP = {
    "seed": 2025,
    "guidance": 3,
    "num_steps": 35,
    "resolution": "720",
    "num_video_frames_per_chunk": 93,
    "num_conditional_frames": 1,
    "keep_input_resolution": True,
    "show_control_condition": False,
    "show_input": False,
    "negative_prompt": NEGATIVE,
}
BLOCK = {
    "edge": {"control_weight": 1.0, "preset_edge_threshold": "medium"},
    "vis": {"control_weight": 1.0, "preset_blur_strength": "medium"},
    "depth": {"control_weight": 1.0},
    "seg": {"control_weight": 1.0},
}


def effective(given):
    """What NVIDIA's program runs with for an object of a spec file."""
    return TOP | given | {kind: BLOCK[kind] | given[kind] for kind in BLOCK if kind in given}


def published(path):
    text = path.read_text("utf-8")
    return [json.loads(text)] if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]


def samples(path):
    """The samples of a published file; the media it names are not here, so that is all there is against it."""
    found = read_file(path)
    assert all("does not exist" in finding.message for each in found for finding in each.findings)
    return [each.sample for each in found]


def test_there_are_published_specs():
    """The table below is not empty."""
    assert 11 == len(FILES)
    assert 14 == sum(len(published(path)) for path in FILES)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_a_published_spec_comes_back_as_it_was(path, tmp_path):
    """
    Read and written, it means to NVIDIA's program what it meant before: each effective value is equal.
    """
    read = samples(path)
    again = tmp_path / path.name
    again.write_text(write_json(read[0]) if path.suffix == ".json" else write_jsonl(read))

    assert [effective(given) for given in published(path)] == [effective(given) for given in published(again)]
    assert [effective(given) for given in published(path)] == published(again)
    assert read == [each.sample for each in read_file(again)]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.relative_to(DATA).as_posix())
def test_nothing_that_a_published_spec_says_is_dropped(path):
    """
    Every key and value of the file stands in what we write.
    """
    for given, sample in zip(published(path), samples(path), strict=True):
        written = as_mapping(sample)
        for name, value in given.items():
            if isinstance(value, dict):
                assert value.items() <= written[name].items()
            else:
                assert value == written[name]


def test_a_sample_with_every_field_comes_back(tmp_path):
    """
    No field is forgotten by the reader or the writer.
    """
    block = {"control_path": "c.mp4", "control_weight": 0.25, "mask_path": "m.mp4", "mask_prompt": "car"}
    whole = {
        "name": "all",
        "prompt": "a street",
        "prompt_path": "p.txt",
        "negative_prompt": "snow",
        "video_path": "in.mp4",
        "seed": 1,
        "guidance": 7,
        "num_steps": 4,
        "resolution": "480p",
        "sigma_max": "70.5",
        "max_frames": 9,
        "num_video_frames_per_chunk": 77,
        "num_conditional_frames": 2,
        "context_frame_index": 3,
        "image_context_path": "i.png",
        "keep_input_resolution": False,
        "show_control_condition": True,
        "show_input": True,
        "guided_generation_mask": "g.npz",
        "guided_generation_step_threshold": 20,
        "guided_generation_foreground_labels": [1, 2],
        "edge": block | {"preset_edge_threshold": "low"},
        "vis": block | {"preset_blur_strength": "very_high"},
        "depth": block,
        "seg": block | {"control_prompt": "car tree"},
    }
    path = tmp_path / "all.json"
    path.write_text(json.dumps(whole))
    (read,) = read_file(path)

    assert whole == as_mapping(read.sample)
    assert {field.name for field in attrs.fields(Sample)} == whole.keys()


def test_files_of_one_command_line_are_judged_together():
    """
    Published files of several control sets come apart: one command line for each set.
    """
    found = [
        attrs.evolve(each, findings=()) for each in read_files([DATA / "edge.jsonl", DATA / "depth.jsonl"])
    ]

    assert {("edge",): 2, ("depth",): 3} == {key: len(members) for key, members in groups(found).items()}
