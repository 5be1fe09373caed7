"""Pages are made once for everybody who may see the same, and hold nothing of whoever was first."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from integration_assets.config import Environment, load_settings
from integration_assets.reporting.insights import read_companies, read_requests
from integration_assets.reporting.result_files import result_path
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store
from integration_assets.web import open_files
from integration_assets.web.open_files import OpenFiles
from integration_assets_tests.resolution.worlds import AS_OF, company, load, request, vote
from integration_assets_tests.support.web_site import Client, add_user, hidden_field
from integration_assets_tests.web.conftest import OPERATOR, Served

BOB = "bob@acme.example"
Publish = Callable[..., None]


@pytest.fixture
def published(pages: Served, tmp_path: Path) -> Publish:
    """Publishes one request of one company for a tenant."""

    def one(tenant: str, name: str, environment: str = "sandbox") -> None:
        with open_store(tmp_path / f"{tenant}.duckdb") as connection:
            load(
                connection,
                {
                    "feature_requests": [request("r", title=f"Request of {name}")],
                    "voters": [{"voter_id": "v", "email": "v@c.example"}],
                    "votes": [vote("1", "r", "v")],
                    "crm_companies": [company("1", "c.example", name=name, arr="10")],
                },
            )
            resolve_votes(connection, ResolutionSettings())
            rank(connection, AS_OF)
            publish(connection, published_path(pages.home, environment, tenant))

    return one


@pytest.fixture
def bob(pages: Served) -> Iterator[Client]:
    """Another admin of acme."""
    add_user(pages.registry, BOB, "acme")
    with Client(pages.site.origin) as client:
        assert client.log_in(BOB).status_code == 303
        yield client


@pytest.fixture
def made() -> Iterator[mock.Mock]:
    """Counts how often a page of companies is made."""
    with mock.patch("integration_assets.web.pages_insights.read_companies", wraps=read_companies) as counted:
        yield counted


def test_a_second_reader_gets_the_same_page_as_themselves(
    published: Publish, ann: Client, bob: Client, made: mock.Mock
) -> None:
    """Login and form token are each reader's own, and the token works; the rest was made once."""
    published("acme", "Acme")
    first, again, other = ann.get("/companies"), ann.get("/companies"), bob.get("/companies")
    assert made.call_count == 1
    assert first.text == again.text
    assert "ann@acme.example" in first.text
    assert "bob@acme.example" in other.text
    assert "ann@acme.example" not in other.text
    assert hidden_field(other.text, "csrf") == f"{bob.csrf}.acme"
    assert hidden_field(first.text, "csrf") == f"{ann.csrf}.acme"
    # No mark is left, in whose place something else belongs.
    assert [re.findall("[0-9a-f]{64}", page.text) for page in (first, other)] == [[], []]
    assert first.headers["cache-control"] == "no-store"
    chosen = bob.post("/environment", {"csrf": hidden_field(other.text, "csrf"), "environment": "sandbox"})
    assert chosen.status_code == 303


def test_no_page_is_shown_to_another_tenant(
    pages: Served, published: Publish, ann: Client, gus: Client, made: mock.Mock
) -> None:
    """The same address shows each tenant theirs, an operator that of the chosen tenant, and their own menu."""
    published("acme", "Acme")
    published("globex", "Globex")
    assert ("Acme" in ann.get("/companies/1").text, "Globex" in gus.get("/companies/1").text) == (True, True)
    for path in ("/requests", "/companies", "/requests/r", "/companies/1", "/segments"):
        ours, theirs = ann.get(path).text, gus.get(path).text
        assert "Globex" not in ours
        assert "Acme" not in theirs
    with Client(pages.site.origin) as operator:
        assert operator.log_in(OPERATOR).status_code == 303
        shown = {}
        for tenant in ("acme", "globex", "acme"):
            assert operator.post("/tenants", {"tenant": tenant}).status_code == 303
            shown[tenant] = operator.get("/companies").text
            assert 'href="/tenants"' in shown[tenant]
        assert "Globex" not in shown["acme"]
        assert "Acme" not in shown["globex"]
        assert hidden_field(shown["acme"], "csrf").endswith(".acme")
    assert 'href="/tenants"' not in ann.get("/companies").text


def test_what_a_page_is_made_of_makes_another_page(
    pages: Served, published: Publish, ann: Client, made: mock.Mock
) -> None:
    """A run that publishes, the query, the environment, and a run that ended."""
    published("acme", "Acme")
    assert "Acme" in ann.get("/companies").text
    published("acme", "Newer")
    assert "Newer" in ann.get("/companies").text
    assert made.call_count == 2
    assert "Newer" not in ann.get("/companies?words=nobody").text
    assert made.call_count == 3
    published("acme", "Real", environment="production")
    assert ann.post("/environment", {"environment": "production"}).status_code == 303
    assert "Real" in ann.get("/companies").text
    assert ann.post("/environment", {"environment": "sandbox"}).status_code == 303
    assert "Newer" in ann.get("/companies").text
    assert made.call_count == 4
    endings = result_path(pages.home, Environment.SANDBOX, "acme", "").parent
    endings.mkdir(parents=True, exist_ok=True)
    os.utime(endings, ns=(1, 1))
    ann.get("/companies")
    assert made.call_count == 5
    # A file that is gone takes its pages along.
    published_path(pages.home, "sandbox", "acme").unlink()
    assert "Newer" not in ann.get("/companies").text


def test_a_page_of_a_long_address_is_not_kept(published: Publish, ann: Client, made: mock.Mock) -> None:
    """Its address would take more memory than the page, and is counted nowhere."""
    published("acme", "Acme")
    for _ in range(2):
        assert "Acme" in ann.get(f"/companies?x={'y' * 3_000}").text
    assert made.call_count == 2


def test_the_first_steps_are_never_kept(published: Publish, ann: Client) -> None:
    """They change with what is stored, while nothing is published anew."""
    published("acme", "Acme")
    with mock.patch("integration_assets.web.pages_insights.read_requests", wraps=read_requests) as counted:
        assert "First plan" in ann.get("/requests").text
        assert "First plan" in ann.get("/requests").text
        assert counted.call_count == 2
        with mock.patch("integration_assets.web.pages_insights.first_run_steps", return_value=[]):
            for _ in range(3):
                assert "First plan" not in ann.get("/requests").text
        assert counted.call_count == 3


def test_pages_are_kept_up_to_a_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ones that were not read for longest go first; of a version that is no longer there nothing is kept."""
    monkeypatch.setattr(open_files, "MOST_PAGES_BYTES", 10)
    settings = load_settings(home=tmp_path)
    path = published_path(tmp_path, settings.environment, "default")
    with open_store(tmp_path / "store.duckdb") as connection:
        publish(connection, path)
    files = OpenFiles()
    with files.reading(settings, "default"):
        pass
    version, nothing = files.kept_page(path, "a")
    assert nothing is None
    for key in ("a", "b"):
        files.keep_page(path, version, key, b"12345")
    assert files.kept_page(path, "a")[1] == b"12345"
    files.keep_page(path, version, "c", b"1234")
    assert [files.kept_page(path, key)[1] for key in "abc"] == [b"12345", None, b"1234"]
    files.keep_page(path, version, "a", b"1")
    files.keep_page(path, version, "d", b"12345")
    assert [files.kept_page(path, key)[1] for key in "acd"] == [b"1", b"1234", b"12345"]
    files.keep_page(path, version, "huge", b"1" * 11)
    assert [files.kept_page(path, key)[1] for key in ("a", "huge")] == [None, None]
    os.utime(path)
    files.keep_page(path, version, "late", b"1")
    assert files.kept_page(path, "late")[1] is None
    files.forget(path)
