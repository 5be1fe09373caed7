"""A mapping as TOML says what it said before."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from integration_assets.connectors.feedback.table.mapping import (
    RELATIONS,
    Database,
    Dates,
    Freshness,
    Money,
    Relation,
    TableMapping,
    parse_mapping,
)
from integration_assets.connectors.feedback.table.writing import mapping_text
from integration_assets.models import Status

NAMES = st.text(min_size=1, max_size=12).filter(lambda one: one.strip())


@st.composite
def relations(draw: st.DrawFn, name: str) -> Relation:
    """A relation whose columns may be called anything."""
    fields = RELATIONS[name]
    needed = (*fields.required, *fields.one_of[:1])
    chosen = (*needed, *draw(st.lists(st.sampled_from(fields.names), unique=True, max_size=3)))
    return Relation(
        file=draw(NAMES.filter(lambda one: not one.lower().startswith("http"))),
        columns={field: draw(NAMES) for field in chosen},
        delimiter=draw(st.sampled_from([None, ";", "\t"])),
    )


@st.composite
def mappings(draw: st.DrawFn) -> TableMapping:
    """Mappings that can be used."""
    return TableMapping(
        requests=draw(relations("requests")),
        votes=draw(relations("votes")),
        companies=draw(st.none() | relations("companies")),
        dates=Dates(format=draw(st.sampled_from(["iso", "%d/%m/%Y"])), time_zone="Europe/Berlin"),
        money=Money(format=draw(st.sampled_from(["1234.56", "€1.234,56"]))),
        database=draw(st.sampled_from([None, Database(kind="sqlite", file="a\\b.db")])),
        freshness=draw(st.sampled_from([Freshness(), Freshness(file_hours=1.5, newest_vote_hours=24.0)])),
        statuses=draw(st.dictionaries(NAMES, st.sampled_from([Status.OPEN, Status.CLOSED]), max_size=3)),
    )


@given(mappings())
def test_what_is_written_is_read_as_it_was(mapping: TableMapping) -> None:
    """Whatever columns, files and words are called: quotes, line ends, brackets, any script."""
    assert parse_mapping(mapping_text(mapping)) == mapping
