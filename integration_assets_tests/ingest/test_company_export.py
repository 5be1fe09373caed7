"""A first load of very many companies comes as a file; whatever is wrong with it, the list is read to its end."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
import random
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.crm.base import BulkRefusedError, CompanyMapping
from integration_assets.connectors.crm.hubspot import exports
from integration_assets.connectors.crm.hubspot.exports import HubSpotCompanyExport
from integration_assets.connectors.crm.hubspot.session import Session
from integration_assets.connectors.http import HttpClient
from integration_assets.connectors.limiter import Limiter
from integration_assets.connectors.redaction import redact
from integration_assets.connectors.rules import StatusRules
from integration_assets.errors import ContractError
from integration_assets.sandbox.hubspot import Portal, PortalOptions
from integration_assets.sandbox.lookalike import Fault
from integration_assets.sandbox.sample_data import ACCOUNT_ID_PROPERTY, ARR_PROPERTY, CURRENCY_PROPERTY
from integration_assets.sandbox.server import build_sandbox, serving
from integration_assets_tests.conftest import Served
from integration_assets_tests.ingest.conftest import Reader
from integration_assets_tests.support.small_world import small_world

COMPANIES = 2_300
CHILD_TO_PARENT = ("HUBSPOT_DEFINED", 14)
LIST = "GET /crm/objects/2026-09/{object_type}"
ASK, LOOK, FETCH = "/export/async", "/status", "/exported-files/"


@pytest.fixture(autouse=True)
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "FIRST_POLL_SECONDS", 0.02)
    monkeypatch.setattr(exports, "LONGEST_POLL_SECONDS", 0.05)
    monkeypatch.setattr(exports, "PATIENCE_SECONDS", 2.0)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader of a sandbox with so many companies that an export pays; their names hold what CSV must quote."""
    sample = small_world().sample
    sample.companies.clear()
    sample.contacts.clear()
    sample.contact_company.clear()
    options = PortalOptions(search_lag=0, export_seconds=0.03)
    sandbox = build_sandbox(sample, plan=None, slack_interval=0, portal_options=options)
    portal = sandbox.sandbox.portal
    portal.seed(
        "companies",
        [
            {"name": f'Firma "{number}", Köln\n& Co', "domain": f"c{number}.com", "hs_additional_domains": "a.de; b.de"}
            for number in range(COMPANIES)
        ],
    )
    ids = [record["id"] for record in portal.records("companies")]
    portal.associate("companies", ids[2_000], "companies", ids[1], [CHILD_TO_PARENT])
    with serving(sandbox) as addresses:
        yield Reader(Served(sandbox, addresses), tmp_path)


def portal_of(reader: Reader) -> Portal:
    return reader.served.sandbox.sandbox.portal


def set_options(reader: Reader, **options: object) -> None:
    portal_of(reader).options = replace(portal_of(reader).options, **options)  # type: ignore[arg-type]


def stored(reader: Reader) -> list[tuple[object, ...]]:
    columns = "company_id, name, domain, additional_domains, parent_id"
    return reader.rows(f"SELECT {columns} FROM raw.crm_companies ORDER BY length(company_id), 1")


def true(reader: Reader) -> list[tuple[object, ...]]:
    return [
        (
            record["id"],
            record["properties"]["name"],
            record["properties"]["domain"],
            ["a.de", "b.de"],
            record["properties"].get("hs_parent_company_id"),
        )
        for record in portal_of(reader).records("companies")
    ]


def asked(reader: Reader, part: str) -> int:
    return sum(part in request.path for request in reader.served.sandbox.hubspot_sandbox.requests)


@pytest.mark.parametrize("form", ["plain", "archive", "several files"])
def test_a_first_load_of_many_companies_is_an_export(reader: Reader, form: str) -> None:
    """Five pages, then one file, plain or packed or in parts; the store holds what the portal has, parents included."""
    set_options(
        reader,
        export_plain_bytes=10_000_000 if form == "plain" else 1_000,
        export_rows_per_file=1_000 if form == "several files" else 1_000_000,
    )
    calls = reader.read()
    assert calls[LIST] == 5
    assert calls["GET export file"] == 1
    assert stored(reader) == true(reader)
    assert reader.rows("SELECT rows_read FROM raw.reads WHERE input = 'companies'") == [(COMPANIES,)]


def test_only_a_first_load_is_an_export(reader: Reader) -> None:
    """Read whole once more, the list is read: an export takes its time, and a portal makes few of them."""
    reader.read()
    portal = portal_of(reader)
    portal.archive("companies", portal.records("companies")[7]["id"])
    calls = reader.read(full=True)
    assert (calls[LIST], asked(reader, FETCH)) == (23, 1)
    assert stored(reader) == true(reader)


def test_a_token_without_the_scope_is_asked_for_the_list(reader: Reader) -> None:
    """Without `crm.export` no export is begun."""
    portal_of(reader).scopes.discard("crm.export")
    assert reader.read()[LIST] == 23
    assert asked(reader, ASK) == 0
    assert stored(reader) == true(reader)


def refused(reader: Reader) -> None:
    set_options(reader, exports_per_day=0)


def slow(reader: Reader) -> None:
    set_options(reader, export_seconds=60.0)


def cancelled(reader: Reader) -> None:
    desk = portal_of(reader).exports
    desk.cancelled = Everything()


def expired(reader: Reader) -> None:
    set_options(reader, export_link_seconds=-1.0)


def elsewhere(reader: Reader) -> None:
    set_options(reader, export_link_base="http://files.example")


def broken(reader: Reader) -> None:
    fault(reader, b"\xff\xfe not a table")


def short(reader: Reader) -> None:
    names = "hs_object_id,name,domain,hs_additional_domains,lifecyclestage,hs_merged_object_ids"
    mapped = f"{ARR_PROPERTY},{CURRENCY_PROPERTY},{ACCOUNT_ID_PROPERTY}"
    fault(reader, f"Record ID,{names},{mapped}\n1,1,A,a.com,,,,,,\n".encode())


def lacking(reader: Reader) -> None:
    fault(reader, b"Record ID,name\n1,A\n")


def torn(reader: Reader) -> None:
    fault(reader, b"PK\x03\x04 half an archive")


def packed(member: bytes = b"Record ID,name\n" * 100) -> bytearray:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("companies.csv", member)
    return bytearray(file.getvalue())


def garbled(reader: Reader) -> None:
    archive = packed()
    start = 30 + len("companies.csv")  # the packed bytes begin after the local header
    archive[start : start + 4] = b"\xff\xff\xff\xff"
    fault(reader, bytes(archive))


def encrypted(reader: Reader) -> None:
    archive = packed()
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        archive[archive.index(header) + flags] |= 1
    fault(reader, bytes(archive))


def packed_oddly(reader: Reader) -> None:
    archive = packed()
    for header, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        archive[archive.index(header) + method] = 99
    fault(reader, bytes(archive))


def misplaced(reader: Reader) -> None:
    archive = packed()
    place = archive.index(b"PK\x05\x06") + 16  # where the list of members begins
    archive[place : place + 4] = b"\xff\xff\xff\x00"
    fault(reader, bytes(archive))


def cut(reader: Reader) -> None:
    server = reader.served.sandbox.hubspot_sandbox
    server.faults.append(Fault(lambda request: FETCH in request.path, status=200, body=b"x" * 100_000, close=True))


def fault(reader: Reader, body: bytes) -> None:
    server = reader.served.sandbox.hubspot_sandbox
    server.faults.append(Fault(lambda request: FETCH in request.path, status=200, body=body))


class Everything(set[str]):
    """Holds whatever is asked for."""

    def __contains__(self, item: object) -> bool:
        return True


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        (refused, "429"),
        (slow, "not ready within"),
        (cancelled, "ended as CANCELED"),
        (expired, "answers 403"),
        (elsewhere, "must begin with https://"),
        (broken, "cannot be read"),
        (short, "1 of 2,300"),
        (lacking, "lacks"),
        (torn, "lacks"),
        (garbled, "cannot be read"),
        (encrypted, "cannot be read"),
        (packed_oddly, "cannot be read"),
        (misplaced, "cannot be read"),
        (cut, "broke"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_whatever_is_wrong_with_an_export_the_list_is_read(
    reader: Reader, trouble: object, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    """All companies are there, a line says why there was no export, and the address of the file is nowhere."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="integration_assets")
    assert callable(trouble)
    trouble(reader)
    calls, notes = reader.read_with_notes()
    assert calls[LIST] == 23
    assert stored(reader) == true(reader)
    [note] = [line for line in notes if "export" in line]
    assert said in note
    assert FETCH not in note
    assert not [record for record in caplog.records if FETCH in redact(record.getMessage())]


def test_a_damaged_archive_is_an_error_of_the_tree_wherever_it_is_damaged(tmp_path: Path) -> None:
    """Bytes changed anywhere: it reads as before, or it is a broken contract."""
    dice, file, names = random.Random(7), tmp_path / "companies", ("hs_object_id", "name")
    archive = packed(b"hs_object_id,name\n" + b"".join(b"%d,Company %d\n" % (row, row) for row in range(200)))
    refused_ones = 0
    for _ in range(500):
        damaged = bytearray(archive)
        for _ in range(3):
            # The list of members at the end is short, and what matters most.
            damaged[dice.choice((dice.randrange(len(archive)), -dice.randrange(1, 100)))] = dice.randrange(256)
        file.write_bytes(damaged)
        try:
            list(exports._records(file, names))
        except ContractError:
            refused_ones += 1
    assert refused_ones > 200


@pytest.mark.parametrize("broken", ["folder", "file"])
def test_a_disk_without_room_for_the_file_refuses_the_export(broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list needs no file: whatever this machine lacks, the caller can go on with it."""

    def refuse(*_args: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    async def fetch(*_args: object) -> None:
        refuse()

    if broken == "folder":
        monkeypatch.setattr(tempfile, "TemporaryDirectory", refuse)
    else:
        monkeypatch.setattr(HubSpotCompanyExport, "_fetch", fetch)

    async def story() -> None:
        client = HttpClient(
            system="test", base_url="http://127.0.0.1:1", limiter=Limiter({}), calls=CallCounter(), rules=StatusRules()
        )
        export = HubSpotCompanyExport(Session(client), "http://127.0.0.1:1", CallCounter())
        async for _ in export.companies(CompanyMapping(), expected=1):
            raise AssertionError("nothing of it may be handed out")

    with pytest.raises(BulkRefusedError, match="No space left on device"):
        asyncio.run(story())
