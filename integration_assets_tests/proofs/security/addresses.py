"""How many hostile addresses are refused, honest ones let pass, and live tricks withstood."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping

from integration_assets.connectors.address_guard import AddressError, AddressGuard, AddressPolicy
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.security.holdout_vectors import HOLDOUT
from integration_assets_tests.proofs.security.live_addresses import BEHAVIOURS, TLS_AND_DIALLING
from integration_assets_tests.proofs.security.ssrf_vectors import LEGITIMATE, VECTORS, Vector


@proof("addresses", "security", "No hostile address is asked, and honest ones are.", small=1)
def measure(_scale: Scale) -> Iterator[Row]:
    """Count how many are as they must be, and of how many."""
    yield counted("SSRF vectors blocked", sum(map(blocked, VECTORS)), len(VECTORS))
    yield counted("SSRF hold-out vectors blocked", sum(map(blocked, HOLDOUT)), len(HOLDOUT))
    yield counted("legitimate addresses let pass", sum(not blocked(one) for one in LEGITIMATE), len(LEGITIMATE))
    yield counted("SSRF live behaviours", *_withstood(BEHAVIOURS))
    yield counted("TLS name check and dialling", *_withstood(TLS_AND_DIALLING))


def blocked(vector: Vector) -> bool:
    """Whether the guard of an internal system refuses a vector, when it is saved or when it is used."""
    return asyncio.run(_blocked(vector))


async def _blocked(vector: Vector) -> bool:
    async def resolver(_host: str, _port: int) -> Iterable[str]:
        return vector.answers

    guard = AddressGuard(AddressPolicy(), resolver)
    try:
        target = guard.check(vector.url)
        # Transports hand hosts on as bytes or as text; neither may be a way around.
        as_text = await guard.addresses_of(target.host, target.port)
        as_bytes = await guard.addresses_of(target.host.encode(), target.port)
    except AddressError:
        return True
    return as_text != as_bytes


def _withstood(behaviours: Mapping[str, Callable[[], Awaitable[None]]]) -> tuple[int, int]:
    return sum(_holds(one) for one in behaviours.values()), len(behaviours)


def _holds(behaviour: Callable[[], Awaitable[None]]) -> bool:
    async def run() -> None:
        await behaviour()

    try:
        asyncio.run(run())
    except AssertionError:
        return False
    return True
