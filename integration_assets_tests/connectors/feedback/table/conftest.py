"""A PostgreSQL server to read from: the one that the tests of the registry start."""

from integration_assets_tests.tenants.conftest import postgresql as postgresql  # noqa: PLC0414 - used by name
