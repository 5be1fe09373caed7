"""Everything that proofs import, now or on their way: the process they are forked from imports this module once."""

from __future__ import annotations

import importlib

from integration_assets_tests.proofs.registry import load
from integration_assets_tests.support.dagster_migrations import read_migrations_once
from integration_assets_tests.support.processes import IMPORTED_ON_THE_WAY

load()
for _name in IMPORTED_ON_THE_WAY:
    importlib.import_module(_name)
read_migrations_once()
