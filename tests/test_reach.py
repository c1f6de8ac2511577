"""Hosts through one transport, or one laid over another."""

from __future__ import annotations

import attrs
import pytest

from cosmos_core import hookimpl, plugins, reach
from cosmos_core.errors import HostError, Level, PluginError, RefusedError, UnknownError, fail, ok
from cosmos_core.extend import Backend, Enhancer, EnhancerJob, Transport
from cosmos_core.hosts import Host


@attrs.frozen(kw_only=True)
class WireOptions:
    speed: int = 1


@attrs.frozen(kw_only=True)
class BoxOptions:
    image: str = ""


class Line:
    """A session that remembers what it was opened with."""

    def __init__(self, host, below=None):
        self.host = host
        self.below = below
        self.closed = False

    def run(self, argv):
        raise NotImplementedError

    def close(self):
        self.closed = True
        if self.below:
            self.below.close()


class Offers:
    """A plugin with a transport ``wire``, one ``box`` over it, and others that cannot work."""

    def __init__(self):
        self.opened = []

    def connect(self, host, _):
        self.opened.append(Line(host))
        return self.opened[-1]

    @hookimpl
    def cosmos_transports(self):
        yield Transport(name="wire", summary="A wire.", options=WireOptions, connect=self.connect)
        yield Transport(
            name="box",
            summary="A box.",
            options=BoxOptions,
            over=lambda host: host.address or "wire",
            lay=lambda below, host, state: Line(host, below),
        )
        yield Transport(name="broken", summary="No.", over=lambda _: "wire", lay=_refuse)


def _refuse(below, host, state):
    raise HostError("no engine here")


@pytest.fixture
def offers():
    return Offers()


@pytest.fixture
def loaded(offers):
    found = plugins.load({"COSMOS_BLOCK_PLUGINS": "cosmos3,predict,transfer"})
    found.register("offers", offers)
    return found


def test_a_plain_host_is_reached_by_its_transport(loaded, tmp_path):
    """
    The transport gets the host with its options read by its own class.
    """
    session = reach.connect(loaded, Host(name="a", transport="wire", options={"speed": 3}), tmp_path)

    assert WireOptions(speed=3) == session.host.options


def test_a_laid_over_host_opens_what_is_below_first(loaded, offers, tmp_path):
    """
    Each layer gets its own share of one table of options.
    """
    host = Host(name="a", transport="box", options={"speed": 3, "image": "x:1"})
    session = reach.connect(loaded, host, tmp_path)

    assert (BoxOptions(image="x:1"), WireOptions(speed=3)) == (
        session.host.options,
        session.below.host.options,
    )
    assert offers.opened == [session.below]


def test_climbing_shows_each_layer(loaded, tmp_path):
    """
    Whoever examines a host sees how far it can be reached.
    """
    climbed = list(reach.climb(loaded, Host(name="a", transport="box"), tmp_path))

    assert ["wire", "box"] == [transport.name for transport, _, _ in climbed]


def test_every_wrong_option_of_every_layer_is_named(loaded, tmp_path):
    """
    What no layer knows and what a layer cannot read come together, before anything is opened.
    """
    host = Host(name="a", transport="box", options={"speed": "fast", "colour": "red"})

    with pytest.raises(RefusedError) as caught:
        reach.connect(loaded, host, tmp_path)

    assert [
        "hosts.a.options has no 'colour'",
        "hosts.a.options.speed = 'fast': is not a whole number",
    ] == [finding.message for finding in caught.value.findings]
    assert "one of image, speed" == caught.value.findings[0].hint


def test_a_layer_that_fails_closes_what_is_below(loaded, offers, tmp_path):
    """
    No line stays open for a session that nobody got.
    """
    with pytest.raises(HostError, match="no engine here"):
        reach.connect(loaded, Host(name="a", transport="broken"), tmp_path)

    assert [True] == [line.closed for line in offers.opened]


def test_layers_in_a_circle_are_refused(loaded, tmp_path):
    """
    A transport that is laid over itself is a plugin's fault, and no endless loop.
    """
    with pytest.raises(PluginError, match="box over box"):
        reach.connect(loaded, Host(name="a", transport="box", address="box"), tmp_path)


def test_an_unknown_layer_is_unknown(loaded, tmp_path):
    """
    The names there are come with it.
    """
    with pytest.raises(UnknownError, match="there is no transport 'nowhere'"):
        reach.connect(loaded, Host(name="a", transport="box", address="nowhere"), tmp_path)


def test_a_box_on_this_machine_is_here(loaded):
    """
    Only the lowest layer says where a host is.
    """
    assert reach.is_here(loaded, Host(name="a", transport="box", address="local"))
    assert not reach.is_here(loaded, Host(name="a", transport="box"))


@pytest.mark.parametrize("given", [{}, {"over": lambda _: "wire"}])
def test_a_transport_says_how_it_is_opened(given):
    """
    Neither connect nor both of over and lay is a mistake of the plugin's.
    """
    with pytest.raises(PluginError, match="transport half must have either"):
        Transport(name="half", summary="Half.", **given)


@pytest.mark.parametrize(
    "given", [{}, {"enhance": print, "job": EnhancerJob(needs=print, compile=print, outcome=print)}]
)
def test_an_enhancer_says_where_it_works(given):
    """
    Neither here nor on a host, or both, is a mistake of the plugin's.
    """
    with pytest.raises(PluginError, match="enhancer half must have either"):
        Enhancer(name="half", summary="Half.", **given)


def test_an_enhancer_that_works_on_hosts_examines_them(loaded, tmp_path):
    """
    As a backend does, with the settings' options of its own; one that works here is not asked.
    """
    asked = []
    job = EnhancerJob(
        **dict.fromkeys(("needs", "compile", "outcome")),
        check=lambda shell, host, options: asked.append(options) or [ok("it is there")],
    )
    offered = [
        Enhancer(name="far", summary="Far.", options=BoxOptions, job=job),
        Enhancer(name="near", summary="Near.", enhance=print),
    ]
    loaded.register("far", type("Offer", (), {"cosmos_enhancers": hookimpl(lambda self: offered)})())
    found = list(
        reach.examine(loaded, Host(name="a", transport="wire", gpus=1), tmp_path, {"far": {"image": "x:2"}})
    )

    assert [BoxOptions(image="x:2")] == asked
    assert "far" in [each.where for each in found]


def test_a_backend_examines_a_host_with_the_options_of_the_settings(loaded, tmp_path):
    """
    Which image or checkout must be there is what the settings say, not the backend's defaults.
    """
    asked = []
    backend = Backend(
        **dict.fromkeys(("load_key", "needs", "seconds", "expect", "compile", "progress", "outcome")),
        name="model",
        summary="A model.",
        options=BoxOptions,
        check=lambda shell, host, options: asked.append(options) or [ok("it is there")],
    )
    loaded.register("model", type("Offer", (), {"cosmos_backends": hookimpl(lambda self: [backend])})())
    found = list(
        reach.examine(loaded, Host(name="a", transport="wire", gpus=1), tmp_path, {"model": {"image": "x:2"}})
    )
    without = list(reach.examine(loaded, Host(name="a", transport="wire"), tmp_path))

    assert [BoxOptions(image="x:2")] == asked
    assert ("model", "it is there") in [(each.where, each.message) for each in found]
    assert ["wire"] == [each.where for each in without]


def model(name, *findings):
    """A backend that finds this of every host."""
    return Backend(
        **dict.fromkeys(("load_key", "needs", "seconds", "expect", "compile", "progress", "outcome")),
        name=name,
        summary="A model.",
        check=lambda shell, host, options: list(findings),
    )


def test_what_an_unwanted_model_lacks_is_one_warning(loaded, tmp_path):
    """
    A wanted one is judged line by line; of an unwanted one only what is well is told so.
    """
    lacking = (fail("no weights", where="weights"), ok("a GPU"), fail("no licence"))
    offered = [model("wanted", *lacking), model("unwanted", *lacking), model("ready", ok("all there"))]
    loaded.register("models", type("Offer", (), {"cosmos_backends": hookimpl(lambda self: offered)})())
    host = Host(name="a", transport="wire", gpus=1)
    found = list(reach.examine(loaded, host, tmp_path, wanted=["wanted"]))
    of = {name: [each for each in found if each.where.startswith(name)] for name in reach.models(loaded)}

    assert [Level.FAIL, Level.OK, Level.FAIL] == [each.level for each in of["wanted"]]
    (told,) = of["unwanted"]
    assert (Level.WARN, "cosmos hosts check a --model unwanted") == (told.level, told.hint)
    assert "not ready for unwanted" in told.message
    assert "no weights, and 1 more" in told.message
    assert ["all there"] == [each.message for each in of["ready"]]


def test_a_model_that_is_asked_for_is_looked_at_alone(loaded, tmp_path):
    """
    And as strictly as can be.
    """
    offered = [model("one", fail("no weights")), model("two", fail("no licence"))]
    loaded.register("models", type("Offer", (), {"cosmos_backends": hookimpl(lambda self: offered)})())
    host = Host(name="a", transport="wire", gpus=1)
    found = list(reach.examine(loaded, host, tmp_path, models=["two"]))

    assert [("two", Level.FAIL)] == [(each.where, each.level) for each in found if each.where != "wire"]
