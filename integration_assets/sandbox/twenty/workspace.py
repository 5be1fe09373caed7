"""A workspace in memory: its objects, their records, and the rules by which records are written."""

from __future__ import annotations

import base64
import json
import random
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

from integration_assets.sandbox.made_up import repeatable
from integration_assets.sandbox.twenty.errors import Json, limit_reached, refused
from integration_assets.sandbox.twenty.options import TwentyOptions
from integration_assets.sandbox.twenty.schema import FieldMeta, ObjectMeta
from integration_assets.sandbox.twenty.values import EMPTY, stored

LIMIT_SECONDS = 60.0

_STANDARD: tuple[tuple[str, str, str, tuple[tuple[str, str, bool], ...]], ...] = (
    ("company", "companies", "TEXT", (("domainName", "LINKS", True), ("employees", "NUMBER", False))),
    (
        "person",
        "people",
        "FULL_NAME",
        (("emails", "EMAILS", True), ("jobTitle", "TEXT", False), ("city", "TEXT", False)),
    ),
    (
        "opportunity",
        "opportunities",
        "TEXT",
        (("amount", "CURRENCY", False), ("closeDate", "DATE_TIME", False), ("stage", "SELECT", False)),
    ),
)
"""Standard objects: names, type of the name, and further fields with their type and uniqueness."""
WON, LOST = "CUSTOMER", "LOST"
STAGES = ("NEW", "SCREENING", "MEETING", "PROPOSAL", WON, LOST)
"""Stages of opportunities: those of a new workspace, and one that this workspace has added."""


def api_key(workspace_id: str) -> str:
    """An API key as Twenty makes them: a token whose claims name the workspace. It opens this look-alike only."""
    claims = {"sub": workspace_id, "type": "API_KEY", "workspaceId": workspace_id, "exp": 4_102_444_800, "jti": "1"}
    parts = [{"alg": "HS256", "typ": "JWT"}, claims]
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "look-alike"])


class Workspace:
    """One workspace. `lock` is held while a request is answered; `now` gives seconds since 1970."""

    def __init__(
        self, workspace_id: str, *, options: TwentyOptions | None = None, now: Callable[[], float] = time.time
    ) -> None:
        self.workspace_id = workspace_id
        self.key = api_key(workspace_id)
        self.options = options or TwentyOptions()
        self.lock = threading.RLock()
        self.now = now
        self.objects: dict[str, ObjectMeta] = {}
        """By the plural name."""
        self.rows: dict[str, dict[str, Json]] = {}
        """By the plural name of the object, then by id; soft-deleted ones included."""
        self._draw: random.Random = repeatable(workspace_id)
        self._calls: deque[float] = deque()
        self._holders: dict[str, dict[str, dict[str, str]]] = {}
        for singular, plural, name_type, fields in _STANDARD:
            one = self.add_object(singular, plural, singular.title(), plural.title(), name_type=name_type, custom=False)
            for name, kind, unique in fields:
                self.add_field(one, kind, name, unique=unique, custom=False)
        self.objects["opportunities"].fields["stage"].options = [
            {"label": stage.title(), "value": stage, "color": "sky", "position": place}
            for place, stage in enumerate(STAGES)
        ]
        companies = self.objects["companies"]
        revenue = {"amountMicros": None, "currencyCode": f"'{self.options.currency}'"}
        self.add_field(companies, "CURRENCY", self.options.revenue_field, default=revenue, custom=False)
        for plural in ("people", "opportunities"):
            self.add_relation(self.objects[plural], "company", "Company", companies, plural, custom=False)

    # -- limits

    def take_token(self) -> None:
        """Count a call.

        Raises:
            ApiError: 429, the bucket of the workspace is empty.
        """
        most, now = self.options.calls_per_minute, self.now()
        while self._calls and self._calls[0] <= now - LIMIT_SECONDS:
            self._calls.popleft()
        if most is not None and len(self._calls) >= most:
            raise limit_reached(most)
        self._calls.append(now)

    # -- schema

    def add_object(
        self,
        singular: str,
        plural: str,
        label: str,
        label_plural: str,
        *,
        name_type: str = "TEXT",
        custom: bool = True,
    ) -> ObjectMeta:
        """Make an object with the fields every object has."""
        one = ObjectMeta(self.new_id(), singular, plural, label, label_plural, custom)
        self.objects[plural], self.rows[plural], self._holders[plural] = one, {}, {}
        for name, kind in (
            ("id", "UUID"),
            ("createdAt", "DATE_TIME"),
            ("updatedAt", "DATE_TIME"),
            ("deletedAt", "DATE_TIME"),
            ("position", "POSITION"),
        ):
            one.fields[name] = FieldMeta(self.new_id(), name, kind, name, system=True)
        one.fields["name"] = FieldMeta(self.new_id(), "name", name_type, "Name", default="''")
        return one

    def add_field(
        self,
        one: ObjectMeta,
        kind: str,
        name: str,
        *,
        label: str = "",
        description: str = "",
        unique: bool = False,
        options: list[Json] | None = None,
        default: Any = None,
        custom: bool = True,
    ) -> FieldMeta:
        """Make a field; records that are there have its empty value."""
        # The first generation has an empty text where the second has null: only there it is no key.
        default = "''" if default is None and kind == "TEXT" else default
        field = FieldMeta(self.new_id(), name, kind, label or name, description, unique, options, default, custom)
        one.fields[name] = field
        for row in self.rows[one.plural].values():
            row[field.column] = deepcopy(EMPTY.get(kind))
        return field

    def add_relation(
        self,
        one: ObjectMeta,
        name: str,
        label: str,
        target: ObjectMeta,
        inverse: str,
        *,
        inverse_label: str = "",
        custom: bool = True,
    ) -> FieldMeta:
        """Make a relation to one record of `target`, with its other end."""
        field = FieldMeta(self.new_id(), name, "RELATION", label, custom=custom)
        field.relation_type, field.relation_target = "MANY_TO_ONE", target.plural
        one.fields[name] = field
        back = FieldMeta(self.new_id(), inverse, "RELATION", inverse_label or inverse, custom=custom)
        back.relation_type, back.relation_target = "ONE_TO_MANY", one.plural
        target.fields[inverse] = back
        for row in self.rows[one.plural].values():
            row[field.column] = None
        return field

    def new_id(self) -> str:
        """A new id; the same in the same order for a workspace."""
        return str(uuid.UUID(int=self._draw.getrandbits(128), version=4))

    # -- records, behind the API's back

    def seed(self, plural: str, rows: Iterable[Mapping[str, Any]]) -> list[str]:
        """Put in records as given, without any normalisation; returns their ids."""
        made = []
        for given in rows:
            row = self._empty(self.objects[plural]) | dict(given)
            self._keep(self.objects[plural], row)
            made.append(row["id"])
        return made

    def live(self, plural: str) -> list[Json]:
        """The records that are not deleted, by id."""
        return [row for _, row in sorted(self.rows[plural].items()) if row["deletedAt"] is None]

    # -- records, by the rules of the API

    def create(self, plural: str, rows: Sequence[Json], *, upsert: bool) -> list[Json]:
        """Create records, or with `upsert` update those that one of their unique values finds. All, or none.

        Updated records come first in what is returned, each once.

        Raises:
            ApiError: one of the rows is refused.
        """
        one = self.objects[plural]
        updated: dict[str, Json] = {}
        created: list[Json] = []
        claimed: set[tuple[str, str]] = set()
        for given in rows:
            found = self._found(one, given) if upsert else set()
            if len(found) > 1:
                raise refused("Multiple records found with the same unique field values for upsert")
            if found:
                (record_id,) = found
                before = updated.get(record_id) or self.rows[plural][record_id]
                updated[record_id] = {**before, **self._values(one, given, before), "deletedAt": None}
                continue
            row = {**self._empty(one), **self._values(one, given, None)}
            claims = self._claims(one, row)
            if claims & claimed or any(self._holder(one, *claim) for claim in claims):
                raise self._duplicate(one, claims)
            claimed |= claims
            created.append(row)
        changed = [{**row, "updatedAt": self.moment()} for row in updated.values()]
        for row in changed:
            self._unclaimed_by_others(one, row)
        for row in (*changed, *created):
            self._keep(one, row)
        return [*changed, *created]

    def update(self, plural: str, record_id: str, given: Json) -> Json:
        """Change a live record.

        Raises:
            ApiError: there is none, or a value is refused.
        """
        one, before = self.objects[plural], self.record(plural, record_id)
        row = {**before, **self._values(one, given, before), "updatedAt": self.moment()}
        self._unclaimed_by_others(one, row)
        self._keep(one, row)
        return row

    def record(self, plural: str, record_id: str) -> Json:
        """A live record.

        Raises:
            ApiError: 404.
        """
        row = self.rows[plural].get(record_id)
        if row is None or row["deletedAt"] is not None:
            raise refused("Record not found", status=404, kind="NotFoundException")
        return row

    def soft_delete(self, plural: str, record_id: str) -> None:
        """Put a record into the bin. It keeps its unique values."""
        row = self.rows[plural][record_id]
        self._keep(self.objects[plural], {**row, "deletedAt": self.moment()})

    def destroy(self, plural: str, record_id: str) -> None:
        """Remove a record for good; relations to it become null."""
        self._release(self.objects[plural], self.rows[plural].pop(record_id))
        for other in self.objects.values():
            for field in other.fields.values():
                if field.relation_type == "MANY_TO_ONE" and field.relation_target == plural:
                    for row in self.rows[other.plural].values():
                        if row.get(field.column) == record_id:
                            row[field.column] = None

    def moment(self) -> str:
        """The time now, as records tell it."""
        now = datetime.fromtimestamp(self.now(), UTC)
        return f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z"

    def _empty(self, one: ObjectMeta) -> Json:
        now = self.moment()
        row = {column: deepcopy(EMPTY.get(field.type)) for column, field in one.columns().items()}
        for column, field in one.columns().items():
            if field.type == "SELECT" and isinstance(field.default, str):
                row[column] = field.default.strip("'")
        return row | {"id": self.new_id(), "createdAt": now, "updatedAt": now, "deletedAt": None, "position": 0}

    def _values(self, one: ObjectMeta, given: Json, before: Json | None) -> Json:
        """The given values in the form they are kept in."""
        columns, values = one.columns(), {}
        for name, value in given.items():
            field = columns.get(name)
            if field is None:
                raise self._unknown_field(one, name)
            had = (before or {}).get(name) or deepcopy(EMPTY.get(field.type))
            values[name] = stored(field, value, had, first_generation=self.options.first_generation)
            if field.relation_target and values[name] is not None:
                self._reachable(field, values[name])
        return values

    def _reachable(self, field: FieldMeta, record_id: str) -> None:
        # The first generation takes an id of nothing.
        if not self.options.first_generation and record_id not in self.rows[field.relation_target or ""]:
            raise refused(f'insert or update on table violates foreign key constraint "FK_{field.id[:8]}"')

    def _unknown_field(self, one: ObjectMeta, name: str) -> Exception:
        if self.options.first_generation:
            return refused(f'Field metadata for field "{name}" is missing in object metadata {one.singular}')
        return refused(f'Object {one.singular} doesn\'t have any "{name}" field.')

    def _duplicate(self, one: ObjectMeta, claims: set[tuple[str, str]]) -> Exception:
        if not self.options.first_generation:
            return refused("A duplicate entry was detected")
        column, value = min(claims)
        label = one.fields[column.partition(".")[0]].label
        return refused(f"Duplicate {label} with value {value}. Please set a unique one.", kind="UserInputError")

    # -- unique values

    def _claims(self, one: ObjectMeta, row: Mapping[str, Any]) -> set[tuple[str, str]]:
        claims = set()
        for column in one.unique_columns():
            name, _, part = column.partition(".")
            value = row.get(name)
            value = value.get(part) if part and isinstance(value, Mapping) else value
            # An empty text is no key: any number of records have it.
            if isinstance(value, str) and value:
                claims.add((column, value))
        return claims

    def _holder(self, one: ObjectMeta, column: str, value: str) -> str | None:
        return self._holders[one.plural].get(column, {}).get(value)

    def _found(self, one: ObjectMeta, given: Json) -> set[str]:
        """Ids of the records, deleted ones too, that have one of the given unique values, or the given id."""
        keys = {name: value for name, value in given.items() if name in one.columns()}
        normal = self._values(one, {name: keys[name] for name in keys if one.columns()[name].unique}, None)
        found = {holder for claim in self._claims(one, normal) if (holder := self._holder(one, *claim))}
        return found | ({given["id"]} if given.get("id") in self.rows[one.plural] else set())

    def _unclaimed_by_others(self, one: ObjectMeta, row: Json) -> None:
        claims = self._claims(one, row)
        if any(self._holder(one, *claim) not in (None, row["id"]) for claim in claims):
            raise self._duplicate(one, claims)

    def _keep(self, one: ObjectMeta, row: Json) -> None:
        if before := self.rows[one.plural].get(row["id"]):
            self._release(one, before)
        self.rows[one.plural][row["id"]] = row
        for column, value in self._claims(one, row):
            self._holders[one.plural].setdefault(column, {})[value] = row["id"]

    def _release(self, one: ObjectMeta, row: Json) -> None:
        for column, value in self._claims(one, row):
            self._holders[one.plural].get(column, {}).pop(value, None)
