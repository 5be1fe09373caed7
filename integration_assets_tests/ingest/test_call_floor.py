"""The arithmetic of the fewest calls."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from integration_assets.connectors.crm.base import CallCosts
from integration_assets.connectors.feedback.abilities import Abilities
from integration_assets.ingest.call_floor import (
    CrmSizes,
    CrmWork,
    FeedbackWork,
    Writing,
    crm_reading_floor,
    feedback_floor,
    read_writing,
    schema_calls,
    writing_floor,
)
from integration_assets.models import LiveSchema, Portal, PortalKind
from integration_assets.staging.store import open_store
from integration_assets.sync.estimate import BatchLimits

COSTS = CallCosts(
    schema=8,
    missing_object=4,
    writing=2,
    naming=1,
    labels=1,
    records_per_page=100,
    contacts_per_call=1_000,
    links_per_page=500,
)
SIZES = CrmSizes(COSTS, BatchLimits())
PORTAL = Portal("1", PortalKind.SANDBOX)


@pytest.mark.parametrize(
    ("work", "calls"),
    [
        (FeedbackWork(), 1),
        (FeedbackWork(requests=0, votes=1, status_changes=1), 4),
        (FeedbackWork(requests=100, votes=101, status_changes=1), 5),
        (FeedbackWork(requests=101), 1 + 2),
        (FeedbackWork(requests=199), 1 + 2),
        (FeedbackWork(requests=200), 1 + 3),
        (FeedbackWork(requests=5_000, votes=100_000, status_changes=9_000, persons=20_000, accounts=250), 1_345),
        (FeedbackWork(votes_by_request=[0, 100, 101], looked_up=7), 12),
        (FeedbackWork(looked_at=20), 1 + 20),
        (FeedbackWork(Abilities(requests_overlap=0), requests=200), 1 + 2),
        (FeedbackWork(Abilities(boards_paged=True), boards=101), 2),
        (FeedbackWork(Abilities(boards=False), votes=1), 1),
        (FeedbackWork(Abilities(records_per_call=50), votes=101, votes_by_request=[51]), 1 + 3 + 2),
    ],
)
def test_feedback_system(work: FeedbackWork, calls: int) -> None:
    """Boards, and each list read in pages of 100; an empty list takes a call, one that was not read none.

    A page of requests begins with the last one of the page before.
    """
    assert feedback_floor(work) == calls


@pytest.mark.parametrize(
    ("work", "calls"),
    [
        (CrmWork(), 0),
        (CrmWork(schemas=12, companies=120, live_records=0, archived_records=0, addresses=99, contacts=50), 18),
        (CrmWork(schemas=16, company_calls=5, live_records=1_001, archived_records=3), 16 + 5 + 11 + 1 + 4),
        (CrmWork(company_calls=1, companies=101, live_records=1, link_pages=2), 1 + 2 + 1 + 2 + 2),
        (CrmWork(company_calls=2, deal_calls=3), 2 + 3),
        (CrmWork(addresses=1_001, contacts=1_001), 11 + 2),
    ],
)
def test_reading_the_crm(work: CrmWork, calls: int) -> None:
    """Schemas, lists in pages of 100, links of 1,000 records to two targets, 100 addresses or 1,000 contacts a call."""
    assert crm_reading_floor(work, SIZES) == calls


def test_contacts_that_bring_their_company_take_no_call_for_it() -> None:
    """Only their addresses do."""
    sizes = CrmSizes(msgspec.structs.replace(COSTS, contacts_per_call=None), BatchLimits())
    assert crm_reading_floor(CrmWork(addresses=1_001, contacts=1_001), sizes) == 11


def test_a_crm_that_lists_its_contacts_is_asked_for_no_address() -> None:
    """They come in pages, however many addresses there are."""
    sizes = msgspec.structs.replace(SIZES, costs=msgspec.structs.replace(COSTS, lists_contacts=True))
    assert crm_reading_floor(CrmWork(addresses=1_001, address_spellings=5, contacts=1_001), sizes) == 2


@pytest.mark.parametrize(
    ("work", "calls"),
    [
        (Writing(), 0),
        (Writing(asked=True), 1),
        (Writing(asked=True, creates=100), 1 + 2 + 2),
        (Writing(asked=True, creates=95, canary=5), 1 + 2 + 4),
        (Writing(asked=True, changes=101), 1 + 2 + 6),
        (Writing(asked=True, pair_calls=4, targets=1), 1 + 2 + 1 + 4),
        (Writing(pair_calls=8, targets=2), 2 + 2 + 8),
        (Writing(asked=True, companies=101), 1 + 1 + 6),
        (Writing(asked=True, creates=1, companies=1), 1 + 2 + 2 + 3),
    ],
)
def test_writing(work: Writing, calls: int) -> None:
    """Each batch is written and read back, what changes looked at before; labels of a target are asked for once."""
    assert writing_floor(work, SIZES) == calls


@pytest.mark.parametrize(("present", "mapped", "calls"), [(True, True, 8), (True, False, 7), (False, True, 4)])
def test_schema(present: bool, mapped: bool, calls: int) -> None:
    """A portal without our object is read in fewer calls, one without mapped company properties in one less."""
    schema = LiveSchema(PORTAL, present, False, (), (), ())
    assert schema_calls(COSTS, schema, mapped=mapped) == calls


def test_what_a_run_sent_is_read_from_the_ledger(tmp_path: Path) -> None:
    """Records by action and pairs by target, each once however often it was sent; records made in the run are new."""
    rows = [
        *(("one", "create", f"canny:{number}", None, None) for number in range(7)),
        ("one", "update", "canny:old", None, None),
        ("one", "update", "canny:old", None, None),
        ("one", "retire", "canny:gone", None, None),
        ("one", "link", "canny:1", "company", "10"),
        ("one", "link", "canny:1", "company", "11"),
        ("one", "link", "Canny:old", "company", "10"),
        ("one", "unlink", "canny:gone", "contact", "20"),
        ("two", "create", "canny:other", None, None),
    ]
    with open_store(tmp_path / "store.duckdb") as connection:
        connection.executemany(
            "INSERT INTO sync.ledger (run_id, action, key, target, target_id) VALUES (?, ?, ?, ?, ?)", rows
        )
        assert read_writing(connection, "one", SIZES, canary=5) == Writing(
            asked=True,
            creates=2,
            canary=5,
            changes=2,
            # links: looked at because of the old record, written, read back; the unlink as well
            pair_calls=3 + 3,
            targets=2,
        )
        assert read_writing(connection, "two", SIZES, canary=5) == Writing(asked=True, creates=1)
        assert read_writing(connection, "none", SIZES, canary=0) == Writing(asked=True)
