"""Settings: cosmos.toml, a user's own file and the environment, as one frozen object.

Later wins: defaults, ``cosmos.toml`` in the user's configuration folder, ``cosmos.toml`` of the workspace,
``COSMOS_STORE_URL``. Every unknown key and wrong value is reported at once.
"""

from __future__ import annotations

import os
import re
import tomllib
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core import canonical
from cosmos_core.errors import Finding, RefusedError, fail
from cosmos_core.hosts import LOCAL, Host

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cosmos_core.workspace import Workspace

_LONGEST = 86400.0
_SCHEMES = ("sqlite:///", "postgresql://", "postgresql+psycopg://")


def _field(default: object, help_text: str) -> Any:
    return attrs.field(default=default, metadata={"help": help_text})


@attrs.frozen(kw_only=True)
class StoreSettings:
    """The table ``[store]``."""

    url: str = _field("", "SQLAlchemy URL of the store; empty for SQLite inside the workspace")


@attrs.frozen(kw_only=True)
class QueueSettings:
    """The table ``[queue]``."""

    lease: float = _field(45.0, "seconds a worker may be silent before another takes its batch over")
    heartbeat: float = _field(15.0, "seconds between a worker's signs of life; at most a third of the lease")
    poll: float = _field(0.5, "seconds between looks at a running job and at the queue")
    attempts: int = _field(
        3, "how often a run is begun when its jobs are lost, and as often on hosts that fail"
    )
    rest: float = _field(
        30.0,
        "seconds a slot rests after its second failure in a row that is the host's, or a host when its disk is full; then "
        "twice as long each time",
    )
    batch: int = _field(100, "the most runs in one batch")


@attrs.frozen(kw_only=True)
class RetrySettings:
    """The table ``[retry]``: what is tried again by itself when a check rejects an output."""

    always: bool = _field(False, "also for runs that belong to no campaign")
    same: int = _field(1, "how often the same recipe is made again after an output that was damaged")
    seeds: int = _field(2, "how many other seeds are tried after a video that is bad")
    gpu_minutes: float = _field(
        0.0,
        "GPU-minutes that a campaign may spend on this, measured from a job's start until its output is home; 0 for any",
    )
    streak: int = _field(
        3, "a campaign is paused when outputs of so many runs in a row fail one check; 0 for never"
    )
    first: int = _field(10, "a campaign is looked at after so many outputs")
    share: float = _field(
        0.3,
        "and paused when at least this share of them failed the check that the last one failed; 0 for never",
    )


@attrs.frozen(kw_only=True)
class HostSettings:
    """The table ``[hosts.<name>]``."""

    transport: str = _field("local", "name of the transport that reaches it")
    address: str = _field("", "where it is, in the transport's words, such as user@host:22")
    root: str = _field("", "folder on the host that we may use; empty for the transport's choice")
    slots: int = _field(1, "how many jobs it runs at a time")
    gpus: int = _field(0, "how many GPUs it has; they are dealt out evenly to its slots")
    gpu: str = _field("", "kind of its GPUs, such as h200")
    build: str = _field(
        "", "environment that its jobs run in, such as nightly; empty for what its image's name says"
    )
    stagger: float = _field(
        20.0, "seconds between two starts on a host with GPUs, so that model loads do not collide"
    )
    options: dict[str, Any] = attrs.field(factory=dict, metadata={"help": "the transport's own options"})


@attrs.frozen(kw_only=True)
class Settings:
    """Everything that can be set, with its default."""

    backend: str = _field("preview", "backend for requests that name none")
    steps: tuple[str, ...] = _field(("contact",), "what follows each sealed artifact, in order")
    user: str = _field("", "your name on reviews; empty for that of your account")
    store: StoreSettings = attrs.field(factory=StoreSettings, metadata={"help": "where runs are kept"})
    queue: QueueSettings = attrs.field(factory=QueueSettings, metadata={"help": "how runs are worked"})
    retry: RetrySettings = attrs.field(
        factory=RetrySettings, metadata={"help": "what is tried again when a check rejects it"}
    )
    hosts: dict[str, HostSettings] = attrs.field(factory=dict, metadata={"help": "machines jobs run on"})
    plugins: dict[str, dict[str, Any]] = attrs.field(
        factory=dict, metadata={"help": "options by plugin object"}
    )

    def each_host(self) -> tuple[Host, ...]:
        """The hosts that have slots. ``local`` is one unless the file says ``[hosts.local] slots = 0``."""
        return tuple(host for host in self.every_host() if host.slots > 0)

    def every_host(self) -> tuple[Host, ...]:
        """All hosts, those without a slot among them."""
        named = {
            name: Host(name=name, **attrs.asdict(host, recurse=False)) for name, host in self.hosts.items()
        }
        return tuple(({LOCAL.name: LOCAL} | named).values())


TEMPLATE = """\
# Settings of this workspace. Every key has a default; `cosmos doctor` shows what is in force.

backend = "preview"          # a CPU look-alike for trying things out; not a Cosmos model
steps = ["contact"]          # what follows each sealed video

[store]
# url = "postgresql://cosmos@db/cosmos"     # several machines; the default is SQLite in .cosmos/

[hosts.local]
slots = 1                    # jobs at a time on this machine
"""


def load(workspace: Workspace, *, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in force for *workspace*.

    Raises:
        RefusedError: with a finding for every unknown key and wrong value.
    """
    env = os.environ if environ is None else environ
    tables: dict[str, Any] = {}
    findings: list[Finding] = []
    for path in (_user_file(), workspace.settings):
        table, problems = _read(path)
        findings += problems
        tables = _merge(tables, table)
    if url := env.get("COSMOS_STORE_URL"):
        tables = _merge(tables, {"store": {"url": url}})
    settings, problems = parse(tables, where=str(workspace.settings))
    findings += problems
    if settings is None or findings:
        raise RefusedError(f"{workspace.settings} has {len(findings)} problem(s)", findings)
    return settings


def parse(tables: Mapping[str, Any], *, where: str) -> tuple[Settings | None, list[Finding]]:
    """Settings from tables as TOML gives them, and everything that is wrong with them."""
    from cattrs import BaseValidationError, transform_error

    try:
        settings = canonical.restore(Settings, dict(tables))
    except BaseValidationError as error:
        return None, [
            fail(_readable(problem), where=where, hint="see docs/reference/settings.md")
            for problem in transform_error(error)
        ]
    return settings, list(_review(settings, where))


def redacted(text: str) -> str:
    """*text* with every URL in it, or the URL that it is, without its password."""
    # To the last @, because people write passwords as they are; what is taken out too much is no loss.
    without = re.sub(r"(://[^:/@\s]*):\S*@", r"\1:***@", text)
    return re.sub(r"([?&]\w*pass\w*=)[^&\s]*", r"\1***", without)


def _review(settings: Settings, where: str) -> Iterator[Finding]:
    queue = settings.queue
    url = settings.store.url
    if url and not url.startswith(_SCHEMES):
        yield fail(f"store.url starts with none of {', '.join(_SCHEMES)}", where=where)
    for name in ("lease", "heartbeat", "poll"):
        if not 0 < getattr(queue, name) <= _LONGEST:
            yield fail(
                f"queue.{name} = {getattr(queue, name):g} must be above 0 and at most a day", where=where
            )
    if not 0 <= queue.rest <= _LONGEST:
        yield fail(f"queue.rest = {queue.rest:g} must be 0 or more and at most a day", where=where)
    if queue.heartbeat > queue.lease / 3:
        yield fail(
            f"queue.heartbeat = {queue.heartbeat:g} must be at most a third of queue.lease = {queue.lease:g}",
            where=where,
        )
    for name in ("attempts", "batch"):
        if getattr(queue, name) < 1:
            yield fail(f"queue.{name} = {getattr(queue, name)} must be 1 or more", where=where)
    for name in ("same", "seeds", "gpu_minutes", "streak", "first", "share"):
        if getattr(settings.retry, name) < 0:
            yield fail(f"retry.{name} = {getattr(settings.retry, name):g} must be 0 or more", where=where)
    for name, host in settings.hosts.items():
        if host.slots < 0 or host.gpus < 0 or host.stagger < 0:
            yield fail(f"hosts.{name}: slots, gpus and stagger must be 0 or more", where=where)
        elif host.slots and host.gpus % host.slots:
            yield fail(
                f"hosts.{name}: {host.gpus} GPUs cannot be dealt out to {host.slots} slots", where=where
            )


def _readable(problem: str) -> str:
    """A problem in cattrs' words, with its path written as TOML is."""
    return problem.replace(" @ $", " in cosmos.toml").replace("in cosmos.toml.", "at ")


def _read(path: Path) -> tuple[dict[str, Any], list[Finding]]:
    try:
        # Some programs of Windows begin a file with a byte order mark.
        return tomllib.loads(path.read_text("utf-8-sig")), []
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return {}, [fail(f"cannot be read: {error}", where=str(path))]


def _user_file() -> Path:
    import platformdirs

    return platformdirs.user_config_path("cosmos-core") / "cosmos.toml"


def _merge(low: dict[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        both_tables = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both_tables else value
    return merged
