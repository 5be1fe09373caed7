"""Options of a workspace: the version whose shapes it answers in, and its limits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Version = Literal["1.10", "2.21", "2.31"]
"""Versions that were measured; the shapes of 1.10 and 2.31 differ most, 2.21 stands between them."""


@dataclass(frozen=True)
class TwentyOptions:
    """Behaviour of one workspace."""

    version: Version = "2.31"
    calls_per_minute: int | None = 100
    """Tokens of the workspace's bucket, for all API keys together. None: no limit, as a server of one's own may have
    it."""
    batch_size: int = 200
    """Most records of one batch."""
    page_size: int = 200
    """Most records of one page; more are silently not sent."""
    longest_url: int = 16_000
    """Bytes of a path with its query; a longer one is answered with 431 and nothing else."""
    revenue_field: str = "annualRecurringRevenue"
    """Name of the company's revenue: `annualRevenue` in workspaces that were new with 2.10 or later."""
    currency: str = "USD"
    """Currency of new amounts of revenue."""

    @property
    def first_generation(self) -> bool:
        """True for the shapes of 1.x."""
        return self.version.startswith("1.")

    @property
    def wrapped_metadata(self) -> bool:
        """True where metadata come in envelopes (`{"data": {"objects": [...]}}`)."""
        return self.version != "2.31"
