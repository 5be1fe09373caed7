"""A table of one's own: time and memory of five million votes in a CSV."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from benchmarks.base import Row, run

VOTES = 5_000_000
MOST_SECONDS, MOST_BYTES = 30, 2_000_000_000
MAPPING = """
[requests]
file = "requests.csv"
columns = {id = "id", title = "title", created_at = "created"}

[votes]
file = "votes.csv"
columns = {request_id = "Idea", voter_email = "E-mail", created_at = "Voted on"}
"""
_REQUESTS = """
COPY (SELECT 'r' || range AS id, 'Idea ' || range AS title, '2025-01-01' AS created FROM range(2000))
TO '{folder}/requests.csv' (HEADER)
"""
# Each vote once: a person votes for a request at most once, in no order of time.
_VOTES = """
COPY (
    SELECT
        'r' || (range % 2000) AS "Idea",
        'person' || (range // 2000 * 37 % 400000) || '@company' || (range % 20000) || '.example' AS "E-mail",
        (TIMESTAMP '2025-01-01' + to_seconds((hash(range + {seed}) % 31536000)::BIGINT))::VARCHAR AS "Voted on",
        'words nobody maps' AS "Comment"
    FROM range({votes})
) TO '{folder}/votes.csv' (HEADER)
"""


def measure(seed: int) -> Iterator[Row]:
    """The connector reads the file to its last page, newest vote first."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with duckdb.connect() as connection:
            connection.execute(_REQUESTS.format(folder=folder))
            connection.execute(_VOTES.format(folder=folder, seed=seed, votes=VOTES))
        (path / "feedback.toml").write_text(MAPPING, encoding="utf-8")
        size = (path / "votes.csv").stat().st_size
        command = [sys.executable, "-m", "benchmarks.reading_table", str(path / "feedback.toml")]
        root = str(Path(__file__).parents[1])
        ended = run(command, {**os.environ, "PYTHONPATH": root}, path)
    met = ended.wall < MOST_SECONDS and ended.memory < MOST_BYTES
    yield Row(
        f"reading {int(ended.output):,} votes of a CSV of {size / 1e6:,.0f} MB",
        f"{ended.wall:.0f} s, {ended.processor:.0f} s of them at work, {ended.memory / 1e6:,.0f} MB",
        f"under {MOST_SECONDS} s and 2 GB",
        met,
        "On a machine whose processors are busy with something else, the time is theirs.",
    )
