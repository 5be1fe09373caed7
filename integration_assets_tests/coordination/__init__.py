"""Tests of what machines share in PostgreSQL."""
