"""The address guard: what it lets pass, what it refuses, and what it does on real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Awaitable, Callable, Iterable

import httpcore
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.config import load_settings, tenant_settings
from integration_assets.connectors.address_guard import (
    ALLOWABLE,
    NOT_PUBLIC,
    AddressError,
    AddressGuard,
    AddressPolicy,
    check_address,
    check_literal,
    why_not_public,
)
from integration_assets.connectors.guarded import GuardedBackend
from integration_assets.errors import ConfigurationError
from integration_assets.tenants.address_policies import (
    check_internal_urls,
    check_third_party_url,
    guard_for,
    internal_policy,
    third_party_policy,
)
from integration_assets.tenants.registry.changes import FieldError
from integration_assets.tenants.registry.words import Provider
from integration_assets_tests.proofs.security.addresses import blocked
from integration_assets_tests.proofs.security.holdout_vectors import HOLDOUT
from integration_assets_tests.proofs.security.live_addresses import BEHAVIOURS, TLS_AND_DIALLING
from integration_assets_tests.proofs.security.ssrf_vectors import LEGITIMATE, VECTORS, Vector


@pytest.mark.parametrize("vector", [*VECTORS, *HOLDOUT], ids=repr)
def test_hostile_addresses_are_refused(vector: Vector) -> None:
    """Each is refused, when it is saved or when it is used."""
    assert blocked(vector)


@pytest.mark.parametrize("vector", LEGITIMATE, ids=repr)
def test_honest_addresses_pass(vector: Vector) -> None:
    """Public names and addresses of every spelling that is usual are asked."""
    assert not blocked(vector)


def test_no_vector_is_tried_twice() -> None:
    """What is counted is different, and what is held out is in no other list."""
    every = [*VECTORS, *HOLDOUT, *LEGITIMATE]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize(
    "behaviour", [*BEHAVIOURS.values(), *TLS_AND_DIALLING.values()], ids=[*BEHAVIOURS, *TLS_AND_DIALLING]
)
def test_live(behaviour: Callable[[], Awaitable[None]]) -> None:
    """On real sockets the client does as it should."""

    async def run() -> None:
        await behaviour()

    asyncio.run(run())


@given(st.ip_addresses())
def test_no_address_that_python_calls_special_is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Our table refuses at least what the standard library knows not to be global."""
    if not address.is_global or address.is_multicast:
        assert why_not_public(address) is not None


@given(st.data())
def test_every_address_of_a_blocked_network_is_refused(data: st.DataObject) -> None:
    """First, last and any address between."""
    network, _ = data.draw(st.sampled_from(NOT_PUBLIC))
    number = data.draw(st.integers(int(network.network_address), int(network.broadcast_address)))
    address = ipaddress.IPv4Address(number) if network.version == 4 else ipaddress.IPv6Address(number)
    with pytest.raises(AddressError):
        check_literal("host", address, AddressPolicy())


@given(st.ip_addresses(v=4))
def test_an_ipv4_address_inside_an_ipv6_one_is_refused(inner: ipaddress.IPv4Address) -> None:
    """Mapped, compatible, translated, 6to4, Teredo, ISATAP: whatever the inner address is."""
    number = int(inner)
    prefixes = {"::ffff:0:0": 0, "64:ff9b::": 0, "64:ff9b:1::": 0, "2002::": 80, "2001::": 0, "2a01:4f8::5efe:0:0": 0}
    for prefix, shift in prefixes.items():
        address = ipaddress.IPv6Address(int(ipaddress.IPv6Address(prefix)) | (number << shift))
        assert why_not_public(address) is not None


@given(st.text())
def test_no_text_breaks_the_check(text: str) -> None:
    """Whatever is typed is refused with a reason, or leads to a host by https."""
    for url in (text, f"https://{text}"):
        with contextlib.suppress(AddressError):
            target = check_address(url, AddressPolicy())
            assert target.scheme == "https"
            assert target.port in (443, 8443)
            assert "." in target.host or ":" in target.host


def test_exact_pairs_of_the_operator_pass() -> None:
    """A host and port the operator names passes, on loopback and without TLS; its neighbours do not."""
    policy = AddressPolicy(allowed=frozenset({"127.0.0.1:8080", "[::1]:8080", "billing.internal:9000"}))
    for url in ("http://127.0.0.1:8080/api", "http://[::1]:8080", "https://billing.internal:9000"):
        check_address(url, policy)
    for url in ("http://127.0.0.1:8081", "http://127.0.0.2:8080", "https://billing.internal", "http://[::1]"):
        with pytest.raises(AddressError):
            check_address(url, policy)


def test_a_third_party_is_asked_at_home_only() -> None:
    """A provider's own host passes; any other needs the operator."""
    settings = load_settings(allowed_hosts="canny.example.com:443")
    check_third_party_url(settings, Provider("canny"), "https://canny.io/api")
    check_third_party_url(settings, Provider("canny"), "https://canny.example.com/api")
    for url in (
        "https://canny.io.evil.example/api",
        "https://api.hubapi.com",
        "https://evil.canny.io",
        "https://8.8.8.8",
    ):
        with pytest.raises(FieldError, match=r"its host must be canny\.io, or one the operator") as refused:
            check_third_party_url(settings, Provider("canny"), url)
        assert refused.value.field == "base_url"


def test_a_system_that_everybody_serves_themselves_may_be_at_any_public_address() -> None:
    """It has no hosts of its own; private addresses, other ports and plain HTTP stay the operator's to allow."""
    settings = load_settings()
    check_third_party_url(settings, Provider("quackback"), "https://feedback.acme.example.com")
    for url in (
        "https://10.1.2.3",
        "https://localhost",
        "https://feedback.example.com:22",
        "http://feedback.example.com",
    ):
        with pytest.raises(FieldError) as refused:
            check_third_party_url(settings, Provider("quackback"), url)
        assert refused.value.field == "base_url"
    allowed = load_settings(allowed_hosts="quackback:3000")
    check_third_party_url(allowed, Provider("quackback"), "http://quackback:3000")


def test_private_networks_are_the_operators_to_open() -> None:
    """An opened network serves the tenant it was opened to, and internal systems only; never metadata in it."""
    settings = load_settings(allowed_networks="acme=10.20.0.0/16, 100.64.0.0/10, fd00:ec2::/32")
    inside = ipaddress.ip_address("10.20.3.4")
    check_literal("host", inside, internal_policy(settings, "acme"))
    check_literal("host", ipaddress.ip_address("100.64.1.1"), internal_policy(settings, "globex"))
    for address, policy in (
        ("10.20.3.4", internal_policy(settings, "globex")),
        ("10.20.3.4", third_party_policy(settings, Provider("canny"))),
        ("10.21.0.1", internal_policy(settings, "acme")),
        ("100.100.100.200", internal_policy(settings, "acme")),
        ("fd00:ec2::254", internal_policy(settings, "acme")),
    ):
        with pytest.raises(AddressError):
            check_literal("host", ipaddress.ip_address(address), policy)


@pytest.mark.parametrize(
    "network", ["127.0.0.0/8", "169.254.0.0/16", "0.0.0.0/0", "8.8.8.0/24", "::1/128", "x", "A=10.0.0.0/8"]
)
def test_other_networks_cannot_be_opened(network: str) -> None:
    """Loopback, link-local and public networks are refused when settings are read."""
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_ALLOWED_NETWORKS"):
        load_settings(allowed_networks=network)


def test_the_token_endpoint_is_guarded_too() -> None:
    """The address that gets the client's secret is as much a tenant's as the base URL."""
    with pytest.raises(FieldError) as refused:
        check_internal_urls(
            load_settings(), "acme", "https://billing.example.com", {"token_url": "http://127.0.0.1/token"}
        )
    assert refused.value.field == "auth.token_url"


def test_only_tenants_of_the_registry_are_guarded() -> None:
    """The environment's addresses are the operator's own."""
    settings = load_settings()
    assert guard_for(settings, Provider("canny")) is None
    assert guard_for(tenant_settings(settings, "acme"), Provider("canny")) is not None


def test_networks_that_may_be_opened_are_those_the_table_calls_private() -> None:
    """The two lists, in the settings and in the guard, agree."""
    from integration_assets.config import PRIVATE_NETWORKS

    assert {network for network, what in NOT_PUBLIC if what in ALLOWABLE} == set(PRIVATE_NETWORKS)


def test_sockets_of_this_machine_are_refused() -> None:
    """No unix socket is opened, and a name without an address is no crash."""

    async def nobody(_host: str, _port: int) -> Iterable[str]:
        return ()

    backend = GuardedBackend(AddressGuard(AddressPolicy(), nobody))
    with pytest.raises(httpcore.ConnectError, match="not asked"):
        asyncio.run(backend.connect_unix_socket("/var/run/docker.sock"))
    with pytest.raises(httpcore.ConnectError, match="cannot be resolved"):
        asyncio.run(backend.connect_tcp(b"billing.example.com", 443, timeout=1))


def test_resolving_ends_in_time() -> None:
    """A resolver that hangs costs no more than connecting may."""

    async def forever(_host: str, _port: int) -> Iterable[str]:
        await asyncio.sleep(60)
        return ()

    backend = GuardedBackend(AddressGuard(AddressPolicy(), forever))
    with pytest.raises(httpcore.ConnectTimeout, match="not resolved in time"):
        asyncio.run(backend.connect_tcp("billing.example.com", 443, timeout=0.05))
