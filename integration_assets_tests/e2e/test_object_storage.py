"""Runs that also publish to object storage: what is there, what a refusal does to a run, and what the next one does."""

from __future__ import annotations

from integration_assets_tests.support.harness import World
from integration_assets_tests.support.object_storage import BUCKET, KEY_ID, SECRET, object_storage

NAME = "rankings/sandbox/default.duckdb"


def test_a_refused_upload_is_told_and_the_next_run_makes_up_for_it(synced: World) -> None:
    """The run ends well; terminal, report and Slack say what is not there. What `forget` publishes goes there too."""
    with object_storage() as storage:
        synced.extra |= {**storage.variables, "INTEGRATION_ASSETS_PUBLISH_URL": f"s3://{BUCKET}/rankings"}
        published = synced.home / "published" / "sandbox" / "default.duckdb"
        refused = synced.sync(AWS_SECRET_ACCESS_KEY="another-secret-altogether")
        told = f"object storage has an older ranking, or none: s3://{BUCKET}/{NAME} could not be written: it is refused"
        report = max((synced.home / "reports").rglob("*.html"), key=lambda file: file.stat().st_mtime).read_text()
        for place in (refused.out + refused.err, report, str(synced.sandbox.team.messages[-1])):
            assert told in place
            assert "another-secret" not in place
            assert KEY_ID not in place
        assert storage.objects == {}

        ran = synced.sync()
        assert "object storage" not in ran.out
        assert storage.objects == {NAME: published.read_bytes()}

        before = storage.objects[NAME]
        forgotten = synced.run("forget", "--yes", stdin="ann@acme.com\n")
        assert forgotten.code == 0, forgotten.err
        assert storage.objects == {NAME: published.read_bytes()}
        assert storage.objects[NAME] != before
        assert SECRET not in ran.err + forgotten.err + forgotten.out

        wrong = synced.run("sync", INTEGRATION_ASSETS_PUBLISH_URL="https://user:hidden-word@host/x")
        assert wrong.code == 2
        assert "INTEGRATION_ASSETS_PUBLISH_URL: use s3://bucket/folder" in wrong.err
        assert "hidden-word" not in wrong.out + wrong.err
