"""What the Dagster UI shows of a check: what failed, and which rows."""

from __future__ import annotations

import dagster as dg
import duckdb

from integration_assets.assets.asset_checks import ABOUT_RECORDS, check_metadata
from integration_assets.checks.base import SAMPLE_ROWS, CheckResult, GateSettings
from integration_assets.checks.gate import run_gate
from integration_assets.models import Rejected
from integration_assets.staging.loading import quarantine

RUN = "run"


def shown(store: duckdb.DuckDBPyConnection, settings: GateSettings, name: str) -> dict[str, dg.MetadataValue]:
    """The metadata of one check of the gate."""
    [result] = [result for result in run_gate(store, settings) if result.name == name]
    return check_metadata(result, store, settings.run_id)


def records(value: dg.MetadataValue) -> list[dict[str, object]]:
    """The rows of a table that stands open."""
    assert isinstance(value, dg.TableMetadataValue)
    return [dict(record.data) for record in value.records]


def test_records_that_were_kept_out_are_named_with_the_reason(store, settings):
    """Their number to be plotted, the first of them to be looked up; those without a key last, addresses never."""
    rejected = [Rejected("feature_request", f"f{number:02}", "no title") for number in range(12)]
    rejected += [Rejected("board", "", "no id: ann@acme.com")]
    quarantine(store, RUN, "raw_feature_requests", rejected)
    quarantine(store, RUN, "raw_votes", [Rejected("vote", "v77", "no request")])
    quarantine(store, "earlier", "raw_feature_requests", [Rejected("feature_request", "f99", "no title")])
    found = shown(store, settings, "feature_requests_usable")
    assert [row["kind"] for row in records(found["rows"])] == ["feature_request"]  # the kind that closed the gate
    assert found["quarantined"].value == 13
    named = records(found["quarantined_records"])
    assert len(named) == SAMPLE_ROWS
    assert named[0] == {"kind": "feature_request", "key": "f00", "reason": "no title"}
    quarantine(store, RUN, "raw_crm_contacts", [Rejected("contact", "", "ann@acme.com: no id")])
    assert records(shown(store, settings, "contacts_usable")["quarantined_records"]) == [
        {"kind": "contact", "key": "", "reason": "[address]: no id"}
    ]


def test_the_reasons_of_a_warning_are_shown_once(store, settings):
    """They are a table of their own, of this stage alone: a warning's rows would be the same again."""
    quarantine(store, RUN, "raw_votes", [Rejected("vote", "v77", "no request")])
    quarantine(store, RUN, "raw_feature_requests", [Rejected("feature_request", "f1", "no title")])
    quarantine(store, RUN, "raw_crm_contacts", [Rejected("contact", "9", "no id")])
    found = shown(store, settings, "votes_usable")
    assert found.keys() == {"quarantined", "quarantined_reasons", "quarantined_records"}
    assert [row["kind"] for row in records(found["quarantined_reasons"])] == ["vote"]


def test_where_nothing_was_kept_out_the_number_says_so(store, settings):
    """Zero is a point of the plot as well; a table of nothing is not shown."""
    found = shown(store, settings, "votes_usable")
    assert found.keys() == {"quarantined"}
    assert found["quarantined"].value == 0


def test_repeated_ids_are_shown_with_their_number(store, settings):
    """The rows of a result stand open; other checks than those of unusable records say nothing of them."""
    store.execute("INSERT INTO raw.votes VALUES ('v1', 'r1', 'u1', NULL)")
    found = shown(store, settings, "vote_ids_unique")
    assert found.keys() == {"rows"}
    assert records(found["rows"]) == [{"repeated": "v1", "times": "2"}]


def test_a_result_without_rows_has_no_table(store, settings):
    """A check that has nothing to list shows its sentence only."""
    result = CheckResult("votes_fresh", "raw_votes", "WARN", passed=True, detail="fresh")
    assert check_metadata(result, store, RUN) == {}
    assert result.name not in ABOUT_RECORDS
