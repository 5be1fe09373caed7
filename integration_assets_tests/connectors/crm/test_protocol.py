"""What every CRM connector must do, on a look-alike of its CRM over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import pytest

from integration_assets.connectors.crm.base import (
    CompanyMapping,
    Crm,
    PairsOutcome,
    PairWrite,
    RecordsOutcome,
    RecordWrite,
)
from integration_assets.connectors.specs import ProviderKind
from integration_assets.errors import HeldError
from integration_assets.models import (
    PLAIN_LABEL,
    Company,
    Contact,
    CrmFeatureRequest,
    Link,
    LiveProperty,
    LiveSchema,
    Portal,
    PropertyKind,
    RecordPages,
)
from integration_assets.providers import of_kind
from integration_assets.sync.sending import Sent, record_writer, send
from integration_assets_tests.connectors.crm.harness import HARNESSES, Harness
from integration_assets_tests.connectors.crm.sample import REQUEST
from integration_assets_tests.support.waiting import PATIENCE_SECONDS


@pytest.fixture(params=sorted(HARNESSES))
def crm(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """An empty CRM, without our object."""
    with HARNESSES[request.param]() as harness:
        yield harness


@pytest.fixture
def ready(crm: Harness) -> Harness:
    """A CRM with our object in it, made through the connector."""
    crm.talk(set_up)
    return crm


async def set_up(crm: Crm) -> None:
    if not (await crm.schema(REQUEST, ())).object_present:
        await crm.create_object(REQUEST)
    await crm.create_group(REQUEST)
    live = await settled(crm, lambda live: live.object_present)
    have = {item.name for item in live.properties}
    # An object of ours is made with the property it is shown by, which a read may not show yet.
    have |= set() if live.needed_properties else {REQUEST.display_property}
    rest = [item for item in (*REQUEST.properties, *live.needed_properties) if item.name not in have]
    await crm.create_properties(REQUEST, rest)
    for link in REQUEST.links:
        await crm.create_link(REQUEST, link)
    await settled(crm, complete)


def complete(live: LiveSchema) -> bool:
    wanted = {item.name for item in REQUEST.properties}
    return wanted <= {item.name for item in live.properties} and {"voted", "voter", "author"} <= {
        link.name for link in live.links
    }


async def settled(crm: Crm, good: Callable[[LiveSchema], bool]) -> LiveSchema:
    """Schema reads lag behind schema writes."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not good(live := await crm.schema(REQUEST, ())):  # noqa: ASYNC110 - a portal tells nobody
            await asyncio.sleep(0.05)
        return live


async def requests(crm: Crm, *, archived: bool = False) -> list[CrmFeatureRequest]:
    return [record async for page in crm.feature_requests(REQUEST, archived=archived) for record in page.records]


async def companies(crm: Crm, mapping: CompanyMapping | None = None) -> list[Company]:
    return [item async for page in crm.companies(mapping or CompanyMapping()) for item in page.records]


def write(ready: Harness, *writes: RecordWrite) -> RecordsOutcome:
    async def work(crm: Crm) -> RecordsOutcome:
        return await crm.upsert(REQUEST, writes)

    return ready.talk(work)


def make(ready: Harness, *keys: str) -> dict[str, str]:
    """Records with these keys; their ids by key."""
    outcome = write(ready, *(RecordWrite(key, {"title": key.upper()}) for key in keys))
    return {item.key: item.record_id for item in outcome.written}


def link(ready: Harness, *pairs: PairWrite, take_off: bool = False) -> PairsOutcome:
    async def work(crm: Crm) -> PairsOutcome:
        return await (crm.unlink if take_off else crm.link)(REQUEST, pairs)

    return ready.talk(work)


def links(ready: Harness, *record_ids: str) -> set[Link]:
    async def work(crm: Crm) -> set[Link]:
        return {*await crm.links(REQUEST, record_ids, "company"), *await crm.links(REQUEST, record_ids, "contact")}

    return ready.talk(work)


def ours(found: set[Link]) -> set[Link]:
    return {item for item in found if item.label != PLAIN_LABEL and not item.label.startswith("other:")}


def test_every_registered_crm_has_a_harness() -> None:
    """A connector that is not tested is not registered."""
    assert {spec.name for spec in of_kind(ProviderKind.CRM)} <= {name.partition(" ")[0] for name in HARNESSES}


def test_a_portal_has_an_identity(crm: Harness) -> None:
    """Runs refuse to write into a portal other than the pinned one."""

    async def work(crm: Crm) -> Portal:
        return await crm.portal()

    found = crm.talk(work)
    assert found.portal_id
    assert found == crm.talk(work)


def test_records_have_pages_that_people_open(ready: Harness) -> None:
    """Where companies are is known from the identity, where ours are with the schema, without a further call."""

    async def work(crm: Crm) -> tuple[RecordPages, RecordPages]:
        return (await crm.portal()).pages, (await crm.schema(REQUEST, ())).portal.pages

    alone, with_schema = ready.talk(work)
    assert (alone.unknown, with_schema.unknown, alone.company) == (None, None, with_schema.company)
    for page in (with_schema.company, with_schema.request):
        assert page is not None
        assert page.startswith("http")
        assert page.endswith("/{id}")


def test_needed_scopes_grow_with_what_is_done(crm: Harness) -> None:
    """Setup needs what a run needs and more; linking contacts needs no less than not."""
    if crm.born:
        pytest.skip("no scopes of its schema are documented")

    async def work(crm: Crm) -> list[frozenset[str]]:
        choices = [(False, False), (False, True), (True, True)]
        return [crm.needed_scopes(setup=setup, link_contacts=contacts) for setup, contacts in choices]

    plain, with_contacts, with_setup = crm.talk(work)
    assert plain <= with_contacts < with_setup


def test_without_our_object_reads_are_empty_and_writes_are_held(crm: Harness) -> None:
    """A portal before setup reads as one that holds nothing of ours."""
    if crm.born:
        pytest.skip("the object is there before we are")

    async def read(crm: Crm) -> list[object]:
        schema = await crm.schema(REQUEST, ())
        return [
            schema.object_present,
            schema.object_archived,
            await requests(crm),
            await crm.feature_requests_by_key(REQUEST, ["a"]),
            await crm.links(REQUEST, ["1"], "company"),
            await crm.archived_properties(REQUEST),
        ]

    assert crm.talk(read) == [False, False, [], {}, (), ()]
    with pytest.raises(HeldError, match="run setup"):
        write(crm, RecordWrite("a", {}))
    with pytest.raises(HeldError, match="run setup"):
        link(crm, PairWrite("1", "company", "2", ("voted",)))


def test_the_schema_reads_back_as_it_was_defined(ready: Harness) -> None:
    """Each property of the type that its kind asks for, with uniqueness, options, group and writability; each link."""

    async def work(crm: Crm) -> LiveSchema:
        return await crm.schema(REQUEST, [ready.arr_property, "no_such_property"])

    live = ready.talk(work)
    assert live.object_present
    # The words for types are the CRM's own: the connector says that they are those the kinds ask for.
    words = {item.name: (item.type, item.field_type) for item in live.properties}
    assert all(type_ for type_, _ in words.values())
    expected = {
        item.name: LiveProperty(
            item.name,
            *words[item.name],
            item.unique,
            writable=True,
            options=tuple(value for value, _ in item.options),
            group=REQUEST.group if ready.has_groups else None,
            # A group of ours tells whose a property is: `setup` amends texts and options where there are groups.
            description=item.description if ready.has_groups else None,
            amendable=ready.has_groups or (ready.adds_options and item.kind is PropertyKind.OPTION),
        )
        for item in REQUEST.properties
    }
    needed = {item.name for item in live.needed_properties}
    assert {item.name: item for item in live.properties if item.name not in needed} == expected
    assert live.text_limits is not None
    assert min(live.text_limits.of(kind) or 0 for kind in (PropertyKind.TEXT, PropertyKind.LONG_TEXT)) >= 255
    found = {(item.target, item.name, item.label) for item in live.links if item.label is not None}
    assert found == {(item.target, item.name, item.label) for item in REQUEST.links}
    assert [item.name for item in live.company_properties] == [ready.arr_property]


def test_creating_the_group_again_changes_nothing(ready: Harness) -> None:
    """Setup may be interrupted and started again."""

    async def work(crm: Crm) -> tuple[LiveSchema, LiveSchema]:
        before = await crm.schema(REQUEST, [])
        await crm.create_group(REQUEST)
        return before, await crm.schema(REQUEST, [])

    before, after = ready.talk(work)
    assert {item.group for item in before.properties} == {REQUEST.group if ready.has_groups else None}
    assert after == before


def test_a_record_is_created_once_and_then_updated(ready: Harness) -> None:
    """The key decides: the same write again is an update of the same record."""
    first = write(ready, RecordWrite("src:1", {"title": "One", "votes": "3"}))
    again = write(ready, RecordWrite("src:1", {"title": "Uno", "votes": ""}))
    assert [(item.key, item.created) for item in (*first.written, *again.written)] == [
        ("src:1", True),
        ("src:1", False),
    ]
    (record_id,) = {item.record_id for item in (*first.written, *again.written)}
    record = CrmFeatureRequest(record_id, "src:1", {"request_key": "src:1", "title": "Uno"})
    assert ready.talk(requests) == [record]


def test_records_are_found_by_key_at_once(ready: Harness) -> None:
    """Reading by key sees what was just written, and leaves out what is not there."""
    made = make(ready, "src:1", "src:2")

    async def work(crm: Crm) -> dict[str, str]:
        found = await crm.feature_requests_by_key(REQUEST, ["src:2", "src:3", "src:1", "src:2"])
        return {key: record.record_id for key, record in found.items()}

    assert ready.talk(work) == made


def test_a_full_batch_is_written_in_one_call(ready: Harness) -> None:
    """Every record of the largest batch is accounted for, with its own id."""

    async def work(crm: Crm) -> RecordsOutcome:
        writes = [RecordWrite(f"src:{number}", {"title": f"T{number}"}) for number in range(crm.records_per_write)]
        return await crm.upsert(REQUEST, writes)

    before = ready.calls.totals(ready.provider).writes
    outcome = ready.talk(work)
    assert ready.calls.totals(ready.provider).writes - before == 1
    titles = {record.record_id: record.values["title"] for record in ready.talk(requests)}
    assert {item.record_id: f"T{item.key.removeprefix('src:')}" for item in outcome.written} == titles
    assert (outcome.rejected, outcome.unaccounted) == ((), ())


def test_one_bad_record_does_not_spoil_its_batch(ready: Harness) -> None:
    """The record with a value the CRM refuses is rejected with a reason that holds no value."""
    good = RecordWrite("src:1", {"status": "open"}, creates=True)
    bad = [
        RecordWrite("src:2", {"status": "surprising"}, creates=True),
        RecordWrite("src:3", {"votes": "many"}, creates=True),
    ]

    async def work(crm: Crm) -> Sent[RecordWrite]:
        # A CRM that refuses the whole batch has it halved, as in a run.
        return await send([good, *bad], record_writer(crm, REQUEST), asyncio.sleep)

    outcome = ready.talk(work)
    assert outcome.accepted == [good]
    assert sorted(item.key for item, _ in outcome.rejected) == ["src:2", "src:3"]
    assert all("surprising" not in reason and "many" not in reason for _, reason in outcome.rejected)
    assert (outcome.unaccounted, outcome.lost, outcome.ended_by) == ([], [], None)
    assert [record.key for record in ready.talk(requests)] == ["src:1"]


def test_archived_records_are_read_apart(ready: Harness) -> None:
    """An archived record of ours is neither live nor forgotten."""
    made = make(ready, "src:1", "src:2")
    ready.seeds.archive(ready.kept_in or REQUEST.name, made["src:1"])

    async def archived(crm: Crm) -> list[CrmFeatureRequest]:
        return await requests(crm, archived=True)

    assert [record.key for record in ready.talk(requests)] == ["src:2"]
    assert [(record.key, record.archived) for record in ready.talk(archived)] == [("src:1", True)]


def test_labels_of_a_pair_are_set_read_and_taken_off(ready: Harness) -> None:
    """A pair carries exactly the labels that were written; taking one off leaves the others."""
    company, contact = ready.seeds.company(name="Acme", domain="acme.com"), ready.seeds.contact("ann@acme.com")
    record = make(ready, "src:1")["src:1"]
    voted = PairWrite(record, "company", company, ("voted",))
    both = PairWrite(record, "contact", contact, ("voter", "author"))
    assert link(ready, voted).written == (voted,)
    assert link(ready, both).written == (both,)
    assert link(ready, both).written == (both,)
    assert ours(links(ready, record)) == {
        Link(record, "company", company, "voted"),
        Link(record, "contact", contact, "voter"),
        Link(record, "contact", contact, "author"),
    }
    author = PairWrite(record, "contact", contact, ("author",))
    assert link(ready, author, take_off=True).written == (author,)
    assert ours(links(ready, record)) == {
        Link(record, "company", company, "voted"),
        Link(record, "contact", contact, "voter"),
    }


def test_labels_of_others_survive_when_they_are_written_back(ready: Harness) -> None:
    """Writing replaces a pair's labels, so that those read before go back with ours."""
    company = ready.seeds.company(name="Acme", domain="acme.com")
    record = make(ready, "src:1")["src:1"]
    link(ready, PairWrite(record, "company", company, ("voted",)))
    before = links(ready, record)
    link(ready, PairWrite(record, "company", company, tuple(item.label for item in before)))
    assert links(ready, record) == before


def test_a_pair_with_a_record_that_is_gone_is_rejected_alone(ready: Harness) -> None:
    """The other pairs of the batch are linked."""
    company = ready.seeds.company(name="Acme", domain="acme.com")
    record = make(ready, "src:1")["src:1"]
    good = PairWrite(record, "company", company, ("voted",))
    bad = PairWrite(record, "company", "1", ("voted",))
    outcome = link(ready, bad, good)
    assert outcome.written == (good,)
    assert [pair for pair, _ in outcome.rejected] == [bad]
    assert outcome.unaccounted == ()


def test_companies_come_with_domains_parent_and_mapped_values(ready: Harness) -> None:
    """Every live company, whatever its values look like."""
    parent = ready.seeds.company(name="Holding", domain="holding.com")
    child = ready.seeds.company(name="Acme", domain="ACME.com", additional_domains="acme.io; acme.de", arr="12.5")
    if ready.has_parents:
        ready.seeds.parent(child, parent)

    async def work(crm: Crm) -> dict[str, Company]:
        found = await companies(crm, CompanyMapping(arr=ready.arr_property))
        return {item.company_id: item for item in found}

    found = ready.talk(work)
    assert set(found) == {parent, child}
    assert (found[child].name, found[child].domain, found[child].arr) == ("Acme", "ACME.com", "12.5")
    assert found[child].additional_domains == ("acme.io", "acme.de")
    assert (found[child].parent_id, found[parent].parent_id) == (parent if ready.has_parents else None, None)
    assert found[parent].arr is None


def test_all_companies_are_read_across_pages(ready: Harness) -> None:
    """A list longer than a page is read to its end, each company once."""
    made = {ready.seeds.company(name=f"C{number}") for number in range(250)}
    found = ready.talk(companies)
    assert len(found) == 250
    assert {item.company_id for item in found} == made


def test_contacts_are_found_by_any_of_their_addresses(ready: Harness) -> None:
    """Additional addresses count, unknown ones are not there, and the primary company comes along."""
    company = ready.seeds.company(name="Acme", domain="acme.com")
    ann = ready.seeds.contact("ann@acme.com", additional="ann@home.org;a@acme.com", company_id=company)
    bob = ready.seeds.contact("bob@acme.com")

    async def work(crm: Crm) -> tuple[Contact, ...]:
        return (await crm.contacts(["Ann@Home.org", "bob@acme.com", "nobody@acme.com", "ann@acme.com"])).records

    found = {item.contact_id: item for item in ready.talk(work)}
    more = ("ann@home.org", "a@acme.com") if ready.has_additional_addresses else ()
    assert found == {
        ann: Contact(ann, "ann@acme.com", more, company),
        bob: Contact(bob, "bob@acme.com", (), None),
    }


def test_nothing_to_do_costs_no_call(ready: Harness) -> None:
    """Empty batches are answered without asking."""

    async def work(crm: Crm) -> list[object]:
        return [await crm.upsert(REQUEST, []), await crm.link(REQUEST, []), await crm.unlink(REQUEST, [])]

    before = ready.calls.totals(ready.provider).writes
    assert ready.talk(work) == [RecordsOutcome(()), PairsOutcome(()), PairsOutcome(())]
    assert ready.calls.totals(ready.provider).writes == before


def test_a_batch_that_is_too_long_is_refused_before_it_is_sent(ready: Harness) -> None:
    """The maxima of the connector are the caller's to keep."""

    async def work(crm: Crm) -> RecordsOutcome:
        return await crm.upsert(REQUEST, [RecordWrite(str(number), {}) for number in range(crm.records_per_write + 1)])

    before = ready.calls.totals(ready.provider).writes
    with pytest.raises(ValueError, match="in one call"):
        ready.talk(work)
    assert ready.calls.totals(ready.provider).writes == before


def test_reads_are_not_counted_as_writes(ready: Harness) -> None:
    """Only calls that can change the CRM are writes, whatever their HTTP method."""
    before = ready.calls.totals(ready.provider)

    async def work(crm: Crm) -> None:
        await crm.feature_requests_by_key(REQUEST, ["a"])
        await crm.links(REQUEST, ["1"], "company")
        await crm.contacts(["a@b.co"])
        await crm.schema(REQUEST, ())

    ready.talk(work)
    after = ready.calls.totals(ready.provider)
    assert after.writes == before.writes
    assert after.total > before.total
