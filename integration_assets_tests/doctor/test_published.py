"""Checks of where the ranking is published: what a bucket and PostgreSQL answer, and that nothing is written."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import duckdb
import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from integration_assets.config import Settings
from integration_assets.doctor.context import DoctorContext
from integration_assets.doctor.findings import CheckOutcome, Verdict
from integration_assets.doctor.published import bucket, readers_lake
from integration_assets.errors import ConfigurationError, TransientError
from integration_assets.staging import lake as lakes
from integration_assets.staging import object_storage as published_there
from integration_assets.staging.object_storage import Readable, try_reading
from integration_assets.staging.place import store_place
from integration_assets.staging.readers_lake import ReadersView, publish_to_readers
from integration_assets_tests.support.object_storage import (
    BUCKET,
    KEY_ID,
    SECRET,
    Key,
    ObjectStorage,
    storage_in_environment,
)

URL = f"s3://{BUCKET}/rankings"
NAME = "rankings/sandbox/default.duckdb"
ROLE, TENANT = "doctor_analyst", "seen-by-doctor"


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStorage]:
    with storage_in_environment(monkeypatch) as server:
        yield server


def seen(
    home: Path,
    check: Callable[[DoctorContext], Coroutine[Any, Any, CheckOutcome]],
    tenant: str = "default",
    **variables: str,
) -> CheckOutcome:
    """What a check says with these variables."""
    settings = Settings.model_validate({"INTEGRATION_ASSETS_HOME": home, **variables})
    return asyncio.run(check(DoctorContext(settings, tenant)))


# -- the bucket


def test_a_key_that_reads_is_well(storage: ObjectStorage, tmp_path: Path) -> None:
    """Whether or not a file is there yet; one request each, and nothing is written."""
    with_url = {"INTEGRATION_ASSETS_PUBLISH_URL": URL}
    first = seen(tmp_path, bucket, **with_url)
    assert (first.verdict, "no published file is there yet" in first.seen) == (Verdict.OK, True)
    storage.objects[NAME] = b"content"
    second = seen(tmp_path, bucket, **with_url)
    assert (second.verdict, "can be read with the key" in second.seen) == (Verdict.OK, True)
    assert "that the key may write was not tried" in first.seen
    assert "that the key may write was not tried" in second.seen
    assert [(method, status) for method, _, status in storage.requests] == [("GET", 404), ("GET", 206)]
    assert storage.objects == {NAME: b"content"}


def test_a_key_that_may_not_read_is_no_success(storage: ObjectStorage, tmp_path: Path) -> None:
    """It may be one for writing alone, as the documentation has it, or the bucket a stranger's."""
    storage.keys[KEY_ID] = Key(SECRET, reads=("elsewhere/",))
    found = seen(tmp_path, bucket, INTEGRATION_ASSETS_PUBLISH_URL=URL)
    assert (found.verdict, "knows the key, which may not read" in found.seen) == (Verdict.UNKNOWN, True)
    assert try_reading(URL, "sandbox", "default") is Readable.FORBIDDEN


@pytest.mark.parametrize(
    ("change", "error", "told"),
    [
        ("secret", ConfigurationError, r"could not be read: it is refused \(403 Forbidden\)"),
        ("unknown key", ConfigurationError, r"could not be read: it is refused \(403 Forbidden\)"),
        ("other bucket", ConfigurationError, r"could not be read: it is refused"),
        ("broken", TransientError, r"could not be read \(503 Service Unavailable\)"),
        ("away", TransientError, r"could not be read \(nobody listens there\)"),
    ],
)
def test_what_keeps_a_run_from_publishing_is_told(
    change: str, error: type[Exception], told: str, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one request: a person waits."""
    url = "s3://bucket-of-others/rankings" if change == "other bucket" else URL
    if change == "secret":
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another-secret")
    elif change == "unknown key":
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDOFNOBODY")
    elif change == "broken":
        storage.status = 503
    elif change == "away":
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(error, match=told) as caught:
        try_reading(url, "sandbox", "default")
    assert SECRET not in str(caught.value)
    assert KEY_ID not in str(caught.value)
    assert len(storage.requests) == (0 if change == "away" else 1)


def test_a_missing_client_is_told(storage: ObjectStorage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a setting that is wrong: exit code 2."""
    monkeypatch.setattr(published_there, "find_spec", lambda _name: None)
    found = seen(tmp_path, bucket, INTEGRATION_ASSETS_PUBLISH_URL=URL)
    assert (found.verdict, found.usage) == (Verdict.FAIL, True)
    assert storage.requests == []


# -- the readers' lake


@pytest.fixture
def lake_url(postgresql: str, tmp_path: Path) -> Iterator[str]:
    """A lake's URL; the role exists and may read nothing yet."""
    url = f"ducklake:{postgresql}&data={tmp_path}/data"
    lake = lakes.parse_lake(url, "sandbox", TENANT)
    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute(SQL("CREATE ROLE {} LOGIN").format(Identifier(ROLE)))
    yield url
    with psycopg.connect(postgresql, autocommit=True) as server:
        for one in (lake, lakes.readers_lake(lake)):
            server.execute(SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(Identifier(one.schema)))
        server.execute(SQL("DROP ROLE {}").format(Identifier(ROLE)))


def looked_at(url: str, home: Path, role: str = ROLE) -> tuple[Verdict, str]:
    """What the check says of the role."""
    variables = {"INTEGRATION_ASSETS_STORE_URL": url, "INTEGRATION_ASSETS_LAKE_READER": role}
    found = seen(home, readers_lake, TENANT, **variables)
    return found.verdict, found.seen


def test_what_stands_between_a_reader_and_the_lake_is_told(postgresql: str, lake_url: str, tmp_path: Path) -> None:
    """The role, its login, its grants, what it may read besides, and the data; nothing is made or granted meanwhile."""
    verdict, said = looked_at(lake_url, tmp_path, "nobody_there")
    assert (verdict, "has no role nobody_there: CREATE ROLE" in said) == (Verdict.FAIL, True)
    assert looked_at(lake_url, tmp_path)[1] == f"role {ROLE} exists and may log in; the first run makes the lake"
    assert schemas(postgresql) == []

    settings = Settings.model_validate({"INTEGRATION_ASSETS_HOME": tmp_path, "INTEGRATION_ASSETS_STORE_URL": lake_url})
    lake = store_place(settings, "sandbox", TENANT).lake
    assert lake is not None
    file = tmp_path / "published.duckdb"
    with duckdb.connect(file) as published:
        published.execute("CREATE SCHEMA ranked; CREATE TABLE ranked.feature_requests AS SELECT 1 AS rank_by_arr")
    assert publish_to_readers(lake, ROLE, file, 30) == []
    readers = Identifier(lakes.readers_lake(lake).schema)
    verdict, said = looked_at(lake_url, tmp_path)
    assert (verdict, said.startswith(f"the lake opens with 1 tables, which role {ROLE} may read")) == (Verdict.OK, True)

    with psycopg.connect(postgresql, autocommit=True) as server:
        role, own = Identifier(ROLE), Identifier(lake.schema)
        server.execute(SQL("REVOKE SELECT ON {}.ducklake_table FROM {}").format(readers, role))
        assert looked_at(lake_url, tmp_path) == (Verdict.FAIL, f"role {ROLE} may not read 1 tables of the catalogue")
        server.execute(SQL("GRANT SELECT ON {}.ducklake_table TO {}").format(readers, role))

        server.execute(SQL("CREATE SCHEMA {}").format(own))
        server.execute(SQL("GRANT USAGE ON SCHEMA {} TO {}").format(own, role))
        verdict, said = looked_at(lake_url, tmp_path)
        assert (verdict, "which holds e-mail addresses" in said) == (Verdict.WARN, True)
        server.execute(SQL("REVOKE USAGE ON SCHEMA {} FROM {}").format(own, role))

        server.execute(SQL("ALTER ROLE {} NOLOGIN").format(role))
        assert looked_at(lake_url, tmp_path) == (Verdict.FAIL, f"role {ROLE} may not log in")
        server.execute(SQL("ALTER ROLE {} LOGIN").format(role))

    [parquet] = (tmp_path / "data" / "published").rglob("*.parquet")
    parquet.unlink()
    verdict, said = looked_at(lake_url, tmp_path)
    assert (verdict, "cannot be read" in said) == (Verdict.FAIL, True)


def test_what_a_reader_may_not_read_comes_before_what_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It can attach nothing then, and the doctor's exit code is to say so."""
    monkeypatch.setattr(
        "integration_assets.doctor.published.look_at_readers_lake",
        lambda _lake, role: ReadersView(True, 1, 2, [f"role {role} may also read: REVOKE"]),
    )
    url = f"ducklake:postgresql://localhost/nobody?data={tmp_path}/data"
    assert looked_at(url, tmp_path) == (Verdict.FAIL, f"role {ROLE} may not read 2 tables of the catalogue")


def schemas(url: str) -> list[str]:
    """Schemas of the tenant in PostgreSQL."""
    with psycopg.connect(url) as server:
        rows = server.execute("SELECT nspname FROM pg_namespace WHERE nspname LIKE '%seen_by_doctor%'").fetchall()
    return [str(name) for (name,) in rows]
