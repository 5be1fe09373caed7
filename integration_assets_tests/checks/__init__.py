"""Tests of `integration_assets.checks`."""
