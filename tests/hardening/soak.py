"""Work a queue of one-frame clips in this process: ``python soak.py WORKSPACE``. A line of JSON a sealed run, then p95.

Each line holds the resident memory after that seal, in bytes. The last one holds how long a run that is submitted to a
worker with nothing to do waits until it is placed, in seconds, the 95th percentile.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from cosmos_core import Cosmos, hookimpl
from cosmos_core.work import Worker


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


class Memory:
    @hookimpl
    def cosmos_artifact_sealed(self) -> None:
        # In one piece: listeners of two slots speak at the same time.
        sys.stdout.write(json.dumps({"resident": resident()}) + "\n")
        sys.stdout.flush()


def latencies(cosmos: Cosmos, samples: int) -> list[float]:
    waits = []
    worker = Worker(cosmos.site)
    thread = threading.Thread(target=worker.work)
    thread.start()
    for _ in range(samples):
        run = cosmos.submit("block-prompt", backend="double", frames=1)
        began = time.monotonic()
        while cosmos.store.run(run.id).state == "queued":
            time.sleep(0.005)
        waits.append(time.monotonic() - began)
        while not cosmos.store.run(run.id).state.is_final:
            time.sleep(0.02)
    worker.stop()
    thread.join()
    return waits


def main(root: str, samples: str) -> None:
    with Cosmos(root) as cosmos:
        cosmos.plugins.register("memory", Memory())
        Worker(cosmos.site).work(until_idle=True)
        waits = sorted(latencies(cosmos, int(samples)))
        print(json.dumps({"p95": waits[int(0.95 * len(waits))]}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
