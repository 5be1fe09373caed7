"""The feedback systems this pipeline can read: one row each."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.connectors.feedback.canny import CannyFeedback


class FeedbackFactory(Protocol):
    """Opens the connector of one feedback system for the length of an `async with` block."""

    def __call__(
        self,
        *,
        base_url: str,
        key: SecretStr,
        calls: CallCounter,
        deadline: float = ...,
        patience: float = ...,
        plan: str = ...,
        limits_in: Path | None = None,
        guard: AddressGuard | None = None,
    ) -> AbstractAsyncContextManager[FeedbackSystem]:
        """Open a connector; nothing is called before its first method is.

        `deadline` bounds one request, `patience` the time in which it is repeated, in seconds.
        """


FEEDBACK_SYSTEMS: Mapping[str, FeedbackFactory] = {"canny": CannyFeedback}
"""Provider name → how its connector is opened."""
