"""A person is forgotten where the stores lie elsewhere than in the home: databases are never changed as texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_assets.config import Environment, Settings
from integration_assets.errors import TransientError
from integration_assets.housekeeping.forgetting import forget_person
from integration_assets.staging import object_storage as published_there
from integration_assets.staging.lake import maintain
from integration_assets.staging.publishing import published_path
from integration_assets.staging.store import open_store, store_place
from integration_assets_tests.staging.test_erasing import named_in_files
from integration_assets_tests.support.object_storage import BUCKET, object_storage

ANN = "aann@acme.com"


@pytest.mark.parametrize("scheme", ["", pytest.param("ducklake:", marks=pytest.mark.proof)])
def test_a_store_elsewhere_stays_whole(scheme: str, tmp_path: Path) -> None:
    """The person is gone from it, and everybody else is there."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    settings = Settings.model_validate(
        {"INTEGRATION_ASSETS_HOME": home, "INTEGRATION_ASSETS_STORE_URL": f"{scheme}{elsewhere}"}
    )
    people = f"SELECT 'voter-number-' || i, if(i = 19, '{ANN}', 'bo' || i || '@acme.com') FROM range(20) AS t (i)"
    place = store_place(settings, "sandbox", "default")
    with open_store(place) as connection:
        connection.execute(f"INSERT INTO raw.voters (voter_id, email) {people}")
        if place.lake is not None:
            maintain(connection, 30)
    assert named_in_files(elsewhere)
    former = home / "staging" / "sandbox" / "default.duckdb"
    former.parent.mkdir(parents=True)
    former.write_bytes(ANN.encode())
    for apply in (False, True):
        found = forget_person(settings, "default", ANN, environments=tuple(Environment), apply=apply)
        assert [(one.where, one.what, one.count) for one in found.places] == [
            (str(place), "rows of raw.voters", 1),
        ]
        assert found.notes[-1].startswith(f"{former} is of before the stores lay elsewhere, and was not searched")
    with open_store(place) as connection:
        assert connection.execute("SELECT count(*) FROM raw.voters").fetchall() == [(19,)]
    assert named_in_files(elsewhere) == set()
    assert former.read_bytes() == ANN.encode()


def test_a_home_below_a_folder_named_like_one_of_ours_is_searched(tmp_path: Path) -> None:
    """`/srv/staging/…` is no store: its alerts and the notes beside same requests lose the person.

    Tables of the tenant's own are left as they are, and named as copies are.
    """
    home = tmp_path / "staging" / "overrides" / "home"
    settings = Settings.model_validate({"INTEGRATION_ASSETS_HOME": home})
    alerts, same = home / "alerts" / "sandbox" / "default.json", home / "same_requests.csv"
    alerts.parent.mkdir(parents=True)
    alerts.write_text(f'{{"said": "refused {ANN}"}}')
    same.write_text(f"request,same_as,note\nr1,r2,{ANN} said so\n")
    table = home / "files" / "default" / "votes.csv"
    table.parent.mkdir(parents=True)
    table.write_text(f"r1,{ANN}\n")
    (home / ".restoring-1a2b").mkdir()
    for apply in (False, True):
        found = forget_person(settings, "default", ANN, environments=tuple(Environment), apply=apply)
        assert [(one.where, one.count) for one in found.places] == [(str(alerts.parent), 1), (str(same), 1)]
        assert [note.split(" ", 1)[0] for note in found.notes] == [str(table.parent), str(home / ".restoring-1a2b")]
    assert alerts.read_text() == '{"said": "refused forgotten"}'
    assert same.read_text() == "request,same_as,note\nr1,r2,forgotten said so\n"
    assert table.read_text() == f"r1,{ANN}\n"


def test_a_storage_that_is_away_keeps_no_store_from_being_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of either environment; the second try uploads what the first could not, and names what the bucket may keep."""
    monkeypatch.setattr(published_there, "MOST_RETRIES", 0)
    settings = Settings.model_validate(
        {"INTEGRATION_ASSETS_HOME": tmp_path, "INTEGRATION_ASSETS_PUBLISH_URL": f"s3://{BUCKET}/rankings"}
    )
    for environment in Environment:
        with open_store(store_place(settings, environment, "default")) as connection:
            connection.execute("INSERT INTO raw.voters (voter_id, email) VALUES ('v1', ?)", [ANN])
        published = published_path(tmp_path, environment, "default")
        published.parent.mkdir(parents=True)
        published.touch()
    with object_storage() as storage:
        for name, value in storage.variables.items():
            monkeypatch.setenv(name, value)
        storage.status = 503
        with pytest.raises(TransientError, match="could not be written"):
            forget_person(settings, "default", ANN, environments=tuple(Environment), apply=True)
        assert named_in_files(tmp_path / "staging") == set()
        storage.status = 200
        done = forget_person(settings, "default", ANN, environments=tuple(Environment), apply=True)
        assert set(storage.objects) == {f"rankings/{environment.value}/default.duckdb" for environment in Environment}
    assert done.places == ()
    assert "a bucket that keeps versions of objects has earlier files" in " ".join(done.notes)
