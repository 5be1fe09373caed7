"""Many texts as one parameter."""

from __future__ import annotations

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from integration_assets.staging.texts import text_list

AS_ROWS = """SELECT unnest(from_json(?, '["VARCHAR"]'))"""


@given(st.lists(st.text()))
def test_texts_arrive_as_they_are(texts: list[str]) -> None:
    """Whatever is in them, in their order; what UTF-8 cannot write never comes this far."""
    with duckdb.connect() as connection:
        rows = connection.execute(AS_ROWS, [text_list(texts)]).fetchall()
    assert [text for (text,) in rows] == texts


def test_half_of_a_surrogate_pair_is_refused() -> None:
    """It is no text DuckDB could hold."""
    with pytest.raises(UnicodeEncodeError):
        text_list(["\ud800"])
