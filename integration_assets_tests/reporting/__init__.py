"""Tests of `integration_assets.reporting`."""
