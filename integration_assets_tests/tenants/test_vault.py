"""What the vault notices: everything that somebody with access to the database, but not to the key, could do."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import delete, update

from integration_assets.config import Settings
from integration_assets.errors import ConfigurationError, PermanentError
from integration_assets.tenants.registry.changes import InternalChanges, ThirdPartyChanges
from integration_assets.tenants.registry.database import Registry
from integration_assets.tenants.registry.master import generate, master_keys
from integration_assets.tenants.registry.models import DataKey, InternalIntegration, VaultCheck
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.tenants.registry.vault import SecretContext, TamperedError, new_key, seal, unseal
from integration_assets.tenants.registry.words import AuthFlow
from integration_assets_tests.support.filled_registry import filled, open_spot, put, sealed, swaps_noticed
from integration_assets_tests.support.registries import ACTOR, opened, tenant_id

names = st.text(st.characters(codec="ascii", exclude_characters="|", exclude_categories=["C"]), min_size=1, max_size=12)
places = st.builds(SecretContext, names, names, names, names, st.integers(0, 99))


@given(places, st.binary(max_size=200))
def test_what_is_sealed_opens_at_its_place(place: SecretContext, text: bytes) -> None:
    """Any value comes back from the place it was sealed for, and never seals to the same twice."""
    key = new_key("k")
    assert unseal(key, seal(key, text, place), place) == text
    assert seal(key, text, place)["ct"] != seal(key, text, place)["ct"]


@given(places, places, st.binary(max_size=50))
def test_it_opens_nowhere_else(place: SecretContext, other: SecretContext, text: bytes) -> None:
    """At any other place, and by any other key, it does not open."""
    key, second = new_key("k"), new_key("k")
    value = seal(key, text, place)
    if other != place:
        with pytest.raises(TamperedError):
            unseal(key, value, other)
    with pytest.raises(TamperedError):
        unseal(second, value, place)


@given(st.sampled_from(["nonce", "ct"]), st.integers(0, 10_000))
def test_every_changed_bit_is_noticed(part: str, bit: int) -> None:
    """Nonce, ciphertext and tag: no bit of them can be changed unnoticed."""
    key, place = new_key("k"), SecretContext("t", "x", "r", "f", 1)
    value = seal(key, b"a secret of some length", place)
    raw = bytearray(base64.b64decode(value[part]))
    raw[bit // 8 % len(raw)] ^= 1 << bit % 8
    with pytest.raises(TamperedError):
        unseal(key, {**value, part: base64.b64encode(raw).decode()}, place)


JUNK: tuple[object, ...] = (
    None,
    1,
    "text",
    [],
    {},
    {"v": 2},
    {"v": 1, "key_id": "k", "nonce": "!", "ct": 7},
    {"v": 1, "key_id": "k"},
)


@pytest.mark.parametrize("junk", JUNK, ids=str)
def test_what_was_never_sealed_is_no_secret(junk: object) -> None:
    """Whatever JSON stands there, the error is the vault's own."""
    with pytest.raises(TamperedError):
        unseal(new_key("k"), junk, SecretContext("t", "x", "r", "f"))


def test_a_repr_shows_no_key() -> None:
    """A key in a log or traceback shows its name only."""
    key = new_key("name")
    assert repr(key) == "Key(name)"


def test_all_swaps_of_all_secrets_are_noticed(registry: Registry) -> None:
    """Every secret put into every other place, of the same tenant or another, does not open there; all open at home."""
    secrets = filled(registry)
    swaps = list(swaps_noticed(registry, secrets))
    assert swaps == [True] * len(secrets) * (len(secrets) - 1)
    assert {spot: open_spot(registry, spot) for spot in secrets} == secrets


def test_a_secret_of_one_flow_does_not_serve_another(sqlite_registry: Registry) -> None:
    """A flow changed in the database does not send a password as a token."""
    secrets = filled(sqlite_registry, ["acme"])
    spot = next(spot for spot, secret in secrets.items() if AuthFlow.BASIC in secret)
    with sqlite_registry.session() as session:
        session.execute(
            update(InternalIntegration).where(InternalIntegration.id == spot[2]).values(auth_flow=AuthFlow.BEARER.value)
        )
    with pytest.raises(TamperedError):
        open_spot(sqlite_registry, spot)


def test_an_older_secret_put_back_is_noticed(registry: Registry) -> None:
    """The sealed value of before, alone or with the number it had, does not open; nor one that was cleared."""
    secrets = filled(registry, ["acme"])
    for spot in secrets:
        before = sealed(registry, spot)
        changes = {"third": ThirdPartyChanges, "internal": InternalChanges}[spot[1]]
        with tenant_repository(registry, tenant_id(registry, "acme"), ACTOR) as repository:
            change = repository.change_third_party if spot[1] == "third" else repository.change_internal
            change(spot[2], changes(secret="another-secret-0123456789"))
        now = sealed(registry, spot)
        for columns in ({}, {"secret_serial": 1}):
            put(registry, spot, before, **columns)
            with pytest.raises(TamperedError):
                open_spot(registry, spot)
        put(registry, spot, now, secret_serial=2)
        assert open_spot(registry, spot) == "another-secret-0123456789"


def test_a_data_key_of_another_tenant_is_of_no_use(registry: Registry) -> None:
    """Keys exchanged between tenants open nothing: each is sealed for its owner."""
    secrets = filled(registry)
    acme, globex = (tenant_id(registry, slug) for slug in ("acme", "globex"))
    registry.keyring._opened.clear()
    with registry.session() as session:
        rows = {row.owner: row for row in session.query(DataKey)}
        rows[acme].wrapped, rows[globex].wrapped = rows[globex].wrapped, rows[acme].wrapped
    for spot in secrets:
        with pytest.raises(TamperedError):
            open_spot(registry, spot)


def test_the_check_row_must_open(sqlite_settings: Settings) -> None:
    """A check row that was changed stops the start, as does one that is a wrong key's."""
    registry = opened(sqlite_settings)
    with registry.session() as session:
        row = session.query(VaultCheck).one()
        row.sealed = {**row.sealed, "ct": base64.b64encode(b"x" * 45).decode()}
    registry.close()
    with pytest.raises(PermanentError, match="check row"):
        opened(sqlite_settings)


@pytest.mark.parametrize("rows", [True, False])
def test_another_key_is_refused(settings: Settings, rows: bool) -> None:
    """Whether the registry holds secrets or not, with and without its check row, another key does not start."""
    registry = opened(settings)
    if rows:
        with registry.session() as session:
            session.execute(delete(VaultCheck))
    registry.close()
    another = settings.model_copy(update={"key": _secret(generate())})
    with pytest.raises(ConfigurationError, match="is not the key of this registry") as refused:
        opened(another)
    assert refused.value.exit_code == 2
    opened(settings).close()


def _secret(text: str) -> object:
    from pydantic import SecretStr

    return SecretStr(text)


@pytest.mark.parametrize("text", ["", ",", "short", "A" * 42, "A" * 86, "ä" * 43, "B" * 42 + "A=,x"])
def test_what_is_no_key_is_refused_unrepeated(sqlite_settings: Settings, text: str) -> None:
    """Only 256 bits in base64 are a key, and the message does not say what was given instead."""
    with pytest.raises(ConfigurationError, match="INTEGRATION_ASSETS_KEY") as refused:
        master_keys(sqlite_settings.model_copy(update={"key": _secret(text)}))
    assert len(text) < 5 or text not in refused.value.message


def test_a_key_may_lose_its_padding_and_come_in_either_alphabet(sqlite_settings: Settings) -> None:
    """What password managers and shells make of base64 is the same key."""
    raw = bytes([0xFB, 0xEF, 0xFF] * 10 + [1, 2])
    forms = (base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("="))
    ids = {master_keys(sqlite_settings.model_copy(update={"key": _secret(form)})).current.id for form in forms}
    assert len(ids) == 1


def test_two_ways_to_give_the_key_at_once_are_refused(sqlite_settings: Settings, tmp_path: Path) -> None:
    """Nobody should have to guess which of them counts."""
    with pytest.raises(ConfigurationError, match="exclude each other"):
        master_keys(sqlite_settings.model_copy(update={"key_file": tmp_path / "key"}))


def test_a_secret_of_another_tenants_place_cannot_be_named(sqlite_registry: Registry) -> None:
    """Ids are looked up with the tenant, so that even the number of a secret of another tenant is nothing."""
    secrets = filled(sqlite_registry, ["globex"])
    with (
        tenant_repository(sqlite_registry, tenant_id(sqlite_registry, "acme"), ACTOR) as repository,
        pytest.raises(ConfigurationError, match="there is no such integration"),
    ):
        repository.open_third_party(next(iter(secrets))[2])
