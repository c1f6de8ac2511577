"""``cosmos hosts``: the roster in cosmos.toml, and what can be said of the machines in it."""

from __future__ import annotations

import tomllib

import pytest

WIRE = """
from typing import Any
import attrs
from cosmos_core import hookimpl
from cosmos_core.errors import HostError, fail, ok, warn
from cosmos_core.extend import Freed, Keeper, Ran, Transport

@attrs.frozen(kw_only=True)
class WireOptions:
    speed: int = attrs.field(default=1, metadata={"help": "how fast"})
    dead: bool = attrs.field(default=False, metadata={"help": "nobody there"})
    by: tuple[str, ...] = attrs.field(default=(), metadata={"help": "ways"})

class Line(Keeper):
    def __init__(self, state): self.state = state
    def run(self, argv, **_): return Ran(code=127, out=b"", err=b"no such program")
    def close(self): pass
    def free(self, *, dry=False):
        kept = self.state / "kept"
        if not kept.exists(): return Freed(files=0, bytes=0)
        if not dry: kept.unlink()
        return Freed(files=1, bytes=4000)

def connect(host, state):
    if host.options.dead: raise HostError("no answer from " + host.address, hint="is it on?")
    state.mkdir(parents=True, exist_ok=True)
    return Line(state)

def trust(host, state, fingerprint):
    if not fingerprint: return [warn("its key is SHA256:abc", hint="cosmos hosts trust NAME --fingerprint SHA256:abc")]
    return [ok("accepted")] if fingerprint == "SHA256:abc" else [fail("its key is SHA256:abc, not " + fingerprint)]

@hookimpl
def cosmos_transports():
    yield Transport(name="wire", summary="A wire.", schemes=("wire",), options=WireOptions, connect=connect,
                    trust=trust, check=lambda session, host: [warn("the clock is 3 s behind", hint="ntp")])
    yield Transport(name="box", summary="A box.", over=lambda host: "wire", lay=lambda below, host, state: below)
"""

URL = "wire://me@far:22/data/cosmos"


@pytest.fixture
def wire(plugin, here):
    plugin("cosmos-core-wire", {"wire": "wire_of_test"}, {"wire_of_test.py": WIRE})
    return here


def _hosts(here):
    return tomllib.loads(here.settings.read_text("utf-8"))["hosts"]


def test_a_host_is_added_by_its_url(say, wire):
    """What the URL and the options say stands in cosmos.toml, and what stood there before is untouched."""
    before = wire.settings.read_text("utf-8")
    said = say("hosts", "add", "gpu1", URL, "--gpus", 8, "--gpu", "h200", "-o", "speed=3")

    assert 0 == said.code, said.err
    assert "cosmos hosts check gpu1" in said.out
    assert {
        "transport": "wire",
        "address": "me@far:22",
        "root": "/data/cosmos",
        "slots": 8,
        "gpus": 8,
        "gpu": "h200",
        "options": {"speed": 3},
    } == _hosts(wire)["gpu1"]
    assert [
        line for line in before.splitlines() if line in wire.settings.read_text("utf-8")
    ] == before.splitlines()


def test_an_option_that_holds_several_values_may_be_given_again(say, wire):
    """None of them is lost; an option that holds one is not silently the last."""
    said = say("hosts", "add", "gpu1", URL, "-o", "by=road", "-o", "speed=3", "-o", "by=rail,sea")
    twice = say("hosts", "add", "gpu2", URL, "-o", "speed=3", "-o", "speed=4")

    assert 0 == said.code, said.err
    assert {"by": ["road", "rail", "sea"], "speed": 3} == _hosts(wire)["gpu1"]["options"]
    assert (2, True) == (twice.code, "speed is given twice" in twice.err)
    assert "gpu2" not in _hosts(wire)


def test_a_folder_on_this_machine_is_named_once_and_for_all(say, wire):
    """A worker that starts elsewhere works in the same one."""
    said = say("hosts", "add", "here", "./jobs")

    assert 0 == said.code, said.err
    assert str(wire.root / "jobs") == _hosts(wire)["here"]["root"]


def test_a_transport_is_laid_over_what_the_url_says(say, wire):
    """Containers at the other end of a line: one host, two layers, one table of options."""
    say("hosts", "add", "gpu1", "wire://far", "--transport", "box", "-o", "speed=2")

    assert ["box", "wire"] == say("hosts", "show", "gpu1", "--json").facts["layers"]
    assert "box over wire" in say("hosts", "show", "gpu1").out


@pytest.mark.parametrize(
    ("words", "code", "expected"),
    [
        (("gpu1", "ssh2://far"), 2, "no plugin reaches a host by ssh2://"),
        (("gpu1", "wire://me:secret@far/data"), 2, "holds a password"),
        (("gpu1", "wire:///data"), 2, "names no host"),
        (("gpu1", "far"), 2, "'far' is neither a URL nor a folder"),
        (("gpu1", "me@far:/data"), 2, "ssh://me@far/data"),
        (("gpu1", "wire://far:99999/"), 2, "is not a URL"),
        (("gpu 1", URL), 2, "'gpu 1' is no name for a host"),
        (("gpu1", URL, "-o", "speed"), 2, "'speed' is not an option"),
        (("gpu1", URL, "-o", "colour=red"), 4, "hosts.gpu1.options has no 'colour'"),
        (("gpu1", URL, "-o", "speed=fast"), 4, "is not a whole number"),
        (("gpu1", URL, "--gpus", "3", "--slots", "2"), 4, "3 GPUs cannot be dealt out to 2 slots"),
        (("gpu1", URL, "--transport", "pigeon"), 3, "there is no transport 'pigeon'"),
    ],
)
def test_a_wrong_host_changes_nothing(say, wire, words, code, expected):
    """One sentence says what is wrong; a password never comes back."""
    before = wire.settings.read_bytes()
    said = say("hosts", "add", *words)

    assert code == said.code
    assert expected in said.err
    assert "secret" not in said.err
    assert before == wire.settings.read_bytes()


def test_a_taken_name_is_only_replaced_when_told(say, wire):
    """Nobody's host is overwritten by a slip."""
    say("hosts", "add", "gpu1", URL)
    refused = say("hosts", "add", "gpu1", "wire://other")
    replaced = say("hosts", "add", "gpu1", "wire://other", "--replace")

    assert (2, 0) == (refused.code, replaced.code)
    assert "there is a host gpu1 already" in refused.err
    assert "other" == _hosts(wire)["gpu1"]["address"]


def test_hosts_are_listed_with_what_is_busy(say, wire):
    """This machine is there without being asked for."""
    say("hosts", "add", "gpu1", URL, "--gpus", 2)
    listed = {each["name"]: each for each in say("hosts", "--json").facts["hosts"]}

    assert {"local", "gpu1"} == set(listed)
    assert (2, []) == (listed["gpu1"]["slots"], listed["gpu1"]["busy"])
    assert "0/2" in say("hosts", "list").out


def test_a_full_host_is_said_once_wherever_slots_are_shown(say, wire):
    """All of its slots rest for one reason; a program finds each slot."""
    from cosmos_core.api import Cosmos

    say("hosts", "add", "gpu1", URL, "--gpus", 2)
    wire.settings.write_text(wire.settings.read_text().replace("[queue]", "[queue]\nrest = 600"))
    with Cosmos(wire.root) as cosmos:
        cosmos.store.note_full("gpu1", "No space left on device")
    listed = {each["name"]: each for each in say("hosts", "--json").facts["hosts"]}
    said = [say("hosts").out, say("status").out]

    assert ["gpu1/0", "gpu1/1"] == [rest["slot"] for rest in listed["gpu1"]["resting"]]
    assert [] == listed["local"]["resting"]
    assert [1, 1] == [text.count("because its disk is full: No space left on device") for text in said]
    assert [1, 1] == [text.count("host gpu1 rests for") for text in said]


def test_a_check_says_each_thing_with_what_to_do(say, wire):
    """A warning is no failure; a host that cannot be reached is."""
    say("hosts", "add", "gpu1", URL)
    say("hosts", "add", "gone", URL, "-o", "dead=true")
    well, ill = say("hosts", "check", "gpu1"), say("hosts", "check", "gone")

    assert 0 == well.code
    assert "reached over wire" in well.out
    assert "the clock is 3 s behind" in well.out
    assert 1 == ill.code
    assert "no answer from me@far:22" in ill.out
    assert "is it on?" in ill.out
    assert {"gpu1", "gone", "local"} == set(say("hosts", "check", "--json").facts["hosts"])


PICKY = """
from cosmos_core import hookimpl
from cosmos_core.errors import fail
from cosmos_core.extend import Backend

@hookimpl
def cosmos_backends():
    nothing = dict.fromkeys(("load_key", "needs", "seconds", "expect", "compile", "progress", "outcome"))
    yield Backend(**nothing, name="picky", summary="Wants weights.", check=lambda shell, host, options: [fail("no weights")])
"""


def test_a_host_fails_for_models_that_are_asked_for(say, wire, plugin):
    """By --model or by a table of the settings; another one's lack is a warning, and a name nobody has is no model."""
    plugin("cosmos-core-picky", {"picky": "picky_of_test"}, {"picky_of_test.py": PICKY})
    say("hosts", "add", "gpu1", URL, "--gpus", 1)
    free = say("hosts", "check", "gpu1")
    asked = say("hosts", "check", "gpu1", "--model", "picky")
    strange = say("hosts", "check", "gpu1", "--model", "pricky")
    with wire.settings.open("a") as file:
        file.write("\n[plugins.picky]\n")
    named = say("hosts", "check", "gpu1")

    assert "not ready for picky" in free.out
    assert [0, 1, 3, 1] == [each.code for each in (free, asked, strange, named)]
    assert "not ready for picky" not in asked.out + named.out
    assert "picky" in strange.err


def test_a_key_is_shown_first_and_accepted_by_its_fingerprint(say, wire):
    """Another fingerprint is refused; a host without a key says so."""
    say("hosts", "add", "gpu1", URL)

    assert "--fingerprint SHA256:abc" in say("hosts", "trust", "gpu1").out
    assert 0 == say("hosts", "trust", "gpu1", "--fingerprint", "SHA256:abc").code
    assert 1 == say("hosts", "trust", "gpu1", "--fingerprint", "SHA256:xyz").code
    assert "host local has no key" in say("hosts", "trust", "local").err


def test_kept_inputs_are_shown_before_they_go(say, wire):
    """Nothing goes without --yes, and a second time there is nothing."""
    say("hosts", "add", "gpu1", URL)
    kept = wire.host("gpu1") / "kept"
    kept.parent.mkdir(parents=True)
    kept.touch()
    asked = say("hosts", "gc", "gpu1")

    assert (2, True) == (asked.code, kept.exists())
    assert "removed 1 file, 4.0 kB" in say("hosts", "gc", "gpu1", "--yes").out
    assert not kept.exists()
    assert "nothing to remove" in say("hosts", "gc", "gpu1").out
    assert "keeps no inputs" in say("hosts", "gc", "local").err


def test_a_host_is_taken_out_only_when_told(say, wire):
    """The rest of the file stays, and an unknown name is unknown."""
    say("hosts", "add", "gpu1", URL)
    say("hosts", "add", "gpu2", URL)
    asked = say("hosts", "rm", "gpu1")

    assert (2, {"gpu1", "gpu2"}) == (asked.code, set(_hosts(wire)))
    assert "what lies in me@far:22:/data/cosmos stays there" in asked.out
    assert 0 == say("hosts", "rm", "gpu1", "--yes").code
    assert {"gpu2"} == set(_hosts(wire))
    assert 3 == say("hosts", "rm", "gpu1", "--yes").code


def test_a_host_with_open_batches_stays(say, wire, double):
    """What runs there would be lost from sight."""
    from cosmos_core.api import Cosmos

    say("hosts", "add", "gpu1", URL)
    say("submit", "a street", "--backend", "double")
    with Cosmos(wire.root) as cosmos:
        (waiting,) = cosmos.store.waiting(limit=1)
        cosmos.store.claim(owner="w", load_key=waiting.load_key, host="gpu1", slot=0, limit=1)
    said = say("hosts", "rm", "gpu1", "--yes")

    assert 2 == said.code
    assert "host gpu1 has open batches" in said.err
    assert "1/1" in say("hosts").out


def test_names_of_hosts_are_completed(wire, say):
    """Tab offers what cosmos.toml names."""
    from click.shell_completion import ShellComplete

    from cosmos_core.cli.root import root

    say("hosts", "add", "gpu1", URL)
    offered = ShellComplete(root, {}, "cosmos", "_COSMOS_COMPLETE").get_completions(["hosts", "check"], "g")

    assert ["gpu1"] == [item.value for item in offered]
