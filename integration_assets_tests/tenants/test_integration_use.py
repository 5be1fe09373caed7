"""What the settings say of a tenant's integrations after a run: also after one that was held."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from integration_assets.config import Environment, Settings
from integration_assets.errors import CredentialError, HeldError, IntegrationError, TransientError
from integration_assets.ingest.call_floor import Work
from integration_assets.reporting.slack_posting import DeliveryStatus, Posting
from integration_assets.runs.integration_use import note_slack, note_use
from integration_assets.runs.state import Mode, RunState
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.settings import settings_for
from integration_assets_tests.support.filled_registry import filled
from integration_assets_tests.support.registries import ACTOR, tenant_id

HELD = HeldError("plan 1 is held", reasons=("first_apply",))


@pytest.fixture(autouse=True)
def operator(sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables of the operator, by which a run opens the registry to note something."""
    assert sqlite_settings.key is not None
    monkeypatch.setenv("INTEGRATION_ASSETS_HOME", str(sqlite_settings.home))
    monkeypatch.setenv("INTEGRATION_ASSETS_KEY", sqlite_settings.key.get_secret_value())


def ended(settings: Settings, error: IntegrationError | None, stage: str | None = None) -> RunState:
    """A run of acme in the sandbox that ended so, and asked nobody anything."""
    state = RunState("run-1", "acme", Mode.SYNC, datetime.now(UTC), 0.0, error=error, error_stage=stage)
    state.settings, state.environment = settings_for(settings, "acme", "run 1"), Environment.SANDBOX
    return state


def noted(registry: Registry) -> dict[str, str | None]:
    """Of each integration of acme that a run in the sandbox uses and that something was noted of: what."""
    with tenant_repository(registry, tenant_id(registry, "acme"), ACTOR) as repository:
        entries = repository.third_party_integrations()
    used = [one for one in entries if one.environment != "production"]
    return {one.provider.value: one.last_error for one in used if one.last_ok_at or one.last_error}


def test_a_held_run_has_used_what_it_read(sqlite_registry: Registry, sqlite_settings: Settings) -> None:
    """Both systems, once they were read to their end; before that, those that were asked."""
    filled(sqlite_registry)
    note_use(ended(sqlite_settings, HELD, "start"))
    note_use(ended(sqlite_settings, HELD, "raw"))
    assert noted(sqlite_registry) == {}
    asked = ended(sqlite_settings, HELD, "raw")
    asked.calls.sent("hubspot", "GET /crm-object-schemas", writes=False, repeat=False)
    note_use(asked)
    assert noted(sqlite_registry) == {"hubspot": None}
    read = ended(sqlite_settings, HELD, "crm_feature_requests")
    read.work = Work()
    note_use(read)
    assert noted(sqlite_registry) == {"canny": None, "hubspot": None}


def test_what_did_not_come_to_an_end_says_nothing(sqlite_registry: Registry, sqlite_settings: Settings) -> None:
    """A system that was away may have worked until then; a refused key is noted beside the one that has it."""
    filled(sqlite_registry)
    away = ended(sqlite_settings, TransientError("Canny did not answer"), "raw")
    away.calls.sent("canny", "POST /posts/list", writes=False, repeat=False)
    note_use(away)
    assert noted(sqlite_registry) == {}
    note_use(ended(sqlite_settings, CredentialError("refused", system="canny"), "raw"))
    assert noted(sqlite_registry) == {"canny": "refused"}


@pytest.mark.parametrize(
    ("posting", "said"),
    [
        (None, {}),
        (Posting(DeliveryStatus.POSTED), {"slack": None}),
        (
            Posting(DeliveryStatus.NOT_POSTED, "refused: token_revoked", is_misconfigured=True),
            {"slack": "refused: token_revoked"},
        ),
        (Posting(DeliveryStatus.NOT_POSTED, "Slack could not be reached"), {}),
        (Posting(DeliveryStatus.UNCERTAIN, "Slack gave no answer"), {}),
    ],
)
def test_slack_is_noted_by_its_answer(
    sqlite_registry: Registry, sqlite_settings: Settings, posting: Posting | None, said: dict[str, str | None]
) -> None:
    """It worked where it took the message, also that of a held run; what may pass by itself is noted nowhere."""
    filled(sqlite_registry)
    state = ended(sqlite_settings, HELD, "crm_feature_requests")
    state.posting = posting
    note_slack(state)
    assert noted(sqlite_registry) == said
