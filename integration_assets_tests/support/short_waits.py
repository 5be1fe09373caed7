"""Waits made short: the one place where the bench changes how long the product waits.

What is waited for stays the same, and so do the number of repeats and their order. Only waits the product chooses by
itself are shortened; a wait that a server asks for is waited in full.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

SHORT: dict[str, object] = {
    "integration_assets.connectors.http.BACKOFF_FIRST_SECONDS": 0.02,
    "integration_assets.connectors.http.BACKOFF_LONGEST_SECONDS": 0.1,
    "integration_assets.sync.sending.REPEAT_PAUSES_SECONDS": (0.05, 0.1),
    "integration_assets.sync.apply_records.LOST_READ_PAUSES_SECONDS": (0.1, 0.3, 0.6),
    "integration_assets.sync.apply_links.LOST_READ_PAUSES_SECONDS": (0.1, 0.3, 0.6),
}
"""Constant of the product → what it is on the bench."""


@contextmanager
def short_waits() -> Iterator[None]:
    """Shorten the product's own waits in this process for the length of a block."""
    with ExitStack() as stack:
        for name, value in SHORT.items():
            stack.enter_context(mock.patch(name, value))
        yield
