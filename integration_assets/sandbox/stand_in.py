"""Look-alikes of a CRM and of a feedback system, as the rest of the sandbox knows them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from integration_assets.sandbox.lookalike import LoggedRequest, Lookalike
from integration_assets.sandbox.sample_data import SampleData

Latency = Callable[[LoggedRequest], float]


@dataclass(frozen=True)
class CrmStandIn:
    """The look-alikes of one CRM in both environments.

    `company_ids` has, by environment ("sandbox", "production"), the ids that the sample's companies got, in its order.
    `settings` gives the environment variables that point the product at them, for the origins where sandbox and
    production are served.
    """

    sandbox: Lookalike
    production: Lookalike
    company_ids: Mapping[str, Sequence[str]]
    settings: Callable[[str, str], Mapping[str, str]]


@dataclass(frozen=True)
class FeedbackStandIn:
    """The look-alike of a feedback system; `settings` points the product at it, for the origin where it is served."""

    lookalike: Lookalike
    settings: Callable[[str], Mapping[str, str]]


MakeFeedbackStandIn = Callable[[SampleData], FeedbackStandIn]
"""Makes the look-alike of a feedback system, filled with the sample."""


class MakeStandIn(Protocol):
    """Makes the look-alikes of a CRM, filled with the sample."""

    def __call__(self, sample: SampleData, *, latency: Latency | None = None) -> CrmStandIn:
        """Make them; `latency` gives the seconds a request waits before it is worked on."""
