"""What is well with this machine and this workspace, and what is not: a finding for each question.

Each function asks about one thing and changes nothing; :func:`examine` asks all of them. ``where`` of a finding says
what it is about.
"""

from __future__ import annotations

import platform
import shutil
import sys
from datetime import UTC, datetime, timedelta
from importlib import metadata
from typing import TYPE_CHECKING

from cosmos_core.errors import CosmosError, Finding, RefusedError, fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from cosmos_core.api import Cosmos
    from cosmos_core.hosts import Host
    from cosmos_core.plugins import Plugin, Plugins
    from cosmos_core.store import Holding, Server

LEAST_PYTHON = (3, 11)
CODECS = {
    "libx264": "videos cannot be written",
    "libx264rgb": "controls cannot be written without loss, as depth and segmentation need it",
}
LITTLE_SPACE = 5_000_000_000
NO_SPACE = 500_000_000
"""Bytes. A sealed 93-frame clip with its passes takes about 60 MB."""

CLOCK_SLACK = timedelta(seconds=60)
FAR_AWAY = 0.1
"""Seconds to the store's server and back."""
PACKAGES = ("cosmos-core", "av", "numpy", "opencv-python-headless", "sqlalchemy", "click", "pluggy")


def machine() -> Iterator[Finding]:
    """Python, versions and codecs: everything that needs no workspace."""
    yield python(sys.version_info[:3])
    yield versions(PACKAGES)
    yield from codecs()


def python(version: tuple[int, ...]) -> Finding:
    """Whether Python is new enough."""
    said = f"Python {'.'.join(map(str, version))} on {platform.system()} {platform.machine()}"
    if version[:2] < LEAST_PYTHON:
        return fail(f"{said}; 3.11 or newer is needed", where="python", hint="install a newer Python")
    return ok(said, where="python")


def versions(names: Iterable[str]) -> Finding:
    """What is installed of *names*."""
    found: list[str] = []
    missing: list[str] = []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return fail(
            f"{', '.join(missing)} is not installed", where="versions", hint="pip install cosmos-core"
        )
    return ok(", ".join(found), where="versions")


def codecs() -> Iterator[Finding]:
    """Whether PyAV can write what we write."""
    import av

    missing = {name: loss for name, loss in CODECS.items() if not _can_write(name)}
    for name, loss in missing.items():
        yield fail(f"PyAV has no {name}: {loss}", where="codecs", hint="pip install --force-reinstall av")
    if not missing:
        yield ok(f"{' and '.join(CODECS)} in PyAV {av.__version__}", where="codecs")


def _can_write(name: str) -> bool:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        Codec(name, "w")
    except UnknownCodecError:
        return False
    return True


def space(folder: Path) -> Finding:
    """How much room the disk of *folder* has."""
    free = shutil.disk_usage(folder).free
    said = f"{free / 1e9:.1f} GB free in {folder}"
    if free < NO_SPACE:
        return fail(said, where="disk", hint="make room; the queue is paused when the disk is full")
    if free < LITTLE_SPACE:
        return warn(said, where="disk", hint="make room before a long queue is worked")
    return ok(said, where="disk")


def plugins(listed: Sequence[Plugin]) -> Iterator[Finding]:
    """Which plugins could not be loaded."""
    broken = [plugin for plugin in listed if plugin.state == "quarantined"]
    for plugin in broken:
        yield warn(
            f"plugin {plugin.name} ({plugin.source}) is quarantined: {plugin.reason}",
            where="plugins",
            hint=f"upgrade or remove {plugin.distribution}, or set COSMOS_BLOCK_PLUGINS={plugin.name}",
        )
    active = [plugin.name for plugin in listed if plugin.state == "active"]
    blocked = [plugin.name for plugin in listed if plugin.state == "blocked"]
    aside = f"; blocked: {', '.join(blocked)}" if blocked else ""
    if not broken:
        yield ok(f"{len(active)} active{aside}", where="plugins")


def store(cosmos: Cosmos) -> Iterator[Finding]:
    """Whether the store can be reached, what it is, and whether it is set as it should be."""
    try:
        runs = sum(cosmos.store.counts().values())
    except CosmosError as error:
        yield fail(str(error), where="store", hint=error.hint)
        return
    found = cosmos.store.server()
    if found is None:
        yield from sqlite(cosmos.store.name, runs)
    else:
        yield server(found, cosmos.store.name, runs)
    yield from paused(cosmos.store.paused())


def server(found: Server, name: str, runs: int) -> Finding:
    """Which PostgreSQL a store lies on, how far away it is, and whether its clock agrees with ours."""
    said = (
        f"PostgreSQL {found.version}, {name}, {runs:,} runs; round trip {found.round_trip * 1000:.1f} ms, "
        f"its clock is {abs(found.ahead):.2f} s {'ahead of' if found.ahead >= 0 else 'behind'} this machine's"
    )
    if abs(found.ahead) > CLOCK_SLACK.total_seconds():
        hint = "let both be set by the network (NTP); leases go by the store's clock and are safe"
        return warn(said, where="store", hint=hint)
    if found.round_trip > FAR_AWAY:
        return warn(
            said, where="store", hint="a worker asks many times a second: run it nearer to the server"
        )
    return ok(said, where="store")


def sqlite(path: str, runs: int) -> Iterator[Finding]:
    """Whether a SQLite store is in WAL mode, so that readers never wait for a worker."""
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as opened:
        (mode,) = opened.execute("PRAGMA journal_mode").fetchone()
    said = f"SQLite {sqlite3.sqlite_version}, {mode.upper()}, {path}, {runs:,} runs"
    if mode != "wal":
        hint = "put the workspace on a local disk: WAL does not work on network file systems"
        yield warn(said, where="store", hint=hint)
    else:
        yield ok(said, where="store")


def paused(reason: str | None) -> Iterator[Finding]:
    """Whether somebody, or a full disk, paused the queue."""
    if reason is not None:
        yield warn(f"the queue is paused: {reason or 'by hand'}", where="queue", hint="cosmos queue resume")


def hosts(cosmos: Cosmos) -> Iterator[Finding]:
    """Whether each host can be reached, and what it offers."""
    each = cosmos.settings.each_host()
    if not each:
        yield warn(
            "no host has a slot, so nothing can be worked", where="hosts", hint="set slots in cosmos.toml"
        )
    for host in each:
        yield reached(host, cosmos.plugins, cosmos.workspace.host(host.name))


def reached(host: Host, loaded: Plugins, state: Path) -> Finding:
    """Open a host and let go of it."""
    from cosmos_core import reach

    where = f"host {host.name}"
    gpus = f", {host.gpus} {host.gpu} GPUs".replace("  ", " ") if host.gpus else ""
    try:
        reach.connect(loaded, host, state).close()
    except CosmosError as error:
        return fail(str(error), where=where, hint=error.hint)
    return ok(
        f"reached over {host.transport}; {host.slots} slot{'s' if host.slots != 1 else ''}{gpus}", where=where
    )


def workers(leases: Sequence[Holding]) -> Iterator[Finding]:
    """Who works, and whose worker fell silent."""
    silent = [lease for lease in leases if lease.seconds_left < 0 and not lease.parked]
    for lease in silent:
        yield warn(
            f"batch {lease.batch} of {lease.owner} had no sign of life for {-lease.seconds_left:.0f} s",
            where="workers",
            hint="start a worker, which takes it over: cosmos work",
        )
    alive = len(leases) - len(silent)
    if not silent:
        held = f"{alive} batch{'es' if alive != 1 else ''} on the way, each with a living worker"
        yield ok(held if alive else "no batch is on the way", where="workers")


def clock(latest: datetime | None, *, now: datetime | None = None) -> Finding:
    """Whether this machine's clock agrees with what the store saw last."""
    here = now or datetime.now(UTC)
    if latest is not None and latest - here > CLOCK_SLACK:
        ahead = (latest - here).total_seconds()
        return warn(
            f"this machine's clock is {ahead:.0f} s behind the store's",
            where="clock",
            hint="let it be set by the network (NTP); leases go by the store's clock and are safe",
        )
    return ok(f"{here.isoformat(timespec='seconds')}", where="clock")


def crashes(folder: Path) -> Iterator[Finding]:
    """Whether reports of bugs lie about."""
    found = sorted(folder.glob("*.txt")) if folder.is_dir() else []
    if found:
        yield warn(
            f"{len(found)} crash report{'s' if len(found) != 1 else ''}, the last one {found[-1]}",
            where="crashes",
            hint="send the last one to the project, then delete them",
        )


def inbox(folder: Path) -> Iterator[Finding]:
    """Which submissions were refused."""
    from cosmos_core.work import REFUSED

    for path in sorted(folder.glob(f"*/{REFUSED}")):
        yield warn(f"submission {path.parent.name} was refused", where="inbox", hint=f"read {path}")


def workspace(cosmos: Cosmos) -> Iterator[Finding]:
    """Everything about an open workspace."""
    yield ok(str(cosmos.workspace.root), where="workspace")
    yield space(cosmos.workspace.root)
    found = [*store(cosmos)]
    yield from found
    yield from plugins(_asked(cosmos.plugins))
    yield from hosts(cosmos)
    if not any(finding.level == "fail" for finding in found):
        from cosmos_core.store import Query

        yield from workers(cosmos.store.leases())
        latest = cosmos.store.page(Query(limit=1)).runs
        yield clock(latest[0].changed if latest else None)
    yield from inbox(cosmos.workspace.inbox)
    yield from crashes(cosmos.workspace.crashes)


def _asked(loaded: Plugins) -> Sequence[Plugin]:
    """Every plugin, once each was asked for all it offers: some break only then."""
    from cosmos_core.plugins import KINDS

    for kind in KINDS:
        loaded.owned(kind)
    return loaded.listed()


def examine(folder: Path | None) -> Iterator[Finding]:
    """Ask everything about this machine, and about the workspace in *folder* or around the current one."""
    from cosmos_core.api import Cosmos
    from cosmos_core.plugins import load

    yield from machine()
    try:
        opened = Cosmos(folder)
    except RefusedError as error:
        yield from error.findings
    except CosmosError as error:
        say = fail if folder else warn
        yield say(str(error), where="workspace", hint=error.hint)
    else:
        with opened as cosmos:
            yield from workspace(cosmos)
        return
    yield from plugins(_asked(load()))
