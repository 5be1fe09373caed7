"""What the connector makes of answers, byte by byte, that a well-behaved portal would rarely give."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import pytest
from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Token
from integration_assets.connectors.crm.base import (
    BatchRejectedError,
    CompanyMapping,
    PairsOutcome,
    PairWrite,
    RecordWrite,
    UnknownOutcomeError,
)
from integration_assets.connectors.crm.hubspot.connector import HubSpotCrm, hubspot
from integration_assets.connectors.crm.hubspot.reads import address_key
from integration_assets.connectors.crm.hubspot.status_rules import RULES
from integration_assets.connectors.http import HttpClient, LargeAnswerError
from integration_assets.connectors.limiter import Limiter
from integration_assets.errors import ConfigurationError, ContractError, CredentialError, PermanentError, TransientError
from integration_assets.models import Company, Contact, Link, Page, PortalKind, RecordPages, Rejected
from integration_assets_tests.connectors.crm.sample import REQUEST
from integration_assets_tests.support.fault_server import Behaviour, FaultServer, Request, answer, fault_server

pytestmark = pytest.mark.usefixtures("no_backoff")

T = TypeVar("T")
TOKEN = "pat-na1-made-up"
SCHEMAS = answer(200, {"results": [{"name": "wish", "objectTypeId": "2-77", "requiredProperties": []}]})
LABELS = answer(
    200,
    {
        "results": [
            {"category": "USER_DEFINED", "typeId": 57, "label": "Voted"},
            {"category": "USER_DEFINED", "typeId": 51, "label": None},
            {"category": "HUBSPOT_DEFINED", "typeId": 57, "label": "Voted"},
        ]
    },
)
COMPANY_NAMES = ("name", "domain", "hs_parent_company_id", "arr")
COMPANY_PROPERTIES = answer(200, {"results": [{"name": name} for name in COMPANY_NAMES]})
NO_SCOPE = {
    "status": "error",
    "category": "MISSING_SCOPES",
    "errors": [{"context": {"requiredGranularScopes": ["crm.objects.companies.read"]}}],
}


def talk(work: Callable[[HubSpotCrm], Awaitable[T]], *behaviours: Behaviour) -> tuple[T, FaultServer]:
    """Do `work` with a connector against a server with these behaviours."""

    async def story() -> tuple[T, FaultServer]:
        # The server is on another port each time, which is another credential: no limiter is shared between tests.
        async with (
            fault_server(*behaviours) as server,
            hubspot(base_url=server.url, credential=Token(SecretStr(TOKEN)), calls=CallCounter()) as crm,
        ):
            return await work(crm), server

    return asyncio.run(story())


async def read_companies(crm: HubSpotCrm, mapping: CompanyMapping | None = None) -> list[Page[Company]]:
    return [page async for page in crm.companies(mapping or CompanyMapping())]


def company(record_id: Any, **properties: Any) -> dict[str, Any]:
    return {"id": record_id, "properties": properties, "archived": False, "updatedAt": "2026-05-01T10:00:00.123Z"}


# ------------------------------------------------------------------------------------------------------------- reading


def test_a_company_of_another_form_is_rejected_alone() -> None:
    """One bad record costs neither its page nor the read; the reason names the field and not its value."""
    listing = {"results": [company("1", name="Acme"), company("2", name=5), {"properties": {}}, company(4)]}
    (page,), _ = talk(read_companies, COMPANY_PROPERTIES, answer(200, listing))
    assert [item.company_id for item in page.records] == ["1", "4"]
    assert page.rejected == (
        Rejected("company", "2", "unexpected form: Expected `str | null`, got `int` - at `$.properties[...]`"),
        Rejected("company", "without id", "unexpected form: Object missing required field `id`"),
    )


def test_a_cursor_goes_back_unchanged_and_links_are_not_followed() -> None:
    """The next page is asked of our own base URL, whatever host the answer names."""
    paging = {"next": {"after": "a%3D/+&b", "link": "https://elsewhere.example/next"}}
    pages, server = talk(
        read_companies,
        COMPANY_PROPERTIES,
        answer(200, {"results": [company("1")], "paging": paging}),
        answer(200, {"results": [company("2")], "paging": {}}),
    )
    assert [[item.company_id for item in page.records] for page in pages] == [["1"], ["2"]]
    assert "after=a%253D%2F%2B%26b" in server.requests[2].line


def test_a_list_without_end_is_a_broken_contract() -> None:
    """A cursor that comes back as it was sent would be followed for ever."""
    endless = answer(200, {"results": [], "paging": {"next": {"after": "7"}}})
    with pytest.raises(ContractError, match="repeats a page cursor"):
        talk(read_companies, COMPANY_PROPERTIES, endless)


def test_a_mapped_property_that_does_not_exist_stops_the_read() -> None:
    """HubSpot leaves unknown properties out without a word, and every ARR would be missing."""

    async def work(crm: HubSpotCrm) -> list[Page[Company]]:
        return await read_companies(crm, CompanyMapping(arr="arr", currency="curency"))

    with pytest.raises(ConfigurationError, match=r"no company property curency; correct the setting"):
        talk(work, COMPANY_PROPERTIES)


def test_only_named_properties_are_asked_for() -> None:
    """A hundred companies per call, with the mapped properties beside the fixed ones, each named once."""

    async def work(crm: HubSpotCrm) -> list[Page[Company]]:
        return await read_companies(crm, CompanyMapping(arr="arr", account_id="domain"))

    row = company("1", arr="12.50", domain="acme.com", hs_parent_company_id="9", hs_merged_object_ids="3; 4")
    (page,), server = talk(work, COMPANY_PROPERTIES, answer(200, {"results": [row]}))
    asked = "name%2Cdomain%2Chs_additional_domains%2Clifecyclestage%2Chs_merged_object_ids%2Chs_parent_company_id%2Carr"
    assert server.requests[1].line.startswith(
        f"GET /crm/objects/2026-09/0-2?limit=100&properties={asked}&archived=false"
    )
    (found,) = page.records
    assert (found.arr, found.account_id, found.parent_id, found.merged_ids) == ("12.50", "acme.com", "9", ("3", "4"))
    assert found.modified_at is not None
    assert found.modified_at.isoformat() == "2026-05-01T10:00:00.123000+00:00"


def test_parents_come_from_associations_where_no_property_holds_them() -> None:
    """Child to parent is HubSpot's type 14; other associations between companies are not parents."""
    types = [{"category": "HUBSPOT_DEFINED", "typeId": 450, "label": None}]
    parent = {"category": "HUBSPOT_DEFINED", "typeId": 14, "label": "Parent Company"}
    not_parent = {"category": "USER_DEFINED", "typeId": 14, "label": "Neighbour"}
    associations = {
        "results": [
            {"from": {"id": 1}, "to": [{"toObjectId": 8, "associationTypes": types}]},
            {
                "from": {"id": "2"},
                "to": [
                    {"toObjectId": 9, "associationTypes": [*types, parent]},
                    {"toObjectId": 8, "associationTypes": [not_parent]},
                ],
            },
        ]
    }
    (page,), server = talk(
        read_companies,
        answer(200, {"results": [{"name": "name"}]}),
        answer(200, {"results": [company("1"), company("2"), company("3")]}),
        answer(207, associations),
    )
    assert [item.parent_id for item in page.records] == [None, "9", None]
    assert server.requests[2].json == {"inputs": [{"id": "1"}, {"id": "2"}, {"id": "3"}]}
    assert "hs_parent_company_id" not in server.requests[1].line


def test_a_refused_address_is_isolated_and_named_by_its_digest() -> None:
    """A batch refused for one address is halved; the other contacts are found, the address is not repeated."""

    async def work(crm: HubSpotCrm) -> Page[Contact]:
        return await crm.contacts(["good@x.io", "bad address"])

    refused = answer(400, {"category": "VALIDATION_ERROR", "message": "bad address"})
    found = {"id": 5, "properties": {"email": "good@x.io", "hs_additional_emails": "A@x.io;b@x.io"}}

    def by_address(request_number: int) -> Behaviour:
        async def behave(writer: asyncio.StreamWriter) -> None:
            inputs = servers[0].requests[request_number].json["inputs"]
            body = answer(200, {"results": [found]}) if inputs == [{"id": "good@x.io"}] else refused
            await body(writer)

        return behave

    servers: list[FaultServer] = []

    async def story() -> Page[Contact]:
        primary = {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"}
        ends = {"results": [{"from": {"id": "5"}, "to": [{"toObjectId": 66, "associationTypes": [primary]}]}]}
        async with fault_server(refused, by_address(1), by_address(2), answer(200, ends)) as server:
            servers.append(server)
            async with hubspot(base_url=server.url, credential=Token(SecretStr(TOKEN)), calls=CallCounter()) as crm:
                return await work(crm)

    page = asyncio.run(story())
    assert page.records == (Contact("5", "good@x.io", ("a@x.io", "b@x.io"), "66"),)
    (rejected,) = page.rejected
    assert rejected.reason == "VALIDATION_ERROR: bad address"
    assert rejected.key.startswith("address:")
    assert "bad" not in rejected.key


def test_a_part_of_a_batch_that_fails_without_a_name_is_isolated() -> None:
    """An error that names no address is not passed over: the batch is halved until it is known whose it is."""
    found = {"id": 5, "properties": {"email": "good@x.io"}}
    ends: dict[str, list[object]] = {"results": []}

    def results_for(request: Request) -> Behaviour:
        if "associations" in request.line:
            return answer(200, ends)
        asked = [entry["id"] for entry in request.json["inputs"]]
        results = [found] if "good@x.io" in asked else []
        errors = [{"category": "INTERNAL_ERROR"}] if "odd@x.io" in asked else []
        missing = [{"category": "OBJECT_NOT_FOUND", "context": {"ids": ["none@x.io"]}}] if "none@x.io" in asked else []
        return answer(207, {"results": results, "errors": errors + missing})

    async def behave(writer: asyncio.StreamWriter) -> None:
        await results_for(servers[0].requests[-1])(writer)

    servers: list[FaultServer] = []

    async def story() -> Page[Contact]:
        async with fault_server(behave) as server:
            servers.append(server)
            async with hubspot(base_url=server.url, credential=Token(SecretStr(TOKEN)), calls=CallCounter()) as crm:
                return await crm.contacts(["good@x.io", "none@x.io", "odd@x.io"])

    page = asyncio.run(story())
    assert [contact.contact_id for contact in page.records] == ["5"]
    assert [(one.key, one.reason) for one in page.rejected] == [(address_key("odd@x.io"), "INTERNAL_ERROR")]


def test_a_batch_read_that_fails_in_part_is_no_absence() -> None:
    """Records taken for missing would be created again: only "not found" may pass for absence."""

    async def work(crm: HubSpotCrm) -> object:
        return await crm.feature_requests_by_key(REQUEST, ["a", "b"])

    missing = {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["a", "b"]}}
    found, _ = talk(work, SCHEMAS, answer(207, {"results": [], "errors": [missing]}))
    assert found == {}
    broken = answer(207, {"results": [], "errors": [missing, {"category": "INTERNAL_ERROR"}]})
    with pytest.raises(ContractError, match="INTERNAL_ERROR"):
        talk(work, SCHEMAS, broken)
    with pytest.raises(ContractError, match="missing required field `results`"):
        talk(work, SCHEMAS, answer(200, {"status": "COMPLETE"}))
    with pytest.raises(ContractError, match=r"record 8.*properties"):
        talk(work, SCHEMAS, answer(200, {"results": [{"id": "8", "properties": []}]}))


def test_cleared_and_unmanaged_values_are_absent() -> None:
    """A cleared value reads as an empty string or null; properties of others are not ours to see."""

    async def work(crm: HubSpotCrm) -> object:
        return await crm.feature_requests_by_key(REQUEST, ["a"])

    properties = {"request_key": "a", "title": "T", "status": "", "votes": None, "hs_object_id": "8", "theirs": "x"}
    found, server = talk(work, SCHEMAS, answer(200, {"results": [{"id": 8, "properties": properties}]}))
    assert isinstance(found, dict)
    assert found["a"].values == {"request_key": "a", "title": "T"}
    assert server.requests[1].json["idProperty"] == "request_key"
    assert server.requests[1].json["properties"] == [item.name for item in REQUEST.properties]


async def read_links(crm: HubSpotCrm) -> tuple[Link, ...]:
    return await crm.links(REQUEST, ["1", "2", "3"], "company")


def test_links_are_read_to_the_end_of_every_record() -> None:
    """Each record pages for itself, and its cursor, percent-encoded as it came, goes back unchanged."""
    ours = {"category": "USER_DEFINED", "typeId": 57, "label": "Voted"}
    plain = {"category": "USER_DEFINED", "typeId": 51, "label": None}
    alien = {"category": "HUBSPOT_DEFINED", "typeId": 57, "label": "Voted"}
    first = {
        "results": [
            {
                "from": {"id": "1"},
                "to": [{"toObjectId": 10, "associationTypes": [plain, ours]}],
                "paging": {"next": {"after": "MC0yLTE1%3D"}},
            },
            {"from": {"id": "2"}, "to": [{"toObjectId": 10, "associationTypes": [alien]}]},
        ],
        "errors": [{"category": "OBJECT_NOT_FOUND", "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"}],
    }
    second = {"results": [{"from": {"id": 1}, "to": [{"toObjectId": 11, "associationTypes": [ours]}]}]}
    found, server = talk(read_links, SCHEMAS, LABELS, answer(207, first), answer(200, second))
    assert found == (
        Link("1", "company", "10", "plain"),
        Link("1", "company", "10", "voted"),
        Link("1", "company", "11", "voted"),
        Link("2", "company", "10", "other:HUBSPOT_DEFINED:57"),
    )
    assert server.requests[3].json == {"inputs": [{"id": "1", "after": "MC0yLTE1%3D"}]}


def test_an_answer_that_is_too_large_is_asked_for_in_halves() -> None:
    """A thousand popular requests have more links than one answer may hold."""
    ours = {"category": "USER_DEFINED", "typeId": 57, "label": "Voted"}

    def page(record_id: str) -> dict[str, Any]:
        return {"from": {"id": record_id}, "to": [{"toObjectId": n, "associationTypes": [ours]} for n in range(6)]}

    async def read(*behaviours: Behaviour) -> tuple[tuple[Link, ...], FaultServer]:
        async with fault_server(SCHEMAS, LABELS, *behaviours) as server:
            client = HttpClient(
                system="hubspot",
                base_url=server.url,
                limiter=Limiter({}),
                calls=CallCounter(),
                rules=RULES,
                body_bytes=900,
            )
            async with client:
                crm = HubSpotCrm(client, SecretStr(TOKEN))
                return await crm.links(REQUEST, ["1", "2"], "company"), server

    both = answer(200, {"results": [page("1"), page("2")]})
    single = [answer(200, {"results": [page(record_id)]}) for record_id in ("1", "2")]
    found, server = asyncio.run(read(both, *single))
    assert len(found) == 12
    assert [request.json for request in server.requests[2:]] == [
        {"inputs": [{"id": "1"}, {"id": "2"}]},
        {"inputs": [{"id": "1"}]},
        {"inputs": [{"id": "2"}]},
    ]
    with pytest.raises(LargeAnswerError):
        asyncio.run(read(both))


def test_the_object_and_its_labels_are_looked_up_once() -> None:
    """Two reads of links cost one lookup of each id."""

    async def work(crm: HubSpotCrm) -> None:
        await read_links(crm)
        await read_links(crm)

    _, server = talk(work, SCHEMAS, LABELS, answer(200, {"results": []}))
    paths = [request.line.split(" ")[1].partition("?")[0] for request in server.requests]
    read = "/crm/associations/2026-09/2-77/0-2/batch/read"
    assert paths == [
        "/crm-object-schemas/2026-09/schemas",
        "/crm/associations/2026-09/2-77/0-2/labels",
        read,
        read,
    ]


# ------------------------------------------------------------------------------------------------------------- writing


def test_every_record_carries_its_trace_id_and_its_key() -> None:
    """The key is in the id and among the properties, whatever the values say."""

    async def work(crm: HubSpotCrm) -> object:
        return await crm.upsert(REQUEST, [RecordWrite("a", {"title": "T", "request_key": "other", "votes": ""})])

    _, server = talk(work, SCHEMAS, answer(200, {"results": []}))
    assert server.requests[1].line.startswith("POST /crm/objects/2026-09/2-77/batch/upsert ")
    assert server.requests[1].json == {
        "inputs": [
            {
                "id": "a",
                "idProperty": "request_key",
                "objectWriteTraceId": "a",
                "properties": {"request_key": "a", "title": "T", "votes": ""},
            }
        ]
    }


@pytest.mark.parametrize("status", [400, 409])
def test_a_refused_batch_is_told_as_such(status: int) -> None:
    """Duplicate ids and conflicts refuse a whole batch; the reason is in the words of the CRM."""

    async def work(crm: HubSpotCrm) -> object:
        return await crm.upsert(REQUEST, [RecordWrite("a", {}), RecordWrite("a", {})])

    body = {"category": "VALIDATION_ERROR", "message": "Duplicate IDs found in batch input: [a]"}
    with pytest.raises(BatchRejectedError) as caught:
        talk(work, SCHEMAS, answer(status, body))
    assert caught.value.reason == "VALIDATION_ERROR: Duplicate IDs found in batch input: [a]"
    assert caught.value.status == status


def test_a_receipt_of_another_form_leaves_the_outcome_unknown() -> None:
    """The write was accepted; what cannot be read is only its receipt."""

    async def work(crm: HubSpotCrm) -> object:
        return await crm.upsert(REQUEST, [RecordWrite("a", {})])

    with pytest.raises(UnknownOutcomeError, match="read it back"):
        talk(work, SCHEMAS, answer(200, {"results": "many"}))


def test_a_lost_answer_is_repeated_because_the_key_makes_it_safe() -> None:
    """524: nobody knows whether it was applied; the same batch is sent again."""

    async def work(crm: HubSpotCrm) -> Any:
        return await crm.upsert(REQUEST, [RecordWrite("a", {})])

    written = {"id": "1", "properties": {}, "new": False, "objectWriteTraceId": "a"}
    outcome, server = talk(work, SCHEMAS, answer(524), answer(200, {"results": [written]}))
    assert [item.record_id for item in outcome.written] == ["1"]
    assert server.requests[1].body == server.requests[2].body


@pytest.mark.parametrize(
    "refusal",
    [
        answer(400, {"category": "VALIDATION_ERROR"}),
        answer(409, {"category": "CONFLICT"}),
        answer(401, {}),
        answer(403, NO_SCOPE),
        answer(
            207,
            {
                "results": [],
                "errors": [{"category": "CONFLICT", "context": {"objectWriteTraceId": ["a"]}}],
            },
        ),
    ],
    ids=["invalid", "conflict", "token", "scope", "in part"],
)
def test_a_refused_repeat_leaves_the_outcome_of_a_lost_write_unknown(refusal: Behaviour) -> None:
    """What refuses the repeat says nothing of the request before it, which may have been applied."""

    async def work(crm: HubSpotCrm) -> object:
        return await crm.upsert(REQUEST, [RecordWrite("a", {})])

    with pytest.raises(UnknownOutcomeError, match="read it back"):
        talk(work, SCHEMAS, answer(524), refusal)


def test_all_labels_of_a_pair_are_written_together() -> None:
    """Writing replaces: ours and those read before go as types, the number of ours being the portal's."""
    pair = PairWrite("1", "company", "10", ("voted", "other:HUBSPOT_DEFINED:57", "other:USER_DEFINED:51", "voted"))

    async def work(crm: HubSpotCrm) -> PairsOutcome:
        return await crm.link(REQUEST, [pair])

    confirmed = {"fromObjectTypeId": "2-77", "fromObjectId": 1, "toObjectTypeId": "0-2", "toObjectId": 10, "labels": []}
    outcome, server = talk(work, SCHEMAS, LABELS, answer(201, {"results": [confirmed]}))
    assert outcome.written == (pair,)
    assert server.requests[2].json["inputs"][0]["types"] == [
        {"associationCategory": "USER_DEFINED", "associationTypeId": 57},
        {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 57},
        {"associationCategory": "USER_DEFINED", "associationTypeId": 51},
    ]


@pytest.mark.parametrize("receipt", [answer(204), answer(200, {"status": "COMPLETE", "results": []})])
def test_removed_labels_need_no_receipt(receipt: Behaviour) -> None:
    """The removal answers 200 with a body, and 204 in its older form; both mean done."""
    pair = PairWrite("1", "company", "10", ("voted",))

    async def work(crm: HubSpotCrm) -> PairsOutcome:
        return await crm.unlink(REQUEST, [pair])

    outcome, _ = talk(work, SCHEMAS, LABELS, receipt)
    assert outcome == PairsOutcome((pair,))


def test_a_removal_with_a_nameless_error_confirms_nothing_by_silence() -> None:
    """When it cannot be told which pair failed, all have to be read back."""
    pairs = [PairWrite("1", "company", "10", ("voted",)), PairWrite("2", "company", "10", ("voted",))]

    async def work(crm: HubSpotCrm) -> PairsOutcome:
        return await crm.unlink(REQUEST, pairs)

    named = {"category": "X", "context": {"fromObjectId": ["1"], "toObjectId": ["10"]}}
    outcome, _ = talk(work, SCHEMAS, LABELS, answer(207, {"errors": [named]}))
    assert outcome == PairsOutcome((pairs[1],), ((pairs[0], "X"),))
    outcome, _ = talk(work, SCHEMAS, LABELS, answer(207, {"errors": [{"category": "X"}]}))
    assert outcome == PairsOutcome((), (), tuple(pairs))


# ------------------------------------------------------------------------------------------------ portal and credential


def test_a_missing_scope_is_named() -> None:
    """The error says which scope to grant, and nothing of the token."""
    with pytest.raises(CredentialError, match=r"crm\.objects\.companies\.read; grant it") as caught:
        talk(read_companies, answer(403, NO_SCOPE))
    assert TOKEN not in caught.value.message


def test_a_portal_of_an_unknown_kind_is_other() -> None:
    """Only kinds we know may be trusted to be what a setting says."""

    async def work(crm: HubSpotCrm) -> object:
        return (await crm.portal()).kind

    kind, _ = talk(work, answer(200, {"portalId": 12, "accountType": "APP_DEVELOPER"}))
    assert kind is PortalKind.OTHER


@pytest.mark.parametrize(
    ("told", "company"),
    [
        ({"uiDomain": "app-eu1.hubspot.com"}, "https://app-eu1.hubspot.com/contacts/12/record/0-2/{id}"),
        ({}, None),
        ({"uiDomain": None}, None),
        ({"uiDomain": "app.hubspot.com/evil?"}, None),
        ({"uiDomain": "javascript:alert(1)"}, None),
    ],
)
def test_pages_are_at_the_host_that_the_portal_tells(told: dict[str, str | None], company: str | None) -> None:
    """A host and nothing else; where none is told there is no link, and the reason is told instead."""

    async def work(crm: HubSpotCrm) -> RecordPages:
        return (await crm.portal()).pages

    pages, _ = talk(work, answer(200, {"portalId": 12, "accountType": "STANDARD", **told}))
    assert pages.company == company
    assert (pages.unknown is None) == (company is not None)


@pytest.mark.parametrize("status", [403, 404])
def test_scopes_that_cannot_be_asked_for_are_unknown(status: int) -> None:
    """Not every credential may ask what it may do."""

    async def work(crm: HubSpotCrm) -> object:
        return await crm.granted_scopes()

    scopes, server = talk(work, answer(status, {"message": "no"}))
    assert scopes is None
    assert server.requests[0].json == {"tokenKey": TOKEN}
    scopes, _ = talk(work, answer(200, {"hubId": 1, "scopes": ["oauth"]}))
    assert scopes == frozenset({"oauth"})


def test_custom_objects_that_are_not_for_sale_here_need_enterprise() -> None:
    """A 400 may mean many things; the limit of zero custom objects tells."""

    async def work(crm: HubSpotCrm) -> None:
        await crm.create_object(REQUEST)

    refused = answer(400, {"category": "VALIDATION_ERROR", "message": "no"})
    with pytest.raises(ConfigurationError, match="needs Enterprise"):
        talk(work, refused, answer(200, {"limit": 0, "usage": 0}))
    with pytest.raises(ConfigurationError, match="needs Enterprise"):
        talk(work, answer(403, {"category": "FORBIDDEN"}))
    with pytest.raises(PermanentError, match="nothing was made"):
        talk(work, refused, answer(200, {"limit": 10, "usage": 0}))
    with pytest.raises(PermanentError, match="exists"):
        talk(work, answer(409, {"category": "CONFLICT"}), answer(404))
    scope = {"category": "MISSING_SCOPES", "context": {"requiredScopes": ["crm.schemas.custom.write"]}}
    with pytest.raises(CredentialError, match=r"crm\.schemas\.custom\.write"):
        talk(work, answer(403, scope))


def test_a_label_that_exists_unseen_asks_for_patience() -> None:
    """Label lists lag by minutes; a setup that was interrupted meets its own labels."""

    async def work(crm: HubSpotCrm) -> None:
        await crm.create_link(REQUEST, REQUEST.links[0])

    with pytest.raises(TransientError, match="run setup again in ten minutes"):
        talk(work, SCHEMAS, answer(409, {"category": "CONFLICT"}))


@pytest.mark.parametrize(
    "unreadable",
    [answer(201, {"name": 5}), answer(201), answer(201, {"name": "wish", "objectTypeId": None}), answer(201, [])],
)
def test_an_unreadable_receipt_of_a_creation_leaves_its_outcome_unknown(unreadable: Behaviour) -> None:
    """The object may have been created: the next setup reads the schema and finds out."""

    async def work(crm: HubSpotCrm) -> None:
        await crm.create_object(REQUEST)

    with pytest.raises(UnknownOutcomeError, match="read it back"):
        talk(work, unreadable)


@pytest.mark.parametrize(
    "unreadable",
    [answer(201, {"results": "many"}), answer(201), answer(201, {"results": [{"name": 5}]}), answer(201, {})],
)
def test_an_unreadable_receipt_of_properties_leaves_their_outcome_unknown(unreadable: Behaviour) -> None:
    """They may have been created; nothing says that one was refused."""

    async def work(crm: HubSpotCrm) -> None:
        await crm.create_properties(REQUEST, REQUEST.properties)

    with pytest.raises(UnknownOutcomeError, match="read it back"):
        talk(work, SCHEMAS, unreadable)


def test_properties_that_were_not_created_are_named() -> None:
    """A batch of definitions may succeed in part."""

    async def work(crm: HubSpotCrm) -> None:
        await crm.create_properties(REQUEST, REQUEST.properties)

    error = {"category": "OBJECT_ALREADY_EXISTS", "subCategory": "Properties.PROPERTY_WITH_NAME_EXISTS"}
    made = [{"name": item.name} for item in REQUEST.properties if item.name not in {"status", "votes"}]
    partly = answer(207, {"results": made, "errors": [error]})
    with pytest.raises(PermanentError, match=r"2 of 8 properties \(status, votes\): OBJECT_ALREADY_EXISTS"):
        talk(work, SCHEMAS, partly)
