"""Which kinds of GPU cannot run a run, and why: pairs in JSON, empty for none."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the column; runs of before are not judged by the kind of GPU."""
    op.add_column("run", sa.Column("unfit", sa.Text, nullable=False, server_default=""))
