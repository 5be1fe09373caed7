"""Spans of OpenTelemetry, as a collector gets them."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from integration_assets.config import load_settings
from integration_assets.connectors.redaction import redact
from integration_assets.sandbox.lookalike import Fault
from integration_assets.tenants.registry.master import generate
from integration_assets.trace_export import ensure_traced, stop_tracing
from integration_assets_tests.support.collector import Collector, attributes_of, collecting
from integration_assets_tests.support.harness import World
from integration_assets_tests.support.processes import clean_environment
from integration_assets_tests.support.registries import with_two_tenants
from integration_assets_tests.support.web_site import Client, served

pytestmark = pytest.mark.usefixtures("dagster_in_memory", "no_tracing_left")
EXPORTER = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
KEY = "what-the-collector-is-shown"


@pytest.fixture
def no_tracing_left() -> Iterator[None]:
    """Nothing is traced once a test is over."""
    yield
    stop_tracing()


@pytest.fixture
def collector() -> Iterator[Collector]:
    """Where spans are sent."""
    with collecting() as made:
        yield made


def test_a_run_is_a_trace_of_its_steps_and_calls(synced: World, collector: Collector) -> None:
    """A repeated call is one span with the number of repeats; no secret, address, title or query is in any span."""
    synced.edit_request("dark mode", title="Darker mode")
    fault = Fault(lambda _request: True, times=1, status=503, body=b"{}")
    synced.sandbox.hubspot_sandbox.faults.append(fault)
    variables = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"x-api-key={KEY}",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment.name=staging",
    }
    ran = synced.run("sync", "--full", json_file=True, **variables)
    assert ran.code == 0, ran.err
    stop_tracing()

    spans = collector.spans()
    [run] = [span for span in spans if not span.parent_span_id]
    assert {span.trace_id for span in spans} == {run.trace_id}
    about = attributes_of(run)
    assert run.name == "run"
    assert about["integration_assets.tenant"] == "default"
    assert about["integration_assets.end_state"] == ran.summary["state"]
    assert about["integration_assets.run_id"] == ran.summary["run_id"]
    steps = [span.name for span in collector.children(run) if span.kind == Span.SPAN_KIND_INTERNAL]
    stages = ["raw", "domain_resolved_votes", "ranked_feature_requests", "crm_write_plan", "crm_feature_requests"]
    assert [name for name in steps if name in stages] == stages
    assert steps[-1] == "run_summary"

    calls = [span for span in spans if span.kind == Span.SPAN_KIND_CLIENT]
    parents = {span.span_id: span.name for span in spans}
    assert {"raw", "crm_feature_requests", "run_summary"} == {parents[call.parent_span_id] for call in calls}
    counted = sum(system["total"] - system["retried"] for system in ran.summary["api_calls"].values())
    asked = [call for call in calls if attributes_of(call)["integration_assets.system"] in ran.summary["api_calls"]]
    assert len(asked) == counted
    for call in calls:
        noted = attributes_of(call)
        assert call.name == f"{noted['http.request.method']} {noted['url.template']}"
        assert noted["server.address"] == "127.0.0.1"
        assert noted["http.response.status_code"] in range(200, 300)
    assert [attributes_of(call)["http.request.resend_count"] for call in calls if len(call.attributes) > 6] == [1]
    assert collector.resource()["service.name"] == "integration-assets"
    assert collector.resource()["deployment.environment.name"] == "staging"
    assert {headers["x-api-key"] for headers in collector.headers} == {KEY}

    text = collector.text()
    secrets = [value for name, value in synced.environment().items() if name.endswith(("KEY", "TOKEN", "SECRET"))]
    assert secrets
    for hidden in (*secrets, KEY, "@", "?", "Darker", "limit=", str(synced.home)):
        assert hidden not in text, hidden
        # Raw as well, but for signs that are in any number.
        assert len(hidden) == 1 or not any(hidden.encode() in body for body in collector.requests), hidden


def test_a_failed_run_names_the_kind_of_error_and_no_more(synced: World, collector: Collector) -> None:
    """Run, step and call are marked as failed by the name of the error, without its text."""
    ran = synced.run("sync", CANNY_API_KEY="no-such-key-anywhere", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert ran.code == 1
    stop_tracing()
    failed = {span.name: span for span in collector.spans() if span.status.code == Status.STATUS_CODE_ERROR}
    assert {"run", "raw"} < failed.keys()
    # What was asked at the same time is given up.
    kinds = {attributes_of(span)["error.type"] for span in failed.values()}
    assert kinds - {"CancelledError"} == {"CredentialError"}
    assert not any(span.events or span.status.message for span in failed.values())
    assert b"no-such-key" not in b"".join(collector.requests)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, ""),
        ({"OTEL_TRACES_EXPORTER": "none"}, ""),
        ({"OTEL_TRACES_EXPORTER": "zipkin"}, "OTEL_TRACES_EXPORTER: zipkin is not there; otlp, console and none are"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_PROTOCOL: only http/protobuf is there"),
        ({"OTEL_PROPAGATORS": "xray"}, "OpenTelemetry does not start: Propagator xray not found"),
        ({"missing": "yes"}, "pip install 'integration-assets[otel]' adds what sends them"),
    ],
    ids=["disabled", "no exporter", "unknown exporter", "another protocol", "unknown propagator", "not installed"],
)
def test_what_cannot_be_sent_is_one_line(
    synced: World,
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, Any],
    said: str,
) -> None:
    """The command does what it was asked to do, and nothing is sent."""
    if variables.pop("missing", ""):
        monkeypatch.setitem(sys.modules, EXPORTER, None)
    # Read when it is loaded, as a new process does: a request to the pages would be the first to ask for it.
    monkeypatch.delitem(sys.modules, "opentelemetry.propagate", raising=False)
    monkeypatch.delattr("opentelemetry.propagate", raising=False)
    ran = synced.run("report", OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, **variables)
    assert ran.code == 0, ran.err
    lines = [line for line in ran.err.splitlines() if "spans" in line]
    assert len(lines) == bool(said), ran.err
    assert said in "".join(lines)
    stop_tracing()
    assert collector.requests == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/v1/traces?api-key=hidden-word-42", "http://127.0.0.1:9/otlp/hidden-word-42abc/v1/traces"],
)
def test_an_address_that_opens_its_collector_is_masked(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exporter logs what it could not send with path and query, in which some collectors have a key."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", url)
    ensure_traced()
    said = redact(f"Max retries exceeded with url: {url.removeprefix('http://127.0.0.1:9')} (Connection refused)")
    assert "hidden-word" not in said
    assert "Max retries exceeded with url: /" in said


def test_a_request_to_the_pages_is_part_of_the_trace_it_comes_with(
    collector: Collector, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its span names route and status; probes have none, and what was asked or typed is nowhere."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{collector.url}/v1/traces")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "pages")
    ensure_traced()
    settings = load_settings(home=home, key=generate())
    trace_id, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    for registry in with_two_tenants(settings):
        with served(settings, registry) as site, Client(site.origin) as client:
            context = {"traceparent": f"00-{trace_id}-{parent}-01"}
            asked = httpx.get(f"{site.origin}/login?next=ann@acme.example", headers=context)
            assert asked.status_code == 200
            assert client.get("/nowhere/ann@acme.example").status_code == 404
            assert httpx.get(f"{site.origin}/health").status_code == 200
    stop_tracing()
    first, second = collector.spans()
    assert (first.name, second.name) == ("GET /login", "GET -")
    assert (first.trace_id.hex(), first.parent_span_id.hex()) == (trace_id, parent)
    assert second.parent_span_id == b""
    assert second.trace_id.hex() != trace_id
    noted = attributes_of(first)
    assert (noted["http.route"], noted["http.response.status_code"]) == ("/login", 200)
    assert first.kind == Span.SPAN_KIND_SERVER
    assert collector.resource()["service.name"] == "pages"
    assert not any(word in collector.text() for word in ("acme", "nowhere", "?"))


def test_without_the_variables_nothing_of_opentelemetry_is_loaded() -> None:
    """Neither by what Dagster loads, nor by the pages."""
    names = "import integration_assets.definitions, integration_assets.web.app, integration_assets.connectors.slack"
    loaded = "import json, sys; print(json.dumps([name for name in sys.modules if name.startswith('opentelemetry')]))"
    done = subprocess.run(
        [sys.executable, "-c", f"{names}; {loaded}"],
        env=clean_environment({}),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == []
