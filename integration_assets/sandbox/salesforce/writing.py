"""Records written: one by one and in collections, each with an answer of its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from integration_assets.sandbox.salesforce.errors import ApiError, Json, RowError, refused
from integration_assets.sandbox.salesforce.fields import Field, kept
from integration_assets.sandbox.salesforce.objects import Row, SObject
from integration_assets.sandbox.salesforce.org import PERMISSION_SET, Org, User

MOST_RECORDS = 200
ROLLED_BACK = "ALL_OR_NONE_OPERATION_ROLLED_BACK"

Work = Callable[[Json], Json]


def create(org: Org, user: User, one: SObject, values: Mapping[str, Any]) -> Row:
    """A new record.

    Raises:
        RowError: the org refuses it.
        ApiError: the request as a whole cannot be read.
    """
    if not org.edits_object(user, one):
        raise RowError("INVALID_TYPE_FOR_OPERATION", f"entity type cannot be inserted: {one.label}")
    row = _checked(org, user, one, values, None)
    missing = [
        name
        for name, column in one.fields.items()
        if column.writable and not column.nillable and not column.defaulted and row.get(name) is None
    ]
    if missing:
        raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: {missing}", tuple(missing))
    made = org.add_row(one, row)
    if one.name == "PermissionSetAssignment":
        _assign(org, made)
    _saved(org, one, made)
    return made


def update(org: Org, user: User, one: SObject, row: Row, values: Mapping[str, Any]) -> None:
    """Change a record. What is not named stays, null empties. It counts as saved even when nothing is different.

    Raises:
        RowError, ApiError: as `create`.
    """
    if not org.edits_object(user, one):
        raise RowError("INVALID_TYPE_FOR_OPERATION", f"entity type cannot be updated: {one.label}")
    if row["Id"] in user.read_only:
        raise RowError("INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id")
    checked = _checked(org, user, one, values, row)
    org.journal.append((one.rows, row["Id"], dict(row)))
    row |= checked
    one.index(row)
    org.touch(row)
    _saved(org, one, row)


def upsert(org: Org, user: User, one: SObject, key: Field, value: Any, values: Mapping[str, Any]) -> tuple[Row, bool]:
    """Create or update by a key; the record, and whether it is new.

    Raises:
        RowError: DUPLICATE_EXTERNAL_ID when several have the value.
    """
    if key.name == "Id":
        row = org.find(one, value) if value else None
        if value and row is None:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        found = [row] if row else []
    else:
        if value in (None, ""):
            raise RowError("MISSING_ARGUMENT", f"{key.name} not specified", (key.name,))
        found = matching(one, key, value)
    if len(found) > 1:
        raise RowError("DUPLICATE_EXTERNAL_ID", f"{key.label}: more than one record found: {value}", (key.name,))
    if found:
        update(org, user, one, found[0], values)
        return found[0], False
    own = {} if key.name == "Id" else {key.name: value}
    return create(org, user, one, {**values, **own}), True


def matching(one: SObject, key: Field, value: Any) -> list[Row]:
    """The live records with this value of a key."""
    wanted = kept(key, value)

    def same(held: Any) -> bool:
        if isinstance(held, str) and isinstance(wanted, str) and not key.case_sensitive:
            return held.lower() == wanted.lower()
        return bool(held == wanted)

    return [row for row in one.with_value(key.name, str(wanted)) if row[key.name] is not None and same(row[key.name])]


def _saved(org: Org, one: SObject, row: Row) -> None:
    for trigger in org.triggers:
        trigger(one, row)


def _checked(org: Org, user: User, one: SObject, values: Mapping[str, Any], row: Row | None) -> Row:
    """The values as they are kept, every one of them checked."""
    kept_values: Row = {}
    for name, value in values.items():
        if name in ("attributes", "Id", "id"):
            continue
        if isinstance(value, dict):
            kept_values |= _by_external_id(org, user, one, name, value)
            continue
        column = org.column(user, one, name)
        if not column.writable or not org.edits(user, one, column):
            shown = f"Unable to create/update fields: {name}. Please check the security settings of this field"
            raise RowError("INVALID_FIELD_FOR_INSERT_UPDATE", shown, (name,))
        kept_values[column.name] = _accepted(org, one, column, value, row)
    _refuse_locked(org, one, {**(row or {}), **kept_values})
    return kept_values


def _accepted(org: Org, one: SObject, column: Field, value: Any, row: Row | None) -> Any:
    try:
        found = kept(column, value)
    except RowError as refusal:
        # The request is parsed before any record is looked at.
        if refusal.code == "JSON_PARSER_ERROR":
            raise refusal.whole() from None
        raise
    if found is None and not column.nillable and not column.defaulted:
        raise RowError("REQUIRED_FIELD_MISSING", f"Required fields are missing: [{column.name}]", (column.name,))
    if column.type == "reference" and found is not None and column.reference_to[0] in org.objects:
        target = org.objects[column.reference_to[0]].rows.get(found)
        if target is None:
            raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", (column.name,))
        if target["IsDeleted"]:
            raise RowError("ENTITY_IS_DELETED", "entity is deleted", (column.name,))
    if column.unique and found is not None:
        taken = [other for other in matching(one, column, found) if row is None or other["Id"] != row["Id"]]
        if taken:
            shown = f"duplicate value found: {column.name} duplicates value on record with id: {taken[0]['Id'][:15]}"
            raise RowError("DUPLICATE_VALUE", shown)
    return found


def _by_external_id(org: Org, user: User, one: SObject, name: str, value: Json) -> Row:
    reference = one.relation(name)
    if reference is None or not org.sees(user, one, reference):
        raise RowError("INVALID_FIELD", f"No such column '{name}' on sobject of type {one.name}")
    other = org.objects[reference.reference_to[0]]
    (key_name, key_value), *_ = [item for item in value.items() if item[0] != "attributes"]
    found = matching(other, org.column(user, other, key_name), key_value)
    if len(found) != 1:
        shown = f"Foreign key external ID: {key_value} not found for field {key_name} in entity {other.name}"
        raise RowError("INVALID_FIELD", shown)
    return {reference.name: found[0]["Id"]}


def _refuse_locked(org: Org, one: SObject, row: Row) -> None:
    """Refuse a write below a record that somebody else is saving."""
    held = [row.get("Id"), *(row.get(name) for name, column in one.fields.items() if column.type == "reference")]
    for record_id in held:
        if record_id and org.locked.get(record_id, 0) > 0:
            org.locked[record_id] -= 1
            raise RowError("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")


def _assign(org: Org, row: Row) -> None:
    users = {org.user.id: org.user, org.admin.id: org.admin}
    if row["AssigneeId"] not in users or row["PermissionSetId"] not in org.objects[PERMISSION_SET].rows:
        raise RowError("INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
    users[row["AssigneeId"]].permission_sets.add(row["PermissionSetId"])


# --------------------------------------------------------------------------------------------------------- collections


def records_of(body: Any) -> tuple[list[Json], bool]:
    """The records of a collections request, and whether one failure undoes all.

    Raises:
        ApiError: 400, it is not of the documented form, or holds too many.
    """
    records = body.get("records") if isinstance(body, dict) else None
    if not isinstance(records, list) or not all(isinstance(one, dict) for one in records):
        raise refused(400, "JSON_PARSER_ERROR", "records: a list of objects is expected")
    if len(records) > MOST_RECORDS:
        message = f"record limit reached. cannot submit more than {MOST_RECORDS} records"
        raise refused(400, "LIMIT_EXCEEDED", message)
    return records, bool(body.get("allOrNone", False))


def collected(org: Org, records: list[Any], work: Callable[[Any], Json], *, all_or_none: bool) -> list[Json]:
    """The answer to a collection: one entry for each record, in their order.

    Raises:
        ApiError: the request as a whole cannot be read; nothing of it stays.
    """
    results: list[Json] = []
    org.journal.clear()
    for record in records:
        try:
            results.append({**work(record), "success": True, "errors": []})
        except RowError as refusal:
            results.append({"success": False, "errors": [refusal.entry()]})
        except ApiError:
            org.undo()
            raise
    if all_or_none and not all(one["success"] for one in results):
        org.undo()
        entry = RowError(ROLLED_BACK, "Record rolled back because not all records were valid").entry()
        results = [{"success": False, "errors": [entry]} if one["success"] else one for one in results]
    return results


def upserted(org: Org, user: User, one: SObject, key_name: str, body: Any) -> list[Json]:
    """The answer to a collection upsert: with `created` for each record.

    Raises:
        ApiError: 400, the field is no key, a record is of another type, or the request cannot be read.
    """
    records, all_or_none = records_of(body)
    key = _key(org, user, one, key_name)
    if any(record.get("attributes", {}).get("type") != one.name for record in records):
        raise refused(400, "INVALID_INPUT", "all records of an upsert are of the type in the address")
    named = Counter(str(value) for record in records if (value := _value_of(record, key.name)) not in (None, ""))

    def work(record: Json) -> Json:
        value = _value_of(record, key.name)
        if value not in (None, "") and named[str(value)] > 1:
            raise RowError("DUPLICATE_VALUE", f"Duplicate external id specified: {value}", (key.name,))
        if key.name != "Id" and "Id" in record:
            raise RowError("INVALID_FIELD", "an upsert by a field takes no id", ("Id",))
        rest = {name: held for name, held in record.items() if name.lower() != key.name.lower()}
        row, created = upsert(org, user, one, key, value, rest)
        return {"id": row["Id"], "created": created}

    return collected(org, records, work, all_or_none=all_or_none)


def _value_of(record: Json, name: str) -> Any:
    return next((value for known, value in record.items() if known.lower() == name.lower()), None)


def _key(org: Org, user: User, one: SObject, name: str) -> Field:
    try:
        key = org.column(user, one, name)
    except RowError as refusal:
        raise refusal.whole() from None
    if not (key.external_id or key.id_lookup):
        raise refused(400, "INVALID_FIELD", f"{name} is no external id or idLookup field of {one.name}")
    return key
