"""The sample's requests, people and accounts as a Quackback server can hold them."""

from __future__ import annotations

import re

from integration_assets.sandbox.canny.records import User
from integration_assets.sandbox.canny.records import Vote as SampleVote
from integration_assets.sandbox.canny.workspace import Workspace as Sample
from integration_assets.sandbox.quackback.records import Kind, Post
from integration_assets.sandbox.quackback.workspace import Workspace
from integration_assets.sandbox.sample_data import SampleData

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
LONGEST_TITLE, LONGEST_CONTENT = 200, 10_000


def seeded_workspace(sample: SampleData, *, calls_per_minute: int | None = 100) -> Workspace:
    """A workspace with the sample's boards, posts, votes, people and accounts.

    A person is known by the address: who has two accounts in the sample has one here, and who has none that works is
    anonymous.
    """
    source = sample.workspace
    workspace = Workspace(calls_per_minute=calls_per_minute, seed=11, clock=source.clock)
    for company in source.companies.values():
        workspace.add_company(
            company.name,
            created=company.created,
            domain=company.domain or None,
            external_id=company.id,
            mrr_cents=None if company.monthly_spend is None else round(company.monthly_spend * 100),
            member_count=len(source.members[company.id]),
        )
    people = _people(source, workspace)
    posts = _posts(source, workspace, people)
    _votes(source, workspace, people, posts)
    for old in source.posts.values():
        for merged in old.merge_history:
            made = Post(workspace.new_id("post", merged.created), posts[old.id].board_id, merged.title, merged.created)
            made.status_id = workspace.status("open").id
            workspace.posts[made.id] = made
            workspace.merge(made.id, posts[old.id].id)
            made.merged_at = merged.merged_at
    return workspace


def _people(source: Sample, workspace: Workspace) -> dict[str, str]:
    """The principals by the sample's ids of their people."""
    known: dict[str, str] = {}
    people: dict[str, str] = {}
    for user in source.users.values():
        address = _address(user)
        if address is None:
            people[user.id] = workspace.add_principal(Kind.ANONYMOUS, created=user.created).id
            continue
        if address not in known:
            kind = Kind.TEAM if user.is_admin else Kind.USER
            known[address] = workspace.add_principal(kind, user.name, address, created=user.created).id
        people[user.id] = known[address]
    return people


def _address(user: User) -> str | None:
    address = (user.email or "").strip().lower()
    return address if _ADDRESS.fullmatch(address) else None


def _posts(source: Sample, workspace: Workspace, people: dict[str, str]) -> dict[str, Post]:
    """The posts by the sample's ids."""
    boards = {
        board.id: workspace.add_board(board.name, board.url_name, created=board.created).id
        for board in source.boards.values()
    }
    posts: dict[str, Post] = {}
    for old in source.posts.values():
        slug = old.status.replace(" ", "_")
        if all(one.slug != slug for one in workspace.statuses.values()):
            workspace.add_status(old.status.capitalize(), slug)
        # A post without any title cannot be made; one of blanks can.
        post = workspace.add_post(
            boards[old.board_id], old.title[:LONGEST_TITLE] or " ", created=old.created, slug=slug
        )
        post.content = (old.details or "")[:LONGEST_CONTENT]
        post.author_id = people.get(old.author_id or "")
        post.tag_ids = [workspace.add_tag(source.tags[tag].name).id for tag in old.tag_ids]
        posts[old.id] = post
    return posts


def _votes(source: Sample, workspace: Workspace, people: dict[str, str], posts: dict[str, Post]) -> None:
    taken: set[tuple[str, str]] = set()

    def row(vote: SampleVote) -> tuple[str, str, int | None, str | None] | None:
        # Votes of posts that are gone are gone with them.
        if vote.post_id not in posts:
            return None
        person = people.get(vote.voter_id or "")
        if person is None:
            person = workspace.add_principal(Kind.ANONYMOUS, created=vote.created).id
        if (vote.post_id, person) in taken:
            return None
        taken.add((vote.post_id, person))
        return posts[vote.post_id].id, person, vote.created, people.get(vote.by_id or "")

    workspace.add_votes(made for vote in source.votes.values() if (made := row(vote)) is not None)
