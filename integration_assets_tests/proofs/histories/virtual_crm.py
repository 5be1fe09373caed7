"""The CRM in memory with a clock of its own, answers that are lost in three ways, and a schema that people change."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from integration_assets.connectors.crm.base import (
    PairsOutcome,
    PairWrite,
    RecordsOutcome,
    RecordWrite,
    UnknownOutcomeError,
)
from integration_assets.models import CrmFeatureRequest, LinkDefinition, LiveProperty, ObjectDefinition
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, POLICIES
from integration_assets_tests.sync.fake_crm import FakeCrm, live_property

CALL_SECONDS = 0.3
LATE_SECONDS = 25.0
"""How long after its answer was given up a write may still take effect."""

Fate = Literal["answered", "committed", "late", "never"]
"""What becomes of a write: its answer arrives; or it is lost, and the write took effect, will do so late, or never."""


@dataclass
class VirtualCrm(FakeCrm):
    """`fate` tells what becomes of each write, by its number. Nothing waits: `pause` moves the clock."""

    clock: float = 0.0
    fate: Callable[[int], Fate] = lambda _number: "answered"
    due: list[tuple[float, Callable[[], object]]] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)
    """Properties that were changed in the portal: `dropped`, `read-only`, or the option that was removed."""
    objects: bool = True
    properties: dict[str, LiveProperty] = field(
        default_factory=lambda: {prop.name: live_property(prop) for prop in FEATURE_REQUEST.properties}
    )
    labels: dict[str, LinkDefinition] = field(
        default_factory=lambda: {link.name: link for link in FEATURE_REQUEST.links}
    )

    async def pause(self, seconds: float) -> None:
        """Wait, in this CRM's time."""
        self.pass_time(seconds)

    def pass_time(self, seconds: float) -> None:
        """Let late writes take effect that are due by then."""
        self.clock += seconds
        now = [effect for when, effect in self.due if when <= self.clock]
        self.due = [(when, effect) for when, effect in self.due if when > self.clock]
        for effect in now:
            effect()

    # -- calls take time, and others may come in between

    async def feature_requests_by_key(
        self, definition: ObjectDefinition, keys: Sequence[str]
    ) -> dict[str, CrmFeatureRequest]:
        self.pass_time(CALL_SECONDS)
        return dict(await super().feature_requests_by_key(definition, keys))

    async def upsert(self, definition: ObjectDefinition, writes: Sequence[RecordWrite]) -> RecordsOutcome:
        await self._lose(lambda: self.put_records(writes))
        return await super().upsert(definition, writes)

    async def link(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        await self._lose(lambda: self.put_pairs(pairs))
        return await super().link(definition, pairs)

    async def unlink(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        await self._lose(lambda: self.take_off(pairs))
        return await super().unlink(definition, pairs)

    async def unlink_whole(self, definition: ObjectDefinition, pairs: Sequence[PairWrite]) -> PairsOutcome:
        await self._lose(lambda: self.end_pairs(pairs))
        return await super().unlink_whole(definition, pairs)

    async def _lose(self, effect: Callable[[], object]) -> None:
        await asyncio.sleep(0)
        self.pass_time(CALL_SECONDS)
        fate = self.fate(self.writes + 1)
        if fate == "answered":
            return
        self.writes += 1
        if fate == "committed":
            effect()
        elif fate == "late":
            self.due.append((self.clock + LATE_SECONDS, effect))
        raise UnknownOutcomeError("answer lost")

    # -- a portal whose schema changes

    def break_property(self, name: str, how: str) -> None:
        """Drop a property, make it read-only, or remove one of its options."""
        self.broken[name] = how
        prop = self.properties[name]
        if how == "dropped":
            self.properties.pop(name)
        elif how == "read-only":
            self.properties[name] = msgspec.structs.replace(prop, writable=False)
        else:
            left = tuple(option for option in prop.options or () if option != how)
            self.properties[name] = msgspec.structs.replace(prop, options=left)

    def mend(self) -> None:
        """Put the schema back; the values of a dropped property come back with it."""
        self.broken.clear()
        self.properties = {prop.name: live_property(prop) for prop in FEATURE_REQUEST.properties}

    def refuses(self, write: RecordWrite) -> bool:
        for name, how in self.broken.items():
            if name in write.values and (how in {"dropped", "read-only"} or write.values[name] == how):
                return True
        return super().refuses(write)

    def seen(self, record_id: str) -> CrmFeatureRequest:
        record = self.records[record_id]
        hidden = {name for name, how in self.broken.items() if how == "dropped"}
        values = {k: v for k, v in record.values.items() if v and k in POLICIES and k not in hidden}
        return CrmFeatureRequest(record_id, record.key, values, record.archived)
