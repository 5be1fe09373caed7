"""A look-alike of a company's own billing system: accounts with ARR, listed in every way such systems page a list.

It is nobody's product, so there is no contract to follow but RFC 6749 and RFC 7617 for its credentials.
"""

from integration_assets.sandbox.internal.app import billing_lookalike
from integration_assets.sandbox.internal.billing import Billing

__all__ = ["Billing", "billing_lookalike"]
