"""Tests of the feedback systems: one suite over all of them, and what is special in each."""
