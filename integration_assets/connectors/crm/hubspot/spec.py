"""HubSpot as the rest of the product knows it. Imports no part of the connector."""

from __future__ import annotations

from functools import partial

from integration_assets.connectors.specs import (
    ACCOUNT_ID_PROPERTY,
    ARR_PROPERTY,
    CURRENCY_PROPERTY,
    LIFECYCLE_PROPERTY,
    OWNER_PROPERTY,
    PORTAL_ID,
    RENEWAL_PROPERTY,
    SEGMENT_PROPERTIES,
    AddressSpec,
    ProviderKind,
    ProviderSpec,
    SecretSpec,
    SettingSpec,
    VariableSpec,
)

PROPERTY_FORM = r"[a-z][a-z0-9_]{0,99}"
_PROPERTY_HINT = "must be the internal name of a company property: lower-case letters, digits and _"
_mapped = partial(SettingSpec, form=PROPERTY_FORM, hint=_PROPERTY_HINT)
"""A setting that names what a company keeps a value in."""
RECORD_ID_PROPERTY = "hs_object_id"

HUBSPOT = ProviderSpec(
    name="hubspot",
    label="HubSpot",
    kind=ProviderKind.CRM,
    connector="integration_assets.connectors.crm.hubspot.connector:hubspot",
    secret=SecretSpec(
        variable=VariableSpec("HUBSPOT_{ENVIRONMENT}_TOKEN"),
        label="access token",
        called="the HubSpot token",
        wanted="a HubSpot token (it begins with pat-)",
        prefixes=("pat-",),
        openings={"pat-": "a HubSpot token"},
        pattern=r"\bpat-[a-z]{2}\d-[0-9a-fA-F-]{30,}",
    ),
    address=AddressSpec(
        variable=VariableSpec("HUBSPOT_{ENVIRONMENT}_BASE_URL"),
        default="https://api.hubapi.com",
        example="https://api.hubapi.com",
        hosts=("api.hubapi.com",),
        domains=("hubapi.com", "hubspot.com"),
        ends_before=r"/v[0-9]+(/|$)|/crm(/|$)",
    ),
    settings=(
        SettingSpec(
            name=PORTAL_ID,
            variable=VariableSpec("HUBSPOT_{ENVIRONMENT}_PORTAL_ID"),
            form=r"[0-9]{1,20}",
            hint="must be the number of the portal, such as 12345678",
            label="Portal number",
            help="The only portal runs may write to. Empty: the first one that answers is kept.",
            shapes_plan=False,
        ),
        _mapped(
            name=ARR_PROPERTY,
            variable=VariableSpec("HUBSPOT_ARR_PROPERTY"),
            label="Property with the ARR",
            help="Internal name of a company property.",
        ),
        _mapped(
            name=CURRENCY_PROPERTY,
            variable=VariableSpec("HUBSPOT_CURRENCY_PROPERTY"),
            label="Property with the currency",
            help="Internal name of a company property.",
        ),
        _mapped(
            name=ACCOUNT_ID_PROPERTY,
            variable=VariableSpec("HUBSPOT_ACCOUNT_ID_PROPERTY"),
            label="Property with the account id",
            help=(f"Holds the feedback system's id of the company; {RECORD_ID_PROPERTY}: the id is the record's own."),
        ),
        _mapped(
            name=LIFECYCLE_PROPERTY,
            variable=VariableSpec("HUBSPOT_LIFECYCLE_PROPERTY"),
            label="Property with the lifecycle stage",
            help="Internal name of a company property. Empty: lifecyclestage.",
            shapes_plan=False,
        ),
        _mapped(
            name=SEGMENT_PROPERTIES,
            variable=VariableSpec("HUBSPOT_SEGMENT_PROPERTIES"),
            label="Properties to filter companies by",
            help="Internal names of company properties, such as industry,plan; rankings can count a segment alone.",
            many=True,
            shapes_plan=False,
        ),
        _mapped(
            name=OWNER_PROPERTY,
            variable=VariableSpec("HUBSPOT_OWNER_PROPERTY"),
            label="Property with the owner",
            help="Internal name of a company property, such as hubspot_owner_id. Names of owners are read beside it.",
            shapes_plan=False,
        ),
        _mapped(
            name=RENEWAL_PROPERTY,
            variable=VariableSpec("HUBSPOT_RENEWAL_PROPERTY"),
            label="Property with the renewal date",
            help="Internal name of a company property that holds a date.",
            shapes_plan=False,
        ),
        SettingSpec(
            name="object",
            variable=VariableSpec("HUBSPOT_OBJECT"),
            form="custom|services|projects|tickets",
            hint="must be custom, services, projects or tickets",
            label="Object that holds the records",
            help="One of its own, which needs Enterprise, or one of HubSpot's own, beside other people's rows.",
            default="custom",
        ),
    ),
    record_id_property=RECORD_ID_PROPERTY,
)
