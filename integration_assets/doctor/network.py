"""Checks of the way to the systems: clocks, names, certificates, and what must not be reachable from here."""

from __future__ import annotations

import asyncio
import ssl
from datetime import timedelta

from integration_assets.config import Environment, Settings
from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.proxies import public_authorities, trusted_authorities
from integration_assets.connectors.reaching import Reached, answer_to_get, reach
from integration_assets.doctor.context import DoctorContext
from integration_assets.doctor.findings import CheckOutcome, fail, ok, unknown, warn, worst_of
from integration_assets.errors import IntegrationError
from integration_assets.tenants.address_policies import guard_for, internal_policy
from integration_assets.tenants.registry.words import Provider

MOST_SKEW = timedelta(seconds=60)
FEW_DAYS = 14
"""A certificate that ends sooner should have been renewed by now: most are, a month before."""
SECONDS = 5.0
METADATA = (("169.254.169.254", 80), ("100.100.100.200", 80))
"""Addresses at which clouds tell a machine its own credentials (AWS, Google and Azure; Alibaba)."""
METADATA_SECONDS = 1.5
OF_A_PROXY = frozenset({b"403", b"407", b"500", b"502", b"503", b"504"})
"""Statuses that say no: of a proxy that takes every connection, or of a service that is switched off."""

Way = tuple[str, AddressGuard | None]


async def ways(context: DoctorContext) -> list[Reached | IntegrationError]:
    """Every host a run of this tenant asks, once each, reached or not."""
    return await context.once("hosts", lambda: _all_ways(context))


async def _all_ways(context: DoctorContext) -> list[Reached | IntegrationError]:
    settings = await context.settings()
    opened = await context.opened()
    to = _third_party(settings)
    for one in opened.internal:
        guard = AddressGuard(internal_policy(settings, context.tenant))
        to += [(url, guard) for url in (one.base_url, one.auth.get("token_url")) if url]
    # One look per host: lists of one system share it, and its certificate.
    by_origin = {url.split("/", 3)[2]: (url, guard) for url, guard in to}
    # In a thread: reading the system's certificates takes long enough to delay the other checks.
    own, public = await asyncio.to_thread(lambda: (trusted_authorities(), public_authorities()))
    return list(
        await asyncio.gather(
            # A run trusts the authorities of the environment for the operator's own hosts only.
            *(_one_way(url, guard, own if guard is None else public) for url, guard in by_origin.values())
        )
    )


def _third_party(settings: Settings) -> list[Way]:
    """The addresses that have a credential."""
    asked = (*settings.feedbacks, *(settings.crm(environment) for environment in Environment), settings.slack)
    return [
        (one.base_url, guard_for(settings, Provider(one.spec.name)))
        for one in asked
        if one.secret is not None and one.base_url
    ]


async def _one_way(url: str, guard: AddressGuard | None, context: ssl.SSLContext) -> Reached | IntegrationError:
    try:
        return await reach(url, guard=guard, seconds=SECONDS, context=context)
    except IntegrationError as error:
        return error


async def clock(context: DoctorContext) -> CheckOutcome:
    """8: this machine's clock against the systems'."""
    now_of = [(one, one.at) for one in await ways(context) if isinstance(one, Reached) and one.at is not None]
    now = context.now()
    off = [(abs(now - at), one.host) for one, at in now_of]
    if not off:
        return unknown("no system said what time it is")
    skew, host = min(off)  # the clock of one system may be wrong; where all disagree with ours, ours is
    # Expiries, freshness and the days of the history are judged by this clock.
    if skew > MOST_SKEW:
        return warn(
            f"this machine's clock is {skew.total_seconds():,.0f} s off that of {host}, as near as any",
            "switch time synchronisation on (`timedatectl set-ntp true`)",
        )
    return ok(f"{skew.total_seconds():.0f} s off that of {host}")


async def hosts(context: DoctorContext) -> CheckOutcome:
    """9: each host's name, connection and certificate."""
    found = await ways(context)
    if not found:
        return unknown("no system is configured")
    return worst_of([_host(context, one) for one in found])


def _host(context: DoctorContext, one: Reached | IntegrationError) -> CheckOutcome:
    if isinstance(one, IntegrationError):
        return fail(one.message, "check the base URL, the name server, the firewall and the proxy of this machine")
    if one.certificate_until is None:
        # The sandbox and tests; nobody else can read along there.
        if one.on_this_machine:
            return ok(f"{one.host} on this machine")
        return warn(f"{one.host} is asked without TLS: credentials travel open", "make the base URL https://")
    days = (one.certificate_until - context.now()).days
    if days < FEW_DAYS:
        return warn(f"the certificate of {one.host} ends in {days} days", "have whoever runs that host renew it")
    return ok(f"{one.host}, certificate for {days} days")


async def egress(_case: DoctorContext) -> CheckOutcome:
    """10: the addresses where clouds give out this machine's credentials do not answer. Only `/` is asked for."""
    answers = await asyncio.gather(*(answer_to_get(*where, "/", seconds=METADATA_SECONDS) for where in METADATA))
    open_ones = [f"{host}:{port}" for (host, port), said in zip(METADATA, answers, strict=True) if _serves(said)]
    if open_ones:
        return warn(
            f"the metadata service answers at {', '.join(open_ones)}; only the address guard keeps tenants from it",
            "block it for this user (network policy, `iptables -m owner`, or IMDSv2 with a hop limit of 1)",
        )
    return ok("no metadata service can be reached")


def _serves(answer: bytes) -> bool:
    """True if an answer is one of a web server that lets us in, or asks for a header or a token."""
    # Also 401 and the like: the metadata service is there and only wants a header, which a forged request can bring.
    return answer.startswith(b"HTTP/") and answer[9:12] not in OF_A_PROXY
