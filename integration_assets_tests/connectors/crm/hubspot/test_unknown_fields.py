"""Fields of HubSpot's records that its reference does not name."""

from __future__ import annotations

import msgspec

from integration_assets.connectors.crm.base import CompanyMapping
from integration_assets.connectors.crm.hubspot import translate
from integration_assets.connectors.crm.hubspot.wire import RECORD_FIELDS, Record

WHOLE = dict.fromkeys(RECORD_FIELDS) | {"id": "1", "properties": {}, "archived": False}


def test_they_are_counted_and_kept_out() -> None:
    """A record with one is the same company; properties, which are asked for by name, are not looked at."""
    entries = [WHOLE, {**WHOLE, "properties": {"hs_new": "x"}}, {**WHOLE, "id": "2", "fieldOfTomorrow": None}]
    page = translate.translate(entries, "company", lambda record: translate.company(record, CompanyMapping()))
    assert page.unknown_fields == {"hubspot.records.fieldOfTomorrow": 1}
    assert [company.company_id for company in page.records] == ["1", "1", "2"]
    assert msgspec.structs.replace(page.records[2], company_id="1") == page.records[0]


def test_every_field_that_is_read_is_a_documented_one() -> None:
    """What the connector uses of a record is never counted as unknown."""
    assert {one.encode_name for one in msgspec.structs.fields(Record)} <= RECORD_FIELDS
