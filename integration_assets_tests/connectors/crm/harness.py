"""A CRM of each kind for the protocol tests: a look-alike on a real loopback socket, with a way to put records in.

A new CRM connector adds its harness here, and has to pass `test_protocol.py` with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Protocol, TypeVar

from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import ClientSecret, Token
from integration_assets.connectors.crm.base import Crm
from integration_assets.connectors.crm.salesforce.connector import salesforce
from integration_assets.connectors.crm.salesforce.names import custom_name
from integration_assets.connectors.crm.salesforce.spec import DOMAINS_FIELD
from integration_assets.providers import crm_factory
from integration_assets.sandbox.hubspot import Portal as HubSpotPortal
from integration_assets.sandbox.hubspot import PortalOptions, Subscription, hubspot_lookalike
from integration_assets.sandbox.salesforce import Org, OrgOptions, salesforce_lookalike
from integration_assets.sandbox.salesforce.fields import Field
from integration_assets.sandbox.salesforce.org import CLIENT_ID
from integration_assets.sandbox.twenty import TwentyOptions, Workspace, twenty_lookalike
from integration_assets.sandbox.twenty.options import Version
from integration_assets_tests.support.foreign import served

T = TypeVar("T")
TOKEN = "pat-na1-harness"


class Seeds(Protocol):
    """Puts records into a CRM behind its API's back."""

    def company(self, **values: str) -> str:
        """Add a company (name, domain, additional_domains, arr); returns its id."""

    def contact(self, email: str, *, additional: str = "", company_id: str | None = None) -> str:
        """Add a contact with a primary company; returns its id."""

    def delete_company(self, company_id: str) -> None:
        """Delete a company as a person does."""

    def parent(self, child_id: str, parent_id: str) -> None:
        """Make one company the parent of another."""

    def archive(self, object_name: str, record_id: str) -> None:
        """Archive a record of our object."""


@dataclass
class Harness:
    """One CRM under test. `lookalike` has `requests` and `faults`.

    `has_groups`: properties of this CRM are in groups; `adds_options`: `setup` adds options without groups;
    `has_parents`: its companies may have a parent;
    `has_additional_addresses`: its contacts may have several. `open` opens a connector whose credential is no token.
    `born`: the object `kept_in` that holds our records is there before we are. `options` are the connector's own.
    """

    provider: str
    url: str
    seeds: Seeds
    portal: Any
    lookalike: Any
    arr_property: str
    token: str = TOKEN
    has_groups: bool = True
    adds_options: bool = False
    has_parents: bool = True
    has_additional_addresses: bool = True
    open: Callable[..., AbstractAsyncContextManager[Crm]] | None = None
    born: bool = False
    kept_in: str | None = None
    options: Mapping[str, str] | None = None
    calls: CallCounter = field(default_factory=CallCounter)

    def talk(self, work: Callable[[Crm], Awaitable[T]]) -> T:
        """Do `work` with a fresh connector."""

        async def story() -> T:
            factory = self.open or partial(crm_factory(self.provider), credential=Token(SecretStr(self.token)))
            own: Any = {} if self.options is None else {"options": self.options}
            async with factory(base_url=self.url, calls=self.calls, **own) as crm:
                return await work(crm)

        return asyncio.run(story())


class HubSpotSeeds:
    def __init__(self, portal: HubSpotPortal) -> None:
        self._portal = portal

    def company(self, **values: str) -> str:
        names = {"additional_domains": "hs_additional_domains", "arr": "arr_total"}
        return self._portal.seed("companies", [{names.get(name, name): text for name, text in values.items()}])[0]

    def contact(self, email: str, *, additional: str = "", company_id: str | None = None) -> str:
        row = {"email": email, "hs_additional_emails": additional}
        (contact_id,) = self._portal.seed("contacts", [row])
        if company_id is not None:
            types = [("HUBSPOT_DEFINED", 1), ("HUBSPOT_DEFINED", 279)]
            self._portal.associate("contacts", contact_id, "companies", company_id, types)
        return contact_id

    def delete_company(self, company_id: str) -> None:
        self._portal.archive("companies", company_id)

    def parent(self, child_id: str, parent_id: str) -> None:
        self._portal.associate("companies", child_id, "companies", parent_id, [("HUBSPOT_DEFINED", 14)])

    def archive(self, object_name: str, record_id: str) -> None:
        self._portal.archive(object_name, record_id)


@contextlib.contextmanager
def hubspot_harness(options: PortalOptions | None = None, portal_id: int = 4711) -> Iterator[Harness]:
    """A HubSpot portal with a mapped company property `arr_total`."""
    portal = HubSpotPortal(portal_id, token=TOKEN, options=options)
    portal.define_property("companies", {"name": "arr_total", "type": "number", "fieldType": "number"})
    lookalike = hubspot_lookalike(portal)
    with served(lookalike) as url:
        yield Harness("hubspot", url, HubSpotSeeds(portal), portal, lookalike, "arr_total")


@contextlib.contextmanager
def library_harness(name: str, plan: Subscription, *, stage_is_required: bool = False) -> Iterator[Harness]:
    """A HubSpot portal below Enterprise that keeps our records in an object of the library, beside somebody else's."""
    options = PortalOptions(plan=plan, activated=frozenset({name}), stage_is_required=stage_is_required)
    with hubspot_harness(options) as harness:
        named = {"tickets": "subject"}.get(name, "hs_name")
        harness.portal.seed(name, [{named: "Somebody else's"}])
        harness.born, harness.options, harness.kept_in = True, {"object": name}, name
        yield harness


class TwentySeeds:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def company(self, **values: str) -> str:
        more = [{"url": part.strip(), "label": ""} for part in values.get("additional_domains", "").split(";") if part]
        domain = {"primaryLinkUrl": values.get("domain", ""), "primaryLinkLabel": "", "secondaryLinks": more}
        row: dict[str, Any] = {"name": values.get("name", ""), "domainName": domain}
        if "arr" in values:
            micros = int(Decimal(values["arr"]) * 1_000_000)
            row["annualRecurringRevenue"] = {"amountMicros": micros, "currencyCode": "USD"}
        return self._workspace.seed("companies", [row])[0]

    def contact(self, email: str, *, additional: str = "", company_id: str | None = None) -> str:
        emails = {"primaryEmail": email, "additionalEmails": [part for part in additional.split(";") if part]}
        return self._workspace.seed("people", [{"emails": emails, "companyId": company_id}])[0]

    def delete_company(self, company_id: str) -> None:
        self._workspace.soft_delete("companies", company_id)

    def parent(self, child_id: str, parent_id: str) -> None:
        raise NotImplementedError("companies of Twenty have no parent")

    def archive(self, object_name: str, record_id: str) -> None:
        plural = next(one.plural for one in self._workspace.objects.values() if one.singular == object_name)
        self._workspace.soft_delete(plural, record_id)


@contextlib.contextmanager
def twenty_harness(version: Version = "2.31") -> Iterator[Harness]:
    """A workspace of Twenty, without a limit: the limiter of the connector would keep tests waiting for a minute."""
    options = TwentyOptions(version=version, calls_per_minute=None)
    # Each with a key of its own: the limiter is the key's, and its windows are kept for the whole process.
    workspace = Workspace(str(uuid.uuid4()), options=options)
    lookalike = twenty_lookalike(workspace)
    with served(lookalike) as url:
        yield Harness(
            "twenty",
            url,
            TwentySeeds(workspace),
            workspace,
            lookalike,
            "annualRecurringRevenue",
            token=workspace.key,
            has_groups=False,
            has_parents=False,
        )


class SalesforceSeeds:
    def __init__(self, org: Org) -> None:
        self._org = org

    def company(self, **values: str) -> str:
        names = {"name": "Name", "domain": "Website", "additional_domains": "Other_Domains__c", "arr": "ARR__c"}
        row: dict[str, Any] = {names[name]: value for name, value in values.items()}
        if "arr" in values:
            row["ARR__c"] = float(values["arr"])
        return self._org.seed("Account", [row])[0]

    def contact(self, email: str, *, additional: str = "", company_id: str | None = None) -> str:
        return self._org.seed("Contact", [{"Email": email, "LastName": "Doe", "AccountId": company_id}])[0]

    def delete_company(self, company_id: str) -> None:
        self._org.delete("Account", company_id)

    def parent(self, child_id: str, parent_id: str) -> None:
        self._org.change("Account", child_id, ParentId=parent_id)

    def archive(self, object_name: str, record_id: str) -> None:
        self._org.delete(custom_name(object_name), record_id)


@contextlib.contextmanager
def salesforce_harness(options: OrgOptions | None = None, *, number: int = 7) -> Iterator[Harness]:
    """A sandbox org with a mapped field `ARR__c` and one for further domains."""
    org = Org(number, options=options)
    org.define_field("Account", Field("ARR__c", "currency", "ARR", precision=18, scale=2))
    org.define_field("Account", Field("Other_Domains__c", "string", "Other domains", 255))
    lookalike = salesforce_lookalike(org)
    open_ = partial(
        salesforce,
        credential=ClientSecret(CLIENT_ID, SecretStr(org.secret)),
        setup_credential=Token(SecretStr(org.admin_token)),
        options={DOMAINS_FIELD: "Other_Domains__c"},
    )
    with served(lookalike) as url:
        yield Harness(
            "salesforce",
            url,
            SalesforceSeeds(org),
            org,
            lookalike,
            "ARR__c",
            has_groups=False,
            adds_options=True,
            has_additional_addresses=False,
            open=open_,
        )


HARNESSES: dict[str, Callable[[], AbstractContextManager[Harness]]] = {
    "hubspot": hubspot_harness,
    "salesforce": salesforce_harness,
    "hubspot services": partial(library_harness, "services", "professional"),
    "twenty 1.10": partial(twenty_harness, "1.10"),
    "twenty 2.21": partial(twenty_harness, "2.21"),
    "twenty 2.31": partial(twenty_harness, "2.31"),
}
"""By provider, and by its version where answers of several are told apart."""
