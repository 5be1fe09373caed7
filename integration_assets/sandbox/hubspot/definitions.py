"""Property definitions: the standard ones of companies, contacts and custom objects, and the rules for new ones."""

from __future__ import annotations

import re
from typing import Any

from integration_assets.sandbox.hubspot.errors import Json, error, validation
from integration_assets.sandbox.hubspot.pipelines import STAGES

FIELD_TYPES: dict[str, frozenset[str]] = {
    "bool": frozenset({"booleancheckbox", "calculation_equation"}),
    "enumeration": frozenset({"select", "radio", "checkbox", "booleancheckbox", "calculation_equation"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"date"}),
    "number": frozenset({"number", "calculation_equation"}),
    "string": frozenset({"text", "textarea", "html", "file", "phonenumber", "calculation_equation"}),
    "phone_number": frozenset({"phonenumber"}),
}
"""Which field types go with which type ("Properties" guide of the CRM API)."""

LIFECYCLE_STAGES = (
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
    "customer",
    "evangelist",
    "other",
)
CURRENCIES = ("USD", "EUR", "GBP", "CHF", "SEK", "DKK", "NOK", "PLN", "CAD", "AUD", "NZD", "JPY", "INR", "BRL")

_NAME = re.compile(r"[a-z][a-z0-9_]{0,99}")
_UNIQUE_TYPES = frozenset({"string", "number", "phone_number"})
_OPTION_FIELDS = ("label", "value", "displayOrder", "hidden", "description")
_EDITABLE = (
    "label",
    "type",
    "fieldType",
    "groupName",
    "description",
    "options",
    "displayOrder",
    "hidden",
    "formField",
    "calculationFormula",
)


def standard_property(
    name: str,
    type_: str = "string",
    field_type: str | None = None,
    *,
    group: str,
    options: tuple[str, ...] = (),
    read_only: bool = False,
    unique: bool = False,
    calculated: bool = False,
    external_options: bool = False,
) -> Json:
    """Definition of a property HubSpot brings along."""
    fields = {
        "string": "text",
        "number": "number",
        "bool": "booleancheckbox",
        "datetime": "date",
        "date": "date",
        "enumeration": "select",
    }
    return {
        "name": name,
        "label": name.removeprefix("hs_").replace("_", " ").capitalize(),
        "type": type_,
        "fieldType": field_type or fields[type_],
        "groupName": group,
        "description": "",
        "options": [
            {"label": value.capitalize(), "value": value, "displayOrder": order, "hidden": False}
            for order, value in enumerate(options)
        ],
        "displayOrder": -1,
        "hasUniqueValue": unique,
        "hidden": False,
        "formField": not read_only,
        "calculated": calculated,
        "externalOptions": external_options,
        "hubspotDefined": True,
        "dataSensitivity": "non_sensitive",
        "modificationMetadata": {
            "archivable": False,
            "readOnlyDefinition": True,
            "readOnlyOptions": True,
            "readOnlyValue": read_only,
        },
    }


def _system(group: str, created: str, modified: str) -> list[Json]:
    """Properties HubSpot keeps itself, on every object."""
    names = [
        standard_property(created, "datetime", group=group, read_only=True),
        standard_property(modified, "datetime", group=group, read_only=True),
        standard_property("hs_object_id", "number", group=group, read_only=True),
        standard_property(
            "hs_merged_object_ids", "enumeration", "checkbox", group=group, read_only=True, external_options=True
        ),
    ]
    texts = ("hs_object_source", "hs_object_source_label", "hs_object_source_id", "hs_unique_creation_key")
    numbers = ("hs_created_by_user_id", "hs_updated_by_user_id", "hs_object_source_user_id")
    names += [standard_property(name, group=group, read_only=True) for name in texts]
    names += [standard_property(name, "number", group=group, read_only=True) for name in numbers]
    owner = standard_property("hubspot_owner_id", "enumeration", group=group, external_options=True)
    owner["referencedObjectType"] = "OWNER"
    return [*names, owner]


def company_properties(*, parent_property: bool) -> list[Json]:
    """Standard properties of companies. `domain` is not unique, whatever its name suggests."""
    group = "companyinformation"
    found = _system(group, "createdate", "hs_lastmodifieddate")
    texts = ("name", "domain", "website", "phone", "city", "state", "country", "zip", "address", "description")
    found += [standard_property(name, group=group) for name in texts]
    found += [
        standard_property("hs_additional_domains", "enumeration", "checkbox", group=group, external_options=True),
        standard_property("lifecyclestage", "enumeration", "radio", group=group, options=LIFECYCLE_STAGES),
        standard_property("industry", "enumeration", group=group, external_options=True),
        standard_property("annualrevenue", "number", group=group),
        standard_property("hs_annual_revenue_currency_code", "enumeration", group=group, options=CURRENCIES),
        standard_property("numberofemployees", "number", group=group),
        standard_property("num_associated_contacts", "number", group=group, read_only=True, calculated=True),
    ]
    if parent_property:
        found += [
            standard_property("hs_parent_company_id", "number", group=group, read_only=True),
            standard_property("hs_num_child_companies", "number", group=group, read_only=True, calculated=True),
        ]
    return found


def contact_properties() -> list[Json]:
    """Standard properties of contacts. `email` is unique, also against the additional addresses of others."""
    group = "contactinformation"
    found = _system(group, "createdate", "lastmodifieddate")
    texts = ("firstname", "lastname", "phone", "company", "jobtitle", "website", "city", "country")
    found += [standard_property(name, group=group) for name in texts]
    return [
        *found,
        standard_property("email", group=group, unique=True),
        standard_property("hs_additional_emails", "enumeration", "checkbox", group=group, external_options=True),
        standard_property("hs_email_domain", group=group, read_only=True),
        standard_property("lifecyclestage", "enumeration", "radio", group=group, options=LIFECYCLE_STAGES),
        standard_property("associatedcompanyid", "number", group=group, read_only=True),
    ]


def deal_properties() -> list[Json]:
    """Standard properties of deals. Some are derived: of the stage, and of the amount by the account's own rates."""
    group = "dealinformation"
    return [
        *_system(group, "createdate", "hs_lastmodifieddate"),
        standard_property("dealname", group=group),
        standard_property("pipeline", "enumeration", group=group, options=("default",)),
        standard_property("dealstage", "enumeration", "radio", group=group, options=tuple(name for name, *_ in STAGES)),
        standard_property("amount", "number", group=group),
        standard_property("deal_currency_code", "enumeration", group=group, options=CURRENCIES),
        standard_property("amount_in_home_currency", "number", group=group, read_only=True, calculated=True),
        standard_property("closedate", "datetime", group=group),
        standard_property(
            "hs_is_closed", "bool", group=group, options=("true", "false"), read_only=True, calculated=True
        ),
    ]


def library_properties(name_property: str, group: str, created: str) -> list[Json]:
    """Standard properties of an object of the library: what it is called, and where it stands in its pipeline."""
    return [
        *_system(group, created, "hs_lastmodifieddate"),
        standard_property(name_property, group=group),
        standard_property("hs_pipeline", "enumeration", group=group, external_options=True),
        standard_property("hs_pipeline_stage", "enumeration", "radio", group=group, external_options=True),
    ]


def custom_object_properties(group: str) -> list[Json]:
    """The 32 properties every new custom object is born with."""
    found = _system(group, "hs_createdate", "hs_lastmodifieddate")
    found.append(standard_property("hubspot_owner_assigneddate", "datetime", group=group, read_only=True))
    found.append(
        standard_property("hubspot_team_id", "enumeration", group=group, read_only=True, external_options=True)
    )
    external = (
        "hs_all_accessible_team_ids",
        "hs_all_assigned_business_unit_ids",
        "hs_all_owner_ids",
        "hs_all_team_ids",
        "hs_shared_team_ids",
        "hs_shared_user_ids",
        "hs_user_ids_of_all_notification_followers",
        "hs_user_ids_of_all_notification_unfollowers",
        "hs_user_ids_of_all_owners",
        "hs_owning_teams",
    )
    found += [
        standard_property(name, "enumeration", "checkbox", group=group, read_only=True, external_options=True)
        for name in external
    ]
    texts = ("hs_read_only", "hs_was_imported", "hs_object_source_detail_1", "hs_object_source_detail_2")
    found += [standard_property(name, group=group, read_only=True) for name in (*texts, "hs_object_source_detail_3")]
    found += [standard_property("hs_pinned_engagement_id", "number", group=group)]
    found += [standard_property("hs_num_associated_queue_objects", "number", group=group, read_only=True)]
    found += [standard_property("hs_notes_last_activity", "datetime", group=group, read_only=True)]
    return found


def new_property(body: Json, *, groups: dict[str, Json]) -> Json:
    """Definition made from the body of a create request.

    Raises:
        ApiError: 400, the request is not acceptable.
    """
    for name in ("name", "label", "type", "fieldType", "groupName"):
        if not isinstance(body.get(name), str) or not body[name].strip():
            raise validation(f'Property definitions need "{name}"', context={"propertyName": [str(body.get("name"))]})
    name = body["name"]
    if not _NAME.fullmatch(name):
        raise validation(f'"{name}" is not a valid property name: lower-case letters, digits and underscores')
    definition = _with_edits(standard_property(name, group=body["groupName"]), body)
    definition["hasUniqueValue"] = _flag(body, "hasUniqueValue")
    definition["dataSensitivity"] = body.get("dataSensitivity", "non_sensitive")
    definition["hubspotDefined"] = False
    definition["formField"] = _flag(body, "formField")
    definition["calculated"] = definition["fieldType"] == "calculation_equation"
    definition["modificationMetadata"] = {
        "archivable": True,
        "readOnlyDefinition": False,
        "readOnlyOptions": False,
        "readOnlyValue": definition["calculated"],
    }
    check_property(definition, groups=groups)
    return definition


def changed_property(definition: Json, body: Json, *, groups: dict[str, Json]) -> Json:
    """Definition after a PATCH. A change of `hasUniqueValue` is silently ignored, given options replace the old ones.

    Raises:
        ApiError: 400, the definition is read-only or the change is not acceptable.
    """
    metadata = definition["modificationMetadata"]
    if metadata["readOnlyDefinition"]:
        raise validation(f'The definition of property "{definition["name"]}" is read-only')
    changed = _with_edits(definition, body)
    check_property(changed, groups=groups)
    return changed


def check_property(definition: Json, *, groups: dict[str, Json]) -> None:
    """Refuse a definition that does not hold together.

    Raises:
        ApiError: 400 with the reason.
    """
    name, kind, field_type = definition["name"], definition["type"], definition["fieldType"]
    if kind not in FIELD_TYPES:
        raise validation(
            f'"{kind}" is not a property type', errors=[{"message": "Invalid type", "code": "INVALID_TYPE"}]
        )
    if field_type not in FIELD_TYPES[kind]:
        raise validation(f'Property "{name}" cannot have type "{kind}" with field type "{field_type}"')
    if definition["groupName"] not in groups:
        raise validation(f'Property group "{definition["groupName"]}" does not exist')
    if definition["hasUniqueValue"] and kind not in _UNIQUE_TYPES:
        raise validation(f'Property "{name}" of type "{kind}" cannot have unique values')
    values = [option["value"] for option in definition["options"]]
    if kind == "bool" and sorted(values) != ["false", "true"]:
        raise error(
            400, "VALIDATION_ERROR", "A bool needs the options true and false", sub_category="INVALID_BOOLEAN_OPTION"
        )
    if kind not in {"bool", "enumeration"} and values:
        raise validation(f'Property "{name}" of type "{kind}" cannot have options')
    if len(set(values)) != len(values):
        raise validation(f'Options of property "{name}" must have distinct values')


def _with_edits(definition: Json, body: Json) -> Json:
    edited = dict(definition)
    for key in _EDITABLE:
        if key in body and body[key] is not None:
            edited[key] = body[key]
    edited["options"] = [_option(option, order) for order, option in enumerate(edited["options"])]
    return edited


def _option(option: Any, order: int) -> Json:
    if not isinstance(option, dict) or not isinstance(option.get("value"), str) or not option.get("label"):
        raise validation("Options need a label and a value")
    return {"displayOrder": order, "hidden": False, **{key: option[key] for key in _OPTION_FIELDS if key in option}}


def _flag(body: Json, name: str) -> bool:
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise validation(f'"{name}" must be true or false')
    return value
