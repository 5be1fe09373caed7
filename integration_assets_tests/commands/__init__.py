"""Tests of what commands share."""
