"""The Productboard look-alike refuses what its reference says Productboard refuses, and pages as it does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.productboard import Options, Workspace, filled_like, productboard_lookalike
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.serving import listening
from integration_assets_tests.support.waiting import PATIENCE_SECONDS


@contextmanager
def client(workspace: Workspace, header: str | None = None) -> Iterator[httpx.Client]:
    """A client of the served workspace, with its token unless `header` says otherwise."""
    headers = {"authorization": f"Bearer {workspace.token}" if header is None else header}
    with (
        listening([productboard_lookalike(workspace)]) as [origin],
        httpx.Client(base_url=origin, headers=headers, trust_env=False, timeout=PATIENCE_SECONDS) as opened,
    ):
        yield opened


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "Unauthorized"),
        ("Basic abc", "Unauthorized"),
        ("Bearer not-a-jwt", "Bad token; invalid JSON"),
        ("Bearer a.b.c", "No credentials found for given 'iss'"),
    ],
)
def test_the_gateway_looks_at_the_token_first(header: str, message: str) -> None:
    """401 in the gateway's own form, whatever the path."""
    with client(Workspace(), header) as asked:
        answer = asked.get("/v2/nothing")
    assert (answer.status_code, answer.json()) == (401, {"message": message})


@pytest.mark.parametrize(
    ("method", "path"), [("HEAD", "/v2/notes"), ("GET", "/features"), ("POST", "/v2/notes/search")]
)
def test_what_is_no_route_is_not_found(method: str, path: str) -> None:
    """Neither HEAD nor the paths of the first version are routed."""
    with client(Workspace()) as asked:
        assert asked.request(method, path).status_code == 404


def test_a_missing_resource_is_told_apart_from_a_missing_route() -> None:
    """The code of the error says which it is."""
    with client(Workspace()) as asked:
        codes = [asked.get(path).json()["errors"][0]["code"] for path in ("/v2/entities/none", "/v2/elsewhere")]
    assert codes == ["resource.notFound", "route.notFound"]


def test_a_cursor_belongs_to_the_list_it_came_from() -> None:
    """Sent with another filter, or garbled, it is refused; pages are complete and never overlap."""
    workspace = Workspace(options=Options(page=2))
    ids = {workspace.add("feature", f"Idea {number}", number).id for number in range(5)}
    found: list[str] = []
    query = {"type[]": "feature"}
    with client(workspace) as asked:
        while True:
            body = asked.get("/v2/entities", params=query).json()
            found += [one["id"] for one in body["data"]]
            if body["links"]["next"] is None:
                break
            query["pageCursor"] = httpx.URL(body["links"]["next"]).params["pageCursor"]
        refused = [
            asked.get("/v2/entities", params=params).status_code
            for params in ({**query, "type[]": "company"}, {"pageCursor": "garbled"})
        ]
    assert sorted(found) == sorted(ids)
    assert refused == [400, 400]


def test_fields_without_a_value_come_only_when_all_are_asked_for() -> None:
    """Left out they are absent; the selector of another spelling is ignored in silence."""
    workspace = Workspace()
    workspace.add("user", "Ada", 0, fields={"email": None})

    def fields(asked: httpx.Client, **query: str) -> Any:
        return asked.get("/v2/entities", params=query).json()["data"][0]["fields"]

    with client(workspace) as asked:
        assert fields(asked) == fields(asked, fields="all") == {"name": "Ada"}
        assert fields(asked, **{"fields[]": "all"}) == {"name": "Ada", "email": None}


def test_the_fifty_first_call_of_a_second_is_refused() -> None:
    """429 with the seconds to wait; a second later calls are answered again."""
    moment = 100.0
    workspace = Workspace(now=lambda: moment)
    with client(workspace) as asked:
        assert {asked.get("/v2/notes").status_code for _ in range(50)} == {200}
        refused = asked.get("/v2/notes")
        moment += 1.01
        answered = asked.get("/v2/notes")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert refused.json()["errors"][0]["code"] == "rate.limitExceeded"
    assert (answered.status_code, answered.headers["x-ratelimit-remaining"]) == (200, "49")


def test_deleting_a_feature_takes_its_subfeatures_and_links() -> None:
    """No relationship leads to what is gone."""
    workspace = Workspace()
    feature = workspace.add("feature", "Export", 0)
    sub = workspace.add("subfeature", "To CSV", 0, parent=feature.id)
    note = workspace.add_note(0, customer=None, linked=[feature.id, sub.id])
    workspace.delete(feature.id)
    assert (workspace.entities, note.relationships) == ({}, [])


def test_the_sample_is_the_one_of_every_other_system() -> None:
    """As many features, users and companies as posts, users and companies there, and a note for each vote."""
    canny = build_sample(7, 60, 600, 200).workspace
    workspace = filled_like(canny)
    counts = [sum(one.type == kind for one in workspace.entities.values()) for kind in ("feature", "user", "company")]
    assert counts == [len(canny.posts), len(canny.users), len(canny.companies)]
    assert len(workspace.notes) == sum(vote.post_id in canny.posts for vote in canny.votes.values())
