"""The first rows of each relation as they are read, for a person who looks at a mapping."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from integration_assets.connectors.feedback.table.connector import TableFeedback
from integration_assets.connectors.feedback.table.mapping import TableMapping, read_mapping
from integration_assets.mail_addresses import split_address
from integration_assets.models import Company, FeatureRequest, Page, Vote

SHOWN = 5


class FirstRows(msgspec.Struct, frozen=True):
    """A relation: how many records it has, how many rows are none, its first rows, and `lines` on what is left out."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    count: int
    rejected: int
    lines: tuple[str, ...]


class Look(msgspec.Struct, frozen=True):
    """First rows of a table, to be shown."""

    relations: tuple[FirstRows, ...]
    findings: tuple[str, ...]


async def first_rows(
    mapping: Path,
    *,
    described: TableMapping | None = None,
    confined: bool = False,
    already_fetched: Mapping[str, Path] | None = None,
) -> Look:
    """Read requests, votes and companies whole; show the first of each.

    `described` stands in for what is in the file `mapping`, which need not be there then. `confined`: nothing outside
    its folder is read, but for what was `already_fetched`: the files by their addresses.

    Raises:
        IntegrationError: the mapping or what it names cannot be read.
    """
    described = described or read_mapping(mapping)
    async with TableFeedback(
        mapping=mapping, described=described, confined=confined, already_fetched=already_fetched
    ) as table:
        found = [
            await _look(
                "requests", ("id", "title", "status", "board", "created"), table.feature_requests(statuses=()), _request
            ),
            await _look("votes", ("request", "voter", "mail host", "voted"), table.votes(), _vote),
        ]
        if described.companies is not None:
            header = ("id", "name", "domain", "ARR", "currency")
            found.append(await _look("companies", header, table.companies(), _company))
        doubts = await table.doubts()
        return Look(tuple(found), (*(finding.line for finding in table.findings), *doubts))


async def _look(
    name: str, header: tuple[str, ...], pages: AsyncIterator[Page[Any]], cells: Callable[[Any], tuple[str, ...]]
) -> FirstRows:
    rows: list[tuple[str, ...]] = []
    count, rejected, reasons, fields = 0, 0, dict[str, int](), dict[str, tuple[int, str]]()
    async for page in pages:
        rows += [cells(one) for one in page.records[: SHOWN - len(rows)]]
        count, rejected = count + len(page.records), rejected + len(page.rejected)
        for one in page.rejected:
            reasons[one.reason] = reasons.get(one.reason, 0) + 1
        for field, left_out in page.unreadable_fields.items():
            fields[field] = (fields.get(field, (0, ""))[0] + len(left_out), left_out[0][1])
    lines = [f"{name}: {number:,} cannot be used: {reason}" for reason, number in reasons.items()]
    lines += [f"{field} of {number:,} records cannot be read: {reason}" for field, (number, reason) in fields.items()]
    return FirstRows(name, header, tuple(rows), count, rejected, tuple(lines))


def _request(one: FeatureRequest) -> tuple[str, ...]:
    return one.request_id, one.title[:60], one.status.value, one.board or "", _moment(one.created_at)


def _vote(one: Vote) -> tuple[str, ...]:
    # The host is what a company is found by; whose address it is need not stand on a screen.
    address = split_address(one.voter.email or "") if one.voter else None
    host = address[1] if address else ""
    return one.request_id, one.voter.voter_id if one.voter else "", host, _moment(one.created_at)


def _company(one: Company) -> tuple[str, ...]:
    return one.company_id, one.name or "", one.domain or "", one.arr or "", one.currency or ""


def _moment(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else ""
