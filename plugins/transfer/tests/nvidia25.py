"""Ask NVIDIA's own models what they make of spec files and a command line: ``nvidia25.py REPO``, the question on stdin.

Runs in a process of its own, in an environment with pydantic and tyro and without torch: two empty modules stand in for
it while the models are imported. ``from_files`` changes the working directory and exits on an error.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import types
from pathlib import Path


def _import(repo):
    distributed = types.ModuleType("torch.distributed")
    distributed.is_available = distributed.is_initialized = lambda: False
    distributed.ProcessGroup = object
    torch = types.ModuleType("torch")
    torch.distributed, torch.__path__ = distributed, []
    sys.modules["torch"], sys.modules["torch.distributed"] = torch, distributed
    sys.path[:0] = [str(repo), *(str(repo / "packages" / name) for name in ("cosmos-oss", "cosmos-cuda"))]
    from cosmos_transfer2 import config

    spec = importlib.util.spec_from_file_location("inference_script", repo / "examples" / "inference.py")
    script = importlib.util.module_from_spec(spec)
    sys.modules["inference_script"] = script
    spec.loader.exec_module(script)
    # tyro asks whether torch was imported, and would use the empty one.
    for name in [name for name in sys.modules if name == "torch" or name.startswith("torch.")]:
        del sys.modules[name]
    return config, script


def main():
    asked = json.load(sys.stdin)
    config, script = _import(Path(sys.argv[1]))
    answer = {}
    here = Path.cwd()
    if "argv" in asked:
        import tyro

        args = tyro.cli(script.Args, args=asked["argv"], config=(tyro.conf.OmitArgPrefixes,))
        asked["files"] = [str(path) for path in args.input_files]
        overrides = {name: value for name, value in args.overrides.model_dump().items() if value is not None}
        answer |= {"setup": json.loads(args.setup.model_dump_json()), "overrides": overrides}
    samples, hints = config.InferenceArguments.from_files([Path(name) for name in asked["files"]])
    os.chdir(here)
    answer |= {"samples": [json.loads(sample.model_dump_json()) for sample in samples], "hints": hints}
    print("ANSWER" + json.dumps(answer))


if __name__ == "__main__":
    main()
