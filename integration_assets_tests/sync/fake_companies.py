"""Companies in memory that carry properties of ours, with faults."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from integration_assets.connectors.crm.base import RecordsOutcome, RecordWrite, UnknownOutcomeError, WrittenRecord
from integration_assets.models import LiveProperty, PropertyDefinition, PropertyGroup, Rejected


@dataclass
class FakeCompanies:
    """Values by company and property; unset is absent. `on_read` is called before each read."""

    values: dict[str, dict[str, str]]
    setup_scopes: frozenset[str] = frozenset({"companies.schema"})
    schema_calls: int = 1
    calls_per_batch: int = 3
    defined: list[PropertyDefinition] = field(default_factory=list)
    poison: set[str] = field(default_factory=set)
    forgetful: set[str] = field(default_factory=set)
    """Companies that say they took a value and did not."""
    lost_answers: int = 0
    """Writes whose answer does not arrive. They are applied unless `swallowed`."""
    swallowed: bool = False
    writes: list[list[str]] = field(default_factory=list)
    reads: int = 0
    on_read: Callable[[], None] = lambda: None

    async def properties(self, group: PropertyGroup) -> tuple[LiveProperty, ...]:
        return tuple(
            LiveProperty(one.name, one.kind.value, "", unique=False, writable=True, options=None)
            for one in self.defined
        )

    async def create(self, group: PropertyGroup, properties: Sequence[PropertyDefinition]) -> None:
        self.defined += properties

    async def write(self, group: PropertyGroup, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        assert len({write.key for write in writes}) == len(writes) <= 100
        self.writes.append([write.key for write in writes])
        good = [write for write in writes if write.key not in self.poison and write.key in self.values]
        lost, self.lost_answers = self.lost_answers > 0, max(0, self.lost_answers - 1)
        for write in [] if lost and self.swallowed else good:
            if write.key not in self.forgetful:
                held = self.values[write.key]
                held.update(write.values)
                self.values[write.key] = {name: value for name, value in held.items() if value}
        if lost:
            raise UnknownOutcomeError("no answer", system="fake")
        return RecordsOutcome(
            tuple(WrittenRecord(write.key, write.key, created=False) for write in reversed(good)),
            tuple(Rejected("company", write.key, "a value is not valid") for write in writes if write not in good),
        )

    async def read(self, names: Sequence[str], ids: Sequence[str]) -> Mapping[str, Mapping[str, str]]:
        assert 0 < len(ids) <= 100
        self.reads += 1
        self.on_read()
        return {
            one: {name: value for name, value in self.values[one].items() if name in names}
            for one in ids
            if one in self.values
        }
