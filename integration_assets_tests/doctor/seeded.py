"""A fault for each of the 28 checks, put into a healthy installation and taken away again."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock
from urllib.parse import urlsplit

import duckdb
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from integration_assets.doctor import exposure
from integration_assets.sandbox.lookalike import Fault
from integration_assets.staging.store import open_store
from integration_assets.tenants.registry.master import generate
from integration_assets_tests.support.harness import DOCTOR_LOOKS_AT, KEY_PROPERTY, NOBODY_LISTENS, OBJECT
from integration_assets_tests.support.object_storage import BUCKET, object_storage
from integration_assets_tests.support.practice import Practice

Variables = Mapping[str, str | None]
Seeding = Callable[[Practice], AbstractContextManager[Variables]]
MADE_UP_TOKEN = "pat-na1-00000000-1111-2222-3333-444444444444"


class Seeded(NamedTuple):
    """A fault: how to put it there, and what the check must say. `code` is the command's."""

    put: Seeding
    verdict: str
    words: str
    code: int


@contextmanager
def _patched(target: str, value: object) -> Iterator[Variables]:
    with mock.patch(target, value):
        yield {}


@contextmanager
def _looking_at(**values: object) -> Iterator[Variables]:
    """Other things for the doctor to look at, by the last part of their name."""
    names = {name.rpartition(".")[2]: name for name in DOCTOR_LOOKS_AT}
    with mock.patch.dict(DOCTOR_LOOKS_AT, {names[short]: value for short, value in values.items()}):
        yield {}


@contextmanager
def in_store(practice: Practice, statement: str) -> Iterator[Variables]:
    """The staging store changed by hand."""
    kept = practice.home / "kept.duckdb"
    shutil.copyfile(practice.store, kept)
    with duckdb.connect(str(practice.store)) as connection:
        connection.execute(statement)
    try:
        yield {}
    finally:
        kept.replace(practice.store)


@contextmanager
def in_registry(practice: Practice, statement: str, *values: object, **variables: str) -> Iterator[Variables]:
    """The registry changed by hand, and changed back."""
    file = practice.home / "registry.sqlite"

    def execute(sql: str, *parameters: object) -> None:
        connection = sqlite3.connect(file)
        with connection:
            connection.execute(sql, parameters)
        connection.close()

    table = statement.split()[1]
    execute(f"CREATE TABLE kept AS SELECT * FROM {table}")
    execute(statement, *values)
    try:
        yield variables
    finally:
        execute(f"INSERT OR REPLACE INTO {table} SELECT * FROM kept")
        execute("DROP TABLE kept")


@contextmanager
def _answering(faults: list[Fault], fault: Fault) -> Iterator[Variables]:
    faults.append(fault)
    try:
        yield {}
    finally:
        faults.clear()


@contextmanager
def instead(thing: object, attribute: str, value: object) -> Iterator[Variables]:
    with mock.patch.object(thing, attribute, value):
        yield {}


# ------------------------------------------------------------------------------------------------------ this machine


@contextmanager
def another_lock(practice: Practice) -> Iterator[Variables]:
    lock = practice.home / "other.lock"
    lock.write_text("msgspec==0.0.1 \\\n    --hash=sha256:00\n")
    with _patched("integration_assets.doctor.machine.LOCK_OF_CHECKOUT", lock) as variables:
        yield variables


def full_disk(_practice: Practice) -> AbstractContextManager[Variables]:
    return _patched("integration_assets.doctor.machine.shutil", SimpleNamespace(disk_usage=lambda _: _Usage(9, 8, 1)))


class _Usage(NamedTuple):
    total: int
    used: int
    free: int


@contextmanager
def store_in_use(practice: Practice) -> Iterator[Variables]:
    with open_store(practice.store, "run 12345678"):
        yield {}


def ledger_with_a_gap(practice: Practice) -> AbstractContextManager[Variables]:
    return in_store(practice, "DELETE FROM sync.ledger WHERE ledger_id = 3")


def run_that_died(practice: Practice) -> AbstractContextManager[Variables]:
    row = "('0badrun0-1', 'acme', 'sandbox', 'sync', TIMESTAMP '2026-11-01 10:00:00')"
    return in_store(practice, f"INSERT INTO sync.open_runs VALUES {row}")


# --------------------------------------------------------------------------------------------------- keys, the network


@contextmanager
def another_key(_practice: Practice) -> Iterator[Variables]:
    yield {"INTEGRATION_ASSETS_KEY": generate()}


def old_keys(practice: Practice) -> AbstractContextManager[Variables]:
    return in_registry(practice, "UPDATE data_keys SET created_at = '2020-01-01 00:00:00.000000'")


def fast_clock(_practice: Practice) -> AbstractContextManager[Variables]:
    ahead = datetime.now(UTC) + timedelta(minutes=5)
    return _patched("integration_assets.doctor.context.utc_now", lambda: ahead)


def host_gone(practice: Practice) -> AbstractContextManager[Variables]:
    gone = f"127.0.0.1:{NOBODY_LISTENS}"
    hosts = f"{practice.world.addresses.environment()['INTEGRATION_ASSETS_ALLOWED_HOSTS']},{gone}"
    statement = "UPDATE third_party_integrations SET base_url = ? WHERE provider = 'slack'"
    return in_registry(practice, statement, f"http://{gone}/api/", INTEGRATION_ASSETS_ALLOWED_HOSTS=hosts)


def metadata_service(practice: Practice) -> AbstractContextManager[Variables]:
    where = urlsplit(practice.world.addresses.canny_base_url)  # any web server will do
    return _looking_at(METADATA=((where.hostname, where.port),))


# -------------------------------------------------------------------------------------------------------- the systems


def revoked_feedback_key(practice: Practice) -> AbstractContextManager[Variables]:
    return instead(practice.world.canny, "api_key", "another one since, with 20 characters")


def changed_feedback_data(practice: Practice) -> AbstractContextManager[Variables]:
    body = json.dumps({"hasMore": False, "posts": [{"id": "0" * 24, "name": "no title any more"}]}).encode()
    changed = Fault(lambda request: request.path.endswith("/posts/list"), times=None, status=200, body=body)
    return _answering(practice.world.sandbox.canny.faults, changed)


def another_portal(practice: Practice) -> AbstractContextManager[Variables]:
    return instead(practice.world.portal, "portal_id", 999_999)


@contextmanager
def scope_taken(practice: Practice) -> Iterator[Variables]:
    practice.world.portal.scopes.discard("crm.objects.contacts.read")
    yield {}
    practice.world.portal.scopes.add("crm.objects.contacts.read")


@contextmanager
def object_gone(practice: Practice) -> Iterator[Variables]:
    objects = practice.world.portal.objects
    gone = objects.pop(OBJECT)
    yield {}
    objects[OBJECT] = gone


@contextmanager
def key_not_unique(practice: Practice) -> Iterator[Variables]:
    definition = practice.world.portal.object_type(OBJECT).properties[KEY_PROPERTY].current
    assert definition is not None
    definition["hasUniqueValue"] = False
    yield {}
    definition["hasUniqueValue"] = True


@contextmanager
def property_gone(practice: Practice) -> Iterator[Variables]:
    properties = practice.world.portal.object_type(OBJECT).properties
    gone = properties.pop("voter_domains")
    yield {}
    properties["voter_domains"] = gone


def label_gone(practice: Practice) -> AbstractContextManager[Variables]:
    none = Fault(lambda request: request.path.endswith("/labels"), times=None, status=200, body=b'{"results":[]}')
    return _answering(practice.world.sandbox.hubspot_sandbox.faults, none)


@contextmanager
def quota_spent(practice: Practice) -> Iterator[Variables]:
    daily = practice.world.portal.rates.daily
    used, daily.used = daily.used, (daily.limit or 0) - 25  # enough for the doctor, not for a run
    yield {}
    daily.used = used


def channel_archived(practice: Practice) -> AbstractContextManager[Variables]:
    return instead(practice.world.sandbox.team.channels[0], "is_archived", True)


# -------------------------------------------------------------------------------------- over time, and for everybody


def soon_expired(practice: Practice) -> AbstractContextManager[Variables]:
    soon = f"{datetime.now(UTC) + timedelta(days=3):%Y-%m-%d %H:%M:%S.000000}"
    statement = (
        "UPDATE third_party_integrations SET secret_expires_at = ?, secret_never_expires = 0 WHERE provider = 'canny'"
    )
    return in_registry(practice, statement, soon)


def never_used(practice: Practice) -> AbstractContextManager[Variables]:
    statement = "UPDATE third_party_integrations SET last_ok_at = NULL WHERE environment = 'production'"
    return in_registry(practice, statement)


def no_run_for_long(practice: Practice) -> AbstractContextManager[Variables]:
    return in_store(practice, "UPDATE ops.runs SET finished_at = finished_at - INTERVAL 10 DAY")


class _Dagster(BaseHTTPRequestHandler):
    """What Dagster's webserver says to whoever asks."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"dagster_webserver_version":"1.13","dagster_version":"1.13"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def open_webserver(practice: Practice) -> Iterator[Variables]:
    """One on loopback, of which the kernel's table says that it is open to all."""
    server = HTTPServer(("127.0.0.1", 0), _Dagster)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    port = server.server_address[1]
    proc = practice.home / "proc"
    (proc / "net").mkdir(parents=True, exist_ok=True)
    line = f"   0: 00000000:{port:04X} 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1"
    (proc / "net" / "tcp").write_text(f"  sl  local_address rem_address   st\n{line}\n")
    try:
        with (
            _looking_at(PROC=proc, WEBSERVER_PORT=port),
            mock.patch.object(exposure, "_own_address", return_value="127.0.0.1"),
        ):
            yield {}
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def forgotten_file(_practice: Practice) -> AbstractContextManager[Variables]:
    """Our pages in a server that also gives out the folder it was started in."""
    honest = exposure._application

    def careless(*arguments: object) -> ASGIApp:
        app = honest(*arguments)  # type: ignore[arg-type]  # handed on as they come

        async def serving_files(scope: Scope, receive: Receive, send: Send) -> None:
            found = scope["path"] == "/.env"
            await (PlainTextResponse("KEY=1") if found else app)(scope, receive, send)

        return serving_files

    return _patched("integration_assets.doctor.exposure._application", careless)


@contextmanager
def token_in_a_file(practice: Practice) -> Iterator[Variables]:
    file = practice.home / ".env"
    file.write_text(f"# of a colleague\nHUBSPOT={MADE_UP_TOKEN}\n")
    file.chmod(0o644)
    yield {}
    with suppress(FileNotFoundError):
        Path(file).unlink()


# ------------------------------------------------------------------------------------------- where the ranking goes


@contextmanager
def wrong_key_of_a_bucket(_practice: Practice) -> Iterator[Variables]:
    with object_storage() as server:
        wrong = {**server.variables, "AWS_SECRET_ACCESS_KEY": "another-secret"}
        yield {**wrong, "INTEGRATION_ASSETS_PUBLISH_URL": f"s3://{BUCKET}/rankings"}
        assert server.objects == {}


@contextmanager
def readers_without_a_lake(_practice: Practice) -> Iterator[Variables]:
    yield {"INTEGRATION_ASSETS_LAKE_READER": "analyst"}


SEEDED: dict[int, Seeded] = {
    1: Seeded(another_lock, "warn", "msgspec", 0),
    2: Seeded(full_disk, "fail", "GB free", 1),
    3: Seeded(store_in_use, "fail", "run 12345678", 1),
    4: Seeded(ledger_with_a_gap, "fail", "1 entries between", 1),
    5: Seeded(run_that_died, "warn", "run 0badrun0", 0),
    6: Seeded(another_key, "fail", "is not the key of this registry", 2),
    7: Seeded(old_keys, "warn", "days old", 0),
    8: Seeded(fast_clock, "warn", "s off that of", 0),
    9: Seeded(host_gone, "fail", f"127.0.0.1:{NOBODY_LISTENS}", 1),
    10: Seeded(metadata_service, "warn", "metadata service answers", 0),
    11: Seeded(revoked_feedback_key, "fail", "canny", 1),
    12: Seeded(changed_feedback_data, "fail", "1 of 1 requests cannot be used", 1),
    13: Seeded(another_portal, "fail", "999999", 2),
    14: Seeded(scope_taken, "fail", "crm.objects.contacts.read", 1),
    15: Seeded(object_gone, "fail", "feature_request: the object is missing", 1),
    16: Seeded(key_not_unique, "fail", "no longer unique", 1),
    17: Seeded(property_gone, "fail", "voter_domains", 1),
    18: Seeded(label_gone, "fail", "the link label is missing", 1),
    19: Seeded(quota_spent, "fail", "calls left today", 1),
    20: Seeded(channel_archived, "fail", "archived", 1),
    21: Seeded(soon_expired, "warn", "Canny (any) expires in 2 days", 0),
    22: Seeded(never_used, "warn", "was never used", 0),
    23: Seeded(no_run_for_long, "warn", "10 days ago", 0),
    24: Seeded(open_webserver, "fail", "without a login", 1),
    25: Seeded(forgotten_file, "fail", "GET /.env", 1),
    26: Seeded(token_in_a_file, "warn", ".env:2 holds a HubSpot token", 0),
    27: Seeded(wrong_key_of_a_bucket, "fail", "it is refused (403 Forbidden)", 2),
    28: Seeded(readers_without_a_lake, "fail", "needs a lake whose catalogue is in PostgreSQL", 2),
}
