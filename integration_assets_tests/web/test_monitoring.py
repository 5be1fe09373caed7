"""What machines ask of the pages: whether they can serve, and the numbers of the runs; and how they end."""

from __future__ import annotations

import logging
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from integration_assets.config import load_metrics_settings, load_settings
from integration_assets.errors import ConfigurationError, TransientError
from integration_assets.reporting import metrics
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.master import generate
from integration_assets.web import monitoring
from integration_assets_tests.support.processes import clean_environment
from integration_assets_tests.support.registries import with_two_tenants
from integration_assets_tests.support.waiting import PATIENCE_SECONDS, until
from integration_assets_tests.support.web_site import Client, served
from integration_assets_tests.web.conftest import ACME, Served

PAGE = (Path(__file__).parents[2] / "docs" / "operations" / "monitoring.md").read_text(encoding="utf-8")
TOKEN = "what-the-scraper-sends"


def leave_run(home: Path, tenant: str, run_id: str, started_at: str, **values: Any) -> None:
    """The file of a run, with the fields that become numbers and some that must not."""
    summary = {
        "state": "SUCCEEDED",
        "started_at": started_at,
        "duration_seconds": 30.0,
        "dry_run": False,
        "api_calls": {"hubspot": {"total": 40, "writes": 3, "retried": 2, "throttled": 1}},
        "freshness": {"votes_as_of": started_at, "companies_as_of": None},
        "top": {"by_arr": [{"title": "secret-title ann@acme.example"}]},
    }
    rest = {"error": "token-of-acme", "calls_left_today": 1_000} | {
        name: values.pop(name) for name in ("calls_left_today",) if name in values
    }
    folder = home / "runs" / "sandbox" / tenant
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{run_id}.json").write_bytes(msgspec.json.encode({"summary": summary | values, **rest}))


@pytest.fixture
def runs(pages: Served) -> Iterator[Path]:
    """A home in which acme ran twice and globex never."""
    home = pages.home
    leave_run(home, "acme", "one", "2026-03-01T10:00:00Z")
    leave_run(
        home,
        "acme",
        "two",
        "2026-03-01T12:00:00Z",
        state="FAILED",
        freshness={"votes_as_of": None, "companies_as_of": None},
        calls_left_today=None,
    )
    yield home
    for file in (home / "runs").rglob("*.json"):
        file.unlink()


def numbers(text: str) -> dict[tuple[str, ...], float]:
    """Samples by name and the values of their labels, in the order of the labels' names."""
    return {
        (
            sample.name.removeprefix("integration_assets_"),
            *(text for _, text in sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_numbers_say_how_runs_end_what_they_call_and_how_old_the_data_is(pages: Served, runs: Path) -> None:
    """Totals over all tenants, and of each the newest; a failed run leaves the last success and the age of the data."""
    metrics.keep_run_queue(runs, metrics.RunQueue(queued=3, started=1, at=datetime(2026, 3, 1, tzinfo=UTC)))
    (runs / "runs" / "sandbox" / "acme" / "half.json").write_bytes(b'{"summary": {')
    with served(pages.site.settings, pages.registry) as site, Client(site.origin) as machine:
        answer = machine.get("/metrics")
        assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        found = numbers(answer.text)
        leave_run(runs, "acme", "three", "2026-03-01T14:00:00Z")
        later = numbers(machine.get("/metrics").text)
    documented = set(re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| (`[a-z_]+`.*?) \|", PAGE, re.MULTILINE))))
    assert documented == {name for name, *_ in later}
    ten, two = 1_772_359_200.0, 1_772_366_400.0
    assert found[("runs_total", "sandbox", "SUCCEEDED")] == found[("runs_total", "sandbox", "FAILED")] == 1
    assert found[("runs_total", "production", "HELD")] == 0
    assert found[("calls_total", "sandbox", "hubspot")] == 80
    assert found[("calls_retried_total", "sandbox", "hubspot")] == 4
    assert found[("calls_throttled_total", "sandbox", "hubspot")] == 2
    assert found[("last_run_timestamp_seconds", "sandbox", "acme")] == two
    assert found[("last_run_succeeded", "sandbox", "acme")] == 0
    assert found[("last_success_timestamp_seconds", "false", "sandbox", "acme")] == ten + 30
    assert found[("data_as_of_timestamp_seconds", "sandbox", "votes", "acme")] == ten
    assert ("crm_calls_left_today", "sandbox", "acme") not in found
    assert (found[("tenants",)], found[("tenants_overdue",)]) == (2, 2)
    assert (found[("dagster_runs", "queued")], found[("dagster_runs", "started")]) == (3, 1)
    assert found[("run_files_unreadable",)] == 1
    assert later[("runs_total", "sandbox", "SUCCEEDED")] == 2
    assert later[("crm_calls_left_today", "sandbox", "acme")] == 1_000
    for private in ("secret-title", "@", "token-of"):
        assert private not in answer.text


def test_the_number_of_series_has_a_bound_and_what_is_left_out_is_counted(
    pages: Served, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of more tenants than may have their own, the first by name have; totals are of all."""
    monkeypatch.setattr(metrics, "MOST_TENANTS", 1)
    leave_run(runs, "globex", "one", "2026-03-01T10:00:00Z")
    with Client(pages.site.origin) as machine:
        found = numbers(machine.get("/metrics").text)
    assert {key[2] for key in found if key[0] == "last_run_succeeded"} == {"acme"}
    assert (found[("tenants",)], found[("tenants_without_series",)]) == (2, 1)
    assert found[("runs_total", "sandbox", "SUCCEEDED")] == 2


@pytest.mark.parametrize(
    "headers", [{"x-forwarded-for": "203.0.113.7"}, {"host": "evil.example"}, {"forwarded": "for=203.0.113.7"}]
)
def test_without_a_token_only_this_machine_reads_the_numbers(stranger: Client, headers: dict[str, str]) -> None:
    """Not who came through a proxy on it, nor a name that was made to point here."""
    assert stranger.get("/metrics").status_code == 200
    assert stranger.http.get("/metrics", headers=headers).status_code == 403


def test_with_a_token_whoever_sends_it_reads_the_numbers(pages: Served) -> None:
    """From any address and by any name; without it not even this machine."""
    with (
        served(pages.site.settings, pages.registry, metrics_token=SecretStr(TOKEN)) as site,
        Client(site.origin) as machine,
    ):
        refused = [{}, {"authorization": f"Bearer {TOKEN}x"}, {"authorization": f"Basic {TOKEN}"}]
        answers = [machine.http.get("/metrics", headers=headers) for headers in refused]
        assert {(one.status_code, one.headers["www-authenticate"]) for one in answers} == {(401, "Bearer")}
        good = {"authorization": f"Bearer {TOKEN}", "host": "pages:8321", "x-forwarded-for": "10.0.0.7"}
        assert machine.http.get("/metrics", headers=good).status_code == 200


@pytest.mark.parametrize("token", ["short", "with a blank in its middle", "caf\u00e9caf\u00e9caf\u00e9caf\u00e9"])
def test_a_token_that_protects_nothing_is_refused_unseen(monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    """It is named by its variable, and not repeated."""
    monkeypatch.setenv("INTEGRATION_ASSETS_METRICS_TOKEN", token)
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_METRICS_TOKEN: must have at least 16") as raised:
        load_metrics_settings()
    assert token not in str(raised.value)


def test_ready_says_what_is_missing_and_the_log_says_why(
    pages: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Registry, migrations, home and disk; health says all the while that the process lives."""
    monkeypatch.setattr(monitoring, "READY_SECONDS", 0.0)
    with caplog.at_level(logging.INFO), Client(pages.site.origin) as machine:

        def answer() -> tuple[int, str]:
            asked = machine.http.get("/ready", headers={"host": "10.0.0.7"})
            return asked.status_code, asked.text

        assert answer() == (200, "ready\n")
        with monkeypatch.context() as broken:
            broken.setattr(Registry, "is_current", lambda _: False)
            broken.setattr("os.access", lambda *_: False)
            assert answer() == (503, "not ready: migrations\nnot ready: home\n")
            assert machine.get("/health").status_code == 200
        with monkeypatch.context() as broken:

            def refuse(_: Registry) -> bool:
                raise TransientError("the registry cannot be used now")

            broken.setattr(Registry, "is_current", refuse)
            broken.setattr("integration_assets.staging.room.LEAST_BYTES", 10**18)
            assert answer() == (503, "not ready: registry\nnot ready: disk\n")
        assert answer() == (200, "ready\n")
    said = [record.getMessage() for record in caplog.records if record.name == monitoring.__name__]
    assert len(said) == 3
    assert "the registry cannot be used now" in said[1]
    assert said[2] == "ready again"


def test_readiness_asks_the_registry_once_in_a_while(pages: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks all the time is answered from the last look."""
    looks = []

    def look(registry: Registry) -> bool:
        looks.append(registry)
        return True

    monkeypatch.setattr(Registry, "is_current", look)
    with served(pages.site.settings, pages.registry) as site, Client(site.origin) as machine:
        assert {machine.get("/ready").status_code for _ in range(5)} == {200}
    assert len(looks) == 1


def test_a_line_of_the_log_cannot_be_misread(pages: Served, caplog: pytest.LogCaptureFixture) -> None:
    """Method, template of the path, status, time with its unit, id; neither query nor what was typed."""
    with caplog.at_level(logging.INFO, "integration_assets.web"), Client(pages.site.origin) as ann:
        ann.log_in(ACME)
        ann.get("/requests/some-id?token=typed")
        until(lambda: any("/requests/" in one.getMessage() for one in caplog.records), "the line of the request")
    lines = [record.getMessage() for record in caplog.records if record.name == "integration_assets.web"]
    assert all(re.fullmatch(r"[A-Z]+ /\S* \d{3} \d+ms request=[0-9a-f]{32}", line) for line in lines)
    assert any(line.startswith("GET /requests/{request_id} ") for line in lines)
    assert not any("typed" in line or "some-id" in line for line in lines)


def test_sigterm_ends_the_pages_well_with_connections_open(tmp_path: Path) -> None:
    """Exit code 0, also while a browser keeps its connection and another sends half a request."""
    settings = {"INTEGRATION_ASSETS_HOME": str(tmp_path), "INTEGRATION_ASSETS_KEY": generate()}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        for _ in with_two_tenants(load_settings()):
            pass
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with (tmp_path / "said").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "integration_assets.cli", "serve", "--port", str(port)],
            env=clean_environment(settings),
            stderr=output,
        )
    try:
        origin = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=origin, trust_env=False) as browser:

            def is_up() -> bool:
                assert process.poll() is None
                try:
                    return browser.get("/ready").status_code == 200
                except httpx.TransportError:
                    return False

            until(is_up, "the pages")
            with socket.create_connection(("127.0.0.1", port)) as half:
                half.sendall(b"GET /login HTTP/1.1\r\nHost: x\r\nX-Slow: ")
                process.send_signal(signal.SIGTERM)
                assert process.wait(PATIENCE_SECONDS) == 0
        said = (tmp_path / "said").read_text(encoding="utf-8")
        assert "interrupted" not in said
        assert "Traceback" not in said
    finally:
        process.kill()
        process.wait()
