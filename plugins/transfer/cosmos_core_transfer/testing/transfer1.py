"""Stands in for ``transfer.py`` of Cosmos Transfer 1, and misbehaves as it does.

Words in a prompt choose what happens to its item: ``block-prompt`` and ``block-video`` (refused: the whole micro-batch
is dropped and the program dies of None; of a partly refused one the survivors are renumbered), ``unguarded``, ``crash``,
``oom``, ``hang``, ``cut``, ``pointer``, ``same-bytes``, ``unmarked`` (dies before it writes ``prompt.txt``).

What it copies: ``--key=value`` is not seen, so that a value of the file wins; an unknown scalar in the file is taken;
an override of a control that is not in the file is ignored with a warning; with ``--batch_size`` above 1 the first
item's weights count for all; the rate is ``--fps``, the size is the bucket's.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any, NoReturn

import pictures  # type: ignore[import-not-found]  # lies beside the script

HINTS = ("vis", "seg", "edge", "depth", "keypoint", "upscale", "hdmap", "lidar")
RATIOS = {16 / 9: (1280, 704), 4 / 3: (960, 704), 1.0: (960, 960), 3 / 4: (704, 960), 9 / 16: (704, 1280)}


def log(text: str, *, level: str = "INFO") -> None:
    """One line on standard output, in loguru's format."""
    sys.stdout.write(
        f"[{datetime.now().astimezone():%m-%d %H:%M:%S}|{level}|cosmos_transfer1/x.py:1:f] {text}\n"
    )
    sys.stdout.flush()


def arguments() -> tuple[argparse.Namespace, dict[str, Any]]:
    """The command line, and the file's control blocks; its scalars override what is no word of the command line."""
    parser = argparse.ArgumentParser(conflict_handler="resolve")
    for name, default in (
        ("prompt", "The video captures a stunning, photorealistic scene"),
        ("negative_prompt", "The video captures a game playing"),
        ("input_video_path", ""),
        ("blur_strength", "medium"),
        ("canny_threshold", "medium"),
        ("checkpoint_dir", "checkpoints"),
        ("video_save_name", "output"),
        ("video_save_folder", "outputs/"),
        ("batch_input_path", None),
    ):
        parser.add_argument(f"--{name}", type=str, default=default)
    for name, count in (("batch_size", 1), ("num_steps", 35), ("fps", 24), ("seed", 1), ("num_gpus", 1)):
        parser.add_argument(f"--{name}", type=int, default=count)
    for name, number in (("sigma_max", 70.0), ("guidance", 5.0)):
        parser.add_argument(f"--{name}", type=float, default=number)
    parser.add_argument("--controlnet_specs", required=True)
    for name in (
        "is_av_sample",
        "use_distilled",
        "upsample_prompt",
        "offload_diffusion_transformer",
        "offload_text_encoder_model",
        "offload_guardrail_models",
        "offload_prompt_upsampler",
    ):
        parser.add_argument(f"--{name}", action="store_true")
    cfg = parser.parse_args()
    controls: dict[str, Any] = {}
    for name, value in json.loads(Path(cfg.controlnet_specs).read_text("utf-8")).items():
        if name in HINTS:
            controls[name] = value
        elif isinstance(value, dict):
            raise ValueError(f"Invalid hint_key: {name}. Must be one of {HINTS}")
        elif f"--{name}" not in sys.argv:
            setattr(cfg, name, value)
    return cfg, controls


def validate(cfg: argparse.Namespace, controls: dict[str, Any]) -> None:
    """As ``validate_controlnet_specs``."""
    for name, block in controls.items():
        if not cfg.input_video_path and cfg.sigma_max < 80:
            raise ValueError("Must have 'input_video' specified if sigma_max < 80")
        if not cfg.input_video_path and "input_control" not in block:
            raise ValueError(f"{name} controlnet must have 'input_control' video specified")
        if cfg.use_distilled and name != "edge":
            raise ValueError(f"No default distilled checkpoint for {name}.")
        if "control_weight" not in block:
            log(f"No control weight specified for {name}. Setting to 0.5.", level="WARNING")
            block["control_weight"] = "0.5"


def main() -> None:
    """As ``demo``."""
    cfg, controls = arguments()
    validate(cfg, controls)
    if cfg.batch_input_path:
        items = [json.loads(line) for line in Path(cfg.batch_input_path).read_text("utf-8").splitlines()]
    else:
        items = [{"prompt": cfg.prompt, "visual_input": cfg.input_video_path}]
    size = 1 if "upscale" in controls else cfg.batch_size
    for start in range(0, len(items), size):
        group = items[start : start + size]
        blocks = [_preprocess(cfg, controls, item, start + index) for index, item in enumerate(group)]
        made = generate(cfg, group, blocks)
        if made is None:
            log("Guardrail blocked generation for entire batch.", level="CRITICAL")
        for index, (item, block) in enumerate(made):  # type: ignore[arg-type]  # the original unpacks None too
            _save(cfg, item, block, start + index)


def _preprocess(
    cfg: argparse.Namespace, controls: dict[str, Any], item: dict[str, Any], index: int
) -> dict[str, Any]:
    folder = Path(cfg.video_save_folder) / (f"video_{index}" if cfg.batch_input_path else "")
    folder.mkdir(parents=True, exist_ok=True)
    mine = copy.deepcopy(controls)
    for name, override in item.get("control_overrides", {}).items():
        if name in mine:
            mine[name].update(override)
        else:
            log(f"Ignoring unknown control key in override: {name}", level="WARNING")
    log("running preprocessor")
    for name, block in mine.items():
        if name in {"depth", "seg", "vis", "edge", "keypoint"} and block.get("input_control") is None:
            log(f"no input_control provided for {name}. generating input control video")
            block["input_control"] = str(folder / f"{name}_input_control_0.mp4")
            Path(block["input_control"]).write_bytes(b"")
        elif not Path(block.get("input_control") or item["visual_input"]).is_file():
            raise FileNotFoundError(block.get("input_control"))
    _regions(getattr(cfg, "regional_prompts", None) or [], folder, item)
    return mine


def _regions(listed: list[dict[str, Any]], folder: Path, item: dict[str, Any]) -> None:
    """Masks for the list, which all items share: a mask video of the first is a tensor to the next, and no video."""
    for index, region in enumerate(listed):
        mask = folder / f"regional_context_r0_{index}.pt"
        if "mask_prompt" in region:
            if "nothing" in region["mask_prompt"]:
                raise RuntimeError("stack expects a non-empty TensorList")
            if pictures.source(item["visual_input"])[0] < 121:
                raise RuntimeError("The expanded size of the tensor (121) must match the existing size")
            region["region_definitions_path"] = str(mask)
        elif isinstance(region.get("region_definitions_path"), str):
            if not region["region_definitions_path"].endswith(".mp4"):
                raise ValueError(f"Invalid video file: {region['region_definitions_path']}")
            region["region_definitions_path"] = str(mask)
    places = [region["region_definitions_path"] for region in listed if "region_definitions_path" in region]
    if len(places) != len([region["prompt"] for region in listed]):
        raise ValueError("Number of regional prompts must match total number of region definitions")


def generate(
    cfg: argparse.Namespace, group: list[dict[str, Any]], blocks: list[dict[str, Any]]
) -> list[tuple[dict[str, Any], dict[str, Any]]] | None:
    """As ``pipeline.generate``: those that are left, in a row, or None."""
    log(f"Running batch generation with batch_size={len(group)}")
    log("Running guardrail checks on all prompts")
    safe = []
    for index, item in enumerate(group):
        if "unguarded" in item["prompt"]:
            log("No safety models found, returning safe", level="WARNING")
        if "block-prompt" in item["prompt"]:
            log("GUARDRAIL BLOCKED: BLOCKLIST: a word of the list.", level="CRITICAL")
            log(f"Input text prompt {index + 1} is not safe", level="CRITICAL")
        else:
            safe.append(index)
    if not safe:
        log("All prompts failed safety checks", level="CRITICAL")
        return None
    log("Run generation")
    for index in safe:
        _work(group[index])
    log("Finish generation")
    log("Run guardrail on generated videos")
    left = []
    for index in safe:
        if "block-video" in group[index]["prompt"]:
            log("GUARDRAIL BLOCKED: VIDEOCONTENTSAFETYFILTER: unsafe frame.", level="CRITICAL")
            log(f"Generated video {index + 1} is not safe", level="CRITICAL")
        else:
            # The weights of a micro-batch are indexed by control, so the first item's count for all.
            left.append((group[index], blocks[0]))
    if not left:
        log("All generated videos failed safety checks", level="CRITICAL")
        return None
    return left


def _work(item: dict[str, Any]) -> None:
    prompt = item["prompt"]
    if "crash" in prompt:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if "oom" in prompt:
        _out_of_memory()
    while "hang" in prompt:
        time.sleep(0.1)
    clips = 1 + max(0, -(-(pictures.source(item["visual_input"])[0] - 121) // 120))
    for done in range(clips + 1):
        sys.stderr.write(f"\r{100 * done // clips:3d}%|###  | {done}/{clips} [00:00<00:00,  2.00s/it]")
        sys.stderr.flush()
    sys.stderr.write("\n")


def _out_of_memory() -> NoReturn:
    kind = type("OutOfMemoryError", (RuntimeError,), {"__module__": "torch.cuda"})
    raise kind("CUDA out of memory. Tried to allocate 2.00 GiB")


def _save(cfg: argparse.Namespace, item: dict[str, Any], block: dict[str, Any], index: int) -> None:
    folder = Path(cfg.video_save_folder)
    video, marker = folder / f"{cfg.video_save_name}.mp4", folder / f"{cfg.video_save_name}.txt"
    if cfg.batch_input_path:
        video, marker = folder / f"video_{index}/output.mp4", folder / f"video_{index}/prompt.txt"
    frames, _, width, height = pictures.source(item["visual_input"])
    width, height = RATIOS[min(RATIOS, key=lambda ratio: (ratio - width / height) ** 2)]
    times = 3 if "upscale" in block else 1
    weights = {name: each["control_weight"] for name, each in block.items()}
    told = [item["prompt"], item["visual_input"], weights, cfg.seed, cfg.guidance, cfg.num_steps]
    told.append([region["prompt"] for region in getattr(cfg, "regional_prompts", None) or []])
    seed = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    prompt = item["prompt"]
    if "pointer" in prompt:
        video.write_text(pictures.POINTER.format(seed), "utf-8")
    else:
        shape = {"frames": frames, "fps": cfg.fps, "width": width * times, "height": height * times}
        pictures.write(
            video, seed="same" if "same-bytes" in prompt else seed, like=item["visual_input"], **shape
        )
    if "cut" in prompt:
        whole = video.read_bytes()
        video.write_bytes(whole[: len(whole) // 2])
    log(f"Saved video to {video}")
    if "unmarked" in prompt:
        sys.exit(137)
    marker.write_bytes(prompt.encode())
    log(f"Saved prompt to {marker}")


if __name__ == "__main__":
    main()
