"""Run jobs in containers, on this machine or at the other end of a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core import hookimpl
from cosmos_core.extend import Transport
from cosmos_core_docker.options import DockerOptions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cosmos_core.errors import Finding
    from cosmos_core.extend import Host, Session, Shell


@hookimpl
def cosmos_transports() -> Iterable[Transport]:
    """Offer Docker."""
    yield Transport(
        name="docker",
        summary="Containers, on this machine or over a line",
        options=DockerOptions,
        over=_over,
        lay=_lay,
        check=_check,
    )


def _over(host: Host) -> str:
    """A host with an address lies at the other end of a line."""
    return "sftp" if host.address else "local"


def _lay(below: Shell, host: Host, state: Path) -> Session:
    from cosmos_core_docker.session import DockerSession

    return DockerSession.lay(below, host, state)


def _check(session: Session, host: Host) -> Iterable[Finding]:
    from cosmos_core_docker.doctor import look

    return look(session, host)
