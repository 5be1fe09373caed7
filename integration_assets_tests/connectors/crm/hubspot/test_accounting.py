"""Answers to batch writes: every input ends in exactly one place, found by what identifies it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from integration_assets.connectors.crm.base import PairWrite, WrittenRecord
from integration_assets.connectors.crm.hubspot.error_answers import parse_problem
from integration_assets.connectors.crm.hubspot.wire import BatchAnswer
from integration_assets.connectors.crm.hubspot.writes import account_for_pairs, account_for_records

KEY = "request_key"


def result(record_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": record_id, "properties": {}, "new": True, **fields}


def pair(start: str, end: str) -> PairWrite:
    return PairWrite(start, "company", end, ("voted",))


def test_results_are_matched_by_trace_id_or_key_in_any_order() -> None:
    """A result names its input by trace id, or by the key among its properties."""
    answer = BatchAnswer([result("2", properties={KEY: "b"}, new=False), result("1", objectWriteTraceId="a")])
    outcome = account_for_records(["a", "b"], answer, KEY)
    assert outcome.written == (WrittenRecord("a", "1", True), WrittenRecord("b", "2", False))
    assert outcome.rejected == ()
    assert outcome.unaccounted == ()


def test_one_error_entry_may_stand_for_many_records() -> None:
    """Trace ids and ids of an error entry are lists."""
    error = {"category": "VALIDATION_ERROR", "context": {"objectWriteTraceId": ["a", "c"]}}
    missing = {"category": "OBJECT_NOT_FOUND", "context": {"ids": ["d"]}}
    outcome = account_for_records(["a", "b", "c", "d"], BatchAnswer([], [error, missing]), KEY)
    assert {item.key: item.reason for item in outcome.rejected} == {
        "a": "VALIDATION_ERROR",
        "c": "VALIDATION_ERROR",
        "d": "OBJECT_NOT_FOUND",
    }
    assert outcome.unaccounted == ("b",)


def test_an_input_nobody_mentions_is_unaccounted() -> None:
    """A record that is neither confirmed nor refused has to be read back."""
    answer = BatchAnswer([result("1", objectWriteTraceId="a"), result("9", objectWriteTraceId="stranger")])
    assert account_for_records(["a", "b"], answer, KEY).unaccounted == ("b",)


def test_a_result_of_another_form_confirms_nothing() -> None:
    """Half a confirmation is none, and does not cost the others theirs."""
    broken = [{"id": None, "objectWriteTraceId": "a"}, 7, {"id": "5", "properties": {}, "objectWriteTraceId": "b"}]
    answer = BatchAnswer([*broken, result("3", objectWriteTraceId="c")])
    outcome = account_for_records(["a", "b", "c"], answer, KEY)
    assert [item.key for item in outcome.written] == ["c"]
    assert outcome.unaccounted == ("a", "b")


def test_a_nameless_error_is_about_the_only_record() -> None:
    """Once a batch was halved down to one record, its error needs no name."""
    answer = BatchAnswer([], [{"category": "VALIDATION_ERROR"}])
    assert [item.key for item in account_for_records(["a"], answer, KEY).rejected] == ["a"]
    assert account_for_records(["a", "b"], answer, KEY).unaccounted == ("a", "b")


def test_refused_pairs_are_told_by_both_ends() -> None:
    """An error that lists several pairs lists their ends side by side."""
    pairs = [pair("1", "10"), pair("2", "20"), pair("1", "20")]
    problem = parse_problem({"category": "X", "context": {"fromObjectId": ["1", "2"], "toObjectId": ["10", "20"]}})
    outcome = account_for_pairs(pairs, {("1", "20")}, [problem])
    assert outcome.written == (pairs[2],)
    assert [item for item, _ in outcome.rejected] == pairs[:2]


def test_an_error_about_one_end_does_not_undo_confirmed_pairs() -> None:
    """A record that is gone refuses the pairs it is in, but not those that were confirmed."""
    pairs = [pair("1", "10"), pair("2", "10"), pair("2", "20")]
    problem = parse_problem({"category": "OBJECT_NOT_FOUND", "context": {"ids": ["10"]}})
    outcome = account_for_pairs(pairs, {("2", "10")}, [problem])
    assert outcome.written == (pairs[1],)
    assert outcome.rejected == ((pairs[0], "OBJECT_NOT_FOUND"),)
    assert outcome.unaccounted == (pairs[2],)


CONTEXTS = st.dictionaries(
    st.sampled_from(["fromObjectId", "toObjectId", "ids", "other"]), st.lists(st.sampled_from("1234"), max_size=3)
)


@given(
    ends=st.lists(st.tuples(st.sampled_from("12"), st.sampled_from("34")), unique=True),
    confirmed=st.sets(st.tuples(st.sampled_from("12"), st.sampled_from("34"))),
    contexts=st.lists(CONTEXTS, max_size=3),
)
def test_every_pair_ends_in_exactly_one_place(
    ends: list[tuple[str, str]], confirmed: set[tuple[str, str]], contexts: list[dict[str, list[str]]]
) -> None:
    """Written, rejected and unaccounted together are the pairs of the batch, each once."""
    pairs = [pair(start, end) for start, end in ends]
    problems = [parse_problem({"category": "X", "context": context}) for context in contexts]
    outcome = account_for_pairs(pairs, confirmed, problems)
    everywhere = [*outcome.written, *(item for item, _ in outcome.rejected), *outcome.unaccounted]
    assert sorted(everywhere, key=repr) == sorted(pairs, key=repr)
