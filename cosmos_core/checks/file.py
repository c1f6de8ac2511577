"""Is there a file, is it the video itself, and is it the one that left the host?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.extend import Check, Finding, Output, fail

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosmos_core.spec import Spec

_AGAIN = "fetch it again from the host that made it"
_FAMILY = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip")


def exists(output: Output, _spec: Spec | None) -> Iterator[Finding]:
    """Demand a regular file. A link may lead anywhere, so it counts as none."""
    path = output.path
    if path.is_symlink():
        yield fail(
            f"{output.name} is a link, not a file", hint="put the file itself there; links are not followed"
        )
    elif not path.exists():
        yield fail(f"{output.name} is not there", hint=_AGAIN)
    elif not path.is_file():
        yield fail(f"{output.name} is not a regular file", hint=_AGAIN)


def same_bytes(output: Output, _spec: Spec | None) -> Iterator[Finding]:
    """Compare the file's SHA-256 with the one that was taken where it was made."""
    if output.remote_digest and output.remote_digest != output.digest:
        yield fail(
            f"{output.name} changed on its way: SHA-256 {output.digest[:12]}… here, {output.remote_digest[:12]}… "
            "where it was made",
            hint=_AGAIN,
        )


def not_pointer(output: Output, _spec: Spec | None) -> Iterator[Finding]:
    """Refuse a Git LFS pointer, which is what stays in a checkout when nobody fetched the video it stands for."""
    if output.sniff.kind == "pointer":
        yield fail(
            f"{output.name} {output.sniff.sentence}",
            hint=f"fetch the video it stands for: git lfs pull, or {_AGAIN}",
        )


def magic(output: Output, _spec: Spec | None) -> Iterator[Finding]:
    """Demand a video by its first bytes, and the index that an MP4 needs to be read at all."""
    found = output.sniff
    if found.kind == "image" and output.expected is not None and output.expected.frames == 1:
        return
    if found.kind != "video":
        yield fail(f"{output.name} {found.sentence}", hint=_AGAIN)
    elif not has_index(output.path):
        yield fail(f"{output.name} has no moov box: it was cut off before its index was written", hint=_AGAIN)


def has_index(path: Path) -> bool:
    """Whether a file of the MP4 family has its ``moov`` box. Other containers keep their index elsewhere: True.

    Walks the top-level boxes by their sizes (ISO/IEC 14496-12, 4.2) and reads nothing between them.
    """
    with path.open("rb") as file:
        if file.read(8)[4:] not in _FAMILY:
            return True
        file.seek(0)
        while len(head := file.read(8)) == 8:
            size, kind = int.from_bytes(head[:4]), head[4:]
            if kind == b"moov":
                return True
            if size == 1:
                size = int.from_bytes(file.read(8)) - 8
            if size < 8:
                return False
            file.seek(size - 8, 1)
    return False


CHECKS = (
    Check(
        name="file.exists", summary="The output is a regular file.", look=exists, level="integrity", order=10
    ),
    Check(
        name="file.not-pointer",
        summary="The file is the video itself, not a Git LFS pointer to it.",
        look=not_pointer,
        level="integrity",
        order=20,
    ),
    Check(
        name="file.magic",
        summary="The first bytes are a video's, and an MP4 has its index.",
        look=magic,
        level="integrity",
        order=30,
    ),
    Check(
        name="file.hash",
        summary="The SHA-256 here is the one taken where the file was made.",
        look=same_bytes,
        level="integrity",
        order=40,
    ),
)
