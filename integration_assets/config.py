"""Settings from the environment, checked once, at the edge.

Every variable of the command-line interface is a field here. `load_settings` turns whatever is wrong into one
`ConfigurationError` line that names the variable. May import `errors` only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from integration_assets.errors import ConfigurationError
from integration_assets.pasted import unwrapped, why_no_base_url, why_no_secret

CANNY_BASE_URL = "https://canny.io/api"
HUBSPOT_BASE_URL = "https://api.hubapi.com"
Read = TypeVar("Read", bound=BaseSettings)
SLACK_BASE_URL = "https://slack.com/api/"
DEFAULT_TENANT = "default"
"""The tenant of a command that names none. It exists without a registry."""
_HOST_AND_PORT = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9.-]+):[0-9]{1,5}")
_CURRENCY_CODE = re.compile(r"[A-Z]{3}")
LOWEST_RATE, HIGHEST_RATE = Decimal("0.0000001"), Decimal(10) ** 9
"""Beyond these a rate is a mistake that makes nothing, or everything, of a figure: currencies differ by less."""
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


class Settings(BaseSettings):
    """All settings of one process. Secrets are `SecretStr`; validation errors never echo their input."""

    model_config = SettingsConfigDict(env_ignore_empty=True, hide_input_in_errors=True, frozen=True)

    # where things live
    home: Path = Field(default=Path(".integration_assets"), validation_alias="INTEGRATION_ASSETS_HOME")
    environment: Environment = Field(default=Environment.SANDBOX, validation_alias="INTEGRATION_ASSETS_ENVIRONMENT")
    store_url: str | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_STORE_URL")
    overrides: Path | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_OVERRIDES")
    share_published: bool = Field(default=False, validation_alias="INTEGRATION_ASSETS_SHARE_PUBLISHED")
    ui_url: str | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_UI_URL")

    # tenants and their secrets
    registry_url: SecretStr | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_REGISTRY_URL")
    key: SecretStr | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_KEY")
    key_file: Path | None = Field(default=None, validation_alias="INTEGRATION_ASSETS_KEY_FILE")
    allowed_hosts: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_ALLOWED_HOSTS")
    allowed_networks: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_ALLOWED_NETWORKS")
    former_tenants: CommaSeparated = Field(default=(), validation_alias="INTEGRATION_ASSETS_FORMER_TENANTS")

    # feedback system
    canny_api_key: SecretStr | None = Field(default=None, validation_alias="CANNY_API_KEY")
    canny_base_url: str = Field(default=CANNY_BASE_URL, validation_alias="CANNY_BASE_URL")
    canny_boards: CommaSeparated = Field(default=(), validation_alias="CANNY_BOARDS")
    canny_exclude_boards: CommaSeparated = Field(default=(), validation_alias="CANNY_EXCLUDE_BOARDS")
    canny_statuses: CommaSeparated = Field(default=(), validation_alias="CANNY_STATUSES")
    canny_plan: Literal["free", "pro", "business"] = Field(default="pro", validation_alias="CANNY_PLAN")
    source_name: str = Field(
        default="canny", validation_alias="INTEGRATION_ASSETS_SOURCE_NAME", pattern=r"^[a-z0-9][a-z0-9_-]{0,30}$"
    )

    # CRM
    hubspot_sandbox_token: SecretStr | None = Field(default=None, validation_alias="HUBSPOT_SANDBOX_TOKEN")
    hubspot_production_token: SecretStr | None = Field(default=None, validation_alias="HUBSPOT_PRODUCTION_TOKEN")
    hubspot_sandbox_base_url: str = Field(default=HUBSPOT_BASE_URL, validation_alias="HUBSPOT_SANDBOX_BASE_URL")
    hubspot_production_base_url: str = Field(default=HUBSPOT_BASE_URL, validation_alias="HUBSPOT_PRODUCTION_BASE_URL")
    hubspot_sandbox_portal_id: str | None = Field(default=None, validation_alias="HUBSPOT_SANDBOX_PORTAL_ID")
    hubspot_production_portal_id: str | None = Field(default=None, validation_alias="HUBSPOT_PRODUCTION_PORTAL_ID")
    hubspot_arr_property: str | None = Field(default=None, validation_alias="HUBSPOT_ARR_PROPERTY")
    hubspot_currency_property: str | None = Field(default=None, validation_alias="HUBSPOT_CURRENCY_PROPERTY")
    hubspot_account_id_property: str | None = Field(default=None, validation_alias="HUBSPOT_ACCOUNT_ID_PROPERTY")
    link_contacts: bool = Field(default=True, validation_alias="INTEGRATION_ASSETS_LINK_CONTACTS")
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
    accounts_currency: str = Field(default="USD", validation_alias="INTEGRATION_ASSETS_ACCOUNTS_CURRENCY")
    currency_rates: Annotated[dict[str, Decimal], NoDecode] = Field(
        default_factory=dict, validation_alias="INTEGRATION_ASSETS_CURRENCY_RATES"
    )
    arr_coverage_floor: float = Field(default=0.0, ge=0, le=1, validation_alias="INTEGRATION_ASSETS_ARR_COVERAGE_FLOOR")
    coverage_floor: float = Field(default=0.0, ge=0, le=1, validation_alias="INTEGRATION_ASSETS_COVERAGE_FLOOR")

    # Slack
    slack_bot_token: SecretStr | None = Field(default=None, validation_alias="SLACK_BOT_TOKEN")
    slack_channel: str | None = Field(default=None, validation_alias="SLACK_CHANNEL")
    slack_base_url: str = Field(default=SLACK_BASE_URL, validation_alias="SLACK_BASE_URL")

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        # Before any other check: a quoted number is a number, as a shell would have made of it.
        meant = {name: _unwrapped(value) for name, value in values.items()}
        return {name: value for name, value in meant.items() if value is not None}

    @field_validator("home", "overrides", "key_file")
    @classmethod
    def _expanded(cls, value: Path | None) -> Path | None:
        return None if value is None else expanded(value)

    @field_validator("home")
    @classmethod
    def _usable_home(cls, value: Path) -> Path:
        if why := why_no_home(value):
            raise ValueError(why)
        return value

    @field_validator("canny_api_key", "hubspot_sandbox_token", "hubspot_production_token", "slack_bot_token")
    @classmethod
    def _of_its_system(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        system = str(info.field_name).partition("_")[0]
        if value is not None and (why := why_no_secret(system, value.get_secret_value())):
            raise ValueError(why)
        return value

    @model_validator(mode="after")
    def _one_token_each(self) -> Self:
        sandbox, production = self.hubspot_sandbox_token, self.hubspot_production_token
        # A dry run against the sandbox would be one against production, and its writes as well.
        if sandbox is not None and sandbox == production:
            names = f"{self.named('hubspot_sandbox_token')} and {self.named('hubspot_production_token')}"
            raise ValueError(
                f"{names} are the same: each environment has its own portal; leave out what you do not have"
            )
        return self

    @field_validator("hubspot_sandbox_portal_id", "hubspot_production_portal_id")
    @classmethod
    def _number_of_portal(cls, value: str | None) -> str | None:
        if value is not None and not (value.isascii() and value.isdigit()):
            raise ValueError("must be the number of the portal, such as 12345678")
        return value

    @field_validator("base_currency", "accounts_currency")
    @classmethod
    def _code_of_currency(cls, value: str | None) -> str | None:
        if value is not None and not _CURRENCY_CODE.fullmatch(value):
            raise ValueError("must be the three capital letters of a currency, such as EUR")
        return value

    @field_validator(
        "canny_boards",
        "canny_exclude_boards",
        "canny_statuses",
        "own_domains",
        "personal_domains",
        "business_domains",
        "arr_sources",
        "allowed_hosts",
        "allowed_networks",
        "former_tenants",
        mode="before",
    )
    @classmethod
    def _comma_separated(cls, value: Any, info: ValidationInfo) -> Any:
        # By field: domains hold no semicolon, names of boards may.
        return _split(value, _SEPARATORS_OF_NAMES if str(info.field_name).startswith("canny_") else _SEPARATORS)

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

    @field_validator("canny_base_url", "hubspot_sandbox_base_url", "hubspot_production_base_url", "slack_base_url")
    @classmethod
    def _base_url(cls, value: str, info: ValidationInfo) -> str:
        if why := why_no_base_url(str(info.field_name).partition("_")[0], value):
            raise ValueError(why)
        return value

    @field_validator("ui_url")
    @classmethod
    def _http_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("https://", "http://")):
            raise ValueError("must start with https:// or http://")
        return value

    def hubspot(self, environment: Environment) -> tuple[SecretStr | None, str, str | None]:
        """Token, base URL and configured portal id of one environment."""
        if environment is Environment.SANDBOX:
            return self.hubspot_sandbox_token, self.hubspot_sandbox_base_url, self.hubspot_sandbox_portal_id
        return self.hubspot_production_token, self.hubspot_production_base_url, self.hubspot_production_portal_id

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


class Automation(BaseSettings):
    """Settings of what starts runs by itself: the same for all tenants.

    `automation` switches schedules and sensors on from the start; else somebody does, once, in the Dagster UI. Every
    tenant is synced once in `sync_minutes`, and its feedback system asked for changes once in `ask_minutes`. Runs stay
    in Dagster's records for `keep_runs_days`.
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


_TENANTS_NAMES = {
    "canny_boards": "boards of Canny",
    "canny_exclude_boards": "exclude_boards of Canny",
    "canny_statuses": "statuses of Canny",
    "canny_api_key": "the Canny key",  # pragma: allowlist secret - what messages call it
    "canny_base_url": "the Canny address",
    "hubspot_sandbox_token": "the HubSpot token (sandbox)",
    "hubspot_production_token": "the HubSpot token (production)",
    "hubspot_arr_property": "arr_property of HubSpot",
    "hubspot_currency_property": "currency_property of HubSpot",
    "hubspot_account_id_property": "account_id_property of HubSpot",
    "slack_bot_token": "the Slack token",
    "slack_channel": "the Slack channel",
}

OPERATOR_FIELDS = (
    "home",
    "environment",
    "store_url",
    "share_published",
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


NOT_IN_PLANS = frozenset(
    {
        *OPERATOR_FIELDS,
        "overrides",  # the file's content counts, wherever it is
        "canny_plan",
        "hubspot_sandbox_token",
        "hubspot_production_token",
        "hubspot_sandbox_base_url",
        "hubspot_production_base_url",
        "hubspot_sandbox_portal_id",
        "hubspot_production_portal_id",
        "call_budget",
        "slack_bot_token",
        "slack_channel",
        "slack_base_url",
        "tenant",
    }
)
"""Fields that change nothing of what a plan would write; the portal is compared by its id."""


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


def _problems(error: ValidationError, names: Mapping[str, str] | None = None) -> str:
    lines = []
    # Without the input, which may be a token pasted into the wrong variable.
    for problem in error.errors(include_input=False, include_url=False):
        place = ".".join((names or {}).get(str(part), str(part)) for part in problem["loc"])
        said = problem["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {said}" if place else said)
    return "; ".join(lines)


def variable(field: str) -> str:
    """Name of the environment variable of a settings field."""
    alias = Settings.model_fields[field].validation_alias
    return str(alias)
