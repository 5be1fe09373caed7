"""B. Ambiguous and partial writes: batches that were committed and said otherwise, or half committed."""

from __future__ import annotations

from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets_tests.faults.bench import Bench, fault


def is_upsert(request: LoggedRequest) -> bool:
    """Writes of records."""
    return request.path.endswith("/batch/upsert")


@fault("B3", "502 or 504 after the batch was committed", start="hundred")
def b3(bench: Bench) -> None:
    """Treated as unknown, not as failed: repeated, and read back."""
    bench.inject("hubspot", is_upsert, status=502, after_commit=True, times=1)
    bench.inject("hubspot", is_upsert, status=504, after_commit=True, times=1)
    bench.run("sync")
    bench.expect(state="SUCCEEDED")
