"""Feature requests and votes, ranked by companies and revenue, and written safely into the CRM.

`build_defs` and the component `FeatureRequestSync` are for the Dagster project that loads us, `published_rankings` is
for its assets. They are imported when they are asked for, so that the command line starts quickly.
"""

from importlib import import_module
from typing import Any

__version__ = "0.3.0"
_EXPORTED = {
    "FeatureRequestSync": "integration_assets.component",
    "build_defs": "integration_assets.project",
    "published_rankings": "integration_assets.reporting.published",
}


def __getattr__(name: str) -> Any:
    """Import what is exported when somebody asks for it."""
    if name not in _EXPORTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTED[name]), name)


def __dir__() -> list[str]:
    """Names of the package, those not imported yet among them: Dagster looks here for components."""
    return sorted([*globals(), *_EXPORTED])
