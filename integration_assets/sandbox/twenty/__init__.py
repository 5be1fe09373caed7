"""A look-alike of Twenty: its record and metadata APIs over workspaces in memory, in the shapes of several versions.

`workspace` is the state, `seeding` fills it with the sample, `app` answers HTTP, `faults` are what a test may put in.
"""

from integration_assets.sandbox.twenty.app import twenty_lookalike
from integration_assets.sandbox.twenty.options import TwentyOptions
from integration_assets.sandbox.twenty.seeding import SeededWorkspace, seeded_workspace
from integration_assets.sandbox.twenty.workspace import Workspace, api_key

__all__ = ["SeededWorkspace", "TwentyOptions", "Workspace", "api_key", "seeded_workspace", "twenty_lookalike"]
