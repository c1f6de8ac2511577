"""What is enlarged: a run's sealed video, or any other. It becomes a clip by its digest, as every input does."""

from __future__ import annotations

import itertools
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import clip as clips
from cosmos_core import media
from cosmos_core.clip import ClipFile
from cosmos_core.errors import InputError, RefusedError, UnknownError, fail, warn
from cosmos_core.extend import Clip, Prompt, Run
from cosmos_core.media import MediaFacts
from cosmos_core_upscale.delivery import ENLARGERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cosmos_core import Cosmos
    from cosmos_core.errors import Finding
    from cosmos_core.extend import Spec

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")
ENLARGED_BY = "enlarged_by"
"""Key in a clip's source: the backend that made its video larger already."""


@attrs.frozen(kw_only=True)
class Source:
    """A video to be enlarged."""

    path: Path
    digest: str
    facts: MediaFacts
    run: Run | None = None
    """Whose artifact it is."""

    @property
    def name(self) -> str:
        """What its enlargement is called by."""
        return self.run.name if self.run else self.path.stem

    @property
    def prompt(self) -> Prompt:
        """What it shows, as far as anybody said."""
        return self.run.spec.prompt if self.run else Prompt("")

    @property
    def enlarged_by(self) -> str:
        """The backend that made it larger; empty when none did, as far as its run or the file itself tells."""
        if self.run is not None and self.run.spec.backend in ENLARGERS:
            return self.run.spec.backend
        return _says_enlarged(self.facts.metadata)

    def draft(self) -> Clip:
        """The clip it would be, to be judged before anything is copied."""
        facts = self.facts
        color = ClipFile(
            modality="color",
            name=self.path.name,
            sha256=self.digest,
            bytes=facts.bytes,
            frames=facts.frames,
            fps=facts.fps,
            width=facts.width,
            height=facts.height,
        )
        return Clip(
            folder=self.path.parent.absolute(),
            name=self.name,
            files=(color,),
            frames=facts.frames,
            fps=facts.fps,
            width=facts.width,
            height=facts.height,
            source=self.told(),
        )

    def told(self) -> dict[str, Any]:
        """What the clip's manifest says about it."""
        made = {"generator": "upscale", "file": self.path.name, "digest": self.digest}
        if self.run is not None:
            made["run"] = self.run.id
        if self.enlarged_by:
            made[ENLARGED_BY] = self.enlarged_by
        return made


def find(cosmos: Cosmos, ref: str) -> Source:
    """What *ref* names: a video's path, or a run's id or the beginning of one. A run's own file is that run's.

    Raises:
        RefusedError: it is no video that could be enlarged, with the reason.
        UnknownError: there is neither such a file nor such a run.
    """
    path = Path(ref)
    run = None
    if not path.is_file():
        run = _run(cosmos, ref)
        if run.artifact is None:
            raise _refused(
                f"run {run.id} is {run.state}, and only a sealed video is enlarged",
                hint=f"see how it stands: cosmos show {run.id}",
                where="run",
            )
        path = run.artifact.path
    try:
        facts = media.probe(path)
    except InputError as error:
        raise _refused(str(error), hint=error.hint or "give a video, or a run", where=path.name) from error
    if not facts.frames:
        # Matroska and WebM do not say how many there are.
        facts = attrs.evolve(facts, frames=len(_times(path)))
    digest = media.file_digest(path)
    if run is None:
        known = cosmos.store.artifacts(digest=digest)
        run = cosmos.store.run(known[0].run) if known else None
    return Source(path=path, digest=digest, facts=facts, run=run)


def _run(cosmos: Cosmos, ref: str) -> Run:
    if Path(ref).suffix.lower() in SUFFIXES or "/" in ref or "\\" in ref:
        raise UnknownError(f"there is no file {ref}", hint="give a video's path, or a run: cosmos list")
    return cosmos.store.run(ref)


def _refused(message: str, *, hint: str, where: str) -> RefusedError:
    return RefusedError(message, [fail(message, hint=hint, where=where)], hint=hint)


def judge(source: Source) -> Iterator[Finding]:
    """What stands against a video, by its header: each way in which a larger one could not be what was meant."""
    facts = source.facts
    if facts.width % 2 or facts.height % 2:
        yield fail(
            f"{source.path.name} is {facts.width}x{facts.height}: H.264 and the models need even sizes",
            hint="crop or pad it by one pixel",
            where="size",
        )
    if facts.fps <= 0:
        yield fail(f"{source.path.name} names no rate", hint="encode it with a constant rate", where="fps")
    elif (spans := uneven(source.path)) is not None:
        shortest, longest = (f"{1000 * seconds:.3g} ms" for seconds in spans)
        yield warn(
            f"{source.path.name} has no constant rate: its frames last {shortest} to {longest}, and in its enlargement all "
            f"last {1000 / float(facts.fps):.3g} ms",
            hint=f"repeat and drop frames first: ffmpeg -i {source.path.name} -vf fps={facts.fps} constant.mp4",
            where="fps",
        )
    if any(depth in facts.pix_fmt for depth in ("p10", "p12", "p14", "p16")):
        yield warn(
            f"{source.path.name} has more than 8 bits a channel ({facts.pix_fmt}), and its enlargement will have 8",
            where="colour",
        )
    if has_sound(source.path):
        yield warn(f"the sound of {source.path.name} is not kept", hint="add it afterwards", where="sound")


def uneven(path: Path) -> tuple[float, float] | None:
    """Seconds of the shortest and the longest frame where they differ by more than half of one."""
    spans = [after - before for before, after in itertools.pairwise(_times(path))]
    if not spans or max(spans) - min(spans) <= sum(spans) / len(spans) / 2:
        return None
    return min(spans), max(spans)


def _times(path: Path) -> list[float]:
    """Seconds at which each frame is shown. Nothing is decoded."""
    import av

    with av.open(str(path.absolute())) as container:
        stream = container.streams.video[0]
        unit = float(stream.time_base or 0)
        return sorted(packet.pts * unit for packet in container.demux(stream) if packet.pts is not None)


def has_sound(path: Path) -> bool:
    """Whether there is a track of sound beside the picture."""
    import av

    with av.open(str(path.absolute())) as container:
        return bool(container.streams.audio)


def review(spec: Spec, clip: Clip | None) -> Iterator[Finding]:
    """Refuse to enlarge an enlargement: it is told by its clip's source, or by what the file says of itself."""
    if spec.backend not in ENLARGERS or clip is None or "color" not in clip.modalities:
        return
    before = str(clip.source.get(ENLARGED_BY, "")) or _says_enlarged(_metadata(clip.path("color")))
    if before:
        yield fail(
            f"{clip.name} was enlarged already, by {before}: doing it twice adds nothing but errors",
            hint="enlarge what it was made of, with a larger --factor",
            where="clip",
        )


def _metadata(path: Path) -> Mapping[str, str]:
    try:
        return media.probe(path).metadata
    except InputError:
        return {}


def _says_enlarged(metadata: Mapping[str, str]) -> str:
    return "resample" if "cosmos-core-upscale with" in metadata.get("description", "") else ""


def take(cosmos: Cosmos, source: Source) -> Clip:
    """The sealed clip of a video, under ``clips/upscale-<digest>``; the same video is taken once.

    Raises:
        RefusedError: with everything that decoding it found.
    """
    folder = cosmos.workspace.clips / f"upscale-{source.digest[:12]}"
    if not folder.exists():
        part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
        part.mkdir(parents=True)
        try:
            media.copy_checked(
                source.path, part / f"color{source.path.suffix.lower() or '.mp4'}", source.digest
            )
            clips.seal(part, name=source.name, derive=(), source=source.told())
            # Somebody else may have taken the same video meanwhile, and theirs is as good.
            if not folder.exists():
                part.rename(folder)
        finally:
            shutil.rmtree(part, ignore_errors=True)
    return cosmos.clip(folder)
