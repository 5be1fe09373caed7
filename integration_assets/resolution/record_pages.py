"""Addresses in the CRM of the company, or the record, of each row of the ranking."""

from __future__ import annotations

import duckdb

from integration_assets.sql import read_sql

_TABLES = (
    ("ranked.feature_requests", "request_id", "request_pages"),
    ("ranked.companies", "company_id", "company_pages"),
)


def set_record_pages(connection: duckdb.DuckDBPyConnection, key_prefix: str) -> None:
    """Fill `crm_url` of the ranking: of requests also those whose record this run has just created.

    `key_prefix` is what is before the id of a request in the key of its record. What has no record, and all where the
    CRM's addresses are not known, becomes null.
    """
    for table, key, name in _TABLES:
        # What an earlier version ranked has no such column, and may be published as it is.
        connection.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS crm_url VARCHAR")
        found = read_sql(f"ranked/{name}")
        values = {"key_prefix": key_prefix} if "$key_prefix" in found else {}
        connection.execute(
            f"UPDATE {table} SET crm_url = (SELECT crm_url FROM ({found}) AS pages WHERE pages.{key} = {table}.{key})",  # noqa: S608  # nosec B608  # names of ours
            values,
        )
