"""The demo: the main job from an empty portal to a second sync that writes nothing, with all there is to see."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from integration_assets.sandbox.feedback_systems import OTHER_FEEDBACK_SYSTEMS
from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.server import Sandbox, build_sandbox
from integration_assets_tests.support.harness import PREFIXES, World, is_write
from integration_assets_tests.support.local_pages import serving_locally
from integration_assets_tests.support.snapshots import PROMPT
from integration_assets_tests.support.web_site import Client

pytestmark = pytest.mark.usefixtures("dagster_in_memory")

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
DEMO = ".integration_assets/demo"
LISTING = ("GET", "/crm/objects/2026-09/{type}")
SHOWN = (
    "create object feature_request",
    "Dry run",
    "would create 39, update 0, retire 0",
    "39 verified",
    "Requests by ARR",
    "Requests by companies",
    "unknown domain",
    "Feature requests → sandbox",
    "POST /v2/votes/list",
    "published/sandbox/default.duckdb",
    "The second sync made 0 write calls.",
)
"""What a reader of the demo must have seen."""


def test_the_demo_shows_the_main_job_whatever_else_is_configured(
    ready: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a cut of the sample: every step is shown, the second sync writes nothing, and nobody's own settings count."""
    made: list[Sandbox] = []

    def small_sandbox(**asked: Any) -> Sandbox:
        sample = build_sample(requests=40, votes=400, companies=120)
        made.append(build_sandbox(sample, plan=None, slack_interval=0, portal_options=PROMPT, **asked))
        return made[0]

    monkeypatch.chdir(home)
    own = {
        "INTEGRATION_ASSETS_STORE_URL": str(home / "somebodys-store"),
        "INTEGRATION_ASSETS_CALL_BUDGET": "1",
        "CANNY_BOARDS": "A board of theirs",
        "HUBSPOT_SANDBOX_PORTAL_ID": "123",
    }
    with mock.patch("integration_assets.demo.build_sandbox", small_sandbox):
        ran = ready.run("demo", json_file=False, **own)
    assert ran.code == 0, ran.out + ran.err
    for words in SHOWN:
        assert words in ran.out, words
    assert not (home / "somebodys-store").exists()
    [sandbox] = made
    check_what_the_readme_shows_next(home, ran.out)
    check_the_pages_that_serve_opens(home)
    # the second sync read all companies again, and nothing was written from then on
    requests = sandbox.hubspot_sandbox.requests
    last_write = max(number for number, request in enumerate(requests) if is_write(request))
    assert [request for request in requests[last_write:] if (request.method, request.template) == LISTING]
    assert len(sandbox.sandbox.portal.records("feature_request")) == 39
    assert len(sandbox.team.messages) == 3


@pytest.mark.proof
@pytest.mark.parametrize(
    "kept_in", ["services", *(pytest.param(name, marks=pytest.mark.long) for name in ("projects", "tickets"))]
)
def test_the_demo_runs_on_a_smaller_plan(
    ready: World, home: Path, monkeypatch: pytest.MonkeyPatch, kept_in: str
) -> None:
    """Without custom objects and labels, beside rows of others: the second sync writes nothing there either."""
    made: list[Sandbox] = []

    def small_sandbox(**asked: Any) -> Sandbox:
        sample = build_sample(requests=40, votes=400, companies=120)
        made.append(build_sandbox(sample, plan=None, slack_interval=0, portal_options=PROMPT, **asked))
        return made[0]

    monkeypatch.chdir(home)
    with mock.patch("integration_assets.demo.build_sandbox", small_sandbox):
        ran = ready.run("demo", "--object", kept_in)
    assert ran.code == 0, ran.out + ran.err
    assert "The second sync made 0 write calls." in ran.out
    assert "link labels: not on this plan" in " ".join(ran.out.split())
    records = [one["properties"] for one in made[0].sandbox.portal.records(kept_in)]
    assert sum("feature_request_marker" in record for record in records) == 39
    assert sum("feature_request_marker" not in record for record in records) == 3


@pytest.mark.proof
@pytest.mark.parametrize(
    "feedback",
    # Each of them with each CRM: the proofs of pairs.
    ["canny,table", *(pytest.param(one, marks=pytest.mark.long) for one in OTHER_FEEDBACK_SYSTEMS)],
)
def test_the_demo_runs_on_another_feedback_system(
    ready: World, home: Path, monkeypatch: pytest.MonkeyPatch, feedback: str
) -> None:
    """The same requests as from the first one, in as many calls as the floor and the shape of the lists say.

    Beside the first one, ten ideas of calls come in, three of which are requests that are there already.
    """

    def small_sandbox(**asked: Any) -> Sandbox:
        sample = build_sample(requests=40, votes=400, companies=120)
        return build_sandbox(sample, plan=None, slack_interval=0, portal_options=PROMPT, **asked)

    monkeypatch.chdir(home)
    with mock.patch("integration_assets.demo.build_sandbox", small_sandbox):
        ran = ready.run("demo", "--feedback", feedback)
    assert ran.code == 0, ran.out + ran.err
    assert f"would create {46 if ',' in feedback else 39}, update 0, retire 0" in ran.out
    assert "The second sync made 0 write calls." in ran.out


def test_a_feedback_system_without_a_look_alike_is_refused(
    ready: World, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is served; the message names those that can be chosen."""
    monkeypatch.chdir(home)
    ran = ready.run("demo", "--feedback", "nobody", json_file=False)
    assert (ran.code, "--feedback must be one of canny, table, " in ran.err) == (2, True), ran.err


def check_what_the_readme_shows_next(folder: Path, shown: str) -> None:
    """The commands of the README that follow the demo do as they stand what it says, in the folder the demo ran in."""
    [block] = [
        one for one in re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL) if "export" in one and DEMO in one
    ]
    commands = [line.split("  #")[0].strip() for line in block.splitlines()]
    assert {command.replace(".venv/bin/", "") for command in commands[:4]} <= set(shown.splitlines())
    own = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
    # the folder of the tests' own program stands for the one that `make install` fills
    [serve] = [command for command in commands if command.endswith(" serve")]
    commands.remove(serve)
    script = "\n".join(commands).replace(".venv/bin/", f"{Path(sys.executable).parent}/")
    ran = subprocess.run(
        ["bash", "-euc", script], cwd=folder, env=own, capture_output=True, text=True, timeout=300, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "Requests by companies" in ran.stdout
    assert re.search(r"│\s+title\s+│\s+companies\s+│\s+arr\s+│", ran.stdout)  # the table that DuckDB draws
    assert "<svg" in (folder / "report.html").read_text(encoding="utf-8")


def check_the_pages_that_serve_opens(folder: Path) -> None:
    """Without a key or a registry: the link shows every page, from the ranking to the last run; then it is used up."""
    with serving_locally(folder, {"INTEGRATION_ASSETS_HOME": DEMO}) as (origin, link, said):
        with Client(origin) as person:
            assert person.get("/requests").headers["location"] == "/login"
            assert person.follow(link).headers["location"] == "/requests"
            ranking = person.get("/requests").text
            [request, company] = [
                re.findall(rf'href="(/{kind}/[^"]+)"', page)[0]
                for kind, page in (("requests", ranking), ("companies", person.get("/companies").text))
            ]
            [run, *_] = re.findall(r'href="(/runs/[^"]+)"', person.get("/runs").text)
            for page in (request, company, run, "/unresolved", "/settings", "/requests.csv"):
                assert person.get(page).status_code == 200, page
        with Client(origin) as other:
            assert other.follow(link).status_code == 401
    # the terminal has the link once, and then lines of the log without it
    token = link.partition("#")[2]
    assert "".join(said).count(token) == 1
    assert "POST /open 303" in "".join(said)
