"""Where a host is, as OpenSSH's configuration has it: ``ssh -G`` where there is an ``ssh``, else paramiko's parser."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from cosmos_core.errors import HostError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cosmos_core.extend import Host
    from cosmos_core_sftp.options import SftpOptions

_ADDRESS = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<v6>[0-9A-Fa-f:.%]+)\]|(?P<host>[^:\s@]+))(?::(?P<port>\d+))?"
)
_HOST = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]*|[0-9A-Fa-f:.%]+")
_USER = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.@\\+-]*")
_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
LONGEST = 10.0
"""Seconds that ``ssh -G`` may take."""


@attrs.frozen(kw_only=True)
class Where:
    """What to connect to, and with which keys."""

    host: str
    port: int = 22
    user: str
    keys: tuple[Path, ...] = ()
    """Private keys, in the order to try them."""
    only_keys: bool = False
    """Whether an agent's other keys are left out (``IdentitiesOnly``)."""
    known: tuple[Path, ...] = ()
    """Files of known hosts, the user's first."""
    alias: str = ""
    """The name under which its key is known, where that is not its own (``HostKeyAlias``)."""
    jump: tuple[str, ...] = ()
    """Hosts on the way, ``user@host:port`` or aliases, the first one first (``ProxyJump``)."""
    config: str = ""
    """The ssh_config that was read in the place of the user's own."""

    @property
    def known_as(self) -> str:
        """Its name in a file of known hosts."""
        name = (self.alias or self.host).lower()
        return name if self.port == 22 or self.alias else f"[{name}]:{self.port}"

    def __str__(self) -> str:
        return f"{self.user}@{self.host}:{self.port}"


def find(host: Host, options: SftpOptions) -> Where:
    """Where *host* is.

    Raises:
        InputError: its address is none.
        HostError: the configuration cannot be read.
    """
    if not host.address:
        raise InputError(
            f"host {host.name} has no address", hint="user@host:port, or an alias of ~/.ssh/config"
        )
    return look_up(host.address, options.config)


def look_up(address: str, config: str = "") -> Where:
    """Where *address* is: ``user@host:port`` or an alias.

    Raises:
        InputError: it is none.
        HostError: the configuration cannot be read.
    """
    user, name, port = split(address)
    ssh = shutil.which("ssh")
    facts = _ask_ssh(ssh, user, name, port, config) if ssh else _ask_paramiko(user, name, port, config)
    if facts.get("proxycommand", ["none"])[0].lower() != "none":
        raise InputError(
            f"{address} is reached by a ProxyCommand, which is not supported",
            hint="use ProxyJump instead",
        )
    found = facts["hostname"][0]
    if not _HOST.fullmatch(found) or not _USER.fullmatch(facts["user"][0]):
        raise InputError(f"{address} leads to {facts['user'][0]}@{found}, which is no user and host")
    jump = facts.get("proxyjump", ["none"])[0]
    return Where(
        host=found,
        port=int(facts["port"][0]),
        user=facts["user"][0],
        keys=tuple(_expand(name) for name in facts.get("identityfile", ())),
        only_keys=facts.get("identitiesonly", ["no"])[0] == "yes",
        known=tuple(
            _expand(name)
            for word in ("userknownhostsfile", "globalknownhostsfile")
            for line in facts.get(word, ())
            for name in shlex.split(line)
            if name.lower() != "none"
        ),
        alias=facts.get("hostkeyalias", [""])[0],
        jump=() if jump.lower() == "none" else tuple(hop.strip() for hop in jump.split(",")),
        config=config,
    )


def split(address: str) -> tuple[str, str, str]:
    """User, host and port of ``user@host:port``; empty where it names none.

    Raises:
        InputError: it is no such thing.
    """
    bare = address.removeprefix("ssh://").removesuffix("/")
    found = _ADDRESS.fullmatch(bare)
    name = (found["v6"] or found["host"]) if found else ""
    if (
        not found
        or not _HOST.fullmatch(name)
        or (found["user"] and not _USER.fullmatch(found["user"]))
        or int(found["port"] or 22) not in range(1, 65536)
    ):
        raise InputError(
            f"{address!r} is not an address", hint="user@host:port, or an alias of ~/.ssh/config"
        )
    return found["user"] or "", name, found["port"] or ""


def _ask_ssh(ssh: str, user: str, name: str, port: str, config: str) -> Mapping[str, list[str]]:
    argv = [ssh, *flags(user, port, config), "-G", "--", name]
    try:
        done = subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=LONGEST, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise HostError(f"ssh -G {name} failed: {error}") from error
    if done.returncode:
        raise HostError(
            f"OpenSSH's configuration cannot be read: {done.stderr.strip()}", hint=f"try: ssh -G {name}"
        )
    facts: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        word, _, value = line.partition(" ")
        facts.setdefault(word.lower(), []).append(value)
    return facts


def flags(user: str, port: str, config: str) -> list[str]:
    """Words for ``ssh`` that say the same."""
    return [
        *(["-F", config] if config else []),
        *(["-l", user] if user else []),
        *(["-p", port] if port else []),
    ]


def _ask_paramiko(user: str, name: str, port: str, config: str) -> Mapping[str, list[str]]:
    """The same with less: paramiko follows no ``Include``."""
    import getpass

    from paramiko import SSHConfig
    from paramiko.ssh_exception import ConfigParseError

    path = _expand(config or "~/.ssh/config")
    try:
        found: Mapping[str, Any] = SSHConfig.from_path(str(path)).lookup(name) if path.is_file() else {}
    except (ConfigParseError, OSError) as error:
        raise HostError(f"{path} cannot be read: {error}") from error
    facts = {word: value if isinstance(value, list) else [value] for word, value in found.items()}
    facts["hostname"] = facts.get("hostname") or [name]
    facts["user"] = [user] if user else facts.get("user") or [getpass.getuser()]
    facts["port"] = [port] if port else facts.get("port") or ["22"]
    facts.setdefault("identityfile", [f"~/.ssh/{each}" for each in _KEYS])
    facts.setdefault("userknownhostsfile", ["~/.ssh/known_hosts"])
    facts.setdefault("globalknownhostsfile", ["/etc/ssh/ssh_known_hosts"])
    return facts


def _expand(name: str) -> Path:
    return Path(name.replace("%d", str(Path.home())).replace("%%", "%")).expanduser()
