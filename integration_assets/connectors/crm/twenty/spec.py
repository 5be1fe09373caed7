"""Twenty as the rest of the product knows it. Imports no part of the connector."""

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
    Words,
)

CLOSED_STAGES, CALLS_PER_MINUTE, BATCH_SIZE = "closed_stages", "calls_per_minute", "batch_size"
WEB_URL = "web_url"
CLOUD = "api.twenty.com"
"""Host of the API of Twenty's cloud, which serves no pages: those are at a host of each workspace."""
USUAL = {CLOSED_STAGES: "CUSTOMER", CALLS_PER_MINUTE: "100", BATCH_SIZE: "60"}
"""Settings the connector reads, where nobody says otherwise. Twenty's own workspaces begin with one stage that is won,
and none that is lost."""
_FIELD = r"[a-z][A-Za-z0-9]{0,62}"
_FIELD_HINT = "must be the API name of a field of companies, such as annualRecurringRevenue"
_mapped = partial(SettingSpec, form=_FIELD, hint=_FIELD_HINT)
"""A setting that names what a company keeps a value in."""

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
        default=f"https://{CLOUD}",
        example=f"https://{CLOUD}",
        hosts=(CLOUD,),
        domains=(CLOUD,),
        ends_before=r"/(rest|graphql|metadata)(/|$)",
    ),
    settings=(
        SettingSpec(
            name=PORTAL_ID,
            variable=VariableSpec("TWENTY_{ENVIRONMENT}_WORKSPACE_ID"),
            form=r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
            hint="must be the id of the workspace, such as 20202020-1c25-4d02-bf25-6aeccf7ea419",
            label="Workspace id",
            help="The only workspace runs may write to. Nothing of a workspace says what it is for: it has to be set.",
            shapes_plan=False,
        ),
        _mapped(
            name=ARR_PROPERTY,
            variable=VariableSpec("TWENTY_ARR_FIELD"),
            label="Field with the ARR",
            help="API name of a field of companies.",
        ),
        _mapped(
            name=CURRENCY_PROPERTY,
            variable=VariableSpec("TWENTY_CURRENCY_FIELD"),
            label="Field with the currency",
            help="API name of a field of companies; an amount of money has its currency with it.",
        ),
        _mapped(
            name=ACCOUNT_ID_PROPERTY,
            variable=VariableSpec("TWENTY_ACCOUNT_ID_FIELD"),
            label="Field with the account id",
            help="Holds the feedback system's id of the company; id: the id is the record's own.",
        ),
        _mapped(
            name=LIFECYCLE_PROPERTY,
            variable=VariableSpec("TWENTY_LIFECYCLE_FIELD"),
            label="Field with the lifecycle stage",
            help="API name of a field of companies. Empty: of no company is known whether it is a customer.",
            shapes_plan=False,
        ),
        _mapped(
            name=SEGMENT_PROPERTIES,
            variable=VariableSpec("TWENTY_SEGMENT_FIELDS"),
            label="Fields to filter companies by",
            help="API names of fields of companies, such as industry,plan; rankings can count a segment alone.",
            many=True,
            shapes_plan=False,
        ),
        _mapped(
            name=OWNER_PROPERTY,
            variable=VariableSpec("TWENTY_OWNER_FIELD"),
            label="Field with the owner",
            help="API name of a field of companies that holds the owner's name.",
            shapes_plan=False,
        ),
        _mapped(
            name=RENEWAL_PROPERTY,
            variable=VariableSpec("TWENTY_RENEWAL_FIELD"),
            label="Field with the renewal date",
            help="API name of a field of companies that holds a date.",
            shapes_plan=False,
        ),
        SettingSpec(
            name=CLOSED_STAGES,
            variable=VariableSpec("TWENTY_CLOSED_STAGES"),
            form=r"[A-Z][A-Z0-9_]*(,[A-Z][A-Z0-9_]*)*",
            hint="must be API names of stages of opportunities, such as CUSTOMER,LOST",
            label="Closed stages",
            help="API names of the stages of opportunities that are won or lost.",
            default=USUAL[CLOSED_STAGES],
            shapes_plan=False,
        ),
        SettingSpec(
            name=CALLS_PER_MINUTE,
            variable=VariableSpec("TWENTY_CALLS_PER_MINUTE"),
            form=r"[1-9][0-9]{0,5}",
            hint="must be a number of calls, such as 100",
            label="Calls per minute",
            help="Calls the workspace allows in a minute; a server of one's own can be told to allow more.",
            default=USUAL[CALLS_PER_MINUTE],
            shapes_plan=False,
        ),
        SettingSpec(
            name=BATCH_SIZE,
            variable=VariableSpec("TWENTY_BATCH_SIZE"),
            form=r"[1-9][0-9]?|1[0-9]{2}|200",
            hint="must be a number of records from 1 to 200",
            label="Records per batch",
            help="Records written in one call. Twenty documents 60; servers were seen to take 200.",
            default=USUAL[BATCH_SIZE],
            shapes_plan=False,
        ),
        SettingSpec(
            name=WEB_URL,
            variable=VariableSpec("TWENTY_{ENVIRONMENT}_WEB_URL"),
            form=r"https?://[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?(/[A-Za-z0-9._~-]+)*/?",
            hint="must be an address such as https://acme.twenty.com",
            label="Address of the pages",
            help="Where people open Twenty, for links to records. Empty: a server of one's own serves them at its base "
            "URL; of Twenty's cloud it is not known, and there are no links.",
            shapes_plan=False,
        ),
    ),
    words=Words(portal="workspace", object="object", link="record of a vote", label="kind"),
    record_id_property="id",
)
