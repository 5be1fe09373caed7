"""Settings of the environment and facts of the portal, as the rooms below want them."""

from __future__ import annotations

import duckdb

from integration_assets.config import Settings
from integration_assets.connectors.specs import ACCOUNT_ID_PROPERTY
from integration_assets.errors import ConfigurationError
from integration_assets.resolution.overrides import Override, read_overrides
from integration_assets.resolution.rank import Lifecycles
from integration_assets.resolution.same_requests import SameRequest, read_same_requests
from integration_assets.resolution.settings import ResolutionSettings
from integration_assets.sync.feature_request_object import key_prefix
from integration_assets.tenants.integrations import account_id_is_record_id, id_prefix


def portal_currency(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Currency of the portal this run reads, or None when nothing was read yet."""
    return _of_portal(connection)[0]


def portal_time_zone(connection: duckdb.DuckDBPyConnection) -> str | None:
    """Time zone of the portal this run writes to, by its IANA name, or None when nothing was read yet."""
    return _of_portal(connection)[1]


def _of_portal(connection: duckdb.DuckDBPyConnection) -> tuple[str | None, str | None]:
    """Currency and time zone of this run's portal, as far as they are known."""
    rows = connection.execute("SELECT currency, time_zone FROM raw.crm_portals WHERE role = 'target'").fetchall()
    currency, time_zone = rows[0] if rows else (None, None)
    return currency or None, time_zone or None


def base_currency(settings: Settings, connection: duckdb.DuckDBPyConnection) -> str:
    """Currency every figure is converted to: configured, else the portal's, else USD."""
    return settings.base_currency or portal_currency(connection) or "USD"


def resolution_settings(settings: Settings, connection: duckdb.DuckDBPyConnection) -> ResolutionSettings:
    """Read what resolution needs to know of the tenant.

    Raises:
        ConfigurationError: the base currency has a rate other than one, or the overrides are wrong.
    """
    base = base_currency(settings, connection)
    if settings.currency_rates.get(base, 1) != 1:
        raise ConfigurationError(
            f"{settings.named('currency_rates')} gives {base} a rate, and {base} is the base currency: a rate is what "
            f"one unit of another currency is worth in {base}; correct the rates, or choose the base currency you mean "
            f"with {settings.named('base_currency')}"
        )
    return ResolutionSettings(
        own_domains=settings.own_domains,
        personal_domains=settings.personal_domains,
        business_domains=settings.business_domains,
        account_id_mapped=settings.crm(settings.environment).text(ACCOUNT_ID_PROPERTY) is not None,
        account_id_is_record_id=account_id_is_record_id(settings),
        id_prefixes=tuple(prefix for own in settings.feedbacks if (prefix := id_prefix(settings, own))),
        arr_sources=tuple(source.value for source in settings.arr_sources),
        base_currency=base,
        portal_currency=portal_currency(connection),
        accounts_currency=settings.accounts_currencies[settings.feedback_providers[0]],
        accounts_currencies={
            prefix: settings.accounts_currencies[own.spec.name]
            for own in settings.feedbacks
            if (prefix := id_prefix(settings, own))
        },
        currency_rates=settings.currency_rates,
        overrides=overrides(settings),
        same_requests=same_requests(settings),
        key_prefix=key_prefix(tuple(settings.source_names.values())),
    )


def lifecycles(settings: Settings) -> Lifecycles:
    """The stages of companies that the tenant calls customers and prospects."""
    return Lifecycles(settings.customer_stages, settings.prospect_stages)


def same_requests(settings: Settings) -> tuple[SameRequest, ...]:
    """The lines that say which requests count as others.

    Raises:
        ConfigurationError: the file is not what it should be; names the line.
    """
    return read_same_requests(settings.same_requests_path, tuple(settings.source_names.values()))


def overrides(settings: Settings) -> tuple[Override, ...]:
    """The analyst's mappings.

    Raises:
        ConfigurationError: the file is not what it should be; names the line.
    """
    return read_overrides(
        settings.overrides_path,
        personal_domains=settings.personal_domains,
        business_domains=settings.business_domains,
    )
