"""Settings from files and environment, and the folder they live in."""

from __future__ import annotations

import pytest

from cosmos_core import settings, workspace
from cosmos_core.errors import InputError, RefusedError
from cosmos_core.settings import Settings


@pytest.fixture(autouse=True)
def _no_user_file(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("COSMOS_STORE_URL", raising=False)
    monkeypatch.delenv("COSMOS_WORKSPACE", raising=False)


def with_file(tmp_path, text):
    made, _ = workspace.create(tmp_path / "project", text)
    return made


def test_an_empty_file_means_the_defaults(tmp_path):
    """
    Every key has a default.
    """
    assert Settings() == settings.load(with_file(tmp_path, ""))


def test_the_template_is_valid_and_means_the_defaults(tmp_path):
    """
    What `cosmos init` writes can be read back.
    """
    loaded = settings.load(with_file(tmp_path, settings.TEMPLATE))

    assert ("preview", ("contact",)) == (loaded.backend, loaded.steps)


def test_every_mistake_is_reported_at_once(tmp_path):
    """
    Two unknown keys and a wrong type are three findings.
    """
    text = 'bakend = "x"\n[queue]\nleese = 3\npoll = "often"\n'

    with pytest.raises(RefusedError) as caught:
        settings.load(with_file(tmp_path, text))

    said = " ".join(finding.message for finding in caught.value.findings)
    assert all(word in said for word in ("bakend", "leese", "poll"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[queue]\nlease = 0\n", "queue.lease"),
        ("[queue]\nlease = 10\nheartbeat = 9\n", "a third"),
        ("[queue]\nattempts = 0\n", "queue.attempts"),
        ("[hosts.gpu1]\nslots = 3\ngpus = 8\n", "8 GPUs cannot be dealt out to 3"),
        ("[hosts.gpu1]\nslots = -1\n", "0 or more"),
        ('[store]\nurl = "mysql://x"\n', "store.url"),
        ("not toml", "cannot be read"),
    ],
)
def test_a_value_that_cannot_work_is_refused_with_its_key(tmp_path, text, said):
    """
    Values are judged when the file is read, not when they hurt.
    """
    with pytest.raises(RefusedError) as caught:
        settings.load(with_file(tmp_path, text))

    assert any(said in finding.message for finding in caught.value.findings)


def test_the_environment_wins_over_the_file(tmp_path):
    """
    COSMOS_STORE_URL names the store, so that no password need stand in a file.
    """
    made = with_file(tmp_path, '[store]\nurl = "sqlite:///a.db"\n')

    loaded = settings.load(made, environ={"COSMOS_STORE_URL": "postgresql://u@h/d"})

    assert "postgresql://u@h/d" == loaded.store.url


def test_the_workspace_wins_over_the_users_own_file(tmp_path, monkeypatch):
    """
    Tables are merged key by key.
    """
    user = tmp_path / "user.toml"
    user.write_text('backend = "mine"\n[queue]\nbatch = 4\nattempts = 9\n')
    monkeypatch.setattr(settings, "_user_file", lambda: user)

    loaded = settings.load(with_file(tmp_path, "[queue]\nbatch = 2\n"))

    assert ("mine", 2, 9) == (loaded.backend, loaded.queue.batch, loaded.queue.attempts)


def test_gpus_are_dealt_out_evenly_to_slots(tmp_path):
    """
    Eight GPUs on four slots are two a slot, and the local machine is there by itself.
    """
    loaded = settings.load(with_file(tmp_path, '[hosts.gpu1]\nslots = 4\ngpus = 8\ngpu = "h200"\n'))
    hosts = {host.name: host for host in loaded.each_host()}

    assert {"local", "gpu1"} == set(hosts)
    assert [(0, 1), (2, 3), (4, 5), (6, 7)] == [slot.gpus for slot in hosts["gpu1"].each_slot()]


def test_the_local_machine_can_be_left_out(tmp_path):
    """
    No slots on a host means that it is not served.
    """
    loaded = settings.load(with_file(tmp_path, "[hosts.local]\nslots = 0\n"))

    assert () == loaded.each_host()


def test_a_password_is_never_shown():
    """
    The URL that is shown has no password.
    """
    assert "postgresql://me:***@db/cosmos" == settings.redacted("postgresql://me:hunter2@db/cosmos")


def test_the_workspace_is_found_from_below(tmp_path, monkeypatch):
    """
    Any folder inside a workspace belongs to it.
    """
    made = with_file(tmp_path, "")
    below = made.clips / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)

    assert made == workspace.find()


def test_outside_of_any_workspace_the_way_in_is_said(tmp_path, monkeypatch):
    """
    The error tells what to type.
    """
    monkeypatch.chdir(tmp_path)

    with pytest.raises(InputError) as caught:
        workspace.find()

    assert "cosmos init" in caught.value.hint


def test_making_a_workspace_twice_keeps_its_settings(tmp_path):
    """
    An existing settings file is never overwritten.
    """
    with_file(tmp_path, "# mine\n")
    again, made_now = workspace.create(tmp_path / "project", "# other\n")

    assert not made_now
    assert "# mine\n" == again.settings.read_text()
