"""Reading a HubSpot look-alike back through HubSpot's own client, which knows nothing of this project.

That client speaks v3 and v4 paths, which the product's server refuses. `portal_for_foreigners` serves the same portal
on a port of its own with those paths, outside the request log that call counts are taken from:

    with portal_for_foreigners(portal) as address:
        records = hubspot_records(address, portal.token, "feature_request")
        links = hubspot_links(address, portal.token, "feature_request", "companies", [...])
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import hubspot  # type: ignore[import-untyped]  # the client has no types
import uvicorn
from hubspot.crm.associations import v4  # type: ignore[import-untyped]  # the client has no types

from integration_assets.sandbox.hubspot import Portal
from integration_assets.sandbox.hubspot.app import portal_app
from integration_assets_tests.support.waiting import PATIENCE_SECONDS, until

_STANDARD = {"companies", "contacts", "services", "projects", "tickets"}
_READ_BATCH = 1_000


@contextmanager
def served(app: Any) -> Iterator[str]:
    """An ASGI application on a loopback port, by its own thread; yields its address."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    until(lambda: server.started or not thread.is_alive(), "the server's start")
    if not thread.is_alive():
        raise RuntimeError("the server did not start")
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE_SECONDS)
        listener.close()


@contextmanager
def portal_for_foreigners(portal: Portal) -> Iterator[str]:
    """The portal, with the older paths as well, on a port of its own; yields its address."""
    with served(portal_app(portal, legacy_paths=True)) as address:
        yield address


def hubspot_client(base_url: str, token: str) -> Any:
    """HubSpot's client, pointed at a look-alike."""
    return hubspot.HubSpot(access_token=token, host=base_url)


def hubspot_records(
    base_url: str, token: str, object_name: str, *, archived: bool = False
) -> dict[str, dict[str, str | None]]:
    """Every record with all its properties (and `hs_object_id`), by its unique key.

    The key is the object's own unique property; objects without one (companies, contacts) go by record id.
    """
    client = hubspot_client(base_url, token)
    object_type = _object_type_id(client, object_name)
    definitions = client.crm.properties.core_api.get_all(object_type).results
    names = [one.name for one in definitions]
    unique = [one.name for one in definitions if one.has_unique_value and not one.hubspot_defined]
    key = unique[0] if unique else "hs_object_id"
    found: dict[str, dict[str, str | None]] = {}
    after = None
    while True:
        page = client.crm.objects.basic_api.get_page(
            object_type, limit=100, after=after, properties=names, archived=archived
        )
        for record in page.results:
            name = record.properties[key] or record.id
            if name in found:
                raise AssertionError(f"two records have the key {name}")
            found[name] = record.properties
        if page.paging is None:
            return found
        after = page.paging.next.after


def hubspot_links(
    base_url: str, token: str, from_object: str, to_object: str, record_ids: Iterable[str]
) -> dict[str, set[tuple[str, str | None]]]:
    """Associated records of each given record with the labels; the plain type of a pair has the label None."""
    client = hubspot_client(base_url, token)
    source, target = _object_type_id(client, from_object), _object_type_id(client, to_object)
    found: dict[str, set[tuple[str, str | None]]] = {record_id: set() for record_id in record_ids}
    waiting = [{"id": record_id} for record_id in found]
    while waiting:
        batch, waiting = waiting[:_READ_BATCH], waiting[_READ_BATCH:]
        answer = client.crm.associations.v4.batch_api.get_page(
            source, target, v4.BatchInputPublicFetchAssociationsBatchRequest(inputs=batch)
        )
        for one in answer.results:
            record_id = one._from.id
            for other in one.to:
                found[record_id] |= {(str(other.to_object_id), kind.label) for kind in other.association_types}
            if one.paging is not None and one.paging.next is not None:
                waiting.append({"id": record_id, "after": one.paging.next.after})
    return found


def _object_type_id(client: Any, name: str) -> str:
    if name in _STANDARD:
        return name
    for schema in client.crm.schemas.core_api.get_all(archived=False).results:
        if schema.name == name:
            return str(schema.object_type_id)
    raise LookupError(f"the portal has no object named {name}")
