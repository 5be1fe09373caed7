"""Objects of an org: the standard ones that are needed, and those that were deployed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from integration_assets.sandbox.salesforce.errors import Json
from integration_assets.sandbox.salesforce.fields import Field

Row = dict[str, Any]


@dataclass
class SObject:
    """One object with its records, by id. A deleted record stays, with `IsDeleted`."""

    name: str
    label: str
    plural: str
    prefix: str
    fields: dict[str, Field]
    rows: dict[str, Row] = field(default_factory=dict)
    visible: bool = True
    read_only: bool = False
    keys: dict[str, dict[str, list[str]]] = field(default_factory=dict, repr=False)

    @property
    def custom(self) -> bool:
        """True for an object that people added."""
        return self.name.endswith("__c")

    def field(self, name: str) -> Field | None:
        """The field of this name, in whatever case it is written."""
        return next((one for known, one in self.fields.items() if known.lower() == name.lower()), None)

    def relation(self, name: str) -> Field | None:
        """The reference field behind a relationship name."""
        return next((one for one in self.fields.values() if (one.relationship or "").lower() == name.lower()), None)

    def with_value(self, name: str, value: str) -> Iterator[Row]:
        """The live records that have, or had, this text in a field, whatever its case."""
        if name not in self.keys:
            self.keys[name] = {}
            for row in self.rows.values():
                self._index(name, row)
        found = (self.rows.get(record_id) for record_id in self.keys[name].get(value.lower(), ()))
        return (row for row in found if row is not None and not row["IsDeleted"])

    def index(self, row: Row) -> None:
        """Let `with_value` find a record that was added or changed."""
        for name in self.keys:
            self._index(name, row)

    def _index(self, name: str, row: Row) -> None:
        ids = self.keys[name].setdefault(str(row.get(name)).lower(), [])
        if row["Id"] not in ids:
            ids.append(row["Id"])

    def live(self) -> Iterator[Row]:
        """The records that are not deleted, in the order of their creation."""
        return (row for row in self.rows.values() if not row["IsDeleted"])

    def listed(self) -> Json:
        """The entry of this object in the global describe."""
        return {
            "name": self.name,
            "label": self.label,
            "labelPlural": self.plural,
            "keyPrefix": self.prefix,
            "custom": self.custom,
            "createable": not self.read_only,
            "updateable": not self.read_only,
            "deletable": not self.read_only,
            "queryable": True,
            "undeletable": not self.read_only,
            "urls": {},
        }


def common_fields(name: Field) -> list[Field]:
    """Fields of every object."""
    return [
        Field("Id", "id", "Record ID", length=18, nillable=False, writable=False, defaulted=True, id_lookup=True),
        Field("IsDeleted", "boolean", "Deleted", nillable=False, writable=False, defaulted=True),
        name,
        Field("CreatedDate", "datetime", "Created Date", nillable=False, writable=False, defaulted=True),
        Field("LastModifiedDate", "datetime", "Last Modified Date", nillable=False, writable=False, defaulted=True),
        Field("SystemModstamp", "datetime", "System Modstamp", nillable=False, writable=False, defaulted=True),
    ]


def currency_field() -> Field:
    """The currency of a record, in an org with several."""
    options = tuple((code, code) for code in ("USD", "EUR", "GBP", "SEK"))
    return Field(
        "CurrencyIsoCode", "picklist", "Currency ISO Code", 3, defaulted=True, restricted=True, options=options
    )


def _reference(name: str, label: str, target: str, *, relationship: str | None = None, writable: bool = True) -> Field:
    return Field(name, "reference", label, 18, reference_to=(target,), relationship=relationship, writable=writable)


def standard_objects(*, multi_currency: bool) -> list[SObject]:
    """Account, Contact, Opportunity, Organization, PermissionSet and its assignments."""
    account = [
        *common_fields(Field("Name", "string", "Account Name", 255, nillable=False)),
        _reference("MasterRecordId", "Master Record ID", "Account", writable=False),
        _reference("ParentId", "Parent Account ID", "Account", relationship="Parent"),
        Field("Type", "picklist", "Account Type", 255, options=(("Prospect", "Prospect"), ("Customer", "Customer"))),
        Field("Website", "url", "Website", 255),
        Field("AnnualRevenue", "currency", "Annual Revenue", precision=18),
        Field("NumberOfEmployees", "int", "Employees", precision=8),
    ]
    contact = [
        *common_fields(Field("Name", "string", "Full Name", 121, nillable=False, writable=False)),
        _reference("AccountId", "Account ID", "Account", relationship="Account"),
        Field("FirstName", "string", "First Name", 40),
        Field("LastName", "string", "Last Name", 80, nillable=False),
        Field("Email", "email", "Email", 80, id_lookup=True),
    ]
    opportunity = [
        *common_fields(Field("Name", "string", "Name", 120, nillable=False)),
        _reference("AccountId", "Account ID", "Account", relationship="Account"),
        Field("StageName", "picklist", "Stage", 255, nillable=False),
        Field("Amount", "currency", "Amount", precision=18, scale=2),
        Field("CloseDate", "date", "Close Date", nillable=False),
        Field("IsClosed", "boolean", "Closed", nillable=False, writable=False, defaulted=True),
        Field("IsWon", "boolean", "Won", nillable=False, writable=False, defaulted=True),
    ]
    if multi_currency:
        for fields in (account, contact, opportunity):
            fields.append(currency_field())
    organization = [
        *common_fields(Field("Name", "string", "Name", 80, writable=False)),
        Field("IsSandbox", "boolean", "Is Sandbox", nillable=False, writable=False),
        Field("InstanceName", "string", "Instance Name", 5, writable=False),
        Field("OrganizationType", "picklist", "Edition", 40, writable=False),
        Field("TrialExpirationDate", "datetime", "Trial Expiration Date", writable=False),
        Field("TimeZoneSidKey", "picklist", "Time Zone", 40, writable=False),
    ]
    permission_set = common_fields(Field("Name", "string", "Permission Set Name", 80, nillable=False))
    assignment = [
        *common_fields(Field("Name", "string", "Name", 80, writable=False)),
        _reference("PermissionSetId", "Permission Set", "PermissionSet"),
        _reference("AssigneeId", "Assignee", "User"),
    ]
    user = [
        *common_fields(Field("Name", "string", "Full Name", 121, writable=False)),
        Field("Username", "string", "Username", 80, writable=False),
    ]
    return [
        _object("Account", "Account", "Accounts", "001", account),
        _object("Contact", "Contact", "Contacts", "003", contact),
        _object("Opportunity", "Opportunity", "Opportunities", "006", opportunity),
        _object("Organization", "Organization", "Organization", "00D", organization, read_only=True),
        _object("PermissionSet", "Permission Set", "Permission Sets", "0PS", permission_set, read_only=True),
        _object("PermissionSetAssignment", "Permission Set Assignment", "Assignments", "0Pa", assignment),
        _object("User", "User", "Users", "005", user, read_only=True),
    ]


def _object(
    name: str, label: str, plural: str, prefix: str, fields: list[Field], *, read_only: bool = False
) -> SObject:
    return SObject(name, label, plural, prefix, {one.name: one for one in fields}, read_only=read_only)
