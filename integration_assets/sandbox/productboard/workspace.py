"""Content of a Productboard workspace: entities of all types in one pool, and notes. Times are ISO 8601 in UTC."""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integration_assets.sandbox.made_up import repeatable

TYPES = (
    "product",
    "component",
    "feature",
    "subfeature",
    "initiative",
    "objective",
    "keyResult",
    "release",
    "releaseGroup",
    "company",
    "user",
)
PARENTS = {"component": ("product", "component"), "feature": ("product", "component"), "subfeature": ("feature",)}
"""What may stand above an entity."""
CALLS_PER_SECOND = 50
ADDRESS = "https://api.productboard.com"
"""What links name as the host, whatever the look-alike is served under."""


def iso(milliseconds: int) -> str:
    """The moment so many milliseconds after 1970, as the API writes it."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@dataclass(slots=True)
class Record:
    """An entity or a note: `relationships` are pairs of type and the id of the target."""

    id: str
    type: str
    created: int
    fields: dict[str, Any]
    relationships: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Options:
    """Setup of the server where the reference leaves it open, or where tokens differ.

    `page` is the server's page size, `embedded` how many relationships come with a record before they need a call of
    their own, `bare` gives those of notes as a plain list. `empty_pages` puts an empty page before each one that
    continues a list. `sees_people`: the token has the scope that shows personal data.
    """

    page: int = 100
    embedded: int = 100
    bare: bool = False
    empty_pages: bool = False
    sees_people: bool = True


class Workspace:
    """The state, and the limit of calls. `limited` False lifts the limit; `now` gives seconds."""

    def __init__(
        self,
        *,
        seed: int = 7,
        options: Options | None = None,
        limited: bool = True,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.options = options or Options()
        self.limited = limited
        self.entities: dict[str, Record] = {}
        self.notes: dict[str, Record] = {}
        self._draw = repeatable(f"productboard/{seed}")
        self._now = now
        self._calls: deque[float] = deque()
        # Three parts, as every token of theirs has: the gateway looks at the form before anything else.
        self.token = f"eyJhbGciOiJub25lIn0.{self._draw.getrandbits(96):024x}.{self._draw.getrandbits(96):024x}"
        self.statuses: dict[str, str] = {}

    def new_id(self) -> str:
        """A UUID nobody has yet."""
        return str(uuid.UUID(int=self._draw.getrandbits(128), version=4))

    def add(
        self,
        kind: str,
        name: str | None,
        created: int,
        *,
        parent: str | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> Record:
        """An entity, below `parent` where that is given.

        Raises:
            ValueError: there is no such type, or nothing of its type may stand below the parent.
        """
        if kind not in TYPES:
            raise ValueError(f"no entity is of type {kind}")
        if parent is not None and self.entities[parent].type not in PARENTS.get(kind, ()):
            raise ValueError(f"a {kind} cannot stand below a {self.entities[parent].type}")
        record = Record(self.new_id(), kind, created, {"name": name, **(fields or {})})
        if parent is not None:
            record.relationships.append(("parent", parent))
        self.entities[record.id] = record
        return record

    def status(self, name: str) -> dict[str, str]:
        """A status of the workspace by its name, made when it is first asked for."""
        if name not in self.statuses:
            self.statuses[name] = self.new_id()
        return {"id": self.statuses[name], "name": name}

    def add_note(self, created: int, *, customer: str | None, linked: Iterable[str], name: str = "Feedback") -> Record:
        """A note of at most one customer, a user or a company, linked to features and whatever is above them.

        Raises:
            ValueError: the customer is something else.
        """
        if customer is not None and self.entities[customer].type not in ("user", "company"):
            raise ValueError(f"a {self.entities[customer].type} cannot be a customer")
        fields = {"name": name, "content": "", "processed": True, "archived": False, "tags": []}
        record = Record(self.new_id(), "textNote", created, fields)
        record.relationships += [("customer", customer)] if customer is not None else []
        record.relationships += [("link", one) for one in linked]
        self.notes[record.id] = record
        return record

    def delete(self, entity_id: str) -> None:
        """Delete an entity, with the subfeatures of a feature and all that points at them."""
        gone = {entity_id} | {one.id for one in self.entities.values() if ("parent", entity_id) in one.relationships}
        for one in gone:
            del self.entities[one]
        for record in (*self.entities.values(), *self.notes.values()):
            record.relationships = [pair for pair in record.relationships if pair[1] not in gone]

    def refuse(self) -> int | None:
        """Count a call; the seconds to wait where it is one too many in this second."""
        if not self.limited:
            return None
        now = self._now()
        while self._calls and self._calls[0] <= now - 1:
            self._calls.popleft()
        if len(self._calls) >= CALLS_PER_SECOND:
            return 1
        self._calls.append(now)
        return None

    @property
    def calls_left(self) -> int:
        """Calls that are left in this second."""
        return CALLS_PER_SECOND - len(self._calls)
