"""Checks and their parts by themselves: certificates, hosts that hang, what the kernel says, rules for secrets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from io import StringIO
from pathlib import Path
from unittest import mock

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr
from rich.console import Console
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.config import Settings, load_settings
from integration_assets.connectors.address_guard import AddressGuard, AddressPolicy
from integration_assets.connectors.reaching import Reached, reach
from integration_assets.doctor import examination, network
from integration_assets.doctor.context import DoctorContext, replace_secret
from integration_assets.doctor.crm import _drift
from integration_assets.doctor.examination import examine
from integration_assets.doctor.exposure import METHODS, answered_paths, open_ports, probes
from integration_assets.doctor.feedback import credential
from integration_assets.doctor.findings import (
    AS_TOLD,
    CREDENTIALS,
    CheckOutcome,
    Finding,
    Verdict,
    advice,
    exit_code,
    fail,
    ok,
    show,
    unknown,
    warn,
    worst_of,
)
from integration_assets.doctor.machine import _installation, different_packages, packages_outside, size
from integration_assets.doctor.network import _host
from integration_assets.doctor.plaintext import RULES, known_secrets, search
from integration_assets.doctor.store import LedgerFacts, _facts
from integration_assets.doctor.table import CHECKS, Check
from integration_assets.errors import (
    ConfigurationError,
    ContractError,
    CredentialError,
    IntegrationError,
    TransientError,
)
from integration_assets.staging.store import open_store
from integration_assets.sync.drift import MAP_AGAIN, RUN_SETUP, Drift, Severity
from integration_assets.sync.plan_store import SHORTEST_PREFIX
from integration_assets_tests.support.harness import DOCTOR_LOOKS_AT, NOBODY_LISTENS
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

# -- findings


@pytest.mark.parametrize(
    ("database", "said"),
    [
        ('kind = "sqlite"\nfile = "gone.db"', "gone.db does not exist"),
        ('kind = "postgresql"\nurl_variable = "NO_SUCH_URL"', "NO_SUCH_URL must be set"),
    ],
)
def test_a_table_has_neither_address_nor_key_to_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database: str, said: str
) -> None:
    """What is wrong with it its message says; a remedy about an address or a key would be about nothing."""
    select = "select = 'SELECT 1'\n[{0}.columns]\n"
    (tmp_path / "feedback.toml").write_text(
        f"[requests]\n{select.format('requests')}id = 'i'\ntitle = 't'\n"
        f"[votes]\n{select.format('votes')}request_id = 'r'\nvoter_id = 'v'\n[database]\n{database}\n"
    )
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path))
    monkeypatch.setenv("INTEGRATION_ASSETS_TABLE", str(tmp_path / "feedback.toml"))
    monkeypatch.delenv("CANNY_API_KEY", raising=False)
    settings = load_settings()

    async def look() -> CheckOutcome:
        context = DoctorContext(settings, "default")
        try:
            return await credential(context)
        finally:
            await context.close()

    found = asyncio.run(look())
    assert said in found.seen
    assert found.fix == AS_TOLD == replace_secret(settings, settings.feedbacks[0], "default")


def test_several_looks_are_as_bad_as_the_worst() -> None:
    """What is less bad is left out, remedies come once each; `usage` stays."""
    looks = [ok("fine"), warn("old", "renew"), fail("gone", "make it", usage=True), fail("lost", "make it")]
    assert worst_of(looks) == CheckOutcome(Verdict.FAIL, "gone; lost", "make it", usage=True)
    assert worst_of([ok("a"), unknown("b")]).verdict is Verdict.UNKNOWN
    assert worst_of([ok("a"), ok("b")]) == ok("a; b")


def _finding(look: CheckOutcome) -> Finding:
    return Finding(1, "a check", look.verdict, look.seen, "because", look.fix, look.usage)


@pytest.mark.parametrize(
    ("looks", "code"),
    [
        ([ok("a"), warn("b", "c"), unknown("d")], 0),
        ([fail("a", "b"), ok("c")], 1),
        ([fail("a", "b"), fail("c", "d", usage=True)], 2),
        ([], 0),
    ],
)
def test_the_exit_code_is_that_of_the_worst(looks: list[CheckOutcome], code: int) -> None:
    """Warnings and what is unknown do not stop a workflow; a wrong setting is exit 2."""
    assert exit_code([_finding(look) for look in looks]) == code


def test_a_credential_nobody_could_try_is_no_success() -> None:
    """Any other check may be unknown; the line that says so names the credential."""
    tried = Finding(8, "clock", Verdict.UNKNOWN, "no system said what time it is", "because")
    untried = Finding(11, "feedback key", Verdict.UNKNOWN, "no answer within 12 s", "because")
    optional = Finding(20, "Slack", Verdict.SKIPPED, "not configured", "because")
    assert exit_code([tried, optional]) == 0
    assert exit_code([tried, untried]) == 1
    printed = StringIO()
    show([tried, untried, optional], Console(file=printed, width=200))
    assert "feedback key: could not be tried, which is no success" in printed.getvalue()
    assert "skipped" in printed.getvalue()


def test_the_checks_of_credentials_exist_by_these_names() -> None:
    """The exit code goes by the names of the table."""
    assert {check.name for check in CHECKS} >= CREDENTIALS


ADVICE = [
    (CredentialError("rejected"), "replace the key"),
    (ContractError("odd"), "the system has changed: look for a newer version of integration-assets"),
    (TransientError("away"), "check the network, then run the doctor again"),
    (ConfigurationError("wrong"), "do what the message says, then run the doctor again"),
]


@pytest.mark.parametrize(("error", "fix"), ADVICE)
def test_advice_fits_the_error(error: IntegrationError, fix: str) -> None:
    """A system that is away needs no other key, and one that changed no other network."""
    assert advice(error, "replace the key") == fix


@pytest.mark.parametrize(
    ("drift", "fix", "usage"),
    [
        (Drift("company.arr", Severity.ERROR, "missing", MAP_AGAIN), "correct HUBSPOT_ARR_PROPERTY, or create", True),
        (
            Drift("company.arr", Severity.WARN, "production: number; sandbox: string text", "make it the same"),
            "make it the same",
            False,
        ),
        (
            Drift("feature_request.url", Severity.ERROR, "missing", RUN_SETUP),
            "`integration-assets setup --environment sandbox`",
            False,
        ),
        (
            Drift("feature_request.url", Severity.WARN, "…", f"{RUN_SETUP} for production"),
            "`integration-assets setup --environment production`",
            False,
        ),
        (Drift("feature_request.details", Severity.ERROR, "html", "change it back"), "change it back", False),
    ],
)
def test_the_remedy_of_a_drift_is_about_this_drift(tmp_path: Path, drift: Drift, fix: str, usage: bool) -> None:
    """Only a mapped property that is missing asks for another setting."""
    settings = load_settings(home=tmp_path, hubspot_arr_property="arr")
    seen = _drift(drift, settings, DoctorContext(settings, "default"))
    assert fix in seen.fix
    assert seen.usage is usage


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 kB"), (12_345, "12 kB"), (3_400_000, "3.4 MB"), (1_200_000_000, "1.2 GB")]
)
def test_sizes_show_in_a_unit_that_shows_some(number: int, words: str) -> None:
    """Never `0.000 GB`."""
    assert size(number) == words


def test_the_help_of_approve_says_what_the_code_asks_for() -> None:
    """As many digits as name a plan."""
    shown = CliRunner().invoke(app, ["approve", "--help"]).output
    assert f"its first {SHORTEST_PREFIX} digits suffice" in " ".join(shown.split())


# -- time


@asynccontextmanager
async def hanging() -> AsyncIterator[int]:
    """A server that takes connections and says nothing; its port."""
    ended, writers = asyncio.Event(), []

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)
        await ended.wait()

    server = await asyncio.start_server(hold, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        ended.set()
        server.close()
        await server.wait_closed()
        for writer in writers:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


@pytest.fixture
def looking_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor sees nothing of the machine the tests run on, nor of its variables."""
    for field in Settings.model_fields.values():
        monkeypatch.delenv(str(field.validation_alias), raising=False)
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    for name, value in DOCTOR_LOOKS_AT.items():
        monkeypatch.setattr(name, value)


HANGING = (8, 9, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20)
"""Checks that ask a system, by number; those of the CRM's schema wait for what another one reads."""


def _noting(answering: dict[int, asyncio.Event], number: int, check: Check) -> Check:
    """The check, which says when it has ended."""

    async def look(case: DoctorContext) -> CheckOutcome:
        try:
            return await check.look(case)
        finally:
            if number in answering:
                answering[number].set()

    return msgspec.structs.replace(check, look=look)


@pytest.mark.usefixtures("looking_at_nothing")
def test_systems_that_hang_do_not_hold_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not answer in time is unknown, everything else is said all the same."""
    for waits in ("context.ANSWER_SECONDS", "network.SECONDS", "slack.SECONDS"):
        monkeypatch.setattr(f"integration_assets.doctor.{waits}", 10 * PATIENCE_SECONDS)
    answering = {number: asyncio.Event() for number in range(1, len(CHECKS) + 1) if number not in HANGING}
    monkeypatch.setattr(examination, "CHECKS", [_noting(answering, *one) for one in enumerate(CHECKS, 1)])

    async def all_others_have_ended() -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            for ended in answering.values():
                await ended.wait()
        await asyncio.sleep(0)  # and what waits for the check that ended last has gone on

    async def examined() -> list[Finding]:
        async with hanging() as port:
            url = f"http://127.0.0.1:{port}"
            settings = load_settings(
                home=tmp_path,
                canny_api_key=SecretStr("canny-key-0123456789"),
                canny_base_url=f"{url}/api",
                hubspot_sandbox_token=SecretStr("pat-na1-0123456789"),
                hubspot_sandbox_base_url=url,
                slack_bot_token=SecretStr("xoxb-0123456789"),
                slack_channel="C0123456789",
                slack_base_url=f"{url}/api/",
            )
            return (await examine(settings, "default", time_is_up=all_others_have_ended())).findings

    findings = asyncio.run(examined())
    verdicts = {finding.number: finding.verdict for finding in findings}
    assert [verdicts[number] for number in HANGING if number not in (15, 16, 17, 18)] == ["unknown"] * 8
    assert [verdicts[number] for number in (3, 4, 5, 10, 24, 26)] == ["ok"] * 6
    assert [verdicts[number] for number in (6, 7, 21, 25)] == ["skipped"] * 4
    assert exit_code(findings) == 1
    assert "no answer within 12 s" in findings[10].seen


@pytest.mark.usefixtures("looking_at_nothing")
def test_an_empty_installation_says_what_to_set(tmp_path: Path) -> None:
    """Exit 2 with the variables that are missing; what follows from them is not tried, and says so."""
    findings = asyncio.run(examine(load_settings(home=tmp_path), "default")).findings
    failed = {finding.number: finding.fix for finding in findings if finding.verdict is Verdict.FAIL}
    assert failed == {11: "set CANNY_API_KEY", 13: "set HUBSPOT_SANDBOX_TOKEN"}
    assert exit_code(findings) == 2
    for number in (12, 14, 15, 16, 17, 18, 19):
        assert findings[number - 1].seen.startswith("not tried: "), findings[number - 1]
    assert [finding.check for finding in findings] == [check.name for check in CHECKS]


@pytest.mark.usefixtures("looking_at_nothing")
def test_a_check_that_breaks_hides_no_other(tmp_path: Path) -> None:
    """A defect of one is its own finding."""
    with mock.patch("integration_assets.doctor.machine._home", side_effect=ZeroDivisionError):
        findings = asyncio.run(examine(load_settings(home=tmp_path), "default")).findings
    assert "the check itself broke (ZeroDivisionError)" in findings[1].seen
    assert findings[2].verdict is Verdict.OK


@pytest.mark.usefixtures("looking_at_nothing")
def test_a_tenant_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    """No examination of nobody."""
    with pytest.raises(ConfigurationError, match="initech"):
        asyncio.run(examine(load_settings(home=tmp_path), "initech"))


# -- hosts


def _certificate(until: datetime, folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A certificate of localhost that ends then: contexts of its server, and of a client that trusts it."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(until - timedelta(days=400))
        .not_valid_after(until)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(file)
    return server, ssl.create_default_context(cafile=str(file))


async def _reached(server: ssl.SSLContext, client: ssl.SSLContext) -> Reached:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 404 Not Found\r\nDate: Sun, 01 Nov 2026 10:00:00 GMT\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server)
    async with listening:
        port = listening.sockets[0].getsockname()[1]
        return await reach(f"https://localhost:{port}/api", seconds=5, context=client)


@pytest.mark.parametrize(("days", "verdict"), [(90.5, Verdict.OK), (3.5, Verdict.WARN)])
def test_a_certificate_is_named_in_time(tmp_path: Path, days: float, verdict: Verdict) -> None:
    """Days left are told; with fewer than 14 it is a warning. The server's own time is read too."""
    until = datetime.now(UTC) + timedelta(days=days)
    reached = asyncio.run(_reached(*_certificate(until, tmp_path)))
    assert reached.at == datetime(2026, 11, 1, 10, tzinfo=UTC)
    seen = _host(DoctorContext(load_settings(home=tmp_path), "default"), reached)
    assert (seen.verdict, f"{int(days)} days" in seen.seen) == (verdict, True)


def test_a_certificate_that_is_not_trusted_is_refused(tmp_path: Path) -> None:
    """Of a stranger, or out of date: the reason is in the message."""
    server, trusting = _certificate(datetime.now(UTC) - timedelta(days=1), tmp_path)
    with pytest.raises(TransientError, match="certificate has expired"):
        asyncio.run(_reached(server, trusting))
    with pytest.raises(TransientError, match=r"its certificate is not trusted .*SSL_CERT_FILE"):
        asyncio.run(_reached(server, ssl.create_default_context()))


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (f"http://127.0.0.1:{NOBODY_LISTENS}", "no connection"),
        ("https://nobody.invalid/api", "the name cannot be resolved"),
    ],
)
def test_a_host_that_is_not_there_is_named_with_the_reason(url: str, reason: str) -> None:
    """One line: which host, and at which step it ended."""
    with pytest.raises(TransientError, match=reason):
        asyncio.run(reach(url, seconds=5))


def test_tenants_hosts_are_looked_at_with_the_authorities_that_runs_trust(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The operator's own hosts with those of the environment, what the guard checks with the public ones."""
    seen: dict[str, ssl.SSLContext] = {}
    own, public = ssl.create_default_context(), ssl.create_default_context()
    guard = AddressGuard(AddressPolicy(hosts=frozenset({"canny.io"})))

    async def note(url: str, *, context: ssl.SSLContext, **_: object) -> Reached:
        seen[url] = context
        return Reached(url, "203.0.113.1", None, None)

    monkeypatch.setattr(network, "reach", note)
    monkeypatch.setattr(network, "trusted_authorities", lambda: own)
    monkeypatch.setattr(network, "public_authorities", lambda: public)
    ways = [("https://canny.io/api", guard), ("https://api.hubapi.com", None)]
    monkeypatch.setattr(network, "_third_party", lambda _settings: ways)
    asyncio.run(network.ways(DoctorContext(load_settings(home=tmp_path), "default")))
    assert seen == {"https://canny.io/api": public, "https://api.hubapi.com": own}


# -- this machine


def test_packages_are_compared_with_what_was_locked() -> None:
    """Another version is named; one of several locked ones is right; what is not installed does not matter."""
    have = version("msgspec")
    assert different_packages(f"msgspec=={have} \\\n    --hash=sha256:00\nnobody-has-this==1.0\n") == []
    assert different_packages(f"msgspec==0.0.1 ; python_version < '3.12' \\\nmsgspec=={have} ; x\n") == []
    assert different_packages("msgspec==0.0.1\n") == [f"msgspec {have} instead of 0.0.1"]


def test_packages_of_a_wheel_are_compared_with_the_declared_ranges() -> None:
    """What pip chose within them is right; what is for another system is not asked for."""
    have = version("msgspec")
    assert packages_outside([f"msgspec>={have}", "nobody-has-this>=1; sys_platform == 'win32'"]) == []
    assert packages_outside(["nobody-has-this>=1; extra == 'more'"]) == []
    assert packages_outside(["msgspec<0.1", "nobody-has-this>=1"]) == [
        f"msgspec {have} instead of <0.1",
        "nobody-has-this is missing",
    ]


def test_a_wheel_is_not_scolded_for_having_no_lock(tmp_path: Path) -> None:
    """Installed by pip elsewhere, from its own metadata."""
    with mock.patch("integration_assets.doctor.machine.LOCK_OF_CHECKOUT", tmp_path / "none"):
        found = _installation()
    assert found.verdict is Verdict.OK, found
    assert "within the declared ranges" in found.seen


def test_a_store_that_is_new_has_nothing_wrong(tmp_path: Path) -> None:
    """No store is no fault, nor is one without a plan, a run or a write."""
    case = DoctorContext(load_settings(home=tmp_path), "default")
    assert _facts(case) is None
    with open_store(tmp_path / "staging" / "sandbox" / "default.duckdb"):
        pass
    facts = _facts(case)
    assert facts is not None
    assert (facts.ledger, facts.last_run, facts.calls_needed) == (LedgerFacts(0, (), 0), None, None)


def _sockets(folder: Path, *lines: tuple[str, str, str, int]) -> Path:
    (folder / "net").mkdir()
    rows = [f"  0: {local} 00000000:0000 {state} 0:0 00:0 0 1000 0 {inode} 1" for local, _, state, inode in lines]
    (folder / "net" / "tcp").write_text("\n".join(["  sl  local_address", *rows]) + "\n")
    return folder


def test_only_ports_open_beyond_loopback_that_may_be_dagsters_are_asked(tmp_path: Path) -> None:
    """Its default port, and those of processes that name it; not what is on loopback, connected, or another's."""
    proc = _sockets(
        tmp_path,
        ("00000000:0BB8", "the default", "0A", 1),
        ("0100007F:0FA0", "on loopback", "0A", 2),
        ("00000000:1388", "of dagster", "0A", 3),
        ("0200A8C0:1389", "of another", "0A", 4),
        ("0200A8C0:138A", "connected", "01", 3),
    )
    process = proc / "4711"
    (process / "fd").mkdir(parents=True)
    (process / "cmdline").write_bytes(b"python\0-m\0dagster\0dev")
    (process / "fd" / "7").symlink_to("socket:[3]")
    assert open_ports(proc) == [3000, 5000]
    assert open_ports(tmp_path / "nothing") == [3000]


# -- our own pages


def test_the_probes_are_what_bots_ask_for() -> None:
    """170 of them, each once, each a path."""
    assert len(probes()) == len(set(probes())) == 170
    assert {"/.env", "/.git/config", "/static/%2e%2e/.env", "/graphql"} <= set(probes())


def test_a_server_that_answers_everything_is_told_by_a_path_nobody_made() -> None:
    """The first finding is a random path: all that follow mean nothing then. A large refusal tells something too."""

    async def everything(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("welcome")(scope, receive, send)

    async def wordy(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("x" * 2_000, status_code=404)(scope, receive, send)

    assert len(asyncio.run(answered_paths(everything))) == 171 * len(METHODS)
    assert "(404, 2,000 bytes)" in asyncio.run(answered_paths(wordy))[0]


# -- secrets in plain text

_EXAMPLES = {
    "a HubSpot token": "TOKEN pat-eu1-00000000-1111-2222-3333-444444444444",
    "a Salesforce secret": "SESSION=00D5g000004EXAM!" + "AQ.x" * 12,
    "a Quackback key": "KEY=qb_" + "0f9a" * 12,
    "a Slack token": "xoxb-" + "0123456789-0123456789-abcdefghijklmnop",
    "a Slack webhook": "url: https://hooks.slack.com/services/T00000000/B00000000/" + "X" * 24,
    "a key of AWS": "aws_access_key_id = AKIA" + "ABCDEFGHIJKLMNOP",
    "a token of GitHub": "//npm:_auth=ghp_" + "a1" * 18,
    "a private key": "-----BEGIN EC PRIVATE KEY-----",
    "a password in an address": "DATABASE_URL=postgresql://user:hunter22@db.example/app",
    "an authorization header": "\textraheader = AUTHORIZATION: basic eC1hY2Nlc3MtdG9rZW46Z2hzX2FiYw==",
    "a secret setting": "export MY_API_KEY='0f9a8b7c6d5e4f3a2b1c'",
}
_HARMLESS = (
    "HUBSPOT_SANDBOX_TOKEN=",
    "CANNY_API_KEY=${CANNY_API_KEY}",
    "SLACK_BOT_TOKEN=<your token here>",
    "API_KEY=your-key-goes-here",
    "url = https://github.com/example/project.git",
    "url = git@github.com:example/project.git",
    "INTEGRATION_ASSETS_KEY_FILE=/run/secrets/master.key",
    "# pat-na1-… is how tokens begin",
)


def test_every_rule_has_an_example() -> None:
    """No rule is untried."""
    assert _EXAMPLES.keys() == RULES.keys()


@pytest.mark.parametrize("what", _EXAMPLES)
def test_a_secret_is_found_by_its_rule(tmp_path: Path, what: str) -> None:
    """With file and line, and whether others may read it; the secret itself is not repeated."""
    file = tmp_path / ".env"
    file.write_text(f"# settings\n{_EXAMPLES[what]}\n")
    file.chmod(0o600)
    (found,) = search([tmp_path], ())
    assert (found.file, found.line, found.what, found.open_to_others) == (file, 2, what, False)


def test_what_only_looks_like_a_secret_is_left_alone(tmp_path: Path) -> None:
    """Empty values, placeholders, addresses without a password."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("\n".join(_HARMLESS))
    (tmp_path / ".env.example").write_text("\n".join(_HARMLESS))
    assert list(search([tmp_path], ())) == []


def test_a_credential_of_ours_is_found_whatever_it_looks_like(tmp_path: Path) -> None:
    """Known by its value, also where no rule would see it; short values are none."""
    settings = load_settings(home=tmp_path, canny_api_key=SecretStr("plain words only"), slack_bot_token=SecretStr("x"))
    (tmp_path / ".envrc").write_text("note: plain words only, x marks the spot\n")
    (found,) = search([tmp_path], known_secrets(settings))
    assert found.what == "a credential of this installation"
