"""Environment that Alembic runs: the migrations, on the connection and in the transaction it was given."""

from __future__ import annotations

from alembic import context

from integration_assets.tenants.registry.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # One transaction for all of them, begun and ended by the caller.
    transactional_ddl=False,
)
context.run_migrations()
