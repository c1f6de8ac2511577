"""Whether a host has what Predict 2.5 needs: a checkout of the right generation, checkpoints, a driver, a fit GPU.

Asked by ``cosmos hosts check``. One small program runs there, with the standard library of the host's Python, and changes nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cosmos_core.errors import fail, ok, warn
from cosmos_core_predict import profiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cosmos_core.extend import Finding, Host, Shell

LEAST_DRIVER = 570
"""Source: nvidia-cosmos/cosmos-predict2.5: docs/setup.md, for CUDA 12.8."""
REPOSITORIES = ("Cosmos-Predict2.5-2B", "Cosmos-Predict2.5-14B", "Cosmos-Guardrail1", "Cosmos-Reason1-7B")
"""On Hugging Face, under ``nvidia/``; each has a licence that the token's owner must accept."""
WHERE = "predict2.5"

PROBE = """
import json, os, subprocess
from pathlib import Path
named = os.environ.get("COSMOS_PREDICT25_REPO")
places = [Path(named)] if named else [Path.home() / "cosmos-predict2.5", Path("/workspace")]
repo = next((one for one in places if (one / "examples" / "inference.py").is_file()), None)
config = repo / "cosmos_predict2" / "config.py" if repo else None
hub = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "hub"
try:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    driver = subprocess.run(query, stdout=subprocess.PIPE, timeout=20).stdout.decode().split()
except (OSError, subprocess.SubprocessError):
    driver = []
print(json.dumps({
    "repo": str(repo or ""),
    "places": [str(one) for one in places],
    "config": config.read_text("utf-8", "replace") if config and config.is_file() else "",
    "checkpoints": sorted(one.name for one in hub.glob("models--nvidia--Cosmos-*")),
    "driver": driver[0] if driver else "",
}))
"""


def check(shell: Shell, host: Host) -> Iterator[Finding]:
    """Findings about one host. A host whose jobs run in containers has its checkout there, not beside them."""
    ran = shell.run(["python3", "-"], stdin=PROBE.encode())
    if ran.code:
        said = ran.err.decode("utf-8", "replace").strip().splitlines()
        yield fail(f"python3 cannot look around: {said[-1] if said else ran.code}", where=WHERE)
        return
    facts = json.loads(ran.out)
    if host.transport != "docker":
        yield from _review_checkout(facts)
    yield from _review_checkpoints(facts)
    yield from _review_gpu(facts, host)


def _review_checkout(facts: Mapping[str, Any]) -> Iterator[Finding]:
    hint = "clone nvidia-cosmos/cosmos-predict2.5 there, or set COSMOS_PREDICT25_REPO"
    if not facts["repo"]:
        yield fail(f"there is no checkout in {' or '.join(facts['places'])}", hint=hint, where=WHERE)
    elif "inference_type" not in facts["config"]:
        yield fail(f"{facts['repo']} is not Predict 2.5", hint=hint, where=WHERE)
    elif "class InferenceSample" in facts["config"]:
        yield fail(
            f"{facts['repo']} is of October 2025: it reads other files and cannot go on after 93 frames",
            hint="update it to 1.3.1 or later",
            where=WHERE,
        )
    elif "enable_autoregressive" not in facts["config"]:
        yield warn(
            f"{facts['repo']} is older than 1.3.1: it refuses every file of ours, which all name autoregression",
            hint="update it",
            where=WHERE,
        )
    else:
        yield ok(f"a checkout in {facts['repo']}", where=WHERE)


def _review_checkpoints(facts: Mapping[str, Any]) -> Iterator[Finding]:
    here = {name.removeprefix("models--nvidia--") for name in facts["checkpoints"]}
    missing = [name for name in REPOSITORIES if name not in here]
    if missing:
        yield warn(
            f"not fetched yet: {', '.join(missing)}; the first run fetches what it needs, up to 54 GB",
            hint="accept each licence on Hugging Face and put a token on the host",
            where=WHERE,
        )
    else:
        yield ok("all checkpoints are there", where=WHERE)


def _review_gpu(facts: Mapping[str, Any], host: Host) -> Iterator[Finding]:
    major = str(facts["driver"]).partition(".")[0]
    if not major.isdigit():
        yield fail("nvidia-smi names no driver", hint="Predict 2.5 needs an NVIDIA GPU", where=WHERE)
    elif int(major) < LEAST_DRIVER:
        yield fail(f"driver {facts['driver']} is too old for CUDA 12.8", hint="570 or newer", where=WHERE)
    known = profiles.GPUS.get(host.gpu)
    if known and known.container == (profiles.NIGHTLY,) and profiles.NIGHTLY not in host.words:
        yield fail(
            f"on a {host.gpu} (sm {known.sm}) only the image of docker/nightly.Dockerfile has kernels, and the host does "
            "not say that it has it: no run is sent there",
            hint=f'that image, through the transport docker; and build = "nightly" under [hosts.{host.name}] unless its '
            "name says so",
            where=WHERE,
        )
