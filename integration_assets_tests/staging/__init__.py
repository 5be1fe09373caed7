"""Tests of `integration_assets.staging`."""
