"""The tables, once, for both databases; :mod:`cosmos_core.store.migrations` brings a store to them.

Times are seconds since 1970 by the database's own clock, so that workers on machines whose clocks differ agree on
when a lease ends. A spec is kept once, by digest, as canonical JSON: run rows stay small, and every move rewrites
one of them. Indexes stand in the migrations only: naming PostgreSQL's options here would import its dialect into
every command that opens a store.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

HEAD = "0010"
"""The revision these tables are; a test compares it with the migrations."""

# Rows of ids compare byte by byte in SQLite; "C" makes PostgreSQL do so too, and lets a prefix use the index.
Key = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData(naming_convention={"uq": "%(table_name)s_one_%(column_0_N_name)s"})


class _Clock(FunctionElement[float]):
    type = sa.Double()
    inherit_cache = True


@compiles(_Clock, "sqlite")
def _clock_of_sqlite(_: _Clock, __: SQLCompiler, **___: Any) -> str:
    # unixepoch('subsec') needs SQLite 3.42. julianday() of 'now' is good to a millisecond.
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(_Clock, "postgresql")
def _clock_of_postgresql(_: _Clock, __: SQLCompiler, **___: Any) -> str:
    # now() is when the transaction began; one that waited for a lock would grant a lease that is partly over.
    return "CAST(extract(epoch FROM clock_timestamp()) AS DOUBLE PRECISION)"


def now() -> sa.ColumnElement[float]:
    """The database's clock, in seconds since 1970."""
    return _Clock()


spec = sa.Table(
    "spec",
    metadata,
    sa.Column("digest", Key, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)

run = sa.Table(
    "run",
    metadata,
    sa.Column("seq", Number, primary_key=True),
    sa.Column("id", Key, nullable=False, unique=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("spec", Key, sa.ForeignKey("spec.digest"), nullable=False),
    sa.Column("backend", sa.Text, nullable=False),
    sa.Column("load_key", sa.Text, nullable=False),
    sa.Column("gpus", sa.Integer, nullable=False),
    sa.Column("vram_gb", sa.Double, nullable=False),
    sa.Column("unfit", sa.Text, nullable=False, server_default=""),
    sa.Column("seconds", sa.Double, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("batch", Key, nullable=False, default=""),
    sa.Column("cancel", sa.Boolean, nullable=False, default=False),
    sa.Column("progress", sa.Double, nullable=False, default=0.0),
    sa.Column("campaign", sa.Text, nullable=False),
    sa.Column("parent", Key, nullable=False),
    sa.Column("prompt_name", sa.Text, nullable=False),
    sa.Column("prompt_ref", sa.Text, nullable=False),
    sa.Column("rating", sa.Integer),
    sa.Column("approval", sa.Text, nullable=False, default="open", server_default="open"),
    sa.Column("seed", sa.BigInteger),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("changed", sa.Double, nullable=False),
    sqlite_autoincrement=True,
)


def is_queued(runs: sa.FromClause = run) -> sa.ColumnElement[bool]:
    """Whether a run waits. Written into the statement, not bound: only so is the index of the queue used."""
    return runs.c.state == sa.literal("queued", literal_execute=True)


def queue_order(runs: sa.FromClause = run) -> tuple[sa.ColumnElement[Any], ...]:
    """Urgent first; then what needs the most GPUs and so fits the fewest slots, then the longest, then the oldest."""
    return (runs.c.priority.desc(), runs.c.gpus.desc(), runs.c.seconds.desc(), runs.c.seq)


run_words = sa.Table(
    "run_words",
    metadata,
    sa.Column(
        "seq", Number, sa.ForeignKey("run.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    sa.Column("words", sa.Text, nullable=False),
)
"""What a search of runs compares. Apart from ``run``, so that a move does not rewrite the index of words."""

run_tag = sa.Table(
    "run_tag",
    metadata,
    sa.Column("tag", sa.Text, primary_key=True),
    sa.Column(
        "seq", Number, sa.ForeignKey("run.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
)

run_shows = sa.Table(
    "run_shows",
    metadata,
    sa.Column(
        "seq", Number, sa.ForeignKey("run.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    sa.Column("variables", sa.Text, nullable=False),
)
"""What a run's video should show, as JSON; no row for one of which nobody said it."""

batch = sa.Table(
    "batch",
    metadata,
    sa.Column("id", Key, primary_key=True),
    sa.Column("backend", sa.Text, nullable=False),
    sa.Column("load_key", sa.Text, nullable=False),
    sa.Column("host", sa.Text, nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("gpu", sa.Text, nullable=False, default=""),
    sa.Column("attempt", sa.Integer, nullable=False, default=1),
    sa.Column("fence", sa.Integer, nullable=False, default=1),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("lease_until", sa.Double, nullable=False),
    sa.Column("job_key", sa.Text, nullable=False, default=""),
    sa.Column("handle", sa.Text),
    sa.Column("opened", sa.Double, nullable=False),
    sa.Column("closed", sa.Double),
    sa.Column("parked", sa.Boolean, nullable=False, default=False, server_default=sa.false()),
    sa.Column("traffic", sa.Text),
)
"""``parked``: its job is over and outputs wait to be verified, so its slot is free for another batch. ``traffic``: in
JSON, how far its bytes are on their way."""

attempt = sa.Table(
    "attempt",
    metadata,
    sa.Column("run", Key, sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("batch", Key, sa.ForeignKey("batch.id"), nullable=False),
    sa.Column("fence", sa.Integer, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False, default=""),
    sa.Column("findings", sa.Text, nullable=False, default="[]"),
    sa.Column("blame", sa.Text, nullable=False, default="run", server_default="run"),
    sa.Column("seed", sa.BigInteger),
    sa.Column("started", sa.Double, nullable=False),
    sa.Column("running", sa.Double),
    sa.Column("returned", sa.Double),
    sa.Column("ended", sa.Double),
)
"""``seed`` is the one it was made with; none in attempts of before the column."""

artifact = sa.Table(
    "artifact",
    metadata,
    sa.Column("run", Key, sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("digest", Key, nullable=False),
    sa.Column("path", sa.Text, nullable=False, unique=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("fps", sa.Text, nullable=False),
    sa.Column("width", sa.Integer, nullable=False),
    sa.Column("height", sa.Integer, nullable=False),
    sa.Column("sealed", sa.Double, nullable=False),
    sa.Column("phashes", sa.LargeBinary, nullable=False),
)
"""``run`` is the key: a run publishes once, whatever its workers believe."""

judgement = sa.Table(
    "judgement",
    metadata,
    sa.Column("run", Key, sa.ForeignKey("run.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("step", Key, primary_key=True),
    sa.Column("digest", Key, nullable=False),
    sa.Column("score", sa.Double),
    sa.Column("findings", sa.Text, nullable=False),
    sa.Column("tags", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)
"""What each step said last about a run's artifact; ``tags`` are those it gave, as JSON."""

review = sa.Table(
    "review",
    metadata,
    sa.Column("seq", Number, primary_key=True),
    sa.Column("run", Key, sa.ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("who", sa.Text, nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("digest", Key, nullable=False),
    sa.Column("approval", sa.Text),
    sa.Column("rating", sa.Integer),
    sa.Column("note", sa.Text, nullable=False),
    sqlite_autoincrement=True,
)
"""What people said, one row each time; nothing of ours updates or deletes one. The last word stands in ``run`` too."""

event = sa.Table(
    "event",
    metadata,
    sa.Column("seq", Number, primary_key=True),
    sa.Column("run", Key, sa.ForeignKey("run.id", ondelete="CASCADE"), nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("before", sa.Text),
    sa.Column("after", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("owner", sa.Text, nullable=False),
    sa.Column("tx", sa.BigInteger),
    sqlite_autoincrement=True,
)
"""``tx`` is the transaction that wrote it, on PostgreSQL, where a later ``seq`` may become visible first."""

submission = sa.Table(
    "submission",
    metadata,
    sa.Column("token", Key, primary_key=True),
    sa.Column("runs", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)

setting = sa.Table(
    "setting",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

prompt = sa.Table(
    "prompt",
    metadata,
    sa.Column("name", Key, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("text", sa.Text, nullable=False),
    sa.Column("negative", sa.Text, nullable=False),
    sa.Column("clip", Key, nullable=False),
    sa.Column("parent", sa.Text, nullable=False),
    sa.Column("made_by", sa.Text, nullable=False),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("removed", sa.Boolean, nullable=False, default=False),
    sa.Column("words", sa.Text, nullable=False),
)

clip = sa.Table(
    "clip",
    metadata,
    sa.Column("digest", Key, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("folder", sa.Text, nullable=False, unique=True),
    sa.Column("seen", sa.Double, nullable=False),
)
