"""The backend ``cosmos3``: its contract, its jobs, and its runs through a double of the framework."""

from __future__ import annotations

import json

import attrs
import cosmos_core_cosmos3
import pytest
from cosmos_core_cosmos3 import framework

from cosmos_core.errors import Level
from cosmos_core.extend import Batch, Prompt, Request, Slot, Spec
from cosmos_core.run import State
from cosmos_core.spec import controls
from cosmos_core.submission import Ask
from cosmos_core.testing.backend import BackendContract

BACKEND, _ = cosmos_core_cosmos3.cosmos_backends()


class TestFramework(BackendContract):
    @pytest.fixture
    def backend(self):
        return BACKEND


def spec_for(clip, weights=None, **options):
    return Spec(
        backend="cosmos3",
        prompt=Prompt("a street"),
        clip=clip.digest,
        controls=controls(weights or {"depth": 1.0}),
        frames=clip.frames,
        fps=clip.fps,
        width=clip.width,
        height=clip.height,
        seed=5,
        options=attrs.asdict(framework.Transfer(**options)),
    )


def compiled(spec, clip):
    batch = Batch(
        id="b1",
        backend="cosmos3",
        load_key="",
        host="local",
        slot=0,
        attempt=1,
        fence=1,
        requests=(Request(run="r1", spec=spec, clip=clip),),
    )
    job = BACKEND.compile(batch, Slot(host="local", index=0, gpus=(0,), gpu="h200"))
    lines = {file.name: file for file in job.files}["batch.jsonl"].content
    return job, json.loads(lines)


def test_several_hints_go_into_one_spec_under_the_frameworks_names(street):
    """
    Our vis is its blur, a weight is a weight, and each control is a file named by its digest.
    """
    job, line = compiled(spec_for(street, {"depth": 0.5, "vis": 0.25, "edge": 0.25}), street)

    assert ("python3", "cosmos3.py", "1") == job.argv[:3]
    assert "--keep-going" in job.argv
    assert [0.5, 0.25, 0.25] == [line[key]["weight"] for key in ("depth", "blur", "edge")]
    assert {line[key]["control_path"] for key in ("depth", "blur", "edge")} == {
        each.name for each in job.inputs
    }
    assert (25, 25, 121) == (line["max_frames"], line["num_frames"], line["num_video_frames_per_chunk"])
    assert "vision_path" not in line


@pytest.mark.parametrize(
    ("weights", "guidance"),
    [({"seg": 1}, (3.0, 2.0)), ({"depth": 1}, (3.0, 1.5)), ({"depth": 1, "seg": 1}, (3.0, 1.5))],
)
def test_guidance_is_what_nvidia_tuned_and_always_said(street, weights, guidance):
    """
    With several hints the framework would fall back to values that were tuned for no transfer.
    """
    _, line = compiled(spec_for(street, weights), street)

    assert guidance == (line["guidance"], line["control_guidance"])


def test_the_first_frames_of_the_clip_can_begin_the_video(street):
    """
    Then the colour goes along as vision_path.
    """
    job, line = compiled(spec_for(street, num_first_chunk_conditional_frames=1), street)

    assert f"inputs/{street.file('color').sha256}.mp4" == line["vision_path"]
    assert 2 == len(job.inputs)


def test_a_rate_that_is_no_whole_number_is_refused(street):
    """
    23.976 would be saved as 23, and last four percent longer.
    """
    asked = attrs.evolve(spec_for(street), fps="24000/1001")
    found = [one.message for one in BACKEND.review(asked, street) if one.level is Level.FAIL]

    assert any("saved as 23" in sentence for sentence in found)


def test_the_size_is_that_of_the_tier_and_720_is_not_704(street):
    """
    Cosmos 3 makes 1280x720 where its forerunners made 1280x704; the crop is said.
    """
    clip = attrs.evolve(street, width=1280, height=704)
    expected = BACKEND.expect(spec_for(clip))
    warned = [one.message for one in BACKEND.review(spec_for(clip), clip) if one.level is Level.WARN]

    assert (1280, 720, 25) == (expected.width, expected.height, expected.frames)
    assert any("2% of the picture is cut off" in sentence for sentence in warned), warned


def test_a_load_is_estimated_by_what_is_read(street):
    """
    Nano in less than the four minutes that are guessed for others, Super in more.
    """
    nano, large = (
        BACKEND.load_seconds(spec_for(street, checkpoint=name), "h200")
        for name in ("Cosmos3-Nano", "Cosmos3-Super")
    )

    assert (168, 674) == (round(nano), round(large))


def test_kinds_of_gpu_that_cannot_are_named(street):
    """
    Super needs more than 80 GB on one card, and on sm 10.3 the framework's videos were invalid.
    """
    nano, large = (
        BACKEND.needs(spec_for(street, checkpoint=name)) for name in ("Cosmos3-Nano", "Cosmos3-Super")
    )

    assert "" == nano.against("h100_sxm")
    assert "128 GB" in large.against("h100_sxm")
    assert "invalid videos" in nano.against("b300")


@pytest.mark.parametrize(
    ("line", "run", "done"),
    [
        ("[x|INFO] Saved sample args to 'out/r1/sample_args.json'", "r1", 0),
        ("[x|SUCCESS] Saved transfer outputs to '/job/out/r1/sample_outputs.json'", "r1", 1),
    ],
)
def test_progress_is_where_a_sample_begins_and_ends(line, run, done):
    """
    In between the framework says nothing.
    """
    tick = BACKEND.progress(line)

    assert (run, done) == (tick.run, tick.done)


def ask(prompt, clip, seed=1, **options):
    return Ask(
        prompt=prompt,
        backend="cosmos3",
        clip=str(clip.folder),
        weights={"depth": 0.8, "edge": 0.2},
        seed=seed,
        options={"resolution": "256", **options},
    )


@pytest.mark.parametrize(
    ("prompt", "state", "said"),
    [
        ("a street", State.SEALED, ""),
        ("block", State.BLOCKED, "Guardrail blocked prompt"),
        ("skip", State.FAILED, "no such modality"),
        ("crash", State.FAILED, "NCCL error"),
        ("oom", State.FAILED, "out of memory"),
        ("echo-other", State.FAILED, "used seed 2 where 1 was sent"),
        ("no-video", State.FAILED, "left no vision.mp4"),
        ("truncated", State.REJECTED, ""),
    ],
)
def test_each_misbehaviour_has_its_own_ending(cosmos, framework, work, street, prompt, state, said):
    """
    The status the framework writes is heard, and where it writes none, its log.
    """
    (run,) = work(*cosmos.submit_many([ask(prompt, street)]))

    assert state == run.state, run.reason
    assert said in run.reason


def test_a_sample_that_is_refused_costs_its_batch_nothing(cosmos, framework, work, street):
    """
    With ``--keep-going`` the rest is made.
    """
    settings = cosmos.settings
    object.__setattr__(
        cosmos, "settings", attrs.evolve(settings, queue=attrs.evolve(settings.queue, batch=3))
    )
    runs = work(
        *cosmos.submit_many([ask("a street", street), ask("block", street, 2), ask("a square", street, 3)])
    )

    assert [State.SEALED, State.BLOCKED, State.SEALED] == [run.state for run in runs], [
        run.reason for run in runs
    ]


def test_a_transfer_is_never_said_to_be_guarded(cosmos, framework, work, street):
    """
    The framework loads its guardrails and runs none of them on a transfer.
    """
    (run,) = work(*cosmos.submit_many([ask("a street", street)]))
    (found,) = [
        one for one in cosmos.store.attempts(run.id)[-1].findings if one.check == "guardrail.effective"
    ]

    assert Level.WARN == found.level
