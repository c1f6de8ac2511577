"""Words are data: whatever stands in names, prompts, arguments and environments, nothing interprets it; and no secret is told."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cosmos_core.extend import Exit, Job, JobFile
from cosmos_core.run import State

NASTY = [
    "; touch outside",
    "$(touch outside)",
    "`id`",
    "it's",
    '"',
    "\n",
    "--rm",
    "--privileged",
    "../..",
    "{{.}}",
    "%s",
    "\\",
    ",",
]
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20) | st.lists(
    st.sampled_from(NASTY), min_size=1, max_size=4
).map("".join)
NAME = TEXT.map(lambda text: text.replace("/", "-").encode()[:200].decode("utf-8", "ignore")).filter(
    lambda name: name not in {"", ".", ".."}
)
ECHO = """
import json, os, sys
os.makedirs("outputs")
name = json.load(open("asked.json"))
with open("outputs/" + name, "w") as out: out.write(name)
print(json.dumps([sys.argv[1:], os.environ["ODD"], os.listdir(".")]))
"""

CANARIES = {"HF_TOKEN": "hf_canaryAAAA1111", "NGC_API_KEY": "nvapi-canaryBBBB2222"}
BACKENDS_OWN = "canaryCCCC3333"


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(arguments=st.lists(TEXT, max_size=5), value=TEXT, name=NAME, prompt=TEXT)
def test_whatever_words_a_job_has_they_arrive_as_data(
    session, end_of, says, tmp_path, arguments, value, name, prompt
):
    """Arguments, environment, the name of an output and a label that holds anything, through a real container."""
    key = f"hostile{time.monotonic_ns()}/1/1"
    files = (JobFile(name="asked.json", content=json.dumps(name).encode()),)
    job = Job(argv=("python3", "-c", ECHO, *arguments), files=files, env={"ODD": value}, runs=(prompt,))
    handle = session.put(job, key)
    session.start(handle, job)
    status = end_of(session, handle)
    said = says(session, handle)
    home = tmp_path / key.replace("/", "-")
    placed = session.get(handle, ["outputs"], home)
    session.remove(handle)

    assert Exit(code=0) == status.exit, said
    told, odd, lying = json.loads(said)
    assert (arguments, value) == (told, odd)
    assert "outside" not in lying
    assert [(f"outputs/{name}", name)] == [(each.name, each.path.read_text()) for each in placed]
    assert [home / "outputs" / name] == [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize("folder", ['a, "b" $(touch outside);', "it's a\nfolder", "--volume"])
def test_a_job_s_folder_may_have_any_name(dockerd, image, tmp_path, end_of, folder):
    """A workspace lies where its owner put it, and its path is one word of a list."""
    from cosmos_core_docker.options import DockerOptions
    from cosmos_core_docker.session import DockerSession

    from cosmos_core.builtin.local.session import LocalSession
    from cosmos_core.extend import Host

    options = DockerOptions(docker_host=dockerd.address, image=image)
    below = LocalSession.open(Host(name="odd", root=str(tmp_path / folder)), tmp_path / "state")
    session = DockerSession.lay(below, Host(name="odd", options=options), tmp_path / "state")
    job = Job(argv=("python3", "-c", "print('ran')"))
    handle = session.put(job, "folder/1/1")
    session.start(handle, job)

    assert Exit(code=0) == end_of(session, handle).exit
    assert b"ran\n" == session.read(handle, "log.txt", 0)[0]
    session.remove(handle)
    assert not (tmp_path / "outside").exists()


class Processes:
    """Reads the arguments of every process of this machine, over and over, until it is left."""

    def __init__(self):
        self.seen = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _look(self):
        while not self._over.wait(0.01):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes())
                except OSError:
                    continue


@pytest.fixture
def secret_file(tmp_path):
    """A host's file of secrets, for its owner only."""
    path = tmp_path / "secrets"
    path.write_text("# tokens\n" + "".join(f"{name}={value}\n" for name, value in CANARIES.items()))
    path.chmod(0o600)
    return path


class TestSecretsInAFile:
    @pytest.fixture
    def host_options(self, host_options, secret_file):
        return host_options | {"env_file": str(secret_file)}

    def test_the_engine_and_we_never_know_them(
        self, cosmos, dockerd, submit, worker, log_of, wait_for, containers
    ):
        """The job has them, and nobody else: not the engine's inspection, no argument, no file of ours, no word."""
        (run,) = submit("a slow street with a token")
        with Processes() as processes:
            process = worker()
            wait_for(lambda: "token of 17 20" in log_of(run))
            inspected = dockerd.docker("inspect", *containers())
            said, _ = process.communicate(timeout=120)

        assert State.SEALED == cosmos.store.run(run.id).state, said
        held = [path.read_bytes() for path in cosmos.workspace.root.rglob("*") if path.is_file()]
        for canary in CANARIES.values():
            assert not [
                text for text in [said.encode(), inspected, *processes.seen, *held] if canary.encode() in text
            ]


class TestSecretsByName:
    @pytest.fixture
    def host_options(self, host_options, monkeypatch):
        for name, value in CANARIES.items():
            monkeypatch.setenv(name, value)
        return host_options | {"env": list(CANARIES)}

    def test_only_the_engine_knows_them(self, cosmos, dockerd, submit, worker, log_of, wait_for, containers):
        """By name they come from the host's environment, and stand where the documentation says: in docker inspect."""
        (run,) = submit("a slow street with a token")
        with Processes() as processes:
            process = worker()
            wait_for(lambda: "token of 17 20" in log_of(run))
            labels = dockerd.docker(
                "inspect", "--format", "{{json .Config.Labels}} {{json .Args}}", *containers()
            )
            values = dockerd.docker("inspect", "--format", "{{json .Config.Env}}", *containers())
            said, _ = process.communicate(timeout=120)

        assert State.SEALED == cosmos.store.run(run.id).state, said
        held = [path.read_bytes() for path in cosmos.workspace.root.rglob("*") if path.is_file()]
        for canary in CANARIES.values():
            assert canary.encode() in values
            assert not [
                text for text in [said.encode(), labels, *processes.seen, *held] if canary.encode() in text
            ]


def test_a_backend_s_own_environment_lies_in_a_file_that_only_its_owner_reads(session, dockerd, end_of, says):
    """It reaches the job, and neither the engine nor an argument."""
    job = Job(argv=("python3", "-c", "import os; print(len(os.environ['OWN']))"), env={"OWN": BACKENDS_OWN})
    with Processes() as processes:
        handle = session.put(job, "own/1/1")
        session.start(handle, job)
        end_of(session, handle)
        inspected = dockerd.docker("inspect", "cosmos-own-a1-f1")

    assert b"14\n" == says(session, handle)
    assert 0o600 == (Path(handle.folder) / "job.json").stat().st_mode & 0o777
    assert not [text for text in [inspected, *processes.seen] if BACKENDS_OWN.encode() in text]
    session.remove(handle)
