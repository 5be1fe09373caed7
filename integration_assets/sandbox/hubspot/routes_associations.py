"""Associations over HTTP: write, read, remove, and the labels of pairs of object types."""

from __future__ import annotations

import base64
import urllib.parse

from integration_assets.sandbox.hubspot.calls import (
    API,
    Call,
    Operation,
    Reply,
    batch_reply,
    required_text,
    scope_of,
)
from integration_assets.sandbox.hubspot.errors import ApiError, Json, validation
from integration_assets.sandbox.hubspot.linking import limit_of, link, pair_refusal, parse_types
from integration_assets.sandbox.hubspot.links import AssociationType, Key, Pair
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.schemas import change_label, create_label, delete_label
from integration_assets.sandbox.hubspot.writing import missing_records, too_many

CREATE_BATCH = 2_000
READ_BATCH = 1_000
ARCHIVE_BATCH = 100


def _sides(call: Call) -> tuple[ObjectType, ObjectType]:
    return call.object_type("from"), call.object_type("to")


def _pair(call: Call) -> Pair:
    source, target = _sides(call)
    return source.name, target.name


def _end(item: Json, side: str) -> str:
    end = item.get(side)
    if not isinstance(end, dict):
        raise validation(f'Some required fields were not set: ["{side}"]')
    return required_text(end, "id")


def _entry(refusal: ApiError) -> Json:
    return {key: value for key, value in refusal.body.items() if key != "correlationId"}


def _refuse_or_note(call: Call, refusal: ApiError, errors: list[Json]) -> None:
    over = str(refusal.body.get("subCategory", "")).endswith("LIMIT_EXCEEDED")
    if over and call.portal.options.over_association_limit == "whole_batch":
        raise refusal
    errors.append(_entry(refusal))


def _written(source: ObjectType, from_id: str, target: ObjectType, to_id: str, labels: list[str]) -> Json:
    return {
        "fromObjectTypeId": source.object_type_id,
        "fromObjectId": int(from_id),
        "toObjectTypeId": target.object_type_id,
        "toObjectId": int(to_id),
        "labels": labels,
    }


def _labels(call: Call, pair: Pair, keys: list[Key]) -> list[str]:
    found = (call.portal.types.find(pair, key) for key in keys)
    return [one.label for one in found if one is not None and one.label]


def batch_create(call: Call) -> Reply:
    """Set the types of up to 2,000 pairs of records, replacing what a pair had."""
    portal = call.portal
    source, target = _sides(call)
    pair = (source.name, target.name)
    wanted = [
        (_end(item, "from"), _end(item, "to"), parse_types(portal, pair, item.get("types")))
        for item in call.inputs(CREATE_BATCH)
    ]
    results: list[Json] = []
    errors: list[Json] = []
    for from_id, to_id, keys in wanted:
        refusal = pair_refusal(portal, source, from_id, target, to_id)
        if refusal is not None:
            _refuse_or_note(call, refusal, errors)
            continue
        link(portal, pair, int(from_id), int(to_id), keys)
        results.append(_written(source, from_id, target, to_id, _labels(call, pair, keys)))
    portal.random.shuffle(results)
    return batch_reply(call, results, errors, status=201)


def _plain(call: Call, pair: Pair) -> AssociationType:
    plain = call.portal.types.plain(pair)
    custom = any(call.portal.objects[name].custom for name in pair)
    if plain is None or (custom and call.portal.options.default_on_custom_pair == "rejected"):
        raise validation(f"There is no default association between {pair[0]} and {pair[1]}")
    return plain


def _associate_default(call: Call, pairs: list[tuple[str, str]]) -> Reply:
    portal = call.portal
    source, target = _sides(call)
    pair = (source.name, target.name)
    plain = _plain(call, pair)
    results: list[Json] = []
    errors: list[Json] = []
    for from_id, to_id in pairs:
        refusal = pair_refusal(portal, source, from_id, target, to_id)
        if refusal is not None:
            _refuse_or_note(call, refusal, errors)
            continue
        before = portal.links.of(pair, int(from_id)).get(int(to_id), frozenset())
        link(portal, pair, int(from_id), int(to_id), before | {plain.key})
        for one_from, one_to, key in ((from_id, to_id, plain.key), (to_id, from_id, plain.inverse)):
            spec = {"associationCategory": key[0], "associationTypeId": key[1]}
            results.append({"from": {"id": one_from}, "to": {"id": one_to}, "associationSpec": spec})
    portal.random.shuffle(results)
    # Errors of this call are inside a 200.
    return Reply(200, batch_reply(call, results, errors).body)


def batch_default(call: Call) -> Reply:
    """Add the plain association to pairs of records."""
    return _associate_default(call, [(_end(item, "from"), _end(item, "to")) for item in call.inputs(CREATE_BATCH)])


def put_default(call: Call) -> Reply:
    """Add the plain association to one pair."""
    return _associate_default(call, [(call.params["from_id"], call.params["to_id"])])


def put_typed(call: Call) -> Reply:
    """Set the types of one pair, replacing what it had."""
    source, target = _sides(call)
    from_id, to_id = call.params["from_id"], call.params["to_id"]
    pair = (source.name, target.name)
    keys = parse_types(call.portal, pair, call.body)
    refusal = pair_refusal(call.portal, source, from_id, target, to_id)
    if refusal is not None:
        raise refusal
    link(call.portal, pair, int(from_id), int(to_id), keys)
    return Reply(201, _written(source, from_id, target, to_id, _labels(call, pair, keys)))


# ------------------------------------------------------------------------------------------------------------ reading


def _cursor(target: ObjectType, to_id: int) -> str:
    """Beginning of the next page. It comes percent-encoded, and goes back as it came."""
    text = base64.b64encode(f"{target.object_type_id}-{to_id}".encode()).decode()
    return urllib.parse.quote(text, safe="")


def _start(target: ObjectType, after: object, *, from_query: bool = False) -> int:
    if after in (None, ""):
        return 0
    text = str(after)
    if from_query and "%" not in text:
        text = urllib.parse.quote(text, safe="")
    try:
        decoded = base64.b64decode(urllib.parse.unquote(text), validate=True).decode()
        start = int(decoded.removeprefix(f"{target.object_type_id}-"))
    except ValueError as fault:
        raise validation("after is not a cursor of this list") from fault
    if _cursor(target, start) != text:
        raise validation("after is not a cursor of this list")
    return start


def _page(call: Call, pair: Pair, target: ObjectType, from_id: int, start: int, *, limit: int) -> Json:
    labels = {one.key: one.label for one in call.portal.types.of(pair)}
    links = call.portal.links.of(pair, from_id)
    ids = sorted(to_id for to_id in links if to_id >= start)
    body: Json = {
        "to": [
            {
                "toObjectId": to_id,
                "associationTypes": [
                    {"category": key[0], "typeId": key[1], "label": labels.get(key)} for key in sorted(links[to_id])
                ],
            }
            for to_id in ids[:limit]
        ]
    }
    if len(ids) > limit:
        after = _cursor(target, ids[limit])
        body["paging"] = {"next": {"after": after, "link": f"{API}{call.path}?after={after}"}}
    return body


def batch_read(call: Call) -> Reply:
    """Associations of up to 1,000 records; each record pages by itself."""
    portal = call.portal
    source, target = _sides(call)
    pair = (source.name, target.name)
    results: list[Json] = []
    errors: list[Json] = []
    for item in call.inputs(READ_BATCH):
        from_id = required_text(item, "id")
        start = _start(target, item.get("after"))
        number = int(from_id) if from_id.isdigit() else -1
        page = _page(call, pair, target, number, start, limit=portal.options.association_page_size)
        if page["to"] or portal.options.unassociated_in_batch_read == "empty":
            results.append({"from": {"id": from_id}, **page})
        elif portal.options.unassociated_in_batch_read == "error":
            errors.append(_nothing_found(source, from_id, target))
    portal.random.shuffle(results)
    return batch_reply(call, results, errors)


def _nothing_found(source: ObjectType, from_id: str, target: ObjectType) -> Json:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND",
        "message": f"No {target.singular} is associated with {source.singular} {from_id}.",
        "context": {
            "fromObjectId": [from_id],
            "fromObjectType": [source.singular],
            "toObjectType": [target.singular],
        },
    }


def read_one(call: Call) -> Reply:
    """Associations of one record."""
    source, target = _sides(call)
    from_id = call.params["from_id"]
    if not from_id.isdigit() or source.store.find(int(from_id)) is None:
        raise missing_records(source, [from_id])
    limit = call.number("limit", 500, most=500)
    start = _start(target, call.query.get("after"), from_query=True)
    page = _page(call, (source.name, target.name), target, int(from_id), start, limit=limit)
    body: Json = {"results": page["to"]}
    if "paging" in page:
        body["paging"] = page["paging"]
    return Reply(200, body)


# ----------------------------------------------------------------------------------------------------------- removing


def _removed(call: Call) -> Reply:
    return Reply(204) if call.legacy else batch_reply(call, [], [])


def batch_archive(call: Call) -> Reply:
    """Remove all associations between pairs; at most 100 different `from` records."""
    pair = _pair(call)
    inputs = call.inputs(CREATE_BATCH)
    if len({_end(item, "from") for item in inputs}) > ARCHIVE_BATCH:
        raise too_many(call.portal, ARCHIVE_BATCH)
    for item in inputs:
        if not isinstance(item.get("to"), list):
            raise validation('Some required fields were not set: ["to"]')
        for to in item["to"]:
            _unlink(call, pair, _end(item, "from"), required_text(to, "id"))
    return _removed(call)


def _unlink(call: Call, pair: Pair, from_id: str, to_id: str) -> None:
    if from_id.isdigit() and to_id.isdigit():
        call.portal.links.put(pair, int(from_id), int(to_id), ())


def labels_archive(call: Call) -> Reply:
    """Take types off up to 100 pairs; without the plain type nothing is left of a pair."""
    portal, pair = call.portal, _pair(call)
    wanted = [
        (_end(item, "from"), _end(item, "to"), parse_types(portal, pair, item.get("types")))
        for item in call.inputs(ARCHIVE_BATCH)
    ]
    plain = portal.types.plain(pair)
    for from_id, to_id, keys in wanted:
        if not from_id.isdigit() or not to_id.isdigit():
            continue
        before = portal.links.of(pair, int(from_id)).get(int(to_id), frozenset())
        gone = before if plain is not None and plain.key in keys else frozenset(keys)
        portal.links.put(pair, int(from_id), int(to_id), before - gone)
    return _removed(call)


def delete_one(call: Call) -> Reply:
    """Remove all associations of one pair."""
    _unlink(call, _pair(call), call.params["from_id"], call.params["to_id"])
    return Reply(204)


# ------------------------------------------------------------------------------------------------------------- labels


def _described(one: AssociationType) -> Json:
    return {"category": one.key[0], "typeId": one.key[1], "label": one.label}


def list_labels(call: Call) -> Reply:
    """Types of a pair, without their names. New ones show late."""
    seen_at = call.portal.clock() - call.portal.options.schema_lag
    return Reply(200, {"results": [_described(one) for one in call.portal.types.of(_pair(call), seen_at)]})


def post_label(call: Call) -> Reply:
    """Create a label, with the plain type of the pair where that is missing."""
    made = create_label(call.portal, _pair(call), call.fields, call.portal.clock())[-1]
    results = [{**_described(one), "fromObjectTypeId": None, "toObjectTypeId": None} for one in made]
    return Reply(200, {"results": results})


def put_label(call: Call) -> Reply:
    """Rename a label."""
    change_label(call.portal, _pair(call), call.fields, call.portal.clock())
    return Reply(204)


def remove_label(call: Call) -> Reply:
    """Remove a label in both directions."""
    delete_label(call.portal, _pair(call), call.params["type_id"], call.portal.clock())
    return Reply(204)


def read_limits(call: Call) -> Reply:
    """The limit per record of a pair, and who is near it."""
    pair = _pair(call)
    limit = limit_of(call.portal, pair)
    counts = {record_id: len(others) for record_id, others in call.portal.links.pairs(pair).items()}
    full = [record_id for record_id, count in counts.items() if count >= limit]
    near = [record_id for record_id, count in counts.items() if limit * 0.8 <= count < limit]
    body = {
        "limit": limit,
        "totalRecordsAtLimit": len(full),
        "totalRecordsNearLimit": len(near),
        "atLimitFromRecordSamples": [{"objectId": str(one), "label": ""} for one in full[:10]],
        "nearLimitFromRecordSamples": [{"objectId": str(one), "label": ""} for one in near[:10]],
    }
    return Reply(200, body)


def _read_scopes(call: Call) -> list[str]:
    return [scope_of(one, "objects", "read") for one in _sides(call)]


def _write_scopes(call: Call) -> list[str]:
    both = [scope_of(one, "objects", "write") for one in _sides(call)]
    return both if call.portal.options.associating_needs == "both" else both[:1]


def _label_scopes(call: Call) -> list[str]:
    custom = [one for one in _sides(call) if one.custom]
    return [scope_of(one, "schemas", "write") for one in (custom or _sides(call))]


_BATCH = "/crm/associations/2026-09/{from}/{to}"
_ONE = "/crm/objects/2026-09/{from}/{from_id}/associations"

OPERATIONS = (
    Operation("POST", f"{_BATCH}/batch/create", batch_create, "association", _write_scopes),
    Operation("POST", f"{_BATCH}/batch/associate/default", batch_default, "association", _write_scopes),
    Operation("POST", f"{_BATCH}/batch/read", batch_read, "association", _read_scopes),
    Operation("POST", f"{_BATCH}/batch/archive", batch_archive, "association", _write_scopes),
    Operation("POST", f"{_BATCH}/batch/labels/archive", labels_archive, "association", _write_scopes),
    Operation("GET", f"{_BATCH}/labels", list_labels, "association", _read_scopes),
    Operation("POST", f"{_BATCH}/labels", post_label, "association", _label_scopes),
    Operation("PUT", f"{_BATCH}/labels", put_label, "association", _label_scopes),
    Operation("DELETE", _BATCH + "/labels/{type_id}", remove_label, "association", _label_scopes),
    Operation("PUT", _ONE + "/default/{to}/{to_id}", put_default, "association", _write_scopes),
    Operation("GET", _ONE + "/{to}", read_one, "association", _read_scopes),
    Operation("PUT", _ONE + "/{to}/{to_id}", put_typed, "association", _write_scopes),
    Operation("DELETE", _ONE + "/{to}/{to_id}", delete_one, "association", _write_scopes),
    Operation("GET", "/crm/limits/2026-09/associations/records/{from}/{to}", read_limits, "ordinary", _read_scopes),
)
