"""Which routes answer somebody who is not logged in."""

from __future__ import annotations

from collections.abc import Iterator

from integration_assets.web.routes import ROUTES
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.security.pages import pages

GROUPS = ("/login", "/password", "/health", "/ready", "/metrics", "/.well-known/security.txt", "/static/")
"""Login, setting a password by a link, what machines ask, security.txt, and the files of the pages: what may."""
SOME_ID = "00000000-0000-4000-8000-000000000000"


@proof("open_routes", "security", "Strangers get nowhere but to the login.", small=1)
def measure(_scale: Scale) -> Iterator[Row]:
    """Count how many are as they must be, and of how many."""
    opened, closed = set(), []
    with pages() as served, served.client() as stranger:
        for route in ROUTES:
            path = route.path
            if "{" in path:
                path = path[: path.index("{")] + SOME_ID + path[path.index("}") + 1 :]
            for method in sorted(route.methods or ()):
                answer = stranger.call(method, path)
                sent_away = answer.status_code == 401 or answer.headers.get("location") == "/login"
                group = next((one for one in GROUPS if route.path.startswith(one)), None)
                if group is not None:
                    opened.add(group)
                else:
                    closed.append(sent_away)
    yield counted("groups of routes open to strangers, all meant to be", len(opened), len(GROUPS))
    yield counted("other routes and methods that send strangers away", sum(closed), len(closed))
