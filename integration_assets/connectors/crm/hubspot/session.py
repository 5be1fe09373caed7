"""Calls to one portal: what is read, what is written, and how a refused batch is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from integration_assets.connectors.crm.base import BatchRejectedError, UnknownOutcomeError
from integration_assets.connectors.crm.hubspot.endpoints import DEFAULT_BUCKET, Endpoint
from integration_assets.connectors.crm.hubspot.error_answers import parse_problem
from integration_assets.connectors.crm.hubspot.wire import SYSTEM, BatchAnswer, BatchRead, decode
from integration_assets.connectors.http import Answer, Call, HttpClient
from integration_assets.errors import ContractError, CredentialError, QuotaError

T = TypeVar("T")

BATCH_REFUSED = frozenset({400, 409})
"""Something in the batch is invalid, or conflicts; nothing of it was written."""
THROTTLED = frozenset({429})
FORBIDDEN = frozenset({402, 403})
"""Refused to this credential, or to the subscription."""
NOT_TOLD = frozenset({403, 404})
"""Endpoints not every portal or credential has."""


class Session:
    """Calls through one HTTP client, which the caller opens and closes."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def read(
        self,
        method: str,
        endpoint: Endpoint,
        kind: type[T],
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
        bucket: str = DEFAULT_BUCKET,
    ) -> T:
        """Read, and decode the answer.

        Raises:
            ContractError: the answer has another form.
        """
        call = _call(method, endpoint, json=json, params=params, bucket=bucket)
        answer = await self._client.send(call)
        return decode(answer.body, kind, endpoint=call.endpoint)

    async def read_where_told(self, method: str, endpoint: Endpoint, kind: type[T], *, json: Any = None) -> T | None:
        """Like `read`; None when the portal does not have the endpoint, or does not open it to this credential."""
        call = _call(method, endpoint, json=json, expect=NOT_TOLD)
        answer = await self._client.send(call)
        # Absent and forbidden alike: either way it is not told here, and the caller goes on without.
        return None if answer.status in NOT_TOLD else decode(answer.body, kind, endpoint=call.endpoint)

    async def read_unless_refused(
        self, endpoint: Endpoint, kind: type[T], *, params: Mapping[str, str] | None = None
    ) -> T | None:
        """Like `read`; None where the portal's subscription does not have what is asked for.

        Raises:
            CredentialError: the token lacks a scope, which says nothing of the portal.
        """
        call = _call("GET", endpoint, params=params, expect=FORBIDDEN)
        answer = await self._client.send(call)
        if answer.status not in FORBIDDEN:
            return decode(answer.body, kind, endpoint=call.endpoint)
        problem = parse_problem(answer.body)
        if problem.lacks_scope:
            scopes = ", ".join(sorted(problem.scopes)) or "which one, HubSpot does not say"
            raise CredentialError(
                f"{SYSTEM}, {call.endpoint}: the token lacks a scope, one of: {scopes}; grant it to the token",
                system=SYSTEM,
                endpoint=call.endpoint,
                status=answer.status,
            )
        return None

    async def start(self, endpoint: Endpoint, kind: type[T], *, json: Any) -> T:
        """Start a job that changes nothing. Not repeated after a lost answer: it would be started twice.

        Raises:
            QuotaError: no further one may be started for now. Jobs are counted by the day, so it is not waited for.
            ContractError: the answer has another form.
        """
        # The client would sit out a 429; that of a job lasts until another day.
        call = _call("POST", endpoint, json=json, repeatable=False, expect=THROTTLED)
        answer = await self._client.send(call)
        if answer.status in THROTTLED:
            raise QuotaError(
                f"{SYSTEM}, {call.endpoint}: answered {answer.status}: {parse_problem(answer.body).reason()}",
                system=SYSTEM,
                endpoint=call.endpoint,
                status=answer.status,
            )
        return decode(answer.body, kind, endpoint=f"POST {endpoint.template}")

    async def read_batch(self, endpoint: Endpoint, json: Any, *, params: Mapping[str, str]) -> BatchRead:
        """Read many records by an id.

        Raises:
            BatchRejectedError: HubSpot refuses the batch because of at least one of the ids.
        """
        # Handed back instead of raised: which of the inputs is at fault is found by halving.
        call = _call("POST", endpoint, json=json, params=params, expect=BATCH_REFUSED)
        return decode(_accepted(call, await self._client.send(call)), BatchRead, endpoint=call.endpoint)

    async def write_batch(self, endpoint: Endpoint, json: Any, *, bucket: str = DEFAULT_BUCKET) -> BatchAnswer:
        """Write many inputs, in a way that may be repeated. An answer without body is an empty `BatchAnswer`.

        Raises:
            BatchRejectedError: the whole batch is refused; nothing was written.
            UnknownOutcomeError: accepted, or perhaps accepted, but the receipt was lost or cannot be read, or some
                inputs were refused to a repeat of it.
        """
        call = _call("POST", endpoint, json=json, bucket=bucket, writes=True, expect=BATCH_REFUSED)
        answer = await self._client.send(call)
        body = _accepted(call, answer)
        # No body is a receipt as well: removals of labels answer 204.
        if body is None:
            return BatchAnswer()
        read = receipt(body, BatchAnswer, endpoint=call.endpoint)
        # An input that is refused now may have been written by the attempt whose answer was lost.
        if answer.after_loss and read.errors:
            reason = parse_problem(read.errors[0]).reason()
            refused = f"{SYSTEM}, {call.endpoint}: a repeat of a lost write was refused in part: {reason}"
            raise unknown_outcome(refused, endpoint=call.endpoint)
        return read

    async def define(
        self, method: str, endpoint: Endpoint, json: Any, *, expect: frozenset[int] = frozenset()
    ) -> Answer:
        """Change the schema. Never repeated after a lost answer: creating is not idempotent."""
        return await self._client.send(_call(method, endpoint, json=json, writes=True, repeatable=False, expect=expect))


def _call(
    method: str,
    endpoint: Endpoint,
    *,
    json: Any = None,
    params: Mapping[str, str] | None = None,
    bucket: str = DEFAULT_BUCKET,
    writes: bool = False,
    repeatable: bool = True,
    expect: frozenset[int] = frozenset(),
) -> Call:
    return Call(
        method=method,
        path=endpoint.path,
        endpoint=f"{method} {endpoint.template}",
        json=json,
        params=params,
        bucket=bucket,
        writes=writes,
        repeatable=repeatable,
        expect=expect,
    )


def receipt(body: Any, kind: type[T], *, endpoint: str) -> T:
    """Check what an accepted write was answered with against a shape.

    Raises:
        UnknownOutcomeError: it has another form: of the write only the receipt cannot be read.
    """
    try:
        return decode(body, kind, endpoint=endpoint)
    except ContractError as error:
        raise unknown_outcome(error.message, endpoint=endpoint) from error


def unknown_outcome(what: str, *, endpoint: str) -> UnknownOutcomeError:
    """The error of a write of which it cannot be told whether it was applied."""
    return UnknownOutcomeError(
        f"{what}; the write may have been applied: read it back", system=SYSTEM, endpoint=endpoint
    )


def _accepted(call: Call, answer: Answer) -> Any:
    """The body of an answer that is not a refusal of the batch."""
    if answer.status not in BATCH_REFUSED:
        return answer.body
    raise BatchRejectedError(
        parse_problem(answer.body).reason(), system=SYSTEM, endpoint=call.endpoint, status=answer.status
    )


@asynccontextmanager
async def gather() -> AsyncIterator[asyncio.TaskGroup]:
    """A task group that ends with its first failure as it is, not wrapped in a group."""
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        # The first is the cause: a group cancels its other tasks when one fails.
        raise failures.exceptions[0] from None
