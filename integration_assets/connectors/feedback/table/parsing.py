"""From the text of a relation to typed tables, all in the private database: keys, times, duplicates, merges.

Each function makes one table from `raw_<relation>`, and returns what people should hear of it. An id is compared as it
is written, trimmed; an e-mail address in its normal form. Nothing here quotes a cell but ids.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Template

import duckdb
import msgspec
import pyarrow as pa

from integration_assets.connectors.feedback.table.formats import DateFormat, MoneyFormat, time_expression
from integration_assets.connectors.feedback.table.importing import Imported
from integration_assets.connectors.feedback.table.mapping import Money
from integration_assets.examples import first_names
from integration_assets.mail_addresses import PLAIN_ADDRESS, address_key, split_address

MOST_KEYS = 1_000
"""Records named one by one among those that cannot be used; of more, only the number is told."""
DAYS_BEFORE_A_DOUBT = 60
"""Different days that are all at most the twelfth of a month: by chance that hardly happens."""

# Addresses that more than their case may keep apart from another spelling: SQL knows the normal form of the others.
_ODD_ADDRESSES = Template("""
SELECT DISTINCT trim($column) AS text FROM raw_$relation
WHERE NOT regexp_full_match(trim($column), ?) OR ends_with(trim($column), '.')
""")
_ADDRESS_KEY = Template("""
    CASE WHEN odd_addresses.text IS NULL THEN lower(nullif(trim($column), '')) ELSE odd_addresses.key END
""")
_REQUESTS = Template("""
CREATE OR REPLACE TABLE requests AS
SELECT
    raw_requests.rowid + 1 AS row_number,
    nullif(trim(id), '') AS id,
    title,
    nullif(trim(status), '') AS status,
    nullif(trim(board), '') AS board,
    nullif(trim(category), '') AS category,
    nullif(trim(tags), '') AS tags,
    nullif(details, '') AS details,
    nullif(trim(url), '') AS url,
    nullif(trim(merged_into), '') AS merged_into,
    coalesce(nullif(trim(author_id), ''), 'person-' || left(sha256($address_key), 24)) AS author_id,
    CASE WHEN $address_key IS NOT NULL THEN trim(author_email) END AS author_email,
    nullif(trim(created_at), '') AS created_text,
    $created_at AS created_at,
    nullif(trim(status_changed_at), '') AS status_changed_text,
    $status_changed_at AS status_changed_at
FROM raw_requests
LEFT JOIN odd_addresses ON trim(author_email) = odd_addresses.text
""")
_VOTES = Template("""
CREATE OR REPLACE TABLE votes AS
SELECT
    raw_votes.rowid AS place,
    nullif(trim(id), '') AS own_id,
    nullif(trim(request_id), '') AS request_id,
    -- A person is known by their id; without one by their address, whose digest is no personal data; a vote that names
    -- only a company is that company's.
    coalesce(
        nullif(trim(voter_id), ''),
        'person-' || left(sha256($address_key), 24),
        'account-' || nullif(trim(account_id), ''),
        'company-' || lower(nullif(trim(company_domain), ''))
    ) AS voter_id,
    CASE WHEN $address_key IS NOT NULL THEN trim(voter_email) END AS email,
    nullif(trim(account_id), '') AS account_id,
    nullif(trim(company_domain), '') AS company_domain,
    $created_at AS moment,
    moment IS NULL AND nullif(trim(created_at), '') IS NOT NULL AS is_unreadable
FROM raw_votes
LEFT JOIN odd_addresses ON trim(voter_email) = odd_addresses.text
""")
# Votes of one person for one request are one vote, unless they have ids.
_VOTE_KEY = """
    own_id,
    CASE WHEN own_id IS NULL THEN request_id END,
    CASE WHEN own_id IS NULL THEN voter_id END
"""
_VOTES_AGAIN = Template("""
CREATE OR REPLACE TABLE again_votes AS
WITH suspects AS (
    SELECT hash($key) AS digest FROM votes
    WHERE request_id IS NOT NULL AND (own_id IS NOT NULL OR voter_id IS NOT NULL)
    GROUP BY digest HAVING count(*) > 1
)

SELECT
    coalesce(own_id, request_id || ':' || voter_id) AS id,
    own_id IS NOT NULL AS has_id,
    count(DISTINCT (request_id, voter_id, moment)) AS contents
FROM votes WHERE hash($key) IN (SELECT digest FROM suspects)
GROUP BY ALL HAVING count(*) > 1
""")
_REPEATED_VOTES = """
DELETE FROM votes WHERE place IN (
    SELECT votes.place FROM votes
    INNER JOIN again_votes AS again
        ON again.id = coalesce(votes.own_id, votes.request_id || ':' || votes.voter_id)
        AND again.has_id = (votes.own_id IS NOT NULL)
    -- An id that stands for different votes does not say which one is meant.
    WHERE NOT (again.has_id AND again.contents > 1)
    QUALIFY row_number() OVER (PARTITION BY again.id ORDER BY votes.moment NULLS LAST, votes.place) > 1
)
"""
_PEOPLE = Template("""
CREATE OR REPLACE TABLE people AS
SELECT raw_people.rowid AS place, nullif(trim(id), '') AS id,
    CASE WHEN $address_key IS NOT NULL THEN trim(email) END AS email, $address_key AS address_key,
    nullif(trim(account_id), '') AS account_id
FROM raw_people
LEFT JOIN odd_addresses ON trim(email) = odd_addresses.text
""")
_ACCOUNTS = """
CREATE OR REPLACE TABLE accounts AS
SELECT rowid AS place, nullif(trim(id), '') AS id, nullif(trim(name), '') AS name, nullif(trim(domain), '') AS domain,
    nullif(trim(mrr), '') AS mrr
FROM raw_accounts
"""
_STATUS_CHANGES = Template("""
CREATE OR REPLACE TABLE status_changes AS
SELECT rowid AS place,
    coalesce(nullif(trim(id), ''), nullif(trim(request_id), '') || ':' || (rowid + 1)) AS id,
    nullif(trim(request_id), '') AS request_id,
    nullif(trim(status), '') AS status,
    nullif(trim(changed_at), '') AS changed_text,
    $changed_at AS changed_at
FROM raw_status_changes
""")
_COMPANIES = """
CREATE OR REPLACE TABLE companies AS
SELECT rowid AS place, nullif(trim(id), '') AS id, nullif(trim(name), '') AS name, nullif(trim(domain), '') AS domain,
    nullif(trim(additional_domains), '') AS additional_domains, nullif(trim(arr), '') AS arr,
    upper(nullif(trim(currency), '')) AS currency, nullif(trim(lifecycle_stage), '') AS lifecycle_stage,
    nullif(trim(parent_id), '') AS parent_id
FROM raw_companies
"""
_KEYS = {
    "requests": "row_number, title, status, board, category, tags, details, url, merged_into, author_id, author_email, "
    "created_text, status_changed_text",
    "accounts": "place, name, domain, mrr",
    "status_changes": "place, request_id, status, changed_text",
    "companies": "place, name, domain, additional_domains, arr, currency, lifecycle_stage, parent_id",
}
"""Columns of a relation's table besides its id: the first says where a row stands, the others what it says."""
# Of rows that say the same, one is kept; rows that say different things under one id are none: nothing is guessed.
_SAME = Template("""
CREATE OR REPLACE TABLE again_$table AS
SELECT id, count(*) AS rows, count(DISTINCT ($content)) AS contents, min($place) AS first
FROM $table WHERE id IS NOT NULL GROUP BY id HAVING count(*) > 1
""")
_KEEP_ONE = Template("""
DELETE FROM $table WHERE EXISTS (
    SELECT 1 FROM again_$table AS again
    WHERE again.id = $table.id AND again.contents = 1 AND $table.$place > again.first
)
""")
_AMBIGUOUS = Template("SELECT id FROM again_$table WHERE contents > 1 ORDER BY id")
# Everybody, with the address that `people` gives, else the first that a vote or a request does.
_PERSONS = Template("""
CREATE OR REPLACE TABLE persons AS
WITH named AS (
    SELECT 1 AS source, place, voter_id AS id, email FROM votes WHERE voter_id IS NOT NULL
    UNION ALL
    SELECT 2, row_number, author_id, author_email FROM requests WHERE author_id IS NOT NULL
    $people
)

SELECT id, arg_min(email, (source, place)) FILTER (email IS NOT NULL) AS email FROM named GROUP BY id
""")
_MEMBERSHIPS = Template("""
CREATE OR REPLACE TABLE memberships AS
SELECT DISTINCT id, account_id FROM (
    SELECT voter_id AS id, account_id FROM votes WHERE account_id IS NOT NULL
    UNION ALL
    SELECT voter_id, 'company-' || lower(company_domain) FROM votes WHERE company_domain IS NOT NULL
    $people
)
WHERE id IS NOT NULL
""")
_OF_PEOPLE = "UNION ALL SELECT 0, place, id, email FROM people WHERE id IS NOT NULL"
_ACCOUNTS_OF_PEOPLE = "UNION ALL SELECT id, account_id FROM people WHERE account_id IS NOT NULL"
# One row for each request that lives, and for each id that stands for several.
_LISTED = """
CREATE OR REPLACE TABLE listed AS
SELECT requests.* REPLACE (
        CASE WHEN again.id IS NULL THEN requests.merged_into END AS merged_into
    ), again.id IS NULL AS usable
FROM requests
LEFT JOIN (SELECT id FROM again_requests WHERE contents > 1) AS again USING (id)
WHERE requests.id IS NULL OR requests.id NOT IN (SELECT unnest(?::VARCHAR[]))
QUALIFY requests.id IS NULL OR row_number() OVER (PARTITION BY requests.id ORDER BY row_number) = 1
"""


class Ambiguity(msgspec.Struct, frozen=True):
    """Ids of a relation that stand for different rows, and rows that repeat others."""

    relation: str
    ambiguous: tuple[str, ...] = ()
    repeated: int = 0


def parse_requests(connection: duckdb.DuckDBPyConnection, imported: Imported, written: DateFormat) -> Ambiguity:
    """Make `requests`: one row per id, and rows without one."""
    key = _understand_addresses(connection, "requests", "author_email")
    _times(connection, _REQUESTS, imported, written, "created_at", "status_changed_at", address_key=key)
    return _one_row_each(connection, "requests")


def follow_merges(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Make `listed`, the requests that live; return those merged into each of them.

    A request whose merges lead in a circle, or to none of the table, lives on in nothing, and is listed.
    """
    merged = dict(
        connection.execute(
            "SELECT id, merged_into FROM requests WHERE id IS NOT NULL AND merged_into IS NOT NULL"
        ).fetchall()
    )
    ends = {one: end for one in merged if (end := _end_of(one, merged)) is not None}
    rows = connection.execute(
        "SELECT id FROM requests WHERE id IN (SELECT unnest(?::VARCHAR[]))", [list(set(ends.values()))]
    ).fetchall()
    living = {one for (one,) in rows}
    aliases: dict[str, list[str]] = {}
    for one, end in ends.items():
        if end in living:
            aliases.setdefault(end, []).append(one)
    connection.execute(_LISTED, [[one for found in aliases.values() for one in found]])
    return aliases


def _end_of(request_id: str, merged: Mapping[str, str]) -> str | None:
    """Request that a merged one lives on in; None when its merges lead in a circle."""
    seen = {request_id}
    while (following := merged.get(request_id)) is not None:
        if following in seen:
            return None
        seen.add(following)
        request_id = following
    return request_id


def gather_persons(connection: duckdb.DuckDBPyConnection, *, with_people: bool) -> None:
    """Make `persons`, everybody once, and `memberships`, the accounts of each."""
    connection.execute(_PERSONS.substitute(people=_OF_PEOPLE if with_people else ""))
    connection.execute(_MEMBERSHIPS.substitute(people=_ACCOUNTS_OF_PEOPLE if with_people else ""))
    if with_people:
        connection.execute(
            "UPDATE persons SET email = NULL WHERE id IN (SELECT id FROM again_people WHERE contents > 1)"
        )


def parse_votes(connection: duckdb.DuckDBPyConnection, imported: Imported, written: DateFormat) -> Ambiguity:
    """Make `votes`: one row per vote, the earliest of those of one voter for one request where they have no ids."""
    key = _understand_addresses(connection, "votes", "voter_email")
    _times(connection, _VOTES, imported, written, "created_at", address_key=key)
    connection.execute("DROP TABLE raw_votes")
    connection.execute(_VOTES_AGAIN.substitute(key=_VOTE_KEY))
    repeated = 0
    # Nearly always there is none, and then the votes are not gone through again.
    if connection.execute("SELECT 1 FROM again_votes LIMIT 1").fetchall():
        [(repeated,)] = connection.execute(_REPEATED_VOTES).fetchall()
    connection.execute("DELETE FROM again_votes WHERE NOT has_id")
    return Ambiguity("votes", _ambiguous(connection, "votes"), repeated)


def parse_people(connection: duckdb.DuckDBPyConnection) -> Ambiguity:
    """Make `people`: rows by id, one for each account; ids with several addresses are told."""
    key = _understand_addresses(connection, "people", "email")
    connection.execute(_PEOPLE.substitute(address_key=key))
    connection.execute(
        """
        CREATE OR REPLACE TABLE again_people AS
        SELECT id, count(DISTINCT address_key) AS contents FROM people WHERE id IS NOT NULL
        GROUP BY id HAVING count(DISTINCT address_key) > 1
        """
    )
    return Ambiguity("people", _ambiguous(connection, "people"))


def parse_accounts(connection: duckdb.DuckDBPyConnection) -> Ambiguity:
    """Make `accounts`: one row per id."""
    connection.execute(_ACCOUNTS)
    return _one_row_each(connection, "accounts")


def parse_status_changes(connection: duckdb.DuckDBPyConnection, imported: Imported, written: DateFormat) -> Ambiguity:
    """Make `status_changes`: one row per id."""
    _times(connection, _STATUS_CHANGES, imported, written, "changed_at")
    return _one_row_each(connection, "status_changes")


def parse_companies(connection: duckdb.DuckDBPyConnection) -> Ambiguity:
    """Make `companies`: one row per id."""
    connection.execute(_COMPANIES)
    return _one_row_each(connection, "companies")


def swapped_dates(connection: duckdb.DuckDBPyConnection, table: str, column: str, written: DateFormat) -> str | None:
    """Say that day and month may be swapped, where the declared format allows it and the dates look like it."""
    if not written.can_be_swapped:
        return None
    statement = Template(
        "SELECT count(DISTINCT $column::DATE), coalesce(max(day($column)), 0), count(DISTINCT month($column)) "
        "FROM $table"
    )
    [(days, latest, months)] = connection.execute(statement.substitute(table=table, column=column)).fetchall()
    # Days stop at 12 where a month stood, and then months go beyond what a short table covers.
    if days < DAYS_BEFORE_A_DOUBT or latest > 12 or months < 3:
        return None
    return (
        f"{table}: none of {days:,} different days is later than the 12th of its month: day and month may be swapped; "
        f"see [dates].format, which says {written.format}"
    )


def thousands_or_decimals(connection: duckdb.DuckDBPyConnection, table: str, column: str, money: Money) -> str | None:
    """Say that decimals may be thousands, where all amounts that have some have three, as 2.000 has."""
    written = MoneyFormat.of(money.format)
    decimal, thousands = re.escape(written.decimal), written.thousands
    statement = Template(
        """
        SELECT
            count(*) FILTER (regexp_matches($column, ?)),
            count(*) FILTER (regexp_matches($column, ?)),
            count(*) FILTER (? != '' AND contains($column, ?))
        FROM $table
        """
    )
    parameters = [rf"[0-9]{decimal}[0-9]+[^0-9]*$", rf"(^|[^0-9])[1-9][0-9]{{0,2}}{decimal}[0-9]{{3}}[^0-9]*$"]
    [(with_decimals, of_three, grouped)] = connection.execute(
        statement.substitute(table=table, column=column), [*parameters, thousands, thousands]
    ).fetchall()
    # One with both signs shows which of them is which.
    if not with_decimals or of_three < with_decimals or grouped:
        return None
    return (
        f"{table}: {column} has three decimals wherever it has some ({of_three:,} times): they may be thousands; see "
        f"[money].format, which says {money.format}"
    )


def none_usable(connection: duckdb.DuckDBPyConnection, relation: str) -> str | None:
    """Say that no row of the requests or of the votes can be used; None when one can, and for other relations."""
    needed = _NEEDED.get(relation)
    if needed is None:
        return None
    condition, words = needed
    [(rows, usable)] = connection.execute(
        Template("SELECT count(*), count(*) FILTER ($condition) FROM $table").substitute(
            table=relation, condition=condition
        )
    ).fetchall()
    return None if usable else f"{relation}: none of {rows:,} rows {words}"


_NEEDED = {
    "requests": ("id IS NOT NULL AND trim(title) != ''", "has an id and a title"),
    "votes": (
        "request_id IS NOT NULL AND (own_id IS NOT NULL OR voter_id IS NOT NULL)",
        "names a request and who voted",
    ),
}
"""Relation a ranking is made of → condition of a row that can be used, and its words. All votes and requests taken
back would look the same as a column that is not what its name says."""


def votes_that_lead_nowhere(connection: duckdb.DuckDBPyConnection) -> tuple[str, ...]:
    """Lines on votes for requests that are not there, and on voters whose address is none. Quotes ids alone."""
    lines = []
    [(votes,)] = connection.execute("SELECT count(*) FROM votes").fetchall()
    lost = connection.execute(
        """
        SELECT request_id, count(*) FROM votes WHERE request_id NOT IN (SELECT id FROM requests WHERE id IS NOT NULL)
        GROUP BY request_id ORDER BY request_id
        """
    ).fetchall()
    if lost:
        number, some = sum(times for _, times in lost), first_names([one for one, _ in lost])
        lines.append(f"{number:,} of {votes:,} votes are for requests that are not in the table: {some}")
    odd = connection.execute(
        "SELECT email, count(*) FROM votes WHERE NOT regexp_full_match(email, ?) GROUP BY email", [_WITH_DOMAIN]
    ).fetchall()
    if no_address := sum(times for text, times in odd if split_address(text) is None):
        lines.append(
            f"{no_address:,} of {votes:,} votes have something else than one e-mail address as voter_email: no "
            "company is found by it"
        )
    return tuple(lines)


_WITH_DOMAIN = PLAIN_ADDRESS.removesuffix("[A-Za-z0-9.-]+") + r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+"
"""Addresses that need no closer look."""


def _understand_addresses(connection: duckdb.DuckDBPyConnection, relation: str, column: str) -> str:
    """Make `odd_addresses` of a column; return the expression of the normal form of one, null where nobody sees any."""
    statement = _ODD_ADDRESSES.substitute(relation=relation, column=column)
    texts = [text for (text,) in connection.execute(statement, [PLAIN_ADDRESS]).fetchall()]
    keys = [address_key(text) or None for text in texts]
    found = pa.table({"text": pa.array(texts, pa.string()), "key": pa.array(keys, pa.string())})
    connection.register("_odd", found)
    try:
        connection.execute("CREATE OR REPLACE TABLE odd_addresses AS SELECT text, key FROM _odd")
    finally:
        connection.unregister("_odd")
    return _ADDRESS_KEY.substitute(column=column).strip()


def _times(
    connection: duckdb.DuckDBPyConnection,
    statement: Template,
    imported: Imported,
    written: DateFormat,
    *fields: str,
    **others: str,
) -> None:
    """Run a statement with the expressions of its times, and `others` of it."""
    expressions, parameters = dict(others), []
    for field in fields:
        expressions[field], given = time_expression(field, written, typed=field in imported.typed)
        parameters += given
    connection.execute(statement.substitute(expressions), parameters)


def _one_row_each(connection: duckdb.DuckDBPyConnection, table: str) -> Ambiguity:
    place, _, content = _KEYS[table].partition(", ")
    connection.execute(_SAME.substitute(table=table, place=place, content=content))
    [(repeated,)] = connection.execute(_KEEP_ONE.substitute(table=table, place=place)).fetchall()
    return Ambiguity(table, _ambiguous(connection, table), repeated)


def _ambiguous(connection: duckdb.DuckDBPyConnection, table: str) -> tuple[str, ...]:
    rows = connection.execute(_AMBIGUOUS.substitute(table=table)).fetchall()
    return tuple(one for (one,) in rows)
