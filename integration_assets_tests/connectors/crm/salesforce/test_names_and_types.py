"""The pure parts of the Salesforce connector: names, queries, metadata, types, codes and the header of the limit."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from integration_assets.connectors.crm.salesforce import metadata, names, schema, soql, translate
from integration_assets.connectors.crm.salesforce.error_codes import CODES, Effect, first_problem, problem
from integration_assets.connectors.crm.salesforce.field_types import FIELD_TYPES, type_difference
from integration_assets.connectors.crm.salesforce.status_rules import RULES, quota_of
from integration_assets.connectors.crm.salesforce.tokens import PRODUCTION_AUDIENCE, SANDBOX_AUDIENCE, audience_of
from integration_assets.connectors.crm.salesforce.wire import FieldInfo, Organization
from integration_assets.connectors.limiter import Quota
from integration_assets.connectors.rules import Action, Answer
from integration_assets.models import PortalKind, PropertyKind
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets_tests.sandbox.salesforce.conftest import Bench


def files(archive: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {name: opened.read(name).decode() for name in opened.namelist()}


def test_names_follow_from_ours():
    """Words with capital letters, and the ending of what people add to an org."""
    assert names.custom_name("feature_request_key") == "Feature_Request_Key__c"
    assert names.link_object(FEATURE_REQUEST) == "Feature_Request_Link__c"
    assert names.request_lookup(FEATURE_REQUEST) == "Feature_Request__c"
    ours = [names.custom_name(item.name) for item in FEATURE_REQUEST.properties]
    # Forty characters and the ending are the most that an org takes.
    assert max(map(len, ours)) <= 43
    assert len(set(ours)) == len(ours)


def test_values_in_queries_are_escaped():
    """No value can leave its quotes."""
    assert soql.text('it\'s "a\\b"\n') == "'it\\'s \\\"a\\\\b\\\"\\n'"
    assert soql.any_of("Email", ["a'b", "c", "a'b"]) == "Email IN ('a\\'b','c')"
    assert soql.select("Account", ["Id", "Name", "Id"], "Name = 'x'") == "SELECT Id, Name FROM Account WHERE Name = 'x'"
    assert soql.record_ids(["1", "001A0000006Vm9u", "001A0000006Vm9uIAC", "hub:1"]) == [
        "001A0000006Vm9u",
        "001A0000006Vm9uIAC",
    ]


def test_metadata_describes_every_property_and_label():
    """The same definition makes the same bytes; what is in them is valid for an org."""
    made = metadata.package(FEATURE_REQUEST)
    assert made == metadata.package(FEATURE_REQUEST)
    found = files(made)
    assert set(found) == {
        "package.xml",
        "objects/Feature_Request__c.object",
        "objects/Feature_Request_Link__c.object",
        "permissionsets/Integration_Assets.permissionset",
    }
    ours = found["objects/Feature_Request__c.object"]
    assert all(f"<fullName>{names.custom_name(item.name)}</fullName>" in ours for item in FEATURE_REQUEST.properties)
    linked = found["objects/Feature_Request_Link__c.object"]
    assert all(f"<fullName>{link.name}</fullName>" in linked for link in FEATURE_REQUEST.links)
    # Two lookups and no master-detail, which could not stand in the permission set.
    assert (linked.count("<type>Lookup</type>"), "MasterDetail" in linked) == (3, False)
    assert "<restricted>true</restricted>" in linked
    granted = found["permissionsets/Integration_Assets.permissionset"]
    assert all(f"<field>{name}</field>" in granted for name in metadata.granted_fields(FEATURE_REQUEST))
    assert "<license>" not in granted
    licensed = files(metadata.package(FEATURE_REQUEST, license_name=metadata.LICENSE))
    assert f"<license>{metadata.LICENSE}</license>" in licensed["permissionsets/Integration_Assets.permissionset"]


def test_metadata_of_missing_fields_leaves_the_rest_alone():
    """Only the fields that are named, and no label of an object that exists."""
    parts = metadata.Parts(False, frozenset({"votes"}), False)
    found = files(metadata.package(FEATURE_REQUEST, parts))
    assert set(found) == {
        "package.xml",
        "objects/Feature_Request__c.object",
        "permissionsets/Integration_Assets.permissionset",
    }
    assert "<members>Feature_Request__c.Votes__c</members>" in found["package.xml"]
    ours = found["objects/Feature_Request__c.object"]
    assert (ours.count("<fields>"), "<pluralLabel>" in ours) == (1, False)


def test_the_metadata_can_be_deployed(bench_of):
    """Checked and carried out by the look-alike, with nothing to complain of."""
    bench: Bench = bench_of(ready=False)
    made = metadata.package(FEATURE_REQUEST)
    assert bench.deploy(made, check_only=True)["status"] == "Succeeded"
    assert bench.deploy(made)["details"]["componentFailures"] == []


def described(kind: PropertyKind, **changes: Any) -> FieldInfo:
    wanted = FIELD_TYPES[kind]
    fits = {
        "name": "X__c",
        "type": wanted.described,
        "length": wanted.length or 0,
        "scale": wanted.scale or 0,
        "restricted_picklist": True,
    }
    return FieldInfo(**{**fits, **changes})


@pytest.mark.parametrize("kind", list(PropertyKind))
def test_a_field_of_its_own_type_is_no_difference(kind):
    """Every kind has a type."""
    assert type_difference(kind, described(kind)) is None


@pytest.mark.parametrize(
    ("kind", "changes", "harmless"),
    [
        (PropertyKind.TEXT, {"type": "textarea"}, True),
        (PropertyKind.TEXT, {"type": "double"}, False),
        (PropertyKind.TEXT, {"length": 80}, False),
        (PropertyKind.LONG_TEXT, {"length": 32_768}, False),
        (PropertyKind.MONEY, {"type": "currency"}, True),
        (PropertyKind.MONEY, {"scale": 0}, False),
        (PropertyKind.OPTION, {"restricted_picklist": False}, True),
        (PropertyKind.ADDRESS, {"type": "string"}, True),
    ],
)
def test_other_types_are_judged_by_what_they_do_to_values(kind, changes, harmless):
    """Harmless where values come back unchanged."""
    found = type_difference(kind, described(kind, **changes))
    assert found is not None
    assert found.harmless is harmless


def test_every_known_code_has_a_meaning():
    """The codes that end a run, that pass, that are about rights and about a row."""
    by_effect = {effect: {code for code, one in CODES.items() if one.effect is effect} for effect in Effect}
    assert {"STORAGE_LIMIT_EXCEEDED", "API_DISABLED_FOR_ORG"} <= by_effect[Effect.STOP]
    assert by_effect[Effect.QUOTA] == {"REQUEST_LIMIT_EXCEEDED"}
    assert {"UNABLE_TO_LOCK_ROW", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION", "PROCESSING_HALTED"} <= by_effect[Effect.RETRY]
    assert {"INVALID_SESSION_ID", "INVALID_TYPE_FOR_OPERATION"} <= by_effect[Effect.ACCESS]
    assert {"DUPLICATE_VALUE", "STRING_TOO_LONG", "MALFORMED_ID", "APEX_ERROR"} <= by_effect[Effect.ROW]
    assert {"MALFORMED_QUERY", "INVALID_QUERY_LOCATOR"} <= by_effect[Effect.QUERY]
    assert problem("A_CODE_OF_TOMORROW", "x", []).meaning.effect is Effect.ROW


def test_reasons_name_fields_and_hold_no_value():
    """Messages quote values; the text of people's own rules is told, redacted."""
    picklist = problem("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "Kind: bad value: surprising", ["Kind__c"])
    assert "Kind__c" in picklist.reason()
    assert "surprising" not in picklist.reason()
    hidden = problem("INVALID_FIELD", "No such column 'Title__c' on sobject of type Feature_Request__c", [])
    assert hidden.fields == ("Title__c", "Feature_Request__c")
    rule = problem("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Ask ann@acme.com  first\n" + "x" * 300, ["Title__c"])
    assert "ann@acme.com" not in rule.reason()
    assert "first" in rule.reason()
    assert len(rule.text) == 200


@pytest.mark.parametrize("body", [None, [], "x", [1], {"error": 5}, [{"errorCode": "<html>"}], {"error": {}}])
def test_bodies_of_another_form_are_no_trouble(body):
    """A proxy may answer with anything."""
    assert first_problem(body).reason() == "refused without a code"


def answer(status: int, code: str, usage: str = "") -> Answer:
    return Answer(status, {"sforce-limit-info": usage} if usage else {}, [{"errorCode": code, "message": "m"}])


@pytest.mark.parametrize(
    ("given", "action"),
    [
        (answer(403, "REQUEST_LIMIT_EXCEEDED", "api-usage=100/100"), Action.QUOTA),
        (answer(403, "REQUEST_LIMIT_EXCEEDED"), Action.QUOTA),
        # The same code while there are calls left: too many long ones at once.
        (answer(403, "REQUEST_LIMIT_EXCEEDED", "api-usage=5/100"), Action.RETRY),
        (answer(403, "API_DISABLED_FOR_ORG"), Action.PERMANENT),
        (answer(403, "INSUFFICIENT_ACCESS"), Action.CREDENTIAL),
        (answer(401, "INVALID_SESSION_ID"), Action.CREDENTIAL),
        (answer(400, "MALFORMED_QUERY"), Action.PERMANENT),
        (answer(400, "QUERY_TIMEOUT"), Action.RETRY),
        (answer(410, "GONE"), Action.PERMANENT),
        (answer(503, "SERVER_UNAVAILABLE"), Action.UNKNOWN_OUTCOME),
    ],
)
def test_what_is_done_about_a_refusal(given, action):
    """By the code where one status means several things."""
    assert RULES.rule_for(given).action is action


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("api-usage=10018/100000", Quota(100_000, 89_982)),
        ("api-usage=10/5; per-app-api-usage=17/250(appName=x)", Quota(5, 0)),
        ("per-app-api-usage=17/250(appName=x)", None),
        ("", None),
    ],
)
def test_the_header_of_the_limit(header, expected):
    """Calls of the org, not those of one app."""
    assert quota_of(Answer(200, {"sforce-limit-info": header}, None)) == expected


@pytest.mark.parametrize(
    ("org", "kind"),
    [
        (Organization("00D", True), PortalKind.SANDBOX),
        (Organization("00D", True, "Developer Edition", "2026-12-24T00:00:00.000+0000"), PortalKind.DEVELOPER_TEST),
        (Organization("00D", False, "Developer Edition"), PortalKind.DEVELOPER_TEST),
        (Organization("00D", False, "Enterprise Edition"), PortalKind.STANDARD),
    ],
)
def test_kinds_of_orgs(org, kind):
    """A scratch org says that it is a sandbox, a Developer Edition that it is none."""
    assert schema.kind_of(org) is kind


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://acme--dev.sandbox.my.salesforce.com", SANDBOX_AUDIENCE),
        ("https://acme.my.salesforce.com", PRODUCTION_AUDIENCE),
        ("http://127.0.0.1:1", PRODUCTION_AUDIENCE),
    ],
)
def test_assertions_are_for_the_host_that_orgs_of_a_kind_share(base_url, expected):
    """Whom an assertion is for follows from the address."""
    assert audience_of(base_url) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, None), ("", None), (3.0, "3"), (12.5, "12.5"), (1e15, "1000000000000000"), (True, "true"), ({}, None)],
)
def test_values_are_written_out(value, expected):
    """Numbers without zeros that mean nothing, and never with an exponent."""
    assert translate.text(value) == expected
