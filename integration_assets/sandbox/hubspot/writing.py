"""Creating and changing records: every input is checked first, then either all that may be written is, or nothing.

A batch in which every input carries its own `objectWriteTraceId` is answered record by record; without, one bad
record refuses the whole batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from integration_assets.sandbox.hubspot.errors import (
    ApiError,
    Json,
    PropertyProblem,
    conflict,
    error,
    invalid_properties,
    not_found,
    problems_text,
    validation,
)
from integration_assets.sandbox.hubspot.library import pipeline_problems
from integration_assets.sandbox.hubspot.linking import link_new
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.reading import chosen, render
from integration_assets.sandbox.hubspot.records import Record
from integration_assets.sandbox.hubspot.values import InvalidValueError, kept, problem

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal


@dataclass
class Draft:
    """One input, checked. `target` is None for a record to be created; `refusal` says why it cannot be written."""

    changes: dict[str, str] = field(default_factory=dict)
    target: Record | None = None
    trace: str | None = None
    refusal: ApiError | None = None
    omitted: bool = False
    """Neither written nor reported: what was seen for ids that were merged away."""
    associations: list[Json] = field(default_factory=list)


def draft(
    portal: Portal, one: ObjectType, properties: Any, target: Record | None, *, key: tuple[str, str] | None = None
) -> Draft:
    """Check the properties of one input. `key` is the unique property an upsert finds its record by."""
    made = Draft(target=target)
    if not isinstance(properties, dict):
        made.refusal = validation('Inputs need "properties"')
        return made
    given = dict(properties)
    if key is not None and target is None:
        given.setdefault(*key)
    problems: list[PropertyProblem] = []
    for name, raw in given.items():
        found = _checked(portal, one, name, raw, target)
        if isinstance(found, PropertyProblem):
            problems.append(found)
        elif found is not None:
            made.changes[name] = found
    problems += _missing(one, made)
    after = {**(target.properties if target else {}), **made.changes}
    problems += pipeline_problems(portal, one, after, new=target is None)
    if problems:
        made.refusal = invalid_properties(problems, portal.portal_id)
    if one.name == "contacts" and "email" in made.changes:
        made.changes["hs_email_domain"] = made.changes["email"].rpartition("@")[2]
    return made


def _checked(
    portal: Portal, one: ObjectType, name: str, raw: object, target: Record | None
) -> str | PropertyProblem | None:
    definition = one.definition(name)
    if definition is None:
        return PropertyProblem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist')
    if definition["modificationMetadata"]["readOnlyValue"] or definition["calculated"]:
        return PropertyProblem(name, "READ_ONLY_VALUE", f'"{name}" is a read only property; its value cannot be set')
    if raw is None:
        if portal.options.null_in_write == "rejected":
            return PropertyProblem(name, "INVALID_VALUE", f'"{name}" cannot be null')
        return "" if portal.options.null_in_write == "clears" else None
    current = target.properties.get(name) if target else None
    try:
        return kept(definition, raw, current, utf16=portal.options.text_length_unit == "utf16")
    except InvalidValueError as fault:
        return problem(definition, fault)


def _missing(one: ObjectType, made: Draft) -> list[PropertyProblem]:
    after = {**(made.target.properties if made.target else {}), **made.changes}
    found: list[PropertyProblem] = []
    if made.target is None:
        if one.needs_one_of and not any(after.get(name) for name in one.needs_one_of):
            names = ", ".join(one.needs_one_of)
            found.append(PropertyProblem(one.needs_one_of[0], "MISSING_REQUIRED_PROPERTY", f"One of {names} is needed"))
        required = {*(one.schema.current or {}).get("requiredProperties", ()), *one.required_on_create}
        found += [
            PropertyProblem(name, "MISSING_REQUIRED_PROPERTY", f'Property "{name}" is required')
            for name in sorted(required)
            if not after.get(name)
        ]
    found += [
        PropertyProblem(name, "MISSING_CONDITIONAL_REQUIRED_PROPERTY", f'Property "{name}" is required')
        for name, other, value in one.required_when
        if after.get(other) == value and not after.get(name)
    ]
    return found


def commit(portal: Portal, one: ObjectType, made: Draft) -> Record:
    """Write one checked input."""
    now = portal.clock()
    moment = int(now * 1000)
    if made.target is None:
        properties = {name: value for name, value in made.changes.items() if value}
        record = Record(one.store.new_id(), properties, moment, moment)
        one.store.add(record, now)
        link_new(portal, one, record.id, made.associations)
        return record
    before = one.store.records[made.target.id]
    moved = any(before.properties.get(name, "") != value for name, value in made.changes.items())
    if not moved and not portal.options.noop_moves_modified:
        return before
    after = {**before.properties, **made.changes}
    if portal.options.cleared_reads_as == "null":
        after = {name: value for name, value in after.items() if value}
    record = Record(
        before.id, after, before.created, max(moment, before.updated), previous=before if moved else before.previous
    )
    one.store.replace(record, now)
    return record


def find_conflict(
    one: ObjectType, made: Draft, claimed: dict[tuple[str, str], int], number: int
) -> tuple[str, str] | None:
    """(unique property, holder) when a value of this input belongs to another record or to another input."""
    for name, value in _unique_values(one, made):
        holder = one.store.holder(name, value)
        if holder is not None and (made.target is None or holder != made.target.id):
            return name, str(holder)
        if claimed.setdefault((name, one.store.normal(name, value)), number) != number:
            return name, "another input"
    return None


def _unique_values(one: ObjectType, made: Draft) -> Iterable[tuple[str, str]]:
    for name in one.store.unique:
        if made.changes.get(name):
            yield name, made.changes[name]
    for address in made.changes.get("hs_additional_emails", "").split(";") if one.name == "contacts" else ():
        if address.strip():
            yield "email", address.strip()


def write_one(portal: Portal, one: ObjectType, made: Draft) -> Json:
    """Create or update a single record.

    Raises:
        ApiError: it is refused.
    """
    if made.refusal is not None:
        raise made.refusal
    clash = find_conflict(one, made, {}, 0)
    if clash is not None:
        name, holder = clash
        if one.name == "contacts" and name == "email":
            raise conflict(f"Contact already exists. Existing ID: {holder}")
        raise invalid_properties([_clash_problem(name, holder)], portal.portal_id)
    record = commit(portal, one, made)
    return render(portal, one, record, chosen(one, list(made.changes)))


def _clash_problem(name: str, holder: str) -> PropertyProblem:
    return PropertyProblem(name, "CONFLICTING_UNIQUE_VALUE", f'The value of "{name}" is held by {holder} already')


def write_batch(
    portal: Portal, one: ObjectType, drafts: Sequence[Draft], *, upsert: bool = False
) -> tuple[list[Json], list[Json]]:
    """Write a batch; returns results in no particular order, and error entries.

    Raises:
        ApiError: the whole batch is refused.
    """
    traces = [made.trace for made in drafts]
    traced = all(traces) and len(set(traces)) == len(traces)
    _find_conflicts(portal, one, drafts, traced=traced)
    refused = [made for made in drafts if made.refusal is not None]
    if refused and not traced:
        raise refused[0].refusal or validation("The batch was refused")
    results: list[Json] = []
    for made in drafts:
        if made.refusal is not None or made.omitted:
            continue
        new = made.target is None
        record = commit(portal, one, made)
        result = render(portal, one, record, chosen(one, list(made.changes)))
        if made.trace:
            result["objectWriteTraceId"] = made.trace
        if upsert:
            result["new"] = new
        results.append(result)
    portal.random.shuffle(results)
    return results, [_entry(made) for made in refused]


def _find_conflicts(portal: Portal, one: ObjectType, drafts: Sequence[Draft], *, traced: bool) -> None:
    claimed: dict[tuple[str, str], int] = {}
    for number, made in enumerate(drafts):
        if made.refusal is not None or made.omitted:
            continue
        clash = find_conflict(one, made, claimed, number)
        if clash is None:
            continue
        refusal = _batch_conflict(portal, one, *clash)
        if not traced or portal.options.conflict_with_trace_ids == "whole_batch":
            raise refusal
        made.refusal = refusal


def _batch_conflict(portal: Portal, one: ObjectType, name: str, holder: str) -> ApiError:
    if portal.options.conflict_status == 400:
        return invalid_properties([_clash_problem(name, holder)], portal.portal_id)
    if one.name == "contacts" and name == "email":
        return conflict(f"Contact already exists. Existing ID: {holder}")
    return conflict(problems_text([_clash_problem(name, holder)], portal.portal_id))


def _entry(made: Draft) -> Json:
    body = made.refusal.body if made.refusal else {}
    context = {**body.get("context", {}), "objectWriteTraceId": [made.trace]}
    return {
        "status": "error",
        "category": body.get("category", "VALIDATION_ERROR"),
        "message": body.get("message", ""),
        "context": context,
    }


# ------------------------------------------------------------------------------------------------- inputs of batches


def check_distinct(ids: Sequence[str], compared: Sequence[str]) -> None:
    """Refuse a batch in which an id appears twice.

    Raises:
        ApiError: 400 for the whole batch.
    """
    seen: set[str] = set()
    twice = []
    for one_id, form in zip(ids, compared, strict=True):
        if form in seen:
            twice.append(one_id)
        seen.add(form)
    if twice:
        listed = list(dict.fromkeys(twice))
        raise validation(
            f"Duplicate IDs found in batch input: [{', '.join(listed)}]. IDs must be unique", context={"ids": listed}
        )


def require_unique(portal: Portal, one: ObjectType, name: str, *, email: bool) -> None:
    """Refuse to find records by a property whose values are not unique.

    Raises:
        ApiError: 400 for the whole request.
    """
    if name not in one.store.unique or one.definition(name) is None or (name == "email" and not email):
        raise validation(
            f"Unable to perform update/upsert by non-unique {one.object_type_id} property {name} "
            f"in portal ID {portal.portal_id}"
        )


def draft_update(portal: Portal, one: ObjectType, item: Json) -> Draft:
    """Check one input of a batch update."""
    asked, id_property = str(item["id"]), item.get("idProperty")
    by_id = int(asked) if asked.isdigit() else None
    found = one.store.holder(id_property, asked) if id_property else by_id
    target = one.store.find(found) if found is not None else None
    if target is None and found is not None and found in one.store.merged_into:
        if portal.options.merged_id_in_update == "omitted":
            return Draft(omitted=True)
        if portal.options.merged_id_in_update == "survivor":
            target = one.store.find(one.store.survivor(found))
    if target is None:
        return Draft(refusal=missing_records(one, [asked]))
    return draft(portal, one, item.get("properties"), target)


def draft_upsert(portal: Portal, one: ObjectType, item: Json) -> Draft:
    """Check one input of a batch upsert."""
    name, value = item["idProperty"], str(item["id"])
    holder = one.store.holder(name, value)
    target = one.store.find(holder) if holder is not None else None
    return draft(portal, one, item.get("properties"), target, key=(name, value))


def missing_records(one: ObjectType, ids: list[str]) -> ApiError:
    """The refusal that stands for every id that was not found."""
    return not_found(
        f"Could not get some {one.singular.upper()} objects, they may be deleted or not exist. "
        "Check that ids are valid.",
        context={"ids": ids},
    )


def too_many(portal: Portal, limit: int) -> ApiError:
    """The refusal of a batch that is too long."""
    return error(400, "VALIDATION_ERROR", f"{portal.options.over_limit_message} ({limit})")
