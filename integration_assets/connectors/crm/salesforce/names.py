"""Names that our object, its fields and its links have in an org. Pure."""

from __future__ import annotations

from integration_assets.models import LinkTarget, ObjectDefinition

ACCOUNT = "Account"
CONTACT = "Contact"
OPPORTUNITY = "Opportunity"
TARGETS: dict[LinkTarget, str] = {"company": ACCOUNT, "contact": CONTACT}

NAME = "Name"
"""The standard field that lists and links show a record by."""
MOST_NAME_CHARACTERS = 80
LINK_KEY = "Link_Key__c"
"""Unique text of a link: Salesforce has no unique key of several fields."""
LINK_KIND = "Kind__c"
"""The label of a link."""
LOOKUPS: dict[LinkTarget, str] = {"company": "Company__c", "contact": "Contact__c"}
"""Fields of a link that point at its other end; one of them is set."""
PERMISSION_SET = "Integration_Assets"
COMPANY_PERMISSION_SET = "Integration_Assets_Accounts"
"""The right to change accounts is apart: only those who ask for roll-ups give it."""


def custom_name(name: str) -> str:
    """API name of a custom object or field: `feature_request_key` becomes `Feature_Request_Key__c`."""
    return f"{_capitalised(name)}__c"


def link_object(definition: ObjectDefinition) -> str:
    """API name of the object whose records are the links of our object."""
    return f"{_capitalised(definition.name)}_Link__c"


def request_lookup(definition: ObjectDefinition) -> str:
    """Field of a link that points at its record of ours; called as our object is."""
    return custom_name(definition.name)


def link_key(record_id: str, target_id: str, label: str) -> str:
    """Unique text of a link.

    Of record ids, which are of one length and never change, so that no key of ours can make it too long.
    """
    return f"{record_id}:{target_id}:{label}"


def _capitalised(name: str) -> str:
    return "_".join(part.capitalize() for part in name.split("_"))
