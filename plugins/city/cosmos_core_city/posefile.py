"""Pose files: pieces of a street and how they fell, from whoever simulated them; one format, read whole or refused.

A pose file is a zip archive of ``poses.json``, the header, and one binary member for each array, named ``NAME.bin``:
little-endian, row after row, stored or deflated. The header says what every number means, how many there are, and the
SHA-256 of each array. Lengths are metres, axes right-handed; which axis is up, the order of a quaternion and the winding
of polygons are stated, and the two ways of each that programs use are read. A pose is that at the beginning of its frame,
frame i being i / fps seconds after the first. A point p of a body rests at p and is at x + R(p - pivot) in a frame whose
pose is x and the rotation R.

Nothing in a file is run, and nothing of it is trusted: counts are bounded, every
array has the size that its counts ask for and the digest that the header says, and every number is looked at.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
import secrets
import types
import typing
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs
import numpy as np

from cosmos_core import media
from cosmos_core.errors import InputError, RefusedError, fail
from cosmos_core_city.labels import Label
from cosmos_core_city.materials import Kind
from cosmos_core_city.spec import between, one_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from io import BufferedReader
    from pathlib import Path

    from numpy.typing import NDArray

    from cosmos_core.errors import Finding

    Arrays: TypeAlias = Mapping[str, NDArray[Any]]

FORMAT, VERSION, HEADER = "cosmos-poses", 1, "poses.json"
SUFFIX = ".poses"
LARGEST_HEADER = 16 * 2**20
LARGEST = 2 * 2**30
"""Bytes of all arrays together."""
FAR = 100_000.0
"""Metres from the origin beyond which nothing is."""
UNIT = 1e-3
"""How far the length of a quaternion may be from 1."""
MOST = 8
"""Findings of one kind that are told."""

ARRAYS: dict[str, tuple[str, tuple[str | int, ...]]] = {
    "points": ("<f4", ("points", 3)),
    "rides": ("<i4", ("points",)),
    "sizes": ("<u2", ("polygons",)),
    "corners": ("<i4", ("corners",)),
    "labels": ("|u1", ("polygons",)),
    "materials": ("<i4", ("polygons",)),
    "instances": ("<i4", ("polygons",)),
    "pivots": ("<f4", ("bodies", 3)),
    "starts": ("<f4", ("bodies",)),
    "poses": ("<f4", ("frames", "bodies", 7)),
}
"""Type and shape of each array, in the words of the header; :data:`ARRAYS_DOC` says what each is, line by line."""
ARRAYS_DOC = """
where things rest, metres
the body that each point rides, a row of `bodies`, or -1 for what never moves
how many corners each polygon has
the points of all polygons, one polygon after the other; they need not be convex
the class of each polygon, a row of the header's `labels`
a row of the header's `materials`
the thing that a polygon is of, a row of the header's `instances`
where each body's origin rests
seconds after the first frame at which a body becomes active; negative before it, infinite for one that never does
x, y, z in metres and the quaternion of each body in each frame
"""


@attrs.frozen
class _Digest:
    """A validator for SHA-256 as 64 hexadecimal digits."""

    may_be_empty: bool = False

    def __call__(self, _: object, field: attrs.Attribute[Any], value: str) -> None:
        if not re.fullmatch(self.schema["pattern"], value):
            raise ValueError(f"{field.name} is {value[:80]!r}; allowed are 64 hexadecimal digits")

    @property
    def schema(self) -> dict[str, str]:
        return {"pattern": "^([0-9a-f]{64})?$" if self.may_be_empty else "^[0-9a-f]{64}$"}


@attrs.frozen
class _Length:
    """A validator for texts and lists of a length."""

    least: int
    most: int
    word: str = "Length"

    def __call__(self, _: object, field: attrs.Attribute[Any], value: Any) -> None:
        if not self.least <= len(value) <= self.most:
            raise ValueError(
                f"{field.name} has a length of {len(value)}; allowed is {self.least} to {self.most}"
            )

    @property
    def schema(self) -> dict[str, int]:
        return {f"min{self.word}": self.least, f"max{self.word}": self.most}


def _text(most: int = 500, least: int = 0) -> Any:
    return _Length(least, most)


def _many(most: int, least: int = 0) -> Any:
    return _Length(least, most, "Items")


def _field(*checks: Any, default: Any = attrs.NOTHING, help: str = "") -> Any:  # noqa: A002 - the key of the metadata
    return attrs.field(
        default=default, validator=list(checks) or None, metadata={"help": help} if help else {}
    )


@attrs.frozen(kw_only=True)
class MadeBy:
    """Who simulated."""

    program: str = _field(_text(100, 1), help="such as Houdini, or cosmos-core-city")
    build: str = _field(_text(100, 1), help="its version, to the last number")
    licence: str = _field(_text(100), default="", help="the category of its licence")
    scene: str = _field(_text(4096), default="", help="where its scene lies")
    scene_sha256: str = _field(_Digest(may_be_empty=True), default="", help="digest of that scene")
    simulation: str = _field(
        _text(1000), default="", help="what simulated, such as types of nodes with versions"
    )


@attrs.frozen(kw_only=True)
class Group:
    """What shares a colour in the segmentation control."""

    name: str = _field(_text(200, 1), help="such as building_03")
    rubble: str = _field(
        _text(200), default="", help="the group of what has come off it; empty where that stays with it"
    )


@attrs.frozen(kw_only=True)
class Instance:
    """One thing."""

    name: str = _field(_text(200, 1), help="such as building_03")
    group: str = _field(_text(200, 1), help="the name of its group")
    solid: bool = _field(default=True, help="whether a camera keeps away from its box")
    building: int | None = _field(
        between(0, 10_000), default=None, help="the row of the resolved city's building whose walls it wears"
    )


@attrs.frozen(kw_only=True)
class Material:
    """A material; with a kind it is drawn just so, without one as what its polygons are labelled usually looks."""

    color: tuple[float, float, float] = _field(help="linear red, green and blue, 0 to 1")
    kind: str = _field(
        one_of("", *(kind.name.lower() for kind in Kind)), default="", help="a formula of the renderer"
    )
    other: tuple[float, float, float] = _field(default=(0.0, 0.0, 0.0), help="its second colour")
    shine: float = _field(between(0.0, 1.0), default=0.0, help="share of the sky that it mirrors")
    parameters: tuple[float, ...] = _field(
        _many(8), default=(), help="up to eight, whose meaning is the kind's"
    )
    cut: bool = _field(default=False, help="whether its polygons are faces that fracture made")


@attrs.frozen(kw_only=True)
class Digests:
    """SHA-256 of each array's bytes."""

    points: str = _field(_Digest())
    rides: str = _field(_Digest())
    sizes: str = _field(_Digest())
    corners: str = _field(_Digest())
    labels: str = _field(_Digest())
    materials: str = _field(_Digest())
    instances: str = _field(_Digest())
    pivots: str = _field(_Digest())
    starts: str = _field(_Digest())
    poses: str = _field(_Digest())


@attrs.frozen(kw_only=True)
class Header:
    """The header of a pose file."""

    format: str = _field(one_of(FORMAT))
    version: int = _field(between(VERSION, VERSION))
    made_by: MadeBy
    city_sha256: str = _field(_Digest(), help="of the resolved city, as `cosmos city resolve` gives it")
    units: str = _field(one_of("metres"))
    handedness: str = _field(one_of("right"))
    up: str = _field(
        one_of("z", "y"), help="the axis that points up; (x, y, z) with Z up is (x, z, -y) with Y up"
    )
    quaternion: str = _field(one_of("wxyz", "xyzw"), help="the order of its four numbers")
    winding: str = _field(
        one_of("counter-clockwise", "clockwise"), help="of a polygon's corners, seen from outside"
    )
    fps: float = _field(between(1.0, 120.0), help="frames a second")
    frames: int = _field(between(2, 5000))
    first: int = _field(
        between(-1_000_000, 1_000_000), default=0, help="the first frame's number where it was simulated"
    )
    points: int = _field(between(3, 20_000_000))
    polygons: int = _field(between(1, 10_000_000))
    corners: int = _field(between(3, 40_000_000))
    bodies: tuple[str, ...] = _field(_many(65_535, 1), help="a name for each; no two are equal")
    groups: tuple[Group, ...] = _field(_many(65_000, 1), help="in the order in which they take colours")
    instances: tuple[Instance, ...] = _field(_many(65_000, 1))
    materials: tuple[Material, ...] = _field(_many(65_000, 1))
    labels: tuple[str, ...] = _field(
        _many(256, 1), help="names of classes; a polygon's label is a row of these"
    )
    arrays: Digests

    def shape(self, name: str) -> tuple[int, ...]:
        """Of the array *name*."""
        counts = {
            "points": self.points,
            "polygons": self.polygons,
            "corners": self.corners,
            "bodies": len(self.bodies),
            "frames": self.frames,
        }
        return tuple(counts[each] if isinstance(each, str) else each for each in ARRAYS[name][1])


@attrs.frozen(eq=False, kw_only=True)
class PoseFile:
    """A pose file that was read whole and found right."""

    header: Header
    arrays: Arrays
    sha256: str
    """Of the file."""


def read(path: Path) -> PoseFile:
    """The pose file at *path*.

    Raises:
        InputError: it cannot be opened.
        RefusedError: it is not as the format says, with everything that is wrong with it.
    """
    with _opened(path) as file:
        try:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            with zipfile.ZipFile(file) as archive:
                header = _header(archive)
                arrays = _arrays(archive, header)
        except _Wrong as wrong:
            raise _refused(path, wrong.findings) from None
        except _DAMAGED as error:
            raise _refused(path, [fail(f"it is no archive, or a damaged one: {error}")]) from error
    if findings := list(review(header, arrays)):
        raise _refused(path, findings)
    return PoseFile(header=header, arrays=arrays, sha256=sha256)


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", hint="give a file of poses") from error


_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
    EOFError,
    OverflowError,
    OSError,
)
"""What :mod:`zipfile` says of a damaged archive, of an encrypted one and of one made in a way that it does not know."""


class _Wrong(Exception):
    """Findings on the way; what comes after them cannot be looked at."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__()
        self.findings = findings


def _refused(path: Path, findings: list[Finding]) -> RefusedError:
    return RefusedError(
        f"{path.name} is no pose file: {findings[0].message}",
        findings,
        hint="docs/reference/poses.md says what one is",
    )


def _header(archive: zipfile.ZipFile) -> Header:
    members = {info.filename: info for info in archive.infolist()}
    info = members.get(HEADER)
    if info is None:
        raise _Wrong([fail(f"it holds no {HEADER}", where=HEADER)])
    wanted = {HEADER, *(f"{name}.bin" for name in ARRAYS)}
    findings = [fail(f"it holds no {name}", where=name) for name in sorted(wanted - members.keys())]
    findings += [
        fail(f"nothing called {name[:80]!r} is known", where=name[:80])
        for name in sorted(members.keys() - wanted)
    ]
    if len(archive.infolist()) != len(members):
        findings.append(fail("it holds two members of one name"))
    if info.file_size > LARGEST_HEADER:
        findings.append(
            fail(f"its header has {info.file_size} bytes; {LARGEST_HEADER} is the most", where=HEADER)
        )
    if findings:
        raise _Wrong(findings[:MOST])
    try:
        raw = json.loads(_member(archive, info, info.file_size), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise _Wrong([fail(f"its header is not JSON: {error}", where=HEADER)]) from error
    if isinstance(raw, dict) and (raw.get("format"), raw.get("version")) != (FORMAT, VERSION):
        told = f"{raw.get('format')!r} version {raw.get('version')!r}"[:120]
        raise _Wrong([fail(f"it is {told}; this reads {FORMAT!r} version {VERSION}", where="format")])
    findings = []
    header: Header = _object(Header, raw, "header", findings)
    if findings:
        raise _Wrong(findings[: 4 * MOST])
    return header


def _no_constant(word: str) -> None:
    raise ValueError(f"{word} is no number")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, size: int) -> bytes:
    """The bytes of a member, never more than *size*."""
    with archive.open(info) as source:
        return source.read(size)


def _arrays(archive: zipfile.ZipFile, header: Header) -> dict[str, NDArray[Any]]:
    sizes = {
        name: np.dtype(kind).itemsize * math.prod(header.shape(name)) for name, (kind, _) in ARRAYS.items()
    }
    if sum(sizes.values()) > LARGEST:
        raise _Wrong([fail(f"its arrays have {sum(sizes.values())} bytes; {LARGEST} is the most")])
    findings, found = [], {}
    for name, (kind, _) in ARRAYS.items():
        info = archive.getinfo(f"{name}.bin")
        if info.file_size != sizes[name]:
            findings.append(
                fail(
                    f"{name} has {info.file_size} bytes; its shape {header.shape(name)} needs {sizes[name]}",
                    where=name,
                )
            )
            continue
        content = _member(archive, info, sizes[name])
        if hashlib.sha256(content).hexdigest() != getattr(header.arrays, name):
            findings.append(fail(f"{name} does not have the digest that the header says", where=name))
            continue
        found[name] = np.frombuffer(content, dtype=kind).reshape(header.shape(name))
    if findings:
        raise _Wrong(findings)
    return found


def review(header: Header, arrays: Arrays) -> Iterator[Finding]:
    """Everything that is wrong with what a file says."""
    yield from _about_names(header)
    yield from _about_numbers(header, arrays)
    sizes, corners = arrays["sizes"].astype(np.int64), arrays["corners"]
    if (sizes < 3).any():
        yield fail(f"polygon {int(np.argmax(sizes < 3))} has less than three corners", where="sizes")
    elif int(sizes.sum()) != len(corners):
        yield fail(
            f"the polygons have {int(sizes.sum())} corners, and {len(corners)} are there", where="sizes"
        )
    elif not _outside(corners, header.points).any():
        rides = arrays["rides"][corners]
        first = np.repeat(rides[np.cumsum(sizes) - sizes], sizes)
        if (rides != first).any():
            polygon = int(np.searchsorted(np.cumsum(sizes), int(np.argmax(rides != first)), side="right"))
            yield fail(f"the corners of polygon {polygon} ride two bodies", where="rides")


def _about_names(header: Header) -> Iterator[Finding]:
    for what, names in (("bodies", header.bodies), ("groups", [group.name for group in header.groups])):
        if len(set(names)) < len(names):
            yield fail(f"two {what} have one name", where=what)
    known = {group.name for group in header.groups}
    for group in header.groups:
        if group.rubble and group.rubble not in known:
            yield fail(f"there is no group {group.rubble!r}, the rubble of {group.name!r}", where="groups")
    for each in [each for each in header.instances if each.group not in known][:MOST]:
        yield fail(f"there is no group {each.group!r}, that of {each.name!r}", where="instances")
    words = {label.name.lower() for label in Label}
    for name in [name for name in header.labels if name not in words][:MOST]:
        yield fail(
            f"there is no class {name[:80]!r}", hint=f"one of {', '.join(sorted(words))}", where="labels"
        )
    for row, material in enumerate(header.materials):
        if not all(0.0 <= value <= 1.0 for value in (*material.color, *material.other)):
            yield fail(f"a colour of material {row} is not from 0 to 1", where="materials")
            return


def _about_numbers(header: Header, arrays: Arrays) -> Iterator[Finding]:
    for name in ("points", "pivots", "poses"):
        if not (np.abs(arrays[name]) <= FAR).all():
            yield fail(f"{name} holds what is no number, or farther than {FAR:g} m", where=name)
    if np.isnan(arrays["starts"]).any():
        yield fail("starts holds what is no number", where="starts")
    for name, count, least in (
        ("rides", len(header.bodies), -1),
        ("corners", header.points, 0),
        ("labels", len(header.labels), 0),
        ("materials", len(header.materials), 0),
        ("instances", len(header.instances), 0),
    ):
        if (wrong := _outside(arrays[name], count, least)).any():
            at = int(np.argmax(wrong))
            yield fail(
                f"{name} holds {int(arrays[name][at])} at {at}; allowed is {least} to {count - 1}", where=name
            )
    if (header.labels and "sky" in header.labels) and (arrays["labels"] == header.labels.index("sky")).any():
        yield fail("a polygon is labelled sky, which no surface is", where="labels")
    seen = np.zeros(len(header.instances), dtype=bool)
    seen[arrays["instances"][~_outside(arrays["instances"], len(seen))]] = True
    for row in np.flatnonzero(~seen)[:MOST].tolist():
        yield fail(f"{header.instances[row].name!r} has no polygon", where="instances")
    with np.errstate(over="ignore", invalid="ignore"):
        length = np.linalg.norm(arrays["poses"][..., 3:].astype(np.float64), axis=2)
        off = ~(np.abs(length - 1.0) <= UNIT)
    if off.any():
        frame, body = (int(each) for each in np.argwhere(off)[0])
        yield fail(
            f"the quaternion of body {header.bodies[body]!r} in frame {frame} has a length of {length[frame, body]:.4g}, not 1",
            where="poses",
        )


def _outside(values: NDArray[Any], count: int, least: int = 0) -> NDArray[np.bool_]:
    return np.asarray((values < least) | (values >= count))


def write(path: Path, header: Mapping[str, Any], arrays: Arrays) -> str:
    """Write a pose file, whole or not at all; *header* lacks only the digests. Gives the file's SHA-256.

    Equal arguments give equal bytes.

    Raises:
        RefusedError: what it would hold is not as the format says; nothing is written.
    """
    blobs = {
        name: np.ascontiguousarray(arrays[name], dtype=kind).tobytes() for name, (kind, _) in ARRAYS.items()
    }
    digests = {name: hashlib.sha256(blob).hexdigest() for name, blob in blobs.items()}
    content = json.dumps({**header, "arrays": digests}, ensure_ascii=False, allow_nan=False).encode()
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, blob in ((HEADER, content), *((f"{name}.bin", blob) for name, blob in blobs.items())):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), blob)
        sha256 = read(part).sha256
        media.publish([(part, path)])
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return sha256


def _object(kind: type, raw: Any, where: str, findings: list[Finding]) -> Any:
    """An instance of the attrs class *kind* out of JSON; None after a finding."""
    if not isinstance(raw, dict):
        findings.append(fail(f"{where} is {_shown(raw)}, not an object", where=where))
        return None
    hints = typing.get_type_hints(kind)
    fields = {field.name: field for field in attrs.fields(kind)}
    before = len(findings)
    findings += [
        fail(f"nothing called {name[:80]!r} is known in {where}", where=where)
        for name in raw
        if name not in fields
    ]
    missing = [name for name, field in fields.items() if field.default is attrs.NOTHING and name not in raw]
    findings += [fail(f"{where} has no {name}", where=where) for name in missing]
    values = {
        name: _value(hints[name], raw[name], f"{where}.{name}", findings) for name in fields if name in raw
    }
    if len(findings) > before:
        return None
    for name, value in values.items():
        try:
            for check in getattr(fields[name].validator, "_validators", ()):
                check(None, fields[name], value)
        except ValueError as error:
            findings.append(fail(f"{where}: {error}", where=f"{where}.{name}"))
    return kind(**values) if len(findings) == before else None


def _value(hint: Any, raw: Any, where: str, findings: list[Finding]) -> Any:
    if attrs.has(hint):
        return _object(hint, raw, where, findings)
    if isinstance(hint, types.UnionType):
        return None if raw is None else _value(typing.get_args(hint)[0], raw, where, findings)
    members = typing.get_args(hint)
    if members:
        return _row(members, raw, where, findings)
    good = isinstance(raw, (int, float) if hint is float else hint) and isinstance(raw, bool) == (
        hint is bool
    )
    if not good:
        findings.append(fail(f"{where} is {_shown(raw)}, not a {hint.__name__}", where=where))
        return None
    return float(raw) if hint is float else raw


def _row(members: tuple[Any, ...], raw: Any, where: str, findings: list[Finding]) -> Any:
    if not isinstance(raw, list):
        findings.append(fail(f"{where} is {_shown(raw)}, not a list", where=where))
        return None
    if members[-1] is Ellipsis:
        members = (members[0],) * len(raw)
    if len(members) != len(raw):
        findings.append(fail(f"{where} has {len(raw)} values, not {len(members)}", where=where))
        return None
    made = []
    for at, (member, one) in enumerate(zip(members, raw, strict=True)):
        made.append(_value(member, one, f"{where}[{at}]", findings))
        if len(findings) > 4 * MOST:
            break
    return tuple(made)


def _shown(raw: Any) -> str:
    return repr(raw)[:80]
