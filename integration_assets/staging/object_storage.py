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
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from integration_assets.config import Environment
from integration_assets.errors import ConfigurationError, TransientError
from integration_assets.staging.bucket import BUCKET_URL, check_variables, endpoint, register_keys
from integration_assets.staging.place import check_tenant

# Imported where it is used: few publish there.
if TYPE_CHECKING:
    from obstore.store import S3Store

VARIABLE = "INTEGRATION_ASSETS_PUBLISH_URL"
MOST_RETRIES = 3
RETRY_SECONDS = 60
CONNECT_SECONDS = 10
REQUEST_SECONDS = 120
"""Longest one request may take; a large file is sent in parts of some megabytes, each a request."""
_STATUS = re.compile(r"\b([45]\d\d) [A-Z][A-Za-z ]+")
_CAUSES = {
    "InvalidCertificate": "its certificate is not trusted, see SSL_CERT_FILE",
    "TunnelUnsuccessful": "the proxy does not let it through, see HTTPS_PROXY",
    "ProxyAuthRequired": "the proxy does not let it through, see HTTPS_PROXY",
    "ConnectionRefused": "nobody listens there",
    "dns error": "there is no such host",
}
"""Words in an error of the library, and what they mean."""


def check_publish_url(url: str) -> str:
    """The URL, if it leads to a place in S3, the package that writes there is installed, and its variables can be used.

    Raises:
        ConfigurationError: one of these is not so. The URL is not repeated: it may hold a password.
    """
    if not BUCKET_URL.fullmatch(url):
        raise ConfigurationError(
            f"{VARIABLE}: use s3://bucket/folder, without credentials: those come from AWS_ACCESS_KEY_ID and the like"
        )
    _check_means(VARIABLE)
    return url.rstrip("/")


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
    _check_means(url)
    with _clear_errors(f"{url} could not be removed", "run it again"):
        from obstore import delete
        from obstore import list as objects_of

        store = _store(url)
        for found in objects_of(store):
            delete(store, [one["path"] for one in found])


def _check_means(what: str) -> None:
    if find_spec("obstore") is None:
        raise ConfigurationError(f"{what} needs the package obstore: install `integration-assets[s3]`")
    # Before the library has them: with what it cannot send it ends the process, not the upload.
    check_variables()


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


def _store(base: str) -> S3Store:
    from obstore.store import S3Store

    # What is set to nothing is not set, here as elsewhere; the library takes it for an address or a token.
    for name in [name for name, value in os.environ.items() if name.startswith("AWS_") and not value]:
        del os.environ[name]
    server = endpoint()
    return S3Store.from_url(
        base,
        # Said again: of several variables the library may take another one.
        config={"endpoint": server} if server is not None else None,
        client_options={
            "allow_http": server is not None and server.lower().startswith("http:"),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
            "timeout": timedelta(seconds=REQUEST_SECONDS),
        },
        retry_config={"max_retries": MOST_RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)},
    )
