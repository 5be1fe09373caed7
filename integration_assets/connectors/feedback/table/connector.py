"""A table as a `FeedbackSystem`: pages of canonical records from the private database of one read.

A relation is copied when it is first asked for, so that a look for what is new reads the requests alone. All of a read
sees one state of each relation.
"""

from __future__ import annotations

import asyncio
import os
import re
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template
from types import TracebackType
from typing import Any, Self, TypeVar

import duckdb

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.call_log import CallLogs
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Credential
from integration_assets.connectors.feedback.abilities import Abilities
from integration_assets.connectors.feedback.base import Finding
from integration_assets.connectors.feedback.statuses import status_of
from integration_assets.connectors.feedback.table import parsing
from integration_assets.connectors.feedback.table.databases import Stops
from integration_assets.connectors.feedback.table.formats import amount
from integration_assets.connectors.feedback.table.importing import (
    Imported,
    files_of,
    import_files,
    import_select,
    private_database,
)
from integration_assets.connectors.feedback.table.mapping import Relation, TableMapping, read_mapping
from integration_assets.connectors.feedback.table.parsing import MOST_KEYS, Ambiguity
from integration_assets.connectors.feedback.table.tags import tags_of
from integration_assets.connectors.feedback.table.web_files import fetched
from integration_assets.errors import ConfigurationError, ContractError
from integration_assets.examples import first_names
from integration_assets.invisible import is_blank
from integration_assets.models import (
    REQUEST_WITHOUT_ID,
    WITHOUT_ID,
    Account,
    Board,
    Company,
    FeatureRequest,
    Page,
    Rejected,
    RejectedRequest,
    Status,
    StatusChange,
    Vote,
    Voter,
)

SYSTEM = "table"
PAGE = 5_000
"""Records of a page. Pages cost no calls: this is what a loader takes well at once."""
A_FEW = 10
"""Records, where a look is to tell whether there is anything new."""
STATUSES: Mapping[str, Status] = {
    "open": Status.OPEN,
    "new": Status.OPEN,
    "under review": Status.UNDER_REVIEW,
    "planned": Status.PLANNED,
    "in progress": Status.IN_PROGRESS,
    "complete": Status.COMPLETE,
    "completed": Status.COMPLETE,
    "shipped": Status.COMPLETE,
    "closed": Status.CLOSED,
    "declined": Status.CLOSED,
    "duplicate": Status.DUPLICATE,
}
"""Words for a status that mean the same everywhere; a mapping's own come before them."""
_SECONDS_BETWEEN_STOPS = 0.1
AMBIGUOUS = "its id stands for rows that say different things"
_LOST = "it is in no row of the table, but may be in one of the {:,} lines that are no rows"

T = TypeVar("T")


class TableFeedback:
    """The relations of a mapping as a `FeedbackSystem`. Use as an async context manager.

    `mapping` is the TOML file; the files it names are looked for from its folder, and with `confined` nowhere else, but
    for addresses that the `guard` lets pass.
    `described` stands in for what the file says, for a look at a mapping before it is saved.
    `environment` holds the variable with a database's URL.
    """

    def __init__(
        self,
        *,
        mapping: Path,
        described: TableMapping | None = None,
        calls: CallCounter | None = None,
        confined: bool = False,
        guard: AddressGuard | None = None,
        environment: Mapping[str, str] | None = None,
        page: int = PAGE,
        already_fetched: Mapping[str, Path] | None = None,
    ) -> None:
        self._already_fetched = already_fetched or {}
        self._path = mapping
        self._mapping = described or read_mapping(mapping)
        self._folder = mapping.absolute().parent
        self._confined = confined
        self._guard = guard
        self._calls = calls
        self._environment = os.environ if environment is None else environment
        self._page = page
        self._stack = AsyncExitStack()
        self._opened: duckdb.DuckDBPyConnection | None = None
        self._scratch = Path()
        # One relation after the other: each copy uses all the memory and threads the database may have.
        self._copying = asyncio.Lock()
        self._stops = Stops()
        self._imported: dict[str, Imported] = {}
        self._ambiguities: dict[str, Ambiguity] = {}
        self._findings: list[Finding] = []
        self._aliases: dict[str, list[str]] = {}
        self._has_persons = False
        own = {word.strip().lower(): status for word, status in self._mapping.statuses.items()}
        self._statuses = {**STATUSES, **own}

    @property
    def name(self) -> str:
        """Provider name."""
        return SYSTEM

    @property
    def abilities(self) -> Abilities:
        """Everything of which the mapping has a relation."""
        return Abilities(
            records_per_call=self._page,
            requests_overlap=0,
            status_history=self._mapping.status_changes is not None,
        )

    @property
    def has_companies(self) -> bool:
        """True if the mapping has companies."""
        return self._mapping.companies is not None

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Lines about the state of what was read so far."""
        return tuple(dict.fromkeys(self._findings))

    async def __aenter__(self) -> Self:
        """Open the private database."""
        self._scratch = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="integration-assets-")))
        self._opened = self._stack.enter_context(private_database(self._scratch, self._mapping.dates.time_zone))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close and remove it."""
        self._opened = None
        await self._stack.aclose()

    async def check(self) -> str:
        """Read the requests; tell how many there are, and what people should hear of them."""
        await self._ready("requests")
        told = f"{self._path.name}: {self._imported['requests'].rows:,} rows of requests can be read"
        return "; ".join((told, *(found.line for found in self.findings)))

    async def doubts(self) -> tuple[str, ...]:
        """Lines on votes that would reach no request or no company, for a person who looks at the mapping.

        A run tells of each such vote after it has looked for its company.
        """
        await self._ready("requests", "votes")

        def look() -> tuple[str, ...]:
            with self._connection.cursor() as connection:
                return parsing.votes_that_lead_nowhere(connection)

        return await asyncio.to_thread(look)

    # -------------------------------------------------------------------------------------------------- the protocol

    async def boards(self) -> AsyncIterator[Page[Board]]:
        """The boards that requests name, with how many each has."""
        await self._ready("requests")
        rows = await self._rows(
            "SELECT board, count(*) FROM listed WHERE board IS NOT NULL GROUP BY board ORDER BY board"
        )
        yield Page(tuple(Board(board, board, requests) for board, requests in rows))

    async def feature_requests(self, *, statuses: Collection[str]) -> AsyncIterator[Page[FeatureRequest]]:
        """All requests that were not merged into others, whatever their status, oldest first."""
        del statuses
        await self._ready("requests")
        if left_out := _left_out(self._imported["requests"], "feature_request"):
            yield Page((), left_out)
        order = "ORDER BY created_at NULLS LAST, row_number"
        async for page in self._pages(f"{_REQUEST} {order}", self._request, "feature_requests"):
            yield page

    async def newest_feature_requests(self) -> Page[FeatureRequest]:
        """The requests with the latest dates."""
        await self._ready("requests")
        rows = await self._rows(f"{_REQUEST} ORDER BY created_at DESC NULLS LAST, row_number DESC LIMIT {A_FEW}")
        return _page(rows, self._request, "feature_requests")

    async def feature_request(self, request_id: str) -> FeatureRequest | Rejected | None:
        """One request by id; None when the table has none, or has it merged into another one.

        Where lines of the table are no rows, one that is not found is rejected: it may stand in one of them.
        """
        await self._ready("requests")
        rows = await self._rows(f"{_REQUEST} AND id = ?", [request_id])
        page = _page(rows, self._request, "feature_requests")
        cut = self._imported["requests"].cut
        # What counts as gone is retired: the request may well stand in a line that is no row.
        if not rows and cut and not await self._rows("SELECT id FROM requests WHERE id = ?", [request_id]):
            return Rejected("feature_request", request_id, _LOST.format(cut))
        return page.records[0] if page.records else next(iter(page.rejected), None)

    async def votes(self, *, request_id: str | None = None, after: str | None = None) -> AsyncIterator[Page[Vote]]:
        """All votes, or those for one request, newest first; from the beginning, whatever `after` says."""
        del after
        by_id = self._mapping.votes is not None and "voter_id" in self._mapping.votes.columns
        await (self._ready_persons() if by_id else self._ready("votes"))
        if request_id is None and (left_out := _left_out(self._imported["votes"], "vote")):
            yield Page((), left_out, cursor="lines that are no rows")
        statement = _VOTE_BY_ID if by_id else _VOTE_BY_ADDRESS
        statement = statement if request_id is None else f"{statement} AND votes.request_id = ?"
        parameters: list[object] = [] if request_id is None else [request_id]
        # By the place too: of votes without a date, the later row is the newer one.
        order = "ORDER BY votes.moment DESC NULLS LAST, votes.place DESC"
        async for page in self._pages_of(f"{statement} {order}", self._vote_page, parameters):
            yield page

    async def voter(self, voter_id: str) -> Voter | Rejected | None:
        """One person by id."""
        await self._ready_persons()
        rows = await self._rows(f"{_PERSON} AND persons.id = ?", [voter_id])
        page = _page(rows, _voter, "people")
        return next(iter(page.records), None)

    async def voters(self) -> AsyncIterator[Page[Voter]]:
        """All persons: of `people`, and who votes without being there."""
        await self._ready_persons()
        if "people" in self._imported:
            yield Page((), _left_out(self._imported["people"], "voter"))
            reason = "several addresses are given for one person: none of them is used"
            if found := tuple((one, reason) for one in self._ambiguities["people"].ambiguous):
                yield Page((), unreadable_fields={f"{SYSTEM}.people.email": found})
        async for page in self._pages(f"{_PERSON} ORDER BY persons.id", _voter, "people"):
            yield page

    async def accounts(self) -> AsyncIterator[Page[Account]]:
        """All accounts: of `accounts`, and the companies that votes name by their domain."""
        await self._ready("votes", *self._optional("accounts"))
        if "accounts" in self._imported:
            yield self._rejections("account", "accounts")
            async for page in self._pages(_ACCOUNT, self._account, "accounts"):
                yield page
        async for page in self._pages(_COMPANY_OF_VOTES, self._account, "accounts"):
            yield page

    async def status_changes(self) -> AsyncIterator[Page[StatusChange]]:
        """All status changes, newest first; none where the mapping has no such relation."""
        if self._mapping.status_changes is None:
            return
        await self._ready("status_changes")
        yield self._rejections("status_change", "status_changes")
        order = "ORDER BY changed_at DESC NULLS LAST, place DESC"
        async for page in self._pages(f"{_STATUS_CHANGE} {order}", self._change, "status_changes"):
            yield page

    async def companies(self) -> AsyncIterator[Page[Company]]:
        """All companies of the table: no part of feedback, but what stands in for a CRM, or tells the ARR.

        None where the mapping has no such relation.
        """
        if self._mapping.companies is None:
            return
        await self._ready("companies")
        yield self._rejections("company", "companies")
        async for page in self._pages(_COMPANY, self._company, "companies"):
            yield page

    # ---------------------------------------------------------------------------------------------- rows to records

    def _request(self, row: tuple[Any, ...], unreadable: dict[str, str]) -> FeatureRequest | Rejected:
        (number, request_id, title, status, board, category, tags, details, url, author, created_text, created,
         changed_text, changed, merged_into, usable) = row  # fmt: skip
        merged = tuple(self._aliases.get(request_id or "", ()))
        if request_id is None:
            return Rejected("feature_request", f"item {number} {WITHOUT_ID}", "no id")
        if not usable:
            return RejectedRequest("feature_request", request_id, AMBIGUOUS, merged_ids=merged)
        if merged_into is not None:
            reason = f"merged into {merged_into}, which leads to no request of the table"
            return RejectedRequest("feature_request", request_id, reason, board_id=board, merged_ids=merged)
        if is_blank(title or ""):
            return RejectedRequest("feature_request", request_id, "no title", board_id=board, merged_ids=merged)
        if url is not None and not url.lower().startswith(("https://", "http://")):
            # Reports make a link of it: `javascript:` and its like are none.
            unreadable["url"], url = "no address that begins with https://", None
        word = (status or "").lower()
        return FeatureRequest(
            request_id=request_id,
            title=title,
            status=status_of(word, self._statuses) if word else Status.OPEN,
            source_status=status,
            board_id=board,
            board=board,
            category=category,
            tags=tags_of(tags or "", unreadable),
            details=details,
            url=url,
            author_id=author,
            created_at=self._time(created, created_text, "created_at", unreadable),
            status_changed_at=self._time(changed, changed_text, "status_changed_at", unreadable),
            merged_ids=merged,
        )

    def _vote_page(self, rows: Sequence[tuple[Any, ...]], cursor: str | None) -> Page[Vote]:
        """A page of votes. There may be millions: nothing is made for a vote but what it is."""
        votes: list[Vote] = []
        rejected: list[Rejected] = []
        unreadable: list[tuple[str, str]] = []
        for own_id, request_id, voter_id, email, created, doubt in rows:
            vote_id = own_id or f"{request_id}:{voter_id}"
            if doubt:
                rejected.append(_rejected_vote(own_id, request_id, doubt))
                continue
            if doubt == 0:
                unreadable.append((vote_id, f"not a time as [dates].format declares it ({self._mapping.dates.format})"))
            voter = None if voter_id is None else Voter(voter_id, email)
            votes.append(Vote(vote_id, request_id, voter, created and created.replace(tzinfo=UTC)))
        left_out = {f"{SYSTEM}.votes.created_at": tuple(unreadable)} if unreadable else {}
        return Page(tuple(votes), tuple(rejected), unreadable_fields=left_out, cursor=cursor)

    def _change(self, row: tuple[Any, ...], unreadable: dict[str, str]) -> StatusChange | Rejected:
        place, change_id, request_id, status, changed_text, changed = row
        if request_id is None or change_id is None:
            return Rejected("status_change", f"item {place + 1} {WITHOUT_ID}", REQUEST_WITHOUT_ID)
        if status is None:
            return Rejected("status_change", change_id, "no status")
        return StatusChange(change_id, request_id, status, self._time(changed, changed_text, "changed_at", unreadable))

    def _account(self, row: tuple[Any, ...], unreadable: dict[str, str]) -> Account | Rejected:
        place, account_id, name, domain, mrr = row
        if account_id is None:
            return Rejected("account", f"item {place + 1} {WITHOUT_ID}", "no id")
        return Account(account_id, name, domain, self._amount(mrr, "mrr", unreadable))

    def _company(self, row: tuple[Any, ...], unreadable: dict[str, str]) -> Company | Rejected:
        place, company_id, name, domain, additional, arr, currency, stage, parent = row
        if company_id is None:
            return Rejected("company", f"item {place + 1} {WITHOUT_ID}", "no id")
        return Company(
            company_id,
            name=name,
            domain=domain,
            additional_domains=tuple(one for part in _SEPARATORS.split(additional or "") if (one := part.strip())),
            arr=self._amount(arr, "arr", unreadable),
            currency=currency,
            lifecycle_stage=stage,
            parent_id=parent,
        )

    def _amount(self, cell: str | None, field: str, unreadable: dict[str, str]) -> str | None:
        read = None if cell is None else amount(cell, self._mapping.money_format)
        if cell is not None and read is None:
            unreadable[field] = f"not an amount as [money].format declares it ({self._mapping.money.format})"
        return read

    def _time(
        self, moment: datetime | None, text: str | None, field: str, unreadable: dict[str, str]
    ) -> datetime | None:
        if moment is not None:
            return moment.replace(tzinfo=UTC)
        if text is not None:
            unreadable[field] = f"not a time as [dates].format declares it ({self._mapping.dates.format})"
        return None

    # ------------------------------------------------------------------------------------------------------- reading

    def _optional(self, *names: str) -> tuple[str, ...]:
        return tuple(name for name in names if getattr(self._mapping, name) is not None)

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._opened is None:
            raise ConfigurationError("the table is not open: use it in an `async with` block")
        return self._opened

    async def _ready(self, *names: str) -> None:
        """Have these relations copied and parsed."""
        async with self._copying:
            for name in names:
                if name in self._imported:
                    continue
                relation: Relation = getattr(self._mapping, name)
                path = None
                if relation.is_web:
                    path = self._already_fetched.get(relation.file or "") or await fetched(
                        name, relation, self._scratch, confined=self._confined, guard=self._guard
                    )
                await self._in_a_thread(self._copy, name, path)

    async def _in_a_thread(self, work: Callable[..., None], *arguments: object) -> None:
        """Run `work` in a thread. When the task is cancelled its statement is stopped, and the end waited for."""
        task = asyncio.ensure_future(asyncio.to_thread(work, *arguments))
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            # Else Ctrl-C would wait for a SELECT that never ends, and the database be closed under it. More than once:
            # a statement that is just about to begin is not stopped.
            while not task.done():
                self._stops.stop_all()
                await asyncio.wait((task,), timeout=_SECONDS_BETWEEN_STOPS)
            # Asked for, so that nobody is told of an error that was meant.
            _ = None if task.cancelled() else task.exception()
            raise

    def _copy(self, name: str, fetched_to: Path | None) -> None:
        # A cursor of its own: pages of another relation may be on their way.
        with self._connection.cursor() as connection, self._stops.running(connection.interrupt):
            self._copy_by(connection, name, fetched_to)

    def _copy_by(self, connection: duckdb.DuckDBPyConnection, name: str, fetched_to: Path | None) -> None:
        relation: Relation = getattr(self._mapping, name)
        connection.execute("SET TimeZone = ?", [self._mapping.dates.time_zone])
        if relation.select is not None:
            imported = import_select(
                connection,
                name,
                relation,
                self._mapping,
                self._folder,
                self._environment,
                self._stops,
                confined=self._confined,
            )
        elif fetched_to is not None:
            imported = import_files(connection, name, relation, [fetched_to], self._scratch)
        else:
            files = files_of(relation, self._folder, confined=self._confined)
            self._findings += _stale_files(relation, files, self._mapping)
            imported = import_files(connection, name, relation, files, self._scratch)
        self._parse(connection, name, imported)
        self._imported[name] = imported
        self._findings += [Finding("encoding", note) for note in imported.notes]
        if imported.cut:
            first = ", ".join(f"{key} ({reason})" for key, reason in imported.left_out[:3])
            self._findings.append(
                Finding("incomplete", f"{name}: {imported.cut:,} lines are no rows and are left out: {first}")
            )

    def _parse(self, connection: duckdb.DuckDBPyConnection, name: str, imported: Imported) -> None:
        written = self._mapping.date_format
        if name == "requests":
            told = parsing.parse_requests(connection, imported, written)
            self._aliases = parsing.follow_merges(connection)
        elif name == "votes":
            told = parsing.parse_votes(connection, imported, written)
            self._findings += _stale_votes(connection, self._mapping)
        elif name == "people":
            told = parsing.parse_people(connection)
        elif name == "accounts":
            told = parsing.parse_accounts(connection)
        elif name == "companies":
            told = parsing.parse_companies(connection)
        else:
            told = parsing.parse_status_changes(connection, imported, written)
        column = {"requests": "created_at", "votes": "moment"}.get(name)
        if column and (swapped := parsing.swapped_dates(connection, name, column, written)):
            self._findings.append(Finding("ambiguous", swapped))
        if problem := parsing.none_usable(connection, name):
            raise ContractError(f"{problem}: nothing is read from it, and the last ranking stands; look at the mapping")
        if money := {"accounts": "mrr", "companies": "arr"}.get(name):
            doubt = parsing.thousands_or_decimals(connection, name, money, self._mapping.money)
            self._findings += [Finding("ambiguous", doubt)] if doubt else []
        self._ambiguities[name] = told
        votes = self._mapping.votes
        # Each vote of such a file repeats its request.
        shared = name == "requests" and _file_of(self._mapping.requests) == _file_of(votes) is not None
        if told.repeated and not shared:
            self._findings.append(Finding("repeated", f"{name}: {told.repeated:,} rows repeat others and count once"))
        if told.ambiguous:
            some = first_names(told.ambiguous)
            what = "addresses" if name == "people" else "rows"
            self._findings.append(
                Finding("ambiguous", f"{name}: {len(told.ambiguous):,} ids stand for different {what}: {some}")
            )

    async def _ready_persons(self) -> None:
        """Have everybody together who votes, wrote a request, or is among the people."""
        await self._ready("requests", "votes", *self._optional("people"))
        async with self._copying:
            if not self._has_persons:
                await asyncio.to_thread(self._gather_persons)
                self._has_persons = True

    def _gather_persons(self) -> None:
        with self._connection.cursor() as connection:
            parsing.gather_persons(connection, with_people="people" in self._imported)

    def _rejections(self, kind: str, name: str) -> Page[Any]:
        """Content of a relation that is no record: lines that are no rows, and ids that stand for several."""
        ambiguous = (Rejected(kind, one, AMBIGUOUS) for one in self._ambiguities[name].ambiguous[:MOST_KEYS])
        return Page((), (*_left_out(self._imported[name], kind), *ambiguous))

    async def _rows(self, statement: str, parameters: list[object] | None = None) -> list[tuple[Any, ...]]:
        def run() -> list[tuple[Any, ...]]:
            with self._connection.cursor() as cursor:
                return cursor.execute(statement, parameters or []).fetchall()

        return await asyncio.to_thread(run)

    def _pages(
        self,
        statement: str,
        convert: Callable[[tuple[Any, ...], dict[str, str]], T | Rejected],
        name: str,
    ) -> AsyncIterator[Page[T]]:
        """Pages of records of `name`, a row each."""
        return self._pages_of(statement, lambda rows, cursor: _page(rows, convert, name, cursor))

    async def _pages_of(
        self,
        statement: str,
        page_of: Callable[[Sequence[tuple[Any, ...]], str | None], Page[T]],
        parameters: Sequence[object] = (),
    ) -> AsyncIterator[Page[T]]:
        """Pages of a statement's rows. All but the last have a cursor, which says no more than that others follow."""
        cursor = self._connection.cursor()
        try:
            await asyncio.to_thread(cursor.execute, statement, list(parameters))
            rows = await asyncio.to_thread(cursor.fetchmany, self._page)
            number = 0
            while rows:
                following = await asyncio.to_thread(cursor.fetchmany, self._page)
                number += 1
                yield page_of(rows, f"page {number}" if following else None)
                rows = following
        finally:
            cursor.close()


_REQUEST = """
SELECT row_number, id, title, status, board, category, tags, details, url, author_id, created_text, created_at,
    status_changed_text, status_changed_at, merged_into, usable
FROM listed WHERE true
"""
_VOTE = Template("""
SELECT votes.own_id, votes.request_id, votes.voter_id, $email, votes.moment,
    CASE
        WHEN votes.request_id IS NULL OR (votes.own_id IS NULL AND votes.voter_id IS NULL) THEN votes.place + 1
        WHEN votes.is_unreadable THEN 0
        WHEN votes.own_id IN (SELECT id FROM again_votes WHERE contents > 1) THEN -1
    END AS doubt
FROM votes $persons WHERE true
""")
_VOTE_BY_ADDRESS = _VOTE.substitute(email="votes.email", persons="")
# An id may stand for a person whose address only `people`, or another vote, tells.
_VOTE_BY_ID = _VOTE.substitute(email="persons.email", persons="LEFT JOIN persons ON persons.id = votes.voter_id")
_PERSON = """
SELECT 0, persons.id, persons.email, memberships.account_ids
FROM persons LEFT JOIN (
    SELECT id, list(account_id ORDER BY account_id) AS account_ids FROM memberships GROUP BY id
) AS memberships USING (id)
WHERE true
"""
_ACCOUNT = """
SELECT place, id, name, domain, mrr FROM accounts
WHERE id IS NULL OR id NOT IN (SELECT id FROM again_accounts WHERE contents > 1)
ORDER BY place
"""
_COMPANY_OF_VOTES = """
SELECT 0, 'company-' || lower(company_domain) AS id, NULL, lower(company_domain), NULL
FROM votes WHERE company_domain IS NOT NULL GROUP BY lower(company_domain) ORDER BY id
"""
_COMPANY = """
SELECT place, id, name, domain, additional_domains, arr, currency, lifecycle_stage, parent_id FROM companies
WHERE id IS NULL OR id NOT IN (SELECT id FROM again_companies WHERE contents > 1)
ORDER BY place
"""
_SEPARATORS = re.compile("[,;|\\s]")
"""Between the domains of one cell: none of them is part of a domain."""
_STATUS_CHANGE = """
SELECT place, id, request_id, status, changed_text, changed_at FROM status_changes
WHERE id NOT IN (SELECT id FROM again_status_changes WHERE contents > 1) OR id IS NULL
"""


def _file_of(relation: Relation | None) -> str | None:
    """The file of a relation, as it is named."""
    return relation.file if relation is not None else None


def _rejected_vote(own_id: str | None, request_id: str | None, doubt: int) -> Rejected:
    """Reason to leave a vote out. `doubt`: its place in the table, or -1 where its id stands for several votes."""
    if doubt < 0:
        return Rejected("vote", own_id or "", AMBIGUOUS)
    reason = "nobody is named who voted" if request_id is not None else REQUEST_WITHOUT_ID
    return Rejected("vote", own_id or f"item {doubt} {WITHOUT_ID}", reason)


def _voter(row: tuple[Any, ...], _unreadable: dict[str, str]) -> Voter | Rejected:
    _, voter_id, email, account_ids = row
    return Voter(voter_id, email, tuple(account_ids or ()))


def _page(
    rows: Sequence[tuple[Any, ...]],
    convert: Callable[[tuple[Any, ...], dict[str, str]], T | Rejected],
    name: str,
    cursor: str | None = None,
) -> Page[T]:
    """Rows as a page of records of `name`, what cannot be used beside them."""
    records: list[T] = []
    rejected: list[Rejected] = []
    left_out: dict[str, list[tuple[str, str]]] = {}
    for row in rows:
        unreadable: dict[str, str] = {}
        made = convert(row, unreadable)
        if isinstance(made, Rejected):
            rejected.append(made)
            continue
        records.append(made)
        # The id stands second in every row.
        for field, reason in unreadable.items():
            left_out.setdefault(f"{SYSTEM}.{name}.{field}", []).append((str(row[1]), reason))
    unreadable_fields = {field: tuple(found) for field, found in left_out.items()}
    return Page(tuple(records), tuple(rejected), unreadable_fields=unreadable_fields, cursor=cursor)


def _left_out(imported: Imported, kind: str) -> tuple[Rejected, ...]:
    """Lines of files that are no rows, as records that cannot be used."""
    named = tuple(Rejected(kind, key, reason) for key, reason in imported.left_out)
    more = imported.cut - len(named)
    return named if more <= 0 else (*named, Rejected(kind, f"{more:,} more lines", "as those before"))


def _stale_files(relation: Relation, files: Sequence[Path], mapping: TableMapping) -> list[Finding]:
    """Tell of files that nobody has exported anew for longer than the mapping allows."""
    hours = mapping.freshness.file_hours
    newest = max(datetime.fromtimestamp(one.stat().st_mtime, UTC) for one in files)
    age = datetime.now(UTC) - newest
    if hours is None or age <= timedelta(hours=hours):
        return []
    written, old = f"{newest:%Y-%m-%d %H:%M} UTC", f"{age.total_seconds() / 3600:,.0f} h"
    line = f"{relation.file} is stale: it was written {written}, {old} ago; [freshness].file_hours is {hours:g}"
    return [Finding("stale", line)]


def _stale_votes(connection: duckdb.DuckDBPyConnection, mapping: TableMapping) -> list[Finding]:
    """Tell of votes of which the newest is older than the mapping allows: the export may have stopped."""
    hours = mapping.freshness.newest_vote_hours
    [(newest,)] = connection.execute("SELECT max(moment) FROM votes").fetchall()
    if hours is None or newest is None:
        return []
    age = datetime.now(UTC) - newest.replace(tzinfo=UTC)
    if age <= timedelta(hours=hours):
        return []
    line = f"votes are stale: the newest is of {newest:%Y-%m-%d %H:%M} UTC; [freshness].newest_vote_hours is {hours:g}"
    return [Finding("stale", line)]


def table(
    *,
    base_url: str,
    credential: Credential,
    calls: CallCounter,
    deadline: float = 0.0,
    patience: float = 0.0,
    limits_in: CallLogs | None = None,
    guard: AddressGuard | None = None,
    options: Mapping[str, str] | None = None,
) -> TableFeedback:
    """The connector of the mapping that `options` name by `mapping`; nothing else of a service's is needed.

    `guard`: the mapping is a tenant's; its files are those beside it, and addresses that the guard lets pass.

    Raises:
        ConfigurationError: the mapping cannot be read, or something in it cannot be used.
    """
    del base_url, credential, deadline, patience, limits_in
    mapping = (options or {}).get("mapping")
    if not mapping:
        raise ConfigurationError("no mapping of the table is named: `integration-assets table init` writes one")
    return TableFeedback(mapping=Path(mapping).expanduser(), calls=calls, confined=guard is not None, guard=guard)
