"""Listing and searching: the same answers from both databases, and an index behind each."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing

import pytest
from sqlalchemy.dialects import sqlite

from cosmos_core.run import State
from cosmos_core.store import Query, search
from cosmos_core.store.words import words


def _names(page):
    return [run.name for run in page.runs]


@pytest.fixture
def found(store):
    """Names of the runs that a query finds, in order."""
    return lambda **query: _names(store.page(Query(**query)))


def test_an_empty_store_has_an_empty_page(store):
    """
    No runs, no next page, none in total, whatever is asked.
    """
    for query in (
        Query(),
        Query(text="rain"),
        Query(tags=("a",)),
        Query(states=(State.QUEUED, State.SEALED)),
    ):
        page = store.page(query)
        assert ((), None, 0) == (page.runs, page.next, page.total)


def test_pages_follow_each_other_without_a_gap(store, accept):
    """
    Newest first; the next page begins where the last one ended, though runs are accepted meanwhile.
    """
    runs = accept(7)
    seen, before, totals = [], None, []

    while True:
        page = store.page(Query(limit=3, before=before))
        seen += page.runs
        totals.append(page.total)
        before = page.next
        if before is None:
            break
        accept(1)

    assert list(reversed(runs)) == seen
    assert [7, 4, 1] == totals


@pytest.mark.parametrize(
    "query", [{}, {"text": "rain"}, {"tags": ("hero",)}, {"states": (State.QUEUED, State.PLACED)}]
)
def test_a_page_that_just_fits_is_the_last(store, accept, query):
    """
    No empty page follows a full one.
    """
    accept(3, tags=("hero",))

    assert store.page(Query(limit=3, **query)).next is None
    assert store.page(Query(limit=2, **query)).next is not None


def test_totals_stop_at_a_thousand(store, accept):
    """
    Up to a thousand the total is exact; above it is left open rather than counted.
    """
    accept(1000, tags=("many",))
    exact = [
        store.page(Query(limit=2, **query)).total for query in ({}, {"text": "rainy"}, {"tags": ("many",)})
    ]
    accept(1, tags=("many",))
    open_ended = [
        store.page(Query(limit=2, **query)).total for query in ({}, {"text": "rainy"}, {"tags": ("many",)})
    ]

    assert [1000] * 3 == exact
    assert [None] * 3 == open_ended
    assert 1001 == store.page(Query(limit=2000)).total == len(store.page(Query(limit=2000)).runs)


def test_states_are_any_of(store, accept, take, found):
    """
    Runs in one of the states asked for, newest first across all of them.
    """
    runs = accept(4)
    lease = take(only=[runs[1].id, runs[3].id])
    store.move(lease, runs[1].id, State.FAILED)

    assert ["run-3", "run-1"] == found(states=(State.QUEUED,))
    assert ["run-4", "run-2"] == found(states=(State.PLACED, State.FAILED))
    assert ["run-4", "run-3", "run-2", "run-1"] == found(states=tuple(State))
    assert ["run-4", "run-3"] == found(states=(State.PLACED, State.QUEUED), limit=2)
    assert [] == found(states=(State.SEALED,))
    assert ["run-4"] == found(states=(State.PLACED, State.PLACED), text="rainy")


def test_tags_are_all_of(accept, found):
    """
    Runs that carry every tag asked for, whole and in its own case.
    """
    accept(1, tags=("night", "hero"))
    accept(1, tags=("night",))
    accept(1, tags=("Night",))

    assert ["run-2", "run-1"] == found(tags=("night",))
    assert ["run-1"] == found(tags=("night", "hero")) == found(tags=("hero", "night"))
    assert [] == found(tags=("nigh",)) == found(tags=("night", "other"))


def test_campaign_prompt_and_rating_narrow(store, accept, found):
    """
    Each is exact: a campaign, a prompt in any version or in one, a least rating.
    """
    runs = [
        *accept(1, campaign="winter", prompt_ref="tram@1"),
        *accept(1, campaign="winter-2", prompt_ref="tram@2"),
        *accept(1, prompt_ref="tramway@1"),
    ]
    for run, rating in zip(runs, (3, 5, 1), strict=True):
        store.rate(run.id, rating)

    assert ["run-1"] == found(campaign="winter")
    assert ["run-2", "run-1"] == found(prompt="tram")
    assert ["run-2"] == found(prompt="tram@2")
    assert ["run-2", "run-1"] == found(rating_at_least=3)
    assert ["run-1"] == found(
        rating_at_least=3, campaign="winter", prompt="tram", text="rain", states=(State.QUEUED,)
    )


def test_words_are_found_in_name_id_prompt_tags_and_campaign(store, accept, found):
    """
    Wherever a person would expect a word to be looked for, and not in the negative text or the options.
    """
    (run,) = accept(
        1, name="Harbour_at-dusk", campaign="winter-2026", tags=("hero shot",), text="A burning tram!"
    )

    for text in ("harbour", "dusk", "winter", "2026", "hero", "shot", "burning", "tram", run.id):
        assert ["Harbour_at-dusk"] == found(text=text), text
    for text in ("strength", "preview", "model"):
        assert [] == found(text=text), text


FOUND = (
    "rain",
    "RAINY stre",
    "street rainy",
    "r s",
    "rainy, street.",
    "cafe",
    "CAFÉ",
    "straße",
    "STRASSE",
    "日",
    "１２",
    "12",
    "3.5",
    "e-mail@example.com/a_b",
    "",
    "  \n",
    "!?",
    "rainy*",
    '"rainy street"',
    "rain%",
    "\x00",
)
NOT_FOUND = (
    "ainy",
    "rainy snow",
    "rainys",
    "本",
    "rainy OR snow",
    "NOT snow",
    "words:rainy",
    "' AND 1=1 --",
    "r_iny",
)


def test_a_search_is_words_and_nothing_else(accept, found):
    """
    Each word must begin a word; case, accents and marks do not matter; no character is an operator.
    """
    accept(1, text="Rainy street at the Café, Straße 12, 日本, 3.50 or e-mail@example.com/a_b.html", name="x")

    assert [] == [text for text in FOUND if ["x"] != found(text=text)]
    assert [] == [text for text in NOT_FOUND if found(text=text)]


def test_search_agrees_with_its_definition(store, new_run):
    """
    On random text from many scripts both databases find exactly the runs that the definition names.
    """
    chance = random.Random(7)
    letters = "abAB12 -_.'\"éÉßñøŁ日本語한글абЖاب०१ﬁ①²½ẞİıǅ𝔸𐐀🙂\u0301\u200b\u00a0"
    texts = ["".join(chance.choices(letters, k=chance.randrange(1, 14))) for _ in range(120)]
    runs = store.accept([new_run(name=text, text="x") for text in texts])
    documents = {run.id: words(run.name, run.id, "x") for run in runs}

    for _ in range(80):
        text = chance.choice(texts)
        start = chance.randrange(len(text))
        query = text[start : start + chance.randrange(1, 5)]
        expected = {
            name
            for name, document in documents.items()
            if all(any(word.startswith(wanted) for word in document) for wanted in words(query))
        }
        assert expected == {run.id for run in store.page(Query(text=query, limit=200)).runs}, query


def test_a_new_tag_is_found_and_a_dropped_one_is_not(store, accept, found):
    """
    The index of words follows the tags.
    """
    (run,) = accept(1, tags=("night",))

    store.tag(run.id, add=["zebra crossing"], drop=["night"])

    assert ["run-1"] == found(text="zebra") == found(tags=("zebra crossing",))
    assert [] == found(text="night") == found(tags=("night",))


def test_a_very_long_text_can_be_kept_and_searched(accept, found):
    """
    A prompt beyond all sense does not break the index.
    """
    accept(1, text=" ".join(["x" * 5000, *(f"word{number}" for number in range(20_000))]))

    assert ["run-1"] == found(text="word17") == found(text="x" * 64)


@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(before=500),
        Query(states=(State.SEALED,)),
        Query(states=(State.SEALED, State.REJECTED), before=500),
        Query(campaign="winter"),
        Query(prompt="tram"),
        Query(tags=("hero",)),
        Query(text="rain"),
    ],
)
def test_no_listing_on_sqlite_reads_or_sorts_the_whole_table(sqlite_store, query):
    """
    Whatever is listed comes from an index that is in order already; several states are a page of each, merged.
    """
    statement = search.matching(query, limit=50, is_sqlite=True)
    compiled = statement.compile(dialect=sqlite.dialect(), compile_kwargs={"literal_binds": True})
    with closing(sqlite3.connect(sqlite_store.name)) as connection:
        plan = [row[-1] for row in connection.execute(f"EXPLAIN QUERY PLAN {compiled}")]

    reads = [line for line in plan if " run" in line or line.startswith("SCAN run")]
    assert query == Query() or not [
        line for line in reads if line.startswith("SCAN run") and "VIRTUAL" not in line
    ]
    if len(query.states) > 1:
        assert len(query.states) == len([line for line in reads if "COVERING INDEX run_by_state" in line]), (
            plan
        )
    else:
        assert [] == [line for line in plan if "TEMP B-TREE" in line]


@pytest.mark.parametrize("newest", [2, 5, 1000])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"before": 1},
        {"states": (State.CANCELLED,)},
        {"tags": ("odd",)},
        {"campaign": "c1"},
    ],
    ids=str,
)
def test_short_words_find_runs_of_any_age(store, new_run, monkeypatch, newest, given):
    """
    One and two letters are looked for among the newest runs first; nothing is missed when those do not fill a page.
    """
    monkeypatch.setattr(search, "NEWEST", newest)
    runs = store.accept(
        [
            new_run(
                text="snow" if number % 2 else "fog",
                tags=("odd",) if number % 3 else (),
                campaign=f"c{number % 2}",
            )
            for number in range(12)
        ]
    )
    for run in runs[:6]:
        store.cancel(run.id)
    given = given | ({"before": runs[9].seq} if "before" in given else {})
    for text in ("s", "sn", "f s", "zq"):
        long = {"s": "snow", "sn": "snow", "f s": "fog snow", "zq": "zqx"}[text]
        short = store.page(Query(text=text, **given))

        assert store.page(Query(text=long, **given)) == short, text
