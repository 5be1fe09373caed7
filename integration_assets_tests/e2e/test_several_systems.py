"""Two feedback systems in one run: Canny for customers, and a table of sales calls whose ids are the same ones."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import duckdb
import pytest

from integration_assets_tests.support.harness import Ran, World

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

MAPPING = """
[requests]
file = "requests.csv"

[requests.columns]
id = "id"
title = "title"

[votes]
file = "votes.csv"

[votes.columns]
id = "id"
request_id = "request_id"
voter_email = "email"
"""


def write_table(folder: Path, name: str, *rows: tuple[str, ...]) -> None:
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(rows)


def write_calls(world: World) -> dict[str, str | None]:
    """Sales calls on two ideas: one has the id of a request of Canny, and its votes those of Canny's votes on it."""
    folder = world.home / "calls"
    folder.mkdir()
    (folder / "feedback.toml").write_text(MAPPING, encoding="utf-8")
    dark_mode = world.request_id("dark mode")
    votes = [vote.id for vote in world.canny.votes.values() if vote.post_id == dark_mode]
    write_table(folder, "requests.csv", ("id", "title"), (dark_mode, "Dark theme"), ("RFP-1", "On-premises"))
    write_table(
        folder,
        "votes.csv",
        ("id", "request_id", "email"),
        (votes[0], dark_mode, "somebody@gamma.de"),
        (votes[1], dark_mode, "ann@acme.com"),
        ("v9", "RFP-1", "han@delta.fr"),
    )
    return {
        "INTEGRATION_ASSETS_FEEDBACK": "canny,table",
        "INTEGRATION_ASSETS_SOURCE_NAME": "table=calls",
        "INTEGRATION_ASSETS_TABLE": str(folder / "feedback.toml"),
    }


def companies_of(world: World, key: str) -> set[str]:
    """Names of the companies that a record is linked to as ones that voted."""
    names = {world.company(name): name for name in ("Acme", "Beta", "Gamma", "Delta")}
    return {names[company] for company, labels in world.in_crm().companies[key].items() if labels}


def calls_to_canny(ran: Ran) -> int:
    return int(ran.summary["api_calls"]["canny"]["total"])


def published(world: World, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(world.home / "published" / "sandbox" / "default.duckdb", read_only=True) as connection:
        return connection.execute(query).fetchall()


def test_two_systems_are_read_side_by_side_into_one_ranking_and_one_crm(synced: World) -> None:
    """Records that were there keep key and values; equal ids are two requests; the second sync writes nothing."""
    alone, again = calls_to_canny(synced.sync("--full")), calls_to_canny(synced.sync())
    before = synced.in_crm().records
    both = write_calls(synced)
    dark_mode, calls = synced.key("dark mode"), f"calls:{synced.request_id('dark mode')}"

    first = synced.sync(**both)
    assert calls_to_canny(first) == alone, "everything is read anew, as the ids in the store are others, and no more"
    assert first.summary["feature_requests"]["identified"] == len(before) + 2
    assert (first.summary["feature_requests"]["created"], first.summary["feature_requests"]["updated"]) == (2, 0)
    assert first.summary["votes"]["total"] == 11 + 3
    records = synced.in_crm().records
    assert {key: records[key] for key in before} == before
    assert records.keys() - before.keys() == {calls, "calls:rfp-1"}
    assert {records[key]["source"] for key in before} == {"canny"}
    assert (records[calls]["title"], records[calls]["source"], records[calls]["votes"]) == ("Dark theme", "calls", "2")
    assert companies_of(synced, calls) == {"Acme", "Gamma"}
    assert companies_of(synced, "calls:rfp-1") == {"Delta"}
    assert companies_of(synced, dark_mode) == {"Acme", "Beta"}
    assert first.out.count("Table has no") + first.err.count("Table has no") == 1, "what it cannot tell is told once"

    synced.forget_requests()
    second = synced.sync(**both)
    assert synced.writes() == []
    assert second.summary["feature_requests"]["unchanged"] == len(records)
    assert calls_to_canny(second) == again, "what was read before is known under its new ids"
    floors = dict(published(synced, "SELECT system, calls FROM ops.call_floors ORDER BY run_id"))
    assert floors["table"] == 0

    # A vote in either system changes that system's record alone, and a request that is gone is retired.
    synced.vote("themes", "gus")
    folder = synced.home / "calls"
    write_table(folder, "requests.csv", ("id", "title"), (synced.request_id("dark mode"), "Dark theme"))
    write_table(folder, "votes.csv", ("id", "request_id", "email"), ("v1", synced.request_id("dark mode"), "x@beta.io"))
    third = synced.sync(**both)
    assert third.summary["feature_requests"]["updated"] == 2
    assert third.summary["feature_requests"]["retired"] == 1
    records = synced.in_crm().records
    assert records["calls:rfp-1"]["retired_reason"] == "deleted"
    assert records[synced.key("themes")]["votes"] == "1"
    assert companies_of(synced, calls) == {"Beta"}


def test_requests_of_two_systems_that_are_the_same_one_count_once(synced: World) -> None:
    """The votes of both count for the one that stays, a company once; the other's record is retired as merged."""
    both = write_calls(synced)
    synced.sync(**both)
    dark_mode, calls = synced.key("dark mode"), f"calls:{synced.request_id('dark mode')}"
    before = synced.in_crm().records[dark_mode]
    same = synced.home / "same_requests.csv"
    write_table(synced.home, same.name, ("request", "same_as", "note"), (calls, dark_mode, "heard in calls"))
    with same.open("a", encoding="utf-8") as file:
        file.write("calls:nobody-knows," + dark_mode + ",\n")

    ran = synced.sync(**both)
    records = synced.in_crm().records
    assert records[calls]["retired_reason"] == "merged"
    assert (records[dark_mode]["votes"], records[dark_mode]["companies"]) == ("6", "3"), "Acme voted in both"
    assert (before["votes"], before["companies"]) == ("4", "2")
    assert companies_of(synced, dark_mode) == {"Acme", "Beta", "Gamma"}
    assert f"1 request counts as another, as the file of same requests says: {calls} as {dark_mode}" in ran.out
    assert [one["reason"] for one in ran.summary["quarantine"]] == ["is not among the requests that are read"]
    assert published(synced, f"SELECT count(*) FROM ranked.feature_requests WHERE request_id = '{calls}'") == [(0,)]
    synced.forget_requests()
    synced.sync(**both)
    assert synced.writes() == []
    shown = synced.run("rankings", json_file=False, stdin=None, **both)
    assert " has the votes of Dark theme (calls, 2 votes)\n" in shown.out
    written = synced.home / "ranking.csv"
    synced.run("rankings", "--csv", str(written), json_file=False, stdin=None, **both)
    with written.open(encoding="utf-8", newline="") as opened:
        found = {row["merged_requests"]: row["merged_details"] for row in csv.DictReader(opened)}
    assert found == {"": "", calls: "Dark theme (calls, 2 votes)"}

    # Taken back, it is a request again, with the same record; a circle ends the run before the first call.
    same.unlink()
    synced.sync(**both)
    assert synced.in_crm().records[calls]["retired_reason"] in ("", None)
    write_table(synced.home, same.name, ("request", "same_as", "note"), (calls, dark_mode, ""), (dark_mode, calls, ""))
    synced.forget_requests()
    refused = synced.run("sync", json_file=False, stdin=None, **both)
    assert (refused.code, len(synced.lookalike().requests), len(synced.sandbox.canny.requests)) == (2, 0, 0)
    assert "lead in a circle" in refused.error_lines[0]


def test_two_systems_without_a_choice_are_asked_about(ready: World) -> None:
    """Nothing is guessed: the message names both variables, and how to mean one of them or both."""
    ran = ready.run("sync", INTEGRATION_ASSETS_TABLE="feedback.toml")
    assert ran.code == 2
    [line] = ran.error_lines
    for said in ("CANNY_API_KEY and INTEGRATION_ASSETS_TABLE are set", "=canny or table", "=canny,table for all"):
        assert said in line
