"""What the companies with most ARR asked for, as a report shows it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from integration_assets.reporting import company_sections
from integration_assets.reporting.company_sections import CompanySection, read_company_sections
from integration_assets_tests.resolution.worlds import AS_OF, World, company, request, resolved, vote


def _world() -> World:
    """Three companies; the people of the largest voted for everything."""
    lately, long_ago = AS_OF - timedelta(days=10), AS_OF - timedelta(days=200)
    shipped = {"new": lately, "old": long_ago, "undated": None}
    requests = [request(f"open{number}") for number in range(7)]
    requests += [request("next", status="planned"), request("now", status="in_progress")]
    requests += [request(name, status="complete", status_changed_at=at) for name, at in shipped.items()]
    requests += [request("closed", status="closed")]
    names = [str(one["request_id"]) for one in requests]
    return {
        "feature_requests": requests,
        "voters": [{"voter_id": name, "email": f"u@{name}.example"} for name in ("big", "small", "none")],
        "votes": [
            *(vote(f"b{name}", name, "big") for name in names),
            vote("s", "new", "small"),
            vote("n", "open1", "none"),
        ],
        "crm_companies": [
            company("1", "small.example", arr="5"),
            company("2", "big.example", arr="900", name="Big"),
            company("3", "none.example"),
        ],
    }


def test_a_company_has_what_is_planned_what_shipped_lately_and_what_is_open() -> None:
    """The largest first; of long lists the highest, with how many there are; undated ones are only counted."""
    found = read_company_sections(resolved(_world()), AS_OF)
    assert [one.company.company_id for one in found.sections] == ["2", "1", "3"]
    assert (found.companies, found.since) == (3, "2026-03-03T12:00:00Z")
    big = found.sections[0]
    assert {name: sorted(one.request_id for one in part) for name, part in big.parts.items() if name != "open"} == {
        "planned": ["next", "now"],
        "shipped": ["new"],
    }
    assert [one.request_id for one in big.parts["open"]] == ["open1", "open0", "open2", "open3", "open4"]
    assert big.found == {"planned": 2, "shipped": 1, "open": 7, "undated": 1}


def test_companies_that_are_left_out_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report shows the first of them, and a company whose requests are all closed has no part."""
    monkeypatch.setattr(company_sections, "COMPANIES", 1)
    world = {**_world(), "votes": [vote("b", "closed", "big"), vote("s", "new", "small")]}
    found = read_company_sections(resolved(world), AS_OF)
    assert (found.companies, found.sections) == (2, [CompanySection(found.sections[0].company, {}, {})])
