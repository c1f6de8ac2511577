"""The program of a model's image, without the model: ``python3 model.py -i SPEC... -o OUT``.

It behaves, and misbehaves, as ``examples/inference.py`` of Transfer 2.5 does: the echo of the arguments comes before any work, the
words go to standard output and, more of them, to ``debug.log``, a refusal exits with 0, an error ends all that come after.
Words in the prompt choose what goes wrong. Standard library only: nothing else is in the image.
"""

import argparse
import json
import os
import shutil
import signal
import sys
import time
from pathlib import Path

FLOOD = 10_000
"""Lines of a flood, a tenth of a megabyte each."""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-i", nargs="+", required=True)
    parser.add_argument("-o", required=True)
    asked = parser.parse_args()
    out = Path(asked.o)
    out.mkdir(parents=True, exist_ok=True)
    samples = [json.loads(Path(path).read_text("utf-8")) for path in asked.i]
    for index, sample in enumerate(samples, 1):
        say(out, f"[{index}/{len(samples)}] Processing sample {sample['name']}")
        work(sample, out)


def say(out, words, *, everywhere=True):
    line = time.strftime("[%m-%d %H:%M:%S|INFO|model.py:1:main] ") + words
    with (out / "debug.log").open("a", encoding="utf-8") as debug:
        debug.write(line + "\n")
    if everywhere:
        print(line, flush=True)


def work(sample, out):
    name, prompt = sample["name"], sample["prompt"]
    (out / f"{name}.json").write_text(json.dumps(sample), "utf-8")
    if "block-prompt" in prompt:
        print(
            "[01-01 00:00:00|CRITICAL|model.py:1:main] Guardrail blocked generation. Prompt: ...", flush=True
        )
        return
    misbehave(prompt)
    for step in range(35):
        sys.stderr.write(f"\rGenerating samples: {step * 100 // 35:3d}%|")
        print(f"line {name} {step}", flush=True)
        time.sleep(0.1 if "slow" in prompt else 0.0)
    if "block-video" in prompt:
        say(out, "GUARDRAIL BLOCKED", everywhere=False)
        return
    shutil.copy(Path("prepared", f"{name}.mp4"), out / f"{name}.mp4")
    (out / f"{name}.txt").write_text(prompt, "utf-8")


def misbehave(prompt):
    if "stubborn" in prompt:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while "hang" in prompt or "stubborn" in prompt:
        time.sleep(0.1)
    if "crash" in prompt:
        raise RuntimeError("torch.OutOfMemoryError: CUDA out of memory")
    if "hungry" in prompt:
        bytearray(1 << 30)
    if "flood" in prompt:
        for number in range(FLOOD):
            print(f"{number:08d} " + "x" * 99_990)
    if "token" in prompt:
        print(
            "token of",
            len(os.environ.get("HF_TOKEN", "")),
            len(os.environ.get("NGC_API_KEY", "")),
            flush=True,
        )


if __name__ == "__main__":
    main()
