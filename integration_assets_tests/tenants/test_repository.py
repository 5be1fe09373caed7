"""What a tenant's integrations let happen, and what not, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import msgspec
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import DatabaseError

from integration_assets.connectors.redaction import redact
from integration_assets.tenants.registry.changes import (
    FieldError,
    InternalChanges,
    NewInternal,
    NewThirdParty,
    NotFoundError,
    SecretNeededError,
    TakenError,
    ThirdPartyChanges,
)
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.directory import directory
from integration_assets.tenants.registry.models import Base
from integration_assets.tenants.registry.repository import TenantRepository, tenant_repository
from integration_assets.tenants.registry.vault import TamperedError
from integration_assets.tenants.registry.views import InternalView, ThirdPartyView
from integration_assets.tenants.registry.words import AuthFlow, Provider, Scope
from integration_assets_tests.support.registries import ACTOR, tenant_id

SECRET = "pat-na1-0123456789-abcdef"
OTHER = "pat-na1-9876543210-fedcba"
HUBSPOT = NewThirdParty(
    provider=Provider("hubspot"),
    environment=Scope.SANDBOX,
    secret=SECRET,
    settings={"arr_property": "arr", "portal_id": "123"},
)
BILLING = NewInternal(
    name="billing",
    base_url="https://billing.example/api",
    auth_flow=AuthFlow.BASIC,
    auth={"username": "reader"},
    secret=SECRET,
    endpoints=[{"path": "/accounts"}],
    mappings={"arr": "$.arr"},
)


def work(registry: Registry, slug: str, act: Callable[[TenantRepository], Any]) -> Any:
    """Do something with a tenant's integrations in a transaction."""
    with tenant_repository(registry, tenant_id(registry, slug), ACTOR) as repository:
        return act(repository)


def add(registry: Registry, new: NewThirdParty = HUBSPOT) -> ThirdPartyView:
    view: ThirdPartyView = work(registry, "acme", lambda one: one.add_third_party(new))
    return view


def change(registry: Registry, record_id: str, **changes: Any) -> ThirdPartyView:
    made = ThirdPartyChanges(**changes)
    view: ThirdPartyView = work(registry, "acme", lambda one: one.change_third_party(record_id, made))
    return view


def change_internal(registry: Registry, record_id: str, **changes: Any) -> InternalView:
    made = InternalChanges(**changes)
    view: InternalView = work(registry, "acme", lambda one: one.change_internal(record_id, made))
    return view


def opened(registry: Registry, record_id: str) -> str | None:
    secret = work(registry, "acme", lambda one: one.open_third_party(record_id)).secret
    return secret.get_secret_value() if secret else None


def test_the_migrations_make_the_tables_of_the_models(registry: Registry) -> None:
    """Nothing differs between what the migrations made and what the models say; what machines share has no models."""

    def ours(name: str | None, _kind: str, _parents: object) -> bool:
        return name not in ("run_locks", "call_logs", "tries", "alerts")

    with registry.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"include_name": ours})
        assert compare_metadata(context, Base.metadata) == []


def test_no_migration_names_the_providers(registry: Registry) -> None:
    """The check of the first version is gone, so that a provider is added without one; the table takes rows."""
    with registry.engine.connect() as connection:
        checks = {str(one["name"]) for one in inspect(connection).get_check_constraints("third_party_integrations")}
    assert checks == {"ck_third_party_integrations_environment"}
    assert add(registry).secret.is_set


def test_a_secret_is_kept_sealed_shown_masked_and_opened_whole(registry: Registry) -> None:
    """Nothing that is shown holds it, nor any column; who opens it gets it, and it is redacted from then on."""
    view = add(registry)
    assert view.secret.is_set
    assert (view.secret.last4, view.secret.masked, view.secret.set_by) == ("cdef", "••••••••cdef", "the test")
    assert SECRET not in repr(view)
    with registry.session() as session:
        row = session.execute(text("SELECT * FROM third_party_integrations")).one()
    assert SECRET not in str(row)
    assert opened(registry, view.id) == SECRET
    assert redact(f"token {SECRET}") == "token ***"
    assert SECRET not in repr(work(registry, "acme", lambda one: one.open_third_party(view.id)))


def test_the_last_four_are_shown_of_long_secrets_only(registry: Registry) -> None:
    """Of a secret below 20 characters nothing is shown."""
    view = add(registry, NewThirdParty(provider=Provider("canny"), environment=Scope.ANY, secret="short-key-of-19-ch."))
    assert (view.secret.last4, view.secret.masked) == (None, "••••••••")


def test_a_foreign_id_does_not_exist(registry: Registry) -> None:
    """Another tenant's id is not found by any method, exactly as an id that nobody has."""
    mine = add(registry)
    billing = work(registry, "acme", lambda one: one.add_internal(BILLING))
    attempts: list[Callable[[TenantRepository], Any]] = [
        lambda one: one.third_party_integration(mine.id),
        lambda one: one.change_third_party(mine.id, ThirdPartyChanges(enabled=False)),
        lambda one: one.remove_third_party(mine.id),
        lambda one: one.open_third_party(mine.id),
        lambda one: one.note_third_party(mine.id, None),
        lambda one: one.internal_integration(billing.id),
        lambda one: one.change_internal(billing.id, InternalChanges(enabled=False)),
        lambda one: one.remove_internal(billing.id),
        lambda one: one.open_internal(billing.id),
        lambda one: one.note_internal(billing.id, None),
        lambda one: one.internal_integration(mine.id),
        lambda one: one.third_party_integration("no such id"),
    ]
    messages = set()
    for attempt in attempts:
        with pytest.raises(NotFoundError) as refused:
            work(registry, "globex", attempt)
        messages.add(refused.value.message)
    assert messages == {"there is no such integration"}
    assert work(registry, "globex", lambda one: (one.third_party_integrations(), one.internal_integrations())) == (
        [],
        [],
    )
    assert work(registry, "globex", lambda one: len(one.audit_trail())) == 1
    assert work(registry, "acme", lambda one: len(one.third_party_integrations())) == 1


def test_absent_keeps_none_clears_text_replaces(registry: Registry) -> None:
    """The three meanings of a secret among changes."""
    view = add(registry)
    assert change(registry, view.id, enabled=False).secret == view.secret
    assert opened(registry, view.id) == SECRET
    assert change(registry, view.id, secret=OTHER).secret.last4 == "dcba"
    assert opened(registry, view.id) == OTHER
    assert not change(registry, view.id, secret=None).secret.is_set
    assert opened(registry, view.id) is None


@pytest.mark.parametrize("shown", ["••••••••cdef", "••••••••", "********", "●●●●", "...", "••••"])
def test_a_masked_placeholder_is_refused(sqlite_registry: Registry, shown: str) -> None:
    """What is shown instead of the secret is not stored as one, and the secret stays."""
    view = add(sqlite_registry)
    with pytest.raises(FieldError, match="secret: this is how"):
        change(sqlite_registry, view.id, secret=shown)
    assert opened(sqlite_registry, view.id) == SECRET


@pytest.mark.parametrize(
    "bad", ["", "a\r\nX-Other: 1", "tab\tbed", "schlüssel-von-uns", "x" * 4_097, "a\x00b", "a\x7f"]
)
def test_what_could_break_a_header_is_refused(sqlite_registry: Registry, bad: str) -> None:
    """Control characters, non-ASCII and endless text are no secrets, and are not repeated."""
    view = add(sqlite_registry)
    with pytest.raises(FieldError) as refused:
        change(sqlite_registry, view.id, secret=bad)
    assert refused.value.field == "secret"
    assert len(bad) < 2 or bad not in refused.value.message


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example",
        "http://api.hubapi.com",
        "https://api.hubapi.com:8443",
        "https://api.hubapi.com.evil.example",
        "https://apihubapi.com",
    ],
)
def test_another_address_needs_the_secret_again(sqlite_registry: Registry, address: str) -> None:
    """A stored secret is never sent to another host, port or scheme; nothing is changed."""
    view = add(sqlite_registry)
    with pytest.raises(SecretNeededError, match="enter the secret again: base_url changed") as refused:
        change(sqlite_registry, view.id, base_url=address, enabled=False)
    assert refused.value.changed == ("base_url",)
    after = work(sqlite_registry, "acme", lambda one: one.third_party_integration(view.id))
    assert (after.base_url, after.enabled) == ("https://api.hubapi.com", True)
    assert change(sqlite_registry, view.id, base_url=address, secret=OTHER).base_url == address
    assert not change(sqlite_registry, view.id, base_url="https://third.example", secret=None).secret.is_set


def test_another_path_or_spelling_of_the_same_place_needs_no_secret(sqlite_registry: Registry) -> None:
    """Path, an explicit default port, capitals and a final dot lead to the same place."""
    view = add(sqlite_registry)
    for address in ("https://api.hubapi.com/v3", "https://API.hubapi.com:443/", "https://api.hubapi.com./"):
        assert change(sqlite_registry, view.id, base_url=address).secret.is_set


@pytest.mark.parametrize(
    "address",
    [
        "ftp://x.example",
        "https://",
        "x.example",
        "https://u:p@x.example",
        "https://x.example?a=1",
        "https://x.example#a",
        "https://x.example\\@y",
        "https://x .example",
        "https://x.example:99999",
        "https://x.example/\n",
        "javascript:1",
    ],
)
def test_what_is_no_plain_address_is_refused(sqlite_registry: Registry, address: str) -> None:
    """An address with users, queries, fragments, backslashes or control characters is none."""
    view = add(sqlite_registry)
    with pytest.raises(FieldError) as refused:
        change(sqlite_registry, view.id, base_url=address, secret=OTHER)
    assert refused.value.field == "base_url"


def test_another_flow_or_token_url_needs_the_secret_again(registry: Registry) -> None:
    """The secret of one way to authenticate is not sent by another, nor to another token URL."""
    billing = work(registry, "acme", lambda one: one.add_internal(BILLING))
    with pytest.raises(SecretNeededError, match="auth_flow"):
        change_internal(registry, billing.id, auth_flow=AuthFlow.BEARER)
    token_url = {"token_url": "https://login.example/token", "client_id": "us"}
    changed = change_internal(registry, billing.id, auth_flow=AuthFlow.OAUTH2, auth=token_url, secret=OTHER)
    assert (changed.auth_flow, changed.auth, changed.secret.last4) == (AuthFlow.OAUTH2, token_url, "dcba")
    elsewhere = {**token_url, "token_url": "https://evil.example/token"}
    with pytest.raises(SecretNeededError, match=r"auth\.token_url"):
        change_internal(registry, billing.id, auth=elsewhere)
    assert change_internal(registry, billing.id, auth={**token_url, "client_id": "you"}).secret.is_set
    cleared = change_internal(registry, billing.id, auth_flow=AuthFlow.NONE)
    assert (cleared.secret.is_set, cleared.auth) == (False, {})


def test_a_flow_gets_its_fields_and_no_others(sqlite_registry: Registry) -> None:
    """What a flow needs is asked for by name; what it does not know is refused; header names cannot smuggle."""
    for flow, auth, field in (
        (AuthFlow.BASIC, {"username": "a:b"}, "auth.username"),
        (AuthFlow.HEADER, {"header_name": "X-Key\r\nHost: y"}, "auth.header_name"),
        (AuthFlow.HEADER, {"header_name": "Host"}, "auth.header_name"),
        (AuthFlow.HEADER, {"header_name": "Schlüssel"}, "auth.header_name"),
        (AuthFlow.BEARER, {"username": "a"}, "auth.username"),
        (AuthFlow.OAUTH2, {"token_url": "file:///etc/passwd", "client_id": "x"}, "auth.token_url"),
    ):
        new = NewInternal(name="x", base_url="https://x.example", auth_flow=flow, auth=auth, secret=SECRET)
        with pytest.raises(FieldError) as refused:
            work(sqlite_registry, "acme", partial(TenantRepository.add_internal, new=new))
        assert refused.value.field == field
    with pytest.raises(FieldError, match="the flow none has no secret"):
        work(
            sqlite_registry,
            "acme",
            lambda one: one.add_internal(NewInternal(name="x", base_url="https://x.example", secret=SECRET)),
        )


@pytest.mark.parametrize(
    "path", ["accounts", "//evil.example/", "/a b", "https://evil.example", "/a\\b", "/@x", "", None]
)
def test_an_endpoint_stays_below_the_base_url(sqlite_registry: Registry, path: Any) -> None:
    """A path that could lead to another host is refused beside its endpoint."""
    new = NewInternal(name="x", base_url="https://x.example", endpoints=[{"path": "/ok"}, {"path": path}])
    with pytest.raises(FieldError) as refused:
        work(sqlite_registry, "acme", lambda one: one.add_internal(new))
    assert refused.value.field == "endpoints.1.path"


def test_settings_are_checked_by_name_and_form(sqlite_registry: Registry) -> None:
    """A setting that the provider does not have, or of another form, is refused beside its name."""
    view = add(sqlite_registry)
    for settings, field in (
        ({"colour": "red"}, "settings.colour"),
        ({"arr_property": "Annual Revenue"}, "settings.arr_property"),
        ({"portal_id": "x"}, "settings.portal_id"),
    ):
        with pytest.raises(FieldError) as refused:
            change(sqlite_registry, view.id, settings=settings)
        assert refused.value.field == field
    assert change(sqlite_registry, view.id, settings={"portal_id": "9", "arr_property": ""}).settings == {
        "portal_id": "9"
    }


def test_there_is_one_of_each(registry: Registry) -> None:
    """A second one of the same place or name is refused, and what went before in that transaction stays possible."""
    add(registry)
    with pytest.raises(TakenError):
        add(registry)
    of_globex = msgspec.structs.replace(HUBSPOT, secret=OTHER, settings={})  # not into the portal of acme
    work(registry, "globex", lambda one: one.add_third_party(of_globex))
    work(registry, "acme", lambda one: one.add_internal(BILLING))
    with pytest.raises(TakenError):
        work(registry, "acme", lambda one: one.add_internal(BILLING))
    with pytest.raises(FieldError, match="environment"):
        add(registry, NewThirdParty(provider=Provider("hubspot"), environment=Scope.ANY))
    # Of a feedback system, somebody may mean another workspace: the message says how that one is read.
    canny = NewThirdParty(provider=Provider("canny"), environment=Scope.ANY, secret="a-key-of-canny-0123456789")
    add(registry, canny)
    with pytest.raises(TakenError, match="a second workspace of Canny is for a tenant of its own"):
        add(registry, canny)


def test_when_it_expires_belongs_to_the_secret(sqlite_registry: Registry) -> None:
    """A day and "never" exclude each other, and another secret has another day."""
    view = add(sqlite_registry)
    day = datetime(2027, 1, 1, tzinfo=UTC)
    assert change(sqlite_registry, view.id, expires_at=day).secret.expires_at == day
    assert change(sqlite_registry, view.id, never_expires=True).secret.expires_at is None
    assert change(sqlite_registry, view.id, expires_at=day).secret.never_expires is False
    assert change(sqlite_registry, view.id, secret=OTHER).secret.expires_at is None
    for wrong in ({"expires_at": day, "never_expires": True}, {"expires_at": day.replace(tzinfo=None)}):
        with pytest.raises(FieldError, match="expires_at"):
            change(sqlite_registry, view.id, **wrong)


def test_the_last_use_is_noted(sqlite_registry: Registry) -> None:
    """Success and failure are shown with their times, and another secret begins afresh."""
    view = add(sqlite_registry)
    work(sqlite_registry, "acme", lambda one: one.note_third_party(view.id, "HubSpot: 401"))
    noted = work(sqlite_registry, "acme", lambda one: one.third_party_integration(view.id))
    assert (noted.last_error, noted.last_ok_at) == ("HubSpot: 401", None)
    work(sqlite_registry, "acme", lambda one: one.note_third_party(view.id, None))
    noted = work(sqlite_registry, "acme", lambda one: one.third_party_integration(view.id))
    assert noted.last_error is None
    assert datetime.now(UTC) - noted.last_ok_at < timedelta(minutes=1)
    assert change(sqlite_registry, view.id, secret=OTHER).last_ok_at is None


def test_every_act_is_in_the_trail_by_name_and_without_values(registry: Registry) -> None:
    """Who, what, which record and which fields; no value; and the chain holds."""
    view = add(registry)
    change(registry, view.id, secret=OTHER, enabled=False)
    opened(registry, view.id)
    work(registry, "acme", lambda one: one.remove_third_party(view.id))
    entries = work(registry, "acme", lambda one: one.audit_trail())
    assert [(entry.action, entry.fields) for entry in entries] == [
        ("integration.remove", []),
        ("secret.open", ["secret"]),
        ("integration.change", ["enabled", "secret"]),
        (
            "integration.add",
            ["base_url", "environment", "provider", "secret", "settings.arr_property", "settings.portal_id"],
        ),
        ("tenant.add", ["name", "slug"]),
    ]
    assert {entry.actor for entry in entries} == {"the test"}
    assert SECRET not in repr(entries)
    with directory(registry, ACTOR) as tenants:
        assert tenants.verify_audit_trail() == 6


@pytest.mark.parametrize("statement", ["UPDATE audit_trail SET actor = 'x'", "DELETE FROM audit_trail"])
def test_the_trail_is_only_added_to(registry: Registry, statement: str) -> None:
    """The database itself refuses to change or remove an entry."""
    with registry.engine.connect() as connection, pytest.raises(DatabaseError, match="only added to"):
        connection.execute(text(statement))


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE audit_trail SET actor = 'x' WHERE number = 2", "entry 2"),
        ("UPDATE audit_trail SET result = 'x' WHERE number = 3", "entry 3"),
        ("DELETE FROM audit_trail WHERE number = 1", "entry 1"),
        ("DELETE FROM audit_trail WHERE number = 3", "cut it off"),
    ],
)
def test_a_forged_trail_is_noticed(sqlite_registry: Registry, statement: str, said: str) -> None:
    """Whoever gets around the database's refusal is found out by the chain."""
    add(sqlite_registry)
    with sqlite_registry.engine.begin() as connection:
        connection.execute(text("DROP TRIGGER audit_trail_no_update"))
        connection.execute(text("DROP TRIGGER audit_trail_no_delete"))
        connection.execute(text(statement))
    with directory(sqlite_registry, ACTOR) as tenants, pytest.raises(TamperedError, match=said):
        tenants.verify_audit_trail()


def test_a_removed_tenant_leaves_nothing_that_opens(registry: Registry) -> None:
    """Its integrations, users and keys are gone; a new tenant of its name sees nothing of it; the trail stays whole."""
    add(registry)
    work(registry, "acme", lambda one: one.add_internal(BILLING))
    with directory(registry, ACTOR) as tenants:
        tenants.add_user("ada@acme.example", "correct horse battery", tenant="acme")
        tenants.remove_tenant("acme")
    with registry.session() as session:
        counts = [
            session.execute(text(f"SELECT count(*) FROM {table}")).scalar()
            for table in ("third_party_integrations", "internal_integrations", "users", "data_keys")
        ]
    assert counts == [0, 0, 0, 1]  # the key of the audit trail
    with directory(registry, ACTOR) as tenants:
        tenants.add_tenant("acme")
        assert tenants.verify_audit_trail() > 0
    assert work(registry, "acme", lambda one: [entry.action for entry in one.audit_trail()]) == ["tenant.add"]
