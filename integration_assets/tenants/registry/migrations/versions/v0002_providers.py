"""Any provider: the registry of providers says which there are, so that a new one needs no migration."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

CHECK = "ck_third_party_integrations_provider"


def upgrade() -> None:
    """Drop the check of provider names."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        _drop_in_sqlite(connection)
    else:
        op.drop_constraint("provider", "third_party_integrations", type_="check")


def _drop_in_sqlite(connection: sa.Connection) -> None:
    # SQLite drops no constraint; its documentation ("ALTER TABLE", "Making Other Kinds Of Table Schema Changes") has
    # this way for changes that leave the rows as they are. A copy of the table would have to carry all its indexes.
    declared = connection.execute(
        sa.text("SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = 'third_party_integrations'")
    ).scalar_one()
    kept = [line for line in declared.splitlines() if CHECK not in line]
    if len(kept) != len(declared.splitlines()) - 1:
        raise RuntimeError(f"the table third_party_integrations is not as version {down_revision} made it")
    version = connection.execute(sa.text("PRAGMA schema_version")).scalar_one()
    connection.execute(sa.text("PRAGMA writable_schema = ON"))
    connection.execute(
        sa.text("UPDATE sqlite_schema SET sql = :sql WHERE type = 'table' AND name = 'third_party_integrations'"),
        {"sql": "\n".join(kept)},
    )
    connection.execute(sa.text(f"PRAGMA schema_version = {version + 1}"))
    connection.execute(sa.text("PRAGMA writable_schema = OFF"))
