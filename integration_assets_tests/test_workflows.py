"""The GitHub workflows do here what they will do there, and ask for no more than they need."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration_assets.config import Settings
from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sandbox.server import build_sandbox
from integration_assets_tests.support.harness import PREFIXES, World, world_of
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.waiting import PATIENCE_SECONDS
from integration_assets_tests.support.workflow_runner import INSTALL, WORKFLOWS, Outcome, Runner, load

FILES = sorted(WORKFLOWS.glob("*.yml"))
PINNED = re.compile(r"uses: (actions/(?:checkout|setup-python|upload-artifact))@[0-9a-f]{40} # v\d+\.\d+\.\d+")
ROOT = WORKFLOWS.parents[1]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in load(path)["jobs"].values():
        yield from job["steps"]


def test_there_are_two_workflows():
    """One that tests, one that syncs."""
    assert [path.name for path in FILES] == ["ci.yml", "sync.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_actions_are_pinned_by_hash(path: Path):
    """A tag can be moved to other code, a commit cannot; the comment says which version it is."""
    text = path.read_text(encoding="utf-8")
    assert len(PINNED.findall(text)) == text.count("uses: ") > 0


def test_an_action_is_the_same_commit_everywhere():
    """Both workflows are moved to another version together, or one of them is forgotten."""
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)
    pins = {pin[0] for pin in PINNED.finditer(text)}
    assert len(pins) == len({pin.split("@")[0] for pin in pins})


def audited(path: Path) -> list[str]:
    """What zizmor finds in a workflow, or in a folder of them, at its strictest, without asking the network."""
    command = [str(Path(sys.executable).with_name("zizmor")), "--offline", "--no-config", "--no-ignores"]
    command += ["--strict-collection", "--persona", "auditor", "--no-exit-codes", "--format", "json", str(path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS)
    assert ran.returncode == 0, ran.stderr
    return [finding["ident"] for finding in json.loads(ran.stdout)]


def test_the_workflows_have_no_known_weakness():
    """Nothing that an auditor would look at twice, and nothing that is only said to be fine."""
    assert audited(WORKFLOWS) == []


def test_a_weak_workflow_would_be_found(tmp_path: Path):
    """An action by its tag, a token left on the disk, and words of a stranger in a command."""
    text = (WORKFLOWS / "ci.yml").read_text(encoding="utf-8")
    weak = PINNED.sub(r"uses: \1@v6", text).replace("persist-credentials: false", "persist-credentials: true")
    (tmp_path / "weak.yml").write_text(weak.replace("run: .ci/run", "run: echo ${{ github.event.pull_request.title }}"))
    assert {"unpinned-uses", "artipacked", "template-injection"} <= set(audited(tmp_path / "weak.yml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_permissions_are_the_least(path: Path):
    """None for the workflow, reading the code for a job; the checkout leaves no token on the disk."""
    loaded = load(path)
    assert loaded["permissions"] == {}
    assert {str(job["permissions"]) for job in loaded["jobs"].values()} == {"{'contents': 'read'}"}
    checkouts = [step for step in steps(path) if "checkout@" in step.get("uses", "")]
    assert checkouts
    assert all(step["with"]["persist-credentials"] is False for step in checkouts)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_commands_hold_no_expression(path: Path):
    """What people type into a form reaches a shell as a variable only, never as text of a command."""
    assert not [step["run"] for step in steps(path) if "${{" in step.get("run", "")]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_jobs_end_and_do_not_pile_up(path: Path):
    """Each has a time limit, and each workflow a concurrency group."""
    loaded = load(path)
    assert loaded["concurrency"]["group"]
    assert all(job["timeout-minutes"] for job in loaded["jobs"].values())


def test_secrets_reach_only_the_steps_that_use_them_and_exist_as_settings():
    """Every name is one the product reads; no job or workflow hands secrets to all its steps."""
    read = {str(one.validation_alias) for one in Settings.model_fields.values()}
    text = (WORKFLOWS / "sync.yml").read_text(encoding="utf-8")
    assert set(re.findall(r"(?:secrets|vars)\.(\w+)", text)) <= read
    loaded = load(WORKFLOWS / "sync.yml")
    wide = [loaded.get("env", {}), *(job.get("env", {}) for job in loaded["jobs"].values())]
    assert "secrets." not in str(wide)
    for step in steps(WORKFLOWS / "sync.yml"):
        named = {name for name, value in step.get("env", {}).items() if "secrets." in str(value)}
        assert not named or "integration-assets" in step["run"]
        assert all(f"secrets.{name} " in step["env"][name] for name in named)


def test_a_schedule_syncs_every_four_hours_and_a_person_chooses():
    """By hand, a dry run of the sandbox is what happens unless something else is said."""
    on = load(WORKFLOWS / "sync.yml")["on"]
    assert [one["cron"].split(" ")[1] for one in on["schedule"]] == ["*/4"]
    inputs = on["workflow_dispatch"]["inputs"]
    assert (inputs["environment"]["options"], inputs["dry_run"]["default"]) == (["sandbox", "production"], True)


def test_the_checks_are_those_of_everywhere():
    """The command of `ci.yml` exists, and installs as the other workflow does; other platforms run what people run."""
    command, *others = [step["run"] for step in steps(WORKFLOWS / "ci.yml") if "run" in step]
    assert others == ["make test", "make demo"]
    file = ROOT / command
    assert os.access(file, os.X_OK)
    assert INSTALL in file.read_text(encoding="utf-8")


# -- the commands of sync.yml, carried out against a sandbox


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    """The small world with both portals set up."""
    prompt = PortalOptions(search_lag=0, property_lag=0, schema_lag=0, schema_flip=0)
    sandbox = build_sandbox(small_world().sample, plan=None, slack_interval=0, portal_options=prompt)
    with folder() as home, world_of(sandbox, home) as made:
        made.set_up()
        made.set_up("production")
        made.forget_requests()
        yield made


class Hosted:
    """GitHub, as far as the workflow sees it: a fresh machine for every job."""

    def __init__(self, world: World, folder: Path) -> None:
        self._folder, self._jobs = folder, 0
        known = world.addresses.environment()
        self._machine = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
        text = (WORKFLOWS / "sync.yml").read_text(encoding="utf-8")
        named = {name for name, _ in re.findall(r"((?:secrets|vars)\.(\w+))", text)}
        self._contexts = {name: known.get(name.split(".")[1], "") for name in named}
        self._contexts |= {
            "github.event.repository.fork": "false", "inputs.environment": "", "inputs.dry_run": "",
            "inputs.approve": "", "steps.where.outputs.here": "",
        }  # fmt: skip
        # What a real installation leaves at its defaults, a sandbox has to be told.
        self._machine |= {
            name: value
            for name, value in known.items()
            if f"secrets.{name}" not in named and f"vars.{name}" not in named
        }
        (folder / "workspace").mkdir()
        (folder / "workspace" / ".venv").symlink_to(sys.prefix)

    def run(self, job: str, **said: str) -> tuple[Outcome, Path]:
        """Run a job on a machine that knows nothing of the one before; the second is the folder of its artefacts."""
        self._jobs += 1
        temp = self._folder / f"machine{self._jobs}"
        contexts = {**self._contexts, **{name.replace("__", "."): value for name, value in said.items()}}
        runner = Runner(WORKFLOWS / "sync.yml", self._folder / "workspace", temp, contexts, self._machine)
        return runner.run_job(job), temp / "out"


@pytest.fixture
def github(world: World, tmp_path: Path) -> Hosted:
    """The workflow's host."""
    return Hosted(world, tmp_path)


def test_a_fork_is_skipped_and_says_so(github: Hosted):
    """It has no secrets, so nothing is tried and nothing is red; the sync job is told."""
    outcome, _ = github.run("preflight", github__event__repository__fork="true")
    assert outcome.code == 0
    assert outcome.ran == ["Where is this?"]
    assert "skipped" in outcome.page
    assert outcome.outputs == {"here": "false"}
    assert load(WORKFLOWS / "sync.yml")["jobs"]["sync"]["if"] == "needs.preflight.outputs.here == 'true'"


def test_preflight_is_red_when_a_secret_is_missing(github: Hosted):
    """The page names it; the sync job waits for the preflight, so it never begins."""
    outcome, _ = github.run("preflight", secrets__CANNY_API_KEY="")
    assert outcome.code != 0
    assert "CANNY_API_KEY" in outcome.page
    assert load(WORKFLOWS / "sync.yml")["jobs"]["sync"]["needs"] == "preflight"


def test_preflight_is_green_when_a_run_would_get_through(github: Hosted):
    """Every step is carried out, and the page shows what was found."""
    outcome, _ = github.run("preflight")
    assert outcome.code == 0, outcome.log
    assert outcome.ran == ["Where is this?", "Would a run get through?"]
    assert "Preflight, sandbox" in outcome.page


def test_a_dry_run_writes_nothing_and_leaves_the_plan(github: Hosted, world: World):
    """What a person gets who only presses the button."""
    world.forget_requests()
    outcome, artefacts = github.run("sync", inputs__environment="sandbox", inputs__dry_run="true")
    assert outcome.code == 0, outcome.log
    assert world.writes() == []
    assert "(dry run)" in outcome.page
    assert {"plan.json", "summary.json", "default.duckdb"} <= {one.name for one in artefacts.iterdir()}
    assert len(list(artefacts.glob("*.html"))) == 1


@pytest.mark.proof
@pytest.mark.long  # five cold commands: more than a minute on a busy machine
def test_a_held_plan_is_released_by_its_hash_on_another_machine(github: Hosted, world: World):
    """The first apply to production is held and red, with its plan to look at; only that plan's hash releases it."""
    held, artefacts = github.run("sync", inputs__environment="production")
    assert held.code == 3
    assert world.writes("production") == []
    assert "What to do" in held.page
    assert "is held" in held.page
    assert (artefacts / "plan.json").exists()
    (plan_hash,) = set(re.findall(r"Plan `([0-9a-f]{64})`", held.page))

    wrong, _ = github.run("sync", inputs__environment="production", inputs__dry_run="false", inputs__approve="0" * 12)
    assert wrong.code != 0
    assert world.writes("production") == []

    released, _ = github.run(
        "sync", inputs__environment="production", inputs__dry_run="false", inputs__approve=plan_hash[:12]
    )
    assert released.code == 0, released.log
    assert "succeeded" in released.page
    assert len(world.in_crm("production").records) > 0


def test_a_run_that_fails_is_red_and_its_page_says_why(github: Hosted):
    """The line of the error stands there, so that nobody has to read a log."""
    outcome, _ = github.run("sync", secrets__CANNY_API_KEY="revoked-long-ago")
    assert outcome.code == 1
    assert "integration-assets: " in outcome.page
    assert "failed" in outcome.page
