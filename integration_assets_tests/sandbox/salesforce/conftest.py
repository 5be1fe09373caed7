"""An org of one's own behind real HTTP on loopback."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec
import pytest

from integration_assets.sandbox.salesforce import Org, OrgOptions, salesforce_lookalike
from integration_assets_tests.sandbox.hubspot.conftest import ManualClock
from integration_assets_tests.support.foreign import served
from integration_assets_tests.support.waiting import PATIENCE_SECONDS

DATA = "/services/data/v60.0"
NAMESPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
FIELDS = {
    "Idea_Key__c": "<type>Text</type><length>255</length><unique>true</unique><externalId>true</externalId>"
    "<caseSensitive>true</caseSensitive>",
    "Title__c": "<type>Text</type><length>20</length>",
    "Votes__c": "<type>Number</type><precision>18</precision><scale>0</scale>",
    "Asked__c": "<type>DateTime</type>",
    "Notes__c": "<type>LongTextArea</type><length>1000</length><visibleLines>3</visibleLines>",
    "Kind__c": "<type>Picklist</type><valueSet><restricted>true</restricted><valueSetDefinition><sorted>false</sorted>"
    "<value><fullName>open</fullName><default>false</default><label>Open</label></value>"
    "</valueSetDefinition></valueSet>",
    "Company__c": "<type>Lookup</type><referenceTo>Account</referenceTo><relationshipName>Ideas</relationshipName>",
}


def package(fields: dict[str, str] | None = None, *, granted: bool = True) -> bytes:
    """A zip file with the object Idea__c and a permission set for it."""
    fields = FIELDS if fields is None else fields
    columns = "".join(
        f"<fields><fullName>{name}</fullName><label>{name[:-3]}</label>{rest}</fields>" for name, rest in fields.items()
    )
    head = (
        "<label>Idea</label><pluralLabel>Ideas</pluralLabel><nameField><label>Name</label><type>AutoNumber</type>"
        "</nameField><deploymentStatus>Deployed</deploymentStatus><sharingModel>ReadWrite</sharingModel>"
    )
    grants = "".join(
        f"<fieldPermissions><editable>true</editable><field>Idea__c.{name}</field><readable>true</readable>"
        "</fieldPermissions>"
        for name in fields
    )
    files = {
        "package.xml": f"<Package {NAMESPACE}><version>60.0</version></Package>",
        "objects/Idea__c.object": f"<CustomObject {NAMESPACE}>{head}{columns}</CustomObject>",
        "permissionsets/Ideas.permissionset": f"<PermissionSet {NAMESPACE}><label>Ideas</label>"
        f"{grants if granted else ''}<objectPermissions><allowCreate>true</allowCreate>"
        "<allowEdit>true</allowEdit><allowRead>true</allowRead><object>Idea__c</object>"
        "</objectPermissions></PermissionSet>",
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made.getvalue()


@dataclass
class Bench:
    """An org, its clock, and a client whose requests it answers."""

    org: Org
    clock: ManualClock
    client: httpx.Client
    address: str
    lookalike: Any

    def call(self, method: str, path: str, body: Any = None, *, status: int = 200, **params: Any) -> Any:
        """Ask, insist on the status, and return the decoded answer (None without content)."""
        answer = self.client.request(method, DATA + path, json=body, params=params or None)
        assert answer.status_code == status, answer.text
        return answer.json() if answer.content else None

    def query(self, text: str, path: str = "/query", **headers: str) -> Any:
        answer = self.client.get(f"{DATA}{path}", params={"q": text}, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upsert(self, *rows: dict[str, Any], all_or_none: bool = False, status: int = 200) -> Any:
        records = [{"attributes": {"type": "Idea__c"}, **row} for row in rows]
        body = {"allOrNone": all_or_none, "records": records}
        return self.call("PATCH", "/composite/sobjects/Idea__c/Idea_Key__c", body, status=status)

    def deploy(self, archive: bytes, *, check_only: bool = False, token: str | None = None) -> Any:
        """The result of a deployment, once it is done."""
        options = {"singlePackage": True, "rollbackOnError": True, "checkOnly": check_only, "testLevel": "NoTestRun"}
        headers = {"Authorization": f"Bearer {token or self.org.admin_token}"}
        files = {
            "json": (None, msgspec.json.encode({"deployOptions": options}), "application/json"),
            "file": ("deploy.zip", archive, "application/zip"),
        }
        answer = self.client.post(f"{DATA}/metadata/deployRequest", files=files, headers=headers)
        if answer.status_code != 201:
            return answer.json()
        path = f"{DATA}/metadata/deployRequest/{answer.json()['id']}"
        return self.client.get(path, params={"includeDetails": "true"}, headers=headers).json()["deployResult"]


@pytest.fixture(scope="session")
def salesforce_server() -> Iterator[tuple[str, list[Any]]]:
    """One server for all tests of this folder; each test puts its own application into it."""
    slot: list[Any] = [None]

    async def current(scope: Any, receive: Any, send: Any) -> None:
        await slot[0](scope, receive, send)

    with served(current) as address:
        yield address, slot


@pytest.fixture
def bench_of(salesforce_server) -> Iterator[Callable[..., Bench]]:
    """Builds a bench; keyword arguments are those of `OrgOptions`."""
    address, slot = salesforce_server
    clients: list[httpx.Client] = []

    def build(*, ready: bool = True, is_sandbox: bool = True, **options: Any) -> Bench:
        clock = ManualClock()
        org = Org(7, is_sandbox=is_sandbox, options=OrgOptions(**options), clock=clock)
        org.user.edits |= {"Account", "Contact", "Opportunity"}
        slot[0] = lookalike = salesforce_lookalike(org)
        headers = {"Authorization": f"Bearer {org.token}"}
        client = httpx.Client(base_url=address, headers=headers, timeout=PATIENCE_SECONDS)
        clients.append(client)
        made = Bench(org, clock, client, address, lookalike)
        if ready:
            assert made.deploy(package())["status"] == "Succeeded"
            org.assign("Ideas")
        return made

    yield build
    for client in clients:
        client.close()


@pytest.fixture
def bench(bench_of) -> Bench:
    """An org with the object Idea__c, which the integration user may see."""
    made: Bench = bench_of()
    return made
