"""Fields of objects: what describe says of them, and what they take."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from integration_assets.sandbox.salesforce.errors import Json, RowError
from integration_assets.sandbox.salesforce.ids import full_id

TEXT_TYPES = frozenset({"string", "textarea", "email", "phone", "url", "picklist"})
_NUMBERS = frozenset({"double", "currency", "int", "percent"})
_TRUTHS = {True: True, False: False, "true": True, "false": False, None: False}


@dataclass
class Field:
    """One field. `visible` is False until a permission set grants it, as of every field that was deployed."""

    name: str
    type: str = "string"
    label: str = ""
    length: int = 0
    precision: int = 0
    scale: int = 0
    nillable: bool = True
    writable: bool = True
    defaulted: bool = False
    calculated: bool = False
    auto_number: bool = False
    unique: bool = False
    case_sensitive: bool = False
    external_id: bool = False
    id_lookup: bool = False
    restricted: bool = False
    options: tuple[tuple[str, str], ...] = ()
    reference_to: tuple[str, ...] = ()
    relationship: str | None = None
    visible: bool = True
    description: str = field(default="", repr=False)
    help_text: str | None = field(default=None, repr=False)

    @property
    def custom(self) -> bool:
        """True for a field that people added."""
        return self.name.endswith("__c")

    def described(self, *, editable: bool = True) -> Json:
        """The entry of this field in a describe, for a user who may write it or not."""
        writable = self.writable and editable
        return {
            "name": self.name,
            "label": self.label or self.name,
            "type": self.type,
            "length": self.length,
            "precision": self.precision,
            "scale": self.scale,
            "digits": 0,
            "nillable": self.nillable,
            "createable": writable,
            "updateable": writable,
            "defaultedOnCreate": self.defaulted,
            "calculated": self.calculated,
            "autoNumber": self.auto_number,
            "unique": self.unique,
            "caseSensitive": self.case_sensitive,
            "externalId": self.external_id,
            "idLookup": self.id_lookup,
            "restrictedPicklist": self.restricted,
            "picklistValues": [
                {"active": True, "defaultValue": False, "label": label, "validFor": None, "value": value}
                for value, label in self.options
            ],
            "referenceTo": list(self.reference_to),
            "relationshipName": self.relationship,
            "custom": self.custom,
            "compoundFieldName": None,
            "filterable": self.type != "textarea",
            "inlineHelpText": self.help_text,
        }


def kept(one: Field, value: Any) -> Any:
    """The value as the org keeps it, None for no value.

    Trailing and leading blanks go, and "" is none; numbers are rounded to the field's scale; times lose what is below
    a second; long text gets CR LF for a line break; a checkbox is never empty.

    Raises:
        RowError: the field does not take it.
    """
    if one.type == "boolean":
        if value not in _TRUTHS:
            raise RowError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{one.label}: value not of required type", (one.name,))
        return _TRUTHS[value]
    if isinstance(value, str):
        value = value.strip()
    if value is None or value == "":
        return None
    if one.type in _NUMBERS:
        return _number(one, value)
    if one.type in ("datetime", "date"):
        return _moment(one, value)
    if not isinstance(value, str):
        raise RowError("INVALID_TYPE_ON_FIELD_IN_RECORD", f"{one.label}: value not of required type", (one.name,))
    if one.type == "reference":
        try:
            return full_id(value)
        except ValueError:
            raise RowError("MALFORMED_ID", f"{one.label}: id value of incorrect type: {value}", (one.name,)) from None
    return _text(one, value)


def _text(one: Field, value: str) -> str:
    if one.type == "picklist" and one.restricted and value not in {option for option, _ in one.options}:
        raise RowError(
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            f"{one.label}: bad value for restricted picklist field: {value}",
            (one.name,),
        )
    if one.type == "email" and ("@" not in value.strip("@") or " " in value):
        raise RowError("INVALID_EMAIL_ADDRESS", f"{one.label}: invalid email address: {value}", (one.name,))
    if one.length and len(value) > one.length:
        shown = f"{one.label}: data value too large: {value[:20]} (max length={one.length})"
        raise RowError("STRING_TOO_LONG", shown, (one.name,))
    # Addresses are kept in lower case, whatever they were typed in.
    if one.type == "email":
        return value.lower()
    return value.replace("\r\n", "\n").replace("\n", "\r\n") if one.type == "textarea" else value


def _number(one: Field, value: Any) -> float | int:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        number = Decimal("NaN")
    # The JSON parser stands before the record: text in a number's place spoils the whole request.
    if isinstance(value, bool | str) or not number.is_finite():
        raise RowError("JSON_PARSER_ERROR", f"Cannot deserialize instance of double from VALUE_STRING value {value}")
    rounded = number.quantize(Decimal(1).scaleb(-one.scale), rounding=ROUND_HALF_UP)
    if abs(rounded) >= Decimal(10) ** (one.precision - one.scale):
        shown = f"{one.label}: value outside of valid range on numeric field: {value}"
        raise RowError("NUMBER_OUTSIDE_VALID_RANGE", shown, (one.name,))
    return int(rounded) if one.type == "int" else float(rounded)


def _moment(one: Field, value: Any) -> str:
    kind = "date" if one.type == "date" else "datetime"
    try:
        if kind == "date":
            return date.fromisoformat(str(value)).isoformat()
        moment = datetime.fromisoformat(str(value))
    except ValueError:
        raise RowError(
            "JSON_PARSER_ERROR", f"Cannot deserialize instance of {kind} from VALUE_STRING value {value}"
        ) from None
    return shown_time(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def shown_time(moment: datetime) -> str:
    """A time as answers hold it: UTC, no colon in the zone, nothing below a second."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.000+0000"
