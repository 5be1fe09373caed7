"""People who vote, their accounts in Canny, and the contacts the CRM has of some of them."""

from __future__ import annotations

import itertools
import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from integration_assets.sandbox.canny.records import Company, User
from integration_assets.sandbox.canny.workspace import Workspace
from integration_assets.sandbox.sample.companies import ACCOUNT_ID_PROPERTY, ARR_PROPERTY, Companies
from integration_assets.sandbox.sample.words import (
    COMPANY_FIRST,
    COMPANY_SECOND,
    DISPOSABLE_HOSTS,
    FIRST_NAMES,
    LAST_NAMES,
    PERSONAL_HOSTS,
)

OWN_DOMAINS = ("acme-cloud.io", "acme-cloud.com")
YEAR = 365 * 24 * 3600 * 1000
TIER_PEOPLE = {"enterprise": 9.0, "mid": 3.0, "small": 1.0}
"""How many people of a company vote, relative to one another."""


@dataclass
class People:
    """Everybody, by the size of their company, and the CRM's contacts. `dirt` names user ids by kind."""

    by_tier: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    staff: list[str] = field(default_factory=list)
    company_of: dict[str, int] = field(default_factory=dict)
    contacts: list[dict[str, str]] = field(default_factory=list)
    contact_company: list[int | None] = field(default_factory=list)
    dirt: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


@dataclass
class Making:
    """What the steps of making sample data share. `until` is its present, in milliseconds since 1970.

    `accounts` are the ids of the accounts of companies, by company index.
    """

    draw: random.Random
    workspace: Workspace
    companies: Companies
    until: int
    accounts: dict[int, str] = field(default_factory=dict)
    people: People = field(default_factory=People)


def make_accounts(making: Making) -> None:
    """Accounts of about four in ten companies; some of the CRM's companies know the account's id.

    Where several companies share a domain an account would decide, so only the kind that shows this has one.
    """
    draw, workspace, companies, until = making.draw, making.workspace, making.companies, making.until
    accounts = making.accounts
    decided = companies.dirt["shared.account_decides"][::2]
    without = {
        index
        for kind, some in companies.dirt.items()
        for index in some
        if kind.startswith("shared.") or kind == "domain.regional_only"
    }
    for index, one in enumerate(companies.all):
        if index not in decided and (index in without or draw.random() > 0.4):
            continue
        number = len(accounts)
        account_id = _ACCOUNT_IDS[number] if number < len(_ACCOUNT_IDS) else f"acct-{number:05d}"
        accounts[index] = account_id
        workspace.add_company(
            Company(
                id=account_id,
                name=one.name,
                created=until - draw.randrange(3 * YEAR),
                domain=_ACCOUNT_DOMAINS[number % len(_ACCOUNT_DOMAINS)](one.host),
                monthly_spend=_spend(draw, one.row.get(ARR_PROPERTY, ""), number),
                custom_fields={
                    "plan": draw.choice(("starter", "growth", "enterprise")),
                    "seats": draw.randrange(1, 400),
                },
            )
        )
        if index in decided or draw.random() < 0.3:
            one.row[ACCOUNT_ID_PROPERTY] = account_id
    for number in range(max(2, len(accounts) // 40)):  # accounts that no CRM company answers to
        workspace.add_company(
            Company(f"trial-{number:04d}", f"Trial account {number + 1}", until - draw.randrange(YEAR), None, None)
        )


_ACCOUNT_IDS = ("Münch & Söhne / EU", "company 1", "acme/eu/42", "東京-支店", "ACCT 00009")
"""Account ids are the customers' own text, spaces, slashes and all."""
_ACCOUNT_DOMAINS: tuple[Callable[[str], str | None], ...] = (
    lambda host: host,
    lambda _: None,
    lambda host: host.upper(),
    lambda _: "",
    lambda host: host,
    lambda host: f"https://www.{host}/",
    lambda _: None,
)


def _spend(draw: random.Random, arr: str, number: int) -> float | None:
    if number % 9 == 4:
        return None
    if number % 9 == 7:
        return 0
    yearly = float(arr) if arr.replace(".", "", 1).isdigit() and float(arr) < 1e9 else draw.uniform(500, 30_000)
    return round(yearly / 12 * draw.uniform(0.8, 1.1), 2)


# -- people


def make_people(making: Making, count: int) -> None:
    """`count` people with all their kinds of addresses, of which at least two of each kind."""
    draw, companies = making.draw, making.companies
    kinds = [kind for kind, (share, _) in _KINDS.items() for _ in range(max(2, round(count * share)))]
    twins = max(2, count // 500)
    kinds += ["business"] * max(0, count - len(kinds) - twins)
    draw.shuffle(kinds)
    indices = range(len(companies.all))
    cumulated = list(itertools.accumulate(TIER_PEOPLE[one.tier] for one in companies.all))
    # Every dirty or shared company has at least one voter, so that no kind of dirt goes without consequence.
    queue = sorted({index for some in companies.dirt.values() for index in some})
    for kind in kinds:
        index: int | None = None
        if kind in _EMPLOYED:
            index = queue.pop() if kind == "business" and queue else draw.choices(indices, cum_weights=cumulated)[0]
        _add_person(making, kind, index)
    for user_id in making.people.dirt["email.business"][:twins]:
        _add_twin(making, user_id)


_EMPLOYED = ("business", "upper", "display", "plus_tag", "sub_domain", "padded", "personal", "no_email", "malformed")
_Maker = Callable[[random.Random, str, str], str | None]
_KINDS: dict[str, tuple[float, _Maker]] = {
    "business": (0.70, lambda _, local, host: f"{local}@{host}"),
    "upper": (0.03, lambda _, local, host: f"{local}@{host}".upper()),
    "display": (0.005, lambda _, local, host: f"{local.replace('.', ' ').title()} <{local}@{host}>"),
    "plus_tag": (0.01, lambda _, local, host: f"{local}+feedback@{host}"),
    "padded": (0.005, lambda _, local, host: f" {local}@{host} "),
    "sub_domain": (0.04, lambda draw, local, host: f"{local}@{draw.choice(('mail', 'eng', 'us.corp'))}.{host}"),
    "no_email": (0.05, lambda *_: None),
    "malformed": (
        0.01,
        lambda draw, local, host: draw.choice(
            (local, f"{local}@@{host}", f"{local}@localhost", f"@{host}", f"{local} at {host}", "", f"{local}@{host}@x")
        ),
    ),
    "personal": (0.07, lambda draw, local, _: f"{local}{draw.randrange(99)}@{draw.choice(PERSONAL_HOSTS)}"),
    "disposable": (0.005, lambda draw, local, _: f"{local}@{draw.choice(DISPOSABLE_HOSTS)}"),
    "unknown": (0.05, lambda _, local, host: f"{local}@{host}"),
    "own_staff": (0.008, lambda draw, local, _: f"{local}@{draw.choice(OWN_DOMAINS)}"),
}
"""How common each kind of address is, and how it is made of a local part and a host."""


def _add_person(making: Making, kind: str, index: int | None) -> None:
    draw, workspace, companies, people = making.draw, making.workspace, making.companies, making.people
    first, last = draw.choice(FIRST_NAMES), draw.choice(LAST_NAMES)
    number = len(workspace.users)
    local = f"{first}.{last}".lower() if number % 3 else f"{first[0]}{last}{number}".lower()
    host = _host(draw, companies, index)
    email = _KINDS[kind][1](draw, f"{local}{number}", host)
    created = making.until - draw.randrange(3 * YEAR)
    user = workspace.add_user(
        User(
            id=workspace.new_id(created),
            name=f"{first} {last}",
            created=created,
            email=email,
            user_id=f"user-{number:06d}" if draw.random() < 0.85 else None,
            is_admin=kind == "own_staff",
            alias=None if number % 5 else f"{draw.choice(COMPANY_FIRST)} Fish",
            last_activity=None if number % 7 == 0 else making.until - draw.randrange(YEAR // 4),
            company_ids=_memberships(making, index),
        )
    )
    people.dirt[f"email.{kind}"].append(user.id)
    if len(user.company_ids) > 1:
        people.dirt["user.several_accounts"].append(user.id)
    if kind == "own_staff":
        people.staff.append(user.id)
    else:
        people.by_tier["other" if index is None else companies.all[index].tier].append(user.id)
    if index is not None:
        people.company_of[user.id] = index


def _add_twin(making: Making, user_id: str) -> None:
    """A second account of the same person: the address in other letters, no memberships."""
    people, first = making.people, making.workspace.users[user_id]
    created = making.until - making.draw.randrange(YEAR)
    email = first.email.title() if first.email is not None else None
    second = making.workspace.add_user(User(making.workspace.new_id(created), first.name, created, email))
    index = people.company_of[user_id]
    people.company_of[second.id] = index
    people.by_tier[making.companies.all[index].tier].append(second.id)
    people.dirt["user.same_address"].append(second.id)


def _host(draw: random.Random, companies: Companies, index: int | None) -> str:
    if index is None:
        name = f"{draw.choice(COMPANY_FIRST)}{draw.choice(COMPANY_SECOND)}".lower()
        return f"{name}-{draw.choice(('studio', 'group', 'partners'))}.com"
    return draw.choice(companies.all[index].mail_hosts)


def _memberships(making: Making, index: int | None) -> list[str]:
    known = [] if index is None or index not in making.accounts else [making.accounts[index]]
    wanted = 2 if len(making.workspace.users) % 50 == 7 else len(known) + (making.draw.random() < 0.01)
    while len(known) < wanted:
        other = making.draw.choice(making.workspace.companies_in_order.keys)[1]
        known += [other] if other not in known else []
    return known


# -- contacts


def make_contacts(making: Making) -> None:
    """Contacts of about four in ten of the people, and some of people who never voted."""
    draw, workspace, companies, people = making.draw, making.workspace, making.companies, making.people
    taken: set[str] = set()
    for user in workspace.users.values():
        address = _as_crm_keeps_it(user.email)
        if address is None or address in taken or user.id in people.staff or draw.random() > 0.4:
            continue
        taken.add(address)
        _add_contact(making, user, address)
    for number in range(max(5, len(people.contacts) // 10)):
        index = draw.randrange(len(companies.all))
        people.contacts.append({"email": f"prospect{number}@{companies.all[index].mail_hosts[-1]}", "firstname": "Pat"})
        people.contact_company.append(index)


def _as_crm_keeps_it(email: str | None) -> str | None:
    """The address in lower case; None for what a CRM would not take."""
    if email is None:
        return None
    address = email.strip().lower()
    local, _, host = address.partition("@")
    usable = local and "." in host and "@" not in host and not set(address) & set(" <>\"'") and address.isascii()
    return address if usable else None


def _add_contact(making: Making, user: User, address: str) -> None:
    people = making.people
    first, _, last = user.name.partition(" ")
    row = {"email": address, "firstname": first, "lastname": last}
    company = people.company_of.get(user.id)
    number = len(people.contacts)
    if number % 25 == 3:
        row |= {"email": f"former.{address}", "hs_additional_emails": address}
        people.dirt["contact.additional_email"].append(user.id)
    if number % 25 == 8:
        company = making.draw.randrange(len(making.companies.all))
        people.dirt["contact.other_company"].append(user.id)
    elif number % 25 == 14:
        company = None
        people.dirt["contact.no_company"].append(user.id)
    people.contacts.append(row)
    people.contact_company.append(company)
