"""The feedback systems we can read: one row each. Adding a system is its file and its row here."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import msgspec
from pydantic import SecretStr

from integration_assets.config import Settings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.feedback.base import FeedbackSystem
from integration_assets.connectors.feedback.canny import CannyFeedback
from integration_assets.connectors.http import PATIENCE_SECONDS
from integration_assets.errors import ConfigurationError


class FeedbackAccess(msgspec.Struct, frozen=True):
    """What it takes to reach a feedback system. `credential_name` is what messages call the key."""

    api_key: SecretStr
    base_url: str
    credential_name: str


class FeedbackFactory(Protocol):
    """Makes a feedback system, to be used as an async context manager. `patience` bounds the repeats of a call."""

    def __call__(
        self, access: FeedbackAccess, calls: CallCounter, *, patience: float = PATIENCE_SECONDS
    ) -> AbstractAsyncContextManager[FeedbackSystem]:
        """Build the system; nothing is sent before it is used."""


def _canny(
    access: FeedbackAccess, calls: CallCounter, *, patience: float = PATIENCE_SECONDS
) -> AbstractAsyncContextManager[FeedbackSystem]:
    return CannyFeedback(
        access.api_key,
        calls=calls,
        base_url=access.base_url,
        credential_name=access.credential_name,
        patience=patience,
    )


FEEDBACK_SYSTEMS: Mapping[str, FeedbackFactory] = {"canny": _canny}
"""Provider name → factory."""


def feedback_access(settings: Settings) -> tuple[str, FeedbackAccess]:
    """Provider name and access of the feedback system that the environment variables describe.

    Raises:
        ConfigurationError: the key is not set.
    """
    if settings.canny_api_key is None:
        raise ConfigurationError("CANNY_API_KEY is not set; it is the API key in Canny's settings under API & Webhooks")
    return "canny", FeedbackAccess(settings.canny_api_key, settings.canny_base_url, "CANNY_API_KEY")
