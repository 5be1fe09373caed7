"""How Canny writes its objects as JSON: whole ones in their own lists, shorter ones inside others."""

from __future__ import annotations

import math
import zlib
from typing import Any

from integration_assets.sandbox.canny.records import (
    Board,
    Category,
    Comment,
    Company,
    MergedPost,
    Opportunity,
    Post,
    StatusChange,
    Tag,
    User,
    Vote,
    iso,
)
from integration_assets.sandbox.canny.workspace import Workspace

Json = dict[str, Any]


def board(workspace: Workspace, board: Board) -> Json:
    """A board of boards/list, with the undocumented `token` that real answers carry."""
    return {
        **board_inside(workspace, board),
        "isPrivate": board.is_private,
        "privateComments": board.private_comments,
        "token": f"{zlib.crc32(board.id.encode()):08x}",
    }


def board_inside(workspace: Workspace, board: Board) -> Json:
    """The board inside a post, vote or comment."""
    return {
        "id": board.id,
        "created": iso(board.created),
        "name": board.name,
        "postCount": workspace.board_counts[board.id],
        "url": f"{_origin(workspace)}/admin/board/{board.url_name}",
    }


def category(workspace: Workspace, category: Category) -> Json:
    """A category of categories/list."""
    home = workspace.boards[category.board_id]
    return {
        **category_inside(workspace, category),
        "board": board_inside(workspace, home),
        "created": iso(category.created),
    }


def category_inside(workspace: Workspace, category: Category) -> Json:
    """The category inside a post."""
    home = workspace.boards[category.board_id]
    return {
        "id": category.id,
        "name": category.name,
        "parentID": category.parent_id,
        "postCount": workspace.posts_with(category.id),
        "url": f"{_origin(workspace)}/admin/board/{home.url_name}?category={category.id}",
    }


def tag(workspace: Workspace, tag: Tag) -> Json:
    """A tag of tags/list."""
    return {
        **tag_inside(workspace, tag),
        "board": board_inside(workspace, workspace.boards[tag.board_id]),
        "created": iso(tag.created),
    }


def tag_inside(workspace: Workspace, tag: Tag) -> Json:
    """The tag inside a post."""
    home = workspace.boards[tag.board_id]
    return {
        "id": tag.id,
        "name": tag.name,
        "postCount": workspace.posts_with(tag.id),
        "url": f"{_origin(workspace)}/admin/board/{home.url_name}?tags={tag.id}",
    }


def user(workspace: Workspace, user: User) -> Json:
    """A person of users/list, with the companies."""
    return {
        **user_inside(workspace, user),
        "alias": user.alias,
        "avatarURL": user.avatar_url,
        "companies": [
            company_inside(workspace.companies[known]) for known in user.company_ids if known in workspace.companies
        ],
        "customFields": user.custom_fields,
        "lastActivity": None if user.last_activity is None else iso(user.last_activity),
    }


def user_inside(workspace: Workspace, user: User) -> Json:
    """The person inside a post, vote or status change: without companies."""
    return {
        "id": user.id,
        "created": iso(user.created),
        "email": user.email,
        "isAdmin": user.is_admin,
        "name": user.name,
        "url": f"{_origin(workspace)}/admin/users/{user.id[-6:]}",
        "userID": user.user_id,
    }


def company(workspace: Workspace, company: Company) -> Json:
    """A company of companies/list."""
    return {
        **company_inside(company),
        "domain": company.domain,
        "memberCount": len(workspace.members.get(company.id, ())),
    }


def company_inside(company: Company) -> Json:
    """The company inside a person: without domain and member count."""
    return {
        "id": company.id,
        "created": iso(company.created),
        "customFields": company.custom_fields,
        "monthlySpend": company.monthly_spend,
        "name": company.name,
    }


def post(workspace: Workspace, post: Post) -> Json:
    """A post of posts/list, with the undocumented `totalMRR` that real answers carry."""
    return {
        **_post_core(workspace, post),
        "author": _person(workspace, post.author_id),
        "board": board_inside(workspace, workspace.boards[post.board_id]),
        "by": _person(workspace, post.by_id),
        "clickup": {"linkedTasks": []},
        "created": iso(post.created),
        "customFields": post.custom_fields,
        "details": post.details,
        "mergeHistory": [_merged(merged) for merged in post.merge_history],
        "owner": _person(workspace, post.owner_id),
        "statusChangedAt": None if post.status_changed_at is None else iso(post.status_changed_at),
        "totalMRR": total_mrr(workspace, post.id),
    }


def post_alone(workspace: Workspace, found: Post) -> Json:
    """The post of posts/retrieve."""
    comment = None if found.change_comment is None else {"value": found.change_comment, "imageURLs": []}
    return {**post(workspace, found), "changeComment": comment}


def post_inside(workspace: Workspace, post: Post) -> Json:
    """The post inside a vote."""
    return _post_core(workspace, post)


def vote(workspace: Workspace, vote: Vote) -> Json:
    """A vote of votes/list."""
    on = workspace.post_of(vote)
    return {
        "id": vote.id,
        "board": board_inside(workspace, workspace.boards[on.board_id]),
        "by": _person(workspace, vote.by_id),
        "created": iso(vote.created),
        "post": post_inside(workspace, on),
        "voter": _person(workspace, vote.voter_id),
        "votePriority": vote.priority,
        "zendeskTicket": vote.zendesk_ticket,
    }


def comment(workspace: Workspace, comment: Comment) -> Json:
    """A comment of comments/list."""
    on = workspace.posts[comment.post_id]
    return {
        "id": comment.id,
        "author": _person(workspace, comment.author_id),
        "board": board_inside(workspace, workspace.boards[on.board_id]),
        "created": iso(comment.created),
        "imageURLs": comment.image_urls,
        "internal": comment.internal,
        "likeCount": 0,
        "mentions": [],
        "parentID": None,
        "post": post_inside(workspace, on),
        "private": comment.private,
        "value": comment.value,
    }


def status_change(workspace: Workspace, change: StatusChange) -> Json:
    """A status change of status_changes/list."""
    on = workspace.posts[change.post_id]
    return {
        "id": change.id,
        "changeComment": None if change.comment is None else {"value": change.comment, "imageURLs": []},
        "changer": _person(workspace, change.changer_id),
        "created": iso(change.created),
        "post": {
            **post_inside(workspace, on),
            "author": _person(workspace, on.author_id),
            "board": board_inside(workspace, workspace.boards[on.board_id]),
            "created": iso(on.created),
            "details": on.details,
        },
        "status": change.status,
    }


def opportunity(opportunity: Opportunity) -> Json:
    """An opportunity of opportunities/list."""
    return {
        "id": opportunity.id,
        "closed": opportunity.closed,
        "name": opportunity.name,
        "postIDs": opportunity.post_ids,
        "salesforceOpportunityID": opportunity.salesforce_id,
        "value": opportunity.value,
        "won": opportunity.won,
    }


def total_mrr(workspace: Workspace, post_id: str) -> float:
    """Monthly spend of the distinct companies behind the votes on a post, in dollars."""
    companies: set[str] = set()
    timeline = workspace.votes_of_post.get(post_id)
    for _, vote_id in timeline.keys if timeline is not None else ():
        voter_id = workspace.votes[vote_id].voter_id
        if voter_id is not None and voter_id in workspace.users:
            companies.update(workspace.users[voter_id].company_ids)
    known = [workspace.companies[name].monthly_spend for name in companies if name in workspace.companies]
    return round(math.fsum(spend for spend in known if spend is not None), 2)


def _post_core(workspace: Workspace, post: Post) -> Json:
    where = workspace.boards[post.board_id].url_name
    group = workspace.categories.get(post.category_id) if post.category_id is not None else None
    return {
        "id": post.id,
        "category": None if group is None else category_inside(workspace, group),
        "commentCount": len(workspace.comments_of_post.get(post.id, ())),
        "eta": post.eta,
        "imageURLs": post.image_urls,
        "jira": {"linkedIssues": []},
        "linear": {"linkedIssueIDs": []},
        "score": workspace.score(post.id),
        "status": post.status,
        "tags": [tag_inside(workspace, workspace.tags[known]) for known in post.tag_ids if known in workspace.tags],
        "title": post.title,
        "url": f"{_origin(workspace)}/admin/board/{where}/p/{post.url_name}",
    }


def _merged(merged: MergedPost) -> Json:
    return {
        "created": iso(merged.merged_at),
        "post": {
            "id": merged.id,
            "created": iso(merged.created),
            "details": merged.details,
            "imageURLs": merged.image_urls,
            "title": merged.title,
        },
    }


def _person(workspace: Workspace, user_id: str | None) -> Json | None:
    known = workspace.users.get(user_id) if user_id is not None else None
    return None if known is None else user_inside(workspace, known)


def _origin(workspace: Workspace) -> str:
    # Below a name that is nobody's: somebody's real workspace may be called as this one.
    return f"https://{workspace.subdomain}.canny.invalid"
