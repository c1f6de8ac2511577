"""From a folder of videos or images to a sealed clip, or to everything that stands against it.

1. Find which file is which modality (:mod:`cosmos_core.clip.passes`).
2. Decode every video to its end and read every image, and compare lengths, sizes and rates.
3. With no failure among the findings: encode sequences and derive edges and blur in a temporary folder, then
   give all new files their names, ``clip.json`` last. A folder without it is not sealed, whatever else is there.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import ExitStack, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import canonical, media
from cosmos_core.clip import passes
from cosmos_core.clip.passes import Source
from cosmos_core.clip.sealed import MANIFEST, Clip, ClipFile
from cosmos_core.errors import Finding, InputError, Level, RefusedError, fail, warn, worst

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

DERIVABLE = ("edge", "vis")
"""Controls that the models compute from colour themselves, and that :func:`seal` can make the same way."""

DEFAULT_FPS = Fraction(24)
"""Rate of image sequences when nobody says another."""

_FILE_NAMES = {"seg": "segmentation.mp4"}
_STYLES = {"color": "colour", "vis": "colour"}
_DERIVED, _ENCODED = "derived by cosmos-core from color ", "encoded by cosmos-core from "
# A segmentation with more colours in one frame than any scene has objects went through a lossy encoder.
_MOST_COLOURS = 256


@attrs.frozen(kw_only=True)
class Measured:
    """What decoding a source found: how long, how large, how fast it is."""

    source: Source
    frames: int
    width: int
    height: int
    fps: Fraction | None
    """None for images, which have no rate."""


@attrs.frozen(kw_only=True)
class Draft:
    """What would be sealed. Its numbers mean something only when no finding is a failure."""

    folder: Path
    measured: tuple[Measured, ...]
    frames: int = 0
    fps: Fraction = DEFAULT_FPS
    width: int = 0
    height: int = 0

    @property
    def modalities(self) -> tuple[str, ...]:
        """What was found, colour first."""
        return tuple(one.source.modality for one in self.measured)


def _silent(done: int, total: int, note: str = "", /) -> None:
    """Report to nobody."""


def inspect(
    folder: Path | str,
    *,
    fps: Fraction | float | None = None,
    on_progress: Callable[[int, int, str], None] = _silent,
) -> tuple[Draft, tuple[Finding, ...]]:
    """Decode everything in *folder* and say all that is wrong with it as a clip, at once. Changes nothing.

    Args:
        folder: with videos or image sequences; see :func:`cosmos_core.clip.modality_of` for their names.
        fps: rate of image sequences; by default that of the folder's videos, else 24 with a warning.
        on_progress: called as ``report(done, total, note)``.

    Raises:
        InputError: when *folder* is not a folder.
    """
    folder = Path(folder).absolute()
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder")
    sources, found = passes.find(folder, ignored=_made_earlier(folder))
    findings = list(found)
    if "color" not in sources:
        findings.append(_no_color(folder, sources))
    measured = []
    for done, source in enumerate(sources.values()):
        on_progress(done, len(sources), f"checking {source.name}")
        one, about = _measure(source)
        findings += about
        measured += [one] if one else []
    on_progress(len(sources), len(sources), "checked")
    findings += passes.compare_numbering(sources.values())
    draft, about = _compare(folder, measured, None if fps is None else _rate(fps))
    return draft, (*findings, *about)


def _rate(fps: Fraction | float) -> Fraction:
    return Fraction(fps).limit_denominator(1001)


def _no_color(folder: Path, sources: Mapping[str, Source]) -> Finding:
    there = (
        ", ".join(source.name for source in sources.values()) or "no video or image sequence of a known name"
    )
    return fail(
        f"{folder.name} has no colour video (it has {there})",
        hint="call it color.mp4, or its images color.0001.png and so on",
        where="color",
    )


def _made_earlier(folder: Path) -> frozenset[str]:
    """Files that an earlier sealing made, which says so in them; they are made again."""
    return frozenset(path.name for path in passes.video_files(folder) if _is_made(folder, path))


def _is_made(folder: Path, path: Path) -> bool:
    try:
        comment = media.probe(path).metadata.get("comment", "")
    except InputError:
        return False
    if comment.startswith(_ENCODED):
        pattern = comment.removeprefix(_ENCODED).replace("#", "[0-9]")
        return any(folder.glob(pattern))
    return comment.startswith(_DERIVED)


def _measure(source: Source) -> tuple[Measured | None, list[Finding]]:
    return _measure_video(source) if source.is_video else _measure_images(source)


def _measure_video(source: Source) -> tuple[Measured | None, list[Finding]]:
    survey = media.survey(source.path)
    if survey.facts is None:
        hint = media.HINTS.get(survey.sniff.kind, "make it again")
        return None, [fail(survey.error, hint=hint, where=source.name)]
    measured = Measured(
        source=source,
        frames=survey.decoded,
        width=survey.facts.width,
        height=survey.facts.height,
        fps=survey.facts.fps,
    )
    return measured, [*_damage(source, survey), *_oddities(source, survey)]


def _damage(source: Source, survey: media.Survey) -> Iterator[Finding]:
    name, promised = source.name, survey.facts.frames if survey.facts else 0
    if promised and survey.decoded < promised:
        yield fail(
            f"{name} holds {survey.decoded} of the {promised} frames that its header promises: it was cut",
            hint="copy it again from where it was made",
            where=name,
        )
    if survey.corrupt:
        frames = "1 frame is" if survey.corrupt == 1 else f"{survey.corrupt} frames are"
        yield fail(f"{name} is damaged: {frames} corrupt", hint="copy or make it again", where=name)
    if survey.error:
        yield fail(
            f"{name} does not decode to its end: {survey.error}", hint="copy or make it again", where=name
        )


def _oddities(source: Source, survey: media.Survey) -> Iterator[Finding]:
    if source.path.suffix != source.path.suffix.lower():
        yield warn(
            f"{source.name}: Transfer 2.5 loads only videos with a small-letter suffix",
            hint=f"rename it to {source.path.stem}{source.path.suffix.lower()}",
            where=source.name,
        )
    if source.modality == "depth" and _looks_far_bright(survey.small):
        yield warn(
            f"{source.name} is brighter at the top than at the bottom: is near dark and far bright in it?",
            hint="the models want near bright, far dark and sky black",
            where=source.name,
        )
    if source.modality == "seg" and (colours := _colours(source.path)) > _MOST_COLOURS:
        yield warn(
            f"{source.name} has {colours} colours in its first frame: it was encoded with loss, or shaded",
            hint="write it with controls.write_video(…, style='exact'), or seal the images",
            where=source.name,
        )


def _looks_far_bright(small: Pixels) -> bool:
    if not len(small):
        return False
    third = small.shape[1] // 3
    return bool(small[:, :third].mean() > small[:, -third:].mean() + 20)


def _colours(path: Path) -> int:
    import numpy as np

    try:
        frame = next(media.read_frames(path), None)
    except InputError:
        return 0
    if frame is None:
        return 0
    r, g, b = (frame[:, :, i].astype(np.uint32) for i in range(3))
    return len(np.unique(r << 16 | g << 8 | b))


def _measure_images(source: Source) -> tuple[Measured | None, list[Finding]]:
    findings = list(passes.numbering(source))
    sizes: dict[tuple[int, int], str] = {}
    for path in source.paths:
        try:
            pixels = passes.read_image(path)
        except InputError as error:
            findings.append(fail(str(error), hint=error.hint or "render it again", where=path.name))
            continue
        sizes.setdefault((pixels.shape[1], pixels.shape[0]), path.name)
        findings += _depth_of_16_bit(source, path, str(pixels.dtype))
    if len(sizes) > 1:
        said = ", ".join(f"{w}x{h} ({name})" for (w, h), name in sizes.items())
        findings.append(fail(f"{source.name} mixes sizes: {said}", where=source.name))
    if not sizes:
        return None, findings
    width, height = next(iter(sizes))
    return Measured(source=source, frames=len(source.paths), width=width, height=height, fps=None), findings


def _depth_of_16_bit(source: Source, path: Path, dtype: str) -> list[Finding]:
    if source.modality != "depth" or dtype != "uint16" or path != source.path:
        return []
    return [
        fail(
            f"{source.name} is 16-bit depth of no known unit",
            hint="write EXR with planar metres in Z, or 8-bit PNG with near bright (cosmos_core.controls.depth)",
            where=source.name,
        )
    ]


def _compare(folder: Path, measured: list[Measured], fps: Fraction | None) -> tuple[Draft, list[Finding]]:
    findings: list[Finding] = []
    rates = {one.source.name: one.fps for one in measured if one.fps is not None}
    if fps is not None and any(one.fps is None for one in measured):
        rates["the images"] = fps
    findings += _unequal("frames", {one.source.name: str(one.frames) for one in measured})
    findings += _unequal("size", {one.source.name: f"{one.width}x{one.height}" for one in measured})
    findings += _unequal("frames a second", {name: str(rate) for name, rate in rates.items()})
    if not measured:
        return Draft(folder=folder, measured=()), findings
    if not rates:
        findings.append(
            warn("images have no rate: 24 frames a second are assumed", hint="say fps=… when sealing")
        )
    first = measured[0]
    draft = Draft(
        folder=folder,
        measured=tuple(measured),
        frames=first.frames,
        fps=next(iter(rates.values()), DEFAULT_FPS),
        width=first.width,
        height=first.height,
    )
    return draft, [*findings, *_unfit(draft)]


def _unequal(what: str, values: Mapping[str, str]) -> Iterator[Finding]:
    if len(set(values.values())) > 1:
        said = ", ".join(f"{name} {value}" for name, value in values.items())
        yield fail(
            f"the passes differ in {what}: {said}", hint="render all passes in one go, with one setting"
        )


def _unfit(draft: Draft) -> Iterator[Finding]:
    if draft.frames < 2:
        yield fail(
            f"the clip has {draft.frames} frame; a clip needs two or more", hint="render more of the scene"
        )
    if draft.width % 2 or draft.height % 2:
        yield fail(
            f"the clip is {draft.width}x{draft.height}: H.264 and the models need even sizes",
            hint="crop or pad by one pixel",
        )
    if draft.fps <= 0:
        yield fail("the videos name no rate", hint="encode them with a constant rate")
    elif draft.fps.denominator != 1:
        cut = int(draft.fps)
        yield warn(
            f"the clip runs at {float(draft.fps):.3f} frames a second: Transfer 2.5 cuts that to {cut}",
            hint=f"render at {cut} or {cut + 1}",
        )


def seal(
    folder: Path | str,
    *,
    name: str = "",
    derive: Iterable[str] = DERIVABLE,
    fps: Fraction | float | None = None,
    source: Mapping[str, object] | None = None,
    on_progress: Callable[[int, int, str], None] = _silent,
) -> Clip:
    """Make a clip of *folder*, or refuse with everything that is wrong.

    Videos stay as they are. Image sequences are encoded, missing ``edge`` and ``vis`` are derived from colour as the
    models derive them (:mod:`cosmos_core.controls`), and ``clip.json`` is written last. A sealed folder is not made
    again, whatever the other arguments: its files are compared with their digests.

    Args:
        folder: with at least a colour video or sequence.
        name: what people call the clip; the folder's name by default.
        derive: which missing controls to make of colour. ``vis`` takes about 0.15 s a frame at 1280x704.
        fps: rate of image sequences; see :func:`inspect`.
        source: what made the clip, as JSON; kept in the manifest, not part of the digest.
        on_progress: called as ``report(done, total, note)``.

    Raises:
        RefusedError: with all findings when one is a failure; nothing was changed. Also when a file of a sealed
            folder was changed.
        InputError: when *folder* is not a folder, or *derive* names what cannot be derived.
    """
    folder = Path(folder).absolute()
    derive = tuple(derive)
    if unknown := set(derive) - set(DERIVABLE):
        raise InputError(f"{min(unknown)!r} cannot be derived", hint=f"of {', '.join(DERIVABLE)}")
    if (folder / MANIFEST).exists():
        return _reopen(folder)
    draft, findings = inspect(folder, fps=fps, on_progress=on_progress)
    if worst(findings) is Level.FAIL:
        raise refusal(folder, findings)
    return _seal(draft, name or folder.name, derive, canonical.plain(dict(source or {})), on_progress)


def refusal(folder: Path, findings: Iterable[Finding]) -> RefusedError:
    """The error that says why *folder* is no clip, all at once."""
    findings = tuple(findings)
    failed = [finding for finding in findings if finding.level is Level.FAIL]
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    return RefusedError(
        f"{folder.name} cannot be sealed: {failed[0].message}{more}", findings, hint=failed[0].hint
    )


def _reopen(folder: Path) -> Clip:
    """A sealed folder, after comparing every file with its digest."""
    try:
        clip = Clip.load(folder)
    except InputError as error:
        raise RefusedError(str(error), [fail(str(error), hint=error.hint)], hint=error.hint) from error
    again = f"put the old file back, or delete {MANIFEST} and seal the folder again"
    findings = [
        fail(f"{file.name} was changed after {folder.name} was sealed", hint=again, where=file.name)
        for file in clip.files
        if media.file_digest(folder / file.name) != file.sha256
    ]
    sources, _ = passes.find(folder)
    findings += [
        fail(f"{one.name} was added after {folder.name} was sealed", hint=again, where=one.name)
        for one in sources.values()
        if one.modality not in clip.modalities
    ]
    if findings:
        raise refusal(folder, findings)
    return clip


def _seal(
    draft: Draft,
    name: str,
    derive: tuple[str, ...],
    source: dict[str, Any],
    on_progress: Callable[[int, int, str], None],
) -> Clip:
    with _workshop(draft.folder) as work:
        paths = _videos(draft, work)
        missing = [modality for modality in derive if modality not in paths]
        paths |= _derive(draft, paths["color"], missing, work, on_progress)
        files = tuple(_clip_file(draft, modality, path, missing) for modality, path in paths.items())
        clip = Clip(
            folder=draft.folder,
            name=name,
            files=files,
            frames=draft.frames,
            fps=draft.fps,
            width=draft.width,
            height=draft.height,
            source=source,
        )
        new = [path for path in paths.values() if path.parent == work]
        media.publish((path, draft.folder / path.name) for path in new)
    media.write_bytes(draft.folder / MANIFEST, canonical.pretty(clip.manifest()).encode())
    return clip


@contextmanager
def _workshop(folder: Path) -> Iterator[Path]:
    """A temporary folder on the same disk, so that renaming out of it is atomic."""
    work = Path(tempfile.mkdtemp(prefix=".sealing-", dir=folder))
    try:
        yield work
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _videos(draft: Draft, work: Path) -> dict[str, Path]:
    """One video for each modality: the one that is there, or the sequence encoded."""
    from cosmos_core import controls

    paths: dict[str, Path] = {}
    for one in draft.measured:
        modality = one.source.modality
        paths[modality] = one.source.path
        if not one.source.is_video:
            paths[modality] = controls.write_video(
                work / _FILE_NAMES.get(modality, f"{modality}.mp4"),
                passes.frames(one.source),
                draft.fps,
                _STYLES.get(modality, "exact"),
                metadata={"comment": f"{_ENCODED}{one.source.name}"},
            )
    return paths


def _derive(
    draft: Draft,
    color: Path,
    missing: list[str],
    work: Path,
    on_progress: Callable[[int, int, str], None],
) -> dict[str, Path]:
    """Make edges and blur of the colour video as it decodes, which is what the models would see."""
    from cosmos_core import controls

    if not missing:
        return {}
    recipes: dict[str, Callable[[Pixels], Pixels]] = {"edge": controls.edge, "vis": controls.vis}
    comment = f"{_DERIVED}{media.file_digest(color)}"
    paths = {modality: work / f"{modality}.mp4" for modality in missing}
    with ExitStack() as stack:
        writers = {
            modality: stack.enter_context(
                controls.VideoWriter(
                    path,
                    draft.width,
                    draft.height,
                    draft.fps,
                    _STYLES.get(modality, "exact"),
                    metadata={"comment": comment},
                )
            )
            for modality, path in paths.items()
        }
        for done, frame in enumerate(media.read_frames(color)):
            on_progress(done, draft.frames, f"deriving {' and '.join(missing)}")
            for modality, writer in writers.items():
                writer.write(recipes[modality](frame))
    on_progress(draft.frames, draft.frames, "derived")
    return paths


def _clip_file(draft: Draft, modality: str, path: Path, derived: list[str]) -> ClipFile:
    return ClipFile(
        modality=modality,
        name=path.name,
        sha256=media.file_digest(path),
        bytes=path.stat().st_size,
        frames=draft.frames,
        fps=draft.fps,
        width=draft.width,
        height=draft.height,
        derived=modality in derived,
    )
