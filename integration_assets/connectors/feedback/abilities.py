"""Abilities of a feedback system, and the ways to read its votes. The reader chooses the cheapest by them."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class VoteList(StrEnum):
    """List of all votes that a system offers."""

    NEWEST_FIRST = "newest_first"
    """Reading may end at the first known vote."""
    UNORDERED = "unordered"
    """In no order that can be relied on: it is read to its end every time."""
    NONE = "none"
    """Votes are asked for by request, where the count that the system reports has moved."""


class Abilities(msgspec.Struct, frozen=True, kw_only=True):
    """Abilities of a feedback system. Where a list does not exist, it is never asked for.

    `votes_of_request`: `votes` can be had of one request without reading the whole list. `records_per_call` is the most
    that a call of any list brings; `requests_overlap` how many records a page of requests repeats of the one before,
    and `boards_paged` whether boards come in pages as well. `newest_requests`: one call tells the newest requests;
    `requests_newest_first`: so does the whole list, which begins with them. `people`: there is a list of persons, which
    tells more of them than their votes do; without it no person is asked for, and who voted is taken from the votes.
    `people_by_id`: one person can be asked for. `boards`, `merges`, `accounts`, `status_history`: there are such things
    at all. `merges_listed`: a listed request names what was merged into it; else only one asked for by the id of a
    merged one does. `notes` are for people: what takes the place of something the system does not have.
    """

    vote_list: VoteList = VoteList.NEWEST_FIRST
    votes_of_request: bool = True
    records_per_call: int = 100
    requests_overlap: int = 1
    boards: bool = True
    boards_paged: bool = False
    newest_requests: bool = True
    requests_newest_first: bool = False
    people: bool = True
    people_by_id: bool = True
    merges: bool = True
    merges_listed: bool = True
    accounts: bool = True
    status_history: bool = True
    notes: tuple[str, ...] = ()

    def limitations(self, label: str) -> tuple[str, ...]:
        """Lines for the report about what the system of this label cannot tell; none where it can tell everything."""
        lacking = [
            name
            for name, present in (
                ("boards", self.boards),
                ("accounts", self.accounts),
                ("merges of requests", self.merges),
                ("history of statuses", self.status_history),
            )
            if not present
        ]
        told = list(self.notes)
        if lacking:
            told.append(f"{label} has no {' and no '.join(lacking)}")
        # Without any list whose head is new, a look for changes sees nothing.
        if not self.newest_requests and self.vote_list is not VoteList.NEWEST_FIRST and not self.status_history:
            told.append(f"{label} cannot tell in a few calls whether anything is new: only whole runs find changes")
        return tuple(told)
