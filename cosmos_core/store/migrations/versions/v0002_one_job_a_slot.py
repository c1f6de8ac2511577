"""One open batch a slot; a batch whose outputs wait to be verified is parked and leaves its slot to others."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Before this rule two workers could open a batch each for one slot. All but the first get a slot of their own that
# no host has, so that they are finished like any other.
_MOVE_THE_SECOND = """
UPDATE batch SET slot = -1 - (
    SELECT count(*) FROM batch AS other WHERE other.closed IS NULL AND other.host = batch.host AND other.id < batch.id
)
WHERE closed IS NULL AND EXISTS (
    SELECT 1 FROM batch AS other
    WHERE other.closed IS NULL AND other.host = batch.host AND other.slot = batch.slot
    AND (other.opened < batch.opened OR (other.opened = batch.opened AND other.id < batch.id))
)
"""


def upgrade() -> None:
    """Add the mark, then the rule."""
    op.add_column("batch", sa.Column("parked", sa.Boolean, nullable=False, server_default=sa.false()))
    op.execute(_MOVE_THE_SECOND)
    occupied = sa.text("closed IS NULL AND NOT parked")
    op.create_index(
        "batch_one_a_slot",
        "batch",
        ["host", "slot"],
        unique=True,
        sqlite_where=occupied,
        postgresql_where=occupied,
    )
