"""Calls of the record API, `/rest/{plural}` and below."""

from __future__ import annotations

import base64
import json
from typing import Any

from integration_assets.sandbox.twenty.calls import Call, Reply
from integration_assets.sandbox.twenty.errors import Json, refused
from integration_assets.sandbox.twenty.filters import parse_filter
from integration_assets.sandbox.twenty.schema import ObjectMeta

DEFAULT_PAGE = 60


def list_records(call: Call) -> Reply:
    """GET /rest/{plural}: a page."""
    one, workspace = _object(call), call.workspace
    depth = call.query.get("depth", "0")
    if depth not in {"0", "1"}:
        raise refused(f"'depth={depth}' parameter invalid. Allowed values are 0, 1")
    limit = call.number("limit", DEFAULT_PAGE)
    found = _filtered(call, one)
    ordered = sorted(found, key=lambda row: row["id"] if call.query.get("order_by") == "id" else _by_creation(row))
    after = call.query.get("starting_after")
    start = _place_after(ordered, after) if after else 0
    page = ordered[start : start + min(limit, workspace.options.page_size)]
    info = {
        "startCursor": _cursor(page[0]) if page else None,
        "endCursor": _cursor(page[-1]) if page else None,
        "hasNextPage": start + len(page) < len(ordered) and limit > 0,
        "hasPreviousPage": start > 0,
    }
    return Reply(200, {"data": {one.plural: page}, "totalCount": len(found), "pageInfo": info})


def read_record(call: Call) -> Reply:
    """GET /rest/{plural}/{id}."""
    one = _object(call)
    return Reply(200, {"data": {one.singular: call.workspace.record(one.plural, call.params["id"])}})


def create_record(call: Call) -> Reply:
    """POST /rest/{plural}."""
    one = _object(call)
    upsert = call.query.get("upsert") == "true"
    (row,) = call.workspace.create(one.plural, [_row(call.body)], upsert=upsert)
    return Reply(201, {"data": {f"create{_capital(one.singular)}": row}})


def create_records(call: Call) -> Reply:
    """POST /rest/batch/{plural}."""
    one, rows = _object(call), call.body
    if not isinstance(rows, list) or not rows:
        raise refused("Input must be a non-empty array")
    most = call.workspace.options.batch_size
    if len(rows) > most:
        raise refused(f"Maximum number of records to upsert is {most}.")
    made = call.workspace.create(one.plural, [_row(row) for row in rows], upsert=call.query.get("upsert") == "true")
    return Reply(201, {"data": {f"create{_capital(one.plural)}": made}})


def update_record(call: Call) -> Reply:
    """PATCH /rest/{plural}/{id}."""
    one = _object(call)
    row = call.workspace.update(one.plural, call.params["id"], _row(call.body))
    return Reply(200, {"data": {f"update{_capital(one.singular)}": row}})


def delete_record(call: Call) -> Reply:
    """DELETE /rest/{plural}/{id}: for good, unless `soft_delete=true`."""
    one = _object(call)
    call.workspace.record(one.plural, call.params["id"])
    _remove(call, one, call.params["id"])
    return Reply(200, {"data": {f"delete{_capital(one.singular)}": {"id": call.params["id"]}}})


def delete_records(call: Call) -> Reply:
    """DELETE /rest/{plural}?filter=: for good, unless `soft_delete=true`."""
    one = _object(call)
    if not call.query.get("filter"):
        raise refused("'filter' is required")
    found = [row["id"] for row in _filtered(call, one)]
    for record_id in found:
        _remove(call, one, record_id)
    return Reply(200, {"data": {f"delete{_capital(one.plural)}": [{"id": record_id} for record_id in found]}})


def restore_records(call: Call) -> Reply:
    """PATCH /rest/restore/{plural}?filter=."""
    one, workspace = _object(call), call.workspace
    fits, _ = parse_filter(call.query.get("filter", ""), lambda name: name in one.columns())
    found = [row for row in workspace.rows[one.plural].values() if row["deletedAt"] is not None and fits(row)]
    rows = workspace.create(one.plural, [{"id": row["id"]} for row in found], upsert=True) if found else []
    return Reply(200, {"data": {f"restore{_capital(one.plural)}": rows}})


def _object(call: Call) -> ObjectMeta:
    plural = call.params["plural"]
    found = call.workspace.objects.get(plural)
    if found is None:
        raise refused(f"object '{plural}' not found. eg: companies")
    return found


def _filtered(call: Call, one: ObjectMeta) -> list[Json]:
    text = call.query.get("filter")
    if not text:
        return call.workspace.live(one.plural)
    fits, deleted_too = parse_filter(text, lambda name: name in one.columns())
    rows = call.workspace.rows[one.plural].values()
    return [row for row in rows if (deleted_too or row["deletedAt"] is None) and fits(row)]


def _remove(call: Call, one: ObjectMeta, record_id: str) -> None:
    if call.query.get("soft_delete") == "true":
        call.workspace.soft_delete(one.plural, record_id)
    else:
        call.workspace.destroy(one.plural, record_id)


def _row(body: Any) -> Json:
    if not isinstance(body, dict):
        raise refused("Input must be an object")
    return body


def _by_creation(row: Json) -> str:
    return f"{row['createdAt']} {row['id']}"


def _cursor(row: Json) -> str:
    return base64.b64encode(json.dumps({"id": row["id"]}).encode()).decode()


def _place_after(rows: list[Json], cursor: str) -> int:
    try:
        record_id = json.loads(base64.b64decode(cursor, validate=True))["id"]
    except (ValueError, KeyError, TypeError):
        raise refused("Invalid cursor") from None
    # A record that went meanwhile: the list goes on with the one that follows it.
    return next((place for place, row in enumerate(rows) if row["id"] > record_id), len(rows))


def _capital(name: str) -> str:
    return name[0].upper() + name[1:]
