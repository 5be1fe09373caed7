"""A plan on the page of its run: counts, changes of ARR, one change after the other, the file."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from io import StringIO

import msgspec
import pytest

from integration_assets.errors import EndState
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import LinkNumbers, PlanLine, RecordNumbers, RunFacts, build_summary
from integration_assets.resolution.rank import rank
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store
from integration_assets.sync.operations import Operation, insert_operations
from integration_assets_tests.reporting.conftest import STARTED
from integration_assets_tests.resolution.worlds import AS_OF, load, request
from integration_assets_tests.support.web_site import Client
from integration_assets_tests.web.conftest import Served

CREATED = 60
"""Records that the plan creates: two pages of them."""

pytestmark = pytest.mark.usefixtures("published")


@pytest.fixture(scope="module")
def published(pages: Served, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A dry run of acme that would create sixty records, update one and link one."""
    target = published_path(pages.home, "sandbox", "acme")
    operations = [
        *(
            Operation(n, "create", f"canny:n{n}", after={"title": f"=New {n}", "arr": str(n)})
            for n in range(1, CREATED + 1)
        ),
        Operation(99, "update", "canny:r", "7", before={"votes": "8"}, after={"votes": "9"}),
        Operation(100, "link", "canny:r", "7", "company", "c1", after_labels=("plain", "voted")),
    ]
    facts = RunFacts(
        run_id="dry",
        tenant="acme",
        environment="sandbox",
        mode="dry_run",
        state=EndState.SUCCEEDED,
        started_at=STARTED,
        duration_seconds=2.0,
        plan=PlanLine("ab" * 32),
        records=RecordNumbers(identified=61, created=CREATED, updated=1),
        links=LinkNumbers(desired=1, created=1),
    )
    with open_store(tmp_path_factory.mktemp("store") / "acme.duckdb") as connection:
        load(connection, {"feature_requests": [request("r", title="Dark mode")]})
        resolve_votes(connection, ResolutionSettings())
        rank(connection, AS_OF)
        counts = {"create": CREATED, "update": 1, "retire": 0, "link": 1, "unlink": 0}
        connection.execute(
            "INSERT INTO sync.plans BY NAME SELECT 'p' AS plan_id, 'dry' AS run_id, $hash AS hash, 'sync' AS kind, "
            "'1' AS portal_id, 'm' AS mapping_version, TIMESTAMP '2026-01-02' AS created_at, 'planned' AS status, "
            "[] AS held_reasons, $header AS header",
            {"hash": "ab" * 32, "header": msgspec.json.encode({"counts": counts}).decode()},
        )
        insert_operations(connection, "p", operations)
        record_run(connection, build_summary(connection, facts), facts)
        publish(connection, target)
    yield
    target.unlink()


def test_a_dry_run_would_create_and_says_nowhere_created(ann: Client) -> None:
    """On its page and in the list of runs."""
    page = ann.http.get("/runs/dry").text
    assert "would create" in page
    assert ">created<" not in page
    assert "would create 60" in ann.http.get("/runs").text


def test_the_changes_are_counted_paged_and_narrowed_down(ann: Client) -> None:
    """Fifty a page with the total; by action and field in the address."""
    first = ann.http.get("/runs/dry").text
    assert "62 changes, one by one" in first
    assert "page 1 of 2" in first
    assert "Shown is what was published" not in first
    assert "Largest changes of ARR" in first
    assert "=New 51" not in first.split("one by one")[1]
    assert "=New 51" in ann.http.get("/runs/dry?page=2").text.split("one by one")[1]
    narrowed = ann.http.get("/runs/dry?action=update&field=votes").text.split("one by one")[1]
    assert "Dark mode" in narrowed
    assert "=New" not in narrowed
    assert "No change fits" in ann.http.get("/runs/dry?action=retire").text


def test_the_file_has_what_the_page_is_narrowed_down_to(ann: Client, gus: Client) -> None:
    """Without formulas, as an attachment, and for nobody else."""
    whole = ann.http.get("/runs/dry/plan.csv")
    assert "plan-acme-sandbox-abababababab.csv" in whole.headers["content-disposition"]
    rows = list(csv.DictReader(StringIO(whole.text, newline="")))
    assert len(rows) == 2 * CREATED + 2
    assert rows[0]["after"] == "'=New 1"
    votes = list(csv.DictReader(StringIO(ann.http.get("/runs/dry/plan.csv?field=votes").text, newline="")))
    assert [(row["title"], row["before"], row["after"]) for row in votes] == [("Dark mode", "8", "9")]
    assert gus.http.get("/runs/dry/plan.csv").status_code == 404
    assert ann.http.get("/runs/none/plan.csv").status_code == 404
