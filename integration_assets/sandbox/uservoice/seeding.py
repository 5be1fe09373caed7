"""The sample's requests, people and accounts as a UserVoice account can hold them."""

from __future__ import annotations

from integration_assets.sandbox.sample_data import SampleData
from integration_assets.sandbox.uservoice.account import Account

STATUS_NAMES = {
    "under review": "under review",
    "planned": "planned",
    "in progress": "started",
    "complete": "completed",
    "closed": "declined",
}
"""Statuses by those of the sample; an open request has none."""


def seeded_account(sample: SampleData, *, units_per_minute: int | None = None) -> Account:
    """An account with the sample's boards as forums, its posts as suggestions and its votes as supporters.

    The customer's id of an account is the sample's. Who belongs to a company there is an external user of it here.
    """
    source = sample.workspace
    account = Account(units_per_minute=units_per_minute, clock=source.clock)
    forums = {one.id: account.add_forum(one.name, created=one.created).id for one in source.boards.values()}
    labels = {one.id: account.add("labels", {"name": one.name}).id for one in source.tags.values()}
    companies = {}
    for company in source.companies.values():
        cents = None if company.monthly_spend is None else round(company.monthly_spend * 100)
        made = account.add_account(company.name, company.id, cents, created=company.created)
        companies[company.id] = made.id
    users = {}
    for user in source.users.values():
        users[user.id] = account.add_user(user.name, user.email, created=user.created).id
        for company_id in user.company_ids:
            if company_id in companies:
                account.join(users[user.id], companies[company_id])
    suggestions = {}
    for post in source.posts.values():
        author_id = users.get(post.author_id or "")
        made = account.add_suggestion(forums[post.board_id], post.title, created=post.created, author_id=author_id)
        made.fields["body"] = post.details or None
        made.links["labels"] = [labels[one] for one in post.tag_ids]
        if post.status != "open":
            made.links["status"] = _status(account, STATUS_NAMES.get(post.status, post.status))
        suggestions[post.id] = made.id
        for merged in post.merge_history:
            loser = account.add_suggestion(forums[post.board_id], merged.title, created=merged.created)
            account.merge(loser.id, made.id)
    taken: set[tuple[str, str]] = set()
    # Ids count up with time, so that lists are newest first by either.
    for vote in sorted(source.votes.values(), key=lambda one: (one.created, one.id)):
        user_id = users.get(vote.voter_id or "")
        # Support for what is gone is gone with it, and nobody supports a suggestion twice.
        if vote.post_id in suggestions and (user_id is None or (vote.post_id, vote.voter_id or "") not in taken):
            taken.add((vote.post_id, vote.voter_id or ""))
            account.support(suggestions[vote.post_id], user_id, created=vote.created)
    return account


def _status(account: Account, name: str) -> int:
    for known in account.lists["statuses"].values():
        if known.fields["name"] == name:
            return known.id
    return account.add_status(name).id
