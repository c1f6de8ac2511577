"""What a run's video should show."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table; of runs of before nobody said it."""
    op.create_table(
        "run_shows",
        sa.Column(
            "seq",
            _NUMBER,
            sa.ForeignKey("run.seq", ondelete="CASCADE"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("variables", sa.Text, nullable=False),
    )
