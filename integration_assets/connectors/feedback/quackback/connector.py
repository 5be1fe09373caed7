"""Quackback, read through its REST API.

Lists come in pages with a cursor, the id of the last record. Votes are listed by post only, so that a whole read takes
a call per post; the count that each post carries tells where it has to be read again. Merges show by the posts that are
asked for alone: the list has neither the post that was merged away nor a word of it. Written against version 0.13;
source: its OpenAPI pages, https://www.quackback.io/docs/api-reference, and a server that was run.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.call_log import CallLogs
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Credential, secret_of
from integration_assets.connectors.feedback.abilities import Abilities, VoteList
from integration_assets.connectors.feedback.quackback import records
from integration_assets.connectors.feedback.quackback.spec import PACE, PORTAL_URL
from integration_assets.connectors.feedback.reading import Reader
from integration_assets.connectors.feedback.with_client import WithClient
from integration_assets.connectors.http import EXCHANGE_SECONDS, PATIENCE_SECONDS, Call, HttpClient
from integration_assets.connectors.limiter import DEFAULT_BUCKET, Window, Windows, credential_digest, limiter_for
from integration_assets.connectors.rules import Action, Answer, Rule, StatusRules
from integration_assets.errors import ContractError, PermanentError
from integration_assets.models import Account, Board, FeatureRequest, Page, Rejected, StatusChange, Vote, Voter

SYSTEM = "quackback"
PAGE = 100
"""Records per call; a server takes more for the same."""
A_FEW = 10
"""Records, where one call is to tell whether there is anything new."""
PACES: Mapping[str, Windows] = {
    "import": {DEFAULT_BUCKET: (Window(2_000, 60),)},
    "usual": {DEFAULT_BUCKET: (Window(100, 60),)},
}
"""Pace → calls it allows an address, largest first. Measured: a fixed window of a minute, which other clients at the
same address share."""
USUAL_PACE = "usual"
ABILITIES = Abilities(
    vote_list=VoteList.NONE,
    records_per_call=PAGE,
    requests_overlap=0,
    people=False,
    merges_listed=False,
    status_history=False,
    notes=("Quackback lists votes by post: a vote is found by the next run, and starts none",),
)
MOST_RESTARTS = 3
"""Times a list may begin anew because the record its cursor named was removed."""
_PATH_PART = re.compile(r"[A-Za-z0-9_-]{1,100}")
_WORDS = re.compile(r"[A-Za-z ,.:'_-]{1,120}")

T = TypeVar("T")


def _error(answer: Answer) -> Mapping[str, Any]:
    """The `error` object of a refusal; empty where a proxy answered in another form."""
    error = answer.body.get("error") if isinstance(answer.body, dict) else None
    return error if isinstance(error, dict) else {}


def _error_text(answer: Answer) -> str:
    """Return what Quackback says is wrong, if it is plain words: those hold no value of a record."""
    text = _error(answer).get("message")
    return text if isinstance(text, str) and _WORDS.fullmatch(text) else ""


class QuackbackFeedback(WithClient):
    """A Quackback server as a `FeedbackSystem`. Use as an async context manager.

    `base_url` is the address of the server, without `/api`; `portal` where people read the posts. `pace` is one of
    `PACES`, which `limits_in`, logs of calls, shares with other processes. `deadline` bounds one request, `patience`
    the time in which it is repeated, in seconds. `guard` decides which addresses may be asked; None when `base_url` is
    the operator's own.
    """

    def __init__(
        self,
        *,
        base_url: str,
        key: SecretStr,
        calls: CallCounter,
        portal: str | None = None,
        pace: str = USUAL_PACE,
        limits_in: CallLogs | None = None,
        deadline: float = EXCHANGE_SECONDS,
        patience: float = PATIENCE_SECONDS,
        guard: AddressGuard | None = None,
    ) -> None:
        self._portal = (portal or base_url).rstrip("/")
        self._statuses: Mapping[str, records.PostStatus] | None = None
        self._reading_statuses = asyncio.Lock()
        digest = credential_digest(base_url, key.get_secret_value())
        headers: dict[str, SecretStr | str] = {"authorization": SecretStr(f"Bearer {key.get_secret_value()}")}
        if pace == "import":
            headers["x-import-mode"] = "true"
        self._client = HttpClient(
            system=SYSTEM,
            base_url=base_url,
            limiter=limiter_for(SYSTEM, digest, PACES[pace], plans=tuple(PACES.values()), logs=limits_in),
            calls=calls,
            rules=StatusRules(
                rules=(
                    Rule(
                        statuses=frozenset({401, 403}),
                        action=Action.CREDENTIAL,
                        advice="Quackback rejected QUACKBACK_API_KEY: set a key of an administrator with the scope "
                        "read:feedback (Settings → API keys)",
                    ),
                    # A record that is gone is expected where one is asked for; else nothing of Quackback's is there.
                    Rule(
                        statuses=frozenset({404, 405}),
                        action=Action.PERMANENT,
                        advice="check the base URL: the server's address, without /api",
                    ),
                ),
                describe=_error_text,
            ),
            headers=headers,
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
        """No list of all votes, and no history of statuses."""
        return ABILITIES

    async def check(self) -> str:
        """Read one post: a key that may not see any is refused, where boards are shown to every key."""
        await self._page("/api/v1/posts", {"limit": "1"})
        return f"Quackback at {self._client.host} answers; the key reads posts"

    async def boards(self) -> AsyncIterator[Page[Board]]:
        """All boards, in one page: this list has no paging."""
        yield records.reader("board").page(await self._whole("/api/v1/boards"))

    async def feature_requests(self, *, statuses: Collection[str]) -> AsyncIterator[Page[FeatureRequest]]:
        """All posts, oldest first; none of them needs its status named. The list goes on behind the last one read."""
        reader = records.request_reader(await self._known_statuses(), self._portal)
        async for page in self._pages("/api/v1/posts", reader, {"sort": "oldest"}):
            yield page

    async def newest_feature_requests(self) -> Page[FeatureRequest]:
        """The newest posts: one call, and before the first of them one for the names of the statuses."""
        reader = records.request_reader(await self._known_statuses(), self._portal)
        items, _ = await self._page("/api/v1/posts", {"sort": "newest", "limit": str(A_FEW)})
        return reader.page(items)

    async def feature_request(self, request_id: str) -> FeatureRequest | Rejected | None:
        """One post by id; for one that was merged into another the other one, None when there is none or no more."""
        post = await self._post(request_id)
        # No post is merged into one that is itself merged.
        if post is not None and isinstance(survivor := post.get("canonicalPostId"), str):
            post = await self._post(survivor)
        if post is None:
            return None
        page = records.request_reader(await self._known_statuses(), self._portal).page([post])
        found: FeatureRequest | Rejected = page.records[0] if page.records else page.rejected[0]
        return found

    async def _post(self, post_id: str) -> dict[str, Any] | None:
        """A post as it was answered; None for one that is not there or was deleted."""
        post = await self._retrieve(post_id)
        # A deleted one can be restored for some time, and is answered as long.
        return None if post is None or post.get("deletedAt") is not None else post

    async def votes(self, *, request_id: str | None = None, after: str | None = None) -> AsyncIterator[Page[Vote]]:
        """The votes on a post, newest first, those on posts merged into it included; there is no list of all votes.

        Behind the cursor `after`, or from the beginning where its vote is gone.
        """
        if request_id is None:
            raise PermanentError("Quackback lists votes by post only", system=SYSTEM)
        # Of another form it is no post's.
        if not _PATH_PART.fullmatch(request_id):
            return
        path, endpoint = f"/api/v1/posts/{request_id}/voters", "GET /api/v1/posts/{id}/voters"
        async for page in self._pages(path, records.vote_reader(request_id), {}, endpoint=endpoint, cursor=after):
            yield page

    async def voter(self, voter_id: str) -> Voter | Rejected | None:
        """Nobody: a vote tells all that any answer tells of its person."""
        del voter_id
        return None

    async def voters(self) -> AsyncIterator[Page[Voter]]:
        """Nobody: who voted stands with the votes, as `voter` says."""
        nothing: tuple[Page[Voter], ...] = ()
        for page in nothing:
            yield page

    async def accounts(self) -> AsyncIterator[Page[Account]]:
        """All companies."""
        async for page in self._pages("/api/v1/companies", records.reader("account"), {}):
            yield page

    async def status_changes(self) -> AsyncIterator[Page[StatusChange]]:
        """Nothing: there is no list of them."""
        nothing: tuple[Page[StatusChange], ...] = ()
        for page in nothing:
            yield page

    async def _known_statuses(self) -> Mapping[str, records.PostStatus]:
        """The workspace's statuses by id, read once."""
        # Posts are looked up ten at a time: one of them reads the statuses for all.
        async with self._reading_statuses:
            if self._statuses is None:
                page = records.reader("status").page(await self._whole("/api/v1/statuses"))
                self._statuses = {status.id: status for status in page.records}
        return self._statuses

    async def _retrieve(self, post_id: str) -> dict[str, Any] | None:
        """One post by id as it was answered; None where Quackback says there is none, or that the id is no id."""
        # Of another form it could not even be asked for: it would be another path.
        if not _PATH_PART.fullmatch(post_id):
            return None
        endpoint = "GET /api/v1/posts/{id}"
        answer = await self._client.send(
            Call(
                method="GET",
                path=f"/api/v1/posts/{post_id}",
                endpoint=endpoint,
                expect=frozenset({400, 404}),
            )
        )
        if answer.status == 404 or (answer.status == 400 and _error(answer).get("code") == "VALIDATION_ERROR"):
            return None
        if answer.status == 400:
            said = _error_text(answer) or "no reason given"
            raise PermanentError(f"Quackback refused {endpoint}: {said}", system=SYSTEM, endpoint=endpoint, status=400)
        record: dict[str, Any] = _field(answer.body, "data", dict, endpoint)
        # Another record under this id would be taken for the one that was asked for.
        if record.get("id") != post_id:
            _broken(endpoint, "$.data.id is not the one that was asked for")
        return record

    async def _pages(
        self,
        path: str,
        reader: Reader,
        query: Mapping[str, str],
        *,
        endpoint: str | None = None,
        cursor: str | None = None,
    ) -> AsyncIterator[Page[Any]]:
        """The pages of a list to its end, which begins anew where the record that a cursor names was removed."""
        followed: set[str] = set()
        restarts_left = MOST_RESTARTS
        while True:
            given = {**query, "limit": str(PAGE), **({"cursor": cursor} if cursor else {})}
            items, following = await self._page(path, given, endpoint)
            # An unknown cursor is answered with the first page: what it holds is known, and all else follows.
            if items and reader.knows(items[0]):
                if not restarts_left:
                    _broken(endpoint or f"GET {path}", "$.data repeats earlier pages over and over")
                restarts_left -= 1
                followed.clear()
            page = reader.page(items)
            if following is None:
                yield page
                return
            # A cursor that comes back would be followed for ever.
            if following in followed:
                _broken(endpoint or f"GET {path}", "$.meta.pagination.cursor repeats an earlier one")
            followed.add(following)
            cursor = following
            yield msgspec.structs.replace(page, cursor=cursor)

    async def _page(
        self, path: str, query: Mapping[str, str], endpoint: str | None = None
    ) -> tuple[list[Any], str | None]:
        """The records of one page and the cursor of the next; None where there is none."""
        named = endpoint or f"GET {path}"
        body = (await self._client.send(Call(method="GET", path=path, endpoint=named, params=query))).body
        items = _field(body, "data", list, named)
        pagination = _field(_field(body, "meta", dict, named), "pagination", dict, named, "$.meta")
        if not _field(pagination, "hasMore", bool, named, "$.meta.pagination"):
            return items, None
        return items, _field(pagination, "cursor", str, named, "$.meta.pagination")

    async def _whole(self, path: str) -> list[Any]:
        """The records of a list that has no pages."""
        endpoint = f"GET {path}"
        body = (await self._client.send(Call(method="GET", path=path, endpoint=endpoint))).body
        return _field(body, "data", list, endpoint)


def _field(body: Any, name: str, kind: type[T], endpoint: str, path: str = "$") -> T:
    """One field of an answer, of exactly this type."""
    if not isinstance(body, dict):
        _broken(endpoint, f"{path} is {type(body).__name__}, not an object")
    if name not in body:
        _broken(endpoint, f"{path}.{name} is missing")
    value = body[name]
    if type(value) is not kind:
        _broken(endpoint, f"{path}.{name} is {type(value).__name__}, not {kind.__name__}")
    return value


def _broken(endpoint: str, what: str) -> NoReturn:
    raise ContractError(
        f"Quackback answered {endpoint} with something its API does not document: {what}",
        system=SYSTEM,
        endpoint=endpoint,
    )


def quackback(
    *,
    base_url: str,
    credential: Credential,
    calls: CallCounter,
    deadline: float = EXCHANGE_SECONDS,
    patience: float = PATIENCE_SECONDS,
    limits_in: CallLogs | None = None,
    guard: AddressGuard | None = None,
    options: Mapping[str, str] | None = None,
) -> QuackbackFeedback:
    """The connector of one server; of `options` it takes `pace` and `portal_url`. The rest: `FeedbackFactory`."""
    given = options or {}
    return QuackbackFeedback(
        base_url=base_url,
        key=secret_of(credential),
        calls=calls,
        portal=given.get(PORTAL_URL),
        pace=given.get(PACE, USUAL_PACE),
        limits_in=limits_in,
        deadline=deadline,
        patience=patience,
        guard=guard,
    )
