"""The page of published tables and columns, made from their descriptions.

`python -m integration_assets_tests.support.tables_page > docs/reference/tables.md` writes it.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb

from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.descriptions import COLUMNS, TABLES
from integration_assets.staging.publishing import publish
from integration_assets.staging.store import open_store

BEFORE = """# Tables and columns

Every run publishes a DuckDB file per tenant and environment, in the home directory:
`published/<environment>/<tenant>.duckdb`. Open it read-only with DuckDB 1.2 or later, while the next run goes on. It
holds no e-mail address. Every table and column carries its description as a comment
(`SELECT column_name, comment FROM duckdb_columns()`).

Other accounts of the machine may open it with `INTEGRATION_ASSETS_SHARE_PUBLISHED=true`: then the home directory can be
passed through, and everything else in it stays closed (`chmod 700` on the home directory ends that).

```sql
ATTACH '.integration_assets/published/sandbox/default.duckdb' AS published (READ_ONLY);

-- Which requests matter most, and where counting votes misleads
SELECT title, status, companies, arr, votes, rank_by_arr, rank_by_companies, rank_by_votes, rank_gap
FROM published.ranked.feature_requests
WHERE is_open
ORDER BY rank_by_arr
LIMIT 20;

-- Whose ARR is in no total, and why
SELECT company_name, domain, arr_status, requests FROM published.ranked.companies WHERE arr IS NULL;

-- Which requests did this customer make, since when, and how do we know?
SELECT title, status, votes, first_vote_at, match_methods
FROM published.ranked.company_requests
WHERE domain = 'acme.example'
ORDER BY first_vote_at;

-- Why does this request rank there?
SELECT company_name, arr, match_methods, voters
FROM published.ranked.why
WHERE request_id = '…'
ORDER BY arr DESC NULLS LAST;

-- Which requests were merged into another, and into which?
SELECT source, title, votes, merged_into, merged_by
FROM published.ranked.merged_requests
ORDER BY merged_into, votes DESC;

-- Which open deals ride on this request?
SELECT deal_name, company_names, stage, close_date, amount
FROM published.ranked.deals_at_stake
WHERE request_id = '…'
ORDER BY amount DESC NULLS LAST;

-- Which open requests of a board, with a tag, had a vote lately? The filters of the pages, a macro of the database in
-- use. `everything := true` has shipped and closed requests as well.
USE published;
SELECT title, status, companies, arr
FROM ranked.requests_where(board_is := 'Web', tag_is := 'api', voted_since := today() - 90);

-- What would customers of one industry that renew within 90 days have? Every number is theirs alone.
-- An empty list of segments is any, as null is.
SELECT title, status, companies, arr
FROM ranked.requests_where(
    lifecycle_is := 'customer', segments_are := ['industry=SOFTWARE'], renews_by := today() + 90
);

-- Which requests matter most in each industry? `property_is := NULL` has every mapped property.
SELECT value, segment_companies, place, title, arr
FROM ranked.segment_requests(property_is := 'industry', ranked_by := 'arr', most_segments := 10, most_requests := 5);

-- Whose votes are lost?
SELECT email_domain, reason, votes, candidate_company_ids
FROM published.ranked.unresolved_votes
ORDER BY votes DESC;
```
"""


def published_columns(folder: Path) -> dict[str, list[tuple[str, str, str | None]]]:
    """Columns of each published table, with type and comment, as a reader of the file sees them."""
    published = folder / "published.duckdb"
    with open_store(folder / "store.duckdb") as connection:
        resolve_votes(connection, ResolutionSettings())
        rank(connection, as_of=datetime(2026, 11, 1, 12, tzinfo=UTC))
        publish(connection, published)
    columns = "schema_name || '.' || table_name, column_name, data_type, comment"
    query = f"SELECT {columns} FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index"
    found: dict[str, list[tuple[str, str, str | None]]] = {}
    with duckdb.connect(str(published), read_only=True) as reader:
        for table, *column in reader.execute(query).fetchall():
            found.setdefault(table, []).append((column[0], column[1], column[2]))
    return found


def tables_page() -> str:
    """The page as Markdown. What runs keep for themselves (`ops.migrations`) is left out."""
    with TemporaryDirectory() as folder:
        published = published_columns(Path(folder))
    lines = [BEFORE]
    for table, description in TABLES.items():
        if table == "ops.migrations":
            continue
        lines += [f"## {table}", "", f"{description}.", "", "| column | type | holds |", "|---|---|---|"]
        lines += [f"| `{name}` | {kind} | {COLUMNS[table][name].description} |" for name, kind, _ in published[table]]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(tables_page())
