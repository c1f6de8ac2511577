"""GPUs that fit, how long a pass takes there, what a host must have, and how a program is entered."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cosmos_core_transfer import cosmos_backends, launching, profiles
from cosmos_core_transfer.preflight import check_transfer1, check_transfer25, check_upscaler
from cosmos_core_transfer.transfer1.options import Transfer1Options, UpscaleOptions
from cosmos_core_transfer.transfer25 import needs, seconds
from cosmos_core_transfer.transfer25.options import TransferOptions

from cosmos_core.extend import Host, Ran


def test_every_number_names_a_source_that_is_listed():
    """
    No figure without an origin, and none whose origin nobody can look up.
    """
    table = profiles.table()
    named = {source for gpu in table["gpus"] for source in gpu["source"].values()}
    named |= {row["source"] for backend in table["timing"].values() for row in backend["rows"]}
    named |= {each["source"] for part in ("peak_vram_gb", "load") for each in table[part].values()}

    assert set() == named - table["sources"].keys()
    assert {row.gpu for row in profiles.timings("transfer2.5")} <= profiles.gpus().keys()


@pytest.mark.parametrize(
    ("kind", "build", "said"),
    [
        ("h200", "cu128", ""),
        ("h100", "cu128", ""),
        ("b300", "nightly", ""),
        ("b200", "nightly", ""),
        ("b300", "cu128", "sm_103"),
        ("b200", "cu128", "sm_100"),
        ("rtx_4090", "cu128", "24 GB and the model needs 65.4"),
        ("l40s", "nightly", "context parallelism does not split weights"),
    ],
)
def test_a_gpu_fits_by_memory_architecture_and_build(ask, kind, build, said):
    """
    Too little memory, or no kernels in the chosen build, is a reason that the planner tells.
    """
    why = needs(ask("transfer2.5", edge=1, build=build)).against(kind)

    assert bool(said) == bool(why)
    assert said in why


@pytest.mark.parametrize(
    ("options", "host", "said"),
    [
        ({}, "", "sm_103"),
        ({}, "transfer:nightly", ""),
        # Then it is not the host's image that jobs run in.
        ({"image": "mine:1"}, "transfer:nightly", "sm_103"),
        ({"image": "mine:1", "build": "nightly"}, "", ""),
    ],
)
def test_a_host_can_say_that_it_has_the_newer_build(ask, options, host, said):
    """
    For a fleet of both kinds: one build is chosen for all jobs, and a host of Blackwell has another.
    """
    why = needs(ask("transfer2.5", edge=1, **options)).against("b300", host)

    assert bool(said) == bool(why)
    assert said in why


def test_no_host_says_away_that_there_is_too_little_memory(ask):
    """
    Its build is another matter.
    """
    small = needs(ask("transfer2.5", edge=1)).against("l40s", "nightly")

    assert "48 GB and the model needs 65.4" in small


@pytest.mark.parametrize(
    ("options", "gpu", "wanted"),
    [
        ({"edge": 1}, "b300", 415.5),
        ({"edge": 1}, "h200_nvl", 374.4),
        ({"seg": 1}, "b200", 92.25),
        ({"edge": 1, "gpus": 8}, "b200", 41.8),
        ({"edge": 1, "gpus": 2}, "b200", 179.7),
        ({"edge": 1, "distilled": True}, "b200", 24.2),
        ({"edge": 1, "num_steps": 70}, "b200", 2 * 179.7),
        ({"depth": 1}, "h200", 374.4),
        ({"edge": 1}, "", 502.6),
        ({"edge": 1}, "a toaster", 502.6),
    ],
)
def test_a_prediction_is_the_published_row(ask, options, gpu, wanted):
    """
    Of that GPU, or of its nearest kin; what more GPUs would gain beyond a row is not promised.
    """
    assert wanted == pytest.approx(seconds(ask("transfer2.5", **options), gpu))


def test_passes_multiply_the_prediction(ask):
    """
    121 frames cost two passes, twice as much as 93.
    """
    assert 2 == seconds(ask("transfer2.5", edge=1, frames=121), "b200") / seconds(
        ask("transfer2.5", edge=1, frames=93), "b200"
    )


@pytest.mark.parametrize(
    ("backend", "controls", "wanted"),
    [
        ("transfer2.5", {"edge": 1}, 132),
        ("transfer2.5", {"edge": 0.5, "vis": 0.5}, 226),
        ("transfer1", {"edge": 1}, 432),
        ("transfer1", {"edge": 0.5, "vis": 0.5}, 453),
        ("transfer1-upscale", {}, 432),
    ],
)
def test_a_load_is_what_is_read_by_the_rate_that_was_measured(ask, backend, controls, wanted):
    """
    Two controls of Transfer 2.5 load the branches of all four; Transfer 1 loads those that are asked for.
    """
    offer = next(each for each in cosmos_backends() if each.name == backend)

    assert wanted == round(offer.load_seconds(ask(backend, **controls), "h200"))


class Shell:
    """Answers short commands from a table, by the command's name; what is not there fails."""

    def __init__(self, **answers):
        self.answers = answers

    def run(self, argv, *, stdin=b"", timeout=60.0):
        answer = self.answers.get(argv[0].replace("-", "_"))
        if callable(answer):
            answer = answer(argv)
        return Ran(code=1, err=b"not found") if answer is None else Ran(code=0, out=answer)


GOOD_SMI = b"NVIDIA H200, 143771, 143000, 9.0, 575.57.08\n"
REPOSITORIES = (
    "Cosmos-Transfer2.5-2B/snapshots/a/general/edge/e.pt",
    "Cosmos-Transfer2.5-2B/snapshots/a/general/blur/e.pt",
    "Cosmos-Transfer2.5-2B/snapshots/a/general/depth/e.pt",
    "Cosmos-Transfer2.5-2B/snapshots/a/general/seg/e.pt",
    "Cosmos-Predict2.5-2B/snapshots/a/tokenizer.pth",
    "Cosmos-Reason1-7B/snapshots/a/model.safetensors",
    "Cosmos-Guardrail1/snapshots/a/x.pt",
)
CACHE = "\n".join(f"hub/models--nvidia--{name}" for name in REPOSITORIES).encode()
READY = {"nvidia_smi": GOOD_SMI, "head": b"# script", "sh": CACHE}
GPU_HOST = Host(name="gpu1", gpus=1, gpu="h200")


def levels(findings):
    return {finding.level.value for finding in findings}


def test_a_ready_host_is_well():
    """
    GPU, driver, checkout and every checkpoint are there.
    """
    assert {"ok"} == levels(check_transfer25(Shell(**READY), GPU_HOST, TransferOptions()))


def test_a_host_without_gpus_is_not_asked():
    """
    Nothing is missing where nothing is meant to run.
    """
    assert [] == list(check_transfer25(Shell(), Host(name="local"), TransferOptions()))


@pytest.mark.parametrize(
    ("change", "options", "level", "said"),
    [
        ({"nvidia_smi": None}, {}, "fail", "nvidia-smi does not answer"),
        (
            {"nvidia_smi": b"NVIDIA L40S, 46068, 45000, 8.9, 575.57.08"},
            {},
            "fail",
            "48 GB, and the model takes 65.4",
        ),
        ({"nvidia_smi": b"NVIDIA H100, 81559, 20000, 9.0, 575.57.08"}, {}, "fail", "21 of 86 GB are free"),
        ({"nvidia_smi": b"NVIDIA H200, 143771, 143000, 9.0, 550.54.14"}, {}, "fail", "driver 550.54.14"),
        ({"nvidia_smi": b"NVIDIA B300, 275040, 275000, 10.3, 580.1"}, {}, "fail", "sm_103"),
        ({"nvidia_smi": b"NVIDIA B300, 275040, 275000, 10.3, 580.1"}, {"build": "nightly"}, "ok", "free"),
        ({"head": None}, {}, "fail", "there is no /workspace/examples/inference.py"),
        ({"head": b"version https://git-lfs.github.com/spec/v1"}, {}, "fail", "Git LFS pointer"),
        ({}, {"image": "x:1"}, "fail", "there is no image x:1"),
        ({"docker": b"sha256:1"}, {"image": "x:1"}, "ok", "image x:1"),
        ({"sh": b""}, {}, "fail", "neither is a token"),
        (
            {"sh": b"token"},
            {},
            "warn",
            "accept its licence at https://huggingface.co/nvidia/Cosmos-Guardrail1",
        ),
    ],
)
def test_what_is_missing_on_a_host_is_told(change, options, level, said):
    """
    Each answer says what is wrong with the value that was found, and what to do.
    """
    answers = {name: value for name, value in (READY | change).items() if value is not None}
    found = list(check_transfer25(Shell(**answers), GPU_HOST, TransferOptions(**options)))

    assert any(said in each.message for each in found if each.level.value == level), found


def test_a_container_without_the_checkout_is_told():
    """
    NVIDIA's images hold what the program needs, not the program.
    """
    bare = Host(name="gpu1", gpus=1, transport="docker", options={"image": "x:1"})
    full = Host(name="gpu1", gpus=1, transport="docker", options={"mounts": ["/src:/workspace"]})

    assert {"ok", "warn"} == levels(check_transfer25(Shell(**READY), bare, TransferOptions()))
    assert {"ok"} == levels(check_transfer25(Shell(**READY), full, TransferOptions()))


def test_transfer1_is_looked_for_file_by_file():
    """
    Its download prints errors and exits with 0, so the weights themselves are measured.
    """
    whole = Shell(**READY, du=b"9000000000\tx")
    stub = Shell(**READY, du=b"134\tx")

    assert {"ok"} == levels(check_transfer1(whole, GPU_HOST, Transfer1Options()))
    assert any(
        "only 134 bytes" in each.message for each in check_transfer1(stub, GPU_HOST, Transfer1Options())
    )


def test_an_old_version_breaks_the_upscaler():
    """
    Without the fix of pull request 138 it dies of an index of 32 bits.
    """
    fixed = b'log.info("Setting batch_size=1 as upscale does not support batch generation")'
    found = [
        levels(check_upscaler(Shell(du=b"9000000000\tx", cat=text), GPU_HOST, UpscaleOptions()))
        for text in (fixed, b"import torch")
    ]

    assert [{"ok"}, {"ok", "fail"}] == found


@pytest.fixture
def enter(tmp_path):
    """Run ``enter.py`` of a job's folder with words."""
    job = tmp_path / "job"
    job.mkdir()
    (job / launching.ENTER).write_bytes(launching.enter_file().content)

    def _enter(*words, **env):
        return subprocess.run(
            [sys.executable, launching.ENTER, *map(str, words)],
            cwd=job,
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", **env},
        )

    return _enter


def test_a_program_is_entered_in_its_checkout(enter, tmp_path):
    """
    It runs there, knows its job by an absolute path, has temporary files of its own, and no foreign PYTHONPATH.
    """
    say = "import os; print(os.getcwd(), os.environ['TMPDIR'], os.environ.get('PYTHONPATH'), os.sys.argv[1])"
    done = enter(tmp_path, "-PYTHONPATH", "--", sys.executable, "-c", say, "{job}/out", PYTHONPATH="/x")

    assert f"{tmp_path} {tmp_path}/job/tmp None {tmp_path}/job/out" == done.stdout.strip()


def test_paths_in_lines_are_made_absolute_and_prompts_are_left(enter, tmp_path):
    """
    Only texts that begin as an input's path are changed, however often the file is filled.
    """
    lines = tmp_path / "job" / "jobs.jsonl"
    lines.write_text('{"prompt": "see {job}/inputs/a", "visual_input": "{job}/inputs/a.mp4"}\n')
    for _ in range(2):
        assert 0 == enter(tmp_path, "PYTHONPATH={repo}", "+jobs.jsonl", "--", "true").returncode

    assert (
        f'"prompt": "see {{job}}/inputs/a", "visual_input": "{tmp_path}/job/inputs/a.mp4"'
        in lines.read_text()
    )


@pytest.mark.parametrize(
    ("folder", "program", "said"),
    [("gone", "true", "there is no checkout at"), (".", "no-such-program", "cannot run no-such-program")],
)
def test_what_cannot_be_entered_says_so(enter, tmp_path, folder, program, said):
    """
    A missing checkout or program is one sentence and exit code 127.
    """
    done = enter(tmp_path / folder, "--", program)

    assert 127 == done.returncode
    assert said in done.stderr
