"""The protocol every feedback system is read through.

Reads are async iterators of pages, so that memory stays flat: a page is loaded and forgotten. A record that cannot be
used comes back in the page's `rejected`, never silently dropped. All methods raise `CredentialError` for a rejected
key, `TransientError` when the system cannot be reached or its quota is spent, `ContractError` for an answer that is not
of the documented shape.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection
from typing import Literal, Protocol, runtime_checkable

import msgspec

from integration_assets.connectors.feedback.abilities import Abilities
from integration_assets.errors import PermanentError
from integration_assets.models import Account, Board, Company, FeatureRequest, Page, Rejected, StatusChange, Vote, Voter


class IgnoredFilterError(PermanentError):
    """Votes of one request were asked for, and votes of others came: this server does not tell them apart."""


class Finding(msgspec.Struct, frozen=True):
    """Finding about tables that were read, one line for people. It keeps nothing from being used."""

    kind: Literal["stale", "repeated", "ambiguous", "incomplete", "encoding"]
    line: str


@runtime_checkable
class OwnTables(Protocol):
    """Further abilities of a feedback system that is read from somebody's tables."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Lines about the state of the tables, as far as they were read."""

    @property
    def has_companies(self) -> bool:
        """True if the companies are among the tables."""

    def companies(self) -> AsyncIterator[Page[Company]]:
        """All companies of the tables, in place of a CRM, or for their ARR."""


class FeedbackSystem(Protocol):
    """A system that holds feature requests and votes. Read only."""

    @property
    def name(self) -> str:
        """Provider name, lower-case ("canny"): prefix of record keys unless configured otherwise."""

    @property
    def abilities(self) -> Abilities:
        """Abilities of this system, and the ways to read its votes: the same from the first call to the last."""

    async def check(self) -> str:
        """Make the cheapest authenticated read; return one line that says what was seen."""

    def boards(self) -> AsyncIterator[Page[Board]]:
        """All boards the credential can see. Never asked for without `abilities.boards`."""

    def feature_requests(self, *, statuses: Collection[str]) -> AsyncIterator[Page[FeatureRequest]]:
        """All requests of the built-in statuses and of `statuses` (the source's words).

        They come oldest first unless `abilities` say otherwise. What exists from the first call to the last is served
        even when the list changes meanwhile; where a system cannot promise that, its pages are `doubtful`.
        """

    async def newest_feature_requests(self) -> Page[FeatureRequest]:
        """A few requests of the built-in statuses, the newest first, in one call: is there anything new?

        Never asked where `abilities.newest_requests` is False.
        """

    async def feature_request(self, request_id: str) -> FeatureRequest | Rejected | None:
        """One request by id, whatever its status; None when the source says it does not exist.

        `Rejected` when it exists and cannot be used. Without `abilities.merges_listed` the answer for one that was
        merged is the one it lives on in, which names it.
        """

    def votes(self, *, request_id: str | None = None, after: str | None = None) -> AsyncIterator[Page[Vote]]:
        """All votes, or those for one request, newest first unless `abilities` says otherwise. A reader may stop early.

        The list of all is never asked for where there is none, nor that of a request without `votes_of_request`. A page
        of a request's votes that others follow has a `cursor`. `after` is the `cursor` of a page read before: the list
        goes on behind it, or, where the source does not know it any more, begins anew.

        Raises:
            IgnoredFilterError: the server gives votes of all requests for one; only the list of all is of use there.
        """

    async def voter(self, voter_id: str) -> Voter | Rejected | None:
        """One person by id with their account memberships; None when the source says there is none.

        `Rejected` when there is one that cannot be used. Never asked without `abilities.people` and `people_by_id`, nor
        for one of whom a vote tells the accounts.
        """

    def voters(self) -> AsyncIterator[Page[Voter]]:
        """All persons with their account memberships. Never asked for without `abilities.people`."""

    def accounts(self) -> AsyncIterator[Page[Account]]:
        """All accounts. Never asked for without `abilities.accounts`."""

    def status_changes(self) -> AsyncIterator[Page[StatusChange]]:
        """All status changes, newest first. Never asked for without `abilities.status_history`."""
