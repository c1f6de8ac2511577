"""What is said to Docker's command line: pure functions from a job to words.

Every word is an element of a list that no shell reads. A value of a variable is never among them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cosmos_core import launcher
from cosmos_core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cosmos_core.extend import Job
    from cosmos_core_docker.options import DockerOptions

WORKSPACE = "cosmos.workspace"
KEY = "cosmos.key"

ENV_FILE = "/run/cosmos/env"
"""Where a container sees the host's file of secrets."""

STOP_SECONDS = 20
"""What the engine allows a container that it stops itself: more than the launcher needs to end its job and say so."""

LOAD_ENV = f"""\
import os, sys
with open({ENV_FILE!r}, encoding="utf-8") as lines:
    for line in lines:
        name, found, value = line.strip("\\r\\n").partition("=")
        if found and name.strip() and not name.startswith("#"):
            os.environ[name.strip()] = value
os.execv(sys.executable, [sys.executable, "-I", "-S", *sys.argv[1:]])
"""
"""Reads the file of secrets inside the container, so that the engine never knows what is in it."""

HAND_OVER = """\
import os, stat, sys
top, uid, gid, file_bits, folder_bits = sys.argv[1], *(int(word, 8) for word in sys.argv[2:])
def give(path):
    os.lchown(path, uid, gid)
    mode = os.lstat(path).st_mode
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        os.chmod(path, stat.S_IMODE(mode) | (folder_bits if stat.S_ISDIR(mode) else file_bits))
give(top)
for here, folders, files in os.walk(top):
    for name in folders + files:
        try:
            give(os.path.join(here, name))
        except FileNotFoundError:
            pass
"""
"""Opens a job's folder to the account that must fetch and remove it. Links are not followed."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+")


def name_of(key: str) -> str:
    """``cosmos-<batch>-a<attempt>-f<fence>``: Docker refuses a second container of the same name.

    Raises:
        InputError: the key does not make a name.
    """
    batch, *rest = key.split("/")
    marks = zip(("a", "f"), rest, strict=True) if len(rest) == 2 else ((("", part)) for part in rest)
    name = "-".join(["cosmos", batch, *(mark + part for mark, part in marks)])
    if not _NAME.fullmatch(name):
        raise InputError(f"{key!r} is not a job's key: batch/attempt/fence")
    return name


def image_of(options: DockerOptions, job: Job) -> str:
    """The image that a job runs in on this host.

    Raises:
        InputError: neither the job nor the host names one.
    """
    image = options.images.get(job.image, job.image) or options.image
    if not image:
        raise InputError(
            "the job names no image, and neither does its host",
            hint="[hosts.<name>.options] image = …, or a backend that names one",
        )
    if image.startswith("-"):
        raise InputError(f"{image!r} is not the name of an image")
    return image


def network_of(options: DockerOptions, job: Job) -> str:
    """The network of a job's container; the host's own for a job that serves, since its loopback is where it listens.

    Raises:
        InputError: a job serves and the host's options name another network.
    """
    if job.serves and options.network not in {"", "host"}:
        raise InputError(
            f"a job that serves needs the host's network, and network = {options.network!r} is set",
            hint="name a second host with the same address and without network",
        )
    return "host" if job.serves else options.network


def create(options: DockerOptions, job: Job, key: str, folder: str, workspace: str) -> list[str]:
    """The words after ``docker`` that make a job's container, and start nothing.

    Raises:
        InputError: there is no image.
    """
    image = image_of(options, job)
    return [
        "create",
        *("--pull", options.pull),
        *("--name", name_of(key)),
        *_labels(job, key, workspace),
        *("--stop-timeout", str(STOP_SECONDS)),
        *("--workdir", folder),
        *_gpus(options, job),
        *_mounts(options, folder),
        *_given(options, network_of(options, job)),
        # Images of servers have the server for an entry point; ours is the launcher, which starts it.
        *(("--entrypoint", "") if job.serves and not options.entrypoint else ()),
        *options.extra,
        image,
        *_command(options, folder),
    ]


def hand_over(options: DockerOptions, image: str, folder: str, owner: tuple[int, int]) -> list[str]:
    """The words that give *folder* and all in it to *owner*, a user's and a group's number."""
    return _as_root(options, image, folder, (*owner, 0o600, 0o700))


def let_read(options: DockerOptions, image: str, folder: str) -> list[str]:
    """The words that let everybody who may enter *folder* read all in it, and leave its owners."""
    return _as_root(options, image, folder, (-1, -1, 0o444, 0o555))


def _as_root(options: DockerOptions, image: str, folder: str, numbers: Iterable[int]) -> list[str]:
    return [
        *("run", "--rm", "--pull", "never", "--network", "none", "--user", "0:0"),
        *("--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "DAC_OVERRIDE", "--cap-add", "FOWNER"),
        *("--entrypoint", options.image_python),
        *bind(folder, folder),
        image,
        *("-I", "-S", "-c", HAND_OVER, folder, *(f"{number:o}" for number in numbers)),
    ]


def bind(source: str, target: str, mode: str = "") -> list[str]:
    """The words that show a folder or file of the host to a container, whatever characters its name holds."""
    fields = ["type=bind", f"source={source}", f"target={target}", *(["readonly"] if mode == "ro" else [])]
    return ["--mount", ",".join(map(_quoted, fields))]


def _quoted(field: str) -> str:
    """One field of the list that ``--mount`` takes, which is CSV."""
    doubled = field.replace('"', '""')
    return f'"{doubled}"' if set(field) & set(',"\r\n') else field


def _labels(job: Job, key: str, workspace: str) -> Iterator[str]:
    labels = {WORKSPACE: workspace, KEY: key, "cosmos.runs": ",".join(job.runs)}
    labels |= dict(zip(("cosmos.batch", "cosmos.attempt", "cosmos.fence"), key.split("/"), strict=False))
    for name, value in labels.items():
        yield from ("--label", f"{name}={value}")


def _gpus(options: DockerOptions, job: Job) -> list[str]:
    if not job.gpus:
        return ["--runtime", options.runtime] if options.runtime else []
    devices = ",".join(map(str, job.gpus))
    if options.runtime:
        return ["--runtime", options.runtime, "--env", f"NVIDIA_VISIBLE_DEVICES={devices}"]
    # The inner quotes keep the engine's own reader of lists from splitting at the comma.
    return ["--gpus", f'"device={devices}"']


def _mounts(options: DockerOptions, folder: str) -> Iterator[str]:
    yield from bind(folder, folder)
    for each in options.mounts:
        yield from bind(*each.split(":"))
    if options.env_file:
        yield from bind(options.env_file, ENV_FILE, "ro")


def _given(options: DockerOptions, network: str) -> Iterator[str]:
    """What the options say word for word."""
    for name in options.env:
        yield from ("--env", name)
    said = {
        "--memory": options.memory,
        # Without this an engine allows as much swap again, and a job over its limit crawls.
        "--memory-swap": options.memory,
        "--shm-size": options.shm_size,
        "--ipc": options.ipc,
        "--network": network,
        "--user": options.run_as,
    }
    for name, value in said.items():
        if value:
            yield from (name, value)
    if options.entrypoint:
        yield from ("--entrypoint", "" if options.entrypoint == "none" else options.entrypoint)


def _command(options: DockerOptions, folder: str) -> list[str]:
    load = ["-c", LOAD_ENV] if options.env_file else []
    return [options.image_python, "-I", "-S", *load, f"{folder}/{launcher.PROGRAM}", folder]
