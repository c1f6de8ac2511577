"""What goes wrong, as a person and as a program hears it, and the exit code.

Errors that were foreseen are a sentence, a hint and perhaps findings. Everything else is our bug: one sentence, and a
report with versions, from which passwords are taken out.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO

import click

from cosmos_core.cli import say
from cosmos_core.cli.asked import Asked, echo
from cosmos_core.errors import (
    CosmosError,
    HostError,
    InputError,
    ModelError,
    PluginError,
    RefusedError,
    StoreError,
    UnknownError,
    VerifyError,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

USAGE = 2
BUG = 70
INTERRUPTED = 130
"""128 + SIGINT, as shells count."""

KINDS: tuple[tuple[type[CosmosError], str], ...] = (
    (UnknownError, "unknown"),
    (RefusedError, "refused"),
    (InputError, "input"),
    (PluginError, "plugin"),
    (StoreError, "store"),
    (HostError, "host"),
    (ModelError, "model"),
    (VerifyError, "verify"),
)
"""What ``--json`` calls an error, the most precise class first."""

# Faults of the machine, not of this program: a person mends them, and a report would not help.
_MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EMFILE}

PACKAGES = (
    "cosmos-core",
    *("alembic", "attrs", "av", "cattrs", "click", "numpy", "opencv-python-headless"),
    *("jinja2", "platformdirs", "pluggy", "psycopg", "pyyaml", "rich", "sqlalchemy"),
)
"""Distributions whose versions a report names."""


class Stopped(Exception):
    """The person pressed Ctrl-C. Says what goes on without them, and how to pick it up."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def guarded(work: Callable[[], object], asked: Asked) -> int:
    """Do *work* and give the exit code; whatever it raises has been said by then."""
    try:
        code = work()
        # None when the shell closed it: cosmos … >&-
        if (out := asked.out or sys.stdout) is not None:
            out.flush()
    except click.ClickException as error:
        return _usage(error, asked)
    except Stopped as error:
        return _say(asked, "interrupted", str(error), error.hint, INTERRUPTED)
    except (KeyboardInterrupt, EOFError, click.Abort):
        return _say(asked, "interrupted", "stopped; nothing is half done", "", INTERRUPTED)
    except CosmosError as error:
        tell(asked, error)
        return error.exit_code
    except BrokenPipeError:
        _close_quietly(asked.out or sys.stdout)
        return 1
    except OSError as error:
        if error.errno not in _MACHINE:
            return _crashed(asked, error)
        where = f": {error.filename}" if error.filename else ""
        return _say(asked, "machine", f"{error.strerror or error}{where}", _mend(error), 1)
    except Exception as error:  # noqa: BLE001 (the outermost line: what nobody foresaw gets a report)
        return _crashed(asked, error)
    return code if isinstance(code, int) else 0


def facts(error: CosmosError) -> dict[str, Any]:
    """What ``--json`` says about an error."""
    kind = next((name for cls, name in KINDS if isinstance(error, cls)), "error")
    found = error.findings if isinstance(error, RefusedError) else ()
    return _facts(kind, str(error), error.hint, error.exit_code) | {"findings": list(found)}


def tell(asked: Asked, error: CosmosError) -> None:
    """Say an error that was foreseen."""
    if _answered(asked, facts(error)):
        return
    found = say.findings(error.findings) if isinstance(error, RefusedError) else ""
    lines(str(error), error.hint, found)


def _facts(kind: str, message: str, hint: str, code: int) -> dict[str, Any]:
    return {"kind": kind, "message": message, "hint": hint, "exit_code": code}


def _say(asked: Asked, kind: str, message: str, hint: str, code: int) -> int:
    if not _answered(asked, _facts(kind, message, hint, code)):
        lines(message, hint, label="" if kind == "interrupted" else "error")
    return code


def _answered(asked: Asked, error: dict[str, Any]) -> bool:
    """Whether a program listens and could be told; its stream may be full or gone."""
    if not asked.json:
        return False
    try:
        asked.answer({"error": error})
        if (out := asked.out or sys.stdout) is not None:
            out.flush()
    except OSError:
        _close_quietly(asked.out or sys.stdout)
        return False
    return True


def lines(message: str, hint: str, found: str = "", *, label: str = "error") -> None:
    """Write an error to stderr: sentence, findings, hint."""
    title = say.paint(f"{label}: ", fg="red", bold=True) if label else ""
    echo(f"{title}{message}", err=True)
    if found:
        echo(found, err=True)
    if hint:
        echo(f"{say.paint('hint:', fg='cyan')} {hint}", err=True)


def _usage(error: click.ClickException, asked: Asked) -> int:
    message = " ".join(error.format_message().split())
    message = message[:1].lower() + message[1:].rstrip(".")
    context = getattr(error, "ctx", None)
    hint = f"{context.command_path} --help" if context is not None else "cosmos --help"
    if context is not None and context.parent is not None and not asked.json:
        hint = f"{' '.join([context.command_path, *context.command.collect_usage_pieces(context)])}   (more: {hint})"
    return _say(asked, "usage", message, hint, USAGE)


def _mend(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "make room, then type the same again; queued runs are safe"
    return "look at the permissions of that path" if error.filename else ""


def _close_quietly(out: TextIO) -> None:
    # Python flushes stdout once more at exit; with the reader gone that must go nowhere.
    os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())


def _crashed(asked: Asked, error: Exception) -> int:
    text = report(error, sys.argv, secrets=_secrets(asked.folder))
    try:
        kept = f"a report is in {_keep(asked.folder, text)}"
    except OSError as full:
        kept = f"its report could not be written ({full.strerror}); -v shows it"
    if asked.verbose:
        echo(text, err=True)
    message = f"this is a bug in cosmos, not yours: {type(error).__name__}; {kept}"
    return _say(asked, "bug", message, "send the report to the project; it holds no passwords", BUG)


def report(error: Exception, argv: list[str], *, secrets: frozenset[str] = frozenset()) -> str:
    """Everything that is needed to find a bug, without *secrets* and without the environment."""
    import platform
    import traceback
    from datetime import UTC, datetime

    lines = [
        f"time      {datetime.now(UTC).isoformat(timespec='seconds')}",
        f"command   {' '.join(['cosmos', *argv[1:]])}",
        f"python    {platform.python_version()} ({platform.python_implementation()}), {platform.platform()}",
        *(f"{name:<25} {version}" for name, version in versions()),
        "",
        *traceback.format_exception(error),
    ]
    text = "\n".join(line.rstrip("\n") for line in lines) + "\n"
    return clean(text, secrets)


def versions() -> Iterator[tuple[str, str]]:
    """Distribution and version of everything of :data:`PACKAGES` that is installed, and of every plugin."""
    from importlib import metadata

    plugins = {entry.dist.name for entry in metadata.entry_points(group="cosmos_core") if entry.dist}
    for name in (*PACKAGES, *sorted(plugins - set(PACKAGES))):
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            continue


def clean(text: str, secrets: frozenset[str] = frozenset()) -> str:
    """*text* without passwords in URLs and without any of *secrets*."""
    from cosmos_core.settings import redacted

    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "***")
    return redacted(text)


def _secrets(folder: Path | None) -> frozenset[str]:
    """Values that no report may hold: of variables that sound secret, and passwords of the workspace's URLs."""
    named = re.compile(r"PASS|SECRET|TOKEN|CREDENTIAL|KEY|URL|DSN", re.IGNORECASE)
    found = {value for name, value in os.environ.items() if named.search(name)}
    texts = [*found]
    with suppress(OSError, ValueError):
        texts.append((_state(folder).parent / "cosmos.toml").read_text("utf-8"))
    for text in texts:
        found |= set(re.findall(r"://[^:/@\s]*:(\S+)@", text))
    # A value of a few letters would blot out half of the report.
    return frozenset(value for value in found if len(value) >= 4)


def _keep(folder: Path | None, text: str) -> Path:
    from datetime import UTC, datetime

    crashes = _state(folder) / "crashes"
    crashes.mkdir(parents=True, exist_ok=True)
    path = crashes / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    path.write_text(text, "utf-8")
    return path


def _state(folder: Path | None) -> Path:
    """Where reports go: the workspace's own folder, or this user's logs outside of one."""
    import platformdirs

    from cosmos_core import workspace

    try:
        return (workspace.at(folder) if folder else workspace.find()).state
    except InputError:
        return platformdirs.user_log_path("cosmos-core")
