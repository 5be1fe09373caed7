"""Reading posts: which are listed, in which order, and how one is named."""

from __future__ import annotations

from integration_assets.sandbox.canny import views
from integration_assets.sandbox.canny.body import RefusedError
from integration_assets.sandbox.canny.endpoints import existing
from integration_assets.sandbox.canny.paging import DEFAULT_LIMIT, Json
from integration_assets.sandbox.canny.records import DEFAULT_STATUSES, Post
from integration_assets.sandbox.canny.workspace import Workspace

SORTS = ("newest", "oldest", "relevance", "score", "statusChanged", "trending")
TRENDING_WINDOW = 30 * 24 * 3600 * 1000
"""Votes this young, in milliseconds, make a post trend."""


def posts_list(workspace: Workspace, args: Json) -> Json:
    """Posts of the asked statuses, by default only those that are still open in some way."""
    sort = args.get("sort", "newest")
    if sort not in SORTS or (sort == "relevance" and not args.get("search")):
        raise RefusedError("invalid sort")
    if "boardID" in args:
        existing(workspace, workspace.boards, args["boardID"], "board")
    found = _matching_posts(workspace, args, sort)
    skip, limit = args.get("skip", 0), args.get("limit", DEFAULT_LIMIT)
    page = found[skip : skip + limit]
    return {"posts": [views.post(workspace, post) for post in page], "hasMore": skip + limit < len(found)}


def _matching_posts(workspace: Workspace, args: Json, sort: str) -> list[Post]:
    """All posts a list call pages through, kept until the workspace changes or other filters are asked for."""
    filters = repr(sorted((name, value) for name, value in args.items() if name not in ("skip", "limit")))
    held = workspace.held_posts
    if held is not None and held[:2] == (workspace.version, filters):
        return held[2]
    asked = args.get("status", ",".join(DEFAULT_STATUSES)).split(",")
    statuses = {status.strip().lower() for status in asked}
    authors = workspace.members.get(args["companyID"], set()) if "companyID" in args else None
    wanted_tags = set(args.get("tagIDs", ()))
    search = args.get("search", "").lower()
    newest_first = (workspace.posts[post_id] for _, post_id in workspace.posts_in_order.newest_first())
    found = [
        post
        for post in newest_first
        if post.status.lower() in statuses
        and ("boardID" not in args or post.board_id == args["boardID"])
        and ("authorID" not in args or post.author_id == args["authorID"])
        and (authors is None or post.author_id in authors)
        and (not wanted_tags or wanted_tags.intersection(post.tag_ids))
        and (not search or search in f"{post.title}\n{post.details or ''}".lower())
    ]
    found = _sorted(workspace, found, sort)
    workspace.held_posts = (workspace.version, filters, found)
    return found


def _sorted(workspace: Workspace, newest_first: list[Post], sort: str) -> list[Post]:
    match sort:
        case "oldest":
            return newest_first[::-1]
        case "score":
            return sorted(newest_first, key=lambda post: -workspace.score(post.id))
        case "statusChanged":
            return sorted(newest_first, key=lambda post: -(post.status_changed_at or 0))
        case "trending":
            since = (workspace.moment() - TRENDING_WINDOW, "")
            recent = {
                post.id: sum(1 for _ in workspace.votes_of_post[post.id].oldest_first(since)) for post in newest_first
            }
            return sorted(newest_first, key=lambda post: -recent[post.id])
        case _:
            return newest_first


def posts_retrieve(workspace: Workspace, args: Json) -> Json:
    """One post by id, or by slug and board."""
    if "id" in args:
        if len(args) > 1:
            raise RefusedError("give either id, or urlName and boardID")
        return views.post_alone(workspace, existing(workspace, workspace.posts, args["id"], "post"))
    if set(args) != {"urlName", "boardID"}:
        raise RefusedError("give either id, or urlName and boardID")
    post_id = workspace.post_of_slug.get((args["boardID"], args["urlName"]), "")
    return views.post_alone(workspace, existing(workspace, workspace.posts, post_id, "post"))
