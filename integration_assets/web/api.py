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
from integration_assets.web import integration_changes
from integration_assets.web.api_bodies import (
    InternalCreate,
    InternalUpdate,
    Session,
    ThirdPartyCreate,
    ThirdPartyUpdate,
    Tried,
    decoded,
)
from integration_assets.web.connection_tests import check_internal, check_third_party
from integration_assets.web.problems import Problem
from integration_assets.web.request_context import RequestContext

THIRD_PARTY = "/api/third-party-integrations"
INTERNAL = "/api/internal-integrations"
AUDIT_ENTRIES = 200


def session(context: RequestContext) -> Response:
    """Return who is logged in."""
    who = context.who
    return _json(Session(who.login, who.role, context.tenant.slug if context.tenant else None, who.csrf_token))


def audit_trail(context: RequestContext) -> Response:
    """The newest entries about this tenant."""
    with tenant_repository(context.registry, context.own.id, context.actor) as repository:
        return _json(repository.audit_trail(limit=AUDIT_ENTRIES))


# -- third-party integrations


def list_third_party(context: RequestContext) -> Response:
    """All of the tenant."""
    return _json(integration_changes.integrations(context)[0])


def create_third_party(context: RequestContext) -> Response:
    """Make one."""
    view = integration_changes.add_third_party(context, decoded(context.body, ThirdPartyCreate).new())
    return _json(view, HTTPStatus.CREATED, {"location": f"{THIRD_PARTY}/{view.id}"})


def read_third_party(context: RequestContext) -> Response:
    """One of them."""
    return _json(integration_changes.third_party(context, context.path("record_id")))


def update_third_party(context: RequestContext) -> Response:
    """Change what is named."""
    changes = decoded(context.body, ThirdPartyUpdate).changes()
    return _json(integration_changes.change_third_party(context, context.path("record_id"), changes))


def delete_third_party(context: RequestContext) -> Response:
    """Remove one with its secret."""
    _without_body(context)
    integration_changes.remove_third_party(context, context.path("record_id"))
    return Response(status_code=HTTPStatus.NO_CONTENT)


def check_third_party_connection(context: RequestContext) -> Response:
    """Test the connection, as it is stored."""
    _without_body(context)
    return _json(Tried(*check_third_party(context, context.path("record_id"))))


def switch_third_party(*, enabled: bool) -> Callable[[RequestContext], Response]:
    """Enable or disable one."""

    def handler(context: RequestContext) -> Response:
        _without_body(context)
        changes = ThirdPartyChanges(enabled=enabled)
        return _json(integration_changes.change_third_party(context, context.path("record_id"), changes))

    return handler


# -- internal-system integrations


def list_internal(context: RequestContext) -> Response:
    """All of the tenant."""
    return _json(integration_changes.integrations(context)[1])


def create_internal(context: RequestContext) -> Response:
    """Make one."""
    view = integration_changes.add_internal(context, decoded(context.body, InternalCreate).new())
    return _json(view, HTTPStatus.CREATED, {"location": f"{INTERNAL}/{view.id}"})


def read_internal(context: RequestContext) -> Response:
    """One of them."""
    return _json(integration_changes.internal(context, context.path("record_id")))


def update_internal(context: RequestContext) -> Response:
    """Change what is named."""
    changes = decoded(context.body, InternalUpdate).changes()
    return _json(integration_changes.change_internal(context, context.path("record_id"), changes))


def delete_internal(context: RequestContext) -> Response:
    """Remove one with its secret."""
    _without_body(context)
    integration_changes.remove_internal(context, context.path("record_id"))
    return Response(status_code=HTTPStatus.NO_CONTENT)


def check_internal_connection(context: RequestContext) -> Response:
    """Test the connection, as it is stored."""
    _without_body(context)
    return _json(Tried(*check_internal(context, context.path("record_id"))))


def switch_internal(*, enabled: bool) -> Callable[[RequestContext], Response]:
    """Enable or disable one."""

    def handler(context: RequestContext) -> Response:
        _without_body(context)
        changes = InternalChanges(enabled=enabled)
        return _json(integration_changes.change_internal(context, context.path("record_id"), changes))

    return handler


def _without_body(context: RequestContext) -> None:
    """Refuse a body: what is tested, switched or deleted is what is stored, not what is sent along.

    Raises:
        Problem: something was sent along.
    """
    # An address in the body of a test would read like one that is asked: refused, so that nobody believes it was.
    if context.body not in (b"", b"{}"):
        raise Problem(HTTPStatus.BAD_REQUEST, "send no body: this works on what is stored")


def _json(value: Any, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
