"""The two ways Canny pages: by skip with `hasMore`, and by cursor with `hasNextPage`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from integration_assets.sandbox.canny.body import SKIP, TEXT, V1_LIMIT, V2_LIMIT, RefusedError
from integration_assets.sandbox.canny.timeline import Key, make_cursor, read_cursor, take

DEFAULT_LIMIT = 10
SKIP_PAGE = {"limit": V1_LIMIT, "skip": SKIP}
CURSOR_PAGE = {"limit": V2_LIMIT, "cursor": TEXT}

Json = dict[str, Any]
Walk = Callable[[Key | None], Iterator[Key]]
"""All keys of a list in its order, starting behind a key."""
Keep = Callable[[str], bool]
"""Whether the record with this id passes the filters."""


def skip_page(walk: Walk, keep: Keep | None, args: Json, show: Callable[[str], Json]) -> tuple[list[Json], bool]:
    """The asked page, and whether more follow."""
    keys, more = take(walk(None), args.get("limit", DEFAULT_LIMIT), skip=args.get("skip", 0), keep=keep)
    return [show(record_id) for _, record_id in keys], more


def cursor_page(name: str, walk: Walk, keep: Keep | None, args: Json, show: Callable[[str], Json]) -> Json:
    """The answer of a cursor list whose records are under `name`."""
    filters = {key: value for key, value in args.items() if key not in ("limit", "cursor")} | {"list": name}
    after = None
    if "cursor" in args:
        after = read_cursor(args["cursor"], filters)
        if after is None:
            raise RefusedError("invalid cursor")
    keys, more = take(walk(after), args.get("limit", DEFAULT_LIMIT), keep=keep)
    return {
        name: [show(record_id) for _, record_id in keys],
        "hasNextPage": more,
        "cursor": make_cursor(keys[-1], filters) if more else None,
    }


def listed(name: str, records: list[Json], args: Json) -> Json:
    """The answer of a short list by skip, whose records are under `name`."""
    skip, limit = args.get("skip", 0), args.get("limit", DEFAULT_LIMIT)
    return {name: records[skip : skip + limit], "hasMore": skip + limit < len(records)}
