"""Requests for Transfer 2.5 through the whole path, with the stand-in as a real process: none is sealed falsely."""

from __future__ import annotations

import subprocess
import sys

import pytest

from cosmos_core.errors import Level, RefusedError
from cosmos_core.run import State
from cosmos_core.submission import Ask


def asks(street, *prompts, **more):
    """One request a prompt, with edge and depth."""
    given = {"backend": "transfer2.5", "clip": str(street.folder), "weights": {"edge": 1.0, "depth": 0.5}}
    return [Ask(prompt=prompt, seed=seed, **(given | more)) for seed, prompt in enumerate(prompts, 1)]


def ends(cosmos, runs):
    return {run.spec.prompt.text: cosmos.store.run(run.id) for run in runs}


# (prompt, state, a part of the reason)
ENDS = [
    ("a street in fog", State.SEALED, ""),
    ("block-prompt", State.BLOCKED, "refused the prompt: BLOCKLIST: a word of the list"),
    ("block-video", State.BLOCKED, "refused the generated video: VIDEOCONTENTSAFETYFILTER: unsafe frame"),
    ("pointer", State.REJECTED, "pointer"),
    ("cut", State.REJECTED, ""),
    ("other-guidance", State.FAILED, "guidance was 4, not 3"),
    ("crash", State.FAILED, "RuntimeError: CUDA error"),
    ("a street at dusk", State.SEALED, ""),
    ("oom", State.FAILED, "the GPU's memory is full"),
    ("a street in snow", State.SEALED, ""),
]


def test_every_sample_of_a_mixed_batch_has_its_own_end(workspace, work, street):
    """
    One job with every misbehaviour: what is good is sealed, also behind a crash, and nothing else is.
    """
    cosmos = workspace()
    runs = cosmos.submit_many(asks(street, *(prompt for prompt, _, _ in ENDS)))
    work(cosmos)
    found = ends(cosmos, runs)

    assert {prompt: state for prompt, state, _ in ENDS} == {
        prompt: run.state for prompt, run in found.items()
    }
    for prompt, _, said in ENDS:
        assert said in found[prompt].reason
    assert 3 == len({run.batch for run in found.values()})
    made = found["a street in fog"].artifact
    assert (8, 24, 64, 48) == (made.frames, made.fps, made.width, made.height)


def test_equal_bytes_under_two_requests_are_not_sealed_twice(workspace, work, street):
    """
    A program that makes one video whatever it is asked is found out by its bytes.
    """
    cosmos = workspace()
    runs = cosmos.submit_many(asks(street, "same-bytes in fog", "same-bytes in snow"))
    work(cosmos)
    states = sorted(run.state for run in ends(cosmos, runs).values())

    assert [State.REJECTED, State.SEALED] == states


def test_a_missing_safety_model_does_not_pass_silently(workspace, work, street):
    """
    "No safety models found" is told with the artifact.
    """
    cosmos = workspace()
    (run,) = cosmos.submit_many(asks(street, "unguarded"))
    work(cosmos)
    run = cosmos.store.run(run.id)
    (attempt,) = cosmos.store.attempts(run.id)

    assert State.SEALED == run.state
    assert any("without an effective guardrail" in finding.message for finding in attempt.findings)


def test_a_hung_program_is_stopped_and_said_so(workspace, work, street):
    """
    Without a line for its quiet time a job is ended; the sample it hung on fails with the reason.
    """
    cosmos = workspace()
    (run,) = cosmos.submit_many(asks(street, "hang", options={"quiet": 2}))
    work(cosmos)

    assert (State.FAILED, True) == (
        cosmos.store.run(run.id).state,
        "no sign of progress" in cosmos.store.run(run.id).reason,
    )


def test_a_sample_is_sealed_while_another_hangs(workspace, work, street, monkeypatch):
    """
    Its files and the log so far are enough: video, marker, echo, and that safety models looked at it.
    """
    monkeypatch.setattr("cosmos_core.dispatch.HARVEST", 0.2)
    cosmos = workspace()
    first, hung, *_ = cosmos.submit_many(
        asks(street, "a street in fog", "hang", "a street at dusk", "a street in snow", options={"quiet": 6})
    )
    heard = []
    real = cosmos.plugins.tell
    monkeypatch.setattr(
        cosmos.plugins,
        "tell",
        lambda hook, **facts: (heard.append((facts["run"].id, str(facts["run"].state))), real(hook, **facts)),
    )
    work(cosmos)
    sealed = cosmos.store.run(first.id)

    assert heard.index((first.id, "sealed")) < heard.index((hung.id, "failed"))
    assert sealed.batch == cosmos.store.run(hung.id).batch
    said = {found.check: found.level for found in cosmos.store.attempts(first.id)[-1].findings}
    assert Level.OK == said["guardrail.effective"]


def test_several_gpus_run_under_torchrun(workspace, work, street):
    """
    The command line that compiles for two GPUs is one that starts.
    """
    cosmos = workspace(gpus=2)
    (run,) = cosmos.submit_many(asks(street, "a street in fog", options={"gpus": 2}))
    work(cosmos)

    assert State.SEALED == cosmos.store.run(run.id).state, cosmos.store.run(run.id).reason


def test_a_distilled_request_runs(workspace, work, street):
    """
    Its variable is set, so that the model is a choice at all.
    """
    cosmos = workspace()
    (run,) = cosmos.submit_many(
        asks(street, "a street in fog", weights={"edge": 1.0}, options={"distilled": True})
    )
    work(cosmos)

    assert State.SEALED == cosmos.store.run(run.id).state, cosmos.store.run(run.id).reason


def test_a_picture_is_made_and_sealed(workspace, work, street):
    """
    One frame comes as a .jpg, which is what was planned.
    """
    cosmos = workspace()
    (run,) = cosmos.submit_many(asks(street, "a street in fog", frames=1))
    work(cosmos)
    run = cosmos.store.run(run.id)

    assert State.SEALED == run.state, run.reason
    assert ".jpg" == run.artifact.path.suffix


def test_a_gpu_without_kernels_is_never_used(workspace, street):
    """
    A B300 with the standard build waits, and says why; with the nightly build it is placed.
    """
    cosmos = workspace(gpu="b300")
    (run,) = cosmos.submit_many(asks(street, "a street in fog"))
    from cosmos_core.plan import arrange

    slots = [slot for host in cosmos.settings.each_host() for slot in host.each_slot()]
    plan = arrange(cosmos.store.waiting(), slots)

    assert [run.id] == [run for run, _ in plan.unplaced]
    assert "sm_103" in plan.unplaced[0][1]
    cosmos.submit_many(asks(street, "a street in snow", options={"build": "nightly", "image": "x:nightly"}))
    assert 1 == len(arrange(cosmos.store.waiting(), slots).batches)


def test_what_the_model_gets_wrong_is_refused_before_a_gpu_is_touched(workspace, street):
    """
    A submission with such a request queues nothing and shows every finding.
    """
    cosmos = workspace()
    with pytest.raises(RefusedError) as caught:
        cosmos.submit_many(
            asks(street, "a street", options={"seg_control_prompt": "car", "preset_blur_strength": "low"})
        )

    assert 2 == len(
        [finding for finding in caught.value.findings if "would have no effect" in finding.message]
    )
    assert () == cosmos.store.waiting()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["-i", "{a}", "{b}", "-o", "out"], 0),
        (["-i", "{a}", "-i", "{b}", "-o", "out"], 0),
        (["-i", "{a}", "-o", "out", "--disable-guardrails", "True"], 2),
        (["-i", "{a}", "-o", "out", "--fps", "24"], 2),
        (["-i", "{a}", "-o", "out", "--model", "edge/distilled"], 2),
        (["-i", "{a}", "-o", "out", "--show-input"], 2),
        (["-i", "{bad}", "-o", "out"], 1),
        (["-i", "{a}", "{a}", "-o", "out"], 1),
        (["-i", "{typo}", "-o", "out"], 0),
    ],
)
def test_the_stand_in_misbehaves_as_the_original(checkout, street, tmp_path, words, code):
    """
    Exit codes of the original: 0 also for half of it, 1 for a bad spec and nothing runs, 2 for its command line.
    """
    good = '{{"name": "{0}", "prompt": "p", "video_path": "{1}", "edge": {2}}}'
    video = street.path("color")
    weight = '{"control_weight": 1}'
    for name, block in {"a": weight, "b": weight, "typo": '{"contol_weight": 0}'}.items():
        (tmp_path / f"{name}.json").write_text(good.format(name, video, block))
    (tmp_path / "bad.json").write_text('{"name": "bad", "prompt": "p", "video_path": "x.mp4", "edge": {}}')
    paths = {name: str(tmp_path / f"{name}.json") for name in ("a", "b", "bad", "typo")}
    done = subprocess.run(
        [sys.executable, str(checkout / "examples/inference.py"), *(word.format(**paths) for word in words)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert code == done.returncode, done.stderr
    if words[2:3] == ["-i"]:
        assert ["b.mp4"] == [path.name for path in (tmp_path / "out").glob("?.mp4")]
