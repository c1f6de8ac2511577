"""The parameter files of Predict 2.5: read, judge, write. No disk but in :func:`read`.

Fields, defaults and rules are those of nvidia-cosmos/cosmos-predict2.5: cosmos_predict2/config.py, versions 1.2.0 to
1.5.0 ("generation B": one flat object a sample). A field that is None was not said; NVIDIA's default counts then.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import Finding, InputError, Level, RefusedError, fail, warn
from cosmos_core.media import sniff
from cosmos_core_predict import length

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

TYPES = ("text2world", "image2world", "video2world")
MODELS = ("2B/post-trained", "2B/pre-trained", "2B/distilled", "14B/post-trained", "14B/pre-trained")
"""Source: cosmos_predict2/config.py: MODEL_CHECKPOINTS; a bare ``14B`` is no name, the program ends with exit code 2."""
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".mp4")
"""Compared case-sensitively."""
CONDITION_FRAMES = {"text2world": 0, "image2world": 1, "video2world": 5}
"""Frames of the input that the video begins with."""
SIZE = (1280, 704)
"""Width and height at resolution ``none``."""
DEFAULT_CHUNK = 77
"""NVIDIA's. It wastes 16 frames of every pass; ours is 93."""
DEFAULT_STEPS = 35

_SIZES = re.compile(r"(\d+),(\d+)")
_CELL = 16


@attrs.frozen(kw_only=True)
class Sample:
    """One object of a parameter file, field by field as NVIDIA names them."""

    name: str
    inference_type: str
    prompt: str | None = None
    prompt_path: str | None = None
    """Relative to the file; not read when ``prompt`` is given."""
    negative_prompt: str | None = None
    input_path: str | None = None
    """Relative to the file."""
    resolution: str | None = None
    num_output_frames: int | None = None
    """The program reads it in autoregressive mode only."""
    num_steps: int | None = None
    enable_autoregressive: bool | None = None
    chunk_size: int | None = None
    chunk_overlap: int | None = None
    seed: int | None = None
    guidance: int | None = None

    @property
    def is_autoregressive(self) -> bool:
        """Whether the model goes on after its first pass."""
        return bool(self.enable_autoregressive)

    @property
    def chunk(self) -> int:
        """Frames a pass keeps."""
        return DEFAULT_CHUNK if self.chunk_size is None else self.chunk_size

    @property
    def overlap(self) -> int:
        """Frames that two chunks share."""
        return 1 if self.chunk_overlap is None else self.chunk_overlap

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the video."""
        found = _SIZES.fullmatch(self.resolution or "")
        return (int(found[2]), int(found[1])) if found else SIZE

    @property
    def length(self) -> length.Length:
        """What the program makes of it."""
        frames = self.num_output_frames or (DEFAULT_CHUNK if self.is_autoregressive else 0)
        return length.plan(
            frames=frames,
            autoregressive=self.is_autoregressive,
            chunk=self.chunk,
            overlap=self.overlap,
        )


FIELDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "inference_type": (str,),
    "prompt": (str,),
    "prompt_path": (str,),
    "negative_prompt": (str,),
    "input_path": (str,),
    "resolution": (str,),
    "num_output_frames": (int,),
    "num_steps": (int,),
    "enable_autoregressive": (bool,),
    "chunk_size": (int,),
    "chunk_overlap": (int,),
    "seed": (int,),
    "guidance": (int, float),
}
"""What a field may hold. A guidance of 3.0 is read as 3, as NVIDIA's model does."""

_REQUIRED = ("name", "inference_type")


def to_json(sample: Sample) -> dict[str, Any]:
    """What was said of *sample*, for a file."""
    return {key: value for key, value in attrs.asdict(sample).items() if value is not None}


def to_lines(samples: Iterable[Sample]) -> bytes:
    """A ``.jsonl`` file. ASCII: the program splits lines at every character that Unicode calls a line's end."""
    return "".join(json.dumps(to_json(sample)) + "\n" for sample in samples).encode("ascii")


def from_json(found: object) -> Sample:
    """The sample that *found*, an object of a parameter file, describes.

    Raises:
        RefusedError: with a finding for every field that is missing, unknown or of another type.
    """
    if not isinstance(found, dict):
        raise RefusedError(
            "this is no sample",
            [fail(f"a sample is one JSON object, and this is a {type(found).__name__}")],
        )
    findings = list(_review_fields(found))
    if findings:
        raise RefusedError(f"the sample has {len(findings)} problem(s)", findings)
    values = {key: value for key, value in found.items() if value is not None}
    if "guidance" in values:
        values["guidance"] = int(values["guidance"])
    return Sample(**values)


def _review_fields(found: Mapping[str, Any]) -> Iterator[Finding]:
    for key in found:
        if key not in FIELDS:
            yield fail(f"Predict 2.5 has no field {key!r}", hint=f"one of {', '.join(FIELDS)}", where=key)
    for key in _REQUIRED:
        if found.get(key) is None:
            yield fail(f"{key} is required", where=key)
    if found.get("prompt") is None and found.get("prompt_path") is None:
        yield fail("either prompt or prompt_path is required", where="prompt")
    for key, kinds in FIELDS.items():
        value = found.get(key)
        if value is None:
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            yield fail(f"{key} is {value!r:.60}, not a {kinds[0].__name__}", where=key)
        elif isinstance(value, float) and not value.is_integer():
            yield fail(f"{key} is {value}, not a whole number", where=key)


def review(sample: Sample, model: str = MODELS[0]) -> Iterator[Finding]:
    """What the program refuses of *sample*, and what it accepts and gets wrong, before a GPU is touched."""
    if model not in MODELS:
        yield fail(f"there is no model {model!r}", hint=f"one of {', '.join(MODELS)}", where="model")
    if sample.inference_type not in TYPES:
        yield fail(
            f"there is no inference_type {sample.inference_type!r}",
            hint=f"one of {', '.join(TYPES)}",
            where="inference_type",
        )
    yield from _review_words(sample)
    yield from _review_input(sample)
    yield from _review_numbers(sample)
    yield from _review_resolution(sample)
    yield from _review_length(sample)
    yield from _review_distilled(sample, model)


def _review_words(sample: Sample) -> Iterator[Finding]:
    if not sample.name or "/" in sample.name or sample.name.startswith("."):
        yield fail(f"{sample.name!r} cannot name the files of a sample", where="name")
    if sample.prompt is not None and sample.prompt_path is not None:
        yield fail(
            "prompt and prompt_path are both given: the program would take prompt and never open the file",
            hint="give one of them",
            where="prompt",
        )


def _review_input(sample: Sample) -> Iterator[Finding]:
    needs = CONDITION_FRAMES.get(sample.inference_type, 0) > 0
    if needs and sample.input_path is None:
        yield fail(f"{sample.inference_type} needs an input_path", where="input_path")
    if sample.input_path is None:
        return
    if not needs:
        yield fail(
            f"{sample.inference_type} ignores input_path: the video would show nothing of {sample.input_path}",
            hint="say image2world or video2world, or leave the input out",
            where="input_path",
        )
        return
    suffix = "." + sample.input_path.rpartition(".")[2]
    if suffix not in SUFFIXES:
        yield fail(
            f"{sample.input_path} does not end in one of {' '.join(SUFFIXES)}",
            hint="in small letters",
            where="input_path",
        )
    elif sample.inference_type == "video2world" and suffix != ".mp4":
        yield fail(
            "video2world with a picture would begin with that picture and four black frames",
            hint="say image2world",
            where="input_path",
        )


def _review_numbers(sample: Sample) -> Iterator[Finding]:
    if sample.guidance is not None and not 0 <= sample.guidance <= 7:
        yield fail(f"guidance {sample.guidance} is outside 0 to 7", where="guidance")
    for key in ("num_steps", "num_output_frames"):
        value = getattr(sample, key)
        if value is not None and value < 1:
            yield fail(f"{key} {value} is not a positive number", where=key)


def _review_resolution(sample: Sample) -> Iterator[Finding]:
    if sample.resolution in {None, "none"}:
        return
    if not _SIZES.fullmatch(sample.resolution or ""):
        yield fail(
            f"resolution {sample.resolution!r} would be accepted and stop the program after the model was loaded",
            hint='height and width, such as "704,1280", or "none" for the size the model was trained at',
            where="resolution",
        )
    elif any(side % _CELL or not side for side in sample.size):
        yield fail(
            f"resolution {sample.resolution!r} is not made of multiples of {_CELL}, in which the model sees a picture",
            hint='"704,1280" is what it was trained at',
            where="resolution",
        )


def _review_length(sample: Sample) -> Iterator[Finding]:
    if not sample.is_autoregressive:
        yield from _review_standard(sample)
        return
    if not 1 <= sample.chunk <= length.NATIVE_FRAMES:
        yield fail(
            f"chunk_size {sample.chunk} would be accepted, and the model sees {length.NATIVE_FRAMES} frames a pass: "
            "chunks would not fit",
            hint=f"{length.NATIVE_FRAMES} is best",
            where="chunk_size",
        )
    if not 1 <= sample.overlap < sample.chunk:
        yield fail(
            f"chunk_overlap {sample.overlap} would be accepted, and a chunk of {sample.chunk} would never get on",
            hint="1 is what the model goes on from best; it must be less than chunk_size",
            where="chunk_overlap",
        )
    elif sample.overlap % 4 != 1:
        yield fail(
            f"chunk_overlap {sample.overlap} is not 1, 5, 9, …: the model would go on from "
            f"{sample.overlap - (sample.overlap - 1) % 4} of these frames and drop the rest, a jump at every seam",
            where="chunk_overlap",
        )
    given = CONDITION_FRAMES.get(sample.inference_type, 0)
    frames = sample.length.model_frames
    if frames <= max(given, 1):
        what = "one frame becomes a .jpg" if frames == 1 else f"the first {given} frames are the input's own"
        yield fail(f"{frames} frames are no video: {what}", where="num_output_frames")


def _review_standard(sample: Sample) -> Iterator[Finding]:
    wanted = sample.num_output_frames
    if wanted is None or wanted == length.NATIVE_FRAMES:
        return
    made = f"{length.NATIVE_FRAMES} frames at {length.MODEL_FPS} a second, {length.NATIVE_SECONDS:.2f} s"
    if wanted > length.NATIVE_FRAMES:
        yield fail(
            f"{wanted} frames are asked for without autoregression: the program would accept it and make {made}",
            hint=f"enable_autoregressive=true makes them in {length.passes(wanted)} passes",
            where="num_output_frames",
        )
    else:
        yield warn(
            f"without autoregression the model makes {made}; the step trim cuts a copy to {wanted}",
            where="num_output_frames",
        )


def _review_distilled(sample: Sample, model: str) -> Iterator[Finding]:
    if not model.endswith("/distilled"):
        return
    if sample.inference_type != "text2world":
        yield fail(
            f"{model} makes text2world only, and {sample.inference_type} is asked for",
            hint="2B/post-trained takes an input",
            where="model",
        )
    if sample.is_autoregressive and sample.length.passes > 1:
        yield fail(
            f"{model} cannot go on from frames, and every chunk after the first does",
            hint="2B/post-trained goes on",
            where="enable_autoregressive",
        )


def read(path: Path) -> tuple[Sample, ...]:
    """The samples of a ``.json`` or ``.jsonl`` file, as NVIDIA's program reads it.

    Raises:
        RefusedError: naming every line and field that is wrong.
        InputError: when the file cannot be read, is another kind of file, or stands for one that Git LFS keeps.
    """
    found = sniff(path)
    if found.kind in {"missing", "not_a_file", "empty", "pointer", "html"}:
        raise InputError(f"{path.name} {found.sentence.replace(', not a video', '')}")
    if path.suffix not in {".json", ".jsonl"}:
        raise InputError(f"{path.name} is neither .json nor .jsonl")
    text = path.read_text("utf-8")
    pieces = [line for line in text.splitlines() if line] if path.suffix == ".jsonl" else [text]
    samples: list[Sample] = []
    findings: list[Finding] = []
    for number, piece in enumerate(pieces, 1):
        where = f"{path.name}:{number}: " if len(pieces) > 1 else ""
        try:
            samples.append(from_json(json.loads(piece)))
        except ValueError as error:
            findings.append(fail(f"this is not JSON: {error}", where=f"{where}{path.name}"))
        except RefusedError as error:
            findings += [attrs.evolve(one, where=f"{where}{one.where}") for one in error.findings]
    findings += same_names(samples)
    if any(finding.level is Level.FAIL for finding in findings):
        raise RefusedError(f"{path.name} has {len(findings)} problem(s)", findings)
    return tuple(samples)


def same_names(samples: Iterable[Sample]) -> Iterator[Finding]:
    """A finding for each name that several samples have, over all files of a batch."""
    for name, count in Counter(sample.name for sample in samples).items():
        if count > 1:
            yield fail(
                f"{count} samples are named {name!r}: the program refuses the whole batch", where="name"
            )
