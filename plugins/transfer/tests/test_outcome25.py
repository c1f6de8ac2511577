"""How a sample of Transfer 2.5 ended, and how far it is: from files and logs of every shape."""

from __future__ import annotations

import json

import pytest
from cosmos_core_transfer.transfer25 import outcome, progress
from cosmos_core_transfer.transfer25.job import sample_of
from cosmos_core_transfer.transfer25.schema import as_mapping

from cosmos_core.extend import Exit, Outcome, Request, Tick


def line(text, *, level="INFO"):
    return f"[11-25 10:21:47|{level}|cosmos_transfer2/inference.py:150:generate] {text}"


PASSED = [
    line("Running guardrail check on prompt..."),
    line("Passed guardrail on prompt", level="SUCCESS"),
    line("Passed guardrail on negative prompt", level="SUCCESS"),
]
MADE = [
    line("edge control video saved to out/r1_control_edge.mp4"),
    line("Running guardrail check on video..."),
]
SEEN = line("Passed guardrail on generated video", level="SUCCESS")
DIED = ["Traceback (most recent call last):", '  File "inference.py", line 9, in <module>', "    main(args)"]


@pytest.fixture
def ended(tmp_path, ask, street):
    """``ended(log lines, "json", "mp4", …)``: the outcome of run r1 of a folder with these files."""
    request = Request(run="r1", spec=ask("transfer2.5", edge=1), clip=street)

    def _ended(log, *files, code=0, stopped="", oom=False, echo=None):
        out = tmp_path / "out"
        out.mkdir(exist_ok=True)
        (tmp_path / "log.txt").write_text("\n".join(log))
        for name in files:
            (out / name).write_text("x")
        if "r1.json" in files:
            said = as_mapping(sample_of("r1", request.spec, street)) | (echo or {})
            (out / "r1.json").write_text(json.dumps(said))
        return outcome(tmp_path, request, Exit(code=code, stopped=stopped, oom=oom))

    return _ended


FIRST = line("[1/2] Processing sample r1")
NEXT = line("[2/2] Processing sample r2")
ALL = ("r1.json", "r1_control_edge.mp4", "r1.mp4", "r1.txt")


def test_a_marked_video_is_done_and_its_guardrail_proved(ended):
    """
    Video and marker are there, and the log says that the safety models passed both.
    """
    found = ended([FIRST, *PASSED, *MADE, SEEN], *ALL)

    assert (Outcome.DONE, "on", "r1.mp4") == (found.outcome, found.guardrail, found.file.name)


@pytest.mark.parametrize(
    "log",
    [
        [FIRST],
        [FIRST, line("Guardrail checks on prompt are disabled", level="WARNING")],
        [FIRST, *PASSED, line("No safety models found, returning safe", level="WARNING"), *MADE, SEEN],
        [FIRST, *PASSED, *MADE, NEXT, SEEN],
    ],
)
def test_a_guardrail_that_is_not_proved_is_off(ended, log):
    """
    Asked for is not proved: no line, a model that was not loaded, or another sample's line is no proof.
    """
    assert "off" == ended(log, *ALL).guardrail


def test_a_video_without_its_marker_was_cut_off(ended):
    """
    The ``.txt`` comes last; without it the program died in the middle.
    """
    found = ended([FIRST], "r1.json", "r1.mp4", code=137)

    assert (Outcome.FAILED, True) == (found.outcome, "r1.txt is missing" in found.reason)


@pytest.mark.parametrize(
    ("echo", "said"),
    [
        ({"guidance": 7}, "guidance was 7, not 3"),
        ({"seed": 2025}, "seed was 2025, not 7"),
        ({"prompt": "another"}, 'prompt was "another"'),
        ({"edge": {"control_weight": 0.0}}, "edge was"),
        ({"video_path": "/x/inputs/other.mp4"}, "video_path was"),
    ],
)
def test_a_program_that_did_something_else_has_failed(ended, echo, said):
    """
    Its echo of the arguments is compared with what was sent: an override, a stale file, a lost weight.
    """
    found = ended([FIRST], *ALL, echo=echo)

    assert Outcome.FAILED == found.outcome
    assert said in found.reason


def test_an_echo_with_absolute_paths_is_the_same(ended, street):
    """
    The program makes paths absolute and writes nulls; the digest in a name says that it is the file.
    """
    color = f"/hosts/x/inputs/{street.file('color').sha256}.mp4"

    assert Outcome.DONE == ended([FIRST], *ALL, echo={"video_path": color, "max_frames": None}).outcome


@pytest.mark.parametrize(
    ("log", "files", "code", "said"),
    [
        (
            [
                line("GUARDRAIL BLOCKED: BLOCKLIST: a word.", level="CRITICAL"),
                line("Guardrail blocked generation. Prompt: a gun", level="CRITICAL"),
            ],
            (),
            0,
            'refused the prompt: BLOCKLIST: a word; it was: "a gun"',
        ),
        (
            [line("Guardrail blocked generation. Negative prompt: a gun", level="CRITICAL")],
            (),
            0,
            "refused the negative prompt",
        ),
        (
            [*PASSED, *MADE, line("GUARDRAIL BLOCKED: VIDEO: unsafe.", level="CRITICAL")],
            ("r1_control_edge.mp4",),
            0,
            "refused the generated video: VIDEO: unsafe",
        ),
        # Only the console's log came home: it has no line for a refused video.
        (
            [*PASSED, *MADE],
            ("r1_control_edge.mp4",),
            0,
            "refused the generated video; the console says nothing",
        ),
        (
            [*PASSED, *MADE, NEXT, *DIED, "RuntimeError: CUDA error"],
            ("r1_control_edge.mp4",),
            1,
            "refused the gen",
        ),
    ],
)
def test_a_refused_sample_is_blocked(ended, log, files, code, said):
    """
    A refusal ends with 0 and leaves no video; its own words say which it was and why.
    """
    found = ended([FIRST, *log], "r1.json", *files, code=code)

    assert Outcome.BLOCKED == found.outcome
    assert said in found.reason


@pytest.mark.parametrize(
    ("log", "exit_", "said"),
    [
        (
            [*DIED, "RuntimeError: CUDA error: illegal memory"],
            {"code": 1},
            "died of it: RuntimeError: CUDA error",
        ),
        (
            [*DIED, "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB"],
            {"code": 1},
            "the GPU's memory is full",
        ),
        ([], {"code": 137, "oom": True}, "the GPU's memory is full"),
        ([], {"code": 143, "stopped": "quiet"}, "stopped (quiet)"),
        ([], {"code": 0}, "exit code 0, and left neither a video nor a reason"),
    ],
)
def test_a_sample_that_the_program_died_of_has_failed(ended, log, exit_, said):
    """
    The reason is the last line of the traceback, or why it was ended.
    """
    found = ended([FIRST, *log], "r1.json", **exit_)

    assert Outcome.FAILED == found.outcome
    assert said in found.reason


@pytest.mark.parametrize(
    ("log", "code", "outcome_", "said"),
    [
        (
            [line("[1/2] Processing sample r2"), *DIED, "RuntimeError: x"],
            1,
            Outcome.MISSING,
            "RuntimeError: x",
        ),
        (
            ["Parsing error: Unrecognized options: --fps"],
            2,
            Outcome.MISSING,
            "did not understand its command line",
        ),
        (
            [
                "Error validating parameters from '/j/specs/r1.json' at line 0",
                "guidance",
                "  Input should be 7",
            ],
            1,
            Outcome.FAILED,
            "refused the spec file: guidance",
        ),
        (
            ["Error validating parameters from '/j/specs/r2.json' at line 0"],
            1,
            Outcome.MISSING,
            "refused the spec of r2, and ran nothing",
        ),
        ([], 0, Outcome.MISSING, "before it came to this sample"),
    ],
)
def test_a_sample_that_was_never_begun_is_missing(ended, log, code, outcome_, said):
    """
    It is made in another job, but for the one whose spec the program refused.
    """
    found = ended(log, code=code)

    assert outcome_ == found.outcome
    assert said in found.reason


@pytest.mark.parametrize(
    ("text", "tick"),
    [
        (line("[3/8] Processing sample r7"), Tick(run="r7", note="started")),
        (line("Generating chunk 2/3"), Tick(done=1, total=3, note="passes")),
        (
            line("Generated video saved to /j/out/r7.mp4", level="SUCCESS"),
            Tick(run="r7", done=1, total=1, note="saved"),
        ),
        (
            "Generating samples:  43%|████▎     | 15/35 [01:02<01:22,  4.1s/it]",
            Tick(done=15, total=35, note="steps", inner=True),
        ),
        ("[3/8] Processing sample r7", None),
        (line("Saved arguments to out/r7.json"), None),
    ],
)
def test_progress_is_read_from_both_channels(text, tick):
    """
    Samples are named once, then passes are counted, and bars count the steps of a pass.
    """
    assert tick == progress(text)
