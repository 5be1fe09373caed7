"""Encrypted backups: they come back with their key alone, whole, or not at all."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.housekeeping import backup, sealing
from integration_assets.housekeeping.archive import digest_of
from integration_assets.housekeeping.backup import back_up
from integration_assets.housekeeping.restore import restore
from integration_assets.housekeeping.sealing import FIRST_LINE, OpeningReader, SealingWriter, sealing_key
from integration_assets.tenants.registry.master import generate, master_keys

KEY, OTHER = generate(), generate()


def settings_of(home: Path, *keys: str) -> Settings:
    values: dict[str, Any] = {"INTEGRATION_ASSETS_HOME": home}
    return Settings.model_validate(values | ({"INTEGRATION_ASSETS_KEY": ",".join(keys)} if keys else {}))


def sealed(content: bytes, settings: Settings) -> bytes:
    file = io.BytesIO()
    writer = SealingWriter(file, sealing_key(settings))
    for start in range(0, len(content), 7):
        writer.write(content[start : start + 7])
    writer.finish()
    return file.getvalue()


def opened(content: bytes, settings: Settings) -> bytes:
    reader = OpeningReader(io.BytesIO(content), settings, "the backup")
    parts = iter(lambda: reader.read(5), b"")
    return b"".join(parts)


def test_a_backup_is_restored_with_its_key(tmp_path: Path) -> None:
    """Also once another key seals; without it, or with another, the error says which key that was."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "overrides.csv").write_text("match,company_id,note\nann@acme.com,1,\n")
    archive = tmp_path / "backup.tar.gz.sealed"
    with pytest.raises(ConfigurationError, match="to encrypt a backup, INTEGRATION_ASSETS_KEY or"):
        back_up(settings_of(tmp_path / "home"), archive, encrypt=True)
    here = settings_of(tmp_path / "home", KEY)
    back_up(here, archive, encrypt=True)
    assert archive.read_bytes().startswith(FIRST_LINE)
    assert b"overrides.csv" not in archive.read_bytes()
    key_id, other_id = (master_keys(settings_of(tmp_path, key)).current.id for key in (KEY, OTHER))
    with pytest.raises(ConfigurationError, match=f"which key {key_id} encrypted, INTEGRATION_ASSETS_KEY or"):
        restore(settings_of(tmp_path / "there"), archive)
    with pytest.raises(ConfigurationError, match=f"encrypted with key {key_id}, and what was given is {other_id}"):
        restore(settings_of(tmp_path / "there", OTHER), archive)
    restore(settings_of(tmp_path / "there", OTHER, KEY), archive)
    assert "ann@acme.com" in (tmp_path / "there" / "overrides.csv").read_text()
    content = archive.read_bytes()
    archive.write_bytes(content[:-20] + bytes([content[-20] ^ 1]) + content[-19:])
    with pytest.raises(PermanentError, match="is damaged: it was changed, or its end is missing"):
        restore(settings_of(tmp_path / "again", KEY), archive)


def test_a_plain_file_does_not_stand_in_for_an_encrypted_one(tmp_path: Path) -> None:
    """Where a key is given, or the name says encrypted: whoever can write there must not choose what is restored."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "overrides.csv").write_text("match,company_id,note\n")
    here, there, plain = settings_of(tmp_path / "home", KEY), tmp_path / "there", tmp_path / "backup.tar.gz"
    back_up(here, plain)
    with pytest.raises(ConfigurationError, match=r"not encrypted, though a master key is given.*--unencrypted"):
        restore(settings_of(there, KEY), plain)
    sealed_name = plain.rename(tmp_path / "backup.tar.gz.sealed")
    with pytest.raises(ConfigurationError, match=r"not encrypted, though its name says so"):
        restore(settings_of(there), sealed_name)
    assert not list(there.glob("*"))
    restore(settings_of(there, KEY), sealed_name, unencrypted=True)
    assert (there / "overrides.csv").exists()


def test_a_backup_that_is_away_stays_on_the_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is unplugged or not mounted; what was deleted leaves it, at once or by a person's word."""
    disk = tmp_path / "disk"
    for folder in (tmp_path / "home", disk):
        folder.mkdir()
    (tmp_path / "home" / "overrides.csv").write_text("match,company_id,note\n")
    settings = settings_of(tmp_path / "home")
    first, second = disk / "first.tar.gz", disk / "second.tar.gz"
    back_up(settings, first)
    back_up(settings, second)
    away = disk.rename(tmp_path / "away")
    back_up(settings, tmp_path / "third.tar.gz")

    def listed() -> list[tuple[str, bool]]:
        return [(Path(one.path).name, one.is_there) for one in backup.known_backups(settings)]

    third = ("third.tar.gz", True)
    assert listed() == [("first.tar.gz", False), ("second.tar.gz", False), third]
    # An empty folder where the disk was mounted is of another disk.
    disk.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(backup.KnownBackup, "device", 1)
        assert listed()[:2] == [("first.tar.gz", False), ("second.tar.gz", False)]
    disk.rmdir()
    with pytest.raises(ConfigurationError, match="is not on the list of backups"):
        backup.strike_backup(settings, disk / "other")
    backup.strike_backup(settings, second)
    assert listed() == [("first.tar.gz", False), third]
    away.rename(disk)
    with pytest.raises(ConfigurationError, match="is there: delete it first"):
        backup.strike_backup(settings, first)
    assert listed() == [("first.tar.gz", True), third]
    first.unlink()
    assert listed() == [third]


@pytest.mark.parametrize("size", [0, 1, 15, 16, 17, 32, 100])
def test_what_was_changed_does_not_open(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any byte that differs, chunks in another order, an end that is missing, something after it."""
    monkeypatch.setattr(sealing, "CHUNK_BYTES", 16)
    settings = settings_of(tmp_path, KEY)
    content = bytes(range(size))
    whole = sealed(content, settings)
    assert opened(whole, settings) == content
    assert sealed(content, settings) != whole
    head = whole.index(b"\n", len(FIRST_LINE)) + 1
    chunks = [whole[start : start + 32] for start in range(head, len(whole), 32)]
    wrong = [whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :] for place in range(head, len(whole))]
    wrong += [whole[:-1], whole + b"0", b"".join([whole, chunks[-1]])]
    wrong += [whole[:head] + b"".join(chunks[:-1])]
    if len(chunks) > 2:
        wrong += [whole[:head] + b"".join([chunks[1], chunks[0], *chunks[2:]])]
    salt = whole.index(b'"salt":"') + 8
    wrong += [whole[:salt] + (b"A" if whole[salt : salt + 1] != b"A" else b"B") + whole[salt + 1 :]]
    for one in wrong:
        with pytest.raises(PermanentError, match="the backup is damaged"):
            opened(one, settings)


def test_nothing_lies_open_beside_an_encrypted_backup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its place is not trusted with what is in it: copies are made in the home, which has them for that long only."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    (home / "overrides.csv").write_text("match,company_id,note\nann@acme.com,1,\n")
    seen: list[str] = []

    def look(file: Path) -> str:
        seen.extend(one.name for one in elsewhere.rglob("*"))
        return digest_of(file)

    monkeypatch.setattr(backup, "digest_of", look)
    made = back_up(settings_of(home, KEY), elsewhere / "backup.tar.gz.sealed", encrypt=True)
    assert [one.name for one in made.manifest.files] == ["overrides.csv"]
    assert seen == []
    assert {one.name for one in home.iterdir()} == {"backups.json", "dagster", "overrides.csv"}


def test_the_key_is_not_in_a_backup_and_stays_where_it_is(tmp_path: Path) -> None:
    """Also where its file lies in the home: a restore puts away everything there but for the key."""
    home, archive = tmp_path / "home", tmp_path / "backup.tar.gz"
    (home / "keys").mkdir(parents=True)
    (home / "overrides.csv").write_text("match,company_id,note\n")
    key = home / "keys" / "master.key"
    key.write_text(KEY)
    key.chmod(0o400)
    settings = Settings.model_validate({"INTEGRATION_ASSETS_HOME": home, "INTEGRATION_ASSETS_KEY_FILE": key})
    assert [one.name for one in back_up(settings, archive).manifest.files] == ["overrides.csv"]
    (home / "overrides.csv").write_text("other")
    restore(settings, archive, unencrypted=True)
    assert (home / "overrides.csv").read_text() == "match,company_id,note\n"
    assert sealing_key(settings).id == master_keys(settings_of(home, KEY)).current.id
