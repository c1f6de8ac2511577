"""What ``[hosts.<name>.options]`` may say about a host's containers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import attrs

PULLS = ("never", "missing", "always")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _check_mounts(_: object, __: object, value: tuple[str, ...]) -> None:
    for each in value:
        host, container, mode = (*each.split(":"), "", "")[:3]
        if (
            each.count(":") not in {1, 2}
            or not (host.startswith("/") and container.startswith("/"))
            or mode not in {"", "ro", "rw"}
        ):
            raise ValueError(f"{each!r} is not a mount: /folder/on/host:/folder/in/container[:ro]")


def _check_names(_: object, __: object, value: tuple[str, ...]) -> None:
    for each in value:
        # The word after = would be a value, and so would stand in the settings and in every process list.
        if not _NAME.fullmatch(each):
            raise ValueError(f"{each!r} is not the name of a variable; its value stays on the host")


def _check_file(_: object, __: object, value: str) -> None:
    if value and not value.startswith("/"):
        raise ValueError("is not an absolute path on the host")


def _field(default: Any, text: str, **more: Any) -> Any:
    return attrs.field(default=default, metadata={"help": text}, **more)


@attrs.frozen(kw_only=True)
class DockerOptions:
    """How a host's containers are made."""

    image: str = _field("", "image of jobs whose backend names none")
    images: Mapping[str, str] = attrs.field(
        factory=dict, metadata={"help": "what this host calls an image that a backend names: name to name"}
    )
    pull: str = _field(
        "never",
        "fetch images from a registry: never, missing or always",
        validator=attrs.validators.in_(PULLS),
    )
    mounts: tuple[str, ...] = _field(
        (), "folders that jobs may see, as /on/host:/in/container[:ro]", validator=_check_mounts
    )
    env: tuple[str, ...] = _field(
        (),
        "names of variables handed on from the host's own environment; docker inspect shows their values",
        validator=_check_names,
    )
    env_file: str = _field(
        "", "file on the host with NAME=value lines, read inside the container only", validator=_check_file
    )
    memory: str = _field("", "most memory a job may use, such as 64g")
    shm_size: str = _field("", "size of /dev/shm, such as 16g")
    ipc: str = _field("", "such as host, which NVIDIA's launch lines use")
    network: str = _field("", "such as none, host or a network's name")
    run_as: str = _field("", "uid:gid of the container's processes; the image's own if empty")
    runtime: str = _field("", "such as nvidia, for an engine without --gpus; GPUs are then named by variable")
    entrypoint: str = _field("", "none: leave the image's own entry point out; or one instead of it")
    image_python: str = _field("python3", "the image's Python, 3.8 or newer, that carries the job")
    extra: tuple[str, ...] = _field((), "more words for docker create, before the image")
    docker: tuple[str, ...] = _field(("docker",), "how docker is called on the host, such as sudo -n docker")
    docker_host: str = _field(
        "", "the engine's address on the host, such as unix:///run/user/1000/docker.sock"
    )
