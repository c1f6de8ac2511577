"""The backend as the core sees it: its contract, its jobs, its expectations."""

from __future__ import annotations

import json
from fractions import Fraction

import attrs
import cosmos_core_predict
import pytest
from cosmos_core_predict import backend, profiles

from cosmos_core.errors import Level
from cosmos_core.extend import Prompt, Slot, Spec
from cosmos_core.testing.backend import BackendContract

BACKEND = next(iter(cosmos_core_predict.cosmos_backends()))


def spec(clip="", *, frames=93, fps=24, seed=7, prompt="a street", **options):
    return Spec(
        backend="predict2.5",
        prompt=Prompt(prompt),
        clip=clip,
        frames=frames,
        fps=fps,
        width=1280,
        height=704,
        seed=seed,
        options=attrs.asdict(backend.Predict(**options)),
    )


class TestText(BackendContract):
    @pytest.fixture
    def backend(self):
        return BACKEND

    @pytest.fixture
    def clip(self):
        return None

    @pytest.fixture
    def spec(self):
        return spec()


class TestVideo(BackendContract):
    @pytest.fixture
    def backend(self):
        return BACKEND

    @pytest.fixture
    def spec(self, clip):
        return spec(clip.digest, frames=clip.frames, inference_type="video2world")


class TestImage(BackendContract):
    @pytest.fixture
    def backend(self):
        return BACKEND

    @pytest.fixture
    def spec(self, clip):
        return spec(clip.digest, frames=clip.frames, inference_type="image2world")


class TestResident(BackendContract):
    @pytest.fixture
    def backend(self):
        return BACKEND

    @pytest.fixture
    def spec(self, clip):
        options = {"inference_type": "image2world", "resident": 60.0}
        return spec(clip.digest, frames=clip.frames, **options)


def batch_of(*specs, clip=None):
    from cosmos_core.extend import Batch, Request

    requests = tuple(Request(run=f"r{index}", spec=one, clip=clip) for index, one in enumerate(specs))
    return Batch(
        id="b1",
        backend="predict2.5",
        load_key="",
        host="local",
        slot=0,
        attempt=1,
        fence=1,
        requests=requests,
    )


SLOT = Slot(host="local", index=0, gpus=(0,), gpu="h200")


@pytest.mark.parametrize(
    ("options", "frames", "size"),
    [
        ({}, 93, (1280, 704)),
        ({"seconds": 5}, 93, (1280, 704)),
        ({"seconds": 10, "enable_autoregressive": True}, 160, (1280, 704)),
        ({"num_output_frames": 480, "enable_autoregressive": True}, 480, (1280, 704)),
        ({"seconds": 3, "enable_autoregressive": True}, 48, (1280, 704)),
        ({"resolution": "480,832"}, 93, (832, 480)),
    ],
)
def test_what_comes_is_known_before_it_runs(options, frames, size):
    """
    93 frames, or exactly what was asked for with autoregression; 16 a second always.
    """
    expected = BACKEND.expect(spec(**options))

    assert (frames, Fraction(16)) == (expected.frames, expected.fps)
    assert size == (expected.width, expected.height)


def test_a_request_in_frames_and_rate_is_one_in_seconds():
    """
    120 frames at 24 are five seconds, and five seconds of this model are 80 of its frames.
    """
    planned = backend.length_of(spec(frames=120, fps=24))

    assert (5.0, 80, 93) == (planned.seconds, planned.wanted, planned.model_frames)


def test_ten_seconds_without_autoregression_never_reach_a_gpu():
    """
    The silent case of 496 videos is an error of ours, with what would have happened and what to say instead.
    """
    (found,) = [one for one in BACKEND.review(spec(seconds=10), None) if one.level is Level.FAIL]

    assert "make 93 frames" in found.message
    assert "2 passes" in found.hint


def test_a_plain_request_has_no_finding():
    """
    Nothing is said where nothing is wrong.
    """
    assert [] == list(BACKEND.review(spec(), None))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"seconds": 5, "num_output_frames": 120, "enable_autoregressive": True}, "5 s are 80 frames"),
        ({"seconds": -1}, "negative"),
        ({"seconds": 5, "frames": 120, "fps": 16}, "--frames"),
        ({"seed": 2**31 - 1, "seconds": 30, "enable_autoregressive": True}, "seed + k"),
        ({"model": "2B/distilled", "seconds": 30, "enable_autoregressive": True}, "cannot go on"),
        ({"resolution": "720"}, "after the model was loaded"),
        ({"inference_type": "image2world"}, "needs an input_path"),
    ],
)
def test_requests_that_say_two_things_are_refused(asked, said):
    """
    What does not fit together is refused in a sentence that names it.
    """
    failed = [
        f"{one.message} {one.hint}" for one in BACKEND.review(spec(**asked), None) if one.level is Level.FAIL
    ]

    assert any(said in sentence for sentence in failed), failed


def test_a_clip_is_used_or_refused(make_clip):
    """
    text2world would ignore it; video2world would stop on four frames; another shape loses its edges, which is said.
    """
    short = make_clip("short", frames=4)
    for asked, level, said in (
        (spec(short.digest, frames=4), Level.FAIL, "ignores clip"),
        (spec(short.digest, frames=4, inference_type="video2world"), Level.FAIL, "begins with the last 5"),
        (spec(short.digest, frames=4, inference_type="image2world"), Level.WARN, "is cut off"),
        (spec(short.digest, frames=3, inference_type="image2world", seconds=5), Level.FAIL, "--frames"),
        (spec(short.digest, frames=4, inference_type="image2world"), Level.WARN, "length of a clip"),
    ):
        found = [f"{one.message} {one.hint}" for one in BACKEND.review(asked, short) if one.level is level]
        assert any(said in sentence for sentence in found), (said, found)


def test_a_batch_is_one_file_of_samples_and_one_process(tmp_path):
    """
    One ``-i`` with one file: a second ``-i`` would lose all samples before it. Only flags that exist, bare ones bare.
    """
    asked = [spec(model="14B/post-trained", disable_guardrails=True, seed=seed) for seed in (1, 2)]
    job = BACKEND.compile(batch_of(*asked), SLOT)
    lines = [
        json.loads(line)
        for line in {file.name: file for file in job.files}["batch.jsonl"].content.splitlines()
    ]

    assert ("python3", "predict.py", "--model", "14B/post-trained", "--disable-guardrails") == job.argv
    assert [("r0", 1), ("r1", 2)] == [(line["name"], line["seed"]) for line in lines]
    assert {"enable_autoregressive": False, "num_output_frames": 93, "chunk_size": 93}.items() <= lines[
        0
    ].items()
    assert not {"fps", "skip_existing_output", "model"} & set(lines[0])


def test_image2world_begins_with_the_first_frame_of_its_clip(make_clip):
    """
    As a PNG in the job: given the video, the program would take the last frame.
    """
    import cv2
    import numpy as np

    from cosmos_core.media import read_frames

    clip = make_clip("street", frames=6)
    job = BACKEND.compile(
        batch_of(spec(clip.digest, frames=6, inference_type="image2world"), clip=clip), SLOT
    )
    (picture,) = [file for file in job.files if file.name.startswith("inputs/")]
    shown = cv2.imdecode(np.frombuffer(picture.content, np.uint8), cv2.IMREAD_COLOR)[:, :, ::-1]

    assert f"inputs/{clip.digest}.png" == picture.name
    assert np.array_equal(next(read_frames(clip.path("color"))), shown)
    assert () == job.inputs


def test_video2world_gets_the_clips_colour_by_its_digest(make_clip):
    """
    A host that has the video already need not get it again, and two runs of one clip carry it once.
    """
    clip = make_clip("street", frames=6)
    asked = [spec(clip.digest, frames=6, inference_type="video2world", seed=seed) for seed in (1, 2)]
    job = BACKEND.compile(batch_of(*asked, clip=clip), SLOT)

    assert [clip.file("color").sha256] == [each.digest for each in job.inputs]


def test_the_load_key_is_the_model_and_its_flags():
    """
    Another model or flag is another process; another length is not.
    """
    keys = {
        BACKEND.load_key(each)
        for each in (
            spec(),
            spec(seconds=30, enable_autoregressive=True),
            spec(model="14B/post-trained"),
            spec(disable_guardrails=True),
        )
    }

    assert 3 == len(keys)


def test_costs_grow_with_passes_and_steps():
    """
    One operator's 898 s on an H200 is the unit; unknown kinds of GPU cost as much.
    """
    one, six = (
        spec(model="14B/post-trained"),
        spec(model="14B/post-trained", seconds=30, enable_autoregressive=True),
    )

    assert (898, 898, 1020) == tuple(BACKEND.seconds(one, gpu) for gpu in ("h200", "", "b300"))
    assert 6 * 898 == BACKEND.seconds(six, "h200")
    assert 449 == BACKEND.seconds(spec(model="14B/post-trained", num_steps=17), "h200") * 35 / 34


def test_a_gpu_that_is_too_small_is_known_before_anything_is_placed():
    """
    14B needs 65 GB on one card, and no number of 24 GB cards gives that.
    """
    needs = BACKEND.needs(spec(model="14B/post-trained"))

    assert (1, 65) == (needs.gpus, needs.vram_gb)
    assert "do not split" in needs.against("NVIDIA RTX-4090")
    assert "" == needs.against("h200")


def test_blackwell_is_offered_where_its_host_has_the_kernels():
    """
    B300 and B200 stop at their first kernel in the usual environment; memory is asked first.
    """
    needs = BACKEND.needs(spec())

    assert "sm_103" in needs.against("b300")
    assert "sm_100" in needs.against("b200", "predict:cu128")
    assert "" == needs.against("b300", "predict:nightly")
    assert "" == needs.against("h200", "predict:cu128")


def test_every_figure_names_its_source():
    """
    A number that nobody can trace does not steer a scheduler.
    """
    rows = [*profiles.GPUS.values(), *profiles.MEMORY.values()]

    assert all(row.source for row in rows)
    assert all(source for _, source in (*profiles.PASS_SECONDS.values(), *profiles.LOAD_SECONDS.values()))


def test_the_small_model_loads_in_half_the_time_of_the_large_one():
    """
    What was measured for 14B, and an estimate by what is read for 2B.
    """
    large, small = (
        BACKEND.load_seconds(spec(model=f"{size}/post-trained"), "h200") for size in ("14B", "2B")
    )

    assert (240, 125) == (large, small)


@pytest.mark.parametrize(
    ("line", "run", "share", "inner"),
    [
        ("[11-25 10:00:00|INFO|a.py:1:f] [2/3] Processing sample r4k2", "r4k2", None, False),
        ("[11-25 10:00:00|INFO|a.py:1:f] Processing chunk 3/6, frames 184-277", "", (2, 6), False),
        ("Generating samples:  51%|#####     | 18/35 [07:37<07:11, 25.40s/it]", "", (18, 35), True),
        ("[11-25 10:00:00|SUCCESS|a.py:1:f] Saved video to out/r4k2.mp4", "r4k2", (1, 1), False),
    ],
)
def test_progress_is_read_from_the_programs_own_lines(line, run, share, inner):
    """
    The sample, its chunk and the step stand on three lines, and the core joins them.
    """
    tick = BACKEND.progress(line)

    assert (run, inner) == (tick.run, tick.inner)
    assert share is None or share == (tick.done, tick.total)
