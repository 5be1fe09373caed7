"""Wrong configuration, wrong keys, systems out of reach: one clear line each, the right exit code, nothing written."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Mapping

import pytest
import stamina

from integration_assets.sandbox.lookalike import Fault, LoggedRequest
from integration_assets_tests.support.harness import Ran, World

pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("dagster_in_memory"),
]  # a run for each bad input: part of `make proofs`


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _assert_clear(world: World, ran: Ran, code: int, *words: str) -> None:
    """One line for people, with these words, that exit code, no traceback, nothing written into the CRM."""
    everything = ran.out + ran.err
    assert ran.code == code, everything
    assert "Traceback" not in everything
    assert world.writes() == []
    assert world.writes("production") == []
    assert len(ran.error_lines) == 1
    for word in words:
        assert word in ran.error_lines[0]
    assert len(ran.error_lines[0]) < 400
    assert (ran.summary is None) == (code == 2)


MISSING: list[tuple[dict[str, str | None], tuple[str, ...]]] = [
    ({"CANNY_API_KEY": None}, ("CANNY_API_KEY",)),
    ({"HUBSPOT_SANDBOX_TOKEN": None}, ("HUBSPOT_SANDBOX_TOKEN",)),
    ({"CANNY_API_KEY": "", "HUBSPOT_SANDBOX_TOKEN": ""}, ("CANNY_API_KEY", "HUBSPOT_SANDBOX_TOKEN")),
]
WRONG: list[tuple[dict[str, str | None], tuple[str, ...]]] = [
    ({"INTEGRATION_ASSETS_ENVIRONMENT": "staging"}, ("INTEGRATION_ASSETS_ENVIRONMENT",)),
    ({"CANNY_BASE_URL": "canny.io"}, ("CANNY_BASE_URL",)),
    ({"INTEGRATION_ASSETS_CALL_BUDGET": "0"}, ("INTEGRATION_ASSETS_CALL_BUDGET",)),
    ({"INTEGRATION_ASSETS_CURRENCY_RATES": "$=1.08"}, ("INTEGRATION_ASSETS_CURRENCY_RATES", "three letters")),
    ({"INTEGRATION_ASSETS_STORE_URL": "postgresql://x/y"}, ("INTEGRATION_ASSETS_STORE_URL",)),
    ({"CANNY_BOARDS": "No such board"}, ("CANNY_BOARDS", "No such board")),
    ({"HUBSPOT_ARR_PROPERTY": "no_such_property"}, ("HUBSPOT_ARR_PROPERTY", "no_such_property")),
    ({"HUBSPOT_SANDBOX_PORTAL_ID": "123"}, ("HUBSPOT_SANDBOX_PORTAL_ID", "47110815")),
]


@pytest.mark.parametrize(("variables", "words"), [*MISSING, *WRONG], ids="-".join)
def test_wrong_configuration_is_a_usage_error(
    ready: World, variables: Mapping[str, str | None], words: tuple[str, ...]
) -> None:
    """Exit 2 and one line on stderr that names what to set; no summary is written."""
    ready.forget_requests()
    _assert_clear(ready, ready.run("sync", json_file=True, **variables), 2, *words)


def test_an_unknown_tenant_is_a_usage_error(ready: World) -> None:
    """A tenant nobody registered is named."""
    ready.forget_requests()
    _assert_clear(ready, ready.run("sync", "--tenant", "acme", json_file=True), 2, "acme")


def test_both_tokens_of_one_portal_are_a_usage_error(ready: World) -> None:
    """A production token that leads to the sandbox portal ends the run before anything is read or written."""
    ready.sandbox.production.portal.portal_id = ready.portal.portal_id
    ready.forget_requests()
    ran = ready.run("sync", "--environment", "production", json_file=True)
    _assert_clear(ready, ran, 2, "47110815")


def test_one_token_for_both_environments_is_a_usage_error(ready: World) -> None:
    """The same token in both variables is named before anything is asked."""
    token = ready.addresses.environment()["HUBSPOT_SANDBOX_TOKEN"]
    ready.forget_requests()
    ran = ready.run("sync", "--environment", "production", json_file=True, HUBSPOT_PRODUCTION_TOKEN=token)
    _assert_clear(ready, ran, 2, "HUBSPOT_SANDBOX_TOKEN and HUBSPOT_PRODUCTION_TOKEN are the same")
    assert ready.sandbox.canny.requests == []


def test_a_wrong_overrides_file_is_a_usage_error(ready: World) -> None:
    """A mapping of a personal domain, or a file that is not the CSV it should be, is named with its line."""
    (ready.home / "overrides.csv").write_text("match,company_id,note\ngmail.com,1,everybody\n")
    ready.forget_requests()
    _assert_clear(ready, ready.run("sync", json_file=True), 2, "overrides.csv line 2", "personal")
    assert ready.sandbox.canny.requests == []


def _canny_key(world: World) -> dict[str, str | None]:
    return {"CANNY_API_KEY": "a-wrong-key"}


def _hubspot_token(world: World) -> dict[str, str | None]:
    return {"HUBSPOT_SANDBOX_TOKEN": "pat-na1-a-wrong-token"}


def _scope(world: World) -> dict[str, str | None]:
    world.portal.scopes.discard("crm.objects.companies.read")
    return {}


def _canny_unreachable(world: World) -> dict[str, str | None]:
    return {"CANNY_BASE_URL": f"http://127.0.0.1:{_closed_port()}/api"}


def _hubspot_unreachable(world: World) -> dict[str, str | None]:
    return {"HUBSPOT_SANDBOX_BASE_URL": f"http://127.0.0.1:{_closed_port()}"}


REFUSED: dict[str, tuple[Callable[[World], dict[str, str | None]], int, str, tuple[str, ...]]] = {
    "canny key": (_canny_key, 1, "FAILED", ("CANNY_API_KEY",)),
    "hubspot token": (_hubspot_token, 1, "FAILED", ("HUBSPOT_SANDBOX_TOKEN",)),
    "scope": (_scope, 1, "FAILED", ("crm.objects.companies.read",)),
    "canny unreachable": (_canny_unreachable, 75, "RETRY_LATER", ("canny",)),
    "hubspot unreachable": (_hubspot_unreachable, 75, "RETRY_LATER", ("hubspot",)),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_system_refuses_ends_the_run_with_one_clear_line(ready: World, what: str) -> None:
    """A rejected key or a missing scope is exit 1, an unreachable system 75; the summary says the same state."""
    prepare, code, state, words = REFUSED[what]
    variables = prepare(ready)
    ready.forget_requests()
    with stamina.set_testing(True, attempts=2):  # repeats without their waits
        ran = ready.run("sync", json_file=True, **variables)
    _assert_clear(ready, ran, code, *words)
    assert ran.summary["state"] == state
    for secret in ("a-wrong-key", "pat-na1-a-wrong-token"):
        assert secret not in ran.out + ran.err


def test_a_write_scope_that_is_missing_is_named(ready: World) -> None:
    """The portal refuses the first write: FAILED, the scope is named, and no record was made."""
    ready.portal.scopes.discard("crm.objects.custom.write")
    ran = ready.run("sync", json_file=True)
    assert (ran.code, ran.summary["state"]) == (1, "FAILED")
    assert "crm.objects.custom.write" in ran.out + ran.err
    assert ready.in_crm().records == {}


HOLDERS = {
    "another run": (
        (
            "import sys; from pathlib import Path; from integration_assets.staging.store import open_store\n"
            "with open_store(Path(sys.argv[1]), 'run 1234'): print('open', flush=True); sys.stdin.read()"
        ),
        "run 1234",
    ),
    "another program": (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()",
        "close it",
    ),
}
"""Programs that hold the staging store until their input ends, and what the refused run says."""


@pytest.mark.parametrize("who", HOLDERS)
def test_a_store_somebody_else_holds_means_later(ready: World, who: str) -> None:
    """Another run, or an analyst who opened the file itself: RETRY_LATER, the holder is named, and nobody is called."""
    code, words = HOLDERS[who]
    store = ready.home / "staging" / "sandbox" / "default.duckdb"
    ready.forget_requests()
    with subprocess.Popen(
        [sys.executable, "-c", code, str(store)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdin is not None
        assert other.stdout is not None
        assert other.stdout.readline() == "open\n"
        ran = ready.run("sync", json_file=True)
        other.stdin.close()
    _assert_clear(ready, ran, 75, str(store), words)
    assert ran.summary["state"] == "RETRY_LATER"
    assert ready.sandbox.canny.requests == []


def test_a_damaged_store_is_named(ready: World) -> None:
    """A file that is no DuckDB database is exit 1 with the advice to move it away."""
    (ready.home / "staging" / "sandbox" / "default.duckdb").write_bytes(b"not a database" * 1_000)
    ready.forget_requests()
    _assert_clear(ready, ready.run("sync", json_file=True), 1, "move it away")


def test_a_key_that_expires_while_writing_is_said_and_the_next_run_goes_on(ready: World) -> None:
    """The token is revoked between the records and the links: FAILED; with a good one the run completes the work."""
    token = ready.portal.token

    def revoke_before_links(request: LoggedRequest) -> bool:
        if "/associations/" in request.path and request.path.endswith("/batch/create"):
            ready.portal.token = "revoked"
        return False

    ready.lookalike().faults.append(Fault(matches=revoke_before_links, times=None))
    ran = ready.run("sync", json_file=True)
    assert (ran.code, ran.summary["state"]) == (1, "FAILED")
    ready.lookalike().faults.clear()
    ready.portal.token = token
    summary = ready.sync().summary
    assert summary["links"]["created"] + summary["links"]["unchanged"] == 12
    assert ready.in_crm().companies[ready.key("crash")] == {ready.company("Delta"): {"Voted"}}


def test_a_process_of_its_own_ends_the_same_way(ready: World) -> None:
    """Started as a command: exit code, one line on stderr, nothing on stdout."""
    ran = ready.finish(ready.start("sync", CANNY_API_KEY=None))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.splitlines() == [
        "integration-assets: CANNY_API_KEY must be set: the sandbox run needs it",
    ]
