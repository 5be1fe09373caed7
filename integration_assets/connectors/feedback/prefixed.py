"""A feedback system that is read beside others: every id it serves begins with its name, so that none are alike.

The ids it is asked for are taken without that beginning to the system itself. Names, statuses and addresses are as the
system has them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection
from typing import TypeVar

import msgspec

from integration_assets.connectors.feedback.abilities import Abilities
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.models import (
    Account,
    Board,
    FeatureRequest,
    Page,
    Rejected,
    RejectedRequest,
    StatusChange,
    Vote,
    Voter,
)

T = TypeVar("T")


class PrefixedFeedback:
    """The feedback system `inner`, with `prefix` before each of its ids."""

    def __init__(self, inner: FeedbackSystem, prefix: str) -> None:
        self._inner = inner
        self._prefix = prefix

    @property
    def name(self) -> str:
        """Provider name."""
        return self._inner.name

    @property
    def abilities(self) -> Abilities:
        """Abilities of the system."""
        return self._inner.abilities

    async def check(self) -> str:
        """Make the cheapest authenticated read; return one line that says what was seen."""
        return await self._inner.check()

    def boards(self) -> AsyncIterator[Page[Board]]:
        """All boards the credential can see."""
        return self._pages(self._inner.boards(), self._board)

    def feature_requests(self, *, statuses: Collection[str]) -> AsyncIterator[Page[FeatureRequest]]:
        """All requests of the built-in statuses and of `statuses`, oldest first."""
        return self._pages(self._inner.feature_requests(statuses=statuses), self._request)

    async def newest_feature_requests(self) -> Page[FeatureRequest]:
        """A few requests of the built-in statuses, the newest first."""
        return self._page(await self._inner.newest_feature_requests(), self._request)

    async def feature_request(self, request_id: str) -> FeatureRequest | Rejected | None:
        """One request by id, whatever its status."""
        found = await self._inner.feature_request(self._own(request_id))
        if isinstance(found, Rejected):
            return self._rejected(found)
        return None if found is None else self._request(found)

    def votes(self, *, request_id: str | None = None, after: str | None = None) -> AsyncIterator[Page[Vote]]:
        """All votes, or those for one request."""
        own = None if request_id is None else self._own(request_id)
        return self._pages(self._inner.votes(request_id=own, after=after), self._vote)

    async def voter(self, voter_id: str) -> Voter | Rejected | None:
        """One person by id with their account memberships."""
        found = await self._inner.voter(self._own(voter_id))
        if isinstance(found, Rejected):
            return self._rejected(found)
        return None if found is None else self._voter(found)

    def voters(self) -> AsyncIterator[Page[Voter]]:
        """All persons with their account memberships."""
        return self._pages(self._inner.voters(), self._voter)

    def accounts(self) -> AsyncIterator[Page[Account]]:
        """All accounts."""
        return self._pages(self._inner.accounts(), self._account)

    def status_changes(self) -> AsyncIterator[Page[StatusChange]]:
        """All status changes, newest first."""
        return self._pages(self._inner.status_changes(), self._change)

    # ---------------------------------------------------------------------------------------------------------- ids

    def _id(self, given: str) -> str:
        # A record without an id stays without one: it is told as such, and the prefix alone would pass for one.
        return f"{self._prefix}{given}" if given.strip() else given

    def _ids(self, given: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(self._id(one) for one in given)

    def _own(self, record_id: str) -> str:
        return record_id.removeprefix(self._prefix)

    def _board(self, board: Board) -> Board:
        return msgspec.structs.replace(board, board_id=self._id(board.board_id))

    def _request(self, request: FeatureRequest) -> FeatureRequest:
        return msgspec.structs.replace(
            request,
            request_id=self._id(request.request_id),
            board_id=self._optional(request.board_id),
            author_id=self._optional(request.author_id),
            merged_ids=self._ids(request.merged_ids),
        )

    def _vote(self, vote: Vote) -> Vote:
        return msgspec.structs.replace(
            vote,
            vote_id=self._id(vote.vote_id),
            request_id=self._id(vote.request_id),
            voter=None if vote.voter is None else self._voter(vote.voter),
        )

    def _voter(self, voter: Voter) -> Voter:
        return msgspec.structs.replace(
            voter, voter_id=self._id(voter.voter_id), account_ids=self._ids(voter.account_ids)
        )

    def _account(self, account: Account) -> Account:
        return msgspec.structs.replace(account, account_id=self._id(account.account_id))

    def _change(self, change: StatusChange) -> StatusChange:
        return msgspec.structs.replace(
            change, change_id=self._id(change.change_id), request_id=self._id(change.request_id)
        )

    def _rejected(self, rejected: Rejected) -> Rejected:
        found = msgspec.structs.replace(rejected, key=self._id(rejected.key))
        if not isinstance(found, RejectedRequest):
            return found
        return msgspec.structs.replace(
            found, board_id=self._optional(found.board_id), merged_ids=self._ids(found.merged_ids)
        )

    def _optional(self, given: str | None) -> str | None:
        return None if given is None else self._id(given)

    # -------------------------------------------------------------------------------------------------------- pages

    async def _pages(self, pages: AsyncIterator[Page[T]], renamed: Callable[[T], T]) -> AsyncIterator[Page[T]]:
        async for page in pages:
            yield self._page(page, renamed)

    def _page(self, page: Page[T], renamed: Callable[[T], T]) -> Page[T]:
        return msgspec.structs.replace(
            page,
            records=tuple(renamed(record) for record in page.records),
            rejected=tuple(self._rejected(one) for one in page.rejected),
            unreadable_fields={
                field: tuple((self._id(record_id), reason) for record_id, reason in found)
                for field, found in page.unreadable_fields.items()
            },
        )
