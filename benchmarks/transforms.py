"""Votes to companies, and rankings: 5 million votes and 200,000 companies on two processors, and how time grows."""

from __future__ import annotations

import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from benchmarks.base import Row, run

COMPANIES = 200_000
REQUESTS = 20_000
VOTES = (100_000, 1_000_000, 5_000_000)
THREADS = 2
_FILL = """
INSERT INTO raw.feature_requests (request_id, title, status, tags, created_at)
SELECT lpad(hex(i), 24, '0'), 'Request ' || i, ['open', 'planned', 'complete', 'closed'][1 + i % 4], [],
    TIMESTAMP '2024-01-01' + to_hours(i::INTEGER)
FROM range($requests) AS numbers (i);
INSERT INTO raw.voters
SELECT lpad(hex(i), 24, '0'), CASE
    WHEN i % 20 = 0 THEN NULL
    WHEN i % 10 = 1 THEN 'user' || i || '@gmail.com'
    WHEN i % 1000 = 2 THEN 'Name <U' || i || '@bücher' || (i % 50) || '.de>'
    ELSE 'user' || i || '@' || CASE WHEN i % 3 = 0 THEN 'mail.' ELSE '' END
        || 'company' || (hash(i) % ($companies * 13 // 10)) || '.com'
END
FROM range($voters) AS numbers (i);
INSERT INTO raw.votes
SELECT lpad(hex(i), 24, '0'),
    lpad(hex(floor($requests * pow((hash(i) % 1000003) / 1000003.0, 3))::INTEGER), 24, '0'),
    CASE WHEN i % 500 = 0 THEN NULL ELSE lpad(hex(hash(i + 77) % $voters), 24, '0') END,
    TIMESTAMP '2025-01-01' + to_seconds(i * 3)
FROM range($votes) AS numbers (i);
INSERT INTO raw.accounts
SELECT 'acc' || i, 'A' || i, 'company' || i || '.com', (i % 1000)::VARCHAR FROM range($companies // 2) AS numbers (i);
INSERT INTO raw.voter_accounts
SELECT lpad(hex(i), 24, '0'), 'acc' || (hash(i) % ($companies // 2)) FROM range(0, $voters, 3) AS numbers (i);
INSERT INTO raw.crm_companies (
    company_id, name, domain, additional_domains, arr, lifecycle_stage, parent_id, merged_ids
)
SELECT (10000000 + i)::VARCHAR, 'Company ' || i, 'company' || (i - i % 50 // 49) || '.com',
    CASE WHEN i % 7 = 0 THEN ['co' || i || '.io'] ELSE [] END,
    CASE WHEN i % 3 = 0 THEN NULL ELSE (i * 10)::VARCHAR END, 'customer',
    CASE WHEN i % 50 = 49 THEN (10000000 + i - 1)::VARCHAR END, []
FROM range($companies) AS numbers (i);
INSERT INTO raw.crm_contacts
SELECT 'k' || i, 'user' || i || '@gmail.com', [], (10000000 + i % $companies)::VARCHAR
FROM range(1, $voters, 30) AS numbers (i);
CHECKPOINT;
"""
"""A made-up world: a quarter as many people as votes, a third of the companies' domains unknown, every kind of vote."""


def measure(seed: int) -> Iterator[Row]:
    """Each size in a process of its own. The data are made by arithmetic: the seed changes nothing."""
    del seed
    seconds = {}
    for votes in VOTES:
        with tempfile.TemporaryDirectory() as folder:
            command = [sys.executable, "-m", "benchmarks.transforms", str(votes)]
            run([*command, "fill", folder], os.environ, Path(__file__).parent.parent)
            ended = run([*command, "rank", folder], os.environ, Path(__file__).parent.parent)
        said = json.loads(ended.output)
        seconds[votes] = said["seconds"]
        largest = votes == VOTES[-1]
        yield Row(
            f"resolve and rank {votes:,} votes, {COMPANIES:,} companies, {said['hosts']:,} hosts understood once each",
            f"{said['seconds']:.1f} s, {ended.memory / 1e9:.2f} GB",
            "under 20 s and 2 GB on 2 processors" if largest else "",
            (said["seconds"] < 20 and ended.memory < 2e9) if largest else None,
        )
    few, many = VOTES[0], VOTES[-1]
    growth, allowed = seconds[many] / seconds[few], many * math.log(many) / (few * math.log(few))
    yield Row(
        f"time from {few:,} to {many:,} votes",
        f"x {growth:.0f}",
        f"at most x {allowed:.0f} (n log n)",
        growth <= allowed,
    )


def _fill(path: Path, votes: int) -> None:
    from integration_assets.staging.store import open_store

    sizes = {"requests": REQUESTS, "voters": votes // 4, "votes": votes, "companies": COMPANIES}
    with open_store(path) as connection:
        for statement in _FILL.split(";\n"):
            used = {name: size for name, size in sizes.items() if f"${name}" in statement}
            if statement.strip():
                connection.execute(statement, used)


def _rank(path: Path) -> None:
    from integration_assets.resolution.rank import rank, snapshot_history
    from integration_assets.resolution.resolve import resolve_votes
    from integration_assets.resolution.settings import ResolutionSettings
    from integration_assets.staging.store import open_store, transaction

    as_of = datetime(2025, 6, 1)  # noqa: DTZ001 - times in the store have no zone, all are UTC
    with open_store(path) as connection:
        connection.execute(f"SET threads = {THREADS}")
        started = time.monotonic()
        with transaction(connection):
            resolve_votes(connection, ResolutionSettings())
        with transaction(connection):
            rank(connection, as_of)
            snapshot_history(connection, as_of)
        seconds = time.monotonic() - started
        [(hosts,)] = connection.execute("SELECT count(*) FROM resolved.address_hosts").fetchall()
    sys.stdout.write(json.dumps({"seconds": seconds, "hosts": hosts}))


if __name__ == "__main__":
    store = Path(sys.argv[3]) / "bench.duckdb"
    if sys.argv[2] == "fill":
        _fill(store, int(sys.argv[1]))
    else:
        _rank(store)
