"""What the statements that take work compile to: they must lock where the database can."""

from __future__ import annotations

import pytest
from sqlalchemy.dialects import postgresql, sqlite

from cosmos_core.store import claims

STATEMENTS = {
    "claim": claims.CLAIM,
    "claim some": claims.CLAIM_SOME,
    "claim to join": claims.JOIN,
    "adopt": claims.ADOPT,
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_on_postgresql_a_claim_locks_what_it_chooses_and_skips_what_is_locked(name):
    """
    The choice is made under row locks, once, in the statement that sets.
    """
    text = str(STATEMENTS[name].compile(dialect=postgresql.dialect()))

    assert 1 == text.count("FOR UPDATE SKIP LOCKED")
    assert (
        text.index("WITH ")
        < text.index("SELECT" if "join" in name else "LIMIT")
        < text.index("FOR UPDATE SKIP LOCKED")
        < text.index("UPDATE run" if "claim" in name else "UPDATE batch")
    )
    assert "RETURNING" in text


@pytest.mark.parametrize("name", STATEMENTS)
def test_on_sqlite_a_claim_is_one_statement_that_tests_and_sets(name):
    """
    SQLite has no row locks and the clause is dropped: the write lock of BEGIN IMMEDIATE stands for it.
    """
    text = str(STATEMENTS[name].compile(dialect=sqlite.dialect()))

    assert "FOR UPDATE" not in text
    assert text.startswith("WITH ")
    assert "RETURNING" in text


@pytest.mark.parametrize("dialect", [postgresql.dialect(), sqlite.dialect()], ids=["postgresql", "sqlite"])
@pytest.mark.parametrize("name", STATEMENTS)
def test_the_condition_is_inside_the_statement(name, dialect):
    """
    What makes a row free to take is tested where it is taken: queued and not paused, or open and run out.
    """
    text = str(STATEMENTS[name].compile(dialect=dialect))

    tested = ["NOT (EXISTS", "run.state = "] if "claim" in name else ["closed IS NULL", "lease_until <"]
    assert [] == [condition for condition in tested if condition not in text]


def test_every_write_on_sqlite_takes_the_lock_first(store):
    """
    A transaction that writes begins IMMEDIATE, one that reads does not, so it never waits and never blocks.
    """
    if not store._db.is_sqlite:
        return
    from sqlalchemy import event

    begun = []

    def note(*said):
        begun.append(said[2])

    event.listen(store._db._engine, "before_cursor_execute", note)
    store.counts()
    store.pause()
    event.remove(store._db._engine, "before_cursor_execute", note)

    assert ["BEGIN", "BEGIN IMMEDIATE"] == [line for line in begun if line.startswith("BEGIN")]
