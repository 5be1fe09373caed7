r"""The little language that says where a value stands in a JSON answer: `subscription.arr`, `domains[0]`, `a["x y"]`.

Names are joined by dots, `[0]` counts from zero, `["any text"]` is for names with odd characters (`\"` and `\\` in
it). The empty path is the answer itself. There is nothing else: no expressions, no wildcards, no functions.
"""

from __future__ import annotations

import re
from typing import Any

Path = tuple[str | int, ...]

LONGEST_PATH = 500
MOST_STEPS = 20

_STEP = re.compile(
    r"""(?P<dot>\.)?(?P<name>[A-Za-z_][A-Za-z0-9_-]*)
    |\[(?P<index>0|[1-9][0-9]{0,5})\]
    |\["(?P<text>(?:[^"\\\x00-\x1f]|\\["\\])*)"\]""",
    re.VERBOSE,
)
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_ESCAPED = re.compile(r'\\(["\\])')


class PathError(ValueError):
    """The text is no path. The message says where it stops being one."""


class WrongKindError(ValueError):
    """On the way there is something that holds no such step: text where an object should be, for one."""


def parse_path(text: str) -> Path:
    """The steps of a path.

    Raises:
        PathError: it is none.
    """
    if len(text) > LONGEST_PATH:
        raise PathError(f"must have at most {LONGEST_PATH} characters")
    steps: list[str | int] = []
    at = 0
    while at < len(text):
        found = _STEP.match(text, at)
        # A dot stands between two steps, and only before a name.
        if found is None or (found["name"] is not None and bool(found["dot"]) != bool(steps)):
            raise PathError(f'is not a path, see character {at + 1}: write it like a.b[0].c or a["x y"]')
        if found["index"] is not None:
            steps.append(int(found["index"]))
        else:
            steps.append(found["name"] if found["name"] is not None else _ESCAPED.sub(r"\1", found["text"]))
        at = found.end()
    if len(steps) > MOST_STEPS:
        raise PathError(f"must have at most {MOST_STEPS} steps")
    return tuple(steps)


def path_text(path: Path) -> str:
    """A path as one would write it."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        elif _PLAIN_NAME.fullmatch(step):
            parts.append(f".{step}" if parts else step)
        else:
            escaped = step.replace("\\", "\\\\").replace('"', '\\"')
            parts.append(f'["{escaped}"]')
    return "".join(parts)


def value_at(value: Any, path: Path) -> Any:
    """Return the value at a path; None when it is null, or absent, or something on the way is.

    Raises:
        WrongKindError: something on the way is neither absent nor of the kind that has such a step.
    """
    for place, step in enumerate(path):
        if value is None:
            return None
        if isinstance(step, int):
            if not isinstance(value, list):
                raise WrongKindError(_should_be("a list", value, path[:place]))
            value = value[step] if step < len(value) else None
        else:
            if not isinstance(value, dict):
                raise WrongKindError(_should_be("an object", value, path[:place]))
            value = value.get(step)
    return value


def kind_of(value: Any) -> str:
    """Name the kind of a JSON value."""
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object", type(None): "nothing"}
    return kinds.get(type(value), "something else")


def _should_be(wanted: str, value: Any, path: Path) -> str:
    where = f"`{path_text(path)}`" if path else "the row"
    return f"{where} should be {wanted} and is {kind_of(value)}"
