"""The commands people look with: rankings, report, overrides, doctor, sandbox."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping

import pytest
import stamina

from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.support.harness import OBJECT, World

pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("dagster_in_memory"),
]  # runs between looks at a system: part of `make proofs`


def _positions(text: str, *words: str) -> list[int]:
    """Where each word comes first in a text."""
    return [text.index(word) for word in words]


# -- rankings and report


def test_rankings_show_the_requests_in_both_orders(synced: World) -> None:
    """By ARR and by companies, each line with title, companies and ARR."""
    by_arr = synced.run("rankings", "--all")
    assert by_arr.code == 0
    positions = _positions(by_arr.out, "Single sign-on", "Dark mode", "Crash on start", "Export to CSV", "Themes")
    assert positions == sorted(positions)
    by_votes = synced.run("rankings", "--by", "votes")
    assert "Requests by votes" in by_votes.out
    refused = synced.run("rankings", "--by", "votes", "--since", "7d")
    assert refused.code == 2
    assert "past ranks by votes are not kept" in refused.err
    by_companies = synced.run("rankings", "--by", "companies", "--limit", "1")
    assert by_companies.code == 0
    assert "Dark mode" in by_companies.out
    assert "Crash on start" not in by_companies.out


def test_the_report_shows_a_run_by_the_beginning_of_its_id(synced: World) -> None:
    """Numbers, calls by endpoint, checks and the unresolved votes of the run; its JSON is the summary's."""
    run_id = synced.sync().summary["run_id"]
    ran = synced.run("report", "--run", run_id[:8], json_file=True)
    assert ran.code == 0
    for words in ("POST /v2/votes/list", "nowhere-at-all.org", "unknown domain", "5 unchanged"):
        assert words in ran.out
    assert ran.summary["run_id"] == run_id


@pytest.mark.parametrize("command", ["rankings", "report"])
def test_looking_before_any_run_says_what_to_do(ready: World, command: str) -> None:
    """Exit 2 and one line that names the command to run first."""
    ran = ready.run(command)
    assert (ran.code, len(ran.error_lines)) == (2, 1)
    assert "sync" in ran.error_lines[0]


def test_a_run_that_does_not_exist_is_named(synced: World) -> None:
    """Exit 2."""
    ran = synced.run("report", "--run", "no-such-run")
    assert ran.code == 2
    assert "no-such-run" in ran.error_lines[0]


# -- overrides


def test_an_id_that_a_spreadsheet_changed_is_repaired_and_said_so(synced: World) -> None:
    """What is written into the file is not what was typed: whoever typed it is told."""
    gamma = synced.company("Gamma")
    added = synced.run("overrides", "add", "nowhere-at-all.org", f"{gamma}.0")
    assert (added.code, f"note: company id {gamma}.0 was read as {gamma}" in added.err) == (0, True)
    assert synced.run("overrides", "add", "nowhere-at-all.org", gamma).err.count("note:") == 0


def test_an_override_counts_from_the_next_run_on_until_it_is_removed(synced: World) -> None:
    """A mapped domain gives its votes to the company, in ranking and CRM; removing it takes them away again."""
    key, gamma = synced.key("dark mode"), synced.company("Gamma")
    added = synced.run("overrides", "add", "nowhere-at-all.org", gamma, "--note", "their holding")
    assert added.code == 0, added.err
    assert "their holding" in synced.run("overrides", "list").out

    summary = synced.sync().summary
    assert summary["votes"]["by_method"]["override"] == 1
    crm = synced.in_crm()
    assert crm.records[key]["companies"] == "3"
    assert crm.companies[key][gamma] == {"Voted"}

    assert synced.run("overrides", "remove", "nowhere-at-all.org").code == 0
    synced.sync()
    crm = synced.in_crm()
    assert crm.records[key]["companies"] == "2"
    assert gamma not in crm.companies[key]


def test_an_override_to_a_company_that_is_gone_is_reported(ready: World) -> None:
    """It is ignored, quarantined, and the run goes on."""
    assert ready.run("overrides", "add", "nowhere-at-all.org", "999").code == 0
    summary = ready.sync().summary
    assert summary["state"] == "SUCCEEDED"
    assert summary["quarantined"] == {"domain_resolved_votes": 1}
    assert summary["votes"]["unmatched"]["unknown_domain"] == 1


def test_a_wrong_override_is_refused_at_once(ready: World) -> None:
    """A personal domain cannot be mapped; a mapping that is not there cannot be removed."""
    for arguments in (("add", "gmail.com", "1"), ("remove", "nowhere-at-all.org")):
        ran = ready.run("overrides", *arguments)
        assert (ran.code, len(ran.error_lines)) == (2, 1), arguments


# -- doctor


def test_the_doctor_finds_nothing_wrong_and_writes_nothing(synced: World) -> None:
    """Exit 0; every finding ok, a warning, or skipped as not configured; also as JSON; no system was written to."""
    ran = synced.run("doctor", json_file=True)
    assert ran.code == 0, ran.out
    assert ran.summary["version"] == 1
    verdicts = {finding["check"]: finding["verdict"] for finding in ran.summary["findings"]}
    assert len(verdicts) == 28
    assert set(verdicts.values()) <= {"ok", "skipped", "warn"}, ran.out
    assert verdicts["encryption key"] == "skipped"
    assert (synced.writes(), synced.writes("production"), synced.sandbox.team.messages) == (
        [],
        [],
        synced.sandbox.team.messages,
    )


def _no_canny_key(world: World) -> Mapping[str, str | None]:
    return {"CANNY_API_KEY": None}


def _wrong_canny_key(world: World) -> Mapping[str, str | None]:
    return {"CANNY_API_KEY": "a-wrong-key"}


def _wrong_token(world: World) -> Mapping[str, str | None]:
    return {"HUBSPOT_SANDBOX_TOKEN": "pat-na1-a-wrong-token"}


def _odd_redirect(world: World) -> Mapping[str, str | None]:
    world.sandbox.canny.faults.append(Fault(lambda _request: True, times=None, status=302, headers={"location": "//["}))
    return {}


def _no_scope(world: World) -> Mapping[str, str | None]:
    world.portal.scopes.discard("crm.objects.contacts.read")
    return {}


def _another_portal(world: World) -> Mapping[str, str | None]:
    world.portal.portal_id = 999_999
    return {}


def _no_property(world: World) -> Mapping[str, str | None]:
    del world.portal.object_type(OBJECT).properties["voter_domains"]
    return {}


def _no_arr_property(world: World) -> Mapping[str, str | None]:
    return {"HUBSPOT_ARR_PROPERTY": "no_such_property"}


def _home_not_writable(world: World) -> Mapping[str, str | None]:
    file = world.home / "a-file"
    file.write_text("")
    return {"INTEGRATION_ASSETS_HOME": str(file / "home")}


AILMENTS: dict[str, tuple[Callable[[World], Mapping[str, str | None]], int, str, str]] = {
    "no key": (_no_canny_key, 2, "feedback key", "CANNY_API_KEY"),
    "wrong key": (_wrong_canny_key, 1, "feedback key", "CANNY_API_KEY"),
    "wrong token": (_wrong_token, 1, "CRM token", "HUBSPOT_SANDBOX_TOKEN"),
    "odd redirect": (_odd_redirect, 1, "feedback key", "redirect"),
    "no scope": (_no_scope, 1, "CRM scopes", "crm.objects.contacts.read"),
    "another portal": (_another_portal, 2, "CRM token", "999999"),
    "no property": (_no_property, 1, "CRM properties", "setup --environment sandbox"),
    "no ARR property": (_no_arr_property, 2, "CRM properties", "HUBSPOT_ARR_PROPERTY"),
    "home": (_home_not_writable, 2, "home", "INTEGRATION_ASSETS_HOME"),
}


@pytest.mark.parametrize("what", AILMENTS)
def test_the_doctor_finds_each_ailment_and_its_remedy(synced: World, what: str) -> None:
    """Exit 1 for what a system refuses, 2 for what is configured wrongly; the finding names the cause or the fix."""
    prepare, code, check, words = AILMENTS[what]
    variables = prepare(synced)
    with stamina.set_testing(True, attempts=2):
        report = synced.home / "doctor.json"
        ran = synced.run("doctor", "--json", str(report), json_file=False, **variables)
    assert ran.code == code, ran.out + ran.err
    failed = [finding for finding in json.loads(report.read_text())["findings"] if finding["verdict"] == "fail"]
    assert check in {finding["check"] for finding in failed}
    assert words in " ".join(finding["seen"] + " " + finding["fix"] for finding in failed)
    assert "Traceback" not in ran.out + ran.err
    assert synced.writes() == []
    for secret in ("a-wrong-key", "pat-na1-a-wrong-token"):
        assert secret not in ran.out + ran.err + report.read_text()


def test_the_doctor_says_when_the_store_is_in_use(synced: World) -> None:
    """A store that another run holds is a finding, not a crash."""
    from integration_assets.staging.store import open_store

    with open_store(synced.home / "staging" / "sandbox" / "default.duckdb"):
        ran = synced.run("doctor", json_file=True)
    assert ran.code == 1
    assert any("another run" in finding["seen"] for finding in ran.summary["findings"])


# -- the command itself


def test_help_and_version_are_quick_and_plain(ready: World) -> None:
    """Every command explains itself."""
    assert ready.run("--version").out.strip()
    helped = ready.run("--help")
    for command in ("demo", "doctor", "setup", "plan", "sync", "approve", "overrides", "rankings", "report", "sandbox"):
        assert command in helped.out
        assert ready.run(command, "--help").code == 0


def test_an_unknown_option_is_a_usage_error(ready: World) -> None:
    """Exit 2, as for every wrong usage."""
    assert ready.run("sync", "--no-such-option").code == 2


def test_the_sandbox_runs_a_command_against_itself(ready: World) -> None:
    """`sandbox -- COMMAND` gives the command variables that lead to the look-alikes, and ends as it ended."""
    code = (
        "import os, urllib.request as u, sys;"
        "url = os.environ['HUBSPOT_SANDBOX_BASE_URL'] + '/account-info/2026-09/details';"
        "r = u.Request(url, headers={'Authorization': 'Bearer ' + os.environ['HUBSPOT_SANDBOX_TOKEN']});"
        "print(u.urlopen(r).read().decode()); sys.exit(7)"
    )
    ran = ready.finish(ready.start("sandbox", "--", sys.executable, "-c", code))
    assert ran.code == 7, ran.err
    assert json.loads(ran.out)["accountType"] == "SANDBOX"
