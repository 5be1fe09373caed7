"""Addresses that people wrote into titles and names are on no surface: not printed, told, kept or published."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import msgspec
import pytest

from integration_assets_tests.support.harness import World

ADDRESSES = (
    "josé@geheim.example",
    "用户@例子.公司",
    '"john doe"@geheim.example',
    "ann@bücher.example",
    "li\uff20geheim.example",
)
HIDDEN = ("geheim.example", "bücher.example", "例子.公司", "xn--bcher-kva.example")


def spellings(text: str) -> set[bytes]:
    """A text as it may stand in a file: raw, and as JSON and HTML write it."""
    return {
        text.encode(),
        json.dumps(text)[1:-1].encode(),
        text.encode("ascii", "xmlcharrefreplace"),
        text.encode("utf-16-le"),
    }


def test_no_address_in_a_title_or_a_name_is_seen_anywhere(ready: World) -> None:
    """Terminal, JSON, Slack, report, Dagster's records, published database: whatever the script of the address."""
    for name, address in zip(("dark mode", "csv export", "crash", "single sign-on", "themes"), ADDRESSES, strict=True):
        ready.canny.posts[ready.request_id(name)].title = f"Ask {address} about it"
    ready.portal.records("companies")[0]["properties"]["name"] = f"Acme ({ADDRESSES[0]})"
    seen = {"plan": ready.run("plan"), "sync": ready.run("sync", json_file=True)}
    assert {name: ran.code for name, ran in seen.items()} == {"plan": 0, "sync": 0}
    seen |= {name: ready.run(*name.split()) for name in ("rankings", "rankings --by companies", "report")}
    surfaces = {name: f"{ran.out}{ran.err}{json.dumps(ran.summary)}".encode() for name, ran in seen.items()}
    surfaces["slack"] = msgspec.json.encode(ready.sandbox.team.messages)
    for file in ready.home.rglob("*"):
        # The staging store holds what the systems said, a saved plan what is to be written; nobody else may read them.
        if file.is_file() and "staging" not in file.relative_to(ready.home).parts:
            surfaces[str(file.relative_to(ready.home))] = file.read_bytes()
    leaks = {
        (surface, hidden)
        for surface, content in surfaces.items()
        for hidden in HIDDEN
        if any(one in content for one in spellings(f"@{hidden}") | spellings(f"\uff20{hidden}"))
    }
    assert not leaks
    assert "Ask [address] about it" in seen["rankings"].out
    published = Path(ready.home / "published" / "sandbox" / "default.duckdb")
    with duckdb.connect(published, read_only=True) as database:
        titles = {title for (title,) in database.execute("SELECT title FROM ranked.feature_requests").fetchall()}
    assert titles == {"Ask [address] about it"}
    assert {record["title"] for record in ready.in_crm().records.values()} == {
        f"Ask {address} about it" for address in ADDRESSES
    }


def surfaces_of(world: World) -> dict[str, bytes]:
    """Everything outside the staging store: files of the home, and what Slack was told."""
    found = {
        str(file.relative_to(world.home)): file.read_bytes()
        for file in world.home.rglob("*")
        if file.is_file() and "staging" not in file.relative_to(world.home).parts
    }
    return {**found, "slack": msgspec.json.encode(world.sandbox.team.messages)}


def test_a_person_named_as_own_staff_is_counted_so_and_named_nowhere(
    ready: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The founder with personal mail is a contact of Gamma, and not counted; a wrong entry ends the run at once."""
    ready.forget_requests()
    wrong = ready.run("sync", INTEGRATION_ASSETS_OWN_DOMAINS="own-company.com,dee.founder@gmail")
    assert (wrong.code, len(wrong.error_lines)) == (2, 1)
    assert "entry 2 is neither a domain nor one e-mail address" in wrong.err
    assert ready.sandbox.canny.requests == []

    monkeypatch.setitem(ready.extra, "INTEGRATION_ASSETS_OWN_DOMAINS", "own-company.com, Dee.Founder@gmail.com")
    synced = ready.sync()
    assert synced.summary["votes"]["unmatched"] == {"no_email": 1, "own_staff": 1, "unknown_domain": 1}
    assert synced.summary["votes"]["by_method"] == {"host": 5, "contact": 2, "registrable_domain": 1}
    report = ready.run("report")
    assert "own staff" in report.out
    said = "".join(ran.out + ran.err + json.dumps(ran.summary) for ran in (wrong, synced, report))
    surfaces = {**surfaces_of(ready), "terminal": said.encode()}
    assert not [name for name, content in surfaces.items() if b"founder" in content.lower()]
