"""The gate is open on good data, and every kind of bad data closes it or warns, by the right check."""

import re
from typing import Any

import duckdb
import msgspec
import pytest

from integration_assets.checks import gate
from integration_assets.checks.base import CheckResult, GateSettings
from integration_assets.checks.gate import CHECKS, closed_by, run_gate
from integration_assets.checks.nulls import quarantine_limit
from integration_assets.config import Environment
from integration_assets.models import REQUEST_WITHOUT_ID, Rejected, TypeDifference
from integration_assets.staging.loading import quarantine
from integration_assets_tests.checks.conftest import NOW, live_schema, replaced, set_portals


def failed(store: duckdb.DuckDBPyConnection, settings: GateSettings) -> dict[str, CheckResult]:
    return {result.name: result for result in run_gate(store, settings) if not result.passed}


def test_gate_is_open_on_good_data(store, settings):
    """Faultless rows pass every check; each check answers under its own name, asset and at most its severity."""
    results = run_gate(store, settings)
    assert [result.name for result in results if not result.passed] == []
    assert closed_by(results) == ()
    assert [(result.name, result.asset) for result in results] == [(check.name, check.asset) for check in CHECKS]
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    for check, result in zip(CHECKS, results, strict=True):
        assert check.blocking or result.severity == "WARN"


def test_gate_runs_on_an_empty_store(tmp_path, settings):
    """Before anything was read the gate is closed, with reasons, and no check fails to answer."""
    from integration_assets.staging.store import open_store

    with open_store(tmp_path / "empty.duckdb") as empty:
        results = run_gate(empty, settings)
    # what has not been looked at is no good news: a warning that cannot be given yet does not pass either
    unresolved = {result.name for result in results if result.detail.endswith("not been resolved yet")}
    assert unresolved == {
        "votes_matched", "arr_coverage", "currency_rates_complete", "deal_rates_complete", "revenue_joined",
        "renewals_readable", "company_domains_usable",
        "mail_providers_known", "company_domains_unique",
    }  # fmt: skip
    assert not any(result.passed for result in results if result.name in unresolved)
    assert closed_by(results) == (
        "raw_crm_schema: crm_schema_as_expected: the schema of this environment was not read",
        "domain_resolved_votes: votes_matched: votes have not been resolved yet",
        "domain_resolved_votes: arr_coverage: ARR has not been resolved yet",
    )


BREAK: list[tuple[str, str, str, str]] = [
    ("feature_requests_usable", "ERROR", "INSERT INTO raw.feature_requests (request_id) VALUES ('r9')", "1 of 5 rows"),
    ("votes_usable", "ERROR", "INSERT INTO raw.votes VALUES ('v99', NULL, 'u1', NULL)", "1 of 21 rows without key"),
    ("companies_usable", "ERROR", "INSERT INTO raw.crm_companies (company_id, arr) VALUES (' ', '1')", "1 of 4 rows"),
    ("contacts_usable", "ERROR", "INSERT INTO raw.crm_contacts (email) VALUES ('a@b.com')", "1 of 1 rows"),
    ("crm_records_usable", "ERROR", "UPDATE raw.crm_feature_requests SET record_id = NULL", "2 of 2 rows"),
    ("votes_with_email", "WARN", "UPDATE raw.voters SET email = ' ' WHERE voter_id = 'u1'", "4 of 20 votes have no"),
    ("companies_with_arr", "WARN", "UPDATE raw.crm_companies SET arr = NULL", "3 of 3 companies have no ARR"),
    (
        "request_ids_unique",
        "ERROR",
        "INSERT INTO raw.feature_requests (request_id, title) VALUES ('r1', 'T')",
        "1 repeated request ids: r1",
    ),
    (
        "record_keys_unique",
        "ERROR",
        "INSERT INTO raw.feature_requests (request_id, title) VALUES ('R1', 'T')",
        "1 repeated request ids that differ in case only: r1",
    ),
    ("vote_ids_unique", "ERROR", "INSERT INTO raw.votes VALUES ('v1', 'r1', 'u1', NULL)", "1 repeated vote ids: v1"),
    (
        "company_ids_unique",
        "ERROR",
        "INSERT INTO raw.crm_companies (company_id, arr) VALUES ('c1', '1')",
        "1 repeated company ids: c1",
    ),
    (
        "crm_keys_unique",
        "ERROR",
        "INSERT INTO raw.crm_feature_requests VALUES ('3', 'canny:R1', MAP {}, FALSE)",
        "canny:r1",
    ),
    (
        "company_domains_unique",
        "WARN",
        "INSERT INTO resolved.company_hosts (company_id, host) VALUES ('c2', 'a.com')",
        "1 domains are shared by several companies: a.com (2)",
    ),
    (
        "votes_fresh",
        "WARN",
        "UPDATE raw.reads SET as_of = '2026-02-28 11:59:00' WHERE input = 'votes'",
        "read 2026-02-28 11:59 UTC, 24 h ago; warning after 24 h",
    ),
    ("contacts_fresh", "WARN", "DELETE FROM raw.reads WHERE input = 'contacts'", "contacts have never been read"),
    ("feature_requests_volume", "WARN", "DELETE FROM raw.feature_requests", "0 requests; no earlier run"),
]


@pytest.mark.parametrize("fault", BREAK, ids=[row[0] for row in BREAK])
def test_each_fault_is_found_by_its_check_alone(store, settings, fault):
    """One bad row fails exactly the check that is about it, with what was seen in the detail."""
    name, severity, sql, detail = fault
    store.execute(sql)
    results = failed(store, settings)
    assert set(results) == {name}
    assert results[name].severity == severity
    assert detail in results[name].detail
    assert "\n" not in results[name].detail
    assert "@" not in str(results[name])


@pytest.mark.parametrize(
    ("read", "said"),
    [
        ("2026-03-01 11:30:00", "30 min ago"), ("2026-03-01 10:01:00", "119 min ago"),
        ("2026-03-01 10:00:00", "2 h ago"), ("2026-02-26 12:01:00", "71 h ago"), ("2026-02-26 12:00:00", "3 days ago"),
        ("2026-02-19 11:00:00", "10 days ago"), ("2026-03-01 13:00:00", "0 min ago"),
    ],
)  # fmt: skip
def test_the_age_of_an_input_is_told_in_words(store, settings, read, said):
    """Minutes below two hours, hours below three days, then days; a clock ahead of ours is no age."""
    store.execute("UPDATE raw.reads SET as_of = $1 WHERE input = 'votes'", [read])
    [fresh] = [result for result in run_gate(store, settings) if result.name == "votes_fresh"]
    assert f", {said};" in fresh.detail


def test_of_many_only_the_first_are_named_with_how_many_more(store, settings):
    """Repeated ids: three of four; problems of the schema: three of five; reasons to quarantine: five of seven."""
    for number in range(4):
        store.execute(f"INSERT INTO raw.feature_requests (request_id, title) VALUES ('r{number}', 'T')")
        found = failed(store, settings)["request_ids_unique"].detail
        named = ", ".join(f"r{one}" for one in range(min(number + 1, 3)))
        assert found == f"{number + 1} repeated request ids: {named}{', …' if number == 3 else ''}"
    schema = live_schema()
    for missing in (3, 5):
        set_portals(store, msgspec.structs.replace(schema, properties=schema.properties[missing:]), live_schema("2"))
        detail = failed(store, settings)["crm_schema_as_expected"].detail
        assert detail.count("the property is missing") == 3
        assert ("; and 2 more" in detail) is (missing == 5)
    for reasons in (5, 7):
        votes = [Rejected("vote", f"q{number}", f"reason {number}") for number in range(reasons)]
        quarantine(store, "run", "raw_votes", votes)
        detail = failed(store, settings)["votes_usable"].detail
        assert detail.count("; correct it in the feedback system") <= 5
        assert len({number for number in range(reasons) if f"reason {number}" in detail}) == 5
        assert ("and 2 more reasons" in detail) is (reasons == 7)


@pytest.mark.parametrize(("seen", "limit"), [(0, 10), (1000, 10), (1099, 10), (1100, 11), (20_000, 200)])
def test_quarantine_limit_is_ten_or_one_percent(seen, limit):
    """At most max(10, 1 %) may be quarantined."""
    assert quarantine_limit(seen) == limit


def test_too_much_quarantine_closes_the_gate(store, settings):
    """Ten quarantined votes are borne, eleven are not; other runs' and the writing stage's do not count."""
    votes = [Rejected("vote", f"q{number}", "no request") for number in range(11)]
    quarantine(store, "another", "raw_votes", votes)
    quarantine(store, "run", "crm_feature_requests", votes)
    quarantine(store, "run", "raw_votes", votes[:10])
    borne = failed(store, settings)
    assert [(one.name, one.severity) for one in borne.values()] == [("votes_usable", "WARN")]
    assert closed_by(borne.values()) == ()
    quarantine(store, "run", "raw_votes", votes[10:])
    # another kind, within no limit of its own, is not listed beside the one that closed the gate
    quarantine(store, "run", "raw_votes", [Rejected("account", "a1", "no name")])
    result = failed(store, settings)["votes_usable"]
    assert result.severity == "ERROR"
    assert result.detail == (
        "11 of 31 votes quarantined, limit 10; 11 votes, no request: q0, q1, q10, …; correct it in the feedback system"
    )
    assert result.rows == ({"kind": "vote", "quarantined": "11", "seen": "31", "limit": "10"},)


def test_kinds_are_judged_each_by_its_own_number(store, settings):
    """A limit is by kind of record, not by stage, and of requests, votes and companies only: others are absent."""
    quarantine(store, "run", "raw_votes", [Rejected("voter", f"q{number}", "no id") for number in range(11)])
    results = failed(store, settings)
    assert closed_by(results.values()) == ()
    assert "11 voters, no id: q0, q1, q10, …" in results["votes_usable"].detail


def test_archived_records_may_share_a_key(store, settings):
    """An archived record of ours does not make its key a duplicate."""
    store.execute("INSERT INTO raw.crm_feature_requests VALUES ('3', 'canny:r1', MAP {}, TRUE)")
    assert failed(store, settings) == {}


@pytest.mark.parametrize(("floor", "passes"), [(0.0, True), (0.77, True), (0.78, False)])
def test_coverage_floor(store, settings, floor, passes):
    """14 of 18 votes are matched, the two of own staff left out: a floor of 77 % holds, 78 % does not."""
    results = failed(store, msgspec.structs.replace(settings, coverage_floor=floor))
    assert ("votes_matched" not in results) is passes
    if not passes:
        assert results["votes_matched"].detail.startswith("14 of 18 votes matched (77.8%, floor 78%), 2 of own staff")
        assert results["votes_matched"].rows[0] == {"reason": "unknown_domain", "votes": "4"}


@pytest.mark.parametrize(
    ("base", "expected"),
    [((4, 30, 3), True), ((4, 31, 3), False), ((4, 20, 3), True), ((4, 100, 3), False)],
)
def test_volume_against_the_last_good_run(store, settings, base, expected):
    """Losing up to max(10, 20 %) of the last good run's votes is borne; the newest run of this portal is the base."""
    store.execute(
        """
        INSERT INTO sync.baselines (portal_id, recorded_at, requests_read, votes_read, companies)
        VALUES ('1', '2026-02-01', 9999, 9999, 9999), ('2', '2026-02-28', 9999, 9999, 9999),
            ('1', '2026-02-27', $1, $2, $3)
        """,
        list(base),
    )
    results = failed(store, settings)
    assert ("votes_volume" not in results) is expected
    assert set(results) <= {"votes_volume"}


def test_volume_compares_what_was_read_with_what_was_read(store, settings):
    """Votes that a merge makes one are fewer in the ranking than in the list: that is no loss, nor does it hide one."""
    store.execute("INSERT INTO sync.baselines (portal_id, recorded_at, votes) VALUES ('1', '2026-02-26', 9999)")
    assert "votes_volume" not in failed(store, settings)  # an earlier version did not note what it had read
    store.execute(
        """
        INSERT INTO sync.baselines (portal_id, recorded_at, requests, votes, companies, requests_read, votes_read)
        VALUES ('1', '2026-02-27', 4, 12, 3, 4, 31)
        """
    )
    assert "votes, 31 in the last good run (-11)" in failed(store, settings)["votes_volume"].detail


def test_missing_property_is_an_error_of_the_target(store, settings):
    """A property missing in the portal to be written to closes the gate and is named."""
    schema = live_schema()
    target = msgspec.structs.replace(schema, properties=schema.properties[1:])
    set_portals(store, target, live_schema("2"))
    results = failed(store, settings)
    missing = schema.properties[0].name
    assert results["crm_schema_as_expected"].severity == "ERROR"
    assert f"feature_request.{missing}: the property is missing" in results["crm_schema_as_expected"].detail
    assert results["environments_agree"].severity == "WARN"


@pytest.mark.parametrize(
    ("environment", "severity"), [(Environment.SANDBOX, "WARN"), (Environment.PRODUCTION, "ERROR")]
)
def test_environments_that_differ(store, settings, environment, severity):
    """A difference between sandbox and production stops a run into production, and only warns one into the sandbox."""
    other = replaced(live_schema("2"), "arr", type="text", difference=TypeDifference("type is text"))
    set_portals(store, live_schema("1"), other)
    results = failed(store, msgspec.structs.replace(settings, environment=environment))
    assert set(results) == {"environments_agree"}
    assert results["environments_agree"].severity == severity
    assert "feature_request.arr" in results["environments_agree"].detail


@pytest.mark.parametrize("environment", list(Environment))
def test_other_environment_that_cannot_be_read_is_a_warning(store, settings, environment):
    """Not being able to compare warns, with the reason, whatever the target."""
    set_portals(store, live_schema(), None, "not configured")
    results: dict[str, Any] = failed(store, msgspec.structs.replace(settings, environment=environment))
    assert set(results) == {"environments_agree"}
    assert results["environments_agree"].severity == "WARN"
    assert "not configured" in results["environments_agree"].detail


def test_target_that_cannot_be_read_is_an_error(store, settings):
    """Without the schema of the portal to be written to the gate is closed, with the reason."""
    set_portals(store, None, live_schema("2"), "scope crm.schemas.custom.read is missing")
    assert closed_by(run_gate(store, settings)) == (
        "raw_crm_schema: crm_schema_as_expected: scope crm.schemas.custom.read is missing",
    )


def test_link_limit_too_low_is_a_warning(store, settings):
    """A request with more companies than a record may have links warns and does not close the gate."""
    schema = live_schema()
    # the request with most companies has three of them, and as many voters
    for limit, passes in ((5, True), (2, False)):
        some = tuple(msgspec.structs.replace(link, limit=limit) for link in schema.links)
        set_portals(store, msgspec.structs.replace(schema, links=some), live_schema("2"))
        assert ("crm_link_limits" not in failed(store, settings)) is passes
    low = tuple(msgspec.structs.replace(link, limit=2) for link in schema.links)
    set_portals(store, msgspec.structs.replace(schema, links=low), live_schema("2"))
    results = failed(store, settings)
    assert set(results) == {"crm_link_limits"}
    assert results["crm_link_limits"].severity == "WARN"


def test_labels_of_contacts_must_exist_unless_they_are_not_linked(store, settings):
    """Voters and authors are linked by default, so a portal without their labels closes the gate."""
    schema = live_schema()
    companies = tuple(link for link in schema.links if link.target == "company")
    set_portals(store, msgspec.structs.replace(schema, links=companies), live_schema("2"))
    assert failed(store, settings)["crm_schema_as_expected"].severity == "ERROR"
    assert "crm_schema_as_expected" not in failed(store, msgspec.structs.replace(settings, link_contacts=False))


def test_mapped_company_property_must_exist(store, settings):
    """A mapped ARR property that the portal lacks closes the gate."""
    mapped = msgspec.structs.replace(settings, company_properties=("arr",))
    assert "company.arr" in failed(store, mapped)["crm_schema_as_expected"].detail


def test_fields_that_cannot_be_read_are_told_with_examples(store, settings):
    """How many records, three of them, what is wrong and what to do; the gate stays open."""
    row = "INSERT INTO ops.unreadable_fields VALUES (?, 'canny.posts.score', 1200, ['a', 'b', 'c'], 'Expected `int`')"
    store.execute(row, ["before"])
    assert failed(store, settings) == {}
    store.execute(row, ["run"])
    found = failed(store, settings)
    assert set(found) == {"unreadable_fields"}
    assert found["unreadable_fields"].severity == "WARN"
    said = found["unreadable_fields"].detail
    assert "canny.posts.score of 1,200 records (a, b, c, …): Expected `int`. Correct it in the feedback system" in said
    assert closed_by(run_gate(store, settings)) == ()


def test_renewal_dates_that_cannot_be_read_are_told_with_examples(store, settings):
    """How many companies, three of them without an address, and what would be a date."""
    store.execute("""
        INSERT INTO resolved.company_renewals VALUES
        ('a', 'next spring', NULL), ('b', '01/02/2027', NULL), ('c', 'ask ann@a.com', NULL), ('d', 'soon', NULL),
        ('e', '2027-01-31', DATE '2027-01-31')
    """)
    found = failed(store, msgspec.structs.replace(settings, renewal_property="renews_on"))
    assert set(found) == {"renewals_readable"}
    assert found["renewals_readable"].severity == "WARN"
    assert found["renewals_readable"].detail.startswith(
        "4 companies without a renewal date that can be read: 'next spring' of a, '01/02/2027' of b, 'ask [address]' "
        "of c, …; they are in no ranking of renewals. Let renews_on hold a date as 2027-01-31, "
    )


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("stale", "tables_fresh"),
        ("incomplete", "tables_whole"),
        ("repeated", "tables_unrepeated"),
        ("ambiguous", "tables_unambiguous"),
        ("encoding", "tables_unambiguous"),
    ],
)
def test_what_is_odd_about_own_tables_is_told_by_this_run_alone(store, settings, kind, name):
    """A warning with the line; the gate stays open."""
    row = "INSERT INTO ops.table_findings VALUES (?, ?, 'votes.csv: a line')"
    store.execute(row, ["before", kind])
    assert failed(store, settings) == {}
    store.execute(row, ["run", kind])
    found = failed(store, settings)
    assert {one: (result.severity, result.detail) for one, result in found.items()} == {
        name: ("WARN", "votes.csv: a line")
    }
    assert closed_by(run_gate(store, settings)) == ()


def test_new_fields_are_told_of_by_the_run_that_meets_them(store, settings):
    """That run warns and names them with their records; a later one passes. The gate stays open."""
    now = NOW.replace(tzinfo=None)
    store.execute("INSERT INTO ops.unknown_fields VALUES ('canny.posts.old', 'before', ?, 4)", [now])
    store.execute("INSERT INTO ops.unknown_fields VALUES ('canny.posts.mood', 'run', ?, 1200)", [now])
    found = failed(store, settings)
    assert set(found) == {"unknown_fields"}
    assert found["unknown_fields"].severity == "WARN"
    assert found["unknown_fields"].detail.startswith("new fields seen: canny.posts.mood (1,200);")
    assert found["unknown_fields"].rows == ({"field": "canny.posts.mood", "records": "1,200"},)
    assert closed_by(run_gate(store, settings)) == ()
    assert failed(store, msgspec.structs.replace(settings, run_id="later")) == {}


def test_the_table_of_the_gate_is_the_gate():
    """Every check stands in it with what it is at worst and what it spoils; an error always spoils something."""
    table = {}
    for names, worst, spoils in re.findall(r"^\| (`.*?) \| (error|warning) \| (\w+) \|", gate.__doc__, re.MULTILINE):
        for name in re.findall(r"`…?(\w+)`", names):
            table[name] = ("ERROR" if worst == "error" else "WARN", spoils)
    for check in CHECKS:
        family = next((end for end in ("_fresh", "_volume") if check.name.endswith(end)), check.name)
        assert table[family] == (check.severity, check.spoils), check.name
        assert (check.severity == "ERROR") == (check.spoils != "nothing"), check.name
    assert len([name for name in table if not name.startswith("_")]) == len(
        [check for check in CHECKS if not check.name.endswith(("_fresh", "_volume"))]
    )


def test_a_run_that_writes_nothing_is_warned_of_what_concerns_the_write_alone(store, settings):
    """The same faults close the gate of a sync; what spoils the ranking closes that of a read-only run as well."""
    set_portals(store, None, live_schema("2"), "no object")
    store.execute("INSERT INTO raw.crm_feature_requests VALUES ('3', 'canny:R1', MAP {}, FALSE)")
    reading = msgspec.structs.replace(settings, read_only=True)
    assert len(closed_by(run_gate(store, settings))) == 2
    assert closed_by(run_gate(store, reading)) == ()
    assert {"crm_schema_as_expected", "crm_keys_unique"} <= set(failed(store, reading))
    store.execute("INSERT INTO raw.votes VALUES ('v1', 'r1', 'u1', NULL)")
    assert [line.split(": ")[1] for line in closed_by(run_gate(store, reading))] == ["vote_ids_unique"]


def test_votes_on_a_request_without_id_are_not_unusable(store, settings):
    """The request is what is quarantined; where none was met, so many votes close the gate."""
    votes = [Rejected("vote", f"q{number}", REQUEST_WITHOUT_ID) for number in range(25)]
    quarantine(store, "run", "raw_votes", votes)
    assert failed(store, settings)["votes_usable"].severity == "ERROR"
    quarantine(store, "run", "raw_feature_requests", [Rejected("feature_request", "item 3 without id", "no id")])
    results = failed(store, settings)
    assert closed_by(results.values()) == ()
    assert "25 votes, its request has no id: q0" in results["votes_usable"].detail


@pytest.mark.parametrize("kind", ["arr", "override"])
def test_what_resolution_cannot_use_but_votes_only_warns(store, settings, kind):
    """However many: an unreadable figure is no figure."""
    quarantine(store, "run", "domain_resolved_votes", [Rejected(kind, f"crm:{n}", "negative") for n in range(40)])
    results = failed(store, settings)
    assert [(one.name, one.severity) for one in results.values()] == [("resolution_usable", "WARN")]
