"""Whose it is that an attempt did not succeed, and the seed that it was made with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; attempts of before are their runs' own."""
    op.add_column("attempt", sa.Column("blame", sa.Text, nullable=False, server_default="run"))
    op.add_column("attempt", sa.Column("seed", sa.BigInteger))
