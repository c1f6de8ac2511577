"""``cosmos predict``: lengths and passes, before anything is queued."""

from __future__ import annotations

import json

import click

from cosmos_core_predict import length


@click.group(help="Work out lengths and passes of Predict 2.5 videos.")
def predict() -> None:
    """Group what this plugin adds."""


@predict.command(
    help="Show what the model makes for a length: frames, passes and what is left to trim or retime."
)
@click.argument("seconds", type=float, nargs=-1, required=True)
@click.option("--fps", default=0, help="Delivery rate; the model's own, 16, when not given.")
@click.option("--chunk", default=length.NATIVE_FRAMES, help="Frames of a pass that are kept.")
@click.option("--overlap", default=1, help="Frames that two chunks share.")
@click.option("--json", "as_json", is_flag=True, help="Answer in JSON.")
def plan(seconds: tuple[float, ...], fps: int, chunk: int, overlap: int, as_json: bool) -> None:
    """Plan each length, and offer what several of one prompt could share."""
    if not 0 < overlap < chunk <= length.NATIVE_FRAMES:
        raise click.BadParameter(
            f"an overlap is less than a chunk, and a chunk at most {length.NATIVE_FRAMES}"
        )
    planned = [_plan(each, fps, chunk, overlap) for each in seconds]
    shared = length.shared_prefixes((f"{one.seconds:g} s", None, one) for one in planned)
    if as_json:
        click.echo(
            json.dumps({"lengths": [_facts(one) for one in planned], "shared": [_share(s) for s in shared]})
        )
        return
    for one in planned:
        click.echo(_sentence(one))
    for each in shared:
        click.echo(
            f"of one text2world prompt and seed, {', '.join(each.shorter)} should be the beginning of "
            f"{each.longest}: cutting them from it saves {each.saved_passes} passes (never assumed; compare one pair first)"
        )


def _plan(seconds: float, fps: int, chunk: int, overlap: int) -> length.Length:
    return length.plan(
        seconds=seconds,
        autoregressive=length.frames_for(seconds) > length.NATIVE_FRAMES,
        chunk=chunk,
        overlap=overlap,
        delivery_fps=fps,
    )


def _facts(one: length.Length) -> dict[str, object]:
    return {
        "seconds": one.seconds,
        "model_frames": one.model_frames,
        "model_fps": one.model_fps,
        "delivery_fps": one.delivery_fps,
        "passes": one.passes,
        "trimmed": one.trimmed,
        "seams": list(one.seams),
    }


def _share(shared: length.Shared) -> dict[str, object]:
    return {
        "longest": shared.longest,
        "shorter": list(shared.shorter),
        "saved_passes": shared.saved_passes,
    }


def _sentence(one: length.Length) -> str:
    passes = "1 pass" if one.passes == 1 else f"{one.passes} passes"
    how = "" if one.passes == 1 else " with enable_autoregressive"
    cut = f", trimmed to {one.wanted}" if one.trimmed else ""
    told = f", delivered at {one.delivery_fps}" if one.delivery_fps != one.model_fps else ""
    return f"{one.seconds:g} s: {one.model_frames} frames at {one.model_fps} a second in {passes}{how}{cut}{told}"
