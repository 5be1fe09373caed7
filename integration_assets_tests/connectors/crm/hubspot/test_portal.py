"""The connector on portals that behave in every way HubSpot leaves open, and under its faults."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Literal

import httpx
import msgspec
import pytest

from integration_assets.connectors.crm.base import (
    CompanyMapping,
    Crm,
    PairLinks,
    PairWrite,
    RecordsOutcome,
    RecordWrite,
)
from integration_assets.connectors.crm.hubspot.connector import HubSpotCrm
from integration_assets.connectors.crm.hubspot.property_amendments import changed_parts
from integration_assets.errors import ConfigurationError, CredentialError, QuotaError, TransientError
from integration_assets.models import Company, Link, LiveSchema, PortalKind, PropertyAmendment
from integration_assets.sandbox.hubspot import ALL_SCOPES, PortalOptions, faults
from integration_assets.sandbox.hubspot.schemas import change_label
from integration_assets.sandbox.lookalike import Fault
from integration_assets.sync.drift import RUN_SETUP, Severity, target_problems
from integration_assets.sync.feature_request_object import FEATURE_REQUEST
from integration_assets.sync.setup import SetupStep, apply_setup, plan_setup
from integration_assets_tests.connectors.crm.harness import Harness, hubspot_harness
from integration_assets_tests.connectors.crm.sample import REQUEST, STATUS

pytestmark = pytest.mark.usefixtures("no_backoff")


def portal_with(portal_id: int = 4711, **options: Any) -> AbstractContextManager[Harness]:
    """A portal whose schema reads do not lag, otherwise as told."""
    return hubspot_harness(PortalOptions(schema_lag=0, property_lag=0, schema_flip=0, **options), portal_id)


async def set_up(crm: Crm) -> None:
    await crm.create_object(REQUEST)
    await crm.create_group(REQUEST)
    await crm.create_properties(REQUEST, [item for item in REQUEST.properties if item.name != "title"])
    for link in REQUEST.links:
        await crm.create_link(REQUEST, link)


def test_a_new_object_shows_and_finds_more_than_titles() -> None:
    """Status and ARR stand beside the title, and a request is found by its id; all of it in our own group."""

    async def work(crm: Crm) -> LiveSchema:
        await crm.create_object(FEATURE_REQUEST)
        await crm.create_group(FEATURE_REQUEST)
        # As setup plans it before the object exists: all but the title.
        rest = [item for item in FEATURE_REQUEST.properties if item.name != FEATURE_REQUEST.display_property]
        await crm.create_properties(FEATURE_REQUEST, rest)
        return await crm.schema(FEATURE_REQUEST, ())

    with portal_with() as harness:
        live = harness.talk(work)
        made = harness.portal.objects[FEATURE_REQUEST.name].schema.current
    assert made is not None
    assert (made["primaryDisplayProperty"], made["secondaryDisplayProperties"]) == ("title", ["status", "arr"])
    assert made["searchableProperties"] == ["title", "feature_request_key"]
    assert {item.name for item in live.properties} == {item.name for item in FEATURE_REQUEST.properties}
    assert {item.group for item in live.properties} == {FEATURE_REQUEST.group}
    assert [item.name for item in live.properties if item.unique] == ["feature_request_key"]


async def schema(crm: Crm) -> LiveSchema:
    return await crm.schema(REQUEST, ())


async def companies(crm: Crm) -> list[Company]:
    return [item async for page in crm.companies(CompanyMapping(arr="arr_total")) for item in page.records]


async def upsert_two(crm: Crm) -> RecordsOutcome:
    return await crm.upsert(REQUEST, [RecordWrite("src:1", {"title": "One"}), RecordWrite("src:2", {"title": "Two"})])


@pytest.fixture
def ready() -> Iterator[Harness]:
    """A portal with our object."""
    with portal_with() as harness:
        harness.talk(set_up)
        harness.lookalike.clear()
        yield harness


# ---------------------------------------------------------------------------------------------------------------- ids


@pytest.mark.parametrize("portal_id", [1, 2, 3, 4, 5])
def test_ids_of_a_portal_are_found_by_name(portal_id: int) -> None:
    """Object and label ids differ in every portal, and one label's number may equal HubSpot's own 279."""
    with portal_with(portal_id) as harness:
        harness.talk(set_up)
        record = harness.talk(upsert_two).written[0].record_id
        contact = harness.seeds.contact("ann@acme.com")

        async def work(crm: Crm) -> tuple[Link, ...]:
            await crm.link(REQUEST, [PairWrite(record, "contact", contact, ("author",))])
            return await crm.links(REQUEST, [record], "contact")

        assert {item.label for item in harness.talk(work)} == {"author", "plain"}
        assert harness.portal.associations("wish", record, "contacts") == {contact: {"Author", None}}
        assert harness.portal.associations("contacts", contact, "wish") == {record: {"Author of", None}}


def test_a_label_of_somebody_else_is_kept_and_not_ours(ready: Harness) -> None:
    """A label a person added to the pair is read as another's, survives ours being written, and our removal."""
    ready.portal.define_label("wish", "companies", "champion", "Champion")
    record = ready.talk(upsert_two).written[0].record_id
    company = ready.seeds.company(name="Acme")

    async def work(crm: Crm) -> None:
        labels = {item.label for item in await crm.links(REQUEST, [record], "company")}
        assert {label[:19] for label in labels} == {"other:USER_DEFINED:", "plain"}
        await crm.link(REQUEST, [PairWrite(record, "company", company, (*labels, "voted"))])
        assert ready.portal.associations("wish", record, "companies") == {company: {"Champion", "Voted", None}}
        await crm.unlink(REQUEST, [PairWrite(record, "company", company, ("voted",))])

    types = ready.portal.types.of(("wish", "companies"))
    champion = next(item.key for item in types if item.label == "Champion")
    ready.portal.associate("wish", record, "companies", company, [champion])
    ready.talk(work)
    assert ready.portal.associations("wish", record, "companies") == {company: {"Champion", None}}


def test_a_label_is_known_by_its_name_when_its_text_was_changed(ready: Harness) -> None:
    """An administrator renames `Voted`, and gives its old text to a label of their own: ours is still ours."""
    voted = next(one for one in ready.portal.types.of(("wish", "companies")) if one.label == "Voted")
    changed = {"associationTypeId": voted.key[1], "label": "Asked for by", "inverseLabel": "Asked for"}
    change_label(ready.portal, ("wish", "companies"), changed, ready.portal.clock())
    ready.portal.define_label("wish", "companies", "ballot", "Voted")
    record = ready.talk(upsert_two).written[0].record_id
    company = ready.seeds.company(name="Acme")

    async def work(crm: Crm) -> LiveSchema:
        live = await crm.schema(REQUEST, ())
        await crm.link(REQUEST, [PairWrite(record, "company", company, ("voted",))])
        return live

    live = ready.talk(work)
    assert ready.portal.associations("wish", record, "companies") == {company: {"Asked for by", None}}
    assert plan_setup(REQUEST, live, ()) == []
    problems = target_problems(REQUEST, live, link_contacts=True)
    assert [(one.name, one.severity) for one in problems] == [("link voted (company)", Severity.WARN)]
    assert "Asked for by" in problems[0].detail


def test_a_whole_pair_is_removed_with_the_labels_of_others(ready: Harness) -> None:
    """Nothing is left of the pairs named, in either direction; pairs of the same records that are not named stay."""
    ready.portal.define_label("wish", "companies", "champion", "Champion")
    record = ready.talk(upsert_two).written[0].record_id
    companies = [ready.seeds.company(name=name) for name in ("Acme", "Bolt", "Corp")]

    async def work(crm: Crm) -> None:
        await crm.link(REQUEST, [PairWrite(record, "company", one, ("voted",)) for one in companies])
        gone = [PairWrite(record, "company", one, ("plain", "voted")) for one in companies[:2]]
        outcome = await crm.unlink_whole(REQUEST, gone)
        assert (outcome.written, outcome.rejected, outcome.unaccounted) == (tuple(gone), (), ())

    ready.talk(work)
    assert ready.portal.associations("wish", record, "companies") == {companies[2]: {"Voted", None}}
    assert ready.portal.associations("companies", companies[0], "wish") == {}


def test_links_read_from_the_side_of_the_target_are_the_same(ready: Harness) -> None:
    """Types have other numbers there; one whose counterpart nobody can tell is handed back unread."""
    ready.portal.define_label("wish", "companies", "champion", "Champion")
    champion = next(one.key for one in ready.portal.types.of(("wish", "companies")) if one.label == "Champion")
    written = ready.talk(upsert_two).written
    company, other = (ready.seeds.company(name=name) for name in ("Acme", "Bolt"))
    pairs = [PairWrite(one.record_id, "company", company, ("voted",)) for one in written]

    async def work(crm: Crm) -> tuple[PairLinks, tuple[Link, ...]]:
        await crm.link(REQUEST, pairs)
        await crm.link(REQUEST, [PairWrite(written[0].record_id, "company", other, ("voted",))])
        ready.portal.associate("wish", written[0].record_id, "companies", company, [champion])
        return await crm.links_of_pairs(REQUEST, pairs), await crm.links(
            REQUEST, [one.record_id for one in written], "company"
        )

    read, all_links = ready.talk(work)
    assert set(read.links) == {one for one in all_links if one.target_id == company}
    assert read.unreadable == ()
    assert ("plain" in {one.label for one in read.links}, len(read.links) >= 4) == (True, True)


# ------------------------------------------------------------------------------------------------------------- reading


@pytest.mark.parametrize("parent_property", [True, False])
def test_parents_and_merges_of_companies_are_read(parent_property: bool) -> None:
    """With or without the property that holds the parent; a merged company brings the ids it was known by."""
    with portal_with(parent_property=parent_property) as harness:
        parent, child, other = (harness.seeds.company(name=name) for name in ("Holding", "Acme", "Acme Inc"))
        survivor = harness.portal.merge("companies", child, other)
        harness.seeds.parent(survivor, parent)
        found = {item.company_id: item for item in harness.talk(companies)}
        assert set(found) == {parent, survivor}
        assert found[survivor].parent_id == parent
        assert {child, other} <= set(found[survivor].merged_ids)
        calls = [request.path for request in harness.lookalike.requests if "associations" in request.path]
        assert len(calls) == (0 if parent_property else 1)


@pytest.mark.parametrize("answer", ["error", "omitted", "empty"])
def test_records_without_links_have_none(answer: Literal["error", "omitted", "empty"]) -> None:
    """However HubSpot answers for them, they do not disturb the reading of the others, page by page."""
    with portal_with(unassociated_in_batch_read=answer, association_page_size=2) as harness:
        harness.talk(set_up)
        written = harness.talk(upsert_two).written
        linked, alone = (item.record_id for item in written)
        targets = [harness.seeds.company(name=f"C{number}") for number in range(5)]

        async def work(crm: Crm) -> tuple[Link, ...]:
            await crm.link(REQUEST, [PairWrite(linked, "company", target, ("voted",)) for target in targets])
            return await crm.links(REQUEST, [linked, alone, "999"], "company")

        found = [item for item in harness.talk(work) if item.label == "voted"]
        assert found == [Link(linked, "company", target, "voted") for target in targets]


def test_archived_definitions_are_seen() -> None:
    """Setup has to refuse to create again what exists archived: that would purge or resurrect."""
    with portal_with() as harness:
        harness.talk(set_up)
        live = harness.talk(schema)
        assert (live.object_present, live.object_archived) == (True, False)

        async def archived(crm: Crm) -> tuple[str, ...]:
            return await crm.archived_properties(REQUEST)

        assert harness.talk(archived) == ()
        http(harness, "DELETE", f"/crm/properties/2026-09/{object_type(harness)}/votes")
        assert harness.talk(archived) == ("votes",)
        http(harness, "DELETE", f"/crm-object-schemas/2026-09/schemas/{object_type(harness)}")
        live = harness.talk(schema)
        assert (live.object_present, live.object_archived) == (False, True)


def test_what_the_portal_requires_is_part_of_the_schema(ready: Harness) -> None:
    """A property of somebody else that every record must have would refuse ours; it is shown as required."""
    ready.portal.define_property("wish", {"name": "team"})
    http(ready, "PATCH", f"/crm-object-schemas/2026-09/schemas/{object_type(ready)}", {"requiredProperties": ["team"]})
    found = {item.name: item.required for item in ready.talk(schema).properties}
    assert found["team"]
    assert not found["title"]


def test_limits_of_links_are_read_where_the_portal_tells() -> None:
    """The most companies one of our records may have."""
    with portal_with(association_limits={("wish", "companies"): 10_000}) as harness:
        harness.talk(set_up)
        limits = {(item.target, item.limit) for item in harness.talk(schema).links}
        assert limits == {("company", 10_000), ("contact", 50_000)}


def test_a_pair_beyond_the_limit_is_rejected_alone() -> None:
    """A popular request may want more companies than one record may have."""
    with portal_with(association_limits={("wish", "companies"): 1}) as harness:
        harness.talk(set_up)
        record = harness.talk(upsert_two).written[0].record_id
        pairs = [PairWrite(record, "company", harness.seeds.company(name=name), ("voted",)) for name in ("A", "B")]

        async def work(crm: Crm) -> Any:
            return await crm.link(REQUEST, pairs)

        outcome = harness.talk(work)
        assert outcome.written == (pairs[0],)
        assert outcome.rejected == ((pairs[1], "VALIDATION_ERROR (crm.associations.ASSOCIATION_LIMIT_EXCEEDED)"),)


# ------------------------------------------------------------------------------------------------------------- setup


def test_the_display_property_moves_into_our_group(ready: Harness) -> None:
    """It is born with the object, before there is a group of ours; one that a person moved stays where it is."""
    properties = {item.name: item.group for item in ready.talk(schema).properties}
    assert set(properties.values()) == {"wish_sync"}
    ready.portal.define_group("wish", "elsewhere")
    http(ready, "PATCH", f"/crm/properties/2026-09/{object_type(ready)}/title", {"groupName": "elsewhere"})

    async def again(crm: Crm) -> None:
        await crm.create_properties(REQUEST, [])

    ready.talk(again)
    assert {item.name: item.group for item in ready.talk(schema).properties}["title"] == "elsewhere"


def test_setup_adds_options_and_help_texts_to_what_is_ours(ready: Harness) -> None:
    """Options behind those there are, texts where nobody wrote another; what was moved out of our group is left."""
    better: dict[str, dict[str, Any]] = {
        "status": {"options": (*STATUS.options, ("parked", "Parked")), "description": "How far it is."},
        "title": {"description": "Another text of ours."},
        "votes": {"description": "How many."},
        "worth": {"description": "How much."},
    }
    wanted = msgspec.structs.replace(
        REQUEST,
        properties=tuple(msgspec.structs.replace(one, **better.get(one.name, {})) for one in REQUEST.properties),
    )
    path = f"/crm/properties/2026-09/{object_type(ready)}"
    ready.portal.define_group("wish", "elsewhere")
    http(ready, "PATCH", f"{path}/worth", {"groupName": "elsewhere"})
    http(ready, "PATCH", f"{path}/votes", {"description": "Counted by hand."})
    theirs = {"value": "mine", "label": "Ours alone", "displayOrder": 0, "hidden": True, "description": "Do not use"}
    options = http(ready, "GET", f"{path}/status").json()["options"]
    http(ready, "PATCH", f"{path}/status", {"options": [theirs, *options]})

    async def at_once(_seconds: float) -> None:
        """Wait for nothing: reads of this portal do not lag."""

    async def work(crm: Crm) -> tuple[list[SetupStep], list[str], list[SetupStep]]:
        live = await crm.schema(wanted, ())
        steps = plan_setup(wanted, live, ())
        problems = target_problems(wanted, live, link_contacts=True)
        await apply_setup(crm, wanted, steps, sleep=at_once, clock=lambda: 0.0)
        again = plan_setup(wanted, await crm.schema(wanted, ()), ())
        return steps, [one.text for one in problems if one.remedy == RUN_SETUP], again

    steps, problems, again = ready.talk(work)
    assert [step.line for step in steps] == [
        "add options to status: parked",
        "write the help text, which is empty or of an earlier version, of: status",
    ]
    assert problems == [
        f"wish.status: options missing: parked; {RUN_SETUP}",
        f"wish: the help text of status is missing or of an earlier version; {RUN_SETUP}",
    ]
    assert again == []
    status = http(ready, "GET", f"{path}/status").json()
    assert status["description"] == "How far it is."
    assert status["options"][0] == theirs
    assert [one["value"] for one in status["options"]] == ["mine", "open", "closed", "parked"]
    assert http(ready, "GET", f"{path}/votes").json()["description"] == "Counted by hand."
    assert http(ready, "GET", f"{path}/title").json()["description"] == "What is wanted."
    assert http(ready, "GET", f"{path}/worth").json().get("description", "") == ""


def test_a_text_that_somebody_changed_meanwhile_stays() -> None:
    """Between what setup showed and what it does, as an option that somebody added does."""
    entry = {"name": "status", "description": "Mine", "options": [{"value": "a", "label": "A", "displayOrder": 0}]}
    amendment = PropertyAmendment("status", (("a", "A"), ("b", "B")), "Ours", replaces="")
    added = {"value": "b", "label": "B", "displayOrder": 1, "hidden": False}
    assert changed_parts(entry, amendment) == {"options": [*entry["options"], added]}
    assert changed_parts({"name": "status"}, PropertyAmendment("status", (), "Ours")) == {"description": "Ours"}
    assert changed_parts(entry, PropertyAmendment("status", (("a", "A"),))) == {}


@pytest.mark.parametrize("status", [400, 403])
def test_a_portal_without_custom_objects_says_what_it_needs(status: Literal[400, 403]) -> None:
    """However it refuses."""
    with portal_with(custom_objects=False, no_custom_objects_status=status) as harness:
        if status == 400:
            limits = faults.path_contains("custom-object-types")
            body = b'{"limit": 0, "usage": 0, "percentage": 0}'
            harness.lookalike.faults.append(Fault(matches=limits, status=200, body=body))
        with pytest.raises(ConfigurationError, match="needs Enterprise"):
            harness.talk(set_up)


# --------------------------------------------------------------------------------------------------------- credential


async def whole_story(crm: Crm) -> None:
    """Everything setup and a run ask of a portal."""
    await set_up(crm)
    await crm.schema(REQUEST, ["arr_total"])
    await crm.portal()
    await companies(crm)
    await crm.contacts(["ann@acme.com"])
    written = (await upsert_two(crm)).written
    await crm.feature_requests_by_key(REQUEST, ["src:1"])
    for target, label in (("company", "voted"), ("contact", "voter")):
        ids = await _any_target(crm, target)
        pairs = [PairWrite(written[0].record_id, target, ids, (label,))]  # type: ignore[arg-type]  # both are targets
        await crm.links(REQUEST, [written[0].record_id], target)  # type: ignore[arg-type]
        await crm.link(REQUEST, pairs)
        await crm.unlink(REQUEST, pairs)


async def _any_target(crm: Crm, target: str) -> str:
    if target == "company":
        return (await companies(crm))[0].company_id
    return (await crm.contacts(["ann@acme.com"])).records[0].contact_id


def seeded(harness: Harness) -> Harness:
    company = harness.seeds.company(name="Acme")
    harness.seeds.contact("ann@acme.com", company_id=company)
    return harness


def needed(harness: Harness) -> frozenset[str]:
    async def work(crm: Crm) -> frozenset[str]:
        return crm.needed_scopes(setup=True, link_contacts=True)

    return harness.talk(work)


def test_the_needed_scopes_are_enough() -> None:
    """A token with exactly what we ask for can do all of it."""
    with portal_with() as harness:
        assert needed(harness) <= ALL_SCOPES
        harness.portal.scopes = set(needed(harness))
        seeded(harness).talk(whole_story)

        async def granted(crm: Crm) -> frozenset[str] | None:
            return await crm.granted_scopes()

        assert harness.talk(granted) == needed(harness) | {"oauth"}


def test_no_needed_scope_is_superfluous_and_each_missing_one_is_named() -> None:
    """Least privilege: without any one of them something fails, with an error that names it."""
    with portal_with() as harness:
        scopes = needed(harness)
    for scope in sorted(scopes):
        with portal_with() as harness:
            harness.portal.scopes = set(scopes) - {scope}
            with pytest.raises(CredentialError, match=re.escape(scope)):
                seeded(harness).talk(whole_story)


def test_a_rejected_token_is_a_credential_error() -> None:
    """Running again will not help."""
    with portal_with() as harness:
        harness.portal.token = "pat-na1-rotated"
        with pytest.raises(CredentialError, match="401"):
            harness.talk(companies)
        assert len(harness.lookalike.requests) == 1


def test_the_kind_of_a_portal_is_known() -> None:
    """Sandbox and production are told apart by what the portal says of itself."""
    with portal_with() as harness:
        harness.portal.account_type = "SANDBOX"

        async def work(crm: Crm) -> Any:
            return await crm.portal()

        found = harness.talk(work)
        assert (found.portal_id, found.kind, found.currency, found.time_zone) == (
            "4711",
            PortalKind.SANDBOX,
            "USD",
            "US/Eastern",
        )


# -------------------------------------------------------------------------------------------------------------- faults


def test_a_lost_answer_does_not_create_twice(ready: Harness) -> None:
    """The work was done and the answer lost: the repeat finds the records by key."""
    ready.lookalike.faults.append(faults.answer_lost(faults.path_contains("batch/upsert")))
    outcome = ready.talk(upsert_two)
    assert [item.created for item in outcome.written] == [False, False]
    assert len(ready.portal.records("wish")) == 2
    assert ready.calls.totals("hubspot").retried == 1


@pytest.mark.parametrize("fault", [faults.bad_gateway, faults.locked])
def test_passing_faults_are_sat_out(ready: Harness, fault: Any) -> None:
    """A bad gateway and a locked record are over after a moment."""
    ready.lookalike.faults.append(fault(faults.path_contains("batch/upsert")))
    assert len(ready.talk(upsert_two).written) == 2


def test_a_spent_day_is_not_waited_for(ready: Harness) -> None:
    """One call, then the run ends until midnight of the portal."""
    ready.lookalike.faults.append(faults.rate_limit(faults.path_contains("batch/upsert"), "DAILY"))
    with pytest.raises(QuotaError, match="DAILY limit reached"):
        ready.talk(upsert_two)
    assert sum("upsert" in request.path for request in ready.lookalike.requests) == 1


def test_a_move_of_the_portal_is_not_slept_through(ready: Harness) -> None:
    """The run ends, and says how long the move may take."""
    ready.lookalike.faults.append(faults.migrating(faults.path_contains("batch/upsert"), 7200))
    with pytest.raises(TransientError, match="7200 s"):
        ready.talk(upsert_two)
    assert sum("upsert" in request.path for request in ready.lookalike.requests) == 1


def test_the_quota_left_today_is_learnt_from_ordinary_calls(ready: Harness) -> None:
    """Association calls have a quota of their own, which must not be taken for it."""

    async def work(crm: HubSpotCrm) -> tuple[int | None, int | None]:
        await crm.portal()
        before = crm.quota.daily_remaining
        await crm.links(REQUEST, ["1"], "company")
        return before, crm.quota.daily_remaining

    before, after = ready.talk(work)  # type: ignore[arg-type]  # the harness of HubSpot opens a HubSpotCrm
    assert before is not None
    assert after is not None
    assert ready.portal.options.rates.daily - 100 < after < before


def test_one_failed_part_of_a_read_is_the_error_of_the_whole(ready: Harness) -> None:
    """Parts of a schema are read at the same time; what fails is raised as itself, not wrapped."""
    gone = Fault(matches=faults.path_contains("/labels"), times=None, status=418, body=b"{}")
    ready.lookalike.faults.append(gone)
    with pytest.raises(Exception, match="418") as caught:
        ready.talk(schema)
    assert not isinstance(caught.value, BaseExceptionGroup)


# ------------------------------------------------------------------------------------------------------------- helpers


def object_type(harness: Harness) -> str:
    return str(harness.portal.object_type("wish").object_type_id)


def http(harness: Harness, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
    """What a person does in the CRM's own screens, and what they see."""

    async def story() -> httpx.Response:
        async with httpx.AsyncClient(trust_env=False) as client:
            headers = {"authorization": f"Bearer {harness.portal.token}"}
            answer = await client.request(method, harness.url + path, json=body, headers=headers)
            assert answer.is_success, answer.text
            return answer

    return asyncio.run(story())
