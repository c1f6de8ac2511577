"""What a control video looks like, in the models' own conventions, and how it is encoded.

Every generator goes through here, so that depth is bright where it is near, a colour stays with its object and
edges are the very edges that NVIDIA's code would have found, whatever made the scene. File names in docstrings are
those of github.com/nvidia-cosmos/cosmos-transfer2.5. Imports NumPy and OpenCV: import it late.
"""

from __future__ import annotations

import colorsys
import functools
import random
import tempfile
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import attrs
import av
import cv2
import numpy as np
from av.video.reformatter import ColorRange, Colorspace

from cosmos_core import media
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from types import TracebackType

    from av.video.stream import VideoStream
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]
    Colour = tuple[int, int, int]


@attrs.frozen(kw_only=True)
class Profile:
    """The size, length and rate a model was trained for: what a clip costs least and loses least at."""

    name: str
    width: int
    height: int
    frames: int
    fps: Fraction
    source: str
    """Where these numbers come from."""


PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile(
            name="transfer2.5",
            width=1280,
            height=704,
            frames=93,
            fps=Fraction(24),
            source="cosmos-transfer2.5: VIDEO_RES_SIZE_INFO['720'] in cosmos_transfer2/_src/predict2/datasets/utils.py;"
            " num_video_frames_per_chunk = 93 in cosmos_transfer2/config.py",
        ),
        Profile(
            name="cosmos3",
            width=1280,
            height=720,
            frames=121,
            fps=Fraction(30),
            source="NVIDIA/cosmos: cookbooks/cosmos3/generator/transfer/specs/*.json",
        ),
        Profile(
            name="transfer1",
            width=1280,
            height=704,
            frames=121,
            fps=Fraction(24),
            source="cosmos-transfer1: 121 frames a chunk, 24 fps, 1280x704 for 16:9",
        ),
    )
}

EDGE_PRESETS: dict[str, tuple[int, int]] = {
    "none": (20, 50),
    "very_low": (20, 50),
    "low": (50, 100),
    "medium": (100, 200),
    "high": (200, 300),
    "very_high": (300, 400),
}
"""Lower and upper Canny threshold by the preset names of the models (``AddControlInputEdge``)."""

VIS_PRESETS: dict[str, tuple[int, int]] = {
    "none": (1, 1),
    "very_low": (1, 4),
    "low": (4, 4),
    "medium": (2, 10),
    "high": (1, 16),
    "very_high": (4, 16),
}
"""Division before the bilateral filter and of the final down-up, by preset (``AddControlInputBlur``)."""

DEPTH_PERCENTILE = 99.95
"""Of inverse depth over the clip. The raw maximum lets one car before the lens blacken the rest."""

SOFT_LINES = 504
"""Lines at which Video-Depth-Anything works, whose upsampled maps the depth control was trained on."""

LEAST_APART, LEAST_BRIGHT = 60, 60
"""Distance of palette colours in RGB and value of their brightest channel; the mask picker in training takes
colours closer than 30 for one and ignores those without a channel above 50 (``control_input.py``)."""


def edge(rgb: Pixels, preset: str = "medium") -> Pixels:
    """Find edges as the models' own code does: Canny on the colour frame, no blur, no grey.

    Args:
        rgb: (H, W, 3).
        preset: one of :data:`EDGE_PRESETS`.

    Returns:
        (H, W), 0 or 255. Source: ``AddControlInputEdge`` in
        ``cosmos_transfer2/_src/transfer2/datasets/augmentors/control_input.py``.
    """
    lower, upper = _preset(EDGE_PRESETS, preset)
    return cast("Pixels", cv2.Canny(np.ascontiguousarray(rgb), lower, upper))


def vis(rgb: Pixels, preset: str = "medium") -> Pixels:
    """Blur as the models' own code does at inference: area down, bilateral, linear up, bicubic down and up.

    About 0.25 s of CPU for a 1280x704 frame at ``medium``; the bilateral filter (d 30, sigma 150 and 100) is nearly
    all of it. Source: ``AddControlInputBlur`` and ``BilateralFilterConfig``, same folder as :func:`edge`.

    Args:
        rgb: (H, W, 3).
        preset: one of :data:`VIS_PRESETS`; ``none`` gives the frame itself.
    """
    before, downup = _preset(VIS_PRESETS, preset)
    if preset == "none":
        return rgb.copy()
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (max(1, width // before), max(1, height // before)), interpolation=cv2.INTER_AREA)
    blurred = cv2.bilateralFilter(small, 30, 150, 100)
    return _down_up(cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), downup)


def vis_gaussian(rgb: Pixels) -> Pixels:
    """Blur in the cheaper of the two ways of the training set: half size, Gaussian 25 px of sigma 12.5, ÷10 ×10.

    Half of all training clips had a Gaussian instead of the bilateral filter (``random_blur_config`` in ``blur.py``),
    so this is in distribution, at a tenth of the time.
    """
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (max(1, width // 2), max(1, height // 2)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(small, (25, 25), sigmaX=12.5)
    return _down_up(
        cv2.resize(blurred, (width, height), interpolation=cv2.INTER_LINEAR), VIS_PRESETS["medium"][1]
    )


def _preset(presets: Mapping[str, tuple[int, int]], name: str) -> tuple[int, int]:
    if name not in presets:
        raise InputError(f"there is no preset {name!r}", hint=f"one of {', '.join(presets)}")
    return presets[name]


def _down_up(rgb: Any, factor: int) -> Pixels:
    height, width = rgb.shape[:2]
    small = _bicubic(rgb, max(1, height // factor), max(1, width // factor))
    return _bicubic(small, height, width)


def _bicubic(rgb: Pixels, height: int, width: int) -> Pixels:
    """Resize as torchvision's ``resize(BICUBIC, antialias=True)`` does; OpenCV has no antialiased bicubic."""
    rows = _bicubic_weights(rgb.shape[0], height)
    columns = _bicubic_weights(rgb.shape[1], width)
    tall = (rows @ rgb.reshape(rgb.shape[0], -1).astype(np.float32)).reshape(height, rgb.shape[1], 3)
    out = np.matmul(columns, tall)
    return cast("Pixels", np.rint(np.clip(out, 0, 255)).astype(np.uint8))


@functools.lru_cache(maxsize=32)
def _bicubic_weights(size: int, wanted: int) -> NDArray[np.float32]:
    """(wanted, size) weights of Keys' cubic with a = -0.5, stretched when it shrinks the picture."""
    scale = size / wanted
    stretch = max(scale, 1.0)
    centre = (np.arange(wanted) + 0.5) * scale - 0.5
    x = np.abs((np.arange(size)[None, :] - centre[:, None]) / stretch)
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    weights = np.where(x < 1, near, np.where(x < 2, far, 0.0))
    return cast("NDArray[np.float32]", (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32))


def inverse_depth(z: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    """1/z of planar depth in metres; 0 for sky, which is any z that is infinite, NaN, zero or negative."""
    z = np.asarray(z, np.float32)
    seen = np.isfinite(z) & (z > 0)
    return cast("NDArray[np.float32]", np.divide(1.0, z, out=np.zeros_like(z), where=seen))


def depth_range(
    inverse: Iterable[NDArray[np.floating[Any]]], percentile: float = DEPTH_PERCENTILE
) -> tuple[float, float]:
    """The one (lo, hi) of a whole clip: 0 and a high percentile of inverse depth over all its pixels.

    Per clip, never per frame: a range that moves makes the picture pump. Exact to half precision, in 0.5 MB
    whatever the clip's length.

    Args:
        inverse: frames of 1/z, sky 0, each (H, W).
        percentile: of all pixels of all frames.
    """
    counts = np.zeros(_HALVES, np.int64)
    for frame in inverse:
        counts += _half_counts(np.asarray(frame).astype(np.float16))
    return _range_of(counts, percentile)


# Non-negative float16 sort like their bits, so 2^15 counters give exact percentiles of any number of frames.
_HALVES = 1 << 15


def _half_counts(half: NDArray[np.float16]) -> NDArray[np.int64]:
    return np.bincount(half.ravel().view(np.uint16), minlength=_HALVES)[:_HALVES]


def _range_of(counts: NDArray[np.int64], percentile: float) -> tuple[float, float]:
    total = counts.sum()
    if not total:
        raise InputError("there is no depth frame to take a range from")
    rank = np.searchsorted(np.cumsum(counts), percentile / 100 * total)
    return 0.0, float(np.array(min(rank, _HALVES - 1), np.uint16).view(np.float16))


def depth(inverse: NDArray[np.floating[Any]], lo: float, hi: float, *, soft: bool = False) -> Pixels:
    """A depth control frame: near bright, far dark, sky 0, as Video-Depth-Anything's maps in training.

    ``(inverse - lo) / (hi - lo) * 255``, clipped and cut to whole numbers as ``_compute_depth_maps`` in
    ``cosmos_transfer2/_src/transfer2/inference/utils.py`` does.

    Args:
        inverse: 1/z in 1/metres, (H, W); see :func:`inverse_depth`.
        lo: from :func:`depth_range`, the same for every frame of the clip.
        hi: same.
        soft: go down to 504 lines and back, for borders as soft as those the model was trained on.

    Returns:
        (H, W) uint8.
    """
    if hi <= lo:
        return np.zeros(np.shape(inverse), np.uint8)
    scaled = (np.asarray(inverse, np.float32) - np.float32(lo)) * np.float32(255 / (hi - lo))
    grey = np.clip(scaled, 0, 255).astype(np.uint8)
    return _softened(grey) if soft else grey


def _softened(grey: Pixels) -> Pixels:
    height, width = grey.shape
    if min(height, width) <= SOFT_LINES:
        return grey
    scale = SOFT_LINES / min(height, width)
    small = cv2.resize(grey, (round(width * scale), round(height * scale)), interpolation=cv2.INTER_LINEAR)
    return cast("Pixels", cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))


def palette(ids: Iterable[int], seed: int = 0) -> dict[int, Colour]:
    """A random colour for each object, the same for the whole clip, as the segmentation control was trained.

    Hue U(0, 1), saturation U(0.1, 1), value U(0.2, 1) (``augmentors/seg.py``), drawn again until it is 60 away from
    the others in RGB and one channel is 60 or more. Colours carry no class meaning to the model. About 40 objects fit
    at that distance; with more, the distance shrinks step by step. Id 0 is what nobody segmented and stays black.

    Args:
        ids: of all objects of the clip, in any order; the same set and seed give the same colours.
        seed: of the clip.
    """
    draw = random.Random(seed)  # noqa: S311 (colours, not secrets)
    colours: dict[int, Colour] = {0: (0, 0, 0)}
    taken = np.zeros((0, 3))
    for number in sorted({int(i) for i in ids} - {0}):
        colours[number] = _new_colour(draw, taken)
        taken = np.vstack([taken, colours[number]])
    return colours


def _new_colour(draw: random.Random, taken: NDArray[np.floating[Any]]) -> Colour:
    apart = float(LEAST_APART)
    while True:
        for _ in range(200):
            hsv = draw.random(), draw.uniform(0.1, 1), draw.uniform(0.2, 1)
            r, g, b = (round(255 * x) for x in colorsys.hsv_to_rgb(*hsv))
            lonely = not len(taken) or np.linalg.norm(taken - (r, g, b), axis=1).min() >= apart
            if max(r, g, b) >= LEAST_BRIGHT and lonely:
                return r, g, b
        apart *= 0.9


def segmentation(labels: NDArray[np.integer[Any]], colours: Mapping[int, Colour]) -> Pixels:
    """A segmentation control frame: every object in its colour, what has none in black.

    Args:
        labels: object ids, (H, W), not negative.
        colours: from :func:`palette`.

    Returns:
        (H, W, 3) uint8.
    """
    labels = np.asarray(labels)
    if labels.size and labels.max() >= _LARGEST_TABLE:
        names, labels = np.unique(labels, return_inverse=True)
        colours = {i: colours.get(int(name), (0, 0, 0)) for i, name in enumerate(names)}
    # Four bytes a colour: they are looked up as one number, which takes a quarter of the time.
    table = np.zeros((int(labels.max(initial=0)) + 1, 4), np.uint8)
    for number, colour in colours.items():
        if number < len(table):
            table[number, :3] = colour
    found = np.take(table.view(np.uint32)[:, 0], labels).view(np.uint8).reshape(*labels.shape, 4)
    return cast("Pixels", cv2.cvtColor(found, cv2.COLOR_RGBA2RGB) if found.size else found[..., :3])


_LARGEST_TABLE = 1 << 16


@attrs.frozen(kw_only=True)
class Style:
    """How a kind of video is encoded."""

    codec: str
    pix_fmt: str
    options: dict[str, str]
    faststart: bool = False


# No preset slower than superfast: with x264's macroblock tree, equal frames gave files that differ from run to run.
STYLES: dict[str, Style] = {
    "colour": Style(codec="libx264", pix_fmt="yuv420p", options={"preset": "superfast", "crf": "14"}),
    "exact": Style(codec="libx264rgb", pix_fmt="rgb24", options={"preset": "ultrafast", "crf": "0"}),
    "proxy": Style(
        codec="libx264", pix_fmt="yuv420p", options={"preset": "superfast", "crf": "27"}, faststart=True
    ),
}
"""``colour`` for what is looked at and feeds Canny; ``exact`` for depth, segmentation and edges, whose every pixel
comes back as it was written (browsers do not play it); ``proxy`` for browsers."""

METADATA_KEYS = ("title", "comment", "description", "artist", "copyright", "date", "genre")
"""Tags that an mp4 keeps."""


class VideoWriter:
    """Encodes frames into a file that appears under its name only when it is whole.

    A context manager. Frames go to ``<name>.part``; leaving without an error closes it, syncs it to the disk and
    renames it, leaving with one removes it. One encoder thread, so equal frames give equal bytes.

    Example::

        with VideoWriter(folder / "edge.mp4", 1280, 704, fps=24, style="exact") as video:
            for rgb in frames:
                video.write(edge(rgb))
    """

    def __init__(
        self,
        path: Path | str,
        width: int,
        height: int,
        fps: Fraction | float,
        style: str = "colour",
        *,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.path = Path(path)
        self.width, self.height = width, height
        self.fps = Fraction(fps).limit_denominator(1001)
        self.frames = 0
        self._style = _style(style)
        self._metadata = dict(metadata or {})
        self._part = self.path.with_name(self.path.name + ".part")
        self._review(style)

    def _review(self, style: str) -> None:
        if self._style.pix_fmt == "yuv420p" and (self.width % 2 or self.height % 2):
            raise InputError(
                f"{self.path.name}: style {style!r} needs even sizes, not {self.width}x{self.height}",
                hint="crop or pad by one pixel",
            )
        if self.fps <= 0 or min(self.width, self.height) < 1:
            raise InputError(f"{self.path.name}: {self.width}x{self.height} at {self.fps} fps is no video")
        if unknown := set(self._metadata) - set(METADATA_KEYS):
            raise InputError(
                f"{self.path.name}: an mp4 keeps no tag {min(unknown)!r}",
                hint=f"one of {', '.join(METADATA_KEYS)}",
            )

    def __enter__(self) -> Self:
        flags = "+faststart" if self._style.faststart else ""
        options = {"fflags": "+bitexact"} | ({"movflags": flags} if flags else {})
        # The format by name: the suffix of a temporary file says nothing.
        self._container = av.open(str(self._part.absolute()), "w", format="mp4", options=options)
        self._container.metadata.update(self._metadata)
        self._stream = self._new_stream()
        return self

    def _new_stream(self) -> VideoStream:
        stream = cast(
            "VideoStream",
            self._container.add_stream(self._style.codec, rate=self.fps, options=dict(self._style.options)),
        )
        stream.width, stream.height = self.width, self.height
        stream.pix_fmt = self._style.pix_fmt
        stream.codec_context.thread_count = 1
        if self._style.pix_fmt == "yuv420p":
            # FFmpeg converts by BT.601; without the tag, players take 720 lines and more for BT.709 and shift the hues.
            stream.codec_context.colorspace = Colorspace.SMPTE170M
            stream.codec_context.color_range = ColorRange.MPEG
        return stream

    def write(self, frame: Pixels) -> None:
        """Append a frame: (H, W, 3) RGB or (H, W) grey, uint8.

        Raises:
            InputError: when its size or type is not the video's.
        """
        if frame.dtype != np.uint8 or frame.shape not in {
            (self.height, self.width),
            (self.height, self.width, 3),
        }:
            raise InputError(
                f"{self.path.name}: frame {self.frames} is {frame.dtype} {frame.shape}, "
                f"not uint8 ({self.height}, {self.width}[, 3])"
            )
        rgb = cv2.cvtColor(frame, cv2.COLOR_GRAY2RGB) if frame.ndim == 2 else np.ascontiguousarray(frame)
        picture = av.VideoFrame.from_ndarray(cast("Pixels", rgb), format="rgb24")
        picture.pts = self.frames
        picture.time_base = 1 / self.fps
        self._container.mux(self._stream.encode(picture))
        self.frames += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            # A full disk makes closing fail too; the half-written file goes in any case.
            try:
                self._container.close()
            finally:
                self._part.unlink(missing_ok=True)

    def _finish(self) -> None:
        if not self.frames:
            raise InputError(f"{self.path.name}: no frame was written")
        self._container.mux(self._stream.encode(None))
        self._container.close()
        media.publish([(self._part, self.path)])


def _style(name: str) -> Style:
    if name not in STYLES:
        raise InputError(f"there is no style {name!r}", hint=f"one of {', '.join(STYLES)}")
    return STYLES[name]


def write_video(
    path: Path | str,
    frames: Iterable[Pixels],
    fps: Fraction | float,
    style: str = "colour",
    *,
    metadata: Mapping[str, str] | None = None,
) -> Path:
    """Encode *frames*, whose size the first one sets, into *path*; see :class:`VideoWriter`."""
    rest = iter(frames)
    first = next(rest, None)
    if first is None:
        raise InputError(f"{Path(path).name}: no frame was written")
    with VideoWriter(path, first.shape[1], first.shape[0], fps, style, metadata=metadata) as video:
        video.write(first)
        for frame in rest:
            video.write(frame)
    return Path(path)


def write_proxy(source: Path | str, out: Path | str, *, width: int = 640) -> Path:
    """Encode a small copy of *source* that every browser plays."""
    facts = media.probe(source)
    wide = min(width, facts.width) // 2 * 2
    high = max(2, round(facts.height * wide / facts.width / 2) * 2)
    frames = media.read_frames(source, width=wide, height=high)
    return write_video(
        out, frames, facts.fps, "proxy", metadata={"comment": f"preview of {Path(source).name}"}
    )


class ClipWriter:
    """Streams the passes of one clip into a folder: colour, depth, segmentation, edges and others.

    A context manager. ``color.mp4`` and what else is given appear when it is left without an error, all equally
    long. Depth needs one range for the whole clip, which is known only at its end: inverse depth waits in a
    temporary file beside the clip as half precision floats, 1.8 MB a frame at 1280x704 (168 MB for 93), and is read
    back once. Memory stays below 20 MB whatever the length.

    Example::

        with ClipWriter(folder, 1280, 704, fps=24, colours=palette(ids, seed)) as clip:
            for frame in render():
                clip.write(frame.rgb, depth=frame.z, labels=frame.ids)
    """

    def __init__(
        self,
        folder: Path | str,
        width: int,
        height: int,
        *,
        fps: Fraction | float = 24,
        colours: Mapping[int, Colour] | None = None,
        edges: str = "",
        soft_depth: bool = False,
    ) -> None:
        """Prepare to write; nothing is created yet.

        Args:
            folder: exists, and gets the files.
            width: of every pass, in pixels.
            height: same.
            fps: of every pass; whole numbers, or Transfer 2.5 cuts them to one.
            colours: from :func:`palette`; needed when labels are written.
            edges: preset to write ``edge.mp4`` with; empty leaves edges to the sealing.
            soft_depth: see :func:`depth`.
        """
        self.folder = Path(folder)
        self.size = width, height
        self.fps = fps
        self.frames = 0
        self.depth_range: tuple[float, float] | None = None
        """Inverse depth that became 0 and 255; known after leaving, None without depth."""
        self._colours = colours
        self._edges = edges
        self._soft = soft_depth
        self._streams: dict[str, VideoWriter] = {}
        self._counts = np.zeros(_HALVES, np.int64)
        self._stack = ExitStack()
        self._spill: Any = None

    def __enter__(self) -> Self:
        self._stack.__enter__()
        return self

    def write(
        self,
        color: Pixels,
        *,
        depth: NDArray[np.floating[Any]] | None = None,
        labels: NDArray[np.integer[Any]] | None = None,
        **others: Pixels,
    ) -> None:
        """Append one moment.

        Args:
            color: (H, W, 3) RGB.
            depth: planar depth in metres, (H, W); infinite where there is sky.
            labels: object ids, (H, W); 0 where nothing is segmented.
            others: frames of further passes by name (``normal=…``), encoded exactly.

        Raises:
            InputError: when a pass is not given at every moment, or has another size.
        """
        frames = {"color": color} | others
        if labels is not None:
            if self._colours is None:
                raise InputError(
                    "labels need colours", hint="ClipWriter(…, colours=controls.palette(ids, seed))"
                )
            frames["segmentation"] = segmentation(labels, self._colours)
        if self._edges:
            frames["edge"] = edge(color, self._edges)
        self._same_passes({*frames, *([] if depth is None else ["depth"])})
        if depth is not None:
            self._keep(inverse_depth(depth).astype(np.float16))
        for name, frame in frames.items():
            self._stream(name).write(frame)
        self.frames += 1

    def _same_passes(self, names: set[str]) -> None:
        before = {*self._streams, *(["depth"] if self._spill else [])}
        if self.frames and (odd := before ^ names):
            raise InputError(f"frame {self.frames}: pass {min(odd)!r} is not given at every moment")

    def _stream(self, name: str) -> VideoWriter:
        if name not in self._streams:
            style = "colour" if name == "color" else "exact"
            writer = VideoWriter(self.folder / f"{name}.mp4", *self.size, self.fps, style)
            self._streams[name] = self._stack.enter_context(writer)
        return self._streams[name]

    def _keep(self, half: NDArray[np.float16]) -> None:
        if half.shape != self.size[::-1]:
            raise InputError(f"frame {self.frames}: depth is {half.shape}, not {self.size[::-1]}")
        if self._spill is None:
            spill = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 (the stack closes it)
            self._spill = self._stack.enter_context(spill)
        self._counts += _half_counts(half)
        self._spill.write(half.tobytes())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            if self._spill is not None:
                self._write_depth()

    def _write_depth(self) -> None:
        width, height = self.size
        self.depth_range = _range_of(self._counts, DEPTH_PERCENTILE)
        video = self._stream("depth")
        self._spill.seek(0)
        for _ in range(self.frames):
            half = np.frombuffer(self._spill.read(width * height * 2), np.float16).reshape(height, width)
            video.write(depth(half, *self.depth_range, soft=self._soft))
