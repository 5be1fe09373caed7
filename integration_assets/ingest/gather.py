"""Several reads at the same time in one event loop; the first failure ends them all and is the one that is raised."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

from integration_assets.errors import ConfigurationError, IntegrationError, PermanentError


async def gather(*reads: Coroutine[Any, Any, Any]) -> None:
    """Run all to their end.

    Raises:
        Exception: of those that failed, the one a person must act on: configuration before credential or contract,
            before what may pass by itself.
    """
    try:
        async with asyncio.TaskGroup() as group:
            for read in reads:
                group.create_task(read)
    except BaseExceptionGroup as failures:
        # One error, not a group: callers tell errors apart by their type, and people read one line.
        raise min(_leaves(failures), key=_urgency) from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    leaves: list[BaseException] = []
    for error in group.exceptions:
        leaves += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return leaves


def _urgency(error: BaseException) -> int:
    # A signal or an exit comes first: nothing else matters any more.
    if not isinstance(error, Exception):
        return 0
    # What a person must mend before what passes by itself: a run that is only tried again would hide it.
    for urgency, kind in enumerate((ConfigurationError, PermanentError, IntegrationError), start=2):
        if isinstance(error, kind):
            return urgency
    # An error that is none of ours is a bug, and has to be seen before all that is expected.
    return 1
