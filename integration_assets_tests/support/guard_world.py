"""A world whose sizes make every limit of the guard a round number, and what can happen to it between two runs.

| what               | before | may change by                      |
|--------------------|-------:|------------------------------------|
| requests           |     60 | 12 fewer; 10 retired; 50 more      |
| votes              |    360 | 72 fewer                           |
| companies          |     60 | 12 fewer                           |
| links              |    240 | 12 removed                         |
| unmatched votes    |    120 | a third of the votes, plus 10 points |

Every request has the votes of four companies and of two persons with personal addresses.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hubspot.crm.companies import (  # type: ignore[import-untyped]  # the client has no types
    BatchInputSimplePublicObjectBatchInput,
)

from integration_assets.sandbox.canny import Workspace
from integration_assets.sandbox.canny.records import Post, StatusChange, User, slug
from integration_assets.sandbox.sample_data import ACCOUNT_ID_PROPERTY, ARR_PROPERTY, CURRENCY_PROPERTY, SampleData
from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.harness import World, world_of
from integration_assets_tests.support.snapshots import PROMPT, Snapshot, copy_of, folder

START = 1_750_000_000_000
MINUTE = 60_000
REQUESTS = 60
COMPANIES = 60
PERSONAL = 30
"""Persons with addresses at a mail provider."""
BOARDS = ("Features", "Bugs", "Ideas")
SIZES = (30, 20, 10)
"""Requests of each board."""
COMPANY_VOTES = 4
PERSONAL_VOTES = 2


def guard_sample() -> SampleData:
    """The world of this module's first lines."""
    workspace = Workspace(plan=None, seed=2)
    boards = [workspace.add_board(name, created=START).id for name in BOARDS]
    workspace.add_category(boards[0], "Look and feel", created=START)
    staff = [_person(workspace, f"p{number}@company-{number}.com", START + number) for number in range(COMPANIES)]
    private = [_person(workspace, f"p{number}@gmail.com", START + COMPANIES + number) for number in range(PERSONAL)]
    moment = START + MINUTE
    for number in range(REQUESTS):
        board = boards[0 if number < SIZES[0] else 1 if number < SIZES[0] + SIZES[1] else 2]
        title = f"Request {number}"
        post = Post(workspace.new_id(moment), board, title, moment, slug(title), staff[number])
        workspace.add_post(post)
        voters = [staff[(number + step * 7) % COMPANIES] for step in range(COMPANY_VOTES)]
        voters += [private[(number + step * 11) % PERSONAL] for step in range(PERSONAL_VOTES)]
        for voter in voters:
            moment += MINUTE
            workspace.vote(post.id, voter, created=moment)
        moment += MINUTE
    companies = [
        {"name": f"Company {number}", "domain": f"company-{number}.com", ARR_PROPERTY: "1000"}
        for number in range(COMPANIES)
    ]
    properties: list[dict[str, Any]] = [
        {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "companyinformation"}
        for name in (ARR_PROPERTY, CURRENCY_PROPERTY, ACCOUNT_ID_PROPERTY)
    ]
    return SampleData(workspace, companies, [], [], [], (), [], properties, {}, {})


def _person(workspace: Workspace, email: str, made: int) -> str:
    return workspace.add_user(User(workspace.new_id(made), email.partition("@")[0], made, email=email)).id


@contextmanager
def guard_snapshots() -> Iterator[tuple[Snapshot, Snapshot]]:
    """The world after `setup` of both portals, and after its first sync to the sandbox."""
    sandbox = build_sandbox(guard_sample(), plan=None, slack_interval=0, portal_options=PROMPT)
    with folder() as home, world_of(sandbox, home) as world:
        world.set_up()
        world.set_up("production")
        ready = Snapshot(sandbox, home)
        with copy_of(ready) as synced:
            synced.sync()
            yield ready, Snapshot(synced.sandbox, synced.home)


# -- what happens to it


class Events:
    """What people do to a world, chosen by a seed. Every method takes how many."""

    def __init__(self, world: World, seed: str) -> None:
        self.world = world
        self.random = random.Random(seed)

    def _posts(self, count: int) -> list[str]:
        return self.random.sample(list(self.world.canny.posts), count)

    def _companies(self, count: int) -> list[str]:
        return self.random.sample(self.world.seeded().company_ids, count)

    def delete_requests(self, count: int) -> None:
        """Requests deleted in Canny, with their votes."""
        for post_id in self._posts(count):
            self.world.canny.delete_post(post_id)

    def merge_requests(self, count: int) -> None:
        """Requests merged into others that stay."""
        chosen = self._posts(2 * count)
        for merged, survivor in zip(chosen[:count], chosen[count:], strict=True):
            self.world.canny.merge(merged, survivor)

    def new_requests(self, count: int) -> None:
        """Requests made, each with one vote."""
        canny = self.world.canny
        board = next(iter(canny.boards))
        for number in range(count):
            title, voter, made = f"New {number}", self.random.choice(list(canny.users)), canny.moment()
            post = canny.add_post(Post(canny.new_id(made), board, title, made, slug(title), voter))
            canny.vote(post.id, voter)

    def edit(self, field: str, count: int) -> None:
        """Titles, details or categories edited."""
        category = next(iter(self.world.canny.categories))
        for post_id in self._posts(count):
            value = category if field == "category_id" else f"{field} {self.random.random()}"
            setattr(self.world.canny.posts[post_id], field, value)
        self.world.canny.version += 1

    def change_status(self, count: int) -> None:
        """Requests moved to another status."""
        canny = self.world.canny
        for post_id in self._posts(count):
            made = canny.moment()
            changer = next(iter(canny.users))
            canny.add_status_change(StatusChange(canny.new_id(made), post_id, changer, made, "planned"))

    def rename_boards(self, *names: str) -> None:
        """Boards renamed."""
        for board in self.world.canny.boards.values():
            if board.name in names:
                board.name = f"{board.name} (renamed)"
        self.world.canny.version += 1

    def take_back(self, count: int, *, personal: bool) -> None:
        """Votes taken back: of persons with personal addresses, who link nobody, or of company people."""
        votes = [
            vote.id
            for vote in self.world.canny.votes.values()
            if (self._email(vote.voter_id).endswith("@gmail.com")) == personal
        ]
        for vote_id in self.random.sample(votes, count):
            self.world.canny.delete_vote(vote_id)

    def _email(self, voter_id: str | None) -> str:
        return (self.world.canny.users[voter_id].email if voter_id else None) or ""

    def take_all_back(self) -> None:
        """No vote is left."""
        for vote_id in list(self.world.canny.votes):
            self.world.canny.delete_vote(vote_id)

    def strangers_vote(self, count: int) -> None:
        """Votes of persons from domains nobody has."""
        canny = self.world.canny
        for number in range(count):
            made = canny.moment()
            person = User(canny.new_id(made), "x", made, email=f"x@unknown-{number}-{self.random.random()}.org"[:60])
            canny.vote(self.random.choice(list(canny.posts)), canny.add_user(person).id)

    def colleagues_vote(self, count: int) -> None:
        """Votes of known company people on requests they did not vote for yet."""
        canny = self.world.canny
        pairs = [(post, user) for post in canny.posts for user in canny.users if (post, user) not in canny.vote_of_pair]
        company = [pair for pair in pairs if not self._email(pair[1]).endswith("@gmail.com")]
        for post_id, user_id in self.random.sample(company, count):
            canny.vote(post_id, user_id)

    def archive_companies(self, count: int) -> None:
        """Companies deleted in the CRM."""
        for company_id in self._companies(count):
            self.world.portal.archive("companies", company_id)

    def set_arr(self, count: int, arr: int) -> None:
        """ARR of companies changed in the CRM, through HubSpot's own client. All had 1,000."""
        inputs = [{"id": one, "properties": {ARR_PROPERTY: str(arr)}} for one in self._companies(count)]
        with self.world.as_person() as (client, _):
            client.crm.companies.batch_api.update(BatchInputSimplePublicObjectBatchInput(inputs=inputs))
