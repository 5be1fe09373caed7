"""What changes in Canny: the next sync makes exactly those changes in the CRM, and no other."""

from __future__ import annotations

import pytest
from hubspot.crm.companies import SimplePublicObjectInput  # type: ignore[import-untyped]  # the client has no types

from integration_assets_tests.support.harness import InCrm, World

pytestmark = pytest.mark.usefixtures("dagster_in_memory")


def _others_unchanged(before: InCrm, after: InCrm, *changed: str) -> None:
    """Every record but the named ones has the same properties and the same labels as before."""
    for key in before.records.keys() - set(changed):
        assert after.records[key] == before.records[key]
        assert after.companies[key] == before.companies[key]
        assert after.contacts[key] == before.contacts[key]


def _differences(before: InCrm, after: InCrm, key: str) -> dict[str, str | None]:
    """Managed properties that differ, with their new values; bookkeeping left out."""
    ignored = {"hs_lastmodifieddate", "managed_state"}
    old, new = before.records[key], after.records[key]
    return {name: new[name] for name in new.keys() - ignored if new[name] != old[name]}


def _numbers(summary: dict, *names: str) -> dict[str, int]:  # type: ignore[type-arg]  # decoded JSON
    numbers = {name: count for name, count in summary["feature_requests"].items() if count}
    return {name: numbers.get(name, 0) for name in names}


def test_an_edited_title_is_one_update_of_one_property(synced: World) -> None:
    """One record is written, with the new title; nothing else of it or of the others changes."""
    before = synced.in_crm()
    synced.edit_request("dark mode", title="Dark mode, please")
    summary = synced.sync().summary
    after, key = synced.in_crm(), synced.key("dark mode")
    assert _differences(before, after, key) == {"title": "Dark mode, please"}
    _others_unchanged(before, after, key)
    assert len(synced.writes()) == 1
    assert _numbers(summary, "created", "updated", "unchanged", "verified") == {
        "created": 0,
        "updated": 1,
        "unchanged": 4,
        "verified": 1,
    }


def test_a_new_vote_counts_and_links_its_company(synced: World) -> None:
    """The request gets its vote, its company, the company's ARR and the link; the voter who is a contact is linked."""
    before = synced.in_crm()
    synced.vote("csv export", "ann")
    summary = synced.sync().summary
    after, key = synced.in_crm(), synced.key("csv export")
    changed = _differences(before, after, key)
    assert changed.keys() == {"votes", "companies", "arr", "voter_domains", "last_vote_at"}
    assert (changed["votes"], changed["companies"], changed["arr"]) == ("3", "2", "1000")
    assert changed["voter_domains"] == "acme.com\ngamma.de"
    assert after.companies[key] == {synced.company("Gamma"): {"Voted"}, synced.company("Acme"): {"Voted"}}
    assert after.contacts[key][synced.contact("ann")] == {"Voter"}
    assert (summary["links"]["created"], summary["links"]["removed"]) == (2, 0)
    _others_unchanged(before, after, key)


def test_a_vote_taken_back_unlinks_its_company(synced: World) -> None:
    """The count falls, and the label goes from the company that no other vote of the request speaks for."""
    before = synced.in_crm()
    synced.take_vote_back("single sign-on", "han")
    summary = synced.sync().summary
    after, key = synced.in_crm(), synced.key("single sign-on")
    changed = _differences(before, after, key)
    assert (changed["votes"], changed["companies"], changed["arr"]) == ("2", "2", "1500.5")
    assert after.companies[key] == {synced.company("Acme"): {"Voted"}, synced.company("Beta"): {"Voted"}}
    assert (summary["links"]["created"], summary["links"]["removed"]) == (0, 1)
    _others_unchanged(before, after, key)


def test_a_company_keeps_its_link_while_one_of_its_people_still_votes(synced: World) -> None:
    """ann takes her vote back, bob of the same company does not: one vote less, the same companies and ARR."""
    before = synced.in_crm()
    synced.take_vote_back("dark mode", "ann")
    synced.sync()
    after, key = synced.in_crm(), synced.key("dark mode")
    assert _differences(before, after, key) == {"votes": "3"}
    assert after.companies[key] == before.companies[key]
    assert after.contacts[key] == {synced.contact("ann"): {"Author"}}


def test_a_merged_request_is_retired_and_its_votes_move(synced: World) -> None:
    """The merged record is marked, keeps its links, and the survivor counts the distinct voters of both."""
    before = synced.in_crm()
    synced.canny.merge(synced.request_id("csv export"), synced.request_id("dark mode"))
    summary = synced.sync().summary
    after = synced.in_crm()
    merged, survivor = synced.key("csv export"), synced.key("dark mode")
    changed = _differences(before, after, merged)
    assert changed.keys() == {"retired_at", "retired_reason"}
    assert changed["retired_reason"] == "merged"
    assert after.companies[merged] == before.companies[merged]
    assert (after.records[survivor]["votes"], after.records[survivor]["companies"]) == ("6", "3")
    assert set(after.companies[survivor]) == {synced.company(name) for name in ("Acme", "Beta", "Gamma")}
    assert _numbers(summary, "identified", "retired", "updated") == {"identified": 4, "retired": 1, "updated": 1}
    _others_unchanged(before, after, merged, survivor)


def test_a_deleted_request_is_retired_and_never_deleted(synced: World) -> None:
    """The record stays, with all its values and links, and says when and why it was retired."""
    before = synced.in_crm()
    synced.canny.delete_post(synced.request_id("crash"))
    summary = synced.sync().summary
    after, key = synced.in_crm(), synced.key("crash")
    changed = _differences(before, after, key)
    assert changed.keys() == {"retired_at", "retired_reason"}
    assert changed["retired_reason"] == "deleted"
    assert (after.companies[key], after.archived) == (before.companies[key], {})
    assert _numbers(summary, "identified", "retired") == {"identified": 4, "retired": 1}
    _others_unchanged(before, after, key)


def test_a_retired_record_is_left_alone_afterwards(synced: World) -> None:
    """The run after a retirement writes nothing."""
    synced.canny.delete_post(synced.request_id("crash"))
    synced.sync()
    synced.forget_requests()
    summary = synced.sync().summary
    assert synced.writes() == []
    assert (summary["feature_requests"]["retired"], summary["links"]["removed"]) == (0, 0)


def test_an_excluded_board_retires_and_comes_back(synced: World) -> None:
    """A request that leaves the scope is retired as `excluded`; back in scope, the mark is taken off."""
    before, key = synced.in_crm(), synced.key("crash")
    synced.sync(CANNY_EXCLUDE_BOARDS="bugs")
    excluded = synced.in_crm()
    assert excluded.records[key]["retired_reason"] == "excluded"
    _others_unchanged(before, excluded, key)
    summary = synced.sync().summary
    after = synced.in_crm()
    assert _differences(before, after, key) == {}
    assert after.companies == before.companies
    assert _numbers(summary, "updated", "retired") == {"updated": 1, "retired": 0}


def test_a_custom_status_never_seen_before_is_followed(synced: World) -> None:
    """A request moved to a status of the workspace's own is not gone: its words arrive, its status is unknown."""
    before = synced.in_crm()
    synced.canny.change_status(synced.request_id("dark mode"), synced.person("ann"), "waiting for legal")
    synced.sync()
    after, key = synced.in_crm(), synced.key("dark mode")
    assert _differences(before, after, key) == {"status": "unknown", "source_status": "waiting for legal"}
    _others_unchanged(before, after, key)


def test_a_new_request_is_created_beside_the_others(synced: World) -> None:
    """One record more, linked to its voter's company."""
    before = synced.in_crm()
    made = synced.add_request("Bulk edit", author="gus", voters=("gus",))
    summary = synced.sync().summary
    after = synced.in_crm()
    assert after.records.keys() - before.records.keys() == {made}
    assert after.records[made]["title"] == "Bulk edit"
    assert after.companies[made] == {synced.company("Gamma"): {"Voted"}}
    assert _numbers(summary, "created", "unchanged") == {"created": 1, "unchanged": 5}
    _others_unchanged(before, after)


def test_a_company_that_gained_revenue_updates_its_requests_only(synced: World) -> None:
    """New ARR in the CRM reaches the records of the requests that company voted for."""
    before = synced.in_crm()
    with synced.as_person() as (client, _):
        client.crm.companies.basic_api.update(
            synced.company("Gamma"), SimplePublicObjectInput(properties={"annual_recurring_revenue": "70.25"})
        )
    synced.sync()
    after, key = synced.in_crm(), synced.key("csv export")
    assert _differences(before, after, key) == {"arr": "70.25"}
    _others_unchanged(before, after, key)
