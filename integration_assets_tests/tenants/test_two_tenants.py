"""Two tenants of one installation, each with systems and keys of its own, from registration to the second sync."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from integration_assets.sandbox.lookalike import Fault
from integration_assets_tests.support.installation import Installation, installation
from integration_assets_tests.support.short_waits import short_waits
from integration_assets_tests.support.snapshots import folder

pytestmark = pytest.mark.proof  # a dozen syncs of two tenants: part of `make proofs`


@pytest.fixture(scope="module")
def two() -> Iterator[Installation]:
    """acme and globex, registered and set up, before their first sync."""
    with folder() as home, installation(home, "acme", "globex") as made:
        for tenant in made.worlds:
            made.register(tenant)
            made.good("setup", "--tenant", tenant, "--yes")
        yield made


def secrets_of(made: Installation) -> list[str]:
    values = [world.addresses.environment() for world in made.worlds.values()]
    names = ("CANNY_API_KEY", "HUBSPOT_SANDBOX_TOKEN", "HUBSPOT_PRODUCTION_TOKEN", "SLACK_BOT_TOKEN")
    return [one[name] for one in values for name in names] + [made.key]


def test_each_tenant_syncs_its_own_systems(two: Installation) -> None:
    """acme's sync asks acme's systems with acme's keys and no other; then globex's; a second one writes nothing."""
    for world in two.worlds.values():
        world.forget_requests()
    two.good("sync", "--tenant", "acme")
    acme, globex = two.worlds["acme"], two.worlds["globex"]
    assert len(acme.in_crm().records) == 5
    assert globex.sandbox.canny.requests == []
    assert globex.lookalike().requests == []
    two.good("sync", "--tenant", "globex")
    assert globex.in_crm().records.keys() == acme.in_crm().records.keys()
    for tenant, world in two.worlds.items():
        world.forget_requests()
        two.good("sync", "--tenant", tenant)
        assert world.writes() == []
        assert f"tenant {tenant}" in str(world.sandbox.team.messages[-1])


def test_what_one_tenant_meets_does_not_touch_the_other(two: Installation) -> None:
    """globex's token is revoked and its Canny is down: it fails by name, acme goes on; the page says how it went."""
    portal = two.worlds["globex"].seeded().portal
    token, portal.token = portal.token, "another one since, with 20 characters"
    ran = two.run("sync", "--tenant", "globex")
    assert ran.code == 1
    assert "the HubSpot token (sandbox) of tenant globex" in ran.err
    assert "HUBSPOT_SANDBOX_TOKEN" not in ran.out + ran.err
    two.good("sync", "--tenant", "acme")
    assert "last time: " in two.good("tenants", "integrations", "list", "globex")
    assert "worked " in two.good("tenants", "integrations", "list", "acme")
    portal.token = token
    canny = two.worlds["globex"].sandbox.canny
    canny.faults.append(Fault(matches=lambda _: True, times=None, close=True))
    with short_waits():
        ran = two.run("sync", "--tenant", "globex")
    canny.faults.clear()
    assert ran.code == 75
    two.good("sync", "--tenant", "acme")
    two.good("sync", "--tenant", "globex")


def test_no_secret_is_anywhere_in_the_home_or_in_what_was_said(two: Installation) -> None:
    """Neither Dagster's records, nor stores, nor the registry, nor any output hold a key."""
    said = ""
    for arguments in (("sync", "--tenant", "acme"), ("doctor", "--tenant", "acme"), ("tenants", "show", "acme")):
        ran = two.run(*arguments)
        said += ran.out + ran.err
    said += two.good("tenants", "audit", "acme") + two.good("keys", "status")
    for secret in secrets_of(two):
        assert secret not in said
        for file in two.home.rglob("*"):
            if file.is_file():
                assert secret.encode() not in file.read_bytes(), file


def test_the_environment_is_no_fallback(two: Installation) -> None:
    """What is not in the registry, or disabled there, is missing, whatever the environment holds."""
    values = two.worlds["globex"].addresses.environment()
    operators = {name: values[name] for name in values if name.startswith(("CANNY_", "HUBSPOT_", "SLACK_"))}
    change = ("tenants", "integrations", "change", "acme", "canny")
    two.good(*change, "--disable")
    two.worlds["globex"].forget_requests()
    ran = two.run("sync", "--tenant", "acme", **operators)
    assert ran.code == 2
    assert "tenant acme has no enabled integration with a secret for Canny for sandbox: add it" in ran.err
    assert two.worlds["globex"].sandbox.canny.requests == []
    two.good(*change, "--enable")
    two.good("tenants", "add", "initech")
    for command in ("sync", "doctor", "setup"):
        ran = two.run(command, "--tenant", "initech", **operators)
        assert ran.code == 2
        assert "tenant initech has no integrations" in ran.err
    assert two.worlds["globex"].sandbox.canny.requests == []
    two.good("tenants", "remove", "initech", "--yes")
    assert "there is no tenant initech" in two.run("sync", "--tenant", "initech").err


def test_default_reads_the_environment_until_it_has_an_entry(two: Installation) -> None:
    """Beside registered tenants the default one works on the variables; with an entry of its own it does not."""
    values = two.worlds["acme"].addresses.environment()
    operators = {name: value for name, value in values.items() if name.startswith(("CANNY_", "HUBSPOT_", "SLACK_"))}
    assert two.run("sync", "--read-only", **operators).code == 0
    two.good("tenants", "add", "default")
    assert two.run("sync", "--read-only", **operators).code == 0
    slack = ("tenants", "integrations", "add", "default", "slack")
    two.good(*slack, stdin="xoxb-0123456789-0123456789")
    ran = two.run("sync", "--read-only", **operators)
    assert ran.code == 2
    assert "tenant default has no enabled integration" in ran.err
    two.good("tenants", "remove", "default", "--yes")


def test_a_connection_is_tried_for_real(two: Installation) -> None:
    """Each integration works; a wrong key is refused, in fixed words."""
    for provider in ("canny", "hubspot", "slack"):
        assert two.good("tenants", "integrations", "test", "acme", provider).startswith("ok: ")
    workspace = two.worlds["acme"].canny
    key, workspace.api_key = workspace.api_key, "another"
    ran = two.run("tenants", "integrations", "test", "acme", "canny")
    workspace.api_key = key
    assert (ran.code, ran.out) == (1, "refused: the secret was refused, or lacks a right\n")


@pytest.mark.parametrize("key", [None, "bm90IGEga2V5", "A" * 43])
def test_without_the_right_key_nothing_starts(two: Installation, key: str | None) -> None:
    """No key, half a key or another one: every command that needs the registry ends with exit 2 and asks nobody."""
    for world in two.worlds.values():
        world.forget_requests()
    for command in (("sync", "--tenant", "acme"), ("sync",), ("doctor", "--tenant", "acme"), ("tenants", "list")):
        ran = two.run(*command, INTEGRATION_ASSETS_KEY=key)
        assert ran.code == 2
        assert "INTEGRATION_ASSETS_KEY" in ran.err
        assert key is None or key not in ran.err
    for world in two.worlds.values():
        assert world.sandbox.canny.requests == []
        assert world.sandbox.slack.requests == []


def test_a_key_file_must_be_the_owners_alone(two: Installation, tmp_path: Path) -> None:
    """Mode 0400 and nothing else."""
    file = tmp_path / "key"
    file.write_text(two.key + "\n")
    for mode, code in ((0o400, 0), (0o600, 2), (0o440, 2), (0o404, 2)):
        file.chmod(mode)
        ran = two.run("tenants", "list", INTEGRATION_ASSETS_KEY=None, INTEGRATION_ASSETS_KEY_FILE=str(file))
        assert ran.code == code
        assert code == 0 or "chmod 400" in ran.err


def test_an_address_of_somebody_elses_is_not_taken(two: Installation) -> None:
    """A third-party address that is neither the provider's nor the operator's is refused when it is entered."""
    change = ("tenants", "integrations", "change", "acme", "canny", "--secret", "--base-url")
    for address in ("https://canny.io.evil.example", "https://169.254.169.254/latest", "http://127.0.0.1:1/api"):
        ran = two.run(*change, address, stdin="another-key-0123456789\n")
        assert ran.code == 2
        assert "base_url: its " in ran.err
    assert two.run("sync", "--tenant", "acme", "--dry-run", INTEGRATION_ASSETS_ALLOWED_HOSTS=None).code == 2
