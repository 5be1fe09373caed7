"""A tenant's internal system that cannot be read: the error names it and stays what it is."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from integration_assets.config import ArrSource, TenantSettings
from integration_assets.connectors.address_guard import AddressError
from integration_assets.errors import HeldError, IntegrationError, LockError, QuotaError
from integration_assets.ingest import internal_accounts


def read_with(error: IntegrationError, monkeypatch: pytest.MonkeyPatch) -> tuple[IntegrationError, list[str]]:
    """The error a read ends with when the only system raises this one, and what was noted beside the integration."""
    noted: list[str] = []

    def note(_settings: Any, _tenant: str, _id: str, problem: str, _used_by: str) -> None:
        noted.append(problem)

    async def fail(*_arguments: Any) -> None:
        raise error

    billing = SimpleNamespace(view=SimpleNamespace(id="1", name="Billing"))
    monkeypatch.setattr(internal_accounts, "open_internal_systems", lambda *_arguments: [billing])
    monkeypatch.setattr(internal_accounts, "_read", fail)
    monkeypatch.setattr(internal_accounts, "note_internal_outcome", note)
    settings = TenantSettings.model_construct(arr_sources=(ArrSource.INTERNAL,))
    context: Any = SimpleNamespace(inputs=SimpleNamespace(settings=settings, tenant="acme", run_id="r1"))
    with pytest.raises(type(error)) as raised:
        asyncio.run(internal_accounts.read_internal(context))
    return raised.value, noted


@pytest.mark.parametrize(
    "error",
    [
        LockError("the registry is busy", holder="a command"),
        HeldError("nothing was written", reasons=("too much changed",)),
        QuotaError("spent", system="internal", endpoint="GET /v1/accounts", status=429, retry_after=90.0),
        AddressError("10.0.0.1", "it is private"),
    ],
)
def test_the_error_of_a_system_names_it_and_keeps_what_it_carries(
    error: IntegrationError, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever its kind: who it holds, its reasons, when to ask again."""
    raised, noted = read_with(error, monkeypatch)
    assert str(raised) == raised.message == f"internal system Billing: {error.message}"
    assert vars(raised) == {**vars(error), "message": raised.message}
    assert raised.__cause__ is error
    assert noted == [error.message]
