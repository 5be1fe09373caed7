"""The Quackback look-alike, by what was measured on a server of version 0.13.2."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.quackback import Workspace, quackback_lookalike, seeded_workspace
from integration_assets.sandbox.quackback.records import Kind
from integration_assets.sandbox.sample_data import build_sample


@pytest.fixture
def workspace() -> Workspace:
    made = Workspace(calls_per_minute=None, clock=lambda: 1_790_000_000)
    board = made.add_board("Ideas", "ideas", created=0)
    for number in range(130):
        made.add_post(board.id, f"Idea {number}", created=1_780_000_000_000 + number)
    return made


class Asked:
    """The look-alike of a workspace, asked without a server."""

    def __init__(self, workspace: Workspace, key: str) -> None:
        self._app = quackback_lookalike(workspace)
        self._headers = {"authorization": f"Bearer {key}"}

    def get(self, path: str, params: Mapping[str, str] | None = None, **headers: str) -> httpx.Response:
        return self.ask("GET", path, params=params, headers={name.replace("_", "-"): headers[name] for name in headers})

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://127.0.0.1", headers=self._headers
            ) as client:
                return await client.request(method, path, **given)

        return asyncio.run(sent())


def client(workspace: Workspace) -> Asked:
    return Asked(workspace, workspace.key.secret)


def titles(body: Any) -> list[str]:
    return [one["title"] for one in body["data"]]


@pytest.mark.parametrize(
    ("limit", "served"), [(None, 20), ("0", 20), ("-1", 1), ("x", 20), ("7", 7), ("101", 100), ("9999", 100)]
)
def test_a_limit_out_of_range_is_put_right_without_an_error(
    workspace: Workspace, limit: str | None, served: int
) -> None:
    answer = client(workspace).get("/api/v1/posts", params={} if limit is None else {"limit": limit})
    assert (answer.status_code, len(answer.json()["data"])) == (200, served)


def test_unknown_parameters_and_sorts_are_ignored(workspace: Workspace) -> None:
    plain = client(workspace).get("/api/v1/posts").json()
    assert client(workspace).get("/api/v1/posts?updatedSince=2026-01-01&sort=trending").json() == plain
    assert titles(plain)[0] == "Idea 129"
    assert titles(client(workspace).get("/api/v1/posts?sort=oldest").json())[0] == "Idea 0"


def test_an_unknown_cursor_is_the_first_page_and_a_garbled_one_an_error(workspace: Workspace) -> None:
    asked = client(workspace)
    first = asked.get("/api/v1/posts").json()
    following = asked.get("/api/v1/posts", params={"cursor": first["meta"]["pagination"]["cursor"]}).json()
    assert titles(following)[0] == "Idea 109"
    assert asked.get("/api/v1/posts", params={"cursor": f"post_01{'a' * 24}"}).json() == first
    garbled = asked.get("/api/v1/posts", params={"cursor": "x"})
    assert (garbled.status_code, garbled.json()["error"]["code"]) == (500, "INTERNAL_ERROR")


def test_ids_that_are_none_and_ids_of_nothing(workspace: Workspace) -> None:
    unknown, asked = f"post_01{'a' * 24}", client(workspace)
    assert asked.get("/api/v1/posts/5").json()["error"]["code"] == "VALIDATION_ERROR"
    assert asked.get(f"/api/v1/posts/{unknown}").json()["error"]["code"] == "NOT_FOUND"
    assert asked.get(f"/api/v1/posts/{unknown}/voters").json()["data"] == []
    assert asked.get("/api/v1/posts/5/voters").status_code == 400


def test_a_merge_hides_the_post_and_takes_its_voters_in(workspace: Workspace) -> None:
    """The survivor's count is of persons; the merged post keeps its own, and neither moves its time of change."""
    first, second, *_ = workspace.posts
    for place, email in enumerate(["jo@acme.example", "al@acme.example"]):
        person = workspace.add_principal(Kind.USER, email, email)
        workspace.vote(first, person.id, created=1_785_000_000_000 + place)
        if place == 0:
            workspace.vote(second, person.id, created=1_784_000_000_000)
    asked = client(workspace)
    before = asked.get(f"/api/v1/posts/{second}").json()["data"]
    workspace.merge(first, second)
    merged, survivor = (asked.get(f"/api/v1/posts/{one}").json()["data"] for one in (first, second))
    assert (merged["canonicalPostId"], merged["voteCount"]) == (second, 2)
    assert (survivor["voteCount"], [one["id"] for one in survivor["mergedPosts"]]) == (2, [first])
    assert survivor["updatedAt"] == before["updatedAt"]
    voters = asked.get(f"/api/v1/posts/{second}/voters").json()["data"]
    assert [(one["email"], one["createdAt"][:7]) for one in voters] == [
        ("al@acme.example", "2026-07"),
        ("jo@acme.example", "2026-07"),
    ]
    oldest = asked.get("/api/v1/posts?sort=oldest&limit=1").json()
    assert titles(oldest) == ["Idea 1"]
    assert asked.get("/api/v1/boards").json()["data"][0]["postCount"] == 130
    workspace.unmerge(first)
    assert asked.get(f"/api/v1/posts/{second}").json()["data"] == before


def test_a_deleted_post_is_only_in_the_list_of_deleted_ones(workspace: Workspace) -> None:
    gone = next(iter(workspace.posts))
    workspace.delete_post(gone)
    asked = client(workspace)
    assert titles(asked.get("/api/v1/posts?sort=oldest&limit=1").json()) == ["Idea 1"]
    assert titles(asked.get("/api/v1/posts?showDeleted=true").json()) == ["Idea 0"]
    assert asked.get(f"/api/v1/posts/{gone}").json()["data"]["deletedAt"] is not None


def test_a_proxy_vote_and_one_taken_back(workspace: Workspace) -> None:
    post_id = next(iter(workspace.posts))
    staff = workspace.add_principal(Kind.TEAM, "Sam", "sam@own.example")
    jo = workspace.add_principal(Kind.USER, "Jo", "Jo@Acme.example")
    assert workspace.vote(post_id, jo.id, added_by=staff.id) is not None
    assert workspace.vote(post_id, jo.id) is None
    (voter,) = client(workspace).get(f"/api/v1/posts/{post_id}/voters").json()["data"]
    assert (voter["email"], voter["sourceType"], voter["sourceExternalUrl"], voter["addedByName"]) == (
        "jo@acme.example",
        "proxy",
        "",
        "Sam",
    )
    workspace.take_back(post_id, jo.id)
    assert client(workspace).get(f"/api/v1/posts/{post_id}").json()["data"]["voteCount"] == 0


def test_users_come_by_position_and_companies_by_name(workspace: Workspace) -> None:
    for number in range(25):
        workspace.add_principal(Kind.USER, f"P{number}", f"p{number}@acme.example", created=number)
        workspace.add_company(f"C{number:02}", external_id=f"c-{number}")
    workspace.add_principal(Kind.TEAM, "Sam", "sam@own.example")
    asked = client(workspace)
    first = asked.get("/api/v1/users?sort=oldest").json()
    assert (len(first["data"]), first["meta"]["pagination"]["total"]) == (20, 25)
    rest = asked.get("/api/v1/users", params={"sort": "oldest", "cursor": first["meta"]["pagination"]["cursor"]})
    assert [one["name"] for one in rest.json()["data"]] == [f"P{number}" for number in range(20, 25)]
    assert [one["name"] for one in asked.get("/api/v1/principals").json()["data"]] == ["Sam"]
    companies = asked.get("/api/v1/companies").json()
    cursor = companies["meta"]["pagination"]["cursor"]
    following = asked.get("/api/v1/companies", params={"cursor": cursor}).json()
    assert [one["name"] for one in companies["data"] + following["data"]] == [f"C{n:02}" for n in range(25)]
    assert [one["name"] for one in asked.get("/api/v1/companies?company_id=c-7").json()["data"]] == ["C07"]


def test_what_is_no_route_is_the_page_of_the_portal(workspace: Workspace) -> None:
    """With status 200: only the type of the content tells."""
    for answer in (client(workspace).ask("POST", "/api/v1/companies", json={}), client(workspace).get("/api/v1/votes")):
        assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (200, "text/html")


def test_keys_and_scopes(workspace: Workspace) -> None:
    refusal = Asked(workspace, "qb_other").get("/api/v1/boards")
    assert (refusal.status_code, refusal.json()["error"]["code"]) == (401, "UNAUTHORIZED")
    assert refusal.headers["www-authenticate"].startswith("Bearer")
    workspace.key.scopes = frozenset({"read:article"})
    assert client(workspace).get("/api/v1/posts").status_code == 403
    assert client(workspace).get("/api/v1/statuses").status_code == 200
    workspace.key.scopes = None
    assert client(workspace).get("/api/v1/posts").status_code == 200


def test_the_limit_is_a_fixed_window_and_imports_have_another() -> None:
    moment = [1000.0]
    workspace = Workspace(calls_per_minute=3, now=lambda: moment[0])
    asked = client(workspace)
    assert [asked.get("/api/v1/boards").status_code for _ in range(4)] == [200, 200, 200, 429]
    moment[0] += 41
    refusal = asked.get("/api/v1/boards")
    assert (refusal.headers["retry-after"], refusal.json()["error"]["code"]) == ("19", "RATE_LIMITED")
    assert asked.get("/api/v1/boards", x_import_mode="true").status_code == 200
    moment[0] += 19
    assert asked.get("/api/v1/boards").status_code == 200


def test_the_sample_keeps_its_requests_voters_and_merges() -> None:
    """What no server of Quackback could hold is left out: second accounts of an address, and votes of what is gone."""
    sample = build_sample(requests=40, votes=600, companies=80)
    source, made = sample.workspace, seeded_workspace(sample, calls_per_minute=None)
    merged = sum(len(post.merge_history) for post in source.posts.values())
    assert len([post for post in made.posts.values() if post.canonical_id is None]) == len(source.posts)
    assert len([post for post in made.posts.values() if post.canonical_id is not None]) == merged > 0
    counts = {post.title.strip(): post.vote_count for post in made.posts.values() if post.canonical_id is None}
    for post in source.posts.values():
        voters = {vote.voter_id or vote.id for vote in source.votes.values() if vote.post_id == post.id}
        if sum(1 for one in source.posts.values() if one.title == post.title) == 1 and post.title in counts:
            assert len(voters) - 2 <= counts[post.title] <= len(voters)
    addresses = [one.email for one in made.principals.values() if one.email]
    assert len(set(addresses)) == len(addresses)
    assert {status.slug for status in made.statuses.values()} >= {"open", "on_hold", "needs_more_info"}
    assert {company.external_id for company in made.companies.values()} == set(source.companies)
