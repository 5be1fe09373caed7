"""An internal system read as configured, against the billing look-alike over real connections."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import pytest

from integration_assets.connectors.address_guard import AddressError
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.http import HttpClient
from integration_assets.connectors.internal.connector import Preview, internal_system
from integration_assets.connectors.internal.token_source import TOKEN_RULES, TokenSource
from integration_assets.connectors.limiter import Limiter
from integration_assets.errors import (
    ConfigurationError,
    ContractError,
    CredentialError,
    PermanentError,
    QuotaError,
    TransientError,
)
from integration_assets.models import InternalAccount
from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets_tests.connectors.internal.conftest import BY_PAGE, MAPPINGS, Served, accounts, read_all
from integration_assets_tests.support.fault_server import answer, fault_server

ALL = {"path": "/v1/all"}
OFFSET = {
    "path": "/v1/offset",
    "items": "accounts",
    "paging": "offset",
    "page_size": 10,
    "size_param": "limit",
    "more": "has_more",
}
CURSOR = {
    "path": "/v1/search",
    "method": "POST",
    "items": "result.items",
    "paging": "cursor",
    "page_size": 10,
    "size_param": "limit",
    "next": "result.next",
}
LINKS = {
    "path": "/v1/links",
    "items": "items",
    "paging": "next_link",
    "next": "links.next",
    "page_size": 10,
    "size_param": "limit",
}


def everything(served: Served, *endpoints: dict[str, Any], **options: Any) -> list[InternalAccount]:
    pages = asyncio.run(read_all(served.open(endpoints or (BY_PAGE,), **options)))
    assert not [one for page in pages for one in page.rejected]
    return [one for page in pages for one in page.records]


def on(path: str) -> Any:
    def matches(request: LoggedRequest) -> bool:
        return request.path == path

    return matches


@pytest.mark.parametrize(
    ("endpoint", "calls"), [(ALL, 1), (BY_PAGE, 4), (OFFSET, 3), (CURSOR, 3), (LINKS, 3)], ids=lambda one: str(one)[:30]
)
def test_every_paging_reads_every_row(served: Served, endpoint: dict[str, Any], calls: int) -> None:
    """Whatever way the list is cut, all rows come, each once, with no call more than that takes."""
    rows = everything(served, endpoint)
    assert [one.row_id for one in rows] == [f"acct_{number:03}" for number in range(1, 26)]
    assert rows[0] == InternalAccount("acct_001", None, "company-1.example", "1001.5", "USD")
    assert rows[1].currency == "EUR"
    assert len(served.paths()) == calls == served.counter.totals("internal").total


def test_a_system_that_gives_less_than_asked_for_is_read_whole(served: Served) -> None:
    """A short page is no end: with pages of at most 7 rows nothing is missed."""
    served.billing.largest_page = 7
    for endpoint in (BY_PAGE, OFFSET, CURSOR, LINKS):
        assert len(everything(served, endpoint)) == 25


def test_lists_are_read_one_after_the_other(served: Served) -> None:
    """Rows of several endpoints are one input."""
    assert len(everything(served, ALL, OFFSET)) == 50


def test_an_empty_list_is_no_error(served: Served) -> None:
    """A system without accounts has no rows."""
    served.billing.accounts.clear()
    for endpoint in (ALL, BY_PAGE, OFFSET, CURSOR, LINKS):
        assert everything(served, endpoint) == []


@pytest.mark.parametrize(
    ("flow", "auth", "secret"),
    [
        ("basic", {"username": "reporting"}, "password"),
        ("header", {"header_name": "X-Billing-Key"}, "key"),
        ("bearer", {}, "bearer_token"),
    ],
)
def test_fixed_credentials(served: Served, flow: str, auth: dict[str, str], secret: str) -> None:
    """Name and password, a key in a header, a token: each lets us in, and a wrong one is named as such."""
    assert len(everything(served, ALL, flow=flow, auth=auth, secret=getattr(served.billing, secret))) == 25
    with pytest.raises(CredentialError, match="it refuses the secret") as refused:
        everything(served, ALL, flow=flow, auth=auth, secret="wrong-secret-0123456789")
    assert "wrong-secret" not in str(refused.value)


def test_no_credentials(served: Served) -> None:
    """The flow none sends none; a flow that needs a secret says so when there is none."""
    served.billing.public = True
    assert len(everything(served, ALL, flow="none", secret="")) == 25
    assert served.lookalike.requests[-1].credential == ""
    with pytest.raises(ConfigurationError, match="has no secret"):
        everything(served, ALL, flow="basic", auth={"username": "x"}, secret="")


@pytest.mark.parametrize("place", ["header", "form"])
def test_one_token_serves_a_whole_read(served: Served, place: str) -> None:
    """The token endpoint is asked once, with the client's secret in the header or in the form."""
    assert len(everything(served, **served.oauth(credentials_in=place, scope="accounts.read"))) == 25
    assert served.paths() == ["/oauth/token", *["/v1/accounts"] * 4]
    token_request = served.lookalike.requests[0]
    assert (b"client_secret" in token_request.body) == (place == "form")
    assert token_request.credential.startswith("Basic ") == (place == "header")


def test_a_token_refused_in_the_middle_is_renewed_once(served: Served) -> None:
    """The read goes on at the page that was refused, with one more question for a token."""

    async def read() -> int:
        rows = 0
        async with served.open(**served.oauth()) as system:
            async for page in system.accounts():
                rows += len(page.records)
                if rows == 10:
                    served.billing.revoke_tokens()
        return rows

    assert asyncio.run(read()) == 25
    assert served.paths().count("/oauth/token") == 2
    assert served.paths().count("/v1/accounts") == 5


def test_many_readers_share_one_renewal(served: Served) -> None:
    """Ten requests refused at once ask for one token."""

    async def read() -> None:
        async with served.open((ALL,), **served.oauth()) as system:
            await system.check()
            served.billing.revoke_tokens()
            await asyncio.gather(*(system.check() for _ in range(10)))

    asyncio.run(read())
    assert served.paths().count("/oauth/token") == 2


def test_a_token_is_renewed_before_it_expires(served: Served) -> None:
    """A token with a life of an hour is used for nine tenths of it at least, and not to its end."""
    served.billing.token_seconds = 3_600
    now = [1_000.0]

    async def read() -> None:
        async with served.open((ALL,), **served.oauth()) as system:
            assert system._tokens is not None
            system._tokens._clock = lambda: now[0]
            for now[0] in (1_000.0, 1_000.0 + 0.89 * 3_600, 1_000.0 + 3_599):
                await system.check()

    asyncio.run(read())
    assert served.paths() == ["/oauth/token", "/v1/all", "/v1/all", "/oauth/token", "/v1/all"]
    assert [request.status for request in served.lookalike.requests] == [200] * 5


def test_a_refused_client_is_not_asked_again(served: Served) -> None:
    """The token endpoint refuses the client: one attempt, and the same error for whoever asks after it."""

    async def read() -> None:
        async with served.open((ALL,), **{**served.oauth(), "secret": "wrong-secret-0123456789"}) as system:
            for _ in range(3):
                with pytest.raises(CredentialError, match="invalid_client; the client id or secret was refused") as bad:
                    await system.check()
                assert "wrong-secret" not in str(bad.value)

    asyncio.run(read())
    assert served.paths() == ["/oauth/token"]


def test_a_refused_renewal_ends_the_read(served: Served) -> None:
    """The secret is taken back in the middle of a read: one question for a token, then the end."""

    async def read() -> None:
        async with served.open(**served.oauth()) as system:
            async for _ in system.accounts():
                served.billing.revoke_tokens()
                served.billing.client_secret = "another one since"

    with pytest.raises(CredentialError):
        asyncio.run(read())
    assert served.paths().count("/oauth/token") == 2


def test_a_token_that_is_refused_when_new_is_a_refusal(served: Served) -> None:
    """A system that refuses every token is not asked for ever."""
    served.lookalike.faults.append(Fault(matches=on("/v1/all"), times=None, status=401))
    with pytest.raises(CredentialError):
        everything(served, ALL, **served.oauth())
    assert served.paths() == ["/oauth/token", "/v1/all"] * 2


@pytest.mark.parametrize(
    "body", [b'{"access_token":""}', b'{"access_token":"x","token_type":"mac"}', b"[]", b'{"access_token":"a b"}']
)
def test_what_is_no_token_is_refused(served: Served, body: bytes) -> None:
    """An answer of the token endpoint without a usable bearer token."""
    served.lookalike.faults.append(Fault(matches=on("/oauth/token"), status=200, body=body))
    with pytest.raises(ContractError, match="no bearer token"):
        everything(served, ALL, **served.oauth())


@pytest.mark.parametrize(
    ("fault", "kind", "says"),
    [
        ({"status": 403}, CredentialError, "lacks the right"),
        ({"status": 404}, PermanentError, "check base URL and path"),
        ({"status": 429, "headers": {"retry-after": "100"}}, QuotaError, "run again later"),
        ({"status": 503}, TransientError, "503"),
        ({"close": True}, TransientError, "broke the connection"),
        ({"status": 200, "body": b"<html>"}, TransientError, "web page"),
        ({"status": 200, "body": b'{"data": {}}'}, ContractError, "`data` should be the list of rows and is an object"),
        ({"status": 200, "body": b'{"rows": []}'}, ContractError, "`data` should be the list of rows and is nothing"),
        ({"status": 200, "body": b"[]"}, ContractError, "the answer should be an object and is a list"),
        ({"status": 302, "headers": {"location": "http://127.0.0.1:1/"}}, ContractError, "not followed"),
    ],
)
def test_what_goes_wrong_has_its_name(served: Served, fault: dict[str, Any], kind: type[Exception], says: str) -> None:
    """Each failure is an error of the tree with what to do; none is an empty list."""
    served.lookalike.faults.append(Fault(matches=on("/v1/accounts"), times=None, **fault))
    with pytest.raises(kind, match=says):
        everything(served, patience=0.3)


def test_a_passing_failure_costs_nothing_but_a_repeat(served: Served) -> None:
    """A 503 in the middle of a list is asked again."""
    served.lookalike.faults.append(Fault(matches=lambda one: "page=2" in one.query, status=503))
    assert len(everything(served, patience=10.0)) == 25
    assert served.counter.totals("internal").retried == 1


def test_a_page_parameter_the_system_ignores_is_noticed(served: Served) -> None:
    """The same rows page after page are no list without an end."""
    wrong = {**BY_PAGE, "position_param": "seite"}
    with pytest.raises(ContractError, match="check the name of the page parameter"):
        everything(served, wrong)
    assert len(served.paths()) == 2


@pytest.mark.parametrize("endpoint", [CURSOR, LINKS], ids=["cursor", "link"])
def test_a_cursor_that_leads_back_is_noticed(served: Served, endpoint: dict[str, Any]) -> None:
    """A cursor or link seen before ends the read with an error."""
    served.billing.accounts = accounts(25)
    body = b'{"result":{"items":[{"id":"x"}],"next":"c10"},"items":[{"id":"x"}],"links":{"next":"/v1/links?after=c10"}}'
    served.lookalike.faults.append(Fault(matches=lambda _: True, times=None, status=200, body=body))
    with pytest.raises(ContractError, match=r"leads back|the same rows"):
        everything(served, endpoint)


@pytest.mark.parametrize(
    "link",
    [
        "http://evil.example/",
        "//evil.example/x",
        "http://127.0.0.1:1/x",
        "https://127.0.0.1/x",
        "file:///etc/passwd",
        "http://user@{host}/x",
        "http://[x/",
        "http://{host}\\\\@evil.example/",
    ],
)
def test_links_stay_at_the_host(served: Served, link: str) -> None:
    """The credential goes with every request, so a link to another host is not followed."""
    there = link.replace("{host}", served.url.removeprefix("http://"))
    body = f'{{"items":[],"links":{{"next":"{there}"}}}}'.encode()
    served.lookalike.faults.append(Fault(matches=lambda _: True, status=200, body=body))
    with pytest.raises(ContractError, match="leads to another host"):
        everything(served, LINKS)
    assert len(served.paths()) == 1


def test_a_whole_link_to_the_same_host_is_followed(served: Served) -> None:
    """Absolute and relative links are the same."""
    body = f'{{"items":[],"links":{{"next":"{served.url}/v1/links?limit=50"}}}}'.encode()
    served.lookalike.faults.append(Fault(matches=lambda _: True, status=200, body=body))
    assert len(everything(served, LINKS)) == 25


def test_bad_rows_are_named_and_the_others_read(served: Served) -> None:
    """A row of the wrong shape is rejected with the path; nothing of its values is in the reason."""
    rows: list[Any] = [
        {"id": 7, "customer": {"websites": ["a.example"]}, "subscription": {"arr": "12.50"}},
        {"id": None, "customer": {"websites": []}, "subscription": {"arr": 1}},
        {"id": "x1", "customer": {"websites": "b.example"}, "subscription": {"arr": 1}},
        {"id": "x2", "customer": {}, "subscription": {"arr": True}},
        {"id": "x3", "customer": None, "subscription": {"arr": None, "currency": "dollars"}},
        {"id": "jo@example.com", "customer": {"websites": [5]}},
        "text",
        {"id": "x4", "customer": {"websites": ["c.example\u0000"]}},
    ]
    served.billing.accounts = rows
    (page,) = asyncio.run(read_all(served.open((ALL,))))
    assert page.records == (InternalAccount("7", None, "a.example", "12.50", "USD"),)
    assert [(one.key, one.reason) for one in page.rejected] == [
        ("row 2 of /v1/all", "row_id: nothing stands at `id`"),
        ("x1", "domain: `customer.websites` should be a list and is text"),
        ("x2", "arr: `subscription.arr` should be a number or text and is true or false"),
        ("x3", "currency: `subscription.currency` is no ISO 4217 code of three letters"),
        ("row 6 of /v1/all", "domain: `customer.websites[0]` should be text and is a number"),
        ("row 7 of /v1/all", "row_id: the row should be an object and is text"),
        ("x4", "domain: `customer.websites[0]` is longer than 500 characters, or holds control characters"),
    ]


def test_numbers_keep_their_digits(served: Served) -> None:
    """Amounts are text on the way in, with every digit the system gave."""
    served.billing.accounts = accounts(3)
    for one, arr in zip(served.billing.accounts, (0, 123456789012.34, 0.1), strict=True):
        one["subscription"]["arr"] = arr
    assert [one.arr for one in everything(served, ALL)] == ["0", "123456789012.34", "0.1"]


def test_fixed_parameters_and_prefix(served: Served) -> None:
    """Configured parameters go with every page, and a base URL with a path is kept."""
    endpoint = {**BY_PAGE, "path": "/accounts", "params": {"state": "active", "deep": True}}
    assert len(everything(served, endpoint, base_url=f"{served.url}/v1/")) == 25
    assert all("state=active&deep=true" in request.query for request in served.lookalike.requests)


def test_a_preview_reads_no_more_than_it_shows(served: Served) -> None:
    """The first rows, usable or not, from as few pages as that takes."""
    served.billing.accounts[3]["id"] = None

    async def read() -> None:
        async with served.open() as system:
            preview = await system.preview(15)
        assert [one.row_id for one in preview.rows] == [f"acct_{number:03}" for number in range(1, 16) if number != 4]
        assert [one.reason for one in preview.rejected] == ["row_id: nothing stands at `id`"]

    asyncio.run(read())
    assert len(served.paths()) == 2


def test_a_preview_shows_no_row_beyond_the_first(served: Served) -> None:
    """A bad row that stands further down the page is none of the first ones."""
    served.billing.accounts[8]["id"] = None

    async def read() -> Preview:
        async with served.open((BY_PAGE, ALL)) as system:
            return await system.preview(5)

    preview = asyncio.run(read())
    assert (len(preview.rows), preview.rejected) == (5, ())
    assert served.paths() == ["/v1/accounts"]


def test_a_preview_goes_on_in_the_next_list(served: Served) -> None:
    """Where the first list has too few rows."""

    async def read() -> Preview:
        async with served.open((BY_PAGE, ALL)) as system:
            return await system.preview(30)

    assert len(asyncio.run(read()).rows) == 30


def test_the_query_of_a_token_endpoint_is_sent(served: Served) -> None:
    """Some systems are told there whose token is asked for."""
    requests: list[str] = []

    async def story() -> None:
        async with fault_server(answer(200, {"access_token": "a-token-of-an-hour", "token_type": "Bearer"})) as server:
            client = HttpClient(
                system="internal", base_url=server.url, limiter=Limiter({}), calls=CallCounter(), rules=TOKEN_RULES
            )
            async with client:
                for query in ("?api-version=2&realm=a%20b", ""):
                    await TokenSource(client, f"{server.url}/token{query}", {"grant_type": "x"}).token()
            requests.extend(request.line for request in server.requests)

    asyncio.run(story())
    assert requests == ["POST /token?api-version=2&realm=a%20b HTTP/1.1", "POST /token HTTP/1.1"]


def test_a_check_reads_one_page_of_each_list(served: Served) -> None:
    """Two lists, two calls."""

    async def read() -> int:
        async with served.open((BY_PAGE, OFFSET)) as system:
            return await system.check()

    assert asyncio.run(read()) == 20
    assert served.paths() == ["/v1/accounts", "/v1/offset"]


@pytest.mark.parametrize("where", ["base_url", "token_url"])
def test_neither_address_gets_around_the_guard(served: Served, where: str) -> None:
    """A base URL or a token endpoint that may not be asked is not."""
    options = served.oauth()
    if where == "token_url":
        options["auth"]["token_url"] = "http://127.0.0.1:1/token"
    else:
        options["base_url"] = "http://169.254.169.254/latest"
    with pytest.raises(AddressError):
        everything(served, ALL, **options)
    assert served.paths() == []


def test_no_guard_is_a_choice(served: Served) -> None:
    """Without one, which no tenant's system is, loopback is asked."""

    async def read() -> int:
        opening = internal_system(
            base_url=served.url,
            flow="none",
            auth={},
            secret=None,
            endpoints=[ALL],
            mappings=MAPPINGS,
            calls=served.counter,
            guard=None,
        )
        async with opening as system:
            return await system.check()

    served.billing.public = True
    assert asyncio.run(read()) == 25


def test_secrets_with_odd_characters_survive_the_token_request(served: Served) -> None:
    """Name and secret are encoded before they are joined, as RFC 6749 wants it."""
    served.billing.client_id, served.billing.client_secret = (
        "a:b c",
        "p%20+ä:é".encode("ascii", "ignore").decode() + "/:x=?",
    )
    assert len(everything(served, ALL, **served.oauth())) == 25
    sent = base64.b64decode(served.lookalike.requests[0].credential.removeprefix("Basic ")).decode()
    assert sent.count(":") == 1
