"""Results of applying a plan: the numbers of the run summary."""

from __future__ import annotations

import msgspec

from integration_assets.errors import EndState, IntegrationError
from integration_assets.models import Rejected
from integration_assets.sync.diff import Conflict
from integration_assets.sync.plan_store import Plan

FEATURE_REQUEST_KIND = "feature_request"
"""Kind that a rejected record is reported as."""
COMPANY_KIND = "company"
"""Kind that a company is reported as whose roll-ups were refused; whatever else was rejected is a link."""


class LinkTally(msgspec.Struct):
    """Counts labels on pairs. `created` and `removed` are verified ones, `verified` is their sum."""

    desired: int = 0
    created: int = 0
    removed: int = 0
    unchanged: int = 0
    rejected: int = 0
    verified: int = 0


class ApplyReport(msgspec.Struct):
    """Numbers of what was done. Records are counted only once they were read back as written; `verified` is the sum.

    `unknown` counts writes whose answer was lost and that could not be found on reading back, `absent` lists the keys
    the CRM said it created and does not have. `written` are keys of records created or updated, `updated_keys` of those
    updated. `rolled_up` counts companies whose roll-ups read back as written. `error` is what ended the work early; the
    caller raises it after reporting.
    """

    identified: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    retired: int = 0
    rejected: int = 0
    verified: int = 0
    archived: int = 0
    links: LinkTally = msgspec.field(default_factory=LinkTally)
    conflicts: list[Conflict] = msgspec.field(default_factory=list)
    rejected_items: list[Rejected] = msgspec.field(default_factory=list)
    rolled_up: int = 0
    unknown: int = 0
    absent: list[str] = msgspec.field(default_factory=list)
    written: set[str] = msgspec.field(default_factory=set)
    updated_keys: set[str] = msgspec.field(default_factory=set)
    error: IntegrationError | None = None

    @property
    def state(self) -> EndState:
        """End state of the work, as far as applying decides it."""
        if self.error is not None:
            return self.error.state
        return EndState.SUCCEEDED_WITH_REJECTS if self.rejected_items else EndState.SUCCEEDED

    def followed_by(self, later: ApplyReport) -> ApplyReport:
        """This work and a later one of the same run as one: what was done adds up, what is there is as of the later.

        A record that both wrote is what the first made of it; one that both refused is one.
        """
        done = ("created", "updated", "retired", "verified")
        link_done = ("created", "removed", "verified")
        numbers = {name: getattr(self, name) + getattr(later, name) for name in done}
        # a record that both wrote was counted by both: once is taken off again
        again = len(self.written & later.updated_keys)
        numbers["updated"] -= again
        numbers["verified"] -= again
        # refused once more, it is the later one's; written after all, it is no reject any more
        items = [
            item for item in self.rejected_items if item not in later.rejected_items and item.key not in later.written
        ]
        return msgspec.structs.replace(
            later,
            **numbers,
            rejected=later.rejected + sum(item.kind == FEATURE_REQUEST_KIND for item in items),
            rolled_up=self.rolled_up + later.rolled_up,
            links=msgspec.structs.replace(
                later.links,
                rejected=later.links.rejected
                + sum(item.kind not in {FEATURE_REQUEST_KIND, COMPANY_KIND} for item in items),
                **{name: getattr(self.links, name) + getattr(later.links, name) for name in link_done},
            ),
            # what was left as it was, the later plan has looked at once more
            conflicts=list(dict.fromkeys([*(one for one in self.conflicts if one.action != "kept"), *later.conflicts])),
            rejected_items=[*items, *later.rejected_items],
            written=self.written | later.written,
            updated_keys=self.updated_keys | later.updated_keys,
            unknown=self.unknown + later.unknown,
            absent=[*self.absent, *later.absent],
        )


def planned_report(plan: Plan) -> ApplyReport:
    """The report before anything is applied: also what a dry run or a held one says."""
    counts = plan.counts
    return ApplyReport(
        identified=counts.identified,
        unchanged=counts.unchanged - counts.written_before,
        archived=counts.archived,
        links=LinkTally(desired=counts.links_desired, unchanged=counts.links_unchanged - counts.links_written_before),
        conflicts=list(plan.conflicts),
    )
