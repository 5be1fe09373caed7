"""A portal of one's own behind real HTTP on loopback, and a clock that tests turn."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from integration_assets.sandbox.hubspot import Portal, PortalOptions, hubspot_lookalike
from integration_assets_tests.support.foreign import served
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

TICKET = {
    "name": "ticket_idea",
    "labels": {"singular": "Idea", "plural": "Ideas"},
    "primaryDisplayProperty": "title",
    "requiredProperties": [],
    "searchableProperties": ["title"],
    "properties": [
        {"name": "idea_key", "label": "Key", "type": "string", "fieldType": "text", "hasUniqueValue": True},
        {"name": "title", "label": "Title", "type": "string", "fieldType": "text"},
        {"name": "votes", "label": "Votes", "type": "number", "fieldType": "number"},
        {"name": "asked_at", "label": "Asked", "type": "datetime", "fieldType": "date"},
        {"name": "due", "label": "Due", "type": "date", "fieldType": "date"},
        {
            "name": "status",
            "label": "Status",
            "type": "enumeration",
            "fieldType": "select",
            "options": [{"label": "Open", "value": "open"}, {"label": "Closed", "value": "closed"}],
        },
        {
            "name": "tags",
            "label": "Tags",
            "type": "enumeration",
            "fieldType": "checkbox",
            "options": [{"label": "A", "value": "a"}, {"label": "B", "value": "b"}],
        },
    ],
    "associatedObjects": ["COMPANY", "CONTACT"],
}


class ManualClock:
    """Seconds since the epoch that move only when told."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Bench:
    """A portal, its clock, and a client whose requests it answers."""

    portal: Portal
    clock: ManualClock
    client: httpx.Client
    idea: str

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **params: Any) -> Any:
        """Ask, insist on the status, and return the decoded answer (None without content)."""
        answer = self.client.request(method, path, json=body, params=params or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def objects(self, kind: str, tail: str = "") -> str:
        return f"/crm/objects/2026-09/{kind}{tail}"

    def pair(self, tail: str, source: str | None = None, target: str = "companies") -> str:
        return f"/crm/associations/2026-09/{source or self.idea}/{target}/{tail}"

    def upsert(self, *rows: dict[str, str], status: int = 200, trace: bool = True) -> Any:
        inputs: list[dict[str, Any]] = []
        for row in rows:
            one: dict[str, Any] = {"idProperty": "idea_key", "id": row["idea_key"], "properties": row}
            inputs.append({**one, "objectWriteTraceId": f"t{len(inputs)}"} if trace else one)
        return self.call("POST", self.objects(self.idea, "/batch/upsert"), {"inputs": inputs}, status=status)

    def plain(self, target: str = "companies") -> list[dict[str, Any]]:
        """The plain type of our object and another, as a request names it."""
        pair = ("ticket_idea", target)
        one = self.portal.types.plain(pair)
        assert one is not None
        return [{"associationCategory": one.key[0], "associationTypeId": one.key[1]}]

    def label(self, name: str, target: str = "companies") -> list[dict[str, Any]]:
        """A new label between our object and another, as a request names it."""
        number, _ = self.portal.define_label("ticket_idea", target, name, name.capitalize(), f"{name} by")
        return [{"associationCategory": "USER_DEFINED", "associationTypeId": number}]


@pytest.fixture(scope="session")
def hubspot_server() -> Iterator[tuple[str, list[Any]]]:
    """One server for all tests of this folder; each test puts its own application into it."""
    slot: list[Any] = [None]

    async def current(scope: Any, receive: Any, send: Any) -> None:
        await slot[0](scope, receive, send)

    with served(current) as address:
        yield address, slot


@pytest.fixture
def bench_of(hubspot_server) -> Iterator[Callable[..., Bench]]:
    """Builds a bench with a custom object; keyword arguments are those of `Portal`, or options."""
    address, slot = hubspot_server
    clients: list[httpx.Client] = []

    def build(portal_id: int = 111_222, *, scopes: set[str] | None = None, **options: Any) -> Bench:
        clock = ManualClock()
        lags = {"property_lag": 0.0, "schema_lag": 0.0, "schema_flip": 0.0, "unknown_field_rate": 0.0}
        portal = Portal(
            portal_id, token="secret", scopes=scopes, options=PortalOptions(**{**lags, **options}), clock=clock
        )
        slot[0] = hubspot_lookalike(portal)
        client = httpx.Client(base_url=address, headers={"Authorization": "Bearer secret"}, timeout=PATIENCE_SECONDS)
        clients.append(client)
        idea = portal.define_object(TICKET) if portal.options.has_custom_objects else ""
        return Bench(portal, clock, client, idea)

    yield build
    for client in clients:
        client.close()


@pytest.fixture
def bench(bench_of) -> Bench:
    """A bench with default behaviour, no lags in definitions, and no surprises in answers."""
    made: Bench = bench_of()
    return made
