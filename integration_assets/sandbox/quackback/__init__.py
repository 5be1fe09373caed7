"""A look-alike of Quackback (0.13): the parts of its REST API that read, over a workspace in memory.

`workspace` is the state, `seeding` fills it with the sample, `reads` answers each path, `app` is the HTTP side.
"""

from integration_assets.sandbox.quackback.app import quackback_lookalike
from integration_assets.sandbox.quackback.seeding import seeded_workspace
from integration_assets.sandbox.quackback.workspace import Workspace

__all__ = ["Workspace", "quackback_lookalike", "seeded_workspace"]
