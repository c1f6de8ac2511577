"""What jobs of both models share: how a program is entered and started, and how a clip's videos become its inputs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from cosmos_core.extend import Input, JobFile

if TYPE_CHECKING:
    from cosmos_core.clip import Clip

ENTER = "enter.py"


def enter_file() -> JobFile:
    """The script that runs a program in its checkout; it travels with each job."""
    return JobFile(name=ENTER, content=Path(__file__).with_name(ENTER).read_bytes())


def entering(repo: str, *words: str) -> tuple[str, ...]:
    """The words that go before a program so that it runs in its checkout; see ``enter.py`` for *words*."""
    return ("python3", ENTER, repo, *words, "--")


def torchrun(python: str) -> str:
    """The torchrun that lies beside a Python."""
    folder, slash, _ = python.rpartition("/")
    return f"{folder}{slash}torchrun"


def clip_input(clip: Clip, modality: str) -> Input:
    """A clip's video as an input, named by its digest and its suffix in small letters: ``.MP4`` would not load."""
    file = clip.file(modality)
    return Input(
        name=f"inputs/{file.sha256}{PurePosixPath(file.name).suffix.lower()}",
        digest=file.sha256,
        path=clip.folder / file.name,
        bytes=file.bytes,
    )
