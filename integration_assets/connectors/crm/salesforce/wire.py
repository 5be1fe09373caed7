"""The shapes of Salesforce's answers: the fields that are used, and no others."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from integration_assets.errors import ContractError

T = TypeVar("T")
SYSTEM = "salesforce"


class _Wire(msgspec.Struct, rename="camel"):
    """Base of all shapes: Salesforce writes names of its own in camel case."""


class Version(_Wire):
    """A version of the API that the org has."""

    version: str


class TokenAnswer(msgspec.Struct):
    """A token. `id` is an address whose last two segments are the ids of org and user."""

    access_token: str
    instance_url: str
    id: str


class UserInfo(msgspec.Struct):
    """Owner of a token."""

    user_id: str
    organization_id: str


class QueryPage(_Wire):
    """A page of what a query finds."""

    total_size: int
    done: bool
    records: list[Any]
    next_records_url: str | None = None


class SubAnswer(_Wire):
    """The answer to one part of a composite call."""

    body: Any
    http_status_code: int


class CompositeAnswer(_Wire):
    """The answers to the parts of a composite call."""

    composite_response: list[SubAnswer]


class RowProblem(_Wire):
    """A reason why a row was refused."""

    status_code: str
    message: str = ""
    fields: list[str] = []


class RowResult(_Wire):
    """Outcome of one row of a collection."""

    success: bool
    id: str | None = None
    created: bool = False
    errors: list[RowProblem] = []


class PicklistValue(_Wire):
    """A value of a picklist."""

    value: str
    label: str | None = None
    active: bool = True
    default_value: bool = False


class FieldInfo(_Wire):
    """A field as describe tells it."""

    name: str
    type: str
    label: str = ""
    length: int = 0
    scale: int = 0
    nillable: bool = True
    createable: bool = True
    updateable: bool = True
    defaulted_on_create: bool = False
    calculated: bool = False
    auto_number: bool = False
    unique: bool = False
    external_id: bool = False
    restricted_picklist: bool = False
    custom: bool = False
    picklist_values: list[PicklistValue] = []
    inline_help_text: str | None = None
    reference_to: list[str] = []

    @property
    def required(self) -> bool:
        """True if a record cannot be made without a value."""
        return self.createable and not self.nillable and not self.defaulted_on_create

    @property
    def filled_by_org(self) -> bool:
        """True if the org itself makes the value, so that nobody writes it, whatever their rights."""
        return self.calculated or self.auto_number


class ObjectInfo(_Wire):
    """An object as describe tells it: with the fields that the user sees."""

    name: str
    fields: list[FieldInfo]
    updateable: bool = True

    def field(self, name: str) -> FieldInfo | None:
        """The field of this name; None where there is none, or the user does not see it."""
        return next((one for one in self.fields if one.name == name), None)


class ListedObject(_Wire):
    """An object of the global describe."""

    name: str
    queryable: bool = False


class GlobalDescribe(_Wire):
    """The objects that the user sees."""

    sobjects: list[ListedObject]


class Organization(msgspec.Struct, rename="pascal"):
    """The org itself."""

    id: str
    is_sandbox: bool
    organization_type: str | None = None
    trial_expiration_date: str | None = None
    time_zone_sid_key: str | None = None


class DeployFailure(_Wire):
    """One component that could not be deployed."""

    full_name: str
    problem: str
    component_type: str | None = None


class DeployDetails(_Wire):
    """Failure of one part of a deployment."""

    component_failures: list[DeployFailure] = []


class DeployResult(_Wire):
    """Progress of a deployment. `error_message` is of the deployment as a whole."""

    done: bool = False
    success: bool = False
    status: str = ""
    error_message: str | None = None
    details: DeployDetails = msgspec.field(default_factory=DeployDetails)


class DeployRequest(_Wire):
    """A deployment that was asked for."""

    id: str
    deploy_result: DeployResult | None = None


class Created(msgspec.Struct):
    """A record that was created."""

    id: str


def decode(body: Any, kind: type[T], *, endpoint: str) -> T:
    """Check parsed JSON against a shape.

    Raises:
        ContractError: a used field is absent or has another type; names the field's path, never its value.
    """
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise ContractError(
            f"{SYSTEM} answered {endpoint} in an unexpected form: {error}", system=SYSTEM, endpoint=endpoint
        ) from None
