"""The product in a company's network: only the proxy knows the way to the systems, and only the company's own
authority vouches for them.
"""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import quote, urlsplit

import msgspec
import pytest
from anyio.from_thread import start_blocking_portal

from integration_assets.runs.in_process import dagster_home, prepared_instance
from integration_assets_tests.support.company_network import LOOPBACK, Authority, CompanyProxy
from integration_assets_tests.support.harness import Ran, World
from integration_assets_tests.support.snapshots import Snapshot, copy_of
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.proof  # real processes, and a network of its own

CANNY = "canny.company.invalid"
HUBSPOT = "hubspot.company.invalid"
PRODUCTION = "hubspot-production.company.invalid"
SLACK = "slack.company.invalid"
"""Names that no name server may ever know (RFC 6761), so that nothing but the proxy leads there."""
DIRECT = "localhost"
"""Slack's other name, which leads there without the proxy as well."""
USER, PASSWORD, WRONG_PASSWORD = "ann", "of/pass@word:proxy", "not/pass@word:proxy"
SHOWS_A_PASSWORD = (
    "pass@word",
    "pass%40word",
    *(b64encode(f"{USER}:{password}".encode()).decode() for password in (PASSWORD, WRONG_PASSWORD)),
)
"""As they are, as the variable has them, and as the proxy is sent them."""


class Company(NamedTuple):
    """A world whose systems are asked by names of the company's network, and that network."""

    world: World
    proxy: CompanyProxy
    authority: Authority

    def variables(self, **variables: str | None) -> dict[str, str | None]:
        """What the operator of this network sets, with changes."""
        return {
            "HTTPS_PROXY": self.proxy_url(PASSWORD),
            "SSL_CERT_FILE": str(self.authority.file),
            "NO_PROXY": None,
            "no_proxy": None,
            "INTEGRATION_ASSETS_ALLOWED_HOSTS": None,  # the sandbox's own addresses, which nobody knows here
            **variables,
        }

    def proxy_url(self, password: str) -> str:
        """Value of the variable that names the proxy."""
        return f"http://{USER}:{quote(password, safe='')}@{LOOPBACK}:{self.proxy.port}"

    def sync(self, **variables: str | None) -> Ran:
        """A sync as a process of its own."""
        asked_for = self.world.home / "asked-for.json"
        asked_for.unlink(missing_ok=True)
        process = self.world.start("sync", "--json", str(asked_for), **self.variables(**variables))
        return self.world.finish(process, asked_for)

    def run(self, *arguments: str, json_file: bool = False, **variables: str | None) -> Ran:
        """A command in this process."""
        return self.world.run(*arguments, json_file=json_file, **self.variables(**variables))

    def asked(self) -> set[str]:
        """Hosts of the look-alikes that got any request."""
        lookalikes = {
            CANNY: self.world.sandbox.canny,
            HUBSPOT: self.world.sandbox.hubspot_sandbox,
            PRODUCTION: self.world.sandbox.hubspot_production,
            SLACK: self.world.sandbox.slack,
        }
        return {host for host, one in lookalikes.items() if one.requests}

    def was_only_asked_through_the_proxy(self) -> None:
        """Every system was asked, by tunnels of the proxy, which refused nothing; no connection went round it."""
        assert self.asked() == set(self.proxy.tunnels) == self.proxy.reached == {CANNY, HUBSPOT, PRODUCTION, SLACK}
        assert (self.proxy.reached_directly, self.proxy.refusals) == (set(), [])

    def titles(self) -> set[str | None]:
        """Titles of our records in the CRM."""
        return {record["title"] for record in self.world.in_crm().records.values()}

    def told_success(self) -> bool:
        """Whether the newest message in Slack is of a success; those of failed runs before come late, ahead of it."""
        [*_, newest] = self.world.sandbox.team.messages
        return str(newest["text"]).endswith("succeeded")


@pytest.fixture(scope="module")
def network(ready_snapshot: Snapshot, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The small world after setup, moved into a company's network."""
    authority = Authority(tmp_path_factory.mktemp("authority"))
    with copy_of(ready_snapshot) as world, start_blocking_portal() as portal:
        there = world.addresses
        plain = {
            CANNY: there.canny_base_url,
            HUBSPOT: there.crm_sandbox_base_url,
            PRODUCTION: there.crm_production_base_url,
            SLACK: there.slack_base_url,
            DIRECT: there.slack_base_url,
        }
        ports = {host: urlsplit(url).port or 0 for host, url in plain.items()}
        made = CompanyProxy(authority, ports, user=USER, password=PASSWORD)
        world.addresses = dataclasses.replace(
            there,
            canny_base_url=f"https://{CANNY}/api",
            crm_sandbox_base_url=f"https://{HUBSPOT}",
            crm_production_base_url=f"https://{PRODUCTION}",
            slack_base_url=f"https://{SLACK}/api/",
        )
        with portal.wrap_async_context_manager(made.served()) as proxy:
            yield Company(world, proxy, authority)


@pytest.fixture
def company(network: Company, monkeypatch: pytest.MonkeyPatch) -> Company:
    """The network with nothing asked yet."""
    monkeypatch.setattr("integration_assets.doctor.network.SECONDS", PATIENCE_SECONDS)  # a busy machine is no finding
    network.world.forget_requests()
    network.world.sandbox.team.messages.clear()
    network.proxy.forget()
    return network


def shows_the_password(company: Company, ran: Ran) -> set[str]:
    """Surfaces with the proxy's password on them: what was printed, told, and kept in any file of the home."""
    surfaces = {"stdout": ran.out.encode(), "stderr": ran.err.encode(), "json": json.dumps(ran.summary).encode()}
    surfaces["slack"] = msgspec.json.encode(company.world.sandbox.team.messages)
    for file in company.world.home.rglob("*"):
        if file.is_file():
            surfaces[str(file.relative_to(company.world.home))] = file.read_bytes()
    spelled = [text.encode(encoding) for text in SHOWS_A_PASSWORD for encoding in ("utf-8", "utf-16-le")]
    return {name for name, content in surfaces.items() if any(one in content for one in spelled)}


def test_a_sync_asks_every_system_through_the_proxy_and_shows_no_password(company: Company) -> None:
    """As a process of its own: the records are in the CRM, the message in Slack, and the password nowhere."""
    company.world.edit_request("dark mode", title="Dark mode by proxy")
    ran = company.sync()
    assert (ran.code, ran.summary["state"]) == (0, "SUCCEEDED"), ran.out + ran.err
    company.was_only_asked_through_the_proxy()
    assert "Dark mode by proxy" in company.titles()
    assert company.told_success()
    kept = {file.suffix for file in company.world.home.rglob("*") if file.is_file()}
    assert {".duckdb", ".html", ".json", ".db"} <= kept  # stores, report, summary and Dagster's records are looked at
    assert not shows_the_password(company, ran)


def test_without_the_own_authority_a_sync_fails_and_names_the_variable(company: Company) -> None:
    """A certificate does not become good by waiting: FAILED at the first system, nothing of it asked."""
    company.world.edit_request("csv export", title="Export without trust")
    ran = company.sync(SSL_CERT_FILE=None)
    assert (ran.code, ran.summary["state"]) == (1, "FAILED"), ran.out + ran.err
    assert any("certificate is not trusted" in line and "SSL_CERT_FILE" in line for line in ran.error_lines), ran.err
    assert company.proxy.tunnels
    assert company.asked() == company.proxy.reached == company.proxy.reached_directly == set()
    assert "Export without trust" not in company.titles()
    assert not shows_the_password(company, ran)


@pytest.mark.usefixtures("dagster_in_memory")
def test_with_a_wrong_password_a_sync_fails_and_names_the_proxy(company: Company) -> None:
    """The message says which proxy and where it is configured, not what it was sent."""
    ran = company.run("sync", json_file=True, HTTPS_PROXY=company.proxy_url(WRONG_PASSWORD))
    assert (ran.code, ran.summary["state"]) == (1, "FAILED"), ran.out + ran.err
    named = f"the proxy {LOOPBACK}:{company.proxy.port} (HTTPS_PROXY) asks for a user and a password"
    assert any(named in line for line in ran.error_lines), ran.err
    assert {status for status, _ in company.proxy.refusals} == {407}
    assert (company.asked(), company.proxy.tunnels) == (set(), [])
    assert not shows_the_password(company, ran)


def test_the_doctor_looks_through_the_proxy(company: Company) -> None:
    """Nothing fails, and every system it looks at is reached by a tunnel."""
    ran = company.run("doctor")
    assert ran.code == 0, ran.out + ran.err
    company.was_only_asked_through_the_proxy()
    assert not shows_the_password(company, ran)


def test_the_doctor_names_the_variable_of_the_own_authority(company: Company) -> None:
    """It fails, and says what to set."""
    ran = company.run("doctor", SSL_CERT_FILE=None)
    assert ran.code == 1, ran.out + ran.err
    assert "SSL_CERT_FILE" in ran.out
    assert company.asked() == company.proxy.reached_directly == set()
    assert not shows_the_password(company, ran)


@pytest.mark.long
def test_dagsters_own_command_line_inherits_the_network(company: Company) -> None:
    """`dagster job execute`, as a scheduler of one's own calls it."""
    company.world.edit_request("crash", title="Crash by Dagster")
    folder = dagster_home(company.world.home)
    with prepared_instance(folder):
        pass
    command = [sys.executable, "-m", "dagster", "job", "execute", "-m", "integration_assets.definitions", "-j", "sync"]
    done = subprocess.run(
        [*command, "--tags", '{"dagster/partition":"default"}'],
        env=company.world.environment(**company.variables(DAGSTER_HOME=str(folder))),
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    company.was_only_asked_through_the_proxy()
    assert "Crash by Dagster" in company.titles()
    assert company.told_success()
    assert not shows_the_password(company, Ran(done.returncode, done.stdout, done.stderr))


@pytest.mark.usefixtures("dagster_in_memory")
@pytest.mark.parametrize("no_proxy", [None, DIRECT])
def test_a_host_that_no_proxy_names_is_asked_directly(company: Company, no_proxy: str | None) -> None:
    """Slack by a name that leads there either way: its message arrives, with a tunnel only where nothing forbids it."""
    slack = f"https://{DIRECT}:{company.proxy.fronts[DIRECT]}/api/"
    ran = company.run("sync", SLACK_BASE_URL=slack, NO_PROXY=no_proxy)
    assert ran.code == 0, ran.out + ran.err
    assert company.told_success()
    assert company.proxy.reached_directly == ({DIRECT} if no_proxy else set())
    assert set(company.proxy.tunnels) == {CANNY, HUBSPOT, PRODUCTION, *([] if no_proxy else [DIRECT])}
    assert company.proxy.refusals == []
    assert not shows_the_password(company, ran)
