"""The published database in object storage: the same file, for those who cannot open one of this machine.

S3 and what speaks its protocol, by the usual variables: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
AWS_REGION, AWS_ENDPOINT_URL. An object is replaced as a whole: a reader gets the old one or the new one. The address is
the operator's, so it is reached as the operator's others are: through the proxy of the environment, not the guard.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from integration_assets.config import Environment
from integration_assets.errors import ConfigurationError, TransientError
from integration_assets.staging.bucket import (
    BUCKET_URL,
    ENDPOINT,
    ENDPOINT_OF_S3,
    KEY_ID,
    SECRET_KEY,
    Keys,
    check_variables,
    endpoint,
    keys,
    region,
    register_keys,
)
from integration_assets.staging.place import check_tenant

# Imported where it is used: few publish there.
if TYPE_CHECKING:
    from obstore.store import S3Config, S3Credential, S3CredentialProvider, S3Store

VARIABLE = "INTEGRATION_ASSETS_PUBLISH_URL"
MOST_RETRIES = 3
RETRY_SECONDS = 60
CONNECT_SECONDS = 10
_OF_ROLES = (
    KEY_ID,
    SECRET_KEY,
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
)
"""Variables that the library goes by in its search for the role of a machine, whatever they are set to."""
REQUEST_SECONDS = 120
"""Longest one request may take; a large file is sent in parts of some megabytes, each a request."""
HASTY_SECONDS = 8
"""The same where a person waits for the answer."""
_CODE = re.compile(r"<Code>(\w{1,40})</Code>")
_STATUS = re.compile(r"\b([45]\d\d) [A-Z][A-Za-z ]+")
_CAUSES = {
    "InvalidCertificate": "its certificate is not trusted, see SSL_CERT_FILE",
    "TunnelUnsuccessful": "the proxy does not let it through, see HTTPS_PROXY",
    "ProxyAuthRequired": "the proxy does not let it through, see HTTPS_PROXY",
    "ConnectionRefused": "nobody listens there",
    "dns error": "there is no such host",
}
"""Words in an error of the library, and what they mean."""


class Readable(Enum):
    """The outcome of an attempt to read a published database. FORBIDDEN: the key is known and may not read it."""

    YES = "yes"
    ABSENT = "absent"
    FORBIDDEN = "forbidden"


def check_publish_url(url: str) -> str:
    """The URL, if it leads to a place in S3, the package that writes there is installed, and its variables can be used.

    Raises:
        ConfigurationError: one of these is not so. The URL is not repeated: it may hold a password.
    """
    if not BUCKET_URL.fullmatch(url):
        raise ConfigurationError(
            f"{VARIABLE}: use s3://bucket/folder, without credentials: those come from AWS_ACCESS_KEY_ID and the like"
        )
    base = url.rstrip("/")
    _check_means(VARIABLE, base)
    return base


def upload_published(url: str, file: Path, environment: Environment | str, tenant: str) -> str:
    """Put a published database at `<url>/<environment>/<tenant>.duckdb`; gives that address.

    Raises:
        ConfigurationError: the URL or a variable is none, a package is missing, or the credentials or the bucket are
            refused.
        TransientError: the storage cannot be reached, or does not take the file.
    """
    base, name = check_publish_url(url), _name(environment, tenant)
    address = f"{base}/{name}"
    with _clear_errors(f"{address} could not be written", "the next run tries again"):
        from obstore import put

        # In parts where it is large: they become an object once all of them are there.
        put(_store(base), name, file)
    return address


def try_reading(url: str, environment: Environment | str, tenant: str) -> Readable:
    """Ask for the first byte of a tenant's published database, once and in haste; nothing is written.

    Raises:
        ConfigurationError: the URL or a variable is none, a package is missing, there is no such bucket, or the key is
            unknown or wrong.
        TransientError: the storage cannot be reached, or does not answer as it should.
    """
    base, name = check_publish_url(url), _name(environment, tenant)
    with _clear_errors(f"{base}/{name} could not be read", "run it again"):
        from obstore import exceptions, get_range

        try:
            get_range(_store(base, retries=0, request_seconds=HASTY_SECONDS), name, start=0, length=1)
        except FileNotFoundError as error:
            if _code(error) != "NoSuchKey":
                raise
            return Readable.ABSENT
        except exceptions.PermissionDeniedError as error:
            # The signature is looked at before the policy, so that the key at least is one.
            if _code(error) != "AccessDenied":
                raise
            return Readable.FORBIDDEN
    return Readable.YES


def remove_published(url: str, environment: Environment | str, tenant: str) -> None:
    """Remove what was uploaded of a tenant; one that is not there is well.

    Raises:
        ConfigurationError: the URL or a variable is none, a package is missing, or the credentials or the bucket are
            refused.
        TransientError: the storage cannot be reached.
    """
    base, name = check_publish_url(url), _name(environment, tenant)
    with _clear_errors(f"{base}/{name} could not be removed", "run it again"):
        from obstore import delete

        delete(_store(base), name)


def remove_folder(url: str) -> None:
    """Remove every object below a folder of a bucket: the data of a lake whose tenant is removed.

    Raises:
        ConfigurationError: a package is missing, a variable is none, or the credentials or the bucket are refused.
        TransientError: the storage cannot be reached.
    """
    _check_means(url, url)
    with _clear_errors(f"{url} could not be removed", "run it again"):
        from obstore import delete
        from obstore import list as objects_of

        store = _store(url)
        for found in objects_of(store):
            delete(store, [one["path"] for one in found])


def _check_means(what: str, base: str) -> None:
    if find_spec("obstore") is None:
        raise ConfigurationError(f"{what} needs the package obstore: install `integration-assets[s3]`")
    # Before the library has them: with what it cannot send it ends the process, not the upload.
    check_variables()
    # The library reads the environment by itself and cannot be told to pass over a variable. What is set to nothing is
    # replaced below where that is possible, and told here where it is not.
    misleading = (ENDPOINT_OF_S3,) if keys() else (ENDPOINT_OF_S3, *_OF_ROLES)
    if empty := [name for name in misleading if os.environ.get(name) == ""]:
        raise ConfigurationError(f"{what}: {' and '.join(empty)} must be given or unset, not set to nothing")
    from obstore import exceptions

    try:
        _store(base)
    except exceptions.BaseError as error:
        # Its words may hold a value.
        raise ConfigurationError(
            f"{what}: the client cannot use what the AWS variables say{_cause(error)}: see those of yours that "
            "docs/reference/variables.md does not name, and set both halves of the key or neither"
        ) from None


def _name(environment: Environment | str, tenant: str) -> str:
    return f"{Environment(environment).value}/{check_tenant(tenant)}.duckdb"


@contextmanager
def _clear_errors(failed: str, again: str) -> Iterator[None]:
    from obstore import exceptions

    # At every use: what a library makes an error of might be told.
    register_keys()
    try:
        yield
    # Answers of S3 repeat ids of keys and what was signed: of them, the status alone is told.
    except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError, FileNotFoundError) as error:
        raise ConfigurationError(
            f"{failed}: it is refused{_cause(error)}: see the bucket's name, its policy and the AWS variables"
        ) from None
    except exceptions.BaseError as error:
        raise TransientError(
            f"{failed}{_cause(error)}: {again}; see AWS_ENDPOINT_URL, AWS_REGION and the keys if it stays so"
        ) from None


def _cause(error: Exception) -> str:
    text = str(error)
    status = _STATUS.search(text)
    cause = status[0].strip() if status else next((meant for word, meant in _CAUSES.items() if word in text), "")
    return f" ({cause})" if cause else ""


def _code(error: Exception) -> str:
    """S3's own word for an error; nothing where the answer has none."""
    found = _CODE.search(str(error))
    return found[1] if found else ""


def _store(base: str, *, retries: int | None = None, request_seconds: int = REQUEST_SECONDS) -> S3Store:
    from obstore.store import S3Store

    server, key = endpoint(), keys()
    config: S3Config = {"region": region()}
    if server is not None:
        # Said again: of several variables the library may take another one.
        config["endpoint"] = server
    elif ENDPOINT in os.environ or "AWS_ENDPOINT" in os.environ:
        # Set to nothing, which the library takes for an address.
        config["endpoint"] = f"https://s3.{region()}.amazonaws.com"

    return S3Store.from_url(
        base,
        config=config,
        client_options={
            "allow_http": server is not None and server.lower().startswith("http:"),
            "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, request_seconds)),
            "timeout": timedelta(seconds=request_seconds),
        },
        retry_config={
            "max_retries": MOST_RETRIES if retries is None else retries,
            "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        },
        # Without a key the library looks for the role of the machine.
        credential_provider=_provider(key) if key else None,
    )


def _provider(key: Keys) -> S3CredentialProvider:
    """Hand the library a key as it is meant: a token that is set to nothing is none, and it would send that."""

    def provide() -> S3Credential:
        return {"access_key_id": key.key_id, "secret_access_key": key.secret, "token": key.token, "expires_at": None}

    return provide
