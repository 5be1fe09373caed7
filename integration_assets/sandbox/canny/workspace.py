"""The state of a Canny company: what is in it, and what the documented changes do to it.

Every list that the API pages through is kept sorted as it changes, so that a workspace of a million votes answers a
page as fast as a small one. Not thread-safe: change it between requests, or from a fault's `matches`.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable

from integration_assets.sandbox.canny.limits import BUSINESS, Plan, RateLimiter
from integration_assets.sandbox.canny.options import Options
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
    slug,
)
from integration_assets.sandbox.canny.timeline import Key, Timeline
from integration_assets.sandbox.made_up import repeatable


class Workspace:
    """One Canny company. `clock` gives seconds since 1970 for times of creation, `now` the rate limiter's seconds."""

    def __init__(
        self,
        api_key: str = "canny-sandbox-key",
        *,
        subdomain: str = "acme",
        plan: Plan | None = BUSINESS,
        seed: int = 0,
        clock: Callable[[], float] = time.time,
        now: Callable[[], float] = time.monotonic,
        options: Options | None = None,
    ) -> None:
        self.api_key = api_key
        self.subdomain = subdomain
        self.options = options or Options()
        self.limiter = RateLimiter(plan, now)
        self.clock = clock
        self._random = repeatable(seed)

        self.boards: dict[str, Board] = {}
        self.categories: dict[str, Category] = {}
        self.tags: dict[str, Tag] = {}
        self.companies: dict[str, Company] = {}
        self.users: dict[str, User] = {}
        self.posts: dict[str, Post] = {}
        self.votes: dict[str, Vote] = {}
        self.comments: dict[str, Comment] = {}
        self.status_changes: dict[str, StatusChange] = {}
        self.opportunities: dict[str, Opportunity] = {}
        self.ghosts: dict[str, Post] = {}
        """Posts that are gone but whose votes are still listed, by id."""

        self.version = 0
        """Rises with every change; answers derived from the state may be kept while it stays."""
        self.held_posts: tuple[int, str, list[Post]] | None = None
        """What the last posts/list paged through, with the version and filters it holds for."""
        self._counted_version = -1
        self._counts: Counter[str] = Counter()
        self.posts_in_order = Timeline()
        self.users_in_order = Timeline()
        self.companies_in_order = Timeline()
        self.comments_in_order = Timeline()
        self.changes_in_order = Timeline()
        self.votes_in_order = Timeline()
        self.votes_of_board: defaultdict[str, Timeline] = defaultdict(Timeline)
        self.votes_of_post: defaultdict[str, Timeline] = defaultdict(Timeline)
        self.votes_of_voter: defaultdict[str, set[str]] = defaultdict(set)
        self.vote_of_pair: dict[tuple[str, str], str] = {}
        self.posts_of_author: defaultdict[str, set[str]] = defaultdict(set)
        self.comments_of_post: defaultdict[str, set[str]] = defaultdict(set)
        self.members: defaultdict[str, set[str]] = defaultdict(set)
        self.user_of_custom_id: dict[str, str] = {}
        self.post_of_slug: dict[tuple[str, str], str] = {}
        self.board_counts: defaultdict[str, int] = defaultdict(int)

    # -- ids and times

    def moment(self) -> int:
        """The workspace's present, in milliseconds since 1970."""
        return round(self.clock() * 1000)

    def new_id(self, created: int | None = None) -> str:
        """A fresh object id: eight digits of the second of creation, sixteen of chance."""
        second = (self.moment() if created is None else created) // 1000
        return f"{second & 0xFFFFFFFF:08x}{self._random.getrandbits(64):016x}"

    # -- adding

    def add_board(self, name: str, *, created: int | None = None, is_private: bool = False) -> Board:
        """Create a board (only the web page of the real Canny can)."""
        made = self.moment() if created is None else created
        board = Board(self.new_id(made), name, made, slug(name), is_private)
        self.boards[board.id] = board
        return board

    def add_category(self, board_id: str, name: str, *, created: int | None = None) -> Category:
        """Create a category of a board."""
        made = self.moment() if created is None else created
        category = Category(self.new_id(made), board_id, name, made)
        self.categories[category.id] = category
        return category

    def add_tag(self, board_id: str, name: str, *, created: int | None = None) -> Tag:
        """Create a tag of a board, or give back the one of that name."""
        for known in self.tags.values():
            if (known.board_id, known.name) == (board_id, name):
                return known
        made = self.moment() if created is None else created
        tag = Tag(self.new_id(made), board_id, name, made)
        self.tags[tag.id] = tag
        return tag

    def add_company(self, company: Company) -> Company:
        """Add a company under its own id."""
        self.companies[company.id] = company
        self.companies_in_order.add((company.created, company.id))
        return company

    def add_user(self, user: User) -> User:
        """Add a person with the memberships it names."""
        self.users[user.id] = user
        self.users_in_order.add((user.created, user.id))
        if user.user_id is not None:
            self.user_of_custom_id[user.user_id] = user.id
        for company_id in user.company_ids:
            self.members[company_id].add(user.id)
        return user

    def add_post(self, post: Post) -> Post:
        """Add a post; a slug already taken on its board gets a number."""
        self.version += 1
        base, number = post.url_name, 1
        while (post.board_id, post.url_name) in self.post_of_slug:
            number += 1
            post.url_name = f"{base}-{number}"
        self.posts[post.id] = post
        self.posts_in_order.add((post.created, post.id))
        self.post_of_slug[post.board_id, post.url_name] = post.id
        self.board_counts[post.board_id] += 1
        if post.author_id is not None:
            self.posts_of_author[post.author_id].add(post.id)
        return post

    def add_votes(self, votes: Iterable[Vote]) -> None:
        """Add many votes at once, with one sort of each list; for seeding."""
        self.version += 1
        keys: list[Key] = []
        by_board: defaultdict[str, list[Key]] = defaultdict(list)
        by_post: defaultdict[str, list[Key]] = defaultdict(list)
        for vote in votes:
            key = (vote.created, vote.id)
            keys.append(key)
            by_post[vote.post_id].append(key)
            by_board[self.post_of(vote).board_id].append(key)
            self._remember_voter(vote)
        self.votes_in_order.extend(keys)
        for board_id, some in by_board.items():
            self.votes_of_board[board_id].extend(some)
        for post_id, some in by_post.items():
            self.votes_of_post[post_id].extend(some)

    def add_vote(self, vote: Vote) -> Vote:
        """Add one vote."""
        self.version += 1
        key = (vote.created, vote.id)
        self.votes_in_order.add(key)
        self.votes_of_board[self.post_of(vote).board_id].add(key)
        self.votes_of_post[vote.post_id].add(key)
        self._remember_voter(vote)
        return vote

    def _remember_voter(self, vote: Vote) -> None:
        self.votes[vote.id] = vote
        if vote.voter_id is not None:
            self.votes_of_voter[vote.voter_id].add(vote.id)
            self.vote_of_pair[vote.post_id, vote.voter_id] = vote.id

    def add_comment(self, comment: Comment) -> Comment:
        """Add a comment to a post."""
        self.comments[comment.id] = comment
        self.comments_in_order.add((comment.created, comment.id))
        self.comments_of_post[comment.post_id].add(comment.id)
        return comment

    def add_status_change(self, change: StatusChange) -> StatusChange:
        """Record a status change and put its post into the status, with the time of the change."""
        self.version += 1
        self.status_changes[change.id] = change
        self.changes_in_order.add((change.created, change.id))
        post = self.posts[change.post_id]
        post.status, post.status_changed_at, post.change_comment = change.status, change.created, change.comment
        return change

    # -- looking up

    def post_of(self, vote: Vote) -> Post:
        """The post a vote is on, also when the post is gone."""
        return self.posts.get(vote.post_id) or self.ghosts[vote.post_id]

    def score(self, post_id: str) -> int:
        """Number of votes on a post."""
        timeline = self.votes_of_post.get(post_id)
        return len(timeline) if timeline is not None else 0

    def posts_with(self, group_id: str) -> int:
        """Number of posts in a category or with a tag."""
        if self._counted_version != self.version:
            self._counts = Counter(
                name for post in self.posts.values() for name in (post.category_id, *post.tag_ids) if name is not None
            )
            self._counted_version = self.version
        return self._counts[group_id]

    # -- changing

    def vote(self, post_id: str, voter_id: str, *, by_id: str | None = None, created: int | None = None) -> Vote:
        """Cast a vote; a person's second vote on a post is the first."""
        known = self.vote_of_pair.get((post_id, voter_id))
        if known is not None:
            return self.votes[known]
        made = self.moment() if created is None else created
        return self.add_vote(Vote(self.new_id(made), post_id, voter_id, made, by_id))

    def delete_vote(self, vote_id: str) -> None:
        """Take one vote away."""
        self.version += 1
        vote = self.votes.pop(vote_id)
        key = (vote.created, vote.id)
        self.votes_in_order.discard(key)
        self.votes_of_board[self.post_of(vote).board_id].discard(key)
        self.votes_of_post[vote.post_id].discard(key)
        if vote.voter_id is not None:
            self.votes_of_voter[vote.voter_id].discard(vote.id)
            if self.vote_of_pair.get((vote.post_id, vote.voter_id)) == vote.id:
                del self.vote_of_pair[vote.post_id, vote.voter_id]

    def forget_voter(self, vote_id: str) -> None:
        """Leave a vote without its voter, as if the account had vanished behind the API's back."""
        vote = self.votes[vote_id]
        if vote.voter_id is not None:
            self.votes_of_voter[vote.voter_id].discard(vote.id)
            self.vote_of_pair.pop((vote.post_id, vote.voter_id), None)
            vote.voter_id = None

    def delete_post(self, post_id: str, *, keep_votes: bool = False) -> None:
        """Remove a post with its votes, comments and status changes; with `keep_votes` its votes stay listed."""
        self.version += 1
        if keep_votes:
            self.ghosts[post_id] = self.posts[post_id]
        else:
            for _, vote_id in list(self.votes_of_post[post_id].keys):
                self.delete_vote(vote_id)
        for comment_id in list(self.comments_of_post.pop(post_id, ())):
            self.delete_comment(comment_id)
        for change in [change for change in self.status_changes.values() if change.post_id == post_id]:
            del self.status_changes[change.id]
            self.changes_in_order.discard((change.created, change.id))
        post = self.posts.pop(post_id)
        self.posts_in_order.discard((post.created, post.id))
        del self.post_of_slug[post.board_id, post.url_name]
        self.board_counts[post.board_id] -= 1
        if post.author_id is not None:
            self.posts_of_author[post.author_id].discard(post_id)

    def delete_comment(self, comment_id: str) -> None:
        """Remove one comment."""
        comment = self.comments.pop(comment_id)
        self.comments_in_order.discard((comment.created, comment.id))
        self.comments_of_post[comment.post_id].discard(comment_id)

    def delete_user(self, user_id: str) -> None:
        """Remove a person with votes and comments.

        A post of theirs stays, without author, when others voted or commented on it; otherwise it goes too.
        """
        self.version += 1
        for vote_id in list(self.votes_of_voter.pop(user_id, ())):
            self.delete_vote(vote_id)
        for comment in [comment for comment in self.comments.values() if comment.author_id == user_id]:
            self.delete_comment(comment.id)
        for post_id in list(self.posts_of_author.pop(user_id, ())):
            self.posts[post_id].author_id = None
            if not self.score(post_id) and not self.comments_of_post.get(post_id):
                self.delete_post(post_id)
        user = self.users.pop(user_id)
        self.users_in_order.discard((user.created, user.id))
        if user.user_id is not None:
            self.user_of_custom_id.pop(user.user_id, None)
        for company_id in user.company_ids:
            self.members[company_id].discard(user_id)

    def delete_company(self, company_id: str) -> None:
        """Remove a company; its people stay."""
        company = self.companies.pop(company_id)
        self.companies_in_order.discard((company.created, company.id))
        for user_id in self.members.pop(company_id, ()):
            self.users[user_id].company_ids.remove(company_id)

    def join(self, user: User, company_id: str) -> None:
        """Make a person a member of a company; no effect when they are one."""
        if company_id not in user.company_ids:
            user.company_ids.append(company_id)
            self.members[company_id].add(user.id)

    def change_status(self, post_id: str, changer_id: str, status: str, comment: str | None = None) -> Post:
        """Move a post to a status now. Not idempotent: every call adds a status change, and a comment if given."""
        made = self.moment()
        self.add_status_change(StatusChange(self.new_id(made), post_id, changer_id, made, status, comment))
        if comment is not None:
            self.add_comment(Comment(self.new_id(made), post_id, changer_id, made, comment))
        return self.posts[post_id]

    def merge(self, post_id: str, into_id: str, *, merged_at: int | None = None, keep_duplicates: bool = False) -> Post:
        """Merge one post into another: votes and comments move, and the survivor remembers what it swallowed.

        Of a person who voted on both the earlier vote stays; with `keep_duplicates` both do, which no documentation
        rules out.
        """
        self.version += 1
        merged, survivor = self.posts[post_id], self.posts[into_id]
        for _, vote_id in list(self.votes_of_post[post_id].keys):
            self._move_vote(vote_id, into_id, keep_duplicates=keep_duplicates)
        for comment_id in self.comments_of_post.pop(post_id, set()):
            self.comments[comment_id].post_id = into_id
            self.comments_of_post[into_id].add(comment_id)
        survivor.merge_history += merged.merge_history
        made = self.moment() if merged_at is None else merged_at
        survivor.merge_history.append(
            MergedPost(made, merged.id, merged.created, merged.title, merged.details, list(merged.image_urls))
        )
        self.delete_post(post_id)
        return survivor

    def _move_vote(self, vote_id: str, into_id: str, *, keep_duplicates: bool) -> None:
        vote = self.votes[vote_id]
        self.delete_vote(vote_id)
        rival_id = self.vote_of_pair.get((into_id, vote.voter_id)) if vote.voter_id is not None else None
        if rival_id is not None and not keep_duplicates:
            if self.votes[rival_id].created <= vote.created:
                return
            self.delete_vote(rival_id)
        vote.post_id = into_id
        self.add_vote(vote)
