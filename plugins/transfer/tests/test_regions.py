"""What a part of the picture shows: how it is asked, what stands against it, and what the program makes of it."""

from __future__ import annotations

import json
import subprocess
import sys

import attrs
import pytest
from cosmos_core_transfer.transfer1.job import compile_job
from cosmos_core_transfer.transfer1.regions import Region, region
from cosmos_core_transfer.transfer1.review import review
from cosmos_core_transfer.transfer1.schema import as_mapping, read_specs

from cosmos_core.errors import Level
from cosmos_core.extend import Batch, Request
from cosmos_core.run import State
from cosmos_core.submission import Ask

LEFT = "0,0,0.5,1: a red dress"
RIGHT = "woman on the right: a blue dress"


@pytest.fixture
def wide(street):
    """The clip as if it were of the size that masks are made for, and one clip of the model long."""
    return attrs.evolve(street, width=1280, height=704, frames=121)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (LEFT, Region("a red dress", box=(0.0, 0.0, 0.5, 1.0))),
        (" .5, 0 ,1,1 : fog: thick", Region("fog: thick", box=(0.5, 0.0, 1.0, 1.0))),
        (RIGHT, Region("a blue dress", words="woman on the right")),
        ("a red dress", Region("", words="a red dress")),
    ],
)
def test_a_region_is_numbers_or_words(text, wanted):
    """
    What comes before the first colon and blank says where.
    """
    assert wanted == region(text)


def test_regions_stand_in_the_file_as_nvidia_publishes_them(ask, street, slot):
    """
    Boxes as numbers, words as ``mask_prompt``, in their order.
    """
    spec = ask("transfer1", edge=1, regional_prompts=f"{RIGHT}; {LEFT};")
    request = Request(run="r1", spec=spec, clip=street)
    job = compile_job(
        Batch(id="b", backend="", load_key="", host="h", slot=0, attempt=1, fence=1, requests=(request,)),
        slot,
    )
    specs = json.loads(next(file.content for file in job.files if file.name == "specs/controls.json"))

    assert [
        {"prompt": "a blue dress", "mask_prompt": "woman on the right"},
        {"prompt": "a red dress", "region_definitions_path": [0.0, 0.0, 0.5, 1.0]},
    ] == specs["regional_prompts"]


@pytest.mark.parametrize(
    ("texts", "fields", "said"),
    [
        ([LEFT, RIGHT], {}, ""),
        ([LEFT], {"frames": 241}, ""),
        ([LEFT], {"frames": 24}, ""),
        (["a red dress"], {}, "says no region and what it shows"),
        (["0,0,1,1:"], {}, "says no region and what it shows"),
        (["0,0,1: fog"], {}, "is no box: four numbers"),
        (["0,0,2,1: fog"], {}, "is no box: four numbers"),
        (["-0.5,0,1,1: fog"], {}, "is no box: four numbers"),
        (["0.5,0,0.5,1: fog"], {}, "without a single cell"),
        (["0.9,0,0.1,1: fog"], {}, "without a single cell"),
        (["masks/worker.mp4: fog"], {}, "the program dies at the next"),
        (["regions.json: fog"], {}, "is a file"),
        ([RIGHT], {"frames": 120}, "needs 121 frames and the clip has 120"),
        ([RIGHT], {"frames": 240}, "the same mask is used again for each clip"),
        ([RIGHT], {"width": 1920, "height": 1080}, "a picture of 1280x704 only"),
        ([LEFT], {"width": 960, "height": 704}, "masks of regions are made for 1280x704"),
    ],
)
def test_what_the_program_dies_of_or_gets_wrong_is_a_finding(ask, wide, texts, fields, said):
    """
    Each before a GPU is touched.
    """
    clip = attrs.evolve(wide, **fields)
    found = list(review(ask("transfer1", clip, edge=1, regional_prompts="; ".join(texts)), clip))
    failed = [each.message for each in found if each.level is Level.FAIL]

    assert bool(said) == bool(failed), failed
    assert all(said in message for message in failed), failed
    assert any("the guardrail is asked about the prompt" in each.message for each in found)


@pytest.mark.parametrize(
    ("options", "said"), [({"use_distilled": True}, "drops regional prompts"), ({"gpus": 2}, "cannot share")]
)
def test_what_the_process_cannot_do_with_regions_is_a_finding(ask, wide, options, said):
    """
    The distilled model forgets them, and several GPUs cannot split their masks.
    """
    spec = ask("transfer1", wide, edge=1, regional_prompts=LEFT, **options)

    assert any(said in each.message for each in review(spec, wide) if each.level is Level.FAIL)


PUBLISHED = {
    "prompt": "Two women talk.",
    "input_video_path": "assets/in.mp4",
    "seg": {"control_weight": 1.0},
    "regional_prompts": [
        {"prompt": "blue dress", "mask_prompt": "woman on the right"},
        {"prompt": "red dress", "region_definitions_path": [0.0, 0.0, 0.5, 1.0]},
        {"prompt": "a worker", "region_definitions_path": "assets/worker_mask.mp4"},
    ],
}


def test_a_published_spec_with_regions_comes_back(tmp_path):
    """
    Read and written, it says what it said; shapes as in NVIDIA's assets/regionalprompt_test.
    """
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(PUBLISHED))
    specs, findings = read_specs(path)

    assert [] == [finding for finding in findings if finding.level is Level.FAIL]
    assert PUBLISHED == json.loads(json.dumps(as_mapping(specs)))


def test_runs_of_one_list_share_a_process_and_are_sealed(workspace, work, make_clip, street):
    """
    Boxes are not touched by the program, so every item of a batch is made with them.
    """
    cosmos = workspace()
    wide = make_clip("wide", frames=4, width=1280, height=704)
    asks = [
        Ask(
            prompt=prompt,
            backend="transfer1",
            clip=str(wide.folder),
            weights={"edge": 0.6, "depth": 0.4},
            seed=7,
            options={"regional_prompts": LEFT},
        )
        for prompt in ("a street in fog", "a street in snow")
    ]
    runs = cosmos.submit_many(asks)
    work(cosmos)
    found = [cosmos.store.run(run.id) for run in runs]

    assert [State.SEALED] * 2 == [run.state for run in found], [run.reason for run in found]
    assert 1 == len({run.batch for run in found})


def test_a_mask_video_is_the_end_of_the_second_item(checkout, tmp_path, street):
    """
    Why none can be given: the program has put a tensor in its place by then.
    """
    video = str(street.path("color"))
    mask = {"prompt": "a worker", "region_definitions_path": video}
    specs = {"input_video_path": video, "edge": {"control_weight": 1.0}, "regional_prompts": [mask]}
    (tmp_path / "spec.json").write_text(json.dumps(specs))
    line = json.dumps({"prompt": "a street", "visual_input": video}) + "\n"
    (tmp_path / "jobs.jsonl").write_text(line * 2)
    done = subprocess.run(
        [
            sys.executable,
            str(checkout / "cosmos_transfer1/diffusion/inference/transfer.py"),
            *(
                "--controlnet_specs",
                "spec.json",
                "--batch_input_path",
                "jobs.jsonl",
                "--video_save_folder",
                "out",
            ),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (tmp_path / "out/video_0/prompt.txt").is_file()
    assert "ValueError: Invalid video file: out/video_0/regional_context_r0_0.pt" in done.stderr
