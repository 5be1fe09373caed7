"""Answers of each path of the API. Parameters nobody knows are ignored, as the real server does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from integration_assets.sandbox.quackback.records import Company, Kind, Post, Principal, Vote, is_id, iso
from integration_assets.sandbox.quackback.workspace import Workspace

Json = dict[str, Any]
USUAL_LIMIT, MOST_LIMIT = 20, 100


class ApiError(Exception):
    """A request that is refused."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Call:
    """One request, its path taken apart."""

    workspace: Workspace
    params: Mapping[str, str]
    query: Mapping[str, str]

    @property
    def limit(self) -> int:
        """Records of a page: none and nonsense are 20, what is out of range is the nearest."""
        try:
            asked = int(self.query.get("limit", ""))
        except ValueError:
            asked = 0
        return min(MOST_LIMIT, max(1, asked or USUAL_LIMIT))

    def id(self, prefix: str, called: str) -> str:
        """The id in the path."""
        given = self.params["id"]
        if not is_id(given, prefix):
            raise ApiError(400, "VALIDATION_ERROR", f"Invalid {called} ID format")
        return given


def list_boards(call: Call) -> Json:
    """All boards. Their count of posts takes in those that were merged into others."""
    counts: dict[str, int] = {}
    for post in call.workspace.posts.values():
        if post.deleted_at is None:
            counts[post.board_id] = counts.get(post.board_id, 0) + 1
    return {
        "data": [
            {
                "id": board.id,
                "name": board.name,
                "slug": board.slug,
                "description": None,
                "audience": "public",
                "postCount": counts.get(board.id, 0),
                "createdAt": iso(board.created),
                "updatedAt": iso(board.created),
            }
            for board in sorted(call.workspace.boards.values(), key=lambda one: one.name)
        ]
    }


def list_statuses(call: Call) -> Json:
    """All statuses."""
    return {
        "data": [
            {
                "id": status.id,
                "name": status.name,
                "slug": status.slug,
                "color": "#6b7280",
                "category": status.category,
                "position": status.position,
                "showOnRoadmap": False,
                "isDefault": status.slug == "open",
                "createdAt": iso(status.created),
            }
            for status in call.workspace.statuses.values()
        ]
    }


def list_posts(call: Call) -> Json:
    """Posts that were not merged away; deleted ones only where they are asked for, and then only those."""
    workspace, query = call.workspace, call.query
    deleted, slug, board_id = query.get("showDeleted") == "true", query.get("status"), query.get("boardId")
    found = [
        post
        for post in workspace.posts.values()
        if post.canonical_id is None
        and (post.deleted_at is not None) == deleted
        and (not board_id or post.board_id == board_id)
        and (not slug or (post.status_id is not None and workspace.statuses[post.status_id].slug == slug))
    ]
    order = _ORDERS.get(query.get("sort", ""), _ORDERS["newest"])
    found.sort(key=order[0], reverse=order[1])
    cursor = query.get("cursor")
    if cursor and not is_id(cursor, "post"):
        raise ApiError(500, "INTERNAL_ERROR", "Internal server error")
    # An unknown one is no place in the list, which then begins anew.
    if cursor and (last := workspace.posts.get(cursor)):
        edge = order[0](last)
        found = [post for post in found if (order[0](post) < edge if order[1] else order[0](post) > edge)]
    return _page([_listed(workspace, post) for post in found[: call.limit]], "id", more=len(found) > call.limit)


_Order = tuple[Callable[[Post], tuple[Any, ...]], bool]
_ORDERS: dict[str, _Order] = {
    "newest": (lambda post: (post.created, post.id), True),
    "oldest": (lambda post: (post.created, post.id), False),
    "votes": (lambda post: (post.vote_count, post.created, post.id), True),
}


def read_post(call: Call) -> Json:
    """One post, also one that was deleted or merged away."""
    workspace = call.workspace
    post = workspace.posts.get(call.id("post", "post"))
    if post is None:
        raise ApiError(404, "NOT_FOUND", "Post not found")
    author = workspace.principals.get(post.author_id or "")
    listed = _listed(workspace, post)
    owner = listed.pop("ownerId")
    merged = [workspace.posts[one] for one in workspace.merged_into[post.id]]
    return {
        "data": {
            **listed,
            "contentJson": None,
            "authorEmail": author.email if author else None,
            "ownerPrincipalId": owner,
            "pinnedComment": None,
            "summaryUpdatedAt": None,
            "eta": None,
            "mergedPosts": [
                {
                    "id": one.id,
                    "title": one.title,
                    "voteCount": one.vote_count,
                    "authorName": None,
                    "createdAt": iso(one.created),
                    "mergedAt": iso(one.merged_at or 0),
                }
                for one in merged
            ],
        }
    }


def list_voters(call: Call) -> Json:
    """The voters of a post, newest first, those of posts merged into it included; none of an unknown one."""
    workspace = call.workspace
    votes = workspace.thread(call.id("post", "post"))
    last = workspace.votes.get(call.query.get("cursor", ""))
    if last is not None:
        votes = [vote for vote in votes if (vote.created, vote.id) < (last.created, last.id)]
    page, more = votes[: call.limit], len(votes) > call.limit
    return {
        "data": [_voter(workspace, vote) for vote in page],
        "meta": {"pagination": {"cursor": page[-1].id if more else None, "hasMore": more}},
    }


def list_users(call: Call) -> Json:
    """People who signed in and do not work here; the cursor is a position."""
    people = [one for one in call.workspace.principals.values() if one.kind is Kind.USER]
    people.sort(key=lambda one: (one.created, one.id), reverse=call.query.get("sort") != "oldest")
    start = _position(call.query.get("cursor", ""))
    page, more = people[start : start + call.limit], len(people) > start + call.limit
    cursor = base64.urlsafe_b64encode(msgspec.json.encode({"offset": start + len(page)})).decode().rstrip("=")
    return {
        "data": [_user(one) for one in page],
        "meta": {"pagination": {"cursor": cursor if more else None, "hasMore": more, "total": len(people)}},
    }


def read_user(call: Call) -> Json:
    """One of them; somebody of the team, or who never signed in, is not found."""
    person = call.workspace.principals.get(call.id("principal", "principal"))
    if person is None or person.kind is not Kind.USER:
        raise ApiError(404, "NOT_FOUND", "Portal user not found")
    return {"data": {**_user(person), "createdAt": iso(person.created), "engagedPosts": []}}


def list_team(call: Call) -> Json:
    """The team."""
    return {
        "data": [
            {
                "id": one.id,
                "userId": one.id.replace("principal", "user"),
                "name": one.name,
                "email": one.email,
                "image": None,
                "role": "admin",
                "createdAt": iso(one.created),
            }
            for one in call.workspace.principals.values()
            if one.kind is Kind.TEAM
        ]
    }


def list_companies(call: Call) -> Json:
    """All companies by name, or those of an external id."""
    wanted = call.query.get("company_id")
    found = [one for one in call.workspace.companies.values() if wanted is None or one.external_id == wanted]
    found.sort(key=lambda one: (one.name, one.id))
    if last := call.workspace.companies.get(call.query.get("cursor", "")):
        found = [one for one in found if (one.name, one.id) > (last.name, last.id)]
    return _page([_company(one) for one in found[: call.limit]], "id", more=len(found) > call.limit)


# -- records as they are written


def _page(data: Sequence[Json], id_field: str, *, more: bool) -> Json:
    return {"data": data, "meta": {"pagination": {"cursor": data[-1][id_field] if more else None, "hasMore": more}}}


def _position(cursor: str) -> int:
    """Position at which a cursor of users goes on; the beginning for one that cannot be read."""
    try:
        offset = msgspec.json.decode(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))["offset"]
    except (binascii.Error, UnicodeDecodeError, msgspec.DecodeError, KeyError, TypeError):
        return 0
    return offset if isinstance(offset, int) and offset >= 0 else 0


def _listed(workspace: Workspace, post: Post) -> Json:
    board, author = workspace.boards[post.board_id], workspace.principals.get(post.author_id or "")
    return {
        "id": post.id,
        "title": post.title,
        "content": post.content,
        "voteCount": post.vote_count,
        "commentCount": 0,
        "boardId": board.id,
        "boardSlug": board.slug,
        "boardName": board.name,
        "statusId": post.status_id,
        "authorName": author.name if author else None,
        "ownerId": None,
        "tags": [{"id": one, "name": workspace.tags[one].name, "color": "#6b7280"} for one in post.tag_ids],
        "summaryJson": None,
        "canonicalPostId": post.canonical_id,
        "mergedAt": iso(post.merged_at) if post.merged_at is not None else None,
        "isCommentsLocked": False,
        "createdAt": iso(post.created),
        # It moves neither by a vote nor by a merge.
        "updatedAt": iso(post.created),
        "deletedAt": iso(post.deleted_at) if post.deleted_at is not None else None,
    }


def _voter(workspace: Workspace, vote: Vote) -> Json:
    person, helper = workspace.principals[vote.principal_id], workspace.principals.get(vote.added_by or "")
    return {
        "principalId": person.id,
        "displayName": person.name,
        "email": person.email,
        "avatarUrl": None,
        "isAnonymous": person.kind is Kind.ANONYMOUS,
        "sourceType": "proxy" if helper else None,
        "sourceExternalUrl": "" if helper else None,
        "addedByName": helper.name if helper else None,
        "createdAt": iso(vote.created),
    }


def _user(person: Principal) -> Json:
    return {
        "principalId": person.id,
        "userId": person.id.replace("principal", "user"),
        "name": person.name,
        "email": person.email,
        "image": None,
        "emailVerified": True,
        "attributes": {},
        "joinedAt": iso(person.created),
        "postCount": 0,
        "commentCount": 0,
        "voteCount": 0,
    }


def _company(company: Company) -> Json:
    return {
        "id": company.id,
        "name": company.name,
        "domain": company.domain,
        "externalId": company.external_id,
        "plan": company.plan,
        "mrrCents": company.mrr_cents,
        "size": None,
        "website": None,
        "industry": None,
        "source": "api",
        "customAttributes": {},
        "memberCount": company.member_count,
        "createdAt": iso(company.created),
        "updatedAt": iso(company.created),
    }
