"""Productboard, read through version 2 of its public API.

Every list is paged by an opaque cursor that comes inside an address; the address itself is never followed. Lists have
no documented order. There are no votes: `GET /v2/notes` brings each note with its customer and the features that it is
linked to. Public source: Productboard API reference, https://developer.productboard.com.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Collection, Mapping
from functools import partial
from typing import Any, NoReturn
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.call_log import CallLogs
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Credential, secret_of
from integration_assets.connectors.feedback.abilities import Abilities, VoteList
from integration_assets.connectors.feedback.productboard import records
from integration_assets.connectors.feedback.productboard.spec import SPEND_FIELD
from integration_assets.connectors.feedback.with_client import WithClient
from integration_assets.connectors.http import EXCHANGE_SECONDS, PATIENCE_SECONDS, Call, HttpClient
from integration_assets.connectors.limiter import DEFAULT_BUCKET, Limiter, Window, credential_digest, limiter_for
from integration_assets.connectors.rules import Action, Answer, Rule, StatusRules
from integration_assets.errors import ContractError, PermanentError
from integration_assets.models import Account, Board, FeatureRequest, Page, Rejected, StatusChange, Vote, Voter

SYSTEM = "productboard"
LIMITS = {DEFAULT_BUCKET: (Window(50, 1),)}
"""Calls a second that one token may make. Source: Productboard API reference, rate limits."""
ABILITIES = Abilities(
    vote_list=VoteList.UNORDERED,
    votes_of_request=False,
    requests_overlap=0,
    boards_paged=True,
    newest_requests=False,
    merges=False,
    status_history=False,
    notes=("Productboard has no votes: notes linked to a feature count as votes",),
)
"""How much a call brings is the server's to say; it was seen to bring 100 records."""


def _code(answer: Answer) -> str:
    """Return the code of the first error of an answer, or the gateway's message if it is plain words."""
    if not isinstance(answer.body, dict):
        return ""
    errors = answer.body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    said = first.get("code") if isinstance(first, dict) else answer.body.get("message")
    return said if isinstance(said, str) and re.fullmatch(r"[A-Za-z ,.;'-]{1,80}", said) else ""


class ProductboardFeedback(WithClient):
    """A Productboard workspace as a `FeedbackSystem`. Use as an async context manager.

    `base_url` is what comes before `/v2`, `credential_name` what messages call the `token`. `spend_field` is the id of
    the custom field of companies with their monthly spend. `deadline` bounds one request, `patience` the time in which
    it is repeated, in seconds; `limits_in`, logs of calls, shares the allowance of calls with other processes. `guard`
    decides which addresses may be asked; None when `base_url` is the operator's own.
    """

    def __init__(
        self,
        *,
        base_url: str,
        token: SecretStr,
        calls: CallCounter,
        credential_name: str = "PRODUCTBOARD_TOKEN",
        spend_field: str | None = None,
        limits_in: CallLogs | None = None,
        limiter: Limiter | None = None,
        deadline: float = EXCHANGE_SECONDS,
        patience: float = PATIENCE_SECONDS,
        guard: AddressGuard | None = None,
    ) -> None:
        self._spend_field = spend_field
        # What is above each request: boards by id, and the id of the board of each feature that was met.
        self._boards: dict[str, Board] = {}
        self._board_of_feature: dict[str, str | None] = {}
        digest = credential_digest(base_url, token.get_secret_value())
        self._client = HttpClient(
            system=SYSTEM,
            base_url=base_url,
            limiter=limiter or limiter_for(SYSTEM, digest, LIMITS, logs=limits_in),
            calls=calls,
            rules=StatusRules(
                rules=(
                    Rule(
                        statuses=frozenset({401, 403}),
                        action=Action.CREDENTIAL,
                        advice=f"Productboard rejected {credential_name}: set an access token that may read entities "
                        "and notes",
                    ),
                    Rule(
                        statuses=frozenset({404}),
                        action=Action.PERMANENT,
                        advice="check the base URL: Productboard's is https://api.productboard.com",
                    ),
                ),
                describe=_code,
            ),
            headers={"authorization": SecretStr(f"Bearer {token.get_secret_value()}")},
            deadline=deadline,
            patience=patience,
            guard=guard,
        )

    @property
    def name(self) -> str:
        """Provider name."""
        return SYSTEM

    @property
    def abilities(self) -> Abilities:
        """Notes in place of votes, in no order; neither merges nor a history of statuses."""
        return ABILITIES

    async def check(self) -> str:
        """Read the first page of products and of notes, which a token may read or not; tell what was seen."""
        products = await self._answer("/v2/entities", {"type[]": "product", "fields[]": "all"})
        await self._answer("/v2/notes", {})
        count = len(_list(products, "/v2/entities"))
        told = f"{count} product{'' if count == 1 else 's'} on its first page"
        return f"Productboard at {self._client.host} answers; the token sees {told}"

    async def boards(self) -> AsyncIterator[Page[Board]]:
        """All products, then all components."""
        reader = records.reader("board", records.board, ("products", "components"))
        for kind in records.BOARD_TYPES:
            async for items in self._entities(kind):
                page = reader.page(items)
                self._boards.update({board.board_id: board for board in page.records})
                yield page

    async def feature_requests(self, *, statuses: Collection[str]) -> AsyncIterator[Page[FeatureRequest]]:
        """All features, then all subfeatures, whatever their status, archived ones included."""
        del statuses
        reader = records.reader("feature_request", self._request, ("features", "subfeatures"))
        # Features first: a subfeature belongs to the board of its feature.
        for kind in records.REQUEST_TYPES:
            async for items in self._entities(kind):
                await self._place(items)
                yield reader.page(items)

    async def newest_feature_requests(self) -> Page[FeatureRequest]:
        """Nothing: no list of Productboard comes newest first."""
        return Page(())

    async def feature_request(self, request_id: str) -> FeatureRequest | Rejected | None:
        """One feature or subfeature by id; None when there is none, or it is something else."""
        raw = await self._entity(request_id, records.REQUEST_TYPES)
        if raw is None:
            return None
        await self._place([raw])
        page: Page[FeatureRequest] = records.reader("feature_request", self._request, ("features",)).page([raw])
        return page.records[0] if page.records else page.rejected[0]

    async def votes(self, *, request_id: str | None = None, after: str | None = None) -> AsyncIterator[Page[Vote]]:
        """The votes of all notes, or those for one request, for which the whole list is read as well."""
        # Pages come in no order, so that nothing could go on behind one.
        del after
        reader = records.reader("vote", records.note, ("notes",))
        async for items in self._pages("/v2/notes", {}):
            page = reader.page(items)
            found = [vote for note in page.records for vote in records.votes(await self._whole(note))]
            yield msgspec.structs.replace(
                page, records=tuple(vote for vote in found if request_id in (None, vote.request_id))
            )

    async def voter(self, voter_id: str) -> Voter | Rejected | None:
        """One user by id, or a company that votes itself; None when there is none."""
        raw = await self._entity(voter_id, ("user", "company"))
        if raw is None:
            return None
        if raw.get("type") == "company":
            return Voter(voter_id, None, (voter_id,))
        page: Page[Voter] = records.reader("voter", records.voter, ("users",)).page([raw])
        return page.records[0] if page.records else page.rejected[0]

    async def voters(self) -> AsyncIterator[Page[Voter]]:
        """All users with their companies."""
        reader = records.reader("voter", records.voter, ("users",))
        async for items in self._entities("user"):
            yield reader.page(items)

    async def accounts(self) -> AsyncIterator[Page[Account]]:
        """All companies, with the custom field that was named as their spend."""
        convert = partial(_account, self._spend_field)
        reader = records.reader("account", convert, ("companies",))
        async for items in self._entities("company"):
            yield reader.page(items)

    async def status_changes(self) -> AsyncIterator[Page[StatusChange]]:
        """Nothing: there is no history of statuses."""
        nothing: tuple[Page[StatusChange], ...] = ()
        for page in nothing:
            yield page

    # ------------------------------------------------------------------------------------------------------- placing

    async def _place(self, items: Collection[Any]) -> None:
        """Find out the board of each of these requests, which may take looking at the feature above."""
        if not self._boards:
            async for _ in self.boards():
                pass
        for item in items:
            above, request_id = records.parent(item), item.get("id") if isinstance(item, dict) else None
            if not isinstance(request_id, str):
                continue
            board_id = above.id if above and above.type in records.BOARD_TYPES else None
            if above is not None and above.type in records.REQUEST_TYPES:
                if above.id not in self._board_of_feature and (raw := await self._entity(above.id, ("feature",))):
                    outer = records.parent(raw)
                    self._board_of_feature[above.id] = outer.id if outer else None
                board_id = self._board_of_feature.get(above.id)
            self._board_of_feature[request_id] = board_id

    def _request(self, raw: Any, unreadable: dict[str, str]) -> FeatureRequest:
        board_id = self._board_of_feature.get(raw.get("id", "")) if isinstance(raw, dict) else None
        board = None if board_id is None else self._boards.get(board_id, Board(board_id, board_id))
        return records.feature_request(raw, board, unreadable)

    # ------------------------------------------------------------------------------------------------------- calling

    async def _whole(self, note: records.Note) -> records.Note:
        """The note with all its relationships."""
        if note.more is None:
            return note
        path, endpoint = f"/v2/notes/{quote(note.note_id, safe='')}/relationships", "/v2/notes/{id}/relationships"
        found = list(note.relationships)
        async for items in self._pages(path, {}, endpoint=endpoint, cursor=_cursor(note.more, endpoint)):
            try:
                found += [records.relationship(item) for item in items]
            except msgspec.ValidationError as error:
                _broken(endpoint, f"$.data holds something else: {error}")
        return msgspec.structs.replace(note, relationships=tuple(found))

    async def _entity(self, entity_id: str, types: Collection[str]) -> dict[str, Any] | None:
        """One entity of one of these types as it came; None when there is none."""
        endpoint = "/v2/entities/{id}"
        answer = await self._client.send(
            _call(f"/v2/entities/{quote(entity_id, safe='')}", {}, endpoint, expect=frozenset({404}))
        )
        if answer.status == 404:
            # Any other 404 is of a gateway or another server: nothing there can be said to be gone.
            if _code(answer) != "resource.notFound":
                raise PermanentError(
                    f"Productboard answered GET {endpoint} with 404 {_code(answer) or 'without a reason'}; check the "
                    "base URL",
                    system=SYSTEM,
                    endpoint=f"GET {endpoint}",
                    status=404,
                )
            return None
        raw = answer.body.get("data") if isinstance(answer.body, dict) else None
        if not isinstance(raw, dict) or raw.get("id") != entity_id:
            _broken(endpoint, "$.data is not the record that was asked for")
        return raw if raw.get("type") in types else None

    def _entities(self, kind: str) -> AsyncIterator[list[Any]]:
        return self._pages("/v2/entities", {"type[]": kind, "fields[]": "all"})

    async def _pages(
        self, path: str, query: Mapping[str, str], *, endpoint: str | None = None, cursor: str | None = None
    ) -> AsyncIterator[list[Any]]:
        """The raw records of a list, page by page; a page may be empty although others follow."""
        endpoint, followed = endpoint or path, set[str]()
        while True:
            body = await self._answer(path, {**query, **({"pageCursor": cursor} if cursor else {})}, endpoint)
            yield _list(body, endpoint)
            links = body.get("links")
            following = links.get("next") if isinstance(links, dict) else None
            if following is None:
                return
            cursor = _cursor(following, endpoint)
            # A cursor that comes back would be followed for ever.
            if cursor in followed:
                _broken(endpoint, "$.links.next repeats an earlier one")
            followed.add(cursor)

    async def _answer(self, path: str, query: Mapping[str, str], endpoint: str | None = None) -> Any:
        return (await self._client.send(_call(path, query, endpoint or path))).body


def _account(spend_field: str | None, raw: Any, unreadable: dict[str, str]) -> Account:
    return records.account(raw, spend_field, unreadable)


def _call(path: str, query: Mapping[str, str], endpoint: str, *, expect: frozenset[int] = frozenset()) -> Call:
    return Call(method="GET", path=path, endpoint=f"GET {endpoint}", params=query, expect=expect)


def _list(body: Any, endpoint: str) -> list[Any]:
    if not isinstance(body, dict):
        _broken(endpoint, f"$ is {type(body).__name__}, not an object")
    data = body.get("data")
    if not isinstance(data, list):
        _broken(endpoint, f"$.data is {type(data).__name__}, not list")
    # Without it a list that is cut short would pass for one at its end.
    if not isinstance(body.get("links"), dict):
        _broken(endpoint, "$.links is missing")
    return data


def _cursor(address: Any, endpoint: str) -> str:
    """The cursor inside the address of the next page. Its host is of no matter: nothing is asked there."""
    values = parse_qs(urlsplit(address).query).get("pageCursor", []) if isinstance(address, str) else []
    if len(values) != 1:
        _broken(endpoint, "$.links.next holds no pageCursor")
    return values[0]


def _broken(endpoint: str, what: str) -> NoReturn:
    raise ContractError(
        f"Productboard answered GET {endpoint} with something its API does not document: {what}",
        system=SYSTEM,
        endpoint=f"GET {endpoint}",
    )


def productboard(
    *,
    base_url: str,
    credential: Credential,
    calls: CallCounter,
    deadline: float = EXCHANGE_SECONDS,
    patience: float = PATIENCE_SECONDS,
    limits_in: CallLogs | None = None,
    guard: AddressGuard | None = None,
    options: Mapping[str, str] | None = None,
) -> ProductboardFeedback:
    """The connector of one workspace; of `options` it takes `spend_field`. The rest is as `FeedbackFactory` says."""
    return ProductboardFeedback(
        base_url=base_url,
        token=secret_of(credential),
        calls=calls,
        spend_field=(options or {}).get(SPEND_FIELD) or None,
        limits_in=limits_in,
        deadline=deadline,
        patience=patience,
        guard=guard,
    )
