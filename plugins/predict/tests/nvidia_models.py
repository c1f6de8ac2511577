"""Load parameter files, and parse arguments, with NVIDIA's own models, without a GPU and without torch.

    python nvidia_models.py REPO FILE [ARGUMENT …]

Prints what its model made of FILE and of the arguments, as JSON. The Python needs pydantic, tyro, PyYAML, loguru and
typing_extensions. One process a repository: two of them ship a package of one name.
"""

import importlib.util
import json
import sys
import types
from pathlib import Path

repo, file, *words = sys.argv[1:]
for folder in (Path(repo), *sorted(Path(repo, "packages").glob("*"))):
    sys.path.insert(0, str(folder))

# The configuration asks torch whether it is distributed, and nothing else.
distributed = types.ModuleType("torch.distributed")
distributed.is_available = distributed.is_initialized = lambda: False
distributed.ProcessGroup = object
torch = types.ModuleType("torch")
torch.distributed, torch.__path__ = distributed, []
sys.modules["torch"], sys.modules["torch.distributed"] = torch, distributed

from cosmos_predict2.config import InferenceArguments  # noqa: E402  (after the stand-ins)

samples = [sample.model_dump(mode="json") for sample in InferenceArguments.from_files([Path(file)])]

spec = importlib.util.spec_from_file_location("examples_inference", Path(repo, "examples", "inference.py"))
module = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = module
spec.loader.exec_module(module)
# tyro would look into the stand-in.
for name in [name for name in sys.modules if name.partition(".")[0] == "torch"]:
    del sys.modules[name]

import tyro  # noqa: E402

parsed = tyro.cli(module.Args, args=words, config=(tyro.conf.OmitArgPrefixes,))
setup = {key: str(value) for key, value in parsed.setup.model_dump().items()}
print(json.dumps({"samples": samples, "files": [str(path) for path in parsed.input_files], "setup": setup}))
