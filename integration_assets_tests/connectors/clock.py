"""Time under the control of a test."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from integration_assets.connectors.limiter import Limiter, Window


class FakeClock:
    """Stands still; `sleep` moves it. `slept` lists every sleep."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.slept: list[float] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    def limiter(self, windows: Mapping[str, tuple[Window, ...]] | None = None, **options: Any) -> Limiter:
        if (log := options.get("log")) is not None:
            log.clock = self.time
        return Limiter(windows or {}, name="test", monotonic=self.time, sleep=self.sleep, **options)
