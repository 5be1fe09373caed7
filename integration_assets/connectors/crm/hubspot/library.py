"""Place of our records in a portal: an object of our own, or one of HubSpot's library beside other people's rows.

In an object of the library our properties begin with the name of our object, so that they meet nobody else's, and every
record of ours carries a marker: a row without it is somebody else's, whatever it holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from integration_assets.models import CrmFeatureRequest, ObjectDefinition, PropertyDefinition, PropertyKind

CUSTOM = "custom"
"""The choice of an object of our own, which needs Enterprise."""
MARKER = "marker"
"""Neutral name of the property that marks our records."""
PIPELINE, STAGE = "hs_pipeline", "hs_pipeline_stage"
"""Properties that say where a record stands."""


class LibraryObject(msgspec.Struct, frozen=True):
    """An object of HubSpot's library that may hold our records.

    `name_property` is the one HubSpot calls a record by. `scopes` read and write its records. `catch` is what it costs
    the people who use the object already, None where that is nothing.
    """

    name: str
    type_id: str
    singular: str
    name_property: str
    scopes: frozenset[str]
    activated_by_people: bool = True
    catch: str | None = None


def _scopes(name: str) -> frozenset[str]:
    return frozenset({f"crm.objects.{name}.read", f"crm.objects.{name}.write"})


LIBRARY: Mapping[str, LibraryObject] = {
    one.name: one
    for one in (
        LibraryObject("services", "0-162", "service", "hs_name", _scopes("services")),
        LibraryObject("projects", "0-970", "project", "hs_name", _scopes("projects")),
        LibraryObject(
            "tickets",
            "0-5",
            "ticket",
            "subject",
            frozenset({"tickets"}),
            activated_by_people=False,
            catch="our records count in reports and views of support tickets",
        ),
    )
}
"""The objects that can be chosen, by name; their type ids are the same in every portal."""
CHOICES = (CUSTOM, *LIBRARY)


class Place(msgspec.Struct, frozen=True):
    """The object that holds our records, and the names by which it knows our properties. Without `library`: our own."""

    library: LibraryObject | None = None

    def stored(self, definition: ObjectDefinition) -> ObjectDefinition:
        """Our object as the portal knows it."""
        if self.library is None:
            return definition
        marker = marker_of(definition)
        return msgspec.structs.replace(
            definition,
            key_property=_prefixed(definition, definition.key_property),
            display_property=_prefixed(definition, definition.display_property),
            properties=tuple(
                msgspec.structs.replace(
                    item, name=_prefixed(definition, item.name), label=_label(definition, item.label)
                )
                for item in (*definition.properties, marker)
            ),
            # The object is HubSpot's, and shows what its portal chose.
            summary_properties=(),
        )

    def needed(self, definition: ObjectDefinition) -> tuple[PropertyDefinition, ...]:
        """Needs of the portal beside our properties, under their neutral name."""
        return () if self.library is None else (marker_of(definition),)

    def neutral_names(self, definition: ObjectDefinition) -> Mapping[str, str]:
        """Our name of each property, by the portal's."""
        if self.library is None:
            return {item.name: item.name for item in definition.properties}
        return {_prefixed(definition, item.name): item.name for item in (*definition.properties, marker_of(definition))}

    def written(self, definition: ObjectDefinition, values: Mapping[str, str]) -> dict[str, str]:
        """Values to write, under the portal's names, with the marker."""
        if self.library is None:
            return dict(values)
        named = {_prefixed(definition, name): value for name, value in values.items()}
        # With every write: a record that lost its marker would be somebody else's from then on.
        return {**named, _prefixed(definition, MARKER): definition.name}

    def is_ours(self, definition: ObjectDefinition, entry: Any) -> bool:
        """Tell a record of ours from the rows of others in the same object, as it came from HubSpot."""
        if self.library is None:
            return True
        properties = entry.get("properties") if isinstance(entry, dict) else None
        return isinstance(properties, dict) and properties.get(_prefixed(definition, MARKER)) == definition.name

    def read(self, definition: ObjectDefinition, record: CrmFeatureRequest) -> CrmFeatureRequest:
        """A record under our own names of its values."""
        if self.library is None:
            return record
        names = self.neutral_names(definition)
        values = {names[name]: value for name, value in record.values.items() if names[name] != MARKER}
        return msgspec.structs.replace(record, values=values)


def marker_of(definition: ObjectDefinition) -> PropertyDefinition:
    """The property that marks our records, under its neutral name."""
    description = f"Says that this record is a {definition.singular.lower()} of the sync. Do not change."
    return PropertyDefinition(MARKER, "Marker", PropertyKind.TEXT, description=description)


def _prefixed(definition: ObjectDefinition, name: str) -> str:
    prefix = f"{definition.name}_"
    return name if name.startswith(prefix) else f"{prefix}{name}"


def _label(definition: ObjectDefinition, label: str) -> str:
    # People pick properties by their labels, and the object has a status of its own.
    return label if label.startswith(definition.singular) else f"{definition.singular}: {label}"
