"""Reading Canny with a client that is not ours: PyPI's `canny-sdk`."""

from __future__ import annotations

from canny import CannyClient
from canny.models.companies import Company
from canny.models.posts import Post
from canny.models.status_changes import StatusChange
from canny.models.users import User
from canny.models.votes import Vote

PAGE = 100


def foreign_client(base_url: str, api_key: str, *, read_only: bool = True) -> CannyClient:
    """A canny-sdk client for the API at `base_url` (ending in `/api`). Close it after use."""
    return CannyClient(api_key, read_only=read_only, base_url_v1=f"{base_url}/v1/", base_url_v2=f"{base_url}/v2/")


def all_posts(base_url: str, api_key: str, *, statuses: str | None = None) -> list[Post]:
    """Every post of these comma-separated statuses; None for those the API lists by itself."""
    with foreign_client(base_url, api_key) as client:
        filters = {} if statuses is None else {"status": statuses}
        return list(client.posts.list_all(limit=PAGE, **filters))


def all_votes(base_url: str, api_key: str, *, post_id: str | None = None) -> list[Vote]:
    """Every vote, or those of one post."""
    with foreign_client(base_url, api_key) as client:
        filters = {} if post_id is None else {"post_id": post_id}
        return list(client.votes.list_all(limit=PAGE, **filters))


def all_users(base_url: str, api_key: str) -> list[User]:
    """Everybody, with their companies."""
    with foreign_client(base_url, api_key) as client:
        return list(client.users.list_all(limit=PAGE))


def all_companies(base_url: str, api_key: str) -> list[Company]:
    """Every account."""
    with foreign_client(base_url, api_key) as client:
        return list(client.companies.list_all(limit=PAGE))


def all_status_changes(base_url: str, api_key: str) -> list[StatusChange]:
    """Every status change."""
    with foreign_client(base_url, api_key) as client:
        return list(client.status_changes.list_all(limit=PAGE))
