"""The state of a UserVoice account, and what voting, merging and deleting do to it.

Ids are numbers, counted through all records. Not thread-safe: change it between requests, or from a fault's `matches`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Any

FIRST_ID = 1001
MINUTE = 60
STATUSES = (("under review", True), ("planned", True), ("started", True), ("completed", False), ("declined", False))
"""Statuses of a new account: name, and whether a suggestion with it is open."""


def iso(milliseconds: int) -> str:
    """A time as the API writes it: whole seconds in UTC."""
    return f"{datetime.fromtimestamp(milliseconds // 1000, UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass
class Options:
    """Setup of the server where sources differ, or servers do.

    `cursor` is the field with the cursor, None where pages are numbered only; `cursor_at_the_end`: the last page has
    one as well. `keeps_filters`: a list of supporters is filtered as asked. `retry_after_epoch`: the moment when calls
    are taken again, in place of the seconds until then. `lists_merged`: merged suggestions are listed as well.
    """

    cursor: str | None = "cursor"
    cursor_at_the_end: bool = False
    keeps_filters: bool = True
    retry_after_epoch: bool = True
    lists_merged: bool = False


@dataclass
class Record:
    """A record of one list: its own fields, and its links to others by name."""

    id: int
    fields: dict[str, Any]
    links: dict[str, Any] = field(default_factory=dict)


class Account:
    """One account. `units_per_minute` None: no limit; `now` gives seconds since 1970 to the limiter."""

    def __init__(
        self,
        *,
        units_per_minute: int | None = None,
        options: Options | None = None,
        clock: Callable[[], float] = time.time,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.client_id, self.client_secret = "acme-api-key", "acme-api-secret-0123456789"
        self.options = options or Options()
        self.units_per_minute = units_per_minute
        self._clock, self._now = clock, now
        self._minute, self._spent = 0, 0
        self._ids = count(FIRST_ID)
        self._tokens = 0
        self.token: str | None = None
        self.lists: dict[str, dict[int, Record]] = {
            name: {}
            for name in (
                "forums",
                "categories",
                "statuses",
                "labels",
                "suggestions",
                "supporters",
                "users",
                "external_users",
                "external_accounts",
            )
        }
        for name, is_open in STATUSES:
            self.add_status(name, is_open=is_open)

    # -- tokens and limits

    def new_token(self) -> str:
        """A token in place of the one before, which has ended."""
        self._tokens += 1
        self.token = f"uv-token-{self._tokens:04d}-0123456789"
        return self.token

    def refuse(self) -> bool:
        """Spend a unit of this minute; True where there was none left."""
        minute = int(self._now()) // MINUTE
        if minute != self._minute:
            self._minute, self._spent = minute, 0
        if self.units_per_minute is None:
            return False
        self._spent += 1
        return self._spent > self.units_per_minute

    def rate_headers(self, *, refused: bool) -> dict[str, str]:
        """The headers by which an answer tells of the limit."""
        if self.units_per_minute is None:
            return {}
        reset = (self._minute + 1) * MINUTE
        headers = {
            "X-Rate-Limit-Limit": str(self.units_per_minute),
            "X-Rate-Limit-Remaining": str(max(0, self.units_per_minute - self._spent)),
            "X-Rate-Limit-Reset": str(reset),
        }
        if refused:
            wait = max(1, reset - int(self._now()))
            headers["Retry-After"] = str(reset if self.options.retry_after_epoch else wait)
        return headers

    # -- adding

    def add(self, kind: str, fields: dict[str, Any], *, created: int | None = None, **links: Any) -> Record:
        """Add a record to one of the lists."""
        moment = iso(round(self._clock() * 1000) if created is None else created)
        record = Record(next(self._ids), {**fields, "created_at": moment, "updated_at": moment}, dict(links))
        self.lists[kind][record.id] = record
        return record

    def add_forum(self, name: str, *, created: int | None = None) -> Record:
        """Create a forum."""
        return self.add("forums", {"name": name, "is_public": True, "classic_voting": False}, created=created)

    def add_status(self, name: str, *, is_open: bool = True) -> Record:
        """Create a status."""
        return self.add("statuses", {"name": name, "is_open": is_open, "hex_color": "#6f7072"})

    def status(self, name: str) -> Record:
        """The status of a name."""
        return next(one for one in self.lists["statuses"].values() if one.fields["name"] == name)

    def add_user(self, name: str | None = None, email: str | None = None, *, created: int | None = None) -> Record:
        """Add somebody who may support suggestions."""
        fields = {"name": name, "email_address": email, "guid": None, "is_admin": False}
        return self.add("users", fields, created=created, external_users=[])

    def add_account(
        self, name: str, external_id: str | None, mrr_cents: int | None, *, created: int | None = None
    ) -> Record:
        """Add a customer's account."""
        fields: dict[str, Any] = {"name": name, "external_id": external_id, "plan": None, "ltv_cents": None}
        fields |= {"mrr_cents": mrr_cents, "mrr": None if mrr_cents is None else mrr_cents / 100}
        return self.add("external_accounts", {**fields, "nps": None, "users_count": 0}, created=created)

    def join(self, user_id: int, account_id: int | None) -> Record:
        """Make a user known as somebody's of an account."""
        user = self.lists["users"][user_id]
        fields = {"name": user.fields["name"], "email": user.fields["email_address"], "external_id": None}
        made = self.add("external_users", fields, external_account=account_id, user=user_id)
        user.links["external_users"].append(made.id)
        return made

    def add_suggestion(
        self, forum_id: int, title: str, *, created: int | None = None, author_id: int | None = None
    ) -> Record:
        """Add a suggestion that nobody supports yet, without a status."""
        made = self.add(
            "suggestions",
            {"title": title, "body": None, "body_mime_type": "text/plain", "state": "published", "closed_at": None},
            created=created,
            forum=forum_id,
            category=None,
            status=None,
            created_by=author_id,
            labels=[],
        )
        made.fields["portal_url"] = f"https://acme.uservoice.invalid/forums/{forum_id}/suggestions/{made.id}"
        return made

    def support(self, suggestion_id: int, user_id: int | None, *, created: int | None = None) -> Record:
        """Support a suggestion; the user is None when the person is gone."""
        fields = {"channel": "portal", "how": "votes", "is_subscribed": True, "comments_count": 0}
        return self.add("supporters", fields, created=created, suggestion=suggestion_id, user=user_id)

    # -- changing

    def take_back(self, supporter_id: int) -> None:
        """Take somebody's support back."""
        del self.lists["supporters"][supporter_id]

    def delete_suggestion(self, suggestion_id: int) -> None:
        """Delete a suggestion and the support for it."""
        del self.lists["suggestions"][suggestion_id]
        for one in [one for one in self.lists["supporters"].values() if one.links["suggestion"] == suggestion_id]:
            del self.lists["supporters"][one.id]

    def merge(self, suggestion_id: int, into_id: int) -> None:
        """Merge a suggestion into another: it stays, hidden, and its supporters move; nobody supports twice."""
        self.lists["suggestions"][suggestion_id].fields["state"] = "merged"
        there = {one.links["user"] for one in self.supporters_of(into_id)}
        for one in self.supporters_of(suggestion_id):
            if one.links["user"] in there:
                self.take_back(one.id)
            else:
                one.links["suggestion"] = into_id

    # -- looking up

    def supporters_of(self, suggestion_id: int) -> list[Record]:
        """The supporters of a suggestion."""
        return [one for one in self.lists["supporters"].values() if one.links["suggestion"] == suggestion_id]
