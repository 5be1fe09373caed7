"""A look-alike of UserVoice's Admin API, version 2: the reads that make a ranking, over an account in memory.

`account` is the state, `seeding` fills it with the sample, `reads` answers each path, `app` is the HTTP side.
"""

from integration_assets.sandbox.uservoice.account import Account, Options
from integration_assets.sandbox.uservoice.app import uservoice_lookalike
from integration_assets.sandbox.uservoice.seeding import seeded_account

__all__ = ["Account", "Options", "seeded_account", "uservoice_lookalike"]
