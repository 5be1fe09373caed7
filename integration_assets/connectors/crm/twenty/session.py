"""Calls to one workspace: what is read, what is written, and how a refused batch is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, TypeVar

from integration_assets.connectors.crm.base import BatchRejectedError, UnknownOutcomeError
from integration_assets.connectors.crm.twenty.endpoints import RECORDS_PER_PAGE, batch, records
from integration_assets.connectors.crm.twenty.error_answers import reason
from integration_assets.connectors.crm.twenty.wire import SYSTEM, ListPage, decode, entries
from integration_assets.connectors.http import Answer, Call, HttpClient
from integration_assets.errors import ContractError

T = TypeVar("T")

BATCH_REFUSED = frozenset({400, 409})
"""At least one of the records is not accepted, and nothing of the batch was written; no answer says which."""


class Session:
    """Calls through one HTTP client, which the caller opens and closes."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def read(
        self,
        method: str,
        path: str,
        kind: type[T],
        *,
        json: Any = None,
        params: Mapping[str, str] | None = None,
    ) -> T:
        """Read, and decode the answer.

        Raises:
            ContractError: the answer has another form.
        """
        call = Call(method=method, path=path, endpoint=f"{method} {path}", json=json, params=params)
        return decode((await self._client.send(call)).body, kind, endpoint=call.endpoint)

    async def pages(self, plural: str, filter_text: str | None = None) -> AsyncIterator[list[Any]]:
        """Pages of the records of an object, in the order of their ids, soft-deleted ones left out unless asked for.

        Raises:
            ContractError: the list repeats a cursor, and has no end, or a page names none for the next.
        """
        params = {"limit": str(RECORDS_PER_PAGE), "order_by": "id", "depth": "0"}
        if filter_text is not None:
            params["filter"] = filter_text
        async for rows in self.listed(records(plural), params):
            yield rows

    async def listed(self, path: str, params: Mapping[str, str]) -> AsyncIterator[list[Any]]:
        """Entries of a list, page by page."""
        endpoint = f"GET {path}"
        asked = dict(params)
        followed: set[str] = set()
        while True:
            page = await self.read("GET", path, ListPage, params=asked)
            yield entries(page.data, endpoint=endpoint)
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                return
            # The list would be cut short, and what is left of it pass for all there is.
            if after is None:
                raise ContractError(
                    "twenty says that a list has a next page, but its page has no cursor",
                    system=SYSTEM,
                    endpoint=endpoint,
                )
            # A cursor that comes back would be followed for ever.
            if after in followed:
                raise ContractError(
                    "twenty repeats a page cursor; the list has no end", system=SYSTEM, endpoint=endpoint
                )
            followed.add(after)
            asked["starting_after"] = after

    async def upsert(self, plural: str, rows: Sequence[Mapping[str, Any]]) -> list[Any]:
        """Create or update records by whichever of their values is unique; in a way that may be repeated.

        The answer is in an order of its own: updated records come first.

        Raises:
            BatchRejectedError: the whole batch is refused; nothing was written.
            UnknownOutcomeError: accepted, or perhaps accepted, but the receipt was lost or cannot be read.
        """
        call = Call(
            method="POST",
            path=batch(plural),
            endpoint=f"POST {batch(plural)}",
            json=list(rows),
            params={"upsert": "true"},
            writes=True,
            expect=BATCH_REFUSED,
        )
        body = _accepted(call, await self._client.send(call))
        try:
            return entries(body.get("data") if isinstance(body, dict) else None, endpoint=call.endpoint)
        except ContractError as error:
            raise UnknownOutcomeError(
                f"{error.message}; the write may have been applied: read it back",
                system=SYSTEM,
                endpoint=call.endpoint,
            ) from error

    async def soft_delete(self, plural: str, filter_text: str) -> None:
        """Put the records that a filter finds into the bin; may be repeated.

        Raises:
            BatchRejectedError: the filter is refused; nothing was deleted.
        """
        call = Call(
            method="DELETE",
            path=records(plural),
            endpoint=f"DELETE {records(plural)}",
            # Without it they would be destroyed.
            params={"filter": filter_text, "soft_delete": "true"},
            writes=True,
            expect=BATCH_REFUSED,
        )
        _accepted(call, await self._client.send(call))

    async def define(self, path: str, json: Mapping[str, Any]) -> None:
        """Change the schema. Never repeated after a lost answer: creating is not idempotent.

        The answer is not looked at: its envelope differs by version, and the schema is read anew anyway.
        """
        await self._client.send(
            Call(method="POST", path=path, endpoint=f"POST {path}", json=json, writes=True, repeatable=False)
        )


def _accepted(call: Call, answer: Answer) -> Any:
    """The body of an answer that is not a refusal of the batch."""
    if answer.status not in BATCH_REFUSED:
        return answer.body
    raise BatchRejectedError(
        reason(answer.body) or f"answered {answer.status}", system=SYSTEM, endpoint=call.endpoint, status=answer.status
    )
