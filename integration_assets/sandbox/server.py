"""The whole sandbox on loopback, by one server: Canny, two portals of a CRM, Slack, billing, with sample data.

`build_sandbox` makes the states, `serving` serves them for the length of a `with` block, `run_forever` until a signal.
"""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import FrameType

from integration_assets.sandbox.canny import BUSINESS, Plan, canny_lookalike
from integration_assets.sandbox.canny.limits import FREE, PRO, RateLimiter
from integration_assets.sandbox.crms import OTHER_CRMS
from integration_assets.sandbox.hubspot import Portal, PortalOptions, Subscription, hubspot_lookalike
from integration_assets.sandbox.internal import Billing, billing_lookalike
from integration_assets.sandbox.internal.billing import billed_accounts
from integration_assets.sandbox.lookalike import Lookalike
from integration_assets.sandbox.sample_data import (
    ACCOUNT_ID_PROPERTY,
    ARR_PROPERTY,
    CURRENCY_PROPERTY,
    SampleData,
    build_sample,
)
from integration_assets.sandbox.serving import listening
from integration_assets.sandbox.slack import SlackTeam, slack_lookalike
from integration_assets.sandbox.stand_in import CrmStandIn, Latency

SANDBOX_PORTAL_ID = 47_110_815
PRODUCTION_PORTAL_ID = 8_150_471
# Association types that every portal has, category and number.
CUSTOM = "custom"
"""The object of one's own that holds the records, where a portal has such."""
_CONTACT_TO_COMPANY = [("HUBSPOT_DEFINED", 1), ("HUBSPOT_DEFINED", 279)]  # primary, and unlabelled
_CHILD_TO_PARENT = [("HUBSPOT_DEFINED", 14)]

HUBSPOT = "hubspot"
CRM_NAMES = (HUBSPOT, *OTHER_CRMS)
"""CRMs the sandbox can stand in for; the first where none is named."""
Ports = tuple[int, ...]
"""Ports of Canny, the sandbox portal, the production portal, Slack and billing; 0, or none named, takes a free one."""


@dataclass
class SeededPortal:
    """A HubSpot portal with the ids its copies of the sample's companies and contacts got, in the sample's order."""

    portal: Portal
    company_ids: list[str]
    contact_ids: list[str]


@dataclass
class Sandbox:
    """The look-alikes and their states. `crm` is served as the CRM: the two HubSpot portals, or another one's."""

    sample: SampleData
    canny: Lookalike
    hubspot_sandbox: Lookalike
    hubspot_production: Lookalike
    slack: Lookalike
    internal: Lookalike
    sandbox: SeededPortal
    production: SeededPortal
    team: SlackTeam
    billing: Billing
    crm: CrmStandIn
    kept_in: str = CUSTOM

    def overrides_csv(self, environment: str) -> str:
        """The sample's overrides as the CSV of one environment ("sandbox", "production"), whose ids it holds."""
        ids = self.crm.company_ids[environment]
        rows = [f'{match},{ids[index]},"{note}"' for match, index, note in self.sample.overrides]
        return "\n".join(["match,company_id,note", *rows, ""])


@dataclass(frozen=True)
class SandboxAddresses:
    """Addresses at which a served sandbox listens."""

    canny_base_url: str
    crm_sandbox_base_url: str
    crm_production_base_url: str
    slack_base_url: str
    internal_base_url: str
    crm_settings: Callable[[str, str], Mapping[str, str]]
    """Environment variables of the CRM, for its two addresses."""
    settings: tuple[tuple[str, str], ...]
    """Environment variables beside these: keys, own domains, rates."""

    def environment(self) -> dict[str, str]:
        """The environment variables that point the product at this sandbox."""
        urls = {"CANNY_BASE_URL": self.canny_base_url, "SLACK_BASE_URL": self.slack_base_url}
        crm = (self.crm_sandbox_base_url, self.crm_production_base_url)
        hosts = (url.split("/")[2] for url in (*urls.values(), *crm, self.internal_base_url))
        return {
            **urls,
            **self.crm_settings(*crm),
            **dict(self.settings),
            "INTEGRATION_ASSETS_ALLOWED_HOSTS": ",".join(hosts),
        }


def build_sandbox(
    sample: SampleData | None = None,
    *,
    plan: Plan | None = BUSINESS,
    portal_options: PortalOptions | None = None,
    kept_in: str = CUSTOM,
    slack_interval: float = 1.0,
    latency: Latency | None = None,
    crm: str = HUBSPOT,
) -> Sandbox:
    """A sandbox with this sample data, by default the standard sample with its newest votes from just now.

    Both portals get the same companies and contacts under different ids. `plan` None lifts Canny's rate limits, and
    `slack_interval` 0 Slack's. The sample's workspace is used as it is and changes with the calls made. `crm`, one of
    `CRM_NAMES`, is what is served as the CRM. `kept_in` is the object of the portals that holds the records: of a plan
    below Enterprise, with rows of other people, where it is not one of their own.
    """
    if sample is None:
        sample = build_sample(until=datetime.now(UTC).replace(microsecond=0))
    sample.workspace.limiter = RateLimiter(plan)
    options = _below_enterprise(portal_options or PortalOptions(), kept_in)
    sandbox = _seeded(sample, SANDBOX_PORTAL_ID, "SANDBOX", options)
    production = _seeded(sample, PRODUCTION_PORTAL_ID, "STANDARD", options)
    for seeded in (sandbox, production):
        _seed_others(seeded.portal, kept_in)
    team = SlackTeam(interval=slack_interval)
    hubspot = hubspot_stand_in(sandbox, production, kept_in=kept_in, latency=latency)
    billing = Billing(billed_accounts(sample.companies, ARR_PROPERTY, CURRENCY_PROPERTY))
    return Sandbox(
        sample=sample,
        canny=canny_lookalike(sample.workspace, latency),
        hubspot_sandbox=hubspot.sandbox,
        hubspot_production=hubspot.production,
        slack=slack_lookalike(team, latency),
        internal=billing_lookalike(billing, latency),
        sandbox=sandbox,
        production=production,
        team=team,
        billing=billing,
        crm=hubspot if crm == HUBSPOT else OTHER_CRMS[crm](sample, latency=latency),
        kept_in=kept_in,
    )


def hubspot_stand_in(
    sandbox: SeededPortal, production: SeededPortal, *, kept_in: str = CUSTOM, latency: Latency | None = None
) -> CrmStandIn:
    """The look-alikes of two portals."""

    def settings(sandbox_url: str, production_url: str) -> Mapping[str, str]:
        return {
            "HUBSPOT_SANDBOX_BASE_URL": sandbox_url,
            "HUBSPOT_PRODUCTION_BASE_URL": production_url,
            "HUBSPOT_SANDBOX_TOKEN": sandbox.portal.token,
            "HUBSPOT_PRODUCTION_TOKEN": production.portal.token,
            "HUBSPOT_ARR_PROPERTY": ARR_PROPERTY,
            "HUBSPOT_CURRENCY_PROPERTY": CURRENCY_PROPERTY,
            "HUBSPOT_ACCOUNT_ID_PROPERTY": ACCOUNT_ID_PROPERTY,
            **({} if kept_in == CUSTOM else {"HUBSPOT_OBJECT": kept_in}),
        }

    return CrmStandIn(
        sandbox=hubspot_lookalike(sandbox.portal, latency=latency),
        production=hubspot_lookalike(production.portal, latency=latency),
        company_ids={"sandbox": sandbox.company_ids, "production": production.company_ids},
        settings=settings,
    )


def _below_enterprise(options: PortalOptions, kept_in: str) -> PortalOptions:
    """The options of a portal that has no custom objects, where another object holds the records."""
    if kept_in == CUSTOM:
        return options
    plan: Subscription = "starter" if options.plan == "enterprise" else options.plan
    return replace(options, plan=plan, activated=frozenset({kept_in}))


def _seed_others(portal: Portal, kept_in: str) -> None:
    """Rows of other people in the object that holds the records as well."""
    if kept_in == CUSTOM:
        return
    (pipeline, *_) = portal.pipelines[kept_in].by_id.values()
    stage = {"hs_pipeline": pipeline["id"], "hs_pipeline_stage": pipeline["stages"][0]["id"]}
    (title,) = portal.objects[kept_in].needs_one_of
    portal.seed(kept_in, [{title: f"{portal.objects[kept_in].singular} of a customer {n}", **stage} for n in (1, 2, 3)])


def _seeded(sample: SampleData, portal_id: int, account_type: str, options: PortalOptions | None) -> SeededPortal:
    portal = Portal(
        portal_id,
        account_type=account_type,
        token=f"pat-na1-{account_type.lower()}",
        options=options,
        time_zone="UTC",
        currency="USD",
    )
    for definition in sample.company_properties:
        portal.define_property("companies", definition)
    company_ids = portal.seed("companies", sample.companies)
    contact_ids = portal.seed("contacts", sample.contacts)
    for contact_id, company in zip(contact_ids, sample.contact_company, strict=True):
        if company is not None:
            portal.associate("contacts", contact_id, "companies", company_ids[company], _CONTACT_TO_COMPANY)
    for deal_id, companies in zip(portal.seed("deals", sample.deals), sample.deal_companies, strict=True):
        for company in companies:
            portal.associate("deals", deal_id, "companies", company_ids[company])
    for child, parent in sample.parents:
        portal.associate("companies", company_ids[child], "companies", company_ids[parent], _CHILD_TO_PARENT)
    return SeededPortal(portal, company_ids, contact_ids)


# -- serving


@contextlib.contextmanager
def serving(sandbox: Sandbox, ports: Ports = ()) -> Iterator[SandboxAddresses]:
    """Serve a sandbox on loopback from a thread until the block ends.

    Raises:
        OSError: a port is taken.
    """
    with serving_all([sandbox], ports) as (addresses,):
        yield addresses


@contextlib.contextmanager
def serving_all(sandboxes: Sequence[Sandbox], ports: Ports = ()) -> Iterator[list[SandboxAddresses]]:
    """Serve several sandboxes by one server, each on ports of its own; `ports` are those of the first.

    Raises:
        OSError: a port is taken.
    """
    lookalikes = [(one.canny, one.crm.sandbox, one.crm.production, one.slack, one.internal) for one in sandboxes]
    flat = [lookalike for of_one in lookalikes for lookalike in of_one]
    named = [*ports, *[0] * len(flat)][: len(flat)]
    with listening(flat, named) as origins:
        each = len(flat) // max(1, len(sandboxes))
        yield [_addresses(one, origins[at * each : (at + 1) * each]) for at, one in enumerate(sandboxes)]


def run_forever(
    announce: Callable[[SandboxAddresses], None],
    *,
    sandbox: Sandbox | None = None,
    ports: Ports = (),
    stop: threading.Event | None = None,
) -> None:
    """Serve a sandbox, by default the standard one, until SIGINT, SIGTERM or `stop`; `announce` is told where.

    Raises:
        OSError: a port is taken.
    """
    ended = stop or threading.Event()
    with serving(sandbox or build_sandbox(), ports) as addresses, _stopped_by_signals(ended):
        announce(addresses)
        ended.wait()


_PLAN_NAMES: dict[Plan | None, str] = {PRO: "pro", FREE: "free"}
"""What the product calls a plan; without limits it may call as fast as on the largest."""


def _addresses(sandbox: Sandbox, origins: list[str]) -> SandboxAddresses:
    canny, crm_sandbox, crm_production, slack, internal = origins
    rates = sandbox.sample.rates.items()
    settings = {
        "CANNY_API_KEY": sandbox.sample.workspace.api_key,
        "CANNY_PLAN": _PLAN_NAMES.get(sandbox.sample.workspace.limiter.plan, "business"),
        "INTEGRATION_ASSETS_OWN_DOMAINS": ",".join(sandbox.sample.own_domains),
        "INTEGRATION_ASSETS_CURRENCY_RATES": ",".join(f"{code}={rate}" for code, rate in rates),
        "SLACK_BOT_TOKEN": sandbox.team.token,
        "SLACK_CHANNEL": sandbox.team.channels[0].id,
    }
    return SandboxAddresses(
        canny_base_url=f"{canny}/api",
        crm_sandbox_base_url=crm_sandbox,
        crm_production_base_url=crm_production,
        slack_base_url=f"{slack}/api/",
        internal_base_url=internal,
        crm_settings=_as_served(sandbox.crm, crm_sandbox, crm_production),
        settings=tuple(settings.items()),
    )


def _as_served(crm: CrmStandIn, *served: str) -> Callable[[str, str], Mapping[str, str]]:
    """The CRM's variables as they are now, for other addresses: a token that is replaced there later is refused."""
    now = crm.settings(*served)

    def settings(sandbox_url: str, production_url: str) -> Mapping[str, str]:
        moved = dict(zip(served, (sandbox_url, production_url), strict=True))
        return {name: moved.get(value, value) for name, value in now.items()}

    return settings


@contextlib.contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on SIGINT and SIGTERM; no effect outside the main thread, where signals do not arrive."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(_: int, __: FrameType | None) -> None:
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
