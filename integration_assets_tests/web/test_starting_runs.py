"""Runs that people ask for on the pages: written down, begun by the sensor, followed to their end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pytest

from integration_assets.assets.names import Names
from integration_assets.automation import requested_runs
from integration_assets.automation.requested_runs import CREATED_WITHIN, SILENT, begin_requested
from integration_assets.automation.requests_sensor import setup_job
from integration_assets.errors import LaunchError, LockError, PermanentError
from integration_assets.runs.launch import REQUEST_TAG, check_request
from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.changes import NewThirdParty
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.run_requests import (
    THERE,
    WAITS,
    NewRequest,
    RequestView,
    ask_for_run,
    daemon_is_there,
    end_request,
    recent_requests,
)
from integration_assets.tenants.registry.words import Action, Provider, Scope
from integration_assets_tests.support.registries import ACTOR, tenant_id
from integration_assets_tests.support.web_site import Client, hidden_field
from integration_assets_tests.web.conftest import OPERATOR, Served

ANN = Actor("ann@acme.example")
SYNC = NewRequest(Action.SYNC, "sandbox")
NAMES = Names("")


@pytest.fixture
def acme(pages: Served) -> Iterator[str]:
    """The id of acme, which has the keys that a sync needs; what is open afterwards ends."""
    tenant = tenant_id(pages.registry, "acme")
    with tenant_repository(pages.registry, tenant, ACTOR) as repository:
        keys = {} if repository.third_party_integrations() else {"canny": "k" * 36, "hubspot": f"pat-na1-{'k' * 36}"}
        for provider, key in keys.items():
            new = NewThirdParty(provider=Provider(provider), environment=Scope.SANDBOX, secret=key)
            repository.add_third_party(new)
    yield tenant
    for one in recent_requests(pages.registry, tenant, limit=50):
        end_request(pages.registry, one.id, "FAILED", "the test is over", now=one.asked_at)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """Dagster with acme's partition, and no run."""
    with dg.DagsterInstance.ephemeral() as made:
        made.add_dynamic_partitions("integration_assets_tenants", ["acme"])
        yield made


def newest(pages: Served, tenant: str) -> RequestView:
    """The newest request."""
    return recent_requests(pages.registry, tenant, limit=1)[0]


def test_a_sync_is_asked_for_once_begun_once_and_followed(
    pages: Served,
    ann: Client,
    gus: Client,
    acme: str,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each page says how it stands, and another tenant sees nothing of it."""
    assert ann.post("/runs/start", {"action": "sync"}).headers["location"] == "/runs?done=asked#start"
    page = ann.get("/runs").text
    assert "waits for Dagster&#39;s daemon" in page
    assert "Nothing is running that could start it" in page
    assert "Sync now" not in page
    assert ann.post("/runs/start", {"action": "dry_run"}).status_code == 409
    assert "ann@acme.example" not in gus.get("/runs").text

    asked = newest(pages, acme)
    monkeypatch.setattr(requested_runs, "queue_tags", lambda: {"acme": {"integration_assets/credential": "shared"}})
    [run], _ = begin_requested(pages.registry, instance, NAMES, asked.asked_at)
    assert run.tags == {REQUEST_TAG: asked.id, "integration_assets/credential": "shared"}
    assert (run.job_name, run.partition_key, run.run_key) == ("sync", "acme", asked.id)
    assert run.run_config["resources"]["integration_assets_session"]["config"]["environment"] == "sandbox"
    assert "ann" not in str(run)
    assert begin_requested(pages.registry, instance, NAMES, asked.asked_at) == ([], 1)
    assert "waits in Dagster&#39;s queue" in ann.get("/runs").text

    created = dg.DagsterRun(job_name="sync", status=dg.DagsterRunStatus.STARTED, tags={REQUEST_TAG: asked.id})
    instance.add_run(created)
    begin_requested(pages.registry, instance, NAMES, asked.asked_at)
    assert newest(pages, acme).run_id == created.run_id
    assert ">runs<" in ann.get("/runs").text
    instance.report_run_failed(created, "killed")
    begin_requested(pages.registry, instance, NAMES, asked.asked_at)
    page = ann.get("/runs").text
    assert f'href="/runs/{created.run_id}">failed</a>: it died without a word' in page
    assert "Sync now" in page
    assert "run.ask.sync" in ann.get("/audit-trail").text


def test_only_from_a_page_of_ours_and_only_what_there_is(ann: Client, acme: str, pages: Served) -> None:
    """A foreign page, a foreign token and an unknown run start nothing."""
    assert ann.post("/runs/start", {"action": "sync"}, **{"sec-fetch-site": "cross-site"}).status_code == 403
    assert ann.post("/runs/start", {"action": "sync", "csrf": "x"}).status_code == 403
    assert ann.post("/runs/start", {"action": "undo"}).status_code == 400
    assert ann.post("/setup", {"digest": "short"}).status_code == 400
    assert not [one for one in recent_requests(pages.registry, acme, limit=50) if one.is_open]


def test_a_tab_that_shows_another_environment_or_tenant_starts_nothing(
    ann: Client, acme: str, pages: Served, instance: dg.DagsterInstance
) -> None:
    """What was chosen in another tab since is not what the page said; nor has its run a page there."""
    shown = {name: hidden_field(ann.get("/runs").text, name) for name in ("csrf", "environment")}
    ann.post("/environment", {"environment": "production"})
    refused = ann.post("/runs/start", {"action": "sync", **shown})
    assert refused.status_code == 409
    assert "the page showed sandbox, and production was chosen since" in refused.text
    assert not [one for one in recent_requests(pages.registry, acme, limit=50) if one.is_open]

    asked = ask_for_run(pages.registry, acme, ANN, SYNC)
    begin_requested(pages.registry, instance, NAMES, asked.asked_at)
    created = dg.DagsterRun(job_name="sync", status=dg.DagsterRunStatus.FAILURE, tags={REQUEST_TAG: asked.id})
    instance.add_run(created)
    begin_requested(pages.registry, instance, NAMES, asked.asked_at)
    assert f"/runs/{created.run_id}" not in ann.get("/runs").text
    ann.post("/environment", {"environment": "sandbox"})
    assert f"/runs/{created.run_id}" in ann.get("/runs").text

    with Client(pages.site.origin) as operator:
        operator.log_in(OPERATOR)
        operator.post("/tenants", {"tenant": "globex"})
        of_globex = hidden_field(operator.get("/settings/choices").text, "csrf")
        operator.post("/tenants", {"tenant": "acme"})
        refused = operator.post("/settings/choices", {"csrf": of_globex, "base_currency": "JPY"})
        assert refused.status_code == 409
        assert "the page showed tenant globex, and tenant acme was chosen since" in refused.text
        assert "JPY" not in operator.get("/settings/choices").text


def test_without_keys_it_says_so_at_once(gus: Client) -> None:
    """Before it is written down."""
    answer = gus.post("/runs/start", {"action": "sync"})
    assert answer.status_code == 400
    assert "integrations add globex" in answer.text


def test_a_request_is_withdrawn_while_nobody_has_begun_it(ann: Client, gus: Client, acme: str, pages: Served) -> None:
    """Only by its tenant, and not after it was begun."""
    ann.post("/runs/start", {"action": "dry_run"})
    asked = hidden_field(ann.get("/runs").text, "request")
    assert gus.post("/runs/withdraw", {"request": asked}).status_code == 404
    assert ann.post("/runs/withdraw", {"request": asked}).status_code == 303
    assert newest(pages, acme).note == "withdrawn by ann@acme.example"
    assert ann.post("/runs/withdraw", {"request": asked}).status_code == 404


def test_a_run_that_was_called_not_started_does_nothing_later(
    pages: Served, ann: Client, acme: str, instance: dg.DagsterInstance
) -> None:
    """The daemon died when it had taken the request; whoever asked was told to ask again, and did."""
    ann.post("/runs/start", {"action": "sync"})
    asked = newest(pages, acme)
    [run], _ = begin_requested(pages.registry, instance, NAMES, asked.asked_at)
    later = dg.DagsterRun(job_name="sync", status=dg.DagsterRunStatus.STARTED, tags=run.tags)
    check_request(pages.site.settings, later)
    begin_requested(pages.registry, instance, NAMES, asked.asked_at + CREATED_WITHIN * 2)
    assert newest(pages, acme).outcome == "NOT_STARTED"
    ann.post("/runs/start", {"action": "sync"})
    with pytest.raises(LaunchError, match=r"was given up \(not started\): ask for it again"):
        check_request(pages.site.settings, later)
    # Somebody who launches one by hand answers no request.
    check_request(pages.site.settings, dg.DagsterRun(job_name="sync"))


def test_a_run_that_is_lost_is_told_and_let_go(
    pages: Served, ann: Client, gus: Client, acme: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dagster keeps it at work; the page says for how long it has been silent, and until when. Another can be asked."""
    ann.post("/runs/start", {"action": "sync"})
    asked = newest(pages, acme)
    begin_requested(pages.registry, instance, NAMES, asked.asked_at)
    created = dg.DagsterRun(job_name="sync", status=dg.DagsterRunStatus.STARTED, tags={REQUEST_TAG: asked.id})
    instance.add_run(created)
    instance.report_engine_event("begins", created)
    [last] = instance.get_records_for_run(created.run_id, limit=1, ascending=False).records
    spoken = datetime.fromtimestamp(last.timestamp, UTC)
    begin_requested(pages.registry, instance, NAMES, spoken + SILENT - timedelta(minutes=1))
    assert newest(pages, acme).note is None
    assert ann.post("/runs/let-go", {"request": asked.id}).status_code == 404
    begin_requested(pages.registry, instance, NAMES, spoken + SILENT + timedelta(minutes=1))
    assert "said nothing for 31 minutes; its machine may be gone. Dagster does not watch" in ann.get("/runs").text
    with monkeypatch.context() as patch:
        patch.setattr(dg.DagsterInstance, "run_monitoring_enabled", True)
        patch.setattr(dg.DagsterInstance, "run_monitoring_max_runtime_seconds", 7_200)
        patch.setattr(instance, "get_run_stats", lambda _: SimpleNamespace(start_time=spoken.timestamp()))
        begin_requested(pages.registry, instance, NAMES, spoken + SILENT + timedelta(minutes=1))
        until = f"{spoken + timedelta(hours=2):%Y-%m-%d %H:%M} UTC at the latest, or you let it go"
        assert until in ann.get("/runs").text
    assert gus.post("/runs/let-go", {"request": asked.id}).status_code == 404
    assert ann.post("/runs/let-go", {"request": asked.id}).headers["location"] == "/runs?done=let_go#start"
    assert "let go by ann@acme.example" in (newest(pages, acme).note or "")
    assert "run.let_go" in ann.get("/audit-trail").text
    assert ann.post("/runs/start", {"action": "sync"}).headers["location"] == "/runs?done=asked#start"
    # What speaks again is told nothing of: it is not waited for any more.
    begin_requested(pages.registry, instance, NAMES, spoken + SILENT * 2)
    assert newest(pages, acme).id != asked.id


def test_what_nobody_begins_is_given_up(pages: Served, acme: str, instance: dg.DagsterInstance) -> None:
    """A request without a daemon, one without a partition, and one whose run Dagster never created."""
    now = datetime(2030, 3, 1, 12, tzinfo=UTC)
    ask_for_run(pages.registry, acme, ANN, SYNC, now=now)
    with pytest.raises(LockError, match="has not ended"):
        ask_for_run(pages.registry, acme, ANN, SYNC, now=now)
    instance.delete_dynamic_partition("integration_assets_tenants", "acme")
    assert begin_requested(pages.registry, instance, NAMES, now) == ([], 1)
    [old] = recent_requests(pages.registry, acme, limit=1, now=now + WAITS + timedelta(seconds=1))
    assert (old.outcome, old.run_id) == ("NEVER_TAKEN", None)
    assert "or its sensor requested_runs or tenants is off" in (old.note or "")

    now += timedelta(hours=1)
    instance.add_dynamic_partitions("integration_assets_tenants", ["acme"])
    ask_for_run(pages.registry, acme, ANN, SYNC, now=now)
    assert len(begin_requested(pages.registry, instance, NAMES, now)[0]) == 1
    begin_requested(pages.registry, instance, NAMES, now + CREATED_WITHIN)
    begin_requested(pages.registry, instance, NAMES, now + CREATED_WITHIN + timedelta(seconds=1))
    assert recent_requests(pages.registry, acme, limit=1, now=now)[0].outcome == "NOT_STARTED"
    assert daemon_is_there(pages.registry, now=now + CREATED_WITHIN + THERE)
    assert not daemon_is_there(pages.registry, now=now + CREATED_WITHIN + THERE + timedelta(seconds=2))


def test_a_setup_that_fails_says_why_in_one_line(
    pages: Served, acme: str, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cleaned like that of a run: what a CRM answers may hold anything, a person's address too."""

    async def refused(*_: object) -> None:
        raise PermanentError("the CRM refused it:\nBea <bea@acme.example> owns the object")

    key = pages.site.settings.key
    assert key is not None
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(pages.home))
    monkeypatch.setenv("INTEGRATION_ASSETS_KEY", key.get_secret_value())
    monkeypatch.setattr("integration_assets.tenants.portal_setup.set_up", refused)
    asked = ask_for_run(pages.registry, acme, ANN, NewRequest(Action.SETUP, "sandbox", digest="0" * 64))
    [run], _ = begin_requested(pages.registry, instance, NAMES, asked.asked_at)
    ended = setup_job(NAMES).execute_in_process(
        partition_key="acme", run_config=run.run_config, instance=instance, raise_on_error=False
    )
    assert not ended.success
    [told] = [one for one in recent_requests(pages.registry, acme, limit=50) if one.id == asked.id]
    assert told.outcome == "FAILED"
    note = told.note or ""
    assert note.startswith("the CRM refused it: Bea ")
    assert "bea@" not in note


def test_the_sensor_among_the_definitions_asks_for_the_run(
    pages: Served, acme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the right job, for the tenant's partition; and says that there is nothing to do where nothing is."""
    from integration_assets.definitions import defs

    key = pages.site.settings.key
    assert key is not None
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(pages.home))
    monkeypatch.setenv("INTEGRATION_ASSETS_KEY", key.get_secret_value())
    repository = defs.get_repository_def()
    sensor = repository.get_sensor_def("requested_runs")
    asked = ask_for_run(pages.registry, acme, ANN, NewRequest(Action.DRY_RUN, "production"))
    # By its reference, as the daemon hands it over: without one Dagster resolves no partition.
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        instance.add_dynamic_partitions("integration_assets_tenants", ["acme"])
        context = dg.build_sensor_context(instance_ref=instance.get_ref(), repository_def=repository)
        [run] = sensor.evaluate_tick(context).run_requests or []
        assert (run.job_name, run.run_key, run.tags["dagster/partition"]) == ("dry_run", asked.id, "acme")
        assert sensor.evaluate_tick(context).skip_message == "1 open, none of them to be started"
