"""Links by which somebody sets a password of their own: one per user, used once, valid for a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "password_links",
        sa.Column("user_id", sa.String(36), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name="pk_password_links"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_password_links_user_id", ondelete="CASCADE"),
        sa.UniqueConstraint("digest", name="uq_password_links_digest"),
    )
