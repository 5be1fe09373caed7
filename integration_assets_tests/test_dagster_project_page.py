"""The page for people who load the definitions into their own project: its code runs, its tables are complete."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import dagster as dg
import pytest
from dagster.components.testing.utils import create_defs_folder_sandbox
from host_project.assets import PREFIX

import integration_assets
from integration_assets.component import FeatureRequestSync, FeatureRequestSyncParams
from integration_assets.runs.session import EnvironmentChoice, ModeChoice, RunSession

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "host_project"
PAGE = (ROOT / "docs" / "dagster-project.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code of the page in one language, in its order."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE, flags=re.DOTALL)


def table(heading: str) -> dict[str, str]:
    """First and second cells of the first table under a heading; a cell with several code words is as many rows."""
    lines = [line for line in PAGE.split(f"## {heading}\n")[1].split("\n## ")[0].splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]
    return {name: second for first, second, *_ in rows for name in re.findall(r"`([^`]+)`", first)}


def test_the_definitions_of_the_page_load() -> None:
    """Its first piece of code, as it stands, and the names it says they have."""
    names: dict[str, Any] = {}
    exec(compile(blocks("python")[0], "page", "exec"), names)
    [defs] = [value for value in names.values() if isinstance(value, dg.Definitions)]  # Dagster takes one per module
    dg.Definitions.validate_loadable(defs)
    said = set(re.findall(r"`(feature_requests[/_]\w+)`", PAGE.split("## What your project gets")[1].split("\n## ")[0]))
    repository = defs.get_repository_def()
    there = {key.to_user_string() for key in repository.asset_graph.materializable_asset_keys}
    there |= {job.name for job in defs.resolve_all_job_defs()} | {sensor.name for sensor in repository.sensor_defs}
    assert said - there == set()
    assert len(said) == 7
    assert f"`{next(iter(defs.resources or ()))}`" in PAGE


def test_the_asset_of_the_page_is_that_of_the_example() -> None:
    """Which is run by its own test; and what else is called takes such arguments."""
    _, asset, call = blocks("python")
    assert asset in (EXAMPLE / "host_project" / "assets.py").read_text(encoding="utf-8")
    [assigned] = ast.parse(call).body
    assert isinstance(assigned, ast.Assign)
    assert isinstance(assigned.value, ast.Call)
    called = assigned.value
    assert ast.unparse(called.func) == "integration_assets.published_rankings"
    keywords = {str(one.arg): ast.literal_eval(one.value) for one in called.keywords}
    inspect.signature(integration_assets.published_rankings).bind(*map(ast.literal_eval, called.args), **keywords)


@pytest.mark.filterwarnings("ignore:.parse_obj_as. is deprecated")  # what Dagster itself uses
def test_the_yaml_of_the_page_is_what_is_written() -> None:
    """By the command of the page: the class it names, and the options it gives."""
    scaffold = shlex.split(blocks("sh")[0])
    [class_path] = [word for word in scaffold if word.startswith("integration_assets.")]
    options = [word.removeprefix("--").replace("-", "_") for word in scaffold if word.startswith("--")]
    params = dict(zip(options, [scaffold[scaffold.index("--key-prefix") + 1]], strict=True))
    assert params.keys() <= FeatureRequestSyncParams.model_fields.keys()
    module, _, name = class_path.rpartition(".")
    assert getattr(sys.modules[module], name) is FeatureRequestSync
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(FeatureRequestSync, scaffold_params=params)
        written = (path / "defs.yaml").read_text().replace("integration_assets.component.", "integration_assets.")
    [yaml] = blocks("yaml")
    assert written.strip() == yaml.strip()


def test_every_parameter_is_in_the_table() -> None:
    """Those of the function, which are those of the component."""
    parameters = inspect.signature(integration_assets.build_defs).parameters.keys()
    assert table("In Python").keys() == parameters == FeatureRequestSync.model_fields.keys()


def test_every_field_of_the_run_configuration_is_in_the_table() -> None:
    """With the values Dagster checks."""
    fields = table("Run configuration")
    assert fields.keys() == RunSession.model_fields.keys()
    for name, choices in (("mode", ModeChoice), ("environment", EnvironmentChoice)):
        assert ["", *re.findall(r"`([^`]+)`", fields[name])] == list(get_args(choices))


@pytest.mark.proof  # a process that imports everything
def test_the_example_loads_where_the_page_says() -> None:
    """From its own folder, by the module its settings and the page's command name."""
    command = shlex.split(blocks("sh")[-1])
    assert Path(command[command.index("cd") + 1]) == EXAMPLE.relative_to(ROOT)
    module = command[command.index("-m") + 1]
    assert f'module_name = "{module}"' in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")
    validate = [sys.executable, "-m", "dagster", "definitions", "validate", "-m", module]
    done = subprocess.run(validate, cwd=EXAMPLE, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert PREFIX in PAGE
