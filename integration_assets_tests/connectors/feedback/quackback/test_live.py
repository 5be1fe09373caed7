"""The connector on a real server, for whoever runs one: set QUACKBACK_URL and QUACKBACK_API_KEY.

Nothing is written. About 50 calls are made, half of what a minute allows.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Token
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.models import FeatureRequest, Page, Vote
from integration_assets.providers import feedback_factory

URL, KEY = os.environ.get("QUACKBACK_URL", "").rstrip("/"), os.environ.get("QUACKBACK_API_KEY", "")
if not (URL and KEY):
    pytest.skip("no real Quackback: set QUACKBACK_URL and QUACKBACK_API_KEY", allow_module_level=True)

T = TypeVar("T")
POSTS_ASKED = 10


def talk(work: Callable[[FeedbackSystem], Awaitable[T]]) -> T:
    async def story() -> T:
        opened = feedback_factory("quackback")(
            base_url=URL, credential=Token(SecretStr(KEY)), calls=CallCounter(), options={"pace": "import"}
        )
        async with opened as system:
            return await work(system)

    return asyncio.run(story())


async def pages(reading: Any) -> list[Page[Any]]:
    return [page async for page in reading]


@pytest.fixture(scope="module")
def posts() -> list[FeatureRequest]:
    found = talk(lambda system: pages(system.feature_requests(statuses=())))
    return [post for page in found for post in page.records]


def test_every_list_is_read_without_a_field_that_is_unknown_or_of_another_type() -> None:
    """A server that sends more than is documented is news to us. A title may be blank."""

    async def story(system: FeedbackSystem) -> list[Page[Any]]:
        lists = (system.boards(), system.feature_requests(statuses=()), system.voters(), system.accounts())
        return [page for reading in lists for page in await pages(reading)]

    found = talk(story)
    assert {record.reason for page in found for record in page.rejected} <= {"no title"}
    assert [page.unreadable_fields for page in found if page.unreadable_fields] == []
    assert [page.unknown_fields for page in found if page.unknown_fields] == []


def test_posts_come_once_and_oldest_first(posts: list[FeatureRequest]) -> None:
    """A seeded server has some; each has a status and a link."""
    assert posts
    assert len({post.request_id for post in posts}) == len(posts)
    assert [post.created_at for post in posts] == sorted(post.created_at for post in posts if post.created_at)
    assert all(post.source_status and post.url for post in posts)


def test_a_post_asked_for_alone_is_the_one_of_the_list(posts: list[FeatureRequest]) -> None:
    """But for what was merged into it, which only it tells."""

    async def story(system: FeedbackSystem) -> list[Any]:
        return [await system.feature_request(post.request_id) for post in posts[:POSTS_ASKED]]

    for listed, alone in zip(posts[:POSTS_ASKED], talk(story), strict=True):
        assert isinstance(alone, FeatureRequest)
        assert (alone.title, alone.status, alone.url, alone.score) == (
            listed.title,
            listed.status,
            listed.url,
            listed.score,
        )
    assert talk(lambda system: system.feature_request("0" * 24)) is None
    assert talk(lambda system: system.feature_request(f"post_01{'a' * 24}")) is None


def test_votes_come_once_newest_first(posts: list[FeatureRequest]) -> None:
    """Counts kept beside the votes of a seeded server need not be those of the votes."""
    most = sorted(posts, key=lambda post: post.score or 0, reverse=True)[:POSTS_ASKED]

    async def story(system: FeedbackSystem) -> list[list[Vote]]:
        found = []
        for post in most:
            read = await pages(system.votes(request_id=post.request_id))
            found.append([vote for page in read for vote in page.records])
        return found

    for post, votes in zip(most, talk(story), strict=True):
        assert len({vote.vote_id for vote in votes}) == len(votes)
        assert {vote.request_id for vote in votes} <= {post.request_id}
        times = [vote.created_at for vote in votes if vote.created_at]
        assert times == sorted(times, reverse=True)


def test_the_newest_posts_are_the_end_of_the_list(posts: list[FeatureRequest]) -> None:
    """In their order."""
    newest = talk(lambda system: system.newest_feature_requests()).records
    assert [post.request_id for post in newest] == [post.request_id for post in posts[::-1][: len(newest)]]
