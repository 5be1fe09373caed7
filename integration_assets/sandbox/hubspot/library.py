"""HubSpot's library of objects beside companies, contacts and deals, and which of them a subscription brings.

Services and projects have to be activated by a person; tickets are always there. Where the documents are silent (which
values a new record needs, how much a portal has room for), an option says so, and the default is hard on a client.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from integration_assets.sandbox.hubspot.definitions import library_properties
from integration_assets.sandbox.hubspot.errors import ApiError, Json, PropertyProblem, error, validation
from integration_assets.sandbox.hubspot.links import HUBSPOT, PRIMARY_COMPANY_OF_TICKET, AssociationType
from integration_assets.sandbox.hubspot.objects import ObjectType

if TYPE_CHECKING:
    from integration_assets.sandbox.hubspot.portal import Portal

PIPELINE, STAGE = "hs_pipeline", "hs_pipeline_stage"


@dataclass(frozen=True)
class LibraryObject:
    """An object of the library. `name_property` names its records; the numbers are of its plain links."""

    name: str
    object_type_id: str
    singular: str
    name_property: str
    to_company: tuple[int, int]
    to_contact: tuple[int, int]
    activated_by_people: bool = True


LIBRARY = (
    LibraryObject("services", "0-162", "service", "hs_name", (793, 792), (799, 798)),
    LibraryObject("projects", "0-970", "project", "hs_name", (1249, 1248), (1247, 1246)),
    LibraryObject("tickets", "0-5", "ticket", "subject", (339, 340), (16, 15), activated_by_people=False),
)


@dataclass
class Pipelines:
    """The pipelines of one object type, by id."""

    by_id: dict[str, Json] = field(default_factory=dict)


def add_library(portal: Portal, since: float) -> None:
    """Give a new portal the objects of the library, their pipelines and their ways to be associated."""
    for one in LIBRARY:
        group = f"{one.singular}information"
        made = ObjectType(
            name=one.name,
            object_type_id=one.object_type_id,
            singular=one.singular,
            store=portal.new_store(),
            created_property="createdate" if one.name == "tickets" else "hs_createdate",
            modified_property="hs_lastmodifieddate",
            needs_one_of=(one.name_property,),
        )
        made.groups[group] = {"name": group, "label": f"{one.singular.capitalize()} information", "displayOrder": 0}
        for definition in library_properties(one.name_property, group, made.created_property):
            made.add_property(definition, since)
        portal.objects[one.name] = made
        portal.pipelines[one.name] = Pipelines()
        stages: list[Json] = [{"label": "New"}, {"label": "Closed"}]
        create_pipeline(portal, made, {"label": f"{one.singular.capitalize()} pipeline", "stages": stages})
        for there, back in _types(one):
            portal.types.add(there, back, since)


def _types(one: LibraryObject) -> list[tuple[AssociationType, AssociationType]]:
    rows: list[tuple[str, str, tuple[int, int], str | None, str]] = [
        ("companies", "company", one.to_company, None, "_unlabeled"),
        ("contacts", "contact", one.to_contact, None, ""),
    ]
    if one.name == "tickets":
        rows.append(("companies", "company", (PRIMARY_COMPANY_OF_TICKET[1], 25), "Primary", ""))
    return [
        (
            AssociationType(
                (one.name, target), (HUBSPOT, there), label, f"{one.singular}_to_{singular}{ending}", (HUBSPOT, back)
            ),
            AssociationType(
                (target, one.name), (HUBSPOT, back), label, f"{singular}_to_{one.singular}{ending}", (HUBSPOT, there)
            ),
        )
        for target, singular, (there, back), label, ending in rows
    ]


def library_object(name: str) -> LibraryObject | None:
    """The library's entry of an object type, by canonical name."""
    return next((one for one in LIBRARY if one.name == name), None)


def is_activated(portal: Portal, one: LibraryObject) -> bool:
    """True if a person has activated the object, or nobody needs to."""
    return not one.activated_by_people or one.name in portal.options.activated


def not_activated(one: ObjectType) -> ApiError:
    """Unknown: how an object that was not activated is refused."""
    return error(403, "FORBIDDEN", f"Object type {one.object_type_id} is not enabled for this account")


# -------------------------------------------------------------------------------------------------------- pipelines


def create_pipeline(portal: Portal, one: ObjectType, body: Json) -> Json:
    """Create a pipeline with its stages; ids are the portal's own.

    Raises:
        ApiError: there is no room for one more, its label is taken, or it has no stages.
    """
    kept = portal.pipelines.get(one.name)
    if kept is None:
        raise validation(f"{one.name} have no pipelines that could be created")
    label, stages = body.get("label"), body.get("stages")
    if not isinstance(label, str) or not label:
        raise validation("Pipelines need a label")
    if not isinstance(stages, list) or not stages:
        raise validation("Pipelines need at least one stage")
    if any(known["label"] == label for known in kept.by_id.values()):
        raise validation(f'A pipeline with the label "{label}" exists already')
    if len(kept.by_id) >= portal.options.max_pipelines:
        raise error(403, "FORBIDDEN", f"The limit of {portal.options.max_pipelines} pipelines is reached")
    made: Json = {
        "id": portal.new_pipeline_id(),
        "label": label,
        "displayOrder": body.get("displayOrder", -1),
        "archived": False,
        "stages": [
            {
                "id": portal.new_pipeline_id(),
                "label": stage["label"],
                "displayOrder": order,
                "archived": False,
                "metadata": {"ticketState": "OPEN", **(stage.get("metadata") or {})},
            }
            for order, stage in enumerate(stages)
        ],
    }
    kept.by_id[made["id"]] = made
    return made


def pipeline_problems(portal: Portal, one: ObjectType, after: dict[str, str], *, new: bool) -> list[PropertyProblem]:
    """Faults of the pipeline and the stage of a record as it would be."""
    kept = portal.pipelines.get(one.name)
    if kept is None:
        return []
    missing = [name for name in (PIPELINE, STAGE) if not after.get(name)]
    if missing and new and portal.options.stage_is_required:
        return [
            PropertyProblem(name, "MISSING_REQUIRED_PROPERTY", f'Property "{name}" is required') for name in missing
        ]
    if missing:
        return []
    pipeline = kept.by_id.get(after[PIPELINE])
    if pipeline is None:
        return [PropertyProblem(PIPELINE, "INVALID_OPTION", "There is no such pipeline")]
    if after[STAGE] not in {stage["id"] for stage in pipeline["stages"]}:
        return [PropertyProblem(STAGE, "INVALID_OPTION", "There is no such stage in the pipeline")]
    return []
