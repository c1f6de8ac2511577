"""One carrier a job folder: a lock that the system takes away when its holder dies, whatever way it dies."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOCK = ".lock"


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold *folder*.

    Raises:
        InputError: another process carries it.
    """
    with (folder / LOCK).open("ab") as file:
        try:
            _lock(file)
        except OSError as error:
            raise InputError(
                f"{folder.name} is being carried already",
                hint=f"wait for it, or put an empty file called cancel into {folder}",
            ) from error
        yield


def _lock(file: IO[bytes]) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
