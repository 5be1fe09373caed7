"""Folders of a bucket of S3, or of what speaks its protocol: their addresses, and how DuckDB gets at them.

By the usual variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL.
"""

from __future__ import annotations

import os
import re
from typing import NamedTuple
from urllib.parse import urlsplit

import duckdb

from integration_assets.connectors.proxies import CERT_FILE
from integration_assets.connectors.redaction import register
from integration_assets.errors import ConfigurationError, IntegrationError, TransientError
from integration_assets.staging.extensions import load_extension
from integration_assets.staging.quoting import literal

KEY_ID, SECRET_KEY, SESSION_TOKEN = "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"
REGION, ENDPOINT, ENDPOINT_OF_S3 = "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"
_REGIONS = (REGION, "AWS_DEFAULT_REGION")
_ENDPOINTS = (ENDPOINT_OF_S3, ENDPOINT, "AWS_ENDPOINT")
"""Variables with an address, by the names that one tool or another reads; the first that is set counts."""
_FOLDER = r"/(?!\.{1,2}(?:/|$))[A-Za-z0-9._=-]+"
BUCKET_URL = re.compile(rf"s3://([a-z0-9][a-z0-9.-]{{1,61}}[a-z0-9])((?:{_FOLDER})*)/?")
"""A bucket, and folders in it, without signs that would have to be encoded on their way into a key."""
REFUSED = frozenset({"401", "403", "404"})
_DEFAULT_REGION = "us-east-1"
_STATUS = re.compile(r"\bHTTP (?:code )?(\d{3})\b")
_SENT = re.compile(r"[!-~]*")
"""What a header takes, in which keys and region are sent: a line break at the end of a pasted key is none of it."""


class Keys(NamedTuple):
    """A key of an account, and the token that belongs to it where it ends after some hours."""

    key_id: str
    secret: str
    token: str | None


def keys() -> Keys | None:
    """Key that the variables give; None where one half of it is missing or set to nothing."""
    key_id, secret = os.environ.get(KEY_ID), os.environ.get(SECRET_KEY)
    return Keys(key_id, secret, os.environ.get(SESSION_TOKEN) or None) if key_id and secret else None


def region() -> str:
    """Region that requests are signed for: AWS_REGION, else AWS_DEFAULT_REGION, else that of Amazon's tools."""
    return next((value for name in _REGIONS if (value := os.environ.get(name))), _DEFAULT_REGION)


def register_keys() -> None:
    """Have the keys of the environment redacted in everything that is told from now on."""
    for name in (KEY_ID, SECRET_KEY, SESSION_TOKEN):
        if value := os.environ.get(name):
            register(value)


def check_variables() -> None:
    """See that what the variables hold can be sent, and to whom.

    Raises:
        ConfigurationError: it cannot. No value is repeated.
    """
    for name in (KEY_ID, SECRET_KEY, SESSION_TOKEN, *_REGIONS):
        if not _SENT.fullmatch(os.environ.get(name, "")):
            raise ConfigurationError(f"{name}: has a space, a line break or another sign that no key or region has")
    endpoint()


def endpoint() -> str | None:
    """Address of a server other than Amazon's; None where none is named.

    Raises:
        ConfigurationError: it is no address. It is not repeated: it may hold a password.
    """
    found = next(((name, url) for name in _ENDPOINTS if (url := os.environ.get(name))), None)
    if found is None:
        return None
    name, url = found
    try:
        parts = urlsplit(url)
        # Looked at as a number, or refused, with `port` only.
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or "@" in parts.netloc or not _SENT.fullmatch(url):
        raise ConfigurationError(f"{name}: must look like https://storage.example:9000")
    return url


def open_bucket(connection: duckdb.DuckDBPyConnection, url: str) -> None:
    """Let a connection read and write below a folder of a bucket, with the keys of the environment.

    Raises:
        ConfigurationError: there are no keys, the endpoint is none, or the extension is missing.
    """
    register_keys()
    check_variables()
    key = keys()
    if key is None:
        # DuckDB finds the role of a machine with a further extension of its own, which is not tried.
        raise ConfigurationError(
            f"{url} needs a key: set {KEY_ID} and {SECRET_KEY}; roles of a machine are not supported"
        )
    load_extension(connection, "httpfs")
    # Said for both of its HTTP clients: one of them trusts everybody unless it is told not to.
    for setting in ("enable_curl_server_cert_verification", "enable_server_cert_verification"):
        connection.execute(f"SET {setting} = true")
    if authorities := os.environ.get(CERT_FILE):
        connection.execute(f"SET ca_cert_file = {literal(authorities)}")
    given = {"KEY_ID": key.key_id, "SECRET": key.secret, "REGION": region(), "SCOPE": url}
    if key.token:
        given["SESSION_TOKEN"] = key.token
    parts = [f"{name} {literal(value)}" for name, value in given.items()] + _endpoint()
    # As a secret of DuckDB, which never shows it and never writes it into the catalogue.
    connection.execute(f"CREATE SECRET lake_data (TYPE s3, {', '.join(parts)})")


def bucket_error(error: BaseException) -> IntegrationError | None:
    """Translate an error of DuckDB on its way to a bucket into what a person can do; None for any other."""
    text = str(error)
    if not isinstance(error, duckdb.HTTPException) and not (
        isinstance(error, duckdb.IOException) and "for HTTP" in text
    ):
        return None
    found = _STATUS.search(text)
    if found and found[1] in REFUSED:
        return ConfigurationError(
            f"staging store: object storage refuses it ({found[1]}): see the bucket's name, its policy and the AWS "
            "variables"
        )
    cause = f" ({found[1]})" if found else ""
    if "certificate" in text:
        cause = f" (its certificate is not trusted, see {CERT_FILE})"
    return TransientError(
        f"staging store: object storage does not answer as it should{cause}: run again; see {ENDPOINT} and {REGION} if "
        "it stays so"
    )


def _endpoint() -> list[str]:
    """Parts of the secret that name another server than Amazon's."""
    url = endpoint()
    if url is None:
        return []
    parts = urlsplit(url)
    if parts.path.strip("/"):
        raise ConfigurationError(f"{ENDPOINT}: must look like https://storage.example:9000, without a folder")
    ssl = "true" if parts.scheme == "https" else "false"
    # By its path: a name for each bucket is something that hardly anybody else's server has.
    return [f"ENDPOINT {literal(parts.netloc)}", "URL_STYLE 'path'", f"USE_SSL {ssl}"]
