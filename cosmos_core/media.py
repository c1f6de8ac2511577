"""Facts about a media file, from its bytes.

A header is a claim: a video cut in half keeps a header that promises every frame, and decodes without an error.
So :func:`survey` decodes everything once, and what it counted and measured feeds every check. Decoding is PyAV's
(FFmpeg's libraries). Importing this module loads neither PyAV, NumPy nor OpenCV; calling it does.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import re
import tempfile
import time
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, Literal, cast

import attrs

from cosmos_core.errors import InputError, VerifyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import av.container
    import numpy as np  # noqa: TC004 (nobody resolves the annotations of Survey)
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray  # noqa: TC004

    Pixels = NDArray[np.uint8]

Kind = Literal["missing", "not_a_file", "empty", "pointer", "html", "text", "video", "image", "unknown"]

SMALL_WIDTH, SMALL_HEIGHT = 160, 90
"""Size of the grey pictures in :attr:`Survey.small`. Every video is squeezed to it, whatever its shape."""

Size = tuple[int, int]
"""Width and height in pixels."""

PICTURES = 1024
"""Of how many frames, the first ones, :attr:`Survey.pictures` are kept: 240 MB at 640x360."""

HASHES = 8
"""How many evenly spaced frames get a perceptual hash."""

_HEAD = 4096
_LARGEST_POINTER = 1024
# https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md; hawser was the name of its first release.
_POINTER = re.compile(
    rb"version https://(?:git-lfs\.github\.com|hawser\.github\.com|[^\n]*git-lfs[^\n]*)/spec/v1\n"
)
_OID = re.compile(rb"^oid sha256:([0-9a-f]{64})$", re.MULTILINE)
_HTML = re.compile(
    rb"\s*(?:<!--.*?-->\s*|<\?xml[^>]*>\s*)*<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL
)
_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"v/1\x01", b"GIF8", b"II*\x00", b"MM\x00*", b"BM")
_STILL_BRANDS = (b"avif", b"heic", b"heix", b"mif1")
_BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


@attrs.frozen(kw_only=True)
class Sniff:
    """What a file is by its first bytes and its size, before anything is decoded."""

    kind: Kind
    size: int = 0
    """Bytes on disk; 0 when there is no file."""
    oid: str = ""
    """The SHA-256 that a Git LFS pointer names; empty for everything else."""

    @property
    def sentence(self) -> str:
        """What it is in words that fit behind the file's name: "is an empty file"."""
        return _SENTENCES[self.kind].format(size=self.size, oid=self.oid[:12])


_SENTENCES: dict[Kind, str] = {
    "missing": "does not exist",
    "not_a_file": "is not a regular file",
    "empty": "is an empty file",
    "pointer": "is a Git LFS pointer of {size} bytes (oid {oid}…), not a video",
    "html": "is an HTML page of {size} bytes, not a video",
    "text": "is a text file of {size} bytes, not a video",
    "video": "is a video of {size} bytes",
    "image": "is a still image of {size} bytes",
    "unknown": "is a file of {size} bytes of no known kind",
}


def sniff(path: Path | str) -> Sniff:
    """Tell what *path* is from its first 4 kB. Never raises for what it finds there."""
    try:
        stat = Path(path).stat()
        if not S_ISREG(stat.st_mode):
            return Sniff(kind="not_a_file")
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
    except FileNotFoundError:
        return Sniff(kind="missing")
    except OSError:
        return Sniff(kind="not_a_file")
    return _sniff_bytes(head, stat.st_size)


def _sniff_bytes(head: bytes, size: int) -> Sniff:
    if not size:
        return Sniff(kind="empty")
    if size <= _LARGEST_POINTER and _POINTER.match(head.replace(b"\r\n", b"\n")):
        oid = _OID.search(head.replace(b"\r\n", b"\n"))
        return Sniff(kind="pointer", size=size, oid=oid[1].decode() if oid else "")
    return Sniff(kind=_kind(head), size=size)


def _kind(head: bytes) -> Kind:
    if head[4:8] in _BOXES:
        return "image" if head[4:8] == b"ftyp" and head[8:12] in _STILL_BRANDS else "video"
    if head.startswith(b"\x1a\x45\xdf\xa3") or (head[:4] == b"RIFF" and head[8:12] == b"AVI "):
        return "video"
    if head.startswith(_IMAGES) or (head[:4] == b"RIFF" and head[8:12] == b"WEBP"):
        return "image"
    if _HTML.match(head):
        return "html"
    return "text" if _is_text(head) else "unknown"


def _is_text(head: bytes) -> bool:
    # Incremental, because 4 kB may end in the middle of a character.
    try:
        words = codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return all(character.isprintable() or character in "\t\r\n\f\ufeff" for character in words)


def file_digest(path: Path | str) -> str:
    """SHA-256 of the file's bytes, as 64 hexadecimal digits."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_checked(source: Path, target: Path, digest: str) -> None:
    """Copy a file, hashing what is written. Overwrites *target*, which no one else may use meanwhile.

    Raises:
        VerifyError: the bytes are not those of *digest*, a SHA-256; *target* is gone then.
    """
    seen = hashlib.sha256()
    with source.open("rb") as read, target.open("wb") as out:
        while block := read.read(1 << 20):
            seen.update(block)
            out.write(block)
    if seen.hexdigest() != digest:
        target.unlink()
        raise VerifyError(
            f"{source} changed while it was copied", hint="it is not what was sealed; make it again"
        )


@attrs.frozen(kw_only=True)
class MediaFacts:
    """What a video's header says about it. Claims: only :func:`survey` knows how much of it decodes."""

    container: str
    codec: str
    pix_fmt: str
    width: int
    height: int
    fps: Fraction
    """Average rate; 0 when the header names none."""
    frames: int
    """0 when the header does not count them (Matroska)."""
    seconds: float
    bytes: int
    metadata: dict[str, str] = attrs.field(factory=dict)
    """The container's tags, with lower-case keys: ``title``, ``comment``, …"""


def probe(path: Path | str) -> MediaFacts:
    """Read the headers of a video; decode nothing.

    Raises:
        InputError: when it is not a video that FFmpeg can open; the sentence says what it is instead.
    """
    with _open(path) as (container, stream):
        return _facts(container, stream, Path(path))


@contextmanager
def _open(path: Path | str) -> Iterator[tuple[av.container.InputContainer, VideoStream]]:
    import av

    path = Path(path)
    found = sniff(path)
    if found.kind not in {"video", "unknown", "image"}:
        raise InputError(f"{path.name} {found.sentence}", hint=HINTS.get(found.kind, ""))
    try:
        # Absolute, so that FFmpeg never reads the name as a protocol such as "concat:".
        container = av.open(os.fspath(path.absolute()))
    except (av.error.FFmpegError, OSError, ValueError) as error:
        raise InputError(f"{path.name} cannot be opened as a video: {_reason(error)}") from error
    with container:
        if not container.streams.video:
            raise InputError(f"{path.name} holds no video stream")
        yield container, container.streams.video[0]


HINTS: dict[Kind, str] = {
    "pointer": "fetch the file it stands for: git lfs pull",
    "html": "the download gave an error page: fetch it again from where it was made",
    "empty": "fetch it again, or make it again",
}


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", "") or error)
    return text[:1].lower() + text[1:]


def _facts(container: av.container.InputContainer, stream: VideoStream, path: Path) -> MediaFacts:
    fps = stream.average_rate or stream.guessed_rate or Fraction(0)
    length = Fraction(0)
    if stream.duration is not None and stream.time_base is not None:
        length = stream.duration * stream.time_base
    elif container.duration is not None:
        length = Fraction(container.duration, 1_000_000)
    return MediaFacts(
        container=container.format.name,
        codec=stream.codec_context.name,
        pix_fmt=stream.codec_context.pix_fmt or "",
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        fps=Fraction(fps),
        frames=stream.frames,
        seconds=float(length),
        bytes=path.stat().st_size,
        metadata={key.lower(): value for key, value in container.metadata.items()},
    )


def read_frames(
    path: Path | str, *, width: int = 0, height: int = 0, pix_fmt: str = "rgb24"
) -> Iterator[Pixels]:
    """Decode a video frame by frame, in display order, as arrays of 8 bits a channel.

    Args:
        path: the video.
        width: resize to this many pixels (area average); 0 keeps the video's own.
        height: same.
        pix_fmt: ``rgb24`` gives (H, W, 3) in the way Cosmos's own reader does, ``gray`` gives (H, W) with black 0
            and white 255.

    Raises:
        InputError: at the first frame when the file cannot be opened, else at the one that cannot be decoded.
    """
    convert = _converter(pix_fmt)
    for frame in _decode(path):
        yield convert(frame, width or frame.width, height or frame.height)


def _converter(pix_fmt: str) -> Callable[[VideoFrame, int, int], Pixels]:
    """Give a function that scales and converts frames; it keeps FFmpeg's tables between calls."""
    from av.video.reformatter import VideoReformatter

    reformat = VideoReformatter().reformat

    def convert(frame: VideoFrame, width: int, height: int) -> Pixels:
        return cast(
            "Pixels", reformat(frame, width, height, format=pix_fmt, interpolation="AREA").to_ndarray()
        )

    return convert


def _decode(path: Path | str) -> Iterator[VideoFrame]:
    import av

    with _open(path) as (container, stream):
        stream.thread_type = "FRAME"
        try:
            yield from container.decode(stream)
        except av.error.FFmpegError as error:
            raise InputError(f"{Path(path).name} cannot be decoded: {_reason(error)}") from error


@attrs.frozen(kw_only=True, eq=False)
class Survey:
    """What one full decode of a file found. Made by :func:`survey`, also for files that are no video at all."""

    sniff: Sniff
    facts: MediaFacts | None
    """None when the file cannot be opened as a video; :attr:`error` says why."""
    decoded: int
    """Frames that came out of the decoder."""
    corrupt: int
    """Frames among them that the decoder marked as damaged."""
    error: str
    """The first thing the decoder or the opener complained about; empty when nothing did."""
    luma_mean: NDArray[np.float32]
    """(N,) mean of each picture in :attr:`small`: 0 is black, 255 white."""
    luma_std: NDArray[np.float32]
    """(N,) standard deviation within each picture in :attr:`small`, so fine grain is averaged away."""
    small: Pixels
    """(N, 90, 160) grey, full range, each pixel the average of the area it covers."""
    phashes: NDArray[np.uint64]
    """(8,) perceptual hashes of evenly spaced frames, or (0,) when nothing decoded."""
    elapsed: float
    """Seconds the decode took."""
    pictures: dict[Size, Pixels] = attrs.field(factory=dict)
    """By each size that was asked for (N, H, W) grey, of the first :data:`PICTURES` frames at most."""


def survey(path: Path | str, sizes: Iterable[Size] = ()) -> Survey:
    """Decode a whole video once and measure what every check needs.

    Gives an answer for every file: a pointer, an error page or garbage is a survey with no facts and a sentence in
    ``error``. A packet that the decoder refuses is counted by its absence and its message kept; the rest is still
    decoded. Memory: 14 kB a frame, and a byte for each pixel of the *sizes* at which larger grey pictures are wanted.
    """
    import numpy as np

    started = time.perf_counter()
    path = Path(path)
    larger: dict[Size, list[Pixels]] = {size: [] for size in sizes}
    facts, small, corrupt, error = _measure(path, larger)
    stack = _stacked(small, (SMALL_WIDTH, SMALL_HEIGHT))
    return Survey(
        sniff=sniff(path),
        facts=facts,
        decoded=len(small),
        corrupt=corrupt,
        error=error,
        luma_mean=stack.mean(axis=(1, 2), dtype=np.float32),
        luma_std=stack.std(axis=(1, 2), dtype=np.float32),
        small=stack,
        phashes=phashes_of(stack),
        elapsed=time.perf_counter() - started,
        pictures={size: _stacked(frames, size) for size, frames in larger.items()},
    )


@lru_cache(maxsize=2)
def survey_kept(path: Path, changed: int, sizes: frozenset[Size]) -> Survey:  # noqa: ARG001 (a part of the key)
    """As :func:`survey`, remembered for the last two files: inputs, which many outputs share.

    *changed* is when the file was changed last, in nanoseconds.
    """
    return survey(path, sizes)


def _stacked(frames: list[Pixels], size: Size) -> Pixels:
    import numpy as np

    return np.stack(frames) if frames else np.zeros((0, size[1], size[0]), np.uint8)


def _measure(
    path: Path, larger: Mapping[Size, list[Pixels]]
) -> tuple[MediaFacts | None, list[Pixels], int, str]:
    small: list[Pixels] = []
    complaints: list[str] = []
    corrupt = 0
    grey = _converter("gray")
    # One for each size: it keeps its tables as long as the size stays the same.
    others = {size: _converter("gray") for size in larger}
    try:
        with _open(path) as (container, stream):
            facts = _facts(container, stream, path)
            for frame in _decode_all(container, stream, complaints):
                corrupt += frame.is_corrupt
                small.append(grey(frame, SMALL_WIDTH, SMALL_HEIGHT))
                if len(small) <= PICTURES:
                    for size, frames in larger.items():
                        frames.append(others[size](frame, *size))
    except InputError as error:
        return None, [], 0, str(error)
    return facts, small, corrupt, complaints[0] if complaints else ""


def _decode_all(
    container: av.container.InputContainer, stream: VideoStream, complaints: list[str]
) -> Iterator[VideoFrame]:
    import av

    # One thread: with several, FFmpeg's H.264 decoder takes a frame for whole while another thread still finds its
    # damage (one look in ten at a busy machine), and with slice threads it hides some damage always.
    stream.codec_context.thread_count = 1
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except StopIteration:
            return
        except av.error.FFmpegError as error:
            complaints.append(_reason(error))
            return
        try:
            frames = packet.decode()
        except av.error.FFmpegError as error:
            complaints.append(_reason(error))
            continue
        yield from frames


def phashes_of(stack: Pixels) -> NDArray[np.uint64]:
    """Give the 64-bit DCT hash ("pHash") of evenly spaced pictures: low frequencies against their median."""
    import cv2
    import numpy as np

    if not len(stack):
        return np.zeros(0, np.uint64)
    chosen = np.linspace(0, len(stack) - 1, HASHES).round().astype(int)
    n = np.arange(32)
    basis = np.cos(np.pi / 32 * (n[None, :] + 0.5) * n[:8, None])
    tiny = np.stack([cv2.resize(stack[i], (32, 32), interpolation=cv2.INTER_AREA) for i in chosen])
    low = (basis @ tiny.astype(np.float64) @ basis.T).reshape(HASHES, 64)
    bits = low > np.median(low, axis=1, keepdims=True)
    return np.packbits(bits, axis=1).view(">u8").astype(np.uint64).ravel()


def phash_distance(a: Survey | NDArray[np.uint64], b: Survey | NDArray[np.uint64]) -> float:
    """Mean Hamming distance of the hashes of two videos, 0 to 64; 64 when either has none.

    A re-encode is below 0.5, two legitimate variants of one scene about 2 to 12, unrelated scenes 30 and more.
    """
    import numpy as np

    one, two = (x.phashes if isinstance(x, Survey) else x for x in (a, b))
    if not len(one) or len(one) != len(two):
        return 64.0
    return float(np.unpackbits((one ^ two).view(np.uint8)).sum() / len(one))


def poster(path: Path | str, out: Path | str, *, at: float = 0.5, width: int = 0) -> Path:
    """Write one moment of a video as a JPEG or PNG, by the suffix of *out*.

    Args:
        path: the video.
        out: the picture; replaced atomically.
        at: which moment, 0 for the first frame to 1 for the last.
        width: of the picture in pixels, its height follows; 0 for the video's own.

    Raises:
        InputError: when the video has no frame to show, or *out* has another suffix.
    """
    (frame,) = _moments(path, [at], width=width)
    return write_image(out, frame)


def contact_sheet(
    streams: Mapping[str, Path | str | Sequence[Pixels]],
    out: Path | str,
    *,
    columns: int = 5,
    width: int = 1600,
    title: str = "",
) -> Path:
    """Write a labelled grid: a row for each stream, a column for each moment from first frame to last.

    Args:
        streams: label to video file, or to frames (H, W, 3) or (H, W). Equal lengths make columns line up.
        out: the JPEG or PNG, by its suffix; replaced atomically.
        columns: moments shown.
        width: of the whole picture in pixels.
        title: a line of ASCII text above the grid.

    Raises:
        InputError: when there is no stream, or one cannot be decoded.
    """
    import numpy as np

    if not streams:
        raise InputError("a contact sheet needs at least one stream")
    gap = 4
    cell = max(8, (width - gap * (columns + 1)) // columns)
    at = np.linspace(0, 1, columns).tolist()
    rows = [_labelled(_row(stream, at, cell, gap), label) for label, stream in streams.items()]
    wide = max(row.shape[1] for row in rows) + gap
    strips = [*([_text_strip(title, wide)] if title else []), *rows]
    return write_image(out, np.concatenate([_padded(strip, wide) for strip in strips]))


def _row(stream: Path | str | Sequence[Pixels], at: list[float], cell: int, gap: int) -> Pixels:
    import cv2
    import numpy as np

    if isinstance(stream, Path | str):
        frames = _moments(stream, at, width=cell)
    else:
        chosen = [stream[round(moment * (len(stream) - 1))] for moment in at]
        rgb = [np.dstack([x] * 3) if x.ndim == 2 else x for x in chosen]
        frames = [_resized(x, cell) for x in rgb]
    framed = [
        cv2.copyMakeBorder(x, gap, gap, gap, 0, cv2.BORDER_CONSTANT, value=(24, 24, 24)) for x in frames
    ]
    return np.concatenate(framed, axis=1).astype(np.uint8)


def _resized(frame: Pixels, width: int) -> Pixels:
    import cv2
    import numpy as np

    height = max(1, round(frame.shape[0] * width / frame.shape[1]))
    return np.asarray(cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _labelled(row: Pixels, label: str) -> Pixels:
    """Put the label on a dark plate in the upper left corner, where it hides least."""
    import cv2

    scale = max(0.35, row.shape[0] / 400)
    (w, h), base = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)
    cv2.rectangle(row, (4, 4), (w + 14, h + base + 10), (24, 24, 24), -1)
    cv2.putText(row, label, (9, h + 7), cv2.FONT_HERSHEY_SIMPLEX, scale, (240, 240, 240), 1, cv2.LINE_AA)
    return row


def _text_strip(text: str, width: int) -> Pixels:
    import cv2
    import numpy as np

    strip = np.full((32, width, 3), 24, np.uint8)
    cv2.putText(strip, text, (9, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.55, (240, 240, 240), 1, cv2.LINE_AA)
    return strip


def _padded(strip: Pixels, width: int) -> Pixels:
    import numpy as np

    return np.pad(strip, ((0, 0), (0, width - strip.shape[1]), (0, 0)), constant_values=24)


def _moments(path: Path | str, at: Sequence[float], *, width: int = 0) -> list[Pixels]:
    """Decode up to the last wanted moment and convert only the frames that are shown."""
    facts = probe(path)
    count = facts.frames or sum(1 for _ in _decode(path))
    wanted = [round(min(max(moment, 0.0), 1.0) * max(0, count - 1)) for moment in at]
    size = (
        (width, max(1, round(facts.height * width / facts.width))) if width else (facts.width, facts.height)
    )
    rgb = _converter("rgb24")
    shown: dict[int, Pixels] = {}
    last: VideoFrame | None = None
    for index, frame in enumerate(_decode(path)):
        last = frame
        if index in wanted:
            shown[index] = rgb(frame, *size)
        if index >= max(wanted):
            break
    if last is None:
        raise InputError(f"{Path(path).name} holds no frame to show")
    # A cut file promises more frames than it has: what is missing shows its last one.
    final = rgb(last, *size)
    return [shown.get(index, final) for index in wanted]


def write_image(path: Path | str, frame: NDArray[Any]) -> Path:
    """Write (H, W, 3) RGB or (H, W) grey as JPEG or PNG, by suffix, and publish it atomically.

    Raises:
        InputError: when the suffix is none that OpenCV can write.
    """
    import cv2

    path = Path(path)
    pixels = frame[:, :, ::-1] if frame.ndim == 3 else frame
    try:
        done, encoded = cv2.imencode(path.suffix.lower() or "?", pixels)
    except cv2.error as error:
        raise InputError(f"{path.name}: pictures are written as .jpg or .png") from error
    if not done:
        raise InputError(f"{path.name}: the picture could not be encoded")
    return write_bytes(path, encoded.tobytes())


def write_bytes(path: Path | str, content: bytes) -> Path:
    """Write *content* so that *path* holds all of it or is untouched: a temporary file, fsync, rename."""
    path = Path(path)
    handle, part = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(part).chmod(0o644)
        publish([(Path(part), path)])
    except BaseException:
        Path(part).unlink(missing_ok=True)
        raise
    return path


def publish(moves: Iterable[tuple[Path, Path]]) -> None:
    """Give finished temporary files their names, in order, each only after its bytes are on the disk."""
    for part, final in moves:
        with part.open("r+b") as file:
            os.fsync(file.fileno())
        part.replace(final)
