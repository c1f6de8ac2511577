"""Our files and arguments in NVIDIA's own models, where somebody has a checkout of them.

``COSMOS_PREDICT25_REPO`` names the checkout, ``COSMOS_PREDICT25_PYTHON`` a Python with pydantic, tyro, PyYAML, loguru,
typing_extensions and huggingface_hub; our own Python when not said.
"""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from cosmos_core_predict import backend, sample

from cosmos_core import clip as clips
from cosmos_core.extend import Batch, Request, Slot
from cosmos_core.testing import media

HERE = Path(__file__).parent
REPO = os.environ.get("COSMOS_PREDICT25_REPO", "")
PYTHON = os.environ.get("COSMOS_PREDICT25_PYTHON", sys.executable)

pytestmark = pytest.mark.skipif(
    not REPO, reason="COSMOS_PREDICT25_REPO names no checkout of nvidia-cosmos/cosmos-predict2.5"
)


@pytest.fixture
def street(tmp_path):
    """A small sealed clip."""
    return clips.seal(media.make_clip(tmp_path / "clips" / "street", frames=6, width=64, height=48))


def ask(folder, lines, words=()):
    """Let NVIDIA's models read a file of *lines* in *folder*, and the arguments."""
    (folder / "batch.jsonl").write_bytes(lines)
    arguments = words or ("-i", "batch.jsonl", "-o", "out", "--model", "2B/post-trained")
    return subprocess.run(
        [PYTHON, str(HERE / "nvidia_models.py"), REPO, str(folder / "batch.jsonl"), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


REQUESTS = {
    "text": sample.Sample(name="text", inference_type="text2world", prompt="one\u2028two \x85 \U0001f3d9"),
    "long": sample.Sample(
        name="long",
        inference_type="text2world",
        prompt="x",
        enable_autoregressive=True,
        num_output_frames=480,
        chunk_size=93,
    ),
    "image": sample.Sample(name="image", inference_type="image2world", prompt="x", input_path="in.jpg"),
    "video": sample.Sample(name="video", inference_type="video2world", prompt="x", input_path="in.mp4"),
}


@pytest.mark.parametrize("kind", REQUESTS)
def test_a_request_of_ours_is_read_as_it_was_meant(tmp_path, kind):
    """
    Every field that we say has the value we gave it, in NVIDIA's model.
    """
    asked = REQUESTS[kind]
    spec = backend.spec_of(asked, prompt=asked.prompt, clip="c" * 64 if asked.input_path else "")
    made = backend.sample_of(spec, name=asked.name)
    if made.input_path:
        (tmp_path / made.input_path).parent.mkdir()
        (tmp_path / made.input_path).write_bytes(b"stand-in")
    done = ask(tmp_path, sample.to_lines([made]))
    assert 0 == done.returncode, done.stderr
    (found,) = json.loads(done.stdout.splitlines()[-1])["samples"]
    said = {key: value for key, value in sample.to_json(made).items() if key != "input_path"}

    assert said.items() <= found.items()


@pytest.mark.parametrize("model", sample.MODELS)
def test_every_model_and_flag_of_ours_is_understood(tmp_path, model):
    """
    The arguments parse, and the bare flags arrive.
    """
    flags = {"disable_guardrails": True, "offload_tokenizer": True}
    words = backend.arguments(backend.Predict(model=model, **flags))
    line = sample.to_lines([REQUESTS["text"]])
    done = ask(tmp_path, line, ("-i", "batch.jsonl", "-o", "out", *words))
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])

    assert (["batch.jsonl"], model) == (found["files"], found["setup"]["model"])
    assert ["True", "True"] == [found["setup"][flag] for flag in flags]


@pytest.mark.parametrize("path", sorted((HERE / "conformance").glob("*.json")), ids=lambda path: path.stem)
def test_a_published_file_means_the_same_after_it_went_through_us(tmp_path, path):
    """
    NVIDIA's model reads the original and ours alike, but for the names of prompt and input.
    """
    (found,) = sample.read(path)
    for name in (found.prompt_path, found.input_path, "original.json"):
        if name:
            (tmp_path / name).write_text("a caption")
    shutil.copy(path, tmp_path / "original.json")
    ours = backend.sample_of(
        backend.spec_of(found, prompt="a caption", clip="c" * 64 if found.input_path else ""), name=found.name
    )
    (tmp_path / "inputs").mkdir()
    if ours.input_path:
        (tmp_path / ours.input_path).write_bytes(b"stand-in")
    theirs = ask(tmp_path, json.dumps(json.loads(path.read_text())).encode() + b"\n")
    again = ask(tmp_path, sample.to_lines([ours]))
    assert (0, 0) == (theirs.returncode, again.returncode), theirs.stderr + again.stderr
    before, after = (json.loads(done.stdout.splitlines()[-1])["samples"][0] for done in (theirs, again))
    # In standard mode the program does not read it: 77 is a default without effect, 93 what it makes.
    renamed = {"prompt_path", "input_path", "num_output_frames"}

    assert {key: value for key, value in before.items() if key not in renamed} == {
        key: value for key, value in after.items() if key not in renamed
    }


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("-i", "batch.jsonl", "-o", "out", "--model", "14B"), 2),
        (("-i", "batch.jsonl", "-o", "out", "--enable-autoregressive"), 2),
        (("-i", "batch.jsonl", "-o", "out", "--disable-guardrails", "True"), 2),
        (("-i", "batch.jsonl", "-o", "out", "--fps", "24"), 2),
        (("-i", "other.json", "-i", "batch.jsonl", "-o", "out"), 0),
    ],
)
def test_what_the_double_does_with_arguments_the_program_does(tmp_path, words, code):
    """
    Unknown flags and wrong arities end it; of two inputs it keeps the last in silence.
    """
    done = ask(tmp_path, sample.to_lines([REQUESTS["text"]]), words)

    assert code == done.returncode, done.stderr
    assert code or ["batch.jsonl"] == json.loads(done.stdout.splitlines()[-1])["files"]


def test_what_a_resident_job_takes_is_read_from_its_spool(tmp_path, street):
    """
    NVIDIA's model finds the input from the spool's folder, and the program has what ``stay.py`` changes.
    """
    spec = backend.spec_of(REQUESTS["image"], prompt="x", clip=street.digest)
    spec = attrs.evolve(spec, options={**spec.options, "resident": 60.0})
    batch = Batch(
        id="b1",
        backend=backend.NAME,
        load_key=backend.load_key(spec),
        host="gpu",
        slot=0,
        attempt=1,
        fence=1,
        requests=(Request(run="r1", spec=spec, clip=street),),
    )
    for file in backend.more(batch, Slot(host="gpu", index=0)).files:
        (tmp_path / file.name).parent.mkdir(exist_ok=True)
        (tmp_path / file.name).write_bytes(file.content)
    done = ask(tmp_path / "spool", (tmp_path / "spool" / "r1.jsonl").read_bytes())
    assert 0 == done.returncode, done.stderr
    (found,) = json.loads(done.stdout.splitlines()[-1])["samples"]
    program = ast.parse(Path(REPO, "cosmos_predict2", "inference.py").read_text("utf-8"))
    (kind,) = (node for node in program.body if isinstance(node, ast.ClassDef) and node.name == "Inference")
    (method,) = (node for node in kind.body if isinstance(node, ast.FunctionDef) and node.name == "generate")

    assert tmp_path / "inputs" / f"{street.digest}.png" == Path(found["input_path"]).resolve()
    assert ["self", "samples", "output_dir"] == [each.arg for each in method.args.args]
    assert "InferenceArguments" in {
        alias.asname or alias.name
        for node in program.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
