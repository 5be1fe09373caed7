"""Benches of the look-alike's own tests, for what is tried on it without the connector."""

from integration_assets_tests.sandbox.salesforce.conftest import bench_of, salesforce_server

__all__ = ["bench_of", "salesforce_server"]
