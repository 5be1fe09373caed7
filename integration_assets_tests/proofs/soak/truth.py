"""What the CRM of one tenant must hold and what its people must have been told, kept by the test in words of its own.

Nothing here asks the product: whose company somebody is stands in the table of the small world, a request is a title
and the set of those who voted, and the three-way rule for titles is told again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from integration_assets_tests.support.harness import InCrm, Properties
from integration_assets_tests.support.small_world import CONTACTS, REQUESTS

COMPANY_OF = {"ann": "Acme", "bob": "Acme", "cid": "Beta", "dee": "Gamma", "gus": "Gamma", "han": "Delta"}
"""People without one are eve and flo."""
ARR = {"Acme": Decimal(1_000), "Beta": Decimal("500.50"), "Delta": Decimal(108)}
STATUSES = {"open": "open", "planned": "planned", "in progress": "in_progress", "complete": "complete"}
"""The workspace's words → the CRM's options; any other word is `unknown`."""
NOTE = "owner_note"
"""A property of the people's own on our object."""
LATE = re.compile(r"^(Posted late, run \S+|This may be a repeat(, run [^:]+)?): ")


@dataclass
class Request:
    """A request, as people in the feedback system and in the CRM have left it.

    `settled` is its title when a sync last came to its end, None before the first; `shown` the title in the CRM.
    """

    title: str
    status: str
    author: str
    voters: set[str]
    settled: str | None = None
    shown: str = ""
    retired: str = ""
    archived: bool = False
    note: str | None = None


@dataclass
class Truth:
    """The requests of one tenant by id, the ARR of its companies, and the titles of the messages that are due."""

    requests: dict[str, Request]
    arr: dict[str, Decimal] = field(default_factory=lambda: dict(ARR))
    problem: str = ""
    due: list[str] = field(default_factory=list)

    # -- what a run comes to

    def well(self) -> None:
        """A run came to its end: what differs is written, and people hear of it, and of what is over."""
        for request in self.requests.values():
            # Only the CRM's title moved: people's wording stays.
            if not request.retired and not request.archived and request.title != request.settled:
                request.settled = request.shown = request.title
        self.due.append("recovered, succeeded" if self.problem else "succeeded")
        self.problem = ""

    def failed(self, problem: str, title: str) -> None:
        """A run met a problem: nothing is written, and it is told when it is another one than before."""
        if problem != self.problem:
            self.due.append(title)
        self.problem = problem

    # -- what must be there

    def differences(self, found: InCrm, companies: dict[str, str], contacts: dict[str, str]) -> Iterator[str]:
        """What of the CRM is otherwise, a line each. `companies` and `contacts`: record id → name."""
        live = {f"canny:{one}": request for one, request in self.requests.items() if not request.archived}
        archived = {f"canny:{one}" for one, request in self.requests.items() if request.archived}
        yield from (f"{key} is lost" for key in live.keys() - found.records.keys())
        yield from (f"{key} should not be there" for key in found.records.keys() - live.keys())
        yield from (f"{key} is archived, or not" for key in found.archived.keys() ^ archived)
        for key, request in live.items():
            if key in found.records:
                said = self._wrong_values(request, found.records[key])
                links = {companies[one]: labels for one, labels in found.companies[key].items()}
                people = {contacts[one]: labels for one, labels in found.contacts[key].items()}
                said += self._wrong_links(request, links, people)
                yield from (f"{key}: {what}" for what in said)

    def _wrong_values(self, request: Request, found: Properties) -> list[str]:
        wanted: dict[str, str | None] = {"retired_reason": request.retired or None, NOTE: request.note}
        numbers: dict[str, Decimal] = {}
        # A retired record keeps the values it had.
        if not request.retired:
            named = {COMPANY_OF[one] for one in request.voters if one in COMPANY_OF}
            wanted |= {
                "title": request.shown,
                "source_status": request.status,
                "status": STATUSES.get(request.status, "unknown"),
            }
            numbers = {
                "votes": Decimal(len(request.voters)),
                "companies": Decimal(len(named)),
                "arr": sum((self.arr.get(company, Decimal(0)) for company in named), Decimal(0)),
            }
        wrong = [f"{name} is {found[name]}, not {value}" for name, value in wanted.items() if found[name] != value]
        return wrong + [
            f"{name} is {found[name]}, not {value}"
            for name, value in numbers.items()
            if Decimal(found[name] or "-1") != value
        ]

    def _wrong_links(
        self, request: Request, companies: dict[str, set[str]], contacts: dict[str, set[str]]
    ) -> list[str]:
        if request.retired:
            return []
        voted = {COMPANY_OF[one] for one in request.voters if one in COMPANY_OF}
        people = {one: {"Voter"} for one in request.voters & CONTACTS.keys()}
        if request.author in CONTACTS:
            people[request.author] = people.get(request.author, set()) | {"Author"}
        wrong = [] if companies == {one: {"Voted"} for one in voted} else [f"companies {companies}, not {voted}"]
        return wrong if contacts == people else [*wrong, f"contacts {contacts}, not {people}"]

    def untold(self, messages: list[str]) -> list[str]:
        """What of the messages is not what was due, and in that order; nothing where all is."""
        told = [LATE.sub("", text).removeprefix("Feature requests → sandbox: ") for text in messages]
        if told == self.due:
            return []
        place = next(
            (n for n, (a, b) in enumerate(zip(told, self.due, strict=False)) if a != b), min(len(told), len(self.due))
        )
        return [f"message {place + 1} of {len(self.due)}: {told[place : place + 3]}, due {self.due[place : place + 3]}"]


def truth_of_small_world(ids: dict[str, str]) -> Truth:
    """What the small world begins with; `ids`: the ids of its requests by name."""
    return Truth(
        {
            ids[name]: Request(title, status, author, set(voters))
            for name, (title, _, status, author, voters) in REQUESTS.items()
        }
    )
