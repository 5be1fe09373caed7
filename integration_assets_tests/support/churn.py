"""A Canny workspace that changes between the pages somebody reads of it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from integration_assets.sandbox.canny.records import Post
from integration_assets.sandbox.canny.workspace import Workspace
from integration_assets.sandbox.lookalike import Fault, LoggedRequest, Lookalike

LIST = "/v1/posts/list"
DRAWS = 5
"""Possible events of each kind between two pages."""
INSERTED, DELETED = 0.3, 0.1
"""Chance of each possible event."""


def workspace_of_posts(seed: int, posts: int) -> Workspace:
    """A workspace without rate limits whose boards hold this many posts, made an hour apart, without votes."""
    workspace = Workspace(seed=seed, plan=None)
    boards = [workspace.add_board(name) for name in ("Features", "Mobile")]
    start = workspace.moment() - posts * 3_600_000
    for number in range(posts):
        made = start + number * 3_600_000
        workspace.add_post(
            Post(workspace.new_id(made), boards[number % 2].id, f"Post {number}", made, f"post-{number}")
        )
    return workspace


@dataclass
class Churn:
    """Changes `workspace` before every page of its posts but the first. `lived` are the posts that were never away.

    `most_steps` bounds how often it changes; None: for ever.
    """

    workspace: Workspace
    seed: int
    inserted: float = INSERTED
    deleted: float = DELETED
    draws: int = DRAWS
    most_steps: int | None = None
    steps: int = 0
    deletions: int = 0
    lived: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.lived = set(self.workspace.posts)

    def attach(self, app: Lookalike) -> None:
        """Begin to change the workspace whenever a page is asked for."""
        app.faults.append(Fault(self._before_page, times=None))

    def _before_page(self, request: LoggedRequest) -> bool:
        if request.path.endswith(LIST):
            self.steps += 1
            if self.steps > 1 and (self.most_steps is None or self.steps <= self.most_steps):
                self._change()
        return False  # it is no fault: the request is answered as usual

    def _change(self) -> None:
        for _ in range(self.draws):
            if self._random.random() < self.inserted:
                self._insert()
            if self._random.random() < self.deleted and len(self.workspace.posts) > 1:
                self._remove()

    def _insert(self) -> None:
        board_id = self._random.choice(list(self.workspace.boards))
        made = self.workspace.moment()
        self.workspace.add_post(Post(self.workspace.new_id(made), board_id, "New", made, f"new-{self.steps}"))

    def _remove(self) -> None:
        """Delete a post, or merge it into another one: either way it leaves the list."""
        gone, into = self._random.sample(sorted(self.workspace.posts), 2)
        if self._random.random() < 0.5:
            self.workspace.delete_post(gone)
        else:
            self.workspace.merge(gone, into)
        self.lived.discard(gone)
        self.deletions += 1
