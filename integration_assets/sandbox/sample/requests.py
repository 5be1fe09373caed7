"""Boards, requests with their history, and the votes on them."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from integration_assets.sandbox.canny.records import Board, Comment, Opportunity, Post, StatusChange, Vote, slug
from integration_assets.sandbox.sample.people import YEAR, Making
from integration_assets.sandbox.sample.words import (
    BOARDS,
    CONTEXTS,
    INTEGRATION_PATTERNS,
    OBJECTS,
    REASONS,
    SYSTEMS,
    TAGS,
    VERBS,
)

DAY = 24 * 3600 * 1000
CUSTOM_STATUSES = ("needs more info", "on hold")
_PATHS: dict[str, tuple[str, ...]] = {
    "open": (),
    "under review": ("under review",),
    "planned": ("under review", "planned"),
    "in progress": ("under review", "planned", "in progress"),
    "complete": ("planned", "in progress", "complete"),
    "closed": ("under review", "closed"),
    "needs more info": ("needs more info",),
    "on hold": ("planned", "on hold"),
}
"""Statuses a request went through on its way to where it is."""
_STATUS_WEIGHTS = (50, 12, 10, 6, 12, 6, 2, 2)
_MIXES = (
    {"enterprise": 0.10, "mid": 0.30, "small": 0.45, "other": 0.15},
    {"enterprise": 0.72, "mid": 0.20, "small": 0.05, "other": 0.03},
    {"enterprise": 0.01, "mid": 0.09, "small": 0.60, "other": 0.30},
)
"""Who wants a request: everybody, mostly big companies, mostly small ones; so votes and revenue rank differently."""
_MIX_WEIGHTS = (55, 20, 25)
_MIX_POPULARITY = (1.0, 0.35, 1.3)

NASTY_TITLES = {
    "title.bidi": "\u202estropxe lacitcarP\u202c for auditors",
    "title.zero_width": "Search\u200b in\u200d contracts\ufeff",
    "title.script": "<script>alert('dashboards')</script> Embed dashboards",
    "title.formula": '=HYPERLINK("https://example.com/","Export to Excel")',
    "title.slack_markup": "*Mention* <!channel> and <@U123> in `notifications` & alerts",
    "title.markdown": "[Pricing](javascript:alert(1)) | pipes | in | tables",
    "title.sql": "'; DROP TABLE votes; -- please support quotes",
    "title.emoji": "🚀 Dark mode for night shifts 🌙",
    "title.cjk": "請求書の一括編集",
    "title.arabic": "دعم اللغة العربية في التقارير",
    "title.combining": "Re\u0301sume\u0301 parsing",
    "title.newline": "Line break\nin a title",
    "title.padded": "   Trim spaces around names   ",
    "title.long": "Please let us configure " + "really " * 60 + "everything",
}


@dataclass
class Requests:
    """The posts in the order they were made, with how many votes each shall get, and the kinds of dirt by post id."""

    posts: list[Post] = field(default_factory=list)
    mixes: list[int] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)
    dirt: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def make_requests(making: Making, count: int, votes: int) -> Requests:
    """`count` requests over five boards and close to `votes` votes, a few of them merged or gone in the end."""
    draw = making.draw
    requests = Requests()
    boards = _make_boards(making)
    gone = max(2, count // 150)
    merged = max(2, count // 30)
    titles = {number: _titles(draw, integrations=number == 1) for number in range(len(boards))}
    for _ in range(count + gone + merged):
        number = draw.choices(range(len(boards)), (40, 22, 14, 18, 6))[0]
        requests.posts.append(_make_post(making, boards[number], next(titles[number])))
        requests.mixes.append(draw.choices((0, 1, 2), _MIX_WEIGHTS)[0])
    _dirty_posts(making, requests, count)
    _set_targets(draw, requests, votes, gone)
    making.workspace.add_votes(_make_votes(making, requests))
    for post in requests.posts:
        _make_history(making, post)
    _merge(making, requests, count, merged)
    _lose(making, requests, gone)
    _opportunities(making, count)
    return requests


def _make_boards(making: Making) -> list[Board]:
    made = []
    for name, categories in BOARDS:
        created = making.until - 3 * YEAR - DAY
        board = making.workspace.add_board(name, created=created, is_private=name.startswith("Internal"))
        for category in categories:
            making.workspace.add_category(board.id, category, created=created)
        for tag in TAGS:
            making.workspace.add_tag(board.id, tag, created=created)
        made.append(board)
    return made


def _titles(draw: random.Random, *, integrations: bool) -> Iterator[str]:
    if integrations:
        combinations = list(itertools.product(INTEGRATION_PATTERNS, SYSTEMS, OBJECTS))
        draw.shuffle(combinations)
        made = [pattern.format(system=system, object=thing) for pattern, system, thing in combinations]
        yield from dict.fromkeys(made)
    while True:
        yield f"{draw.choice(VERBS)} {draw.choice(OBJECTS)} {draw.choice(CONTEXTS)}"


def _make_post(making: Making, board: Board, title: str) -> Post:
    draw, workspace = making.draw, making.workspace
    created = making.until - round(3 * YEAR * draw.random() ** 1.3) - DAY // 24
    tier = draw.choices(("enterprise", "mid", "small", "other"), (2, 3, 4, 1))[0]
    categories = [category.id for category in workspace.categories.values() if category.board_id == board.id]
    tags = [tag.id for tag in workspace.tags.values() if tag.board_id == board.id]
    return workspace.add_post(
        Post(
            id=workspace.new_id(created),
            board_id=board.id,
            title=title,
            created=created,
            url_name=slug(title),
            author_id=draw.choice(making.people.by_tier[tier]),
            by_id=draw.choice(making.people.staff) if draw.random() < 0.05 else None,
            owner_id=draw.choice(making.people.staff) if draw.random() < 0.2 else None,
            details=" ".join(draw.sample(REASONS, draw.randrange(1, 4))),
            category_id=draw.choice(categories) if draw.random() < 0.7 else None,
            tag_ids=draw.sample(tags, draw.randrange(3)),
            eta=draw.choice(("February 2027", "June 2027")) if draw.random() < 0.05 else None,
            custom_fields=[{"id": "field-area", "name": "area", "value": "core"}] if draw.random() < 0.1 else [],
        )
    )


def _dirty_posts(making: Making, requests: Requests, count: int) -> None:
    """Spoil some of the first `count` posts, each in one way."""
    free = list(range(count))
    making.draw.shuffle(free)
    share = max(1, count // 100)

    def spoil(kind: str) -> Post:
        post = requests.posts[free.pop()]
        requests.dirt[kind].append(post.id)
        return post

    for kind, title in NASTY_TITLES.items():
        spoil(kind).title = title
    for _ in range(share):
        spoil("title.empty").title = ""
        spoil("details.null").details = None
        spoil("details.empty").details = ""
        twin = spoil("title.twice")
        twin.title = requests.posts[free[0]].title
        orphan = spoil("author.gone")
        making.workspace.posts_of_author[orphan.author_id or ""].discard(orphan.id)
        orphan.author_id = None
    long = spoil("details.long")
    long.details = "Zeile mit Umlauten äöü und 漢字. " * 400
    for _ in range(2):
        for status in CUSTOM_STATUSES:
            spoil("status.custom").status = status
    for post in requests.posts:
        if post.status == "open":
            post.status = making.draw.choices(list(_PATHS), _STATUS_WEIGHTS)[0]


def _set_targets(draw: random.Random, requests: Requests, votes: int, gone: int) -> None:
    """Popularity falls with rank as in a real list; nasty titles rank last, so that a demonstration shows others first.

    Posts that cannot be used in the end, being gone or without title, get so few votes that they spoil no run.
    """
    nasty = {post_id for kind in NASTY_TITLES for post_id in requests.dirt[kind]}
    order = list(range(len(requests.posts)))
    draw.shuffle(order)
    order.sort(key=lambda number: requests.posts[number].id in nasty)
    unusable = {*requests.dirt["title.empty"], *(post.id for post in requests.posts[-gone:])}
    weights = [0.0] * len(order)
    for rank, number in enumerate(order):
        if requests.posts[number].id not in unusable:
            weights[number] = _MIX_POPULARITY[requests.mixes[number]] / (rank + 3) ** 0.85
    total = sum(weights)
    requests.targets = [round(votes * weight / total) if weight else 2 for weight in weights]


def _make_votes(making: Making, requests: Requests) -> list[Vote]:
    """Everybody votes once, then every post gets people of its kind until it has its number."""
    draw, by_tier = making.draw, making.people.by_tier
    voters: list[dict[str, None]] = [{} for _ in requests.posts]
    for tier, people in by_tier.items():
        weights = [
            _MIXES[mix][tier] * (target + 0.1) for mix, target in zip(requests.mixes, requests.targets, strict=True)
        ]
        for user_id, number in zip(people, draw.choices(range(len(weights)), weights, k=len(people)), strict=True):
            voters[number][user_id] = None
    for user_id in making.people.staff:
        voters[draw.randrange(len(voters))][user_id] = None
    everybody = [user_id for people in by_tier.values() for user_id in people]
    votes: list[Vote] = []
    for number, post in enumerate(requests.posts):
        chosen = voters[number]
        mix = _MIXES[requests.mixes[number]]
        missing = requests.targets[number] - len(chosen)
        tiers = draw.choices(list(mix), list(mix.values()), k=max(0, missing))
        for tier in tiers:
            # A few tries among its kind of people, then among all.
            for attempt in range(12):
                user_id = draw.choice(by_tier[tier] if attempt < 4 else everybody)
                if user_id not in chosen:
                    chosen[user_id] = None
                    break
        hot = draw.random() < 0.08
        votes += [_make_vote(making, post, user_id, hot=hot) for user_id in chosen]
    return votes


def _make_vote(making: Making, post: Post, user_id: str, *, hot: bool) -> Vote:
    draw = making.draw
    span = making.until - post.created
    recent = min(span, 30 * DAY)
    age = recent * draw.random() if hot and draw.random() < 0.7 else span * draw.random() ** 0.8
    created = making.until - round(age)
    ticket = draw.randrange(1, 10_000) if draw.random() < 0.01 else None
    return Vote(
        id=making.workspace.new_id(created),
        post_id=post.id,
        voter_id=user_id,
        created=created,
        by_id=draw.choice(making.people.staff) if draw.random() < 0.05 else None,
        priority=draw.choices(("No priority", "Nice to have", "Important", "Must have", None), (80, 6, 8, 4, 2))[0],
        zendesk_ticket=None
        if ticket is None
        else {
            "id": str(ticket),
            "created": "2026-01-05T08:00:00.000Z",
            "subject": "Question about a feature",
            "description": "The customer asked whether this exists.",
            "url": f"https://acme.zendesk.com/tickets/{ticket}",
        },
    )


def _make_history(making: Making, post: Post) -> None:
    """The status changes a post must have had, and a comment here and there."""
    draw, workspace = making.draw, making.workspace
    path = _PATHS[post.status]
    span = making.until - post.created
    for step, status in enumerate(path, start=1):
        created = post.created + round(span * step / (len(path) + 1) * draw.uniform(0.8, 1.0))
        comment = "Thanks for all the feedback!" if status == "complete" else None
        workspace.add_status_change(
            StatusChange(workspace.new_id(created), post.id, draw.choice(making.people.staff), created, status, comment)
        )
    if draw.random() < 0.3:
        created = post.created + round(span * draw.random())
        author = draw.choice(making.people.by_tier["small"])
        workspace.add_comment(Comment(workspace.new_id(created), post.id, author, created, draw.choice(REASONS)))


def _merge(making: Making, requests: Requests, count: int, merged: int) -> None:
    """Merge the posts behind the first `count` into some of those, each with voters who voted on both."""
    draw, workspace = making.draw, making.workspace
    spoilt = {post_id for some in requests.dirt.values() for post_id in some}
    survivors = [post for post in requests.posts[:count] if post.id not in spoilt and workspace.score(post.id) > 2]
    for number, post in enumerate(requests.posts[count : count + merged]):
        survivor = draw.choice(survivors)
        both = [workspace.votes[vote_id].voter_id for _, vote_id in workspace.votes_of_post[survivor.id].keys[:2]]
        for voter_id in both:
            if voter_id is not None:
                created = making.until - draw.randrange(max(1, making.until - post.created))
                workspace.vote(post.id, voter_id, created=created)
        before = workspace.score(post.id) + workspace.score(survivor.id)
        merged_at = making.until - draw.randrange(max(1, making.until - max(post.created, survivor.created)))
        workspace.merge(post.id, survivor.id, merged_at=merged_at, keep_duplicates=number % 2 == 0)
        requests.dirt["merged"].append(survivor.id)
        kept = workspace.score(survivor.id) == before
        requests.dirt["merged.duplicate_votes" if kept else "merged.one_vote_each"].append(survivor.id)


def _lose(making: Making, requests: Requests, gone: int) -> None:
    """Remove posts whose votes stay listed, and the voters of some votes."""
    workspace = making.workspace
    for post in requests.posts[-gone:]:
        workspace.delete_post(post.id, keep_votes=True)
        requests.dirt["post.gone"].append(post.id)
    left = [
        vote_id for _, vote_id in workspace.votes_in_order.keys if workspace.votes[vote_id].post_id in workspace.posts
    ]
    for vote_id in making.draw.sample(left, max(2, len(left) // 300)):
        workspace.forget_voter(vote_id)
        requests.dirt["voter.gone"].append(vote_id)


def _opportunities(making: Making, count: int) -> None:
    draw, workspace = making.draw, making.workspace
    ids = list(workspace.posts)
    for number in range(max(3, count // 50)):
        opportunity = Opportunity(
            id=workspace.new_id(making.until - YEAR),
            name=f"Renewal {number + 1}",
            value=float(draw.randrange(5, 200) * 1000),
            closed=number % 3 == 2,
            won=number % 3 == 2 and number % 2 == 0,
            post_ids=draw.sample(ids, 2),
            salesforce_id=f"006{number:012d}",
        )
        workspace.opportunities[opportunity.id] = opportunity
