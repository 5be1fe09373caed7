"""Calls to one UserVoice account: signed, with a new token where one has ended; lists to their last page."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
from pydantic import SecretStr

from integration_assets.connectors.credential import ClientSecret, Credential, secret_of
from integration_assets.connectors.http import Call, HttpClient
from integration_assets.connectors.redaction import register
from integration_assets.connectors.rules import Answer
from integration_assets.errors import ContractError, CredentialError, PermanentError

SYSTEM = "uservoice"
API = "/api/v2"
TOKEN_PATH = f"{API}/oauth/token"
PAGE = 100
"""Records per call, the most that a call brings."""
REFUSED_CURSOR = frozenset({400, 404, 422})
"""Statuses for a cursor that is not known any more. Which of them it is, no source says."""
REJECTED = (
    "UserVoice rejected USERVOICE_SECRET: set the secret of a trusted API key, with the key as USERVOICE_CLIENT_ID, or "
    "a token made with such a key"
)

T = TypeVar("T")


class Batch(msgspec.Struct, frozen=True):
    """The records of one page as they came, in the `body` they came in. `total` is how many the list has.

    `place` is what asks for the next page, empty on the last one.
    """

    body: Mapping[str, Any]
    items: list[Any]
    total: int | None
    place: Mapping[str, str]

    @property
    def cursor(self) -> str | None:
        """The cursor of the next page; None on the last one, and where pages are numbered."""
        return self.place.get("cursor")


class Session:
    """Calls through one HTTP client, which the caller opens and closes."""

    def __init__(self, client: HttpClient, credential: Credential) -> None:
        self._client = client
        self._credential = credential
        self._lock = asyncio.Lock()
        self._token = None if isinstance(credential, ClientSecret) else secret_of(credential)
        self._broken: CredentialError | None = None
        # It travels in single calls, of which the client knows nothing.
        register(secret_of(credential).get_secret_value())

    # ------------------------------------------------------------------------------------------------------- calling

    async def get(
        self, path: str, query: Mapping[str, str], *, endpoint: str | None = None, expect: frozenset[int] = frozenset()
    ) -> Answer:
        """Read; once more with a new token where the account says that the token has ended.

        Raises:
            CredentialError: the new token is refused as well, or there is none to be had.
            IntegrationError: as `HttpClient.send`.
        """
        call = Call(
            method="GET",
            path=f"{API}{path}",
            endpoint=f"GET {API}{endpoint or path}",
            params=query,
            expect=expect,
        )
        token = await self._valid_token()
        if not isinstance(self._credential, ClientSecret):
            return await self._client.send(_signed(call, token, expect))
        answer = await self._client.send(_signed(call, token, expect | {401}))
        if answer.status != 401:
            return answer
        return await self._client.send(_signed(call, await self._valid_token(refused=token), expect))

    async def _valid_token(self, refused: SecretStr | None = None) -> SecretStr:
        """A token, which is not the one that was just refused."""
        async with self._lock:
            # Somebody else was refused with the same one, and has a new one already.
            if self._token is not None and self._token is not refused:
                return self._token
            # A wrong secret does not become right by asking again.
            if self._broken is not None:
                raise self._broken
            try:
                self._token = await self._new_token()
            except CredentialError as error:
                self._broken = error
                raise
            return self._token

    async def _new_token(self) -> SecretStr:
        endpoint = f"POST {TOKEN_PATH}"
        # Any other credential is a token, which is never renewed.
        client_id = self._credential.client_id if isinstance(self._credential, ClientSecret) else ""
        answer = await self._client.send(
            Call(
                method="POST",
                path=TOKEN_PATH,
                endpoint=endpoint,
                form={
                    "grant_type": "client_credentials",
                    "client_id": client_id,
                    "client_secret": secret_of(self._credential),
                },
                # OAuth 2 refuses a client with either of 400 and 401.
                expect=frozenset({400}),
            )
        )
        if answer.status == 400:
            raise CredentialError(REJECTED, system=SYSTEM, endpoint=endpoint, status=400)
        token = field(answer.body, "access_token", str, endpoint)
        if not token:
            broken(endpoint, "$.access_token is empty")
        register(token)
        return SecretStr(token)

    # --------------------------------------------------------------------------------------------------------- lists

    async def page(
        self, name: str, query: Mapping[str, str], *, number: int | None = 1, expect: frozenset[int] = frozenset()
    ) -> Batch | None:
        """One page of a list. `number` is which it is, None for one behind a cursor of an earlier run.

        None for a status that is expected.
        """
        endpoint = f"GET {API}/admin/{name}"
        answer = await self.get(f"/admin/{name}", query, expect=expect)
        if answer.status in expect:
            return None
        items = field(answer.body, name, list, endpoint)
        pagination = field(answer.body, "pagination", dict, endpoint)
        total, pages = (_number(pagination, one, endpoint) for one in ("total_records", "total_pages"))
        # Sources differ in its name.
        cursor = pagination.get("cursor") or pagination.get("next_cursor") or None
        if cursor is not None and not isinstance(cursor, str):
            broken(endpoint, f"$.pagination.cursor is {type(cursor).__name__}, not str")
        place: dict[str, str] = {}
        # The last page may carry a cursor as well.
        if items and not (number and pages is not None and number >= pages):
            if cursor:
                place = {"cursor": cursor}
            elif number and pages is not None:
                place = {"page": str(number + 1)}
            # A list that is cut short would pass for one at its end.
            elif number == 1 and len(items) >= int(query.get("per_page", PAGE)):
                broken(endpoint, "$.pagination holds neither a cursor nor total_pages")
        return Batch(answer.body, items, total, place)

    async def pages(self, name: str, query: Mapping[str, str], *, after: str | None = None) -> AsyncIterator[Batch]:
        """The pages of a list to its end, or those behind the cursor `after`; all, where it is not known any more."""
        given = {**query, "per_page": str(PAGE)}
        place: Mapping[str, str] = {"cursor": after} if after else {}
        number, followed = None if after else 1, set[str]()
        while True:
            resumes = after is not None and not followed and "cursor" in place
            batch = await self.page(
                name, {**given, **place}, number=number, expect=REFUSED_CURSOR if resumes else frozenset()
            )
            if batch is None:
                place, number = {}, 1
                continue
            yield batch
            if not batch.place:
                return
            # A cursor that comes back would be followed for ever.
            if batch.cursor is not None and batch.cursor in followed:
                broken(f"GET {API}/admin/{name}", "$.pagination.cursor repeats an earlier one")
            followed.add(batch.cursor or "")
            place, number = batch.place, number + 1 if number else None

    async def one(self, name: str, record_id: str, query: Mapping[str, str]) -> Mapping[str, Any] | None:
        """The answer for one record by id; None where the account says that there is none."""
        path, endpoint = f"/admin/{name}/{record_id}", f"/admin/{name}/{{id}}"
        answer = await self.get(path, query, endpoint=endpoint, expect=frozenset({404}))
        if answer.status == 404:
            # A gateway, or another server, answers with a page: nothing can be said to be gone there.
            if not isinstance(answer.body, dict):
                raise PermanentError(
                    f"UserVoice answered GET {API}{endpoint} with 404 and no JSON; check the base URL",
                    system=SYSTEM,
                    endpoint=f"GET {API}{endpoint}",
                    status=404,
                )
            return None
        items = field(answer.body, name, list, f"GET {API}{endpoint}")
        # Another record under this id would be taken for the one that was asked for.
        found = items[0].get("id") if len(items) == 1 and isinstance(items[0], dict) else None
        if type(found) is not int or found != int(record_id):
            broken(f"GET {API}{endpoint}", f"$.{name} is not the one record that was asked for")
        body: Mapping[str, Any] = answer.body
        return body


def field(body: Any, name: str, kind: type[T], endpoint: str) -> T:
    """One field of an answer, of exactly this type.

    Raises:
        ContractError: it is something else, or missing.
    """
    if not isinstance(body, dict):
        broken(endpoint, f"$ is {type(body).__name__}, not an object")
    if name not in body:
        broken(endpoint, f"$.{name} is missing")
    value = body[name]
    if type(value) is not kind:
        broken(endpoint, f"$.{name} is {type(value).__name__}, not {kind.__name__}")
    return value


def broken(endpoint: str, what: str) -> NoReturn:
    """Refuse an answer that is not of the documented shape.

    Raises:
        ContractError: always.
    """
    raise ContractError(
        f"UserVoice answered {endpoint} with something its API does not document: {what}",
        system=SYSTEM,
        endpoint=endpoint,
    )


def _number(pagination: Mapping[str, Any], name: str, endpoint: str) -> int | None:
    value = pagination.get(name)
    if value is not None and (type(value) is not int or value < 0):
        broken(endpoint, f"$.pagination.{name} is no number of records or pages")
    return value


def _signed(call: Call, token: SecretStr, expect: frozenset[int]) -> Call:
    signature = SecretStr(f"Bearer {token.get_secret_value()}")
    return msgspec.structs.replace(call, headers={"authorization": signature}, expect=expect)
