"""The sample in two workspaces."""

from __future__ import annotations

from collections import Counter

from integration_assets.sandbox.sample_data import build_sample
from integration_assets.sandbox.twenty import TwentyOptions, seeded_workspace

SANDBOX, PRODUCTION = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"


def test_both_workspaces_hold_the_sample_under_ids_of_their_own():
    sample = build_sample(requests=30, votes=300, companies=100)
    first, second = seeded_workspace(sample, SANDBOX), seeded_workspace(sample, PRODUCTION)
    assert not {*first.company_ids, *first.person_ids} & {*second.company_ids, *second.person_ids}
    for seeded in (first, second):
        companies, people = seeded.workspace.live("companies"), seeded.workspace.live("people")
        assert sorted(row["name"] for row in companies) == sorted(row["name"] for row in sample.companies)
        assert len(people) == len(sample.contacts)
        assert seeded.workspace.live("opportunities")
        assert {row["companyId"] for row in people} <= {*seeded.company_ids, None}
        domains = Counter(row["domainName"]["primaryLinkUrl"] for row in companies)
        assert [text for text, number in domains.items() if text and number > 1] == []
    assert first.workspace.key != second.workspace.key


def test_the_revenue_is_under_the_name_of_the_workspace():
    sample = build_sample(requests=30, votes=300, companies=100)
    seeded = seeded_workspace(sample, SANDBOX, TwentyOptions(revenue_field="annualRevenue"))
    amounts = [row["annualRevenue"]["amountMicros"] for row in seeded.workspace.live("companies")]
    assert any(amount for amount in amounts)
    assert all(amount is None or isinstance(amount, int) for amount in amounts)
