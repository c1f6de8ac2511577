"""A PostgreSQL server of our own, in a folder of its own, gone when we are done.

It listens on a Unix socket inside that folder (on Windows, on a free loopback port). PostgreSQL refuses to run as
root, so root starts it as ``postgres`` or ``nobody``.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_INSTALLED = (
    "/usr/lib/postgresql/*/bin",
    "/opt/homebrew/opt/postgresql*/bin",
    "/usr/local/opt/postgresql*/bin",
)
_ACCOUNTS = ("postgres", "nobody")


class Unavailable(Exception):
    """No server can run here, and why."""


@contextmanager
def private_postgres(*, durable: bool = False) -> Iterator[str]:
    """Run a server and give its URL without a database; *durable* waits for the disk as a real one does.

    Raises:
        Unavailable: when PostgreSQL is not installed or does not start, in one sentence.
    """
    programs = _programs()
    account = _account()
    folder = Path(tempfile.mkdtemp(prefix="cosmos-pg-"))
    if account:
        shutil.chown(folder, user=account["user"])
    try:
        _call([programs / "initdb", "-D", folder / "data", "-U", "cosmos", "-A", "trust"], account, folder)
        url, listening = _address(folder)
        (folder / "data" / "postgresql.auto.conf").write_text(
            "\n".join([*listening, *_settings(durable)]) + "\n"
        )
        _call(
            [programs / "pg_ctl", "-D", folder / "data", "-l", folder / "log", "-w", "start"], account, folder
        )
        try:
            yield url
        finally:
            _call([programs / "pg_ctl", "-D", folder / "data", "-m", "immediate", "stop"], account, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _programs() -> Path:
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    for pattern in _INSTALLED:
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True):
            if (folder / "initdb").exists():
                return folder
    raise Unavailable("PostgreSQL is not installed here: no initdb on PATH or under /usr/lib/postgresql")


def _account() -> dict[str, Any]:
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    import pwd

    for name in _ACCOUNTS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise Unavailable("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")


def _address(folder: Path) -> tuple[str, list[str]]:
    if hasattr(socket, "AF_UNIX"):
        return (
            f"postgresql://cosmos@/?host={folder}",
            ["listen_addresses = ''", f"unix_socket_directories = '{folder}'"],
        )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return f"postgresql://cosmos@127.0.0.1:{port}/", ["listen_addresses = '127.0.0.1'", f"port = {port}"]


def _settings(durable: bool) -> list[str]:
    lasting = "on" if durable else "off"
    return [
        f"fsync = {lasting}",
        f"full_page_writes = {lasting}",
        f"synchronous_commit = {lasting}",
        "max_connections = 100",
        "shared_buffers = 64MB",
    ]


def _call(argv: list[object], account: dict[str, Any], folder: Path) -> None:
    said = folder.with_name(folder.name + ".said")
    with said.open("w+") as out:
        # pg_ctl's server inherits the output, so a pipe would never end.
        done = subprocess.run(
            [str(part) for part in argv],
            **account,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            check=False,
            env={**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"},
        )
        out.seek(0)
        text = out.read().strip()
    said.unlink()
    if done.returncode:
        raise Unavailable(
            f"a private PostgreSQL did not start: {text.splitlines()[-1] if text else 'no reason given'}"
        )
