"""Values as the CRM hands them back, the managed state, and the three-way comparison."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.models import TextLimits
from integration_assets.sync.diff import Conflict, compare_record, new_record
from integration_assets.sync.feature_request_object import (
    FEATURE_REQUEST,
    MANAGED_STATE,
    MAPPING_VERSION,
    POLICIES,
    STATE_FIELDS,
    TRUNCATION_MARK,
    FieldKind,
    FieldPolicy,
    managed_state,
    mapping_version,
    normalise,
    parse_managed_state,
    record_key,
    same_mapping,
)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("title", None, ""),
        ("title", "  a\r\nb ", "a\nb"),
        ("title", "a\x00b\ud800c", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}c"),
        ("votes", 3, "3"),
        ("votes", "3.0", "3"),
        ("arr", Decimal("1200.50"), "1200.5"),
        ("arr", "1.2E+3", "1200"),
        ("arr", "-0.00", "0"),
        ("arr", "much", "much"),
        ("voter_domains", ["b.example", "a.example"], "a.example\nb.example"),
        ("requested_at", datetime(2026, 1, 2, 3, 4, 5, 678999, UTC), "2026-01-02T03:04:05.678Z"),
        ("requested_at", datetime(2026, 1, 2, 5, tzinfo=timezone(timedelta(hours=2))), "2026-01-02T03:00:00.000Z"),
        ("requested_at", "2026-01-02T03:04:05Z", "2026-01-02T03:04:05.000Z"),
        ("requested_at", "1767323045000", "2026-01-02T03:04:05.000Z"),
        ("requested_at", "yesterday", "yesterday"),
    ],
)
def test_normalised_values(field: str, value: Any, expected: str):
    """One meaning, one text."""
    assert normalise(field, value) == expected


def test_long_text_is_cut_between_characters_with_a_mark():
    """At the limit nothing is cut; beyond it the text ends in the mark and still fits."""
    limits = TextLimits(text=100, long_text=1_000, address=200)
    for field, most in (("title", 100), ("details", 1_000), ("url", 200)):
        assert normalise(field, "x" * most, limits) == "x" * most
        for text in ("x" * (most + 1), "\N{GRINNING FACE}" * most, "x" + "\N{GRINNING FACE}" * most):
            cut = normalise(field, text, limits)
            assert cut.endswith(TRUNCATION_MARK)
            assert len(cut.encode("utf-16-le")) // 2 <= most
            assert text.startswith(cut.removesuffix(TRUNCATION_MARK))
            # What the CRM hands back has gone through it already.
            assert normalise(field, cut) == cut


def test_times_lose_what_a_crm_does_not_keep():
    """Written with milliseconds, they would read back different, and be written again by every run."""
    limits = TextLimits(text=9, long_text=9, address=9, whole_seconds=True)
    moment = datetime(2026, 11, 1, 12, 0, 3, 456_000, UTC)
    assert normalise("requested_at", moment) == "2026-11-01T12:00:03.456Z"
    assert normalise("requested_at", moment, limits) == "2026-11-01T12:00:03.000Z"
    assert normalise("requested_at", "2026-11-01T12:00:03.000+0000", limits) == "2026-11-01T12:00:03.000Z"


def test_only_text_has_limits():
    """A number is never cut: what is left of it would be another number."""
    assert normalise("arr", "1" * 30, TextLimits(text=9, long_text=9, address=9)) == "1" * 30


@given(st.sampled_from(sorted(POLICIES)), st.text(max_size=60) | st.decimals(allow_nan=False) | st.datetimes())
def test_normalising_twice_changes_nothing(field: str, value: Any):
    """What the CRM hands back of a normalised value is that value."""
    once = normalise(field, value)
    assert normalise(field, once) == once


def test_every_managed_property_has_a_policy():
    """The two tables name the same fields; the key is unique and the links have inverses."""
    assert set(POLICIES) == {prop.name for prop in FEATURE_REQUEST.properties}
    assert [prop.name for prop in FEATURE_REQUEST.properties if prop.unique] == [FEATURE_REQUEST.key_property]
    assert all(link.inverse_label for link in FEATURE_REQUEST.links)


def test_the_mapping_version_changes_with_the_mapping():
    """A digest, the same for the same mapping."""
    assert mapping_version(FEATURE_REQUEST, POLICIES) == MAPPING_VERSION
    assert same_mapping(MAPPING_VERSION, MAPPING_VERSION)
    # As an earlier version digested the same mapping: an upgrade holds no plan.
    assert same_mapping("4346d3521c94", MAPPING_VERSION)
    assert same_mapping("d5f8c149e64c", MAPPING_VERSION)
    # Better words for people are no other mapping.
    described = [msgspec.structs.replace(item, description="x") for item in FEATURE_REQUEST.properties]
    other_words = msgspec.structs.replace(FEATURE_REQUEST, properties=tuple(described))
    assert mapping_version(other_words, POLICIES) == MAPPING_VERSION
    assert not same_mapping("4346d3521c94", mapping_version(FEATURE_REQUEST, {}))
    assert mapping_version(FEATURE_REQUEST, {**POLICIES, "title": FieldPolicy(FieldKind.COMPUTED)}) != MAPPING_VERSION


def test_keys_are_lower_case():
    """The key carries the source and the id."""
    assert record_key(("canny",), "5F0ABC") == "canny:5f0abc"
    assert record_key(("ideas", "calls"), "ideas:5F0ABC") == "ideas:5f0abc"


@given(st.dictionaries(st.sampled_from(STATE_FIELDS), st.text(max_size=20)))
def test_the_managed_state_is_read_as_written(values: dict[str, str]):
    """Six hex digits for every managed field, whatever surrounds them."""
    state = parse_managed_state(managed_state(values))
    assert set(state) == set(STATE_FIELDS)
    assert parse_managed_state(f"junk title: {managed_state(values)} votes:zzzzzz x:123456") == state


KEY = "canny:1"
OLD = {"title": "Old", "votes": "1", "category": "A"}


def live(**changes: str) -> dict[str, str]:
    return {**new_record(KEY, OLD), **changes}


@pytest.mark.parametrize(
    ("theirs", "ours", "written", "action"),
    [
        ("Old", "Old", False, None),
        ("Old", "New", True, None),
        ("Edited", "Old", False, "kept"),
        ("Edited", "New", True, "overwritten"),
        ("New", "New", False, None),
        ("", "Old", False, "kept"),
        ("Old", "", False, None),
    ],
)
@pytest.mark.parametrize("base", [{}, OLD], ids=["managed state", "ledger"])
def test_three_ways_of_an_editable_field(
    theirs: str, ours: str, written: bool, action: str | None, base: dict[str, str]
):
    """Base from the ledger or from the managed state lead to the same decision."""
    diff = compare_record(KEY, {**OLD, "title": ours}, live(title=theirs), base)
    assert ("title" in diff.after) is written
    assert diff.conflicts == ((Conflict(KEY, "title", action),) if action else ())  # type: ignore[arg-type]
    assert (MANAGED_STATE in diff.after) is written


def test_the_policy_may_prefer_the_crm():
    """With `theirs`, a field both sides changed stays as it is in the CRM."""
    policies = {**POLICIES, "title": FieldPolicy(FieldKind.EDITABLE, on_conflict="theirs")}
    diff = compare_record(KEY, {**OLD, "title": "New"}, live(title="Edited"), OLD, policies)
    assert diff.after == {}
    assert diff.conflicts == (Conflict(KEY, "title", "kept"),)


def test_without_any_base_a_value_that_differs_is_overwritten_and_reported():
    """A record nobody remembers writing: empty fields are filled silently, others reported."""
    diff = compare_record(KEY, {"title": "New", "category": "B"}, {"title": "Theirs"}, {})
    assert {k: v for k, v in diff.after.items() if k != MANAGED_STATE} == {"title": "New", "category": "B"}
    assert diff.conflicts == (Conflict(KEY, "title", "overwritten"),)


def test_a_kept_edit_does_not_become_our_base():
    """Writing another field leaves the digest of the kept one at what we wrote."""
    diff = compare_record(KEY, {**OLD, "votes": "2"}, live(title="Edited"), {})
    assert parse_managed_state(diff.after[MANAGED_STATE])["title"] == parse_managed_state(managed_state(OLD))["title"]
    assert compare_record(KEY, {**OLD, "votes": "2"}, {**live(title="Edited"), **diff.after}, {}).conflicts == (
        Conflict(KEY, "title", "kept"),
    )


def test_a_write_this_store_did_not_see_the_end_of_is_not_an_edit():
    """The managed state vouches for a live value the ledger does not know yet."""
    written = new_record(KEY, {**OLD, "title": "Newer"})
    diff = compare_record(KEY, {**OLD, "title": "Newest"}, written, OLD)
    assert diff.conflicts == ()
    assert diff.after["title"] == "Newest"
