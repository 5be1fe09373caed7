"""DuckDB's way to a bucket: which certificates it trusts, what it says when one refuses, and no secret in that."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pytest

from integration_assets.errors import ConfigurationError, IntegrationError, TransientError
from integration_assets.staging.bucket import bucket_error, open_bucket
from integration_assets_tests.support.company_network import Authority
from integration_assets_tests.support.object_storage import BUCKET, KEY_ID, REGION, SECRET, ObjectStorage

URL = f"s3://{BUCKET}/lakes/sandbox/default"
COPY = f"COPY (SELECT 1 AS one) TO '{URL}/one.parquet'"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        yield opened


def failure(connection: duckdb.DuckDBPyConnection) -> IntegrationError:
    """What a person is told when the copy fails."""
    connection.execute("SET http_retries = 0")
    with pytest.raises(duckdb.Error) as caught:
        connection.execute(COPY)
    told = bucket_error(caught.value)
    assert told is not None
    assert KEY_ID not in told.message
    assert SECRET not in told.message
    return told


def test_only_a_trusted_certificate_is_taken(
    storage: ObjectStorage,
    connection: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """That of the authority in SSL_CERT_FILE; without the variable a stranger's is refused."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    storage.socket = authority.server("localhost").wrap_socket(storage.socket, server_side=True)
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"https://localhost:{storage.server_port}")
    open_bucket(connection, URL)
    told = failure(connection)
    assert isinstance(told, TransientError)
    assert "its certificate is not trusted, see SSL_CERT_FILE" in told.message
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with duckdb.connect() as other:
        open_bucket(other, URL)
        other.execute(COPY)
        assert other.execute(f"FROM '{URL}/one.parquet'").fetchall() == [(1,)]
    assert set(storage.objects) == {"lakes/sandbox/default/one.parquet"}


@pytest.mark.parametrize("first", [None, "", REGION])
def test_the_region_may_have_its_other_name(
    first: str | None,
    storage: ObjectStorage,
    connection: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """AWS_DEFAULT_REGION counts where AWS_REGION is not set; the look-alike takes one region's signatures only."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION if not first else "us-west-2")
    if first is None:
        monkeypatch.delenv("AWS_REGION")
    else:
        monkeypatch.setenv("AWS_REGION", first)
    open_bucket(connection, URL)
    connection.execute(COPY)
    assert set(storage.objects) == {"lakes/sandbox/default/one.parquet"}


@pytest.mark.parametrize(
    ("status", "kind"), [(403, ConfigurationError), (404, ConfigurationError), (503, TransientError)]
)
def test_what_a_bucket_answers_is_told(
    status: int, kind: type[IntegrationError], storage: ObjectStorage, connection: duckdb.DuckDBPyConnection
) -> None:
    """A refusal needs a person; anything else may be over at the next run."""
    open_bucket(connection, URL)
    storage.status = status
    told = failure(connection)
    assert type(told) is kind
    assert f"({status})" in told.message


def test_a_bucket_that_is_away_is_worth_another_try(
    storage: ObjectStorage, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody listens there; an error of another kind is nobody's business here."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    open_bucket(connection, URL)
    assert isinstance(failure(connection), TransientError)
    with pytest.raises(duckdb.Error) as caught:
        connection.execute("SELECT nonsense")
    assert bucket_error(caught.value) is None


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("AWS_SECRET_ACCESS_KEY", "", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
        ("AWS_ENDPOINT_URL", "https://ann:hidden-word@server", "AWS_ENDPOINT_URL: must look like"),
        ("AWS_SECRET_ACCESS_KEY", "hidden-word\n", "AWS_SECRET_ACCESS_KEY: has a space, a line break"),
        ("AWS_ENDPOINT_URL", "http://[hidden-word", "AWS_ENDPOINT_URL: must look like"),
        ("AWS_ENDPOINT_URL", "server:9000", "AWS_ENDPOINT_URL: must look like"),
        ("AWS_ENDPOINT_URL", "https://server/hidden-word", "AWS_ENDPOINT_URL: must look like"),
    ],
)
def test_variables_that_cannot_be_used_are_named(
    variable: str,
    value: str,
    told: str,
    storage: ObjectStorage,
    connection: duckdb.DuckDBPyConnection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Never with their value."""
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigurationError, match=told) as caught:
        open_bucket(connection, URL)
    assert "hidden-word" not in caught.value.message
    assert storage.requests == []
