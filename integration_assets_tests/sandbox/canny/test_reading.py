"""How lists and single records are asked for, wrapped and ordered."""

from __future__ import annotations

import base64

import pytest

from integration_assets_tests.sandbox.canny.conftest import KEY, Canny


def test_votes_come_newest_first_under_items_with_a_cursor(canny: Canny):
    seen, cursor, pages = [], None, 0
    while True:
        page = canny.call("v2/votes/list", limit=7, **({"cursor": cursor} if cursor else {}))
        assert set(page) == {"items", "hasNextPage", "cursor"}
        seen += page["items"]
        pages, cursor = pages + 1, page["cursor"]
        if not page["hasNextPage"]:
            break
    assert cursor is None
    assert pages == 5
    assert len({vote["id"] for vote in seen}) == 30
    created = [vote["created"] for vote in seen]
    assert created == sorted(created, reverse=True)


def test_the_default_page_has_ten_records(canny: Canny):
    assert len(canny.call("v2/votes/list")["items"]) == 10
    assert len(canny.call("v2/users/list")["users"]) == 10
    assert len(canny.call("v1/votes/list")["votes"]) == 10
    assert len(canny.call("v1/users/list")) == 10


def test_envelopes_differ_between_lists_and_versions(canny: Canny):
    assert set(canny.call("v2/users/list")) == {"users", "hasNextPage", "cursor"}
    assert set(canny.call("v2/companies/list")) == {"companies", "hasNextPage", "cursor"}
    assert set(canny.call("v2/comments/list")) == {"items", "hasNextPage", "cursor"}
    assert set(canny.call("v2/status_changes/list")) == {"items", "hasNextPage", "cursor"}
    assert set(canny.call("v1/status_changes/list")) == {"statusChanges", "hasMore"}
    assert set(canny.call("v1/votes/list")) == {"votes", "hasMore"}
    assert set(canny.call("v1/companies/list")) == {"companies", "hasMore"}
    assert set(canny.call("v1/comments/list")) == {"comments", "hasMore"}
    assert set(canny.call("v1/boards/list")) == {"boards"}
    assert isinstance(canny.call("v1/users/list"), list)
    for name in ("categories", "tags", "entries", "opportunities"):
        assert set(canny.call(f"v1/{name}/list")) == {name, "hasMore"}


def test_posts_hide_complete_closed_and_custom_statuses_unless_asked(canny: Canny):
    shown = canny.call("v1/posts/list", limit=100)["posts"]
    assert {post["status"] for post in shown} == {"open", "under review", "planned", "in progress"}
    assert len(shown) == 8
    hidden = canny.call("v1/posts/list", limit=100, status="complete,closed,on hold")["posts"]
    assert {post["status"] for post in hidden} == {"complete", "closed", "on hold"}
    assert len(shown) + len(hidden) == 12


def test_board_counts_include_hidden_posts(canny: Canny):
    assert canny.call("v1/boards/list")["boards"][0]["postCount"] == 12


def test_posts_are_paged_by_skip_in_the_order_asked_for(canny: Canny):
    oldest = canny.call("v1/posts/list", sort="oldest", limit=5)
    assert oldest["hasMore"] is True
    assert [post["title"] for post in oldest["posts"]] == [f"Post {number}" for number in (0, 1, 2, 3, 7)]
    rest = canny.call("v1/posts/list", sort="oldest", limit=5, skip=5)
    assert [post["title"] for post in rest["posts"]] == ["Post 8", "Post 9", "Post 10"]
    assert rest["hasMore"] is False
    newest = canny.call("v1/posts/list", limit=1)["posts"]
    assert newest[0]["title"] == "Post 10"
    scores = [post["score"] for post in canny.call("v1/posts/list", sort="score", limit=100)["posts"]]
    assert scores == sorted(scores, reverse=True)


def test_posts_can_be_searched_and_filtered(canny: Canny):
    found = canny.call("v1/posts/list", search="post 1", sort="relevance", limit=100)["posts"]
    assert {post["title"] for post in found} == {"Post 1", "Post 10"}
    author = canny.workspace.posts[next(iter(canny.workspace.posts))].author_id
    assert [post["title"] for post in canny.call("v1/posts/list", authorID=author)["posts"]] == ["Post 0"]
    by_company = canny.call("v1/posts/list", companyID="company 1/ü", limit=100)["posts"]
    assert len(by_company) == 7


def test_a_list_sees_a_vote_that_came_in_between(canny: Canny):
    first = canny.call("v1/posts/list", sort="score")["posts"][0]
    canny.workspace.vote(first["id"], list(canny.workspace.users)[24])
    assert canny.call("v1/posts/list", sort="score")["posts"][0]["score"] == first["score"] + 1


def test_new_and_deleted_votes_between_pages_neither_repeat_nor_hide_others(canny: Canny):
    first = canny.call("v2/votes/list", limit=10)
    before = set(canny.workspace.votes)
    canny.time.seconds += 1_000
    posts, users = list(canny.workspace.posts), list(canny.workspace.users)
    new = canny.workspace.vote(posts[9], users[0])
    canny.workspace.delete_vote(first["items"][-1]["id"])
    rest = canny.call("v2/votes/list", limit=100, cursor=first["cursor"])
    seen = [vote["id"] for vote in first["items"] + rest["items"]]
    assert len(seen) == len(set(seen))
    assert set(seen) == before
    assert new.id not in seen


def test_skip_paging_drifts_when_a_vote_comes_in(canny: Canny):
    first = canny.call("v1/votes/list", limit=10)["votes"]
    canny.time.seconds += 1_000
    canny.workspace.vote(list(canny.workspace.posts)[9], next(iter(canny.workspace.users)))
    second = canny.call("v1/votes/list", limit=10, skip=10)["votes"]
    assert second[0]["id"] == first[-1]["id"]


def test_votes_can_be_filtered(canny: Canny):
    post = next(iter(canny.workspace.posts))
    assert {vote["post"]["id"] for vote in canny.call("v2/votes/list", postID=post, limit=100)["items"]} == {post}
    voter = next(iter(canny.workspace.users))
    mine = canny.call("v2/votes/list", userID=voter, limit=100)["items"]
    assert [vote["voter"]["id"] for vote in mine] == [voter, voter]
    board = next(iter(canny.workspace.boards))
    assert len(canny.call("v2/votes/list", boardID=board, limit=100)["items"]) == 30
    of_company = canny.call("v2/votes/list", companyID="company 1/ü", limit=100)["items"]
    assert {vote["voter"]["userID"] for vote in of_company} == {f"u{number}" for number in range(10)}
    assert len(canny.call("v2/votes/list", postID=post, userID=voter)["items"]) == 1


def test_a_cursor_is_opaque_and_bound_to_its_filters(canny: Canny):
    cursor = canny.call("v2/votes/list", limit=1)["cursor"]
    base64.b64decode(cursor, validate=True)
    board = next(iter(canny.workspace.boards))
    assert canny.refusal("v2/votes/list", limit=1, cursor=cursor, boardID=board) == "invalid cursor"
    assert canny.refusal("v2/users/list", cursor=cursor) == "invalid cursor"
    assert canny.refusal("v2/votes/list", cursor="nonsense") == "invalid cursor"
    assert canny.refusal("v2/votes/list", cursor=base64.b64encode(b"a_b_c").decode()) == "invalid cursor"
    assert len(canny.call("v2/votes/list", limit=2, cursor=cursor)["items"]) == 2


def test_the_embedded_voter_has_no_companies_but_the_listed_user_has(canny: Canny):
    vote = canny.call("v2/votes/list", limit=1)["items"][0]
    assert "companies" not in vote["voter"]
    user = canny.call("v1/users/retrieve", userID="u0")
    assert user["companies"][0]["id"] == "company 1/ü"
    assert "domain" not in user["companies"][0]


def test_a_search_for_companies_is_one_page(canny: Canny):
    page = canny.call("v2/companies/list", search="s", limit=1)
    assert (len(page["companies"]), page["hasNextPage"], page["cursor"]) == (1, False, None)
    whole = canny.call("v2/companies/list", limit=1)
    assert whole["companies"][0] == {
        "id": "company 1/ü",
        "created": "2023-11-14T22:13:20.000Z",
        "customFields": {},
        "domain": "first.com",
        "memberCount": 10,
        "monthlySpend": 100.25,
        "name": "First",
    }
    assert whole["hasNextPage"] is True


@pytest.mark.parametrize("name", ["boards", "posts", "votes", "categories"])
def test_single_records_are_retrieved_by_id_and_unknown_ids_refused(canny: Canny, name: str):
    record_id = next(iter(getattr(canny.workspace, name)))
    assert canny.call(f"v1/{name}/retrieve", id=record_id)["id"] == record_id
    assert "invalid" in canny.refusal(f"v1/{name}/retrieve", id="0" * 24)


def test_a_post_is_retrieved_by_slug_and_board_too(canny: Canny):
    board = next(iter(canny.workspace.boards))
    assert canny.call("v1/posts/retrieve", urlName="post-4", boardID=board)["title"] == "Post 4"
    canny.refusal("v1/posts/retrieve", urlName="post-4")
    canny.refusal("v1/posts/retrieve")


def test_a_user_is_retrieved_by_exactly_one_name(canny: Canny):
    assert canny.call("v1/users/retrieve", email="P1@FIRST.com")["userID"] == "u1"
    canny.refusal("v1/users/retrieve", email="p1@first.com", userID="u1")
    canny.refusal("v1/users/retrieve")


def test_real_answers_carry_keys_that_nobody_documented(canny: Canny):
    assert "token" in canny.call("v1/boards/list")["boards"][0]
    posts = canny.call("v1/posts/list", sort="oldest")["posts"]
    assert posts[0]["totalMRR"] == 100.25


def test_a_form_is_accepted_where_values_are_plain(canny: Canny):
    response = canny.http.post("/v2/votes/list", data={"apiKey": KEY, "limit": "3"})
    assert len(response.json()["items"]) == 3
    assert canny.http.post("/v2/votes/list", data={"apiKey": KEY, "limit": "x"}).status_code == 400
    assert canny.http.post("/v1/posts/list", data={"apiKey": KEY, "tagIDs": "x"}).status_code == 400
