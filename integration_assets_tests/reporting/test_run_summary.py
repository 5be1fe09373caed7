"""Every run leaves one summary of one shape, whatever its ending."""

import json
import stat
from typing import Any

import msgspec
import pytest

from integration_assets.errors import EndState, PermanentError
from integration_assets.models import Rejected
from integration_assets.reporting.run_log import record_run
from integration_assets.reporting.run_summary import (
    CheckLine,
    PlanLine,
    RunSummary,
    build_summary,
    to_json,
    write_json,
)

SHAPE = json.loads("""
{"version":1,"run_id":"run1","tenant":"default","environment":"sandbox","state":"SUCCEEDED","dry_run":false,
 "started_at":"2026-03-01T11:30:00Z","duration_seconds":12.346,
 "api_calls":{"canny":{"total":205,"retried":2,"throttled":1},
              "hubspot":{"total":33,"writes":12,"retried":0,"throttled":0}},
 "feature_requests":{"identified":6,"created":1,"updated":2,"unchanged":3,"retired":0,"rejected":0,"verified":3},
 "links":{"desired":9,"created":4,"removed":0,"unchanged":5,"rejected":0,"verified":4},
 "votes":{"total":10,"matched":6,"by_method":{"host":4,"contact":2},"unmatched":{"personal_email":3,"no_email":1}},
 "checks":[{"name":"votes_usable","asset":"raw_votes","severity":"ERROR","passed":true,"detail":"fine"}],
 "rejected":[],"conflicts":[],"quarantined":{"raw_votes":2},"currency":"USD",
 "plan":{"hash":"abc123","held":false,"reasons":[],"changes":null},
 "top":{"by_arr":[
    {"request_id":"r1","title":"Title 1","companies":1,"arr":"7003.50","companies_without_rate":0,
     "status":"open","place":1,"votes":10},
    {"request_id":"r2","title":"Title 2","companies":2,"arr":"6003.00","companies_without_rate":3,
     "status":"open","place":2,"votes":20},
    {"request_id":"r3","title":"Title 3","companies":3,"arr":"5002.50","companies_without_rate":0,
     "status":"open","place":3,"votes":30},
    {"request_id":"r4","title":"Title 4","companies":4,"arr":"4002.00","companies_without_rate":0,
     "status":"open","place":4,"votes":40},
    {"request_id":"r5","title":"Title 5","companies":5,"arr":"3001.50","companies_without_rate":0,
     "status":"open","place":5,"votes":50}],
  "by_companies":[
    {"request_id":"r6","title":"Title 6","companies":6,"arr":"2001.00","companies_without_rate":0,
     "status":"open","place":2,"votes":60},
    {"request_id":"r5","title":"Title 5","companies":5,"arr":"3001.50","companies_without_rate":0,
     "status":"open","place":3,"votes":50},
    {"request_id":"r4","title":"Title 4","companies":4,"arr":"4002.00","companies_without_rate":0,
     "status":"open","place":4,"votes":40},
    {"request_id":"r3","title":"Title 3","companies":3,"arr":"5002.50","companies_without_rate":0,
     "status":"open","place":5,"votes":30},
    {"request_id":"r2","title":"Title 2","companies":2,"arr":"6003.00","companies_without_rate":3,
     "status":"open","place":6,"votes":20}],
  "by_votes":[
    {"request_id":"r6","title":"Title 6","companies":6,"arr":"2001.00","companies_without_rate":0,
     "status":"open","place":2,"votes":60},
    {"request_id":"r5","title":"Title 5","companies":5,"arr":"3001.50","companies_without_rate":0,
     "status":"open","place":3,"votes":50},
    {"request_id":"r4","title":"Title 4","companies":4,"arr":"4002.00","companies_without_rate":0,
     "status":"open","place":4,"votes":40},
    {"request_id":"r3","title":"Title 3","companies":3,"arr":"5002.50","companies_without_rate":0,
     "status":"open","place":5,"votes":30},
    {"request_id":"r2","title":"Title 2","companies":2,"arr":"6003.00","companies_without_rate":3,
     "status":"open","place":6,"votes":20}],
  "closed":1},
 "freshness":{"votes_as_of":"2026-03-01T11:30:00Z","companies_as_of":"2026-03-01T11:30:01Z"},
 "arr":{"total":"7003.50","companies":4,"companies_without_figure":1,"companies_without_rate":2,"left_out":[
    {"currency":"EUR","amount":"1234567.80","companies":2},{"currency":"USD","amount":"5.00","companies":1}]},
 "quarantine":[
    {"stage":"raw_votes","kind":"vote","reason":"no id","records":2,"votes":0,"examples":["v1","v2"],
     "remedy":"correct it in the feedback system"}]}
""")


def ordered(value: Any) -> Any:
    """The value with its keys as a list of pairs, so that their order counts."""
    if isinstance(value, dict):
        return [(key, ordered(inner)) for key, inner in value.items()]
    return [ordered(inner) for inner in value] if isinstance(value, list) else value


def test_summary_of_a_finished_run(store, facts):
    """All keys are there, in their published order, with the numbers of the store."""
    assert ordered(json.loads(to_json(build_summary(store, facts)))) == ordered(SHAPE)


@pytest.mark.parametrize("opened", [True, False])
def test_summary_of_a_run_that_read_nothing(empty_store, facts, opened):
    """Without a store, or with an empty one, every key is still there; numbers are zero and lists empty."""
    ended = msgspec.structs.replace(facts, state=EndState.FAILED, calls=(), checks=(), plan=PlanLine())
    summary = json.loads(to_json(build_summary(empty_store if opened else None, ended)))
    assert list(summary) == list(SHAPE)
    assert {key: list(value) for key, value in summary.items() if isinstance(value, dict)} == {
        "api_calls": ["canny", "hubspot"],
        "feature_requests": list(SHAPE["feature_requests"]),
        "links": list(SHAPE["links"]),
        "votes": list(SHAPE["votes"]),
        "quarantined": [],
        "plan": ["hash", "held", "reasons", "changes"],
        "top": ["by_arr", "by_companies", "by_votes", "closed"],
        "freshness": ["votes_as_of", "companies_as_of"],
        "arr": ["total", "companies", "companies_without_figure", "companies_without_rate", "left_out"],
    }
    assert list(summary["api_calls"]["hubspot"]) == ["total", "writes", "retried", "throttled"]
    assert summary["votes"] == {"total": 0, "matched": 0, "by_method": {}, "unmatched": {}}
    assert summary["freshness"] == {"votes_as_of": None, "companies_as_of": None}
    assert summary["plan"] == {"hash": None, "held": False, "reasons": [], "changes": None}


def test_what_an_earlier_run_left_is_not_reported_as_this_ones(store, facts):
    """A run that stopped before resolving reports no votes and no ranking, but how fresh the inputs are."""
    summary = build_summary(store, msgspec.structs.replace(facts, resolved=False, ranked=False))
    assert summary.votes.total == 0
    assert summary.top.by_arr == ()
    assert summary.freshness.votes_as_of == "2026-03-01T11:30:00Z"


def test_summary_reads_back(store, facts):
    """The JSON decodes into the summary it came from."""
    summary = build_summary(store, facts)
    assert msgspec.json.decode(to_json(summary), type=RunSummary) == summary


def test_dry_run_and_other_systems(store, facts):
    """A dry run says so; a further system is listed after the two main ones."""
    calls = (*facts.calls, msgspec.structs.replace(facts.calls[0], system="billing"))
    summary = build_summary(store, msgspec.structs.replace(facts, mode="dry_run", calls=calls))
    assert summary.dry_run is True
    assert list(summary.api_calls) == ["canny", "hubspot", "billing"]


def test_addresses_do_not_reach_the_summary(store, facts):
    """An address in a title, a check, a reason or a reject is masked."""
    store.execute("UPDATE ranked.feature_requests SET title = 'for a@b.com' WHERE request_id = 'r1'")
    dirty = msgspec.structs.replace(
        facts,
        checks=(CheckLine("n", "a", "WARN", passed=False, detail="a@b.com"),),
        rejected=(Rejected("link", "a@b.com", "no a@b.com"),),
        plan=PlanLine("abc", held=True, reasons=("because of a@b.com",)),
    )
    text = to_json(build_summary(store, dirty))
    assert b"@" not in text
    assert text.count(b"[address]") == 5


def test_json_file_is_written_whole(store, facts, tmp_path):
    """The file has the summary, replaces an older one, and leaves nothing beside it."""
    target = tmp_path / "out" / "summary.json"
    target.parent.mkdir()
    target.write_text("old")
    write_json(build_summary(store, facts), target)
    assert json.loads(target.read_text()) == SHAPE
    assert [file.name for file in target.parent.iterdir()] == ["summary.json"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


def test_json_file_in_a_missing_directory(store, facts, tmp_path):
    """What cannot be written is one line that names the file."""
    with pytest.raises(PermanentError, match=r"summary\.json could not be written: No such file"):
        write_json(build_summary(store, facts), tmp_path / "missing" / "summary.json")


def test_run_is_kept_for_analysts(store, facts):
    """A run's numbers, calls, checks and freshness are in `ops`; recording it again replaces them."""
    failed = msgspec.structs.replace(facts, error="told a@b.com\nto wait")
    for _ in range(2):
        record_run(store, build_summary(store, failed), failed)
    assert store.execute("SELECT run_id, mode, state, error, votes_matched, finished_at FROM ops.runs").fetchall() == [
        (
            "run1",
            "sync",
            "SUCCEEDED",
            "told [address] to wait",
            6,
            facts.started_at.replace(second=12, microsecond=346000, tzinfo=None),
        )
    ]
    assert store.execute("SELECT sum(total), sum(writes), count(*) FROM ops.api_calls").fetchall() == [(238, 12, 4)]
    assert store.execute("SELECT name, passed FROM ops.checks").fetchall() == [("votes_usable", True)]
    assert store.execute("SELECT input, rows_read FROM ops.freshness ORDER BY ALL").fetchall() == [
        ("companies", 3),
        ("votes", 10),
    ]
    assert store.execute("SELECT summary ->> '$.votes.total' FROM ops.runs").fetchall() == [("10",)]


def test_run_without_calls_and_checks_is_kept(empty_store, facts):
    """A run that ended at once is kept as well."""
    bare = msgspec.structs.replace(facts, calls=(), checks=())
    record_run(empty_store, build_summary(empty_store, bare), bare)
    assert empty_store.execute("SELECT count(*) FROM ops.runs").fetchall() == [(1,)]
