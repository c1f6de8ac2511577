"""What people say about videos: who, when, and whether it is approved."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table and the column; ratings of before stay, without a name to them."""
    op.create_table(
        "review",
        sa.Column("seq", _NUMBER, primary_key=True),
        sa.Column("run", _KEY, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("who", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("digest", _KEY, nullable=False),
        sa.Column("approval", sa.Text),
        sa.Column("rating", sa.Integer),
        sa.Column("note", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name="review_has_run", ondelete="CASCADE"),
        sqlite_autoincrement=True,
    )
    op.create_index("review_by_run", "review", ["run", "seq"])
    op.add_column("run", sa.Column("approval", sa.Text, nullable=False, server_default="open"))
    said = sa.text("approval <> 'open'")
    op.create_index("run_by_approval", "run", ["seq", "approval"], sqlite_where=said, postgresql_where=said)
