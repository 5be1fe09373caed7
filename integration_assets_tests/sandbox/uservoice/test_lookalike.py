"""The UserVoice look-alike takes what UserVoice documents, and refuses everything else."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.uservoice import Account, Options, seeded_account, uservoice_lookalike

ADMIN = "/api/v2/admin"


class Asked:
    """The look-alike of an account, asked without a server, with a token of its own."""

    def __init__(self, account: Account) -> None:
        self._app = uservoice_lookalike(account)
        self.token = account.new_token()

    def get(self, name: str, **query: Any) -> httpx.Response:
        return self.ask("GET", f"{ADMIN}/{name}", params={key: str(value) for key, value in query.items()})

    def body(self, name: str, **query: Any) -> Any:
        answer = self.get(name, **query)
        assert answer.status_code == 200
        return answer.json()

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        async def sent() -> httpx.Response:
            headers = {"authorization": f"Bearer {self.token}"}
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
                return await client.request(method, path, **given)

        return asyncio.run(sent())


def made(suggestions: int = 0, **options: Any) -> Account:
    account = Account(options=Options(**options), clock=lambda: 1_790_000_000)
    forum = account.add_forum("Ideas")
    for number in range(suggestions):
        account.add_suggestion(forum.id, f"Idea {number}", created=1_780_000_000_000 + number * 1000)
    return account


def titles(body: Any) -> list[str]:
    return [one["title"] for one in body["suggestions"]]


def form(account: Account) -> dict[str, str]:
    return {
        "grant_type": "client_credentials",
        "client_id": account.client_id,
        "client_secret": account.client_secret,
    }


def test_a_token_is_had_by_a_form_and_ends_when_another_is_had() -> None:
    account = made()
    asked = Asked(account)
    token = asked.ask("POST", "/api/v2/oauth/token", data=form(account)).json()["access_token"]
    assert asked.get("forums").status_code == 401
    asked.token = token
    assert asked.get("forums").status_code == 200


@pytest.mark.parametrize(
    "change", [{"client_secret": "x"}, {"client_id": "x"}, {"grant_type": "password"}, {"more": "x"}]
)
def test_a_token_is_for_exactly_the_right_form(change: Mapping[str, str]) -> None:
    account = made()
    asked = Asked(account)
    assert asked.ask("POST", "/api/v2/oauth/token", data={**form(account), **change}).status_code == 401
    assert asked.ask("POST", "/api/v2/oauth/token", json=form(account)).status_code == 404
    assert account.token == asked.token


@pytest.mark.parametrize(
    ("name", "query"),
    [
        ("suggestions", {"per_page": 101}),
        ("suggestions", {"per_page": 0}),
        ("suggestions", {"page": "x"}),
        ("suggestions", {"sort": "votes"}),
        ("suggestions", {"limit": 10}),
        ("suggestions", {"suggestion": 5}),
        ("suggestions", {"includes": "supporters"}),
        ("supporters", {"suggestion_ids": 5}),
        ("suggestions/1009", {"per_page": 1}),
    ],
)
def test_a_parameter_that_is_not_documented_is_refused(name: str, query: dict[str, Any]) -> None:
    assert Asked(made(3)).get(name, **query).status_code == 400


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", f"{ADMIN}/suggestions"),
        ("GET", f"{ADMIN}/nothing"),
        ("GET", f"{ADMIN}/suggestions/99"),
        ("GET", f"{ADMIN}/suggestions/5/supporters"),
        ("GET", "/api/v1/suggestions"),
    ],
)
def test_what_is_not_there_is_not_found(method: str, path: str) -> None:
    assert Asked(made(3)).ask(method, path).status_code == 404


def test_pages_are_of_twenty_newest_first_with_totals_and_a_cursor() -> None:
    asked = Asked(made(45))
    first = asked.body("suggestions")
    cursor = first["pagination"].pop("cursor")
    assert first["pagination"] == {"page": 1, "per_page": 20, "total_records": 45, "total_pages": 3}
    assert titles(first)[::19] == ["Idea 44", "Idea 25"]
    second = asked.body("suggestions", cursor=cursor)
    assert titles(second) == titles(asked.body("suggestions", page=2))
    last = asked.body("suggestions", cursor=second["pagination"]["cursor"])
    assert (titles(last), "cursor" in last["pagination"]) == ([f"Idea {n}" for n in range(4, -1, -1)], False)


def test_a_cursor_belongs_to_its_list_order_size_and_filter() -> None:
    account = made(45)
    asked = Asked(account)
    cursor = asked.body("suggestions", per_page=10)["pagination"]["cursor"]
    changes: list[dict[str, Any]] = [{}, {"per_page": 20}, {"per_page": 10, "sort": "-id"}, {"per_page": 10, "page": 2}]
    assert {asked.get("suggestions", cursor=cursor, **change).status_code for change in changes} == {400}
    assert asked.get("users", cursor=cursor, per_page=10).status_code == 400
    assert asked.get("suggestions", cursor="garbled").status_code == 400
    # By another order there is none, and pages have numbers.
    assert "cursor" not in asked.body("suggestions", sort="-created_at")["pagination"]


def test_what_is_linked_comes_beside_when_it_is_asked_for() -> None:
    account = made(1)
    suggestion = next(iter(account.lists["suggestions"]))
    jo, al = (account.add_user(name, f"{name}@acme.example") for name in ("jo", "al"))
    account.join(jo.id, account.add_account("Acme", "acme-1", 12_345).id)
    account.support(suggestion, jo.id)
    account.support(suggestion, None)
    asked = Asked(account)
    plain, beside = asked.body("supporters"), asked.body("supporters", includes="users,suggestions")
    assert plain["links"]["supporters.user"] == {"type": "users"}
    assert "users" not in plain
    assert [one["email_address"] for one in beside["users"]] == ["jo@acme.example"]
    assert [one["supporters_count"] for one in beside["suggestions"]] == [2]
    users = asked.body("users", includes="external_users")
    assert [len(one["links"]["external_users"]) for one in users["users"]] == [0, 1]
    assert users["external_users"][0]["links"]["user"] == jo.id
    assert asked.body(f"users/{al.id}")["users"][0]["id"] == al.id


def test_a_merge_hides_the_suggestion_and_moves_its_supporters() -> None:
    """Who supports both does so once; it stays to be asked for alone, and is listed only where a server does that."""
    account = made(3)
    loser, winner, _ = account.lists["suggestions"]
    jo, al = account.add_user("Jo"), account.add_user("Al")
    for suggestion, user in ((loser, jo), (loser, al), (winner, jo)):
        account.support(suggestion, user.id)
    account.merge(loser, winner)
    asked = Asked(account)
    assert [(one["id"], one["supporters_count"]) for one in asked.body("suggestions")["suggestions"]][1] == (winner, 2)
    merged = asked.body(f"suggestions/{loser}")["suggestions"][0]
    assert (merged["state"], merged["supporters_count"]) == ("merged", 0)
    assert len(asked.body("supporters", suggestion=winner)["supporters"]) == 2
    account.options.lists_merged = True
    assert asked.body("suggestions")["pagination"]["total_records"] == 3


def test_servers_differ_in_filters_and_cursors() -> None:
    account = made(2, keeps_filters=False, cursor="next_cursor", cursor_at_the_end=True)
    one, other = account.lists["suggestions"]
    account.support(one, account.add_user().id)
    body = Asked(account).body("supporters", suggestion=other)
    assert [found["links"]["suggestion"] for found in body["supporters"]] == [one]
    assert body["pagination"]["next_cursor"]


@pytest.mark.parametrize(("epoch", "stated"), [(True, "1800000060"), (False, "19")])
def test_the_units_of_a_minute_are_told_and_kept(epoch: bool, stated: str) -> None:
    """429 with the moment, or the seconds, until the minute is over; the next one has as many again."""
    moment = [1_800_000_000.0]
    account = Account(units_per_minute=2, now=lambda: moment[0], options=Options(retry_after_epoch=epoch))
    asked = Asked(account)
    first, second = asked.get("forums"), asked.get("forums")
    assert [one.headers["x-rate-limit-remaining"] for one in (first, second)] == ["1", "0"]
    assert (first.headers["x-rate-limit-limit"], first.headers["x-rate-limit-reset"]) == ("2", "1800000060")
    moment[0] += 41
    refused = asked.get("forums")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, stated)
    assert "retry-after" not in first.headers
    moment[0] += 19
    assert asked.get("forums").status_code == 200


def test_the_sample_is_the_one_of_every_other_system() -> None:
    """As many suggestions, people and accounts as there; what is gone has no support, and nobody gives it twice."""
    sample = build_sample(7, 60, 600, 200)
    source, account = sample.workspace, seeded_account(sample)
    published = [one for one in account.lists["suggestions"].values() if one.fields["state"] != "merged"]
    assert [one.fields["title"] for one in published] == [one.title for one in source.posts.values()]
    assert len(account.lists["users"]) == len(source.users)
    assert {one.fields["external_id"] for one in account.lists["external_accounts"].values()} == set(source.companies)
    votes = [one for one in source.votes.values() if one.post_id in source.posts]
    known = {(one.post_id, one.voter_id) for one in votes if one.voter_id in source.users}
    gone = sum(one.voter_id not in source.users for one in votes)
    assert len(account.lists["supporters"]) == len(known) + gone
