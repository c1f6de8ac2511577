"""Canaries in every place where a secret is kept; then everything on disk and on screen is searched for them."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest

from cosmos_core.cli import failure
from cosmos_core.settings import redacted

CANARIES = {
    "HF_TOKEN": "hf_canaryAAAA1111",
    "NGC_API_KEY": "nvapi-canaryBBBB2222",
    "AWS_SECRET_ACCESS_KEY": "canaryCCCC3333/+x",
    "OPENAI_API_KEY": "sk-canaryDDDD4444",
    "DB_PASSWORD": "canaryEEEE5555",
}
PASSWORD = "canary@FFFF/6666"

BUG = """
import os, sys
import click
from cosmos_core import hookimpl
from cosmos_core.extend import Command

@hookimpl
def cosmos_commands():
    yield Command(name="bug", summary="Has a bug.", load="hardening_bug:bug")

@click.command()
def bug():
    raise ZeroDivisionError(" ".join(f"{k}={v}" for k, v in os.environ.items()))
"""


@pytest.fixture
def canaries(monkeypatch):
    """Secrets in the environment, as a machine that runs models has them."""
    for name, value in CANARIES.items():
        monkeypatch.setenv(name, value)
    return [*CANARIES.values(), PASSWORD, quote(PASSWORD, safe="")]


def leaks(canaries, *texts, folders=()):
    """Where a canary sings: in a text, a file's name or a file's bytes."""
    found = [(canary, text[:200]) for canary in canaries for text in texts if canary in text]
    for folder in folders:
        for path in folder.rglob("*"):
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found += [
                (canary, str(path))
                for canary in canaries
                if canary in str(path) or canary.encode() in content
            ]
    return found


def every_read(run):
    return (
        ["status"],
        ["list"],
        ["show", run],
        ["search", "street"],
        ["logs", run],
        ["plan"],
        ["plugins"],
        ["plugins", "show", "double"],
        ["doctor"],
        ["clip", "list"],
        ["prompt", "list"],
        ["verify", "outputs"],
    )


def test_no_secret_of_the_environment_is_kept_or_said(cosmos, street, canaries, plugin, program, say):
    """
    A whole run, an export and a crash that quotes the environment: no canary in the workspace or in any output.
    """
    plugin("bug", BUG)
    cosmos.close()
    ran = program("run", "a street", "--backend", "double", "--clip", "street", "--json", "-vv")
    assert 0 == ran.code, ran.err
    run = ran.facts["runs"][0]["id"]
    said = [ran, program("-v", "bug"), say("export", "dataset", "--json")]
    assert failure.BUG == said[1].code
    for words in every_read(run):
        said += [say(*words, "--json"), say(*words)]

    assert {0, failure.BUG} == {each.code for each in said} - {1}
    assert 1 == len(list(cosmos.workspace.crashes.iterdir()))
    assert [] == leaks(
        canaries, *(text for each in said for text in (each.out, each.err)), folders=[cosmos.workspace.root]
    )


def test_the_password_of_a_store_that_cannot_be_reached_is_not_said(
    cosmos, canaries, monkeypatch, say, program
):
    """
    The sentence names the server; the password appears in no output, no report and no file.
    """
    cosmos.close()
    url = f"postgresql://cosmos:{quote(PASSWORD, safe='')}@127.0.0.1:1/cosmos"
    monkeypatch.setenv("COSMOS_STORE_URL", url)
    said = [
        say(*words)
        for words in (["status"], ["list", "--json"], ["doctor"], ["doctor", "--json"], ["work", "-vv"])
    ]

    assert "127.0.0.1" in said[0].err
    assert 6 == said[0].code == said[1].code
    assert [] == leaks(
        canaries, *(text for each in said for text in (each.out, each.err)), folders=[cosmos.workspace.root]
    )


@pytest.mark.parametrize("engine", ["postgresql"])
def test_the_password_of_a_store_that_is_used_is_not_kept(
    cosmos, street, canaries, monkeypatch, bare_url, plugin, program, say
):
    """
    A run on PostgreSQL, a crash and every reading command: the password stays in the environment.
    """
    import sqlalchemy as sa

    plugin("bug", BUG)
    url = sa.make_url(bare_url).set(password=PASSWORD).render_as_string(hide_password=False)
    cosmos.close()
    monkeypatch.setenv("COSMOS_STORE_URL", url)
    ran = program("run", "a street", "--backend", "double", "--clip", "clips/street", "--json", "-vv")
    assert 0 == ran.code, ran.err
    said = [ran, program("-v", "bug")]
    said += [say(*words, "--json") for words in every_read(ran.facts["runs"][0]["id"])]

    assert [] == leaks(
        canaries, *(text for each in said for text in (each.out, each.err)), folders=[cosmos.workspace.root]
    )


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://cosmos:s3cret@db/cosmos",
        "postgresql://cosmos:s3/cret@db/cosmos",
        "postgresql://cosmos:s3@cret@db/cosmos",
        "postgresql://cosmos:s3:cret@db/cosmos",
        "postgresql://:s3cret@db/cosmos",
        "postgresql://db/cosmos?user=cosmos&password=s3cret",
        "postgresql+psycopg://cosmos:s3cret@db:5432/cosmos?sslmode=require",
    ],
)
def test_a_url_is_shown_without_its_password(url):
    """
    However the password is written, and whatever letters are in it.
    """
    for shown in (redacted(url), failure.clean(f"cannot reach {url}, sorry")):
        assert "cret" not in shown
        assert "db" in shown
        assert re.search(r"\*\*\*", shown)
