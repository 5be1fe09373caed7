"""A client that others wrote reads the look-alike, so that it is not only what we believe of Canny."""

from __future__ import annotations

import pytest
from canny.exceptions import CannyAPIError, CannyRateLimitError

from integration_assets.sandbox.canny import Plan
from integration_assets.sandbox.canny.limits import RateLimiter
from integration_assets_tests.conftest import Served
from integration_assets_tests.sandbox.canny.conftest import KEY, Canny
from integration_assets_tests.support import foreign_canny


def where(served: Served) -> tuple[str, str]:
    return served.addresses.canny_base_url, served.sandbox.sample.workspace.api_key


def test_it_reads_every_post_of_the_sample(sandbox: Served):
    statuses = "open,under review,planned,in progress,complete,closed,needs more info,on hold"
    posts = foreign_canny.all_posts(*where(sandbox), statuses=statuses)
    workspace = sandbox.sandbox.sample.workspace
    assert {post.id: post.score for post in posts} == {one: workspace.score(one) for one in workspace.posts}
    assert len(foreign_canny.all_posts(*where(sandbox))) < len(posts)


def test_it_reads_the_votes_of_the_sample(sandbox: Served):
    workspace = sandbox.sandbox.sample.workspace
    post_id = max(workspace.posts, key=workspace.score)
    votes = foreign_canny.all_votes(*where(sandbox), post_id=post_id)
    expected = {vote.id: vote.voter_id for vote in workspace.votes.values() if vote.post_id == post_id}
    assert {vote.id: vote.voter and vote.voter.id for vote in votes if vote.zendesk_ticket is None} == {
        vote_id: voter for vote_id, voter in expected.items() if workspace.votes[vote_id].zendesk_ticket is None
    }


def test_it_reads_every_person_and_every_account_of_the_sample(sandbox: Served):
    workspace = sandbox.sandbox.sample.workspace
    users = foreign_canny.all_users(*where(sandbox))
    # The client trims text.
    expected = {one.id: one.email and one.email.strip() for one in workspace.users.values()}
    assert {user.id: user.email for user in users} == expected
    memberships = {user.id: [company.id for company in user.companies or []] for user in users}
    assert memberships == {one.id: one.company_ids for one in workspace.users.values()}
    accounts = foreign_canny.all_companies(*where(sandbox))
    assert {account.id for account in accounts} == set(workspace.companies)


def test_it_reads_every_status_change_of_the_sample(sandbox: Served):
    changes = foreign_canny.all_status_changes(*where(sandbox))
    assert {change.id for change in changes} == set(sandbox.sandbox.sample.workspace.status_changes)


def test_it_writes(canny: Canny):
    board, user = next(iter(canny.workspace.boards)), list(canny.workspace.users)
    with foreign_canny.foreign_client(canny.base_url, KEY, read_only=False) as client:
        post_id = client.posts.create(author_id=user[0], board_id=board, title="From afar", details="")
        client.votes.create(post_id=post_id, voter_id=user[1])
        client.posts.update(post_id=post_id, title="From near")
        assert client.posts.retrieve(id=post_id).score == 1
        client.votes.delete(post_id=post_id, voter_id=user[1])
        client.posts.delete(post_id=post_id)
        client.users.delete(user_id=user[1])
    assert post_id not in canny.workspace.posts
    assert user[1] not in canny.workspace.users


def test_it_understands_refusals(canny: Canny):
    with pytest.raises(CannyAPIError, match="invalid api key"):
        foreign_canny.all_posts(canny.base_url, "wrong")
    canny.workspace.limiter = RateLimiter(Plan(1, 1, 1), canny.time)
    canny.post("v1/boards/list")
    with pytest.raises(CannyRateLimitError) as refused:
        foreign_canny.all_posts(canny.base_url, KEY)
    assert refused.value.retry_after == 3600
