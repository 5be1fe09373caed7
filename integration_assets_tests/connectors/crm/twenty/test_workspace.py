"""A workspace of Twenty through the connector: what the protocol of all CRMs does not ask about."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs

import msgspec
import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Token
from integration_assets.connectors.crm.base import (
    BatchRejectedError,
    CompanyMapping,
    Crm,
    PairWrite,
    RecordWrite,
    UnknownOutcomeError,
)
from integration_assets.connectors.crm.twenty.connector import twenty, workspace_of
from integration_assets.connectors.crm.twenty.status_rules import RULES
from integration_assets.connectors.rules import Action, Answer
from integration_assets.connectors.specs import ARR_PROPERTY
from integration_assets.errors import ConfigurationError, CredentialError, HeldError, PermanentError
from integration_assets.models import Company, CrmFeatureRequest, Deal, Link, LiveSchema, Portal, PortalKind
from integration_assets.sandbox.twenty import api_key
from integration_assets.sandbox.twenty.faults import answer_lost, key_revoked, path_contains
from integration_assets.sync.drift import target_problems
from integration_assets.sync.sending import Sent, pair_writer, send
from integration_assets.sync.setup import apply_setup, plan_setup
from integration_assets_tests.connectors.crm.harness import Harness, twenty_harness
from integration_assets_tests.connectors.crm.sample import REQUEST

GONE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(params=["1.10", "2.21", "2.31"])
def empty(request: pytest.FixtureRequest) -> Iterator[Harness]:
    """A workspace of each version without our object."""
    with twenty_harness(request.param) as harness:
        yield harness


@pytest.fixture
def ready(empty: Harness) -> Harness:
    """A workspace with our object."""
    set_up(empty)
    return empty


def set_up(harness: Harness) -> list[str]:
    """Run `setup`; returns what it created."""

    async def work(crm: Crm) -> list[str]:
        live = await crm.schema(REQUEST, ())
        steps = plan_setup(REQUEST, live, await crm.archived_properties(REQUEST))
        await apply_setup(crm, REQUEST, steps, sleep=lambda _: asyncio.sleep(0), clock=lambda: 0.0)
        return [step.kind for step in steps]

    return harness.talk(work)


def schema(harness: Harness) -> LiveSchema:
    async def work(crm: Crm) -> LiveSchema:
        return await crm.schema(REQUEST, ())

    return harness.talk(work)


def make(harness: Harness, *keys: str) -> dict[str, str]:
    async def work(crm: Crm) -> dict[str, str]:
        outcome = await crm.upsert(REQUEST, [RecordWrite(key, {"title": key}) for key in keys])
        return {item.key: item.record_id for item in outcome.written}

    return harness.talk(work)


def link(harness: Harness, *pairs: PairWrite) -> None:
    async def work(crm: Crm) -> None:
        assert (await crm.link(REQUEST, pairs)).written == pairs

    harness.talk(work)


def unlink(harness: Harness, *pairs: PairWrite, whole: bool = False) -> None:
    async def work(crm: Crm) -> None:
        assert (await (crm.unlink_whole if whole else crm.unlink)(REQUEST, pairs)).written == pairs

    harness.talk(work)


def links(harness: Harness, record_id: str) -> list[Link]:
    async def work(crm: Crm) -> list[Link]:
        return [*await crm.links(REQUEST, [record_id], "company"), *await crm.links(REQUEST, [record_id], "contact")]

    return harness.talk(work)


def votes(harness: Harness) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = list(harness.portal.rows["wishVotes"].values())
    return found


# -- identity


def test_the_key_names_its_workspace(empty: Harness):
    """Whatever the server is called, this is where the run would write; the server has to take the key as well."""

    async def work(crm: Crm) -> Portal:
        return await crm.portal()

    found = empty.talk(work)
    assert (found.portal_id, found.kind, found.currency) == (empty.portal.workspace_id, PortalKind.OTHER, None)
    empty.lookalike.faults.append(key_revoked(path_contains("/rest")))
    with pytest.raises(CredentialError, match="check the key"):
        empty.talk(work)


@pytest.mark.parametrize("text", ["", "secret", "a.b.c", "a.e30.c", "a.WzFd.c"])
def test_a_key_that_names_no_workspace_is_refused_without_being_told(text: str):
    with pytest.raises(CredentialError) as refused:
        workspace_of(SecretStr(text))
    assert "secret" not in refused.value.message
    assert workspace_of(SecretStr(api_key("w1"))) == "w1"


# -- schema


def test_setup_creates_what_is_missing_and_nothing_twice(empty: Harness):
    """An interrupted setup goes on where it stands; a complete one has nothing to do."""
    assert set_up(empty) == ["object", "properties", "link", "link", "link"]
    assert set_up(empty) == []
    assert target_problems(REQUEST, schema(empty), link_contacts=True) == []
    bodies = [json.loads(one.body) for one in empty.lookalike.requests if one.path == "/rest/metadata/fields"]
    posts = [(body["objectMetadataId"], body["name"]) for body in bodies]
    assert len(posts) == len(set(posts))
    assert {"externalId", "label", "wish", "company", "person"} <= {name for _, name in posts}


def test_a_setup_that_was_interrupted_goes_on(empty: Harness):
    async def begin(crm: Crm) -> None:
        await crm.create_object(REQUEST)
        await crm.create_properties(REQUEST, REQUEST.properties[:2])
        # What is left after the object of votes was made and before its fields were.
        empty.portal.add_object("wishVote", "wishVotes", "Wish vote", "Wish votes")

    empty.talk(begin)
    set_up(empty)
    assert target_problems(REQUEST, schema(empty), link_contacts=True) == []


def test_a_key_that_is_not_unique_is_seen(ready: Harness):
    """In every version: where the fields do not tell, the indexes do."""
    ready.portal.objects["wishes"].fields["externalId"].unique = False
    with pytest.raises(ConfigurationError, match="without unique values"):
        set_up(ready)


def test_votes_without_a_unique_key_are_no_links(ready: Harness):
    """Each run would make every vote anew."""
    ready.portal.objects["wishVotes"].fields["externalId"].unique = False
    assert schema(ready).links == ()


def test_a_field_of_another_type_or_switched_off_is_seen(ready: Harness):
    fields = ready.portal.objects["wishes"].fields
    fields["votes"].type, fields["details"].active = "TEXT", False
    texts = [drift.text for drift in target_problems(REQUEST, schema(ready), link_contacts=True)]
    assert any("wish.votes: type is TEXT, expected NUMBER" in text for text in texts)
    assert any(text.startswith("wish.details") for text in texts)
    with pytest.raises(ConfigurationError, match="details"):
        set_up(ready)


def test_an_object_of_somebody_else_is_seen(empty: Harness):
    wish = empty.portal.add_object("wish", "wishes", "Wish", "Wishes")
    empty.portal.add_field(wish, "TEXT", "colour")
    live = schema(empty)
    assert live.other_properties == ("colour",)
    assert "is not ours" in target_problems(REQUEST, live, link_contacts=True)[0].text


def test_somebody_elses_object_with_the_name_of_our_votes_is_left_alone(empty: Harness):
    """Setup would give it our fields."""
    vote = empty.portal.add_object("wishVote", "wishVotes", "Wish vote", "Wish votes")
    empty.portal.add_field(vote, "TEXT", "team")
    with pytest.raises(ConfigurationError, match="an object wishVote exists that is not ours: it has team and no"):
        set_up(empty)
    assert "wishes" not in empty.portal.objects


def test_a_label_field_without_our_option_is_not_changed(ready: Harness):
    label = ready.portal.objects["wishVotes"].fields["label"]
    label.options = [option for option in label.options if option["value"] != "AUTHOR"]
    with pytest.raises(ConfigurationError, match="AUTHOR"):
        set_up(ready)


# -- records


def test_ids_are_those_of_their_keys_whatever_the_order(ready: Harness):
    """The answer has updated records first: by position, links would lead to the wrong request."""
    first = make(ready, "src:1", "src:2")
    again = make(ready, "src:9", "src:2", "src:8", "src:1")
    assert {key: again[key] for key in first} == first
    rows = {row["externalId"]: row["id"] for row in ready.portal.live("wishes")}
    assert again == rows


def test_a_key_twice_in_a_batch_is_sent_once(ready: Harness):
    """A new key twice would have the whole batch refused; the last write counts."""

    async def work(crm: Crm) -> list[str]:
        outcome = await crm.upsert(REQUEST, [RecordWrite("src:1", {"title": title}) for title in ("One", "Uno")])
        return [item.key for item in outcome.written]

    assert ready.talk(work) == ["src:1"]
    assert [row["name"] for row in ready.portal.live("wishes")] == ["Uno"]


@pytest.mark.parametrize("key", ["", " ", 'src:"1"', "src:[1]", "src:(1)"])
def test_a_record_without_a_usable_key_is_refused_before_it_is_sent(ready: Harness, key: str):
    """Without a key each write would make another record, and one that cannot be found could not be read back."""

    async def work(crm: Crm) -> tuple[list[str], list[str]]:
        outcome = await crm.upsert(REQUEST, [RecordWrite(key, {}), RecordWrite("src:2", {})])
        return [item.key for item in outcome.written], [item.key for item in outcome.rejected]

    assert ready.talk(work) == (["src:2"], [key])
    assert [row["externalId"] for row in ready.portal.live("wishes")] == ["src:2"]


def test_a_key_with_a_comma_is_found(ready: Harness):
    made = make(ready, "src:a,b", "src:c")

    async def work(crm: Crm) -> dict[str, str]:
        found = await crm.feature_requests_by_key(REQUEST, ["src:a,b", "src:c", "src:d"])
        return {key: record.record_id for key, record in found.items()}

    assert ready.talk(work) == made


def test_values_of_every_kind_are_written_and_cleared(ready: Harness):
    values = {
        "title": "One",
        "status": "closed",
        "votes": "3",
        "details": "Line\nline",
        "asked_at": "2026-11-29T08:00:00.000Z",
        "page": "https://Acme.example/p/1/",
        "worth": "1234.5",
    }

    async def write(crm: Crm, given: dict[str, str]) -> dict[str, CrmFeatureRequest]:
        await crm.upsert(REQUEST, [RecordWrite("src:1", given)])
        return dict(await crm.feature_requests_by_key(REQUEST, ["src:1"]))

    found = ready.talk(lambda crm: write(crm, values))["src:1"]
    assert found.values == {**values, "request_key": "src:1"}
    (row,) = ready.portal.live("wishes")
    assert row["worth"] == {"amountMicros": 1_234_500_000, "currencyCode": "USD"}
    found = ready.talk(lambda crm: write(crm, dict.fromkeys(values, "")))["src:1"]
    assert found.values == {"request_key": "src:1"}


def test_amounts_are_written_in_the_currency_of_their_field(ready: Harness):
    """It is chosen in Twenty's settings."""
    ready.portal.objects["wishes"].fields["worth"].default = {"amountMicros": None, "currencyCode": "'EUR'"}

    async def work(crm: Crm) -> None:
        await crm.upsert(REQUEST, [RecordWrite("src:1", {"worth": "5"})])

    ready.talk(work)
    assert ready.portal.live("wishes")[0]["worth"]["currencyCode"] == "EUR"


def test_a_workspace_in_another_currency_has_its_amounts_in_it(empty: Harness):
    """It is that of the field of companies' ARR, which setup takes over for ours."""
    revenue = empty.portal.objects["companies"].fields["annualRecurringRevenue"]
    revenue.default = {"amountMicros": None, "currencyCode": "'EUR'"}

    async def work() -> tuple[str | None, str | None]:
        key, options = Token(SecretStr(empty.token)), {ARR_PROPERTY: "annualRecurringRevenue"}
        opened = twenty(base_url=empty.url, credential=key, calls=CallCounter(), options=options)
        async with opened as crm:
            await crm.create_object(REQUEST)
            await crm.create_properties(REQUEST, REQUEST.properties)
            await crm.upsert(REQUEST, [RecordWrite("src:1", {"worth": "5"})])
            return (await crm.portal()).currency, (await crm.schema(REQUEST, ())).portal.currency

    assert asyncio.run(work()) == ("EUR", "EUR")
    assert empty.portal.live("wishes")[0]["worth"] == {"amountMicros": 5_000_000, "currencyCode": "EUR"}


def test_a_write_whose_answer_is_lost_is_told_as_unknown_and_is_harmless_to_repeat(ready: Harness):
    ready.lookalike.faults.append(answer_lost(path_contains("/rest/batch/wishes"), times=None))

    async def work(crm: Crm) -> None:
        # One attempt only: a client repeats for minutes.
        crm._client._repeats = 0  # type: ignore[attr-defined]  # no setting of the factory
        await crm.upsert(REQUEST, [RecordWrite("src:1", {"title": "One"})])

    with pytest.raises(UnknownOutcomeError, match="read it back"):
        ready.talk(work)
    ready.lookalike.faults.clear()
    made = make(ready, "src:1")
    assert [row["id"] for row in ready.portal.live("wishes")] == [made["src:1"]]


# -- links


def test_a_label_is_taken_off_into_the_bin_and_comes_back_as_the_same_vote(ready: Harness):
    """So an undo restores the record with its history, and nothing is destroyed."""
    company, record = ready.seeds.company(name="Acme"), make(ready, "src:1")["src:1"]
    pair = PairWrite(record, "company", company, ("voted",))
    link(ready, pair)
    (before,) = votes(ready)
    unlink(ready, pair)
    assert links(ready, record) == []
    (binned,) = votes(ready)
    assert (binned["id"], binned["deletedAt"] is not None) == (before["id"], True)
    link(ready, pair)
    (after,) = votes(ready)
    assert (after["id"], after["deletedAt"]) == (before["id"], None)
    assert links(ready, record) == [Link(record, "company", company, "voted")]


def test_only_the_asked_pairs_lose_a_label(ready: Harness):
    """The filter of a removal names votes, and no other is touched."""
    acme, beta = ready.seeds.company(name="Acme"), ready.seeds.company(name="Beta")
    made = make(ready, "src:1", "src:2")
    pairs = [PairWrite(record, "company", end, ("voted",)) for record in made.values() for end in (acme, beta)]
    link(ready, *pairs)
    unlink(ready, pairs[0], pairs[3])
    left = {(one.record_id, one.target_id) for record in made.values() for one in links(ready, record)}
    assert left == {(pairs[1].record_id, pairs[1].target_id), (pairs[2].record_id, pairs[2].target_id)}


def test_a_vote_that_somebody_made_is_not_ours(ready: Harness):
    """It is reported under a name of its own, and stays when our label goes."""
    company, record = ready.seeds.company(name="Acme"), make(ready, "src:1")["src:1"]
    row = {"wishId": record, "companyId": company, "label": "VOTED", "externalId": ""}
    (theirs,) = ready.portal.seed("wishVotes", [row])
    pair = PairWrite(record, "company", company, ("voted",))
    link(ready, PairWrite(record, "company", company, ("voted", f"other:{theirs}")))
    expected = {Link(record, "company", company, "voted"), Link(record, "company", company, f"other:{theirs}")}
    assert set(links(ready, record)) == expected

    async def of_pairs(crm: Crm) -> set[Link]:
        return set((await crm.links_of_pairs(REQUEST, [pair])).links)

    assert ready.talk(of_pairs) == expected
    unlink(ready, pair)
    assert links(ready, record) == [Link(record, "company", company, f"other:{theirs}")]
    link(ready, pair)
    unlink(ready, pair, whole=True)
    assert links(ready, record) == []


def test_a_vote_of_ours_that_was_led_elsewhere_is_put_right(ready: Harness):
    acme, beta = ready.seeds.company(name="Acme"), ready.seeds.company(name="Beta")
    record = make(ready, "src:1")["src:1"]
    pair = PairWrite(record, "company", acme, ("voted",))
    link(ready, pair)
    votes(ready)[0]["companyId"] = beta
    assert [one.label.partition(":")[0] for one in links(ready, record)] == ["other"]
    link(ready, pair)
    assert links(ready, record) == [Link(record, "company", acme, "voted")]


def test_a_company_that_is_gone_is_refused_alone_where_twenty_looks(ready: Harness):
    """The first generation takes an id of nothing; the second refuses the batch, which is halved."""
    company, record = ready.seeds.company(name="Acme"), make(ready, "src:1")["src:1"]
    pairs = [PairWrite(record, "company", end, ("voted",)) for end in (GONE, company)]

    async def work(crm: Crm) -> Sent[PairWrite]:
        return await send(pairs, pair_writer(crm, REQUEST, "link"), asyncio.sleep)

    sent = ready.talk(work)
    if ready.portal.options.first_generation:
        assert sent.accepted == pairs
    else:
        assert (sent.accepted, [pair for pair, _ in sent.rejected]) == ([pairs[1]], [pairs[0]])


def test_links_of_many_votes_are_read_across_pages(ready: Harness):
    record = make(ready, "src:1")["src:1"]
    companies = [ready.seeds.company(name=f"C{number}") for number in range(260)]

    async def work(crm: Crm) -> int:
        for start in range(0, len(companies), crm.pairs_per_write):
            ends = companies[start : start + crm.pairs_per_write]
            await crm.link(REQUEST, [PairWrite(record, "company", end, ("voted",)) for end in ends])
        return len(await crm.links(REQUEST, [record], "company"))

    assert ready.talk(work) == 260


# -- companies and people


def test_the_currency_of_a_company_is_that_of_its_amount(ready: Harness):
    ready.portal.seed("companies", [{"annualRecurringRevenue": {"amountMicros": 1_500_000, "currencyCode": "EUR"}}])

    async def work(crm: Crm) -> list[Company]:
        mapping = CompanyMapping(arr="annualRecurringRevenue")
        return [one async for page in crm.companies(mapping) for one in page.records]

    (company,) = ready.talk(work)
    assert (company.arr, company.currency) == ("1.5", "EUR")


def test_a_mapped_field_that_does_not_exist_is_a_wrong_setting(ready: Harness):
    """The name of the revenue differs between workspaces; without it every company would be without a figure."""

    async def work(crm: Crm) -> None:
        async for _ in crm.companies(CompanyMapping(arr="annualRevenue")):
            pass

    with pytest.raises(ConfigurationError, match="annualRevenue"):
        ready.talk(work)


def test_addresses_never_stand_in_a_url(ready: Harness):
    """People are listed, once however many batches of addresses are asked for."""
    ann = ready.seeds.contact("ann@acme.example")
    ready.lookalike.clear()

    async def work(crm: Crm) -> list[str]:
        pages = await asyncio.gather(crm.contacts(["Ann@acme.example"]), crm.contacts(["bob@acme.example"]))
        return [one.contact_id for page in pages for one in page.records]

    assert ready.talk(work) == [ann]
    assert [one.path for one in ready.lookalike.requests] == ["/rest/people"]
    assert all("acme" not in value for one in ready.lookalike.requests for value in parse_qs(one.query))


# -- limits and refusals


def test_a_refusal_for_going_too_fast_is_waited_for():
    """It does not say how long: a little first, at most a minute, after which the bucket is full again."""
    answer = Answer(429, {}, {"messages": ["Limit reached (100 tokens per 60000 ms)"]})
    rule = RULES.rule_for(answer)
    assert (rule.action, rule.pauses) == (Action.RETRY, True)
    waits = [RULES.seconds_before_repeat(answer, rule, attempt) for attempt in (1, 2, 4, 9)]
    assert waits == [15.0, 30.0, 60.0, 60.0]


def test_a_refused_batch_says_what_without_values(ready: Harness):
    async def work(crm: Crm) -> None:
        await crm.upsert(REQUEST, [RecordWrite("src:1", {"status": "surprising"})])

    with pytest.raises(BatchRejectedError) as refused:
        ready.talk(work)
    assert "surprising" not in refused.value.message.lower()
    # The first generation repeats what its database says, which is not much.
    assert ("status" in refused.value.reason) is not ready.portal.options.first_generation


# -- opportunities


def deals_of(harness: Harness, company_ids: list[str] | None = None) -> list[Deal]:
    async def work(crm: Crm) -> list[Deal]:
        assert crm.deals is not None
        return [one async for page in crm.deals.of(company_ids) for one in page.page.records]

    return harness.talk(work)


def test_open_opportunities_come_with_company_stage_and_amount(ready: Harness):
    """Those of a closed stage are left out; of another company they are, where companies are named."""
    acme, beta = ready.seeds.company(name="Acme"), ready.seeds.company(name="Beta")
    common = {"name": "Renewal", "amount": {"amountMicros": -1_500_000, "currencyCode": "EUR"}}
    mine, theirs, *_ = ready.portal.seed(
        "opportunities",
        [
            {**common, "stage": "NEW", "companyId": acme, "closeDate": "2026-12-31T00:00:00.000Z"},
            {"stage": "MEETING", "companyId": beta},
            {**common, "stage": "CUSTOMER", "companyId": acme},
        ],
    )
    expected = Deal(mine, "Renewal", (acme,), "New", Decimal("-1.5"), "EUR", close_date=date(2026, 12, 31))
    assert deals_of(ready, [acme]) == [expected]
    assert {one.deal_id for one in deals_of(ready)} == {mine, theirs}
    assert {one.deal_id for one in deals_of(ready, [GONE[:-3] + f"{number:03}" for number in range(121)])} == {
        mine,
        theirs,
    }
    assert deals_of(ready, []) == []


def test_stages_that_are_not_there_leave_the_pipeline_unread(ready: Harness):
    """Closed opportunities would count as open, without a word."""
    stage = ready.portal.objects["opportunities"].fields["stage"]
    stage.options = [option for option in stage.options if option["value"] != "CUSTOMER"]
    with pytest.raises(PermanentError, match="no stage CUSTOMER: name those that are won or lost, of NEW"):
        deals_of(ready)
    stage.options = []
    with pytest.raises(PermanentError, match="no opportunities with stages"):
        deals_of(ready)


def test_options_that_lack_are_named_as_twenty_writes_them(ready: Harness) -> None:
    """No contract says how a field is changed through the API: a person adds them, and is told where."""
    status = next(one for one in REQUEST.properties if one.name == "status")
    wanted = msgspec.structs.replace(
        REQUEST,
        properties=tuple(
            msgspec.structs.replace(one, options=(*one.options, ("on_hold", "On hold"))) if one is status else one
            for one in REQUEST.properties
        ),
    )

    async def work(crm: Crm) -> list[str]:
        live = await crm.schema(wanted, ())
        with pytest.raises(HeldError, match="ON_HOLD"):
            plan_setup(wanted, live, ())
        return [one.text for one in target_problems(wanted, live, link_contacts=True)]

    [problem] = ready.talk(work)
    assert problem.startswith("wish.status: options missing: on_hold; in Twenty's settings, under Data model, Wishes,")
    assert problem.endswith(" add to the field status the options ON_HOLD (On hold): the API name is in upper case")
