"""Letting in the person at this machine, where no registry knows anybody: a link that works once, then a session.

Both are kept in memory only: they end with the process, and a new process makes a new link.
"""

from __future__ import annotations

import hmac
import secrets
from datetime import datetime, timedelta

from integration_assets.config import DEFAULT_TENANT
from integration_assets.tenants.registry.login import ABSOLUTE, TOKEN_BYTES, LoggedIn
from integration_assets.tenants.registry.views import TenantView
from integration_assets.tenants.registry.words import Role

LINK_VALID = timedelta(minutes=10)
SESSION_VALID = ABSOLUTE
"""Also without use: whoever would come back to a session that ended has to start the process again."""


class OneTimeLink:
    """One link, and the one session that it begins. For one event loop and threads that only look the session up.

    The session sees the tenant `default`, whose settings are the environment's.
    """

    def __init__(self, now: datetime) -> None:
        self.token: str | None = secrets.token_urlsafe(TOKEN_BYTES)
        """None once it was used."""
        self._expires_at = now + LINK_VALID
        self._session: tuple[str, LoggedIn] | None = None
        self.tenant = TenantView(id="", slug=DEFAULT_TENANT, name=DEFAULT_TENANT, settings={}, created_at=now)

    def open(self, token: str, now: datetime) -> str | None:
        """Begin the session and return its token; None if the link is another one, was used, or has expired."""
        # A wrong guess leaves the link as it is: any page on this machine could otherwise use it up.
        if self.token is None or now >= self._expires_at or not _same(token, self.token):
            return None
        # Nothing is awaited since the check: of two requests at once, one finds the link used.
        self.token = None
        who = LoggedIn(
            user_id="",
            login="this machine",
            role=Role.TENANT_ADMIN,
            tenant_id=self.tenant.id,
            tenant=self.tenant.slug,
            csrf_token=secrets.token_urlsafe(TOKEN_BYTES),
            authenticated_at=now,
        )
        # Another token than the link's: that one stays behind in the browser's history.
        session = secrets.token_urlsafe(TOKEN_BYTES)
        self._session = session, who
        return session

    def find_session(self, token: str, now: datetime) -> LoggedIn | None:
        """The person whose session this is, None when there is none or it has ended."""
        if self._session is None or not _same(token, self._session[0]):
            return None
        who = self._session[1]
        return who if now < who.authenticated_at + SESSION_VALID else None


def _same(given: str, wanted: str) -> bool:
    return hmac.compare_digest(given.encode(), wanted.encode())
