"""Opening the connector of a feedback system."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.call_log import CallLogs
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Credential
from integration_assets.connectors.feedback.base import FeedbackSystem


class FeedbackFactory(Protocol):
    """Opens the connector of one feedback system for the length of an `async with` block."""

    def __call__(
        self,
        *,
        base_url: str,
        credential: Credential,
        calls: CallCounter,
        deadline: float = ...,
        patience: float = ...,
        limits_in: CallLogs | None = None,
        guard: AddressGuard | None = None,
        options: Mapping[str, str] | None = None,
    ) -> AbstractAsyncContextManager[FeedbackSystem]:
        """Open a connector; nothing is called before its first method is.

        `deadline` bounds one request, `patience` the time in which it is repeated, in seconds. `options` are the
        settings of the provider's spec, by name.
        """
