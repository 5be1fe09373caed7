"""Changes to integrations by pages and API, once: check every field, then let the repository decide."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import msgspec

from integration_assets.config import Settings
from integration_assets.connectors.redaction import register
from integration_assets.pasted import unwrapped
from integration_assets.tenants.portal_claims import refuse_operators_portal
from integration_assets.tenants.registry.changes import InternalChanges, NewInternal, NewThirdParty, ThirdPartyChanges
from integration_assets.tenants.registry.repository import TenantRepository, tenant_repository
from integration_assets.tenants.registry.views import InternalView, ThirdPartyView, Unset
from integration_assets.tenants.registry.words import Provider
from integration_assets.web import field_checks
from integration_assets.web.request_context import RequestContext

V = TypeVar("V")
Wrong = Mapping[str, str] | None
"""Messages by field of what a form could not even be read as: told together with all others."""


def add_third_party(context: RequestContext, new: NewThirdParty, wrong: Wrong = None) -> ThirdPartyView:
    """Make a third-party integration.

    Raises:
        Problem: fields cannot be accepted; each has its message.
        TakenError: there is one for this provider and environment.
    """
    new = msgspec.structs.replace(new, base_url=_as_meant(new.base_url), secret=_as_meant(new.secret))
    field_checks.refuse_wrong(
        [
            *field_checks.place_checks(new.provider, new.environment),
            *_third_party_address(context, new.provider, new.base_url),
            *field_checks.key_checks(new.provider, new.secret),
            *field_checks.settings_checks(new.provider, new.settings),
            *field_checks.expiry_checks(new.expires_at),
        ],
        wrong,
    )
    # Before anything is stored: from here on an error may hold it.
    _hide(new.secret)
    # Before it is stored: a tenant with the operator's token would write into the operator's portal.
    refuse_operators_portal(context.settings, context.own, new.secret)
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        return repository.add_third_party(new)


def change_third_party(
    context: RequestContext,
    record: str,
    changes: ThirdPartyChanges,
    wrong: Wrong = None,
    check: Callable[[ThirdPartyView], None] | None = None,
) -> ThirdPartyView:
    """Change a third-party integration; of `settings`, what is not named stays and None clears.

    `check` looks at what is stored, and refuses.

    Raises:
        NotFoundError: it is not this tenant's.
        Problem: fields cannot be accepted, or `check` refuses.
        SecretNeededError: another host, port or scheme, and no secret for it.
    """
    changes = msgspec.structs.replace(changes, base_url=_as_meant(changes.base_url), secret=_as_meant(changes.secret))
    refuse_operators_portal(context.settings, context.own, _given(changes.secret, None))
    # One transaction from the look to the change: two admins who save at once cannot check against what is gone.
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        before = repository.third_party_integration(field_checks.record_id(record))
        if check is not None:
            check(before)
        settings = _given(changes.settings, {})
        field_checks.refuse_wrong(
            [
                *_third_party_address(context, before.provider, _given(changes.base_url, None)),
                *field_checks.key_checks(before.provider, _given(changes.secret, None)),
                *field_checks.settings_checks(before.provider, settings),
                *field_checks.expiry_checks(_given(changes.expires_at, None)),
            ],
            wrong,
        )
        _hide(changes.secret)
        # The repository replaces settings as a whole; what was not named would be lost.
        if settings:
            changes = msgspec.structs.replace(changes, settings={**before.settings, **settings})
        return repository.change_third_party(before.id, changes)


def add_internal(context: RequestContext, new: NewInternal, wrong: Wrong = None) -> InternalView:
    """Make an internal-system integration.

    Raises:
        Problem: fields cannot be accepted; each has its message.
        TakenError: there is one of this name.
    """
    check_new_internal(context, new, wrong)
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        return repository.add_internal(new)


def check_new_internal(context: RequestContext, new: NewInternal, wrong: Wrong = None) -> None:
    """See that an internal system could be made; its secret is kept out of every text from here on.

    Raises:
        Problem: fields cannot be accepted; each has its message.
    """
    field_checks.refuse_wrong(
        [
            *field_checks.internal_address_checks(context.settings, context.own.slug, new.base_url),
            *field_checks.auth_checks(context.settings, context.own.slug, new.auth_flow, new.auth),
            *field_checks.secret_checks(new.secret),
            *field_checks.description_checks(new.endpoints, new.mappings),
            *field_checks.name_checks(new.name),
            *field_checks.expiry_checks(new.expires_at),
        ],
        wrong,
    )
    _hide(new.secret)


def change_internal(
    context: RequestContext,
    record: str,
    changes: InternalChanges,
    wrong: Wrong = None,
    check: Callable[[InternalView], None] | None = None,
) -> InternalView:
    """Change an internal-system integration; of `auth` and `mappings`, what is not named stays and None clears.

    `check` looks at what is stored, and refuses.

    Raises:
        NotFoundError: it is not this tenant's.
        Problem: fields cannot be accepted, or `check` refuses.
        SecretNeededError: another address, token URL or flow, and no secret for it.
    """
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        before = repository.internal_integration(field_checks.record_id(record))
        if check is not None:
            check(before)
        changes = _merged(before, changes)
        field_checks.refuse_wrong(_internal_checks(context.settings, context.own.slug, before, changes), wrong)
        _hide(changes.secret)
        return repository.change_internal(before.id, changes)


def _merged(before: InternalView, changes: InternalChanges) -> InternalChanges:
    """With `auth` and `mappings` whole: the repository replaces them as a whole."""
    if not isinstance(changes.mappings, Unset):
        changes = msgspec.structs.replace(changes, mappings=_without_none({**before.mappings, **changes.mappings}))
    if not isinstance(changes.auth, Unset):
        # Another flow has other fields: keeping the old ones would store what nobody uses or checks.
        same = _given(changes.auth_flow, before.auth_flow) is before.auth_flow
        kept = before.auth if same else {}
        changes = msgspec.structs.replace(changes, auth=_without_none({**kept, **changes.auth}))
    return changes


def _third_party_address(context: RequestContext, provider: Provider, url: str | None) -> list[field_checks.Check]:
    return [] if url is None else field_checks.third_party_address_checks(context.settings, provider, url)


def _internal_checks(
    settings: Settings, tenant: str, before: InternalView, changes: InternalChanges
) -> list[field_checks.Check]:
    base_url = _given(changes.base_url, None)
    name = _given(changes.name, None)
    flow = _given(changes.auth_flow, before.auth_flow)
    auth: Mapping[str, Any] = _given(changes.auth, before.auth if flow is before.auth_flow else {})
    return [
        *(field_checks.internal_address_checks(settings, tenant, base_url) if base_url is not None else ()),
        *field_checks.auth_checks(settings, tenant, flow, auth),
        *field_checks.secret_checks(_given(changes.secret, None)),
        *field_checks.description_checks(
            _given(changes.endpoints, before.endpoints), _given(changes.mappings, before.mappings)
        ),
        *(field_checks.name_checks(name) if name is not None else ()),
        *field_checks.expiry_checks(_given(changes.expires_at, None)),
    ]


def integrations(context: RequestContext) -> tuple[list[ThirdPartyView], list[InternalView]]:
    """All of a tenant, of both kinds."""
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        return repository.third_party_integrations(), repository.internal_integrations()


def third_party(context: RequestContext, record: str) -> ThirdPartyView:
    """One of them.

    Raises:
        NotFoundError: it is not this tenant's.
    """
    return _read(context, record, TenantRepository.third_party_integration)


def internal(context: RequestContext, record: str) -> InternalView:
    """One of them.

    Raises:
        NotFoundError: it is not this tenant's.
    """
    return _read(context, record, TenantRepository.internal_integration)


def remove_third_party(context: RequestContext, record: str) -> None:
    """Remove one with its secret.

    Raises:
        NotFoundError: it is not this tenant's.
    """
    _read(context, record, TenantRepository.remove_third_party)


def remove_internal(context: RequestContext, record: str) -> None:
    """Remove one with its secret.

    Raises:
        NotFoundError: it is not this tenant's.
    """
    _read(context, record, TenantRepository.remove_internal)


def _read(context: RequestContext, record: str, method: Callable[[TenantRepository, str], V]) -> V:
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        return method(repository, field_checks.record_id(record))


def _given(value: V | Unset, otherwise: V) -> V:
    return otherwise if isinstance(value, Unset) else value


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _as_meant(pasted: V) -> V:
    """Unwrap what somebody pasted from what stood round it; UNSET and None as they are."""
    return cast("V", unwrapped(pasted)) if isinstance(pasted, str) else pasted


def _hide(secret: str | Unset | None) -> None:
    """Keep an accepted secret out of every text this process writes. What is refused is nobody's secret."""
    if isinstance(secret, str):
        register(secret)
        # Also as it is sent: an error of the other side repeats that form.
        register(unwrapped(secret))
