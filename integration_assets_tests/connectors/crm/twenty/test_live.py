"""The connector on a real server, for whoever runs one: set TWENTY_URL and TWENTY_API_KEY.

The tests define an object of their own, `integrationTrial`, in the key's workspace, where it stays; the records they
make are destroyed at the end. Use a workspace nobody works in. About 100 calls are made, which is what a minute allows.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx
import msgspec
import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Token
from integration_assets.connectors.crm.base import CompanyMapping, Crm, PairWrite, RecordWrite
from integration_assets.connectors.crm.twenty.connector import workspace_of
from integration_assets.models import CrmFeatureRequest, Link, LiveSchema
from integration_assets.providers import crm_factory
from integration_assets.sync.drift import target_problems
from integration_assets.sync.sending import record_writer, send
from integration_assets.sync.setup import apply_setup, plan_setup
from integration_assets_tests.connectors.crm.sample import REQUEST

URL, KEY = os.environ.get("TWENTY_URL", "").rstrip("/"), os.environ.get("TWENTY_API_KEY", "")
if not (URL and KEY):
    pytest.skip("no real Twenty: set TWENTY_URL and TWENTY_API_KEY", allow_module_level=True)

T = TypeVar("T")
TRIAL = msgspec.structs.replace(
    REQUEST, name="integration_trial", singular="Integration trial", plural="Integration trials"
)
RECORDS, VOTES = "integrationTrials", "integrationTrialVotes"


@dataclass
class Live:
    """The server, and what was made on it beside the connector."""

    client: httpx.Client
    run: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    made: list[tuple[str, str]] = field(default_factory=list)

    def talk(self, work: Callable[[Crm], Awaitable[T]]) -> T:
        async def story() -> T:
            async with crm_factory("twenty")(
                base_url=URL, credential=Token(SecretStr(KEY)), calls=CallCounter()
            ) as crm:
                return await work(crm)

        return asyncio.run(story())

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        """Ask the plain API; the connector's limiter does not know of it."""
        for _ in range(5):
            answer = self.client.request(method, f"/rest/{path}", **given)
            if answer.status_code != 429:
                break
            time.sleep(15)
        return answer

    def create(self, plural: str, body: dict[str, Any]) -> str:
        """Make a company or a person."""
        answer = self.ask("POST", plural, json=body)
        assert answer.status_code == 201, answer.status_code
        (row,) = answer.json()["data"].values()
        self.made.append((plural, row["id"]))
        return str(row["id"])

    def key(self, number: int) -> str:
        return f"trial:{self.run}-{number}"

    def write(self, *numbers: int, **values: str) -> dict[str, str]:
        async def work(crm: Crm) -> dict[str, str]:
            outcome = await crm.upsert(TRIAL, [RecordWrite(self.key(number), values) for number in numbers])
            assert (outcome.rejected, outcome.unaccounted) == ((), ())
            return {item.key: item.record_id for item in outcome.written}

        return self.talk(work)

    def read(self, *numbers: int) -> dict[str, CrmFeatureRequest]:
        async def work(crm: Crm) -> dict[str, CrmFeatureRequest]:
            return dict(await crm.feature_requests_by_key(TRIAL, [self.key(number) for number in numbers]))

        return self.talk(work)

    def clean_up(self) -> None:
        """Destroy what was made: votes before the records they lead to."""
        keys = ",".join(self.key(number) for number in range(10))
        found = self.ask("GET", RECORDS, params={"filter": f"externalId[in]:[{keys}]"}).json()["data"][RECORDS]
        ids = ",".join(row["id"] for row in found)
        for state in ("NULL", "NOT_NULL"):
            votes = f"integrationTrialId[in]:[{ids}],deletedAt[is]:{state}"
            self.ask("DELETE", VOTES, params={"filter": votes})
        for plural, record_id in [*((RECORDS, row["id"]) for row in found), *self.made]:
            self.ask("DELETE", f"{plural}/{record_id}")


@pytest.fixture(scope="module")
def live() -> Iterator[Live]:
    """A real workspace with the trial object."""
    with httpx.Client(base_url=URL, headers={"authorization": f"Bearer {KEY}"}, timeout=60) as client:
        found = Live(client)
        set_up(found)
        yield found
        found.clean_up()


def set_up(live: Live) -> list[str]:
    async def work(crm: Crm) -> list[str]:
        steps = plan_setup(TRIAL, await crm.schema(TRIAL, ()), await crm.archived_properties(TRIAL))
        loop = asyncio.get_running_loop()
        await apply_setup(crm, TRIAL, steps, sleep=asyncio.sleep, clock=loop.time)
        return [step.kind for step in steps]

    return live.talk(work)


def test_setup_is_complete_and_has_nothing_left_to_do(live: Live):
    async def work(crm: Crm) -> LiveSchema:
        assert (await crm.portal()).portal_id == workspace_of(SecretStr(KEY))
        return await crm.schema(TRIAL, ())

    assert target_problems(TRIAL, live.talk(work), link_contacts=True) == []
    assert set_up(live) == []


def test_records_are_created_once_and_read_back_as_written(live: Live):
    values = {
        "title": "Trial, with a comma",
        "status": "closed",
        "votes": "3",
        "details": "Line\nline",
        "asked_at": "2026-11-29T08:00:00.000Z",
        "page": "https://Acme.example/p/1/",
        "worth": "1234.5",
    }
    made = live.write(1, 2, **values)
    assert live.write(3, 2, **values)[live.key(2)] == made[live.key(2)]
    found = live.read(1, 2, 3)
    assert len(found) == 3
    assert found[live.key(1)].values == {**values, "request_key": live.key(1)}
    live.write(1, **dict.fromkeys(values, ""))
    assert live.read(1)[live.key(1)].values == {"request_key": live.key(1)}


def test_a_refused_record_does_not_spoil_its_batch(live: Live):
    writes = [RecordWrite(live.key(4), {"status": "open"}), RecordWrite(live.key(5), {"status": "surprising"})]

    async def work(crm: Crm) -> tuple[list[RecordWrite], list[str]]:
        sent = await send(writes, record_writer(crm, TRIAL), asyncio.sleep)
        return sent.accepted, [reason for _, reason in sent.rejected]

    accepted, reasons = live.talk(work)
    assert accepted == writes[:1]
    assert len(reasons) == 1
    assert "surprising" not in reasons[0].lower()


def test_links_come_and_go_and_come_back(live: Live):
    record = live.write(6, title="Linked")[live.key(6)]
    company = live.create("companies", {"name": f"Trial {live.run}"})
    person = live.create("people", {"emails": {"primaryEmail": f"trial-{live.run}@example.org"}, "companyId": company})
    pairs = [
        PairWrite(record, "company", company, ("voted",)),
        PairWrite(record, "contact", person, ("voter", "author")),
    ]

    async def linked(crm: Crm) -> set[Link]:
        for pair in pairs:
            assert (await crm.link(TRIAL, [pair])).written == (pair,)
        return await of_record(crm)

    async def unlinked(crm: Crm) -> set[Link]:
        await crm.unlink(TRIAL, [PairWrite(record, "contact", person, ("author",))])
        return await of_record(crm)

    async def of_record(crm: Crm) -> set[Link]:
        return {*await crm.links(TRIAL, [record], "company"), *await crm.links(TRIAL, [record], "contact")}

    voted, voter = Link(record, "company", company, "voted"), Link(record, "contact", person, "voter")
    author = Link(record, "contact", person, "author")
    assert live.talk(linked) == {voted, voter, author}
    assert live.talk(unlinked) == {voted, voter}
    assert live.talk(linked) == {voted, voter, author}

    async def reads(crm: Crm) -> tuple[bool, str | None]:
        ids = [one.company_id async for page in crm.companies(CompanyMapping()) for one in page.records]
        (contact,) = (await crm.contacts([f"Trial-{live.run}@example.org"])).records
        return company in ids, contact.primary_company_id

    assert live.talk(reads) == (True, company)


def test_a_record_in_the_bin_is_told_apart_and_restored_by_a_write(live: Live):
    record = live.write(7, title="Binned")[live.key(7)]
    live.ask("DELETE", f"{RECORDS}/{record}", params={"soft_delete": "true"})
    assert live.read(7) == {}

    async def archived(crm: Crm) -> list[str]:
        return [one.record_id async for page in crm.feature_requests(TRIAL, archived=True) for one in page.records]

    assert record in live.talk(archived)
    assert live.write(7, title="Back") == {live.key(7): record}
