"""Small tables for the tests, and what is read of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from integration_assets.connectors.feedback.table.connector import TableFeedback
from integration_assets.models import Page

T = TypeVar("T")

MAPPING = """
[requests]
file = "requests.csv"

[requests.columns]
id = "Idea"
title = "Title"
status = "State"
created_at = "Created"

[votes]
file = "votes.csv"

[votes.columns]
request_id = "Idea"
voter_email = "E-mail"
created_at = "Voted on"
"""
REQUESTS = """Idea,Title,State,Created
1,Dark mode,Planned,2026-01-02
2,"Export, as CSV",In progress,2026-01-03T04:05:06Z
"""
VOTES = """Idea,E-mail,Voted on
1,Ann@Acme.example,2026-02-01 10:00
1,bob@beta.example,2026-02-03T10:00:00+02:00
2,ann@acme.example,2026-02-02
"""


def made(
    folder: Path, *, mapping: str = MAPPING, requests: str | bytes = REQUESTS, votes: str | bytes = VOTES, **others: str
) -> Path:
    """A mapping with its files in a folder; `others` are more of them, by the name without `.csv`."""
    for name, content in {"requests": requests, "votes": votes, **others}.items():
        raw = content.encode() if isinstance(content, str) else content
        (folder / f"{name}.csv").write_bytes(raw)
    path = folder / "feedback.toml"
    path.write_text(mapping, encoding="utf-8")
    return path


def talk(mapping: Path, story: Callable[[TableFeedback], Awaitable[T]], **options: Any) -> T:
    """Run `story` with a connector on this mapping."""

    async def session() -> T:
        async with TableFeedback(mapping=mapping, **options) as table:
            return await story(table)

    return asyncio.run(session())


async def whole(pages: AsyncIterator[Page[Any]]) -> Page[Any]:
    """All pages of a read as one."""
    records: list[Any] = []
    rejected: list[Any] = []
    unreadable: dict[str, tuple[tuple[str, str], ...]] = {}
    async for page in pages:
        records += page.records
        rejected += page.rejected
        for name, found in page.unreadable_fields.items():
            unreadable[name] = (*unreadable.get(name, ()), *found)
    return Page(tuple(records), tuple(rejected), unreadable_fields=unreadable)


def votes_of(mapping: Path, **options: Any) -> Page[Any]:
    return talk(mapping, lambda table: whole(table.votes()), **options)


def requests_of(mapping: Path, **options: Any) -> Page[Any]:
    return talk(mapping, lambda table: whole(table.feature_requests(statuses=())), **options)
