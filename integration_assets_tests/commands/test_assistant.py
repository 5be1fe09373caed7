"""An assistant asks by the protocol's own client, from a process of its own, and nothing is written."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters

from integration_assets.commands.assistant import mcp
from integration_assets.commands.assistant_tools import make_server
from integration_assets.config import load_settings
from integration_assets.errors import ConfigurationError
from integration_assets.reporting.answers import MOST_ROWS
from integration_assets.resolution.rank import rank, snapshot_history
from integration_assets.resolution.resolve import resolve_votes
from integration_assets.resolution.same_requests import SameRequest
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.staging.publishing import publish, published_path
from integration_assets.staging.store import open_store
from integration_assets_tests.resolution.worlds import AS_OF, World, company, load, request, vote

PEOPLE = ("acme", "beta", "gamma")
RECORDED = """
    INSERT INTO ops.runs BY NAME
    SELECT 'run1' AS run_id, TIMESTAMP '2026-06-01 12:00' AS started_at, 'abc123' AS plan_hash, 'USD' AS currency,
        'dry_run' AS mode, 'HELD' AS state, TRUE AS held, 1 AS duration_seconds, 0 AS rejected;
    INSERT INTO sync.plans BY NAME
    SELECT 'plan1' AS plan_id, 'run1' AS run_id, 'abc123' AS hash, 'sync' AS kind, 'held' AS status, '7' AS portal_id,
        TIMESTAMP '2026-06-01 12:00' AS created_at, ['many changes'] AS held_reasons,
        '{"counts": {"create": 2, "unchanged": 9}}' AS header;
    INSERT INTO sync.plan_operations BY NAME
    SELECT 'plan1' AS plan_id, seq, 'create' AS action, 'canny:' || key AS key,
        MAP {'title': 'for ann@acme.example'} AS after_values
    FROM (VALUES (1, 'sso'), (2, 'theme')) AS t (seq, key);
"""


def world(*, moved: bool) -> World:
    """Three open requests and one that shipped; `moved`: two more companies have voted for `theme`."""
    return {
        "feature_requests": [
            request("sso", title="Sign-on, asks bob@acme.example", status="planned"),
            request("theme", title="Dark mode", status="open"),
            request("export", title="Export", status="open"),
            request("done", title="Import", status="complete"),
            request("login", title="Log on"),
        ],
        "voters": [{"voter_id": name, "email": f"{name}@{name}.example"} for name in PEOPLE]
        + [{"voter_id": "home", "email": "home@gmail.com"}],
        "votes": [
            vote("1", "sso", "acme"),
            vote("2", "sso", "home"),
            vote("3", "export", "beta"),
            vote("4", "done", "acme"),
            *([vote("5", "theme", "acme"), vote("6", "theme", "beta")] if moved else []),
        ],
        "crm_companies": [
            company("1", "acme.example", name="Acme (ann@acme.example)", arr="500",
                    segments={"industry": "Software", "plan": "Pro"}),
            company("2", "beta.example", name="Beta Ltd", arr="40", segments={"industry": "Retail"}),
            company("3", "gamma.example", name="Gamma Ltd", arr="30"),
        ],
    }  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home in which two days of a ranking were published."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(tmp_path / "home"))
    settings = load_settings()
    with open_store(tmp_path / "store.duckdb") as connection:
        for moved, day in ((False, AS_OF - timedelta(days=1)), (True, AS_OF)):
            load(connection, world(moved=moved))
            same = (SameRequest("canny:login", "canny:sso"),)
            resolve_votes(connection, ResolutionSettings(same_requests=same, key_prefix="canny:"))
            rank(connection, day, source_name="canny")
            snapshot_history(connection, day)
        connection.execute(RECORDED)
        publish(connection, published_path(settings.home, settings.environment, "default"))
    return tmp_path / "home"


async def _asked(home: Path, calls: list[tuple[str, dict[str, Any]]]) -> tuple[list[Any], list[Any]]:
    # With the fullest log: none of it may stand between the lines of the protocol.
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "integration_assets.cli", "-vv", "mcp"],
        env={"INTEGRATION_ASSETS_HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    async with Client(server) as client:
        tools = await client.list_tools()
        return list(tools.tools), [await client.call_tool(name, values) for name, values in calls]


def test_an_assistant_asks_by_the_protocol(home: Path) -> None:
    """Every tool answers with its total, errors are those of the commands, no address leaves, nothing is written."""
    [published] = home.rglob("*.duckdb")
    before = {path: sha256(path.read_bytes()).hexdigest() for path in home.rglob("*") if path.is_file()}
    calls: list[tuple[str, dict[str, Any]]] = [
        ("rankings", {}),
        ("rankings", {"status": "planned", "words": "sign", "by": "votes"}),
        ("rankings", {"everything": True, "limit": 1}),
        ("company_requests", {"company": "beta.example", "limit": 1}),
        ("why_ranked", {"request_id": "sso"}),
        ("what_moved", {"since": "2026-05-31T23:00"}),
        ("plan", {}),
        ("segments", {}),
        ("segments", {"property_name": "Industry", "by": "votes", "everything": True, "each": 1, "limit": 1}),
        ("company_requests", {"company": "nobody"}),
        ("why_ranked", {"request_id": "nothing"}),
        ("rankings", {"limit": 501}),
        ("rankings", {"status": "plnned"}),
        ("plan", {"plan_hash": "f00"}),
        ("why_ranked", {"request_id": "login"}),
        ("segments", {"property_name": "size"}),
        ("segments", {"each": 3, "limit": 5}),
        ("segments", {"each": 0}),
    ]
    tools, results = asyncio.run(_asked(home, calls))
    assert [tool.name for tool in tools] == [
        "rankings", "segments", "company_requests", "why_ranked", "what_moved", "plan"
    ]  # fmt: skip
    assert all(tool.annotations.read_only_hint and tool.description for tool in tools)
    assert all(tool.input_schema["properties"]["limit"]["maximum"] == MOST_ROWS for tool in tools)

    everything, narrowed, first, asked_by_beta, why, moved, plan, segments, industry = (
        one.structured_content for one in results[:9]
    )
    assert [one["title"] for one in everything["requests"]] == ["Dark mode", "Sign-on, asks [address]", "Export"]
    assert (everything["currency"], everything["requests"][0]["arr"]) == ("USD", "540.00")
    assert (everything["total"], everything["shipped_or_closed_left_out"]) == (3, 1)
    assert [one["request_id"] for one in narrowed["requests"]] == ["sso"]
    assert (first["total"], first["shown"], len(first["requests"])) == (4, 1, 1)
    assert asked_by_beta["company"]["company_name"] == "Beta Ltd"
    assert (asked_by_beta["total"], asked_by_beta["shown"]) == (2, 1)
    assert [(one["company_name"], one["arr"], one["voters"]) for one in why["reasons"]] == [
        ("Acme ([address])", "500.00", 1),
        (None, None, 1),
    ]
    assert (why["request"]["rank_by_arr"], why["total"]) == (2, 2)
    assert everything["merged"] == ["Sign-on, asks [address] has the votes of Log on (canny, 0 votes)"]
    assert [(one["request_id"], one["title"]) for one in why["request"]["merged"]] == [("login", "Log on")]
    assert {(one["request_id"], one["before"], one["now"]) for one in moved["moves"]} >= {("sso", 1, 2)}
    assert moved["total"] == len(moved["moves"])
    assert (plan["plan"]["held_reasons"], plan["total"], plan["shown"]) == (["many changes"], 2, 2)
    assert plan["changes"][0]["after"] == {"title": "for [address]"}

    assert (segments["currency"], segments["total"], segments["shown"]) == ("USD", 3, 3)
    assert segments["shipped_or_closed_left_out"] == 1
    by_property = {one["name"]: one for one in segments["properties"]}
    assert [(one["value"], one["arr"]) for one in by_property["industry"]["segments"]] == [
        ("Software", "500.00"), ("Retail", "40.00"),
    ]  # fmt: skip
    pro = by_property["plan"]["segments"][0]["requests"]
    # The first place of the segment is that of the request which shipped.
    assert [(one["place"], one["title"], one["companies"]) for one in pro] == [
        (2, "Sign-on, asks [address]", 1), (3, "Dark mode", 1),
    ]  # fmt: skip
    [only] = industry["properties"]
    assert (only["name"], industry["total"], industry["shown"], len(only["segments"][0]["requests"])) == (
        "industry", 2, 1, 1,
    )  # fmt: skip

    problems = [one.content[0].text.removeprefix("Error executing tool ") for one in results[9:]]
    assert all(one.is_error for one in results[9:])
    assert problems[0] == "company_requests: no company that voted has the id, domain or name nobody"
    assert problems[1] == "why_ranked: there is no request nothing in the ranking: `rankings` gives their ids"
    assert problems[2].startswith("rankings: limit is 501: ask for 1 to 500 rows")
    assert problems[3].startswith("rankings: there is no status plnned: open")
    assert problems[4].startswith("plan: there is no plan f00")
    went = "why_ranked: the votes of login count for sso, as the file of same requests says: ask for that"
    assert problems[5] == went
    assert problems[6] == "segments: companies have no segments by size: the properties are industry, plan"
    assert problems[7].startswith("segments: limit is 5, and each 3: ask for at least 1 request of each segment")
    assert problems[8].startswith("segments: limit is 50, and each 0")

    assert "@" not in json.dumps([one.model_dump(mode="json") for one in (*tools, *results)])
    assert {path: sha256(path.read_bytes()).hexdigest() for path in home.rglob("*") if path.is_file()} == before
    assert published in before


def test_nothing_published_is_said(tmp_path: Path) -> None:
    """Before the first run the server is there, and its answers say what to do."""

    async def asked() -> Any:
        async with Client(make_server(load_settings(home=tmp_path), "default")) as client:
            return await client.call_tool("rankings")

    answer = asyncio.run(asked())
    assert answer.is_error
    assert "run `sync --read-only`" in answer.content[0].text


def test_a_signal_ends_it_while_it_waits_for_a_question(tmp_path: Path) -> None:
    """Nobody has to close its stdin first, and being told to stop is a good end."""
    command = [sys.executable, "-m", "integration_assets.cli", "mcp"]
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello})
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "INTEGRATION_ASSETS_HOME": str(tmp_path)},
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["result"]["serverInfo"]["name"] == "integration-assets"
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=60) == 0
        finally:
            process.kill()


def test_without_the_sdk_the_command_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra: who does not need it does not have it."""
    monkeypatch.setitem(sys.modules, "mcp.server", None)
    monkeypatch.delitem(sys.modules, "integration_assets.commands.assistant_tools", raising=False)
    with pytest.raises(ConfigurationError, match=r"pip install 'integration-assets\[mcp\]'"):
        mcp()


def test_help_does_not_load_the_sdk() -> None:
    """`--help` stays quick, with and without the extra."""
    loaded = "import integration_assets.cli, sys; print([name for name in sys.modules if name.split('.')[0] == 'mcp'])"
    shown = subprocess.run([sys.executable, "-c", loaded], capture_output=True, text=True, check=True)
    assert shown.stdout == "[]\n"
