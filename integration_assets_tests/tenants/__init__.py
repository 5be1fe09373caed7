"""Tests of tenants: the registry, its vault, and runs that use it."""
