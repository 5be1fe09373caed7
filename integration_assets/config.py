"""Settings from the environment, checked once, at the edge.

Every variable of the command-line interface is a field here; those of a provider are made from its spec and named as
their variable in lower case. `load_settings` turns whatever is wrong into one `ConfigurationError` line that names the
variable. May import `errors`, `pasted` and the specs of `connectors`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self, TypeVar
from urllib.parse import unquote

import msgspec
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    create_model,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from integration_assets.connectors.credential import Credential
from integration_assets.connectors.specs import (
    PORTAL_ID,
    AddressSpec,
    ProviderKind,
    ProviderSpec,
    SecretSpec,
    SettingSpec,
    VariableSpec,
)
from integration_assets.errors import ConfigurationError
from integration_assets.pasted import unwrapped
from integration_assets.provider_values import why_no_base_url, why_no_secret, why_no_setting
from integration_assets.providers import PROVIDERS, of_kind

Read = TypeVar("Read", bound=BaseSettings)
DEFAULT_TENANT = "default"
"""The tenant of a command that names none. It exists without a registry."""
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+):[0-9]{1,5}")
_CURRENCY_CODE = re.compile(r"[A-Z]{3}")
LOWEST_RATE, HIGHEST_RATE = Decimal("0.0000001"), Decimal(10) ** 9
"""Beyond these a rate is a mistake that makes nothing, or everything, of a figure: currencies differ by less."""
CUSTOMER_STAGES: tuple[str, ...] = ("customer",)
PROSPECT_STAGES: tuple[str, ...] = (
    "prospect",
    "subscriber",
    "lead",
    "marketingqualifiedlead",
    "salesqualifiedlead",
    "opportunity",
)
"""Stages or types of companies in the CRM that make them customers and prospects, where nobody says otherwise."""
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ESCAPED = re.compile(r"%[0-9A-Fa-f]{2}")
PRIVATE_NETWORKS = tuple(
    ip_network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
"""Networks that may be opened to tenants' internal systems. Loopback, link-local and metadata addresses never are."""


class Environment(StrEnum):
    """CRM portal a run may write to."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"

    @property
    def other(self) -> Environment:
        """The environment a run only reads the schema of."""
        return Environment.PRODUCTION if self is Environment.SANDBOX else Environment.SANDBOX


class ArrSource(StrEnum):
    """Sources the ARR of a company may come from."""

    CRM = "crm"
    INTERNAL = "internal"
    ACCOUNTS = "accounts"


def _why_not_allowable(text: str) -> str | None:
    """Say why a network may not be opened to internal systems."""
    try:
        network = ip_network(text)
    except ValueError:
        return "must look like acme=10.20.0.0/16,fd12::/48"
    # Both ends: a network that begins in a private range can reach beyond it.
    inside = any(network.network_address in known and network.broadcast_address in known for known in PRIVATE_NETWORKS)
    return None if inside else "must be inside a private network, such as 10.0.0.0/8"


def why_no_home(folder: Path) -> str | None:
    """Say why nothing can be kept in a folder, by its name alone; None when it can.

    Dagster and DuckDB put paths into database URLs as they are: from a `?` on they read options, and `%2F` becomes a
    slash, so that files would appear beside the folder.
    """
    path = str(folder.absolute())
    # Checked by name before anything is made: Dagster would create its database elsewhere without a word.
    if "?" in path:
        return f"{path} has a ? in it, which database URLs take for their options: choose another folder"
    if escaped := _ESCAPED.search(path):
        return f"{path} has {escaped[0]} in it, which database URLs take for another character: choose another folder"
    if folder.exists() and not folder.is_dir():
        return f"{path} is a file: name a folder"
    return None


def expanded(path: Path) -> Path:
    """A path with `~` as the home directory it stands for.

    Raises:
        ValueError: of a user who is not known here.
    """
    try:
        return path.expanduser()
    except RuntimeError:
        raise ValueError(f"{path.parts[0]} is nobody's home directory here") from None


def _unwrapped(value: Any) -> Any:
    """A variable as it was meant: dotenv files and pages leave blanks and quotes round it. Blank means not set."""
    if not isinstance(value, str) or not value:
        return value
    # Blank counts as not set: a copied .env often has every variable, most of them empty.
    return unwrapped(value) or None


_SEPARATORS = re.compile("[,;\n\uff0c\uff1b\u3001]")
_SEPARATORS_OF_NAMES = re.compile("[,\n\uff0c]")
"""Names of boards and statuses may hold a semicolon."""


def _split(value: Any, separators: re.Pattern[str] = _SEPARATORS) -> Any:
    if not isinstance(value, str):
        return value
    return tuple(entry for part in separators.split(value) if (entry := unwrapped(part)))


CommaSeparated = Annotated[tuple[str, ...], NoDecode]
ENVIRONMENTS = tuple(environment.value for environment in Environment)
_CHOICES: Mapping[ProviderKind, str] = {
    ProviderKind.FEEDBACK: "INTEGRATION_ASSETS_FEEDBACK",
    ProviderKind.CRM: "INTEGRATION_ASSETS_CRM",
}
"""Variables that say which provider of a kind is meant, where several could be."""
_CALLED = {ProviderKind.FEEDBACK: "feedback system", ProviderKind.CRM: "CRM"}
_SOURCE_NAME = "INTEGRATION_ASSETS_SOURCE_NAME"
_ACCOUNTS_CURRENCY = "INTEGRATION_ASSETS_ACCOUNTS_CURRENCY"
_SOURCE_NAME_FORM = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")


def field_of(variable: VariableSpec, environment: str | None) -> str:
    """The field of `Settings` that holds a provider's variable of one environment."""
    return variable.of(environment).lower()


def _checked(why_not: Callable[[str], str | None]) -> Callable[[Any], Any]:
    """A validator that says why a given value cannot be used."""

    def check(value: Any) -> Any:
        text = value.get_secret_value() if isinstance(value, SecretStr) else value
        if text is not None and (why := why_not(text)):
            raise ValueError(why)
        return value

    return check


def _secret_field(spec: SecretSpec) -> Any:
    return Annotated[SecretStr | None, AfterValidator(_checked(lambda secret: why_no_secret(spec, secret)))]


def _address_field(spec: AddressSpec) -> Any:
    return Annotated[str | None, AfterValidator(_checked(lambda url: why_no_base_url(spec, url)))]


def _setting_field(spec: SettingSpec) -> Any:
    def why_not(value: str | tuple[str, ...]) -> str | None:
        given = value if isinstance(value, tuple) else (value,)
        return next((why for one in given if (why := why_no_setting(spec, one))), None)

    if not spec.many:
        return Annotated[str | None, AfterValidator(_checked(why_not))]
    split = BeforeValidator(lambda value: _split(value, _SEPARATORS_OF_NAMES))
    return Annotated[tuple[str, ...], NoDecode, split, AfterValidator(_checked(why_not))]


def _provider_fields() -> dict[str, Any]:
    """Fields of `Settings` for the variables of every provider."""
    fields: dict[str, Any] = {}

    def add(variable: VariableSpec, annotation: Any, default: Any) -> None:
        for name in variable.all(ENVIRONMENTS):
            fields[name.lower()] = (annotation, Field(default=default, validation_alias=name))

    for spec in PROVIDERS.values():
        if spec.secret is not None:
            add(spec.secret.variable, _secret_field(spec.secret), None)
        if spec.setup_secret is not None:
            add(spec.setup_secret.variable, _secret_field(spec.setup_secret), None)
        if spec.address is not None:
            add(spec.address.variable, _address_field(spec.address), spec.address.default)
        for setting in spec.settings:
            add(setting.variable, _setting_field(setting), () if setting.many else setting.default)
    return fields


class ProviderSettings(msgspec.Struct, frozen=True):
    """Settings of one provider in one environment, by the names of its spec.

    `names` are what a person knows them by: the environment's variables, or parts of a tenant's integration. They hold
    "secret", "setup_secret" and "base_url" as well. `setup_secret` is the operator's alone: a tenant has none.
    """

    spec: ProviderSpec
    environment: Environment
    secret: SecretStr | None
    base_url: str
    values: Mapping[str, Any]
    names: Mapping[str, str]
    setup_secret: SecretStr | None = None

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of what has to be set before anything can be read."""
        needed = [] if self.spec.secret is None or self.secret else ["secret"]
        needed += [] if self.spec.address is None or self.base_url else ["base_url"]
        needed += [one.name for one in self.spec.settings if one.needed and not self.values[one.name]]
        return tuple(self.names[name] for name in needed)

    @property
    def configured(self) -> bool:
        """True if everything is set that reading takes."""
        return not self.missing

    @property
    def credential(self) -> Credential:
        """The credential of its calls.

        Raises:
            ConfigurationError: something it is made of is not set.
        """
        if self.missing:
            raise ConfigurationError(f"{' and '.join(self.missing)} must be set")
        return self.spec.credential(self.secret or SecretStr(""), self.options)

    @property
    def options(self) -> dict[str, str]:
        """Every setting that has a text, by name: for the connector."""
        return {name: value for name, value in self.values.items() if isinstance(value, str)}

    @property
    def called_secret(self) -> str:
        """Word of a message for the secret: "token", or what the provider has."""
        return self.spec.secret.short if self.spec.secret is not None else "credential"

    @property
    def portal_id(self) -> str | None:
        """The id of the only portal runs may write to, where somebody gave it."""
        return self.text(PORTAL_ID)

    def text(self, name: str) -> str | None:
        """A setting that is one text; None when it is not set, or the provider has none such."""
        value = self.values.get(name)
        return value if isinstance(value, str) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """A setting that is a list; empty when it is not set, or the provider has none such."""
        value = self.values.get(name)
        return value if isinstance(value, tuple) else ()

    def named(self, name: str) -> str:
        """Return what a person knows a setting by; for one the provider has not, its own name."""
        return self.names.get(name, name)


if TYPE_CHECKING:
    _OfProviders = BaseSettings
else:
    # Read by the names of the specs alone, so that the type checker has nothing to know of them.
    _OfProviders = create_model("_OfProviders", __base__=BaseSettings, **_provider_fields())


class Settings(_OfProviders):
    """All settings of one process. Secrets are `SecretStr`; validation errors never echo their input."""

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True, frozen=True)

    # where things live
    home: Path = Field(default=Path(".integration_assets"), validation_alias="INTEGRATION_ASSETS_HOME")
    environment: Environment = Field(default=Environment.SANDBOX, validation_alias="INTEGRATION_ASSETS_ENVIRONMENT")
    # Not shown: the URL of a lake may hold a password.
    store_url: str | None = Field(default=None, repr=False, validation_alias="INTEGRATION_ASSETS_STORE_URL")
    overrides: Path | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_OVERRIDES")
    same_requests: Path | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_SAME_REQUESTS")
    lake_reader: str | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_LAKE_READER")
    share_published: bool = Field(default=False, validation_alias="INTEGRATION_ASSETS_SHARE_PUBLISHED")
    # Not shown: somebody may write a password into it, which is refused later.
    publish_url: str | None = Field(default=None, repr=False, validation_alias="INTEGRATION_ASSETS_PUBLISH_URL")
    ui_url: str | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_UI_URL")

    # tenants and their secrets
    registry_url: SecretStr | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_REGISTRY_URL")
    key: SecretStr | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_KEY")
    key_file: Path | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_KEY_FILE")
    allowed_hosts: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_ALLOWED_HOSTS")
    allowed_networks: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_ALLOWED_NETWORKS")
    former_tenants: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_FORMER_TENANTS")

    # feedback system and CRM: which, where several are set, and their settings by the specs
    feedback_providers: CommaSeparated = Field(default=(), validation_alias=_CHOICES[ProviderKind.FEEDBACK])
    crm_provider: str = Field(default="", validation_alias=_CHOICES[ProviderKind.CRM])
    source_name: str = Field(default="", validation_alias=_SOURCE_NAME)
    link_contacts: bool = Field(default=True, validation_alias="INTEGRATION_ASSETS_LINK_CONTACTS")
    post_shipped: bool = Field(default=False, validation_alias="INTEGRATION_ASSETS_POST_SHIPPED")
    company_rollups: bool = Field(default=False, validation_alias="INTEGRATION_ASSETS_COMPANY_ROLLUPS")
    call_budget: int | None = Field(default=None, ge=1, validation_alias="INTEGRATION_ASSETS_CALL_BUDGET")

    # how long to wait for either system, in seconds: for the whole answer to one request, and for repeats of it
    request_seconds: float = Field(default=120.0, ge=1, le=600, validation_alias="INTEGRATION_ASSETS_REQUEST_SECONDS")
    patience_seconds: float = Field(
        default=300.0, ge=1, le=3600, validation_alias="INTEGRATION_ASSETS_PATIENCE_SECONDS"
    )

    # resolution and ranking
    own_domains: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_OWN_DOMAINS")
    personal_domains: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_PERSONAL_DOMAINS")
    business_domains: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_BUSINESS_DOMAINS")
    arr_sources: Annotated[tuple[ArrSource, ...], NoDecode] = Field(
        default=(ArrSource.CRM, ArrSource.INTERNAL, ArrSource.ACCOUNTS),
        validation_alias="INTEGRATION_ASSETS_ARR_SOURCES",
    )
    base_currency: str | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_BASE_CURRENCY")
    accounts_currency: str = Field(default="USD", validation_alias=_ACCOUNTS_CURRENCY)
    currency_rates: Annotated[dict[str, Decimal], NoDecode] = Field(
        default_factory=dict, validation_alias="INTEGRATION_ASSETS_CURRENCY_RATES"
    )
    customer_stages: CommaSeparated = Field(
        default=CUSTOMER_STAGES, validation_alias="INTEGRATION_ASSETS_CUSTOMER_STAGES"
    )
    prospect_stages: CommaSeparated = Field(
        default=PROSPECT_STAGES, validation_alias="INTEGRATION_ASSETS_PROSPECT_STAGES"
    )
    arr_coverage_floor: float = Field(default=0.0, ge=0, le=1, validation_alias="INTEGRATION_ASSETS_ARR_COVERAGE_FLOOR")
    coverage_floor: float = Field(default=0.0, ge=0, le=1, validation_alias="INTEGRATION_ASSETS_COVERAGE_FLOOR")
    keep_idle_days: int = Field(default=400, ge=1, le=3650, validation_alias="INTEGRATION_ASSETS_KEEP_IDLE_DAYS")

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        # Before any other check: a quoted number is a number, as a shell would have made of it.
        meant = {name: _unwrapped(value) for name, value in values.items()}
        given = {name: value for name, value in meant.items() if value is not None}
        systems = _chosen_feedback(given)
        given[_CHOICES[ProviderKind.FEEDBACK]] = systems
        given[_CHOICES[ProviderKind.CRM]] = _chosen(ProviderKind.CRM, given)
        given[_SOURCE_NAME] = _source_names(systems, given.get(_SOURCE_NAME))
        if "=" in str(given.get(_ACCOUNTS_CURRENCY, "")):
            given[_ACCOUNTS_CURRENCY] = _accounts_currency(systems, given[_ACCOUNTS_CURRENCY])
        return given

    @field_validator("home", "overrides", "same_requests", "key_file")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return None if value is None else expanded(value)

    @field_validator("home")
    @classmethod
    def _usable_home(cls, value: Path) -> Path:
        if why := why_no_home(value):
            raise ValueError(why)
        return value

    @model_validator(mode="after")
    def _one_secret_each(self) -> Self:
        for spec in of_kind(ProviderKind.CRM):
            sandbox, production = (self.of(spec, environment) for environment in Environment)
            if sandbox.secret is None or sandbox.secret != production.secret:
                continue
            # Where every portal has an address of its own, an app may be known by one secret in both: a sandbox copied
            # from production has its apps with their secrets.
            own_addresses = spec.address is not None and spec.address.default is None
            addresses = {one.base_url.rstrip("/").lower() for one in (sandbox, production) if one.base_url}
            # Else a dry run against the sandbox would be one against production, and its writes as well.
            if not own_addresses or len(addresses) < 2:
                names = f"{sandbox.named('secret')} and {production.named('secret')}"
                raise ValueError(
                    f"{names} are the same: each environment has its own {spec.words.portal}; leave out what you do "
                    "not have"
                )
        return self

    @field_validator("base_currency", "accounts_currency")
    @classmethod
    def _code_of_currency(cls, value: str | None) -> str | None:
        # Those of several feedback systems were checked one by one.
        if value is not None and "=" not in value and not _CURRENCY_CODE.fullmatch(value):
            raise ValueError("must be the three capital letters of a currency, such as EUR")
        return value

    @field_validator(
        "own_domains",
        "personal_domains",
        "business_domains",
        "arr_sources",
        "allowed_hosts",
        "allowed_networks",
        "former_tenants",
        "customer_stages",
        "prospect_stages",
        mode="before",
    )
    @classmethod
    def _comma_separated(cls, value: Any) -> Any:
        return _split(value)

    @field_validator("customer_stages", "prospect_stages")
    @classmethod
    def _in_lower_case(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(stage.lower() for stage in value))

    @model_validator(mode="after")
    def _no_stage_of_both(self) -> Self:
        if both := sorted({*self.customer_stages} & {*self.prospect_stages}):
            names = f"{self.named('customer_stages')} and {self.named('prospect_stages')}"
            raise ValueError(f"{', '.join(both[:3])} stands in {names}: a company is the one or the other")
        return self

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts_and_ports(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        hosts = tuple(host.lower() for host in value)
        if any(not _HOST_AND_PORT.fullmatch(host) for host in hosts):
            raise ValueError("must look like billing.example:8443,127.0.0.1:8080")
        return hosts

    @field_validator("allowed_networks")
    @classmethod
    def _private_networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for entry in value:
            tenant, _, network = entry.rpartition("=")
            # Without a tenant the network is open to all of them, so that a mistyped name must not be taken for none.
            if "=" in entry and not _TENANT.fullmatch(tenant):
                raise ValueError("must look like acme=10.20.0.0/16,fd12::/48")
            if why := _why_not_allowable(network):
                raise ValueError(why)
        return value

    @field_validator("former_tenants")
    @classmethod
    def _successions(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if any(not all(_TENANT.fullmatch(slug) for slug in entry.split("=", 1)) or "=" not in entry for entry in value):
            raise ValueError("must look like acme=default: the tenant, and the one whose records it took over")
        return value

    @field_validator("currency_rates", mode="before")
    @classmethod
    def _rates(cls, value: Any) -> Any:
        """`EUR=1.08,GBP=1.27`: one unit of that currency in the base currency."""
        if not isinstance(value, str):
            return value
        rates: dict[str, str] = {}
        for part in _split(value):
            code, _, rate = (piece.strip() for piece in part.partition("="))
            if not rate or not code:
                raise ValueError("must look like EUR=1.08,GBP=1.27")
            # The last one would win in silence, and every figure of that currency with it.
            if code.upper() in rates:
                raise ValueError(f"{code.upper()} has two rates: keep one")
            rates[code.upper()] = rate
        return rates

    @field_validator("currency_rates")
    @classmethod
    def _usable_rates(cls, value: dict[str, Decimal]) -> dict[str, Decimal]:
        for code, rate in value.items():
            if not _CURRENCY_CODE.fullmatch(code):
                raise ValueError("a currency has three letters, as in EUR=1.08")
            # A rate of zero makes nothing of every figure; NaN compares as false and would pass the bounds.
            if not rate.is_finite() or rate <= 0:
                raise ValueError("rates must be above zero")
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise ValueError(f"the rate of {code} must be between {LOWEST_RATE:f} and {HIGHEST_RATE:,f}")
        return value

    @field_validator("ui_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value

    @property
    def feedbacks(self) -> tuple[ProviderSettings, ...]:
        """Settings of each feedback system, in the order they are named."""
        return tuple(self.of(PROVIDERS[provider], self.environment) for provider in self.feedback_providers)

    @property
    def source_names(self) -> Mapping[str, str]:
        """Name of each feedback system, by provider: the beginning of the keys of its records."""
        if len(self.feedback_providers) == 1:
            return {self.feedback_providers[0]: self.source_name}
        return dict(entry.split("=", 1) for entry in self.source_name.split(","))

    @property
    def accounts_currencies(self) -> Mapping[str, str]:
        """Currency of the spend that each feedback system has of its accounts, by provider."""
        if "=" not in self.accounts_currency:
            return dict.fromkeys(self.feedback_providers, self.accounts_currency)
        return dict(entry.split("=", 1) for entry in self.accounts_currency.split(","))

    def crm(self, environment: Environment) -> ProviderSettings:
        """Settings of the CRM in one environment."""
        return self.of(PROVIDERS[self.crm_provider], environment)

    @property
    def slack(self) -> ProviderSettings:
        """Settings of Slack."""
        return self.of(PROVIDERS["slack"], self.environment)

    def of(self, spec: ProviderSpec, environment: Environment) -> ProviderSettings:
        """Settings of any provider in one environment."""
        variables = spec.variables_by_name
        fields = {name: field_of(one, environment.value) for name, one in variables.items()}
        values = {name: getattr(self, field) for name, field in fields.items()}
        names = {name: self.named(field) for name, field in fields.items()}
        return ProviderSettings(
            spec,
            environment,
            values.pop("secret", None),
            values.pop("base_url", None) or "",
            setup_secret=values.pop("setup_secret", None),
            values=values,
            names=names,
        )

    def networks_of(self, tenant: str) -> tuple[IPv4Network | IPv6Network, ...]:
        """Private networks that internal systems of this tenant may live in."""
        entries = (entry.rpartition("=") for entry in self.allowed_networks)
        return tuple(ip_network(network) for owner, _, network in entries if owner in ("", tenant))

    def former_tenants_of(self, tenant: str) -> tuple[str, ...]:
        """Tenants whose records in the CRM this one took over."""
        entries = (entry.partition("=") for entry in self.former_tenants)
        return tuple(former for successor, _, former in entries if successor == tenant)

    def named(self, field: str) -> str:
        """Return what a person knows a field by: here, its environment variable."""
        return variable(field)

    @property
    def overrides_path(self) -> Path:
        """CSV `match,company_id,note` of the analyst's mappings."""
        return self.overrides or self.home / "overrides.csv"

    @property
    def same_requests_path(self) -> Path:
        """CSV `request,same_as,note` of requests that count as others."""
        return self.same_requests or self.home / "same_requests.csv"


class Automation(BaseSettings):
    """Settings of what starts runs by itself: the same for all tenants.

    `automation` switches schedules and sensors on from the start; else somebody does, once, in the Dagster UI. Every
    tenant is synced once in `sync_minutes`, and its feedback system asked for changes once in `ask_minutes`. Runs stay
    in Dagster's records for `keep_runs_days`, and so do quarantined records in the staging store.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    automation: bool = Field(default=False, validation_alias="INTEGRATION_ASSETS_AUTOMATION")
    sync_minutes: int = Field(default=240, ge=1, le=1440, validation_alias="INTEGRATION_ASSETS_SYNC_MINUTES")
    ask_minutes: int = Field(default=15, ge=1, le=1440, validation_alias="INTEGRATION_ASSETS_ASK_MINUTES")
    keep_runs_days: int = Field(default=30, ge=1, le=3650, validation_alias="INTEGRATION_ASSETS_KEEP_RUNS_DAYS")

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any) -> Any:
        return _unwrapped(value)


def load_automation() -> Automation:
    """Read what the environment says about automation.

    Raises:
        ConfigurationError: one line that names each wrong variable and what it must be.
    """
    return _read(Automation)


def automation_or_defaults() -> Automation:
    """Read what the environment says about automation; the defaults where it is wrong, which every tick then says."""
    try:
        return load_automation()
    # Definitions are built when a code location is loaded: an error here would take down all of a project, which may
    # hold much besides ours.
    except ConfigurationError:
        return Automation.model_construct()


LogLevel = Literal["debug", "info", "warning", "error"]
LOG_LEVEL_VARIABLE = "INTEGRATION_ASSETS_LOG_LEVEL"


class LogSettings(BaseSettings):
    """Settings of the log, read where a process begins: the same for all tenants.

    `style` is the shape of a line on stderr, `level` the least level of it; None leaves that to the command.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

    style: Literal["text", "json"] = Field(default="text", validation_alias="INTEGRATION_ASSETS_LOG")
    level: LogLevel | None = Field(default=None, validation_alias=LOG_LEVEL_VARIABLE)

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any) -> Any:
        meant = _unwrapped(value)
        # Levels are written in capitals nearly everywhere else.
        return meant.lower() if isinstance(meant, str) else meant


def load_log_settings() -> LogSettings:
    """Read what the environment says about the log.

    Raises:
        ConfigurationError: one line that names each wrong variable and what it must be.
    """
    return _read(LogSettings)


LEAST_TOKEN = 16
"""Characters of a token that nobody guesses."""


class MetricsSettings(BaseSettings):
    """Settings of the numbers for monitoring: the same for all tenants.

    `token` opens `/metrics` of the pages to whoever sends it; without one only this machine may ask. `file` is replaced
    whenever a run ends and while the sensor `tenants` runs, for a program that collects files.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True, frozen=True)

    token: SecretStr | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_METRICS_TOKEN")
    file: Path | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_METRICS_FILE")

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any) -> Any:
        return _unwrapped(value)

    @field_validator("token")
    @classmethod
    def _not_guessed(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        text = value.get_secret_value()
        # It travels in a header, which takes no blanks and no letters beyond ASCII.
        if len(text) < LEAST_TOKEN or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError(
                f"must have at least {LEAST_TOKEN} letters, digits and signs: `openssl rand -hex 32` makes one"
            )
        return value

    @field_validator("file")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return None if value is None else expanded(value)


def load_metrics_settings() -> MetricsSettings:
    """Read what the environment says about monitoring.

    Raises:
        ConfigurationError: one line that names each wrong variable and what it must be.
    """
    return _read(MetricsSettings)


class TraceSettings(BaseSettings):
    """Settings of the spans for OpenTelemetry, by the names that its specification gives them.

    The SDK reads them again, and more of them. These say whether it is to be loaded at all, whether it sends by the
    protocol asked for, and what of them is secret.
    """

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True, frozen=True)

    disabled: str = Field(default="", validation_alias="OTEL_SDK_DISABLED")
    exporter: str | None = Field(default=None, validation_alias="OTEL_TRACES_EXPORTER")
    endpoint: SecretStr | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_ENDPOINT")
    traces_endpoint: SecretStr | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    protocol: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_PROTOCOL")
    traces_protocol: str | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_PROTOCOL")
    headers: SecretStr | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_HEADERS")
    traces_headers: SecretStr | None = Field(default=None, validation_alias="OTEL_EXPORTER_OTLP_TRACES_HEADERS")
    service: str | None = Field(default=None, validation_alias="OTEL_SERVICE_NAME")

    @field_validator("*", mode="before")
    @classmethod
    def _as_meant(cls, value: Any) -> Any:
        return _unwrapped(value)

    @property
    def exporters(self) -> frozenset[str]:
        """Names of the exporters to send to; empty: nothing is traced.

        The specification's default is `otlp` to this machine, which would make every installation without a collector
        send into the void: an address or an exporter has to be named.

        Raises:
            ConfigurationError: an exporter or a protocol that is not there.
        """
        if self.disabled.lower() == "true":
            return frozenset()
        has_place = self.endpoint is not None or self.traces_endpoint is not None
        named = self.exporter or ("otlp" if has_place else "none")
        names = frozenset(name.strip().lower() for name in named.split(",")) - {"none", ""}
        if unknown := names - {"otlp", "console"}:
            raise ConfigurationError(
                f"OTEL_TRACES_EXPORTER: {', '.join(sorted(unknown))} is not there; otlp, console and none are"
            )
        protocol = self.traces_protocol or self.protocol or OTLP_PROTOCOL
        if "otlp" in names and protocol != OTLP_PROTOCOL:
            raise ConfigurationError(
                f"OTEL_EXPORTER_OTLP_PROTOCOL: only {OTLP_PROTOCOL} is there, which collectors take on port 4318"
            )
        return names

    def secrets(self) -> tuple[str, ...]:
        """Values of the headers, and what of the addresses may open a collector: to be masked in every text."""
        headers = (one.get_secret_value() for one in (self.headers, self.traces_headers) if one is not None)
        values = [pair.partition("=")[2].strip() for header in headers for pair in header.split(",")]
        places = (one.get_secret_value() for one in (self.endpoint, self.traces_endpoint) if one is not None)
        return (*values, *(unquote(value) for value in values), *(part for one in places for part in _secrets_of(one)))


def _secrets_of(url: str) -> tuple[str, ...]:
    """An address with a user, its query, and parts of its path as long as a token: some collectors have keys there."""
    path, _, query = url.partition("?")
    tokens = (part for part in path.split("/")[3:] if len(part) >= SHORTEST_TOKEN)
    keys = (pair.partition("=")[2] for pair in query.split("&"))
    return (*([url] if "@" in url else []), *tokens, *([query] if query else []), *keys)


SHORTEST_TOKEN = 16
"""Characters of a part of an address that is taken for a key."""
OTLP_PROTOCOL = "http/protobuf"


def load_trace_settings() -> TraceSettings:
    """Read what the environment says about OpenTelemetry.

    Raises:
        ConfigurationError: one line that names each wrong variable and what it must be.
    """
    return _read(TraceSettings)


class TenantSettings(Settings):
    """Settings of a tenant whose integrations are in the registry: the environment is never asked for them."""

    tenant: str

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what is given and nothing else."""
        # Not the environment: a variable of the operator must never fill what a tenant left out.
        return (init_settings,)

    def named(self, field: str) -> str:
        """Return what a person knows a field by: the tenant's own integration or setting."""
        return f"{_TENANTS_NAMES.get(field, field)} of tenant {self.tenant}"


def _tenants_names() -> dict[str, str]:
    """Names by which a tenant knows the settings of its integrations."""
    names: dict[str, str] = {}
    for spec in PROVIDERS.values():
        if spec.secret is not None:
            for name, environment in spec.secret.variable.all(ENVIRONMENTS).items():
                names[name.lower()] = spec.secret.called + (f" ({environment})" if environment else "")
        if spec.address is not None:
            names |= {name.lower(): f"the {spec.label} address" for name in spec.address.variable.all(ENVIRONMENTS)}
        for setting in spec.settings:
            called = f"{setting.name} of {spec.label}"
            names |= {name.lower(): called for name in setting.variable.all(ENVIRONMENTS)}
    return names


_TENANTS_NAMES = _tenants_names()

OPERATOR_FIELDS = (
    "home",
    "environment",
    "store_url",
    "lake_reader",
    "share_published",
    "publish_url",
    "ui_url",
    "registry_url",
    "key",
    "key_file",
    "allowed_hosts",
    "allowed_networks",
    "former_tenants",
    "request_seconds",
    "patience_seconds",
)
"""Fields of the installation: the same for every tenant, always from the environment."""


def _fields_beside_plans() -> set[str]:
    """Fields of providers that shape no plan: secrets, addresses, ids of portals. A feedback system's secret may."""
    variables: list[VariableSpec] = []
    for spec in PROVIDERS.values():
        if spec.secret is not None and spec.kind is not ProviderKind.FEEDBACK:
            variables.append(spec.secret.variable)
        if spec.setup_secret is not None:
            variables.append(spec.setup_secret.variable)
        if spec.address is not None and spec.kind is not ProviderKind.FEEDBACK:
            variables.append(spec.address.variable)
        variables += [one.variable for one in spec.settings if not one.shapes_plan]
    return {name.lower() for one in variables for name in one.all(ENVIRONMENTS)}


NOT_IN_PLANS = frozenset(
    {
        *OPERATOR_FIELDS,
        "overrides",  # the file's content counts, wherever it is
        "same_requests",
        "call_budget",
        "customer_stages",  # only what is shown depends on them: no order, and no value in the CRM
        "prospect_stages",
        "post_shipped",
        "tenant",
        *_fields_beside_plans(),
    }
)
"""Fields that change nothing of what a plan would write; the portal is compared by its id."""


def _chosen(kind: ProviderKind, given: Mapping[str, Any]) -> str:
    """The provider of a kind that is meant: the one named, else the one whose variables are set, else the first.

    Raises:
        ValueError: it has no such name, or the variables of several are set.
    """
    specs, choice = of_kind(kind), _CHOICES[kind]
    if (wanted := given.get(choice)) is not None:
        if wanted not in {spec.name for spec in specs}:
            raise ValueError(f"{choice} must be {' or '.join(spec.name for spec in specs)}")
        return str(wanted)
    found = {spec.name: names for spec in specs if (names := _set_variables(spec, given))}
    if len(found) > 1:
        first = " and ".join(names[0] for names in found.values())
        several = f", or {choice}={','.join(found)} for all of them" if kind is ProviderKind.FEEDBACK else ""
        which = f"say which one is meant by {choice}={' or '.join(found)}"
        raise ValueError(f"{first} are set, of two {_CALLED[kind]}s: {which}{several}")
    return next(iter(found), specs[0].name)


def _chosen_feedback(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The feedback systems that are meant: those named, else the one whose variables are set, else the first.

    Raises:
        ValueError: one has no such name or is named twice, or the variables of several are set and none is named.
    """
    choice = _CHOICES[ProviderKind.FEEDBACK]
    wanted = _split(given.get(choice))
    if not wanted:
        return (_chosen(ProviderKind.FEEDBACK, given),)
    for name in wanted:
        _chosen(ProviderKind.FEEDBACK, {choice: name})
    # Each provider has one set of variables: there is nothing a second mention could lead to.
    if len(set(wanted)) < len(wanted):
        raise ValueError(
            f"{choice} names a feedback system twice: each can be read once; two workspaces of one provider are read "
            f"by two tenants, each with a source name of its own ({_SOURCE_NAME})"
        )
    return tuple(wanted)


def source_names_of(systems: Sequence[str], given: str | None) -> dict[str, str]:
    """Name of each feedback system, by provider: its own one, else the provider's.

    `given` is one name where there is one system, `canny=ideas,table=sales` where there are several. Names of systems
    that are not read are left out.

    Raises:
        ValueError: a name is not of its form, of no feedback system, or two systems'; or a system has two.
    """
    # Keys of records begin with it, so that two feedback systems never share one by default.
    names = {system: system for system in systems}
    named: set[str] = set()
    for entry in _split(given) if given else ():
        system, _, name = entry.rpartition("=")
        # Without its system, a name says nothing of which records begin with it.
        if not system and len(systems) > 1:
            raise ValueError(
                f"{_SOURCE_NAME} must say whose name it is where several feedback systems are read: "
                f"{','.join(f'{one}=...' for one in systems)}"
            )
        system = system or systems[0]
        if system not in (known := [spec.name for spec in of_kind(ProviderKind.FEEDBACK)]):
            raise ValueError(f"{_SOURCE_NAME} names {system}, which is none of {', '.join(known)}")
        if not _SOURCE_NAME_FORM.fullmatch(name):
            raise ValueError(f"{_SOURCE_NAME} must match ^{_SOURCE_NAME_FORM.pattern}$")
        if system in named:
            raise ValueError(f"{_SOURCE_NAME} gives {system} two names: keep one")
        named.add(system)
        # One that is switched off for a while keeps its name.
        if system in names:
            names[system] = name
    # Their records would have the same keys, and one system would overwrite the other's.
    if len(set(names.values())) < len(names):
        raise ValueError(f"{_SOURCE_NAME} gives two feedback systems one name: choose another for one of them")
    return names


def _source_names(systems: Sequence[str], given: str | None) -> str:
    """The same as one text: the name alone where there is one system."""
    names = source_names_of(systems, given)
    return names[systems[0]] if len(systems) == 1 else ",".join(f"{system}={names[system]}" for system in systems)


def _accounts_currency(systems: Sequence[str], given: str) -> str:
    """The currencies of several feedback systems in one form: the code alone where all have the same.

    `given` is `canny=USD,table=EUR`; a code without a system is that of all others, which else have US dollars. Those
    of systems that are not read are left out.

    Raises:
        ValueError: a currency is none, or of no feedback system; or a system has two.
    """
    known = [spec.name for spec in of_kind(ProviderKind.FEEDBACK)]
    named: dict[str, str] = {}
    for entry in _split(given):
        system, _, code = entry.rpartition("=")
        if system and system not in known:
            raise ValueError(f"{_ACCOUNTS_CURRENCY} names {system}, which is none of {', '.join(known)}")
        if not _CURRENCY_CODE.fullmatch(code):
            raise ValueError(
                f"{_ACCOUNTS_CURRENCY} must be the three capital letters of a currency, or one for each feedback "
                "system, such as canny=USD,table=EUR"
            )
        # The last one would win in silence, and all spend of that system with it.
        if system in named:
            raise ValueError(f"{_ACCOUNTS_CURRENCY} gives {system or 'the others'} two currencies: keep one")
        named[system] = code
    codes = {system: named.get(system, named.get("", "USD")) for system in systems}
    first = codes[systems[0]]
    same = all(code == first for code in codes.values())
    return first if same else ",".join(f"{system}={code}" for system, code in codes.items())


def _set_variables(spec: ProviderSpec, given: Mapping[str, Any]) -> list[str]:
    """Variables that are set of those nothing can be read without."""
    needed = [one.variable for one in spec.settings if one.needed]
    if spec.secret is not None:
        needed.append(spec.secret.variable)
    return [name for one in needed for name in one.all(ENVIRONMENTS) if name in given]


def load_settings(**values: Any) -> Settings:
    """Settings from the environment, with explicit values (by field name) on top.

    Raises:
        ConfigurationError: one line that names each wrong variable and what it must be.
    """
    return _read(Settings, **{variable(field): value for field, value in values.items()})


def _read(kind: type[Read], **values: Any) -> Read:
    """Settings of a kind from the environment, with values by variable on top; what is wrong in one line."""
    try:
        return kind(**values)
    except ValidationError as error:
        raise ConfigurationError(f"wrong configuration: {_problems(error)}") from None


def tenant_settings(operator: Settings, tenant: str, **values: Any) -> TenantSettings:
    """Settings of a registry tenant: the operator's fields as they are, the others as given, else their defaults.

    Raises:
        ConfigurationError: one line that names each wrong value and what it must be.
    """
    # The tenant's values last, but only fields that are the tenant's are ever passed.
    given = {field: getattr(operator, field) for field in OPERATOR_FIELDS} | values
    try:
        return TenantSettings(tenant=tenant, **{variable(field): value for field, value in given.items()})
    except ValidationError as error:
        names = {variable(field): field for field in Settings.model_fields}
        raise ConfigurationError(f"wrong settings of tenant {tenant}: {_problems(error, names)}") from None


_PARSER_WORDS = re.compile(", unable to (parse|interpret) .*")


def _problems(error: ValidationError, names: Mapping[str, str] | None = None) -> str:
    lines = []
    # Without the input, which may be a token pasted into the wrong variable.
    for problem in error.errors(include_input=False, include_url=False):
        place = ".".join((names or {}).get(str(part), str(part)) for part in problem["loc"])
        said = _PARSER_WORDS.sub("", problem["msg"].removeprefix("Value error, "))
        said = said.replace("Input should be", "must be")
        lines.append(f"{place}: {said}" if place else said)
    return "; ".join(lines)


def variable(field: str) -> str:
    """Name of the environment variable of a settings field."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias)
