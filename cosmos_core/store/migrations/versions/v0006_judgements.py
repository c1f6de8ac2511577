"""What steps say about artifacts, beside what checks found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_KEY = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table; until now what steps said was forgotten."""
    op.create_table(
        "judgement",
        sa.Column("run", _KEY, nullable=False),
        sa.Column("step", _KEY, nullable=False),
        sa.Column("digest", _KEY, nullable=False),
        sa.Column("score", sa.Double),
        sa.Column("findings", sa.Text, nullable=False),
        sa.Column("tags", sa.Text, nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("run", "step", name="judgement_key"),
        sa.ForeignKeyConstraint(["run"], ["run.id"], name="judgement_has_run", ondelete="CASCADE"),
    )
