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


def test_of_many_companies_three_are_named_and_the_rows_begin_with_what_may_be_lost(store, settings):
    """Votes before ARR before the id, whatever the reason; the number of the others is told."""
    store.execute(
        """
        UPDATE resolved.company_arr SET arr = CASE company_id WHEN 'c0' THEN 700 WHEN 'c1' THEN 70 ELSE 7 END;
        UPDATE resolved.votes SET reason = 'personal_email', email_domain = 'x.com', candidate_company_ids = ['c2']
        WHERE vote_id = 'v15';
        INSERT INTO resolved.host_problems VALUES
            ('c0', 'domain', 'n/a', 'not_a_host', NULL), ('c1', 'domain', 'gmail.com', 'personal_domain', 'gmail.com'),
            ('c2', 'domain', 'x.com', 'personal_domain', 'x.com'), ('c8', 'domain', '-', 'not_a_host', NULL),
            ('c7', 'domain', '?', 'not_a_host', NULL), ('c9', 'domain', '.', 'not_a_host', NULL);
        """
    )
    found = result(store, settings, "company_domains_usable")
    assert [row["company_id"] for row in found.rows] == ["c2", "c0", "c1", "c7", "c8", "c9"]
    assert (
        "4 a text that is no domain ('n/a' of c0, ARR 700 USD; '?' of c7, no known ARR; '-' of c8, no known ARR; "
        in (found.detail)
    )
    assert "-' of c8, no known ARR; and 1 more" in found.detail


def test_one_company_has_a_domain(store, settings):
    """The sentence agrees with the number."""
    store.execute("INSERT INTO resolved.host_problems VALUES ('c0', 'domain', 'n/a', 'not_a_host', NULL)")
    assert result(store, settings, "company_domains_usable").detail.startswith("1 company has a domain that no vote")


@pytest.mark.parametrize(("domains", "more"), [(3, False), (5, True)])
def test_of_many_suspected_mail_providers_three_are_named(store, settings, domains, more):
    """The rows have them all."""
    store.execute(
        "INSERT INTO resolved.suspected_mail_providers SELECT 'd' || i || '.com', 40, 30 FROM range($1) AS t (i)",
        [domains],
    )
    found = result(store, settings, "mail_providers_known")
    assert found.detail.count("organisations write from it") == 3
    assert (" and 2 more; add each" in found.detail) is more
    assert len(found.rows) == domains


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
