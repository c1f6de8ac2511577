"""How long until the command answers, against Python itself: ``python benchmarks/startup.py [--rounds 15]``.

Every round runs each command once, so that a busy moment of the machine hits all of them alike. The workspace holds nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

COSMOS = Path(sys.executable).with_name("cosmos.exe" if os.name == "nt" else "cosmos")
YARDSTICK = "python -c pass"
COMMANDS = {
    YARDSTICK: [sys.executable, "-c", "pass"],
    'python -c "import click"': [sys.executable, "-c", "import click"],
    "cosmos --help": [str(COSMOS), "--help"],
    "cosmos run --help": [str(COSMOS), "run", "--help"],
    "cosmos status": [str(COSMOS), "status"],
    "cosmos status --json": [str(COSMOS), "status", "--json"],
}


def milliseconds(argv: list[str], folder: Path) -> float:
    """Wall time of one run of *argv* in *folder*."""
    began = time.perf_counter()
    done = subprocess.run(argv, cwd=folder, capture_output=True, check=False)
    took = time.perf_counter() - began
    if done.returncode:
        sys.exit(f"{' '.join(argv)} gave {done.returncode}: {done.stderr.decode()[-500:]}")
    return took * 1000


def measure(rounds: int) -> dict[str, list[float]]:
    """Milliseconds by command; a first round that only warms caches is not counted."""
    times: defaultdict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([str(COSMOS), "init"], cwd=folder, check=True, capture_output=True)
        for number in range(rounds + 1):
            for name, argv in COMMANDS.items():
                took = milliseconds(argv, Path(folder))
                if number:
                    times[name].append(took)
    return times


def show(times: dict[str, list[float]]) -> None:
    """Print medians, 95th percentiles and ratios to bare Python and to click."""
    from rich.console import Console
    from rich.table import Table

    medians = {name: statistics.median(took) for name, took in times.items()}
    bare, click = list(medians.values())[:2]
    table = Table(title=f"Start-up, {len(times[YARDSTICK])} rounds, Python {sys.version.split()[0]}")
    table.add_column("command")
    for heading in ("median ms", "p95 ms", "x python", "x click"):
        table.add_column(heading, justify="right")
    for name, median in medians.items():
        p95 = statistics.quantiles(times[name], n=20)[-1]
        table.add_row(name, f"{median:.0f}", f"{p95:.0f}", f"{median / bare:.1f}", f"{median / click:.1f}")
    Console().print(table)


def main() -> None:
    """Measure and print."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--rounds", type=int, default=15)
    show(measure(words.parse_args().rounds))


if __name__ == "__main__":
    main()
