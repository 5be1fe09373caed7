"""The served sandbox: four systems on four ports, the same data in both portals, clean to end."""

from __future__ import annotations

import csv
import functools
import io
import os
import signal
import socket
import subprocess
import sys
import threading

import httpx
import pytest

from integration_assets.config import load_settings
from integration_assets.sandbox.sample_data import ACCOUNT_ID_PROPERTY, ARR_PROPERTY, build_sample
from integration_assets.sandbox.server import SandboxAddresses, build_sandbox, run_forever, serving
from integration_assets_tests.conftest import Served
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

post = functools.partial(httpx.post, timeout=PATIENCE_SECONDS)
get = functools.partial(httpx.get, timeout=PATIENCE_SECONDS)


def test_the_standard_sandbox_is_served():
    with serving(build_sandbox()) as addresses:
        assert post(f"{addresses.slack_base_url}auth.test").json()["error"] == "not_authed"


def test_both_portals_hold_the_same_companies_under_different_ids(small_sandbox: Served):
    sandbox = small_sandbox.sandbox
    first, second = sandbox.sandbox, sandbox.production
    assert not set(first.company_ids) & set(second.company_ids)

    def names(portal: object) -> list[str]:
        return [record["properties"]["name"] for record in portal.records("companies")]  # type: ignore[attr-defined]  # either portal

    assert sorted(names(first.portal)) == sorted(names(second.portal))
    assert len(names(first.portal)) == len(sandbox.sample.companies)
    assert (first.portal.account_type, second.portal.account_type) == ("SANDBOX", "STANDARD")
    assert first.portal.portal_id != second.portal.portal_id


def test_parents_and_primary_companies_are_associated(small_sandbox: Served):
    sandbox = small_sandbox.sandbox
    seeded = sandbox.production
    child, parent = sandbox.sample.parents[0]
    found = seeded.portal.associations("companies", seeded.company_ids[child], "companies")
    assert set(found) == {seeded.company_ids[parent]}
    contact = next(index for index, company in enumerate(sandbox.sample.contact_company) if company is not None)
    company = sandbox.sample.contact_company[contact]
    assert company is not None
    linked = seeded.portal.associations("contacts", seeded.contact_ids[contact], "companies")
    assert set(linked) == {seeded.company_ids[company]}
    assert "Primary" in linked[seeded.company_ids[company]]


def test_each_port_answers_for_its_own_system(small_sandbox: Served):
    addresses, sandbox = small_sandbox.addresses, small_sandbox.sandbox
    token = sandbox.production.portal.token
    url = f"{addresses.crm_production_base_url}/account-info/2026-09/details"
    answer = get(url, headers={"authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.json()["portalId"]) == (200, sandbox.production.portal.portal_id)
    other = get(url.replace(addresses.crm_production_base_url, addresses.crm_sandbox_base_url))
    assert other.status_code == 401
    boards = post(f"{addresses.canny_base_url}/v1/boards/list", json={"apiKey": sandbox.sample.workspace.api_key})
    assert len(boards.json()["boards"]) == 5
    assert len(sandbox.hubspot_production.requests) == len(sandbox.hubspot_sandbox.requests) == 1
    assert len(sandbox.canny.requests) == 1


def test_its_environment_is_what_the_settings_read(small_sandbox: Served, monkeypatch: pytest.MonkeyPatch):
    for name, value in small_sandbox.addresses.environment().items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.feedbacks[0].base_url == small_sandbox.addresses.canny_base_url
    assert settings.feedbacks[0].secret is not None
    assert settings.crm(settings.environment).text("arr_property") == ARR_PROPERTY
    assert settings.crm(settings.environment).text("account_id_property") == ACCOUNT_ID_PROPERTY
    assert settings.crm(settings.environment).base_url == small_sandbox.addresses.crm_sandbox_base_url
    assert settings.slack.text("channel") == "C0SANDBOX1"
    assert settings.own_domains == small_sandbox.sandbox.sample.own_domains
    assert set(settings.currency_rates) == {"EUR", "GBP"}


def test_overrides_name_the_ids_of_their_environment(small_sandbox: Served):
    sandbox = small_sandbox.sandbox
    for environment, seeded in (("sandbox", sandbox.sandbox), ("production", sandbox.production)):
        rows = list(csv.DictReader(io.StringIO(sandbox.overrides_csv(environment))))
        assert [(row["match"], row["company_id"]) for row in rows] == [
            (match, seeded.company_ids[index]) for match, index, _ in sandbox.sample.overrides
        ]


def test_fixed_ports_are_used_and_a_taken_one_is_named():
    sample = build_sample(requests=40, votes=400, companies=120)
    with socket.socket() as blocker:
        blocker.bind(("127.0.0.1", 0))
        blocker.listen()
        taken = blocker.getsockname()[1]
        with (
            pytest.raises(OSError, match=f"port {taken} of 127.0.0.1 is taken"),
            serving(build_sandbox(sample), (0, taken, 0, 0)),
        ):
            pass
    with serving(build_sandbox(sample), (taken, 0, 0, 0)) as addresses:
        assert addresses.canny_base_url == f"http://127.0.0.1:{taken}/api"


def test_running_for_ever_ends_when_told():
    stop, told = threading.Event(), []

    def announce(addresses: SandboxAddresses) -> None:
        told.append(addresses)
        stop.set()

    sample = build_sample(requests=40, votes=400, companies=120)
    run_forever(announce, sandbox=build_sandbox(sample), stop=stop)
    with pytest.raises(httpx.ConnectError):
        post(f"{told[0].slack_base_url}auth.test")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_running_for_ever_ends_cleanly_on_a_signal(number: signal.Signals):
    code = (
        "from integration_assets.sandbox.server import run_forever\n"
        "run_forever(lambda addresses: print(addresses.canny_base_url, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stdout.readline().startswith("http://127.0.0.1:")
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE_SECONDS)
    assert (process.returncode, errors) == (0, "")
