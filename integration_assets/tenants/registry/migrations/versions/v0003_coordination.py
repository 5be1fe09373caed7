"""Tables that machines share where the registry is on PostgreSQL: run locks and logs of calls.

On SQLite, which is one machine's, they are in files, and no table is made.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    if op.get_bind().dialect.name == "sqlite":
        return
    op.create_table(
        "run_locks",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
        sa.Column("backend", sa.Integer, nullable=False),
        sa.Column("what", sa.String(200), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("host", sa.String(300), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_table(
        "call_logs",
        sa.Column("name", sa.String(100), primary_key=True),
        sa.Column("buckets", sa.Text, nullable=False),
        sa.Column("clock", sa.Double, nullable=False),
    )
