"""Two steps of ours after the model: ``trim`` to the requested length, ``retime`` to the delivery rate.

Each writes a new file beside the artifact, with a record of its own, and leaves the model's file as it is: a rate is
never relabelled in silence, and a cut is never mistaken for what the model made. Both re-encode; both count the
frames they wrote by decoding them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import CosmosError, ok
from cosmos_core.extend import Followed
from cosmos_core_predict import backend

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from fractions import Fraction
    from pathlib import Path

    from cosmos_core.extend import Artifact, Run
    from cosmos_core.media import Pixels

WAYS = ("repeat", "speed")


@attrs.frozen(kw_only=True)
class Retime:
    """How frames made for 16 a second are delivered at another rate."""

    fps: int = attrs.field(
        default=0, metadata={"help": "delivery rate of requests that name none; 0 leaves them alone"}
    )
    how: str = attrs.field(
        default="repeat",
        validator=attrs.validators.in_(WAYS),
        metadata={
            "help": "repeat: frames are shown again or dropped and motion keeps its speed; "
            "speed: the same frames are played faster or slower"
        },
    )


@attrs.frozen(kw_only=True)
class Copy:
    """What a step writes down about the file it made, in ``<file>.json`` beside it."""

    schema: int = 1
    step: str
    run: str
    source: str
    """SHA-256 of the file it was made from."""
    file: str
    digest: str
    """SHA-256 of the new file."""
    frames: int
    fps: str
    seconds: float
    requested_seconds: float
    model_frames: int
    model_fps: int
    delivery_fps: int
    how: str = ""


def trim(artifact: Artifact, run: Run, folder: Path) -> Followed:
    """Write ``<stem>.trim.mp4`` with the frames that were asked for, when the model made more.

    A native pass makes 93 frames whatever is asked; 5 s are the first 80 of them.
    """
    if run.spec.backend != backend.NAME:
        return Followed()
    length = backend.length_of(run.spec)
    if not length.trimmed or length.wanted >= artifact.frames:
        return Followed()
    out = folder / f"{artifact.path.stem}.trim.mp4"
    made = _copy(artifact.path, out, run, step="trim", shown=range(length.wanted), fps=artifact.fps)
    return Followed(
        findings=(
            ok(f"{out.name} is the first {made.frames} of {artifact.frames} frames, {made.seconds:g} s"),
        )
    )


def retime(artifact: Artifact, run: Run, folder: Path, options: Retime) -> Followed:
    """Write ``<stem>.<rate>fps.mp4`` at the delivery rate, of the trimmed copy where there is one."""
    from fractions import Fraction

    if run.spec.backend != backend.NAME:
        return Followed()
    length = backend.length_of(run.spec)
    rate = backend.chosen(run.spec).delivery_fps or options.fps
    if not rate or rate == artifact.fps:
        return Followed()
    trimmed = folder / f"{artifact.path.stem}.trim.mp4"
    source = trimmed if trimmed.is_file() else artifact.path
    have = length.wanted if trimmed.is_file() else artifact.frames
    shown = timing(have, artifact.fps, rate) if options.how == "repeat" else range(have)
    out = folder / f"{artifact.path.stem}.{rate}fps.mp4"
    made = _copy(
        source,
        out,
        run,
        step="retime",
        shown=shown,
        fps=Fraction(rate),
        delivery_fps=rate,
        how=options.how,
    )
    return Followed(
        findings=(ok(f"{out.name} has {made.frames} frames at {rate} a second, {made.seconds:g} s"),)
    )


def timing(frames: int, fps: Fraction | int, rate: int) -> tuple[int, ...]:
    """Which frame is shown at each moment of a copy at *rate*, so that motion keeps its speed."""
    count = round(frames * rate / fps)
    return tuple(min(frames - 1, int(index * fps / rate)) for index in range(count))


def pick(indexes: Iterable[int], frames: Iterator[Pixels]) -> Iterator[Pixels]:
    """Give frames of a video by rising index, each as often as it is named."""
    at, frame = -1, None
    for index in indexes:
        while at < index:
            at, frame = at + 1, next(frames)
        if frame is not None:
            yield frame


def _copy(
    source: Path,
    out: Path,
    run: Run,
    *,
    step: str,
    shown: Sequence[int],
    fps: Fraction,
    **more: Any,
) -> Copy:
    """Write *out* and its record; the record that is there already when nothing changed.

    Raises:
        CosmosError: when the copy does not decode to as many frames as *shown* names.
    """
    from cosmos_core import controls, media

    digest = media.file_digest(source)
    length = backend.length_of(run.spec)
    record = out.with_suffix(".mp4.json")
    known = _known(record)
    if known and out.is_file() and (known.source, known.digest) == (digest, media.file_digest(out)):
        return known
    count = len(shown)
    controls.write_video(out, pick(shown, media.read_frames(source)), fps)
    decoded = media.survey(out).decoded
    if decoded != count:
        raise CosmosError(f"{out.name} has {decoded} frames, not the {count} that were to be written")
    made = Copy(
        step=step,
        run=run.id,
        source=digest,
        file=out.name,
        digest=media.file_digest(out),
        frames=count,
        fps=str(fps),
        seconds=round(float(count / fps), 6),
        requested_seconds=length.seconds,
        model_frames=length.model_frames,
        model_fps=length.model_fps,
        **{"delivery_fps": length.delivery_fps, **more},
    )
    media.write_bytes(record, (json.dumps(attrs.asdict(made), indent=2, sort_keys=True) + "\n").encode())
    return made


def _known(record: Path) -> Copy | None:
    try:
        return Copy(**json.loads(record.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
