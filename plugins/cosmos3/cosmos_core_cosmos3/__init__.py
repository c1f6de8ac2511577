"""NVIDIA Cosmos 3: transfer with the framework, and video jobs of a vLLM-Omni server.

This module is imported whenever plugins are listed, so it imports nothing heavy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cosmos_core import hookimpl
from cosmos_core.extend import Backend
from cosmos_core_cosmos3 import framework, omni

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cosmos_core.extend import Finding, Host, Shell

__version__ = "0.1.0"


@hookimpl
def cosmos_backends() -> Iterator[Backend]:
    """Offer ``cosmos3`` and ``cosmos3-omni``."""
    yield Backend(
        name=framework.NAME,
        summary="Cosmos 3 transfer with NVIDIA's framework: edge, vis, depth, seg and wsm, several at once.",
        options=framework.Transfer,
        controls=frozenset(framework.KINDS),
        load_key=framework.load_key,
        needs=framework.needs,
        seconds=framework.seconds,
        passes=framework.passes,
        expect=framework.expect,
        compile=framework.compile_job,
        progress=framework.progress,
        outcome=framework.outcome,
        review=framework.review,
        whole=framework.whole,
        load_seconds=framework.load_seconds,
        check=_check_framework,
    )
    yield Backend(
        name=omni.NAME,
        summary="Cosmos 3 video jobs of a vLLM-Omni server: from a text, a first frame or one control.",
        options=omni.Omni,
        needs_clip=False,
        load_key=omni.load_key,
        needs=omni.needs,
        seconds=omni.seconds,
        expect=omni.expect,
        compile=omni.compile_job,
        progress=omni.progress,
        outcome=omni.outcome,
        review=omni.review,
        whole=omni.whole,
        load_seconds=omni.load_seconds,
        check=_check_server,
    )


def _check_framework(shell: Shell, host: Host, _: Any) -> Iterable[Finding]:
    from cosmos_core_cosmos3.preflight import check_framework

    return check_framework(shell, host)


def _check_server(shell: Shell, host: Host, _: Any) -> Iterable[Finding]:
    from cosmos_core_cosmos3.preflight import check_server

    return check_server(shell, host)
