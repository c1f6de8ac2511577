"""Stands in for NVIDIA's examples/inference.py of Predict 2.5, and misbehaves as it does.

Words in a prompt choose what goes wrong: ``block-prompt``, ``block-video``, ``block-silent``, ``crash``, ``oom``, ``hang``,
``truncated``, ``pointer``, ``same-bytes``, ``echo-other``, ``fails-open``. In standard mode it makes 93 frames at 16 a second,
whatever was asked. Written from the interface's description; no line of it is NVIDIA's.
"""

import hashlib
import importlib.util
import json
import os
import sys
import time
from pathlib import Path

BARE = {
    "--disable-guardrails", "--offload-guardrail-models", "--no-offload-guardrail-models", "--offload-diffusion-model",
    "--offload-tokenizer", "--offload-text-encoder", "--keep-going", "--no-keep-going", "--skip-existing-output",
    "--profile",
}  # fmt: skip
VALUED = {
    "--model", "--checkpoint-path", "--experiment", "--config-file", "--context-parallel-size",
    # overrides: typed as optional strings, so that even a boolean wants a value
    "--prompt", "--negative-prompt", "--seed", "--guidance", "--inference-type", "--input-path", "--resolution",
    "--num-output-frames", "--num-steps", "--enable-autoregressive", "--chunk-size", "--chunk-overlap",
}  # fmt: skip
MODELS = ("2B/pre-trained", "2B/post-trained", "2B/distilled", "14B/pre-trained", "14B/post-trained")
ALLOWED = {
    "name", "inference_type", "prompt", "prompt_path", "negative_prompt", "input_path", "resolution", "num_output_frames",
    "num_steps", "enable_autoregressive", "chunk_size", "chunk_overlap", "seed", "guidance",
}  # fmt: skip


def parse(words):
    """The arguments as tyro reads them: ``-i`` takes several, a second one replaces the first."""
    found = {"-i": [], "-o": "", "--model": "2B/post-trained", "bare": set()}
    words = list(words)
    while words:
        word = words.pop(0)
        if word == "-i":
            found["-i"] = []
            while words and not words[0].startswith("-"):
                found["-i"].append(words.pop(0))
        elif word == "-o" or word in VALUED:
            if not words or words[0].startswith("-"):
                refuse(f"{word}: expected 1 argument")
            found[word] = words.pop(0)
        elif word in BARE:
            found["bare"].add(word)
        else:
            refuse(f"Unrecognized options: {word}")
    if not found["-i"] or not found["-o"]:
        refuse("the following arguments are required: -i, -o")
    if found["--model"] not in MODELS:
        refuse(f"--model: invalid choice {found['--model']!r}")
    return found


def refuse(why):
    print(why, file=sys.stderr)
    sys.exit(2)


def load(paths):
    samples = []
    for path in map(Path, paths):
        text = path.read_text()
        objects = (
            [json.loads(line) for line in text.splitlines() if line]
            if path.suffix == ".jsonl"
            else [json.loads(text)]
        )
        for index, found in enumerate(objects):
            if set(found) - ALLOWED or not {"name", "inference_type"} <= set(found):
                print(f"Error validating parameters from '{path}' at line {index}", file=sys.stderr)
                sys.exit(1)
            needs_input = found["inference_type"] != "text2world"
            if needs_input and not (path.parent / found.get("input_path", "-")).is_file():
                print(
                    f"Error validating parameters from '{path}' at line {index}: input_path", file=sys.stderr
                )
                sys.exit(1)
            samples.append(found)
    names = [sample["name"] for sample in samples]
    if len(names) != len(set(names)):
        print("Error: Inference samplename is not unique", file=sys.stderr)
        sys.exit(1)
    return samples


class Log:
    """Two channels: what a module of ``_src`` says reaches only debug.log, unless COSMOS_VERBOSE is set."""

    def __init__(self, out):
        self.console = (out / "console.log").open("w")
        self.debug = (out / "debug.log").open("w")

    def say(self, text, level="INFO", *, hidden=False):
        line = f"[11-25 10:00:00|{level}|cosmos_predict2/inference.py:1:generate] {text}\n"
        self.debug.write(line)
        self.debug.flush()
        if not hidden:
            self.console.write(line)
            self.console.flush()
        if not hidden or os.environ.get("COSMOS_VERBOSE") == "1":
            sys.stdout.write(line)
            sys.stdout.flush()


class InferenceArguments:
    """A sample. Reading a file goes to its folder, comes back, and exits when it is wrong."""

    def __init__(self, found):
        self.found = found
        self.name = found["name"]

    @classmethod
    def from_files(cls, paths):
        return [cls(found) for found in load(paths)]


class Inference:
    """The loaded model."""

    def __init__(self, setup):
        out = Path(setup["-o"])
        out.mkdir(parents=True, exist_ok=True)
        self.log = Log(out)
        self.log.say("Loading the model")
        self.guarded = "--disable-guardrails" not in setup["bare"]
        (out / "config.yaml").write_text("model: {}\n")

    def generate(self, samples, output_dir):
        self.log.say(f"Generating {len(samples)} samples: {[sample.name for sample in samples]}")
        for index, sample in enumerate(samples, 1):
            self.log.say(f"[{index}/{len(samples)}] Processing sample {sample.name}")
            generate(sample.found, Path(output_dir), self.log, guarded=self.guarded)


def main():
    found = parse(sys.argv[1:])
    samples = InferenceArguments.from_files(found["-i"])
    sys.path.insert(0, str(Path(__file__).parents[1]))
    model = Inference
    if importlib.util.find_spec("cosmos_predict2"):
        # As the original does: late, so that a wrong file is refused before anything is loaded.
        model = importlib.import_module("cosmos_predict2.inference").Inference
    model(found).generate(samples, output_dir=Path(found["-o"]))


def generate(sample, out, log, *, guarded):
    name, prompt = sample["name"], sample.get("prompt", "")
    echo = dict(sample, seed=sample.get("seed", 0) + 1) if "echo-other" in prompt else sample
    (out / f"{name}.json").write_text(json.dumps(echo))
    log.say(f"Saved arguments to out/{name}.json")
    if not guard(prompt, log, guarded=guarded):
        return
    frames = 93
    if sample.get("enable_autoregressive"):
        log.say("Generating video with autoregressive mode...")
        frames = sample.get("num_output_frames", 77)
        chunk, overlap = sample.get("chunk_size", 77), sample.get("chunk_overlap", 1)
        chunks = 1 if frames <= chunk else 1 - (chunk - frames) // (chunk - overlap)
        for k in range(chunks):
            log.say(f"Processing chunk {k + 1}/{chunks}, frames 0-0", hidden=True)
            steps()
    else:
        log.say("Generating video with standard mode...")
        steps()
    misbehave(prompt)
    if guarded:
        log.say("Running guardrail check on video...")
        if "block-silent" in prompt:
            return
        if "block-video" in prompt:
            log.say("Guardrail blocked video2world generation.", "CRITICAL")
            return
        log.say("Passed guardrail on generated video", "SUCCESS")
    save(sample, frames, out / f"{name}.mp4")
    log.say(f"Saved video to out/{name}.mp4", "SUCCESS")


def guard(prompt, log, *, guarded):
    if not guarded:
        log.say("Guardrail checks on prompt are disabled", "WARNING")
        return True
    if "fails-open" in prompt:
        log.say("No safety models found, returning safe", "WARNING", hidden=True)
    if "block-prompt" in prompt:
        log.say(f"Guardrail blocked text2world generation. Prompt: {prompt}", "CRITICAL")
        return False
    log.say("Passed guardrail on prompt", "SUCCESS")
    return True


def steps():
    for step in (0, 18, 35):
        sys.stderr.write(f"\rGenerating samples: {step * 100 // 35:3d}%|###| {step}/35 [00:01<00:01]")
    sys.stderr.write("\n")
    sys.stderr.flush()


def misbehave(prompt):
    if "crash" in prompt:
        raise RuntimeError("CUDA error: an illegal memory access was encountered")
    if "oom" in prompt:
        sys.stderr.write("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.\n")
        sys.exit(1)
    while "hang" in prompt:
        time.sleep(0.1)


def save(sample, frames, path):
    prompt = sample.get("prompt", "")
    digest = hashlib.sha256(json.dumps(dict(sample, name=""), sort_keys=True).encode()).hexdigest()
    if "pointer" in prompt:
        path.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{digest}\nsize 598000\n")
        return
    if "same-bytes" in prompt:
        frames, digest = 93, "0" * 64
    height, width = (
        map(int, size.split(",")) if (size := sample.get("resolution", "none")) != "none" else (704, 1280)
    )
    encode(path, frames, width, height, seed=int(digest[:12], 16))
    if "truncated" in prompt:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def encode(path, frames, width, height, seed):
    import av
    import numpy as np

    tile = max(8, width // 16)
    random = np.random.default_rng(seed)
    tiles = random.integers(30, 226, (height // tile + 1, width // tile + 1, 3), dtype=np.uint8)
    picture = tiles.repeat(tile, 0).repeat(tile, 1)[:height, :width]
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as file:
        stream = file.add_stream("libx264", rate=16, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            moved = np.ascontiguousarray(np.roll(picture, index * 4, axis=1))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(moved, format="rgb24")))
        file.mux(stream.encode(None))


if __name__ == "__main__":
    main()
