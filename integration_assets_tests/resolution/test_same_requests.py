"""Requests that are the same one: what a file may say, and what its lines mean for the requests that were read."""

from __future__ import annotations

from pathlib import Path

import pytest

from integration_assets.errors import ConfigurationError
from integration_assets.resolution.same_requests import (
    MERGED,
    NOT_READ,
    SameRequest,
    read_same_requests,
    same_requests_of,
)

SOURCES = ("canny", "calls")


def a_file(folder: Path, *lines: str) -> Path:
    path = folder / "same_requests.csv"
    path.write_text("\n".join(("request,same_as,note", *lines)) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["calls:1,calls:1,"], "line 2: calls:1 is said to be the same as itself"),
        (["calls:1,canny:a,", "CALLS:1,canny:b,"], r"line 3: calls:1 is .* another request above \(line 2\)"),
        (["calls:1,canny:a,", "canny:a,calls:1,"], "in a circle, calls:1 → canny:a → calls:1"),
        (["7,canny:a,"], "line 2: 7 names no feedback system that is read: write canny:<id> or calls:<id>"),
        (["jira:7,canny:a,"], "line 2: jira:7 names no feedback system"),
        ([" ,canny:a,"], "line 2: a request is missing"),
        (["calls:1,canny:a,a,b"], "line 2: 4 fields instead of request,same_as,note"),
    ],
)
def test_a_line_that_can_mean_nothing_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    """Nothing is guessed: which line, what is wrong, and what it should be."""
    with pytest.raises(ConfigurationError, match=said):
        read_same_requests(a_file(tmp_path, *lines), SOURCES)


def test_lines_become_pairs_of_requests_that_are_there(tmp_path: Path) -> None:
    """Keys are compared in lower case; an end may be a merged request; what is not there is told and left out."""
    path = a_file(tmp_path, "calls:1,canny:A,", "calls:1,canny:a,again", "calls:2,canny:gone,", "calls:9,canny:a,", "")
    with path.open("a", encoding="utf-8") as file:
        file.write("calls:3,canny:old,\ncanny:old,calls:1,\n")
    lines = read_same_requests(path, SOURCES)
    assert lines[0] == SameRequest("calls:1", "canny:a")
    keys = {"calls:1": "calls:1", "calls:2": "calls:2", "calls:3": "calls:3", "canny:a": "canny:A"}
    found = same_requests_of(lines, keys, {"canny:old": "canny:old"})
    assert found.pairs == (("calls:1", "canny:A"), ("calls:3", "canny:old"))
    assert found.problems == (
        ("calls:2", f"canny:gone, which it is said to be the same as, {NOT_READ}"),
        ("calls:9", NOT_READ),
        ("canny:old", MERGED),
    )


def test_with_one_system_an_id_alone_will_do(tmp_path: Path) -> None:
    """Its keys begin with its name all the same; without a file there are no lines."""
    assert read_same_requests(a_file(tmp_path, "B,canny:a,"), ("canny",)) == (SameRequest("canny:b", "canny:a"),)
    assert read_same_requests(tmp_path / "none.csv", ("canny",)) == ()
