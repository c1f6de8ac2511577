"""``cosmos reason serve``: a server on a host, a way to it, and an end of it. The server is scripted; all else is real."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import cosmos_core_reason.testing
import pytest
from cosmos_core_reason import serving
from cosmos_core_reason.chat import Chat
from cosmos_core_reason.options import Endpoint

from cosmos_core import launcher
from cosmos_core.errors import CosmosError
from cosmos_core.testing.sshd import sshd as sshd  # noqa: PLC0414  (a fixture)
from cosmos_core.work import sweep

ENDPOINT = Path(cosmos_core_reason.testing.__file__).with_name("endpoint.py")


@pytest.fixture
def port():
    """A port that nobody listens on, nor on the next."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free, suppress(OSError):
            number = free.getsockname()[1]
            with socket.create_server(("127.0.0.1", number + 1)):
                return number


@pytest.fixture
def vllm(tmp_path):
    """``vllm(python)``: a program that takes vLLM's words and follows a script."""

    def made(python=sys.executable):
        path = tmp_path / "bin" / "vllm"
        path.parent.mkdir()
        path.write_text(f"#!{python}\n{ENDPOINT.read_text('utf-8')}", "utf-8")
        path.chmod(0o755)
        return path

    return made


@pytest.fixture
def serve(cosmos, port):
    """``serve("local", "--vllm", …)``: the command as a process that is ended after the test."""
    begun = []

    def start(host, *words):
        argv = [
            sys.executable,
            "-m",
            "cosmos_core.cli",
            "reason",
            "serve",
            host,
            "--port",
            str(port),
            *map(str, words),
        ]
        begun.append(
            subprocess.Popen(
                argv, cwd=cosmos.workspace.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
            )
        )
        return begun[-1]

    yield start
    for process in begun:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=60)


def ready(process):
    line = process.stdout.readline()
    assert line.startswith("ready: "), line + process.stderr.read()
    return line


def models(port):
    try:
        with Chat(Endpoint(url=f"http://127.0.0.1:{port}/v1", key_env="", timeout=5.0, tries=1)) as chat:
            return chat.models()
    except CosmosError:
        return ()


def add_host(cosmos, name, **table):
    options = table.pop("options", {})
    with cosmos.workspace.settings.open("a") as out:
        for head, facts in ((name, table), (f"{name}.options", options)):
            out.write(
                f"\n[hosts.{head}]\n"
                + "".join(f"{key} = {json.dumps(said)}\n" for key, said in facts.items())
            )


def far(cosmos, tmp_path, request):
    made = request.getfixturevalue("sshd").host()
    add_host(
        cosmos,
        "far",
        transport="sftp",
        address=made.address,
        root=str(tmp_path / "far"),
        options=dict(made.options),
    )
    return sys.executable


def box(cosmos, tmp_path, request):
    dockerd = request.getfixturevalue("dockerd")
    folder = tmp_path / "bin"
    options = {
        "docker_host": dockerd.address,
        "images": {serving.IMAGE: dockerd.python_image()},
        "mounts": [f"{folder}:{folder}:ro"],
    }
    images = options.pop("images")
    add_host(cosmos, "box", transport="docker", root=str(tmp_path / "box"), options=options)
    add_host(cosmos, "box.options.images", **{json.dumps(name): said for name, said in images.items()})
    return "/usr/bin/python3"


def here(*_):
    return sys.executable


@pytest.mark.parametrize(("host", "prepare"), [("local", here), ("far", far), ("box", box)])
def test_a_server_is_started_led_to_and_stopped(cosmos, serve, vllm, port, tmp_path, request, host, prepare):
    """
    On this machine, at the end of a line, in a container: it answers here, and Ctrl-C leaves nothing of it.
    """
    words = ["--vllm", vllm(prepare(cosmos, tmp_path, request))]
    # The far host is this very machine, where both ends would want one port.
    process = serve(host, *words, *(["--host-port", port + 1] if host == "far" else []))

    assert f"nvidia/Cosmos-Reason2-2B at http://127.0.0.1:{port}/v1" in ready(process)
    assert ("nvidia/Cosmos-Reason2-2B",) == models(port)
    (note,) = cosmos.workspace.servers.iterdir()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert 0 == process.returncode, err
    assert f"stopped on {host}" in err
    assert () == models(port) == models(port + 1)
    assert not note.exists()


def test_a_program_hears_one_object_when_the_server_is_ready(serve, vllm, port):
    """
    In one line, at once, and nothing after it when it is stopped.
    """
    process = serve("local", "--vllm", vllm(), "--json")
    facts = json.loads(process.stdout.readline())
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)

    assert (f"http://127.0.0.1:{port}/v1", ["nvidia/Cosmos-Reason2-2B"]) == (facts["url"], facts["models"])
    assert (0, "") == (process.returncode, out), err


def test_a_server_whose_command_was_killed_is_found_again(cosmos, serve, vllm, port):
    """
    It goes on, no worker's sweep takes it for a lost job, and the next command leads to it and ends it.
    """
    program = vllm()
    first = serve("local", "--vllm", program)
    ready(first)
    first.kill()
    first.communicate()
    (local,) = cosmos.settings.each_host()
    (job,) = cosmos.workspace.state.rglob(f"serve-*/{launcher.JOB}")
    os.utime(job, (time.time() - 3600,) * 2)
    sweep(cosmos.site, local)
    assert models(port)
    second = serve("local", "--vllm", program)
    ready(second)
    second.send_signal(signal.SIGTERM)
    _, err = second.communicate(timeout=60)

    assert "left running" in err
    assert () == models(port)


def test_a_server_that_dies_is_told_with_its_last_words(serve, tmp_path):
    """
    Nobody waits half an hour for what has ended.
    """
    program = tmp_path / "vllm"
    program.write_text("#!/bin/sh\necho CUDA out of memory\nexit 3\n")
    program.chmod(0o755)
    process = serve("local", "--vllm", program)
    _, err = process.communicate(timeout=60)

    assert 7 == process.returncode
    assert "ended with code 3" in err
    assert "CUDA out of memory" in err


def test_a_port_that_is_taken_is_refused(serve, vllm, port, endpoint):
    """
    Another's model would pass for ours.
    """
    process = serve("local", "--vllm", vllm(), "--port", endpoint.port)
    _, err = process.communicate(timeout=60)

    assert 2 == process.returncode
    assert "something serves already" in err


def test_a_server_listens_on_loopback_alone_and_its_words_are_a_list():
    """
    Each model has the words that NVIDIA gives it; nothing goes through a shell.
    """
    job = serving.job("reason2-8b", port=8000, gpus=(2, 3), extra=("--seed", "1; touch x"))

    assert ("vllm", "serve", "nvidia/Cosmos-Reason2-8B", "--host", "127.0.0.1", "--port", "8000") == job.argv[
        :7
    ]
    assert ("--tensor-parallel-size", "2", "--seed", "1; touch x") == job.argv[-4:]
    assert ((2, 3), True) == (job.gpus, job.serves)


def test_time_passes_while_a_server_serves(serve, vllm, port):
    """
    It is watched, and answers later too.
    """
    process = serve("local", "--vllm", vllm())
    ready(process)
    time.sleep(3)

    assert process.poll() is None
    assert models(port)
