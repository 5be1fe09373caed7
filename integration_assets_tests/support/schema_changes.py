"""What an administrator does to a portal that the product then has to notice, through HubSpot's own client."""

from __future__ import annotations

from hubspot.crm.properties import PropertyUpdate  # type: ignore[import-untyped]  # the client has no types
from hubspot.crm.schemas import ObjectTypeDefinitionPatch  # type: ignore[import-untyped]  # the client has no types

from integration_assets_tests.support.harness import OBJECT, World


def without_property(world: World) -> None:
    """Archive `voter_domains`."""
    with world.as_person() as (client, object_type):
        client.crm.properties.core_api.archive(object_type, "voter_domains")


def with_property_back(world: World) -> None:
    """Restore `voter_domains`, as the portal offers it for archived properties: its values come back with it."""
    kept = world.portal.object_type(OBJECT).properties["voter_domains"]
    with world.portal.lock:
        kept.set({**(kept.current or {}), "archived": False}, world.portal.clock())


def without_option(world: World) -> None:
    """Take the option `planned` from `status`."""
    with world.as_person() as (client, object_type):
        options = [
            option.to_dict() | {"displayOrder": place}
            for place, option in enumerate(client.crm.properties.core_api.get_by_name(object_type, "status").options)
            if option.value != "planned"
        ]
        for option in options:
            option.pop("display_order", None)
        client.crm.properties.core_api.update(object_type, "status", PropertyUpdate(options=options))


def with_option_back(world: World) -> None:
    """Add the option `planned` to `status` again, with the same internal value: `setup` changes no options."""
    kept = world.portal.object_type(OBJECT).properties["status"]
    with world.portal.lock:
        definition = kept.current or {}
        planned = {"label": "Planned", "value": "planned", "displayOrder": len(definition["options"]), "hidden": False}
        kept.set({**definition, "options": [*definition["options"], planned]}, world.portal.clock())


def without_label(world: World) -> None:
    """Remove the association label `Voted`."""
    with world.as_person() as (client, object_type):
        definitions = client.crm.associations.v4.schema.definitions_api
        voted = next(one for one in definitions.get_all(object_type, "companies").results if one.label == "Voted")
        definitions.remove(object_type, "companies", voted.type_id)


def with_a_requirement(world: World) -> None:
    """Make `category` mandatory."""
    with world.as_person() as (client, object_type):
        schemas = client.crm.schemas.core_api
        required = [*schemas.get_by_id(object_type).required_properties, "category"]
        schemas.update(object_type, ObjectTypeDefinitionPatch(required_properties=required))


def without_the_requirement(world: World) -> None:
    """What `with_a_requirement` has changed, changed back."""
    with world.as_person() as (client, object_type):
        schemas = client.crm.schemas.core_api
        required = [name for name in schemas.get_by_id(object_type).required_properties if name != "category"]
        schemas.update(object_type, ObjectTypeDefinitionPatch(required_properties=required))


def with_another_label(world: World) -> None:
    """Call `votes` something else on the screen; its name stays."""
    with world.as_person() as (client, object_type):
        client.crm.properties.core_api.update(object_type, "votes", PropertyUpdate(label="Number of votes"))
