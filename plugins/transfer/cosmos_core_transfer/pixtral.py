"""The enhancer ``pixtral``: Transfer 1's prompt upsampler as a job on a host.

A fine-tuned Pixtral of 12 billion parameters that sees the first two frames of a video, and answers with at most 300
tokens. It takes one whole GPU: vLLM is told to use 98 % of its memory.

Source: nvidia-cosmos/cosmos-transfer1 at 5005e82: cosmos_transfer1/auxiliary/upsampler.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from cosmos_core.errors import InputError, ModelError, ok, warn
from cosmos_core.extend import Enhancer, EnhancerJob, Input, Job, JobFile, Needs
from cosmos_core_transfer import logs, profiles
from cosmos_core_transfer.launching import enter_file, entering
from cosmos_core_transfer.transfer1.options import PlaceOptions, option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.extend import Clip, Exit, Finding, Host, Prompt, Shell, Slot

NAME = "pixtral"
SCRIPT = "rewrite.py"
ASKED = "asked.json"
ANSWER = "out/prompt.json"
WEIGHTS = "nvidia/Cosmos-UpsamplePrompt1-12B-Transfer"

# vllm: v1/worker/gpu_worker.py. It asks for its share of all the memory there is, whatever the model needs.
_SHARED = re.compile(r"Free memory on device .* is less than desired GPU memory utilization")
_SENTENCE = re.compile(r"[.!?…][\"'”’)\]]*(?=\s|$)")


@attrs.frozen(kw_only=True)
class PixtralOptions(PlaceOptions):
    """Options of the enhancer ``pixtral``; where it runs is said as for ``transfer1``."""

    modality: str = option("color", "the clip's video that it sees the first two frames of")
    python: str = option("python", "Python of that environment, with vLLM")


def enhancer() -> Enhancer:
    """The enhancer ``pixtral``."""
    return Enhancer(
        name=NAME,
        summary="Transfer 1's own Pixtral rewrites the prompt, as a job on a host, with two frames of its clip before it.",
        options=PixtralOptions,
        job=EnhancerJob(needs=needs, compile=compile_job, outcome=outcome, check=check),
    )


def needs(options: PixtralOptions) -> Needs:
    """One GPU with the memory for it."""
    vram = profiles.peak_vram(NAME)
    unfit = profiles.unfit(vram_gb=vram, build=options.build, image=options.image)
    return Needs(gpus=1, vram_gb=vram, unfit=unfit)


def compile_job(prompt: Prompt, clip: Clip | None, options: PixtralOptions, _: Slot) -> Job:
    """One process that loads the model, answers once and ends.

    Raises:
        InputError: there is no text to start from, or no video to look at.
    """
    if not prompt.text.strip():
        raise InputError("the prompt is empty", hint="say in a few words what the video should show")
    if clip is None:
        raise InputError(
            f"{NAME} looks at the clip that a prompt is written for, and this one names none",
            hint='cosmos prompt new "…" --clip FOLDER; or --with template',
        )
    if options.modality not in clip.modalities:
        raise InputError(
            f"clip {clip.name} has no {options.modality} to look at",
            hint=f"-o modality={' or '.join(clip.modalities)}",
        )
    video = Input.of(clip, options.modality)
    asked = {"prompt": " ".join(prompt.text.split()), "video": video.name}
    return Job(
        argv=(
            *entering(options.repo, "PYTHONPATH={repo}"),
            options.python,
            f"{{job}}/{SCRIPT}",
            options.checkpoint_dir,
        ),
        files=(
            enter_file(),
            JobFile(name=SCRIPT, content=Path(__file__).with_name(SCRIPT).read_bytes()),
            JobFile(name=ASKED, content=json.dumps(asked, ensure_ascii=False).encode()),
        ),
        inputs=(video,),
        env={"PYTHONUNBUFFERED": "1", "VLLM_WORKER_MULTIPROC_METHOD": "spawn"},
        outputs=("out", "log.txt"),
        image=options.image,
        timeout=float(options.timeout),
        quiet=float(options.quiet),
    )


def outcome(folder: Path, prompt: Prompt, ended: Exit) -> Prompt:
    """The prompt in the model's words; the negative text stays as it is.

    Raises:
        ModelError: it gave no answer, or an empty one.
    """
    try:
        said = str(json.loads((folder / ANSWER).read_text("utf-8"))["text"])
    except (OSError, ValueError, KeyError, TypeError):
        said = None
    if said is None:
        raise _failure(logs.lines(folder / "log.txt"), ended)
    text = whole_sentences(" ".join(said.split()))
    if not text:
        raise ModelError("the model answered with nothing", hint="other words, or: --with template")
    return attrs.evolve(prompt, text=text)


def whole_sentences(text: str) -> str:
    """*text* without a last sentence that 300 tokens were too few for; all of it where no sentence ends."""
    ends = [found.end() for found in _SENTENCE.finditer(text)]
    return text[: ends[-1]] if ends else text


def _failure(log: list[str], ended: Exit) -> ModelError:
    if ended.stopped:
        return ModelError(f"the job was stopped ({ended.stopped}) before the model answered")
    shared = next((found[0] for line in log if (found := _SHARED.search(line))), "")
    if shared:
        return ModelError(
            f"somebody else has memory of that GPU, and vLLM wants 98 % of it: {shared[:200]}",
            hint="nvidia-smi on that host; or another one: --host NAME",
        )
    error = logs.error_in(log) or next((line for line in reversed(log) if line.startswith("Error: ")), "")
    if ended.oom or logs.is_oom(error):
        return ModelError(f"the GPU's memory is full: {error[:200] or 'the process was killed'}")
    why = f": {error.removeprefix('Error: ')[:300]}" if error else ""
    return ModelError(f"the job ended with exit code {ended.code} before the model answered{why}")


def check(shell: Shell, host: Host, options: PixtralOptions) -> Iterator[Finding]:
    """Whether the model's weights are there; where jobs run in containers they are in there."""
    if host.transport == "docker":
        return
    folder = options.checkpoint_dir
    folder = folder if folder.startswith("/") else f"{options.repo}/{folder}"
    if shell.run(("test", "-d", f"{folder}/{WEIGHTS}"), timeout=30.0).code:
        yield warn(
            f"the model that rewrites prompts is not at {folder}/{WEIGHTS}",
            hint="scripts/download_checkpoints.py --output_dir checkpoints; only --with pixtral needs it",
            where="checkpoints",
        )
    else:
        yield ok(f"the model that rewrites prompts: {WEIGHTS}", where="checkpoints")
