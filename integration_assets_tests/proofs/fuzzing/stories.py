"""What is asked of each connector while its answers are damaged: all its reads, and the writes of a CRM.

A story is a coroutine over an open connector. `told` makes a connector over any exchange and tells it a story.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from pydantic import SecretStr

from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Token
from integration_assets.connectors.crm.base import CompanyMapping, PairWrite, RecordWrite
from integration_assets.connectors.crm.hubspot import endpoints
from integration_assets.connectors.crm.hubspot.connector import HubSpotCrm
from integration_assets.connectors.crm.hubspot.status_rules import RULES
from integration_assets.connectors.feedback.canny import connector as canny_connector
from integration_assets.connectors.feedback.quackback import connector as quackback_connector
from integration_assets.connectors.feedback.uservoice import connector as uservoice_connector
from integration_assets.connectors.feedback.uservoice import session as uservoice_session
from integration_assets.connectors.http import HttpClient
from integration_assets.connectors.limiter import Limiter
from integration_assets.models import Page, Rejected
from integration_assets.sandbox.canny import records
from integration_assets.sandbox.canny.app import canny_lookalike
from integration_assets.sandbox.canny.workspace import Workspace
from integration_assets.sandbox.hubspot import Portal, PortalOptions, hubspot_lookalike
from integration_assets.sandbox.lookalike import Lookalike
from integration_assets.sandbox.quackback import Workspace as QuackbackWorkspace
from integration_assets.sandbox.quackback import quackback_lookalike
from integration_assets.sandbox.quackback.records import Kind
from integration_assets.sandbox.uservoice import Account as UserVoiceAccount
from integration_assets.sandbox.uservoice import uservoice_lookalike
from integration_assets_tests.connectors.crm.sample import REQUEST
from integration_assets_tests.proofs.fuzzing.recorded import BODY_BYTES, Place
from integration_assets_tests.support.in_process import plug

PAGE = 3
"""Records per page while fuzzing: two pages of most lists, and answers short enough to damage many of them."""
RECORDS = 5
START = 1_767_225_600_000
TOKEN = "pat-fuzzed"
MAPPING = CompanyMapping(arr="arr_total")
EMAILS = tuple(f"p{number}@c{number}.example" for number in range(RECORDS))
KEYS = tuple(f"canny:{number}" for number in range(RECORDS))
WRITES = tuple(RecordWrite(key, {"request_key": key, "title": "Dark mode", "votes": "3"}) for key in KEYS)


@dataclass(frozen=True)
class Told:
    """What a story came to: what was read or written, what was rejected, and how many inputs are accounted for.

    `items` is where the records of a list are in its answers: the place, the key, and whether ids are recognised.
    """

    records: tuple[Any, ...]
    rejected: tuple[Rejected, ...] = ()
    items: tuple[Place, str, bool] | None = None
    inputs: int | None = None
    accounted: int | None = None


Story = Callable[[Any], Awaitable[Told]]


@dataclass
class Subject:
    """A connector to damage the answers of: its stories, and how it is made over an exchange."""

    stories: Mapping[str, Story]
    app: Lookalike
    prefix: str
    body_fields: Mapping[str, str]
    headers: Mapping[str, str]
    opened: Callable[[Any], Any]


@contextmanager
def small_pages() -> Iterator[None]:
    """All connectors ask for pages of three."""
    with (
        mock.patch.object(canny_connector, "PAGE", PAGE),
        mock.patch.object(quackback_connector, "PAGE", PAGE),
        mock.patch.object(uservoice_session, "PAGE", PAGE),
        mock.patch.object(endpoints, "RECORDS_PER_CALL", PAGE),
    ):
        yield


async def told_by_pages(pages: AsyncIterator[Page[Any]], items: tuple[Place, str, bool]) -> Told:
    """A list read to its end."""
    found = [page async for page in pages]
    return Told(
        tuple(record for page in found for record in page.records),
        tuple(record for page in found for record in page.rejected),
        items,
    )


def _one(found: Any) -> Told:
    if found is None:
        return Told(())
    return Told((), (found,)) if isinstance(found, Rejected) else Told((found,))


# ------------------------------------------------------------------------------------------------------------ Canny


def canny_subject() -> Subject:
    """A workspace of five of everything."""
    workspace = Workspace("canny-key-fuzzed", plan=None, clock=lambda: START / 1000 + 86_400)
    board = workspace.add_board("Features", created=START)
    for number in range(RECORDS):
        made = START + number * 1_000
        workspace.add_company(records.Company(f"c{number}", f"C {number}", made, f"c{number}.example", 10.5 * number))
        user = workspace.add_user(
            records.User(workspace.new_id(made), f"P {number}", made, EMAILS[number], company_ids=[f"c{number}"])
        )
        post = workspace.add_post(
            records.Post(workspace.new_id(made), board.id, f"Post {number}", made, f"post-{number}", user.id)
        )
        workspace.vote(post.id, user.id, created=made)
        workspace.change_status(post.id, user.id, "planned")
    workspace.merge(next(iter(workspace.posts)), list(workspace.posts)[1])
    post_id, user_id = next(iter(workspace.posts)), next(iter(workspace.users))

    def opened(exchange: Any) -> canny_connector.CannyFeedback:
        made = canny_connector.CannyFeedback(
            base_url="http://fuzzed/api",
            key=SecretStr(workspace.api_key),
            calls=CallCounter(),
            limiter=Limiter({}),
            patience=0.001,
        )
        made._client._repeats = 0
        plug(made._client, exchange)
        return made

    async def checked(feedback: canny_connector.CannyFeedback) -> Told:
        return Told((await feedback.check(),))

    async def post_by_id(feedback: canny_connector.CannyFeedback) -> Told:
        return _one(await feedback.feature_request(post_id))

    async def user_by_id(feedback: canny_connector.CannyFeedback) -> Told:
        return _one(await feedback.voter(user_id))

    def listed(path: str, key: str, pages: Callable[[Any], AsyncIterator[Page[Any]]]) -> Story:
        return lambda feedback: told_by_pages(pages(feedback), (("POST", path), key, True))

    stories: dict[str, Story] = {
        "check": checked,
        "boards": listed("/v1/boards/list", "boards", lambda feedback: feedback.boards()),
        "requests": listed("/v1/posts/list", "posts", lambda feedback: feedback.feature_requests(statuses=["x"])),
        "votes": listed("/v2/votes/list", "items", lambda feedback: feedback.votes()),
        "persons": listed("/v2/users/list", "users", lambda feedback: feedback.voters()),
        "accounts": listed("/v2/companies/list", "companies", lambda feedback: feedback.accounts()),
        "changes": listed("/v2/status_changes/list", "items", lambda feedback: feedback.status_changes()),
        "post": post_by_id,
        "user": user_by_id,
    }
    return Subject(stories, canny_lookalike(workspace), "/api", {"apiKey": workspace.api_key}, {}, opened)


# -------------------------------------------------------------------------------------------------------- Quackback


def quackback_subject() -> Subject:
    """A workspace of five of everything, one post merged into another."""
    workspace = QuackbackWorkspace(calls_per_minute=None, clock=lambda: START / 1000 + 86_400)
    board = workspace.add_board("Features", "features", created=START)
    people = [workspace.add_principal(Kind.USER, f"P {n}", EMAILS[n], created=START + n) for n in range(RECORDS)]
    for number in range(RECORDS):
        made = START + number * 1_000
        workspace.add_company(f"C {number}", created=made, domain=f"c{number}.example", mrr_cents=1_050 * number)
        post = workspace.add_post(board.id, f"Post {number}", created=made)
        for place, person in enumerate(people):
            workspace.vote(post.id, person.id, created=made + place)
    merged_id, post_id, *_ = workspace.posts
    workspace.merge(merged_id, post_id)

    def opened(exchange: Any) -> quackback_connector.QuackbackFeedback:
        made = quackback_connector.QuackbackFeedback(
            base_url="http://fuzzed",
            key=SecretStr(workspace.key.secret),
            calls=CallCounter(),
            pace="import",
            patience=0.001,
        )
        made._client._repeats = 0
        # The limit is the address's, and it is the same one for all the bodies.
        made._client._limiter = Limiter({})
        plug(made._client, exchange)
        return made

    async def checked(feedback: quackback_connector.QuackbackFeedback) -> Told:
        return Told((await feedback.check(),))

    async def merged_post(feedback: quackback_connector.QuackbackFeedback) -> Told:
        return _one(await feedback.feature_request(merged_id))

    def listed(path: str, pages: Callable[[Any], AsyncIterator[Page[Any]]]) -> Story:
        return lambda feedback: told_by_pages(pages(feedback), (("GET", path), "data", True))

    stories: dict[str, Story] = {
        "check": checked,
        "boards": listed("/api/v1/boards", lambda feedback: feedback.boards()),
        "requests": listed("/api/v1/posts", lambda feedback: feedback.feature_requests(statuses=())),
        # Their ids have another name, by which nothing is counted: as many as have one of ours.
        "votes": listed(f"/api/v1/posts/{post_id}/voters", lambda feedback: feedback.votes(request_id=post_id)),
        "accounts": listed("/api/v1/companies", lambda feedback: feedback.accounts()),
        "post": merged_post,
    }
    bearer = {"authorization": f"Bearer {workspace.key.secret}"}
    return Subject(stories, quackback_lookalike(workspace), "", {}, bearer, opened)


# -------------------------------------------------------------------------------------------------------- UserVoice


def uservoice_subject() -> Subject:
    """An account of five of everything, one suggestion merged into another."""
    account = UserVoiceAccount(clock=lambda: START / 1000 + 86_400)
    forum = account.add_forum("Features", created=START)
    people = [account.add_user(f"P {n}", EMAILS[n], created=START + n) for n in range(RECORDS)]
    for number, person in enumerate(people):
        made = START + number * 1_000
        account.join(person.id, account.add_account(f"C {number}", f"c{number}", 1_050 * number, created=made).id)
        account.add_suggestion(forum.id, f"Idea {number}", created=made, author_id=person.id)
    for suggestion in list(account.lists["suggestions"])[1:]:
        for place, person in enumerate(people):
            account.support(suggestion, person.id, created=START + place)
    merged_id, suggestion_id, *_ = account.lists["suggestions"]
    account.merge(merged_id, suggestion_id)

    def opened(exchange: Any) -> uservoice_connector.UserVoiceFeedback:
        made = uservoice_connector.UserVoiceFeedback(
            base_url="http://fuzzed",
            credential=Token(SecretStr(token)),
            calls=CallCounter(),
            limiter=Limiter({}),
            patience=0.001,
        )
        made._client._repeats = 0
        plug(made._client, exchange)
        return made

    async def checked(feedback: uservoice_connector.UserVoiceFeedback) -> Told:
        return Told((await feedback.check(),))

    async def merged_suggestion(feedback: uservoice_connector.UserVoiceFeedback) -> Told:
        return _one(await feedback.feature_request(str(merged_id)))

    async def user_by_id(feedback: uservoice_connector.UserVoiceFeedback) -> Told:
        return _one(await feedback.voter(str(people[0].id)))

    def listed(name: str, pages: Callable[[Any], AsyncIterator[Page[Any]]]) -> Story:
        return lambda feedback: told_by_pages(pages(feedback), (("GET", f"/api/v2/admin/{name}"), name, True))

    stories: dict[str, Story] = {
        "check": checked,
        "boards": listed("forums", lambda feedback: feedback.boards()),
        "requests": listed("suggestions", lambda feedback: feedback.feature_requests(statuses=())),
        "votes": listed("supporters", lambda feedback: feedback.votes()),
        "votes of one": listed("supporters", lambda feedback: feedback.votes(request_id=str(suggestion_id))),
        "persons": listed("users", lambda feedback: feedback.voters()),
        "accounts": listed("external_accounts", lambda feedback: feedback.accounts()),
        "suggestion": merged_suggestion,
        "user": user_by_id,
    }
    token = account.new_token()
    bearer = {"authorization": f"Bearer {token}"}
    return Subject(stories, uservoice_lookalike(account), "", {}, bearer, opened)


# ---------------------------------------------------------------------------------------------------------- HubSpot


def hubspot_subject() -> Subject:
    """A portal of five companies and contacts; `make_our_object` has to come before the stories."""
    options = PortalOptions(search_lag=0, property_lag=0, schema_lag=0, schema_flip=0)
    portal = Portal(4711, token=TOKEN, options=options)
    portal.define_property("companies", {"name": "arr_total", "type": "number", "fieldType": "number"})
    companies = portal.seed(
        "companies",
        [{"name": f"C {number}", "domain": f"c{number}.example", "arr_total": "5"} for number in range(RECORDS)],
    )
    contacts = portal.seed("contacts", [{"email": email} for email in EMAILS])
    for contact_id, company_id in zip(contacts, companies, strict=True):
        types = [("HUBSPOT_DEFINED", 1), ("HUBSPOT_DEFINED", 279)]
        portal.associate("contacts", contact_id, "companies", company_id, types)

    def opened(exchange: Any) -> HubSpotCrm:
        token = SecretStr(TOKEN)
        client = HttpClient(
            system="hubspot",
            base_url="http://fuzzed",
            limiter=Limiter({}),
            calls=CallCounter(),
            rules=RULES,
            headers={"authorization": token},
            patience=0.001,
            repeats=0,
            body_bytes=BODY_BYTES,
        )
        plug(client, exchange)
        return HubSpotCrm(client, token)

    bearer = {"authorization": f"Bearer {TOKEN}"}
    return Subject(_hubspot_stories(companies), hubspot_lookalike(portal), "", {}, bearer, opened)


async def make_our_object(crm: HubSpotCrm) -> None:
    """The object with its properties and labels. The stories write its records."""
    await crm.create_object(REQUEST)
    await crm.create_group(REQUEST)
    await crm.create_properties(REQUEST, [item for item in REQUEST.properties if item.name != "title"])
    for link in REQUEST.links:
        await crm.create_link(REQUEST, link)


def _hubspot_stories(companies: list[str]) -> dict[str, Story]:
    def objects(object_type: str) -> Place:
        return ("GET", endpoints.objects(object_type).path)

    async def identity(crm: HubSpotCrm) -> Told:
        return Told((await crm.portal(), await crm.granted_scopes()))

    async def schema(crm: HubSpotCrm) -> Told:
        return Told((await crm.schema(REQUEST, ["arr_total"]), await crm.archived_properties(REQUEST)))

    async def companies_of_the_portal(crm: HubSpotCrm) -> Told:
        return await told_by_pages(crm.companies(MAPPING), (objects(endpoints.COMPANIES), "results", False))

    async def contacts(crm: HubSpotCrm) -> Told:
        page = await crm.contacts(EMAILS[:PAGE])
        return Told(page.records, page.rejected)

    async def upsert(crm: HubSpotCrm) -> Told:
        outcome = await crm.upsert(REQUEST, WRITES[:PAGE])
        accounted = len(outcome.written) + len(outcome.rejected) + len(outcome.unaccounted)
        return Told(outcome.written, outcome.rejected, inputs=PAGE, accounted=accounted)

    async def by_key(crm: HubSpotCrm) -> Told:
        return Told(tuple((await crm.feature_requests_by_key(REQUEST, KEYS[:PAGE])).values()))

    async def pairs_of(crm: HubSpotCrm) -> list[PairWrite]:
        found = [record async for page in crm.feature_requests(REQUEST, archived=False) for record in page.records]
        return [PairWrite(record.record_id, "company", companies[0], ("voted",)) for record in found]

    async def link(crm: HubSpotCrm) -> Told:
        pairs = await pairs_of(crm)
        outcome = await crm.link(REQUEST, pairs)
        accounted = len(outcome.written) + len(outcome.rejected) + len(outcome.unaccounted)
        return Told(outcome.written, inputs=len(pairs), accounted=accounted)

    async def links(crm: HubSpotCrm) -> Told:
        ids = [pair.record_id for pair in await pairs_of(crm)]
        return Told((*await crm.links(REQUEST, ids, "company"), *await crm.links(REQUEST, ids, "contact")))

    async def unlink(crm: HubSpotCrm) -> Told:
        pairs = await pairs_of(crm)
        outcome = await crm.unlink(REQUEST, pairs)
        accounted = len(outcome.written) + len(outcome.rejected) + len(outcome.unaccounted)
        return Told(outcome.written, inputs=len(pairs), accounted=accounted)

    async def ours(crm: HubSpotCrm, *, archived: bool) -> Told:
        object_type = await crm._ids.object_type(REQUEST)
        items = (objects(object_type), "results", False) if object_type else (("GET", ""), "results", False)
        return await told_by_pages(crm.feature_requests(REQUEST, archived=archived), items)

    return {
        "portal": identity,
        "schema": schema,
        "companies": lambda crm: told_by_pages(
            crm.companies(MAPPING), (objects(endpoints.COMPANIES), "results", False)
        ),
        "contacts": contacts,
        "upsert": upsert,
        "records": lambda crm: ours(crm, archived=False),
        "archived": lambda crm: ours(crm, archived=True),
        "by_key": by_key,
        "link": link,
        "links": links,
        "unlink": unlink,
    }
