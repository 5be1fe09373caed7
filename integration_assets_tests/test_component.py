"""The component: what its YAML may say, what is written when somebody asks for one, and that Dagster finds it."""

from __future__ import annotations

import tomllib
import traceback
from importlib import import_module
from pathlib import Path

import dagster as dg
import pytest
from dagster.components.core.package_entry import DG_PLUGIN_ENTRY_POINT_GROUP, get_package_objects_in_module
from dagster.components.testing.utils import create_defs_folder_sandbox

import integration_assets
from integration_assets import FeatureRequestSync
from integration_assets.assets.raw import RAW

TYPE = "integration_assets.FeatureRequestSync"
pytestmark = [  # what Dagster itself uses to load a component
    pytest.mark.filterwarnings("ignore:.parse_obj_as. is deprecated"),
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
]
PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def loaded(attributes: dict[str, object]) -> dg.Definitions:
    """The definitions of a project whose only component has these attributes."""
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(
            FeatureRequestSync, defs_yaml_contents={"type": TYPE, "attributes": attributes}
        )
        with sandbox.load_component_and_build_defs(path) as (component, defs):
            assert isinstance(component, FeatureRequestSync)
            dg.Definitions.validate_loadable(defs)
            return defs


def test_dagster_finds_the_component_where_the_package_says() -> None:
    """The entry point names a module in which nothing else is one."""
    [(_, module)] = tomllib.loads(PYPROJECT.read_text())["project"]["entry-points"][DG_PLUGIN_ENTRY_POINT_GROUP].items()
    found = dict(get_package_objects_in_module(import_module(module)))
    assert found == {"FeatureRequestSync": FeatureRequestSync}
    assert module + ".FeatureRequestSync" == TYPE
    with pytest.raises(AttributeError, match="no attribute 'build_def'"):
        getattr(integration_assets, "build_" + "def")


@pytest.mark.parametrize(
    ("params", "attributes"),
    [
        (None, {"key_prefix": "feature_requests", "automation": False}),
        ({"key_prefix": "wishes", "automation": True}, {"key_prefix": "wishes", "automation": True}),
    ],
)
def test_what_is_written_is_loaded(params: dict[str, object] | None, attributes: dict[str, object]) -> None:
    """Attributes most projects set, as they were asked for."""
    with create_defs_folder_sandbox() as sandbox:
        path = sandbox.scaffold_component(FeatureRequestSync, scaffold_params=params)
        lines = [f"  {name}: {str(value).lower()}" for name, value in attributes.items()]
        assert [line for line in (path / "defs.yaml").read_text().splitlines() if line.startswith("  ")] == lines
        with sandbox.load_component_and_build_defs(path) as (_, defs):
            prefix = str(attributes["key_prefix"])
            assert dg.AssetKey([prefix, next(iter(RAW))]) in set(defs.resolve_asset_graph().get_all_asset_keys())
            syncs = defs.get_repository_def().get_schedule_def(f"{prefix}_sync_schedule")
            assert (syncs.default_status is dg.DefaultScheduleStatus.RUNNING) == attributes["automation"]


def test_every_attribute_reaches_the_definitions() -> None:
    """Each of them does what it does for `build_defs`."""
    attributes = {
        "key_prefix": ["product", "requests"],
        "name_prefix": "wishes",
        "group_name": "product",
        "include_schedules": False,
        "include_sensors": False,
    }
    assert {*attributes, "automation"} == FeatureRequestSync.model_fields.keys()
    defs = loaded(attributes)
    specs = list(defs.resolve_all_asset_specs())
    assert {(tuple(spec.key.path[:-1]), spec.group_name) for spec in specs} == {(("product", "requests"), "product")}
    assert "wishes_sync" in {job.name for job in defs.resolve_all_job_defs()}
    assert (list(defs.schedules or ()), list(defs.sensors or ())) == ([], [])


def test_every_attribute_is_described_and_may_be_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the schema that editors and Dagster's command line show; a value may come from the environment."""
    model = FeatureRequestSync.get_model_cls()
    assert model is not None
    properties = model.model_json_schema()["properties"]
    assert properties.keys() == FeatureRequestSync.model_fields.keys()
    assert [name for name, one in properties.items() if not one.get("description")] == []
    monkeypatch.setenv("PREFIX_OF_THE_TEAM", "team")
    defs = loaded(
        {"key_prefix": ["{{ env.PREFIX_OF_THE_TEAM }}", "requests"], "name_prefix": "{{ env.PREFIX_OF_THE_TEAM }}"}
    )
    assert {spec.key.path[0] for spec in defs.resolve_all_asset_specs()} == {"team"}
    assert "team_sync" in {job.name for job in defs.resolve_all_job_defs()}


def test_an_attribute_that_there_is_not_is_refused() -> None:
    """By its name."""
    with pytest.raises(Exception, match="Error while loading component") as failed:
        loaded({"key_prefixes": "a"})
    assert "key_prefixes" in "".join(traceback.format_exception(failed.value))
