"""Tags by which Dagster's queue keeps runs of one credential apart."""

from __future__ import annotations

import logging

from integration_assets.config import load_settings
from integration_assets.errors import IntegrationError
from integration_assets.runs.launch import CREDENTIAL_TAG
from integration_assets.tenants.shared_credentials import shared_credentials

log = logging.getLogger(__name__)


def queue_tags() -> dict[str, dict[str, str]]:
    """Tags for the runs of each tenant that shares a feedback credential with others."""
    try:
        return {tenant: {CREDENTIAL_TAG: name} for tenant, name in shared_credentials(load_settings()).items()}
    # The runs say themselves what is wrong with the registry; without the tag they only wait for each other's calls.
    except IntegrationError as error:
        log.warning("runs are queued without the tag of their credential: %s", error.message)
        return {}
