"""What an endpoint is: the keys it documents and the function that answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from integration_assets.sandbox.canny.body import Field, RefusedError
from integration_assets.sandbox.canny.workspace import Workspace

T = TypeVar("T")


@dataclass(frozen=True)
class Endpoint:
    """`answer` gets the workspace and the checked arguments and returns what goes out as JSON."""

    answer: Callable[[Workspace, dict[str, Any]], Any]
    fields: Mapping[str, Field]


def existing(workspace: Workspace, records: Mapping[str, T], record_id: str, what: str) -> T:
    """The record with this id; refused the way the workspace is set up to when there is none."""
    found = records.get(record_id)
    if found is None:
        raise RefusedError(f"invalid {what} id", workspace.options.missing_status)
    return found


def one_of(args: Mapping[str, Any], names: Sequence[str]) -> str:
    """Which one of `names` was given; refused when it is none or several."""
    given = [name for name in names if name in args]
    if len(given) != 1:
        raise RefusedError(f"give exactly one of {', '.join(names)}")
    return given[0]
