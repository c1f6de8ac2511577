"""What stands against a request for Transfer 1 or its upscaler, before a GPU is touched."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.errors import Finding, fail, warn
from cosmos_core_transfer.transfer1 import regions, sizes
from cosmos_core_transfer.transfer1.job import is_given, kinds_of, options_of
from cosmos_core_transfer.transfer1.options import Transfer1Options
from cosmos_core_transfer.transfer1.schema import CONTROLS, DERIVED, set_rules, sum_rules
from cosmos_core_transfer.transfer1.sizes import CLIP, MOST_FRAMES
from cosmos_core_transfer.transfer25.options import words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Spec


def review(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Everything that the program would get wrong silently, or do otherwise than one thinks."""
    if clip is None:
        yield fail(
            "Transfer 1 changes a clip, and the request names none", hint="give --clip FOLDER", where="clip"
        )
        return
    chosen = options_of(spec)
    yield from _controls(spec, chosen, clip)
    yield from _unused(spec, chosen, clip)
    yield from _distilled(spec, chosen)
    yield from plate_rules(spec, clip)
    yield from _sampling(chosen)
    yield from regions.review(spec, chosen, clip)


def _controls(spec: Spec, chosen: Transfer1Options, clip: Clip) -> Iterator[Finding]:
    kinds = kinds_of(spec)
    if not kinds:
        yield fail(
            "there is no control; the program would die of it after the model was loaded",
            hint=f"give at least one of {', '.join(sorted(DERIVED))}",
            where="controls",
        )
    for kind in kinds:
        if kind not in DERIVED and not is_given(kind, chosen, clip):
            yield fail(
                f"{kind} cannot be computed, and the clip has none; the program would die of it after the model was "
                "loaded",
                where="controls",
            )
    yield from set_rules(set(kinds))
    yield from sum_rules(spec.weights.values())


def _unused(spec: Spec, chosen: Transfer1Options, clip: Clip) -> Iterator[Finding]:
    """What counts only where a control is computed, or is there, would have no effect."""
    of = {"canny_threshold": "edge", "blur_strength": "vis", "input_control_prompt": "seg"}
    plain = Transfer1Options()
    for name, kind in of.items():
        if getattr(chosen, name) == getattr(plain, name):
            continue
        if kind not in spec.weights or is_given(kind, chosen, clip):
            yield fail(
                f"{name} would have no effect: it counts only where the program computes {kind} itself",
                hint=f"-o computed={kind}, or leave it out",
                where=name,
            )
    if chosen.control_weight_prompt and "seg" not in spec.weights:
        yield fail(
            "control_weight_prompt would have no effect: NVIDIA's documents show it for vis and edge, and the program "
            "heeds it for seg only",
            where="control_weight_prompt",
        )
    for kind in words(chosen.computed):
        if kind not in CONTROLS or kind not in spec.weights:
            yield fail(f"computed names {kind!r}, and the request has no such control", where="computed")


def _distilled(spec: Spec, chosen: Transfer1Options) -> Iterator[Finding]:
    if chosen.use_distilled and set(spec.weights) != {"edge"}:
        yield fail(
            f"the distilled model takes edge only, not {', '.join(sorted(spec.weights))}; the program would stop with "
            "'No default distilled checkpoint'",
            where="use_distilled",
        )


def _sampling(chosen: Transfer1Options) -> Iterator[Finding]:
    if chosen.sigma_max >= 80:
        yield warn(
            "from a sigma_max of 80 on nothing of the input's colour is used, only its controls",
            where="sigma_max",
        )
    if chosen.upsample_prompt:
        yield warn(
            "the prompt will be rewritten, so that the video's own prompt cannot be compared with yours; the rewriting "
            "model takes 98 % of a GPU's memory",
            hint="have it rewritten beforehand, and see the words: cosmos prompt enhance NAME --with pixtral",
            where="upsample_prompt",
        )


def plate_rules(spec: Spec, clip: Clip) -> Iterator[Finding]:
    """What the input's length, rate and size mean to the program."""
    if spec.frames != clip.frames:
        yield fail(
            f"{spec.frames} frames are asked for and the clip has {clip.frames}; Transfer 1 cannot stop earlier or go "
            f"on, so it would make {clip.frames} without a word",
            hint="cut the clip, or leave --frames out",
            where="frames",
        )
    elif spec.frames > MOST_FRAMES:
        yield fail(
            f"{spec.frames} frames would be cut to {MOST_FRAMES} without a word",
            hint="cut the clip",
            where="frames",
        )
    elif spec.frames < 2:
        yield fail("Transfer 1 makes no single picture; the program would die of it", where="frames")
    elif spec.frames < CLIP:
        yield warn(
            f"{spec.frames} frames cost as much as {CLIP}, and look worse (nvidia-cosmos/cosmos-transfer1#211)",
            where="frames",
        )
    elif sizes.clips(spec.frames) > 1:
        seams = ", ".join(map(str, sizes.borders(spec.frames)[:8]))
        yield warn(
            f"{spec.frames} frames take {sizes.clips(spec.frames)} clips of {CLIP}, with seams at frame {seams}",
            where="frames",
        )
    if spec.fps.denominator != 1:
        yield warn(
            f"the input has {float(spec.fps):.3f} frames a second and the output will have {int(spec.fps)}: the "
            "program writes a whole rate only",
            hint="render the clip at 24 or 30 frames a second",
            where="fps",
        )
    size = sizes.bucket(clip.width, clip.height)
    if size != (clip.width, clip.height):
        yield warn(
            f"the input is {clip.width}x{clip.height} and the video will be {size}: it is stretched, and not back",
            hint=f"render the clip at {size}",
            where="size",
        )


def review_upscale(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Everything against enlarging a clip."""
    if clip is None:
        yield fail(
            "the upscaler enlarges a clip, and the request names none", hint="give --clip", where="clip"
        )
        return
    yield from plate_rules(spec, clip)
    size = sizes.bucket(clip.width, clip.height)
    if clip.width > size.width or clip.height > size.height:
        yield fail(
            f"the input is {clip.width}x{clip.height}, and would be shrunk to {size} before it is enlarged to "
            f"{sizes.upscaled(clip.width, clip.height)}",
            hint=f"it takes at most {size}",
            where="size",
        )
