"""The seed that is tried in place of the one that was asked for."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the column; runs of before try what was asked for."""
    op.add_column("run", sa.Column("seed", sa.BigInteger))
