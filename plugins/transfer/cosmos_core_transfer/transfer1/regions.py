"""What parts of the picture show: ``0,0,0.5,1: a red dress; woman on the right: a blue dress``.

One process has one list for all its items. Masks are made for 121 frames of 1280x704 and used for every clip of a video.
A mask video is turned into a tensor in the list itself, so the next item of the batch would not find the video any more.

Source: nvidia-cosmos/cosmos-transfer1 at 5005e82: cosmos_transfer1/diffusion/inference/{transfer,preprocessors}.py,
cosmos_transfer1/utils/{regional_prompting_utils,video_utils}.py, cosmos_transfer1/diffusion/module/attention.py.
"""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import fail, warn
from cosmos_core_transfer.transfer1 import sizes
from cosmos_core_transfer.transfer1.sizes import CLIP
from cosmos_core_transfer.transfer25.sizes import Size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.clip import Clip
    from cosmos_core.errors import Finding
    from cosmos_core.extend import Spec
    from cosmos_core_transfer.transfer1.options import Transfer1Options

WHERE = "regional_prompts"
SIZE = Size(1280, 704)
"""The program makes masks for this size, whatever the video's is."""
LATENTS = (SIZE.width // 16, SIZE.height // 16)
"""Cells of the picture that a mask is looked up in."""

_NUMBER = r"\s*-?\d*\.?\d+\s*"
_BOX = re.compile(rf"{_NUMBER}(?:,{_NUMBER})*")


@attrs.frozen
class Region:
    """A part of the picture, as numbers or as words, and what it shows."""

    prompt: str
    box: tuple[float, ...] = ()
    words: str = ""


def region(text: str) -> Region:
    """The region that *text* says; numbers before words."""
    where, _, prompt = text.partition(": ")
    if _BOX.fullmatch(where):
        return Region(prompt.strip(), box=tuple(float(each) for each in where.split(",")))
    return Region(prompt.strip(), words=where.strip())


def texts(value: str) -> list[str]:
    """The regions in *value*, each as it was written."""
    return [text.strip() for text in value.split(";") if text.strip()]


def as_list(chosen: Transfer1Options) -> list[dict[str, Any]]:
    """The list as the program reads it."""
    found = [region(text) for text in texts(chosen.regional_prompts)]
    return [{"prompt": each.prompt, **_place(each)} for each in found]


def _place(found: Region) -> dict[str, Any]:
    return {"region_definitions_path": list(found.box)} if found.box else {"mask_prompt": found.words}


def review(spec: Spec, chosen: Transfer1Options, clip: Clip) -> Iterator[Finding]:
    """What the program would die of, or accept and get wrong."""
    if not chosen.regional_prompts:
        return
    written = texts(chosen.regional_prompts)
    found = [region(text) for text in written]
    for text, each in zip(written, found, strict=True):
        yield from _written(text, each)
    yield from _process(spec, chosen)
    if any(each.words for each in found):
        yield from _found_by_words(spec, clip)
    yield warn("the guardrail is asked about the prompt, and not about those of regions", where=WHERE)


def _written(text: str, found: Region) -> Iterator[Finding]:
    if not found.prompt or not (found.box or found.words):
        yield fail(
            f"{text!r} says no region and what it shows",
            hint='"0,0,0.5,1: a red dress; woman on the right: a blue dress"',
            where=WHERE,
        )
    elif found.box:
        yield from _boxed(text, found.box)
    elif PurePath(found.words).suffix.lower() in {".mp4", ".mov", ".mkv", ".webm", ".json", ".pt"}:
        yield fail(
            f"{found.words} is a file: of a batch only the first video would be made with it, and the program dies at the next",
            hint="say the region as x0,y0,x1,y1, or in words",
            where=WHERE,
        )


def _boxed(text: str, box: tuple[float, ...]) -> Iterator[Finding]:
    if len(box) != 4 or not all(0 <= each <= 1 for each in box):
        yield fail(
            f"{text!r} is no box: four numbers from 0 to 1, left, top, right, bottom",
            hint='the left half is "0,0,0.5,1: …"',
            where=WHERE,
        )
        return
    x0, y0, x1, y1 = box
    across, down = LATENTS
    if int(x1 * across) <= int(x0 * across) or int(y1 * down) <= int(y0 * down):
        yield fail(
            f"{text!r} is a box without a single cell in it: its words would count nowhere, without a word from the program",
            hint="left before right and top before bottom",
            where=WHERE,
        )


def _process(spec: Spec, chosen: Transfer1Options) -> Iterator[Finding]:
    if chosen.use_distilled:
        yield fail("the distilled model drops regional prompts, and says so in its log only", where=WHERE)
    if chosen.gpus > 1:
        yield fail(
            f"with {chosen.gpus} GPUs the program dies: it cannot share 121 frames of masks out among them",
            hint="-o gpus=1",
            where=WHERE,
        )
    size = sizes.bucket(spec.width, spec.height)
    if size != SIZE:
        yield fail(
            f"masks of regions are made for {SIZE}, and this video would be {size}: the program dies of it",
            hint=f"render the clip at {SIZE}",
            where=WHERE,
        )


def _found_by_words(spec: Spec, clip: Clip) -> Iterator[Finding]:
    """A region in words is looked for in the input: its mask has the input's size and length."""
    if spec.frames < CLIP:
        yield fail(
            f"a region in words needs {CLIP} frames and the clip has {spec.frames}: the program dies of it "
            "(nvidia-cosmos/cosmos-transfer1#180)",
            hint="say the region as x0,y0,x1,y1, which needs none",
            where=WHERE,
        )
    elif spec.frames > CLIP:
        yield fail(
            f"a region in words is found in the first {CLIP} frames, and the same mask is used again for each clip "
            f"behind them; this video has {spec.frames}",
            hint=f"cut the clip to {CLIP} frames, or say the region as x0,y0,x1,y1",
            where=WHERE,
        )
    if (clip.width, clip.height) != SIZE:
        yield fail(
            f"a region in words is found in a picture of {SIZE} only, and the clip is {clip.width}x{clip.height}: the "
            "program dies of it",
            hint=f"render the clip at {SIZE}, or say the region as x0,y0,x1,y1",
            where=WHERE,
        )
    yield warn("where nothing is seen that the words name, the program dies of it", where=WHERE)
