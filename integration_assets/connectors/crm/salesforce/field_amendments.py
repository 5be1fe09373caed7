"""Values that a picklist of ours lacks: the field is deployed again with those it has, and ours behind them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import msgspec

from integration_assets.connectors.crm.salesforce import names
from integration_assets.connectors.crm.salesforce.metadata import Parts
from integration_assets.connectors.crm.salesforce.session import Session
from integration_assets.connectors.crm.salesforce.wire import FieldInfo
from integration_assets.models import ObjectDefinition, PropertyAmendment, PropertyDefinition

Deploy = Callable[[ObjectDefinition, Parts], Awaitable[None]]
"""Deploys parts of a definition, and shows them to the user of a run."""


class SalesforceAmendments:
    """See `connectors.crm.base.PropertyAmendments` for what each method promises.

    Args:
        session: Calls to the org as the user of a run.
        deploy: Carries out the one deployment that all amendments take.
    """

    def __init__(self, session: Session, deploy: Deploy) -> None:
        self._session = session
        self._deploy = deploy

    async def amend(self, definition: ObjectDefinition, amendments: Sequence[PropertyAmendment]) -> None:
        """Deploy the fields as the org has them now, with the values they lack.

        Raises:
            ConfigurationError: the user may not deploy metadata.
            PermanentError: the org refuses a component; names it.
        """
        info = await self._session.describe(names.custom_name(definition.name))
        by_name = {one.name: one for one in amendments}
        amended = {
            item.name: with_values(item, field, by_name[item.name])
            for item in definition.properties
            if item.name in by_name and info and (field := info.field(names.custom_name(item.name)))
        }
        if amended:
            properties = tuple(amended.get(item.name, item) for item in definition.properties)
            whole = msgspec.structs.replace(definition, properties=properties)
            # Links as they are: the permission set names their fields, which are there.
            await self._deploy(whole, Parts(False, frozenset(amended), False))


def with_values(item: PropertyDefinition, field: FieldInfo, amendment: PropertyAmendment) -> PropertyDefinition:
    """The property with the label and the values its field has, and the missing ones of the amendment. Pure.

    A value that was switched off is not among them: deploying it would bring it back.
    """
    there = [(one.value, one.label or one.value) for one in field.picklist_values if one.active]
    known = {value for value, _ in there}
    added = [one for one in amendment.options if one[0] not in known]
    return msgspec.structs.replace(item, label=field.label or item.label, options=(*there, *added))
