"""Counts of logins and connection tests where the registry is on PostgreSQL; on SQLite they are in memory."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.create_table(
        "tries",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_tries_name_at", "tries", ["name", "at"])
    op.create_index("ix_tries_at", "tries", ["at"])
