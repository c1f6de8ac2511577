"""The models' stand-ins where the models run: behind a real SSH server, and in real containers.

What each misbehaviour ends in is asked of every model in its plugin's tests, on this machine. Here the same programs
are somewhere else, so that folders, environments and logs must travel.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
import pytest
from cosmos_core_transfer.testing import install

from cosmos_core import Cosmos
from cosmos_core.run import State
from cosmos_core.submission import Ask
from cosmos_core.testing.media import make_clip
from cosmos_core.testing.sshd import sshd as sshd  # noqa: PLC0414  (a fixture)
from cosmos_core.work import Worker

PLUGINS = Path(__file__).parents[2] / "plugins"
PREDICT = PLUGINS / "predict/tests/double.py"
COSMOS3 = PLUGINS / "cosmos3/tests"
SETTINGS = """
[hosts.local]
slots = 0

[hosts.gpu]
gpus = 1
gpu = "h200"
stagger = 0.0
"""
# What the stand-ins' checkout has as shell scripts; not every container has a shell.
PROGRAMS = {
    "python": """#!{python}
import os, sys
os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
""",
    "torchrun": """#!{python}
import os, sys
first = next(at for at, word in enumerate(sys.argv) if word.endswith(".py"))
os.execve(sys.executable, [sys.executable, *sys.argv[first:]], os.environ | {{"WORLD_SIZE": "1", "RANK": "0", "LOCAL_RANK": "0"}})
""",
}


@pytest.fixture
def checkouts(tmp_path):
    """A folder with what a host has of each model, all of it stand-ins."""
    folder = install(tmp_path / "host")
    for name, program in PROGRAMS.items():
        (folder / "bin" / name).write_text(program.format(python=sys.executable))
    (folder / "predict/examples").mkdir(parents=True)
    shutil.copy(PREDICT, folder / "predict/examples/inference.py")
    for name in ("cosmos_framework/scripts", "torch/distributed"):
        (folder / "site" / name).mkdir(parents=True)
    for package in ("cosmos_framework", "cosmos_framework/scripts", "torch", "torch/distributed"):
        (folder / "site" / package / "__init__.py").touch()
    double = (COSMOS3 / "framework_double.py").read_text().replace("@VIDEO@", str(folder / "video.py"))
    shutil.copy(COSMOS3 / "video.py", folder)
    (folder / "site/cosmos_framework/scripts/inference.py").write_text(double)
    shutil.copy(COSMOS3 / "torchrun_double.py", folder / "site/torch/distributed/run.py")
    return folder


@pytest.fixture
def server(checkouts):
    """The address of a vLLM-Omni stand-in that runs on the host."""
    words = [sys.executable, str(COSMOS3 / "omni_double.py"), "0", str(checkouts)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        process.kill()


@pytest.fixture
def environment(checkouts, server):
    """What a host's environment says about where the models are."""
    return {
        "COSMOS_PREDICT25_REPO": str(checkouts / "predict"),
        "COSMOS_PREDICT25_PYTHON": sys.executable,
        "COSMOS_FRAMEWORK_PYTHON": sys.executable,
        "COSMOS_OMNI_SERVER": server,
        "COSMOS_OMNI_POLL": "0.05",
        "PYTHONPATH": str(checkouts / "site"),
    }


@pytest.fixture
def behind_sshd(sshd, environment, tmp_path):
    """The table of a host behind the server; its environment is that of the account, as its shell sets it."""
    words = " ".join(f'{name}="{value}"' for name, value in environment.items())
    served = sshd.folder / "sshd_config"
    served.write_text(served.read_text().replace("\nSetEnv ", f"\nSetEnv {words} "))
    sshd.stop()
    sshd.start()
    options = {"config": str(sshd.config), "python": sys.executable}
    return {"transport": "sftp", "address": "gpu", "root": str(tmp_path / "far"), "options": options}


@pytest.fixture
def in_containers(dockerd, environment, checkouts, monkeypatch):
    """The table of a host with an engine; what the stand-ins need of this machine is mounted at its own place."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    seen = dict.fromkeys([str(checkouts), sys.prefix, sys.base_prefix, "/usr/lib"])
    options = {
        "docker_host": dockerd.address,
        "image": dockerd.python_image(),
        "mounts": [f"{folder}:{folder}:ro" for folder in seen],
        "env": list(environment),
        # For the server; and no engine here has NVIDIA's toolkit, which --gpus would ask for.
        "network": "host",
        "runtime": "runc",
    }
    return {"transport": "docker", "options": options}


@pytest.fixture(params=["behind_sshd", "in_containers"])
def cosmos(cosmos, checkouts, request):
    """The workspace, whose one host with a GPU is somewhere else."""
    table = request.getfixturevalue(request.param)
    with cosmos.workspace.settings.open("a") as file:
        file.write(SETTINGS)
        file.writelines(f"{name} = {json.dumps(table[name])}\n" for name in table.keys() - {"options"})
        file.write("[hosts.gpu.options]\n")
        file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in table["options"].items())
        for backend in ("transfer2.5", "transfer1", "pixtral"):
            at = {"repo": str(checkouts), "python": str(checkouts / "bin/python")}
            file.write(f'[plugins."{backend}"]\n')
            file.writelines(f"{name} = {json.dumps(value)}\n" for name, value in at.items())
    cosmos.close()
    with Cosmos(cosmos.workspace.root) as opened:
        yield opened


@pytest.fixture
def ask(cosmos):
    """``ask("a street", "transfer2.5")``: a small request for one of the models."""
    street = make_clip(cosmos.workspace.clips / "street", frames=25, width=64, height=36)
    small = {"predict2.5": {"resolution": "64,128"}, "cosmos3": {"resolution": "256"}}
    small["cosmos3-omni"] = small["cosmos3"]

    def asked(prompt, backend, seed):
        ask = Ask(prompt=prompt, backend=backend, seed=seed, options=small.get(backend, {}))
        if backend in {"predict2.5", "cosmos3-omni"}:
            return ask
        # Cosmos 3's stand-in sees no colour, so it draws other edges; at such a weight nobody asks for them.
        weights = {"edge": 0.2, "depth": 0.8} if backend == "cosmos3" else {"edge": 0.6, "depth": 0.4}
        return attrs.evolve(ask, clip=str(street), weights=weights)

    return asked


# What a prompt makes the program do, and how that ends.
ENDS = {
    "transfer2.5": {"block-video": State.BLOCKED, "pointer": State.REJECTED, "crash": State.FAILED},
    "transfer1": {"pointer": State.REJECTED, "crash": State.FAILED},
    "predict2.5": {"block-prompt": State.BLOCKED, "truncated": State.REJECTED, "oom": State.FAILED},
    "cosmos3": {"block": State.BLOCKED, "truncated": State.REJECTED, "crash": State.FAILED},
    "cosmos3-omni": {"block-prompt": State.BLOCKED, "fail": State.FAILED},
}


@pytest.mark.parametrize("backend", ENDS)
def test_a_model_on_another_machine_ends_as_it_does_here(cosmos, ask, backend):
    """
    What is good is sealed, and what is not has the ending that the program's own files and log say.
    """
    wanted = {"a street in fog": State.SEALED, **ENDS[backend]}
    asks = [ask(prompt, backend, seed) for seed, prompt in enumerate(wanted, 1)]
    runs = cosmos.submit_many(asks)
    Worker(cosmos.site).work(until_idle=True)
    found = [cosmos.store.run(run.id) for run in runs]

    assert wanted == {run.spec.prompt.text: run.state for run in found}, [run.reason for run in found]


def test_a_prompt_is_rewritten_on_another_machine(cosmos):
    """
    Its clip travels there, the model's words come back, and nothing is left of the job.
    """
    street = make_clip(cosmos.workspace.clips / "street", frames=2, width=64, height=36)
    saved = cosmos.create_prompt("a street in fog", street, name="street")
    _, text, _ = cosmos.enhance_prompt(saved.ref, "pixtral", host="gpu")

    assert text.startswith(
        "The video shows a street in fog. Upsampled prompt: it is filmed slowly, in 2 pictures"
    )
    assert () == cosmos.store.leases()
