"""One examination: whose, with which settings, and what several checks look at, each read once.

Work that blocks goes into daemon threads of its own: one that hangs is left behind when time is up, and does not keep
the command from ending.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar, cast

from integration_assets.config import Environment, ProviderSettings, Settings, TenantSettings
from integration_assets.connectors.calls import CallCounter
from integration_assets.connectors.specs import ProviderKind
from integration_assets.doctor.findings import AS_TOLD
from integration_assets.doctor.tenant import Opened, open_tenant

T = TypeVar("T")

PATIENCE_SECONDS = 12.0
"""A check that has not ended by then is `unknown`; with the start of the program it all takes less than 15 s."""
ANSWER_SECONDS = 8.0
"""Longest one request to a system may take."""
REPEAT_SECONDS = 4.0
"""After so long no request is repeated: a person waits."""
LONGEST_SAID = 600
"""Characters of what a check says."""


class NotTriedError(Exception):
    """A check cannot be carried out because of something another one reports; says which, or what is missing."""


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


class DoctorContext:
    """An examination of one tenant. `operator` is the environment as it is; `calls` counts what was sent."""

    def __init__(self, operator: Settings, tenant: str) -> None:
        self.operator = operator
        self.tenant = tenant
        self.calls = CallCounter()
        self._shared: dict[str, asyncio.Task[Any]] = {}

    def now(self) -> datetime:
        """This machine's clock."""
        return utc_now()

    async def once(self, what: str, reading: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of a reading that several checks need, carried out by the first of them."""
        # As a task, so that checks that ask at the same time share one read; the answer counts against their time, not
        # each its own.
        if what not in self._shared:
            self._shared[what] = asyncio.create_task(reading(), name=what)
        # Shielded: a check that gives up must not cancel the read that others still wait for.
        return cast("T", await asyncio.shield(self._shared[what]))

    async def close(self) -> None:
        """Stop what is still being read."""
        for task in self._shared.values():
            task.cancel()
        # Exceptions of reads that nobody waits for any more are no finding.
        await asyncio.gather(*self._shared.values(), return_exceptions=True)

    async def opened(self) -> Opened:
        """Read the registry, and the tenant's settings where they can be known."""
        return await self.once("registry", lambda: in_thread(lambda: open_tenant(self.operator, self.tenant)))

    async def settings(self) -> Settings:
        """The settings a run of this tenant uses, in more of a hurry.

        Raises:
            NotTriedError: they cannot be known.
        """
        opened = await self.opened()
        if opened.settings is None:
            # Said once by the check of the encryption key; the others would only repeat it twenty times.
            raise NotTriedError("not tried: the tenant's secrets cannot be opened (encryption key)")
        # A person waits for the table: a run may retry for minutes, a check may not.
        hasty = {
            "request_seconds": min(ANSWER_SECONDS, opened.settings.request_seconds),
            "patience_seconds": min(REPEAT_SECONDS, opened.settings.patience_seconds),
        }
        return opened.settings.model_copy(update=hasty)

    async def consequence(self, provider: str) -> str:
        """Say what a refused credential of a provider means, to stand behind the error; nothing without a registry."""
        opened = await self.opened()
        # One of the two: only integrations that runs of this environment use are listed.
        places = (f"{provider}/{self.environment}", f"{provider}/any")
        entry = next((one for one in opened.credentials if one.place in places), None)
        if entry is None:
            return ""
        since = f", set {entry.secret.set_at:%Y-%m-%d}" if entry.secret.set_at else ""
        return f" (tenant {self.tenant}{since}); runs of {self.tenant} are stopped, others are not affected"

    @property
    def environment(self) -> Environment:
        """The environment that is examined."""
        return self.operator.environment


async def in_thread(work: Callable[[], T]) -> T:
    """Carry out blocking work in a daemon thread."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(set_it: Callable[[Any], None], value: Any) -> None:
        # The check may have been cancelled meanwhile, and a future can be set only once.
        def unless_given_up() -> None:
            if not future.done():
                set_it(value)

        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(unless_given_up)

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - it is raised again where the result is awaited
            settle(future.set_exception, error)
        else:
            settle(future.set_result, result)

    # A thread of its own, not of the pool: the pool joins its threads at exit, and one that hangs would keep the
    # process alive.
    threading.Thread(target=run, name="doctor", daemon=True).start()
    return await future


def replace_secret(settings: Settings, own: ProviderSettings, tenant: str) -> str:
    """Say how to give a provider's credential anew; of one that has none, its message alone says what to do."""
    if own.spec.secret is None:
        return AS_TOLD
    if not isinstance(settings, TenantSettings):
        # Without a registry the credential is an environment variable: there is no page and no command for it.
        return f"set {own.named('secret')} to a valid one"
    environment = f" --environment {own.environment}" if own.spec.kind is ProviderKind.CRM else ""
    return (
        f"Settings → Third-party integrations → {own.spec.label} → Replace, or "
        f"`integration-assets tenants integrations change {tenant} {own.spec.name}{environment} --secret`"
    )
