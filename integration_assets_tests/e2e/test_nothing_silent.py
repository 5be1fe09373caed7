"""What is left out is told wherever a person looks: ARR without a rate, domains that match nobody, addresses."""

from __future__ import annotations

from typing import Any

import duckdb
import pytest

from integration_assets.sandbox.canny.records import User
from integration_assets.sandbox.sample_data import ARR_PROPERTY
from integration_assets_tests.support.harness import World

pytestmark = [
    pytest.mark.proof,
    pytest.mark.usefixtures("dagster_in_memory"),
]  # a run for each thing left out: part of `make proofs`

WRITERS = {
    "idn": ("ann@bücher.example", "ann@bücher.example"),
    "ascii": ("bea@xn--bcher-kva.example", "bea@bücher.example"),
    "final dot": ("cleo@delta.example.", "cleo@delta.example."),
    "display": ("Dan <dan@delta.example>", "dan@delta.example"),
    "invisible": ("\u200bera@delta.example", "era@delta.example"),
    "separator": ("fay@delta.example;", "fay@delta.example"),
}
"""Addresses as the feedback system has them, and as the CRM's contact has them."""


def _add_voters(world: World, *emails: str) -> None:
    for number, email in enumerate(emails):
        made = 1_760_000_000_000 + number
        user = world.canny.add_user(
            User(world.canny.new_id(made), f"W{number}", made, email=email, user_id=f"w{number}")
        )
        world.canny.vote(world.request_id("themes"), user.id, created=made)


def _warned(summary: Any, name: str) -> str:
    [check] = [one for one in summary["checks"] if one["name"] == name]
    assert (check["passed"], check["severity"]) == (False, "WARN")
    return str(check["detail"])


def test_arr_without_a_rate_is_told_everywhere(ready: World) -> None:
    """Delta's 100 EUR add nothing: check, JSON, terminal, Slack, report and published columns say so; a floor holds."""
    ready.edit_request("single sign-on", status="open")  # lists begin with open requests
    ran = ready.sync(INTEGRATION_ASSETS_CURRENCY_RATES=None)
    summary, delta = ran.summary, ready.company("Delta")
    assert f"100 EUR of 1 ({delta})" in _warned(summary, "currency_rates_complete")
    assert "INTEGRATION_ASSETS_CURRENCY_RATES to EUR=" in _warned(summary, "currency_rates_complete")
    assert summary["arr"] == {
        "total": "1500.50", "companies": 4, "companies_without_figure": 1, "companies_without_rate": 1,
        "left_out": [{"currency": "EUR", "amount": "100.00", "companies": 1}],
    }  # fmt: skip
    tops = {one["title"]: (one["arr"], one["companies_without_rate"]) for one in summary["top"]["by_arr"]}
    assert (tops["Single sign-on"], tops["Dark mode"]) == (("1500.50", 1), ("1500.50", 0))
    assert "+ 1 without rate" in ran.out
    assert "left out for lack of a currency rate: 100 EUR of 1" in ran.out
    posted = str(ready.sandbox.team.messages[-1])
    report = next((ready.home / "reports" / "sandbox" / "default").glob("*.html")).read_text(encoding="utf-8")
    assert "left out for lack of a currency rate: 100 EUR" in report
    assert "+ 1 without rate" in posted
    assert "left out for lack of a currency rate: 100 EUR of 1" in posted
    with duckdb.connect(str(ready.home / "published" / "sandbox" / "default.duckdb"), read_only=True) as published:
        statuses = published.execute("SELECT company_id, arr_status FROM ranked.companies").fetchall()
        pages = published.execute("SELECT count(*) - count(crm_url), any_value(crm_url) FROM ranked.feature_requests")
        without, page = pages.fetchall()[0]
    # The records were created by this very run: each is known by its address all the same.
    assert (without, page.startswith("https://app.hubspot.com/contacts/")) == (0, True)
    assert (delta, "no_rate") in statuses
    assert (ready.company("Gamma"), "no_figure") in statuses
    held = ready.run(
        "sync", json_file=True, INTEGRATION_ASSETS_CURRENCY_RATES=None, INTEGRATION_ASSETS_ARR_COVERAGE_FLOOR="0.51"
    )
    assert (held.code, held.summary["state"]) == (3, "HELD")


def test_people_are_linked_to_their_contacts_however_their_address_is_spelt(ready: World) -> None:
    """IDN, a final dot, a display form, an invisible character: whoever is matched by a contact is linked to it."""
    contacts = ready.portal.seed("contacts", [{"email": held} for _, held in WRITERS.values()])
    _add_voters(ready, *(email for email, _ in WRITERS.values()))
    summary = ready.sync().summary
    assert ready.in_crm().contacts[ready.key("themes")].keys() >= set(contacts)
    assert (summary["quarantined"], summary["rejected"]) == ({}, [])


def test_companies_whose_domain_matches_nobody_are_told_with_their_arr(ready: World) -> None:
    """A customer on the free-mail lists is a candidate and in a warning; two domains in one field are both used."""
    alibaba, _, multi = ready.portal.seed(
        "companies",
        [
            {"name": "Alibaba", "domain": "alibaba.com", ARR_PROPERTY: "88888"},
            {"name": "Vodafone", "domain": "vodafone.de", ARR_PROPERTY: "777"},
            {"name": "Multi", "domain": "multi-one.io, multi-two.io"},
        ],
    )
    _add_voters(ready, "a@alibaba.com", "b@multi-two.io", "c@vodafone.de", "d@users.noreply.github.com", "\u00a0")
    summary = ready.sync().summary
    warned = _warned(summary, "company_domains_usable")
    assert f"'alibaba.com' of {alibaba}, ARR 88,888 USD, 1 vote" in warned
    assert "'vodafone.de'" in warned
    assert "INTEGRATION_ASSETS_BUSINESS_DOMAINS" in warned
    assert ready.in_crm().companies[ready.key("themes")].keys() == {multi}
    with duckdb.connect(str(ready.home / "published" / "sandbox" / "default.duckdb"), read_only=True) as published:
        lost = dict(
            published.execute(
                "SELECT email_domain, (reason, candidate_company_ids) FROM ranked.unresolved_votes"
            ).fetchall()
        )
    assert lost["alibaba.com"] == ("personal_email", [alibaba])
    assert lost["github.com"] == ("personal_email", [])
    assert summary["votes"]["unmatched"]["no_email"] == 2
