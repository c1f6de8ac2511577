"""The hosts of ``cosmos.toml``: read from a URL, written into the file without touching anything else in it.

A host is a table ``[hosts.<name>]``. Comments, order and spacing of the rest stay as a person wrote them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from cosmos_core import media, settings
from cosmos_core.errors import InputError, RefusedError, UnknownError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tomlkit import TOMLDocument

    from cosmos_core.extend import Transport

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


def from_url(url: str, transports: Iterable[Transport]) -> dict[str, str]:
    """Transport, address and root of a host that a URL names, such as ``ssh://user@host:22/data/cosmos``.

    A plain path is a folder on this machine; one that is not there yet begins with ``/``, ``.`` or ``~``.

    Raises:
        InputError: the URL holds a password, names no host, or has a scheme that no transport takes; or it is a word
            such as ``user@host:/data``, which would be the name of a folder here.
    """
    if "://" not in url:
        if url and url[0] not in "/.~" and not Path(url).is_absolute() and not Path(url).is_dir():
            host, _, folder = url.partition(":")
            raise InputError(
                f"{url!r} is neither a URL nor a folder on this machine",
                hint=f"for a machine at the other end of a line: ssh://{host}/{folder.lstrip('/')}; "
                f"for a new folder here: ./{url}",
            )
        # As it is now: a worker that starts in another folder means the same one.
        return {"transport": "local"} | ({"root": str(Path(url).expanduser().absolute())} if url else {})
    parts = _split(url)
    taken = {scheme: each.name for each in transports for scheme in each.schemes}
    if parts.scheme not in taken:
        there_is = ", ".join(f"{scheme}://" for scheme in sorted(taken)) or "none"
        raise InputError(
            f"no plugin reaches a host by {parts.scheme}://",
            hint=f"there is: {there_is}; ssh:// comes with: pip install cosmos-core-sftp",
        )
    root = unquote(parts.path)
    # As in URLs of git and sftp, /~/ is below the home folder.
    root = root[1:] if root.startswith("/~") else root
    return {"transport": taken[parts.scheme], "address": parts.netloc} | (
        {"root": root} if root != "/" else {}
    )


def _split(url: str) -> Any:
    try:
        parts = urlsplit(url)
        port, password, hostname = parts.port, parts.password, parts.hostname
    except ValueError as error:
        raise InputError(f"{settings.redacted(url)} is not a URL: {error}") from error
    if password is not None:
        raise InputError(
            f"{settings.redacted(url)} holds a password, which would stand in cosmos.toml for all to read",
            hint="use a key: ssh-copy-id, then ssh-add",
        )
    if not hostname or parts.query or parts.fragment or port == 0:
        raise InputError(f"{url} names no host", hint="ssh://user@host:22/folder/on/it")
    return parts


def add(path: Path, name: str, host: Mapping[str, Any], *, replace: bool = False) -> None:
    """Write ``[hosts.<name>]`` with the values of *host* into the settings file *path*, all or nothing.

    Raises:
        InputError: the name is none, or is taken and *replace* is not set.
        RefusedError: with every value that the settings do not allow.
    """
    if not NAME.fullmatch(name):
        raise InputError(f"{name!r} is no name for a host", hint="letters, digits, _ and -, such as gpu1")
    document = _read(path)
    hosts = _hosts(document)
    if name in hosts and not replace:
        raise InputError(
            f"there is a host {name} already",
            hint=f"cosmos hosts show {name}; --replace puts this in its place",
        )
    hosts[name] = _table(host)
    _write(path, document)


def remove(path: Path, name: str) -> None:
    """Take ``[hosts.<name>]`` out of the settings file *path*.

    Raises:
        UnknownError: it is not in that file.
    """
    document = _read(path)
    hosts = _hosts(document)
    if name not in hosts:
        raise UnknownError(f"{path} has no host {name}", hint=f"it has: {', '.join(hosts) or 'none'}")
    del hosts[name]
    _write(path, document)


def _read(path: Path) -> TOMLDocument:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        return tomlkit.parse(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, TOMLKitError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def _hosts(document: TOMLDocument) -> Any:
    """The table of all hosts; made when it is missing."""
    import tomlkit

    if "hosts" not in document:
        document["hosts"] = tomlkit.table(is_super_table=True)
    return document["hosts"]


def _table(host: Mapping[str, Any]) -> Any:
    import tomlkit

    table = tomlkit.table()
    for key, value in host.items():
        if isinstance(value, dict):
            if value:
                table[key] = _table(value)
        else:
            table[key] = list(value) if isinstance(value, tuple) else value
    return table


def _write(path: Path, document: TOMLDocument) -> None:
    """Publish the file once it is known to be understood."""
    import tomlkit

    text = tomlkit.dumps(document)
    _, findings = settings.parse(tomlkit.parse(text).unwrap(), where=str(path))
    if findings:
        raise RefusedError(f"{path} would have {len(findings)} problem(s); it is as it was", findings)
    media.write_bytes(path, text.encode())
