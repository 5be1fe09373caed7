"""Properties of ours on accounts: deployed by setup, written by record id, read back by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from integration_assets.connectors.crm.base import RecordsOutcome, RecordWrite
from integration_assets.connectors.crm.salesforce import deploy, names, reads, schema
from integration_assets.connectors.crm.salesforce import writes as writing
from integration_assets.connectors.crm.salesforce.metadata import company_package
from integration_assets.connectors.crm.salesforce.session import Session
from integration_assets.models import LiveProperty, PropertyDefinition, PropertyGroup


class SalesforceCompanyWrites:
    """See `connectors.crm.base.CompanyWrites` for what each method promises.

    Args:
        session: Calls to the org as the user of a run.
        setup_session: Calls as the user who may deploy metadata.
        license_name: Permission-set licence that the permission set is made under.
    """

    setup_scopes: frozenset[str] = frozenset()
    schema_calls = 1
    calls_per_batch = 3

    def __init__(self, session: Session, setup_session: Session, license_name: str | None) -> None:
        self._session = session
        self._setup = setup_session
        self._license = license_name

    async def properties(self, group: PropertyGroup) -> tuple[LiveProperty, ...]:
        """Those of our properties that accounts have, whether or not the user sees them.

        Raises:
            CredentialError: the user does not see accounts.
        """
        account = await reads.account_info(self._session)
        missing = any(account.field(names.custom_name(item.name)) is None for item in group.properties)
        # Asked only where something is missing as the user sees it.
        hidden = await schema.existing_names(self._session, names.ACCOUNT) if missing else frozenset()
        return schema.company_properties(group, account, hidden)

    async def create(self, group: PropertyGroup, properties: Sequence[PropertyDefinition]) -> None:
        """Deploy these fields, and let the user of a run see and change all of the group.

        Raises:
            ConfigurationError: the user may not deploy metadata.
            PermanentError: the org refuses a component; names it.
        """
        if not properties:
            return
        await deploy.deploy(self._setup, company_package(group, properties, license_name=self._license))
        user_id = (await self._session.identity()).user_id
        await deploy.assign(self._setup, names.COMPANY_PERMISSION_SET, user_id)

    async def write(self, group: PropertyGroup, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        """Set values by record id; an account that is gone is refused alone. Safe to repeat."""
        kinds = {item.name: item.kind for item in group.properties}
        return await writing.update_companies(self._session, kinds, writes)

    async def read(self, names: Sequence[str], ids: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        """Values by record id, of accounts that are not deleted."""
        return await reads.rollups(self._session, names, ids)
