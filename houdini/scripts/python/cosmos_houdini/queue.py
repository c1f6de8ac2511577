"""The queue seen from Houdini: whether its web page runs, and its rows for the panel."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

WEB = "COSMOS_WEB"
"""Address of the queue's web page, where somebody runs one."""
COLUMNS = ("Name", "State", "Model", "Reason")


def page(environ: Mapping[str, str]) -> str:
    """The address of the web page, if one is named and answers at once; empty otherwise."""
    address = environ.get(WEB, "")
    place = urlsplit(address)
    if place.scheme not in ("http", "https") or not place.hostname:
        return ""
    port = place.port or {"http": 80, "https": 443}[place.scheme]
    try:
        with socket.create_connection((place.hostname, port), timeout=0.15):
            return address
    except OSError:
        return ""


def rows(text: str) -> list[tuple[str, ...]]:
    """The rows of ``cosmos list --json``, in the order of :data:`COLUMNS`.

    Raises:
        ValueError: *text* is something else; the command's own sentence, if it has one.
    """
    try:
        said = json.loads(text)
    except ValueError:
        raise ValueError("the cosmos command gave no list") from None
    if not isinstance(said, dict) or "runs" not in said:
        raise ValueError(_sentence(said))
    return [_row(run) for run in said["runs"]]


def _row(run: Mapping[str, Any]) -> tuple[str, ...]:
    spec = run.get("spec") or {}
    backend = run.get("backend") or spec.get("backend", "")
    return (
        str(run.get("name") or run.get("id", "")),
        str(run.get("state", "")),
        str(backend),
        str(run.get("reason") or ""),
    )


def _sentence(said: Any) -> str:
    error = said.get("error", said) if isinstance(said, dict) else {}
    return (
        str(error.get("message", "the cosmos command gave no list"))
        if isinstance(error, dict)
        else str(error)
    )
