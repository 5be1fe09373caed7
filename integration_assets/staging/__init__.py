"""The staging store: one DuckDB database per tenant and environment. Connections, migrations, loading, publishing.

Knows the canonical records and DuckDB; knows neither Dagster nor any outside system. May import `models`, `errors` and
`config`.
"""
