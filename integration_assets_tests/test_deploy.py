"""The files of deploy/ are what the tools that read them take, and agree with each other and with the documentation."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import types
from fnmatch import fnmatch
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import jsonschema_rs
import kubernetes_validate  # type: ignore[import-untyped]  # it has no types
import pytest
import yaml

from integration_assets import __version__
from integration_assets.config import Automation, LogSettings, MetricsSettings, Settings

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
COMPOSE = (DEPLOY / "compose.yaml", DEPLOY / "celery" / "compose.yaml")
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
PAGE = (ROOT / "docs" / "operations" / "deploy.md").read_text(encoding="utf-8")
UID = 10_001
IMAGE = f"integration-assets:{__version__}"
OF_OTHERS = frozenset({"PATH", "PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "HOME", "HOSTNAME"})
"""Variables of Python and of the system."""


def text(*path: str) -> str:
    """A file of the folder."""
    return DEPLOY.joinpath(*path).read_text(encoding="utf-8")


def documents(path: Path) -> list[Any]:
    """Everything that a YAML file holds."""
    return list(yaml.safe_load_all(path.read_text(encoding="utf-8")))


class Instruction(NamedTuple):
    """One instruction of the Dockerfile, in one line."""

    name: str
    rest: str


def instructions() -> list[Instruction]:
    """All of them, in order."""
    lines = re.sub(r"\\\n\s*", " ", re.sub(r"^\s*#.*\n", "", text("Dockerfile"), flags=re.MULTILINE)).splitlines()
    return [Instruction(*line.split(maxsplit=1)) for line in lines if line.strip()]


def test_the_linter_has_nothing_to_say_of_the_dockerfile() -> None:
    """Every rule of hadolint."""
    hadolint = Path(sys.executable).with_name("hadolint")
    ran = subprocess.run([hadolint, "--no-color", DEPLOY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


def test_what_the_image_copies_is_there_and_not_ignored() -> None:
    """Sources exist and pass .dockerignore, which lets nothing else through that is secret or large."""
    copied = [
        source
        for one in instructions()
        if one.name == "COPY" and "--from" not in one.rest
        for source in one.rest.split()[:-1]
    ]
    assert {"integration_assets", "deploy/dagster.yaml", "deploy/requirements.lock"} <= set(copied)
    assert [source for source in copied if not (ROOT / source).exists() or is_ignored(source)] == []
    for kept_out in (
        ".git",
        ".venv",
        "deploy/.env",
        "deploy/secrets",
        ".integration_assets",
        "integration_assets_tests",
    ):
        assert is_ignored(kept_out), kept_out


def is_ignored(path: str) -> bool:
    """Tell whether .dockerignore keeps a path out: the last line that fits it, or a folder above it, decides."""
    ignored = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.removeprefix("!")
        parts = [path, *map(str, Path(path).parents)][:-1]
        if pattern and not pattern.startswith("#") and any(fnmatch(part, pattern) for part in parts):
            ignored = not line.startswith("!")
    return ignored


def test_the_image_is_pinned_runs_as_nobody_and_takes_packages_by_their_hashes() -> None:
    """Exact base, the same in both stages; a number as the user; nothing is resolved while it is built."""
    found = instructions()
    bases = [one.rest.split()[0] for one in found if one.name == "FROM"]
    assert len(bases) == 2
    assert set(bases) == {"python:3.12.12-slim-bookworm"}
    assert [one.rest for one in found if one.name == "USER"] == [f"{UID}:{UID}"]
    last_stage = found[max(place for place, one in enumerate(found) if one.name == "FROM") :]
    assert not any("pip" in one.rest or "apt-get" in one.rest for one in last_stage)
    installs = re.findall(r"pip [^&]*install [^&]+", " ".join(one.rest for one in found if one.name == "RUN"))
    assert len(installs) == 3
    assert all("--require-hashes" in one or "--no-index" in one for one in installs)
    assert any(one.name == "HEALTHCHECK" and "/health" in one.rest for one in found)


def test_versions_are_those_of_the_project_and_of_the_lock() -> None:
    """Image tags, the chart of Dagster, and the lock of the image beside that of the project."""
    named = {
        tag
        for path in (
            *COMPOSE,
            DEPLOY / "Dockerfile",
            DEPLOY / "helm" / "values.yaml",
            DEPLOY / "kubernetes" / "pages.yaml",
        )
        for tag in re.findall(r"integration-assets(?::|, tag: )([0-9][\w.]*)", path.read_text(encoding="utf-8"))
    }
    assert named == {__version__}
    locks = {name: pins(ROOT / name) for name in ("requirements.lock", "deploy/requirements.lock")}
    assert locks["requirements.lock"].items() <= locks["deploy/requirements.lock"].items()
    dagster = locks["requirements.lock"]["dagster"]
    assert set(re.findall(r"--version (\S+)|, version ([\d.]+)\)", text("helm", "values.yaml"))) == {
        (dagster, ""),
        ("", dagster),
    }
    assert {"dagster-postgres", "dagster-celery", "dagster-k8s", "redis", "obstore"} <= locks[
        "deploy/requirements.lock"
    ].keys()


def pins(path: Path) -> dict[str, str]:
    """Versions of a lock by package."""
    return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", path.read_text(encoding="utf-8"), re.MULTILINE))


@pytest.mark.parametrize("path", COMPOSE, ids=lambda path: path.parent.name)
def test_compose_files_are_of_the_specification_and_hardened(path: Path) -> None:
    """By the schema of compose-spec; every container described there is read-only, without capabilities or root."""
    [composed] = documents(path)
    schema = files("check_jsonschema").joinpath("builtin_schemas", "vendor", "compose-spec.json").read_text("utf-8")
    validator = jsonschema_rs.validator_for(json.loads(schema))
    assert [f"{error.instance_path}: {error.message}" for error in validator.iter_errors(composed)] == []
    described = {name: one for name, one in composed["services"].items() if "image" in one}
    assert len(described) >= 2
    for name, one in described.items():
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert one["healthcheck"]["test"], name
        assert one["restart"] == "unless-stopped", name
        assert all(port.startswith("127.0.0.1:") for port in one.get("ports", [])), name
        # Ours have a user in the image; of others the file names one.
        assert one["image"] == IMAGE or one["user"] in ("postgres", "redis"), name
        assert re.fullmatch(r"[a-z-]+:\d+\.\d+(\.\d+)?(-bookworm)?", one["image"]), name


def test_the_files_that_compose_mounts_are_there() -> None:
    """But the two that an operator makes."""
    [composed] = documents(COMPOSE[0])
    assert (DEPLOY / "postgres" / "registry.sql").is_file()
    assert (
        "./postgres/registry.sql:/docker-entrypoint-initdb.d/registry.sql:ro"
        in composed["services"]["postgres"]["volumes"]
    )
    assert composed["secrets"]["master_key"]["file"] == "./secrets/master_key"
    assert composed["services"]["code"]["build"] == {"context": "..", "dockerfile": "deploy/Dockerfile"}
    for made in ("deploy/.env", "deploy/secrets/master_key"):
        assert made in PAGE
        # What holds secrets must not be committed by a hasty `git add`.
        assert subprocess.run(["git", "check-ignore", "-q", made], cwd=ROOT, check=False).returncode == 0


def test_kubernetes_takes_the_manifests() -> None:
    """By the schemas of two versions, strictly; no pod runs as root or writes to its own file system."""
    manifests = documents(DEPLOY / "kubernetes" / "pages.yaml")
    assert [one["kind"] for one in manifests] == ["PersistentVolumeClaim", "ConfigMap", "Deployment", "Service"]
    for manifest in manifests:
        for version in ("1.31", "1.34"):
            kubernetes_validate.validate(manifest, version, strict=True)
    pod = manifests[2]["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsUser"] == UID
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True
    assert {pod["containers"][0][f"{probe}Probe"]["httpGet"]["path"] for probe in ("liveness", "readiness")} == {
        "/health",
        "/ready",
    }


def test_the_values_of_the_chart_fit_the_other_files() -> None:
    """Claim, secrets, variables and limits are those of the manifests and of dagster.yaml; the pod is a valid one."""
    [values] = documents(DEPLOY / "helm" / "values.yaml")
    claim, variables, pages, _ = documents(DEPLOY / "kubernetes" / "pages.yaml")
    [code] = values["dagster-user-deployments"]["deployments"]
    assert code["envConfigMaps"] == [{"name": variables["metadata"]["name"]}]
    of_pages = {one["name"]: one for one in pages["spec"]["template"]["spec"]["volumes"]}
    assert {one["name"]: one for one in code["volumes"]}.items() <= of_pages.items()
    assert of_pages["home"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
    assert of_pages["master-key"]["secret"]["defaultMode"] == 0o400
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "code"},
        "spec": {
            "securityContext": code["podSecurityContext"],
            "volumes": code["volumes"],
            "containers": [
                {
                    "name": "code",
                    "image": "{repository}:{tag}".format(**code["image"]),
                    "securityContext": code["securityContext"],
                    "volumeMounts": code["volumeMounts"],
                    "resources": code["resources"],
                    "envFrom": [{"configMapRef": one} for one in code["envConfigMaps"]],
                }
            ],
        },
    }
    kubernetes_validate.validate(pod, "1.34", strict=True)
    [instance] = documents(DEPLOY / "dagster.yaml")
    coordinator = values["dagsterDaemon"]["runCoordinator"]["config"]["queuedRunCoordinator"]
    runs = instance["concurrency"]["runs"]
    assert coordinator == {
        "maxConcurrentRuns": runs["max_concurrent_runs"],
        "tagConcurrencyLimits": runs["tag_concurrency_limits"],
    }


def test_the_instances_of_deployments_are_that_of_the_project_with_other_places() -> None:
    """What Dagster does of itself is the same everywhere; Celery's differs in its launcher alone."""
    [own], [deployed], [celery] = (documents(ROOT / path / "dagster.yaml") for path in (".", "deploy", "deploy/celery"))
    places = ("storage", "local_artifact_storage", "compute_logs")
    assert {name: value for name, value in deployed.items() if name not in places} == own
    launcher = celery.pop("run_launcher")
    assert celery == deployed
    assert (launcher["module"], launcher["class"]) == ("run_launcher", "WatchfulCeleryRunLauncher")
    assert launcher["config"]["backend"] == {"env": "CELERY_RESULT_BACKEND"}
    assert deployed["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_the_units(unit: Path) -> None:
    """No directive that it does not know; what the page installs under /opt is not there."""
    if (systemd := shutil.which("systemd-analyze")) is None:
        pytest.skip("systemd-analyze is not on this machine")
    ran = subprocess.run([systemd, "verify", *UNITS], capture_output=True, text=True, check=False)
    said = [line for line in ran.stderr.splitlines() if unit.name in line]
    assert [line for line in said if "/opt/integration_assets" not in line or "not executable" not in line] == []


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_are_hardened_and_name_files_that_are_there(unit: Path) -> None:
    """As an account of its own; every file under /opt/integration_assets is one of the checkout or of its venv."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    for line in (
        "User=integration",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
        "UMask=0077",
    ):
        assert line in lines
    named = re.findall(r"/opt/integration_assets/(\S+)", unit.read_text(encoding="utf-8"))
    assert named
    programs = {"dagster", "dagster-daemon", "dagster-webserver", "integration-assets"}
    assert {Path(one).name for one in named if one.startswith(".venv/bin/")} <= programs
    assert all((ROOT / one).is_file() for one in named if not one.startswith(".venv/"))


def test_every_variable_that_is_named_is_documented() -> None:
    """Ours are those that the settings read; those of Dagster, Celery and PostgreSQL are in the table of the page."""
    kinds = (Settings, Automation, LogSettings, MetricsSettings)
    read = {str(field.validation_alias) for kind in kinds for field in kind.model_fields.values()}
    table = {
        word for row in re.findall(r"^\| (`[A-Z_`, ]+`) \|", PAGE, re.MULTILINE) for word in re.findall(r"\w+", row)
    }
    named = set()
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file() and path.suffix not in (".lock", ".sql"):
            content = re.sub(r"^\s*#.*$", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
            named |= set(re.findall(r"(?<![\w.])([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?=[=:}?\"\s]|$)", content))
    assert {"INTEGRATION_ASSETS_KEY_FILE", "DAGSTER_PG_HOST", "CELERY_BROKER_URL", "CANNY_API_KEY"} <= named
    constants = {"DAGSTER_CELERY_TASK_ID_TAG", "PING_SECONDS", "AF_INET", "AF_INET6", "AF_UNIX"}
    assert named - read - table - OF_OTHERS - constants == set()
    assert table <= named


class _Launcher:
    """In the place of dagster-celery's launcher, which only the image has."""

    def __init__(self, status: str, info: Any, answer: Any) -> None:
        self.status = status
        self.said: list[Any] = []
        self._instance = types.SimpleNamespace(
            get_run_by_id=lambda run_id: run_id, report_run_canceling=self.said.append
        )
        inspected = types.SimpleNamespace(ping=lambda: answer)
        self.celery = types.SimpleNamespace(
            AsyncResult=lambda _: types.SimpleNamespace(info=info),
            control=types.SimpleNamespace(inspect=lambda **_: inspected),
        )

    def check_run_worker_health(self, _run: Any) -> Any:
        from dagster._core.launcher import CheckRunHealthResult, WorkerStatus

        return CheckRunHealthResult(WorkerStatus(self.status))

    def terminate(self, _run_id: Any) -> bool:
        self.said.append("revoked")
        return True


def launcher(*arguments: Any) -> Any:
    """The launcher of deploy/celery on top of that."""
    # By the names of its files: the package itself exports no launcher.
    names = ("dagster_celery", "dagster_celery.launcher", "dagster_celery.tags")
    modules = {name: types.ModuleType(name) for name in names}
    vars(modules["dagster_celery.launcher"])["CeleryRunLauncher"] = _Launcher
    vars(modules["dagster_celery.tags"])["DAGSTER_CELERY_TASK_ID_TAG"] = "task"
    made: dict[str, Any] = {"__name__": "run_launcher"}
    with mock.patch.dict(sys.modules, modules):
        exec(text("celery", "run_launcher.py"), made)
    return made["WatchfulCeleryRunLauncher"](*arguments)


@pytest.mark.parametrize(
    ("status", "info", "answer", "found"),
    [
        ("RUNNING", {"hostname": "celery@one"}, {"celery@one": {"ok": "pong"}}, "RUNNING"),
        ("RUNNING", {"hostname": "celery@one"}, None, "FAILED"),
        ("RUNNING", None, None, "RUNNING"),
        ("RUNNING", ValueError("of the task"), None, "RUNNING"),
        ("FAILED", {"hostname": "celery@one"}, {"celery@one": {"ok": "pong"}}, "FAILED"),
        ("SUCCESS", None, None, "SUCCESS"),
    ],
)
def test_a_worker_that_does_not_answer_has_lost_its_run(status: str, info: Any, answer: Any, found: str) -> None:
    """What the result backend says is believed only of workers that live."""
    run = types.SimpleNamespace(tags={"task": "id"})
    assert launcher(status, info, answer).check_run_worker_health(run).status.value == found


def test_a_run_is_said_to_be_cancelled_before_its_task_is_revoked() -> None:
    """Otherwise its end would count as a crash, and be tried again; one that has ended is left alone."""
    made = launcher("RUNNING", None, None)
    running, ended = types.SimpleNamespace(is_finished=False), types.SimpleNamespace(is_finished=True)
    assert made.terminate(ended) is False
    assert made.terminate(running) is True
    assert made.said == [running, "revoked"]
