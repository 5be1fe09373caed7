"""Canny, read through its public API.

Every call is a POST with the key in its JSON body. Requests come from version 1, paged by `skip`, oldest first: that
list grows at its end, and `chain` makes up for what is deleted while it is read. The other lists come from version 2,
paged by an opaque cursor. Canny lists no custom statuses and, unless asked by name, no closed ones; there is no list of
what was deleted. Public source: Canny API reference, https://developers.canny.io/api-reference.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from typing import Any, NoReturn, TypeVar

import msgspec
from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.call_log import CallLogs
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Credential, secret_of
from integration_assets.connectors.feedback.abilities import Abilities
from integration_assets.connectors.feedback.canny import records
from integration_assets.connectors.feedback.canny.chain import Chain
from integration_assets.connectors.feedback.reading import Reader
from integration_assets.connectors.feedback.with_client import WithClient
from integration_assets.connectors.http import EXCHANGE_SECONDS, PATIENCE_SECONDS, Call, HttpClient
from integration_assets.connectors.limiter import (
    DEFAULT_BUCKET,
    Limiter,
    Window,
    Windows,
    credential_digest,
    limiter_for,
)
from integration_assets.connectors.rules import Action, Answer, Rule, StatusRules
from integration_assets.errors import ContractError, CredentialError, IntegrationError, PermanentError
from integration_assets.models import Account, Board, FeatureRequest, Page, Rejected, StatusChange, Vote, Voter

SYSTEM = "canny"
PAGE = 100
"""Records per call, the most version 2 allows."""
A_FEW = 10
"""Records, where one call is to tell whether there is anything new."""
PLANS: Mapping[str, Windows] = {
    "business": {DEFAULT_BUCKET: (Window(20, 1), Window(600, 60), Window(15_000, 3600))},
    "pro": {DEFAULT_BUCKET: (Window(10, 1), Window(300, 60), Window(5_000, 3600))},
    "free": {DEFAULT_BUCKET: (Window(5, 1), Window(100, 60), Window(1_000, 3600))},
}
"""Plan → what it allows a key, largest first; `pro` stands for every paid plan below Business. Which one a key has
cannot be read: it is configured, and a smaller one shows itself by a 429. Source: Canny API reference, rate limits."""
USUAL_PLAN = "pro"
ABILITIES = Abilities(records_per_call=PAGE, requests_overlap=1)
"""Requests are paged with one record in common; see `chain`."""

T = TypeVar("T")


def _error_text(answer: Answer) -> str:
    """Return what Canny says is wrong, if it is plain words: those hold no value of a record."""
    # Proxies answer with bodies of other forms.
    text = answer.body.get("error") if isinstance(answer.body, dict) else None
    return text if isinstance(text, str) and re.fullmatch(r"[A-Za-z ,.'-]{1,80}", text) else ""


def _key_is_rejected(answer: Answer) -> bool:
    # Observed: 400 with this text, where other systems answer 401.
    return answer.status in (401, 403) or "invalid api key" in _error_text(answer).lower()


def _says_it_is_gone(kind: str, said: str) -> bool:
    """True if an error text says, with nothing else beside it, that there is no such post or user."""
    texts = rf"invalid {kind} ?id|({kind} )?not found|{kind} does not exist|no such {kind}"
    return re.fullmatch(rf"({texts})\.?", said, re.IGNORECASE) is not None


class CannyFeedback(WithClient):
    """A Canny workspace as a `FeedbackSystem`. Use as an async context manager.

    `base_url` is what comes before `/v1` and `/v2`, `key` the workspace's API key, `credential_name` what messages call
    it. `plan` is the workspace's (one of `PLANS`): calls are paced by its allowance, which `limits_in`, logs of calls,
    shares with other processes. `deadline` bounds one request, `patience` the time in which it is repeated, in seconds.
    `guard` decides which addresses may be asked; None when `base_url` is the operator's own.
    """

    def __init__(
        self,
        *,
        base_url: str,
        key: SecretStr,
        calls: CallCounter,
        credential_name: str = "CANNY_API_KEY",
        plan: str = USUAL_PLAN,
        limits_in: CallLogs | None = None,
        limiter: Limiter | None = None,
        deadline: float = EXCHANGE_SECONDS,
        patience: float = PATIENCE_SECONDS,
        guard: AddressGuard | None = None,
    ) -> None:
        advice = f"Canny rejected {credential_name}: set the key of the workspace's API settings"
        digest = credential_digest(base_url, key.get_secret_value())
        self._advice = advice
        self._client = HttpClient(
            system=SYSTEM,
            base_url=base_url,
            limiter=limiter or limiter_for(SYSTEM, digest, PLANS[plan], plans=tuple(PLANS.values()), logs=limits_in),
            calls=calls,
            rules=StatusRules(
                rules=(
                    Rule(
                        statuses=frozenset({400, 401, 403}),
                        action=Action.CREDENTIAL,
                        when=_key_is_rejected,
                        advice=advice,
                    ),
                    # A record that is gone is expected where one is asked for; else nothing of Canny's is there.
                    Rule(
                        statuses=frozenset({404, 405}),
                        action=Action.PERMANENT,
                        advice="check the base URL: Canny's is https://canny.io/api",
                    ),
                ),
                describe=_error_text,
            ),
            body_fields={"apiKey": key},
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
        """Everything the protocol asks for."""
        return ABILITIES

    async def check(self) -> str:
        """List the boards, one call; tell how many there are."""
        count = 0
        async for page in self.boards():
            count += len(page.records)
        return f"Canny at {self._client.host} answers; the key sees {count} board{'' if count == 1 else 's'}"

    async def boards(self) -> AsyncIterator[Page[Board]]:
        """All boards, in one page: this list has no paging."""
        path = "/v1/boards/list"
        body = await self._answer(path, {})
        yield records.reader("board", records.board).page(_field(body, "boards", list, path))

    async def feature_requests(self, *, statuses: Collection[str]) -> AsyncIterator[Page[FeatureRequest]]:
        """All posts of the six built-in statuses and of `statuses`, oldest first."""
        path, reader, chain = "/v1/posts/list", records.reader("feature_request", records.feature_request), Chain()
        # The list of statuses is comma-separated: a status with a comma in its name cannot be asked for.
        own = {status.strip().lower(): status.strip() for status in statuses if "," not in status}
        # A built-in status comes once, in Canny's own spelling, also where the settings name it.
        wanted = {**own, **{status: status for status in records.STATUSES}}.values()
        more = True
        while more:
            query = {"sort": "oldest", "status": ",".join(wanted), "limit": PAGE, "skip": chain.skip}
            body = await self._answer(path, query)
            items, continues = _field(body, "posts", list, path), _field(body, "hasMore", bool, path)
            # There is no place to go on from; the list would be asked for the same page for ever.
            if continues and not items:
                _broken(path, "$.posts is empty although $.hasMore is true")
            new = chain.take(items, more=continues)
            # The page did not continue the one before: it is asked for again, further back.
            if new is None:
                continue
            if chain.endless:
                _broken(path, "$.posts repeats earlier pages and $.hasMore stays true")
            more = continues
            # Told page by page: what was served until the break was read in one piece.
            yield msgspec.structs.replace(reader.page(new), doubtful=not chain.unbroken)

    async def newest_feature_requests(self) -> Page[FeatureRequest]:
        """The newest posts of the six built-in statuses."""
        path = "/v1/posts/list"
        query = {"sort": "newest", "status": ",".join(records.STATUSES), "limit": A_FEW, "skip": 0}
        body = await self._answer(path, query)
        return records.reader("feature_request", records.feature_request).page(_field(body, "posts", list, path))

    async def feature_request(self, request_id: str) -> FeatureRequest | Rejected | None:
        """One post by id, whatever its status; None when Canny says there is none."""
        return await self._retrieve("post", request_id, "feature_request", records.feature_request)

    async def voter(self, voter_id: str) -> Voter | Rejected | None:
        """One user by id, with companies; None when Canny says there is none."""
        return await self._retrieve("user", voter_id, "voter", records.voter)

    async def _retrieve(
        self, kind: str, record_id: str, name: str, read: Callable[[Any, dict[str, str]], T]
    ) -> T | Rejected | None:
        """One record by id, or why it cannot be used. `kind` is Canny's word for it, `name` ours.

        None on 404, or 400 with a text that says so of such a record. The exact text is not documented, so any other
        400 is an error: a refusal of the request must not pass for a record that is gone.
        """
        path = f"/v1/{kind}s/retrieve"
        answer = await self._client.send(_call(path, {"id": record_id}, expect=frozenset({400, 404})))
        # A 400 is expected here, and with it that of a key: it must not pass for a record that is gone.
        if _key_is_rejected(answer):
            raise CredentialError(self._advice, system=SYSTEM, endpoint=f"POST {path}", status=answer.status)
        said = _error_text(answer)
        if answer.status == 404 or (answer.status == 400 and _says_it_is_gone(kind, said)):
            return None
        if answer.status == 400:
            raise PermanentError(
                f"Canny refused POST {path}: {said or 'no reason given'}", system=SYSTEM, endpoint=path, status=400
            )
        given = _field(answer.body, "id", str, path)
        # Another record under this id would be taken for the one that was asked for.
        if given != record_id:
            _broken(path, "$.id is not the one that was asked for")
        page: Page[T] = records.reader(name, read).page([answer.body])
        return page.records[0] if page.records else page.rejected[0]

    def votes(self, *, request_id: str | None = None, after: str | None = None) -> AsyncIterator[Page[Vote]]:
        """All votes of all boards or of one post, newest first, each with the status of its post.

        Behind the cursor `after`, or from the beginning where Canny refuses it.
        """
        # Without a post the list is that of all boards.
        query = {"postID": request_id} if request_id else {}
        return self._cursor_pages("/v2/votes/list", "items", records.reader("vote", records.vote), query, after)

    def voters(self) -> AsyncIterator[Page[Voter]]:
        """All users with their companies."""
        return self._cursor_pages("/v2/users/list", "users", records.reader("voter", records.voter))

    def accounts(self) -> AsyncIterator[Page[Account]]:
        """All companies. Their ids are the customer's own; their spend is US dollars a month."""
        return self._cursor_pages("/v2/companies/list", "companies", records.reader("account", records.account))

    def status_changes(self) -> AsyncIterator[Page[StatusChange]]:
        """All status changes, newest first."""
        return self._cursor_pages(
            "/v2/status_changes/list", "items", records.reader("status_change", records.status_change)
        )

    async def _cursor_pages(
        self,
        path: str,
        key: str,
        reader: Reader,
        query: Mapping[str, str] | None = None,
        cursor: str | None = None,
    ) -> AsyncIterator[Page[Any]]:
        followed: set[str] = set()
        # Once: a source whose every cursor expires would be read for ever.
        restarts_left = 1
        while True:
            try:
                body = await self._answer(
                    path, {**(query or {}), "limit": PAGE, **({"cursor": cursor} if cursor else {})}
                )
            except IntegrationError as error:
                # A cursor can expire while we read. Starting over is harmless: the reader knows what it has seen.
                expired = cursor is not None and error.status == 400 and not isinstance(error, CredentialError)
                if not expired or not restarts_left:
                    raise
                restarts_left, cursor = restarts_left - 1, None
                # From the beginning all cursors come again, and are no sign of a circle.
                followed.clear()
                continue
            page = reader.page(_field(body, key, list, path))
            if not _field(body, "hasNextPage", bool, path):
                yield page
                return
            cursor = _field(body, "cursor", str, path)
            yield msgspec.structs.replace(page, cursor=cursor)
            # A cursor that comes back would be followed for ever.
            if cursor in followed:
                _broken(path, "$.cursor repeats an earlier one")
            followed.add(cursor)

    async def _answer(self, path: str, query: Mapping[str, Any]) -> Any:
        return (await self._client.send(_call(path, query))).body


def _call(path: str, query: Mapping[str, Any], *, expect: frozenset[int] = frozenset()) -> Call:
    return Call(method="POST", path=path, endpoint=f"POST {path}", json=query, expect=expect)


def _field(body: Any, name: str, kind: type[T], path: str) -> T:
    """One field of a list answer, of exactly this type."""
    if not isinstance(body, dict):
        _broken(path, f"$ is {type(body).__name__}, not an object")
    if name not in body:
        said = " (it holds $.error)" if "error" in body else ""
        _broken(path, f"$.{name} is missing{said}")
    value = body[name]
    if type(value) is not kind:
        _broken(path, f"$.{name} is {type(value).__name__}, not {kind.__name__}")
    return value


def _broken(path: str, what: str) -> NoReturn:
    raise ContractError(
        f"Canny answered POST {path} with something its API does not document: {what}",
        system=SYSTEM,
        endpoint=f"POST {path}",
    )


def canny(
    *,
    base_url: str,
    credential: Credential,
    calls: CallCounter,
    deadline: float = EXCHANGE_SECONDS,
    patience: float = PATIENCE_SECONDS,
    limits_in: CallLogs | None = None,
    guard: AddressGuard | None = None,
    options: Mapping[str, str] | None = None,
) -> CannyFeedback:
    """The connector of one workspace; of `options` it takes the `plan`. The rest is as `FeedbackFactory` says."""
    return CannyFeedback(
        base_url=base_url,
        key=secret_of(credential),
        calls=calls,
        plan=(options or {}).get("plan", USUAL_PLAN),
        limits_in=limits_in,
        deadline=deadline,
        patience=patience,
        guard=guard,
    )
