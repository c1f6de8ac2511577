"""Become NVIDIA's Predict 2.5 program in a job's folder, on whatever host that is.

    python3 predict.py [--resident SECONDS] [--model NAME] [FLAG …]

Put into the job's folder and run there, with the standard library of any Python from 3.8 on. The folder holds
``batch.jsonl``; what the program makes goes to ``out/``. The host says where NVIDIA's checkout is in
``COSMOS_PREDICT25_REPO`` (else ``~/cosmos-predict2.5``, else ``/workspace``, where the containers have it) and which Python has
its packages in ``COSMOS_PREDICT25_PYTHON`` (else the checkout's ``.venv``, else ``python``). With ``--resident`` the model is kept
so many seconds for more requests, by ``stay.py`` beside this file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def checkout() -> Path:
    """Find NVIDIA's repository on this machine."""
    named = os.environ.get("COSMOS_PREDICT25_REPO")
    places = [Path(named)] if named else [Path.home() / "cosmos-predict2.5", Path("/workspace")]
    for place in places:
        if (place / "examples" / "inference.py").is_file():
            return place
    looked = " or ".join(map(str, places))
    sys.exit(f"Error: there is no examples/inference.py in {looked}: set COSMOS_PREDICT25_REPO")


def interpreter(repo: Path) -> str:
    """Find the Python that has NVIDIA's packages."""
    own = repo / ".venv" / "bin" / "python"
    return os.environ.get("COSMOS_PREDICT25_PYTHON") or (str(own) if own.is_file() else "python")


def main(flags: list[str]) -> None:
    """Replace this process by the program."""
    repo = checkout()
    python = interpreter(repo)
    script = str(repo / "examples" / "inference.py")
    # NVIDIA's containers set PYTHONPATH for other packages, which shadow the checkout's (docs/troubleshooting.md).
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    words = [script, "-i", "batch.jsonl", "-o", "out"]
    if flags[:1] == ["--resident"]:
        words, flags = ["stay.py", flags[1], *words], flags[2:]
    os.execvpe(python, [python, *words, *flags], environ)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
