"""The sample's feedback in a Productboard workspace: the same requests and people, notes in place of votes."""

from __future__ import annotations

from html import escape

from integration_assets.sandbox.canny.workspace import Workspace as CannyWorkspace
from integration_assets.sandbox.productboard.workspace import Workspace

SPEND_FIELD = "5d0a4dd4-70a4-4a57-bd8e-5e3ad1ce2b4d"
"""Id of the custom field of companies that holds what they pay a month."""
STATUS_NAMES = {
    "open": "New idea",
    "under review": "Under consideration",
    "planned": "Planned",
    "in progress": "In progress",
    "complete": "Released",
    "closed": "Won't do",
}


def filled_like(canny: CannyWorkspace, *, limited: bool = True) -> Workspace:
    """A workspace with what a Canny workspace holds: boards as products, posts as features, a note for each vote."""
    workspace = Workspace(limited=limited)
    products = {one.id: workspace.add("product", one.name, one.created).id for one in canny.boards.values()}
    companies = {
        one.id: workspace.add(
            "company", one.name, one.created, fields={"domain": one.domain, SPEND_FIELD: one.monthly_spend}
        ).id
        for one in canny.companies.values()
    }
    users = {}
    for user in canny.users.values():
        record = workspace.add("user", user.name, user.created, fields={"email": user.email})
        record.relationships += [("parent", companies[one]) for one in user.company_ids if one in companies]
        users[user.id] = record.id
    features = {}
    for post in canny.posts.values():
        record = workspace.add(
            "feature",
            post.title,
            post.created,
            parent=products[post.board_id],
            fields={
                "description": f"<p>{escape(post.details)}</p>" if post.details else None,
                "status": workspace.status(STATUS_NAMES.get(post.status, post.status)),
                "archived": False,
            },
        )
        features[post.id] = record.id
    for vote in canny.votes.values():
        # A vote on a post that is gone has no place here: deleting a feature takes its links with it.
        if vote.post_id in features:
            customer = users.get(vote.voter_id or "")
            workspace.add_note(vote.created, customer=customer, linked=[features[vote.post_id]])
    return workspace
