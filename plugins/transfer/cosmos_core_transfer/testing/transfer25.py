"""Stands in for ``examples/inference.py`` of Cosmos Transfer 2.5, and misbehaves as it does.

Words in a prompt choose what happens to its sample: ``block-prompt`` and ``block-video`` (refused; exit code 0 all the
same, and for a video no line on the console), ``block-negative`` in a negative prompt, ``unguarded`` (no safety model
is loaded, which passes everything), ``crash``, ``oom``, ``hang``, ``cut`` (half a file), ``pointer``, ``same-bytes``,
``unmarked`` (dies before it writes the ``.txt``), ``other-guidance`` (an override changed it).

What it copies: only the last ``-i`` counts; a wrong flag or arity ends with 2; an unknown key at the top level with 1,
in a control block with nothing; ``<name>.json`` comes first and ``<name>.txt`` last; logs are opened anew in an old
folder; a batch of several control sets gets the multi-control model.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import sys
import time
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import pictures  # type: ignore[import-not-found]  # lies beside the script

CONTROLS = ("edge", "vis", "depth", "seg")
TIERS = {"1080", "1024", "720", "512", "480", "480p", "720p", "720robocasa", "256"}
BARE = {
    "--disable-guardrails",
    "--offload-guardrail-models",
    "--enable-parallel-tokenizer",
    "--keep-going",
    "--no-keep-going",
    "--profile",
    "--benchmark",
}
VALUED = {
    "--model": 1,
    "--checkpoint-path": 1,
    "--experiment": 1,
    "--config-file": 1,
    "--context-parallel-size": 1,
    "--compile-tokenizer": 1,
    "--parallel-tokenizer-grid": 2,
}
OVERRIDES = {
    "--guidance",
    "--num-steps",
    "--seed",
    "--resolution",
    "--show-input",
    "--max-frames",
    "--sigma-max",
}
TYPES: dict[str, Any] = {
    "name": str,
    "prompt": str,
    "prompt_path": str,
    "negative_prompt": str,
    "video_path": str,
    "seed": int,
    "guidance": int,
    "num_steps": int,
    "resolution": str,
    "sigma_max": str,
    "max_frames": int,
    "num_video_frames_per_chunk": int,
    "num_conditional_frames": int,
    "context_frame_index": int,
    "image_context_path": str,
    "keep_input_resolution": bool,
    "show_control_condition": bool,
    "show_input": bool,
    "guided_generation_mask": str,
    "guided_generation_step_threshold": int,
    "guided_generation_foreground_labels": list,
    **dict.fromkeys(CONTROLS, dict),
}
DEFAULTS: dict[str, Any] = {
    "seed": 2025,
    "guidance": 3,
    "num_steps": 35,
    "resolution": "720",
    "num_video_frames_per_chunk": 93,
    "num_conditional_frames": 1,
    "keep_input_resolution": True,
    "show_input": False,
    "show_control_condition": False,
    "negative_prompt": "The video captures a game playing, with bad crappy graphics",
}


def usage(message: str) -> NoReturn:
    """As tyro: exit code 2, before anything ran."""
    print(f"Parsing error: {message}", file=sys.stderr)
    sys.exit(2)


def parse(words: list[str]) -> dict[str, Any]:
    """The command line. A list takes every word up to the next flag, and a second ``-i`` replaces the first."""
    flags: dict[str, Any] = {}
    at = 0
    while at < len(words):
        name, sign, joined = words[at].partition("=")
        following = [joined] if sign else []
        at += 1
        while not sign and at < len(words) and not words[at].startswith("-"):
            following.append(words[at])
            at += 1
        flags[name] = following
        _check_arity(name, following)
    if not flags.get("-i") or not flags.get("-o"):
        usage("Required options -i, -o")
    is_experimental = os.environ.get("COSMOS_EXPERIMENTAL_CHECKPOINTS") == "1"
    models = {*CONTROLS, *(["edge/distilled"] if is_experimental else [])}
    if flags.get("--model", ["edge"])[0] not in models:
        usage(f"invalid choice {flags['--model'][0]!r}")
    return flags


def _check_arity(name: str, following: list[str]) -> None:
    if name in {"-i", "-o", *OVERRIDES}:
        if not following:
            usage(f"{name}: expected 1 argument")
    elif name in BARE:
        if following:
            usage(f"Unrecognized options: {following[0]}")
    elif name in VALUED:
        if len(following) != VALUED[name]:
            usage(f"{name}: expected {VALUED[name]} argument")
        if name == "--compile-tokenizer" and following[0] not in {"NONE", "MODERATE", "AGGRESSIVE"}:
            usage(f"invalid choice {following[0]!r}")
    else:
        usage(f"Unrecognized options: {name}")


def load(paths: list[str]) -> list[Sample]:
    """The samples, checked as pydantic would: one bad one, and nothing runs."""
    samples: list[Sample] = []
    for path in map(Path, paths):
        if path.suffix not in {".json", ".jsonl"}:
            raise ValueError(f"Unsupported file extension: {path.suffix}")
        text = path.read_text("utf-8")
        found = (
            [json.loads(text)] if path.suffix == ".json" else [json.loads(line) for line in text.splitlines()]
        )
        for line, data in enumerate(found):
            if wrong := _against(data, path.parent):
                print(f"Error validating parameters from '{path}' at line {line}\n{wrong}", file=sys.stderr)
                sys.exit(1)
            samples.append(Sample(_resolved(data, path.parent)))
    names = [sample["name"] for sample in samples]
    for name in names:
        if names.count(name) > 1:
            print(f"Error: Inference samplename {name} is not unique", file=sys.stderr)
            sys.exit(1)
    return samples


def _against(data: dict[str, Any], folder: Path) -> str:
    for name, value in data.items():
        kind = TYPES.get(name)
        if kind is None:
            return f"{name}\n  Extra inputs are not permitted"
        if value is not None and not isinstance(value, kind):
            return f"{name}\n  Input should be a valid {kind.__name__}"
    if "name" not in data or not (data.get("prompt") or data.get("prompt_path")):
        return "name, prompt\n  Field required"
    if not any(data.get(key) for key in CONTROLS):
        return "Value error, No controls provided, please provide at least one control key (edge, blur, depth, seg)"
    if not 0 <= data.get("guidance", 3) <= 7:
        return "guidance\n  Input should be less than or equal to 7"
    for key in CONTROLS:
        if not 0 <= (data.get(key) or {}).get("control_weight", 1.0) <= 1:
            return f"{key}.control_weight\n  Input should be less than or equal to 1"
    paths = [data.get("video_path", "-"), *((data.get(key) or {}).get("control_path") for key in CONTROLS)]
    if not all((folder / path).is_file() for path in paths if path):
        return "video_path\n  Path does not point to a file"
    return ""


def _resolved(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    made = {name: value for name, value in (DEFAULTS | data).items() if value is not None}
    if not made.get("prompt"):
        made["prompt"] = (folder / made["prompt_path"]).read_text("utf-8").strip()
    for name in ("video_path", "image_context_path", "guided_generation_mask"):
        if made.get(name):
            made[name] = os.path.normpath(folder / made[name])
    for key in CONTROLS:
        for name in ("control_path", "mask_path"):
            if made.get(key, {}).get(name):
                made[key][name] = os.path.normpath(folder / made[key][name])
    return made


class Log:
    """Two channels: what modules under ``_src`` say stays off the console unless COSMOS_VERBOSE is set."""

    def __init__(self, out: Path) -> None:
        self.console = (out / "console.log").open("w", encoding="utf-8")
        self.debug = (out / "debug.log").open("w", encoding="utf-8")
        self.is_verbose = os.environ.get("COSMOS_VERBOSE") == "1"

    def __call__(self, text: str, *, level: str = "INFO", is_inner: bool = False) -> None:
        """Write one line; *is_inner* where a module under ``_src`` says it."""
        where = "cosmos_transfer2/_src/x.py:1:f" if is_inner else "cosmos_transfer2/inference.py:1:generate"
        line = f"[{datetime.now().astimezone():%m-%d %H:%M:%S}|{level}|{where}] {text}\n"
        self.debug.write(line)
        self.debug.flush()
        if not is_inner:
            self.console.write(line)
            self.console.flush()
        if not is_inner or self.is_verbose:
            sys.stdout.write(line)
            sys.stdout.flush()


def main() -> None:
    """As ``examples/inference.py``."""
    flags = parse(sys.argv[1:])
    samples = load(flags["-i"])
    out = Path(flags["-o"][0])
    out.mkdir(parents=True, exist_ok=True)
    log = Log(out)
    union = [key for key in CONTROLS if any(sample.get(key) for sample in samples)]
    if len(union) > 1:
        log("Loading the multicontrol model. Multicontrol inference is not strictly equal to single control")
    (out / "config.yaml").write_text("model: double\n", "utf-8")
    # As the original does: late, so that a wrong file is refused before anything is loaded.
    sys.path.insert(0, str(Path(__file__).parents[1]))
    model = import_module("cosmos_transfer2.inference").Control2WorldInference
    log(f"Loading the model for {union}")
    model(log, is_guarded="--disable-guardrails" not in flags).generate(samples, output_dir=out)


class Sample(dict[str, Any]):
    """One of ``InferenceArguments``."""

    @property
    def name(self) -> str:
        """Its name, which is that of its files."""
        return str(self["name"])


class InferenceArguments:
    """As NVIDIA's, as far as a file is read."""

    @staticmethod
    def from_files(paths: list[Path]) -> tuple[list[Sample], list[str]]:
        """The samples, and the controls of all of them; exits when one is wrong. The working folder is another then."""
        os.chdir(paths[0].parent)
        samples = load([str(path) for path in paths])
        return samples, [key for key in CONTROLS if any(sample.get(key) for sample in samples)]


class Control2WorldInference:
    """As NVIDIA's: loads when it is made, and generates what it is given, however often."""

    def __init__(self, log: Log, *, is_guarded: bool) -> None:
        self._log = log
        self._is_guarded = is_guarded

    def generate(self, samples: list[Sample], output_dir: Path) -> list[str]:
        """All of *samples*; dies with the one that fails."""
        self._log(f"Generating {len(samples)} samples: {[sample.name for sample in samples]}")
        for index, sample in enumerate(samples, 1):
            self._log(f"[{index}/{len(samples)}] Processing sample {sample.name}")
            generate(sample, output_dir, self._log, is_guarded=self._is_guarded)
        return [str(output_dir / sample.name) for sample in samples]


def generate(sample: dict[str, Any], out: Path, log: Log, *, is_guarded: bool) -> None:
    """As ``_generate_sample``."""
    name, prompt = sample["name"], sample["prompt"]
    echo = dict(sample, guidance=sample["guidance"] + 1) if "other-guidance" in prompt else sample
    (out / f"{name}.json").write_text(json.dumps(echo), "utf-8")
    log(f"Saved arguments to {out / name}.json")
    if is_guarded:
        if not _passes(sample, log):
            return
    else:
        log("Guardrail checks on prompt are disabled", level="WARNING")
    log(f"Processing the following paths: {[sample.get(key) for key in CONTROLS]}")
    if sample["resolution"] not in TIERS:
        raise KeyError(sample["resolution"])
    if Path(sample["video_path"]).suffix not in {
        ".mp4",
        ".avi",
        ".mov",
        ".mkv",
        ".webm",
        ".png",
        ".jpg",
        ".jpeg",
    }:
        raise ValueError(f"Invalid video extension: {Path(sample['video_path']).suffix}")
    if "crash" in prompt:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if "oom" in prompt:
        _out_of_memory()
    while "hang" in prompt:
        time.sleep(0.1)
    made = _made(sample)
    _passes_of(sample, made["frames"], log)
    for key in CONTROLS:
        if sample.get(key):
            pictures.write(out / f"{name}_control_{key}{made['suffix']}", seed=key, **_shape(made))
            log(f"{key} control video saved to {out / name}_control_{key}{made['suffix']}")
    if is_guarded:
        log("Running guardrail check on video...")
        _say_unguarded(prompt, log)
        if "block-video" in prompt:
            log("GUARDRAIL BLOCKED: VIDEOCONTENTSAFETYFILTER: unsafe frame.", level="CRITICAL", is_inner=True)
            return
        log("Passed guardrail on generated video", level="SUCCESS")
    else:
        log("Guardrail checks on video are disabled", level="WARNING")
    _deliver(out / f"{name}{made['suffix']}", sample, made)
    if "unmarked" in prompt:
        sys.exit(137)
    (out / f"{name}.txt").write_text(prompt, "utf-8")
    log(f"Generated video saved to {out / name}{made['suffix']}", level="SUCCESS")


def _passes(sample: dict[str, Any], log: Log) -> bool:
    log("Running guardrail check on prompt...")
    _say_unguarded(sample["prompt"], log)
    for key, what in (("prompt", "Prompt"), ("negative_prompt", "Negative prompt")):
        if "block-prompt" in sample[key] or "block-negative" in sample[key]:
            log("GUARDRAIL BLOCKED: BLOCKLIST: a word of the list.", level="CRITICAL", is_inner=True)
            log(f"Guardrail blocked generation. {what}: {sample[key]}", level="CRITICAL")
            return False
        log(f"Passed guardrail on {what.lower()}", level="SUCCESS")
    return True


def _say_unguarded(prompt: str, log: Log) -> None:
    if "unguarded" in prompt:
        log("No safety models found, returning safe", level="WARNING", is_inner=True)


def _out_of_memory() -> NoReturn:
    kind = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch"})
    raise kind("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 23.65 GiB")


def _made(sample: dict[str, Any]) -> dict[str, Any]:
    count, fps, width, height = pictures.source(sample["video_path"])
    frames = min(count, sample.get("max_frames") or 5000)
    panels = (
        1
        + sample["show_input"]
        + sample["show_control_condition"] * sum(bool(sample.get(k)) for k in CONTROLS)
    )
    return {
        "frames": frames,
        "fps": int(fps),
        "width": width * panels,
        "height": height,
        "suffix": ".jpg" if frames == 1 else ".mp4",
    }


def _shape(made: dict[str, Any]) -> dict[str, Any]:
    return {name: made[name] for name in ("frames", "fps", "width", "height")}


def _passes_of(sample: dict[str, Any], frames: int, log: Log) -> None:
    chunk, overlap = sample["num_video_frames_per_chunk"], sample["num_conditional_frames"]
    many = 1 if frames <= chunk else 1 + math.ceil((frames - chunk) / (chunk - overlap))
    steps = sample["num_steps"]
    for at in range(many):
        log(f"Generating chunk {at + 1}/{many}", is_inner=True)
        for step in range(0, steps + 1, max(1, steps // 5)):
            bar = f"\rGenerating samples: {100 * step // steps:3d}%|###  | {step}/{steps} [00:00<00:00,  2.00it/s]"
            sys.stderr.write(bar)
            sys.stderr.flush()
        sys.stderr.write("\n")
        log(f"Seed: {sample['seed'] + at}", is_inner=True)


def _deliver(path: Path, sample: dict[str, Any], made: dict[str, Any]) -> None:
    prompt = sample["prompt"]
    seed = hashlib.sha256(json.dumps(sample, sort_keys=True).encode()).hexdigest()
    if "pointer" in prompt:
        path.write_text(pictures.POINTER.format(seed), "utf-8")
        return
    pictures.write(
        path,
        seed="same" if "same-bytes" in prompt else seed,
        like="" if sample["show_input"] or sample["show_control_condition"] else sample["video_path"],
        **_shape(made),
    )
    if "cut" in prompt:
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])


if __name__ == "__main__":
    main()
