"""Parts by themselves: the sandbox's start, a large portal of it, and the keys of a large registry changed."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
from sqlalchemy import insert

from benchmarks.base import Row

SECRETS = 10_000
COMPANIES, LINKS, SEARCHED_PAGES = 200_000, 2_000, 20


def measure(seed: int) -> Iterator[Row]:
    """Processor time of this process, so that what else the machine does counts little."""
    yield _sandbox(seed)
    yield from _large_portal()
    yield _rotation()


def _sandbox(seed: int) -> Row:
    from integration_assets.sandbox.sample_data import build_sample
    from integration_assets.sandbox.server import build_sandbox, serving

    started = time.process_time()
    with serving(build_sandbox(build_sample(seed=seed))):
        seconds = time.process_time() - started
    return Row("the embedded sandbox, from nothing to served", f"{seconds:.1f} s", "under 2 s", seconds < 2)


def _large_portal() -> Iterator[Row]:
    from integration_assets.sandbox.hubspot import Portal, PortalOptions, RateLimits, hubspot_lookalike
    from integration_assets.sandbox.serving import listening

    portal = Portal(111_222, token="of-the-bench", options=PortalOptions(rates=RateLimits(search_secondly=None)))  # noqa: S106 # nosec B106 - a look-alike's
    companies = "/crm/objects/2026-09/companies"
    ids = portal.seed("companies", ({"name": f"c{n}", "domain": f"c{n}.com"} for n in range(COMPANIES)))
    contact = portal.seed("contacts", [{"email": "ann@acme.example"}])[0]
    kind = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 279}]
    pairs = [{"from": {"id": contact}, "to": {"id": one}, "types": kind} for one in ids[:LINKS]]
    headers = {"Authorization": "Bearer of-the-bench"}
    with listening([hubspot_lookalike(portal)]) as [url], httpx.Client(base_url=url, headers=headers) as client:
        started = time.process_time()
        for position in (0, COMPANIES // 2, COMPANIES - 100):
            client.get(companies, params={"limit": 100, "after": ids[position]}).raise_for_status()
        link = client.post("/crm/associations/2026-09/contacts/companies/batch/create", json={"inputs": pairs})
        link.raise_for_status()
        seconds = time.process_time() - started
        yield Row(
            f"a portal of {COMPANIES:,} companies: three pages listed, {LINKS:,} links made",
            f"{seconds:.1f} s",
            "under 5 s",
            seconds < 5,
        )
        started = time.process_time()
        filters = [{"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": "0"}]
        for page in range(SEARCHED_PAGES):
            wanted = {"filterGroups": [{"filters": filters}], "limit": 200, "after": str(page * 200)}
            client.post(f"{companies}/search", json=wanted, timeout=60).raise_for_status()
        seconds = time.process_time() - started
        yield Row(f"the same: {SEARCHED_PAGES} pages searched", f"{seconds:.1f} s", "under 20 s", seconds < 20)


def _rotation() -> Row:
    from integration_assets.config import Settings
    from integration_assets.tenants.registry.audit import Actor
    from integration_assets.tenants.registry.database import open_registry
    from integration_assets.tenants.registry.directory import directory
    from integration_assets.tenants.registry.master import generate
    from integration_assets.tenants.registry.models import InternalIntegration, new_id
    from integration_assets.tenants.registry.rotation import reencrypt, rotate
    from integration_assets.tenants.registry.secrets import place_of
    from integration_assets.tenants.registry.vault import seal

    actor = Actor("the bench")
    with tempfile.TemporaryDirectory() as folder:
        values = {"INTEGRATION_ASSETS_HOME": Path(folder), "INTEGRATION_ASSETS_KEY": generate()}
        registry = open_registry(Settings.model_validate(values), create=True)
        if registry is None:
            raise RuntimeError("no registry was made")
        with directory(registry, actor) as tenants:
            tenants.add_tenant("acme")
            owner = tenants.tenant("acme")
        with registry.session() as session:
            key, rows = registry.keyring.active(session, owner.id), []
            for number in range(SECRETS):
                row = InternalIntegration(id=new_id(), tenant_id=owner.id, auth_flow="bearer", secret_serial=1)
                rows.append(
                    {
                        "id": row.id,
                        "tenant_id": owner.id,
                        "name": str(number),
                        "auth_flow": "bearer",
                        "base_url": "https://x.example",
                        "secret": seal(key, b"a-token-of-usual-length-0123456789", place_of(row)),
                        "secret_serial": 1,
                        "created_at": owner.created_at,
                        "updated_at": owner.created_at,
                    }
                )
            session.execute(insert(InternalIntegration), rows)
        started = time.process_time()
        done = reencrypt(registry, actor)
        rotate(registry, actor)
        seconds = time.process_time() - started
        registry.close()
    return Row(f"{done:,} secrets sealed anew, keys rotated", f"{seconds:.1f} s", "under 10 s", seconds < 10)
