"""The language of mappings: what is a path, what it finds, and that nothing else is one."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.connectors.internal.paths import (
    PathError,
    WrongKindError,
    parse_path,
    path_text,
    value_at,
)

NAMES = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), max_size=12)
STEPS = st.lists(st.one_of(NAMES, st.integers(0, 999_999)), max_size=6).map(tuple)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@given(STEPS)
def test_what_is_written_is_what_is_read(steps: tuple[str | int, ...]) -> None:
    """Every path can be written, and is the same when it is read again."""
    assert parse_path(path_text(steps)) == steps


@given(st.text(max_size=60))
def test_any_text_is_a_path_or_refused(text: str) -> None:
    """Nothing else is raised, and what is accepted means the same when written anew."""
    with contextlib.suppress(PathError):
        path = parse_path(text)
        assert parse_path(path_text(path)) == path


@given(JSON, STEPS)
def test_looking_up_finds_what_python_would(value: Any, steps: tuple[str | int, ...]) -> None:
    """A value where every step exists, None where one does not, an error where it cannot."""
    expected: Any = value
    for step in steps:
        if expected is None:
            break
        if not isinstance(expected, list if isinstance(step, int) else dict):
            with pytest.raises(WrongKindError):
                value_at(value, steps)
            return
        there = step < len(expected) if isinstance(step, int) else step in expected
        expected = value_at(expected, (step,)) if there else None
    assert value_at(value, steps) == expected


@given(st.data())
def test_every_place_of_an_answer_can_be_named(data: st.DataObject) -> None:
    """Going down at random gives a path that leads there again."""
    whole = value = data.draw(JSON)
    steps: list[str | int] = []
    while isinstance(value, list | dict) and value:
        keys: list[Any] = list(range(len(value))) if isinstance(value, list) else list(value)
        step: Any = data.draw(st.sampled_from(keys))
        steps.append(step)
        value = value[step]
    assert value_at(whole, parse_path(path_text(tuple(steps)))) == value


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("", ()),
        ("a", ("a",)),
        ("a.b[0].c", ("a", "b", 0, "c")),
        ('a["x y"].b', ("a", "x y", "b")),
        ('[2]["a\\"b\\\\"]', (2, 'a"b\\')),
        ("with-dash._x", ("with-dash", "_x")),
    ],
)
def test_paths(text: str, steps: tuple[str | int, ...]) -> None:
    """The forms the language has."""
    assert parse_path(text) == steps


@pytest.mark.parametrize(
    "text",
    [
        ".a",
        "a.",
        "a..b",
        "a b",
        "a[-1]",
        "a[01]",
        "a[*]",
        "a[?(@.x)]",
        "$.a",
        "a['x']",
        'a["x',
        "a.[0]",
        "a()",
        "{{a}}",
        "a[0]b",
        '"a"',
        "a[1:2]",
        "__import__('os')",
        "a" * 501,
        "a" + "[0]" * 20,
    ],
)
def test_what_is_no_path(text: str) -> None:
    """Wildcards, slices, filters, calls, templates and slips are refused, with the place where it went wrong."""
    with pytest.raises(PathError, match=r"see character|at most"):
        parse_path(text)


def test_a_wrong_kind_is_named() -> None:
    """The message says where, what should be there, and what is; not the value."""
    with pytest.raises(WrongKindError, match=r"^`a\.b` should be an object and is text$"):
        value_at({"a": {"b": "secret"}}, parse_path("a.b.c"))
    with pytest.raises(WrongKindError, match=r"^the row should be a list and is an object$"):
        value_at({}, parse_path("[0]"))
