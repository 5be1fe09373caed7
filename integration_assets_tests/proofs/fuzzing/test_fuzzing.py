"""Damaged answers: whatever comes over the wire ends as records, as rejections or as one of our errors."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from unittest import mock

import pytest

from integration_assets.connectors.feedback.reading import Reader
from integration_assets.models import Page
from integration_assets_tests.proofs.fuzzing import tables
from integration_assets_tests.proofs.fuzzing.fuzz import SUBJECTS, fuzz

BODIES, TABLES = 200, 60
"""The proofs `fuzz` and `tables` try 2,000 and 200 in their small form, 100,000 and 2,000 in the whole."""
SEED = 7


@pytest.mark.parametrize("connector", sorted(SUBJECTS))
def test_damaged_answers_end_in_records_or_in_errors_of_ours(connector: str) -> None:
    """No other exception, no cut answer taken for whole, no record served that is neither read nor rejected."""
    report = fuzz(connector, BODIES, SEED)
    assert report.wrong == []
    assert report.endings.total() == BODIES
    # The damage is neither so small that nothing happens nor so large that nothing is looked at.
    assert report.endings["records"] > BODIES / 10
    assert report.endings["rejected"] > BODIES / 100
    assert report.endings["ContractError"] > BODIES / 10
    assert report.endings["TransientError"] > BODIES / 20


@pytest.mark.parametrize("connector", sorted(SUBJECTS))
def test_a_careless_parser_is_found_out(connector: str) -> None:
    """With the standard library's parser and its silence in place of ours, the same bodies do go wrong."""
    with mock.patch("integration_assets.connectors.http.parse_json", json.loads):
        report = fuzz(connector, 500, SEED)
    assert any("UnicodeDecodeError" in line or "JSONDecodeError" in line for line in report.wrong)


def test_a_reader_that_drops_what_it_cannot_use_is_found_out() -> None:
    """A connector that rejects nothing and says nothing is named."""
    whole = Reader.page

    def dropping(reader: Reader, items: Iterable[Any]) -> Page[Any]:
        return Page(whole(reader, items).records)

    with mock.patch.object(Reader, "page", dropping):
        report = fuzz("canny", 1_000, SEED)
    assert any("records of" in line and "that were served" in line for line in report.wrong)


def test_damaged_tables_end_in_records_or_in_one_clear_line() -> None:
    """Each damage ends in one of the ways that are known, and every way is seen."""
    report = tables.fuzz(TABLES, SEED)
    assert report.wrong == []
    assert report.endings.total() == TABLES
    assert report.endings["records"] > TABLES / 10
    assert report.endings["rejected"] > 0
    assert report.endings["ContractError"] > TABLES / 4
