"""A backup is made while a run writes into the CRM, and restored where everything was lost."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import shutil
import stat
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from integration_assets.staging.lock import run_lock
from integration_assets_tests.support.harness import Ran, World, is_write
from integration_assets_tests.support.snapshots import folder

STORE = Path("staging/sandbox/default.duckdb")
PUBLISHED = Path("published/sandbox/default.duckdb")


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """A folder for backups."""
    with folder() as made:
        yield made


def back_up_within_a_write(world: World, target: Path) -> list[Ran]:
    """At the first batch written into the CRM, before its answer is sent, make a backup as another process."""
    made: list[Ran] = []
    lookalike = world.lookalike()
    inner: ASGIApp = lookalike.app

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "/batch/upsert" not in scope["path"] or made:
            await inner(scope, receive, send)
            return
        answer: list[Message] = []

        async def keep(message: Message) -> None:
            answer.append(message)

        await inner(scope, receive, keep)
        made.append(await asyncio.to_thread(lambda: world.finish(world.start("backup", str(target)))))
        for message in answer:
            await send(message)

    lookalike.app = app
    return made


@pytest.mark.proof  # two processes and four runs
def test_a_backup_of_a_run_that_writes_leads_to_no_second_write(ready: World, elsewhere: Path) -> None:
    """The home is lost after it; restored, the next sync finds what was written, and the one after writes nothing."""
    target = elsewhere / "backup.tar.gz"
    made = back_up_within_a_write(ready, target)
    ran = ready.finish(ready.start("sync"))
    assert ran.code == 0, ran.err
    [backup] = made
    assert backup.code == 0, backup.err
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    before = ready.in_crm()
    shutil.rmtree(ready.home)
    restored = ready.run("restore", str(target))
    assert restored.code == 0, restored.err
    with duckdb.connect(ready.home / STORE, read_only=True) as store:
        # What was sent, and not answered when the copy was made.
        [(unanswered,)] = store.execute("SELECT count(*) FROM sync.ledger WHERE outcome IS NULL").fetchall()
    assert unanswered > 0
    first = ready.sync()
    assert ready.in_crm() == before
    assert first.summary["state"] == "SUCCEEDED"
    ready.forget_requests()
    ready.sync()
    assert ready.writes() == []
    assert not any(is_write(request) for request in ready.lookalike().requests)
    assert ready.in_crm() == before


def test_a_restored_home_writes_nothing_and_knows_its_past(synced: World, elsewhere: Path) -> None:
    """Everything is there again, what lay in its place is put away, and a sync makes no write call."""
    target = elsewhere / "backup.tar.gz"
    (synced.home / "overrides.csv").write_text("match,company_id,note\n")
    made = synced.run("backup", str(target))
    assert made.code == 0, made.err
    assert "all keys of the default tenant" in made.err
    with tarfile.open(target) as archive:
        names = set(archive.getnames()) - {"manifest.json"}
    assert {file["name"] for file in json.loads(content_of(target, "manifest.json"))["files"]} == names
    assert {str(STORE), str(PUBLISHED), "overrides.csv", "dagster/history/runs/index.db"} <= names
    assert not any(name.endswith((".lock", ".fence", "-wal")) for name in names)
    refused = synced.run("restore", str(target))
    assert (refused.code, "say --yes" in refused.err) == (2, True)
    (synced.home / "overrides.csv").write_text("match,company_id,note\nlater.example,1,\n")
    with run_lock(synced.home / STORE, "a run"):
        assert synced.run("restore", str(target), "--yes").code == 75
    assert "later" in (synced.home / "overrides.csv").read_text()
    assert synced.run("restore", str(target), "--yes").code == 0
    assert "later" not in (synced.home / "overrides.csv").read_text()
    [put_away] = (synced.home / "removed").iterdir()
    assert "later" in (put_away / "overrides.csv").read_text()
    assert (put_away / STORE).is_file()
    synced.forget_requests()
    ran = synced.sync()
    assert synced.writes() == []
    assert ran.summary["feature_requests"]["unchanged"] == 5
    assert synced.run("undo", "last").code == 0
    told = synced.run("forget", stdin="nobody@nowhere.example\n")
    assert str(target) in told.err


def content_of(archive: Path, name: str) -> bytes:
    """One file of an archive."""
    with tarfile.open(archive) as opened:
        content = opened.extractfile(name)
        assert content is not None
        return content.read()


def changed(archive: Path, target: Path, name: str, change: Callable[[bytes], bytes] | None) -> Path:
    """A copy of an archive in which the content of one file is another one; None leaves it out."""
    with tarfile.open(archive) as old, tarfile.open(target, "w:gz") as new:
        for member in old:
            opened = old.extractfile(member)
            assert opened is not None
            content = opened.read()
            if member.name == name:
                if change is None:
                    continue
                content = change(content)
            member.size = len(content)
            new.addfile(member, io.BytesIO(content))
    return target


def with_checksum(manifest: bytes, name: str, content: bytes) -> bytes:
    """A manifest that takes this content for the right one."""
    found = json.loads(manifest)
    for one in found["files"]:
        if one["name"] == name:
            one["sha256"] = hashlib.sha256(content).hexdigest()
    return json.dumps(found).encode()


def test_what_is_damaged_or_newer_is_refused_before_anything_moves(synced: World, elsewhere: Path) -> None:
    """A changed byte, a missing file, a later form, a newer store, a path that leads out: the home stays as it is."""
    target = elsewhere / "backup.tar.gz"
    assert synced.run("backup", str(target)).code == 0

    def newer(content: bytes) -> bytes:
        file = elsewhere / "newer.duckdb"
        file.write_bytes(content)
        with duckdb.connect(file) as store:
            store.execute("INSERT INTO ops.migrations VALUES (9999, '9999_later', 'x', now()::TIMESTAMP)")
        return file.read_bytes()

    report = next(str(file.relative_to(synced.home)) for file in synced.home.glob("reports/*/*/*.html"))
    outside = elsewhere / "outside.tar.gz"
    with tarfile.open(outside, "w:gz") as made:
        empty = {"name": "../out", "bytes": 0, "sha256": hashlib.sha256().hexdigest()}
        manifest = {"format": 1, "version": "0", "made_at": "2026-01-01T00:00:00Z", "files": [empty]}
        member = tarfile.TarInfo("manifest.json")
        member.size = len(json.dumps(manifest))
        made.addfile(member, io.BytesIO(json.dumps(manifest).encode()))
        made.addfile(tarfile.TarInfo("../out"))
    cut = elsewhere / "cut.tar.gz"
    cut.write_bytes(target.read_bytes()[:-2_000])
    newer_store = changed(target, elsewhere / "n.tar.gz", str(STORE), newer)
    content = content_of(newer_store, str(STORE))

    def rehash(text: bytes) -> bytes:
        return with_checksum(text, str(STORE), content)

    def later_form(text: bytes) -> bytes:
        return json.dumps({**json.loads(text), "format": 2}).encode()

    cases = [
        (changed(target, elsewhere / "a.tar.gz", report, lambda text: text[:-1] + b"?"), 1, "is not as it was"),
        (changed(target, elsewhere / "b.tar.gz", report, None), 1, "is missing"),
        (changed(target, elsewhere / "c.tar.gz", "manifest.json", later_form), 2, "form 2"),
        (changed(newer_store, elsewhere / "d.tar.gz", "manifest.json", rehash), 2, "9999_later"),
        (outside, 1, "no backup of ours"),
        (cut, 1, "damaged"),
        (elsewhere / "none.tar.gz", 2, "there is no file"),
    ]
    before = {file: file.stat().st_mtime_ns for file in synced.home.rglob("*") if file.is_file()}
    for file, code, words in cases:
        ran = synced.run("restore", str(file), "--yes")
        assert (ran.code, words in ran.err) == (code, True), (file.name, ran.err)
    assert {file: file.stat().st_mtime_ns for file in synced.home.rglob("*") if file.is_file()} == before
    assert not (elsewhere / "out").exists()
