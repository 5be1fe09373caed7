"""What the real API refuses or limits, the look-alike refuses or limits."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

import pytest

from integration_assets.sandbox.canny import BUSINESS, FREE, Plan
from integration_assets.sandbox.canny.limits import RateLimiter
from integration_assets_tests.sandbox.canny.conftest import KEY, Canny, Time


@pytest.mark.parametrize("key", [{}, {"apiKey": "wrong"}, {"apiKey": None}, {"apiKey": 5}])
def test_a_missing_or_wrong_key_is_a_400_with_the_known_text(canny: Canny, key: dict[str, object]):
    response = canny.http.post("/v1/boards/list", json=key)
    assert (response.status_code, response.json()) == (400, {"error": "invalid api key"})


def test_the_key_counts_only_in_the_body(canny: Canny):
    response = canny.http.post("/v1/boards/list", json={}, headers={"x-api-key": KEY, "authorization": f"Bearer {KEY}"})
    assert response.json() == {"error": "invalid api key"}
    assert canny.http.post(f"/v1/boards/list?apiKey={KEY}", json={}).status_code == 400


def test_a_wrong_key_can_be_made_a_401(canny: Canny):
    canny.workspace.options.bad_key_status = 401
    assert canny.http.post("/v1/boards/list", json={}).status_code == 401


def test_query_strings_are_refused(canny: Canny):
    assert canny.http.post("/v2/votes/list?limit=5", json={"apiKey": KEY}).status_code == 400


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_only_post_is_known(canny: Canny, method: str):
    response = canny.http.request(method, "/v1/boards/list")
    assert (response.status_code, response.json()) == (404, {"error": "not found"})


@pytest.mark.parametrize(
    "path", ["/v1/boards", "/v2/boards/list", "/v2/posts/list", "/v3/votes/list", "/v1/Posts/list"]
)
def test_unknown_paths_are_404(canny: Canny, path: str):
    assert canny.http.post(path, json={"apiKey": KEY}).status_code == 404


@pytest.mark.parametrize(
    ("endpoint", "arguments"),
    [
        ("v1/posts/list", {"tagID": "x"}),
        ("v1/posts/list", {"board_id": "x"}),
        ("v1/posts/list", {"limit": 0}),
        ("v1/posts/list", {"skip": -1}),
        ("v1/posts/list", {"limit": "10"}),
        ("v1/posts/list", {"limit": True}),
        ("v1/posts/list", {"sort": "relevance"}),
        ("v1/posts/list", {"sort": "best"}),
        ("v1/posts/list", {"tagIDs": "x"}),
        ("v1/posts/list", {"boardID": None}),
        ("v1/posts/list", {"boardID": "0" * 24}),
        ("v2/votes/list", {"limit": 101}),
        ("v2/votes/list", {"limit": 0}),
        ("v2/votes/list", {"skip": 0}),
        ("v2/users/list", {"search": "x"}),
        ("v1/boards/list", {"limit": 5}),
        ("v1/boards/retrieve", {}),
    ],
)
def test_undocumented_keys_types_and_ranges_are_refused(canny: Canny, endpoint: str, arguments: dict[str, object]):
    canny.refusal(endpoint, **arguments)


def test_a_body_that_is_no_object_is_refused(canny: Canny):
    for body in (b"[]", b"{", b"", b"\xff"):
        response = canny.http.post("/v1/boards/list", content=body, headers={"content-type": "application/json"})
        assert response.status_code == 400
    assert canny.http.post("/v1/boards/list", content=b"{}", headers={"content-type": "text/plain"}).status_code == 400


def test_the_second_window_answers_429_with_retry_after(canny: Canny):
    canny.workspace.limiter = RateLimiter(BUSINESS, canny.time)
    assert [canny.post("v1/boards/list").status_code for _ in range(20)] == [200] * 20
    refused = canny.post("v1/boards/list")
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert "error" in refused.json()
    canny.time.seconds += 1
    assert canny.post("v1/boards/list").status_code == 200


def test_retry_after_can_be_a_date_or_absent(canny: Canny):
    canny.workspace.limiter = RateLimiter(Plan(0, 0, 0), canny.time)
    canny.workspace.limiter = RateLimiter(Plan(1, 1, 1), canny.time)
    canny.post("v1/boards/list")
    canny.workspace.options.retry_after = "date"
    assert parsedate_to_datetime(canny.post("v1/boards/list").headers["retry-after"]).tzinfo is not None
    canny.workspace.options.retry_after = "none"
    assert "retry-after" not in canny.post("v1/boards/list").headers


def test_all_three_windows_count_and_refused_calls_do_not():
    time = Time()
    limiter = RateLimiter(FREE, time)

    def spend(calls: int, seconds_apart: float) -> list[int | None]:
        answers = []
        for _ in range(calls):
            answers.append(limiter.refuse())
            time.seconds += seconds_apart
        return answers

    assert spend(100, 0.25) == [None] * 100
    assert limiter.refuse() == 35
    assert spend(50, 0)[-1] == 35
    time.seconds += 3600
    assert spend(1000, 0.7) == [None] * 1000
    assert limiter.refuse() == 2900
    time.seconds += 2901
    assert limiter.refuse() is None


def test_a_bad_key_costs_nothing(canny: Canny):
    canny.workspace.limiter = RateLimiter(Plan(1, 1, 1), canny.time)
    canny.http.post("/v1/boards/list", json={"apiKey": "wrong"})
    assert canny.post("v1/boards/list").status_code == 200
