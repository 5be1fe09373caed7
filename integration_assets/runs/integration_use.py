"""Notes beside a tenant's integrations in the registry: how a run fared with each. That one fails is no failure."""

from __future__ import annotations

from integration_assets.config import TenantSettings, load_settings
from integration_assets.errors import CredentialError, HeldError, IntegrationError
from integration_assets.reporting.slack_posting import DeliveryStatus
from integration_assets.runs.state import RunState
from integration_assets.tenants.registry.words import Provider
from integration_assets.tenants.settings import note_outcomes


def note_use(state: RunState) -> None:
    """Note how the run fared with the feedback systems and the CRM."""
    # At the start nothing was asked of any system yet: how its integrations work is not known.
    if not isinstance(state.settings, TenantSettings) or state.error_stage == "start":
        return
    systems = {provider.value: provider for provider in Provider}
    if isinstance(state.error, CredentialError) and state.error.system in systems:
        _note(state, {systems[state.error.system]: state.error.message})
        return
    asked = (*state.settings.feedback_providers, state.settings.crm_provider)
    _note(state, {systems[provider]: None for provider in asked if _has_worked(state, provider)})


def note_slack(state: RunState) -> None:
    """Note what Slack said to the message of the run; nothing where it was not asked or gave no clear answer."""
    if not isinstance(state.settings, TenantSettings) or (posting := state.posting) is None:
        return
    if posting.delivery_status is DeliveryStatus.POSTED or posting.is_misconfigured:
        _note(state, {Provider(state.settings.slack.spec.name): posting.line})


def _has_worked(state: RunState, provider: str) -> bool:
    """True if the run came to an end with a system: also a held one, as far as the system was read or asked."""
    if state.error is None:
        return True
    # Gate and guard judge the data and the portal's schema, for which the systems had to answer.
    return isinstance(state.error, HeldError) and (state.work is not None or state.calls.totals(provider).total > 0)


def _note(state: RunState, problems: dict[Provider, str | None]) -> None:
    if not problems:
        return
    settings = state.opened_settings()
    try:
        note_outcomes(load_settings(environment=settings.environment), state.tenant, problems, state.run_id)
    except IntegrationError as error:
        state.notes.append(f"how the integrations worked could not be noted: {error.message}")
