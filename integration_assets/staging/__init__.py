"""The staging store: a DuckDB file or a DuckLake per tenant and environment. Opening, migrations, loading, publishing.

Knows the canonical records and DuckDB; knows neither Dagster nor any outside system. May import `models`, `errors`,
`config` and `connectors.redaction`.
"""
