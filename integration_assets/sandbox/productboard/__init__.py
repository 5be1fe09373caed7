"""A look-alike of Productboard's API, version 2: the reads of entities and notes, as strict as its reference.

`workspace` is the state, `app` the HTTP side, `seeding` fills a workspace with what a Canny workspace holds.
"""

from integration_assets.sandbox.productboard.app import productboard_lookalike
from integration_assets.sandbox.productboard.seeding import SPEND_FIELD, filled_like
from integration_assets.sandbox.productboard.workspace import Options, Workspace

__all__ = ["SPEND_FIELD", "Options", "Workspace", "filled_like", "productboard_lookalike"]
