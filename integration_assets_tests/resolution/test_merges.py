"""Chains of merges are followed to their end."""

from hypothesis import given
from hypothesis import strategies as st

from integration_assets.resolution.merges import survivors


def test_chains_are_followed_to_the_end():
    """a into b into c means c for both."""
    assert survivors([("a", "b"), ("b", "c")]) == {"a": "c", "b": "c"}


def test_circles_end_at_one_of_them():
    """A circle ends at its smallest living id, for those that lead into it too."""
    circle = [("a", "b"), ("b", "c"), ("c", "a"), ("x", "b")]
    assert survivors(circle) == {"b": "a", "c": "a", "x": "a"}
    assert survivors(circle, {"c", "b"}) == {"a": "b", "c": "b", "x": "b"}
    assert survivors([("a", "a")]) == {}


def test_two_ends_are_no_end():
    """An id that is said to have become two records is left out, unless both became the same."""
    assert survivors([("a", "b"), ("a", "c")]) == {}
    assert survivors([("a", "b"), ("a", "c"), ("b", "c")]) == {"a": "c", "b": "c"}


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=12), st.randoms())
def test_order_is_nothing_and_ends_are_ends(merges, random):
    """The result does not depend on the order, and what a record lives on in lives on in nothing else."""
    ends = survivors(merges)
    random.shuffle(merges)
    assert survivors(merges) == ends
    assert not set(ends.values()) & set(ends)
