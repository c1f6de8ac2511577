"""Servers: jobs that are no runs, such as the model that judges. One stays until whoever started it lets it end.

Its key is written into the workspace before anything is started. So a process that is killed leaves a server that the
next one finds again, and no worker's sweep takes it for a lost job.
"""

from __future__ import annotations

import json
import re
import secrets
from contextlib import ExitStack
from typing import TYPE_CHECKING, Self, cast

from cosmos_core.canonical import write_file
from cosmos_core.dispatch import session_to
from cosmos_core.errors import InputError
from cosmos_core.extend import JobState, JobStatus, Tunnel

if TYPE_CHECKING:
    from pathlib import Path

    from cosmos_core.dispatch import Site
    from cosmos_core.extend import Handle, Job, Session
    from cosmos_core.hosts import Host
    from cosmos_core.workspace import Workspace

_LOG = 1 << 16


def keys(workspace: Workspace) -> frozenset[str]:
    """The keys of this workspace's servers, whether they run or not."""
    return frozenset(key for path in workspace.servers.glob("*.json") if (key := _key_in(path)))


class Served:
    """A server on a host, as long as the context is open. Entering finds one that runs; :meth:`begin` starts one.

    Raises:
        InputError: the host's transport leads nobody to its loopback.
        HostError: the host cannot be reached, or refuses.
    """

    def __init__(self, site: Site, host: Host, job: Job, name: str) -> None:
        self._site = site
        self._host = host
        self._job = job
        self._note = site.workspace.servers / f"{_plain(host.name)}-{_plain(name)}.json"
        self._open = ExitStack()
        self._session: Session
        self._handle: Handle | None = None
        self._cursor = 0
        self.adopted = False
        """Whether it ran already, started by a process that did not live to end it."""

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._session = session_to(self._site, self._host)
            opening.callback(self._session.close)
            if not isinstance(self._session, Tunnel):
                raise InputError(f"host {self._host.name} cannot be tunnelled to", hint=_TUNNELS)
            self._adopt()
            self._open = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        with self._open:
            self.end()

    def tunnel(self, port: int, *, at: int = 0) -> int:
        """A port of this machine's loopback that leads to *port* of the host's, until the context is left."""
        return self._open.enter_context(cast("Tunnel", self._session).tunnel(port, at=at))

    def begin(self) -> None:
        """Start the server, unless it runs.

        Raises:
            HostError: the host refuses; nothing is left there.
        """
        if self._handle is not None:
            return
        key = f"serve-{secrets.token_hex(6)}"
        self._note.parent.mkdir(parents=True, exist_ok=True)
        write_file(self._note, {"key": key, "host": self._host.name})
        self._handle = self._session.put(self._job, key)
        self._session.start(self._handle, self._job)

    def status(self) -> JobStatus:
        """How the server's job is.

        Raises:
            HostError: the line is lost; asked again, it is opened anew.
        """
        if self._handle is None:
            return JobStatus(state=JobState.ABSENT)
        return self._session.poll([self._handle])[self._handle.key]

    def said(self) -> str:
        """What the server's log has got since it was asked last."""
        if self._handle is None:
            return ""
        found, self._cursor = self._session.read(self._handle, self._job.log, self._cursor, _LOG)
        return found.decode("utf-8", "replace")

    def end(self) -> None:
        """Stop the server and remove what is left of it on the host; ending an ended one is no error.

        Raises:
            HostError: the line is lost. The server goes on, and whoever serves under this name next finds it.
        """
        if self._handle is not None:
            self._session.stop(self._handle)
            self._session.remove(self._handle)
            self._handle = None
        self._note.unlink(missing_ok=True)

    def _adopt(self) -> None:
        key = _key_in(self._note)
        found = self._session.find(key) if key else None
        if found is None:
            return
        self._handle = found
        if self.status().state is JobState.ACTIVE:
            self.adopted = True
        else:
            self.end()


_TUNNELS = "hosts by local, sftp and docker can be"


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._]+", "-", name)


def _key_in(note: Path) -> str:
    try:
        found = json.loads(note.read_text("utf-8")).get("key", "")
    except (OSError, ValueError, AttributeError):
        return ""
    return found if isinstance(found, str) else ""
