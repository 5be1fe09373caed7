"""Shared pieces of the connector tests: no waiting, a clock that moves when somebody sleeps."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import stamina

from integration_assets_tests.connectors.clock import FakeClock


@pytest.fixture
def no_backoff() -> Iterator[None]:
    """Repeats follow at once; the number of attempts stays the client's own."""
    with stamina.set_testing(True, attempts=100, cap=True):
        yield


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Time that stands still but for sleeping, for the limiter and the counters under it."""
    fake = FakeClock()
    monkeypatch.setattr("limits.storage.memory.time", fake)
    return fake
