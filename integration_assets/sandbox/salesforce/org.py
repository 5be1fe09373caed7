"""One Salesforce org in memory: what tests seed and look at, and what the routes work on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from integration_assets.sandbox.made_up import credential
from integration_assets.sandbox.salesforce.errors import Json, RowError, no_column, refused, unknown_object
from integration_assets.sandbox.salesforce.fields import Field, kept, shown_time
from integration_assets.sandbox.salesforce.ids import full_id, made_id
from integration_assets.sandbox.salesforce.objects import Row, SObject, common_fields, standard_objects

KILOBYTES_A_RECORD = 2
CLIENT_ID = "3MVG9.integration"
API_ENABLED = "ApiEnabled"
MODIFY_METADATA = "ModifyMetadata"
PERMISSION_SET = "PermissionSet"
UNCOUNTED = frozenset({PERMISSION_SET, "PermissionSetAssignment"})
PROTECTED = frozenset({"Account", "Contact", "Opportunity"})
"""Standard objects that an integration user may change only where it is granted: its profile has no rights on any."""


@dataclass
class OrgOptions:
    """Behaviour that tests vary.

    `versions` are those that the API has. `page_rows` is the most rows of a page, whatever a client asks for.
    `daily_calls` and `storage_kilobytes` are limits. `api_enabled` False is an edition without the API.
    `token_seconds` is the life of a token.
    """

    versions: tuple[int, ...] = tuple(range(41, 69))
    page_rows: int = 2_000
    daily_calls: int = 100_000
    storage_kilobytes: int = 200_000
    api_enabled: bool = True
    multi_currency: bool = False
    token_seconds: float = 7_200.0
    edition: str = "Enterprise Edition"
    trial_ends: str | None = None


@dataclass
class User:
    """Somebody who may use the API. `hidden` are fields, as `Object.Field`, that are kept from this user.

    `edits` are standard objects whose records this user may change without a permission set, `read_only` records that
    the org's sharing lets this user only read.
    """

    id: str
    username: str
    permissions: set[str] = field(default_factory=lambda: {API_ENABLED})
    permission_sets: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    edits: set[str] = field(default_factory=set)
    read_only: set[str] = field(default_factory=set)
    active: bool = True


@dataclass
class App:
    """An app that tokens are had with: by a secret, or by a key whose public half the org has."""

    user: User
    secret: str | None = None
    public_key: bytes | None = None


@dataclass
class Grants:
    """The objects and fields (`Object.Field`) that a permission set lets its users see, and those they may change."""

    objects: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)
    edited_objects: set[str] = field(default_factory=set)
    edited_fields: set[str] = field(default_factory=set)


@dataclass
class Deployment:
    """A deployment that was asked for, and what came of it."""

    id: str
    check_only: bool
    success: bool
    failures: list[Json]
    components: int


class Org:
    """An org. `org_id` is any text of letters and digits; the id that it is known by is made from it.

    `clock` gives seconds since the epoch. `lock` is held while a request or a method works on the state, so a test may
    call methods while a server thread answers. `token` is a ready token of the integration user, `secret` that of the
    app with the client id `CLIENT_ID`, whose user is the same; `admin_token` is of somebody who may deploy metadata.
    """

    def __init__(
        self,
        number: int,
        *,
        is_sandbox: bool = True,
        token: str | None = None,
        options: OrgOptions | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.org_id = made_id("00D", number)
        self.is_sandbox = is_sandbox
        self.options = options or OrgOptions()
        self.clock = clock
        self.lock = threading.RLock()
        self.calls_used = 0
        self.objects = {one.name: one for one in standard_objects(multi_currency=self.options.multi_currency)}
        self.grants: dict[str, Grants] = {}
        self.cursors: dict[str, list[Json]] = {}
        self.deployments: dict[str, Deployment] = {}
        self.locked: dict[str, int] = {}
        self.triggers: list[Callable[[SObject, Row], None]] = []
        self.journal: list[tuple[dict[str, Row], str, Row | None]] = []
        # Ids of two orgs differ, as those of records made in them do.
        self._number = number * 1_000_003
        self._custom_objects = 0
        self.user = self._user("integration@example.com")
        self.admin = self._user("admin@example.com", {API_ENABLED, MODIFY_METADATA})
        kind = "sandbox" if is_sandbox else "production"
        self.token = token or credential(f"00D-{kind}-token")
        self.admin_token = credential(f"00D-{kind}-admin")
        self.secret = credential(f"{kind}-client-secret")
        self.apps = {CLIENT_ID: App(self.user, self.secret)}
        self._tokens: dict[str, tuple[User, float | None]] = {
            self.token: (self.user, None),
            self.admin_token: (self.admin, None),
        }
        self._insert_organization()

    def _user(self, username: str, permissions: Iterable[str] = (API_ENABLED,)) -> User:
        made = User(self.new_id("005"), username, set(permissions))
        self._raw("User", made.id, {"Name": username.partition("@")[0], "Username": username})
        return made

    def _insert_organization(self) -> None:
        values = {
            "Name": "Acme",
            "IsSandbox": self.is_sandbox,
            "InstanceName": "CS1" if self.is_sandbox else "EU1",
            "OrganizationType": self.options.edition,
            "TrialExpirationDate": self.options.trial_ends,
            "TimeZoneSidKey": "Europe/Berlin",
        }
        self._raw("Organization", self.org_id, values)

    # ------------------------------------------------------------------------------------------------------- tokens

    def mint(self, user: User) -> str:
        """A new token of a user."""
        token = credential(f"00D-minted-{len(self._tokens)}")
        self._tokens[token] = (user, self.clock() + self.options.token_seconds)
        return token

    def expire_tokens(self) -> None:
        """End every token, ready ones included, as a change of a session setting does."""
        with self.lock:
            self._tokens.clear()

    def revoke(self, token: str) -> None:
        """End one token."""
        with self.lock:
            del self._tokens[token]

    def user_of(self, token: str) -> User:
        """The user of a token.

        Raises:
            ApiError: 401 INVALID_SESSION_ID.
        """
        user, until = self._tokens.get(token, (None, None))
        if user is None or (until is not None and self.clock() >= until):
            raise refused(401, "INVALID_SESSION_ID", "Session expired or invalid")
        return user

    # ------------------------------------------------------------------------------------------------------ objects

    def new_id(self, prefix: str) -> str:
        """The next id under a key prefix."""
        self._number += 1
        return made_id(prefix, self._number)

    def add_object(self, name: str, label: str, plural: str, name_field: Field, *, visible: bool) -> SObject:
        """Add a custom object without fields of its own."""
        self._custom_objects += 1
        prefix = f"a{self._custom_objects:02d}"
        fields = {one.name: one for one in common_fields(name_field)}
        if self.options.multi_currency:
            fields["CurrencyIsoCode"] = self.objects["Account"].fields["CurrencyIsoCode"]
        self.objects[name] = made = SObject(name, label, plural, prefix, fields, visible=visible)
        return made

    def object_for(self, user: User, name: str) -> SObject:
        """The object of this name, if the user may see it.

        Raises:
            ApiError: 404 NOT_FOUND.
        """
        found = next((one for known, one in self.objects.items() if known.lower() == name.lower()), None)
        if found is None or not self.sees_object(user, found):
            raise unknown_object(name)
        return found

    def sees_object(self, user: User, one: SObject) -> bool:
        """True if a user may see an object: a deployed one only by a permission set."""
        return one.visible or any(one.name in self._grants(name).objects for name in user.permission_sets)

    def sees(self, user: User, one: SObject, column: Field) -> bool:
        """True if a user may see a field."""
        name = f"{one.name}.{column.name}"
        granted = column.visible or any(name in self._grants(held).fields for held in user.permission_sets)
        return granted and name not in user.hidden

    def edits_object(self, user: User, one: SObject) -> bool:
        """True if a user may change records of an object: rights on accounts and the like come with no profile here."""
        granted = any(one.name in self._grants(held).edited_objects for held in user.permission_sets)
        return granted or (one.visible and one.name not in PROTECTED) or one.name in user.edits

    def edits(self, user: User, one: SObject, column: Field) -> bool:
        """True if a user may write a field."""
        name = f"{one.name}.{column.name}"
        return column.visible or any(name in self._grants(held).edited_fields for held in user.permission_sets)

    def column(self, user: User, one: SObject, name: str) -> Field:
        """The field of this name, if the user may see it.

        Raises:
            RowError: INVALID_FIELD.
        """
        found = one.field(name)
        if found is None or not self.sees(user, one, found):
            raise no_column(name, one.name)
        return found

    def _grants(self, permission_set_id: str) -> Grants:
        name = self.objects[PERMISSION_SET].rows.get(permission_set_id, {}).get("Name", "")
        return self.grants.get(name, Grants())

    def assign(self, permission_set: str, user: User | None = None) -> None:
        """Give a permission set to a user, by default the integration user."""
        with self.lock:
            rows = self.objects[PERMISSION_SET].live()
            held = next(row["Id"] for row in rows if row["Name"] == permission_set)
            (user or self.user).permission_sets.add(held)

    # ------------------------------------------------------------------------------------------------------ records

    def _raw(self, object_name: str, record_id: str, values: Mapping[str, Any]) -> Row:
        one, now = self.objects[object_name], shown_time(datetime.fromtimestamp(self.clock(), UTC))
        row: Row = {name: False if column.type == "boolean" else None for name, column in one.fields.items()}
        row |= {"Id": record_id, "CreatedDate": now, "LastModifiedDate": now, "SystemModstamp": now, **values}
        one.rows[record_id] = row
        one.index(row)
        return row

    def add_row(self, one: SObject, values: Mapping[str, Any]) -> Row:
        """Keep a new record.

        Raises:
            RowError: the storage is full.
        """
        used = sum(len(known.rows) for known in self.objects.values()) * KILOBYTES_A_RECORD
        # Records of the setup are no data.
        if one.name not in UNCOUNTED and used + KILOBYTES_A_RECORD > self.options.storage_kilobytes:
            raise RowError("STORAGE_LIMIT_EXCEEDED", "storage limit exceeded")
        row = self._raw(one.name, self.new_id(one.prefix), values)
        self.journal.append((one.rows, row["Id"], None))
        if one.fields["Name"].auto_number:
            row["Name"] = f"{one.label[:3].upper()}-{len(one.rows):06d}"
        if one.name == "Contact":
            row["Name"] = " ".join(filter(None, (row["FirstName"], row["LastName"])))
        return row

    def undo(self) -> None:
        """Take back what was written since the journal was cleared."""
        for rows, record_id, before in reversed(self.journal):
            if before is None:
                del rows[record_id]
            else:
                rows[record_id] = before
        self.journal.clear()

    def touch(self, row: Row) -> None:
        """Note that a record was changed, or saved without a change."""
        row["LastModifiedDate"] = row["SystemModstamp"] = shown_time(datetime.fromtimestamp(self.clock(), UTC))

    def find(self, one: SObject, text: Any) -> Row | None:
        """The live record of this id.

        Raises:
            RowError: MALFORMED_ID.
        """
        try:
            row = one.rows.get(full_id(str(text)))
        except ValueError:
            raise RowError("MALFORMED_ID", f"bad id {text}", ("Id",)) from None
        return row if row is not None and not row["IsDeleted"] else None

    # ---------------------------------------------------------------------------------- what tests and demos call

    def define_field(self, object_name: str, column: Field) -> None:
        """Add a field that everybody may see."""
        with self.lock:
            self.objects[object_name].fields[column.name] = column
            for row in self.objects[object_name].rows.values():
                row.setdefault(column.name, None)

    def seed(self, object_name: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
        """Add records as the user interface would take them; returns their ids."""
        with self.lock:
            one = self.objects[object_name]
            made = []
            for row in rows:
                values = {name: kept(one.fields[name], value) for name, value in row.items()}
                made.append(str(self.add_row(one, values)["Id"]))
            return made

    def change(self, object_name: str, record_id: str, **values: Any) -> None:
        """Change a record behind the API's back, as a person or a flow does."""
        with self.lock:
            one = self.objects[object_name]
            row = one.rows[record_id]
            row |= {name: kept(one.fields[name], value) for name, value in values.items()}
            one.index(row)
            self.touch(row)

    def delete(self, object_name: str, record_id: str) -> None:
        """Move a record to the recycle bin; references to it are emptied."""
        with self.lock:
            row = self.objects[object_name].rows[record_id]
            row["IsDeleted"] = True
            self.touch(row)
            for one in self.objects.values():
                pointing = [name for name, column in one.fields.items() if object_name in column.reference_to]
                for other in one.live() if pointing else ():
                    other |= {name: None for name in pointing if other[name] == record_id}

    def merge(self, object_name: str, survivor_id: str, merged_id: str) -> None:
        """Merge the second record into the first, as people do with two accounts of one company."""
        with self.lock:
            one = self.objects[object_name]
            for other in self.objects.values():
                for name, column in other.fields.items():
                    if object_name in column.reference_to and name != "MasterRecordId":
                        for row in other.live():
                            row[name] = survivor_id if row[name] == merged_id else row[name]
            one.rows[merged_id] |= {"IsDeleted": True, "MasterRecordId": survivor_id}
            self.touch(one.rows[merged_id])

    def records(self, object_name: str, *, deleted: bool = False) -> list[Row]:
        """All live, or all deleted, records with every field, in the order of their creation."""
        with self.lock:
            found = self.objects.get(object_name)
            return [dict(row) for row in found.rows.values() if row["IsDeleted"] is deleted] if found else []

    def lock_row(self, record_id: str, times: int = 1) -> None:
        """Let the next writes below this record fail with UNABLE_TO_LOCK_ROW."""
        with self.lock:
            self.locked[record_id] = times

    def counted(self) -> dict[str, str]:
        """Count one call and give the header that tells it.

        Raises:
            ApiError: 403, the day's calls are spent.
        """
        limit = self.options.daily_calls
        if self.calls_used >= limit:
            raise refused(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")
        self.calls_used += 1
        return self.usage()

    def usage(self) -> dict[str, str]:
        """The header of every answer."""
        return {"Sforce-Limit-Info": f"api-usage={self.calls_used}/{self.options.daily_calls}"}
