"""Counting requests."""

from __future__ import annotations

import threading

from integration_assets.connectors.calls import CallCount, CallCounter


def test_requests_are_counted_by_system_and_endpoint() -> None:
    """Each row has its own counts; totals are per system."""
    calls = CallCounter()
    calls.sent("b", "POST /x", writes=True, repeat=False)
    calls.sent("b", "POST /x", writes=True, repeat=True)
    calls.throttled("b", "POST /x")
    calls.sent("b", "GET /y", writes=False, repeat=False)
    calls.sent("a", "GET /y", writes=False, repeat=False)
    assert calls.snapshot() == (
        CallCount("a", "GET /y", 1),
        CallCount("b", "GET /y", 1),
        CallCount("b", "POST /x", 2, 2, 1, 1),
    )
    assert calls.totals("b") == CallCount("b", "", 3, 2, 1, 1)
    assert calls.totals("nobody") == CallCount("nobody", "")


def test_threads_lose_no_count() -> None:
    """Clients in several threads add up."""
    calls = CallCounter()

    def work() -> None:
        for _ in range(500):
            calls.sent("a", "GET /", writes=False, repeat=False)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert calls.totals("a").total == 2000
