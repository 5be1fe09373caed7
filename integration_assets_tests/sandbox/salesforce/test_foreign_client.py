"""simple-salesforce, which knows nothing of this project, and the look-alike understand each other."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import (
    SalesforceAuthenticationFailed,
    SalesforceExpiredSession,
    SalesforceMoreThanOneRecord,
    SalesforceResourceNotFound,
)

from integration_assets.sandbox.salesforce.org import CLIENT_ID, App


class Loopback(HTTPAdapter):
    """Sends what is meant for any HTTPS host to a look-alike: the client knows no other scheme."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        path = str(request.url).split("/", 3)[3]
        request.url = f"{self._address}/{path}"
        return super().send(request, *args, **kwargs)


@pytest.fixture
def connect(bench):
    """Connects the client to the look-alike, with whatever credentials."""
    sessions = []

    def made(**credentials: Any) -> Salesforce:
        session = requests.Session()
        session.mount("https://", Loopback(bench.address))
        sessions.append(session)
        return Salesforce(session=session, version="60.0", **credentials)

    yield made
    for session in sessions:
        session.close()


@pytest.fixture
def foreign(bench, connect):
    """The client with a ready token."""
    return connect(session_id=bench.org.token, instance_url=bench.address)


def test_records_round_trip(foreign):
    """Create, read, change, find by a key, delete."""
    made = foreign.Account.create({"Name": "Acme", "Website": "acme.com"})
    assert made["success"] is True
    foreign.Account.update(made["id"], {"AnnualRevenue": 12.4})
    assert foreign.Account.get(made["id"])["AnnualRevenue"] == 12.0
    foreign.Idea__c.upsert("Idea_Key__c/a", {"Title__c": "A"})
    assert foreign.Idea__c.get_by_custom_id("Idea_Key__c", "a")["Title__c"] == "A"
    foreign.Account.delete(made["id"])
    with pytest.raises(SalesforceResourceNotFound):
        foreign.Account.get(made["id"])


def test_long_queries_are_followed_to_their_end(bench_of, connect):
    """The client follows `nextRecordsUrl` by itself."""
    bench = bench_of(page_rows=200)
    bench.org.seed("Account", [{"Name": f"A{number}"} for number in range(450)])
    client = connect(session_id=bench.org.token, instance_url=bench.address)
    rows = list(client.query_all_iter("SELECT Name FROM Account"))
    assert [row["Name"] for row in rows] == [f"A{number}" for number in range(450)]


def test_collections_and_describe(bench, foreign):
    """The client has no helper for collections, but sends them all the same."""
    body = {"records": [{"attributes": {"type": "Idea__c"}, "Idea_Key__c": key} for key in "ab"]}
    answer = foreign.restful("composite/sobjects/Idea__c/Idea_Key__c", method="PATCH", json=body)
    assert [one["created"] for one in answer] == [True, True]
    fields = {one["name"]: one["type"] for one in foreign.Idea__c.describe()["fields"]}
    assert (fields["Votes__c"], fields["Asked__c"]) == ("double", "datetime")
    assert foreign.describe()["maxBatchSize"] == 200
    assert foreign.api_usage["api-usage"].total == 100_000
    assert foreign.is_sandbox() is True


def test_tokens_by_secret_and_by_key(bench, connect):
    """Client credentials and JWT bearer, as the client sends them."""
    key = generate_private_key(65_537, 2_048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    bench.org.apps["jwt-app"] = App(bench.org.user, public_key=public)
    # The client takes the true time for its claims.
    bench.clock.now = datetime.now(UTC).timestamp()
    by_secret = connect(consumer_key=CLIENT_ID, consumer_secret=bench.org.secret, domain="acme.my")
    by_key = connect(username=bench.org.user.username, consumer_key="jwt-app", privatekey=private, domain="test")
    for client in (by_secret, by_key):
        assert client.query("SELECT Id FROM Organization")["records"][0]["Id"] == bench.org.org_id
    with pytest.raises(SalesforceAuthenticationFailed):
        connect(consumer_key=CLIENT_ID, consumer_secret="wrong", domain="acme.my")
    with pytest.raises(SalesforceAuthenticationFailed):
        connect(username=bench.org.user.username, consumer_key="other", privatekey=private, domain="test")


def test_refusals_are_the_errors_the_client_knows(bench, foreign):
    """300 and 401 are errors of their own in the client."""
    bench.org.seed("Contact", [{"Email": "a@b.co", "LastName": "A"}, {"Email": "a@b.co", "LastName": "B"}])
    with pytest.raises(SalesforceMoreThanOneRecord):
        foreign.Contact.upsert("Email/a@b.co", {"LastName": "C"})
    bench.org.expire_tokens()
    with pytest.raises(SalesforceExpiredSession):
        foreign.limits()
