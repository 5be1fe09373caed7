"""A world small enough to know every answer by heart: four companies, eight people, five requests.

| request       | board    | votes of                   | companies          | ARR in USD |
|---------------|----------|----------------------------|--------------------|------------|
| dark mode     | Features | ann, bob, cid, eve         | Acme, Beta         | 1,500.50   |
| csv export    | Features | dee, gus                   | Gamma              | 0          |
| crash         | Bugs     | flo, han                   | Delta              | 108        |
| single sign-on| Features | ann, cid, han              | Acme, Beta, Delta  | 1,608.50   |
| themes        | Features | nobody                     | none               | 0          |

ann writes from the CRM contact's address, bob from a sub-domain of Acme's, cid from Beta's additional domain, dee from
a personal address that is a contact of Gamma, eve from a domain nobody has, flo without an address, gus and han from
their companies' domains. Delta's ARR is 100 EUR at 1.08.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from integration_assets.sandbox.canny import Workspace
from integration_assets.sandbox.canny.records import Post, StatusChange, User, slug
from integration_assets.sandbox.sample_data import ACCOUNT_ID_PROPERTY, ARR_PROPERTY, CURRENCY_PROPERTY, SampleData

START = 1_750_000_000_000
"""When the first request was made, in milliseconds since 1970; every later event is a minute after the one before."""
MINUTE = 60_000

COMPANIES = {
    "Acme": {"domain": "acme.com", "lifecyclestage": "customer", ARR_PROPERTY: "1000"},
    "Beta": {
        "domain": "beta.io",
        "hs_additional_domains": "beta-group.com",
        "lifecyclestage": "customer",
        ARR_PROPERTY: "500.50",
    },
    "Gamma": {"domain": "gamma.de", "lifecyclestage": "lead"},
    "Delta": {"domain": "delta.fr", "lifecyclestage": "customer", ARR_PROPERTY: "100", CURRENCY_PROPERTY: "EUR"},
}
PEOPLE = {
    "ann": "ann@acme.com",
    "bob": "Bob@mail.acme.com",
    "cid": "cid@beta-group.com",
    "dee": "dee.founder@gmail.com",
    "eve": "eve@nowhere-at-all.org",
    "flo": None,
    "gus": "gus@gamma.de",
    "han": "han@delta.fr",
}
CONTACTS = {"ann": "Acme", "dee": "Gamma"}
"""People who are contacts in the CRM, with their primary company."""
REQUESTS = {
    "dark mode": ("Dark mode", "Features", "open", "ann", ("ann", "bob", "cid", "eve")),
    "csv export": ("Export to CSV", "Features", "planned", "dee", ("dee", "gus")),
    "crash": ("Crash on start", "Bugs", "in progress", "flo", ("flo", "han")),
    "single sign-on": ("Single sign-on", "Features", "complete", "eve", ("ann", "cid", "han")),
    "themes": ("Themes", "Features", "on the shelf", "gus", ()),
}
"""Title, board, status, author and voters of each request. The last status is the workspace's own."""


@dataclass
class SmallWorld:
    """The sample for a sandbox, and the ids Canny gave its requests, people and boards."""

    sample: SampleData
    requests: dict[str, str] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    boards: dict[str, str] = field(default_factory=dict)


def small_world() -> SmallWorld:
    """The world of this module's first lines."""
    workspace = Workspace(plan=None, seed=1)
    world = SmallWorld(_sample(workspace))
    for name in ("Features", "Bugs"):
        world.boards[name] = workspace.add_board(name, created=START).id
    category = workspace.add_category(world.boards["Features"], "Look and feel", created=START)
    for number, (name, email) in enumerate(PEOPLE.items()):
        made = START + number
        user = User(
            workspace.new_id(made), name.title(), made, email=email, user_id=f"u-{name}", is_admin=name == "ann"
        )
        world.people[name] = workspace.add_user(user).id
    moment = START
    for name, (title, board, status, author, voters) in REQUESTS.items():
        moment += MINUTE
        post = Post(workspace.new_id(moment), world.boards[board], title, moment, slug(title), world.people[author])
        if name == "dark mode":
            post.details, post.category_id = "My eyes hurt at night.", category.id
        world.requests[name] = workspace.add_post(post).id
        if status != "open":
            moment += MINUTE
            change = StatusChange(workspace.new_id(moment), post.id, world.people["ann"], moment, status)
            workspace.add_status_change(change)
        for voter in voters:
            moment += MINUTE
            workspace.vote(post.id, world.people[voter], created=moment)
    return world


def _sample(workspace: Workspace) -> SampleData:
    names = list(COMPANIES)
    return SampleData(
        workspace=workspace,
        companies=[{"name": name, **row} for name, row in COMPANIES.items()],
        parents=[],
        contacts=[{"email": PEOPLE[person] or "", "firstname": person.title()} for person in CONTACTS],
        contact_company=[names.index(company) for company in CONTACTS.values()],
        own_domains=("own-company.com",),
        overrides=[],
        company_properties=[_text(name) for name in (ARR_PROPERTY, CURRENCY_PROPERTY, ACCOUNT_ID_PROPERTY)],
        rates={"EUR": "1.08"},
        dirt={},
    )


def _text(name: str) -> dict[str, Any]:
    return {"name": name, "label": name, "type": "string", "fieldType": "text", "groupName": "companyinformation"}
