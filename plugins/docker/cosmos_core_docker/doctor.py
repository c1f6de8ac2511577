"""What a host needs to run containers, asked one thing after another, each answered with what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cosmos_core.errors import HostError, PluginError, fail, ok, warn
from cosmos_core_docker.engine import SLOW, sentence
from cosmos_core_docker.options import DockerOptions
from cosmos_core_docker.session import DockerSession

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.errors import Finding
    from cosmos_core.extend import Host, Session

CHECK = "hosts.docker"
OLDEST = (20, 10)
"""The first engine whose command line has all the words that we say."""

_VERSION = "import sys; print('%d.%d.%d' % sys.version_info[:3]); sys.exit(sys.version_info < (3, 8))"


def look(session: Session, host: Host) -> Iterator[Finding]:
    """Whether *host* has an engine, what its GPUs need, and what the options name.

    Raises:
        HostError: the line is lost.
    """
    if not isinstance(session, DockerSession):
        raise PluginError(f"host {host.name} was not opened by the docker transport")
    options = host.options if isinstance(host.options, DockerOptions) else DockerOptions()
    try:
        facts = json.loads(session.engine.ask("info", "--format", "{{json .}}"))
    except HostError as error:
        # The line works, or there would be no session: this is a finding about the engine.
        yield fail(str(error), hint=_way_in(str(error), error.hint), check=CHECK)
        return
    yield from _engine(facts)
    yield from _gpus(session, host, facts, options)
    yield from _files(session, options)
    yield from _variables(session, options)
    yield from _images(session, options)


def _way_in(said: str, hint: str) -> str:
    if "permission denied" in said:
        return "add the account to the group docker there (it becomes as powerful as root), then log in anew"
    if "no Docker engine" in said:
        return "start it there: systemctl start docker"
    return hint


def _engine(facts: dict[str, Any]) -> Iterator[Finding]:
    version = str(facts.get("ServerVersion", ""))
    if _numbers(version) < OLDEST:
        yield fail(
            f"Docker Engine {version or '(no version)'} is too old",
            hint="install 20.10 or newer",
            check=CHECK,
        )
        return
    yield ok(
        f"Docker Engine {version}, {facts.get('Driver', '?')}, cgroup v{facts.get('CgroupVersion', '1')}",
        check=CHECK,
    )
    if not facts.get("LiveRestoreEnabled"):
        yield warn(
            "a restart of the engine ends running jobs, which then begin anew",
            hint='"live-restore": true in /etc/docker/daemon.json',
            check=CHECK,
        )
    if any("name=userns" in str(each) for each in facts.get("SecurityOptions") or ()):
        yield warn(
            "the engine maps users, so a job may not be able to read its own folder",
            hint='options: extra = ["--userns", "host"]',
            check=CHECK,
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(
        int(part)
        for part in version.split("+", maxsplit=1)[0].split("-", maxsplit=1)[0].split(".")[:2]
        if part.isdigit()
    )


def _gpus(
    session: DockerSession, host: Host, facts: dict[str, Any], options: DockerOptions
) -> Iterator[Finding]:
    if not host.gpus:
        return
    runtimes = sorted(facts.get("Runtimes") or ())
    if options.runtime and options.runtime not in runtimes:
        yield fail(
            f"the engine has no runtime {options.runtime!r}: it has {', '.join(runtimes)}",
            hint="sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker",
            check=CHECK,
        )
    elif "nvidia" in runtimes or not session.below.run(["nvidia-container-cli", "--version"]).code:
        yield ok("the NVIDIA container toolkit is there", check=CHECK)
    else:
        yield fail(
            f"{host.gpus} GPUs, and no NVIDIA container toolkit to give them to a container",
            hint="install nvidia-container-toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker",
            check=CHECK,
        )


def _files(session: DockerSession, options: DockerOptions) -> Iterator[Finding]:
    wanted = [(each.split(":")[0], "-e") for each in options.mounts]
    wanted += [(options.env_file, "-r")] if options.env_file else []
    for path, how in wanted:
        if session.below.run(["test", how, path]).code:
            yield fail(
                f"there is no {path} to mount", hint="make it, or take it out of the options", check=CHECK
            )


def _variables(session: DockerSession, options: DockerOptions) -> Iterator[Finding]:
    for name in options.env:
        if session.below.run(["printenv", "--", name]).code:
            yield warn(
                f"{name} is not set in the environment in which commands run there",
                hint="a login's own files may not be read there; use env_file",
                check=CHECK,
            )


def _images(session: DockerSession, options: DockerOptions) -> Iterator[Finding]:
    for image in sorted({options.image, *options.images.values()} - {""}):
        if session.engine.say("image", "inspect", "--format", "{{.Id}}", image).code:
            yield fail(
                f"the image {image} is not there", hint=f"on the host: docker pull {image}", check=CHECK
            )
            continue
        ran = session.engine.say(
            *("run", "--rm", "--pull", "never", "--network", "none"),
            *("--entrypoint", options.image_python, image, "-I", "-S", "-c", _VERSION),
            timeout=SLOW,
        )
        version = ran.out.decode("ascii", "replace").strip()
        if ran.code:
            yield fail(
                f"the image {image} has no {options.image_python} of 3.8 or newer: {version or sentence(ran)}",
                hint="options: image_python = the path of one in the image",
                check=CHECK,
            )
        else:
            yield ok(f"the image {image} is there, with Python {version}", check=CHECK)
