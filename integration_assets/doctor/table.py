"""The 28 checks in order: what each is called, and why it matters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec

from integration_assets.doctor import (
    crm,
    exposure,
    feedback,
    keys,
    machine,
    network,
    plaintext,
    published,
    schedule,
    slack,
)
from integration_assets.doctor.context import DoctorContext
from integration_assets.doctor.findings import CheckOutcome


class Check(msgspec.Struct, frozen=True):
    """One check. `look` raises `NotTriedError` when another check's finding keeps it from looking."""

    name: str
    why: str
    look: Callable[[DoctorContext], Awaitable[CheckOutcome]]


CHECKS: tuple[Check, ...] = (
    Check("installation", "other versions were never tested together", machine.installation),
    Check("home", "a run needs room there, and it holds e-mail addresses", machine.home),
    Check("staging store", "without it no run starts", machine.staging_store),
    Check("ledger", "undo and recovery rely on it", machine.ledger),
    Check("leftovers", "what a run left open is settled by the next one only", machine.leftovers),
    Check("encryption key", "without it no tenant's secret can be used", keys.encryption_key),
    Check("key age", "an old key that leaked opens all it ever sealed", keys.key_age),
    Check("clock", "the history, freshness and expiry dates follow it", network.clock),
    Check("hosts", "a run needs every one of them", network.hosts),
    Check("egress", "a forged address could read this machine's cloud credentials", network.egress),
    Check("feedback key", "no request or vote can be read without it", feedback.credential),
    Check("feedback data", "a changed system would be misread", feedback.shape),
    Check("CRM token", "the wrong portal must never be written to", crm.portal),
    Check("CRM scopes", "a run would be refused half way", crm.scopes),
    Check("CRM object", "there is nothing to write to without it", crm.object_type),
    Check("CRM key property", "without uniqueness a repeat makes duplicates", crm.unique_key),
    Check("CRM properties", "values would be refused, or ARR missing", crm.properties),
    Check("CRM link labels", "companies could not be linked to requests", crm.link_labels),
    Check("CRM quota", "a run that needs more than is left is held or ends early", crm.quota),
    Check("Slack", "nobody would hear how runs end", slack.slack),
    Check("expiry", "a credential that expires stops every run", keys.expiry),
    Check("last success", "a credential that never worked is found when it is needed", keys.last_success),
    Check("schedule", "a ranking that nobody renews grows old silently", schedule.schedule),
    Check("Dagster's pages", "they have no login", exposure.webserver),
    Check("own pages", "bots ask every host for forgotten files", exposure.own_pages),
    Check("plain text", "files are copied, committed and backed up", plaintext.plaintext),
    Check("published bucket", "readers there would keep an old ranking", published.bucket),
    Check("readers' lake", "analysts could not attach the ranking", published.readers_lake),
)
