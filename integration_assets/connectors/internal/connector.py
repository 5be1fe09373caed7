"""Reading an internal system as it is described: page by page, rows that cannot be used beside those that can."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import msgspec
from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.http import EXCHANGE_SECONDS, PATIENCE_SECONDS, Answer, Call, HttpClient
from integration_assets.connectors.internal.description import Description, Endpoint, describe
from integration_assets.connectors.internal.paging import (
    Base,
    PageRequest,
    PagingError,
    first_request,
    next_request,
    rows_of,
)
from integration_assets.connectors.internal.rows import account
from integration_assets.connectors.internal.token_source import (
    TOKEN_RULES,
    Flow,
    TokenSource,
    fixed_headers,
    needed,
    token_request,
)
from integration_assets.connectors.limiter import DEFAULT_BUCKET, Window, credential_digest, limiter_for
from integration_assets.connectors.rules import Action, Rule, StatusRules
from integration_assets.errors import ContractError
from integration_assets.models import InternalAccount, Page, Rejected

SYSTEM = "internal"
WINDOWS = {DEFAULT_BUCKET: (Window(10, 1),)}
"""Nobody told us what the system bears: ten calls a second, and what it says by 429 and Retry-After."""
MOST_PAGES = 10_000
"""Pages of one list. Beyond it is a list without an end."""
RULES = StatusRules(
    rules=(
        Rule(statuses=frozenset({401}), action=Action.CREDENTIAL, advice="it refuses the secret: enter it again"),
        Rule(statuses=frozenset({403}), action=Action.CREDENTIAL, advice="the secret lacks the right to read this"),
        Rule(
            statuses=frozenset({404, 410}), action=Action.PERMANENT, advice="there is nothing: check base URL and path"
        ),
    )
)


class Preview(msgspec.Struct, frozen=True):
    """The first rows of a system as they would be read, and those of them that cannot be used."""

    rows: tuple[InternalAccount, ...]
    rejected: tuple[Rejected, ...]


class InternalSystem:
    """An internal system, open: get one from `internal_system`."""

    def __init__(self, client: HttpClient, tokens: TokenSource | None, base: Base, description: Description) -> None:
        self._client = client
        self._tokens = tokens
        self._base = base
        self._description = description

    async def accounts(self) -> AsyncIterator[Page[InternalAccount]]:
        """All rows of all endpoints.

        Raises:
            CredentialError: the secret was refused, or lacks a right.
            ContractError: an answer is not as described, or a list has no end.
            TransientError: the system cannot be reached, or asks to come back later.
        """
        for endpoint in self._description.endpoints:
            async for page in self._pages(endpoint):
                yield page

    async def preview(self, rows: int = 20) -> Preview:
        """The first `rows` rows, usable or not, read with as few calls as that takes.

        Raises:
            CredentialError, ContractError, TransientError: as `accounts`.
        """
        used: list[InternalAccount] = []
        rejected: list[Rejected] = []
        for endpoint in self._description.endpoints:
            missing = rows - len(used) - len(rejected)
            if missing <= 0:
                break
            async for page in self._pages(endpoint, most=missing):
                used += page.records
                rejected += page.rejected
                # No further page is asked for: a preview is for a person who waits.
                if len(used) + len(rejected) >= rows:
                    break
        return Preview(tuple(used), tuple(rejected))

    async def check(self) -> int:
        """Read the first page of every endpoint; return how many rows they have.

        Raises:
            CredentialError, ContractError, TransientError: as `accounts`.
        """
        seen = 0
        for endpoint in self._description.endpoints:
            async for page in self._pages(endpoint):
                seen += len(page.records) + len(page.rejected)
                break
        return seen

    async def _pages(self, endpoint: Endpoint, *, most: int | None = None) -> AsyncIterator[Page[InternalAccount]]:
        """The pages of a list; of `most` rows at most, however many a page brings."""
        request: PageRequest | None = first_request(endpoint, self._base)
        # Digests, as a list may have thousands of pages.
        asked, before, read = {_digest(request)}, b"", 0
        while request is not None:
            body = (await self._answer(endpoint, request)).body
            try:
                rows = rows_of(endpoint, body)
                request = next_request(endpoint, self._base, request, body, rows)
            except PagingError as error:
                raise _broken(endpoint, str(error)) from None
            # After the next request was made out: a page that leads nowhere is broken, however good its rows are.
            yield self._page(rows if most is None else rows[: max(most - read, 0)], read, endpoint)
            read += len(rows)
            now = _digest(rows)
            if request is not None:
                self._check_it_ends(endpoint, again=bool(rows) and now == before, asked=asked, request=request)
            before = now

    def _check_it_ends(self, endpoint: Endpoint, *, again: bool, asked: set[bytes], request: PageRequest) -> None:
        # A system that does not know the name of the page parameter answers the first page every time.
        if again:
            raise _broken(endpoint, "one page after another holds the same rows: check the name of the page parameter")
        # Cursors and links may lead in a circle through several pages.
        if (digest := _digest(request)) in asked:
            raise _broken(endpoint, "what leads to the next page leads back to one read before")
        if len(asked) >= MOST_PAGES:
            raise _broken(endpoint, f"the list has more than {MOST_PAGES:,} pages: raise the page size")
        asked.add(digest)

    def _page(self, rows: Sequence[Any], read: int, endpoint: Endpoint) -> Page[InternalAccount]:
        made = [
            account(
                row,
                self._description.mappings,
                place=f"row {number} of {endpoint.path}",
                unit=self._description.unit,
                period=self._description.period,
            )
            # Counted over all pages: it names a row that has no usable id.
            for number, row in enumerate(rows, read + 1)
        ]
        used: Iterable[InternalAccount] = (one for one in made if isinstance(one, InternalAccount))
        return Page(tuple(used), tuple(one for one in made if isinstance(one, Rejected)))

    async def _answer(self, endpoint: Endpoint, request: PageRequest) -> Answer:
        """The answer; where a token was refused, that to the same request with a new one."""
        if self._tokens is None:
            return await self._client.send(_call(endpoint, request, None))
        token = await self._tokens.token()
        answer = await self._client.send(_call(endpoint, request, token, expect=frozenset({401})))
        # Expected once: tokens are taken back before their time, and a new one tells that apart from a wrong secret.
        if answer.status != 401:
            return answer
        return await self._client.send(_call(endpoint, request, await self._tokens.instead_of(token)))


@asynccontextmanager
async def internal_system(
    *,
    base_url: str,
    flow: str,
    auth: Mapping[str, str],
    secret: SecretStr | None,
    endpoints: Sequence[Mapping[str, Any]],
    mappings: Mapping[str, Any],
    calls: CallCounter,
    guard: AddressGuard | None,
    deadline: float = EXCHANGE_SECONDS,
    patience: float = PATIENCE_SECONDS,
) -> AsyncIterator[InternalSystem]:
    """Open an internal system; nothing is called before its first method is.

    Args:
        base_url: What the paths of the endpoints are appended to.
        flow: A value of `token_source.Flow`.
        auth: What the flow needs beside its secret.
        secret: The flow's one secret.
        endpoints: As `description` says.
        mappings: As `description` says.
        calls: Where requests are counted, as system `internal`.
        guard: Decides which addresses may be asked, that of the token endpoint included.
        deadline: Seconds for one request, to the last byte of its answer.
        patience: Seconds after which a request is not repeated any more.

    Raises:
        DescriptionError: something of the configuration cannot be used; names the field.
        ConfigurationError: the secret is missing, or an address may not be asked (`AddressError`).
    """
    description, how = describe(endpoints, mappings), Flow(flow)

    def client(url: str, headers: Mapping[str, SecretStr | str], rules: StatusRules) -> HttpClient:
        # By host and secret: the token endpoint may be another machine with limits of its own.
        known_as = credential_digest(url, secret.get_secret_value() if secret else "")
        return HttpClient(
            system=SYSTEM,
            base_url=url,
            limiter=limiter_for(SYSTEM, known_as, WINDOWS),
            calls=calls,
            rules=rules,
            headers=headers,
            deadline=deadline,
            patience=patience,
            guard=guard,
        )

    base = Base.of(base_url)
    if guard is not None:
        guard.check(base_url)
    async with AsyncExitStack() as stack:
        tokens = None
        if how is Flow.OAUTH2:
            if guard is not None:
                guard.check(auth["token_url"])
            headers, form = token_request(auth, needed(secret))
            asking = client(Base.of(auth["token_url"]).origin, headers, TOKEN_RULES)
            tokens = TokenSource(await stack.enter_async_context(asking), auth["token_url"], form)
        # The origin alone: links to further pages are paths from the root of the host.
        reading = client(base.origin, fixed_headers(how, auth, secret), RULES)
        yield InternalSystem(await stack.enter_async_context(reading), tokens, base, description)


def _call(
    endpoint: Endpoint, request: PageRequest, token: SecretStr | None, *, expect: frozenset[int] = frozenset()
) -> Call:
    posted = endpoint.method == "POST"
    query = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in request.params.items()
    }
    return Call(
        method=endpoint.method,
        path=request.path,
        endpoint=endpoint.label,
        # A POST carries its parameters in the body, as `Endpoint` says.
        json=request.params if posted else None,
        params=None if posted else query or None,
        headers=None if token is None else {"authorization": SecretStr(f"Bearer {token.get_secret_value()}")},
        expect=expect,
    )


def _broken(endpoint: Endpoint, what: str) -> ContractError:
    return ContractError(f"internal system, {endpoint.label}: {what}", system=SYSTEM, endpoint=endpoint.label)


def _digest(value: Any) -> bytes:
    return hashlib.sha256(msgspec.json.encode(value)).digest()
