"""A table of one's own as the rest of the product knows it. Imports no part of the connector."""

from __future__ import annotations

from integration_assets.connectors.specs import ProviderKind, ProviderSpec, SettingSpec, VariableSpec

TABLE = ProviderSpec(
    name="table",
    label="Table",
    kind=ProviderKind.FEEDBACK,
    connector="integration_assets.connectors.feedback.table.connector:table",
    # Files and SELECTs are read whole in seconds; what is gone from them leaves no other trace.
    reads_are_free=True,
    may_hold_companies=True,
    settings=(
        SettingSpec(
            name="mapping",
            variable=VariableSpec("INTEGRATION_ASSETS_TABLE"),
            form=r"[^\x00-\x1f\x7f]{1,500}",
            hint="must be the path of the TOML file that `integration-assets table init` writes",
            label="Mapping",
            help="Path of the TOML file that says where the tables are, and which column is which field.",
            needed=True,
            is_path=True,
        ),
    ),
)
