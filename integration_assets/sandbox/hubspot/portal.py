"""One HubSpot portal in memory: what tests seed and look at, and what the HTTP routes work on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from integration_assets.sandbox.hubspot.definitions import company_properties, contact_properties, deal_properties
from integration_assets.sandbox.hubspot.errors import Json, not_found, validation
from integration_assets.sandbox.hubspot.exports import ExportDesk
from integration_assets.sandbox.hubspot.library import (
    Pipelines,
    add_library,
    is_activated,
    library_object,
    not_activated,
)
from integration_assets.sandbox.hubspot.links import LinkStore, TypeRegistry, standard_types
from integration_assets.sandbox.hubspot.merging import merge_records
from integration_assets.sandbox.hubspot.objects import ObjectType
from integration_assets.sandbox.hubspot.options import ALL_SCOPES, PortalOptions
from integration_assets.sandbox.hubspot.rates import Clock, Rates
from integration_assets.sandbox.hubspot.reading import render
from integration_assets.sandbox.hubspot.records import Record, RecordStore
from integration_assets.sandbox.hubspot.schemas import create_label, create_schema
from integration_assets.sandbox.hubspot.values import milliseconds_of
from integration_assets.sandbox.made_up import credential, repeatable

SINCE_EVER = float("-inf")
"""A change at this moment is visible to every reader at once."""
TOKEN = credential("pat-na1-sandbox")
_ALIASES = {
    "companies": ("company", "0-2"),
    "contacts": ("contact", "0-1"),
    "deals": ("deal", "0-3"),
}
_NEEDS_ONE_OF = {
    "companies": ("name", "domain"),
    "contacts": ("email", "firstname", "lastname"),
    "deals": ("dealname",),
}


class Portal:
    """A portal. `account_type` is STANDARD, SANDBOX, DEVELOPER_TEST or APP_DEVELOPER.

    Two portals differ in every id: of the portal, of object types, association types and records. `clock` gives
    seconds since the epoch; tests turn their own. `lock` is held while a request or a method works on the state, so a
    test may call methods while a server thread answers.
    """

    def __init__(
        self,
        portal_id: int,
        *,
        account_type: str = "DEVELOPER_TEST",
        token: str = TOKEN,
        scopes: Iterable[str] | None = None,
        options: PortalOptions | None = None,
        time_zone: str = "US/Eastern",
        currency: str = "USD",
        clock: Clock = time.time,
    ) -> None:
        self.portal_id = portal_id
        self.account_type = account_type
        self.token = token
        self.scopes: set[str] = set(ALL_SCOPES if scopes is None else scopes)
        self.options = options or PortalOptions()
        self.time_zone = ZoneInfo(time_zone)
        self.currency = currency
        self.clock = clock
        self.lock = threading.RLock()
        self.random = repeatable(f"{portal_id}/{self.options.seed}")
        self.rates = Rates(self.options, self.time_zone)
        self.types = TypeRegistry(20 + self.random.randrange(200) * 2 + portal_id % 2, 2 + self.random.randrange(3))
        self.links = LinkStore(self.types)
        self.objects: dict[str, ObjectType] = {}
        self.archived_objects: dict[str, ObjectType] = {}
        self.pipelines: dict[str, Pipelines] = {}
        self.exports = ExportDesk()
        self.owners: list[Json] = []
        self._object_number = 100_000 + self.random.randrange(1_000_000) * 2 + portal_id % 2
        self._pipeline_number = 1_000 + self.portal_id % 97
        self._add_standard("companies", company_properties(parent_property=self.options.parent_property))
        self._add_standard("contacts", contact_properties())
        self._add_standard("deals", deal_properties())
        for there, back in standard_types():
            self.types.add(there, back, SINCE_EVER)
        add_library(self, SINCE_EVER)

    # ------------------------------------------------------------------------------------------------- object types

    def new_store(self) -> RecordStore:
        """An empty store whose ids begin somewhere of their own."""
        first = 1_000_000_000 + self.random.randrange(40_000_000_000)
        return RecordStore(
            first,
            search_lag=self.options.search_lag,
            fold_case=self.options.unique_values_fold_case,
            archived_stay_taken=self.options.archived_values_stay_taken,
        )

    def new_object_type_id(self) -> str:
        """The next `2-...` of this portal."""
        self._object_number += 2 * (1 + self.random.randrange(50))
        return f"2-{self._object_number}"

    def new_pipeline_id(self) -> str:
        """The next id of a pipeline or a stage of this portal."""
        self._pipeline_number += 1 + self.random.randrange(50)
        return str(self._pipeline_number)

    def _add_standard(self, name: str, properties: list[Json]) -> None:
        singular, object_type_id = _ALIASES[name]
        made = ObjectType(
            name=name,
            object_type_id=object_type_id,
            singular=singular,
            store=self.new_store(),
            created_property="createdate",
            modified_property="lastmodifieddate" if name == "contacts" else "hs_lastmodifieddate",
            needs_one_of=_NEEDS_ONE_OF[name],
        )
        group = f"{singular}information"
        made.groups[group] = {"name": group, "label": f"{singular.capitalize()} information", "displayOrder": 0}
        for definition in properties:
            made.add_property(definition, SINCE_EVER)
        self.objects[name] = made

    def find_object(self, named: str, *, bare_names: bool = True) -> ObjectType | None:
        """The object type of a path segment: canonical name, singular, objectTypeId or fully qualified name."""
        wanted = named.lower()
        for name, one in self.objects.items():
            known = {one.object_type_id, (one.fully_qualified_name or "").lower()}
            if not one.custom:
                known |= {name, one.singular}
            elif bare_names:
                known.add(name.lower())
            if wanted in known:
                return one
        return None

    def object_type(self, named: str, *, bare_names: bool = True) -> ObjectType:
        """The same, or an error answer.

        Raises:
            ApiError: 400, no such object type; 403, a person has to activate it.
        """
        found = self.find_object(named, bare_names=bare_names)
        if found is None:
            raise validation(f"Unable to infer object type from: {named}")
        if (entry := library_object(found.name)) is not None and not is_activated(self, entry):
            raise not_activated(found)
        return found

    # ------------------------------------------------------------------------------------ what tests and demos call

    def define_object(self, body: Json) -> str:
        """Create a custom object from the body of a schema request, visible at once; returns its objectTypeId."""
        with self.lock:
            return str(create_schema(self, body, SINCE_EVER)["objectTypeId"])

    def define_group(self, object_type: str, name: str, label: str | None = None) -> None:
        """Create a property group, visible at once."""
        with self.lock:
            groups = self.object_type(object_type).groups
            groups[name] = {"name": name, "label": label or name, "displayOrder": -1}

    def define_property(self, object_type: str, definition: Mapping[str, Any]) -> None:
        """Create a property, visible at once. Only `name` is needed; the rest defaults to a one-line text."""
        with self.lock:
            one = self.object_type(object_type)
            name = definition["name"]
            defaults = {"label": name, "type": "string", "fieldType": "text", "groupName": next(iter(one.groups))}
            one.create_property({**defaults, **definition}, self.options, SINCE_EVER)

    def define_label(
        self, from_type: str, to_type: str, name: str, label: str, inverse_label: str | None = None
    ) -> tuple[int, int]:
        """Create an association label, visible at once; returns the type ids of both directions."""
        with self.lock:
            pair = self.object_type(from_type).name, self.object_type(to_type).name
            body = {"name": name, "label": label, "inverseLabel": inverse_label}
            there, back = create_label(self, pair, body, SINCE_EVER)[-1]
            return there.key[1], back.key[1]

    def require(self, object_type: str, property_name: str, *, when: tuple[str, str] | None = None) -> None:
        """Make a property mandatory: on create, or, with `when`, whenever another property has a value."""
        with self.lock:
            one = self.object_type(object_type)
            if when is None:
                one.required_on_create.add(property_name)
            else:
                one.required_when.append((property_name, *when))

    def seed(self, object_type: str, rows: Iterable[Mapping[str, str]]) -> list[str]:
        """Put records in as they are, dirty values included, visible to search at once; returns their ids.

        `createdate` and the modification date may be given; e-mail addresses are lower-cased, empty values left out.

        Raises:
            ValueError: a property is not defined, or a unique value is taken.
        """
        with self.lock:
            one = self.object_type(object_type)
            now = self.clock()
            return [str(self._seed_one(one, row, now).id) for row in rows]

    def _seed_one(self, one: ObjectType, row: Mapping[str, str], now: float) -> Record:
        moments = {name: milliseconds_of(row[name]) for name in one.system[:2] if row.get(name)}
        properties = {name: value for name, value in row.items() if value and name not in one.system}
        for name in properties:
            if one.definition(name) is None:
                raise ValueError(f"{one.name} have no property {name}")
        if one.name == "contacts" and "email" in properties:
            properties["email"] = properties["email"].lower()
            properties["hs_email_domain"] = properties["email"].rpartition("@")[2]
        for name in one.store.unique:
            if name in properties and one.store.holder(name, properties[name]) is not None:
                raise ValueError(f"a record with this {name} exists already")
        created = moments.get(one.created_property) or int(now * 1000)
        updated = moments.get(one.modified_property) or created
        record = Record(one.store.new_id(), properties, created, updated)
        one.store.add(record, now, seen=True)
        return record

    def associate(
        self, from_type: str, from_id: str, to_type: str, to_id: str, types: Iterable[tuple[str, int]] = ()
    ) -> None:
        """Set the types, (category, type id) each, between two records; without any, the plain type of the pair.

        Raises:
            ApiError: a record or a type does not exist.
        """
        with self.lock:
            source, target = self.object_type(from_type), self.object_type(to_type)
            pair = (source.name, target.name)
            for one, record_id in ((source, from_id), (target, to_id)):
                if one.store.find(int(record_id)) is None:
                    raise not_found(f"{one.singular} {record_id} does not exist")
            plain = self.types.plain(pair)
            keys = list(types) or ([plain.key] if plain else [])
            if not keys or any(self.types.find(pair, key) is None for key in keys):
                raise validation(f"No such association type between {from_type} and {to_type}")
            self.links.put(pair, int(from_id), int(to_id), keys)

    def associations(self, from_type: str, from_id: str, to_type: str) -> dict[str, set[str | None]]:
        """Labels (None: the plain type) towards each associated record, by its id."""
        with self.lock:
            pair = self.object_type(from_type).name, self.object_type(to_type).name
            found = self.links.of(pair, int(from_id))
            labels = {one.key: one.label for one in self.types.of(pair)}
            return {str(to_id): {labels.get(key) for key in keys} for to_id, keys in found.items()}

    def records(self, object_type: str, *, archived: bool = False) -> list[Json]:
        """All live, or all archived, records with every set property, by ascending id."""
        with self.lock:
            one = self.object_type(object_type)
            ids = one.store.archived if archived else one.store.live
            names = [name for name in one.properties if one.definition(name)]
            records = (one.store.records[record_id] for record_id in ids)
            return [_without_unset(render(self, one, record, names)) for record in records]

    def archive(self, object_type: str, record_id: str) -> None:
        """Move a record to the recycle bin; its associations go.

        Raises:
            ApiError: 404, there is no such live record.
        """
        with self.lock:
            one = self.object_type(object_type)
            if one.store.find(int(record_id)) is None:
                raise not_found(f"{one.singular} {record_id} does not exist")
            self.links.drop_record(one.name, int(record_id))
            one.store.archive(int(record_id), self.clock())

    def merge(self, object_type: str, primary_id: str, merged_id: str) -> str:
        """Merge the second record into the first; returns the id of the survivor, which is new by default.

        Raises:
            ApiError: a record does not exist, or has swallowed too many already.
        """
        with self.lock:
            one = self.object_type(object_type)
            return str(merge_records(self, one, int(primary_id), int(merged_id)).id)


def _without_unset(record: Json) -> Json:
    return {**record, "properties": {name: value for name, value in record["properties"].items() if value is not None}}
