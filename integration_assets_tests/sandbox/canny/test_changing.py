"""What the documented writes do, and the side effects that bite those who read."""

from __future__ import annotations

from integration_assets_tests.sandbox.canny.conftest import Canny


def ids(canny: Canny) -> tuple[str, list[str], list[str]]:
    return next(iter(canny.workspace.boards)), list(canny.workspace.posts), list(canny.workspace.users)


def test_a_created_post_is_listed_and_its_details_can_change(canny: Canny):
    board, _, users = ids(canny)
    made = canny.call(
        "v1/posts/create",
        authorID=users[0],
        boardID=board,
        title="Ünïcode 🚀",
        details="x" * 10_000,
        eta="02/2027",
        customFields={"priority": "high"},
    )
    post = canny.call("v1/posts/retrieve", id=made["id"])
    assert (post["title"], post["status"], post["eta"], post["score"]) == ("Ünïcode 🚀", "open", "February 2027", 0)
    assert post["customFields"][0]["name"] == "priority"
    assert canny.call("v1/posts/update", postID=made["id"], title="New") == "success"
    assert canny.call("v1/posts/retrieve", id=made["id"])["title"] == "New"
    canny.refusal("v1/posts/create", authorID=users[0], boardID=board, title=" ", details="")
    canny.refusal("v1/posts/update", postID=made["id"], eta="soon")


def test_voting_and_unvoting_are_idempotent(canny: Canny):
    _, posts, users = ids(canny)
    before = canny.call("v1/posts/retrieve", id=posts[11])["score"]
    for _ in range(2):
        assert canny.call("v1/votes/create", postID=posts[11], voterID=users[5]) == "success"
    assert canny.call("v1/posts/retrieve", id=posts[11])["score"] == before + 1
    for _ in range(2):
        assert canny.call("v1/votes/delete", postID=posts[11], voterID=users[5]) == "success"
    assert canny.call("v1/posts/retrieve", id=posts[11])["score"] == before
    assert canny.call("v2/votes/list", postID=posts[11])["items"] == []


def test_a_status_change_shows_in_the_post_the_history_and_the_comments(canny: Canny):
    _, posts, users = ids(canny)
    canny.time.seconds += 60
    arguments = {
        "postID": posts[0],
        "changerID": users[0],
        "status": "needs more info",
        "shouldNotifyVoters": False,
        "commentValue": "Which browser?",
    }
    changed = canny.call("v1/posts/change_status", **arguments)
    canny.call("v1/posts/change_status", **arguments)
    assert (changed["status"], changed["statusChangedAt"]) == ("needs more info", "2023-11-14T22:14:20.000Z")
    history = canny.call("v2/status_changes/list", limit=2)["items"]
    assert [change["status"] for change in history] == ["needs more info"] * 2
    assert history[0]["post"]["details"] == ""
    assert canny.call("v1/posts/retrieve", id=posts[0])["changeComment"]["value"] == "Which browser?"
    comments = canny.call("v2/comments/list", postID=posts[0])["items"]
    assert [comment["value"] for comment in comments] == ["Which browser?"] * 2
    assert posts[0] not in {post["id"] for post in canny.call("v1/posts/list", limit=100)["posts"]}


def test_a_merge_moves_votes_once_per_voter_and_remembers_the_merged_post(canny: Canny):
    _, posts, users = ids(canny)
    voters = {vote["voter"]["id"] for post in posts[:2] for vote in canny.call("v2/votes/list", postID=post)["items"]}
    assert canny.call("v1/posts/merge", mergePostID=posts[1], intoPostID=posts[0], mergerID=users[0]) == "success"
    survivor = canny.call("v1/posts/retrieve", id=posts[0])
    assert [merged["post"]["id"] for merged in survivor["mergeHistory"]] == [posts[1]]
    assert survivor["score"] == len(voters)
    moved = canny.call("v2/votes/list", postID=posts[0], limit=100)["items"]
    assert {vote["voter"]["id"] for vote in moved} == voters
    canny.refusal("v1/posts/retrieve", id=posts[1])
    canny.refusal("v1/posts/merge", mergePostID=posts[0], intoPostID=posts[0], mergerID=users[0])
    assert canny.call("v1/boards/list")["boards"][0]["postCount"] == 11


def test_the_earlier_vote_of_a_person_survives_a_merge(canny: Canny):
    _, posts, users = ids(canny)
    late = canny.workspace.vote(posts[8], users[0], created=1_700_000_900_000)
    early = canny.workspace.vote(posts[9], users[0], created=1_700_000_800_000)
    canny.workspace.merge(posts[9], posts[8])
    assert early.id in canny.workspace.votes
    assert late.id not in canny.workspace.votes


def test_a_merge_can_keep_both_votes_of_a_person(canny: Canny):
    _, posts, users = ids(canny)
    canny.workspace.vote(posts[8], users[0])
    canny.workspace.vote(posts[9], users[0])
    canny.workspace.merge(posts[9], posts[8], keep_duplicates=True)
    assert canny.workspace.score(posts[8]) == 2


def test_a_deleted_user_takes_votes_along_and_leaves_only_posts_that_others_wanted(canny: Canny):
    _, posts, users = ids(canny)
    votes = len(canny.workspace.votes)
    assert canny.call("v1/users/delete", id=users[0]) == "success"
    assert canny.call("v1/posts/retrieve", id=posts[0])["author"] is None
    assert len(canny.workspace.votes) == votes - 2
    canny.call("v1/users/delete", userID=users[11])
    canny.refusal("v1/posts/retrieve", id=posts[11])
    canny.refusal("v1/users/retrieve", id=users[0])


def test_a_deleted_post_leaves_no_trace_in_any_list(canny: Canny):
    _, posts, _ = ids(canny)
    canny.call("v1/posts/delete", postID=posts[2])
    votes = canny.call("v2/votes/list", limit=100)["items"]
    assert posts[2] not in {vote["post"]["id"] for vote in votes}
    changes = canny.call("v2/status_changes/list", limit=100)["items"]
    assert posts[2] not in {change["post"]["id"] for change in changes}


def test_votes_of_a_vanished_post_or_person_can_stay_listed(canny: Canny):
    _, posts, _ = ids(canny)
    score = canny.workspace.score(posts[2])
    canny.workspace.delete_post(posts[2], keep_votes=True)
    canny.workspace.forget_voter(next(iter(canny.workspace.votes)))
    votes = canny.call("v2/votes/list", limit=100)["items"]
    assert sum(vote["post"]["id"] == posts[2] for vote in votes) == score
    assert sum(vote["voter"] is None for vote in votes) == 1
    canny.refusal("v1/posts/retrieve", id=posts[2])


def test_people_and_their_companies_are_created_together_and_updated_by_their_own_id(canny: Canny):
    company = {"id": "new/co", "name": "New", "monthlySpend": 12.5}
    made = canny.call("v1/users/create_or_update", userID="u99", name="New Person", companies=[company])
    again = canny.call("v1/users/create_or_update", userID="u99", name="Renamed", email="n@new.co")
    assert made == again
    user = canny.call("v1/users/retrieve", userID="u99")
    assert (user["name"], user["email"], user["companies"][0]["monthlySpend"]) == ("Renamed", "n@new.co", 12.5)
    canny.call("v1/companies/update", id="new/co", monthlySpend=20)
    assert canny.call("v2/companies/list", search="new")["companies"][0]["monthlySpend"] == 20
    canny.call("v1/companies/delete", id="new/co")
    assert canny.call("v1/users/retrieve", userID="u99")["companies"] == []
    canny.refusal("v1/users/create_or_update", userID="u98", name="X", companies=[{"name": "no id"}])


def test_tags_and_categories_are_set_and_taken_off(canny: Canny):
    board, posts, _ = ids(canny)
    tag = canny.call("v1/tags/create", boardID=board, name="iOS")
    assert canny.call("v1/tags/create", boardID=board, name="iOS")["id"] == tag["id"]
    assert canny.call("v1/posts/add_tag", postID=posts[0], tagID=tag["id"])["tags"][0]["postCount"] == 1
    assert [post["id"] for post in canny.call("v1/posts/list", tagIDs=[tag["id"]])["posts"]] == [posts[0]]
    assert canny.call("v1/posts/remove_tag", postID=posts[0], tagID=tag["id"])["tags"] == []
    category = next(iter(canny.workspace.categories))
    moved = canny.call("v1/posts/change_category", postID=posts[0], categoryID=category)
    assert moved["category"]["name"] == "Dashboard"
    assert canny.call("v1/posts/change_category", postID=posts[0], categoryID="null")["category"] is None
