"""What people do between two runs, in the feedback system and in the CRM: to the world, and to the truth of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from hubspot.crm.companies import SimplePublicObjectInput as CompanyInput  # type: ignore[import-untyped]
from hubspot.crm.objects import SimplePublicObjectInput  # type: ignore[import-untyped]  # the client has no types

from integration_assets.sandbox.sample_data import ARR_PROPERTY
from integration_assets_tests.proofs.soak.truth import NOTE, Request, Truth
from integration_assets_tests.support.harness import KEY_PROPERTY, NAMES, OBJECT, World
from integration_assets_tests.support.small_world import COMPANIES, PEOPLE

FEWEST = 4
"""Requests that stay, whatever people remove."""
STATUSES = ("open", "planned", "in progress", "complete")


@dataclass
class Subject:
    """One tenant: its world, its truth, and what is drawn for it.

    `settled`: the last run came to its end, so that CRM and truth agree and people may touch the CRM.
    """

    name: str
    world: World
    truth: Truth
    draw: random.Random
    settled: bool = False
    made: int = 0
    happened: int = 0

    def live(self) -> list[str]:
        """Ids of the requests that are there in both systems, or will be."""
        return [one for one, it in self.truth.requests.items() if not it.retired and not it.archived]

    def synced(self) -> list[str]:
        """Ids of the requests that have a live record."""
        return [one for one in self.live() if self.truth.requests[one].settled is not None]

    def edit(self, request_id: str, **properties: str) -> None:
        """Change properties of a record, as a person does."""
        records = self.world.portal.records(OBJECT)
        record = next(one for one in records if one["properties"].get(KEY_PROPERTY) == f"canny:{request_id}")
        with self.world.as_person() as (client, object_type):
            made = SimplePublicObjectInput(properties=properties)
            client.crm.objects.basic_api.update(object_type, str(record["id"]), made)


def _vote(one: Subject) -> None:
    request_id, person = one.draw.choice(one.live()), one.draw.choice(list(PEOPLE))
    one.world.canny.vote(request_id, one.world.person(person))
    one.truth.requests[request_id].voters.add(person)


def _take_back(one: Subject) -> None:
    request_id = one.draw.choice(one.live())
    if voters := one.truth.requests[request_id].voters:
        person = one.draw.choice(sorted(voters))
        canny = one.world.canny
        canny.delete_vote(canny.vote_of_pair[request_id, one.world.person(person)])
        voters.remove(person)


def _write(one: Subject) -> None:
    one.made += 1
    title, author = f"Request {one.made} of {one.name}", one.draw.choice(list(PEOPLE))
    voters = set(one.draw.sample(list(PEOPLE), one.draw.randrange(4)))
    key = one.world.add_request(title, author=author, voters=sorted(voters))
    one.truth.requests[key.removeprefix("canny:")] = Request(title, "open", author, voters)


def _reword(one: Subject) -> None:
    one.made += 1
    request_id, title = one.draw.choice(one.live()), f"Reworded {one.made}"
    one.world.canny.posts[request_id].title = title
    one.world.canny.version += 1
    one.truth.requests[request_id].title = title


def _move_on(one: Subject) -> None:
    request_id, status = one.draw.choice(one.live()), one.draw.choice(STATUSES)
    # Moving it to where it is would be one more change of status.
    if one.truth.requests[request_id].status != status:
        one.world.canny.change_status(request_id, NAMES.people["ann"], status)
        one.truth.requests[request_id].status = status


def _merge(one: Subject) -> None:
    if not one.settled or len(one.synced()) <= FEWEST:
        return
    gone, into = one.draw.sample(one.synced(), 2)
    one.world.canny.merge(gone, into)
    one.truth.requests[into].voters |= one.truth.requests[gone].voters
    one.truth.requests[gone].retired = "merged"


def _delete(one: Subject) -> None:
    if not one.settled or len(one.synced()) <= FEWEST:
        return
    gone = one.draw.choice(one.synced())
    one.world.canny.delete_post(gone)
    one.truth.requests[gone].retired = "deleted"


def _rename_in_crm(one: Subject) -> None:
    if not one.settled or not one.synced():
        return
    one.made += 1
    request_id, title = one.draw.choice(one.synced()), f"Ours: {one.made}"
    one.edit(request_id, title=title)
    one.truth.requests[request_id].shown = title


def _note_in_crm(one: Subject) -> None:
    if not one.settled or not one.synced():
        return
    one.made += 1
    request_id, note = one.draw.choice(one.synced()), f"ask {one.made}"
    one.edit(request_id, **{NOTE: note})
    one.truth.requests[request_id].note = note


def _miscount_in_crm(one: Subject) -> None:
    """A computed field: the next run restores it."""
    if one.settled and one.synced():
        one.edit(one.draw.choice(one.synced()), votes="999")


def _archive_in_crm(one: Subject) -> None:
    """Once in a story, as every archived record is one fewer."""
    if not one.settled or len(one.synced()) <= FEWEST or any(it.archived for it in one.truth.requests.values()):
        return
    request_id = one.draw.choice(one.synced())
    records = one.world.portal.records(OBJECT)
    record = next(it for it in records if it["properties"].get(KEY_PROPERTY) == f"canny:{request_id}")
    one.world.portal.archive(OBJECT, str(record["id"]))
    one.truth.requests[request_id].archived = True


def _revalue(one: Subject) -> None:
    """A sales person learns what a company pays."""
    name, arr = one.draw.choice(("Acme", "Beta")), one.draw.randrange(900, 1_100)
    with one.world.as_person() as (client, _):
        made = CompanyInput(properties={ARR_PROPERTY: str(arr)})
        client.crm.companies.basic_api.update(one.world.company(name), made)
    one.truth.arr[name] = Decimal(arr)


HAPPENINGS: tuple[tuple[Callable[[Subject], None], int], ...] = (
    (_vote, 6),
    (_take_back, 3),
    (_write, 2),
    (_reword, 2),
    (_move_on, 2),
    (_merge, 1),
    (_delete, 1),
    (_rename_in_crm, 2),
    (_note_in_crm, 1),
    (_miscount_in_crm, 1),
    (_archive_in_crm, 1),
    (_revalue, 1),
)
"""Each with how likely it is beside the others."""


def happen(one: Subject, number: int) -> None:
    """Let so many things happen."""
    functions, weights = zip(*HAPPENINGS, strict=True)
    for function in one.draw.choices(functions, weights, k=number):
        function(one)
        one.happened += 1


def certainly_changed(one: Subject) -> None:
    """A vote that comes or goes, so that the next run has something to write."""
    request_id = one.draw.choice(one.live())
    person = next((it for it in PEOPLE if it not in one.truth.requests[request_id].voters), None)
    if person is None:
        _take_back(one)
    else:
        one.world.canny.vote(request_id, one.world.person(person))
        one.truth.requests[request_id].voters.add(person)


def company_names(world: World) -> dict[str, str]:
    """Names of the small world's companies by record id."""
    return {world.company(name): name for name in COMPANIES}
