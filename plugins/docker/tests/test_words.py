"""What is said to Docker: every word an element of a list, and no value of a secret among them."""

from __future__ import annotations

import csv
import io

import pytest
from cosmos_core_docker import words
from cosmos_core_docker.options import DockerOptions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosmos_core.errors import InputError, RefusedError
from cosmos_core.extend import Job
from cosmos_core.options import build

KEY = "b1234567/2/3"


def said(job=None, folder="/data/jobs/b", **options):
    """The words of a job's container."""
    job = job or Job(argv=("model",))
    return words.create(DockerOptions(**{"image": "model:1"} | options), job, KEY, folder, "w0")


def after(found, word):
    """What follows each *word*."""
    return [found[at + 1] for at, one in enumerate(found) if one == word]


def test_a_container_is_named_by_batch_attempt_and_fence():
    """A second container of the same key is refused by the engine itself."""
    assert ["cosmos-b1234567-a2-f3"] == after(said(), "--name")


@pytest.mark.parametrize("key", ["--rm/1/1", "b 1/1/1", "b\n/1/1"])
def test_a_key_that_makes_no_name_is_refused(key):
    """Docker's alphabet of names is small, and a name is never a flag."""
    try:
        name = words.name_of(key)
    except InputError:
        return
    assert name.startswith("cosmos-")
    assert not set(name) & set(" \n")


def test_labels_tell_whose_a_container_is():
    """Workspace, key, batch, attempt, fence and runs, for adoption and for sweeping."""
    labels = dict(each.split("=", 1) for each in after(said(Job(argv=("m",), runs=("r1", "r2"))), "--label"))

    assert {
        "cosmos.workspace": "w0",
        "cosmos.key": KEY,
        "cosmos.batch": "b1234567",
        "cosmos.attempt": "2",
        "cosmos.fence": "3",
        "cosmos.runs": "r1,r2",
    } == labels


def test_the_image_runs_the_launcher_in_the_mounted_folder():
    """The job folder has one path, inside and outside."""
    found = said(folder="/data/jobs/b")

    assert ["model:1", "python3", "-I", "-S", "/data/jobs/b/launcher.py", "/data/jobs/b"] == found[-6:]
    assert ["type=bind,source=/data/jobs/b,target=/data/jobs/b"] == after(found, "--mount")


def test_a_job_gets_the_gpus_of_its_slot_and_no_other():
    """By number; the quotes inside keep Docker from reading two lists."""
    job = Job(argv=("m",), gpus=(2, 3))

    assert ['"device=2,3"'] == after(said(job), "--gpus")
    assert [] == after(said(), "--gpus")


def test_a_host_without_gpus_by_flag_names_them_by_variable():
    """With a runtime of NVIDIA's, the variable does what the flag does."""
    found = said(Job(argv=("m",), gpus=(2, 3)), runtime="nvidia")

    assert ["nvidia"] == after(found, "--runtime")
    assert ["NVIDIA_VISIBLE_DEVICES=2,3"] == after(found, "--env")
    assert [] == after(found, "--gpus")


def test_values_of_a_job_are_not_said():
    """What a backend wants in the environment goes through the job's own file, and secrets by name or by file."""
    job = Job(argv=("m", "--token", "hidden1"), env={"X": "hidden2"})
    found = said(job, env=("HF_TOKEN",), env_file="/etc/cosmos.env")

    assert ["HF_TOKEN"] == after(found, "--env")
    assert not any("hidden" in each for each in found)
    assert "type=bind,source=/etc/cosmos.env,target=/run/cosmos/env,readonly" in after(found, "--mount")


def test_options_are_said_and_empty_ones_are_not():
    """Each has its flag."""
    found = said(memory="2g", shm_size="16g", ipc="host", network="none", run_as="1:2", extra=("--init",))

    for flag, value in {
        "--memory": "2g",
        "--memory-swap": "2g",
        "--shm-size": "16g",
        "--ipc": "host",
        "--network": "none",
        "--user": "1:2",
        "--pull": "never",
    }.items():
        assert [value] == after(found, flag)
    assert "--init" in found
    assert not {"--memory", "--shm-size", "--ipc", "--network", "--user", "--entrypoint"} & set(said())


@pytest.mark.parametrize(("option", "word"), [("none", ""), ("/bin/sh", "/bin/sh")])
def test_the_images_own_entry_point_can_be_left_out(option, word):
    """NVIDIA's images prepare their environment in theirs, so by default it stays."""
    assert [word] == after(said(entrypoint=option), "--entrypoint")


def test_an_image_may_have_another_name_on_a_host():
    """The host's own table comes first, then the job's word, then the host's default."""
    options = DockerOptions(image="mine:1", images={"nvcr.io/model:2": "local:2"})

    assert "local:2" == words.image_of(options, Job(argv=("m",), image="nvcr.io/model:2"))
    assert "other:3" == words.image_of(options, Job(argv=("m",), image="other:3"))
    assert "mine:1" == words.image_of(options, Job(argv=("m",)))


@pytest.mark.parametrize("image", ["", "--privileged"])
def test_a_job_without_an_image_is_refused(image):
    """A word that Docker would take for a flag is none either."""
    with pytest.raises(InputError):
        words.image_of(DockerOptions(), Job(argv=("m",), image=image))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(min_size=1).map("/".__add__))
def test_any_path_can_be_mounted(path):
    """Commas, quotes and line breaks in a folder's name stay one field of Docker's list."""
    _, line = words.bind(path, path, "ro")
    (fields,) = csv.reader(io.StringIO(line, newline=""))

    assert ["type=bind", f"source={path}", f"target={path}", "readonly"] == fields


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mounts", ["relative:/x"]),
        ("mounts", ["/only"]),
        ("mounts", ["/a:/b:rx"]),
        ("mounts", ["/a:/b:ro:z"]),
        ("env", ["HF_TOKEN=hf_secret"]),
        ("env", ["--privileged"]),
        ("env_file", "relative"),
        ("pull", "sometimes"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(name, value):
    """A variable's value has no place in the settings, nor has a path that depends on where one stands."""
    with pytest.raises(RefusedError) as refused:
        build(DockerOptions, {name: value}, where="hosts.gpu1.options")

    assert f"hosts.gpu1.options.{name}" in refused.value.findings[0].message
