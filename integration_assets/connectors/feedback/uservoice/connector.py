"""UserVoice, read through version 2 of its Admin API.

Lists come newest first, in pages with a cursor or a number. Supporters are the votes, in one list of all; a filter for
those of one suggestion is documented, and ignored by some servers, so that each answer is held against it. Persons
belong to accounts through external users. Source: UserVoice Admin API, https://developer.uservoice.com/docs/api/v2.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any

import msgspec

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.call_log import CallLogs
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Credential, secret_of
from integration_assets.connectors.feedback.abilities import Abilities, VoteList
from integration_assets.connectors.feedback.base import IgnoredFilterError
from integration_assets.connectors.feedback.reading import Reader
from integration_assets.connectors.feedback.uservoice import records
from integration_assets.connectors.feedback.uservoice.session import PAGE, REJECTED, SYSTEM, Batch, Session, broken
from integration_assets.connectors.feedback.with_client import WithClient
from integration_assets.connectors.http import EXCHANGE_SECONDS, PATIENCE_SECONDS, HttpClient
from integration_assets.connectors.limiter import Limiter, RateHeaders, credential_digest, limiter_for
from integration_assets.connectors.rules import Action, Rule, StatusRules
from integration_assets.models import Account, Board, FeatureRequest, Page, Rejected, StatusChange, Vote, Voter

RATE_HEADERS = RateHeaders(limit="x-rate-limit-limit", remaining="x-rate-limit-remaining", always_ms=60_000)
"""The limit depends on the plan and is told by every answer: units a minute, of which a slow call takes several."""
NEWEST_FIRST = "-id"
A_FEW = 10
"""Records, where one call is to tell whether there is anything new."""
ABILITIES = Abilities(
    vote_list=VoteList.NEWEST_FIRST,
    records_per_call=PAGE,
    requests_overlap=0,
    boards_paged=True,
    requests_newest_first=True,
    status_history=False,
    notes=("UserVoice tells that a suggestion was merged, not into which one: it stays, as a duplicate without votes",),
)
_ID = re.compile(r"[0-9]{1,40}")
_BESIDE_SUGGESTIONS = "forums,categories,statuses,labels"


class UserVoiceFeedback(WithClient):
    """A UserVoice account as a `FeedbackSystem`. Use as an async context manager.

    `base_url` is the address of the account, without `/api`. `deadline` bounds one request, `patience` the time in
    which it is repeated, in seconds; `limits_in`, logs of calls, shares the allowance of calls with other processes.
    `guard` decides which addresses may be asked; None when `base_url` is the operator's own.
    """

    def __init__(
        self,
        *,
        base_url: str,
        credential: Credential,
        calls: CallCounter,
        limits_in: CallLogs | None = None,
        limiter: Limiter | None = None,
        deadline: float = EXCHANGE_SECONDS,
        patience: float = PATIENCE_SECONDS,
        guard: AddressGuard | None = None,
    ) -> None:
        digest = credential_digest(base_url, secret_of(credential).get_secret_value())
        self._client = HttpClient(
            system=SYSTEM,
            base_url=base_url,
            limiter=limiter or limiter_for(SYSTEM, digest, {}, logs=limits_in),
            calls=calls,
            rules=StatusRules(
                rules=(
                    Rule(statuses=frozenset({401, 403}), action=Action.CREDENTIAL, advice=REJECTED),
                    # A record that is gone is expected where one is asked for; else nothing of UserVoice's is there.
                    Rule(
                        statuses=frozenset({404, 405}),
                        action=Action.PERMANENT,
                        advice="check the base URL: the account's address, without /api",
                    ),
                ),
                rate_headers=RATE_HEADERS,
            ),
            deadline=deadline,
            patience=patience,
            guard=guard,
        )
        self._session = Session(self._client, credential)
        self._reading_accounts = asyncio.Lock()
        self._accounts: list[Page[Account]] | None = None
        self._account_ids: dict[int, str] = {}
        self._trying_filter = asyncio.Lock()
        # None: no answer has told yet.
        self._filter_is_kept: bool | None = None

    @property
    def name(self) -> str:
        """Provider name."""
        return SYSTEM

    @property
    def abilities(self) -> Abilities:
        """Lists newest first, votes of all and of one request, and no history of statuses."""
        return ABILITIES

    async def check(self) -> str:
        """Read one suggestion; tell how many there are."""
        batch = await self._session.page("suggestions", {"per_page": "1"})
        number = batch.total if batch else None
        told = "suggestions" if number is None else f"{number} suggestion{'' if number == 1 else 's'}"
        return f"UserVoice at {self._client.host} answers; the credential reads {told}"

    async def boards(self) -> AsyncIterator[Page[Board]]:
        """All forums."""
        reader = records.reader("board")
        async for batch in self._session.pages("forums", {"sort": NEWEST_FIRST}):
            yield _page(reader, batch)

    async def feature_requests(self, *, statuses: Collection[str]) -> AsyncIterator[Page[FeatureRequest]]:
        """All suggestions, newest first; none of them needs its status named.

        The last page is doubtful unless all pages told the same total, and as many suggestions came.
        """
        del statuses
        beside = records.SideLoaded()
        reader = records.reader("feature_request", beside=beside)
        served, totals = 0, set[int | None]()
        async for batch in self._session.pages("suggestions", _suggestions()):
            beside.take(batch.body)
            page = _page(reader, batch)
            served += len(page.records) + len(page.rejected)
            totals.add(batch.total)
            # Numbered pages move up when a suggestion goes, and one slips by between two of them.
            whole = bool(batch.place) or totals == {served}
            yield page if whole else msgspec.structs.replace(page, doubtful=True)

    async def newest_feature_requests(self) -> Page[FeatureRequest]:
        """The newest suggestions, in one call."""
        beside = records.SideLoaded()
        batch = await self._session.page("suggestions", {**_suggestions(), "per_page": str(A_FEW)})
        if batch is None:
            return Page(())
        beside.take(batch.body)
        return _page(records.reader("feature_request", beside=beside), batch)

    async def feature_request(self, request_id: str) -> FeatureRequest | Rejected | None:
        """One suggestion by id, also one that was merged into another; None when there is none."""
        # Of another form it would be another path.
        if not _ID.fullmatch(request_id):
            return None
        body = await self._session.one("suggestions", request_id, {"includes": _BESIDE_SUGGESTIONS})
        if body is None:
            return None
        beside = records.SideLoaded()
        beside.take(body)
        found: FeatureRequest | Rejected = _single(
            records.reader("feature_request", beside=beside), body["suggestions"]
        )
        return found

    async def votes(self, *, request_id: str | None = None, after: str | None = None) -> AsyncIterator[Page[Vote]]:
        """All supporters, or those of one suggestion, newest first.

        Raises:
            IgnoredFilterError: the server gives supporters of others where those of one suggestion are asked for.
        """
        query = {"sort": NEWEST_FIRST, "includes": "users"}
        if request_id is None:
            async for page in self._votes(self._session.pages("supporters", query, after=after)):
                yield page
        elif _ID.fullmatch(request_id):
            filtered = self._filtered({**query, "suggestion": request_id}, int(request_id), after)
            async for page in self._votes(filtered):
                yield page

    async def _votes(self, batches: AsyncIterator[Batch]) -> AsyncIterator[Page[Vote]]:
        beside = records.SideLoaded()
        reader = records.reader("vote", beside=beside)
        last: int | None = None
        async for batch in batches:
            for item in batch.items:
                vote_id = item.get("id") if isinstance(item, dict) else None
                if type(vote_id) is not int or reader.knows(records.with_text_id(item)):
                    continue
                # Whoever stops at the first known vote would miss what stands behind it.
                if last is not None and vote_id > last:
                    broken("GET /api/v2/admin/supporters", "$.supporters is not in the order that was asked for")
                last = vote_id
            beside.take(batch.body)
            yield msgspec.structs.replace(_page(reader, batch), cursor=batch.cursor)

    async def _filtered(self, query: Mapping[str, str], suggestion: int, after: str | None) -> AsyncIterator[Batch]:
        """The pages of supporters of one suggestion, each of them looked at."""
        batches = self._session.pages("supporters", query, after=after)
        first = None
        # One answer is waited for: ten calls at once would all be made in vain.
        async with self._trying_filter:
            if self._filter_is_kept is None and (first := await anext(batches, None)) is not None:
                self._judge(first, suggestion)
        if self._filter_is_kept is False:
            raise _ignored()
        # Not before the next one may try: a reader may never come back for the rest.
        if first is not None:
            yield first
        async for batch in batches:
            self._judge(batch, suggestion)
            yield batch

    def _judge(self, batch: Batch, suggestion: int) -> None:
        """Learn from an answer whether the filter is kept; an empty one tells nothing."""
        named = {found for one in batch.items if (found := records.suggestion_of(one)) is not None}
        if named - {suggestion}:
            self._filter_is_kept = False
            raise _ignored()
        if named:
            self._filter_is_kept = True

    async def voter(self, voter_id: str) -> Voter | Rejected | None:
        """One user by id, and a look at each account that was not read before; None when there is none."""
        if not _ID.fullmatch(voter_id):
            return None
        body = await self._session.one("users", voter_id, {"includes": "external_users"})
        if body is None:
            return None
        beside = records.SideLoaded()
        beside.take(body)
        for account_id in records.accounts_of(records.with_text_id(body["users"][0]), beside):
            if account_id not in self._account_ids:
                # Its id to us may be the customer's own.
                one = await self._session.one("external_accounts", str(account_id), {})
                self._account_ids |= records.account_ids(one["external_accounts"] if one else [])
        reader = records.reader("voter", beside=beside, account_ids=self._account_ids)
        found: Voter | Rejected = _single(reader, body["users"])
        return found

    async def voters(self) -> AsyncIterator[Page[Voter]]:
        """All users with their accounts, whose list is read before where it was not yet."""
        await self._read_accounts()
        beside = records.SideLoaded()
        reader = records.reader("voter", beside=beside, account_ids=self._account_ids)
        async for batch in self._session.pages("users", {"sort": NEWEST_FIRST, "includes": "external_users"}):
            beside.take(batch.body)
            yield _page(reader, batch)

    async def accounts(self) -> AsyncIterator[Page[Account]]:
        """All accounts."""
        for page in await self._read_accounts():
            yield page

    async def _read_accounts(self) -> list[Page[Account]]:
        """The pages of accounts, read once for themselves and for the persons, who name them by another id."""
        async with self._reading_accounts:
            if self._accounts is None:
                reader, pages = records.reader("account"), list[Page[Account]]()
                async for batch in self._session.pages("external_accounts", {"sort": NEWEST_FIRST}):
                    self._account_ids |= records.account_ids(batch.items)
                    pages.append(_page(reader, batch))
                self._accounts = pages
            return self._accounts

    async def status_changes(self) -> AsyncIterator[Page[StatusChange]]:
        """Nothing: which list tells them is not documented well enough to be read."""
        nothing: tuple[Page[StatusChange], ...] = ()
        for page in nothing:
            yield page


def _suggestions() -> dict[str, str]:
    return {"sort": NEWEST_FIRST, "includes": _BESIDE_SUGGESTIONS}


def _page(reader: Reader, batch: Batch) -> Page[Any]:
    return reader.page([records.with_text_id(item) for item in batch.items])


def _single(reader: Reader, items: list[Any]) -> Any:
    """The one record of an answer, or why it cannot be used."""
    page = reader.page([records.with_text_id(item) for item in items])
    return page.records[0] if page.records else page.rejected[0]


def _ignored() -> IgnoredFilterError:
    return IgnoredFilterError(
        "UserVoice gave supporters of other suggestions than the one asked for: only its list of all votes can be used",
        system=SYSTEM,
        endpoint="GET /api/v2/admin/supporters",
    )


def uservoice(
    *,
    base_url: str,
    credential: Credential,
    calls: CallCounter,
    deadline: float = EXCHANGE_SECONDS,
    patience: float = PATIENCE_SECONDS,
    limits_in: CallLogs | None = None,
    guard: AddressGuard | None = None,
    options: Mapping[str, str] | None = None,
) -> UserVoiceFeedback:
    """The connector of one account; it takes nothing of `options`. The rest is as `FeedbackFactory` says."""
    del options
    return UserVoiceFeedback(
        base_url=base_url,
        credential=credential,
        calls=calls,
        limits_in=limits_in,
        deadline=deadline,
        patience=patience,
        guard=guard,
    )
