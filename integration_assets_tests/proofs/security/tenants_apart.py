"""Every route that takes an id, asked by another tenant's admin with acme's ids: 404, as for an id that nobody has."""

from __future__ import annotations

from collections.abc import Iterator

import httpx

from integration_assets.tenants.registry.audit import Actor
from integration_assets.tenants.registry.changes import NotFoundError
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.web.routes import ROUTES
from integration_assets_tests.proofs.registry import Row, Scale, counted, proof
from integration_assets_tests.proofs.security.pages import (
    ACME,
    DESCRIPTION,
    GLOBEX,
    INTERNAL,
    THIRD,
    Pages,
    made,
    pages,
)
from integration_assets_tests.support.registries import tenant_id
from integration_assets_tests.support.web_site import Client

NOBODYS = "00000000-0000-4000-8000-000000000000"


@proof("tenants_apart", "security", "A tenant never sees that another exists.", small=1)
def measure(_scale: Scale) -> Iterator[Row]:
    """Count how many attempts were refused without a trace, and of how many."""
    with pages() as served:
        results = list(_attempts(served))
    yield counted("cross-tenant attempts refused as 404", sum(results), len(results))


def _attempts(served: Pages) -> Iterator[bool]:
    with served.client(ACME) as ann, served.client(GLOBEX) as gus:
        secret = {"secret": "a secret of acme 0123456789"}
        third = made(ann, THIRD, {"provider": "hubspot", "environment": "sandbox", "base_url": served.own, **secret})
        bearer = {"name": "B", "base_url": served.own, "auth_flow": "bearer"}
        internal = made(ann, INTERNAL, {**bearer, **secret, **DESCRIPTION})
        for route in ROUTES:
            if "{" not in route.path:
                continue
            for method in sorted((route.methods or set()) - {"HEAD"}):
                for record in (third, internal, "acme", "../acme", f"{third}%00", third.upper()):
                    yield _refused(gus, method, route.path, record)
        yield from _trusted_claims(gus, third, internal)
        yield ann.call("GET", f"{THIRD}/{third}").json()["enabled"] is True
    yield from _run_path(served, third, internal)


def _refused(gus: Client, method: str, route: str, record: str) -> bool:
    """Whether an id is answered as one that nobody has."""
    head, _, tail = route.partition("{")
    answers = []
    for asked in (record, NOBODYS):
        path = head + asked + tail.partition("}")[2]
        body = {"enabled": False} if method == "PATCH" else None
        answers.append(gus.call(method, path, body) if path.startswith("/api/") else _page(gus, method, path))
    theirs, nobodys = answers
    return theirs.status_code == nobodys.status_code == 404


def _page(gus: Client, method: str, path: str) -> httpx.Response:
    return gus.get(path) if method == "GET" else gus.post(path, {"secret": "a stolen one", "hash": "0" * 64})


def _trusted_claims(gus: Client, third: str, internal: str) -> Iterator[bool]:
    """A tenant named by the asker, in whatever place, is not believed."""
    for group, record in ((THIRD, third), (INTERNAL, internal)):
        for query in ("tenant=acme", "tenant_id=acme", "project=acme"):
            yield gus.call("GET", f"{group}?{query}").json() == []
            yield gus.call("GET", f"{group}/{record}?{query}").status_code == 404
        for header in ("x-tenant", "x-tenant-id", "x-forwarded-user"):
            yield gus.call("GET", group, **{header: "acme"}).json() == []
        gus.http.cookies.set("tenant", "acme")
        yield gus.call("GET", group).json() == []
        gus.http.cookies.delete("tenant")
        for name in ("tenant", "tenant_id"):
            body = {"provider": "slack", "environment": "any", name: "acme"}
            yield gus.call("POST", group, body).status_code == 400


def _run_path(served: Pages, third: str, internal: str) -> Iterator[bool]:
    """What a run does with an id of another tenant."""
    globex = tenant_id(served.registry, "globex")
    for record in (third, internal):
        for name in ("open_third_party", "open_internal", "remove_third_party", "remove_internal"):
            try:
                with tenant_repository(served.registry, globex, Actor("a run")) as repository:
                    getattr(repository, name)(record)
            except NotFoundError:
                yield True
            else:
                yield False
