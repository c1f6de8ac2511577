"""What a sealed clip is, and its manifest ``clip.json``."""

from __future__ import annotations

import json
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, Self

import attrs

from cosmos_core import canonical
from cosmos_core.errors import InputError, UnknownError

MANIFEST = "clip.json"
SCHEMA = 1


def _plain_name(_: object, __: object, value: str) -> None:
    # A manifest may come from anywhere; its files lie beside it and nowhere else.
    if not value or value in {".", ".."} or set(value) & set("/\\:\0"):
        raise InputError(f"{value!r} is not the name of a file in a clip's folder")


@attrs.frozen(kw_only=True)
class ClipFile:
    """One video of a clip."""

    modality: str
    """``color``, ``depth``, ``seg``, ``edge``, ``vis`` or one of the others in ``MODALITIES``."""
    name: str = attrs.field(validator=_plain_name)
    """File name in the clip's folder."""
    sha256: str
    bytes: int
    frames: int
    fps: Fraction
    width: int
    height: int
    derived: bool = False
    """True when the sealing made it from the colour video."""


@attrs.frozen(kw_only=True)
class Clip:
    """A sealed folder: colour and controls of one scene variation, equal in frames, size and rate."""

    folder: Path
    """Where it lies; absolute."""
    name: str
    files: tuple[ClipFile, ...]
    frames: int
    fps: Fraction
    width: int
    height: int
    source: dict[str, Any] = attrs.field(factory=dict)
    """What the generator said about its making: scene, seed, versions, a suggested prompt."""

    @cached_property
    def digest(self) -> str:
        """SHA-256 over every video's digest, the length, the rate and the size.

        Neither the folder, nor a name, nor what the generator said is part of it: two clips with one digest are the
        same input to a model.
        """
        return canonical.digest(
            {
                "files": {file.modality: file.sha256 for file in self.files},
                "frames": self.frames,
                "fps": self.fps,
                "size": [self.width, self.height],
            }
        )

    @property
    def modalities(self) -> tuple[str, ...]:
        """What the clip has, in the order of its manifest."""
        return tuple(file.modality for file in self.files)

    @property
    def seconds(self) -> float:
        """How long the clip lasts when played."""
        return float(self.frames / self.fps)

    def file(self, modality: str) -> ClipFile:
        """The video of *modality*.

        Raises:
            UnknownError: when the clip has none; the hint says what it has.
        """
        for file in self.files:
            if file.modality == modality:
                return file
        raise UnknownError(
            f"clip {self.name!r} has no {modality}", hint=f"it has {', '.join(self.modalities)}"
        )

    def path(self, modality: str) -> Path:
        """Where the video of *modality* lies; raises as :meth:`file`."""
        return self.folder / self.file(modality).name

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Open a sealed clip by its manifest. Decodes and digests nothing, but sees files that changed in size.

        Raises:
            InputError: when *folder* is not sealed, its manifest is not one, or a file is gone or of another size.
        """
        folder = Path(folder).absolute()
        manifest = _read(folder)
        clip = cls(
            folder=folder,
            name=manifest.name,
            files=manifest.files,
            frames=manifest.frames,
            fps=manifest.fps,
            width=manifest.width,
            height=manifest.height,
            source=manifest.source,
        )
        if clip.digest != manifest.digest:
            raise InputError(
                f"{folder / MANIFEST} was changed: its digest is not that of what it lists", hint=_AGAIN
            )
        for file in clip.files:
            _look(folder, file)
        return clip

    def manifest(self) -> Manifest:
        """What ``clip.json`` says about this clip."""
        kept = {key: value for key, value in attrs.asdict(self, recurse=False).items() if key != "folder"}
        return Manifest(digest=self.digest, **kept)


_AGAIN = f"delete {MANIFEST} and seal the folder again"


@attrs.frozen(kw_only=True)
class Manifest:
    """The content of ``clip.json``."""

    schema: int = SCHEMA
    digest: str
    name: str
    files: tuple[ClipFile, ...]
    frames: int
    fps: Fraction
    width: int
    height: int
    source: dict[str, Any] = attrs.field(factory=dict)


def _read(folder: Path) -> Manifest:
    from cattrs import BaseValidationError, transform_error

    path = folder / MANIFEST
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is no manifest: it is not a regular file", hint=_AGAIN)
    try:
        content = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        what = "is not a sealed clip" if folder.is_dir() else "does not exist"
        raise InputError(f"{folder} {what}", hint=f"a sealed clip has a {MANIFEST}") from None
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(f"{path} cannot be read: {error}", hint=_AGAIN) from error
    if not isinstance(content, dict):
        raise InputError(f"{path} is no manifest: it holds no JSON object", hint=_AGAIN)
    if content.get("schema") != SCHEMA:
        raise InputError(f"{path} has schema {content.get('schema')!r}; this version reads {SCHEMA}")
    try:
        return canonical.restore(Manifest, content)
    except BaseValidationError as error:
        raise InputError(
            f"{path} is no manifest: {'; '.join(transform_error(error))}", hint=_AGAIN
        ) from error


def _look(folder: Path, file: ClipFile) -> None:
    try:
        size = (folder / file.name).stat().st_size
    except OSError:
        raise InputError(f"{file.name} of clip {folder.name!r} is gone", hint=_AGAIN) from None
    if size != file.bytes:
        raise InputError(
            f"{file.name} of clip {folder.name!r} was changed: {size} bytes, {file.bytes} when it was sealed",
            hint=_AGAIN,
        )
