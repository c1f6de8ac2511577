"""What NVIDIA's program says to a spec, and what we say: the table of verdicts, row by row."""

from __future__ import annotations

import json

import pytest
from cosmos_core_transfer.transfer25.spec_files import groups, read_file, read_files

from cosmos_core.errors import Level, worst
from cosmos_core.testing import media

GOOD = {"name": "a", "prompt": "a street", "video_path": "in.mp4", "edge": {"control_weight": 0.5}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the media that the rows name."""
    made = tmp_path_factory.mktemp("media")
    media.make_video(made / "in.mp4", frames=12, fps=24, width=64, height=48)
    media.make_video(made / "short.mp4", frames=6, fps=24, width=64, height=48)
    media.make_pointer(made / "pointer.mp4")
    media.make_html(made / "page.mp4")
    media.make_empty(made / "empty.mp4")
    (made / "in.MP4").write_bytes((made / "in.mp4").read_bytes())
    (made / "p.txt").write_text("a street")
    (made / "style.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (made / "mask").mkdir()
    return made


def judge(folder, tmp_path, text, name="spec.json"):
    """Everything found in a spec file beside the media; paths in it are made absolute to keep it apart."""
    path = folder / f"{tmp_path.name}-{name}"
    path.write_text(text)
    found = read_file(path)
    path.unlink()
    return found


# (row of the table, NVIDIA's verdict, what is changed in a good sample, ours, a part of the sentence)
ROWS = [
    ("1", "rc 1", {"fps": 24}, "fail", "no key 'fps'"),
    ("1", "rc 1", {"output_dir": "out"}, "fail", "no key 'output_dir'"),
    ("1", "rc 1", {"blur": {}}, "fail", "no key 'blur'"),
    ("2", "accepted", {"edge": {"contol_weight": 0.1}}, "fail", "runs with the default"),
    ("2", "accepted", {"vis": {"preset_edge_threshold": "low"}}, "fail", "no key 'preset_edge_threshold'"),
    ("3", "rc 1", {"name": ...}, "fail", "name is missing"),
    ("3", "rc 1", {"edge": ...}, "fail", "there is no control"),
    ("3", "rc 1", {"edge": None}, "fail", "there is no control"),
    (
        "4",
        "rc 1",
        {"edge": {"control_weight": 1.5}},
        "fail",
        "control_weight is 1.5, and must be from 0 to 1",
    ),
    ("4", "rc 1", {"edge": {"control_weight": -1}}, "fail", "control_weight is -1"),
    ("5", "accepted", {"edge": {"control_weight": 0}}, "warn", "none will steer"),
    ("6", "ok", {"guidance": 3.0}, "ok", ""),
    ("6", "rc 1", {"guidance": 3.5}, "fail", "guidance is 3.5, and must be a whole number"),
    ("6", "rc 1", {"guidance": 8}, "fail", "guidance is 8, and must be from 0 to 7"),
    ("7", "rc 1", {"sigma_max": 70}, "ok", ""),
    ("7", "ok", {"sigma_max": "70"}, "ok", ""),
    ("7", "accepted", {"sigma_max": "abc"}, "fail", "fails after the model was loaded"),
    ("8", "accepted", {"resolution": "999"}, "fail", "KeyError after the model was loaded"),
    (
        "9",
        "rc 1",
        {"vis": {}, "image_context_path": "style.png"},
        "fail",
        "vis and image_context_path both carry the style",
    ),
    ("9", "rc 1", {"context_frame_index": 0}, "fail", "context_frame_index is 0, and must be 1 or more"),
    ("9", "rc 1", {"num_conditional_frames": 4}, "fail", "one of 0, 1, 2"),
    ("9", "rc 1", {"edge": {"preset_edge_threshold": "Low"}}, "fail", "very_low, low, medium"),
    (
        "9b",
        "accepted",
        {"edge": {"mask_path": "in.mp4", "mask_prompt": "car"}},
        "fail",
        "the words would be ignored",
    ),
    ("9b", "accepted", {"prompt_path": "p.txt"}, "fail", "the file would be ignored"),
    ("10", "accepted", {"video_path": "in.MP4"}, "fail", "in small letters"),
    ("10", "accepted", {"edge": {"control_path": "in.MP4"}}, "fail", "in small letters"),
    ("11", "accepted", {"video_path": "pointer.mp4"}, "fail", "Git LFS pointer"),
    ("11", "accepted", {"edge": {"control_path": "pointer.mp4"}}, "fail", "Git LFS pointer"),
    ("2.2", "rc 1", {"negative_prompt": None}, "fail", "negative_prompt is None"),
    ("2.2", "rc 1", {"prompt": ...}, "fail", "neither prompt nor prompt_path"),
    ("2.2", "rc 1", {"video_path": "gone.mp4"}, "fail", "does not exist"),
    ("2.2", "accepted", {"video_path": "page.mp4"}, "fail", "HTML page"),
    ("2.2", "accepted", {"video_path": "empty.mp4"}, "fail", "empty file"),
    ("2.2", "accepted", {"negative_prompt": ""}, "fail", "the one of the sample before it"),
    ("2.2", "accepted", {"sigma_max": "201"}, "fail", "from 0 to 200"),
    ("2.2", "accepted", {"name": "a/b"}, "fail", "is no file name"),
    ("2.2", "accepted", {"max_frames": 13}, "fail", "would make 12 without a word"),
    ("2.2", "accepted", {"context_frame_index": 12}, "fail", "past the input's 12 frames"),
    (
        "2.2",
        "accepted",
        {"image_context_path": "style.png", "context_frame_index": 1},
        "fail",
        "ignored without a word",
    ),
    (
        "2.2",
        "accepted",
        {"edge": {"control_path": "in.mp4", "preset_edge_threshold": "low"}},
        "fail",
        "would have no effect",
    ),
    (
        "2.2",
        "accepted",
        {"seg": {"control_path": "in.mp4", "control_prompt": "car"}},
        "fail",
        "control_prompt would have no effect",
    ),
    ("2.2", "accepted", {"num_video_frames_per_chunk": 1}, "fail", "make one picture of a whole video"),
    (
        "2.2",
        "accepted",
        {"num_video_frames_per_chunk": 2, "num_conditional_frames": 2},
        "fail",
        "divide by zero",
    ),
    ("2.2", "accepted", {"num_video_frames_per_chunk": 77}, "warn", "trained for 93"),
    ("2.2", "accepted", {"show_input": True}, "warn", "2 pictures side by side"),
    ("2.4", "ValueError", {"edge": {"control_path": "short.mp4"}}, "fail", "has 6 frames and 12 are made"),
    ("2.4", "ValueError", {"edge": {"mask_path": "short.mp4"}}, "fail", "has 6 frames and 12 are made"),
    ("2.9", "accepted", {"guided_generation_mask": "mask"}, "fail", "neither .mp4 nor .npz"),
    (
        "2.9",
        "accepted",
        {"guided_generation_mask": "in.mp4", "guided_generation_foreground_labels": [1]},
        "fail",
        "count only for an .npz mask",
    ),
    (
        "2.9",
        "accepted",
        {"guided_generation_foreground_labels": [1]},
        "fail",
        "would have no effect without a mask",
    ),
    (
        "2.9",
        "accepted",
        {"guided_generation_mask": "in.mp4", "guided_generation_step_threshold": 0},
        "fail",
        "would guide no step",
    ),
]


@pytest.mark.parametrize(
    ("row", "theirs", "change", "ours", "said"), ROWS, ids=[f"{row[0]}-{row[2]}" for row in ROWS]
)
def test_a_row_of_the_table(row, theirs, change, ours, said, folder, tmp_path):
    """
    What NVIDIA's program accepts silently and gets wrong is a fail of ours, with what would have happened.
    """
    sample = {name: value for name, value in (GOOD | change).items() if value is not ...}
    (found,) = judge(folder, tmp_path, json.dumps(sample))
    wanted = Level(ours)
    told = [finding.message for finding in found.findings if finding.level is wanted]

    assert (wanted is Level.FAIL) == (not found.is_good)
    if said:
        assert any(said in message for message in told), found.findings
    if theirs == "accepted" and wanted is Level.FAIL:
        assert any("would" in message or "program" in message for message in told), told


def test_a_good_sample_has_nothing_against_it(folder, tmp_path):
    """
    What is left to say of a short clip of an odd size are warnings.
    """
    (found,) = judge(folder, tmp_path, json.dumps(GOOD))

    assert found.is_good
    assert ["frames", "size"] == [finding.where for finding in found.findings]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "s.json",
            "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 9\n",
            "pointer",
        ),
        ("s.json", json.dumps([GOOD]), "holds no object"),
        ("s.json", "", "empty file"),
        ("s.json", '{"name": "a", // the name\n}', "is not JSON"),
        ("s.jsonl", json.dumps(GOOD) + "\n\n" + json.dumps(GOOD) + "\n", "blank"),
        ("s.yaml", "name: a\n", "neither .json nor .jsonl"),
    ],
)
def test_row_12_a_file_that_the_program_dies_of(folder, tmp_path, name, text, said):
    """
    Row 12: a traceback of theirs is a sentence of ours.
    """
    (found,) = judge(folder, tmp_path, text, name)

    assert not found.is_good
    assert said in found.findings[0].message


def test_row_13_a_name_stands_only_once(tmp_path, folder):
    """
    Row 13: equal names over several files are found before the program exits with 1.
    """
    for name in ("one", "two"):
        (folder / f"{name}.json").write_text(json.dumps(GOOD))
    found = read_files([folder / "one.json", folder / "two.json"])

    assert [False, False] == [each.is_good for each in found]
    assert "more than once" in found[0].findings[-1].message


def test_row_15_one_bad_sample_is_isolated(tmp_path, folder):
    """
    Row 15: the program runs nothing of a file with one bad line; we run the others.
    """
    bad = GOOD | {"name": "b", "guidance": 9}
    text = "\n".join(map(json.dumps, (GOOD, bad, GOOD | {"name": "c"}))) + "\n"
    found = judge(folder, tmp_path, text, "s.jsonl")

    assert [True, False, True] == [each.is_good for each in found]
    assert {("edge",): 2} == {key: len(members) for key, members in groups(found).items()}


def test_row_16_two_control_sets_are_split(tmp_path, folder):
    """
    Row 16: the program takes the union and loses controls; we make one command line for each set.
    """
    other = {**GOOD, "name": "b", "vis": {"control_weight": 1.0}}
    found = judge(folder, tmp_path, json.dumps(GOOD) + "\n" + json.dumps(other) + "\n", "s.jsonl")

    assert {("edge",), ("edge", "vis")} == groups(found).keys()


def test_every_problem_is_told_at_once(folder, tmp_path):
    """
    Four mistakes are four findings, not one at a time.
    """
    bad = GOOD | {"guidance": 9, "resolution": "1", "edge": {"weight": 1, "control_weight": 2}}
    (found,) = judge(folder, tmp_path, json.dumps(bad))

    assert 4 == len(found.findings)
    assert Level.FAIL is worst(found.findings)
