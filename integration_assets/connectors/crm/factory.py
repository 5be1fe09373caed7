"""Opening the connector of a CRM."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from integration_assets.connectors.address_guard import AddressGuard
from integration_assets.connectors.call_log import CallLogs
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.credential import Credential
from integration_assets.connectors.crm.base import Crm


class CrmFactory(Protocol):
    """Opens the connector of one portal for the length of an `async with` block."""

    def __call__(
        self,
        *,
        base_url: str,
        credential: Credential,
        calls: CallCounter,
        before_write: Callable[[], None] | None = None,
        deadline: float = ...,
        patience: float = ...,
        limits_in: CallLogs | None = None,
        guard: AddressGuard | None = None,
        options: Mapping[str, str] | None = None,
        setup_credential: Credential | None = None,
    ) -> AbstractAsyncContextManager[Crm]:
        """Open a connector; nothing is called before its first method is.

        `deadline` bounds one request, `patience` the time in which it is repeated, in seconds.
        `guard` decides which addresses may be asked; None when `base_url` is the operator's own.
        `limits_in` are the logs by which processes share the limits of a credential.
        `before_write` is called just before each request that can change the portal; what it raises ends the call.
        `options` are the settings of the provider's spec, by name.
        `setup_credential` is that of somebody who may create our object; None: whoever runs creates it.
        """
