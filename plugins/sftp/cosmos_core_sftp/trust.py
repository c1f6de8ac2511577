"""Accept a host's key, once a person has compared its fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cosmos_core.extend import fail, ok, warn
from cosmos_core_sftp import known, where
from cosmos_core_sftp.options import SftpOptions
from cosmos_core_sftp.reach import greeted, why_refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cosmos_core.extend import Finding, Host

CHECK = "host.key"


def trust(host: Host, state: Path, fingerprint: str) -> Iterator[Finding]:
    """Accept the key of *host* if it has that *fingerprint*; with an empty one only say what it is.

    A key that takes the place of another is never accepted: the person removes the old line first.

    Raises:
        HostError: the host cannot be reached.
    """
    options = host.options if isinstance(host.options, SftpOptions) else SftpOptions()
    place = where.find(host, options)
    own = state / known.FILE
    with greeted(host.name, place, own) as connection:
        key = connection.transport.get_remote_server_key()
        connection.close()
    kind, blob = key.get_name(), key.asbytes()
    verdict, line = known.judge(known.lines_about((*place.known, own), place.known_as), kind, blob)
    shown = f"{kind} {known.fingerprint(blob)}"
    if verdict is known.Verdict.KNOWN:
        yield ok(f"{place.known_as} is known by {shown} in {line}", check=CHECK)
    elif verdict is not known.Verdict.UNKNOWN:
        message, hint = why_refused(host.name, place, verdict, line, shown)
        yield fail(message, hint=hint, check=CHECK)
    elif not fingerprint:
        yield warn(
            f"{place.known_as} shows {shown}",
            hint=f"compare it with the host's own, then: cosmos hosts trust {host.name} --fingerprint {known.fingerprint(blob)}",
            check=CHECK,
        )
    elif fingerprint.rstrip("=") != known.fingerprint(blob):
        yield fail(
            f"{place.known_as} shows {shown}, not {fingerprint}",
            hint="somebody may stand in between, or it is another host",
            check=CHECK,
        )
    else:
        state.mkdir(parents=True, exist_ok=True)
        with own.open("a", encoding="utf-8") as file:
            file.write(known.entry(place.known_as, kind, blob))
        yield ok(f"{place.known_as} is known by {shown} from now on", check=CHECK)
