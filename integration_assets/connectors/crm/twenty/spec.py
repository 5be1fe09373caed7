"""Twenty as the rest of the product knows it. Imports no part of the connector."""

from __future__ import annotations

from integration_assets.connectors.specs import (
    ACCOUNT_ID_PROPERTY,
    ARR_PROPERTY,
    CURRENCY_PROPERTY,
    PORTAL_ID,
    AddressSpec,
    ProviderKind,
    ProviderSpec,
    SecretSpec,
    SettingSpec,
    VariableSpec,
    Words,
)

CLOSED_STAGES = "closed_stages"
USUAL_CLOSED_STAGES = "CUSTOMER"
"""Twenty's own workspaces begin with one stage that is won, and none that is lost."""
_FIELD = r"[a-z][A-Za-z0-9]{0,62}"
_FIELD_HINT = "must be the API name of a field of companies, such as annualRecurringRevenue"

TWENTY = ProviderSpec(
    name="twenty",
    label="Twenty",
    kind=ProviderKind.CRM,
    connector="integration_assets.connectors.crm.twenty.connector:twenty",
    secret=SecretSpec(
        variable=VariableSpec("TWENTY_{ENVIRONMENT}_API_KEY"),
        label="API key",
        called="the Twenty key",
        short="key",
        wanted="an API key of Twenty (Settings → API)",
    ),
    address=AddressSpec(
        variable=VariableSpec("TWENTY_{ENVIRONMENT}_BASE_URL"),
        default="https://api.twenty.com",
        example="https://api.twenty.com",
        hosts=("api.twenty.com",),
        domains=("api.twenty.com",),
        ends_before=r"/(rest|graphql|metadata)(/|$)",
    ),
    settings=(
        SettingSpec(
            name=PORTAL_ID,
            variable=VariableSpec("TWENTY_{ENVIRONMENT}_WORKSPACE_ID"),
            form=r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            hint="must be the id of the workspace, such as 20202020-1c25-4d02-bf25-6aeccf7ea419",
            label="Workspace id",
            help="The only workspace runs may write to. Twenty does not say which one is for trials, so it has to be set.",
            shapes_plan=False,
        ),
        SettingSpec(
            name=ARR_PROPERTY,
            variable=VariableSpec("TWENTY_ARR_FIELD"),
            form=_FIELD,
            hint=_FIELD_HINT,
            label="Field with the ARR",
            help="API name of a field of companies.",
        ),
        SettingSpec(
            name=CURRENCY_PROPERTY,
            variable=VariableSpec("TWENTY_CURRENCY_FIELD"),
            form=_FIELD,
            hint=_FIELD_HINT,
            label="Field with the currency",
            help="API name of a field of companies; an amount of money has its currency with it.",
        ),
        SettingSpec(
            name=ACCOUNT_ID_PROPERTY,
            variable=VariableSpec("TWENTY_ACCOUNT_ID_FIELD"),
            form=_FIELD,
            hint=_FIELD_HINT,
            label="Field with the account id",
            help="Holds the feedback system's id of the company; id: the id is the record's own.",
        ),
        SettingSpec(
            name=CLOSED_STAGES,
            variable=VariableSpec("TWENTY_CLOSED_STAGES"),
            form=r"[A-Z][A-Z0-9_]*(,[A-Z][A-Z0-9_]*)*",
            hint="must be API names of stages of opportunities, such as CUSTOMER,LOST",
            label="Closed stages",
            help="API names of the stages of opportunities that are won or lost.",
            default=USUAL_CLOSED_STAGES,
            shapes_plan=False,
        ),
    ),
    words=Words(portal="workspace", object="object", link="record of a vote", label="kind"),
    record_id_property="id",
)
