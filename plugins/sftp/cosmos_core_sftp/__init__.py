"""Reach a machine by SSH: jobs as processes there, inputs kept by digest, everything verified on both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core import hookimpl
from cosmos_core.extend import Transport
from cosmos_core_sftp.options import SftpOptions

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cosmos_core.extend import Finding, Host, Session


@hookimpl
def cosmos_transports() -> Iterable[Transport]:
    """Offer machines behind an SSH server."""
    yield Transport(
        name="sftp",
        summary="Processes on a machine behind an SSH server",
        schemes=("ssh", "sftp"),
        options=SftpOptions,
        connect=_connect,
        check=_check,
        trust=_trust,
    )


def _connect(host: Host, state: Path) -> Session:
    from cosmos_core_sftp.session import SftpSession

    return SftpSession.open(host, state)


def _check(session: Session, host: Host) -> Iterable[Finding]:
    from cosmos_core_sftp.check import check

    return check(session, host)


def _trust(host: Host, state: Path, fingerprint: str) -> Iterable[Finding]:
    from cosmos_core_sftp.trust import trust

    return trust(host, state, fingerprint)
