"""Tokens, limits, versions and rights of the Salesforce look-alike, and metadata that is deployed into it."""

from __future__ import annotations

import httpx
import pytest

from integration_assets.sandbox.salesforce import Org
from integration_assets.sandbox.salesforce.ids import full_id
from integration_assets.sandbox.salesforce.org import CLIENT_ID
from integration_assets_tests.sandbox.salesforce.conftest import DATA, FIELDS, Bench, package


def token(bench: Bench, **form: str) -> httpx.Response:
    return bench.client.post("/services/oauth2/token", data=form)


def test_an_id_of_fifteen_characters_has_one_of_eighteen():
    """The three last characters tell which of the fifteen are upper-case letters."""
    assert full_id("001A0000006Vm9u") == "001A0000006Vm9uIAC"
    assert full_id("001A0000006Vm9uIAC") == "001A0000006Vm9uIAC"
    with pytest.raises(ValueError, match="1"):
        full_id("1")


def test_client_credentials_give_a_token_that_says_which_org_it_is_of(bench):
    """The id of the org is in the address of the identity."""
    answer = token(bench, grant_type="client_credentials", client_id=CLIENT_ID, client_secret=bench.org.secret).json()
    assert set(answer) == {"access_token", "signature", "scope", "instance_url", "id", "token_type", "issued_at"}
    assert answer["instance_url"] == bench.address
    assert answer["id"].split("/")[-2:] == [bench.org.org_id, bench.org.user.id]
    head = {"Authorization": f"Bearer {answer['access_token']}"}
    assert bench.client.get(f"{DATA}/limits", headers=head).status_code == 200
    identity = bench.client.get("/services/oauth2/userinfo", headers=head).json()
    assert (identity["organization_id"], identity["user_id"]) == (bench.org.org_id, bench.org.user.id)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": "x"}, "invalid_client"),
        ({"grant_type": "client_credentials", "client_id": "x", "client_secret": "x"}, "invalid_client_id"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}, "invalid_grant"),
    ],
)
def test_the_token_endpoint_refuses_with_an_object(bench, form, error):
    """Unlike the data API, which refuses with a list."""
    answer = token(bench, **form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_token_ends(bench):
    """401 INVALID_SESSION_ID after its life, and without one."""
    minted = token(bench, grant_type="client_credentials", client_id=CLIENT_ID, client_secret=bench.org.secret).json()
    bench.client.headers["Authorization"] = f"Bearer {minted['access_token']}"
    bench.call("GET", "/limits")
    bench.clock.advance(7_201)
    assert bench.call("GET", "/limits", status=401)[0]["errorCode"] == "INVALID_SESSION_ID"
    del bench.client.headers["Authorization"]
    assert bench.call("GET", "/limits", status=401)[0]["errorCode"] == "INVALID_SESSION_ID"


def test_every_answer_says_how_much_of_the_day_is_used(bench_of):
    """403 REQUEST_LIMIT_EXCEEDED when it is spent; the list of versions is free."""
    bench = bench_of(ready=False, daily_calls=2)
    used = [bench.client.get(f"{DATA}/limits").headers["Sforce-Limit-Info"] for _ in range(2)]
    assert used == ["api-usage=1/2", "api-usage=2/2"]
    refused = bench.client.get(f"{DATA}/limits")
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (403, "REQUEST_LIMIT_EXCEEDED")
    assert refused.headers["Sforce-Limit-Info"] == "api-usage=2/2"
    versions = bench.client.get("/services/data/")
    assert {one["version"] for one in versions.json()} >= {"41.0", "60.0", "68.0"}
    assert "Sforce-Limit-Info" not in versions.headers


def test_old_versions_are_gone_and_coming_ones_not_there(bench):
    """410 and 404."""
    assert bench.client.get("/services/data/v40.0/limits").status_code == 410
    assert bench.client.get("/services/data/v99.0/limits").status_code == 404


def test_an_edition_without_the_api_says_so(bench_of):
    """403 API_DISABLED_FOR_ORG."""
    bench = bench_of(ready=False, api_enabled=False)
    assert bench.call("GET", "/limits", status=403)[0]["errorCode"] == "API_DISABLED_FOR_ORG"


def test_orgs_say_what_they_are(bench):
    """A sandbox and a production org differ in id and in `IsSandbox`."""
    row = bench.query("SELECT Id, IsSandbox, OrganizationType, TrialExpirationDate FROM Organization")["records"][0]
    assert (row["Id"], row["IsSandbox"], row["TrialExpirationDate"]) == (bench.org.org_id, True, None)
    production = Org(8, is_sandbox=False)
    assert production.org_id != bench.org.org_id
    assert production.records("Organization")[0]["IsSandbox"] is False


def test_a_deployment_is_checked_without_a_trace(bench_of):
    """checkOnly says what would come of it."""
    bench = bench_of(ready=False)
    result = bench.deploy(package(), check_only=True)
    assert (result["status"], result["checkOnly"], result["done"]) == ("Succeeded", True, True)
    assert "Idea__c" not in bench.org.objects


def test_a_deployment_needs_a_right_of_its_own(bench_of):
    """The integration user does not have it."""
    bench = bench_of(ready=False)
    assert bench.deploy(package(), token=bench.org.token)[0]["errorCode"] == "INSUFFICIENT_ACCESS"


def test_what_is_wrong_with_a_deployment_is_told_and_undoes_all_of_it(bench_of):
    """Each component with its problem."""
    bench = bench_of(ready=False)
    broken = {
        **FIELDS,
        "Title__c": "<type>Text</type><length>300</length>",
        "Votes__c": "<type>Integer</type>",
        "Company__c": "<type>Lookup</type><referenceTo>Nothing__c</referenceTo>",
    }
    result = bench.deploy(package(broken))
    assert (result["status"], result["success"]) == ("Failed", False)
    failed = {
        one["fullName"] for one in result["details"]["componentFailures"] if one["componentType"] == "CustomField"
    }
    assert failed == {"Idea__c.Title__c", "Idea__c.Votes__c", "Idea__c.Company__c"}
    assert "Idea__c" not in bench.org.objects


def test_deployed_fields_are_hidden_until_a_permission_set_shows_them(bench_of):
    """Before: the object is not found. Without field permissions: the field is absent, and a write of it is refused."""
    bench = bench_of(ready=False)
    bench.deploy(package(granted=False))
    bench.call("GET", "/sobjects/Idea__c/describe", status=404)
    bench.org.assign("Ideas")
    seen = {one["name"] for one in bench.call("GET", "/sobjects/Idea__c/describe")["fields"]}
    assert ("Name" in seen, "Title__c" in seen) == (True, False)
    tooling = bench.query(
        "SELECT QualifiedApiName FROM FieldDefinition WHERE EntityDefinition.QualifiedApiName = 'Idea__c'",
        "/tooling/query",
    )
    assert {"Title__c", "Idea_Key__c"} <= {row["QualifiedApiName"] for row in tooling["records"]}
    bench.deploy(package())
    bench.org.user.hidden.add("Idea__c.Title__c")
    refused = bench.upsert({"Idea_Key__c": "a", "Title__c": "A"})[0]["errors"][0]
    assert refused["message"] == "No such column 'Title__c' on sobject of type Idea__c"


def test_required_fields_may_not_stand_in_a_permission_set(bench_of):
    """The deployment says which."""
    bench = bench_of(ready=False)
    required = {**FIELDS, "Title__c": FIELDS["Title__c"] + "<required>true</required>"}
    failures = bench.deploy(package(required))["details"]["componentFailures"]
    assert [one["problem"] for one in failures] == ["You cannot deploy to a required field: Idea__c.Title__c"]


def test_a_permission_set_is_assigned_through_the_api(bench_of):
    """By a record of PermissionSetAssignment."""
    bench = bench_of(ready=False)
    bench.deploy(package())
    held = bench.query("SELECT Id FROM PermissionSet WHERE Name = 'Ideas'")["records"][0]["Id"]
    body = {"PermissionSetId": held, "AssigneeId": bench.org.user.id}
    bench.call("POST", "/sobjects/PermissionSetAssignment", body, status=201)
    assert "Title__c" in {one["name"] for one in bench.call("GET", "/sobjects/Idea__c/describe")["fields"]}


def test_faults_have_the_shape_of_refusals(bench):
    """A test may put any refusal, a lost answer or a web page before the next call."""
    from integration_assets.sandbox.salesforce import faults

    everything = faults.path_contains("/services/data")
    bench.lookalike.faults.append(faults.refusal(everything, 403, "REQUEST_LIMIT_EXCEEDED"))
    assert bench.call("GET", "/limits", status=403)[0]["errorCode"] == "REQUEST_LIMIT_EXCEEDED"
    bench.lookalike.faults.append(faults.answer_lost(everything))
    bench.upsert({"Idea_Key__c": "a"}, status=503)
    assert [row["Idea_Key__c"] for row in bench.org.records("Idea__c")] == ["a"]
    bench.lookalike.faults.append(faults.maintenance(everything))
    answer: httpx.Response = bench.client.get(f"{DATA}/limits")
    assert (answer.status_code, answer.headers["content-type"]) == (503, "text/html")
