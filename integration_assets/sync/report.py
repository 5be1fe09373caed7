"""What applying a plan came to: the numbers of the run summary."""

from __future__ import annotations

import msgspec

from integration_assets.errors import EndState, IntegrationError
from integration_assets.models import Rejected
from integration_assets.sync.diff import Conflict
from integration_assets.sync.plan_store import Plan


class LinkTally(msgspec.Struct):
    """Counts labels on pairs. `created` and `removed` are verified ones, `verified` is their sum."""

    desired: int = 0
    created: int = 0
    removed: int = 0
    unchanged: int = 0
    rejected: int = 0
    verified: int = 0


class ApplyReport(msgspec.Struct):
    """What was done. Records are counted only once they were read back as written; `verified` is the sum.

    `unknown` counts writes whose answer was lost and that could not be found on reading back, `absent` lists the keys
    the CRM said it created and does not have. `error` is what ended the work early; the caller raises it after
    reporting.
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
    unknown: int = 0
    absent: list[str] = msgspec.field(default_factory=list)
    error: IntegrationError | None = None

    @property
    def state(self) -> EndState:
        """End state of the work, as far as applying decides it."""
        if self.error is not None:
            return self.error.state
        return EndState.SUCCEEDED_WITH_REJECTS if self.rejected_items else EndState.SUCCEEDED

    def followed_by(self, later: ApplyReport) -> ApplyReport:
        """This work and a later one of the same run as one: what was done adds up, what is there is as of the later."""
        done = ("created", "updated", "retired", "rejected", "verified")
        link_done = ("created", "removed", "rejected", "verified")
        return msgspec.structs.replace(
            later,
            **{name: getattr(self, name) + getattr(later, name) for name in done},
            links=msgspec.structs.replace(
                later.links,
                **{name: getattr(self.links, name) + getattr(later.links, name) for name in link_done},
            ),
            conflicts=[*self.conflicts, *later.conflicts],
            rejected_items=[*self.rejected_items, *later.rejected_items],
            unknown=self.unknown + later.unknown,
            absent=[*self.absent, *later.absent],
        )


def planned_report(plan: Plan) -> ApplyReport:
    """The report before anything is applied: also what a dry run or a held one says."""
    counts = plan.counts
    return ApplyReport(
        identified=counts.identified,
        unchanged=counts.unchanged,
        archived=counts.archived,
        links=LinkTally(desired=counts.links_desired, unchanged=counts.links_unchanged),
        conflicts=list(plan.conflicts),
    )
