"""The project folder: the only module that knows where files live.

::

    cosmos.toml                 settings
    clips/<name>/               sealed clips
    inbox/<submission>/         submissions waiting to be accepted
    outputs/<run>/a1-f1/        what was sealed, with artifact.json, poster and contact sheet beside it
    .cosmos/store.sqlite        the store, unless cosmos.toml names another
    .cosmos/hosts/<host>/       what a transport keeps on this machine; for ``local`` also the job folders
    .cosmos/returned/<key>/     outputs that came home and are not judged yet
    .cosmos/logs/<batch>.log    the log of each batch's job, byte for byte
    .cosmos/crashes/            a report for each error that was our bug
"""

from __future__ import annotations

import os
from pathlib import Path

import attrs

from cosmos_core.errors import InputError

SETTINGS = "cosmos.toml"


@attrs.frozen
class Workspace:
    """Paths inside one project folder. Making this object touches no disk."""

    root: Path

    @property
    def settings(self) -> Path:
        """The settings file; its presence makes a folder a workspace."""
        return self.root / SETTINGS

    @property
    def clips(self) -> Path:
        """Where generators put clips."""
        return self.root / "clips"

    @property
    def inbox(self) -> Path:
        """Where submission folders are handed over."""
        return self.root / "inbox"

    @property
    def outputs(self) -> Path:
        """Where artifacts are."""
        return self.root / "outputs"

    @property
    def state(self) -> Path:
        """Everything that is ours and not the user's."""
        return self.root / ".cosmos"

    @property
    def default_store(self) -> str:
        """URL of the store when the settings name none."""
        return f"sqlite:///{(self.state / 'store.sqlite').as_posix()}"

    @property
    def crashes(self) -> Path:
        """Reports of errors that were our bugs."""
        return self.state / "crashes"

    @property
    def servers(self) -> Path:
        """Which servers were started on hosts, a note each."""
        return self.state / "servers"

    def host(self, name: str) -> Path:
        """What the transport of host *name* keeps on this machine."""
        return self.state / "hosts" / name

    def log(self, batch: str) -> Path:
        """The log of a batch's job."""
        return self.state / "logs" / f"{batch}.log"

    def returned(self, key: str) -> Path:
        """Outputs of a job that came home, by its key ``batch/attempt/fence``."""
        return self.state / "returned" / key.replace("/", "-")


def find(start: Path | None = None) -> Workspace:
    """The workspace that *start* lies in: ``COSMOS_WORKSPACE``, else the nearest folder upward with a cosmos.toml.

    Raises:
        InputError: when there is none.
    """
    if start is None and (named := os.environ.get("COSMOS_WORKSPACE")):
        return at(Path(named))
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / SETTINGS).is_file():
            return Workspace(folder)
    raise InputError(f"no workspace in {here} or above it", hint="make one here: cosmos init")


def at(root: Path) -> Workspace:
    """The workspace in exactly *root*.

    Raises:
        InputError: when *root* is none.
    """
    if not (root / SETTINGS).is_file():
        raise InputError(
            f"{root} is not a workspace: it has no {SETTINGS}", hint=f"make it one: cosmos init {root}"
        )
    return Workspace(root.resolve())


def create(root: Path, settings: str) -> tuple[Workspace, bool]:
    """Make *root* a workspace with that settings text; an existing one is left as it is.

    Gives the workspace, and whether it was made now.

    Raises:
        InputError: when there can be no folder *root*.
    """
    made = Workspace(root.resolve())
    try:
        for folder in (made.state, made.clips, made.inbox, made.outputs):
            folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, NotADirectoryError, FileExistsError) as error:
        raise InputError(f"{root} cannot be a workspace: {error.strerror}: {error.filename}") from error
    if made.settings.exists():
        return made, False
    part = made.root / f".{SETTINGS}.part"
    with part.open("w", encoding="utf-8") as out:
        out.write(settings)
        out.flush()
        os.fsync(out.fileno())
    part.replace(made.settings)
    return made, True
