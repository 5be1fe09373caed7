"""Reading open deals with the rest of the CRM: into the store, counted, and done without where they cannot be read."""

from __future__ import annotations

import asyncio
from unittest import mock

import pytest

from integration_assets.ingest import raw_tables
from integration_assets.ingest.call_floor import crm_reading_floor
from integration_assets.ingest.deals import companies_that_voted
from integration_assets.ingest.raw_tables import ingest
from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.ingest.conftest import Reader

OPEN = {"appointmentscheduled", "qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent"}
STAGES, SEARCH = "GET /crm/pipelines/2026-09/{object_type}", "POST /crm/objects/2026-09/{object_type}/search"
DEALS_SCOPE = "crm.objects.deals.read"


def read_inputs(reader: Reader) -> list[tuple[object, ...]]:
    return reader.rows("SELECT rows_read FROM raw.reads WHERE input = 'deals'")


def test_open_deals_come_with_companies_stage_and_amount(reader: Reader) -> None:
    """All open deals of the sample are in the store, no closed one, and their ids of companies lead somewhere."""
    calls = reader.read()
    sample = reader.served.sandbox.sample
    expected = [row for row in sample.deals if row["dealstage"] in OPEN]
    stored = reader.rows("SELECT name, amount, currency FROM raw.crm_deals ORDER BY ALL")
    assert stored == sorted(
        ((row["dealname"], row.get("amount"), row["deal_currency_code"]) for row in expected),
        key=lambda one: (one[0], one[1] is None, one[1] or "", one[2]),
    )
    assert reader.rows("SELECT DISTINCT stage FROM raw.crm_deals WHERE stage = 'Contract Sent'") == [("Contract Sent",)]
    strangers = """
        SELECT unnest(company_ids) AS company_id FROM raw.crm_deals
        EXCEPT SELECT company_id FROM raw.crm_companies
    """
    assert reader.rows(strangers) == []
    assert calls[STAGES] == 1
    assert read_inputs(reader) == [(len(expected),)]


def test_the_floor_counts_the_calls_for_deals(reader: Reader) -> None:
    """A first read makes as many calls as the floor says, deals included."""
    with reader.inputs() as inputs:
        done = asyncio.run(ingest(inputs))
        made = sum(call.total for call in inputs.calls.snapshot() if call.system == "hubspot")
    assert done.work.crm.deal_calls == 3
    assert done.crm_sizes is not None
    assert crm_reading_floor(done.work.crm, done.crm_sizes) == made


@pytest.mark.parametrize("error", ["scope", "contract"])
def test_deals_that_cannot_be_read_cost_only_the_pipeline(reader: Reader, error: str) -> None:
    """The read ends well, says why there is no pipeline, and what was known of an earlier read is gone."""
    reader.read()
    assert read_inputs(reader)
    hubspot = reader.served.sandbox
    if error == "scope":
        hubspot.sandbox.portal.scopes.discard(DEALS_SCOPE)
        expected = DEALS_SCOPE
    else:
        body = b'{"total": 1, "results": [{"properties": {}}]}'
        hubspot.hubspot_sandbox.faults.append(
            Fault(lambda request: request.path.endswith("/0-3/search"), status=200, body=body)
        )
        expected = "unexpected form"
    try:
        _, notes = reader.read_with_notes()
    finally:
        hubspot.sandbox.portal.scopes.add(DEALS_SCOPE)
    (note,) = [note for note in notes if note.startswith("open pipeline not read: ")]
    assert expected in note
    assert reader.rows("SELECT count(*) FROM raw.crm_deals") == [(0,)]
    assert read_inputs(reader) == []


def test_without_a_crm_nothing_is_known_of_deals(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a CRM that was there before do not pass for a pipeline of zero."""
    reader.read()
    assert read_inputs(reader)
    monkeypatch.setattr(raw_tables, "_opened_crm", mock.AsyncMock(return_value=None))
    reader.read()
    assert read_inputs(reader) == []


def test_which_companies_voted_is_known_from_the_last_ranking(reader: Reader) -> None:
    """Before the first ranking nothing is known, which is not the same as that nobody voted."""
    with reader.inputs() as inputs:
        assert companies_that_voted(inputs.connection) is None
        inputs.connection.execute("CREATE TABLE ranked.companies AS SELECT '7' AS company_id")
        assert companies_that_voted(inputs.connection) == ["7"]
