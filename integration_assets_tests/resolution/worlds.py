"""Small worlds of both systems, loaded into the raw tables of a connection, for the tests of resolution and ranking."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any

import duckdb

from integration_assets.resolution.rank import Lifecycles, rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets_tests.support.stores import in_lake, on_lakes

AS_OF = datetime(2026, 6, 1, 12, 0)  # noqa: DTZ001 - the store keeps UTC without zone
Row = Mapping[str, Any]
World = Mapping[str, Iterable[Row]]


def connect() -> duckdb.DuckDBPyConnection:
    """An empty store with the raw tables."""
    connection = duckdb.connect(
        ":memory:",
        config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false", "threads": "1"},
    )
    if on_lakes():
        return in_lake(connection)
    for name in ("0001_raw", "0023_crm_deals", "0026_account_row", "0035_company_facts"):
        migration = files("integration_assets.staging").joinpath(f"migrations/{name}.sql")
        connection.execute(migration.read_text(encoding="utf-8"))
    return connection


def load(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    """Put the rows of a world into the raw tables, in place of what was there."""
    tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'raw'").fetchall()
    for (table,) in tables:
        connection.execute(f"DELETE FROM raw.{table}")
    _fill(connection, world)


def _fill(connection: duckdb.DuckDBPyConnection, world: World) -> None:
    for table, table_rows in world.items():
        rows_of_table = list(table_rows)
        names = sorted({name for row in rows_of_table for name in row})
        if names:
            marks = ", ".join([f"({', '.join('?' * len(names))})"] * len(rows_of_table))
            values = [row.get(name) for row in rows_of_table for name in names]
            connection.execute(f"INSERT INTO raw.{table} ({', '.join(names)}) VALUES {marks}", values)


def resolved(
    world: World,
    settings: ResolutionSettings | None = None,
    connection: duckdb.DuckDBPyConnection | None = None,
    lifecycles: Lifecycles | None = None,
    *,
    ranked: bool = True,
) -> duckdb.DuckDBPyConnection:
    """A store in which the world was resolved and `ranked`, in place of what was in `connection` before."""
    if connection is None:
        connection = connect()
        _fill(connection, world)
    else:
        load(connection, world)
    connection.execute("BEGIN TRANSACTION")
    resolve_votes(connection, settings or ResolutionSettings())
    if ranked:
        rank(connection, AS_OF, lifecycles=lifecycles or Lifecycles())
    connection.execute("COMMIT")
    return connection


def rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    """Rows of a query as dictionaries."""
    result = connection.execute(query)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def request(request_id: str, **values: Any) -> Row:
    """A feature request."""
    return {"request_id": request_id, "title": f"Request {request_id}", "status": "open", **values}


def company(company_id: str, domain: str | None = None, **values: Any) -> Row:
    """A CRM company."""
    defaults = {"name": f"Company {company_id}", "additional_domains": [], "merged_ids": []}
    return {"company_id": company_id, "domain": domain, **defaults, **values}


def contact(contact_id: str, email: str | None, primary_company_id: str | None, *additional: str) -> Row:
    """A CRM contact."""
    return {
        "contact_id": contact_id,
        "email": email,
        "primary_company_id": primary_company_id,
        "additional_emails": list(additional),
    }


def vote(vote_id: str, request_id: str, voter_id: str | None, days_ago: float | None = 100) -> Row:
    """A vote cast some days before the read."""
    moment = None if days_ago is None else AS_OF - timedelta(days=days_ago)
    return {"vote_id": vote_id, "request_id": request_id, "voter_id": voter_id, "created_at": moment}


def one_voter(email: str | None, *accounts: Row, **tables: Iterable[Row]) -> dict[str, Iterable[Row]]:
    """A world with one request, and one voter of these accounts who voted for it."""
    return {
        "feature_requests": [request("r")],
        "voters": [{"voter_id": "u", "email": email}],
        "votes": [vote("v", "r", "u")],
        "accounts": accounts,
        "voter_accounts": [{"voter_id": "u", "account_id": account["account_id"]} for account in accounts],
        **tables,
    }


def outcome(world: World, settings: ResolutionSettings | None = None) -> tuple[str | None, str]:
    """Company and method of the only vote of a world, or None and the reason."""
    store = resolved(world, settings, ranked=False)
    found = rows(store, "SELECT company_id, match_method, reason FROM resolved.votes")
    assert len(found) == 1
    assert (found[0]["company_id"] is None) == (found[0]["match_method"] is None) == (found[0]["reason"] is not None)
    return found[0]["company_id"], found[0]["match_method"] or found[0]["reason"]
