from integration_assets.component import FeatureRequestSync as FeatureRequestSync
from integration_assets.project import build_defs as build_defs
from integration_assets.reporting.published import published_rankings as published_rankings

__version__: str
