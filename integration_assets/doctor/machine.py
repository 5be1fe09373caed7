"""Checks of this machine: what is installed, the home, the staging store, its ledger, and what a dead run left."""

from __future__ import annotations

import platform
import re
import shutil
import sys
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement

from integration_assets import __version__
from integration_assets.config import variable
from integration_assets.doctor.context import DoctorContext, NotTriedError, in_thread
from integration_assets.doctor.findings import CheckOutcome, fail, failed, ok, warn
from integration_assets.doctor.store import StoreFacts, bytes_of, store_facts
from integration_assets.errors import IntegrationError
from integration_assets.reporting.advice import for_whom
from integration_assets.staging.sharing import exposed
from integration_assets.staging.store import make_private_directory

OLDEST_PYTHON, FIRST_UNTRIED_PYTHON = (3, 11), (3, 14)
SYSTEMS = ("Linux", "Darwin")
"""Systems on which the locks of the staging store are known to work."""
LOCK = "requirements.lock"
LOCK_OF_CHECKOUT = Path(__file__).parents[2] / LOCK
"""Beside the package in a checkout, which `make install` installs from it. A wheel has none: pip chose the versions."""
DISTRIBUTION = "integration-assets"
LITTLE_BYTES = 1_000_000_000
RUNS_OF_ROOM = 2
"""A run writes the store anew in the worst case, and what it publishes."""
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


async def installation(_case: DoctorContext) -> CheckOutcome:
    """1: Python, system and packages, against the lock of a checkout or the ranges that a wheel declares."""
    return await in_thread(_installation)


def _installation() -> CheckOutcome:
    here = f"integration-assets {__version__}, Python {platform.python_version()} on {platform.system()}"
    if not OLDEST_PYTHON <= sys.version_info[:2] < FIRST_UNTRIED_PYTHON:
        return fail(f"{here}: Python 3.11 to 3.13 is needed", "make clean install PYTHON=python3.12")
    if platform.system() not in SYSTEMS:
        return warn(f"{here}: never tried on this system", "use Linux or macOS")
    if LOCK_OF_CHECKOUT.is_file():
        others = different_packages(LOCK_OF_CHECKOUT.read_text(encoding="utf-8"))
        return warn(f"{here}; not as locked: {_few(others)}", "make install") if others else ok(f"{here}, as locked")
    outside = packages_outside(requires(DISTRIBUTION) or [])
    if outside:
        return warn(f"{here}; not what it was tried with: {_few(outside)}", f"pip install --upgrade {DISTRIBUTION}")
    return ok(f"{here}, packages within the declared ranges")


def _few(packages: list[str]) -> str:
    return ", ".join(packages[:5]) + (f" and {len(packages) - 5} more" if len(packages) > 5 else "")


def packages_outside(requirements: Iterable[str]) -> list[str]:
    """Packages that are missing or of a version outside the range of a requirement, as metadata writes it (PEP 508)."""
    outside = []
    for requirement in map(Requirement, requirements):
        # another system's or Python's, or an extra that nobody asked for
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            have = version(requirement.name)
        except PackageNotFoundError:
            outside.append(f"{requirement.name} is missing")
            continue
        if not requirement.specifier.contains(have, prereleases=True):
            outside.append(f"{requirement.name} {have} instead of {requirement.specifier}")
    return outside


def different_packages(lock: str) -> list[str]:
    """Installed packages of another version than locked. A universal lock may name several for one package."""
    locked: dict[str, set[str]] = {}
    for name, wanted in _PINNED.findall(lock):
        locked.setdefault(name, set()).add(wanted)
    different = []
    for name, wanted in locked.items():
        try:
            have = version(name)
        except PackageNotFoundError:
            continue  # for another system or Python; what is needed and missing does not get this far
        if have not in wanted:
            different.append(f"{name} {have} instead of {' or '.join(sorted(wanted))}")
    return different


async def home(context: DoctorContext) -> CheckOutcome:
    """2: the home can be written, and there is room for another run."""
    return await in_thread(lambda: _home(context))


def _home(context: DoctorContext) -> CheckOutcome:
    place = context.operator.home
    try:
        make_private_directory(place)
        probe = place / ".doctor"
        # Writing is the only sure answer: permissions say nothing of a full or read-only disk.
        probe.touch()
        probe.unlink()
    except OSError as error:
        fix = f"set {variable('home')} to a writable folder"
        return fail(f"{place} cannot be written: {error.strerror}", fix, usage=True)
    # Against what the last run left, since a store may be a megabyte or many gigabytes.
    free, left = shutil.disk_usage(place).free, bytes_of(context)
    needed = RUNS_OF_ROOM * left
    wanted = f", {RUNS_OF_ROOM} times what the last run left is {size(needed)}" if left else "; no run left any yet"
    room = f"{free / 1e9:,.1f} GB free{wanted}"
    if free < needed:
        return fail(f"{place}: {room}", f"free some disk space, or move {variable('home')}")
    if free < LITTLE_BYTES:
        return warn(f"{place}: {room}", "free some disk space soon")
    if open_to_others := exposed(place):
        named = ", ".join(entry.name for entry in open_to_others[:5])
        more = f" and {len(open_to_others) - 5} more" if len(open_to_others) > 5 else ""
        return warn(
            f"other accounts of this machine may open {named}{more} in {place}",
            f"chmod go= {place}; to let them read what is published and no more, set {variable('share_published')}",
        )
    return ok(f"{place} can be written; {room}")


def size(number: int) -> str:
    """Bytes as people read them, in the unit that shows some: `12 kB`, `3.4 MB`, `1.2 GB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6)):
        if number >= factor:
            return f"{number / factor:,.1f} {unit}"
    return f"{max(number, 0) / 1e3:,.0f} kB"


async def staging_store(context: DoctorContext) -> CheckOutcome:
    """3: the DuckDB file opens, has this version's tables, and nobody holds it."""
    try:
        facts = await store_facts(context)
    except IntegrationError as error:
        return failed(error, "do what the message says")
    if facts is None:
        return ok("none yet: the first run makes it")
    return ok(f"{facts.place} opens, {size(facts.bytes)}, nobody holds it")


async def known_store(context: DoctorContext) -> StoreFacts | None:
    """The facts of the store for other checks than the third; None when there is none yet.

    Raises:
        NotTriedError: it does not open.
    """
    try:
        return await store_facts(context)
    except IntegrationError:
        # The check of the store says why.
        raise NotTriedError("not tried: the staging store does not open") from None


async def ledger(context: DoctorContext) -> CheckOutcome:
    """4: every block of the ledger has its checksum, no entry is missing, and the newest plan has its hash."""
    facts = await known_store(context)
    if facts is None or (not facts.ledger.rows and not facts.ledger.problems):
        return ok("empty: nothing was written yet")
    # Undo and recovery read the ledger only: a run on a damaged one could write twice.
    if facts.ledger.problems:
        return fail(
            "; ".join(facts.ledger.problems), f"restore {facts.place} from a backup, or move it away and run again"
        )
    return ok(f"{facts.ledger.rows:,} entries, none missing; the newest plan has its hash")


async def leftovers(context: DoctorContext) -> CheckOutcome:
    """5: runs that died, writes whose outcome nobody knows."""
    facts = await known_store(context)
    if facts is None:
        return ok("no run yet")
    left = [f"run {run[:8]}, begun {began:%Y-%m-%d %H:%M} UTC, did not end" for run, began in facts.open_runs]
    if facts.ledger.open_writes:
        left.append(f"the outcome of {facts.ledger.open_writes:,} writes is not known")
    # Only a warning: the next run settles it by itself.
    if left:
        command = f"integration-assets sync {for_whom(context.tenant, context.environment)}"
        return warn("; ".join(left), f"`{command}` settles it")
    waiting = f"; {facts.unsent} messages to Slack wait for the next run" if facts.unsent else ""
    return ok(f"no run is open and no write unsettled{waiting}")
