"""Which file or image sequence of a folder is which modality, and its frames.

Names are those that people and tools use: ``color.mp4``, ``depth.mp4``, ``segmentation.mp4``; Omniverse's
CosmosWriter writes ``rgb``, ``depth``, ``segmentation``, ``shaded_seg`` and ``edges``, each as a video and as a
folder of PNGs (``rgb/rgb_0001.png``).
"""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import Finding, InputError, fail, warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

_NAMES: dict[str, str] = {
    "color": "color colour rgb rgba beauty",
    "depth": "depth",
    "seg": "seg segmentation segmentations semantic_segmentation instance_segmentation instance_id_segmentation",
    "edge": "edge edges canny",
    "vis": "vis blur",
    "normal": "normal normals",
    "instances": "instances",
    "hdmap": "hdmap hdmap_bbox",
    "lidar": "lidar",
    "keypoint": "keypoint keypoints",
    "wsm": "wsm world_scenario",
}
_SECOND_BEST = dict.fromkeys(("shaded_seg", "shaded_segmentation", "shaded_instance_segmentation"), "seg")
_MODALITY = {name: modality for modality, names in _NAMES.items() for name in names.split()} | _SECOND_BEST

MODALITIES = tuple(_NAMES)
"""What a clip may hold. Only ``color`` is needed; ``depth``, ``seg``, ``edge`` and ``vis`` steer every transfer model."""

# Words that say nothing about which pass a file is.
_EMPTY_WORDS = frozenset(
    {
        "clip",
        "control",
        "final",
        "frame",
        "frames",
        "image",
        "images",
        "input",
        "main",
        "map",
        "out",
        "output",
    }
    | {"pass", "render", "video"}
)
_VIDEO_SUFFIXES = frozenset({".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"})
_IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".exr"})
_NUMBERED = re.compile(r"(?P<stem>.*?)[._\- ]?(?P<number>\d+)$")


@attrs.frozen(kw_only=True)
class Source:
    """What a modality is taken from: one video, or the numbered images of one sequence."""

    modality: str
    name: str
    """The video's file name, or the sequence's pattern such as ``rgb/rgb_####.png``."""
    paths: tuple[Path, ...]
    numbers: tuple[int, ...] = ()
    """Frame numbers of a sequence, ascending; empty for a video."""
    second_best: bool = False
    """True for a pass that stands in only when there is no better one: shaded segmentation."""

    @property
    def is_video(self) -> bool:
        """Whether it is a video and not a sequence."""
        return not self.numbers

    @property
    def path(self) -> Path:
        """The video, or the first image."""
        return self.paths[0]


def modality_of(stem: str) -> str:
    """The modality that a file or folder called *stem* holds, in any case; empty when its name does not say.

    Numbers and words such as ``clip``, ``video`` or ``control`` are passed over; what is left must be a known name
    or end in one: ``Color``, ``clip_0000_rgb``, ``shot7.depth_map`` and ``shaded_seg`` are known, ``depth_of_field``
    is not.
    """
    return _MODALITY.get(_known_name(stem), "")


def _known_name(stem: str) -> str:
    words = [word for word in re.split(r"[^a-z0-9]+", stem.lower()) if word]
    words = [word for word in words if word not in _EMPTY_WORDS and not word.isdecimal()]
    for start in range(len(words)):
        name = "_".join(words[start:])
        if name in _MODALITY:
            return name
    return ""


def find(
    folder: Path, *, ignored: frozenset[str] = frozenset()
) -> tuple[dict[str, Source], tuple[Finding, ...]]:
    """The one source of each modality in *folder* and its direct subfolders, and what is wrong or left out.

    Videos whose names are in *ignored* are passed over without a word.
    """
    videos, strangers = _videos(folder, ignored)
    sequences = list(_sequences(folder))
    findings = [_stranger(name) for name in strangers]
    chosen: dict[str, Source] = {}
    for modality in MODALITIES:
        mine = [source for source in (*videos, *sequences) if source.modality == modality]
        if mine:
            chosen[modality], more = _choose(modality, mine)
            findings += more
    return chosen, tuple(findings)


def _stranger(name: str) -> Finding:
    return warn(
        f"{name} is left out: its name is no known modality",
        hint=f"one of {', '.join(MODALITIES)}",
        where=name,
    )


def _choose(modality: str, sources: list[Source]) -> tuple[Source, list[Finding]]:
    """A video goes before images, segmentation before shaded segmentation; two equals are a failure."""
    ranked = sorted(sources, key=lambda source: (source.second_best, not source.is_video, source.name))
    best = ranked[0]
    findings = []
    for other in ranked[1:]:
        if (other.second_best, other.is_video) == (best.second_best, best.is_video):
            findings.append(
                fail(
                    f"{best.name} and {other.name} are both {modality}",
                    hint="keep one of them in the folder",
                    where=other.name,
                )
            )
        else:
            findings.append(
                warn(f"{other.name} is left out: {best.name} is the {modality}", where=other.name)
            )
    return best, findings


def video_files(folder: Path) -> Iterator[Path]:
    """Everything in *folder* that is called like a video, in order of name."""
    return (path for path in _visible(folder) if path.suffix.lower() in _VIDEO_SUFFIXES and not path.is_dir())


def _videos(folder: Path, ignored: frozenset[str]) -> tuple[list[Source], list[str]]:
    known, unknown = [], []
    for path in video_files(folder):
        if path.name in ignored:
            continue
        name = _known_name(path.stem)
        if name:
            known.append(
                Source(
                    modality=_MODALITY[name], name=path.name, paths=(path,), second_best=name in _SECOND_BEST
                )
            )
        else:
            unknown.append(path.name)
    return known, unknown


def _visible(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.iterdir()) if not path.name.startswith("."))


def _sequences(folder: Path) -> Iterator[Source]:
    """Images of one stem and suffix, numbered; in a subfolder, the folder's name tells when the stem does not."""
    for place in (folder, *(path for path in _visible(folder) if path.is_dir())):
        groups: defaultdict[tuple[str, str], list[tuple[int, Path]]] = defaultdict(list)
        for path in _visible(place):
            numbered = _NUMBERED.fullmatch(path.stem)
            if path.suffix.lower() in _IMAGE_SUFFIXES and numbered and path.is_file():
                groups[numbered["stem"], path.suffix].append((int(numbered["number"]), path))
        for (stem, _), images in sorted(groups.items()):
            name = _known_name(stem) or (_known_name(place.name) if place != folder else "")
            if name:
                yield _sequence(name, folder, sorted(images))


def _sequence(name: str, folder: Path, images: list[tuple[int, Path]]) -> Source:
    first = images[0][1]
    pattern = re.sub(r"\d+$", lambda digits: "#" * len(digits[0]), first.stem) + first.suffix
    return Source(
        modality=_MODALITY[name],
        name=first.relative_to(folder).with_name(pattern).as_posix(),
        paths=tuple(path for _, path in images),
        numbers=tuple(number for number, _ in images),
        second_best=name in _SECOND_BEST,
    )


def numbering(source: Source) -> Iterator[Finding]:
    """Gaps and double numbers in a sequence."""
    present = set(source.numbers)
    missing = sorted(set(range(min(present), max(present) + 1)) - present)
    if missing:
        yield fail(
            f"{source.name} lacks {_count(missing)} between {min(present)} and {max(present)}: {_some(missing)}",
            hint="render the missing frames",
            where=source.name,
        )
    if len(present) < len(source.numbers):
        doubles = sorted({number for number in present if source.numbers.count(number) > 1})
        yield fail(f"{source.name} has frame {_some(doubles)} more than once", where=source.name)


def _count(numbers: list[int]) -> str:
    return "1 frame" if len(numbers) == 1 else f"{len(numbers)} frames"


def _some(numbers: Iterable[int], most: int = 8) -> str:
    numbers = list(numbers)
    shown = ", ".join(str(number) for number in numbers[:most])
    return f"{shown}, …" if len(numbers) > most else shown


def compare_numbering(sources: Iterable[Source]) -> Iterator[Finding]:
    """Frames that one pass has and another has not, which equal counts would hide."""
    sequences = [source for source in sources if not source.is_video]
    everything = set().union(*(source.numbers for source in sequences))
    for source in sequences:
        if lacking := sorted(everything - set(source.numbers)):
            yield fail(
                f"{source.name} has no frame {_some(lacking)}, which other passes have",
                hint="render the same frames in every pass",
                where=source.name,
            )


def read_image(path: Path) -> NDArray[Any]:
    """The pixels of a PNG, JPEG or EXR: (H, W) or (H, W, 3), RGB, in the file's own type.

    Raises:
        InputError: when it cannot be decoded to its end.
    """
    return _read_exr(path) if path.suffix.lower() == ".exr" else _read_8_bit(path)


def _read_8_bit(path: Path) -> NDArray[Any]:
    import cv2
    import numpy as np

    content = path.read_bytes()
    # OpenCV fills what a cut file lacks with grey and says nothing.
    whole = content.rstrip(b"\0").endswith((b"IEND\xaeB`\x82", b"\xff\xd9"))
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED) if whole else None
    if pixels is None:
        raise InputError(f"{path.name} cannot be decoded: it is cut or damaged")
    if pixels.ndim == 3:
        return np.ascontiguousarray(pixels[:, :, 2::-1])
    return np.asarray(pixels)


def _read_exr(path: Path) -> NDArray[Any]:
    import numpy as np

    try:
        import OpenEXR
    except ImportError:
        raise InputError(
            f"{path.name}: EXR images need the package OpenEXR", hint="pip install 'cosmos-core[exr]'"
        ) from None
    try:
        channels = {name: channel.pixels for name, channel in OpenEXR.File(str(path)).channels().items()}
    except (RuntimeError, ValueError) as error:
        raise InputError(f"{path.name} cannot be decoded: {error}") from error
    for name in ("RGB", "RGBA", "depth.Z", "Z", "depth", "Y", "R"):
        if name in channels:
            return np.asarray(channels[name][:, :, :3] if name.startswith("RGB") else channels[name])
    if len(channels) == 1:
        return np.asarray(next(iter(channels.values())))
    raise InputError(f"{path.name} has the channels {', '.join(sorted(channels))}: none is RGB or Z")


def frames(source: Source) -> Iterator[NDArray[np.uint8]]:
    """The frames of a sequence as they are encoded: uint8, (H, W) or (H, W, 3).

    8-bit images are taken as they are. EXR colour is linear and becomes sRGB; EXR depth is planar metres and becomes
    the models' near-bright grey with one range for the clip; a one-channel EXR segmentation holds object ids.
    """
    if source.path.suffix.lower() == ".exr":
        yield from _exr_frames(source)
        return
    for path in source.paths:
        pixels = read_image(path)
        yield (pixels >> 8).astype("uint8") if pixels.dtype == "uint16" else pixels


def _exr_frames(source: Source) -> Iterator[NDArray[np.uint8]]:
    import numpy as np

    from cosmos_core import controls

    pictures = (read_image(path) for path in source.paths)
    if source.modality == "depth":
        lo, hi = controls.depth_range(controls.inverse_depth(_flat(z)) for z in pictures)
        for path in source.paths:
            yield controls.depth(controls.inverse_depth(_flat(read_image(path))), lo, hi)
    elif source.modality == "seg" and read_image(source.path).ndim == 2:
        seen = {int(i) for ids in pictures for i in np.unique(ids)}
        colours = controls.palette(seen)
        for path in source.paths:
            yield controls.segmentation(read_image(path).astype(np.int64), colours)
    else:
        curve = _srgb if source.modality == "color" else np.asarray
        for picture in pictures:
            yield np.rint(np.clip(curve(picture.astype(np.float32)), 0, 1) * 255).astype(np.uint8)


def _flat(z: NDArray[Any]) -> NDArray[Any]:
    return z[:, :, 0] if z.ndim == 3 else z


def _srgb(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """IEC 61966-2-1, from scene-linear values of which 1.0 is white."""
    import numpy as np

    x = np.clip(linear, 0, 1)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055).astype(np.float32)
