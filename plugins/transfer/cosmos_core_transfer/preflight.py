"""Whether a host has what the Transfer models need: GPUs, driver, environment, checkpoints, licences.

Asks with short commands and changes nothing. A host without GPUs is not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

from cosmos_core.errors import Finding, fail, ok, warn
from cosmos_core_transfer import profiles

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cosmos_core.extend import Host, Shell

# nvidia-cosmos/cosmos-transfer2.5: docs/setup.md, for CUDA 12.8.1
LEAST_DRIVER = (570, 124, 6)

SMALLEST = 1 << 20
"""Bytes. Less is a pointer or an error page, not weights."""

_SMI = (
    "nvidia-smi",
    "--query-gpu=name,memory.total,memory.free,compute_cap,driver_version",
    "--format=csv,noheader,nounits",
)

_CACHE = 'cd "${HF_HOME:-$HOME/.cache/huggingface}" 2>/dev/null || exit 3; '
_WEIGHTS = _CACHE + (
    "find -L hub -path '*/snapshots/*' \\( -name '*.pt' -o -name '*.pth' -o -name '*.safetensors' \\) "
    "-size +1k -print 2>/dev/null; test -s token && echo token || true"
)


class Launching(Protocol):
    """What the options of both models say about where they run."""

    @property
    def image(self) -> str:
        """Container image; empty for the host's, or a native checkout."""

    @property
    def build(self) -> str:
        """``cu128`` or ``nightly``."""

    @property
    def repo(self) -> str:
        """Folder of the checkout."""


class WithCheckpoints(Launching, Protocol):
    """Those of Transfer 1."""

    @property
    def checkpoint_dir(self) -> str:
        """Folder of the weights."""


@attrs.frozen(kw_only=True)
class Repository:
    """One repository of weights that a model loads."""

    name: str
    part: str = ""
    """A part of a file's path in it that must be there."""
    what: str
    is_gated: bool = False


@attrs.frozen(kw_only=True)
class Card:
    """One GPU as ``nvidia-smi`` tells it. Memory in gigabytes of 10^9 bytes, as NVIDIA's tables have it."""

    name: str
    total_gb: float
    free_gb: float
    sm: str
    driver: tuple[int, ...]


# nvidia-cosmos/cosmos-transfer2.5: packages/cosmos-oss/cosmos_oss/checkpoints_transfer2.py
TRANSFER25 = (
    *(
        Repository(name="nvidia/Cosmos-Transfer2.5-2B", part=f"/general/{part}/", what=f"the control {kind}")
        for kind, part in {"edge": "edge", "vis": "blur", "depth": "depth", "seg": "seg"}.items()
    ),
    Repository(name="nvidia/Cosmos-Predict2.5-2B", part="tokenizer", what="the tokenizer"),
    Repository(name="nvidia/Cosmos-Reason1-7B", what="the text encoder"),
    Repository(name="nvidia/Cosmos-Guardrail1", what="the safety models", is_gated=True),
)


def check_transfer25(shell: Shell, host: Host, options: Launching) -> Iterator[Finding]:
    """Findings about one host for ``transfer2.5``."""
    if not host.gpus:
        return
    yield from check_gpus(shell, "transfer2.5", _build(host, options))
    yield from check_program(shell, host, options, "examples/inference.py")
    yield from check_cache(shell, TRANSFER25)


# nvidia-cosmos/cosmos-transfer1: scripts/download_checkpoints.py, cosmos_transfer1/checkpoints.py. Its download prints
# errors and exits with 0, so the files are looked for.
TRANSFER1_FILES = {
    "the model": "nvidia/Cosmos-Transfer1-7B/base_model.pt",
    **{
        f"the control {kind}": f"nvidia/Cosmos-Transfer1-7B/{kind}_control.pt"
        for kind in ("vis", "edge", "seg", "depth")
    },
    "the tokenizer": "nvidia/Cosmos-Tokenize1-CV8x8x8-720p",
    "the safety models": "nvidia/Cosmos-Guardrail1",
    "the text encoder": "google-t5/t5-11b",
}
UPSCALER_FILES = {"the upscaler": "nvidia/Cosmos-Transfer1-7B/4kupscaler_control.pt"}

T1_SCRIPT = "cosmos_transfer1/diffusion/inference/transfer.py"
# What the fix of the upscaler's index error brought (nvidia-cosmos/cosmos-transfer1, pull request 138).
_FIXED_UPSCALER = b"Setting batch_size=1 as upscale does not support batch generation"


def check_transfer1(shell: Shell, host: Host, options: WithCheckpoints) -> Iterator[Finding]:
    """Findings about one host for ``transfer1``."""
    if not host.gpus:
        return
    yield from check_gpus(shell, "transfer1", _build(host, options))
    yield from check_program(shell, host, options, T1_SCRIPT)
    if host.transport != "docker":
        yield from _files(shell, options, TRANSFER1_FILES)


def check_upscaler(shell: Shell, host: Host, options: WithCheckpoints) -> Iterator[Finding]:
    """Findings about one host for ``transfer1-upscale``, beside those for ``transfer1``."""
    if not host.gpus or host.transport == "docker":
        return
    yield from _files(shell, options, UPSCALER_FILES)
    ran = shell.run(("cat", f"{options.repo}/{T1_SCRIPT}"), timeout=30.0)
    if not ran.code and _FIXED_UPSCALER not in ran.out:
        yield fail(
            "this version of Transfer 1 breaks the upscaler (32-bit index error)",
            hint="update the checkout: it needs pull request 138 of nvidia-cosmos/cosmos-transfer1",
            where="checkout",
        )


def _files(shell: Shell, options: WithCheckpoints, wanted: Mapping[str, str]) -> Iterator[Finding]:
    folder = options.checkpoint_dir
    folder = folder if folder.startswith("/") else f"{options.repo}/{folder}"
    for what, name in wanted.items():
        ran = shell.run(("du", "-sbL", f"{folder}/{name}"), timeout=30.0)
        size = int(ran.out.split()[0]) if not ran.code and ran.out.split() else 0
        if size < SMALLEST:
            yield fail(
                f"{what} is not at {folder}/{name}" + (f": only {size} bytes" if size else ""),
                hint="scripts/download_checkpoints.py --output_dir checkpoints; its exit code is 0 whatever happened",
                where="checkpoints",
            )
        else:
            yield ok(f"{what}: {name}", where="checkpoints")


def _build(host: Host, options: Launching) -> str:
    """Which build jobs meet there: the host's own, where it has the newer one and jobs bring none."""
    blackwell = "nightly"
    return blackwell if not options.image and blackwell in host.words else options.build


def check_gpus(shell: Shell, backend: str, build: str) -> Iterator[Finding]:
    """Memory that is free now, architecture against build, and the driver; one finding a question."""
    ran = shell.run(_SMI, timeout=30.0)
    if ran.code:
        yield fail(
            "nvidia-smi does not answer, so there is no usable GPU",
            hint=ran.err.decode("utf-8", "replace").strip()[:200] or "install NVIDIA's driver",
            where=backend,
        )
        return
    for index, card in enumerate(cards(ran.out.decode("utf-8", "replace"))):
        yield from _card(index, card, profiles.peak_vram(backend), build, backend)


def cards(text: str) -> Iterator[Card]:
    """The GPUs of ``nvidia-smi``'s answer; a line it cannot read is left out."""
    for line in text.splitlines():
        words = [word.strip() for word in line.split(",")]
        try:
            name, total, free, sm, driver = words
            yield Card(
                name=name,
                total_gb=int(total) * 2**20 / 1e9,
                free_gb=int(free) * 2**20 / 1e9,
                sm=sm,
                driver=tuple(int(part) for part in driver.split(".")),
            )
        except ValueError:
            continue


def _card(index: int, card: Card, vram_gb: float, build: str, backend: str) -> Iterator[Finding]:
    said = f"GPU {index}, {card.name}"
    if card.total_gb < vram_gb:
        yield fail(
            f"{said}: {card.total_gb:.0f} GB, and the model takes {vram_gb:g} at its peak; more GPUs do not help, "
            "because context parallelism does not split weights",
            where=backend,
        )
    elif card.free_gb < vram_gb:
        yield fail(
            f"{said}: {card.free_gb:.0f} of {card.total_gb:.0f} GB are free, and the model takes {vram_gb:g} at its peak",
            hint="somebody else uses it: nvidia-smi",
            where=backend,
        )
    else:
        yield ok(f"{said}: {card.free_gb:.0f} GB free of the {vram_gb:g} that the model takes", where=backend)
    if build == "cu128" and float(card.sm) >= 10:
        yield fail(
            f"{said} is sm_{card.sm.replace('.', '')}, and the build cu128 has no kernels for it",
            hint="build docker/nightly.Dockerfile, give the host that image, and build = 'nightly' unless its name says so",
            where=backend,
        )
    if card.driver < LEAST_DRIVER:
        yield fail(
            f"{said}: driver {'.'.join(map(str, card.driver))}, and CUDA 12.8 needs "
            f"{'.'.join(map(str, LEAST_DRIVER))} or newer",
            where=backend,
        )


def check_program(shell: Shell, host: Host, options: Launching, script: str) -> Iterator[Finding]:
    """The image, or the checkout with the program in it."""
    if host.transport == "docker":
        yield from _mounted(host, options.repo)
    if options.image:
        yield _image(shell, options.image)
    elif host.transport != "docker":
        yield _checkout(shell, options.repo, script)


def _mounted(host: Host, repo: str) -> Iterator[Finding]:
    """Whether the checkout is mounted where the program is looked for: NVIDIA's images hold its needs, not its code."""
    mounts = host.options.get("mounts", ()) if isinstance(host.options, dict) else ()
    inside = {mount.split(":")[1] for mount in mounts if mount.count(":")}
    if any(f"{repo}/".startswith(f"{target.rstrip('/')}/") for target in inside):
        yield ok(f"{repo} is mounted", where="checkout")
    else:
        yield warn(
            f"nothing is mounted at {repo}: an image of NVIDIA's Dockerfile holds no code",
            hint=f'mounts = ["/path/to/checkout:{repo}"] under [hosts.{host.name}.options], unless yours holds it',
            where="checkout",
        )


def _image(shell: Shell, image: str) -> Finding:
    ran = shell.run(("docker", "image", "inspect", "--format", "{{.Id}}", image), timeout=30.0)
    if ran.code:
        return fail(
            f"there is no image {image}",
            hint="NVIDIA publishes none: build it from the Dockerfile of its repository",
            where="image",
        )
    return ok(f"image {image}", where="image")


def _checkout(shell: Shell, repo: str, script: str) -> Finding:
    path = f"{repo}/{script}"
    ran = shell.run(("head", "-c", "200", path), timeout=30.0)
    if ran.code:
        return fail(
            f"there is no {path}",
            hint="clone NVIDIA's repository there, or set repo in cosmos.toml, or use a host of containers",
            where="checkout",
        )
    if ran.out.startswith(b"version https://git-lfs"):
        return fail(f"{path} is a Git LFS pointer", hint="git lfs pull", where="checkout")
    return ok(f"checkout {repo}", where="checkout")


def check_cache(shell: Shell, repositories: Iterable[Repository]) -> Iterator[Finding]:
    """Which weights are there; for those that are not, whether there is a token to fetch them with.

    Whether a licence was accepted stands in no file: weights that are there prove it, and nothing else does.
    """
    ran = shell.run(("sh", "-c", _WEIGHTS), timeout=60.0)
    found = ran.out.decode("utf-8", "replace").splitlines()
    has_token = "token" in found
    for repository in repositories:
        folder = f"models--{repository.name.replace('/', '--')}/"
        if any(folder in path and repository.part in path for path in found):
            yield ok(f"{repository.what}: {repository.name}", where="checkpoints")
        else:
            yield _absent(repository, has_token=has_token)


def _absent(repository: Repository, *, has_token: bool) -> Finding:
    page = f"https://huggingface.co/{repository.name}"
    licence = f"; accept its licence at {page}, which cannot be seen from here" if repository.is_gated else ""
    if has_token:
        return warn(
            f"{repository.what} ({repository.name}) will be downloaded by the first job{licence}",
            where="checkpoints",
        )
    return fail(
        f"{repository.what} ({repository.name}) is not there, and neither is a token to download it with{licence}",
        hint="hf auth login, or set HF_HOME to where the weights are",
        where="checkpoints",
    )
