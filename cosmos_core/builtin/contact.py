"""A poster and a contact sheet beside each artifact, so that a person sees at a glance what was made of what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from cosmos_core import hookimpl
from cosmos_core.extend import Followed, Step, ok

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cosmos_core.clip import Clip
    from cosmos_core.extend import Artifact, Run

POSTER = "poster.jpg"
SHEET = "contact.jpg"


@attrs.frozen(kw_only=True)
class ContactOptions:
    """What the pictures show."""

    at: float = attrs.field(default=0.5, metadata={"help": "moment of the poster, 0 first frame to 1 last"})
    columns: int = attrs.field(
        default=5,
        validator=attrs.validators.in_(range(1, 21)),
        metadata={"help": "moments on the sheet, 1 to 20"},
    )
    width: int = attrs.field(
        default=1600,
        validator=attrs.validators.in_(range(160, 8193)),
        metadata={"help": "of the sheet in pixels, 160 to 8192"},
    )


DEFAULTS = ContactOptions()


@hookimpl
def cosmos_steps() -> Iterable[Step]:
    """Offer the contact sheet."""
    yield Step(
        name="contact",
        summary="poster.jpg and contact.jpg beside the artifact: the output over its input's passes.",
        options=ContactOptions,
        follow=follow,
    )


def follow(artifact: Artifact, run: Run, folder: Path, options: ContactOptions | None) -> Followed:
    """Write both pictures into *folder*. Doing it again gives the same pictures."""
    from cosmos_core.media import contact_sheet, poster

    chosen = options or DEFAULTS
    poster(artifact.path, folder / POSTER, at=chosen.at)
    streams = {"output": artifact.path} | _passes(_clip_of(folder))
    title = f"{run.name}  {run.id}  {run.spec.backend}  {artifact.digest[:12]}"
    contact_sheet(
        streams,
        folder / SHEET,
        columns=chosen.columns,
        width=chosen.width,
        title=title.encode("ascii", "replace").decode(),
    )
    return Followed(findings=(ok(f"{POSTER} and {SHEET} are beside {artifact.path.name}", where=run.id),))


def _passes(clip: Clip | None) -> dict[str, Path]:
    """The clip's colour first, then what steered the model."""
    if clip is None:
        return {}
    return {
        ("input" if file.modality == "color" else file.modality): clip.folder / file.name
        for file in sorted(clip.files, key=lambda file: (file.modality != "color", file.modality))
    }


def _clip_of(folder: Path) -> Clip | None:
    """The clip that ``artifact.json`` names, where it still lies there."""
    import json
    from pathlib import Path

    from cosmos_core.clip import Clip
    from cosmos_core.errors import CosmosError

    try:
        record = json.loads((folder / "artifact.json").read_text("utf-8"))
        clip = Clip.load(Path(record["clip_folder"]))
    except (OSError, ValueError, KeyError, CosmosError):
        return None
    return clip if clip.digest == record.get("clip") else None
