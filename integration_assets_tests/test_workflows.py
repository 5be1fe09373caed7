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

import duckdb
import pytest

from integration_assets.config import Settings
from integration_assets.sandbox.hubspot import PortalOptions
from integration_assets.sandbox.server import build_sandbox
from integration_assets.tenants.registry import master
from integration_assets_tests.support.harness import PREFIXES, World, world_of
from integration_assets_tests.support.small_world import small_world
from integration_assets_tests.support.snapshots import folder
from integration_assets_tests.support.waiting import PATIENCE_SECONDS
from integration_assets_tests.support.workflow_runner import WORKFLOWS, Outcome, Runner, load

FILES = sorted(WORKFLOWS.glob("*.yml"))
SCRIPTS = sorted(WORKFLOWS.parent.glob("*.sh"))
USING_SECRETS = ("sync.yml", "plan.yml")
NOT_FOR_RUNS = re.compile(r"_SETUP_TOKEN$|^INTEGRATION_ASSETS_(?:REGISTRY_URL|KEY)$")
"""Secrets of a person who runs `setup`, and of an installation with tenants; the key reaches the steps of the state."""
PINNED = re.compile(
    r"uses: (actions/(?:cache/restore|cache/save|checkout|setup-python|upload-artifact))@[0-9a-f]{40} # v\d+\.\d+\.\d+"
)
ROOT = WORKFLOWS.parents[1]


def steps(path: Path) -> Iterator[dict[str, Any]]:
    for job in load(path)["jobs"].values():
        yield from job["steps"]


def test_there_are_three_workflows():
    """One that tests, one that syncs, one that shows what a pull request would change."""
    assert [path.name for path in FILES] == ["ci.yml", "plan.yml", "sync.yml"]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_can_be_started_and_read_by_bash(path: Path):
    """What is sourced needs no right to be started."""
    assert os.access(path, os.X_OK) or path.name == "settings.sh"
    subprocess.run(["bash", "-n", str(path)], check=True, timeout=PATIENCE_SECONDS)


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
    """None for the workflow, reading for a job, a comment where that is its work; no token stays on the disk."""
    loaded = load(path)
    assert loaded["permissions"] == {}
    reading = {"contents": "read"}
    wanted = {"plan.yml": [{**reading, "pull-requests": "write"}], "sync.yml": [{}, reading]}
    found = [job["permissions"] for job in loaded["jobs"].values()]
    assert found == wanted.get(path.name, [reading, reading])
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


@pytest.mark.parametrize("name", USING_SECRETS)
def test_secrets_reach_only_the_steps_that_use_them(name: str):
    """No job or workflow hands them to all its steps, and each has its own name."""
    loaded = load(WORKFLOWS / name)
    wide = [loaded.get("env", {}), *(job.get("env", {}) for job in loaded["jobs"].values())]
    assert "secrets." not in str(wide)
    for step in steps(WORKFLOWS / name):
        named = {key for key, value in step.get("env", {}).items() if "secrets." in str(value)}
        assert not named or step["run"].startswith((".github/sync.sh", ".github/state.sh"))
        assert all(f"secrets.{key} " in step["env"][key] for key in named)


@pytest.mark.parametrize("name", USING_SECRETS)
def test_every_secret_of_every_system_reaches_a_run(name: str):
    """So another feedback system or CRM needs no change of a workflow; what is no secret comes by its own name."""
    fields = Settings.model_fields.values()
    secrets = {str(one.validation_alias) for one in fields if "SecretStr" in str(one.annotation)}
    text = (WORKFLOWS / name).read_text(encoding="utf-8")
    named = set(re.findall(r"secrets\.(\w+)", text))
    assert {one for one in secrets if not NOT_FOR_RUNS.search(one)} | {"INTEGRATION_ASSETS_KEY"} == named
    assert text.count("toJSON(vars)") == 1


def test_the_two_workflows_hand_over_the_same_secrets():
    """A plan that reads with other keys than the sync would be the plan of something else."""
    by_workflow = []
    for name in USING_SECRETS:
        (calls,) = [step["env"] for step in steps(WORKFLOWS / name) if step.get("run") == ".github/sync.sh"]
        by_workflow.append({key: value for key, value in calls.items() if "secrets." in value or key == "VARIABLES"})
    assert by_workflow[0] == by_workflow[1]


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
    assert "make install\n" in file.read_text(encoding="utf-8")


# -- the commands of the workflows, carried out against a sandbox


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
    """GitHub, as a workflow sees it: a fresh machine for every job, one cache, and a `gh` that notes its words."""

    def __init__(self, world: World, folder: Path) -> None:
        self._folder, self._jobs = folder, 0
        known = world.addresses.environment()
        text = "".join((WORKFLOWS / name).read_text(encoding="utf-8") for name in USING_SECRETS)
        secret = set(re.findall(r"secrets\.(\w+)", text))
        self.variables = {name: value for name, value in known.items() if name not in secret}
        self._contexts = {f"secrets.{name}": known.get(name, "") for name in secret}
        self._contexts |= {
            "github.event.repository.fork": "false", "inputs.environment": "", "inputs.dry_run": "",
            "inputs.approve": "", "inputs.undo": "", "vars.INTEGRATION_ASSETS_ENVIRONMENT": "",
            "steps.state.outputs.saved": "", "github.token": "token", "github.repository": "acme/feedback",
            "github.event.pull_request.number": "7",
        }  # fmt: skip
        self._machine = {name: value for name, value in os.environ.items() if not name.startswith(PREFIXES)}
        self._machine["PATH"] = f"{folder / 'bin'}{os.pathsep}{self._machine['PATH']}"
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        (self.workspace / ".venv").symlink_to(sys.prefix)
        (self.workspace / ".github").symlink_to(WORKFLOWS.parent)
        self.comments, self.cache = folder / "comments", folder / "cache"
        (folder / "bin").mkdir()
        gh = folder / "bin" / "gh"
        gh.write_text(f'#!/bin/sh\n{{ echo "$@"; cat "$5"; }} > {self.comments}\n', encoding="utf-8")
        gh.chmod(0o755)

    def run(self, job: str, *, workflow: str = "sync.yml", **said: str) -> tuple[Outcome, Path]:
        """Run a job on a machine that knows nothing of the one before; the second is the folder of its artefacts."""
        self._jobs += 1
        temp = self._folder / f"machine{self._jobs}"
        contexts = {
            **self._contexts,
            "toJSON(vars)": json.dumps(self.variables),
            **{name.replace("__", "."): value for name, value in said.items()},
        }
        runner = Runner(WORKFLOWS / workflow, self.workspace, temp, contexts, self._machine, cache=self.cache)
        return runner.run_job(job), temp / "out"


@pytest.fixture
def github(world: World, tmp_path: Path) -> Hosted:
    """The workflows' host."""
    return Hosted(world, tmp_path)


def test_a_fork_is_skipped_and_says_so(github: Hosted):
    """It has no secrets, so nothing is tried and nothing is red; the sync job is told."""
    outcome, _ = github.run("where", github__event__repository__fork="true")
    assert (outcome.code, outcome.outputs) == (0, {"here": "false"})
    assert "skipped" in outcome.page
    assert github.run("where")[0].outputs == {"here": "true"}
    job = load(WORKFLOWS / "sync.yml")["jobs"]["sync"]
    assert (job["if"], job["needs"]) == ("needs.where.outputs.here == 'true'", "where")


def test_a_missing_secret_is_red_before_anything_is_read(github: Hosted, world: World):
    """The page names it, and shows what doctor found."""
    world.forget_requests()
    outcome, artefacts = github.run("sync", secrets__CANNY_API_KEY="")
    assert outcome.code != 0
    assert "Preflight, sandbox" in outcome.page
    assert "CANNY_API_KEY" in outcome.page
    assert not (artefacts / "summary.json").exists()
    assert world.writes() == []


def test_a_dry_run_writes_nothing_and_leaves_the_plan(github: Hosted, world: World):
    """What a person gets who only presses the button. Without a key no state is kept, and the page says so."""
    world.forget_requests()
    outcome, artefacts = github.run("sync", inputs__environment="sandbox", inputs__dry_run="true")
    assert outcome.code == 0, outcome.log
    assert world.writes() == []
    assert "(dry run)" in outcome.page
    assert "No state is kept" in outcome.page
    assert {"plan.json", "plan.csv", "summary.json", "default.duckdb"} <= {one.name for one in artefacts.iterdir()}
    assert len(list(artefacts.glob("*.html"))) == 1


def test_a_pull_request_is_told_what_its_mappings_would_change(github: Hosted, world: World):
    """One comment with the plan of the branch's mappings; nothing is written into the CRM."""
    world.forget_requests()
    mappings = github.workspace / "mappings"
    mappings.mkdir()
    company = world.seeded().company_ids[0]
    (mappings / "overrides.csv").write_text(f"match,company_id,note\nnowhere-at-all.org,{company},\n", "utf-8")
    outcome, artefacts = github.run("plan", workflow="plan.yml")
    assert outcome.code == 0, outcome.log
    assert world.writes() == []
    said, *body = github.comments.read_text(encoding="utf-8").splitlines()
    assert said.startswith("pr comment 7 --body-file ")
    assert said.endswith("--edit-last --create-if-none")
    text = "\n".join(body)
    assert "## What this branch would change in sandbox" in text
    assert "(dry run)" in text
    assert (artefacts / "plan.txt").read_text(encoding="utf-8").splitlines()[0] in text
    assert "@" not in text
    (file,) = (artefacts.parent / "home" / "published").rglob("default.duckdb")
    with duckdb.connect(str(file), read_only=True) as published:
        by_mapping = "SELECT count(*) FROM ranked.company_requests WHERE list_contains(match_methods, 'override')"
        assert published.execute(by_mapping).fetchall() > [(0,)]


@pytest.mark.proof
def test_the_state_of_a_run_is_there_for_the_next(github: Hosted, world: World):
    """Sealed in the cache, so that the next machine undoes what this one wrote; with another key it does without."""
    world.forget_requests()
    key = master.generate()
    first, _ = github.run("sync", secrets__INTEGRATION_ASSETS_KEY=key)
    assert first.code == 0, first.log
    assert "No state of an earlier run" in first.page
    (kept,) = github.cache.iterdir()
    assert b"acme.com" not in kept.read_bytes()
    assert len(world.in_crm().records) > 0

    undone, _ = github.run("sync", secrets__INTEGRATION_ASSETS_KEY=key, inputs__undo="last", inputs__dry_run="false")
    assert undone.code == 0, undone.log
    assert {one["retired_reason"] for one in world.in_crm().records.values()} == {"undone"}

    other = master.generate()
    without, _ = github.run("sync", secrets__INTEGRATION_ASSETS_KEY=other, inputs__dry_run="true")
    assert without.code == 0, without.log
    assert "cannot be used" in without.page


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
    outcome, _ = github.run("sync", inputs__undo="last", inputs__dry_run="true")
    assert outcome.code != 0
    assert "integration-assets: " in outcome.page
