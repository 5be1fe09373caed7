"""One object type of a portal: its definition, properties, groups and records."""

from __future__ import annotations

from dataclasses import dataclass, field

from integration_assets.sandbox.hubspot.definitions import changed_property, new_property
from integration_assets.sandbox.hubspot.errors import Json, error, not_found, validation
from integration_assets.sandbox.hubspot.lagged import Lagged
from integration_assets.sandbox.hubspot.options import PortalOptions
from integration_assets.sandbox.hubspot.records import RecordStore

STANDARD_DEFAULTS = {
    "companies": ("name", "domain"),
    "contacts": ("firstname", "lastname", "email"),
    "services": ("hs_name", "hs_pipeline", "hs_pipeline_stage"),
    "projects": ("hs_name", "hs_pipeline", "hs_pipeline_stage"),
    "tickets": ("subject", "hs_pipeline", "hs_pipeline_stage"),
    "deals": ("dealname", "amount", "closedate", "pipeline", "dealstage"),
}
"""Properties a read returns when none is asked for, besides those of the system."""


@dataclass
class ObjectType:
    """Companies, contacts, deals or a custom object. `name` is the canonical name: "companies", or that of our own."""

    name: str
    object_type_id: str
    singular: str
    store: RecordStore
    created_property: str
    modified_property: str
    custom: bool = False
    fully_qualified_name: str | None = None
    schema: Lagged[Json] = field(default_factory=Lagged)
    properties: dict[str, Lagged[Json]] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    needs_one_of: tuple[str, ...] = ()
    required_on_create: set[str] = field(default_factory=set)
    """Fields an administrator made mandatory in the form that creates records."""
    required_when: list[tuple[str, str, str]] = field(default_factory=list)
    """Rules (property, other, value): `property` is mandatory when `other` has that value."""

    @property
    def system(self) -> tuple[str, str, str]:
        """Properties every read returns."""
        return (self.created_property, self.modified_property, "hs_object_id")

    @property
    def defaults(self) -> tuple[str, ...]:
        """Properties a read returns when none is asked for."""
        return (*STANDARD_DEFAULTS.get(self.name, ()), *self.system)

    def definition(self, name: str) -> Json | None:
        """The live definition of a property, or None."""
        kept = self.properties.get(name)
        current = kept.current if kept else None
        return current if current is not None and not current.get("archived") else None

    def definitions(self, *, seen_at: float, archived: bool = False) -> list[Json]:
        """The definitions as a reader saw them at a moment."""
        seen = [kept.seen(seen_at) for kept in self.properties.values()]
        return [one for one in seen if one is not None and bool(one.get("archived")) == archived]

    def add_property(self, definition: Json, at: float) -> None:
        """Make a definition known without any check."""
        self.properties.setdefault(definition["name"], Lagged()).set(definition, at)
        if definition["hasUniqueValue"]:
            self.store.index(definition["name"])

    def create_property(self, body: Json, options: PortalOptions, at: float) -> Json:
        """Create a property, or bring an archived one of that name back, with the values it had.

        Raises:
            ApiError: the name is taken, a limit is reached, or the definition is not acceptable.
        """
        definition = new_property(body, groups=self.groups)
        name = definition["name"]
        if self.definition(name) is not None:
            raise error(
                409,
                "OBJECT_ALREADY_EXISTS",
                f'A property named "{name}" already exists.',
                sub_category="Properties.PROPERTY_WITH_NAME_EXISTS",
            )
        live = [one for kept in self.properties.values() if (one := kept.current) and not one.get("archived")]
        if sum(not one["hubspotDefined"] for one in live) >= options.max_properties:
            raise validation(f"The limit of {options.max_properties} custom properties is reached")
        if definition["hasUniqueValue"]:
            own = sum(one["hasUniqueValue"] and not one["hubspotDefined"] for one in live)
            if own >= options.max_unique_properties:
                raise validation(f"No more than {options.max_unique_properties} properties can have unique values")
        kept = self.properties.get(name)
        if kept is not None and kept.current is not None:
            definition["hasUniqueValue"] = kept.current["hasUniqueValue"]
        self.add_property(definition, at)
        return definition

    def change_property(self, name: str, body: Json, at: float) -> Json:
        """PATCH a property.

        Raises:
            ApiError: there is none, or the change is not acceptable.
        """
        definition = self.definition(name)
        if definition is None:
            raise not_found(f'Property "{name}" does not exist')
        changed = changed_property(definition, body, groups=self.groups)
        self.add_property(changed, at)
        return changed

    def archive_property(self, name: str, at: float) -> None:
        """Archive a property; nothing happens when there is none.

        Raises:
            ApiError: the property is HubSpot's own, or a field of the schema uses it.
        """
        definition = self.definition(name)
        if definition is None:
            return
        if not definition["modificationMetadata"]["archivable"]:
            raise validation(f'Property "{name}" cannot be archived')
        schema = self.schema.current or {}
        if name == schema.get("primaryDisplayProperty"):
            raise validation(f'Property "{name}" is the primary display property')
        self.properties[name].set({**definition, "archived": True}, at)
