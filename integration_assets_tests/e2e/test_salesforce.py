"""The product on two Salesforce orgs: the main job, what a second run writes, and input that nothing may come of."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from integration_assets.connectors.crm.salesforce.names import PERMISSION_SET
from integration_assets.sandbox.salesforce.objects import SObject
from integration_assets.sandbox.salesforce.org import Org
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, build_sandbox
from integration_assets_tests.support.harness import World, world_of

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

OBJECT, LINK = "Feature_Request__c", "Feature_Request_Link__c"


@pytest.fixture
def orgs(monkeypatch: pytest.MonkeyPatch) -> dict[bool, Org]:
    """The orgs that are made for a sandbox, by whether they are sandboxes."""
    made: dict[bool, Org] = {}
    original = Org.__init__

    def noting(self: Org, *args: Any, **kwargs: Any) -> None:
        original(self, *args, **kwargs)
        made[self.is_sandbox] = self

    monkeypatch.setattr(Org, "__init__", noting)
    return made


@pytest.fixture
def world(orgs: dict[bool, Org], home: Path) -> Iterator[World]:
    """A small world whose CRM is Salesforce, before anything was done."""
    sample = build_sample(requests=40, votes=400, companies=120)
    sandbox: Sandbox = build_sandbox(sample, plan=None, slack_interval=0, crm="salesforce")
    with mock.patch.dict(os.environ), world_of(sandbox, home) as made:
        yield made


def test_the_main_job_on_an_org(world: World, orgs: dict[bool, Org]) -> None:
    """Set up, written and verified; the second run writes nothing, a change by a person in the org is kept."""
    org = orgs[True]
    assert world.run("setup", "--yes").code == 0
    assert world.run("setup", "--yes").out.count("nothing is missing") == 1
    dry = world.run("plan")
    assert dry.code == 0, dry.err
    first = world.sync()
    assert first.summary["state"] == "SUCCEEDED"
    requests, links = first.summary["feature_requests"], first.summary["links"]
    records = org.records(OBJECT)
    assert requests["created"] == requests["verified"] == len(records) > 30
    assert links["created"] == links["verified"] == len(org.records(LINK)) > 100
    assert {row["Kind__c"] for row in org.records(LINK)} == {"voted", "voter", "author"}
    assert orgs[False].records(OBJECT) == []
    # What a person changes in a field that people may edit stays; what is ours is restored.
    org.change(OBJECT, records[0]["Id"], Title__c="Called otherwise", Votes__c=1e6)
    second = world.sync()
    assert second.summary["feature_requests"]["updated"] == 1
    changed = next(row for row in org.records(OBJECT) if row["Id"] == records[0]["Id"])
    assert (changed["Title__c"], changed["Votes__c"]) == ("Called otherwise", records[0]["Votes__c"])
    third = world.sync()
    for out in (dry.out, first.out, second.out, third.out):
        made, floor = re.findall(r"salesforce (\d+) \([^)]*floor (\d+)\)", " ".join(out.split()))[0]
        assert int(floor) <= int(made) <= int(floor) + 12, out
    assert third.summary["api_calls"]["salesforce"]["writes"] == 0
    assert third.summary["feature_requests"]["unchanged"] == len(records)


def test_the_doctor_looks_at_an_org(world: World, orgs: dict[bool, Org]) -> None:
    """Before setup the object is missing, afterwards all is well, and a hidden one is told as that."""
    before = world.run("doctor")
    assert "the object is missing" in before.out
    assert world.run("setup", "--yes").code == 0
    after = world.run("doctor")
    assert orgs[True].org_id in after.out
    assert "the object is missing; run `setup`" not in after.out.replace("production: missing", "")
    orgs[True].user.permission_sets.clear()
    hidden = " ".join(world.run("doctor").out.split())
    assert "does not see the object Feature_Request__c" in hidden
    assert PERMISSION_SET in hidden


@pytest.mark.proof
def test_accounts_say_what_waits_for_them(world: World, orgs: dict[bool, Org]) -> None:
    """Roll-ups: missing until set up, held once, written, changed, left alone, and cleared by an undo."""
    org = orgs[True]
    on: dict[str, Any] = {"INTEGRATION_ASSETS_COMPANY_ROLLUPS": "1"}
    world.set_up()
    assert "company.feature_requests_open: the field is missing; run `setup`" in world.run("sync", **on).out
    assert world.run("setup", "--yes", **on).code == 0
    assert world.run("setup", "--yes", **on).out.count("nothing is missing") == 1
    held = world.run("sync", json_file=True, **on)
    assert (held.code, "first_rollups" in held.out) == (3, True), held.out
    assert world.run("approve", held.summary["plan"]["hash"][:12]).code == 0
    first = world.sync(**on)
    filled = [row for row in org.records("Account") if row["Feature_Requests_Open__c"]]
    assert f"roll-ups of {len(filled)} companies written, read back" in " ".join(first.out.split())
    assert all(row["Top_Feature_Requests__c"] for row in filled)
    again = world.sync(**on)
    assert again.summary["api_calls"]["salesforce"]["writes"] == 0
    org.change("Account", filled[0]["Id"], Feature_Requests_Open__c=99)
    third = world.sync(**on)
    assert third.summary["api_calls"]["salesforce"]["writes"] == 1
    for out in (first.out, again.out, third.out):
        made, floor = re.findall(r"salesforce (\d+) \([^)]*floor (\d+)\)", " ".join(out.split()))[0]
        assert int(floor) <= int(made) <= int(floor) + 12, out
    undone = world.run("undo", first.summary["run_id"], "--yes")
    assert undone.code == 0, undone.out
    after = {row["Id"]: row for row in org.records("Account")}
    assert not any(row["Feature_Requests_Open__c"] or row["Top_Feature_Requests__c"] for row in after.values())
    ours = {"Feature_Requests_Open__c", "Top_Feature_Requests__c", "LastModifiedDate", "SystemModstamp"}
    # Nothing else of an account is another.
    for row in filled:
        assert {name: row[name] for name in row.keys() - ours} == {
            name: after[row["Id"]][name] for name in row.keys() - ours
        }


def test_what_a_trigger_of_the_org_changes_is_told_as_that(world: World, orgs: dict[bool, Org]) -> None:
    """The record is named with the field; the others are written and verified."""
    org = orgs[True]
    world.set_up()
    chosen: list[str] = []

    def trigger(one: SObject, row: dict[str, Any]) -> None:
        # The first of the records beyond those that are tried out, and always the same one.
        if one.name == OBJECT and (row["Feature_Request_Key__c"] in chosen or len(one.rows) == 10):
            chosen.append(row["Feature_Request_Key__c"])
            row["Source_Status__c"] = "set by a trigger"

    org.triggers.append(trigger)
    ran = world.sync()
    assert ran.summary["state"] == "SUCCEEDED_WITH_REJECTS"
    (refused,) = [one for one in ran.summary["rejected"] if one["kind"] == "feature_request"]
    assert refused["key"] == chosen[0]
    assert "changed in the CRM right after it was written: source_status" in refused["reason"]
    assert ran.summary["feature_requests"]["verified"] == len(org.records(OBJECT)) - 1


@pytest.mark.parametrize(
    ("spoil", "code", "words"),
    [
        ("api", 1, "API_DISABLED_FOR_ORG: the API is part of Enterprise"),
        ("org", 2, "is 00D000000000001AAA"),
        ("kind", 2, "is a STANDARD account, sandbox needs SANDBOX or DEVELOPER_TEST"),
        ("rights", 1, "API Enabled"),
        ("storage", 1, "STORAGE_LIMIT_EXCEEDED"),
        ("field", 1, "does not see Account.Website"),
        ("secret", 1, "invalid_client: the client id or secret was refused"),
    ],
)
def test_bad_input_is_one_clear_line_and_nothing_is_written(
    world: World, orgs: dict[bool, Org], spoil: str, code: int, words: str
) -> None:
    """An edition without the API, another org, a user without rights, full storage, a hidden field, a wrong secret."""
    org = orgs[True]
    assert world.run("setup", "--yes").code == 0
    if spoil == "api":
        org.options.api_enabled = False
    elif spoil == "org":
        world.extra["SALESFORCE_SANDBOX_ORG_ID"] = "00D000000000001AAA"
    elif spoil == "kind":
        org.objects["Organization"].rows[org.org_id]["IsSandbox"] = False
        world.extra["SALESFORCE_SANDBOX_ORG_ID"] = ""
    elif spoil == "rights":
        org.user.permissions.clear()
        world.extra["SALESFORCE_SANDBOX_SECRET"] = org.token
        world.extra["SALESFORCE_SANDBOX_CLIENT_ID"] = ""
    elif spoil == "storage":
        org.options.storage_kilobytes = 0
    elif spoil == "field":
        org.user.hidden.add("Account.Website")
    else:
        world.extra["SALESFORCE_SANDBOX_SECRET"] = "the-secret-of-another-app"
    ran = world.run("sync")
    assert ran.code == code, ran.err
    (line,) = ran.error_lines
    assert words in line
    assert org.records(OBJECT) == []
    assert org.records(LINK) == []
