"""Salesforce as the rest of the product knows it. Imports no part of the connector."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING

from integration_assets.connectors.credential import ClientSecret, Credential, JwtKey, Token
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
    SchemaFileSpec,
    SecretSpec,
    SettingSpec,
    VariableSpec,
    Words,
)
from integration_assets.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import SecretStr

CLIENT_ID = "client_id"
USERNAME = "username"
DOMAINS_FIELD = "domains_field"
PERMISSION_SET_LICENSE = "permission_set_license"
"""Names of settings that are the connector's own."""
PRIVATE_KEY = "-----BEGIN"
RECORD_ID_FIELD = "Id"

_FIELD = r"[A-Za-z][A-Za-z0-9_]{0,79}"
_FIELD_HINT = "must be the API name of a field of accounts, such as ARR__c"
_mapped = partial(SettingSpec, form=_FIELD, hint=_FIELD_HINT)
"""A setting that names what a company keeps a value in."""


def credential(secret: SecretStr, settings: Mapping[str, str]) -> Credential:
    """The secret as what the settings beside it say: an app's key with both, its secret with an id, else a token.

    Raises:
        ConfigurationError: a private key lacks the app or the user it is for, or a user is named without one.
    """
    client_id, username = settings.get(CLIENT_ID), settings.get(USERNAME)
    is_key = secret.get_secret_value().lstrip().startswith(PRIVATE_KEY)
    if is_key and client_id and username:
        return JwtKey(client_id, username, secret)
    if is_key:
        raise ConfigurationError("a private key needs the client id of its app and the name of a user beside it")
    # A user beside a secret would be passed over, and the run be somebody else's.
    if username:
        raise ConfigurationError(
            "the name of a user goes with a private key: an app's secret belongs to the user that the app names"
        )
    return ClientSecret(client_id, secret) if client_id else Token(secret)


SALESFORCE = ProviderSpec(
    name="salesforce",
    label="Salesforce",
    kind=ProviderKind.CRM,
    connector="integration_assets.connectors.crm.salesforce.connector:salesforce",
    credential=credential,
    secret=SecretSpec(
        variable=VariableSpec("SALESFORCE_{ENVIRONMENT}_SECRET"),
        label="client secret, private key or access token",
        called="the Salesforce secret",
        short="secret",
        wanted="the secret of an External Client App, its private key, or an access token",
        multiline=True,
        pattern=r"\b00D[0-9A-Za-z]{12,15}![0-9A-Za-z._]{40,}",
    ),
    setup_secret=SecretSpec(
        variable=VariableSpec("SALESFORCE_{ENVIRONMENT}_SETUP_TOKEN"),
        label="access token for setup",
        called="the Salesforce token for setup",
        wanted="an access token of an administrator",
    ),
    address=AddressSpec(
        variable=VariableSpec("SALESFORCE_{ENVIRONMENT}_BASE_URL"),
        default=None,
        example="https://acme.my.salesforce.com",
        hosts=("my.salesforce.com",),
        ends_before=r"/services(/|$)",
    ),
    settings=(
        SettingSpec(
            name=CLIENT_ID,
            variable=VariableSpec("SALESFORCE_{ENVIRONMENT}_CLIENT_ID"),
            form=r"[0-9A-Za-z._-]{5,255}",
            hint="must be the consumer key of the app, as its settings show it",
            label="Client id",
            help="Consumer key of the External Client App. Empty: the secret is an access token.",
            shapes_plan=False,
        ),
        SettingSpec(
            name=USERNAME,
            variable=VariableSpec("SALESFORCE_{ENVIRONMENT}_USERNAME"),
            form=r"[^\s@]{1,64}@[^\s@]{1,80}",
            hint="must be the name the user signs in with, such as sync@acme.com.dev",
            label="User",
            help="Name of the integration user, with a private key only.",
            shapes_plan=False,
        ),
        SettingSpec(
            name=PORTAL_ID,
            variable=VariableSpec("SALESFORCE_{ENVIRONMENT}_ORG_ID"),
            form=r"00D[0-9A-Za-z]{15}",
            hint="must be the 18 characters of the org's id, which begin with 00D",
            label="Org id",
            help="The only org runs may write to. Empty: the first one that answers is kept.",
            shapes_plan=False,
        ),
        _mapped(
            name=ARR_PROPERTY,
            variable=VariableSpec("SALESFORCE_ARR_FIELD"),
            label="Field with the ARR",
            help="API name of a field of accounts.",
        ),
        _mapped(
            name=CURRENCY_PROPERTY,
            variable=VariableSpec("SALESFORCE_CURRENCY_FIELD"),
            label="Field with the currency",
            help="API name of a field of accounts. Empty: the currency of the record, where the org has several.",
        ),
        _mapped(
            name=ACCOUNT_ID_PROPERTY,
            variable=VariableSpec("SALESFORCE_ACCOUNT_ID_FIELD"),
            label="Field with the account id",
            help=f"Holds the feedback system's id of the company; {RECORD_ID_FIELD}: the id is the record's own.",
        ),
        _mapped(
            name=LIFECYCLE_PROPERTY,
            variable=VariableSpec("SALESFORCE_LIFECYCLE_FIELD"),
            label="Field with the lifecycle stage",
            help="API name of a field of accounts. Empty: Type.",
            shapes_plan=False,
        ),
        _mapped(
            name=SEGMENT_PROPERTIES,
            variable=VariableSpec("SALESFORCE_SEGMENT_FIELDS"),
            label="Fields to filter companies by",
            help="API names of fields of accounts, such as Industry,Plan__c; rankings can count a segment alone.",
            many=True,
            shapes_plan=False,
        ),
        _mapped(
            name=OWNER_PROPERTY,
            variable=VariableSpec("SALESFORCE_OWNER_FIELD"),
            label="Field with the owner",
            help="API name of a field of accounts that holds the owner's name, as a formula can; OwnerId is an id.",
            shapes_plan=False,
        ),
        _mapped(
            name=RENEWAL_PROPERTY,
            variable=VariableSpec("SALESFORCE_RENEWAL_FIELD"),
            label="Field with the renewal date",
            help="API name of a field of accounts that holds a date.",
            shapes_plan=False,
        ),
        _mapped(
            name=DOMAINS_FIELD,
            variable=VariableSpec("SALESFORCE_DOMAINS_FIELD"),
            label="Field with further domains",
            help="Text field of accounts; domains beside that of the website, separated by commas or blanks.",
        ),
        SettingSpec(
            name=PERMISSION_SET_LICENSE,
            variable=VariableSpec("SALESFORCE_PERMISSION_SET_LICENSE"),
            form=r"[A-Za-z][A-Za-z0-9 ]{0,79}",
            hint="must be the name of a permission-set licence, such as Salesforce API Integration",
            label="Permission-set licence",
            help="Licence that setup makes the permission set under: Salesforce API Integration, for a user with it.",
            shapes_plan=False,
        ),
    ),
    schema_file=SchemaFileSpec(
        maker="integration_assets.connectors.crm.salesforce.metadata:file_of",
        suffix=".zip",
        how="sf project deploy start --metadata-dir {file} --single-package",
        then="then assign the permission set Integration_Assets, and Integration_Assets_Accounts if it is there, to "
        "the user of the app",
    ),
    words=Words(portal="org", object="object", link="link record", label="kind"),
    record_id_property=RECORD_ID_FIELD,
)
