"""Fetching a file from an address that a system, or a mapping, names: no credential goes along, and none is learnt.

Such an address opens the file to whoever has it, so it is a secret: it is masked in every text that leaves the process,
and no error repeats it.
"""

from __future__ import annotations

import asyncio
import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.exchange import certificate_problem, direct_transport, guarded_transport
from integration_assets.connectors.proxies import proxy_for
from integration_assets.connectors.redaction import register
from integration_assets.errors import PermanentError, TransientError
from integration_assets.tracing import call_span

CONNECT_SECONDS = 10.0


async def download(
    url: str,
    target: Path,
    *,
    most_bytes: int,
    seconds: float,
    from_loopback: bool = False,
    redirects: int = 0,
    guard: AddressGuard | None = None,
) -> str:
    """Fetch a file into `target`, chunk by chunk; `seconds` bound the whole of it. Returns its media type, "" of none.

    The operator's proxy and authorities are used. Only https is spoken, but for an address of this machine when the
    system itself is one (`from_loopback`). So many `redirects` are followed, each checked as the address itself. With a
    `guard` only what it lets pass is asked, without a proxy.

    Raises:
        AddressError: the guard lets the address, or one it leads to, not be asked.
        PermanentError: the address is none we ask, the answer is no file, or it is larger than `most_bytes`.
        TransientError: the transfer broke or took too long.
    """
    try:
        async with asyncio.timeout(seconds):
            for _ in range(redirects + 1):
                _check(url, from_loopback=from_loopback, guard=guard)
                following, media_type = await _fetch(url, target, most_bytes, seconds, guard, follows=redirects > 0)
                if following is None:
                    return media_type
                url = following
    except TimeoutError:
        raise TransientError(f"the file did not arrive within {seconds:g} s") from None
    raise PermanentError(f"the file cannot be fetched: its address redirects more than {redirects} times")


async def _fetch(
    url: str, target: Path, most_bytes: int, seconds: float, guard: AddressGuard | None, *, follows: bool
) -> tuple[str | None, str]:
    """Fetch a file and tell its media type, or the address that this one leads to, where that is to be followed."""
    timeout = httpx.Timeout(None, connect=min(CONNECT_SECONDS, seconds)).as_dict()
    # Not packed on the way: the cap is on the bytes as they are stored.
    request = httpx.Request("GET", url, headers={"accept-encoding": "identity"}, extensions={"timeout": timeout})
    try:
        # No proxy behind the guard: it would resolve the name itself, and go round what was checked.
        opened = guarded_transport(guard, 1) if guard is not None else direct_transport(proxy_for(url), connections=1)
        async with opened as transport:
            # Its address is the whole secret of a file, and has no template.
            with call_span("file", "GET", urlsplit(url).netloc.rpartition("@")[2], "GET") as span:
                response = await transport.handle_async_request(request)
                span.note(http__response__status_code=response.status_code)
            try:
                if follows and response.has_redirect_location:
                    # Checked like the first: one that leads back to http would send the file in the open.
                    return str(httpx.URL(url).join(response.headers["location"])), ""
                # Redirects nobody follows included: the address was checked, the one it leads to was not.
                if response.status_code != httpx.codes.OK:
                    raise PermanentError(f"the file cannot be fetched: its address answers {response.status_code}")
                await _store(response, target, most_bytes)
                return None, response.headers.get("content-type", "").partition(";")[0].strip().lower()
            finally:
                await response.aclose()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        if untrusted := certificate_problem(error, guarded=guard is not None):
            raise PermanentError(f"the file cannot be fetched: {untrusted}") from None
        raise TransientError(f"the transfer of the file broke ({type(error).__name__})") from None


async def _store(response: httpx.Response, target: Path, most_bytes: int) -> None:
    received = 0
    with target.open("wb") as file:
        async for chunk in response.aiter_bytes():
            received += len(chunk)
            # Before it is written: the cap is there to keep the disk free.
            if received > most_bytes:
                raise PermanentError(f"the file is larger than {most_bytes // (1024 * 1024)} MiB")
            file.write(chunk)


def _check(url: str, *, from_loopback: bool, guard: AddressGuard | None) -> None:
    # Before anything can fail: an error of a library may hold the address.
    register(url)
    if guard is not None:
        guard.check(url, with_query=True)
        return
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        raise PermanentError("the address of the file is none") from None
    # The file holds the whole portal, and the address alone opens it.
    secure = parts.scheme == "https" or (parts.scheme == "http" and from_loopback and is_loopback(host))
    if not secure or not host or "@" in parts.netloc:
        raise PermanentError(
            "the address of the file is not one that is asked: it must begin with https://, name a host, and hold no "
            "user or password"
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host name means this machine, without asking a name server."""
    # By name and number only: asking a name server would let its answer decide.
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
