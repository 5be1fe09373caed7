"""One small world per feedback system, and what a connector must make of it.

Every registered system needs a row in `SAMPLES`; the suite fails for one that has none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integration_assets.models import (
    Account,
    Board,
    FeatureRequest,
    Status,
    StatusChange,
    Vote,
    Voter,
)
from integration_assets.sandbox import canny, productboard, quackback, uservoice
from integration_assets.sandbox.canny import records
from integration_assets.sandbox.lookalike import Lookalike
from integration_assets.sandbox.quackback.records import Kind

DAY = 86_400_000
START = 1_767_225_600_000  # 2026-01-01T00:00:00Z


@dataclass
class Sample:
    """A look-alike with its key and base path, and the records a connector must return.

    `options` are what the connector is opened with, `newest_calls` how many calls the newest requests take.
    """

    app: Lookalike
    key: str
    path: str
    custom_statuses: tuple[str, ...]
    boards: dict[str, Board] = field(default_factory=dict)
    requests: dict[str, FeatureRequest] = field(default_factory=dict)
    votes: dict[str, Vote] = field(default_factory=dict)
    voters: dict[str, Voter] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    changes: dict[str, StatusChange] = field(default_factory=dict)
    options: dict[str, str] = field(default_factory=dict)
    newest_calls: int = 1


def at(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


STATUS_OF = {
    "open": Status.OPEN,
    "under review": Status.UNDER_REVIEW,
    "planned": Status.PLANNED,
    "in progress": Status.IN_PROGRESS,
    "complete": Status.COMPLETE,
    "closed": Status.CLOSED,
    "Won't do": Status.UNKNOWN,
}


def canny_sample() -> Sample:
    """215 posts in all statuses, two of them merged, 260 users, 230 votes, 105 companies, 3 pages of most lists."""
    workspace = canny.Workspace("canny-key-0123456789", plan=None, clock=lambda: (START + 400 * DAY) / 1000)
    sample = Sample(canny.canny_lookalike(workspace), workspace.api_key, "/api", ("Won't do",))
    board = workspace.add_board("Feature Requests", created=START)
    category = workspace.add_category(board.id, "Dashboard", created=START)
    tag = workspace.add_tag(board.id, "iOS", created=START)
    for number in range(105):
        account_id = f"company {number}/é"
        spend = (None, 0, 100.23, 99)[number % 4]
        domain = (f"c{number}.example", "", None)[number % 3]
        workspace.add_company(records.Company(account_id, f"Company {number}", START + number, domain, spend))
        text = None if spend is None else str(spend)
        sample.accounts[account_id] = Account(account_id, f"Company {number}", domain or None, text)
    for number in range(260):
        email = None if number % 10 == 0 else f"Person.{number}@c{number}.example"
        companies = [f"company {number % 105}/é", "company 0/é"][: number % 3] if number % 105 else []
        user_id = workspace.new_id(START + number)
        workspace.add_user(records.User(user_id, f"P {number}", START + number, email, company_ids=companies))
        sample.voters[user_id] = Voter(user_id, email, tuple(companies))
    people = list(sample.voters)
    for number in range(215):
        created = START + number * DAY
        status = tuple(STATUS_OF)[number % 7]
        author = people[number] if number % 5 else None
        post = records.Post(
            workspace.new_id(created), board.id, f"Idea {number} ✨", created, f"idea-{number}", author, "why", status
        )
        if number % 2:
            post.category_id, post.tag_ids, post.status_changed_at = category.id, [tag.id], created + 5
        workspace.add_post(post)
    posts = list(workspace.posts)
    workspace.add_votes(
        records.Vote(workspace.new_id(START), posts[number % 200], people[number], START + number * 1000)
        for number in range(230)
    )
    workspace.change_status(posts[3], people[1], "complete")
    workspace.merge(posts[1], posts[2])
    for post in workspace.posts.values():
        dated = post.status_changed_at is not None
        sample.requests[post.id] = FeatureRequest(
            request_id=post.id,
            title=post.title,
            status=STATUS_OF[post.status],
            source_status=post.status,
            board_id=board.id,
            board="Feature Requests",
            category="Dashboard" if post.category_id else None,
            details="why",
            url=f"https://acme.canny.invalid/admin/board/feature-requests/p/{post.url_name}",
            tags=("iOS",) if post.tag_ids else (),
            score=workspace.score(post.id),
            author_id=post.author_id,
            created_at=at(post.created),
            status_changed_at=at(post.status_changed_at or 0) if dated else None,
            merged_ids=tuple(merged.id for merged in post.merge_history),
        )
    for vote in workspace.votes.values():
        person = sample.voters[vote.voter_id or ""]
        voter = Voter(person.voter_id, person.email)
        status = workspace.posts[vote.post_id].status
        sample.votes[vote.id] = Vote(vote.id, vote.post_id, voter, at(vote.created), status)
    for change in workspace.status_changes.values():
        sample.changes[change.id] = StatusChange(change.id, change.post_id, change.status, at(change.created))
    sample.boards[board.id] = Board(board.id, board.name, len(workspace.posts))
    return sample


def productboard_sample() -> Sample:
    """120 features and some subfeatures below a product and its component, 130 users, 140 notes, pages of 50."""
    options = productboard.Options(page=50, embedded=3, empty_pages=True)
    workspace = productboard.Workspace(limited=False, options=options)
    app = productboard.productboard_lookalike(workspace)
    sample = Sample(app, workspace.token, "", (), options={"spend_field": productboard.SPEND_FIELD})
    product = workspace.add("product", "Platform", START)
    component = workspace.add("component", "Reports", START, parent=product.id)
    for one in (product, component):
        sample.boards[one.id] = Board(one.id, str(one.fields["name"]))
    for number in range(105):
        spend = (None, 0, 100.23, 99)[number % 4]
        domain = (f"c{number}.example", "", None)[number % 3]
        fields = {"domain": domain, productboard.SPEND_FIELD: spend}
        company = workspace.add("company", f"Company {number}", START + number, fields=fields)
        text = None if spend is None else str(spend)
        sample.accounts[company.id] = Account(company.id, f"Company {number}", domain or None, text)
    companies = list(sample.accounts)
    for number in range(130):
        email = None if number % 10 == 0 else f"Person.{number}@c{number}.example"
        user = workspace.add("user", f"P {number}", START + number, fields={"email": email})
        own = companies[number % 105 : number % 105 + number % 3]
        user.relationships += [("parent", one) for one in own]
        sample.voters[user.id] = Voter(user.id, email, tuple(own))
    names = list(PRODUCTBOARD_STATUS_OF)
    features: list[str] = []
    for number in range(130):
        kind, above = ("subfeature", features[0]) if number > 119 else ("feature", (product, component)[number % 2].id)
        board = product if number > 119 else (product, component)[number % 2]
        name, archived = names[number % len(names)], number % 11 == 1
        values: dict[str, Any] = {
            "status": workspace.status(name),
            "description": "<p>why &amp; how</p><p>when</p>",
            "archived": archived,
            "tags": [{"id": workspace.new_id(), "name": "iOS"}] if number % 2 else [],
        }
        record = workspace.add(kind, f"Idea {number} ✨", START + number * DAY, parent=above, fields=values)
        features.append(record.id)
        sample.requests[record.id] = FeatureRequest(
            request_id=record.id,
            title=f"Idea {number} ✨",
            status=Status.CLOSED if archived else PRODUCTBOARD_STATUS_OF[name],
            source_status=name,
            board_id=board.id,
            board=str(board.fields["name"]),
            details="why & how\nwhen",
            url=f"https://acme.productboard.invalid/detail/{record.id}",
            tags=("iOS",) if number % 2 else (),
            created_at=at(START + number * DAY),
        )
    users = list(sample.voters)
    for number in range(140):
        # Of a user, of a company, or of nobody; on one feature or on many, and on what is no request.
        customer = (users[number % 130], companies[number % 105], None)[number % 3]
        linked = [features[number % 130], component.id, *features[: 5 if number % 20 == 0 else 0]]
        note = workspace.add_note(START + number, customer=customer, linked=linked)
        accounts = (customer,) if customer in companies else ()
        voter = None if customer is None else Voter(customer, None, tuple(one for one in accounts if one))
        for target in dict.fromkeys(linked):
            if target != component.id:
                vote_id = f"{note.id}:{target}"
                sample.votes[vote_id] = Vote(vote_id, target, voter, at(START + number))
    return sample


PRODUCTBOARD_STATUS_OF = {
    "New idea": Status.OPEN,
    "Under consideration": Status.UNDER_REVIEW,
    "Planned": Status.PLANNED,
    "In progress": Status.IN_PROGRESS,
    "Released": Status.COMPLETE,
    "Someday": Status.UNKNOWN,
}


def quackback_sample() -> Sample:
    """115 posts, one of them merged, deleted ones beside them, 110 voters of one, a team and anonymous voters."""
    workspace = quackback.Workspace(calls_per_minute=None, clock=lambda: (START + 400 * DAY) / 1000)
    portal = "https://feedback.acme.invalid"
    sample = Sample(quackback.quackback_lookalike(workspace), workspace.key.secret, "", ())
    # One call more: the statuses have their names in a list of their own.
    sample.options, sample.newest_calls = {"pace": "import", "portal_url": f"{portal}/"}, 2
    workspace.add_status("Someday", "someday")
    workspace.add_status("Won't do", "wont_do", "closed")
    board = workspace.add_board("Feature Requests", "feature-requests", created=START)
    tag = workspace.add_tag("iOS")
    for number in range(105):
        external_id = f"company {number}/é" if number % 2 else None
        cents, domain = (None, 0, 10_023, 9_900)[number % 4], (f"c{number}.example", "", None)[number % 3]
        company = workspace.add_company(
            f"Company {number}", created=START, domain=domain, external_id=external_id, mrr_cents=cents
        )
        spend = (None, "0.00", "100.23", "99.00")[number % 4]
        account = Account(external_id or company.id, f"Company {number}", domain or None, spend)
        sample.accounts[account.account_id] = account
    for number in range(120):
        kind = Kind.ANONYMOUS if number % 10 == 0 else Kind.TEAM if number % 25 == 1 else Kind.USER
        email = None if kind is Kind.ANONYMOUS else f"Person.{number}@c{number}.example"
        workspace.add_principal(kind, f"P {number}" if email else None, email, created=START + number)
    people = list(workspace.principals)
    slugs = [status.slug for status in workspace.statuses.values()]
    for number in range(115):
        post = workspace.add_post(
            board.id, f"Idea {number} ✨", created=START + number * DAY, slug=slugs[number % len(slugs)]
        )
        post.content, post.author_id, post.tag_ids = "why", people[number], [tag.id] if number % 2 else []
        for place, person_id in enumerate(people[: 110 if number == 3 else number % 3]):
            helper = people[1] if place == 2 else None
            workspace.vote(post.id, person_id, created=post.created + place, added_by=helper)
    posts = list(workspace.posts)
    workspace.merge(posts[1], posts[2])
    workspace.delete_post(workspace.add_post(board.id, "Spam", created=START).id)
    for post in (workspace.posts[one] for one in posts if one != posts[1]):
        status = workspace.statuses[post.status_id or ""]
        sample.requests[post.id] = FeatureRequest(
            request_id=post.id,
            title=post.title,
            status=QUACKBACK_STATUS_OF[status.slug],
            source_status=status.name,
            board_id=board.id,
            board="Feature Requests",
            details="why",
            url=f"{portal}/b/feature-requests/posts/{post.id}",
            tags=("iOS",) if post.tag_ids else (),
            score=len(workspace.thread(post.id)),
            created_at=at(post.created),
        )
        for vote in workspace.thread(post.id):
            voter = Voter(vote.principal_id, workspace.principals[vote.principal_id].email)
            vote_id = f"{post.id}:{vote.principal_id}"
            sample.votes[vote_id] = Vote(vote_id, post.id, voter, at(vote.created))
    # The post that was merged away is counted all the same.
    sample.boards[board.id] = Board(board.id, board.name, len(posts))
    return sample


QUACKBACK_STATUS_OF = {
    "open": Status.OPEN,
    "under_review": Status.UNDER_REVIEW,
    "planned": Status.PLANNED,
    "in_progress": Status.IN_PROGRESS,
    "complete": Status.COMPLETE,
    "closed": Status.CLOSED,
    "someday": Status.UNKNOWN,
    "wont_do": Status.CLOSED,
}


def uservoice_sample() -> Sample:
    """115 suggestions in two forums, one of them merged and listed, 230 supporters, 120 users, 105 accounts."""
    account = uservoice.Account(clock=lambda: (START + 400 * DAY) / 1000, options=uservoice.Options(lists_merged=True))
    sample = Sample(uservoice.uservoice_lookalike(account), account.client_secret, "", ())
    # One call more: the token.
    sample.options, sample.newest_calls = {"client_id": account.client_id}, 2
    account.add_status("Someday")
    account.add_status("Won't do", is_open=False)
    forums = [account.add_forum(name, created=START) for name in ("Product", "Website")]
    category, label = account.add("categories", {"name": "Dashboard"}), account.add("labels", {"name": "iOS"})
    for forum in forums:
        sample.boards[str(forum.id)] = Board(str(forum.id), forum.fields["name"])
    accounts = []
    for number in range(105):
        external_id = f"company {number}/é" if number % 2 else None
        made = account.add_account(f"Company {number}", external_id, (None, 0, 10_023, 9_900)[number % 4])
        accounts.append((made.id, external_id or str(made.id)))
        spend = (None, "0.00", "100.23", "99.00")[number % 4]
        sample.accounts[accounts[-1][1]] = Account(accounts[-1][1], f"Company {number}", None, spend)
    for number in range(120):
        user = account.add_user(f"P {number}", None if number % 10 == 0 else f"Person.{number}@c{number}.example")
        own = [accounts[number % 105], accounts[0]][: number % 3] if number % 105 else []
        for one, _ in own:
            account.join(user.id, one)
        # Known from a product, and of no account there.
        account.join(user.id, None)
        sample.voters[str(user.id)] = Voter(str(user.id), user.fields["email_address"], tuple(one for _, one in own))
    people, words = list(sample.voters), [None, *USERVOICE_STATUS_OF]
    for number in range(115):
        forum, author, word = forums[number % 2], people[number] if number % 5 else None, words[number % len(words)]
        made = account.add_suggestion(
            forum.id, f"Idea {number} ✨", created=START + number * DAY, author_id=int(author) if author else None
        )
        made.fields |= {"body": "<p>why &amp; how</p>", "body_mime_type": ("text/html", "text/plain")[number % 2]}
        made.links |= {"category": category.id, "labels": [label.id]} if number % 2 else {}
        made.links["status"] = account.status(word).id if word else None
    suggestions = list(account.lists["suggestions"].values())
    for number in range(230):
        person = None if number % 50 == 7 else int(people[number % 120])
        account.support(suggestions[number % 100].id, person, created=START + number * 1000)
    account.merge(suggestions[1].id, suggestions[2].id)
    for number, suggestion in enumerate(suggestions):
        word, author = words[number % len(words)], suggestion.links["created_by"]
        sample.requests[str(suggestion.id)] = FeatureRequest(
            request_id=str(suggestion.id),
            title=suggestion.fields["title"],
            status=Status.DUPLICATE if number == 1 else USERVOICE_STATUS_OF[word] if word else Status.OPEN,
            source_status=word,
            board_id=str(suggestion.links["forum"]),
            board=("Product", "Website")[number % 2],
            category="Dashboard" if number % 2 else None,
            details="<p>why &amp; how</p>" if number % 2 else "why & how",
            url=suggestion.fields["portal_url"],
            tags=("iOS",) if number % 2 else (),
            score=len(account.supporters_of(suggestion.id)),
            author_id=None if author is None else str(author),
            created_at=at(START + number * DAY),
        )
    for supporter in account.lists["supporters"].values():
        user_id = supporter.links["user"]
        voter = None if user_id is None else Voter(str(user_id), sample.voters[str(user_id)].email)
        created = datetime.fromisoformat(supporter.fields["created_at"])
        sample.votes[str(supporter.id)] = Vote(str(supporter.id), str(supporter.links["suggestion"]), voter, created)
    return sample


USERVOICE_STATUS_OF = {
    "under review": Status.UNDER_REVIEW,
    "planned": Status.PLANNED,
    "started": Status.IN_PROGRESS,
    "completed": Status.COMPLETE,
    "declined": Status.CLOSED,
    "Someday": Status.UNKNOWN,
    "Won't do": Status.CLOSED,
}

SAMPLES: dict[str, Callable[[], Sample]] = {
    "canny": canny_sample,
    "productboard": productboard_sample,
    "quackback": quackback_sample,
    "uservoice": uservoice_sample,
}
