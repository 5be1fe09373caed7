"""Lists that are valid and wrongly empty: nothing is retired, nothing unlinked, and the run says why it stopped."""

from __future__ import annotations

from typing import Any

import pytest

from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.support.altering import alter
from integration_assets_tests.support.harness import World

pytestmark = pytest.mark.proof  # runs over answers that are cut: part of `make proofs`

INVALID_POST = b'{"error":"invalid post id"}'
Json = dict[str, Any]


def _no_posts(_asked: Json, _answer: Json) -> Json:
    return {"posts": [], "hasMore": False}


def _no_items(_asked: Json, _answer: Json) -> Json:
    return {"items": [], "hasNextPage": False, "cursor": None}


def _no_results(_asked: Json, _answer: Json) -> Json:
    return {"results": []}


def test_an_empty_list_of_requests_that_still_exist_changes_nothing(synced: World) -> None:
    """Each known request is looked up by its id before it counts as gone: all are there, and nothing is written."""
    alter(synced.sandbox.canny, "/v1/posts/list", _no_posts)
    synced.forget_requests()
    ran = synced.sync()
    assert synced.writes() == []
    assert ran.summary["feature_requests"]["unchanged"] == 5
    assert ran.summary["feature_requests"]["retired"] == 0


def test_an_empty_list_of_requests_that_cannot_be_found_either_is_held(synced: World) -> None:
    """Exit 3; no record is retired although the source says it knows none of them."""
    alter(synced.sandbox.canny, "/v1/posts/list", _no_posts)
    unknown = Fault(
        lambda request: request.path.endswith("/v1/posts/retrieve"), times=None, status=400, body=INVALID_POST
    )
    synced.sandbox.canny.faults.append(unknown)
    before = synced.in_crm()
    synced.forget_requests()
    ran = synced.run("sync", json_file=True)
    assert ran.code == 3, ran.out + ran.err
    assert ran.summary["state"] == "HELD"
    assert synced.writes() == []
    assert synced.in_crm() == before


@pytest.mark.parametrize("what", ["votes", "companies"])
def test_another_input_that_is_empty_is_held(synced: World, what: str) -> None:
    """No votes, or no companies, where the last run had some: exit 3, no request that could change the portal."""
    synced.forget_requests()
    if what == "votes":
        alter(synced.sandbox.canny, "/v2/votes/list", _no_items)
        ran = synced.run("sync", "--full", json_file=True)
    else:
        alter(synced.sandbox.hubspot_sandbox, "/objects/2026-09/0-2", _no_results)
        ran = synced.run("sync", json_file=True)
    assert ran.code == 3, ran.out + ran.err
    assert ran.summary["state"] == "HELD"
    assert synced.writes() == []
