"""Reading all systems into the raw tables: what is due, page by page, with as few calls as what changed takes.

`raw_tables.ingest` is the way in. It takes explicit inputs (settings, connection, call counter) and knows no run. May
import `connectors`, `staging`, `resolution`, `sync`, `tenants`, `reporting` and what lies below them, never Dagster.
"""
