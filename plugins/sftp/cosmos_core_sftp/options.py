"""What can be said of a host under ``[hosts.<name>.options]``; all else stands in OpenSSH's own configuration."""

from __future__ import annotations

import re

import attrs

from cosmos_core.errors import InputError

_PROGRAM = re.compile(r"[A-Za-z0-9_./+-]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _check_program(_: object, __: object, value: str) -> None:
    # It is the one word of the host's command line that is not constant.
    if not _PROGRAM.fullmatch(value):
        raise InputError(
            f"{value!r} is not the name or path of a program", hint="letters, digits and _ . / + -"
        )


def _check_variable(_: object, __: object, value: str) -> None:
    if not _VARIABLE.fullmatch(value):
        raise InputError(f"{value!r} is not the name of an environment variable")


@attrs.frozen(kw_only=True)
class SftpOptions:
    """How a host is reached, where OpenSSH's configuration does not say it."""

    config: str = attrs.field(
        default="", metadata={"help": "an ssh_config to read in the place of ~/.ssh/config"}
    )
    python: str = attrs.field(
        default="python3",
        validator=_check_program,
        metadata={"help": "the host's Python, 3.8 or newer: a name on its PATH, or a path"},
    )
    passphrase: str = attrs.field(
        default="COSMOS_SSH_PASSPHRASE",
        validator=_check_variable,
        metadata={
            "help": "the environment variable that holds the passphrase of a key, where no agent does; never the passphrase"
        },
    )
    connections: int = attrs.field(
        default=0,
        validator=[attrs.validators.ge(0), attrs.validators.le(8)],
        metadata={"help": "connections for large transfers; 0 chooses by the line: 1, or 2 when it is long"},
    )
