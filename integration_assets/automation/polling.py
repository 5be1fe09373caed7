"""Asking one tenant's feedback system whether anything changed: three calls at most, nothing written there.

Asked for are the newest request, vote and status change. Something changed when one of them is not stored yet, and no
run has been started for it: what a run could not use must not start one every time. Votes taken back and edited titles
show in the full runs only.

What was newest is kept in a small file per tenant, so that a tenant of whom there is no news costs three calls and the
reading of that file. Its staging store is opened when there is news, and once after each run, for messages that wait.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import dagster as dg
import duckdb
import msgspec

from integration_assets.automation.announcements import announce, cannot_begin, post_what_waits
from integration_assets.automation.credentials import refused
from integration_assets.config import Settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.abilities import VoteList
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.connectors.feedback.prefixed import PrefixedFeedback
from integration_assets.errors import CredentialError, EndState, LockError, PermanentError
from integration_assets.models import Page
from integration_assets.reporting.alert_places import SharedAlerts, alerts_of
from integration_assets.reporting.outbox import StoreOutbox, deliver
from integration_assets.reporting.shared_outbox import hand_over
from integration_assets.runs.abandoned import STARTED_STATUSES
from integration_assets.runs.launch import JOB_TAG
from integration_assets.runs.partitions import PARTITION_TAG
from integration_assets.runs.slack_delivery import slack_poster
from integration_assets.runs.state import Mode
from integration_assets.staging.lock import fence_path
from integration_assets.staging.store import StorePlace, make_private_directory, open_store, store_place
from integration_assets.tenants.integrations import feedback_for, id_prefix
from integration_assets.tenants.settings import settings_for
from integration_assets.whole_files import read_or_empty, write_whole

WHO = "the sensor sync_on_change"
"""As the audit trail names whoever opens a secret here, and the run lock whoever holds the store."""
REQUEST_SECONDS = 5.0
PATIENCE_SECONDS = 8.0
"""Of one call here; a run waits longer. A system that is slow now is asked again in its next turn."""
UNFINISHED = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, *STARTED_STATUSES]
RUN_KEY_TAG = "dagster/run_key"
"""Dagster's tag of a run that a sensor asked for."""


class Changed(StrEnum):
    """Outcome of a tenant's turn. `unknown`: a run is under way, which reads what changed anyway."""

    YES = "changed"
    NO = "unchanged"
    UNKNOWN = "unknown"


class Answer(msgspec.Struct, frozen=True):
    """Answer of a tenant's turn: the `run_key` of the run to start when something changed, and lines worth a log."""

    changed: Changed
    run_key: str | None = None
    notes: tuple[str, ...] = ()


Newest = Mapping[str, str | None]
"""List of a feedback system, after its name where there are several → id of its newest record; None: it is empty."""
FileState = tuple[int, int, int]
"""Number, size in bytes and time of the last change of a file: the same ones, the same content."""


class Asked(msgspec.Struct, frozen=True):
    """Answer of a tenant's feedback system when all of it was stored, or a run had been started for it.

    `store`: the staging store as it was when no message waited in it; None: look again.
    """

    newest: dict[str, str | None] = {}
    store: FileState | None = None


_STORED = {
    "feature_requests": "SELECT 1 FROM raw.feature_requests WHERE request_id = ?",
    "votes": "SELECT 1 FROM raw.votes WHERE vote_id = ?",
    "status_changes": "SELECT 1 FROM raw.status_changes WHERE change_id = ?",
}


class Runs:
    """Our runs as Dagster knows them."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self._instance = instance

    def is_under_way(self, tenant: str) -> bool:
        """True if a sync of this tenant waits in the queue or runs."""
        return self._any(dg.RunsFilter(statuses=UNFINISHED, tags={JOB_TAG: Mode.SYNC.value, PARTITION_TAG: tenant}))

    def was_started(self, run_key: str) -> bool:
        """True if there is a run that was asked for by this key."""
        return self._any(dg.RunsFilter(tags={RUN_KEY_TAG: run_key}))

    def _any(self, wanted: dg.RunsFilter) -> bool:
        return bool(self._instance.get_runs(wanted, limit=1))


async def newest_records(feedback: FeedbackSystem) -> Newest:
    """Ask for the newest record of each list that grows: three calls, fewer where a list does not come newest first."""
    can, nothing = feedback.abilities, Page[Any](())
    requests = await feedback.newest_feature_requests() if can.newest_requests else nothing
    votes = await _first_page(feedback.votes()) if can.vote_list is VoteList.NEWEST_FIRST else None
    changes = await _first_page(feedback.status_changes()) if can.status_history else None
    return {
        "feature_requests": requests.records[0].request_id if requests.records else None,
        "votes": votes.records[0].vote_id if votes and votes.records else None,
        "status_changes": changes.records[0].change_id if changes and changes.records else None,
    }


async def _newest_of_all(settings: Settings) -> Newest:
    """The newest records of every feedback system, as a run would store their ids; lists begin as the ids do."""
    newest: dict[str, str | None] = {}
    for own in settings.feedbacks:
        async with feedback_for(settings, own, CallCounter()) as feedback:
            prefix = id_prefix(settings, own)
            found = await newest_records(PrefixedFeedback(feedback, prefix) if prefix else feedback)
        newest |= {f"{prefix}{name}": record_id for name, record_id in found.items()}
    return newest


async def _first_page(pages: Any) -> Page[Any] | None:
    # Newest first, so that one page is enough; going on would read everything at every poll.
    async with aclosing(cast("AsyncGenerator[Page[Any]]", pages)) as generator:
        return await anext(generator, None)


async def ask_tenant(tenant: str, operator: Settings, settings_of: Callable[[str], Settings], runs: Runs) -> Answer:
    """Find out whether anything changed at a tenant since the last run; post its messages that wait.

    `settings_of` gives the tenant's settings with the secret of its feedback system.

    Raises:
        IntegrationError: its settings do not open, or the system refuses its key or gives no answer. People were told
            of what lasts until somebody mends it.
    """
    # Only here: it loads the cryptography, which a process that only reads the definitions does not need.
    from integration_assets.tenants.registry.vault import TamperedError  # noqa: PLC0415

    try:
        settings = await asyncio.to_thread(settings_of, tenant)
    # Told here, as a run would be the next to find it, perhaps hours later; whoever comes second adds nothing.
    except TamperedError as error:
        news = cannot_begin(tenant, EndState.FAILED, error.message)
        await asyncio.to_thread(announce, operator, tenant, news, patient=False)
        raise
    try:
        newest = await _newest_of_all(_hasty(settings))
    # Told at once: asking again would be refused for as long as nobody replaces the key.
    except CredentialError as error:
        await asyncio.to_thread(_tell_refusal, operator, tenant, error)
        raise
    path = asked_path(settings, tenant)
    asked = read_asked(path)
    store = store_place(settings, settings.environment, tenant)
    notes: list[str] = []
    answer = Answer(Changed.NO)
    # A store that is as it was holds no message that waits: what does not change need not be opened.
    if newest != asked.newest or store_state(store) != asked.store:
        # A run holds the store or is about to, and reads what changed anyway; it must not find the store taken.
        if runs.is_under_way(tenant):
            return Answer(Changed.UNKNOWN, notes=(f"{tenant}: a sync is under way, it reads what changed",))
        try:
            new, waits = await asyncio.to_thread(_look_into_store, operator, tenant, store, asked, newest, notes)
        except LockError as error:
            return Answer(Changed.UNKNOWN, notes=(f"{tenant}: {error.message}",))
        run_key = _run_key(tenant, new) if new else None
        if run_key is not None and not runs.was_started(run_key):
            # Kept only once Dagster has the run: what is asked for in vain is asked for again.
            answer = Answer(Changed.YES, run_key)
        else:
            write_asked(path, Asked(dict(newest), None if waits else store_state(store)))
    await asyncio.to_thread(_post_alerts, operator, tenant, notes)
    return msgspec.structs.replace(answer, notes=tuple(f"{tenant}: {note}" for note in notes))


def _hasty(settings: Settings) -> Settings:
    return settings.model_copy(
        update={
            "request_seconds": min(settings.request_seconds, REQUEST_SECONDS),
            "patience_seconds": min(settings.patience_seconds, PATIENCE_SECONDS),
        }
    )


def _tell_refusal(operator: Settings, tenant: str, error: CredentialError) -> None:
    # Opened only here: what goes well needs no secret of Slack, and each opening is noted.
    own = settings_for(operator, tenant, WHO)
    news = refused(error.system or own.feedback_providers[0], error.message)
    announce(own, tenant, news, patient=False)


def _look_into_store(
    operator: Settings, tenant: str, store: StorePlace, asked: Asked, newest: Newest, notes: list[str]
) -> tuple[dict[str, str], bool]:
    """The newest records that are not stored and were not seen before, by list; and whether messages still wait."""
    # Opening it would make one, for a tenant that perhaps nobody ever runs.
    if not store.exists():
        return {name: record_id for name, record_id in newest.items() if record_id is not None}, False
    with open_store(store, f"{WHO}, asking for changes") as connection:
        new = unseen(connection, asked.newest, newest)
        if not _waiting(connection) or _handed_over(operator, tenant, connection):
            return new, False
        post = slack_poster(settings_for(operator, tenant, WHO), patient=False)
        # Without Slack the messages stay in the outbox, for the day somebody configures it.
        if post is None:
            return new, False
        delivery = deliver(StoreOutbox(connection), lambda message: post(message, True), own=None)
        notes += [line for line in (*delivery.notes, delivery.problem) if line is not None]
        return new, _waiting(connection)


def _handed_over(operator: Settings, tenant: str, connection: duckdb.DuckDBPyConnection) -> bool:
    """True if machines share the messages that wait, and those of this store have been moved there."""
    place = alerts_of(operator, operator.environment.value, tenant)
    if not isinstance(place, SharedAlerts):
        return False
    with place.held() as held:
        if held.is_shared:
            hand_over(StoreOutbox(connection), held)
        return held.is_shared


def unseen(connection: duckdb.DuckDBPyConnection, before: Newest, newest: Newest) -> dict[str, str]:
    """The newest records, by list, that are neither stored nor were the newest ones `before`."""
    return {
        name: record_id
        for name, record_id in newest.items()
        if record_id is not None
        and before.get(name) != record_id
        and not connection.execute(_STORED[name.rpartition(":")[2]], [record_id]).fetchall()
    }


def _waiting(connection: duckdb.DuckDBPyConnection) -> bool:
    # Not those that may have arrived: the next run repeats them, once.
    return bool(connection.execute("SELECT 1 FROM sync.outbox WHERE state != 'uncertain' LIMIT 1").fetchall())


def _run_key(tenant: str, new: Mapping[str, str]) -> str:
    """The same key for the same records: Dagster starts one run for it, however often it is asked for."""
    return f"{tenant} {hashlib.sha256(msgspec.json.encode(sorted(new.items()))).hexdigest()[:16]}"


def _post_alerts(operator: Settings, tenant: str, notes: list[str]) -> None:
    try:
        alerts = alerts_of(operator, operator.environment.value, tenant).read()
    except PermanentError as error:
        notes.append(f"the open alerts cannot be read: {error.message}")
        return
    # Not summaries that may have arrived: the next run repeats them, once.
    if alerts.notices or any(one.state != "uncertain" for one in alerts.summaries):
        notes += post_what_waits(settings_for(operator, tenant, WHO), tenant, patient=False)


# ------------------------------------------------------------------------------------------------------ what was newest


def asked_path(settings: Settings, tenant: str) -> Path:
    """File of what a tenant's feedback system said: `<home>/asked/<environment>/<tenant>.json`."""
    return settings.home / "asked" / settings.environment.value / f"{tenant}.json"


def read_asked(path: Path) -> Asked:
    """The newest records when last asked; none without a usable file: then all that is not stored is new.

    Raises:
        PermanentError: there is a file and it cannot be read.
    """
    try:
        return read_or_empty(path, Asked)
    except OSError as error:
        raise PermanentError(f"{path} cannot be read: {error.strerror}; check its permissions") from error


def write_asked(path: Path, asked: Asked) -> None:
    """Keep what was newest.

    Raises:
        PermanentError: the file cannot be written.
    """
    try:
        make_private_directory(path.parent)
        write_whole(path, msgspec.json.encode(asked))
    except OSError as error:
        raise PermanentError(
            f"{path} cannot be written: {error.strerror}; check the disk and its permissions"
        ) from error


def store_state(store: StorePlace) -> FileState | None:
    """State of a staging store; None when there is none. A lake has the state of its last holder on this machine."""
    return file_state(store.path if store.lake is None else fence_path(store.path))


def file_state(path: Path) -> FileState | None:
    """State of a file; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
