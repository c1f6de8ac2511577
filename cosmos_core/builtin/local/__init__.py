"""Run jobs on this machine, as processes that outlive whoever started them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core import hookimpl
from cosmos_core.extend import Transport

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cosmos_core.extend import Host, Session


@hookimpl
def cosmos_transports() -> Iterable[Transport]:
    """Offer this machine."""
    yield Transport(
        name="local",
        summary="Processes on this machine that outlive the worker",
        here=True,
        connect=_connect,
    )


def _connect(host: Host, state: Path) -> Session:
    from cosmos_core.builtin.local.session import LocalSession

    return LocalSession.open(host, state)
