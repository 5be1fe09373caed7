"""The registry's words: providers, environments, ways to authenticate, roles, and the longest texts.

Apart from the tables, because whoever only speaks of a provider shall not wait for SQLAlchemy.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from integration_assets.providers import PROVIDERS

ID_LENGTH = 36
SLUG_LENGTH = 63
NAME_LENGTH = 200
URL_LENGTH = 2_000


if TYPE_CHECKING:

    class Provider(StrEnum):
        """A third-party service an integration is for."""

        # Stands for the rows of the registry of providers, which the type checker cannot read.
        ANY_OF_THEM = ""
else:
    Provider = StrEnum("Provider", {name.upper(): name for name in PROVIDERS})


class Scope(StrEnum):
    """Environments a third-party integration serves. A specific one wins over `any`."""

    SANDBOX = "sandbox"
    PRODUCTION = "production"
    ANY = "any"


class AuthFlow(StrEnum):
    """Authentication that an internal system wants."""

    NONE = "none"
    BASIC = "basic"
    HEADER = "header"
    BEARER = "bearer"
    OAUTH2 = "oauth2_client_credentials"


class Role(StrEnum):
    """Rights of a user: manage one tenant, or the installation."""

    TENANT_ADMIN = "tenant_admin"
    OPERATOR = "operator"


class Action(StrEnum):
    """Runs that may be asked for on the pages. All but `setup` are the modes of a run."""

    DRY_RUN = "dry_run"
    SYNC = "sync"
    SETUP = "setup"
    UNDO_PLAN = "undo_plan"
    UNDO = "undo"
