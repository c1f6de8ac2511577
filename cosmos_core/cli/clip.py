"""``cosmos clip``: seal, list and show clips."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cosmos_core.cli import say
from cosmos_core.cli.asked import group, show_help, subcommand
from cosmos_core.errors import CosmosError, InputError

if TYPE_CHECKING:
    from cosmos_core.cli.asked import Asked
    from cosmos_core.clip import Clip
    from cosmos_core.store import KnownClip


@group(
    "clip",
    examples="""
        cosmos clip seal renders/street
        cosmos clip list
    """,
)
def command(asked: Asked) -> None:
    """Seal, list and show clips.

    A clip is a folder with a colour video and the controls of the same frames: depth, seg, edge, vis.
    """
    show_help(asked)


@subcommand(
    command,
    "seal",
    examples="""
        cosmos clip seal renders/street
        cosmos clip seal renders/street --fps 24 --name street
    """,
)
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--fps", type=float, help="Rate of image sequences.")
@click.option("--name", default="", help="Default: the folder's name.")
def seal(asked: Asked, folder: Path, fps: float | None, name: str) -> None:
    """Make a clip of a folder of videos or image sequences.

    Every frame is decoded, missing edge and vis are derived, and clip.json names each file with its digest.
    Everything that is wrong is said at once; nothing is sealed then. Works outside of a workspace too.
    """
    from cosmos_core import clip as clips
    from cosmos_core.cli.progress import progress

    with progress(asked) as bars:

        def report(done: int, total: int, note: str = "", /) -> None:
            bars.show("seal", folder.name, done, total, note)

        sealed = clips.seal(folder, name=name, fps=fps, on_progress=report)
    remembered = _remember(asked, sealed)
    asked.answer({"clip": _facts(sealed), "remembered": remembered})
    asked.tell(_shown(sealed))
    aside = "" if remembered else " (there is no workspace here, so it is known by its folder only)"
    asked.note(f"sealed {sealed.name}{aside}")


@subcommand(command, "list", examples="cosmos clip list --json")
def listing(asked: Asked) -> None:
    """List the clips of this workspace, the latest first."""
    with asked.open() as cosmos:
        known = cosmos.store.clips()
    found = [(each, _loaded(each)) for each in known]
    asked.answer({"clips": [_facts(clip) if clip else _missing(each) for each, clip in found]})
    rows = [
        (
            each.name,
            each.digest[:12],
            f"{clip.frames} x {clip.width}x{clip.height}" if clip else say.word("fail"),
            say.words(clip.modalities) if clip else "gone or changed",
            say.short(each.folder),
        )
        for each, clip in found
    ]
    asked.tell(say.table(rows, ("name", "digest", "frames", "passes", "folder")) or "there are no clips yet")


@subcommand(
    command,
    "show",
    examples="""
        cosmos clip show street
        cosmos clip show clips/street --json
    """,
)
@click.argument("ref", metavar="FOLDER|NAME|DIGEST")
def show(asked: Asked, ref: str) -> None:
    """Show what a sealed clip holds and what it was made by."""
    from cosmos_core.clip import Clip

    folder = Path(ref)
    if not folder.is_dir():
        with asked.open() as cosmos:
            known = cosmos.store.clip_folder(ref)
        if known is None:
            raise InputError(f"there is no clip {ref!r}", hint="see what there is: cosmos clip list")
        folder = known
    clip = Clip.load(folder)
    asked.answer({"clip": _facts(clip)})
    asked.tell(_shown(clip))


def _remember(asked: Asked, sealed: Clip) -> bool:
    """Let the workspace know where the clip lies, if there is one."""
    from cosmos_core import workspace

    try:
        (workspace.at(asked.folder) if asked.folder else workspace.find())
    except InputError:
        return False
    with asked.open() as cosmos:
        cosmos.store.remember_clip(sealed)
    return True


def _loaded(known: KnownClip) -> Clip | None:
    from cosmos_core.clip import Clip

    try:
        clip = Clip.load(known.folder)
    except CosmosError:
        return None
    return clip if clip.digest == known.digest else None


def _missing(known: KnownClip) -> dict[str, Any]:
    return {"digest": known.digest, "name": known.name, "folder": known.folder, "files": [], "is_gone": True}


def _facts(clip: Clip) -> dict[str, Any]:
    from cosmos_core.cli.generate import of_clip

    return of_clip(clip)


def _shown(clip: Clip) -> str:
    rows = [
        (file.modality, file.name, say.size(file.bytes), file.sha256[:12], "derived" if file.derived else "")
        for file in clip.files
    ]
    about = [
        ("folder", say.short(clip.folder)),
        ("digest", clip.digest[:12]),
        (
            "video",
            f"{say.many(clip.frames, 'frame')}, {clip.width}x{clip.height}, {float(clip.fps):g} fps, {clip.seconds:.1f} s",
        ),
        ("generator", str(clip.source.get("generator") or "")),
        ("prompt", str(clip.source.get("prompt") or "")),
    ]
    return say.paragraphs(
        f"{say.strong(clip.name)}\n{say.pairs(about, indent='  ')}",
        say.table(rows, ("pass", "file", "size", "sha256", ""), right=(2,), indent="  "),
    )
