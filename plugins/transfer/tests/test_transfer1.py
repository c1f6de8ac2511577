"""Transfer 1: its arithmetic, its files, what may share a process, and what is refused."""

from __future__ import annotations

import json

import attrs
import pytest
from cosmos_core_transfer.transfer1 import backend, expect, expect_upscaled, sizes, upscaler
from cosmos_core_transfer.transfer1.job import compile_job, compile_upscale, load_key
from cosmos_core_transfer.transfer1.options import Transfer1Options
from cosmos_core_transfer.transfer1.review import review, review_upscale
from cosmos_core_transfer.transfer1.schema import as_mapping, read_specs

from cosmos_core.errors import InputError, Level
from cosmos_core.extend import Batch, Prompt, Request, Slot
from cosmos_core.testing.backend import BackendContract


class TestTransfer1(BackendContract):
    @pytest.fixture
    def backend(self):
        return backend()

    @pytest.fixture
    def clip(self, street):
        return street

    @pytest.fixture
    def batch(self, backend, spec, street):
        """Two requests of one seed: a process has only one."""
        requests = tuple(
            Request(run=f"r{index}", spec=attrs.evolve(spec, prompt=Prompt(text)), clip=street)
            for index, text in enumerate(("a street", "a square"))
        )
        return Batch(
            id="b1",
            backend="transfer1",
            load_key=load_key(spec),
            host="local",
            slot=0,
            attempt=1,
            fence=1,
            requests=requests,
        )

    def test_the_load_key_does_not_depend_on_what_a_load_can_serve(self, backend, spec):
        """
        Another prompt needs no other load; another seed does, because a process has only one.
        """
        assert backend.load_key(spec) == backend.load_key(attrs.evolve(spec, prompt=Prompt("snow")))
        assert backend.load_key(spec) != backend.load_key(attrs.evolve(spec, seed=spec.seed + 1))


class TestUpscaler(BackendContract):
    @pytest.fixture
    def backend(self):
        return upscaler()

    @pytest.fixture
    def clip(self, street):
        return street

    @pytest.fixture
    def batch(self, backend, spec, street):
        """One request: the upscaler makes no batches."""
        request = Request(run="r1", spec=spec, clip=street)
        return Batch(
            id="b1",
            backend="transfer1-upscale",
            load_key="",
            host="local",
            slot=0,
            attempt=1,
            fence=1,
            requests=(request,),
        )


def batch_of(street, *specs):
    requests = tuple(Request(run=f"r{index}", spec=spec, clip=street) for index, spec in enumerate(specs, 1))
    return Batch(id="b1", backend="", load_key="", host="gpu1", slot=0, attempt=1, fence=1, requests=requests)


def content(job, name):
    return next(file.content.decode() for file in job.files if file.name == name)


GOLDEN = {24: 1, 93: 1, 120: 1, 121: 1, 144: 2, 221: 2, 240: 2, 480: 4, 720: 6}


@pytest.mark.parametrize(("frames", "clips"), GOLDEN.items())
def test_clips_of_transfer1(frames, clips):
    """
    ``1 + ceil((N - 121) / 120)`` above 121 frames.
    """
    assert clips == sizes.clips(frames)


@pytest.mark.parametrize(
    ("size", "bucket", "enlarged"),
    [
        ((1920, 1080), (1280, 704), (3840, 2112)),
        ((960, 704), (960, 704), (2880, 2112)),
        ((1000, 1000), (960, 960), (2880, 2880)),
        ((720, 1280), (704, 1280), (2112, 3840)),
    ],
)
def test_the_size_is_the_bucket_and_the_upscaler_takes_it_times_three(ask, size, bucket, enlarged):
    """
    Never the input's own size, and 2112 lines, never 2160.
    """
    spec = ask("transfer1", edge=1, width=size[0], height=size[1])
    found, large = expect(spec), expect_upscaled(spec)

    assert bucket == (found.width, found.height)
    assert enlarged == (large.width, large.height)


def test_a_batch_is_one_process_with_a_line_a_run(ask, street, slot):
    """
    ``--batch_size 1``, each value as two words, each item with its own weights and videos.
    """
    one = ask("transfer1", edge=1.0, depth=0.5)
    two = ask("transfer1", edge=0.25, depth=0.75, computed="edge", prompt=Prompt("fog", ""))
    job = compile_job(batch_of(street, one, two), slot)
    words = list(job.argv)
    lines = [json.loads(line) for line in content(job, "jobs.jsonl").splitlines()]

    assert "torchrun" == words[words.index("--") + 1]
    for name, value in (
        ("--batch_size", "1"),
        ("--seed", "7"),
        ("--fps", "24"),
        ("--guidance", "5"),
        ("--sigma_max", "70"),
        ("--video_save_folder", "{job}/out/of-2"),
        ("--batch_input_path", "{job}/jobs.jsonl"),
        ("--num_gpus", "1"),
        ("--checkpoint_dir", "checkpoints"),
    ):
        assert value == words[words.index(name) + 1]
    assert not any(
        "=" in word for word in words[words.index(job.argv[0]) :] if word.startswith("--controlnet")
    )
    assert ["r1", "r2"] == [line["run"] for line in lines]
    depth, edge = (f"{{job}}/inputs/{street.file(kind).sha256}.mp4" for kind in ("depth", "edge"))
    assert {
        "edge": {"control_weight": 1.0, "input_control": edge},
        "depth": {"control_weight": 0.5, "input_control": depth},
    } == lines[0]["control_overrides"]
    assert {"control_weight": 0.25, "input_control": None} == lines[1]["control_overrides"]["edge"]


def test_a_value_stands_in_one_place_only(ask, street, slot):
    """
    What is on the command line is not in the file, where it could win.
    """
    job = compile_job(batch_of(street, ask("transfer1", edge=1, prompt=Prompt("fog", "--snow"))), slot)
    specs = json.loads(content(job, "specs/controls.json"))

    assert [] == [name for name in specs if f"--{name}" in job.argv]
    assert "--snow" == specs["negative_prompt"]
    assert {"negative_prompt", "input_video_path", "edge"} == specs.keys()


def test_the_driving_model_is_asked_for_by_its_controls(ask, street, slot):
    """
    hdmap and lidar switch to it; the flag is not a matter of choice.
    """
    file = attrs.evolve(street.file("depth"), modality="hdmap")
    clip = attrs.evolve(street, files=(*street.files, file))
    request = Request(run="r1", spec=ask("transfer1", clip, hdmap=1), clip=clip)
    job = compile_job(attrs.evolve(batch_of(street), requests=(request,)), slot)

    assert "--is_av_sample" in job.argv


ONE_PROCESS = {
    "guidance": 7.0,
    "num_steps": 9,
    "sigma_max": 50.0,
    "canny_threshold": "low",
    "blur_strength": "low",
    "use_distilled": True,
    "upsample_prompt": True,
    "regional_prompts": "0,0,0.5,1: a red dress",
    "offload_prompt_upsampler": True,
    "offload_diffusion_transformer": True,
    "offload_text_encoder_model": True,
    "offload_guardrail_models": True,
    "checkpoint_dir": "/c",
    "gpus": 2,
    "image": "x:1",
    "build": "nightly",
    "repo": "/other",
    "python": "python3",
    "quiet": 5,
    "timeout": 5,
}
FREE = {"computed": "edge", "input_control_prompt": "car", "control_weight_prompt": "car"}


def test_the_key_holds_exactly_what_a_process_has_once(ask):
    """
    Options, seed, negative prompt and the set of controls part batches; prompts, weights and words for seg do not.
    """
    plain = load_key(ask("transfer1", edge=1))
    parted = [ask("transfer1", edge=1, **{name: value}) for name, value in ONE_PROCESS.items()]
    parted += [
        ask("transfer1", edge=1, seed=8),
        ask("transfer1", edge=1, fps=30),
        ask("transfer1", edge=1, vis=1),
        ask("transfer1", edge=1, prompt=Prompt("a", "b")),
    ]
    same = [ask("transfer1", edge=0.5, **{name: value}) for name, value in FREE.items()]

    assert plain not in {load_key(spec) for spec in parted}
    assert len(parted) == len({load_key(spec) for spec in parted})
    assert {plain} == {load_key(spec) for spec in same}
    assert {field.name for field in attrs.fields(Transfer1Options)} == ONE_PROCESS.keys() | FREE.keys()


def test_a_mixed_batch_is_never_compiled(ask, street, slot):
    """
    Two seeds, or two runs of the upscaler, make no job.
    """
    with pytest.raises(InputError, match="mixes what one process cannot serve"):
        compile_job(batch_of(street, ask("transfer1", edge=1), ask("transfer1", edge=1, seed=8)), slot)
    enlarge = ask("transfer1-upscale")
    with pytest.raises(InputError, match="the upscaler takes one"):
        compile_upscale(batch_of(street, enlarge, enlarge), slot)


def test_the_upscaler_runs_alone_with_ten_steps(ask, street):
    """
    Its spec names the input and one weight; its file has the run's name.
    """
    job = compile_upscale(batch_of(street, ask("transfer1-upscale")), Slot(host="h", index=2, gpus=(2,)))
    specs = json.loads(content(job, "specs/controls.json"))
    words = list(job.argv)

    assert {"control_weight": 0.5} == specs["upscale"]
    assert ("10", "r1") == tuple(
        words[words.index(f"--{name}") + 1] for name in ("num_steps", "video_save_name")
    )
    assert "--master_port=29502" in words
    assert "--batch_input_path" not in words


@pytest.mark.parametrize(
    ("fields", "level", "said"),
    [
        ({"edge": 1, "frames": 5}, "fail", "would make 8 without a word"),
        ({"edge": 1, "frames": 9}, "fail", "would make 8 without a word"),
        ({}, "fail", "there is no control"),
        ({"hdmap": 1}, "fail", "hdmap cannot be computed"),
        ({"hdmap": 1, "edge": 1}, "fail", "the driving model"),
        ({"edge": 1, "canny_threshold": "low"}, "fail", "canny_threshold would have no effect"),
        ({"edge": 1, "blur_strength": "low"}, "fail", "blur_strength would have no effect"),
        ({"seg": 1, "input_control_prompt": "car"}, "fail", "input_control_prompt would have no effect"),
        ({"edge": 1, "control_weight_prompt": "car"}, "fail", "heeds it for seg only"),
        ({"edge": 1, "computed": "vis"}, "fail", "no such control"),
        ({"depth": 1, "use_distilled": True}, "fail", "No default distilled checkpoint"),
        ({"edge": 1, "vis": 1}, "warn", "the weights sum to 2, so the program divides each"),
        ({"edge": 1}, "warn", "8 frames cost as much as 121"),
        ({"edge": 1}, "warn", "the video will be 960x704"),
        ({"edge": 1, "fps": "30000/1001"}, "warn", "the output will have 29"),
        ({"edge": 1, "sigma_max": 80.0}, "warn", "nothing of the input's colour"),
        ({"edge": 1, "upsample_prompt": True}, "warn", "cannot be compared with yours"),
        ({"edge": 1, "computed": "edge", "canny_threshold": "low"}, "ok", ""),
    ],
)
def test_what_it_gets_wrong_is_told_before(ask, street, fields, level, said):
    """
    What the program does silently is refused; what it does openly but otherwise than one thinks is a warning.
    """
    found = list(review(ask("transfer1", **fields), street))
    told = [finding.message for finding in found if finding.level.value == level]

    assert (level == "fail") == any(finding.level is Level.FAIL for finding in found)
    if said:
        assert any(said in message for message in told), found


def test_a_large_input_is_not_shrunk_to_be_enlarged(ask, street):
    """
    The upscaler takes the bucket's size at most.
    """
    large = attrs.evolve(street, width=1920, height=1080)
    found = list(review_upscale(ask("transfer1-upscale", large), large))

    assert any("would be shrunk to 1280x704" in finding.message for finding in found)


# Shapes that NVIDIA publishes in assets/ of its repository, with shorter prompts.
PUBLISHED = {
    "multi_control": {
        "prompt": "Shibuya in the rain.",
        "input_video_path": "assets/nurec2.mp4",
        "vis": {"control_weight": 0.3},
        "edge": {"control_weight": 0.7},
        "depth": {"control_weight": 0.1},
    },
    "upscaler": {"input_video_path": "assets/in.mp4", "upscale": {"control_weight": 0.5}},
    "spatiotemporal_weights_auto": {
        "prompt": "A robot.",
        "input_video_path": "assets/in.mp4",
        "sigma_max": 80,
        "vis": {"control_weight": 0.5},
        "seg": {"control_weight": 0.5, "control_weight_prompt": "robotic arms . gloves"},
    },
    "prepared": {
        "prompt": "A robot.",
        "input_video_path": "assets/in.mp4",
        "seg": {"input_control": "assets/seg.mp4", "control_weight": 1.0},
        "depth": {"input_control": "assets/depth.mp4", "control_weight": 1.0},
    },
    "sample_av_hdmap": {
        "prompt": "A road.",
        "sigma_max": 80,
        "hdmap": {"control_weight": 0.3, "input_control": "assets/hdmap.mp4"},
    },
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_controlnet_spec_comes_back(tmp_path, name):
    """
    Read and written, it says what it said.
    """
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(PUBLISHED[name]))
    specs, findings = read_specs(path)

    assert [] == [finding for finding in findings if finding.level is Level.FAIL]
    assert PUBLISHED[name] == as_mapping(specs)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"blur": {"control_weight": 1}}, "no key 'blur'"),
        ({"num_step": 10}, "did you mean 'num_steps'"),
        # As in NVIDIA's own robot_sample_spec.json, where it has no effect.
        ({"seg": {"control_weight": 1.0, "sigma_max": 70}}, "no key 'sigma_max'"),
        ({"edge": {"control_weight": -1}}, "control_weight is -1"),
        ({"edge": {"control_weight_prompt": "car"}}, "no key 'control_weight_prompt'"),
        ({"hdmap": {"control_weight": 1}}, "hdmap cannot be computed"),
        ({"edge": ...}, "there is no control"),
        ({"input_video_path": ...}, "sigma_max must be 80 or more, and is 70"),
    ],
)
def test_what_the_program_takes_silently_is_refused_in_a_file(tmp_path, change, said):
    """
    Unknown scalars and unknown keys of a block are accepted by the program without a word.
    """
    values = {"prompt": "a", "input_video_path": "in.mp4", "edge": {"control_weight": 1.0}} | change
    path = tmp_path / "spec.json"
    path.write_text(json.dumps({name: value for name, value in values.items() if value is not ...}))
    _, findings = read_specs(path)

    assert any(said in f"{each.message} {each.hint}" for each in findings if each.level is Level.FAIL), (
        findings
    )
