"""The providers this product knows: one row each. To add one, write its package and a row here.

Imported by every command, for its settings: the connectors themselves are imported when they are opened.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any

from integration_assets.connectors.crm.hubspot.spec import HUBSPOT
from integration_assets.connectors.crm.salesforce.spec import SALESFORCE
from integration_assets.connectors.crm.twenty.spec import TWENTY
from integration_assets.connectors.feedback.canny.spec import CANNY
from integration_assets.connectors.feedback.productboard.spec import PRODUCTBOARD
from integration_assets.connectors.feedback.quackback.spec import QUACKBACK
from integration_assets.connectors.feedback.table.spec import TABLE
from integration_assets.connectors.feedback.uservoice.spec import USERVOICE
from integration_assets.connectors.slack_spec import SLACK
from integration_assets.connectors.specs import ProviderKind, ProviderSpec

if TYPE_CHECKING:
    from integration_assets.connectors.crm.factory import CrmFactory
    from integration_assets.connectors.feedback.factory import FeedbackFactory
    from integration_assets.models import ObjectDefinition, PropertyGroup

PROVIDERS: Mapping[str, ProviderSpec] = {
    spec.name: spec for spec in (CANNY, PRODUCTBOARD, QUACKBACK, USERVOICE, TABLE, HUBSPOT, SALESFORCE, TWENTY, SLACK)
}
"""Provider name → its spec. The first of a kind is the one that is meant where nothing is configured."""


def of_kind(kind: ProviderKind) -> tuple[ProviderSpec, ...]:
    """All providers that play one part, in the order of the rows."""
    return tuple(spec for spec in PROVIDERS.values() if spec.kind is kind)


def usual(kind: ProviderKind) -> ProviderSpec:
    """The provider that is meant where nothing is configured."""
    return of_kind(kind)[0]


def crm_factory(provider: str) -> CrmFactory:
    """Return what opens the connector of a CRM."""
    factory: CrmFactory = _connector(PROVIDERS[provider])
    return factory


def feedback_factory(provider: str) -> FeedbackFactory:
    """Return what opens the connector of a feedback system."""
    factory: FeedbackFactory = _connector(PROVIDERS[provider])
    return factory


def schema_file(
    spec: ProviderSpec, definition: ObjectDefinition, options: Mapping[str, str], companies: PropertyGroup | None
) -> bytes | None:
    """The file with our object, and `companies` on theirs, for deployment by hand; None where there is none."""
    if spec.schema_file is None:
        return None
    made: bytes = _named(spec.schema_file.maker)(definition, options, companies)
    return made


def _connector(spec: ProviderSpec) -> Any:
    return _named(spec.connector)


def _named(path: str) -> Any:
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
