"""Become NVIDIA's Cosmos 3 framework in a job's folder, on whatever host that is.

    python3 cosmos3.py GPUS --checkpoint-path NAME [FLAG …]

Put into the job's folder and run there, with the standard library of any Python from 3.8 on. The folder holds
``batch.jsonl``; what the framework makes goes to ``out/``. The host says which Python has the framework in
``COSMOS_FRAMEWORK_PYTHON`` (else ``.venv`` of ``COSMOS_FRAMEWORK_REPO``, of ``~/cosmos-framework`` or of ``/workspace``, else ``python``).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def interpreter() -> str:
    """Find the Python that has the framework."""
    named = os.environ.get("COSMOS_FRAMEWORK_PYTHON")
    if named:
        return named
    repo = os.environ.get("COSMOS_FRAMEWORK_REPO")
    for place in [Path(repo)] if repo else [Path.home() / "cosmos-framework", Path("/workspace")]:
        if (place / ".venv" / "bin" / "python").is_file():
            return str(place / ".venv" / "bin" / "python")
    return "python"


def main(gpus: str, flags: list[str]) -> None:
    """Replace this process by torchrun and the framework."""
    run = ["-m", "torch.distributed.run", f"--nproc-per-node={gpus}", "--standalone"]
    program = ["-m", "cosmos_framework.scripts.inference", "-i", "batch.jsonl", "-o", "out", *flags]
    python = interpreter()
    try:
        os.execvp(python, [python, *run, *program])  # noqa: S606
    except OSError as error:
        sys.exit(f"Error: {python} cannot be run: {error}: set COSMOS_FRAMEWORK_PYTHON")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
