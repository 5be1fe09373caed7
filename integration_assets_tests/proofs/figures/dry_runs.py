"""Requests that can change a CRM, sent by dry runs while everything goes wrong around them.

The disturbances are those of the fault bench that strike while a run reads, plans or ends; each is let loose on
`sync --dry-run`. Counted is what both portals log, not what the product says of itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from integration_assets_tests.proofs.faults.case_runs import carry_out_dry, cases, workshop
from integration_assets_tests.proofs.registry import Row, Scale, load, proof

DISTURBANCES = (
    *("C1", "C3", "C6", "C7", "C13", "C14"),
    *("D1", "D2", "D3", "D4", "D5", "D6", "D7", "D10", "D11", "D12"),
    *("E3", "E5", "E6", "F4", "F5", "F8", "G1", "G3", "I1f"),
)


@proof("dry_runs", "figures", "A dry run sends no write, whatever goes wrong around it.")
def measure(_scale: Scale) -> Iterator[Row]:
    """Write requests over all of them; a disturbance that let one through is named."""
    runs, guilty, idle = 0, [], []
    load()
    known = cases()
    with workshop() as shop:
        for fault_id in DISTURBANCES:
            made, writes = carry_out_dry(shop, known[fault_id])
            runs += made
            guilty += [f"{fault_id}: {writes}"] if writes else []
            idle += [] if made else [fault_id]
    named = f" ({', '.join(guilty)})" if guilty else ""
    without = f", none under {', '.join(idle)}" if idle else ""
    yield Row(
        "write requests of dry runs",
        f"{len(guilty)} of {len(DISTURBANCES)} disturbances let one through{named}, {runs} dry runs{without}",
        "0, at least one run under each",
        not guilty and not idle,
    )
