"""The sample data in two Salesforce orgs."""

from __future__ import annotations

from collections import Counter

from integration_assets.sandbox.salesforce import Org, seeded
from integration_assets.sandbox.sample_data import build_sample


def test_the_sample_fills_a_sandbox_and_a_production_org():
    """The same companies and people under other ids, with parents, primary companies and opportunities."""
    sample = build_sample(requests=30, votes=300, companies=80)
    filled = [seeded(org, sample) for org in (Org(1), Org(2, is_sandbox=False))]
    sandbox, production = filled
    assert not set(sandbox.company_ids) & set(production.company_ids)
    for one in filled:
        accounts = {row["Id"]: row for row in one.org.records("Account")}
        named = [accounts[record_id]["Name"] for record_id in one.company_ids]
        assert named == [row["name"].strip() for row in sample.companies]
        child, parent = sample.parents[0]
        assert accounts[one.company_ids[child]]["ParentId"] == one.company_ids[parent]
        contacts = one.org.records("Contact")
        assert Counter(row["Email"] for row in contacts) == Counter(row["email"] for row in sample.contacts)
        assert {row["AccountId"] for row in contacts} <= {*one.company_ids, None}
        deals = one.org.records("Opportunity")
        assert {row["IsClosed"] for row in deals} == {True, False}
        assert len(deals) == len(sample.deals)
        assert {row["AccountId"] for row in deals} <= {*one.company_ids, None}
