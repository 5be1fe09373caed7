"""A strict look-alike of one Salesforce org's REST API, with all its state in memory.

Tokens by client credentials and JWT bearer; SOQL in pages; describe; records one by one and in collections; deployment
of metadata; field-level security, storage and the daily limit. What Salesforce documents, it enforces. May import
nothing of the product but `models`, and of this room `lookalike`, `made_up`, `stand_in` and the sample data.
"""

from integration_assets.sandbox.salesforce.app import salesforce_lookalike
from integration_assets.sandbox.salesforce.org import Org, OrgOptions
from integration_assets.sandbox.salesforce.seeding import SeededOrg, seeded

__all__ = ["Org", "OrgOptions", "SeededOrg", "salesforce_lookalike", "seeded"]
