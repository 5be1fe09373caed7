"""The published database in object storage: whole, by the usual variables, and no secret in what is told."""

from __future__ import annotations

import os
import ssl
from pathlib import Path

import pytest

from integration_assets.connectors.redaction import redact
from integration_assets.errors import ConfigurationError, TransientError
from integration_assets.staging import object_storage as published_there
from integration_assets.staging.object_storage import check_publish_url, remove_published, upload_published
from integration_assets_tests.support.company_network import Authority
from integration_assets_tests.support.object_storage import BUCKET, KEY_ID, REGION, SECRET, Key, ObjectStorage

URL = f"s3://{BUCKET}/rankings"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "default.duckdb"
    made.write_bytes(b"content")
    return made


@pytest.mark.parametrize("size", [10, 12_000_000])
def test_a_file_is_put_there_as_a_whole(size: int, storage: ObjectStorage, file: Path) -> None:
    """A large one in parts; another run replaces it; tenants and environments lie apart; what is removed is gone."""
    for content in (b"earlier", os.urandom(size)):
        file.write_bytes(content)
        assert upload_published(URL, file, "sandbox", "default") == f"{URL}/sandbox/default.duckdb"
        assert storage.objects == {"rankings/sandbox/default.duckdb": content}
    assert len([one for one in storage.requests if one[0] == "PUT"]) == (2 if size == 10 else 4)
    upload_published(f"s3://{BUCKET}/", file, "production", "acme")
    assert set(storage.objects) == {"rankings/sandbox/default.duckdb", "production/acme.duckdb"}
    for _ in range(2):
        remove_published(URL, "sandbox", "default")
        assert set(storage.objects) == {"production/acme.duckdb"}
    assert storage.uploads == {}


@pytest.mark.parametrize(
    ("status", "error", "told"),
    [
        (403, ConfigurationError, r"could not be written: it is refused \(403 Forbidden\): see the bucket's name"),
        (404, ConfigurationError, r"could not be written: it is refused \(404 Not Found\)"),
        (503, TransientError, r"could not be written \(503 Service Unavailable\): the next run tries again"),
    ],
)
def test_what_goes_wrong_is_told_without_secrets(
    status: int, error: type[Exception], told: str, storage: ObjectStorage, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its status, in one line: answers of S3 repeat ids of keys."""
    monkeypatch.setattr(published_there, "MOST_RETRIES", 1)
    storage.status = status
    with pytest.raises(error, match=told) as caught:
        upload_published(URL, file, "sandbox", "default")
    assert "\n" not in str(caught.value)
    assert KEY_ID not in str(caught.value)
    assert SECRET not in redact(f"somebody quotes {SECRET}")
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("change", ["secret", "unknown key", "may not write", "other folder", "other bucket"])
def test_what_the_policy_does_not_allow_is_refused(
    change: str, storage: ObjectStorage, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The look-alike checks signatures and what a key opens, so that a right one means something."""
    url = URL
    if change == "secret":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    elif change == "unknown key":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFNOBODY")
    elif change == "other bucket":
        url = "s3://bucket-of-others/rankings"
    else:
        storage.keys[KEY_ID] = Key(SECRET, reads=("elsewhere/",), may_write=change == "other folder")
    with pytest.raises(ConfigurationError, match="it is refused") as caught:
        upload_published(url, file, "sandbox", "default")
    assert storage.objects == {}
    assert "another-secret" not in caught.value.message


def test_a_server_that_is_away_is_worth_another_try(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody listens."""
    monkeypatch.setattr(published_there, "MOST_RETRIES", 1)
    for name, value in {"ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "long-secret", "REGION": "x"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(TransientError, match=r"could not be written \(nobody listens there\): the next run tries"):
        upload_published(URL, file, "sandbox", "default")


def test_the_companys_own_authority_is_trusted_where_it_is_named(
    storage: ObjectStorage, file: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SSL_CERT_FILE counts as it does for everything else the operator names; without it the certificate is refused."""
    monkeypatch.setattr(published_there, "MOST_RETRIES", 0)
    authority, other = (Authority(tmp_path_factory.mktemp("authority")) for _ in range(2))
    storage.socket = authority.server("localhost").wrap_socket(storage.socket, server_side=True)
    assert isinstance(storage.socket, ssl.SSLSocket)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{storage.server_port}")
    monkeypatch.setenv("SSL_CERT_FILE", str(other.file))
    with pytest.raises(TransientError, match="its certificate is not trusted, see SSL_CERT_FILE"):
        upload_published(URL, file, "sandbox", "default")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    upload_published(URL, file, "sandbox", "default")
    assert set(storage.objects) == {"rankings/sandbox/default.duckdb"}


@pytest.mark.parametrize(
    "url",
    [
        "s3://",
        "s3://b/",
        "s3://bucket/..",
        "s3://bucket/a//b",
        "https://u:secret@host/x",
        "s3://key:secret@bucket/x",
        "s3://bucket/x?key=secret",
        "gs://bucket/x",
    ],
)
def test_other_urls_are_refused_without_echo(url: str) -> None:
    """The error names the variable, and never shows the URL."""
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_PUBLISH_URL") as caught:
        check_publish_url(url)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AWS_ENDPOINT_URL", "hidden-word:9000"),
        ("AWS_ENDPOINT_URL", "http://[hidden-word"),
        ("AWS_ENDPOINT_URL_S3", "hidden-word"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:hidden-word"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-word\n"),
        ("AWS_REGION", "hidden-word 1\n"),
    ],
)
def test_what_cannot_be_sent_is_refused_before_the_library_has_it(
    variable: str, value: str, storage: ObjectStorage, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library panics with it, which no handler of errors catches: a run would die once it has written all."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=variable) as checked:
        check_publish_url(URL)
    with pytest.raises(ConfigurationError, match=variable) as uploaded:
        upload_published(URL, file, "sandbox", "default")
    assert "hidden-word" not in checked.value.message + uploaded.value.message
    assert storage.requests == []


def test_a_variable_set_to_nothing_is_not_set(
    storage: ObjectStorage, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a file of a container platform has them: a token of no length is none, and no address is Amazon's."""
    monkeypatch.setattr(published_there, "MOST_RETRIES", 0)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "")
    # Another name of it, which does not count beside the first.
    monkeypatch.setenv("AWS_ENDPOINT", "http://127.0.0.1:9")
    before = dict(os.environ)
    upload_published(URL, file, "sandbox", "default")
    assert set(storage.objects) == {"rankings/sandbox/default.duckdb"}
    monkeypatch.setenv("AWS_ENDPOINT", "")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "")
    # Nothing leaves this machine: the way out is closed.
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    with pytest.raises(TransientError):
        upload_published(URL, file, "sandbox", "default")
    assert len(storage.requests) == 1
    # Another thread may be starting a process meanwhile, which gets the environment as it is.
    empty = {"AWS_ENDPOINT": "", "AWS_ENDPOINT_URL": "", "HTTPS_PROXY": "http://127.0.0.1:9"}
    assert dict(os.environ) == before | empty


@pytest.mark.parametrize(
    ("keyless", "variable", "told"),
    [
        (False, "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_S3 must be given or unset, not set to nothing"),
        (True, "AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY_ID must be given or unset"),
        (True, "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI must be given"),
        (False, "AWS_SKIP_SIGNATURE", "the client cannot use what the AWS variables say"),
    ],
)
def test_what_the_library_would_mistake_is_told_before_a_run(
    keyless: bool, variable: str, told: str, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It reads the environment by itself, and an empty variable can neither be hidden from it nor removed."""
    if keyless:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv(variable, "")
    with pytest.raises(ConfigurationError, match=told):
        check_publish_url(URL)
    assert storage.requests == []


def test_half_a_key_is_told_before_a_run(storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no role of a machine either."""
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(ConfigurationError, match="set both halves of the key or neither"):
        check_publish_url(URL)
    assert storage.requests == []


@pytest.mark.parametrize("first", [None, "", REGION])
def test_the_region_may_have_its_other_name(
    first: str | None, storage: ObjectStorage, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_DEFAULT_REGION counts where AWS_REGION is not set; the look-alike takes one region's signatures only."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION if not first else "us-west-2")
    if first is None:
        monkeypatch.delenv("AWS_REGION")
    else:
        monkeypatch.setenv("AWS_REGION", first)
    upload_published(URL, file, "sandbox", "default")
    assert set(storage.objects) == {"rankings/sandbox/default.duckdb"}


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an extra of ours, before anything is read or written."""
    monkeypatch.setattr(published_there, "find_spec", lambda _name: None)
    with pytest.raises(ConfigurationError, match=r"integration-assets\[s3\]"):
        check_publish_url(URL)
