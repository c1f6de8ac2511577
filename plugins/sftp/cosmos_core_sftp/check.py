"""What can be seen of a host that was reached: its Python, clock, root, disk and GPUs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from cosmos_core.errors import HostError
from cosmos_core.extend import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.extend import Finding, Host, Session
    from cosmos_core_sftp.session import SftpSession

APART = 5.0
"""Seconds that two clocks may differ before ages and dates mislead a person."""
LITTLE, NOTHING = 50e9, 1e9
"""Bytes of free disk below which a batch of long videos may not fit, and below which nothing will."""
ASKED = ("index", "name", "memory.free", "memory.total", "driver_version")


def check(session: Session, host: Host) -> Iterator[Finding]:
    """Findings about the host behind an open *session*."""
    reached = cast("SftpSession", session)
    began = time.time()
    facts = reached.ask("facts")
    middle = (began + time.time()) / 2
    yield ok(
        f"{host.name} answers at {reached.place} in {reached.round_trip() * 1000:.0f} ms, and its key is known",
        check="host.reach",
    )
    yield ok(f"it has Python {facts['python']}", check="host.python")
    yield _clock(facts["time"] - middle)
    yield from _root(facts)
    yield from _gpus(reached, host)


def _clock(ahead: float) -> Finding:
    if abs(ahead) < APART:
        return ok("its clock agrees with ours", check="host.clock")
    side = "ahead of" if ahead > 0 else "behind"
    return warn(
        f"its clock is {abs(ahead):.0f} s {side} ours",
        hint="let both follow a time server: timedatectl set-ntp true",
        check="host.clock",
    )


def _root(facts: dict[str, Any]) -> Iterator[Finding]:
    root, free = facts["root"], facts["free"]
    if facts["denied"]:
        yield fail(
            f"{root} cannot be written: {facts['denied']}", hint="choose another root", check="host.root"
        )
    else:
        yield ok(f"{root} can be written", check="host.root")
    left = f"{free / 1e9:.1f} GB are free under {root}"
    if free < NOTHING:
        yield fail(left, hint="free some space, or choose a root on another disk", check="host.disk")
    elif free < LITTLE:
        yield warn(left, hint="cosmos hosts gc frees inputs that no job needs", check="host.disk")
    else:
        yield ok(left, check="host.disk")


def _gpus(session: SftpSession, host: Host) -> Iterator[Finding]:
    try:
        done = session.run(
            ["nvidia-smi", f"--query-gpu={','.join(ASKED)}", "--format=csv,noheader,nounits"], timeout=30.0
        )
    except HostError as error:
        yield fail(
            f"nvidia-smi gives no answer: {error}",
            hint="look at dmesg there for NVRM and Xid",
            check="host.gpu",
        )
        return
    if done.code == 127 and not host.gpus:
        yield ok("it has no nvidia-smi, and none of its slots has a GPU", check="host.gpu")
        return
    if done.code:
        said = (done.err or done.out).decode("utf-8", "replace").strip() or f"exit code {done.code}"
        yield fail(
            f"nvidia-smi fails: {said}",
            hint="is NVIDIA's driver installed and loaded there?",
            check="host.gpu",
        )
        return
    rows = [line.split(", ") for line in done.out.decode("utf-8", "replace").splitlines() if line.strip()]
    for row in rows:
        yield _gpu(row)
    if len(rows) < host.gpus:
        yield fail(
            f"it has {len(rows)} GPU(s), and {host.name} is said to have {host.gpus}",
            hint=f"set gpus under [hosts.{host.name}] to what is there",
            check="host.gpu",
        )


def _gpu(row: list[str]) -> Finding:
    if len(row) != len(ASKED) or not (row[2].isdigit() and row[3].isdigit()):
        said = ", ".join(row)
        return warn(f"nvidia-smi says {said!r}", hint="run it there by hand", check="host.gpu")
    index, name, free, total, driver = row
    said = f"GPU {index} is a {name} with {int(free) / 1024:.0f} of {int(total) / 1024:.0f} GiB free, driver {driver}"
    if int(free) < 0.9 * int(total):
        return warn(said, hint="somebody uses it: nvidia-smi shows who", check="host.gpu")
    return ok(said, check="host.gpu")
