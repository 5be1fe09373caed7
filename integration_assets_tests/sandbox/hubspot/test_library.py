"""Objects of the library, and what smaller subscriptions refuse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from integration_assets_tests.sandbox.hubspot.conftest import Bench

BenchOf = Callable[..., Bench]
SERVICES, TICKETS = "0-162", "0-5"
STARTER: dict[str, Any] = {"plan": "starter", "activated": frozenset({"services"})}
PIPELINES = "/crm/pipelines/2026-09/0-162"


def test_an_object_has_to_be_activated_and_tickets_need_not(bench_of: BenchOf) -> None:
    """A person activates it; the enablement tells which are."""
    bench = bench_of(plan="starter")
    enabled = bench.call("GET", "/crm/object-library/2026-03/enablement")["enablementByObjectTypeId"]
    assert enabled == {SERVICES: False, "0-970": False, TICKETS: True}
    refused = bench.call("GET", bench.objects(SERVICES), status=403)
    assert refused["category"] == "FORBIDDEN"
    assert bench.call("GET", bench.objects(TICKETS))["results"] == []


def test_below_enterprise_there_are_no_custom_objects(bench_of: BenchOf) -> None:
    """Neither read nor made; the limit is zero."""
    for plan in ("free", "starter", "professional"):
        bench = bench_of(plan=plan)
        bench.call("GET", "/crm-object-schemas/2026-09/schemas", status=403)
        bench.call("POST", "/crm-object-schemas/2026-09/schemas", {"name": "idea"}, status=403)
        assert bench.call("GET", "/crm/limits/2026-09/custom-object-types")["limit"] == 0
    empty = bench_of(plan="free", schemas_below_enterprise="empty")
    assert empty.call("GET", "/crm-object-schemas/2026-09/schemas")["results"] == []


@pytest.mark.parametrize(("plan", "status"), [("free", 403), ("starter", 403), ("professional", 200)])
def test_labels_need_professional(bench_of: BenchOf, plan: str, status: int) -> None:
    """They can neither be made nor counted below it; the plain type is always there."""
    bench = bench_of(plan=plan, activated=frozenset({"services"}))
    labels = bench.pair("labels", SERVICES)
    bench.call("POST", labels, {"name": "voted", "label": "Voted"}, status=status)
    bench.call("GET", "/crm/limits/2026-09/associations/labels", status=status)
    bench.clock.advance(10)
    plain = [one["category"] for one in bench.call("GET", labels)["results"] if one["label"] is None]
    assert plain == ["HUBSPOT_DEFINED"]


def test_a_record_stands_in_a_stage_of_a_pipeline(bench_of: BenchOf) -> None:
    """Both are wanted of a new one, and have to belong together."""
    bench = bench_of(**STARTER)
    stages = [{"label": "Asked", "metadata": {"ticketState": "CLOSED"}}]
    made = bench.call("POST", PIPELINES, {"label": "Requests", "stages": stages}, status=201)
    assert made["stages"][0]["metadata"] == {"ticketState": "CLOSED"}
    first, ours = bench.call("GET", PIPELINES)["results"]
    bench.call("POST", bench.objects(SERVICES), {"properties": {"hs_name": "A"}}, status=400)
    wrong = {"hs_name": "A", "hs_pipeline": first["id"], "hs_pipeline_stage": ours["stages"][0]["id"]}
    bench.call("POST", bench.objects(SERVICES), {"properties": wrong}, status=400)
    right = {**wrong, "hs_pipeline": ours["id"]}
    bench.call("POST", bench.objects(SERVICES), {"properties": right}, status=201)


def test_pipelines_and_properties_have_limits_that_can_be_read(bench_of: BenchOf) -> None:
    """What is refused at the limit is told before."""
    bench = bench_of(**STARTER, max_pipelines=1, max_properties=1)
    bench.call("POST", PIPELINES, {"label": "Requests", "stages": [{"label": "Asked"}]}, status=403)
    told = bench.call("GET", "/crm/limits/2026-09/pipelines")["hubspotDefinedObjectTypes"]
    assert [(one["limit"], one["usage"]) for one in told if one["objectTypeId"] == SERVICES] == [(1, 1)]
    bench.portal.define_property("services", {"name": "mine"})
    told = bench.call("GET", "/crm/limits/2026-09/custom-properties")["byObjectType"]
    assert [(one["limit"], one["usage"]) for one in told if one["objectTypeId"] == SERVICES] == [(1, 1)]


def test_the_first_company_of_a_ticket_becomes_its_primary_one(bench_of: BenchOf) -> None:
    """The label is HubSpot's own, beside the plain type that was written."""
    bench = bench_of(plan="free")
    pipeline = bench.call("GET", "/crm/pipelines/2026-09/0-5")["results"][0]
    stage = {"hs_pipeline": pipeline["id"], "hs_pipeline_stage": pipeline["stages"][0]["id"]}
    (ticket,) = bench.portal.seed("tickets", [{"subject": "Help", **stage}])
    first, second = bench.portal.seed("companies", [{"name": "A"}, {"name": "B"}])
    for company in (first, second):
        plain = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 339}
        pair = {"from": {"id": ticket}, "to": {"id": company}, "types": [plain]}
        bench.call("POST", bench.pair("batch/create", TICKETS), {"inputs": [pair]}, status=201)
    labels = bench.portal.associations("tickets", ticket, "companies")
    assert labels == {first: {None, "Primary"}, second: {None}}
