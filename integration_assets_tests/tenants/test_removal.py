"""A tenant goes with everything it has, and one that gets its name finds nothing of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import pytest
from typer.testing import CliRunner

from integration_assets.cli import app
from integration_assets.config import Environment, Settings
from integration_assets.errors import ConfigurationError, LockError, PermanentError
from integration_assets.reporting.alert_places import alerts_path
from integration_assets.reporting.html_report import report_path
from integration_assets.reporting.result_files import result_path
from integration_assets.runs.in_process import dagster_home, forget_runs
from integration_assets.runs.partitions import PARTITION_TAG
from integration_assets.staging.publishing import published_path
from integration_assets.staging.store import open_store, store_path, store_place
from integration_assets.tenants import removal
from integration_assets.tenants.integrations import TENANTS_FILES
from integration_assets.tenants.portal_claims import claim_portal, claims_of, claims_of_tenant
from integration_assets.tenants.registry.changes import NotFoundError, TakenError
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.removal import add_tenant, files_of, places_that_go, remove_tenant
from integration_assets_tests.support.object_storage import BUCKET, KEY_ID, SECRET, Key, object_storage
from integration_assets_tests.support.registries import ACTOR

OTHERS = ("globex", "acme-2", "acm", "default")


def places(settings: Settings, tenant: str) -> list[Path]:
    """Every file of a tenant that the product knows of, in both environments."""
    home = settings.home
    # As the settings page writes one: with the addresses of exports, which open them to whoever has them.
    found = [home / "overrides" / f"{tenant}.csv", home / TENANTS_FILES / tenant / "feedback.toml"]
    for environment in Environment:
        store = store_path(home, settings.store_url, environment, tenant)
        published = published_path(home, environment, tenant)
        found += [
            store,
            store.with_name(store.name + ".wal"),
            published,
            published.with_name(published.name + ".writing"),
        ]
        alerts = alerts_path(home, environment.value, tenant)
        found += [alerts, alerts.with_suffix(".lock"), report_path(home, environment, tenant, "run-1")]
        found += [
            result_path(home, environment, tenant, "run-1"),
            home / "later" / environment.value / f"{tenant}.json",
        ]
    return found


def fill(settings: Settings, tenant: str) -> None:
    """Leave something in each of them."""
    for place in places(settings, tenant):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(f"of {tenant}", encoding="utf-8")


def left(settings: Settings, tenant: str) -> list[Path]:
    return [place for place in places(settings, tenant) if place.exists()]


@pytest.fixture(params=["home", "elsewhere"])
def both(
    request: pytest.FixtureRequest, sqlite_settings: Settings, sqlite_registry: Registry, tmp_path: Path
) -> tuple[Registry, Settings]:
    """A registry with acme, and files of acme and of others whose names are like it; stores at home or elsewhere."""
    elsewhere = {"store_url": str(tmp_path / "stores")} if request.param == "elsewhere" else {}
    settings = sqlite_settings.model_copy(update=elsewhere)
    for tenant in ("acme", *OTHERS):
        fill(settings, tenant)
    return sqlite_registry, settings


def test_a_removed_tenant_takes_everything_along(both: tuple[Registry, Settings]) -> None:
    """No file of it is left wherever stores are kept; those of others are, however alike their names."""
    registry, settings = both
    assert sum(found.bytes for found in files_of(settings, "acme")) == len("of acme") * len(places(settings, "acme"))
    remove_tenant(registry, settings, "acme", ACTOR)
    assert left(settings, "acme") == []
    for other in OTHERS:
        assert left(settings, other) == places(settings, other)
    with directory(registry, ACTOR) as tenants, pytest.raises(NotFoundError):
        tenants.tenant("acme")
    assert add_tenant(registry, settings, "acme", "", ACTOR)[1] is None


def test_a_removal_that_is_broken_off_is_ended_by_the_next(
    both: tuple[Registry, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as a file is there the registry has the tenant, so nobody gets its name."""
    registry, settings = both
    erase = removal._erase
    erased: list[Path] = []

    def killed(path: Path) -> None:
        if len(erased) == 3:
            raise KeyboardInterrupt
        erased.append(path)
        erase(path)

    monkeypatch.setattr(removal, "_erase", killed)
    with pytest.raises(KeyboardInterrupt):
        remove_tenant(registry, settings, "acme", ACTOR)
    with pytest.raises(TakenError):
        add_tenant(registry, settings, "acme", "", ACTOR)
    monkeypatch.undo()
    remove_tenant(registry, settings, "acme", ACTOR)
    assert left(settings, "acme") == []


def test_a_file_that_cannot_be_erased_keeps_the_tenant(
    both: tuple[Registry, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message names it, and the tenant is registered as before."""
    registry, settings = both
    monkeypatch.setattr(shutil, "rmtree", lambda path: (_ for _ in ()).throw(PermissionError(13, "Denied", str(path))))
    with pytest.raises(PermanentError, match=r"acme cannot be taken away: Denied"):
        remove_tenant(registry, settings, "acme", ACTOR)
    with directory(registry, ACTOR) as tenants:
        assert tenants.tenant("acme").slug == "acme"


def test_a_new_tenant_finds_nothing_of_a_former_one(both: tuple[Registry, Settings]) -> None:
    """What an older version, a person or a late run left is moved to where no tenant's name leads, and kept private."""
    registry, settings = both
    with directory(registry, ACTOR) as tenants:
        tenants.remove_tenant("acme")  # as versions before did: files stay
    _, put_away = add_tenant(registry, settings, "acme", "Acme again", ACTOR)
    assert left(settings, "acme") == []
    assert put_away is not None
    assert put_away.parent == settings.home / "removed"
    assert put_away.stat().st_mode & 0o077 == 0
    kept = [path for path in put_away.rglob("*") if path.is_file() and path.suffix != ".fence"]
    texts = [path.read_text(encoding="utf-8") for path in kept]
    assert texts.count("of acme") == len(places(settings, "acme"))
    for other in OTHERS:
        assert left(settings, other) == places(settings, other)


def test_adding_a_tenant_that_is_there_touches_nothing(both: tuple[Registry, Settings]) -> None:
    """The name is taken, and its files are those of the one that has it."""
    registry, settings = both
    with pytest.raises(TakenError):
        add_tenant(registry, settings, "acme", "", ACTOR)
    assert left(settings, "acme") == places(settings, "acme")


def test_default_keeps_what_it_has(both: tuple[Registry, Settings]) -> None:
    """It is there without a registry, before it is added and after it is removed."""
    registry, settings = both
    assert add_tenant(registry, settings, "default", "", ACTOR)[1] is None
    remove_tenant(registry, settings, "default", ACTOR)
    assert left(settings, "default") == places(settings, "default")


def test_a_tenant_at_work_is_not_removed(sqlite_settings: Settings, sqlite_registry: Registry) -> None:
    """A run holds its store: nothing is taken from under it."""
    path = store_path(sqlite_settings.home, None, Environment.PRODUCTION, "acme")
    with open_store(path, "run 1"):
        with pytest.raises(LockError, match="run 1"):
            remove_tenant(sqlite_registry, sqlite_settings, "acme", ACTOR)
        assert path.exists()
    remove_tenant(sqlite_registry, sqlite_settings, "acme", ACTOR)
    assert not list(path.parent.iterdir())


def test_a_link_is_taken_away_and_what_it_leads_to_is_not(
    sqlite_settings: Settings, sqlite_registry: Registry, tmp_path: Path
) -> None:
    """Somebody put the reports elsewhere: that folder is not the tenant's to erase."""
    (tmp_path / "kept.html").write_text("kept", encoding="utf-8")
    reports = sqlite_settings.home / "reports" / "sandbox"
    reports.mkdir(parents=True)
    (reports / "acme").symlink_to(tmp_path)
    remove_tenant(sqlite_registry, sqlite_settings, "acme", ACTOR)
    assert list(reports.iterdir()) == []
    assert (tmp_path / "kept.html").exists()


def test_the_portals_it_kept_records_in_are_free(sqlite_settings: Settings, sqlite_registry: Registry) -> None:
    """Its claims go with it, in both environments; those of others stay."""
    for tenant in ("acme", "globex"):
        for environment in Environment:
            settings = sqlite_settings.model_copy(update={"environment": environment, "source_name": tenant})
            claim_portal(settings, claims_of(settings, tenant, f"portal of {environment}"))
    remove_tenant(sqlite_registry, sqlite_settings, "acme", ACTOR)
    assert claims_of_tenant(sqlite_settings.home, "acme") == []
    assert len(claims_of_tenant(sqlite_settings.home, "globex")) == len(Environment)


def test_its_runs_in_dagster_are_forgotten(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their events; those of others stay."""
    monkeypatch.delenv("DAGSTER_HOME", raising=False)

    @dg.asset(partitions_def=dg.DynamicPartitionsDefinition(name="integration_assets_tenants"))
    def seen() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"said": "what the tenant's customers want"})

    with dg.DagsterInstance.from_config(str(dagster_home(sqlite_settings.home))) as instance:
        instance.add_dynamic_partitions("integration_assets_tenants", ["acme", "globex"])
        for tenant in ("acme", "globex"):
            assert dg.materialize([seen], partition_key=tenant, instance=instance).success
        [acme] = instance.get_run_ids(dg.RunsFilter(tags={PARTITION_TAG: "acme"}))
    folder = dagster_home(sqlite_settings.home)
    assert list(folder.rglob(f"*{acme}*")) != []
    assert forget_runs(sqlite_settings, "acme") == 1
    assert list(folder.rglob(f"*{acme}*")) == []
    with dg.DagsterInstance.from_config(str(dagster_home(sqlite_settings.home))) as instance:
        assert [run.tags[PARTITION_TAG] for run in instance.get_runs()] == ["globex"]
        assert instance.get_materialized_partitions(seen.key) == {"globex"}


def test_the_command_says_what_goes_and_asks(
    sqlite_settings: Settings, sqlite_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a terminal and `--yes` nothing happens; with it the list is printed first, with sizes."""
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(sqlite_settings.home))
    assert sqlite_settings.key is not None
    monkeypatch.setenv("INTEGRATION_ASSETS_KEY", sqlite_settings.key.get_secret_value())
    fill(sqlite_settings, "acme")
    refused = CliRunner().invoke(app, ["tenants", "remove", "acme"])
    assert refused.exit_code != 0
    assert left(sqlite_settings, "acme") == places(sqlite_settings, "acme")
    done = CliRunner().invoke(app, ["tenants", "remove", "acme", "--yes"])
    assert done.exit_code == 0, done.output
    for word in ("staging/sandbox: acme.duckdb", "published/production", "rankings for analysts", "reports", "MB"):
        assert word in done.stderr.replace("\n", "")
    assert left(sqlite_settings, "acme") == []
    fill(sqlite_settings, "acme")
    made = CliRunner().invoke(app, ["tenants", "add", "acme"])
    assert made.exit_code == 0, made.output
    assert "files of a former tenant acme were there" in made.stderr
    assert left(sqlite_settings, "acme") == []


@pytest.mark.proof
def test_a_lake_in_postgresql_goes_with_its_tenant(
    postgresql: str, sqlite_settings: Settings, sqlite_registry: Registry, tmp_path: Path
) -> None:
    """Its schema is dropped, its data erased; a store that is there before a tenant is added refuses the name."""
    url = f"ducklake:{postgresql}&data={tmp_path}/data"
    settings = sqlite_settings.model_copy(update={"store_url": url})
    add_tenant(sqlite_registry, settings, "in-a-lake", "", ACTOR)
    place = store_place(settings, "sandbox", "in-a-lake")
    assert place.lake is not None
    with open_store(place) as connection:
        connection.execute("INSERT INTO raw.votes (vote_id) SELECT i FROM range(5000) AS t (i)")
    assert list(place.lake.data.rglob("*.parquet"))
    remove_tenant(sqlite_registry, settings, "in-a-lake", ACTOR)
    assert (place.exists(), place.lake.data.exists()) == (False, False)
    with open_store(place):
        pass
    with pytest.raises(ConfigurationError, match="a former tenant in-a-lake has a staging store"):
        add_tenant(sqlite_registry, settings, "in-a-lake", "", ACTOR)


def test_a_removed_tenant_takes_what_was_uploaded_along(
    sqlite_settings: Settings, sqlite_registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage that refuses keeps the tenant registered, as a file that cannot be erased does; others' stay."""
    settings = sqlite_settings.model_copy(update={"publish_url": f"s3://{BUCKET}/rankings"})
    with object_storage() as storage:
        for name, value in storage.variables.items():
            monkeypatch.setenv(name, value)
        names = [
            f"rankings/{environment.value}/{tenant}.duckdb" for environment in Environment for tenant in ("acme", "acm")
        ]
        storage.objects |= dict.fromkeys(names, b"content")
        storage.keys[KEY_ID] = Key(SECRET, may_write=False)
        with pytest.raises(ConfigurationError, match=r"acme\.duckdb could not be removed: it is refused"):
            remove_tenant(sqlite_registry, settings, "acme", ACTOR)
        with directory(sqlite_registry, ACTOR) as tenants:
            assert tenants.tenant("acme").slug == "acme"
        storage.keys[KEY_ID] = Key(SECRET)
        of_acme = [f"s3://{BUCKET}/{name}" for name in names if name.endswith("/acme.duckdb")]
        assert sorted(places_that_go(settings, "acme")) == sorted(of_acme)
        wrong = settings.model_copy(update={"publish_url": "https://ann:hidden-word@host/x"})
        with pytest.raises(ConfigurationError) as caught:
            places_that_go(wrong, "acme")
        assert "hidden-word" not in caught.value.message
        remove_tenant(sqlite_registry, settings, "acme", ACTOR)
        assert sorted(storage.objects) == ["rankings/production/acm.duckdb", "rankings/sandbox/acm.duckdb"]
