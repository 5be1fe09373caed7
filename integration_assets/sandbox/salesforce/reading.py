"""Queries answered in pages, records as they are shown, and what describe says."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from integration_assets.sandbox.salesforce.errors import ApiError, Json, RowError, refused
from integration_assets.sandbox.salesforce.fields import Field
from integration_assets.sandbox.salesforce.objects import Row, SObject
from integration_assets.sandbox.salesforce.org import Org, User
from integration_assets.sandbox.salesforce.soql import Query, check_filter, parse

MOST_CURSORS = 10
LEAST_ROWS, MOST_ROWS = 200, 2_000
TOOLING = ("FieldDefinition", "EntityDefinition")


def query(org: Org, user: User, text: str, version: str, *, batch: int | None, deleted_too: bool) -> Json:
    """The first page of what a query finds.

    Raises:
        ApiError: 400, it cannot be read, or names what this user does not see.
    """
    asked = parse(text)
    one = _object(org, user, asked.object_name)
    columns = _columns(org, user, one, asked)
    found = _found(org, one, asked, columns, deleted_too=deleted_too)
    if asked.count:
        return {"totalSize": len(found), "done": True, "records": []}
    rows = [_shown(org, one, row, [columns[path] for path in asked.fields], version) for row in found]
    # A client's wish is not a promise: the org may hand out less.
    size = min(max(batch or MOST_ROWS, LEAST_ROWS), MOST_ROWS, org.options.page_rows)
    if len(rows) <= size:
        return {"totalSize": len(rows), "done": True, "records": rows}
    cursor = org.new_id("01g")
    while len(org.cursors) >= MOST_CURSORS:
        org.cursors.pop(next(iter(org.cursors)))
    org.cursors[cursor] = rows
    return _page(rows, cursor, 0, size, version)


def more(org: Org, locator: str, version: str) -> Json:
    """The page at a locator, `<cursor>-<rows before it>`.

    Raises:
        ApiError: 400 INVALID_QUERY_LOCATOR.
    """
    cursor, _, start = locator.rpartition("-")
    if cursor not in org.cursors or not start.isdigit():
        raise refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    rows = org.cursors[cursor]
    return _page(rows, cursor, int(start), min(MOST_ROWS, org.options.page_rows), version)


def _page(rows: list[Json], cursor: str, start: int, size: int, version: str) -> Json:
    page: Json = {"totalSize": len(rows), "done": start + size >= len(rows)}
    if not page["done"]:
        page["nextRecordsUrl"] = f"/services/data/v{version}/query/{cursor}-{start + size}"
    return {**page, "records": rows[start : start + size]}


def _object(org: Org, user: User, name: str) -> SObject:
    try:
        return org.object_for(user, name)
    except ApiError:
        raise refused(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.") from None


Path = list[Field]
"""The fields along a path: references, then the field itself."""


def _columns(org: Org, user: User, one: SObject, asked: Query) -> dict[str, Path]:
    try:
        columns = {path: _column(org, user, one, path) for path in asked.paths}
    except RowError as refusal:
        raise refusal.whole() from None
    for path, wanted in asked.filtered:
        check_filter(columns[path][-1], wanted)
    return columns


def _found(org: Org, one: SObject, asked: Query, columns: Mapping[str, Path], *, deleted_too: bool) -> list[Row]:
    rows = [row for row in one.rows.values() if deleted_too or not row["IsDeleted"]]
    if asked.where is not None:
        rows = [row for row in rows if asked.where(_looking(org, columns, row))]
    for path, down in reversed(asked.order):
        keyed = [(_order(_value(org, columns[path], row)), row) for row in rows]
        rows = [row for _, row in sorted(keyed, key=lambda pair: pair[0], reverse=down)]
    rows = rows[asked.offset :]
    return rows if asked.limit is None else rows[: asked.limit]


def _looking(org: Org, columns: Mapping[str, Path], row: Row) -> Callable[[str], tuple[Field, Any]]:
    return lambda path: (columns[path][-1], _value(org, columns[path], row))


def _order(value: Any) -> tuple[bool, Any]:
    # Nulls come first.
    return value is not None, value.lower() if isinstance(value, str) else value


def _column(org: Org, user: User, one: SObject, path: str) -> Path:
    steps, along = path.split("."), []
    # An object may be named as the first step of a path.
    if len(steps) > 1 and steps[0].lower() == one.name.lower():
        steps = steps[1:]
    for step in steps[:-1]:
        reference = one.relation(step)
        if reference is None or not org.sees(user, one, reference):
            raise RowError("INVALID_FIELD", f"Didn't understand relationship '{step}' in field path.")
        along.append(reference)
        one = org.objects[reference.reference_to[0]]
    return [*along, org.column(user, one, steps[-1])]


def _referred(org: Org, reference: Field, row: Row) -> tuple[SObject, Row | None]:
    other = org.objects[reference.reference_to[0]]
    return other, other.rows.get(row[reference.name] or "")


def _value(org: Org, path: Path, row: Row) -> Any:
    for reference in path[:-1]:
        other = _referred(org, reference, row)[1]
        if other is None:
            return None
        row = other
    return row[path[-1].name]


def _shown(org: Org, one: SObject, row: Row, paths: Sequence[Path], version: str) -> Json:
    shown: Json = {"attributes": attributes(one, row, version)}
    for path in paths:
        if len(path) == 1:
            shown[path[0].name] = row[path[0].name]
            continue
        name = str(path[0].relationship)
        other_object, other = _referred(org, path[0], row)
        # One nested object for all fields of a parent.
        inner = None if other is None else _shown(org, other_object, other, [path[1:]], version)
        shown[name] = None if inner is None else {**shown.get(name, {}), **inner}
    return shown


def attributes(one: SObject, row: Row, version: str) -> Json:
    """Beginning of every record."""
    return {"type": one.name, "url": f"/services/data/v{version}/sobjects/{one.name}/{row['Id']}"}


def whole_record(org: Org, user: User, one: SObject, row: Row, version: str, names: list[str] | None) -> Json:
    """One record, with the fields that are named or all this user sees."""
    seen = names or [name for name, column in one.fields.items() if org.sees(user, one, column)]
    try:
        return _shown(org, one, row, [[org.column(user, one, name)] for name in seen], version)
    except RowError as refusal:
        raise refusal.whole() from None


def describe(org: Org, user: User, one: SObject) -> Json:
    """The description of an object: the fields that this user sees, and no others."""
    seen = [column for column in one.fields.values() if org.sees(user, one, column)]
    return {
        **one.listed(),
        "updateable": not one.read_only and org.edits_object(user, one),
        "fields": [column.described(editable=org.edits(user, one, column)) for column in seen],
        "recordTypeInfos": [],
        "childRelationships": [],
    }


def tooling_query(org: Org, text: str) -> Json:
    """All fields and objects there are, whoever may see them.

    Raises:
        ApiError: 400, any other query than one of `TOOLING` by the name of an object.
    """
    asked = _tooling(text)
    found = org.objects.get(asked[1])
    if found is None:
        rows = []
    elif asked[0] == "EntityDefinition":
        rows = [{"QualifiedApiName": found.name}]
    else:
        rows = [{"QualifiedApiName": name} for name in found.fields]
    records = [{"attributes": {"type": asked[0]}, **row} for row in rows]
    return {"size": len(records), "totalSize": len(records), "done": True, "queryLocator": None, "records": records}


def _tooling(text: str) -> tuple[str, str]:
    words = text.replace("'", " ' ").split()
    kinds = [kind for kind in TOOLING if kind in words]
    quoted = text.split("'")
    if len(kinds) != 1 or len(quoted) != 3 or "QualifiedApiName" not in words:
        raise refused(400, "MALFORMED_QUERY", "the look-alike answers FieldDefinition and EntityDefinition only")
    return kinds[0], quoted[1]
