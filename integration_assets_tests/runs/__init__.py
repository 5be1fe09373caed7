"""Tests of what a run is and what becomes of it."""
