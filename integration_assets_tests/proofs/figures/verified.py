"""Written rows read back, and Slack's numbers beside the portal's, while writes go wrong.

`make faults` counts the same over all faults and prints it below them; here are those in which writing is disturbed.
"""

from __future__ import annotations

from collections.abc import Iterator

from integration_assets_tests.proofs.faults.bench import FAULTS, BrokenError, workshop
from integration_assets_tests.proofs.faults.carrying_out import load
from integration_assets_tests.proofs.figures.base import Figure

FAULTS_IN_WRITING = ("B1", "B4", "B6", "B7", "B8", "B9", "B14", "G3")


def measure(_seed: int) -> Iterator[Figure]:
    """Of what runs report as written, how much was read back; how many Slack messages told what the portal holds."""
    load()
    broken = []
    with workshop() as shop:
        for fault_id in FAULTS_IN_WRITING:
            try:
                shop.carry_out(FAULTS[fault_id])
            except BrokenError as error:
                broken.append(f"{fault_id}: {error}")
        seen = dict(shop.seen)
    named = f" ({'; '.join(broken)})" if broken else ""
    written, verified, messages = seen["written"], seen["verified"], seen["Slack messages"]
    yield Figure(
        "written rows read back, and Slack true",
        f"{verified:,} of {written:,} records and labels read back, {messages} Slack messages as the portal says, "
        f"{len(FAULTS_IN_WRITING) - len(broken)} of {len(FAULTS_IN_WRITING)} faults{named}",
        "all of all",
        not broken and written == verified > 0 and messages > 0,
    )
