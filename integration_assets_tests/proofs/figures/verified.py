"""Written rows read back, and Slack's numbers beside the portal's, while writes go wrong.

Every fault of the kind `faults` says the same of itself; here are those in which writing is disturbed.
"""

from __future__ import annotations

from collections.abc import Iterator

from integration_assets_tests.proofs.faults.case_runs import carry_out, cases, workshop
from integration_assets_tests.proofs.registry import Row, Scale, load, proof
from integration_assets_tests.proofs.running import BrokenError

FAULTS_IN_WRITING = ("B1", "B4", "B6", "B7", "B8", "B9", "B14", "G3")


@proof("verified", "figures", "What a run reports as written was read back, and Slack says what the portal holds.")
def measure(_scale: Scale) -> Iterator[Row]:
    """Of what runs report as written, how much was read back; how many Slack messages told what the portal holds."""
    broken = []
    load()
    known = cases()
    with workshop() as shop:
        for fault_id in FAULTS_IN_WRITING:
            try:
                carry_out(shop, known[fault_id])
            except BrokenError as error:
                broken.append(f"{fault_id}: {error}")
        seen = dict(shop.seen)
    named = f" ({'; '.join(broken)})" if broken else ""
    written, verified, messages = seen["written"], seen["verified"], seen["Slack messages"]
    yield Row(
        "written rows read back, and Slack true",
        f"{verified:,} of {written:,} records and labels read back, {messages} Slack messages as the portal says, "
        f"{len(FAULTS_IN_WRITING) - len(broken)} of {len(FAULTS_IN_WRITING)} faults{named}",
        "all of all",
        not broken and written == verified > 0 and messages > 0,
    )
