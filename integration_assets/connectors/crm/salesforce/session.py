"""Calls to one org: signed, with a new token where one has ended; queries to their last page; rows with their fates."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
from pydantic import SecretStr

from integration_assets.connectors.crm.base import BatchRejectedError, UnknownOutcomeError
from integration_assets.connectors.crm.salesforce import endpoints
from integration_assets.connectors.crm.salesforce.endpoints import Endpoint
from integration_assets.connectors.crm.salesforce.error_codes import Effect, Problem, first_problem, problem
from integration_assets.connectors.crm.salesforce.status_rules import RULES, quota_of
from integration_assets.connectors.crm.salesforce.tokens import Identity, TokenSource
from integration_assets.connectors.crm.salesforce.wire import (
    SYSTEM,
    CompositeAnswer,
    ObjectInfo,
    QueryPage,
    RowResult,
    UserInfo,
    decode,
)
from integration_assets.connectors.http import Answer, Call, HttpClient
from integration_assets.connectors.limiter import Quota
from integration_assets.errors import ContractError, CredentialError, PermanentError, TransientError

T = TypeVar("T")

UNAUTHORISED = frozenset({401})
NOT_FOUND = frozenset({404})
REFUSED = frozenset({400})
LOCK_PAUSES_SECONDS = (0.5, 2.0, 5.0)
"""Waits before rows that somebody else is saving are sent again."""

Row = dict[str, Any]
Fate = RowResult | None
"""What became of a row; None where the answer does not say."""


class Session:
    """Calls through one HTTP client, which the caller opens and closes. `sleep` waits that many seconds."""

    def __init__(
        self,
        client: HttpClient,
        tokens: TokenSource,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._tokens = tokens
        self._sleep = sleep
        self.base_url = tokens.base_url
        self.quota = Quota()
        """The calls left of the last 24 hours, as the org last said."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await self._sleep(seconds)

    async def send(self, call: Call) -> Answer:
        """Send a call with a token; once more with a new one where the org says that the token has ended.

        Raises:
            CredentialError: the new token is refused as well, or there is none.
            IntegrationError: as `HttpClient.send`.
        """
        token = await self._tokens.token()
        answer = await self._client.send(_signed(call, token, call.expect | UNAUTHORISED))
        if answer.status in UNAUTHORISED and answer.status not in call.expect:
            token = await self._tokens.instead_of(token)
            answer = await self._client.send(_signed(call, token, call.expect))
        self.quota = quota_of(answer) or self.quota
        return answer

    async def read(self, endpoint: Endpoint, kind: type[T], *, params: dict[str, str] | None = None) -> T:
        """Read, and decode the answer.

        Raises:
            ContractError: the answer has another form.
        """
        call = _call("GET", endpoint, params=params)
        return decode((await self.send(call)).body, kind, endpoint=call.endpoint)

    async def describe(self, object_name: str) -> ObjectInfo | None:
        """Description of an object; None where it is missing, or the user does not see it."""
        call = _call("GET", endpoints.describe(object_name), expect=NOT_FOUND)
        answer = await self.send(call)
        return None if answer.status in NOT_FOUND else decode(answer.body, ObjectInfo, endpoint=call.endpoint)

    async def identity(self) -> Identity:
        """Ids of the org and the user that the token is of."""
        await self._tokens.token()
        if self._tokens.identity is None:
            info = await self.read(endpoints.USER_INFO, UserInfo)
            self._tokens.identity = Identity(info.organization_id, info.user_id)
        return self._tokens.identity

    async def tooling_query(self, soql: str) -> list[Any] | None:
        """Rows that the Tooling API finds; None where it is not open to this user."""
        call = _call("GET", endpoints.TOOLING_QUERY, params={"q": soql}, expect=REFUSED | NOT_FOUND)
        try:
            answer = await self.send(call)
        except CredentialError:
            return None
        if answer.status in REFUSED | NOT_FOUND:
            return None
        return decode(answer.body, QueryPage, endpoint=call.endpoint).records

    # -- queries

    async def query(self, soql: str, *, in_body: bool = False) -> list[Any]:
        """All that a query finds, page by page in one list: for what a caller asked for by keys."""
        return [row async for page in self.pages(soql, in_body=in_body) for row in page]

    async def pages(self, soql: str, *, deleted_too: bool = False, in_body: bool = False) -> AsyncIterator[list[Any]]:
        """Pages of what a query finds, to its end. With `in_body` nothing of it stands in an address.

        Raises:
            ContractError: a page leads to itself, or to another place than the next page.
        """
        first = endpoints.QUERY_ALL if deleted_too else endpoints.QUERY
        in_body = in_body or len(soql) > endpoints.LONGEST_QUERY
        page = await (self._in_body(first, soql) if in_body else self._in_address(first, soql))
        followed: set[str] = set()
        while True:
            yield page.records
            if page.done:
                return
            path = page.next_records_url or ""
            # The address of a page is the org's; anything else would be followed with the token.
            if not path.startswith(f"{endpoints.DATA}/query/") or path in followed:
                raise ContractError(
                    f"{SYSTEM} names no next page of a query that is not done", system=SYSTEM, endpoint=first.template
                )
            followed.add(path)
            page = await self.read(endpoints.more(path), QueryPage)

    async def _in_address(self, endpoint: Endpoint, soql: str) -> QueryPage:
        return await self.read(endpoint, QueryPage, params={"q": soql})

    async def _in_body(self, endpoint: Endpoint, soql: str) -> QueryPage:
        """A query in the body of a composite call."""
        part = {"method": "GET", "url": f"{endpoint.path}?{urlencode({'q': soql})}", "referenceId": "page"}
        call = msgspec.structs.replace(
            _call("POST", endpoints.COMPOSITE, json={"compositeRequest": [part]}),
            endpoint=f"POST {endpoints.COMPOSITE.template} ({endpoint.template})",
        )
        answer = await self.send(call)
        parts = decode(answer.body, CompositeAnswer, endpoint=call.endpoint).composite_response
        if len(parts) != 1:
            raise ContractError(f"{SYSTEM} answers {len(parts)} of 1 query", system=SYSTEM, endpoint=call.endpoint)
        inner = Answer(parts[0].http_status_code, answer.headers, parts[0].body)
        if inner.status != 200:
            raise _refused_part(inner, call.endpoint)
        return decode(inner.body, QueryPage, endpoint=call.endpoint)

    # -- rows

    async def upsert(self, object_name: str, key_field: str, rows: Sequence[Row]) -> list[Fate]:
        """Create or change rows by a key, at most 200; what became of each, in their order.

        Rows that somebody else is saving are sent again after a while.

        Raises:
            BatchRejectedError: the whole call is refused; nothing was written.
            PermanentError: nothing was written, and nothing can be until somebody acts: storage is full.
            UnknownOutcomeError: the answer was lost, or says nothing.
        """
        call = _call("PATCH", endpoints.upsert(object_name, key_field), writes=True, expect=REFUSED)
        return await self._saved(call, object_name, rows)

    async def update(self, object_name: str, rows: Sequence[Row]) -> list[Fate]:
        """Change rows that exist, at most 200, each named by its `id`; what became of each, in their order.

        Raises:
            BatchRejectedError, PermanentError, UnknownOutcomeError: as `upsert`.
        """
        call = _call("PATCH", endpoints.COLLECTION, writes=True, expect=REFUSED)
        return await self._saved(call, object_name, rows)

    async def _saved(self, call: Call, object_name: str, rows: Sequence[Row]) -> list[Fate]:
        bodies = [{"attributes": {"type": object_name}, **row} for row in rows]
        fates = await self._sent(call, bodies)
        for pause in LOCK_PAUSES_SECONDS:
            again = [place for place, fate in enumerate(fates) if fate and _passes(fate)]
            if not again:
                break
            await self.sleep(pause)
            later = await self._sent(call, [bodies[place] for place in again])
            for place, fate in zip(again, later, strict=True):
                fates[place] = fate
        self._refuse_full(fates, call.endpoint)
        return fates

    async def delete(self, record_ids: Sequence[str]) -> list[Fate]:
        """Delete records, at most 200; what became of each, in their order.

        Raises:
            BatchRejectedError, UnknownOutcomeError: as `upsert`.
        """
        params = {"ids": ",".join(record_ids), "allOrNone": "false"}
        call = _call("DELETE", endpoints.COLLECTION, params=params, writes=True, expect=REFUSED)
        return self._fates(call, await self.send(call), len(record_ids))

    async def _sent(self, call: Call, bodies: Sequence[Row]) -> list[Fate]:
        body = {"allOrNone": False, "records": list(bodies)}
        return self._fates(call, await self.send(msgspec.structs.replace(call, json=body)), len(bodies))

    def _fates(self, call: Call, answer: Answer, count: int) -> list[Fate]:
        if answer.status in REFUSED:
            why = first_problem(answer.body)
            if why.meaning.effect is Effect.STOP:
                raise PermanentError(
                    f"{SYSTEM}, {call.endpoint}: {why.reason()}", system=SYSTEM, endpoint=call.endpoint, status=400
                )
            raise BatchRejectedError(why.reason(), system=SYSTEM, endpoint=call.endpoint, status=answer.status)
        results = answer.body if isinstance(answer.body, list) else []
        # Entries stand in the order of the rows and name no key: of another number they say nothing of anybody.
        if len(results) != count:
            raise UnknownOutcomeError(
                f"{SYSTEM}, {call.endpoint}: answers {len(results)} of {count} rows; read them back",
                system=SYSTEM,
                endpoint=call.endpoint,
            )
        return [_fate(entry) for entry in results]

    def _refuse_full(self, fates: Sequence[Fate], endpoint: str) -> None:
        stops = [why for fate in fates if fate and (why := problem_of(fate)).meaning.effect is Effect.STOP]
        # Where some rows got through, the others are refused one by one, so that each is accounted for.
        if stops and not any(fate is None or fate.success for fate in fates):
            raise PermanentError(
                f"{SYSTEM}, {endpoint}: nothing was written: {stops[0].reason()}", system=SYSTEM, endpoint=endpoint
            )

    # -- single writes of setup

    async def define(self, method: str, endpoint: Endpoint, **body: Any) -> Any:
        """Make something that cannot be made twice. Never repeated after a lost answer."""
        call = _call(method, endpoint, writes=True, repeatable=False, **body)
        return (await self.send(call)).body


def problem_of(fate: RowResult) -> Problem:
    """The reason why a row was refused; of several the first."""
    if fate.success:
        return Problem("")
    if not fate.errors:
        return Problem("refused without a code")
    first = fate.errors[0]
    return problem(first.status_code, first.message, first.fields)


def _passes(fate: RowResult) -> bool:
    return not fate.success and problem_of(fate).meaning.effect is Effect.RETRY


def _fate(entry: Any) -> Fate:
    try:
        return msgspec.convert(entry, RowResult)
    except msgspec.ValidationError:
        return None


def _refused_part(answer: Answer, endpoint: str) -> PermanentError | TransientError:
    rule = RULES.rule_for(answer)
    kind = TransientError if answer.status >= 500 else PermanentError
    words = f"{SYSTEM}, {endpoint}: answered {answer.status}: {RULES.describe(answer)}"
    return kind(f"{words}{'; ' if rule.advice else ''}{rule.advice}", system=SYSTEM, endpoint=endpoint)


def _signed(call: Call, token: SecretStr, expect: frozenset[int]) -> Call:
    signature = SecretStr(f"Bearer {token.get_secret_value()}")
    return msgspec.structs.replace(call, headers={**(call.headers or {}), "authorization": signature}, expect=expect)


def _call(method: str, endpoint: Endpoint, **rest: Any) -> Call:
    return Call(method=method, path=endpoint.path, endpoint=f"{method} {endpoint.template}", **rest)


@asynccontextmanager
async def gather() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that ends with its first failure as it is, not wrapped in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        # The first is the cause: a group cancels its other tasks when one fails.
        raise failures.exceptions[0] from None
