"""Settings of a tenant that resolution needs."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec

from integration_assets.resolution.domains import MailDomains
from integration_assets.resolution.mail_lists import mail_domains
from integration_assets.resolution.overrides import Override
from integration_assets.resolution.same_requests import SameRequest


class ResolutionSettings(msgspec.Struct, frozen=True):
    """Choices of one tenant. The defaults are those of a tenant that configured nothing.

    `own_domains`: mail domains of own staff, and addresses of those with mail elsewhere (personal data).
    `account_id_mapped`: `raw.crm_companies.account_id` holds the feedback system's account id.
    `account_id_is_record_id`: the account's id is the CRM's own record id (then the column is not looked at).
    `same_requests`: lines of the file that says which requests count as others; `key_prefix` is what is before the id
    of a request in its key.
    `id_prefixes`: how the ids of each feedback system begin, in their order; none where there is one system.
    `accounts_currency`: that of the spend of accounts; `accounts_currencies`: by the beginning of their ids, where
    several feedback systems are read.
    `currency_rates`: one unit of that currency in `base_currency`. `portal_currency` None: CRM figures are taken to be
    in the base currency, as are internal rows without a currency.
    """

    own_domains: tuple[str, ...] = ()
    personal_domains: tuple[str, ...] = ()
    business_domains: tuple[str, ...] = ()
    account_id_mapped: bool = False
    account_id_is_record_id: bool = False
    id_prefixes: tuple[str, ...] = ()
    arr_sources: tuple[str, ...] = ("crm", "internal", "accounts")
    base_currency: str = "USD"
    portal_currency: str | None = None
    accounts_currency: str = "USD"
    accounts_currencies: Mapping[str, str] = msgspec.field(default_factory=dict)
    currency_rates: Mapping[str, Decimal] = msgspec.field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    same_requests: tuple[SameRequest, ...] = ()
    key_prefix: str = ""

    def mail_domains(self) -> MailDomains:
        """Personal and own domains of this tenant, and addresses of own staff."""
        return mail_domains(own=self.own_domains, personal=self.personal_domains, business=self.business_domains)

    def account_key(self) -> str:
        """Name of the CRM value that identifies an account: `record_id`, `property` or `none`."""
        # Before the property: a tenant may have mapped one as well, and ids of records are unique.
        if self.account_id_is_record_id:
            return "record_id"
        return "property" if self.account_id_mapped else "none"
