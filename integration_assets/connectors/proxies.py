"""The way the operator's own connections leave this machine: the proxy and the authorities that the environment names.

`HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and `SSL_CERT_DIR` mean what they mean to curl and
OpenSSL; of a proxy's variables the lower-case one wins. What a tenant has named never comes here: its addresses are
checked by the guard, which a proxy would go round.
"""

from __future__ import annotations

import os
import ssl
from base64 import b64encode
from functools import cache, lru_cache
from importlib.util import find_spec
from ipaddress import ip_address, ip_network
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from pydantic import SecretStr

from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError

CERT_FILE, CERT_DIR = "SSL_CERT_FILE", "SSL_CERT_DIR"
NO_PROXY = "NO_PROXY"
_PROXY_VARIABLES = {"https": ("HTTPS_PROXY", "ALL_PROXY"), "http": ("HTTP_PROXY", "ALL_PROXY")}
_SOCKS = ("socks5", "socks5h")
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Proxy(msgspec.Struct, frozen=True):
    """A proxy to connect through.

    `url` holds its user and password. `address` is its host and port alone and `variable` where it stands, both for
    messages.
    """

    url: SecretStr
    variable: str
    address: str

    def __str__(self) -> str:
        """For messages: which proxy, and where it is configured."""
        return f"the proxy {self.address} ({self.variable})"

    @property
    def authorization(self) -> str | None:
        """Value of the header `Proxy-Authorization`; None for a proxy without a user."""
        parts = urlsplit(self.url.get_secret_value())
        if parts.username is None:
            return None
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        return f"Basic {b64encode(pair.encode()).decode()}"


def proxy_for(url: str) -> Proxy | None:
    """The proxy that this address is asked through, else None.

    Raises:
        ConfigurationError: the variable that names it holds no address of a proxy, or one of a kind we cannot use.
    """
    parts = urlsplit(url)
    for name in _PROXY_VARIABLES.get(parts.scheme, ()):
        variable, value = _variable(name)
        # An empty variable is one that is not set, as curl reads it.
        if value and not _bypassed(parts.hostname or "", parts.port or _DEFAULT_PORTS[parts.scheme]):
            return _proxy(variable, value)
    return None


# Reading authorities takes some 20 ms of processor time, which a client for each of a thousand tenants would multiply.


@cache
def public_authorities() -> ssl.SSLContext:
    """A TLS context that trusts the bundled public authorities alone: for what the guard checks. One per process."""
    import httpx  # noqa: PLC0415 - a process that only reads what is kept asks nobody, and does not wait for it

    return httpx.create_ssl_context(trust_env=False)


@lru_cache(maxsize=4)
def _named_authorities(file: str | None, folder: str | None, _written: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=file, capath=folder)


def trusted_authorities() -> ssl.SSLContext:
    """A TLS context that trusts `SSL_CERT_FILE` and `SSL_CERT_DIR`; without either, the bundled public authorities.

    Raises:
        ConfigurationError: one of them holds no certificates.
    """
    file, folder = os.environ.get(CERT_FILE), os.environ.get(CERT_DIR)
    # Without a word of the operator the bundled list holds, not that of the machine.
    if not file and not folder:
        return public_authorities()
    # OpenSSL takes a folder that is not there without a word, and then trusts nobody.
    if folder and not Path(folder).is_dir():
        raise ConfigurationError(f"{CERT_DIR}: there is no folder {folder}")
    try:
        # A file that was replaced since counts at once, as it does for a process that starts now.
        written = Path(file).stat().st_mtime_ns if file else 0
        return _named_authorities(file or None, folder or None, written)
    except ssl.SSLError:
        raise ConfigurationError(f"{CERT_FILE}: {file} holds no certificate in PEM form") from None
    except OSError as error:
        raise ConfigurationError(f"{CERT_FILE}: {file} cannot be read: {error.strerror}") from None


def check_outgoing() -> None:
    """See that what the environment says about proxies and authorities can be used.

    Raises:
        ConfigurationError: it cannot; names the variable, never a proxy's password.
    """
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        variable, value = _variable(name)
        if value:
            _proxy(variable, value)
    trusted_authorities()


def _variable(name: str) -> tuple[str, str]:
    """The variable that counts, in lower case if it is set so, and its value."""
    spelled = name.lower() if os.environ.get(name.lower()) else name
    return spelled, os.environ.get(spelled, "").strip()


def _proxy(variable: str, value: str) -> Proxy:
    # Without a scheme it is an HTTP proxy, as curl reads it.
    url = value if "://" in value else f"http://{value}"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not value.isprintable() or any(map(str.isspace, value)) or "[" in host or "%" in host:
        raise ConfigurationError(f"{variable}: must look like http://proxy.example:3128")
    if parts.scheme not in ("http", "https", *_SOCKS):
        raise ConfigurationError(f"{variable}: {parts.scheme}:// is no kind of proxy that is known: use http://")
    # Found out here, where the variable can be named, and not while sending.
    if parts.scheme in _SOCKS and find_spec("socksio") is None:
        raise ConfigurationError(
            f"{variable}: {parts.scheme}:// needs the package socksio (`pip install 'httpx[socks]'`): install it, or "
            "name an http:// proxy"
        )
    shown = f"[{host}]" if ":" in host else host
    proxy = Proxy(SecretStr(url), variable, f"{shown}:{port}" if port else shown)
    # In each form it has on the way: as written, decoded, in the header, and within the address.
    if parts.password:
        sent = (proxy.authorization or "").partition(" ")[2]
        for secret in (parts.password, unquote(parts.password), sent, url):
            register(secret)
    return proxy


def _bypassed(host: str, port: int) -> bool:
    """True if `NO_PROXY` names the host: by `*`, a name it is or is below, its address or network."""
    _, value = _variable(NO_PROXY)
    return any(_names(entry, host.lower().rstrip("."), port) for entry in value.replace(",", " ").lower().split())


def _names(entry: str, host: str, port: int) -> bool:
    if entry == "*":
        return True
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:  # one of the two is a name
        name, colon, digits = entry.rpartition(":")
        # An entry with a port is about that port alone.
        if colon and digits.isdigit():
            if int(digits) != port:
                return False
            entry = name
        entry = entry.removeprefix("*").strip("[]").lstrip(".").rstrip(".")
        return bool(entry) and (host == entry or host.endswith(f".{entry}"))
