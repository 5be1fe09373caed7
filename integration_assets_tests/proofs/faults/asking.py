"""Which requests a fault is about: predicates over what a look-alike's log holds."""

from __future__ import annotations

from collections.abc import Callable

from integration_assets.sandbox.lookalike import LoggedRequest
from integration_assets_tests.proofs.faults.tampering import Matches
from integration_assets_tests.support.fault_server import Request


def is_upsert(request: LoggedRequest) -> bool:
    """Writes of records."""
    return request.path.endswith("/batch/upsert")


def is_link(request: LoggedRequest) -> bool:
    """Writes of links."""
    return "/associations/" in request.path and request.path.endswith("/batch/create")


def is_posts_list(request: LoggedRequest) -> bool:
    """Reads of Canny's list of requests."""
    return request.path.endswith("/v1/posts/list")


def anything(_request: LoggedRequest) -> bool:
    """Every request."""
    return True


def path_ends(*ends: str) -> Matches:
    """Requests whose path ends so."""
    return lambda request: request.path.endswith(ends)


def holding(matches: Matches, text: str) -> Matches:
    """Those of them whose body holds this text."""
    return lambda request: matches(request) and text.encode() in request.body


def first_then(matches: Matches, act: Callable[[], None]) -> Matches:
    """Matches nothing; does something once, just before the first such request is worked on."""
    waiting = [act]

    def matched(request: LoggedRequest) -> bool:
        if waiting and matches(request):
            waiting.pop()()
        return False

    return matched


def raw_path_ends(*ends: str) -> Callable[[Request], bool]:
    """The same for requests as a raw socket server sees them."""
    return lambda request: request.line.split(" ")[1].partition("?")[0].endswith(ends)
