"""The first tables: specs, runs, batches, attempts, artifacts, events, prompts, clips; and the index of words."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table, from nothing."""
    _make_runs()
    _make_attempts()
    _make_library()
    if op.get_bind().dialect.name == "sqlite":
        _index_words_on_sqlite()
    else:
        _index_words_on_postgresql()


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False)


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, _KEY, nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer, nullable=False)


def _real(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double, nullable=False)


def _make_runs() -> None:
    op.create_table("spec", _key("digest"), _text("body"), sa.PrimaryKeyConstraint("digest", name="spec_key"))
    op.create_table(
        "run",
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=True),
        _key("id"),
        _text("name"),
        _key("spec"),
        _text("backend"),
        _text("load_key"),
        _count("gpus"),
        _real("vram_gb"),
        _real("seconds"),
        _count("priority"),
        _text("state"),
        _count("attempt"),
        _text("reason"),
        _key("batch"),
        sa.Column("cancel", sa.Boolean, nullable=False),
        _real("progress"),
        _text("campaign"),
        _key("parent"),
        _text("prompt_name"),
        _text("prompt_ref"),
        sa.Column("rating", sa.Integer),
        _real("created"),
        _real("changed"),
        sa.PrimaryKeyConstraint("seq", name="run_key"),
        sa.UniqueConstraint("id", name="run_one_id"),
        sa.ForeignKeyConstraint(["spec"], ["spec.digest"], name="run_has_spec"),
        sqlite_autoincrement=True,
    )
    _index_runs()
    op.create_table(
        "run_words",
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=False),
        _text("words"),
        sa.PrimaryKeyConstraint("seq", name="run_words_key"),
        sa.ForeignKeyConstraint(["seq"], ["run.seq"], name="run_words_has_seq", ondelete="CASCADE"),
    )
    op.create_table(
        "run_tag",
        _text("tag"),
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("tag", "seq", name="run_tag_key"),
        sa.ForeignKeyConstraint(["seq"], ["run.seq"], name="run_tag_has_seq", ondelete="CASCADE"),
    )
    op.create_index("run_tag_by_seq", "run_tag", ["seq"])


def _index_runs() -> None:
    queued = sa.text("state = 'queued'")
    rated = sa.text("rating IS NOT NULL")
    order: list[str | sa.TextClause] = [
        sa.text("priority DESC"),
        sa.text("gpus DESC"),
        sa.text("seconds DESC"),
        "seq",
    ]
    op.create_index("run_by_spec", "run", ["spec"])
    op.create_index("run_by_state", "run", ["state", "seq"])
    op.create_index("run_by_campaign", "run", ["campaign", "seq"])
    op.create_index("run_by_prompt", "run", ["prompt_name", "seq"])
    op.create_index("run_by_batch", "run", ["batch"])
    op.create_index("run_by_rating", "run", ["seq", "rating"], sqlite_where=rated, postgresql_where=rated)
    op.create_index("run_queue", "run", order, sqlite_where=queued, postgresql_where=queued)
    op.create_index(
        "run_queue_of_load", "run", ["load_key", *order], sqlite_where=queued, postgresql_where=queued
    )


def _make_attempts() -> None:
    op.create_table(
        "batch",
        _key("id"),
        _text("backend"),
        _text("load_key"),
        _text("host"),
        _count("slot"),
        _text("gpu"),
        _count("attempt"),
        _count("fence"),
        _text("owner"),
        _real("lease_until"),
        _text("job_key"),
        sa.Column("handle", sa.Text),
        _real("opened"),
        sa.Column("closed", sa.Double),
        sa.PrimaryKeyConstraint("id", name="batch_key"),
    )
    still_open = sa.text("closed IS NULL")
    op.create_index(
        "batch_open", "batch", ["lease_until"], sqlite_where=still_open, postgresql_where=still_open
    )
    op.create_table(
        "attempt",
        _key("run"),
        _count("number"),
        _key("batch"),
        _count("fence"),
        _text("state"),
        _text("reason"),
        _text("findings"),
        _real("started"),
        sa.Column("running", sa.Double),
        sa.Column("returned", sa.Double),
        sa.Column("ended", sa.Double),
        sa.PrimaryKeyConstraint("run", "number", name="attempt_key"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name="attempt_has_run", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["batch"], ["batch.id"], name="attempt_has_batch"),
    )
    op.create_index("attempt_by_batch", "attempt", ["batch"])
    op.create_table(
        "artifact",
        _key("run"),
        _count("attempt"),
        _key("digest"),
        _text("path"),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        _count("frames"),
        _text("fps"),
        _count("width"),
        _count("height"),
        _real("sealed"),
        sa.Column("phashes", sa.LargeBinary, nullable=False),
        sa.PrimaryKeyConstraint("run", name="artifact_key"),
        sa.UniqueConstraint("path", name="artifact_one_path"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name="artifact_has_run", ondelete="CASCADE"),
    )
    op.create_index("artifact_by_digest", "artifact", ["digest"])
    op.create_index("artifact_by_sealed", "artifact", ["sealed"])
    _make_events()


def _make_events() -> None:
    on_server = op.get_bind().dialect.name == "postgresql"
    op.create_table(
        "event",
        sa.Column("seq", _NUMBER, nullable=False, autoincrement=True),
        _key("run"),
        _real("at"),
        sa.Column("before", sa.Text),
        _text("after"),
        _text("reason"),
        _text("owner"),
        sa.Column(
            "tx",
            sa.BigInteger,
            server_default=sa.text("(pg_current_xact_id()::text::bigint)") if on_server else None,
        ),
        sa.PrimaryKeyConstraint("seq", name="event_key"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name="event_has_run", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("event_by_run", "event", ["run", "seq"])


def _make_library() -> None:
    op.create_table(
        "submission",
        _key("token"),
        _text("runs"),
        _real("at"),
        sa.PrimaryKeyConstraint("token", name="submission_key"),
    )
    op.create_table(
        "setting", _key("name"), _text("value"), sa.PrimaryKeyConstraint("name", name="setting_key")
    )
    op.create_table(
        "prompt",
        _key("name"),
        sa.Column("version", sa.Integer, nullable=False, autoincrement=False),
        _text("text"),
        _text("negative"),
        _key("clip"),
        _text("parent"),
        _text("made_by"),
        _real("created"),
        sa.Column("removed", sa.Boolean, nullable=False),
        _text("words"),
        sa.PrimaryKeyConstraint("name", "version", name="prompt_key"),
    )
    op.create_table(
        "clip",
        _key("digest"),
        _text("name"),
        _text("folder"),
        _real("seen"),
        sa.PrimaryKeyConstraint("digest", name="clip_key"),
        sa.UniqueConstraint("folder", name="clip_one_folder"),
    )
    op.create_index("clip_by_name", "clip", ["name"])


def _index_words_on_sqlite() -> None:
    # The words come folded and one space apart; the tokenizer "ascii" splits nowhere else. detail=none leaves out
    # positions, which only phrases need; prefix indexes make a word of one to three letters as quick as a long one.
    op.execute(
        "CREATE VIRTUAL TABLE run_words_index USING fts5(words, content='run_words', content_rowid='seq', "
        "tokenize='ascii', detail=none, prefix='1 2 3')"
    )
    drop = "INSERT INTO run_words_index(run_words_index, rowid, words) VALUES ('delete', old.seq, old.words);"
    add = "INSERT INTO run_words_index(rowid, words) VALUES (new.seq, new.words);"
    op.execute(f"CREATE TRIGGER run_words_added AFTER INSERT ON run_words BEGIN {add} END")
    op.execute(f"CREATE TRIGGER run_words_changed AFTER UPDATE ON run_words BEGIN {drop} {add} END")
    op.execute(f"CREATE TRIGGER run_words_dropped AFTER DELETE ON run_words BEGIN {drop} END")


def _index_words_on_postgresql() -> None:
    # Straight from an array: PostgreSQL's own parser would see hosts, numbers and paths in our words.
    op.execute(
        "ALTER TABLE run_words ADD COLUMN vector tsvector GENERATED ALWAYS AS "
        "(array_to_tsvector(string_to_array(ltrim(words), ' '))) STORED"
    )
    op.execute("CREATE INDEX run_words_index ON run_words USING gin (vector)")
