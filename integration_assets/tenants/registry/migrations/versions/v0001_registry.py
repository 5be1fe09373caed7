"""Tenants, users, the two kinds of integration, sessions, keys, and the audit trail.

Revision ID: 0001
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.String(36)
NAME = sa.String(200)
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make all tables."""
    _tenants_and_users()
    _third_party_integrations()
    _internal_integrations()
    _keys()
    _audit_trail()


def downgrade() -> None:
    """There is no version before this one: the way back is the backup."""
    raise NotImplementedError("the registry has no version before 0001: restore a backup")


def _tenants_and_users() -> None:
    op.create_table(
        "tenants",
        sa.Column("id", ID, primary_key=True),
        sa.Column("slug", sa.String(63), nullable=False, unique=True),
        sa.Column("name", NAME, nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )
    op.create_table(
        "users",
        sa.Column("id", ID, primary_key=True),
        sa.Column("tenant_id", ID, sa.ForeignKey("tenants.id", ondelete="CASCADE"), index=True),
        sa.Column("login", NAME, nullable=False, unique=True),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("password_hash", sa.String(300), nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("last_login_at", TIME),
        sa.CheckConstraint("(role = 'operator') = (tenant_id IS NULL)", name="operator_has_no_tenant"),
        sa.CheckConstraint("role IN ('operator', 'tenant_admin')", name="role"),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("user_id", ID, sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("csrf_token", sa.String(64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("seen_at", TIME, nullable=False),
        sa.Column("authenticated_at", TIME, nullable=False),
    )


def _integration_columns() -> list[sa.Column[object]]:
    """Return the columns that both kinds of integration have."""
    return [
        sa.Column("id", ID, primary_key=True),
        sa.Column("tenant_id", ID, sa.ForeignKey("tenants.id", ondelete="CASCADE"), nullable=False, index=True),
        sa.Column("base_url", sa.String(2_000), nullable=False),
        sa.Column("secret", sa.JSON(none_as_null=True)),
        sa.Column("secret_serial", sa.Integer, nullable=False),
        sa.Column("secret_last4", sa.String(4)),
        sa.Column("secret_set_at", TIME),
        sa.Column("secret_set_by", NAME),
        sa.Column("secret_expires_at", TIME),
        sa.Column("secret_never_expires", sa.Boolean, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("updated_at", TIME, nullable=False),
        sa.Column("last_ok_at", TIME),
        sa.Column("last_error", sa.String(300)),
        sa.Column("last_error_at", TIME),
    ]


def _third_party_integrations() -> None:
    op.create_table(
        "third_party_integrations",
        *_integration_columns(),
        sa.Column("provider", sa.String(20), nullable=False),
        sa.Column("environment", sa.String(20), nullable=False),
        sa.Column("settings", sa.JSON, nullable=False),
        sa.UniqueConstraint("tenant_id", "provider", "environment", name="uq_third_party_integrations_place"),
        sa.CheckConstraint("provider IN ('canny', 'hubspot', 'slack')", name="provider"),
        sa.CheckConstraint("environment IN ('sandbox', 'production', 'any')", name="environment"),
    )


def _internal_integrations() -> None:
    op.create_table(
        "internal_integrations",
        *_integration_columns(),
        sa.Column("name", NAME, nullable=False),
        sa.Column("auth_flow", sa.String(30), nullable=False),
        sa.Column("auth", sa.JSON, nullable=False),
        sa.Column("endpoints", sa.JSON, nullable=False),
        sa.Column("mappings", sa.JSON, nullable=False),
        sa.UniqueConstraint("tenant_id", "name", name="uq_internal_integrations_name"),
        sa.CheckConstraint(
            "auth_flow IN ('none', 'basic', 'header', 'bearer', 'oauth2_client_credentials')", name="auth_flow"
        ),
    )


def _keys() -> None:
    op.create_table(
        "data_keys",
        sa.Column("id", ID, primary_key=True),
        sa.Column("owner", ID, nullable=False, index=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("wrapped", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("state IN ('active', 'retiring')", name="state"),
    )
    active = sa.text("state = 'active'")
    op.create_index(
        "ix_data_keys_one_active", "data_keys", ["owner"], unique=True, sqlite_where=active, postgresql_where=active
    )
    op.create_table(
        "vault_checks",
        sa.Column("master_key_id", sa.String(16), primary_key=True),
        sa.Column("sealed", sa.JSON, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
    )


def _audit_trail() -> None:
    op.create_table(
        "audit_trail",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", TIME, nullable=False),
        sa.Column("actor", NAME, nullable=False),
        sa.Column("tenant", sa.String(63)),
        sa.Column("tenant_id", ID, index=True),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("record_table", sa.String(40)),
        sa.Column("record_id", ID, index=True),
        sa.Column("fields", sa.JSON, nullable=False),
        sa.Column("serial", sa.Integer),
        sa.Column("request_id", sa.String(100)),
        sa.Column("result", sa.String(40), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    for statement in _only_added_to(op.get_bind().dialect.name):
        op.execute(statement)


def _only_added_to(dialect: str) -> list[str]:
    """Triggers that refuse to change or remove an entry of the audit trail."""
    if dialect == "sqlite":
        refuse = "BEGIN SELECT RAISE(ABORT, 'the audit trail is only added to'); END"
        return [
            f"CREATE TRIGGER audit_trail_no_{verb} BEFORE {verb} ON audit_trail {refuse}"
            for verb in ("update", "delete")
        ]
    function = (
        "CREATE FUNCTION audit_trail_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'the audit trail is only added to'; END $$"
    )
    trigger = (
        "CREATE TRIGGER audit_trail_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_trail "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_trail_refuse()"
    )
    return [function, trigger]
