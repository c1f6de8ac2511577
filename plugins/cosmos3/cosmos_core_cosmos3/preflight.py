"""Whether a host has what the two Cosmos 3 backends need. Asked by ``cosmos hosts check``; changes nothing there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cosmos_core.errors import fail, ok, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cosmos_core.extend import Finding, Host, Shell

REPOSITORIES = ("Cosmos3-Nano", "Cosmos-Guardrail1")
"""On Hugging Face, under ``nvidia/``. The server loads another guardrail, Cosmos-1.0-Guardrail: a second licence."""
DISK_GB = 150
"""Source: NVIDIA/cosmos-framework: docs/faq.md, docs/setup.md."""

FRAMEWORK_PROBE = """
import json, os, shutil
from pathlib import Path
named = os.environ.get("COSMOS_FRAMEWORK_PYTHON")
repo = os.environ.get("COSMOS_FRAMEWORK_REPO")
places = [Path(repo)] if repo else [Path.home() / "cosmos-framework", Path("/workspace")]
found = [str(one / ".venv/bin/python") for one in places if (one / ".venv/bin/python").is_file()]
hub = Path(os.environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface") / "hub"
python = shutil.which(named or "") or (found[0] if found else "")
print(json.dumps({
    "python": python,
    "places": [named] if named else [str(one) for one in places],
    "checkpoints": sorted(one.name for one in hub.glob("models--nvidia--Cosmos*")),
    "free_gb": shutil.disk_usage(str(Path.home())).free // 10**9,
}))
"""

SERVER_PROBE = """
import json, os, urllib.request
server = os.environ.get("COSMOS_OMNI_SERVER", "http://127.0.0.1:8000").rstrip("/")
facts = {"server": server, "ready": False, "models": [], "why": ""}
try:
    urllib.request.urlopen(server + "/health", timeout=10).read()
    facts["ready"] = True
    said = json.loads(urllib.request.urlopen(server + "/v1/models", timeout=10).read())
    facts["models"] = [one.get("id", "") for one in said.get("data", [])]
except (OSError, ValueError) as error:
    facts["why"] = str(error)
print(json.dumps(facts))
"""


def check_framework(shell: Shell, host: Host) -> Iterator[Finding]:
    """Findings about the framework on a host. Where jobs run in containers, it is in there and not beside them."""
    facts = _probe(shell, FRAMEWORK_PROBE)
    if facts is None:
        yield fail("python3 cannot look around", where="cosmos3")
        return
    if not facts["python"] and host.transport != "docker":
        yield warn(
            f"there is no framework in {' or '.join(facts['places'])}",
            hint="install NVIDIA/cosmos-framework there, or set COSMOS_FRAMEWORK_PYTHON",
            where="cosmos3",
        )
    elif facts["python"]:
        yield ok(f"the framework's Python is {facts['python']}", where="cosmos3")
    missing = [name for name in REPOSITORIES if f"models--nvidia--{name}" not in facts["checkpoints"]]
    if missing:
        yield warn(
            f"not fetched yet: {', '.join(missing)}",
            hint="accept each licence on Hugging Face and put a token on the host",
            where="cosmos3",
        )
        if facts["free_gb"] < DISK_GB:
            yield warn(f"{facts['free_gb']} GB are free, and {DISK_GB} are needed", where="cosmos3")


def check_server(shell: Shell, _: Host) -> Iterator[Finding]:
    """Findings about the server beside a host."""
    facts = _probe(shell, SERVER_PROBE)
    if facts is None:
        yield fail("python3 cannot look around", where="cosmos3-omni")
    elif not facts["ready"]:
        yield warn(
            f"{facts['server']} does not answer: {facts['why']}",
            hint="start it with: vllm serve nvidia/Cosmos3-Nano --omni, or set COSMOS_OMNI_SERVER",
            where="cosmos3-omni",
        )
    else:
        models = ", ".join(facts["models"]) or "no model that it names"
        yield ok(f"{facts['server']} serves {models}", where="cosmos3-omni")


def _probe(shell: Shell, program: str) -> dict[str, Any] | None:
    ran = shell.run(["python3", "-"], stdin=program.encode())
    if ran.code:
        return None
    facts: dict[str, Any] = json.loads(ran.out)
    return facts
