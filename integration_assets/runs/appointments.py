"""Appointments: when a run that could not finish is to be tried again, in a small file per tenant.

The sensor that keeps them reads one folder, which is empty while all is well, instead of every tenant's runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from integration_assets.config import Environment
from integration_assets.staging.store import make_private_directory
from integration_assets.whole_files import write_whole

FOLDER = "retries"


class Appointment(msgspec.Struct, frozen=True):
    """A run that could not finish, and when it is tried again, UTC."""

    run_id: str
    at: datetime


def appointment_path(home: Path, environment: Environment, tenant: str) -> Path:
    """File of a tenant's appointment: `<home>/retries/<environment>/<tenant>.json`."""
    return home / FOLDER / environment.value / f"{tenant}.json"


def make_appointment(path: Path, appointment: Appointment) -> None:
    """Keep an appointment in place of an earlier one: that run's work is what this one took over.

    Raises:
        OSError: it cannot be written.
    """
    make_private_directory(path.parent)
    write_whole(path, msgspec.json.encode(appointment))


def appointments(home: Path) -> Iterator[tuple[Path, Appointment | None]]:
    """All appointments by file; None for one that cannot be read, or that no version of ours has written."""
    for path in sorted((home / FOLDER).glob("*/*.json")):
        try:
            yield path, msgspec.json.decode(path.read_bytes(), type=Appointment)
        # One tenant's file must not cost the others their retry.
        except (OSError, msgspec.DecodeError):
            yield path, None
