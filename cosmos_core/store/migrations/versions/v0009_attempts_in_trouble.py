"""Attempts that failed for their hosts are found without looking at the others: workers ask at every turn."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the index."""
    theirs = sa.text("blame = 'host'")
    op.create_index("attempt_in_trouble", "attempt", ["batch"], sqlite_where=theirs, postgresql_where=theirs)
