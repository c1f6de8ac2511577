"""Stands in for cosmos_framework.scripts.inference, and misbehaves as it does.

Words in a prompt choose what goes wrong: ``block``, ``crash``, ``oom``, ``skip``, ``echo-other``, ``no-video``, ``truncated``. A transfer is as
long as its first control and at the spec's rate, whatever ``num_frames`` says; no guardrail runs on it. Written from
the interface's description; no line of it is NVIDIA's.
"""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path

BARE = {"--keep-going", "--no-keep-going", "--guardrails", "--no-guardrails", "--skip-invalid-samples"}
VALUED = {"--checkpoint-path", "--parallelism-preset", "--seed"}
SIZES = {"720": (1280, 720), "480": (832, 480), "256": (320, 192)}


def parse(words):
    found = {"-i": [], "-o": "", "bare": set()}
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "-i":
            found["-i"] = []
            while words and not words[0].startswith("-"):
                found["-i"].append(words.pop(0))
        elif word == "-o" or word in VALUED:
            found[word] = words.pop(0)
        elif word in BARE:
            found["bare"].add(word)
        else:
            print(f"Unrecognized options: {word}", file=sys.stderr)
            sys.exit(2)
    return found


def main():
    found = parse(sys.argv[1:])
    out = Path(found["-o"])
    samples = [
        json.loads(line) for path in found["-i"] for line in Path(path).read_text().splitlines() if line
    ]
    print(f"[11-25 10:00:00|INFO] Loaded {len(samples)} samples", flush=True)
    for sample in samples:
        try:
            generate(sample, out / sample["name"])
        except ValueError as error:
            message = f"Error generating sample '{sample['name']}': {error}"
            if "--keep-going" not in found["bare"]:
                raise ValueError(message) from error
            print(f"[11-25 10:00:00|ERROR] {message}", flush=True)


def generate(sample, own):
    own.mkdir(parents=True)
    (own / "sample_args.json").write_text(json.dumps(sample))
    print(f"[11-25 10:00:00|INFO] Saved sample args to '{own}/sample_args.json'", flush=True)
    prompt = sample["prompt"]
    if "block" in prompt:
        raise ValueError(f"Guardrail blocked prompt '{own}': '{prompt}'")
    if "crash" in prompt:
        raise RuntimeError("NCCL error")
    if "oom" in prompt:
        sys.stderr.write("torch.OutOfMemoryError: CUDA out of memory.\n")
        sys.exit(1)
    if "skip" in prompt:
        said = {
            "args": sample,
            "status": "skip",
            "message": "Skipping sample: no such modality",
            "outputs": [],
        }
        (own / "sample_outputs.json").write_text(json.dumps(said))
        return
    if "no-video" not in prompt:
        save(sample, own / "vision.mp4")
    echo = dict(sample, seed=sample["seed"] + 1) if "echo-other" in prompt else sample
    said = {"args": echo, "status": "success", "message": None, "stack_trace": None, "outputs": []}
    (own / "sample_outputs.json").write_text(json.dumps(said))
    print(f"[11-25 10:00:00|SUCCESS] Saved transfer outputs to '{own}/sample_outputs.json'", flush=True)


def save(sample, path):
    hints = [sample[key] for key in ("edge", "blur", "depth", "seg", "wsm") if key in sample]
    frames = min(frames_of(hints[0]["control_path"]), sample.get("max_frames", 5000))
    width, height = SIZES[sample["resolution"]]
    digest = hashlib.sha256(json.dumps(dict(sample, name=""), sort_keys=True).encode()).hexdigest()
    encode(path, frames, width, height, sample["fps"], int(digest[:12], 16))
    if "truncated" in sample["prompt"]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def frames_of(path):
    import av

    with av.open(path) as file:
        return file.streams.video[0].frames


def encode(*args):
    source = Path(VIDEO)
    spec = importlib.util.spec_from_file_location("video", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.encode(*args)


VIDEO = "@VIDEO@"

if __name__ == "__main__":
    main()
