"""Open opportunities, of all accounts or of some."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from integration_assets.connectors.crm.base import DealPage
from integration_assets.connectors.crm.salesforce import endpoints, names, soql, translate
from integration_assets.connectors.crm.salesforce.session import Session
from integration_assets.connectors.crm.salesforce.wire import SYSTEM
from integration_assets.errors import CredentialError

READ = f"{names.OPPORTUNITY}: read"
OPEN = "IsClosed = false"


class SalesforceDeals:
    """See `connectors.crm.base.OpenDeals` for what each member promises."""

    scopes = frozenset({READ})

    def __init__(self, session: Session) -> None:
        self._session = session

    async def of(self, company_ids: Collection[str] | None) -> AsyncIterator[DealPage]:
        """Read the open opportunities of these accounts; None asks for those of all accounts.

        Raises:
            CredentialError: the user does not see opportunities, or a field of theirs.
        """
        fields = await self._fields()
        calls = 2  # the description, and the first page
        condition = OPEN
        ids = soql.record_ids(company_ids) if company_ids is not None else None
        # More accounts than one query names are read with all others: a page holds ten times as many deals.
        if ids is not None and len(ids) <= endpoints.VALUES_PER_QUERY:
            if not ids:
                return
            condition = f"{OPEN} AND {soql.any_of('AccountId', ids)}"
        async for entries in self._session.pages(soql.select(names.OPPORTUNITY, fields, condition)):
            yield DealPage(translate.translate(entries, "deal", translate.deal), calls)
            calls = 1

    async def _fields(self) -> tuple[str, ...]:
        info = await self._session.describe(names.OPPORTUNITY)
        seen = {one.name for one in info.fields} if info else set()
        if hidden := [name for name in translate.DEAL_FIELDS if name not in seen]:
            raise CredentialError(
                f"{SYSTEM}: the user does not see {', '.join(f'{names.OPPORTUNITY}.{name}' for name in hidden)}: "
                f"assign the permission set {names.PERMISSION_SET} to it, or grant the field in another",
                system=SYSTEM,
            )
        return (*translate.DEAL_FIELDS, *([translate.CURRENCY] if translate.CURRENCY in seen else []))
