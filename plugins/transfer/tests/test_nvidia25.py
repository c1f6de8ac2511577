"""Our spec files and command lines, as NVIDIA's own models and command line read them. Optional.

``COSMOS_TRANSFER25_REPO`` names a checkout of nvidia-cosmos/cosmos-transfer2.5, ``COSMOS_TRANSFER25_PYTHON`` a Python
with pydantic 2.12, tyro 0.9.35, pyyaml and loguru (``pip install pydantic==2.12.2 tyro==0.9.35 pyyaml loguru``). No GPU
and no torch are needed, and nothing of NVIDIA's is kept.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from cosmos_core_transfer.transfer25.job import compile_job, inputs_of, load_key
from cosmos_core_transfer.transfer25.outcome import differences
from cosmos_core_transfer.transfer25.schema import CONTROLS
from cosmos_core_transfer.transfer25.spec_files import read_file, write_json, write_jsonl

from cosmos_core.extend import Batch, Prompt, Request, Slot

DATA = Path(__file__).parent / "data" / "transfer25"
FILES = sorted(path for path in DATA.rglob("*") if path.suffix in {".json", ".jsonl"})
REPO = os.environ.get("COSMOS_TRANSFER25_REPO", "")
PYTHON = os.environ.get("COSMOS_TRANSFER25_PYTHON", sys.executable)

pytestmark = pytest.mark.skipif(
    not REPO,
    reason="NVIDIA's own models are not asked: COSMOS_TRANSFER25_REPO names no checkout of cosmos-transfer2.5",
)


def ask_nvidia(folder, question, **env):
    """What NVIDIA's models say; the code and the words when they exit."""
    done = subprocess.run(
        [PYTHON, str(Path(__file__).with_name("nvidia25.py")), REPO],
        input=json.dumps(question),
        cwd=folder,
        env=os.environ | env,
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("ANSWER")]
    return json.loads(lines[-1].removeprefix("ANSWER")) if lines else (done.returncode, done.stderr)


def _with_media(folder):
    """The published files, with stand-ins for the media and the prompts that they name."""
    shutil.copytree(DATA, folder, dirs_exist_ok=True)
    for path in FILES:
        for each in read_file(folder / path.relative_to(DATA)):
            blocks = each.sample.controls.values()
            names = [
                each.sample.video_path,
                each.sample.prompt_path,
                *(block.control_path for block in blocks),
            ]
            for name in filter(None, names):
                target = each.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text("a street")
    return folder


def test_published_specs_mean_the_same_after_us(tmp_path):
    """
    NVIDIA's models load each published file, and what we write of it, into equal samples.
    """
    folder = _with_media(tmp_path / "assets")
    for path in FILES:
        theirs = folder / path.relative_to(DATA)
        samples = [each.sample for each in read_file(theirs)]
        ours = theirs.with_name(f"ours{theirs.suffix}")
        ours.write_text(write_json(samples[0]) if theirs.suffix == ".json" else write_jsonl(samples))
        answers = [ask_nvidia(folder, {"files": [str(each)]}) for each in (theirs, ours)]

        assert answers[0] == answers[1], path
        assert isinstance(answers[0], dict), answers[0]


@pytest.fixture
def placed(tmp_path, street, slot):
    """A compiled batch, its files and inputs as a session would place them, and the words after the script."""

    def _placed(*specs, slot=slot):
        requests = tuple(Request(run=f"r{i}", spec=spec, clip=street) for i, spec in enumerate(specs, 1))
        batch = Batch(
            id="b1",
            backend="transfer2.5",
            load_key=load_key(specs[0]),
            host="gpu1",
            slot=0,
            attempt=1,
            fence=1,
            requests=requests,
        )
        job = compile_job(batch, slot)
        for file in job.files:
            (tmp_path / file.name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / file.name).write_bytes(file.content)
        for each in (each for request in requests for each in inputs_of(request)):
            (tmp_path / each.name).parent.mkdir(exist_ok=True)
            shutil.copyfile(each.path, tmp_path / each.name)
        words = job.argv[job.argv.index("examples/inference.py") + 1 :]
        return requests, [word.replace("{job}", str(tmp_path)) for word in words], dict(job.env)

    return _placed


def _agrees(tmp_path, requests, answer):
    """Each sample NVIDIA reads is what we asked for, by the very comparison that judges its echo later."""
    for request, sample in zip(requests, answer["samples"], strict=True):
        echo = tmp_path / "echo.json"
        echo.write_text(json.dumps(sample))
        assert [] == differences(echo, request)


@pytest.mark.parametrize("kinds", [kinds for size in (1, 2, 4) for kinds in combinations(CONTROLS, size)])
def test_what_we_compile_is_what_it_reads(placed, ask, tmp_path, kinds):
    """
    Every set of controls, two samples a batch: read by its command line, with no override and in our order.
    """
    weights = dict.fromkeys(kinds, 0.5)
    requests, words, env = placed(
        ask(
            "transfer2.5",
            **weights,
            sigma_max=70.0,
            frames=5,
            prompt=Prompt("fog\nand 'quotes' --help", "snow"),
        ),
        ask("transfer2.5", **weights, guidance=7, computed=",".join(kinds), num_conditional_frames=2),
    )
    answer = ask_nvidia(tmp_path, {"argv": words}, **env)

    assert isinstance(answer, dict), answer
    assert {} == answer["overrides"]
    assert [kind for kind in CONTROLS if kind in kinds] == answer["hints"]
    _agrees(tmp_path, requests, answer)


def test_every_option_is_read_as_it_was_meant(placed, ask, street, tmp_path):
    """
    All fields of a sample at once, and every setup flag.
    """
    mask, picture = str(street.path("depth")), tmp_path / "style.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    requests, words, env = placed(
        ask(
            "transfer2.5",
            edge=0.5,
            seg=0.25,
            resolution="480p",
            computed="edge,seg",
            preset_edge_threshold="very_low",
            seg_control_prompt="car tree",
            edge_mask_path=mask,
            seg_mask_prompt="car",
            image_context_path=str(picture),
            guided_generation_mask=mask,
            guided_generation_step_threshold=20,
            num_video_frames_per_chunk=77,
            keep_input_resolution=False,
            show_control_condition=True,
            show_input=True,
            guardrails=False,
            offload_guardrail_models=True,
            compile_tokenizer="aggressive",
            gpus=2,
            enable_parallel_tokenizer=True,
            parallel_tokenizer_grid="1x2",
        ),
        slot=Slot(host="gpu1", index=0, gpus=(0, 1), gpu="h200"),
    )
    answer = ask_nvidia(tmp_path, {"argv": words}, **env)

    assert isinstance(answer, dict), answer
    _agrees(tmp_path, requests, answer)
    assert {
        "disable_guardrails": True,
        "offload_guardrail_models": True,
        "compile_tokenizer": "aggressive",
        "enable_parallel_tokenizer": True,
        "parallel_tokenizer_grid": [1, 2],
        "keep_going": True,
    }.items() <= answer["setup"].items()


def test_the_distilled_model_is_a_choice_only_with_its_variable(placed, ask, tmp_path):
    """
    What we set makes it one; without that the command line ends with 2.
    """
    requests, words, env = placed(ask("transfer2.5", edge=1, distilled=True))
    answer = ask_nvidia(tmp_path, {"argv": words}, **env)

    assert isinstance(answer, dict), answer
    assert "edge/distilled" == answer["setup"]["model"]
    _agrees(tmp_path, requests, answer)
    assert 2 == ask_nvidia(tmp_path, {"argv": words})[0]


# (row of the table of verdicts, what is changed in a good sample, whether NVIDIA's models take it)
VERDICTS = [
    ("1", {"fps": 24}, False),
    ("2", {"edge": {"contol_weight": 0.1}}, True),
    ("3", {"name": None}, False),
    ("3", {"edge": None}, False),
    ("4", {"edge": {"control_weight": 1.5}}, False),
    ("5", {"edge": {"control_weight": 0}}, True),
    ("6", {"guidance": 3.0}, True),
    ("6", {"guidance": 3.5}, False),
    ("6", {"guidance": 8}, False),
    ("7", {"sigma_max": 70}, False),
    ("7", {"sigma_max": "abc"}, True),
    ("8", {"resolution": "999"}, True),
    ("9", {"context_frame_index": 0}, False),
    ("9", {"num_conditional_frames": 4}, False),
    ("9", {"edge": {"preset_edge_threshold": "Low"}}, False),
    ("9b", {"edge": {"mask_path": "in.mp4", "mask_prompt": "car"}}, True),
    ("10", {"video_path": "in.MP4"}, True),
    ("11", {"video_path": "pointer.mp4"}, True),
    ("2.2", {"negative_prompt": None}, False),
    ("2.2", {"negative_prompt": ""}, True),
]


@pytest.mark.parametrize(("row", "change", "taken"), VERDICTS, ids=[f"{row[0]}-{row[1]}" for row in VERDICTS])
def test_nvidias_own_verdict(tmp_path, row, change, taken):
    """
    The table of verdicts says what NVIDIA's models really say.
    """
    for name in ("in.mp4", "in.MP4", "pointer.mp4"):
        (tmp_path / name).write_text("version https://git-lfs.github.com/spec/v1\n")
    sample = {"name": "a", "prompt": "p", "video_path": "in.mp4", "edge": {"control_weight": 0.5}} | change
    (tmp_path / "a.json").write_text(json.dumps(sample))
    answer = ask_nvidia(tmp_path, {"files": [str(tmp_path / "a.json")]})

    assert taken == isinstance(answer, dict), answer
