"""Columns of the staging store that hold a person, and what is done there when the person is forgotten.

`docs/privacy.md` has the same list, in words; the tests compare both with what a run really leaves.
"""

from __future__ import annotations

from typing import Literal

import duckdb
import msgspec
import pyarrow as pa

from integration_assets.housekeeping.person import Person
from integration_assets.mail_addresses import PLAIN_ADDRESS, address_key
from integration_assets.staging.quoting import identifier
from integration_assets.sync.operations import plan_hash, read_operations
from integration_assets.sync.plan_store import hash_header, load_plan

Kind = Literal["voter", "contact"]
_SCRUBBED = "scrubbed_texts"
"""Name of the texts that take the place of those that name the person, while one column is gone through."""


class PersonColumn(msgspec.Struct, frozen=True):
    """A column with ids of persons. `action`: the whole row goes, or the id alone."""

    table: str
    column: str
    kind: Kind
    action: Literal["row", "id"]
    only: str = "TRUE"
    """SQL condition on rows that the column means a person in."""


ID_COLUMNS = (
    PersonColumn("raw.voter_accounts", "voter_id", "voter", "row"),
    # A vote counts although its voter is gone: it goes on as one without address.
    PersonColumn("raw.votes", "voter_id", "voter", "id"),
    PersonColumn("raw.feature_requests", "author_id", "voter", "id"),
    PersonColumn("resolved.counted_votes", "stranger_id", "voter", "id"),
    PersonColumn("raw.idle_persons", "voter_id", "voter", "row"),
    PersonColumn("raw.voters", "voter_id", "voter", "row"),
    PersonColumn("resolved.voters", "voter_id", "voter", "row"),
    PersonColumn("raw.crm_links", "target_id", "contact", "row", "target = 'contact'"),
    PersonColumn("resolved.contact_addresses", "contact_id", "contact", "row"),
    PersonColumn("raw.crm_contacts", "contact_id", "contact", "row"),
    PersonColumn("sync.plan_operations", "target_id", "contact", "row", "target = 'contact'"),
    # Entries of the ledger are counted by their numbers: a missing one would pass for damage.
    PersonColumn("sync.ledger", "target_id", "contact", "id", "target = 'contact'"),
)
ADDRESS_COLUMNS = (
    ("raw.voters", "email"),
    ("raw.crm_contacts", "email"),
    ("raw.crm_contacts", "additional_emails"),
    ("resolved.contact_addresses", "address"),
    ("resolved.address_hosts", "text"),
    ("resolved.address_hosts", "address"),
    ("raw.vote_pages", "pages"),
    ("sync.quarantine", "key"),
)
"""Columns whose values are addresses. Any other text can hold one that somebody wrote into it, and is searched too."""


class Erased(msgspec.Struct):
    """Result of forgetting in one store. `rows` by table; `plans`: old and new hash of waiting plans that lost some."""

    rows: dict[str, int] = {}
    plans: list[tuple[str, str]] = []

    def count(self, table: str, rows: int) -> None:
        """Add rows of a table that were changed or removed."""
        if rows:
            self.rows[table] = self.rows.get(table, 0) + rows


def ids_in_store(connection: duckdb.DuckDBPyConnection, person: Person) -> dict[Kind, set[str]]:
    """Ids under which the store knows the person: those of the feedback system and of this environment's CRM."""
    tables = _tables(connection)
    if not {"raw.voters", "raw.crm_contacts"} <= tables:
        return {"voter": set(), "contact": set()}
    rows = connection.execute(
        """
        SELECT kind, id, email
        FROM (
            SELECT 'voter' AS kind, voter_id AS id, email FROM raw.voters
            UNION ALL
            SELECT 'contact', contact_id, unnest(list_prepend(email, coalesce(additional_emails, [])))
            FROM raw.crm_contacts
        )
        WHERE list_contains($spellings, lower(trim(email))) OR NOT regexp_full_match(email, $plain)
        """,
        {"spellings": sorted(person.spellings), "plain": PLAIN_ADDRESS},
    ).fetchall()
    found: dict[Kind, set[str]] = {"voter": set(), "contact": set()}
    for kind, id_, email in rows:
        # Of odd spellings only the rule that matches votes can tell whose they are.
        if email.strip().lower() in person.spellings or address_key(email) == person.key:
            found[kind].add(id_)
    return found


def erase_in_store(connection: duckdb.DuckDBPyConnection, person: Person, ids: dict[Kind, set[str]]) -> Erased:
    """Take the person out of every table. Call inside a transaction."""
    erased, tables = Erased(), _tables(connection)
    _erase_vote_pages(connection, erased)
    _unlink_votes(connection, ids["voter"], tables)
    changed_plans = _plans_with(connection, ids["contact"]) if "sync.plan_operations" in tables else []
    for place in ID_COLUMNS:
        if place.table in tables and ids[place.kind]:
            erased.count(place.table, _erase_ids(connection, place, sorted(ids[place.kind])))
    # Ids that companies and our records have as well would be taken out of places that mean those.
    own = person.with_ids({*ids["voter"], *ids["contact"]} - _ids_of_others(connection, ids))
    for table in sorted(tables):
        _scrub(connection, own, table, erased)
    for plan_id in changed_plans:
        if hashes := _rehash(connection, plan_id):
            erased.plans.append(hashes)
    return erased


def _tables(connection: duckdb.DuckDBPyConnection) -> set[str]:
    rows = connection.execute(
        """
        SELECT schema_name || '.' || table_name FROM duckdb_tables()
        WHERE database_name = current_database() AND NOT internal AND NOT temporary
        """
    ).fetchall()
    return {name for (name,) in rows}


def _erase_vote_pages(connection: duckdb.DuckDBPyConnection, erased: Erased) -> None:
    # Packed pages of a read that died: nobody can look into them in SQL, and the next run reads them again.
    [(pages,)] = connection.execute("DELETE FROM raw.vote_pages").fetchall()
    erased.count("raw.vote_pages", int(pages))


def _unlink_votes(connection: duckdb.DuckDBPyConnection, voter_ids: set[str], tables: set[str]) -> None:
    if {"resolved.voters", "resolved.counted_votes"} <= tables and voter_ids:
        connection.execute(
            """
            UPDATE resolved.counted_votes SET voter_no = NULL
            WHERE voter_no IN (SELECT voter_no FROM resolved.voters WHERE list_contains(?, voter_id))
            """,
            [sorted(voter_ids)],
        )


def _erase_ids(connection: duckdb.DuckDBPyConnection, place: PersonColumn, ids: list[str]) -> int:
    found = f"list_contains(?, {place.column}) AND {place.only}"
    statement = (
        f"DELETE FROM {place.table} WHERE {found}"  # noqa: S608  # nosec B608  # names of our own, above
        if place.action == "row"
        else f"UPDATE {place.table} SET {place.column} = NULL WHERE {found}"  # noqa: S608  # nosec B608
    )
    [(count,)] = connection.execute(statement, [ids]).fetchall()
    return int(count)


def _ids_of_others(connection: duckdb.DuckDBPyConnection, ids: dict[Kind, set[str]]) -> set[str]:
    known = sorted({*ids["voter"], *ids["contact"]})
    rows = connection.execute(
        """
        SELECT company_id FROM raw.crm_companies WHERE list_contains($ids, company_id)
        UNION SELECT record_id FROM raw.crm_feature_requests WHERE list_contains($ids, record_id)
        UNION SELECT request_id FROM raw.feature_requests WHERE list_contains($ids, request_id)
        """,
        {"ids": known},
    ).fetchall()
    return {id_ for (id_,) in rows}


def _scrub(connection: duckdb.DuckDBPyConnection, person: Person, table: str, erased: Erased) -> None:
    """Replace addresses and ids in all columns with text of a table: lists, maps and JSON as well."""
    schema, name = table.split(".", 1)
    columns = connection.execute(
        """
        SELECT column_name, data_type FROM duckdb_columns()
        WHERE database_name = current_database() AND schema_name = ? AND table_name = ?
        AND (contains(data_type, 'VARCHAR') OR data_type = 'JSON')
        """,
        [schema, name],
    ).fetchall()
    changed: set[int] = set()
    for column, kind in columns:
        quoted = identifier(column)
        as_text = quoted if kind == "VARCHAR" else f"to_json({quoted})::VARCHAR"
        from_text = f"{_SCRUBBED}.text" if kind == "VARCHAR" else f"{_SCRUBBED}.text::JSON::{kind}"
        scrub = person.scrubbed if kind == "VARCHAR" else person.scrubbed_json
        rows = connection.execute(
            f"SELECT rowid, {as_text} FROM {table} WHERE "  # noqa: S608  # nosec B608  # names from the catalogue
            f"len(list_filter($needles, LAMBDA needle: contains(lower({as_text}), needle))) > 0",
            {"needles": person.needles},
        ).fetchall()
        # What holds a needle may be somebody whose address ends alike.
        scrubbed = {row_id: new for row_id, text in rows if (new := scrub(text)) != text}
        if not scrubbed:
            continue
        arrays = [pa.array(list(scrubbed), pa.int64()), pa.array(list(scrubbed.values()), pa.string())]
        # All rows at once: in a lake each statement is dear.
        connection.register(_SCRUBBED, pa.table(arrays, names=["row_id", "text"]))
        try:
            connection.execute(
                f"UPDATE {table} SET {quoted} = {from_text} FROM {_SCRUBBED} "  # noqa: S608  # nosec B608
                f"WHERE {table}.rowid = {_SCRUBBED}.row_id"
            )
        finally:
            connection.unregister(_SCRUBBED)
        changed |= scrubbed.keys()
    erased.count(table, len(changed))


def _plans_with(connection: duckdb.DuckDBPyConnection, contact_ids: set[str]) -> list[str]:
    rows = connection.execute(
        "SELECT DISTINCT plan_id FROM sync.plan_operations WHERE target = 'contact' AND list_contains(?, target_id)",
        [sorted(contact_ids)],
    ).fetchall()
    return sorted(plan_id for (plan_id,) in rows)


def _rehash(connection: duckdb.DuckDBPyConnection, plan_id: str) -> tuple[str, str] | None:
    """Give a plan the hash of the operations it has left; return its old one and the new one.

    None for a plan that waits for nobody: it is applied, or never was to be.
    """
    plan = load_plan(connection, plan_id)
    new = plan_hash(hash_header(plan), read_operations(connection, plan_id, with_moved=True))
    [(waits,)] = connection.execute(
        "SELECT status IN ('held', 'approved') FROM sync.plans WHERE plan_id = ?", [plan_id]
    ).fetchall()
    connection.execute(
        """
        UPDATE sync.plans SET
            hash = $new,
            header = replace(header, $old, $new),
            -- what somebody released was another plan
            status = CASE WHEN status = 'approved' THEN 'planned' ELSE status END
        WHERE plan_id = $plan_id
        """,
        {"new": new, "old": plan.hash, "plan_id": plan_id},
    )
    return (plan.hash, new) if waits else None
