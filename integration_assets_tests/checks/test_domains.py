"""Domains of companies that lead nowhere are told with the company's ARR, the votes it may lose, and the remedy."""

import duckdb
import pytest

from integration_assets.checks.base import CheckResult, GateSettings
from integration_assets.checks.gate import closed_by, run_gate


def result(store: duckdb.DuckDBPyConnection, settings: GateSettings, name: str) -> CheckResult:
    """The answer of one check of the gate."""
    [found] = [one for one in run_gate(store, settings) if one.name == name]
    return found


def test_personal_and_unreadable_domains_are_told_with_arr_and_remedy(store, settings):
    """The kinds of problem apart, each with its companies, ARR first where votes are equal; nothing is held."""
    store.execute(
        """
        UPDATE resolved.votes
        SET reason = 'personal_email', email_domain = 'alibaba.com', candidate_company_ids = ['c1']
        WHERE vote_id IN ('v15', 'v16');
        UPDATE resolved.company_arr SET arr = 88888 WHERE company_id = 'c1';
        INSERT INTO resolved.host_problems VALUES
            ('c0', 'domain', 'gmail.com', 'personal_domain', 'gmail.com'),
            ('c1', 'domain', 'alibaba.com', 'personal_domain', 'alibaba.com'),
            ('c9', 'domain', 'n/a', 'not_a_host', NULL),
            ('c9', 'additional_domain', 'facebook.com', 'platform_page', 'facebook.com');
        """
    )
    found = result(store, settings, "company_domains_usable")
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.detail == (
        "3 companies have domains that no vote is matched by: 2 a personal mail domain ('alibaba.com' of c1, "
        "ARR 88,888 USD, 2 votes; 'gmail.com' of c0, ARR 5 USD); 1 a text that is no domain ('n/a' of c9, no known "
        "ARR); 1 a page on a platform ('facebook.com' of c9, no known ARR); where a domain is a customer's own, add it "
        "to INTEGRATION_ASSETS_BUSINESS_DOMAINS (=alibaba.com,gmail.com), else map single addresses with "
        "`overrides add`; correct in the CRM what is no domain of the company alone"
    )
    assert found.rows[0] == {
        "reason": "personal_domain", "company_id": "c1", "domain": "alibaba.com", "arr": "88888.00", "votes": "2",
    }  # fmt: skip
    assert closed_by(run_gate(store, settings)) == ()


def test_suspected_mail_providers_are_told_with_what_they_would_count_for(store, settings):
    """The domain, how many organisations write from it, whose ARR it would be, and both ways to decide."""
    store.execute(
        """
        UPDATE resolved.votes SET reason = 'suspected_mail_provider', email_domain = 'b.com' WHERE vote_id = 'v14';
        INSERT INTO resolved.suspected_mail_providers VALUES ('b.com', 31, 30);
        """
    )
    found = result(store, settings, "mail_providers_known")
    assert (found.passed, found.severity) == (False, "WARN")
    assert found.detail == (
        "1 domain of companies may be a mail provider's, and counted for nobody until somebody decides: b.com (people "
        "of 30 organisations write from it; 1 vote of c1, ARR 5 USD); add each to INTEGRATION_ASSETS_PERSONAL_DOMAINS "
        "if it is one, to INTEGRATION_ASSETS_BUSINESS_DOMAINS if all mail there is the company's, or map it with "
        "`overrides add`"
    )
    assert closed_by(run_gate(store, settings)) == ()


@pytest.mark.parametrize("name", ["company_domains_usable", "mail_providers_known"])
def test_nothing_odd_is_no_warning(store, settings, name):
    """Each check passes on faultless rows."""
    assert result(store, settings, name).passed
