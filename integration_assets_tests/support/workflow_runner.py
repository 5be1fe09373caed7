"""Carries out the `run` steps of a GitHub workflow here, as a runner would: enough of it for ours.

    runner = Runner(WORKFLOWS / "sync.yml", workspace, temp, contexts, machine)
    outcome = runner.run_job("preflight")

Expressions are looked up in `contexts` by their text (`secrets.CANNY_API_KEY`), so that one nobody thought of is an
error; `a || b`, `a && b`, `a == 'b'` and `always()` are understood. Steps that use an action do nothing here, but the
two halves of `actions/cache`: they copy their folder from and to `cache`.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

WORKFLOWS = Path(__file__).parents[2] / ".github" / "workflows"
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")
"""How GitHub starts a step that says `shell: bash` (docs.github.com, "Workflow syntax for GitHub Actions")."""
INSTALL = "make install-product"
"""The one step that is not carried out: it was, or there would be no test."""
LIMIT_SECONDS = 300
_EXPRESSION = re.compile(r"\$\{\{(.+?)\}\}")


def load(path: Path) -> dict[str, Any]:
    """A workflow. YAML 1.1 takes its key `on` for a boolean."""
    found: dict[Any, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {"on" if key is True else key: value for key, value in found.items()}


@dataclass
class Outcome:
    """What a job came to. `ran` are the names of the steps whose command was carried out."""

    code: int = 0
    ran: list[str] = field(default_factory=list)
    log: str = ""
    page: str = ""
    outputs: dict[str, str] = field(default_factory=dict)


@dataclass
class Runner:
    """One runner. `machine` are the variables the machine has anyway; `temp` is gone with a real one."""

    workflow: Path
    workspace: Path
    temp: Path
    contexts: Mapping[str, str]
    machine: Mapping[str, str]
    cache: Path | None = None

    def run_job(self, name: str) -> Outcome:
        """Carry out a job's steps in order; after a failure only those that say `always()`."""
        loaded = load(self.workflow)
        job = loaded["jobs"][name]
        self.temp.mkdir(parents=True, exist_ok=True)
        page, outputs = self.temp / "page.md", self.temp / "outputs.txt"
        for file in (page, outputs):
            file.write_text("", encoding="utf-8")
        outcome = Outcome()
        contexts = {**self.contexts, "runner.temp": str(self.temp)}
        shared = {
            **self.machine,
            "RUNNER_TEMP": str(self.temp),
            "GITHUB_STEP_SUMMARY": str(page),
            "GITHUB_OUTPUT": str(outputs),
            **_filled(loaded.get("env", {}), contexts),
            **_filled(job.get("env", {}), contexts),
        }
        for step in job["steps"]:
            condition = step.get("if", "success()")
            if outcome.code and "always()" not in condition:
                continue
            if condition != "success()" and not _holds(condition, contexts):
                continue
            if "actions/cache/" in step.get("uses", ""):
                self._cache(step, contexts)
            if "run" not in step or step["run"] == INSTALL:
                continue
            ended = subprocess.run(
                [*SHELL, "-c", step["run"]],
                env={**shared, **_filled(step.get("env", {}), contexts)},
                cwd=self.workspace,
                capture_output=True,
                text=True,
                check=False,
                timeout=LIMIT_SECONDS,
            )
            outcome.ran.append(step["name"])
            outcome.log += ended.stdout + ended.stderr
            outcome.code = outcome.code or ended.returncode
            if "id" in step:
                lines = outputs.read_text(encoding="utf-8").splitlines()
                said = dict(line.split("=", 1) for line in lines)
                contexts |= {f"steps.{step['id']}.outputs.{key}": value for key, value in said.items()}
                outcome.outputs |= said
        outcome.page = page.read_text(encoding="utf-8")
        return outcome

    def _cache(self, step: Mapping[str, Any], contexts: Mapping[str, str]) -> None:
        if self.cache is None:
            return
        path = Path(_filled({"path": step["with"]["path"]}, contexts)["path"])
        source, target = (path, self.cache) if "/save@" in step["uses"] else (self.cache, path)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)


def _filled(values: Mapping[str, str], contexts: Mapping[str, str]) -> dict[str, str]:
    return {
        name: _EXPRESSION.sub(lambda match: _value(match[1].strip(), contexts), str(text))
        for name, text in values.items()
    }


def _value(expression: str, contexts: Mapping[str, str]) -> str:
    if "||" in expression:
        return next((value for part in expression.split("||") if (value := _value(part.strip(), contexts))), "")
    if expression.startswith("'"):
        return expression.strip("'")
    return contexts[expression]


def _holds(condition: str, contexts: Mapping[str, str]) -> bool:
    if "&&" in condition:
        return all(_holds(part.strip(), contexts) for part in condition.split("&&"))
    if condition == "always()":
        return True
    left, right = (_value(part.strip(), contexts) for part in condition.split("=="))
    return left == right
