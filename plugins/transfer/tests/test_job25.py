"""A batch as a job of Transfer 2.5: files, command line, inputs, and which runs may share one."""

from __future__ import annotations

import json
from itertools import combinations

import attrs
import pytest
from cosmos_core_transfer.transfer25 import backend
from cosmos_core_transfer.transfer25.job import compile_job, load_key
from cosmos_core_transfer.transfer25.options import TransferOptions
from cosmos_core_transfer.transfer25.schema import CONTROLS

from cosmos_core.errors import InputError
from cosmos_core.extend import Batch, Prompt, Request, Slot
from cosmos_core.testing.backend import BackendContract


class TestTransfer25(BackendContract):
    @pytest.fixture
    def backend(self):
        return backend()

    @pytest.fixture
    def clip(self, street):
        return street


class TestResident(TestTransfer25):
    """The same with a model that stays."""

    @pytest.fixture
    def spec(self, ask):
        return ask("transfer2.5", edge=1, depth=0.5, resident=60.0)


@pytest.fixture
def job(street, slot):
    def _job(*specs, slot=slot):
        requests = tuple(
            Request(run=f"r{index}", spec=spec, clip=street) for index, spec in enumerate(specs, 1)
        )
        batch = Batch(
            id="b1",
            backend="transfer2.5",
            load_key=load_key(specs[0]),
            host="gpu1",
            slot=slot.index,
            attempt=1,
            fence=1,
            requests=requests,
        )
        return compile_job(batch, slot)

    return _job


def program(job):
    """NVIDIA's own command line, without the words that enter its checkout."""
    return list(job.argv[job.argv.index("--") + 1 :])


def spec_of(job, run):
    return json.loads(next(file.content for file in job.files if file.name == f"specs/{run}.json"))


def test_all_spec_files_stand_after_one_flag(ask, job):
    """
    Row 14: ``-i a -i b`` would run b alone and exit with 0.
    """
    made = job(ask("transfer2.5", edge=1), ask("transfer2.5", edge=0.5, seed=9))

    assert [
        "python",
        "examples/inference.py",
        "-i",
        "{job}/specs/r1.json",
        "{job}/specs/r2.json",
        "-o",
        "{job}/out",
    ] == program(made)


def test_setup_flags_stand_bare_and_no_override_is_written(ask, job):
    """
    Everything about a sample is in its file: an override would apply to each sample of the batch.
    """
    made = job(
        ask(
            "transfer2.5",
            edge=1,
            guidance=5,
            num_steps=9,
            guardrails=False,
            offload_guardrail_models=True,
            compile_tokenizer="moderate",
            checkpoint_path="post.pt",
            experiment="mine",
        )
    )

    assert [
        "--checkpoint-path",
        "post.pt",
        "--experiment",
        "mine",
        "--compile-tokenizer",
        "MODERATE",
        "--disable-guardrails",
        "--offload-guardrail-models",
    ] == program(made)[6:]
    assert (5, 9) == (spec_of(made, "r1")["guidance"], spec_of(made, "r1")["num_steps"])


def test_several_gpus_are_one_torchrun_with_a_port_of_the_slot(ask, job):
    """
    Two jobs on one machine must not meet on one port.
    """
    spec = ask("transfer2.5", edge=1, gpus=4, python=".venv/bin/python", enable_parallel_tokenizer=True)
    spec = attrs.evolve(spec, options=spec.options | {"parallel_tokenizer_grid": "2x2"})
    words = program(job(spec, slot=Slot(host="gpu1", index=1, gpus=(4, 5, 6, 7), gpu="h200")))

    assert [
        ".venv/bin/torchrun",
        "--nproc_per_node=4",
        "--master_port=12342",
        "examples/inference.py",
    ] == words[:4]
    assert ["--enable-parallel-tokenizer", "--parallel-tokenizer-grid", "2", "2"] == words[-4:]


def test_the_distilled_model_is_asked_for_with_its_variable(ask, job):
    """
    Without COSMOS_EXPERIMENTAL_CHECKPOINTS the choice does not exist, and the program exits with 2.
    """
    made = job(ask("transfer2.5", edge=1, distilled=True))

    assert ["--model", "edge/distilled"] == program(made)[-2:]
    assert "1" == made.env["COSMOS_EXPERIMENTAL_CHECKPOINTS"]
    assert 4 == spec_of(made, "r1")["num_steps"]


def test_a_spec_file_says_all_of_it(ask, job, street):
    """
    Paths lead from the file to inputs that are named by digest; every value is written out.
    """
    made = job(
        ask(
            "transfer2.5",
            edge=0.5,
            vis=1,
            depth=0.25,
            prompt=Prompt("fog", "snow"),
            frames=5,
            seed=3,
            sigma_max=70.0,
            computed="edge",
            preset_edge_threshold="low",
        )
    )
    found = spec_of(made, "r1")

    assert f"../inputs/{street.file('color').sha256}.mp4" == found["video_path"]
    assert f"../inputs/{street.file('vis').sha256}.mp4" == found["vis"]["control_path"]
    assert {"control_weight": 0.5, "preset_edge_threshold": "low"} == found["edge"]
    assert {
        "prompt": "fog",
        "negative_prompt": "snow",
        "seed": 3,
        "max_frames": 5,
        "sigma_max": "70",
    }.items() <= (found.items())
    assert {street.file(kind).sha256 for kind in ("color", "vis", "depth")} == {
        each.digest for each in made.inputs
    }


def test_the_whole_clip_needs_no_limit(ask, job):
    """
    As many frames as the clip has are read without ``max_frames``.
    """
    assert "max_frames" not in spec_of(job(ask("transfer2.5", edge=1)), "r1")


def test_a_video_in_capitals_is_uploaded_in_small_letters(ask, slot, street):
    """
    Row 10: ``in.MP4`` is accepted by the program and does not load; ours never gets there.
    """
    files = tuple(
        attrs.evolve(file, name=file.name.replace(".mp4", ".MP4")) if file.modality == "color" else file
        for file in street.files
    )
    loud = attrs.evolve(street, files=files)
    request = Request(run="r1", spec=ask("transfer2.5", loud, edge=1), clip=loud)
    batch = Batch(id="b", backend="", load_key="", host="", slot=0, attempt=1, fence=1, requests=(request,))

    assert {".mp4"} == {each.name[-4:] for each in compile_job(batch, slot).inputs}


def test_files_of_the_options_travel_too(ask, job, street, tmp_path):
    """
    A mask or a style image is an input like any other, named by what is in it.
    """
    mask = tmp_path / "mask.mp4"
    mask.write_bytes(street.path("depth").read_bytes())
    made = job(ask("transfer2.5", edge=1, edge_mask_path=str(mask), guided_generation_mask=str(mask)))
    name = f"inputs/{street.file('depth').sha256}.mp4"

    assert (
        f"../{name}"
        == spec_of(made, "r1")["edge"]["mask_path"]
        == spec_of(made, "r1")["guided_generation_mask"]
    )
    assert mask in {each.path for each in made.inputs if each.name == name}


ONE_PROCESS = {
    "resolution": "480",
    "distilled": True,
    "guardrails": False,
    "offload_guardrail_models": True,
    "gpus": 2,
    "compile_tokenizer": "moderate",
    "enable_parallel_tokenizer": True,
    "parallel_tokenizer_grid": "1x2",
    "checkpoint_path": "a.pt",
    "experiment": "mine",
    "config_file": "c.py",
    "image": "x:1",
    "build": "nightly",
    "repo": "/other",
    "python": "python3",
    "quiet": 5,
    "timeout": 5,
    "resident": 60.0,
}


@pytest.mark.parametrize(("name", "value"), ONE_PROCESS.items())
def test_what_one_process_has_only_once_parts_batches(ask, name, value):
    """
    Whatever stands on the command line, and the tier, is part of the key.
    """
    assert load_key(ask("transfer2.5", edge=1)) != load_key(ask("transfer2.5", edge=1, **{name: value}))


def test_everything_else_may_be_mixed(ask, street, tmp_path):
    """
    The key holds exactly what may not be mixed: all that stands in a spec file varies freely.
    """
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    mask = str(street.path("depth"))
    free = {
        "guidance": 5,
        "num_steps": 9,
        "sigma_max": 9.0,
        "computed": "edge",
        "preset_edge_threshold": "low",
        "preset_blur_strength": "low",
        "seg_control_prompt": "car",
        **{f"{kind}_mask_path": mask for kind in CONTROLS},
        **{f"{kind}_mask_prompt": "car" for kind in CONTROLS},
        "image_context_path": str(picture),
        "context_frame_index": 3,
        "guided_generation_mask": mask,
        "guided_generation_step_threshold": 9,
        "guided_generation_foreground_labels": "1",
        "num_conditional_frames": 2,
        "num_video_frames_per_chunk": 77,
        "keep_input_resolution": False,
        "show_control_condition": True,
        "show_input": True,
    }
    plain = load_key(ask("transfer2.5", edge=1))

    assert {plain} == {
        load_key(ask("transfer2.5", edge=0.5, **{name: value})) for name, value in free.items()
    }
    assert {field.name for field in attrs.fields(TransferOptions)} == free.keys() | ONE_PROCESS.keys()


def test_no_two_control_sets_share_a_key(ask):
    """
    Row 16: 9 of the 61 pairs of a union and a subset would give a requested control the weight 0.
    """
    sets = [kinds for size in range(1, 5) for kinds in combinations(CONTROLS, size)]

    assert 15 == len({load_key(ask("transfer2.5", **dict.fromkeys(kinds, 0.5))) for kinds in sets})


def test_a_mixed_batch_is_never_compiled(ask, job):
    """
    Whoever plans it, a batch of two control sets makes no job.
    """
    with pytest.raises(InputError, match="mixes what one process cannot serve"):
        job(ask("transfer2.5", edge=1), ask("transfer2.5", edge=1, vis=1))
