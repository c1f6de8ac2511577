"""Requests for Transfer 1 through the whole path, with the stand-in as a real process."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from cosmos_core_transfer.transfer1 import outcome, progress

from cosmos_core.extend import Exit, Outcome, Request, Tick
from cosmos_core.run import State
from cosmos_core.submission import Ask


def asks(street, *prompts, **more):
    """One request a prompt, all of one seed, so that they share a process."""
    given = {
        "backend": "transfer1",
        "clip": str(street.folder),
        "weights": {"edge": 0.6, "depth": 0.4},
        "seed": 7,
    }
    return [Ask(prompt=prompt, **(given | more)) for prompt in prompts]


ENDS = [
    ("a street in fog", State.SEALED, ""),
    ("pointer", State.REJECTED, "pointer"),
    ("block-prompt", State.BLOCKED, "refused the prompt: BLOCKLIST"),
    ("a street at dusk", State.SEALED, ""),
    ("block-video", State.BLOCKED, "refused the generated video: VIDEOCONTENTSAFETYFILTER"),
    ("crash", State.FAILED, "RuntimeError: CUDA error"),
    ("unmarked", State.FAILED, "prompt.txt is missing"),
    ("a street in snow", State.SEALED, ""),
]


def test_every_item_of_a_mixed_batch_has_its_own_end(workspace, work, street):
    """
    Each refusal kills the program; those behind it are made in another job, and nothing false is sealed.
    """
    cosmos = workspace()
    runs = cosmos.submit_many(asks(street, *(prompt for prompt, _, _ in ENDS)))
    # Each death costs the items behind it an attempt.
    for _ in range(4):
        work(cosmos)
        lost = [
            run.id
            for run in map(cosmos.store.run, (run.id for run in runs))
            if "before it came" in run.reason
        ]
        for run in lost:
            cosmos.store.retry(run)
    found = {run.spec.prompt.text: cosmos.store.run(run.id) for run in runs}

    assert {prompt: state for prompt, state, _ in ENDS} == {
        prompt: run.state for prompt, run in found.items()
    }
    for prompt, _, said in ENDS:
        assert said in found[prompt].reason
    made = found["a street in snow"].artifact
    assert (8, 24, 960, 704) == (made.frames, made.fps, made.width, made.height)


def test_the_upscaler_makes_it_three_times_as_large(workspace, work, street):
    """
    One run, one process, the bucket times three.
    """
    cosmos = workspace()
    (run,) = cosmos.submit_many(asks(street, "a street", backend="transfer1-upscale", weights={}))
    work(cosmos)
    run = cosmos.store.run(run.id)

    assert State.SEALED == run.state, run.reason
    assert (2880, 2112) == (run.artifact.width, run.artifact.height)


def _program(checkout, folder, *words):
    script = checkout / "cosmos_transfer1/diffusion/inference/transfer.py"
    return subprocess.run(
        [sys.executable, str(script), *words], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def files(tmp_path, street):
    """A spec and a batch of three, the first of which is refused."""
    video = str(street.path("color"))
    (tmp_path / "spec.json").write_text(
        json.dumps({"input_video_path": video, "edge": {"control_weight": 1.0}, "fps": 12})
    )
    lines = [
        {
            "run": f"r{index}",
            "prompt": prompt,
            "visual_input": video,
            "control_overrides": {"edge": {"control_weight": 0.1 * index}},
        }
        for index, prompt in enumerate(("block-prompt", "a street", "a square"))
    ]
    (tmp_path / "jobs.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return tmp_path


def test_a_partly_refused_micro_batch_is_renumbered_and_found_out(checkout, files, ask, street):
    """
    With a batch size above 1 the survivors lie in other runs' folders; the prompt beside them tells.
    """
    done = _program(
        checkout,
        files,
        *("--controlnet_specs", "spec.json", "--batch_input_path", "jobs.jsonl", "--batch_size", "3"),
        *("--video_save_folder", "out/of-3"),
    )
    (files / "log.txt").write_text(done.stdout + done.stderr)
    first = Request(run="r0", spec=ask("transfer1", edge=1, prompt="block-prompt"), clip=street)
    found = outcome(files, first, Exit(code=0))

    assert 0 == done.returncode
    assert "a street" == (files / "out/of-3/video_0/prompt.txt").read_text()
    assert Outcome.FAILED == found.outcome
    assert "another run's video" in found.reason


def test_a_wholly_refused_micro_batch_kills_the_program(checkout, files, ask, street):
    """
    It unpacks None, and what is behind it is lost.
    """
    done = _program(
        checkout,
        files,
        *("--controlnet_specs", "spec.json", "--batch_input_path", "jobs.jsonl", "--batch_size", "1"),
        *("--video_save_folder", "out/of-3"),
    )
    (files / "log.txt").write_text(done.stdout + done.stderr)
    requests = [
        Request(run=f"r{index}", spec=ask("transfer1", edge=1, prompt=prompt), clip=street)
        for index, prompt in enumerate(("block-prompt", "a street"))
    ]

    assert 1 == done.returncode
    assert [Outcome.BLOCKED, Outcome.MISSING] == [
        outcome(files, each, Exit(code=1)).outcome for each in requests
    ]


@pytest.mark.parametrize(("words", "fps"), [(("--fps", "30"), 30), (("--fps=30",), 12)])
def test_a_value_joined_by_a_sign_loses_to_the_file(checkout, files, words, fps):
    """
    The program looks for the word ``--fps``; ``--fps=30`` is not it, and the file's 12 wins.
    """
    from cosmos_core.media import probe

    done = _program(checkout, files, "--controlnet_specs", "spec.json", "--video_save_folder", "out", *words)

    assert 0 == done.returncode, done.stderr
    assert fps == probe(files / "out/output.mp4").fps


def line(text):
    return f"[11-25 10:21:47|INFO|cosmos_transfer1/x.py:1:f] {text}"


@pytest.mark.parametrize(
    ("text", "tick"),
    [
        (line("Saved video to /j/out/of-4/video_2/output.mp4"), Tick(done=3, total=4, note="saved")),
        (" 33%|###  | 1/3 [00:10<00:20, 10.0s/it]", Tick(done=1, total=3, note="clips", inner=True)),
        (line("running preprocessor"), None),
        ("Saved video to out/of-4/video_2/output.mp4", None),
    ],
)
def test_progress_counts_saved_videos_and_clips(text, tick):
    """
    The program names no item, so the folder's name tells of how many.
    """
    assert tick == progress(text)
