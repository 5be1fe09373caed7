"""Fields nobody documented are counted, page by page, by names that are harmless."""

from __future__ import annotations

from integration_assets.connectors.fields import MOST_NAMES, unknown_fields

KNOWN = frozenset({"id", "title"})


def test_fields_beyond_the_documented_ones_are_counted_by_record() -> None:
    """Whatever their order, and only where they are; documented ones and things that are no records do not count."""
    items = [{"id": 1, "mood": 2}, {"mood": None, "id": 2}, {"id": 3, "title": "T"}, {"Title": "T"}, None, [1], "text"]
    assert unknown_fields("posts", KNOWN, items) == {"posts.mood": 2, "posts.Title": 1}
    assert unknown_fields("posts", KNOWN, [{"id": 1}, {}, {"title": None, "id": 2}]) == {}


def test_names_that_may_hold_data_are_not_repeated() -> None:
    """An address, a text with spaces or a very long name as a field is counted under a name of ours."""
    items = [{"ann@acme.example": 1}, {"a b": 1}, {"x" * 41: 1}, {"": 1}, {"\u202egnp": 1}]
    assert unknown_fields("posts", KNOWN, items) == {"posts.(others)": 5}


def test_ids_as_field_names_do_not_flood() -> None:
    """A page names only so many fields; the rest are counted together."""
    found = unknown_fields("posts", KNOWN, [{f"f{number}": 1 for number in range(500)}])
    assert len(found) == MOST_NAMES + 1
    assert found["posts.(others)"] == 500 - MOST_NAMES
