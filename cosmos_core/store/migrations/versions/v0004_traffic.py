"""How far the bytes of a batch are, on their way to its host or home; empty while none move."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column; nothing moves that an older worker would have told."""
    op.add_column("batch", sa.Column("traffic", sa.Text))
