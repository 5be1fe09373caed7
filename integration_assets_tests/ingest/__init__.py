"""Tests of reading all systems into the raw tables."""
