"""Records over HTTP: list, read, create, update, archive, their batches, search and merge."""

from __future__ import annotations

from integration_assets.sandbox.hubspot.calls import (
    API,
    Call,
    Operation,
    Reply,
    batch_reply,
    object_scope,
    required_text,
)
from integration_assets.sandbox.hubspot.errors import ApiError, Json, validation
from integration_assets.sandbox.hubspot.linking import check_new_links
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.reading import chosen, render
from integration_assets.sandbox.hubspot.records import Record
from integration_assets.sandbox.hubspot.search import find
from integration_assets.sandbox.hubspot.writing import (
    Draft,
    check_distinct,
    draft,
    draft_update,
    draft_upsert,
    missing_records,
    require_unique,
    write_batch,
    write_one,
)

BATCH = 100
"""Most records in one batch call."""
PAGE = 100
PAGE_WITH_HISTORY = 50
_INLINE_ASSOCIATIONS = 100
"""Associated ids listed inside a record; the rest is behind a link."""


def list_records(call: Call) -> Reply:
    """One page by ascending id."""
    portal, one = call.portal, call.object_type()
    history = call.listed("propertiesWithHistory")
    limit = call.number("limit", 10, most=PAGE_WITH_HISTORY if history else PAGE)
    after = call.query.get("after") or "0"
    if not after.isdigit():
        raise validation("after is not a cursor of this list")
    records, following = one.store.page(int(after), limit, archived=call.flag("archived"))
    names = chosen(one, call.listed("properties"))
    results = [_with_associations(call, one, render(portal, one, record, names, history)) for record in records]
    body: Json = {"results": results}
    if following is not None:
        link = f"{API}{call.path}?limit={limit}&after={following}"
        body["paging"] = {"next": {"after": str(following), "link": link}}
    return Reply(200, body)


def _with_associations(call: Call, one: ObjectType, record: Json) -> Json:
    found: Json = {}
    for named in call.listed("associations"):
        target = call.portal.find_object(named)
        if target is None:
            continue
        pair = (one.name, target.name)
        names = {kind.key: kind.name for kind in call.portal.types.of(pair)}
        links = call.portal.links.of(pair, int(record["id"]))
        rows = [{"id": str(to_id), "type": names[key]} for to_id, keys in sorted(links.items()) for key in sorted(keys)]
        if rows:
            found[named] = _inline_page(call, one, record["id"], target, rows)
    return {**record, "associations": found} if found else record


def _inline_page(call: Call, one: ObjectType, record_id: str, target: ObjectType, rows: list[Json]) -> Json:
    page: Json = {"results": rows[:_INLINE_ASSOCIATIONS]}
    if len(rows) > _INLINE_ASSOCIATIONS:
        after = rows[_INLINE_ASSOCIATIONS]["id"]
        link = f"{API}/crm/v3/objects/{one.name}/{record_id}/associations/{target.name}?after={after}"
        page["paging"] = {"next": {"after": after, "link": link}}
    return page


def _find(call: Call, one: ObjectType, asked: str, id_property: str | None, *, archived: bool) -> Record | None:
    store = one.store
    if id_property:
        require_unique(call.portal, one, id_property, email=True)
        found = store.holder(id_property, asked)
    else:
        found = int(asked) if asked.isdigit() else None
    if found is None:
        return None
    if archived:
        return store.find_archived(found)
    if call.portal.options.merged_id_in_read == "survivor":
        found = store.survivor(found)
    return store.find(found)


def _existing(call: Call, one: ObjectType) -> Record:
    asked = call.params["id"]
    record = _find(call, one, asked, call.query.get("idProperty"), archived=call.flag("archived"))
    if record is None:
        raise missing_records(one, [asked])
    return record


def read_record(call: Call) -> Reply:
    """One record by id or unique property."""
    one = call.object_type()
    record = _existing(call, one)
    names = chosen(one, call.listed("properties"))
    rendered = render(call.portal, one, record, names, call.listed("propertiesWithHistory"))
    return Reply(200, _with_associations(call, one, rendered))


def _new_draft(call: Call, one: ObjectType, item: Json) -> Draft:
    made = draft(call.portal, one, item.get("properties"), None)
    trace = item.get("objectWriteTraceId")
    made.trace = trace if isinstance(trace, str) else None
    try:
        made.associations = check_new_links(call.portal, one, item.get("associations"))
    except ApiError as refusal:
        made.refusal = made.refusal or refusal
    return made


def create_record(call: Call) -> Reply:
    """Create one record."""
    one = call.object_type()
    return Reply(201, write_one(call.portal, one, _new_draft(call, one, call.fields)))


def update_record(call: Call) -> Reply:
    """Change one record; properties that are not given stay."""
    one = call.object_type()
    record = _existing(call, one)
    return Reply(200, write_one(call.portal, one, draft(call.portal, one, call.fields.get("properties"), record)))


def archive_record(call: Call) -> Reply:
    """Archive one record; nothing happens to one that is archived already."""
    one, asked = call.object_type(), call.params["id"]
    if not asked.isdigit() or int(asked) not in one.store.records:
        raise missing_records(one, [asked])
    if one.store.find(int(asked)) is not None:
        call.portal.archive(one.name, asked)
    return Reply(204)


def batch_create(call: Call) -> Reply:
    """Create up to 100 records."""
    one = call.object_type()
    drafts = [_new_draft(call, one, item) for item in call.inputs(BATCH)]
    return batch_reply(call, *write_batch(call.portal, one, drafts), status=201)


def batch_read(call: Call) -> Reply:
    """Read up to 100 records by id or unique property; one error entry stands for all that are missing."""
    portal, one = call.portal, call.object_type()
    inputs = call.inputs(BATCH)
    id_property = call.fields.get("idProperty")
    names = chosen(one, call.fields.get("properties") or [])
    history = call.fields.get("propertiesWithHistory") or []
    found: dict[int, Record] = {}
    missing: list[str] = []
    for item in inputs:
        asked = required_text(item, "id")
        record = _find(call, one, asked, id_property, archived=call.flag("archived"))
        if record is None:
            missing.append(asked)
        else:
            found[record.id] = record
    results = [render(portal, one, record, names, history) for record in found.values()]
    portal.random.shuffle(results)
    errors: list[Json] = []
    if missing:
        body = missing_records(one, missing).body
        errors = [{key: body[key] for key in ("status", "category", "message", "context")}]
    return batch_reply(call, results, errors)


def _traced(made: Draft, item: Json) -> Draft:
    trace = item.get("objectWriteTraceId")
    made.trace = trace if isinstance(trace, str) else None
    return made


def batch_update(call: Call) -> Reply:
    """Change up to 100 records by id or unique property."""
    one = call.object_type()
    inputs = call.inputs(BATCH)
    for item in inputs:
        required_text(item, "id")
        if item.get("idProperty"):
            require_unique(call.portal, one, item["idProperty"], email=False)
    ids = [str(item["id"]) for item in inputs]
    check_distinct(ids, [f"{item.get('idProperty')}:{one_id}" for item, one_id in zip(inputs, ids, strict=True)])
    drafts = [_traced(draft_update(call.portal, one, item), item) for item in inputs]
    return batch_reply(call, *write_batch(call.portal, one, drafts))


def batch_upsert(call: Call) -> Reply:
    """Create or change up to 100 records by a unique property."""
    one = call.object_type()
    inputs = call.inputs(BATCH)
    for item in inputs:
        required_text(item, "id")
        require_unique(call.portal, one, str(item.get("idProperty")), email=True)
    ids = [str(item["id"]) for item in inputs]
    check_distinct(ids, [one.store.normal(item["idProperty"], str(item["id"])) for item in inputs])
    drafts = [_traced(draft_upsert(call.portal, one, item), item) for item in inputs]
    return batch_reply(call, *write_batch(call.portal, one, drafts, upsert=True))


def batch_archive(call: Call) -> Reply:
    """Archive up to 100 records, whatever their state."""
    one = call.object_type()
    for asked in {required_text(item, "id") for item in call.inputs(BATCH)}:
        if asked.isdigit() and one.store.find(int(asked)) is not None:
            call.portal.archive(one.name, asked)
    return Reply(204)


def search_records(call: Call) -> Reply:
    """Search the index, which lags behind."""
    portal, one = call.portal, call.object_type()
    records, total, following = find(portal, one, call.raw, call.fields, call.searches)
    names = chosen(one, call.fields.get("properties") or [])
    body: Json = {"total": total, "results": [render(portal, one, record, names) for record in records]}
    if following is not None:
        body["paging"] = {"next": {"after": str(following), "link": f"{API}{call.path}?after={following}"}}
    return Reply(200, body)


def merge_record(call: Call) -> Reply:
    """Merge one record into another."""
    portal, one = call.portal, call.object_type()
    ids = [required_text(call.fields, name) for name in ("primaryObjectId", "objectIdToMerge")]
    if not all(one_id.isdigit() for one_id in ids):
        raise validation("Record ids are numbers")
    survivor = one.store.records[int(portal.merge(one.name, *ids))]
    return Reply(200, render(portal, one, survivor, chosen(one, [])))


def gdpr_delete(call: Call) -> Reply:
    """Remove a contact for good."""
    one = call.object_type()
    asked, id_property = required_text(call.fields, "objectId"), call.fields.get("idProperty")
    record = _find(call, one, asked, id_property, archived=False)
    if record is not None:
        call.portal.links.drop_record(one.name, record.id)
        one.store.forget(record.id, call.portal.clock())
    return Reply(204)


_BASE = "/crm/objects/2026-09/{type}"
_READ, _WRITE = object_scope("read"), object_scope("write")

OPERATIONS = (
    Operation("GET", _BASE, list_records, scopes=_READ),
    Operation("POST", _BASE, create_record, scopes=_WRITE),
    Operation("POST", f"{_BASE}/search", search_records, kind="search", scopes=_READ),
    Operation("POST", f"{_BASE}/merge", merge_record, scopes=_WRITE),
    Operation("POST", f"{_BASE}/gdpr-delete", gdpr_delete, scopes=_WRITE),
    Operation("POST", f"{_BASE}/batch/create", batch_create, scopes=_WRITE),
    Operation("POST", f"{_BASE}/batch/read", batch_read, scopes=_READ),
    Operation("POST", f"{_BASE}/batch/update", batch_update, scopes=_WRITE),
    Operation("POST", f"{_BASE}/batch/upsert", batch_upsert, scopes=_WRITE),
    Operation("POST", f"{_BASE}/batch/archive", batch_archive, scopes=_WRITE),
    Operation("GET", _BASE + "/{id}", read_record, scopes=_READ),
    Operation("PATCH", _BASE + "/{id}", update_record, scopes=_WRITE),
    Operation("DELETE", _BASE + "/{id}", archive_record, scopes=_WRITE),
)
