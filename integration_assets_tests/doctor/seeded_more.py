"""Further ways in which single checks of a healthy installation are not ok."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from integration_assets_tests.doctor.seeded import Seeded, Variables, in_registry, in_store, instead
from integration_assets_tests.support.practice import Practice


def changed_plan(practice: Practice) -> AbstractContextManager[Variables]:
    return in_store(practice, "UPDATE sync.plan_operations SET key = key || 'x' WHERE seq = 1")


@contextmanager
def damaged_store(practice: Practice) -> Iterator[Variables]:
    """Every block but the first of the file overwritten, as a failing disk does."""
    kept = practice.store.read_bytes()
    practice.store.write_bytes(kept[:65_536] + bytes(len(kept) - 65_536))
    yield {}
    practice.store.write_bytes(kept)


@contextmanager
def readable_key_file(practice: Practice) -> Iterator[Variables]:
    file = practice.home / "master.key"
    file.write_text(practice.made.key)
    file.chmod(0o644)
    yield {"INTEGRATION_ASSETS_KEY": None, "INTEGRATION_ASSETS_KEY_FILE": str(file)}
    file.unlink()


def changed_secret(practice: Practice) -> AbstractContextManager[Variables]:
    return in_registry(practice, "UPDATE third_party_integrations SET secret_serial = 9 WHERE provider = 'canny'")


def revoked_token(practice: Practice) -> AbstractContextManager[Variables]:
    return instead(practice.world.portal, "token", "another one since, with 20 characters")


def revoked_token_of_the_other(practice: Practice) -> AbstractContextManager[Variables]:
    return instead(practice.world.seeded("production").portal, "token", "another one since, with 20 characters")


def revoked_slack_token(practice: Practice) -> AbstractContextManager[Variables]:
    return instead(practice.world.sandbox.team, "token", "another one since, with 20 characters")


def unknown_channel(practice: Practice) -> AbstractContextManager[Variables]:
    return instead(practice.world.sandbox.team.channels[0], "id", "C0ANOTHER1")


@contextmanager
def no_slack_scope(practice: Practice) -> Iterator[Variables]:
    practice.world.sandbox.team.scopes.discard("chat:write")
    yield {}
    practice.world.sandbox.team.scopes.add("chat:write")


@contextmanager
def no_deals_scope(practice: Practice) -> Iterator[Variables]:
    practice.world.portal.scopes.discard("crm.objects.deals.read")
    yield {}
    practice.world.portal.scopes.add("crm.objects.deals.read")


def expired(practice: Practice) -> AbstractContextManager[Variables]:
    statement = "UPDATE third_party_integrations SET secret_expires_at = ? WHERE provider = 'slack'"
    return in_registry(practice, statement, "2026-01-01 00:00:00.000000")


def nobody_said_when(practice: Practice) -> AbstractContextManager[Variables]:
    statement = "UPDATE third_party_integrations SET secret_never_expires = 0 WHERE provider = 'slack'"
    return in_registry(practice, statement)


def failed_last_time(practice: Practice) -> AbstractContextManager[Variables]:
    return in_registry(
        practice, "UPDATE third_party_integrations SET last_error = 'no answer' WHERE provider = 'slack'"
    )


@contextmanager
def _schedule(practice: Practice, status: str) -> Iterator[Variables]:
    from dagster import DagsterInstance
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.remote_origin import (
        RegisteredCodeLocationOrigin,
        RemoteInstigatorOrigin,
        RemoteRepositoryOrigin,
    )
    from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData

    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("integration_assets"), "__repository__")
    origin = RemoteInstigatorOrigin(repository, "every_four_hours")
    data = ScheduleInstigatorData("0 */4 * * *", None)
    state = InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus(status), data)
    with DagsterInstance.from_config(str(practice.home / "dagster")) as instance:
        instance.add_instigator_state(state)
        yield {}
        instance.delete_instigator_state(state.instigator_origin_id, state.selector_id)


def stopped_schedule(practice: Practice) -> AbstractContextManager[Variables]:
    return _schedule(practice, "STOPPED")


@contextmanager
def wrong_period(practice: Practice) -> Iterator[Variables]:
    del practice
    yield {"INTEGRATION_ASSETS_SYNC_MINUTES": "0"}


def no_daemon(practice: Practice) -> AbstractContextManager[Variables]:
    return _schedule(practice, "RUNNING")


MORE: dict[str, tuple[int, Seeded]] = {
    "changed plan": (4, Seeded(changed_plan, "fail", "were changed since it was made", 1)),
    "damaged store": (3, Seeded(damaged_store, "fail", "damaged", 1)),
    "readable key file": (6, Seeded(readable_key_file, "fail", "has mode 0644", 2)),
    "changed secret": (6, Seeded(changed_secret, "fail", "is an older one", 1)),
    "revoked token": (13, Seeded(revoked_token, "fail", "runs of acme are stopped, others are not affected", 1)),
    "the other token": (13, Seeded(revoked_token_of_the_other, "warn", "production portal cannot be compared", 0)),
    "deals scope": (14, Seeded(no_deals_scope, "warn", "open pipeline not read: missing crm.objects.deals.read", 0)),
    "Slack token": (20, Seeded(revoked_slack_token, "fail", "invalid_auth", 1)),
    "Slack channel": (20, Seeded(unknown_channel, "fail", "channel_not_found", 1)),
    "Slack scope": (20, Seeded(no_slack_scope, "fail", "chat:write", 1)),
    "expired": (21, Seeded(expired, "fail", "Slack (any) expired on 2026-01-01", 1)),
    "nobody said": (21, Seeded(nobody_said_when, "warn", "nobody said when Slack (any) expires", 0)),
    "failed last time": (22, Seeded(failed_last_time, "warn", "did not work last time: no answer", 0)),
    "stopped schedule": (23, Seeded(stopped_schedule, "warn", "switched off: every_four_hours", 0)),
    "wrong period": (23, Seeded(wrong_period, "fail", "INTEGRATION_ASSETS_SYNC_MINUTES", 2)),
    "no daemon": (23, Seeded(no_daemon, "warn", "no daemon has looked at it yet", 0)),
}
"""The check that must find it, and the fault."""
