"""The API: two groups of routes for two kinds of integration, and the document that describes them.

JSON in and out, problems as `application/problem+json` with a message for each field.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response

from integration_assets.tenants.registry.changes import InternalChanges, ThirdPartyChanges
from integration_assets.tenants.registry.repository import tenant_repository
from integration_assets.web import managing
from integration_assets.web.api_bodies import (
    InternalCreate,
    InternalUpdate,
    Session,
    ThirdPartyCreate,
    ThirdPartyUpdate,
    Tried,
    decoded,
)
from integration_assets.web.problems import Problem
from integration_assets.web.testing import test_internal, test_third_party
from integration_assets.web.visit import Visit

THIRD_PARTY = "/api/third-party-integrations"
INTERNAL = "/api/internal-integrations"
AUDIT_ENTRIES = 200


def session(visit: Visit) -> Response:
    """Who is logged in."""
    who = visit.who
    return _json(Session(who.login, who.role, visit.tenant.slug if visit.tenant else None, who.csrf_token))


def audit_trail(visit: Visit) -> Response:
    """The newest entries about this tenant."""
    with tenant_repository(visit.registry, visit.own.id, visit.actor) as repository:
        return _json(repository.audit_trail(limit=AUDIT_ENTRIES))


# -- third-party integrations


def list_third_party(visit: Visit) -> Response:
    """All of the tenant."""
    return _json(managing.integrations(visit)[0])


def create_third_party(visit: Visit) -> Response:
    """Make one."""
    view = managing.add_third_party(visit, decoded(visit.body, ThirdPartyCreate).new())
    return _json(view, HTTPStatus.CREATED, {"location": f"{THIRD_PARTY}/{view.id}"})


def read_third_party(visit: Visit) -> Response:
    """One of them."""
    return _json(managing.third_party(visit, visit.path("record_id")))


def update_third_party(visit: Visit) -> Response:
    """Change what is named."""
    changes = decoded(visit.body, ThirdPartyUpdate).changes()
    return _json(managing.change_third_party(visit, visit.path("record_id"), changes))


def delete_third_party(visit: Visit) -> Response:
    """Remove one with its secret."""
    _without_body(visit)
    managing.remove_third_party(visit, visit.path("record_id"))
    return Response(status_code=HTTPStatus.NO_CONTENT)


def try_third_party(visit: Visit) -> Response:
    """Test the connection, as it is stored."""
    _without_body(visit)
    return _json(Tried(*test_third_party(visit, visit.path("record_id"))))


def switch_third_party(*, enabled: bool) -> Callable[[Visit], Response]:
    """Enable or disable one."""

    def handler(visit: Visit) -> Response:
        _without_body(visit)
        changes = ThirdPartyChanges(enabled=enabled)
        return _json(managing.change_third_party(visit, visit.path("record_id"), changes))

    return handler


# -- internal-system integrations


def list_internal(visit: Visit) -> Response:
    """All of the tenant."""
    return _json(managing.integrations(visit)[1])


def create_internal(visit: Visit) -> Response:
    """Make one."""
    view = managing.add_internal(visit, decoded(visit.body, InternalCreate).new())
    return _json(view, HTTPStatus.CREATED, {"location": f"{INTERNAL}/{view.id}"})


def read_internal(visit: Visit) -> Response:
    """One of them."""
    return _json(managing.internal(visit, visit.path("record_id")))


def update_internal(visit: Visit) -> Response:
    """Change what is named."""
    changes = decoded(visit.body, InternalUpdate).changes()
    return _json(managing.change_internal(visit, visit.path("record_id"), changes))


def delete_internal(visit: Visit) -> Response:
    """Remove one with its secret."""
    _without_body(visit)
    managing.remove_internal(visit, visit.path("record_id"))
    return Response(status_code=HTTPStatus.NO_CONTENT)


def try_internal(visit: Visit) -> Response:
    """Test the connection, as it is stored."""
    _without_body(visit)
    return _json(Tried(*test_internal(visit, visit.path("record_id"))))


def switch_internal(*, enabled: bool) -> Callable[[Visit], Response]:
    """Enable or disable one."""

    def handler(visit: Visit) -> Response:
        _without_body(visit)
        changes = InternalChanges(enabled=enabled)
        return _json(managing.change_internal(visit, visit.path("record_id"), changes))

    return handler


def _without_body(visit: Visit) -> None:
    """What is tested, switched or deleted is what is stored: nobody sends an address or a secret along.

    Raises:
        Problem: something was sent along.
    """
    if visit.body not in (b"", b"{}"):
        raise Problem(HTTPStatus.BAD_REQUEST, "send no body: this works on what is stored")


def _json(value: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
