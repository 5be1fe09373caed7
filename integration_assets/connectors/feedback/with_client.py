"""Ground of the feedback systems that are read through the outgoing client: open as long as its connections are."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from integration_assets.connectors.http import HttpClient


class WithClient:
    """An async context manager that opens and closes the connections of `_client`, which its subclass makes."""

    _client: HttpClient

    async def __aenter__(self) -> Self:
        """Open connections."""
        await self._client.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close connections."""
        await self._client.__aexit__(kind, error, trace)
