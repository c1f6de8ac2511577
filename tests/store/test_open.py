"""Opening a store: where it is, whose it is, and what is said when it cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time

import pytest
import sqlalchemy as sa

from cosmos_core.errors import InputError, StoreError
from cosmos_core.run import State
from cosmos_core.store import Query, Store
from cosmos_core.store.schema import HEAD, metadata
from cosmos_core.store.upgrade import SCRIPTS

INDEXES = {
    "artifact_by_digest",
    "artifact_by_sealed",
    "attempt_by_batch",
    "attempt_in_trouble",
    "batch_one_a_slot",
    "batch_open",
    "clip_by_name",
    "event_by_run",
    "run_by_batch",
    "run_by_campaign",
    "run_by_prompt",
    "run_by_rating",
    "run_by_spec",
    "run_by_state",
    "run_queue",
    "run_queue_of_load",
    "run_tag_by_seq",
}


def test_a_new_store_is_made_and_found_again(bare_url, new_run, tmp_path):
    """
    The first opening makes the tables; what was accepted is there at the second.
    """
    with Store.open(bare_url, root=tmp_path) as store:
        (run,) = store.accept([new_run()])
    with Store.open(bare_url, root=tmp_path) as store:
        assert run == store.run(run.id)


def test_the_migrations_make_the_tables_that_the_code_means(bare_url, tmp_path):
    """
    What Alembic would still have to change is nothing, and the newest migration is the head we expect.
    """
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    def is_ours(name, kind, parents):
        # Indexes stand in the migrations only, and each database has its own for words.
        return kind != "index" and name != "vector" and "words_index" not in str(name)

    with Store.open(bare_url, root=tmp_path) as store, store._db.read() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": is_ours})
        changes = compare_metadata(context, metadata)
        inspector = sa.inspect(connection)
        indexes = {index["name"] for table in metadata.tables for index in inspector.get_indexes(table)}

    assert [] == changes
    assert indexes >= INDEXES
    assert [HEAD] == ScriptDirectory(str(SCRIPTS)).get_heads()


def test_a_store_of_a_newer_version_is_left_alone(store, store_url, tmp_path):
    """
    The error says whose tables they are and what to do.
    """
    with store._db.write() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    try:
        with pytest.raises(StoreError, match="newer version: its tables are 9999") as caught:
            Store.open(store_url, root=tmp_path)
        assert "pip install" in caught.value.hint
    finally:
        with store._db.write() as connection:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{HEAD}'")


def test_a_relative_path_is_inside_the_workspace(tmp_path):
    """
    A store named by a relative path lies in the workspace, wherever the command is run.
    """
    with Store.open("sqlite:///.cosmos/store.sqlite", root=tmp_path) as store:
        assert str(tmp_path / ".cosmos" / "store.sqlite") == store.name
    assert (tmp_path / ".cosmos" / "store.sqlite").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "store.sqlite",
        "mysql://host/db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file:x?mode=memory",
    ],
)
def test_a_url_of_no_kind_we_know_is_refused(url, tmp_path):
    """
    The hint shows both kinds that there are.
    """
    with pytest.raises(InputError) as caught:
        Store.open(url, root=tmp_path)

    assert "sqlite:///" in caught.value.hint
    assert "postgresql://" in caught.value.hint


def test_a_file_that_is_no_store_is_left_alone(tmp_path):
    """
    Whatever it is, it is not overwritten.
    """
    path = tmp_path / "notes.txt"
    path.write_text("not a database, but long enough to be looked at " * 40)
    before = path.read_bytes()

    with pytest.raises(StoreError, match="not a store of ours"):
        Store.open(f"sqlite:///{path}", root=tmp_path)

    assert before == path.read_bytes()


def test_a_store_that_cannot_be_opened_says_so(tmp_path):
    """
    A folder is no file, and a file is no folder.
    """
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(f"sqlite:///{tmp_path}", root=tmp_path)
    with pytest.raises(StoreError, match="cannot be made"):
        Store.open(f"sqlite:///{tmp_path / 'file' / 'store.sqlite'}", root=tmp_path)


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path):
    """
    The sentence says which server, and never the secret.
    """
    pytest.importorskip("psycopg", reason="no PostgreSQL tests: the package psycopg is not installed")

    with pytest.raises(StoreError, match="cannot be reached") as caught:
        Store.open("postgresql://me:s3cret@127.0.0.1:9/db", root=tmp_path)

    assert "127.0.0.1:9" in str(caught.value)
    assert "s3cret" not in str(caught.value) + caught.value.hint


def test_a_database_that_is_not_there_is_named(postgres_server, tmp_path):
    """
    The server is reached and refuses.
    """
    url = sa.make_url(postgres_server).set(database="cosmos_nowhere").render_as_string(hide_password=False)

    with pytest.raises(StoreError, match='database "cosmos_nowhere" does not exist'):
        Store.open(url, root=tmp_path)


def test_a_locked_store_says_who_must_wait_and_loses_nothing(
    store, open_store, new_run, accept, take, start_worker
):
    """
    While another process holds the lock, reading goes on, writing gives up in time, and the runs are as they were.
    """
    (run,) = accept()
    hasty = open_store(patience=0.2)
    holder = start_worker("holds")
    assert "holding\n" == holder.stdout.readline()

    assert State.QUEUED is hasty.run(run.id).state
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"is locked: another process .* more than 0\.2 s"):
        hasty.cancel(run.id)
    assert time.monotonic() - began < 5
    holder.communicate(timeout=60)

    assert State.QUEUED is store.run(run.id).state
    assert State.CANCELLED is hasty.cancel(run.id)[0].state


def test_a_writer_waits_for_a_lock_that_is_let_go(store, accept, start_worker):
    """
    Patience is rewarded: no error when the other one ends in time.
    """
    (run,) = accept()
    holder = start_worker("holds")
    assert "holding\n" == holder.stdout.readline()
    release = threading.Timer(0.3, holder.communicate)
    release.start()

    assert State.CANCELLED is store.cancel(run.id)[0].state
    release.join()


def test_a_full_disk_loses_nothing(tmp_path, new_run):
    """
    When there is no room for a submission none of it is accepted, and what was there stays.
    """
    with Store.open("sqlite:///store.sqlite", root=tmp_path) as store:
        store.accept([new_run()])
        with store._db.read() as connection:
            pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 5}")

        with pytest.raises(StoreError, match=r"disk that holds the store .* is full"):
            store.accept([new_run() for _ in range(500)], token="big")

        assert 1 == sum(store.counts().values())
        assert 1 == len(store.page(Query(text="rainy")).runs)
        assert 1 == len(store.accept([new_run()], token="big"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_forked_child_has_connections_of_its_own(store, accept):
    """
    Parent and child go on side by side with one store object, and neither disturbs the other.
    """
    runs = accept(6)
    child = os.fork()
    if not child:
        try:
            for run in runs[:3]:
                store.cancel(run.id)
        finally:
            os._exit(0 if State.CANCELLED is store.run(runs[0].id).state else 1)
    for run in runs[3:]:
        store.cancel(run.id)

    assert 0 == os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert 6 == store.counts()[State.CANCELLED]


def test_records_cost_no_database(tmp_path):
    """
    Naming what goes into a store imports neither SQLAlchemy nor Alembic; opening a store imports no Alembic.
    """
    Store.open("sqlite:///store.sqlite", root=tmp_path).close()
    source = f"""
import sys
from pathlib import Path
from cosmos_core.store import NewRun, Query, LeaseLost
print(sorted({{"sqlalchemy", "alembic"}} & set(sys.modules)))
from cosmos_core.store import Store
Store.open("sqlite:///store.sqlite", root=Path({str(tmp_path)!r})).counts()
print(sorted({{"alembic", "psycopg", "numpy"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)

    assert ["[]", "[]"] == done.stdout.splitlines()


def test_a_store_where_two_batches_share_a_slot_is_brought_up_to_date(bare_url, new_run, tmp_path):
    """
    An older version could open two for one slot: both stay open, the second where no new batch can meet it.
    """
    with Store.open(bare_url, root=tmp_path) as store:
        store.accept([new_run() for _ in range(4)])
        claim = {"load_key": "model-a", "host": "local", "limit": 1, "lease": -1.0, "owner": "old"}
        made = [store.claim(slot=slot, **claim).batch.id for slot in range(4)]
        with store._db.write() as connection:
            connection.exec_driver_sql("DROP INDEX batch_one_a_slot")
            connection.exec_driver_sql("ALTER TABLE batch DROP COLUMN parked")
            connection.exec_driver_sql("ALTER TABLE run DROP COLUMN unfit")
            connection.exec_driver_sql("ALTER TABLE batch DROP COLUMN traffic")
            connection.exec_driver_sql("DROP INDEX attempt_in_trouble")
            connection.exec_driver_sql("ALTER TABLE attempt DROP COLUMN blame")
            connection.exec_driver_sql("ALTER TABLE attempt DROP COLUMN seed")
            connection.exec_driver_sql("DROP TABLE run_shows")
            connection.exec_driver_sql("DROP TABLE judgement")
            connection.exec_driver_sql("DROP TABLE review")
            connection.exec_driver_sql("DROP INDEX run_by_approval")
            connection.exec_driver_sql("ALTER TABLE run DROP COLUMN approval")
            connection.exec_driver_sql("ALTER TABLE run DROP COLUMN seed")
            connection.exec_driver_sql("UPDATE batch SET slot = 0 WHERE slot < 3")
            connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0001'")

    with Store.open(bare_url, root=tmp_path) as store:
        slots = [held.slot for held in store.leases()]
        taken = {store.adopt(owner="new", hosts=["local"]).batch.id for _ in made}

    assert [0, 3] == sorted(slot for slot in slots if slot >= 0)
    assert 4 == len(set(slots))
    assert set(made) == taken
