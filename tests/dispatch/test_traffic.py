"""Bytes on their way are told to the store: seldom, with a rate, and no longer than they move."""

from __future__ import annotations

import time

import pytest

from cosmos_core import traffic
from cosmos_core.errors import StoreError
from cosmos_core.traffic import Gauge

EVERY = 0.1


@pytest.fixture
def told(cosmos, submit, monkeypatch):
    """What the store is told, in order, more often than in life."""
    monkeypatch.setattr(traffic, "EVERY", EVERY)
    heard = []
    real = cosmos.store.tell_traffic

    def tell(lease, moving):
        heard.append(moving)
        real(lease, moving)

    monkeypatch.setattr(cosmos.store, "tell_traffic", tell)
    return heard


@pytest.fixture
def lease(cosmos, submit):
    submit("a street")
    return cosmos.store.claim(owner="w", load_key="double", host="local", slot=0, limit=1)


def test_a_hundred_thousand_words_are_a_few_writes(cosmos, lease, told):
    """However often a transport reports, the store hears of it a few times, the rate and the time left follow."""
    began = time.monotonic()
    with Gauge(cosmos.store, lease, "out") as gauge:
        for done in range(100_000):
            gauge(done, 200_000)
            if not done % 1000:
                time.sleep(0.01)
        held = cosmos.store.leases()[0].traffic
    took = time.monotonic() - began

    assert 2 < len(told) <= took / EVERY + 2
    assert (200_000, "out") == (held.total, held.way)
    last = told[-2]
    assert last.rate == pytest.approx(100_000 / took, rel=0.7)
    assert last.seconds_left == pytest.approx((last.total - last.done) / last.rate)
    assert told[-1] is None
    assert cosmos.store.leases()[0].traffic is None


def test_what_is_quick_is_not_told(cosmos, lease, told):
    """A put of no time costs no write."""
    with Gauge(cosmos.store, lease, "out") as gauge:
        gauge(5, 5)

    assert [] == told


def test_what_stands_still_has_no_rate_and_is_not_told_again(cosmos, lease, told, monkeypatch):
    """A line that hangs is not said to be quick, and nobody writes what everybody knows."""
    monkeypatch.setattr(traffic, "WINDOW", 0.3)
    with Gauge(cosmos.store, lease, "home") as gauge:
        gauge(0, 100)
        time.sleep(0.25)
        gauge(50, 100)
        time.sleep(1.5)

    assert (0.0, None) == (told[-2].rate, told[-2].seconds_left)
    assert len(told) < 10


def test_a_store_that_does_not_answer_costs_no_transfer(cosmos, lease, told, monkeypatch):
    """It is told again when it answers."""

    def locked(lease, moving):
        told.append(moving)
        raise StoreError("database is locked")

    monkeypatch.setattr(cosmos.store, "tell_traffic", locked)
    with Gauge(cosmos.store, lease, "out") as gauge:
        for done in range(5):
            gauge(done, 9)
            time.sleep(0.15)

    assert len(told) > 2
