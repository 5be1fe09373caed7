"""Small worlds for end-to-end tests: a sandbox with the home of the product beside it, copied as often as needed."""

from __future__ import annotations

import asyncio
import copy
import shutil
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from integration_assets.config import load_settings
from integration_assets.sandbox.canny import canny_lookalike
from integration_assets.sandbox.hubspot import hubspot_lookalike
from integration_assets.sandbox.server import Sandbox, SandboxAddresses, SeededPortal
from integration_assets.sandbox.slack import slack_lookalike
from integration_assets.sync.feature_request_object import FEATURE_REQUEST, MANAGED_STATE
from integration_assets.tenants.setting_up import set_up
from integration_assets_tests.foreign import hubspot_links, hubspot_records, portal_for_foreigners

MOMENTS = frozenset({"retired_at"})
"""Managed properties that hold when something was done: two runs never agree in them."""


class CrmState(NamedTuple):
    """What a portal holds of ours, in terms that do not depend on the portal's ids or on when it was written."""

    records: dict[str, dict[str, str | None]]
    links: dict[str, set[tuple[str, str, str | None]]]
    archived: set[str]


def variables(addresses: SandboxAddresses, home: Path) -> dict[str, str]:
    """The variables that point the product at a served sandbox, with everything local under `home`."""
    return {
        **addresses.environment(),
        "INTEGRATION_ASSETS_HOME": str(home),
        "INTEGRATION_ASSETS_OVERRIDES": str(home / "overrides.csv"),
        "INTEGRATION_ASSETS_ENVIRONMENT": "sandbox",
    }


def prepare(sandbox: Sandbox, addresses: SandboxAddresses, home: Path) -> None:
    """Set the sandbox portal up and make the home ready for a first run."""
    home.mkdir(parents=True, exist_ok=True)
    (home / "overrides.csv").write_text(sandbox.overrides_csv("sandbox"), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("integration_assets.sync.setup.POLL_SECONDS", 0.05)  # the portal does not lag for seconds
        for name, value in variables(addresses, home).items():
            patched.setenv(name, value)
        patched.delenv("DAGSTER_HOME", raising=False)
        asyncio.run(set_up(load_settings(), "default", lambda _lines: True))


def copied(sandbox: Sandbox) -> Sandbox:
    """A sandbox in the same state, independent of the first. Neither may be answering a request."""
    locks: dict[int, Any] = {id(one.portal.lock): threading.RLock() for one in (sandbox.sandbox, sandbox.production)}
    sample, seeded, production, team = copy.deepcopy(
        (sandbox.sample, sandbox.sandbox, sandbox.production, sandbox.team), locks
    )
    return Sandbox(
        sample=sample,
        canny=canny_lookalike(sample.workspace),
        hubspot_sandbox=hubspot_lookalike(seeded.portal),
        hubspot_production=hubspot_lookalike(production.portal),
        slack=slack_lookalike(team),
        sandbox=seeded,
        production=production,
        team=team,
    )


def copied_home(home: Path, to: Path) -> Path:
    """A copy of everything local."""
    return Path(shutil.copytree(home, to))


def crm_state(seeded: SeededPortal) -> CrmState:
    """What HubSpot's own client reads of our records and their links; fails when a key is there twice."""
    portal = seeded.portal
    with ExitStack() as stack:
        address = stack.enter_context(portal_for_foreigners(portal))
        records = hubspot_records(address, portal.token, FEATURE_REQUEST.name)
        archived = set(hubspot_records(address, portal.token, FEATURE_REQUEST.name, archived=True))
        key_of = {str(values["hs_object_id"]): key for key, values in records.items()}
        links: dict[str, set[tuple[str, str, str | None]]] = {key: set() for key in records}
        for target, names in (("companies", ("name", "domain")), ("contacts", ("email",))):
            known = hubspot_records(address, portal.token, target)
            found = hubspot_links(address, portal.token, FEATURE_REQUEST.name, target, key_of)
            for record_id, pairs in found.items():
                links[key_of[record_id]] |= {
                    (target, " ".join(str(known[other][name]) for name in names), label) for other, label in pairs
                }
    return CrmState({key: _managed(values) for key, values in records.items()}, links, archived)


def _managed(values: Mapping[str, str | None]) -> dict[str, str | None]:
    """Managed properties without moments; the digest of a moment is left out as well."""
    kept = {
        definition.name: values.get(definition.name)
        for definition in FEATURE_REQUEST.properties
        if definition.name not in MOMENTS
    }
    digests = (kept[MANAGED_STATE] or "").split()
    kept[MANAGED_STATE] = " ".join(one for one in digests if one.partition(":")[0] not in MOMENTS)
    return kept
