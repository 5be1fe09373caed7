"""The outside world, translated into `models`.

One outgoing client (`http`), one protocol per kind of system (`feedback.base`, `crm.base`), one file or package per
system, and a registry row for each. May import `models`, `errors` and nothing else of the product: connectors know
neither Dagster nor DuckDB.
"""
