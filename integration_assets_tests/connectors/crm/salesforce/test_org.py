"""What the Salesforce connector does in an org: signing in, what is hidden, refusals, links, and setup."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import date
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import SecretStr

from integration_assets.connectors.credential import ClientSecret, Credential, JwtKey, Token
from integration_assets.connectors.crm.base import (
    BatchRejectedError,
    CompanyMapping,
    Crm,
    DealPage,
    PairWrite,
    RecordsOutcome,
    RecordWrite,
)
from integration_assets.connectors.crm.salesforce import session as sessions
from integration_assets.connectors.crm.salesforce.connector import SalesforceCrm, salesforce
from integration_assets.connectors.crm.salesforce.field_amendments import with_values
from integration_assets.connectors.crm.salesforce.schema import live_schema
from integration_assets.connectors.crm.salesforce.spec import DOMAINS_FIELD
from integration_assets.connectors.crm.salesforce.tokens import SANDBOX_AUDIENCE
from integration_assets.connectors.crm.salesforce.wire import FieldInfo, ObjectInfo, PicklistValue
from integration_assets.connectors.redaction import redact
from integration_assets.errors import (
    ConfigurationError,
    ContractError,
    CredentialError,
    DailyQuotaError,
    HeldError,
    PermanentError,
    TransientError,
    UnknownOutcomeError,
)
from integration_assets.models import Company, Deal, Link, LiveSchema, Portal, PortalKind, PropertyAmendment
from integration_assets.sandbox.lookalike import Fault
from integration_assets.sandbox.salesforce import OrgOptions, faults
from integration_assets.sandbox.salesforce.fields import Field
from integration_assets.sandbox.salesforce.org import CLIENT_ID, App
from integration_assets.sync.drift import RUN_SETUP, Severity, target_problems
from integration_assets.sync.setup import SetupStep, apply_setup, plan_setup
from integration_assets_tests.connectors.crm.harness import Harness, salesforce_harness
from integration_assets_tests.connectors.crm.sample import REQUEST
from integration_assets_tests.connectors.crm.test_protocol import link, links, make, requests, set_up, write

pytestmark = pytest.mark.usefixtures("no_backoff")

T = TypeVar("T")
OBJECT, LINK = "Wish__c", "Wish_Link__c"


@pytest.fixture
def org() -> Iterator[Harness]:
    """An org without our object."""
    with salesforce_harness() as harness:
        yield harness


@pytest.fixture
def ready(org: Harness) -> Harness:
    """An org with our object in it, made through the connector."""
    org.talk(set_up)
    return org


def talk(org: Harness, credential: Credential, work: Callable[[SalesforceCrm], Awaitable[T]], **options: Any) -> T:
    """Do `work` with a connector of this credential."""

    async def story() -> T:
        async with salesforce(base_url=org.url, credential=credential, calls=org.calls, **options) as crm:
            return await work(crm)

    return asyncio.run(story())


def schema_of(org: Harness) -> LiveSchema:
    async def work(crm: Crm) -> LiveSchema:
        return await crm.schema(REQUEST, [])

    return org.talk(work)


async def identity(crm: Crm) -> str:
    return (await crm.portal()).portal_id


# -------------------------------------------------------------------------------------------------------- signing in


def test_a_token_that_ends_is_replaced_once(ready: Harness) -> None:
    """In the middle of a run, with one more request for a token, and nothing lost."""

    async def work(crm: Crm) -> RecordsOutcome:
        await crm.portal()
        ready.portal.expire_tokens()
        return await crm.upsert(REQUEST, [RecordWrite("src:1", {"title": "One"})])

    ready.lookalike.clear()
    outcome = ready.talk(work)
    assert [item.key for item in outcome.written] == ["src:1"]
    asked = [request.path for request in ready.lookalike.requests if request.path.endswith("/token")]
    assert len(asked) == 2


def test_a_given_token_that_ends_is_told(ready: Harness) -> None:
    """There is nothing to have another one for."""
    ready.portal.expire_tokens()
    with pytest.raises(CredentialError, match="give another"):
        talk(ready, Token(SecretStr(ready.portal.token)), identity)


def test_a_key_signs_in_as_a_user(org: Harness) -> None:
    """An assertion for the host that all sandboxes share, which the org checks by the public half."""
    key = generate_private_key(65_537, 2_048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    org.portal.apps["jwt"] = App(org.portal.user, public_key=public)
    org.portal.clock = time.time
    credential = JwtKey("jwt", org.portal.user.username, SecretStr(private))
    assert talk(org, credential, identity, audience=SANDBOX_AUDIENCE) == org.portal.org_id
    # As a form's field, a file of variables and a mail leave it.
    for lines in ("", "\\n", "\r\n", " "):
        pasted = JwtKey("jwt", org.portal.user.username, SecretStr(private.strip().replace("\n", lines)))
        assert talk(org, pasted, identity, audience=SANDBOX_AUDIENCE) == org.portal.org_id
        assert redact(private.splitlines()[1]) == "***"
    with pytest.raises(CredentialError, match="invalid_grant: the app is not allowed for this user"):
        talk(org, credential, identity)
    with pytest.raises(ConfigurationError, match="no RSA key in PEM form"):
        talk(org, JwtKey("jwt", "x", SecretStr("-----BEGIN")), identity)


@pytest.mark.parametrize(
    ("client_id", "secret", "words"),
    [
        (CLIENT_ID, "wrong-secret", "invalid_client: the client id or secret"),
        ("other", "a-secret-of-nobody", "of no app of this org"),
    ],
)
def test_refused_credentials_are_asked_for_once(org: Harness, client_id: str, secret: str, words: str) -> None:
    """Each with what to do; the secret is in no message."""

    async def twice(crm: Crm) -> str:
        with pytest.raises(CredentialError):
            await crm.portal()
        return await identity(crm)

    with pytest.raises(CredentialError, match=words) as refused:
        talk(org, ClientSecret(client_id, SecretStr(secret)), twice)
    assert secret not in str(refused.value)
    assert len(org.lookalike.requests) == 1


def test_an_org_that_has_its_data_elsewhere_is_refused(org: Harness) -> None:
    """The token must not go to a host that nobody configured."""
    elsewhere = org.url.replace("127.0.0.1", "localhost")

    async def story() -> None:
        secret = ClientSecret(CLIENT_ID, SecretStr(org.portal.secret))
        async with salesforce(base_url=elsewhere, credential=secret, calls=org.calls) as crm:
            await crm.portal()

    body = b'{"access_token":"00D!token-of-elsewhere","instance_url":"https://acme.my.salesforce.com","id":"x"}'
    org.lookalike.faults.append(Fault(faults.path_contains("/token"), status=200, body=body))
    with pytest.raises(ConfigurationError, match=r"set the base URL to https://acme\.my\.salesforce\.com"):
        asyncio.run(story())


def test_the_org_says_what_it_is(org: Harness) -> None:
    """Its id, its kind and its time zone."""

    async def work(crm: Crm) -> tuple[str, PortalKind, str | None]:
        found = await crm.portal()
        return found.portal_id, found.kind, found.time_zone

    assert org.talk(work) == (org.portal.org_id, PortalKind.SANDBOX, "Europe/Berlin")


def test_a_token_of_another_org_is_noticed(org: Harness) -> None:
    """Between a login host and the org somebody may have exchanged one."""
    org.portal.change("Organization", org.portal.org_id)
    row = org.portal.objects["Organization"].rows[org.portal.org_id]
    row["Id"] = "00D000000000999AAA"
    with pytest.raises(ContractError, match="another org"):
        org.talk(identity)


# ------------------------------------------------------------------------------------------------------ bad input


def test_an_org_without_the_api_is_told_with_its_edition() -> None:
    """One clear line, and nothing written."""
    with (
        salesforce_harness(OrgOptions(api_enabled=False)) as org,
        pytest.raises(PermanentError, match=r"API_DISABLED_FOR_ORG: the API is part of Enterprise.*add-on"),
    ):
        org.talk(identity)


def test_an_org_without_the_pinned_version_is_told() -> None:
    """Before anything else is asked."""
    with (
        salesforce_harness(OrgOptions(versions=(67, 68))) as org,
        pytest.raises(PermanentError, match=r"does not have version 60\.0"),
    ):
        org.talk(identity)


def test_a_user_without_the_api_is_told(org: Harness) -> None:
    """The permission is named."""
    org.portal.user.permissions.clear()
    with pytest.raises(CredentialError, match="API Enabled"):
        talk(org, Token(SecretStr(org.portal.token)), identity)


def test_spent_calls_end_the_run_and_too_many_at_once_do_not(ready: Harness) -> None:
    """One code for two limits."""
    assert ready.talk(identity) == ready.portal.org_id
    busy = Fault(
        faults.path_contains("/query"),
        status=403,
        body=b'[{"errorCode":"REQUEST_LIMIT_EXCEEDED","message":"ConcurrentRequests Limit exceeded."}]',
        headers={"Sforce-Limit-Info": "api-usage=5/100000"},
    )
    ready.lookalike.faults.append(busy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("integration_assets.connectors.http.LONGEST_WAIT", 0.0)
        assert ready.talk(identity) == ready.portal.org_id
    ready.portal.options.daily_calls = ready.portal.calls_used
    with pytest.raises(DailyQuotaError, match="the limit counts the last 24 hours"):
        ready.talk(identity)


def test_the_calls_that_are_left_are_known(org: Harness) -> None:
    """Of the whole org."""

    async def work(crm: Crm) -> tuple[int | None, int | None]:
        await crm.portal()
        return crm.quota.daily_limit, crm.quota.daily_remaining

    limit, left = org.talk(work)
    assert (limit, left) == (100_000, 100_000 - org.portal.calls_used)


def test_full_storage_stops_before_anything_is_written(ready: Harness) -> None:
    """Where some rows get through, the others are refused one by one."""
    make(ready, "src:1")
    ready.portal.options.storage_kilobytes = 0
    with pytest.raises(PermanentError, match=r"nothing was written: STORAGE_LIMIT_EXCEEDED.*storage is full"):
        write(ready, RecordWrite("src:2", {}), RecordWrite("src:3", {}))
    outcome = write(ready, RecordWrite("src:1", {"title": "One"}), RecordWrite("src:2", {}))
    assert [item.key for item in outcome.written] == ["src:1"]
    assert [item.key for item in outcome.rejected] == ["src:2"]


def test_missing_is_told_apart_from_not_visible(org: Harness) -> None:
    """The object, then one field of it, hidden from the user by the lack of a permission."""
    absent = schema_of(org)
    assert (absent.object_present, absent.obstacles) == (False, ())
    org.talk(set_up)
    held = set(org.portal.user.permission_sets)
    org.portal.user.permission_sets.clear()
    unseen = schema_of(org)
    assert (unseen.object_present, [one.detail for one in unseen.obstacles]) == (
        False,
        [f"the user does not see the object {name}" for name in (OBJECT, LINK)],
    )
    with pytest.raises(HeldError, match=r"does not see the object Wish__c; assign the permission set"):
        write(org, RecordWrite("src:1", {}))
    org.portal.user.permission_sets |= held
    org.portal.user.hidden.add(f"{OBJECT}.Title__c")
    (problem,) = target_problems(REQUEST, schema_of(org), link_contacts=True)
    assert problem.name == "wish.title"
    assert "does not see the field Title__c" in problem.detail
    assert "assign the permission set Integration_Assets" in problem.remedy
    with pytest.raises(HeldError, match="Title__c"):
        plan_setup(REQUEST, schema_of(org), ())
    del org.portal.objects[OBJECT].fields["Title__c"]
    (problem,) = target_problems(REQUEST, schema_of(org), link_contacts=True)
    assert (problem.name, problem.detail) == ("wish.title", "the field is missing")


def test_a_field_that_may_only_be_read_is_an_error_however_it_is_drawn(ready: Harness) -> None:
    """Its type is another one and takes our values, which the org refuses from this user all the same."""
    status = ready.portal.objects[OBJECT].fields["Status__c"]
    status.restricted = False
    (harmless,) = target_problems(REQUEST, schema_of(ready), link_contacts=True)
    assert harmless.severity is Severity.WARN
    status.writable = False
    (problem,) = target_problems(REQUEST, schema_of(ready), link_contacts=True)
    assert (problem.name, problem.severity) == ("wish.status", Severity.ERROR)
    assert problem.detail == "the user may not change the field Status__c"


def test_a_hidden_field_refuses_the_rows_that_have_it(ready: Harness) -> None:
    """With the name of the field and what to do."""
    ready.portal.user.hidden.add(f"{OBJECT}.Votes__c")
    outcome = write(ready, RecordWrite("src:1", {"votes": "1"}), RecordWrite("src:2", {"title": "Two"}))
    assert [item.key for item in outcome.written] == ["src:2"]
    (refused,) = outcome.rejected
    assert refused.reason.startswith("INVALID_FIELD (Votes__c")
    assert "does not see it" in refused.reason


@pytest.mark.parametrize("field", ["Website", "ParentId"])
def test_accounts_without_a_field_that_matching_needs_are_not_read(org: Harness, field: str) -> None:
    """Every vote would be without a company."""
    org.portal.user.hidden.add(f"Account.{field}")

    async def work(crm: Crm) -> None:
        async for _ in crm.companies(CompanyMapping()):
            raise AssertionError

    with pytest.raises(CredentialError, match=f"does not see Account.{field}"):
        org.talk(work)


def test_a_mapped_field_that_is_not_there_is_a_setting_to_correct(org: Harness) -> None:
    """Named, before a page is read."""

    async def work(crm: Crm) -> None:
        async for _ in crm.companies(CompanyMapping(arr="Nothing__c")):
            raise AssertionError

    with pytest.raises(ConfigurationError, match="accounts have no field Nothing__c"):
        org.talk(work)


# ---------------------------------------------------------------------------------------------------------- reading


def test_pages_smaller_than_asked_for_are_followed_to_the_end() -> None:
    """By the address that each page names."""
    with salesforce_harness(OrgOptions(page_rows=200)) as org:
        made = org.portal.seed("Account", [{"Name": f"A{number}"} for number in range(450)])

        async def work(crm: Crm) -> list[int]:
            return [len(page.records) async for page in crm.companies(CompanyMapping())]

        assert org.talk(work) == [200, 200, 50]
        assert len(made) == 450


def test_a_page_that_leads_nowhere_is_a_broken_contract(org: Harness) -> None:
    """Followed, the token would go to an address of somebody's choice, or the list would have no end."""
    for path in ("https://elsewhere.example/x", "/services/data/v60.0/sobjects", ""):
        body = f'{{"totalSize":2,"done":false,"nextRecordsUrl":"{path}","records":[]}}'.encode()
        org.lookalike.faults.append(Fault(lambda request: request.path.endswith("/query"), status=200, body=body))
        with pytest.raises(ContractError, match="names no next page"):
            org.talk(identity)


def test_merged_accounts_are_known_by_their_survivor(org: Harness) -> None:
    """Also where the survivor was merged in its turn."""
    first, second, third = org.portal.seed("Account", [{"Name": name} for name in "ABC"])
    org.portal.merge("Account", second, third)
    org.portal.merge("Account", first, second)

    async def work(crm: Crm) -> list[Company]:
        return [one async for page in crm.companies(CompanyMapping()) for one in page.records]

    (found,) = org.talk(work)
    assert (found.company_id, set(found.merged_ids)) == (first, {second, third})


def test_amounts_are_in_the_currency_of_their_record() -> None:
    """Where an org has several; a mapped field comes before it."""
    with salesforce_harness(OrgOptions(multi_currency=True)) as org:
        org.portal.seed("Account", [{"Name": "A", "CurrencyIsoCode": "EUR", "ARR__c": 12.5, "Type": "Customer"}])

        async def work(crm: Crm) -> list[Company]:
            return [one async for page in crm.companies(CompanyMapping(arr="ARR__c")) for one in page.records]

        (found,) = org.talk(work)
        assert (found.arr, found.currency, found.lifecycle_stage) == ("12.5", "EUR", "Customer")


def test_no_address_of_a_person_stands_in_an_address_of_a_call(org: Harness) -> None:
    """Such addresses are kept in logs of proxies."""
    ann = org.seeds.contact("ann@acme.com")

    async def work(crm: Crm) -> list[str]:
        return [one.contact_id for one in (await crm.contacts(["ann@acme.com", "o'neil@acme.com"])).records]

    assert org.talk(work) == [ann]
    assert not any("acme" in request.query for request in org.lookalike.requests)


def test_open_opportunities_come_with_their_account(org: Harness) -> None:
    """Closed ones are left out; those of other accounts are not asked for where one is named."""
    acme, other = org.portal.seed("Account", [{"Name": "Acme"}, {"Name": "Other"}])
    common = {"StageName": "Negotiation", "CloseDate": "2026-12-31", "Amount": 1500.5}
    rows = [
        {**common, "Name": "One", "AccountId": acme},
        {**common, "Name": "Two", "AccountId": other, "Amount": None},
        {**common, "Name": "Old", "AccountId": acme, "IsClosed": True},
    ]
    ids = org.portal.seed("Opportunity", rows)

    def deals(company_ids: list[str] | None) -> list[DealPage]:
        async def work(crm: Crm) -> list[DealPage]:
            assert crm.deals is not None
            return [page async for page in crm.deals.of(company_ids)]

        return org.talk(work)

    (page,) = deals([acme])
    assert page.page.records == (
        Deal(ids[0], "One", (acme,), "Negotiation", Decimal("1500.5"), None, None, date(2026, 12, 31)),
    )
    (page,) = deals(None)
    assert [(deal.deal_id, deal.amount) for deal in page.page.records] == [(ids[0], Decimal("1500.5")), (ids[1], None)]
    assert deals([]) == []


def test_values_come_back_as_they_were_meant(ready: Harness) -> None:
    """Numbers without zeros, and what was emptied is absent."""
    write(ready, RecordWrite("src:1", {"title": "One", "votes": "12"}))
    (record,) = ready.talk(requests)
    assert record.values == {"request_key": "src:1", "title": "One", "votes": "12"}
    assert ready.portal.records(OBJECT)[0]["Name"] == "One"


# ---------------------------------------------------------------------------------------------------------- writing


def test_rows_that_are_locked_are_sent_again_alone(ready: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a while, and given up in the end, each with its reason."""
    monkeypatch.setattr(sessions, "LOCK_PAUSES_SECONDS", (0.0, 0.0))
    record, company = make(ready, "src:1")["src:1"], ready.seeds.company(name="Acme")
    other = ready.seeds.company(name="Other")
    pairs = [PairWrite(record, "company", one, ("voted",)) for one in (company, other)]
    ready.portal.lock_row(company, 1)
    ready.lookalike.clear()
    assert link(ready, *pairs).written == tuple(pairs)
    sent = [len(one.body) for one in ready.lookalike.requests if one.method == "PATCH"]
    assert (len(sent), sent[1] < sent[0]) == (2, True)
    ready.portal.lock_row(company, 3)
    outcome = link(ready, *pairs)
    assert outcome.written == (pairs[1],)
    assert outcome.rejected[0][1].startswith("UNABLE_TO_LOCK_ROW")


def test_an_answer_that_says_less_than_all_is_read_back(ready: Harness) -> None:
    """Entries name no key: of another number they say nothing of anybody."""
    body = b'[{"id":"a01000000000001AAA","success":true,"created":true,"errors":[]}]'
    ready.lookalike.faults.append(Fault(faults.path_contains("/composite/sobjects"), status=200, body=body))
    with pytest.raises(UnknownOutcomeError, match="answers 1 of 2 rows"):
        write(ready, RecordWrite("src:1", {}), RecordWrite("src:2", {}))


def test_a_row_whose_entry_cannot_be_read_is_unaccounted(ready: Harness) -> None:
    """The others keep their fate."""
    body = b'[{"id":"a01000000000001AAA","success":true,"created":true,"errors":[]},{"success":"perhaps"}]'
    ready.lookalike.faults.append(Fault(faults.path_contains("/composite/sobjects"), status=200, body=body))
    outcome = write(ready, RecordWrite("src:1", {}), RecordWrite("src:2", {}))
    assert ([one.key for one in outcome.written], outcome.unaccounted) == (["src:1"], ("src:2",))


def test_a_lost_answer_is_repeated_by_key(ready: Harness) -> None:
    """One record, although it was sent twice."""
    ready.lookalike.faults.append(faults.answer_lost(faults.path_contains("/composite/sobjects")))
    outcome = write(ready, RecordWrite("src:1", {"title": "One"}))
    assert [(one.key, one.created) for one in outcome.written] == [("src:1", False)]
    assert len(ready.portal.records(OBJECT)) == 1


def test_a_refused_request_is_a_refused_batch(ready: Harness) -> None:
    """For whoever halves it; a limit that is reached is no matter of the batch."""
    matches = faults.path_contains("/composite/sobjects")
    ready.lookalike.faults.append(faults.refusal(matches, 400, "JSON_PARSER_ERROR"))
    with pytest.raises(BatchRejectedError, match="JSON_PARSER_ERROR"):
        write(ready, RecordWrite("src:1", {}))
    ready.lookalike.faults.append(faults.refusal(matches, 400, "STORAGE_LIMIT_EXCEEDED"))
    with pytest.raises(PermanentError, match="storage is full"):
        write(ready, RecordWrite("src:1", {}))
    ready.lookalike.faults.append(faults.maintenance(matches, times=None))
    with pytest.raises(TransientError):
        write(ready, RecordWrite("src:1", {}))


def test_a_trigger_of_the_org_that_fails_refuses_its_row(ready: Harness) -> None:
    """Its text is told, without the address in it."""
    from integration_assets.sandbox.salesforce.errors import RowError

    def trigger(one: Any, row: Any) -> None:
        if row.get("Request_Key__c") == "src:1":
            raise RowError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", "Notify: no rights for bob@acme.com")

    ready.portal.triggers.append(trigger)
    outcome = write(ready, RecordWrite("src:1", {}), RecordWrite("src:2", {}))
    (refused,) = outcome.rejected
    assert (refused.key, "Notify" in refused.reason, "bob@acme.com" in refused.reason) == ("src:1", True, False)


def test_one_key_twice_is_refused_before_it_is_sent(ready: Harness) -> None:
    """Sent, both rows would fail."""
    outcome = write(ready, RecordWrite("src:1", {"title": "A"}), RecordWrite("src:1", {"title": "B"}))
    assert [one.key for one in outcome.written] == ["src:1"]
    assert [one.reason for one in outcome.rejected] == ["the key comes twice in one batch"]


# ------------------------------------------------------------------------------------------------------------- links


def test_labels_of_others_are_kept_and_whole_pairs_end(ready: Harness) -> None:
    """A kind that people added to the picklist is a label of others; ending a pair ends it as well."""
    record, company = make(ready, "src:1")["src:1"], ready.seeds.company(name="Acme")
    kind = ready.portal.objects[LINK].fields["Kind__c"]
    kind.options = (*kind.options, ("sponsor", "Sponsor"))
    pair = PairWrite(record, "company", company, ("voted",))
    link(ready, pair)
    row = {"Link_Key__c": "by hand", "Wish__c": record, "Company__c": company, "Kind__c": "sponsor"}
    ready.portal.seed(LINK, [row])
    both = {Link(record, "company", company, label) for label in ("voted", "other:sponsor")}
    assert links(ready, record) == both
    rewritten = PairWrite(record, "company", company, ("other:sponsor", "voted"))
    assert link(ready, rewritten).written == (rewritten,)
    assert links(ready, record) == both
    assert link(ready, pair, take_off=True).written == (pair,)
    assert links(ready, record) == {Link(record, "company", company, "other:sponsor")}
    assert link(ready, pair, take_off=True).written == (pair,)

    async def end(crm: Crm) -> int:
        return len((await crm.unlink_whole(REQUEST, [pair])).written)

    assert ready.talk(end) == 1
    assert links(ready, record) == set()


def test_a_batch_of_links_is_one_call_and_one_query_back(ready: Harness) -> None:
    """Two hundred pairs; the query is too long for an address."""
    record = make(ready, "src:1")["src:1"]
    ids = ready.portal.seed("Account", [{"Name": f"A{number}"} for number in range(200)])
    pairs = [PairWrite(record, "company", one, ("voted",)) for one in ids]

    async def work(crm: Crm) -> tuple[int, int]:
        written = await crm.link(REQUEST, pairs)
        return len(written.written), len((await crm.links_of_pairs(REQUEST, pairs)).links)

    ready.lookalike.clear()
    assert ready.talk(work) == (200, 200)
    paths = [one.path.rpartition("v60.0")[2] for one in ready.lookalike.requests if "/composite" in one.path]
    assert paths == [f"/composite/sobjects/{LINK}/Link_Key__c", "/composite"]


# ------------------------------------------------------------------------------------------------------------- setup


def test_setup_needs_a_right_of_its_own(org: Harness) -> None:
    """The user of a run should not have it: the message says what else there is."""

    async def work(crm: SalesforceCrm) -> None:
        await crm.create_object(REQUEST)

    with pytest.raises(ConfigurationError, match=r"lacks 'Modify Metadata.*sf project deploy start"):
        talk(org, ClientSecret(CLIENT_ID, SecretStr(org.portal.secret)), work)
    assert OBJECT not in org.portal.objects


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda org: org.revoke(org.admin_token), r"setup could not deploy: .*the token has ended, or was revoked"),
        (lambda org: org.admin.permissions.discard("ApiEnabled"), "API_CURRENTLY_DISABLED.*permission API Enabled"),
    ],
    ids=["token", "api"],
)
def test_setup_tells_a_token_that_ended_from_a_right_that_is_missing(
    org: Harness, spoil: Callable[[Any], None], words: str
) -> None:
    """The way by hand is named all the same, and nothing was made."""
    spoil(org.portal)
    with pytest.raises(ConfigurationError, match=rf"{words}.*sf project deploy start") as told:
        org.talk(set_up)
    assert "lacks" not in told.value.message
    assert OBJECT not in org.portal.objects


def test_a_permission_set_that_the_user_cannot_have_is_left_to_a_person(org: Harness) -> None:
    """What was deployed stays; full storage is no hindrance, as nothing of it is data."""
    org.portal.options.storage_kilobytes = 0
    assigning = faults.refusal(
        lambda request: request.method == "POST" and request.path.endswith("/PermissionSetAssignment"),
        400,
        "FIELD_INTEGRITY_EXCEPTION",
    )
    org.lookalike.faults.append(assigning)
    with pytest.raises(PermanentError, match=r"is deployed, but .*Integration_Assets could not be given.*FIELD_INTEGR"):
        org.talk(set_up)
    assert OBJECT in org.portal.objects
    assert "the user does not see the object" in str(schema_of(org).obstacles)
    org.portal.assign("Integration_Assets")
    assert schema_of(org).object_present


def test_somebody_elses_object_with_the_name_of_our_links_is_left_alone(org: Harness) -> None:
    """Setup would give it our fields."""
    org.portal.add_object(LINK, "Wish link", "Wish links", Field("Name", "string", "Name", 80), visible=True)
    org.portal.define_field(LINK, Field("Team__c", "string", "Team", 80))
    with pytest.raises(ConfigurationError, match=f"an object {LINK} exists that is not ours: it has Team__c.*delete"):
        plan_setup(REQUEST, schema_of(org), ())


def test_setup_is_checked_before_it_changes_anything(org: Harness) -> None:
    """Deployed twice: to see what would come of it, and to do it; then the user of a run gets the permission set."""
    org.talk(set_up)
    assert [one.check_only for one in org.portal.deployments.values()] == [True, False]
    (assigned,) = org.portal.records("PermissionSetAssignment")
    assert assigned["AssigneeId"] == org.portal.user.id
    org.talk(set_up)
    assert len(org.portal.deployments) == 2

    async def again(crm: Crm) -> None:
        await crm.create_object(REQUEST)

    org.talk(again)
    assert len(org.portal.deployments) == 4
    assert len(org.portal.records("PermissionSetAssignment")) == 1


def test_what_an_org_refuses_of_a_deployment_is_told(org: Harness) -> None:
    """The components and why; nothing is left behind."""

    def failed(request: Any) -> bool:
        return request.method == "GET" and "/deployRequest/" in request.path

    failure = b'{"fullName":"Wish__c.Title__c","problem":"Too many custom fields"}'
    body = b'{"id":"0Af","deployResult":{"done":true,"success":false,"status":"Failed",'
    body += b'"details":{"componentFailures":[' + failure + b"]}}}"
    org.lookalike.faults.append(Fault(failed, status=200, body=body))
    with pytest.raises(PermanentError, match=r"nothing was changed: Wish__c\.Title__c: Too many custom fields"):
        org.talk(set_up)
    assert OBJECT not in org.portal.objects


def test_setup_adds_what_is_missing_and_leaves_the_rest(ready: Harness) -> None:
    """A field and a label that somebody deleted."""
    del ready.portal.objects[OBJECT].fields["Votes__c"]
    kind = ready.portal.objects[LINK].fields["Kind__c"]
    kind.options = kind.options[:1]
    ready.portal.objects[OBJECT].fields["Title__c"].label = "Called so by somebody"
    steps = plan_setup(REQUEST, schema_of(ready), ())
    assert [step.kind for step in steps] == ["properties", "link", "link"]

    async def work(crm: Crm) -> None:
        for step in steps:
            if step.kind == "properties":
                await crm.create_properties(REQUEST, step.properties)
            if step.link is not None:
                await crm.create_link(REQUEST, step.link)

    ready.talk(work)
    assert plan_setup(REQUEST, schema_of(ready), ()) == []
    assert ready.portal.objects[OBJECT].fields["Title__c"].label == "Called so by somebody"


def test_settings_reach_the_connector(org: Harness) -> None:
    """The field with further domains, by its name in the settings."""
    org.portal.seed("Account", [{"Name": "A", "Website": "a.com", "Other_Domains__c": "a.io, a.de"}])

    async def work(crm: SalesforceCrm) -> list[tuple[str, ...]]:
        return [one.additional_domains async for page in crm.companies(CompanyMapping()) for one in page.records]

    credential = Token(SecretStr(org.portal.token))
    assert talk(org, credential, work) == [()]
    assert talk(org, credential, work, options={DOMAINS_FIELD: "Other_Domains__c"}) == [("a.io", "a.de")]


# ------------------------------------------------------------------------------------------------- options that lack


PARKED = msgspec.structs.replace(
    REQUEST,
    properties=tuple(
        msgspec.structs.replace(one, options=(*one.options, ("parked", "Parked"))) if one.name == "status" else one
        for one in REQUEST.properties
    ),
)


def test_setup_adds_values_that_a_picklist_lacks(ready: Harness) -> None:
    """Behind those there are, with the labels that people gave to field and values; nothing else is deployed."""
    status = ready.portal.objects[OBJECT].fields["Status__c"]
    status.label = "How far"
    status.options = (("mine", "Theirs"), ("open", "Reopened"), ("closed", "Closed"))
    others = {name: one for name, one in ready.portal.objects[OBJECT].fields.items() if name != "Status__c"}

    async def work(crm: Crm) -> tuple[list[SetupStep], list[str], list[SetupStep]]:
        live = await crm.schema(PARKED, ())
        problems = [one.text for one in target_problems(PARKED, live, link_contacts=True)]
        steps = plan_setup(PARKED, live, ())
        await apply_setup(crm, PARKED, steps, sleep=lambda _: asyncio.sleep(0), clock=lambda: 0.0)
        return steps, problems, plan_setup(PARKED, await crm.schema(PARKED, ()), ())

    steps, problems, again = ready.talk(work)
    assert [step.line for step in steps] == ["add options to status: parked"]
    assert problems == [f"wish.status: options missing: parked; {RUN_SETUP}"]
    assert again == []
    fields = ready.portal.objects[OBJECT].fields
    assert fields["Status__c"].label == "How far"
    assert fields["Status__c"].restricted
    assert fields["Status__c"].options == (
        ("mine", "Theirs"),
        ("open", "Reopened"),
        ("closed", "Closed"),
        ("parked", "Parked"),
    )
    assert {name: one for name, one in fields.items() if name != "Status__c"} == others
    assert write(ready, RecordWrite("src:1", {"title": "One", "status": "parked"})).rejected == ()


@pytest.mark.parametrize("changed", [{"help_text": "Ask Ana."}, {"restricted": False}])
def test_a_picklist_that_people_changed_is_not_deployed_again(ready: Harness, changed: dict[str, Any]) -> None:
    """A deployment would take their change away: it says which values to add, and where."""
    for name, value in changed.items():
        setattr(ready.portal.objects[OBJECT].fields["Status__c"], name, value)

    async def work(crm: Crm) -> list[str]:
        live = await crm.schema(PARKED, ())
        with pytest.raises(HeldError, match="options missing: parked; add them to the field Status__c in Setup"):
            plan_setup(PARKED, live, ())
        return [one.text for one in target_problems(PARKED, live, link_contacts=True) if "missing" in one.text]

    [problem] = ready.talk(work)
    assert problem.endswith("; add them to the field Status__c in Setup, Object Manager, with exactly these API names")


@pytest.mark.parametrize(
    ("value", "amendable"),
    [(PicklistValue("open"), True), (PicklistValue("open", default_value=True), False)],
)
def test_a_default_value_is_kept_by_not_deploying_the_field(value: PicklistValue, amendable: bool) -> None:
    """The default is a person's choice, which a deployment of ours would not name."""
    field = FieldInfo(
        "Status__c", "picklist", length=255, custom=True, restricted_picklist=True, picklist_values=[value]
    )
    info = ObjectInfo(OBJECT, [field])
    live = live_schema(REQUEST, Portal("00D", PortalKind.SANDBOX), info, None, None, (), ())
    assert [one.amendable for one in live.properties] == [amendable]


def test_a_value_that_was_switched_off_comes_back_only_where_it_is_ours() -> None:
    """Values of others that nobody can choose any more stay so."""
    values = [PicklistValue("open", "Open"), PicklistValue("old", "Old", active=False)]
    field = FieldInfo("Status__c", "picklist", label="", picklist_values=values)
    [status] = [one for one in PARKED.properties if one.name == "status"]
    made = with_values(status, field, PropertyAmendment("status", (("open", "Open"), ("parked", "Parked"))))
    assert made.options == (("open", "Open"), ("parked", "Parked"))
    assert made.label == "Status"
