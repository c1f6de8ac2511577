"""Docker's command line on a host, asked through the session below."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import HostError
from cosmos_core_docker.words import KEY

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cosmos_core.extend import Ran, Shell
    from cosmos_core_docker.options import DockerOptions

SLOW = 300.0
"""Seconds for what makes the engine work: a busy one needs many to create or remove a container."""
PULLING = 6 * 3600.0
"""Seconds for a create that may first fetch an image of many gigabytes."""

_LINE = (
    '{"name":{{json .Names}},"state":{{json .State}},"key":{{json (.Label "'
    + KEY
    + '")}},"created":{{json .CreatedAt}}}'
)
_UNREACHABLE = (b"error during connect", b"Cannot connect to the Docker daemon", b"permission denied while")
LONGEST_WORDS = 2000


@attrs.frozen(kw_only=True)
class Container:
    """A container as the engine lists it."""

    name: str
    state: str
    """``created``, ``running``, ``paused``, ``restarting``, ``removing``, ``exited`` or ``dead``."""
    key: str
    created: str

    @property
    def lives(self) -> bool:
        """Whether it has a process."""
        return self.state in {"running", "paused", "restarting"}

    @property
    def birth(self) -> float:
        """When it was created, in seconds of the host's clock."""
        # "2026-11-25 10:21:43 +0000 UTC": the number of the zone says it all.
        return datetime.strptime(" ".join(self.created.split()[:3]), "%Y-%m-%d %H:%M:%S %z").timestamp()


@attrs.frozen(kw_only=True)
class Inspected:
    """What the engine knows of one container beyond its place in a list."""

    code: int
    oom: bool
    error: str
    image: str


class Engine:
    """The engine of one host."""

    def __init__(self, shell: Shell, options: DockerOptions, host: str) -> None:
        self._shell = shell
        self._host = host
        where = ("--host", options.docker_host) if options.docker_host else ()
        self._docker = (*options.docker, *where)
        self._creating = SLOW if options.pull == "never" else PULLING

    def say(self, *words: str, timeout: float = SLOW) -> Ran:
        """Say *words* to Docker and give its answer, whatever it is.

        Raises:
            HostError: the line is lost, or there is nobody to answer: no Docker, no engine, no permission.
        """
        ran = self._shell.run([*self._docker, *words], timeout=timeout)
        # What docker run exits with is its container's.
        if ran.code == 127 and words[0] != "run":
            raise HostError(
                f"there is no {self._docker[0]} on {self._host}", hint="install Docker Engine there"
            )
        if ran.code and any(word in ran.err for word in _UNREACHABLE):
            raise HostError(
                f"no Docker engine answers on {self._host}: {sentence(ran)}",
                hint=f"cosmos hosts check {self._host}",
            )
        return ran

    def ask(self, *words: str, timeout: float = SLOW) -> bytes:
        """As :meth:`say`, for what a healthy engine does not refuse.

        Raises:
            HostError: it did.
        """
        ran = self.say(*words, timeout=timeout)
        if ran.code:
            raise HostError(f"docker {words[0]} failed on {self._host}: {sentence(ran)}")
        return ran.out

    def create(self, words: Sequence[str]) -> Ran:
        """Create a container by words that begin with ``create``."""
        return self.say(*words, timeout=self._creating)

    def list(self, filters: Iterable[str]) -> dict[str, Container]:
        """All containers that pass one of *filters* of each kind, by name, dead or alive."""
        wanted = [word for each in filters for word in ("--filter", each)]
        out = self.ask("ps", "--all", "--no-trunc", *wanted, "--format", _LINE)
        found = [Container(**json.loads(line)) for line in out.decode("utf-8", "replace").splitlines()]
        return {each.name: each for each in found}

    def named(self, names: Iterable[str]) -> dict[str, Container]:
        """Those of the containers of these very *names* that exist."""
        wanted = list(names)
        found = self.list(f"name=^/?{name.replace('.', '[.]')}$" for name in wanted) if wanted else {}
        return {name: found[name] for name in wanted if name in found}

    def inspect(self, names: Sequence[str]) -> Mapping[str, Inspected]:
        """These containers one by one, by name; those that vanished meanwhile are left out."""
        if not names:
            return {}
        line = '{"name":{{json .Name}},"image":{{json .Image}},"state":{{json .State}}}'
        out = self.say("container", "inspect", "--format", line, *names).out
        return dict(map(_inspected, out.decode("utf-8", "replace").splitlines()))

    def last_words(self, name: str) -> str:
        """What a container said on its own output, for one that died before its launcher wrote anything."""
        ran = self.say("logs", "--tail", "50", name)
        return (ran.out + ran.err).decode("utf-8", "replace").strip()[-LONGEST_WORDS:] if not ran.code else ""

    def now(self) -> float:
        """The host's clock, in seconds."""
        ran = self._shell.run(["date", "+%s"])
        try:
            return float(ran.out)
        except ValueError:
            return time.time()


def sentence(ran: Ran) -> str:
    """What Docker complained of, in one line."""
    lines = ran.err.decode("utf-8", "replace").strip().splitlines()
    said = [line for line in lines if line and not line.startswith(("See 'docker", "Run 'docker"))]
    return " ".join(said)[:LONGEST_WORDS] or f"exit code {ran.code}"


def _inspected(line: str) -> tuple[str, Inspected]:
    found: dict[str, Any] = json.loads(line)
    state = found["state"]
    ended = Inspected(
        code=int(state["ExitCode"]),
        oom=bool(state["OOMKilled"]),
        error=str(state["Error"]),
        image=str(found["image"]),
    )
    return found["name"].removeprefix("/"), ended
