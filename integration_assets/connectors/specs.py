"""A provider as the rest of the product knows it: its name, its settings and their variables, its words.

A connector's package holds one `ProviderSpec`, in a module of its own (`spec.py`) that imports nothing else of the
connector: the settings, the help of the command line, the forms and the registry's validation are made from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from integration_assets.connectors.credential import Credential, Token

if TYPE_CHECKING:
    from pydantic import SecretStr

_ENVIRONMENT = "{ENVIRONMENT}"
PORTAL_ID = "portal_id"
ARR_PROPERTY = "arr_property"
CURRENCY_PROPERTY = "currency_property"
ACCOUNT_ID_PROPERTY = "account_id_property"
LIFECYCLE_PROPERTY = "lifecycle_property"
SEGMENT_PROPERTIES = "segment_properties"
OWNER_PROPERTY = "owner_property"
RENEWAL_PROPERTY = "renewal_property"
BOARDS, EXCLUDE_BOARDS, STATUSES = "boards", "exclude_boards", "statuses"
"""Names of settings the pipeline itself reads. A provider has those that it can serve; others are its connector's."""


class ProviderKind(StrEnum):
    """Part a provider plays."""

    FEEDBACK = "feedback"
    CRM = "crm"
    MESSAGES = "messages"


class VariableSpec(msgspec.Struct, frozen=True):
    """An environment variable. `{ENVIRONMENT}` in its name stands for SANDBOX and PRODUCTION: one of each."""

    name: str

    @property
    def per_environment(self) -> bool:
        """True if each environment has one of its own."""
        return _ENVIRONMENT in self.name

    def of(self, environment: str | None) -> str:
        """Name of the variable of one environment ("sandbox", "production")."""
        return self.name.replace(_ENVIRONMENT, (environment or "").upper())

    def all(self, environments: Iterable[str]) -> dict[str, str | None]:
        """Every variable this stands for, with its environment; None where it serves both."""
        if self.per_environment:
            return {self.of(environment): environment for environment in environments}
        return {self.name: None}


class SettingSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A setting of a provider.

    `name` is what it is called in the registry, the API and `--set`; `form` the pattern a value has to match in full,
    `hint` what is said of one that does not. `many`: a list, separated by commas. `needed`: nothing can be read
    without it. `shapes_plan`: another value would make another plan. `is_path`: it names a file of this machine; a
    tenant's own lies in the folder that the operator keeps for the tenant's files, and nowhere else.
    """

    name: str
    variable: VariableSpec
    form: str
    hint: str
    label: str
    help: str
    many: bool = False
    default: str | None = None
    needed: bool = False
    shapes_plan: bool = True
    is_path: bool = False


class SecretSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The one secret of an integration.

    `label` heads its field in forms ("access token"), `called` stands in messages ("the Slack token"), `short` is its
    bare word, `wanted` says what it must be where something else was given. `prefixes` are the openings it may have
    (none: any), `openings` all that tokens of this provider have, each with what it is. `multiline`: a private key has
    line breaks. `pattern` finds one in the text of a file.
    """

    variable: VariableSpec
    label: str
    called: str
    wanted: str
    short: str = "token"
    prefixes: tuple[str, ...] = ()
    openings: Mapping[str, str] = {}
    multiline: bool = False
    pattern: str | None = None


class AddressSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The base address of a provider's API.

    `default` is the provider's public address, None where every customer has one of their own, as in `example`. An
    integration of the registry may only name `hosts` and what is below them, where there are none any public address.
    At one of `domains` the public address is the only one there is. `ends_before` is the pattern of paths that are part
    of calls, not of the base.
    """

    variable: VariableSpec
    default: str | None
    example: str
    hosts: tuple[str, ...]
    domains: tuple[str, ...] = ()
    ends_before: str = r"/v[0-9]+(/|$)"


class SchemaFileSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A file with our object that an administrator of the CRM deploys by hand, in place of `setup`.

    `maker` names, as `module:function`, what makes its bytes of the definition, the settings and, where they are asked
    for, our properties on companies; `suffix` is how its name ends, `how` the command that deploys it, with `{file}`
    for its path, `then` what is left to do.
    """

    maker: str
    suffix: str
    how: str
    then: str


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """A CRM's words for what the product calls portal, object, link and label."""

    portal: str = "portal"
    object: str = "object"
    link: str = "association"
    label: str = "label"


def as_token(secret: SecretStr, settings: Mapping[str, str]) -> Credential:
    """The secret as a token; no setting belongs to it."""
    return Token(secret)


class ProviderSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A provider. `connector` names its factory as `module:function`, imported when it is first opened.

    `credential` makes the credential of the secret and the texts of the settings. `record_id_property`, given as the
    property that holds the account id, means that the account's id is the CRM's own id of the record.

    `setup_secret` is a token of somebody who may create our object, where whoever runs should not have that right;
    `schema_file` what can be deployed by hand instead.
    `reads_are_free`: a feedback system of which reading everything costs no calls, so that every run does.
    `may_hold_companies`: it may stand in for a CRM where a run only ranks.
    """

    name: str
    label: str
    kind: ProviderKind
    connector: str
    settings: tuple[SettingSpec, ...] = ()
    secret: SecretSpec | None = None
    setup_secret: SecretSpec | None = None
    schema_file: SchemaFileSpec | None = None
    address: AddressSpec | None = None
    credential: Callable[[SecretStr, Mapping[str, str]], Credential] = as_token
    words: Words = Words()
    record_id_property: str | None = None
    reads_are_free: bool = False
    may_hold_companies: bool = False

    @property
    def variables_by_name(self) -> dict[str, VariableSpec]:
        """Variables by what they set: each setting by its name, and "secret", "setup_secret" and "base_url"."""
        others = {"secret": self.secret, "setup_secret": self.setup_secret, "base_url": self.address}
        return {
            **{one.name: one.variable for one in self.settings},
            **{name: one.variable for name, one in others.items() if one is not None},
        }

    def variables(self, environments: Iterable[str]) -> tuple[str, ...]:
        """Every environment variable of this provider."""
        environments = tuple(environments)
        return tuple(name for variable in self.variables_by_name.values() for name in variable.all(environments))

    def setting(self, name: str) -> SettingSpec | None:
        """The setting of a name; None where the provider has none such."""
        return next((one for one in self.settings if one.name == name), None)
