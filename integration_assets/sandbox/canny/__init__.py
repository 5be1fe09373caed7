"""A look-alike of Canny's API over a workspace in memory. May import `sandbox.lookalike` and libraries only."""

from integration_assets.sandbox.canny.app import canny_lookalike
from integration_assets.sandbox.canny.limits import BUSINESS, FREE, PRO, Plan
from integration_assets.sandbox.canny.options import Options
from integration_assets.sandbox.canny.workspace import Workspace

__all__ = ["BUSINESS", "FREE", "PRO", "Options", "Plan", "Workspace", "canny_lookalike"]
