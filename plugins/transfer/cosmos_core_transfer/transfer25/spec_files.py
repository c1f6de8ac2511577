"""NVIDIA's own spec files: read without loss, judged whole, written back.

``.json`` holds one object, ``.jsonl`` one object a line; paths in them are relative to the file's folder.

Source: nvidia-cosmos/cosmos-transfer2.5: cosmos_transfer2/config.py (``_from_file``, ``from_files``).
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import Finding, InputError, Level, fail, worst
from cosmos_core.media import probe, sniff
from cosmos_core_transfer.reading import read
from cosmos_core_transfer.transfer25.rules import (
    VIDEO,
    Media,
    control_rules,
    plate_rules,
    sample_rules,
    weight_rules,
)
from cosmos_core_transfer.transfer25.schema import Sample, as_mapping
from cosmos_core_transfer.transfer25.sizes import frames_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@attrs.frozen(kw_only=True)
class Read:
    """One sample of a file: the sample, or why it is none. One bad sample does not cost those beside it."""

    where: str
    """The file's name, and its line where it has several."""
    folder: Path
    """Where its paths start."""
    sample: Sample | None
    findings: tuple[Finding, ...] = ()

    @property
    def is_good(self) -> bool:
        """Whether it can run."""
        return self.sample is not None and worst(self.findings) is not Level.FAIL


def read_file(path: Path) -> tuple[Read, ...]:
    """The samples of one file. What cannot be read at all is one :class:`Read` without a sample."""
    path = path.absolute()
    try:
        objects = list(_objects(path))
    except InputError as error:
        return (_unread(path, path.name, str(error), error.hint),)
    return tuple(_read_one(path, where, value) for where, value in objects)


def read_files(paths: Iterable[Path]) -> tuple[Read, ...]:
    """The samples of several files, as one command line would take them: a name may stand only once."""
    found = [each for path in paths for each in read_file(path)]
    names = Counter(each.sample.name for each in found if each.sample)
    return tuple(_twice(each) if each.sample and names[each.sample.name] > 1 else each for each in found)


def _twice(each: Read) -> Read:
    name = each.sample.name if each.sample else ""
    finding = fail(
        f"{each.where}: the name {name!r} is given more than once; the program would exit with 1 and run nothing",
        where=each.where,
    )
    return attrs.evolve(each, findings=(*each.findings, finding))


def groups(found: Iterable[Read]) -> dict[tuple[str, ...], tuple[Read, ...]]:
    """The good samples by their exact set of controls: one command line each.

    The program would take all of them at once, load the multi-control model and silently give some controls the
    weight 0.
    """
    made: dict[tuple[str, ...], list[Read]] = {}
    for each in found:
        if each.is_good and each.sample is not None:
            made.setdefault(tuple(each.sample.controls), []).append(each)
    return {key: tuple(members) for key, members in made.items()}


def write_json(sample: Sample) -> str:
    """The text of a ``.json`` file."""
    return json.dumps(as_mapping(sample), indent=4, ensure_ascii=False) + "\n"


def write_jsonl(samples: Sequence[Sample]) -> str:
    """The text of a ``.jsonl`` file, without a blank line, which the program would die of."""
    return "".join(json.dumps(as_mapping(sample), ensure_ascii=False) + "\n" for sample in samples)


def _objects(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix not in {".json", ".jsonl"}:
        raise InputError(
            f"{path.name} is neither .json nor .jsonl; the program would end with a traceback",
            hint="it reads no YAML",
        )
    found = sniff(path)
    if found.kind in {"missing", "not_a_file", "empty", "pointer", "html"}:
        hint = (
            "the examples in NVIDIA's repository are pointers: git lfs pull"
            if found.kind == "pointer"
            else ""
        )
        raise InputError(f"{path.name} {found.sentence.replace('not a video', 'not a spec')}", hint=hint)
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} cannot be read: {error}") from error
    if path.suffix == ".json":
        yield path.name, _json(path.name, text)
        return
    for number, line in enumerate(text.splitlines(), 1):
        where = f"{path.name}:{number}"
        if not line.strip():
            raise InputError(
                f"{where} is blank; the program would end with a traceback", hint="remove the line"
            )
        yield where, _json(where, line)


def _json(where: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{where} is not JSON: {error}; the program would end with a traceback",
            hint="the examples in NVIDIA's documents have comments, which JSON has not",
        ) from error


def _read_one(path: Path, where: str, value: Any) -> Read:
    if not isinstance(value, dict):
        return _unread(path, where, f"{where} holds no object; the program would end with a traceback", "")
    sample, problems = read(Sample, value, where)
    if sample is None:
        return Read(where=where, folder=path.parent, sample=None, findings=tuple(problems))
    findings = (*sample_rules(sample), *weight_rules(sample), *media_rules(sample, path.parent))
    return Read(where=where, folder=path.parent, sample=sample, findings=findings)


def _unread(path: Path, where: str, message: str, hint: str) -> Read:
    return Read(
        where=where, folder=path.parent, sample=None, findings=(fail(message, hint=hint, where=where),)
    )


def media_rules(sample: Sample, folder: Path) -> Iterator[Finding]:
    """What is wrong with the files a sample names: missing, pointers, lengths, rates."""
    for where, name in _other_files(sample).items():
        yield from _is_a_file(where, folder / name, "any")
    plate, problems = _media("video_path", folder / sample.video_path)
    yield from problems
    if plate is not None:
        yield from plate_rules(sample, plate)
    for name, block in sample.controls.items():
        for key, path in (("control_path", block.control_path), ("mask_path", block.mask_path)):
            if path is None:
                continue
            control, problems = _media(f"{name}.{key}", folder / path)
            yield from problems
            if control is not None and plate is not None:
                yield from control_rules(
                    f"{name}.{key}", control, frames_out(plate.frames, sample.max_frames)
                )


def _other_files(sample: Sample) -> dict[str, str]:
    named = {
        "prompt_path": sample.prompt_path if sample.prompt is None else None,
        "image_context_path": sample.image_context_path,
        "guided_generation_mask": sample.guided_generation_mask,
    }
    return {where: name for where, name in named.items() if name is not None}


def _is_a_file(where: str, path: Path, wanted: str) -> list[Finding]:
    found = sniff(path)
    if found.kind in {"missing", "not_a_file"}:
        return [fail(f"{path.name} {found.sentence}; the program would exit with 1", where=where)]
    if found.kind in {"pointer", "html", "empty"} or (wanted == "video" and found.kind == "text"):
        return [
            fail(
                f"{path.name} {found.sentence}; the program would take it and die of it after the model was loaded",
                hint="git lfs pull" if found.kind == "pointer" else "",
                where=where,
            )
        ]
    return []


def _media(where: str, path: Path) -> tuple[Media | None, list[Finding]]:
    problems = _is_a_file(where, path, "video")
    if problems or path.suffix not in VIDEO:
        return None, problems
    try:
        facts = probe(path)
    except InputError as error:
        return None, [fail(f"{error}; the program would die of it after the model was loaded", where=where)]
    frames = facts.frames or round(facts.seconds * facts.fps)
    return Media(frames=frames, fps=facts.fps, width=facts.width, height=facts.height), []
